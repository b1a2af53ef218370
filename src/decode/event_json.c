/* event_json.c - see event_json.h. Reading is log_document's; what is here is the check against the table. */
#include "decode/event_json.h"

#include <stdio.h>

#include "base/check.h"
#include "decode/log_document.h"
#include "decode/time_text.h"
#include "decode/utf8.h"

#define DEPTH 1 /* objects are values */

struct reading {
    struct event_json *j;
    struct record_sink sink;
    struct str text;
    size_t seen, line; /* line breaks before text.p + seen */
    const char *at;    /* where the event at hand begins */
    struct err *err;
    char place[32];
};

static const char *place(void *reader)
{
    struct reading *r = reader;
    size_t to = (size_t)(r->at - r->text.p);
    for (; r->seen < to; r->seen++) r->line += r->text.p[r->seen] == '\n';
    snprintf(r->place, sizeof r->place, "line %zu", r->line + 1);
    return r->place;
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
    return p;
}

/* ---- one event ---- */

static const struct event_kind *kind_of(struct reading *r)
{
    struct str name = r->sink.record.log.event_name;
    if (r->j->kind != NULL) {
        if (name.n > 0 && !str_is(name, r->j->kind->name)) {
            record_refuse(&r->sink, REJECT_record_field, "event_name: this door takes %s", r->j->kind->name);
            return NULL;
        }
        return r->j->kind;
    }
    const struct event_kind *k = event_kind_find(name);
    if (k == NULL && name.n == 0)
        record_refuse(&r->sink, REJECT_record_field, "event_name: missing");
    else if (k == NULL)
        record_refuse(&r->sink, REJECT_record_field, "event_name: no kind of event is called \"%.*s\"",
                      (int)MIN(name.n, (size_t)80), name.p);
    return k;
}

/* Attributes by the numbers of fields; of equal names the last. */
static void sort_values(const struct record_sink *s, const struct event_kind *k, struct value *v)
{
    memset(v, 0, k->n_fields * sizeof *v);
    for (size_t i = 0; i < s->attrs.n; i++) {
        size_t at = event_field_at(k, s->attrs.at[i].name);
        if (at != SIZE_MAX) v[at] = s->attrs.at[i].value;
    }
}

static bool time_of(struct value v, int64_t *ns)
{
    struct buf b = BUF_INIT(64);
    if (v.type == VALUE_STR) return time_from_text(str_trim(v.text), ns);
    value_print(&b, v);
    bool is_one = time_from_text(buf_view(&b), ns);
    buf_release(&b);
    return is_one;
}

/* All times are looked at, the best of those that say when is taken. */
static bool take_times(struct reading *r, const struct event_kind *k, const struct value *v, bool has_time)
{
    struct str rest = str_of(k->time != NULL ? k->time : "");
    int64_t ns;
    for (size_t i = 0; i < k->n_fields; i++)
        if (k->fields[i].type == EVENT_TIME && v[i].type != VALUE_NONE && !time_of(v[i], &ns)) {
            record_refuse(&r->sink, REJECT_record_time, "%s: expected RFC 3339 or a number since 1970",
                          k->fields[i].name);
            return false;
        }
    while (!has_time && rest.n > 0) {
        size_t at = event_field_at(k, str_cut(rest, '|', &rest));
        if (at == SIZE_MAX || v[at].type == VALUE_NONE) continue;
        has_time = time_of(v[at], &r->sink.record.time_ns);
    }
    if (!has_time) r->sink.record.time_ns = r->sink.options->now_ns;
    return true;
}

static bool is_zero(const uint8_t *id, size_t n)
{
    while (n > 0 && id[n - 1] == 0) n--;
    return n == 0;
}

static void take_trace(struct reading *r, const struct event_kind *k, const struct value *v)
{
    uint8_t *id = r->sink.record.trace_id;
    size_t at = k->trace != NULL ? event_field_at(k, str_of(k->trace)) : SIZE_MAX;
    if (at != SIZE_MAX && v[at].type == VALUE_STR && is_zero(id, 16))
        event_trace_id(k->trace, v[at].text, id);
}

static void tell(struct reading *r, struct str id, bool is_duplicate)
{
    struct event_json *j = r->j;
    if (j->kept == NULL || j->n_told == EVENT_JSON_IDS_MAX) return;
    struct event_told *t = &j->told[j->n_told++];
    t->id = arena_str(j->kept, id);
    t->is_duplicate = is_duplicate;
    memcpy(t->trace_id, r->sink.record.trace_id, sizeof t->trace_id);
}

