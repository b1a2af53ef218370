#include "decode/log_json.h"

#include <stdio.h>

#include "base/check.h"
#include "decode/log_document.h"
#include "decode/utf8.h"

#define DEPTH 2 /* names of an attribute: payload.key */

struct lines {
    struct record_sink sink;
    struct str text;
    size_t seen, line; /* line breaks before text.p + seen */
    const char *at;    /* where the entry at hand begins */
    struct err *err;
    char place[32];
};

/* Entries only come later in the text, so counting goes on where it stopped. */
static const char *place(void *reader)
{
    struct lines *l = reader;
    size_t to = (size_t)(l->at - l->text.p);
    for (; l->seen < to; l->seen++) l->line += l->text.p[l->seen] == '\n';
    snprintf(l->place, sizeof l->place, "line %zu", l->line + 1);
    return l->place;
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
    return p;
}

static int entry(struct lines *l, struct json_reader *r)
{
    struct log_document d;
    l->at = skip_blanks(r->p, r->end);
    record_begin(&l->sink);
    r->arena = l->sink.at;
    log_document_read(r, &l->sink, DEPTH, &d);
    if (r->failed) return OK;
    if (d.reason == REJECT_COUNT && !d.has_service) {
        record_refuse(&l->sink, REJECT_record_field, "service.name missing");
        return OK;
    }
    return log_document_add(&l->sink, &d, STR(""), l->err);
}

static int entry_or_skip(struct lines *l, struct json_reader *r)
{
    struct json_reader at = *r;
    int rc = entry(l, r);
    if (LIKELY(!r->failed)) return rc;

    struct json_reader failed = *r;
    *r = at;
    if (json_peek(r) != JSON_OBJECT) failed.why[0] = 0;
    bool skipped = json_skip(r);
    record_refuse(&l->sink, REJECT_record_field, "%s", failed.why[0] ? failed.why : "expected an object");
    if (!skipped) *r = failed;
    return rc;
}

static int array(struct lines *l, struct json_reader *r)
{
    int rc = OK;
    if (!json_array(r)) return OK;
    while (rc == OK && json_next(r)) {
        rc = entry_or_skip(l, r);
        if (r->failed) return rc; /* said already */
    }
    if (r->failed) {
        l->at = r->failed_at;
        record_refuse(&l->sink, REJECT_record_field, "%s", r->why);
    }
    return rc;
}

/* One value and what follows it. What was broken ends with its first line, but never before entries that have
 * been taken. */
static int value(struct lines *l, const char **p, const char *end)
{
    struct json_reader r;
    json_open(&r, str_make(*p, (size_t)(end - *p)), &l->sink.keep);
    r.repair = true;
    bool many = json_peek(&r) == JSON_ARRAY;
    int rc = many ? array(l, &r) : entry_or_skip(l, &r);
    if (!r.failed) {
        *p = r.p;
        return rc;
    }
    const char *from = many ? r.failed_at : *p;
    const char *line_end = memchr(from, '\n', (size_t)(end - from));
    *p = line_end ? line_end + 1 : end;
    return rc;
}

int log_json(struct str body, const struct record_options *options, struct records *out,
             struct record_report *report, struct err *e)
{
    struct arena whole = ARENA_INIT(SIZE_MAX / 2);
    struct lines l = { .err = e, .text = utf8_repaired(body, &whole) };
    int rc = OK;

    check(out->table == TABLE_LOGS);
    record_sink_init(&l.sink, out, options, report, place, &l);
    record_sink_bound(&l.sink, body.n);
    const char *end = l.text.p + l.text.n;
    for (const char *p = skip_blanks(l.text.p, end); rc == OK && p < end; p = skip_blanks(p, end))
        rc = value(&l, &p, end);
    record_sink_release(&l.sink);
    arena_release(&whole);
    return rc;
}
