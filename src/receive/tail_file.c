/* tail_file.c - from the bytes of a file to log records.
 *
 * What is not a whole record yet is left: the same bytes are read again in the next round, so nothing has to
 * be kept between rounds but an offset. */
#include <string.h>

#include "base/check.h"
#include "decode/level_detect.h"
#include "decode/log_document.h"
#include "decode/time_text.h"
#include "receive/tail_impl.h"

#define JSON_DEPTH 2 /* names of an attribute, as POST /api/v1/logs has it */

/* ---- one record ---- */

/* A time that the line begins with: one word, or date and time. */
static bool leading_time(struct str line, int64_t *ns)
{
    struct str rest, more, first;
    if (line.n < 10 || line.p[0] < '0' || line.p[0] > '9' || line.p[4] != '-') return false;
    first = str_cut(line, ' ', &rest);
    struct str second = str_cut(rest, ' ', &more);
    if (second.n > 0 && time_from_rfc3339(str_make(first.p, first.n + 1 + second.n), ns)) return true;
    return time_from_rfc3339(first, ns);
}

static void put_source(const struct tailed *f, struct record_sink *s)
{
    for (size_t i = 0; i < f->entry->n_resource; i++)
        record_put(s, &s->attrs, f->entry->resource[i].name, f->entry->resource[i].value);
    record_put_text(s, &s->attrs, STR("log.file.path"), str_of(f->path));
}

/* The file's name up to its first dot, unless the configuration says. */
static struct str service_of(const struct tailed *f)
{
    if (f->entry->service.n > 0) return f->entry->service;
    const char *slash = strrchr(f->path, '/');
    struct str rest, stem = str_cut(str_of(slash != NULL ? slash + 1 : f->path), '.', &rest);
    return stem.n > 0 ? stem : str_of(f->path);
}

static int plain_record(const struct tailed *f, struct str text, bool is_cut, struct record_sink *s,
                        struct err *e)
{
    struct log_document d = { .reason = REJECT_COUNT };
    record_begin(s);
    d.has_time = leading_time(text, &s->record.time_ns);
    s->record.log.severity = level_detect(text, s->at);
    s->record.log.body = record_value_text(s, text);
    if (is_cut) {
        record_put(s, &s->attrs, STR("vedette.line_cut"), value_bool(true));
        stat_add(f->entry->cut, 1);
    }
    put_source(f, s);
    return log_document_add(s, &d, service_of(f), e);
}

/* False: it is no JSON object, or one whose time or service cannot be read; it is a plain line then. */
static bool json_record(const struct tailed *f, struct str text, struct record_sink *s, int *rc,
                        struct err *e)
{
    struct json_reader r;
    struct log_document d;
    record_begin(s);
    json_open_liberal(&r, text, s->at);
    log_document_read(&r, s, JSON_DEPTH, &d);
    if (json_close(&r, NULL) < 0 || d.reason != REJECT_COUNT) return false;
    put_source(f, s);
    *rc = log_document_add(s, &d, service_of(f), e);
    return true;
}

static int one_record(const struct tailed *f, struct str text, bool is_cut, struct record_sink *s,
                      struct err *e)
{
    int rc = OK;
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r')) text.n--;
    if (str_trim(text).n == 0) return OK;
    stat_add(f->entry->lines, 1);
    bool may_be_json =
        f->entry->format == TAIL_JSON || (f->entry->format == TAIL_AUTO && str_trim(text).p[0] == '{');
    if (may_be_json && !is_cut && json_record(f, text, s, &rc, e)) return rc;
    return plain_record(f, text, is_cut, s, e);
}

/* ---- lines ---- */

/* The end of the line that begins at `from`, with its break; 0: it has none. */
static size_t line_end(struct str t, size_t from)
{
    const char *nl = from < t.n ? memchr(t.p + from, '\n', t.n - from) : NULL;
    return nl != NULL ? (size_t)(nl - t.p) + 1 : 0;
}

static bool begins_record(const struct tailed *f, struct str line)
{
    while (line.n > 0 && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r')) line.n--;
    return f->entry->start == NULL || regex_match(f->entry->start, line);
}

/* Where the record that begins at `from` ends; 0: not here yet. */
static size_t record_end(const struct tailed *f, const struct tail_bytes *b, size_t from)
{
    size_t end = line_end(b->bytes, from);
    while (end > 0 && f->entry->start != NULL) {
        size_t next = line_end(b->bytes, end);
        if (next == 0) {
            bool partial = end < b->bytes.n;
            return b->is_last && !partial ? end : 0;
        }
        if (begins_record(f, str_make(b->bytes.p + end, next - end))) return end;
        end = next;
    }
    return end;
}

/* The rest of a line whose beginning was taken. */
static size_t skip_rest(struct tailed *f, struct str t)
{
    size_t end = line_end(t, 0);
    f->skips_next = end == 0;
    return end > 0 ? end : t.n;
}

int tail_take(struct tailed *f, const struct tail_bytes *b, struct record_sink *s, struct err *e)
{
    size_t at = 0, end;
    int rc = OK;
    f->skips_next = f->skips;
    if (f->skips) at = skip_rest(f, b->bytes);
    while (rc == OK && (end = record_end(f, b, at)) > 0) {
        rc = one_record(f, str_make(b->bytes.p + at, end - at), false, s, e);
        at = end;
    }
    struct str rest = str_make(b->bytes.p + at, b->bytes.n - at);
    if (rc == OK && at == 0 && rest.n >= TAIL_LINE_MAX) { /* as much as one record may have, and no end */
        rc = one_record(f, rest, true, s, e);
        f->skips_next = rest.p[rest.n - 1] != '\n';
        at = b->bytes.n;
    } else if (rc == OK && b->is_last && rest.n > 0 && !f->skips_next) {
        rc = one_record(f, rest, false, s, e);
        at = b->bytes.n;
    }
    f->taken = at;
    return rc;
}