/* What tells it from others; empty: nothing does. */
static struct str id_of(const struct event_kind *k, const struct value *v)
{
    size_t at = k->id != NULL ? event_field_at(k, str_of(k->id)) : SIZE_MAX;
    return at != SIZE_MAX && v[at].type == VALUE_STR ? v[at].text : STR("");
}

/* An event that is right: duplicates are left out, what cannot be packed is not claimed. */
static int add_new(struct reading *r, const struct event_kind *k, const struct log_document *d, struct str id)
{
    const uint64_t refused = r->sink.report->rejected_total;
    const bool is_new = id.n == 0 || r->j->is_new == NULL || r->j->is_new(r->j->ctx, k, id);
    if (id.n > 0) tell(r, id, !is_new);
    if (!is_new) {
        r->j->duplicates++;
        return OK;
    }
    int rc = log_document_add(&r->sink, d, str_of(k->service), r->err);
    if (id.n > 0 && r->j->not_kept != NULL && (rc < 0 || r->sink.report->rejected_total > refused)) {
        r->j->not_kept(r->j->ctx, k, id);
        if (r->j->n_told > 0) r->j->n_told--;
    }
    return rc;
}

static int add(struct reading *r, struct log_document *d)
{
    struct record_sink *s = &r->sink;
    struct value v[EVENT_FIELDS_MAX];
    struct event_fault fault;
    if (d->reason != REJECT_COUNT) {
        record_refuse(s, d->reason, "%s", d->why);
        return OK;
    }
    const struct event_kind *k = kind_of(r);
    if (k == NULL) return OK;
    if (r->j->path_field.n > 0) record_put(s, &s->attrs, r->j->path_field, value_str(r->j->path_value));
    sort_values(s, k, v);
    if (!event_check(k, v, &fault)) {
        record_refuse(s, REJECT_record_field, "%s", fault.why);
        return OK;
    }
    if (!take_times(r, k, v, d->has_time)) return OK;
    take_trace(r, k, v);
    s->record.log.event_name = str_of(k->name);
    d->has_time = true;
    return add_new(r, k, d, id_of(k, v));
}

static int event(struct reading *r, struct json_reader *in)
{
    struct log_document d;
    struct json_reader at = *in;
    r->at = skip_blanks(in->p, in->end);
    record_begin(&r->sink);
    in->arena = r->sink.at;
    log_document_read(in, &r->sink, DEPTH, &d);
    if (LIKELY(!in->failed)) return add(r, &d);

    struct json_reader failed = *in;
    *in = at;
    bool is_object = json_peek(in) == JSON_OBJECT, skipped = json_skip(in);
    record_refuse(&r->sink, REJECT_record_field, "%s",
                  is_object && failed.why[0] ? failed.why : "expected an object");
    if (!skipped) *in = failed;
    return OK;
}

/* ---- all of them ---- */

static int array(struct reading *r, struct json_reader *in)
{
    int rc = OK;
    if (!json_array(in)) return OK;
    while (rc == OK && json_next(in)) {
        rc = event(r, in);
        if (in->failed) return rc; /* said already */
    }
    if (in->failed) {
        r->at = in->failed_at;
        record_refuse(&r->sink, REJECT_record_field, "%s", in->why);
    }
    return rc;
}

/* What was broken ends with its line. */
static int value(struct reading *r, const char **p, const char *end)
{
    struct json_reader in;
    json_open(&in, str_make(*p, (size_t)(end - *p)), &r->sink.keep);
    in.repair = true;
    bool many = json_peek(&in) == JSON_ARRAY;
    int rc = many ? array(r, &in) : event(r, &in);
    if (!in.failed) {
        *p = in.p;
        return rc;
    }
    const char *from = many ? in.failed_at : *p;
    const char *line_end = memchr(from, '\n', (size_t)(end - from));
    *p = line_end ? line_end + 1 : end;
    return rc;
}

int event_json(struct event_json *j, struct str body, const struct record_options *options,
               struct records *out, struct record_report *report, struct err *e)
{
    struct arena whole = ARENA_INIT(SIZE_MAX / 2);
    struct reading r = { .j = j, .err = e, .text = utf8_repaired(body, &whole) };
    int rc = OK;

    check(out->table == TABLE_LOGS);
    record_sink_init(&r.sink, out, options, report, place, &r);
    const char *end = r.text.p + r.text.n;
    for (const char *p = skip_blanks(r.text.p, end); rc == OK && p < end; p = skip_blanks(p, end))
        rc = value(&r, &p, end);
    record_sink_release(&r.sink);
    arena_release(&whole);
    return rc;
}
