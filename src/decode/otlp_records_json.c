/* otlp_records_json.c - resources, scopes and attributes of spans and logs as JSON.
 *
 * Read liberally: see otlp_traces.h. Keys may come in any order: records that stand before their resource or
 * scope are skipped, their position kept, and read once the rest is known. A record of the wrong shape is
 * refused alone: the reader goes back to its beginning and skips it, which works whenever the text is JSON.
 */
#include "decode/otlp_records_json.h"

#include <strings.h>

#include "base/check.h"
#include "base/float.h"
#include "decode/base64.h"
#include "decode/id_text.h"
#include "decode/json_value.h"
#include "decode/otlp_value.h"
#include "decode/time_text.h"

/* ---- small things ---- */

int otlp_json_key(struct str key, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(key, keys[i])) return (int)i;
    for (size_t i = 0; i < n; i++)
        if (otlp_json_is(key, keys[i])) return (int)i;
    return (int)n;
}

const struct str OTLP_NO_ID = { "?", 1 };

struct str otlp_json_id(struct json_reader *r, struct record_sink *s, size_t n)
{
    struct str text;
    uint8_t id[16];
    if (!json_string(r, &text) || text.n == 0) return STR("");
    return id_from_text(text, n, id) ? arena_str(s->at, str_make(id, n)) : OTLP_NO_ID;
}

uint64_t otlp_json_time(struct json_reader *r)
{
    struct str text = STR("");
    uint64_t ns = 0;
    int64_t t;
    double v;
    if (!(json_peek(r) == JSON_STRING ? json_string(r, &text) : json_number_text(r, &text))) return 0;
    if (text.n == 0 || str_to_u64(text, &ns)) return ns;
    if (float_parse(text, &v) && v >= 0 && v < 1.8e19) return (uint64_t)v; /* in floating form: digits lost */
    if (time_from_rfc3339(text, &t)) return (uint64_t)t;
    json_fail(r, "expected a time in ns");
    return 0;
}

uint64_t otlp_json_enum(struct json_reader *r, const char *prefix, const char *const *names, size_t n)
{
    struct str text;
    uint64_t v = 0;
    if (json_peek(r) != JSON_STRING) {
        otlp_json_u64(r, &v);
        return v;
    }
    if (!json_string(r, &text) || str_to_u64(text, &v)) return v;
    size_t skip = strlen(prefix);
    if (text.n > skip && strncasecmp(text.p, prefix, skip) == 0) text.p += skip, text.n -= skip;
    for (size_t i = 0; i < n; i++)
        if (str_is_nocase(text, names[i])) return i;
    return 0;
}

uint32_t otlp_json_count(struct json_reader *r)
{
    uint64_t v = 0;
    otlp_json_u64(r, &v);
    return (uint32_t)MIN(v, (uint64_t)UINT32_MAX);
}

struct str otlp_json_text(struct json_reader *r, struct record_sink *s)
{
    struct str text = STR("");
    json_scalar_text(r, s, &text);
    return text;
}

/* ---- values ---- */

static bool nested_value(struct json_reader *r, struct str key, struct record_sink *s, struct value *out)
{
    struct buf text = BUF_INIT(RECORD_JSON_MAX);
    struct json_writer w;
    json_writer_init(&w, &text);
    bool known = otlp_json_member(r, key, &w, s->at, 0);
    if (known && !r->failed) *out = record_value_json(s, &text);
    buf_release(&text);
    return known;
}

static void bytes_value(struct json_reader *r, struct record_sink *s, struct value *out)
{
    struct str text;
    size_t n;
    if (!json_string(r, &text)) return;
    char *bytes = arena_alloc(s->at, text.n);
    if (base64_read(text, bytes, &n))
        *out = record_value_bytes(s, str_make(bytes, n));
    else
        json_fail(r, "expected base64");
}

/* One member of an AnyValue; unknown ones are skipped. */
static void value_member(struct json_reader *r, struct str key, struct record_sink *s, struct value *out)
{
    static const char *const keys[] = { "stringValue", "intValue", "boolValue", "doubleValue", "bytesValue" };
    int64_t i = 0;
    double d = 0;
    bool b = false;
    switch (otlp_json_key(key, keys, COUNT(keys))) {
    case 0: *out = value_str(otlp_json_text(r, s)); break;
    case 1: otlp_json_i64(r, &i), *out = value_int(i); break;
    case 2: json_bool(r, &b), *out = value_bool(b); break;
    case 3: otlp_json_double(r, &d), *out = value_double(d); break;
    case 4: bytes_value(r, s, out); break;
    default:
        if (!nested_value(r, key, s, out)) json_skip(r);
    }
}

bool otlp_json_value(struct json_reader *r, struct record_sink *s, struct value *out)
{
    struct json_reader at = *r;
    struct str key;
    *out = value_str(STR(""));
    if (json_peek(r) != JSON_OBJECT) return json_value(r, s, out); /* as some senders write it */
    json_object(r);
    while (otlp_json_field(r, &key)) value_member(r, key, s, out);
    if (LIKELY(!r->failed)) return true;
    *r = at; /* what goes wrong in a value stays there */
    json_skip(r);
    *out = (struct value){ .type = VALUE_NONE };
    return false;
}

static void read_pair(struct json_reader *r, struct record_sink *s, struct attr_list *l)
{
    struct value v = value_str(STR(""));
    struct str key, name = STR("");
    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        if (str_is(key, "key"))
            json_string(r, &name);
        else if (!str_is(key, "value"))
            json_skip(r);
        else if (!otlp_json_value(r, s, &v))
            s->left_out++;
    }
    if (!r->failed) record_put(s, l, name, v);
}

/* [{"key","value"}], or the attributes of an object as other exporters write them. */
void otlp_json_pairs(struct json_reader *r, struct record_sink *s, struct attr_list *l)
{
    struct str name;
    struct value v;
    if (json_peek(r) == JSON_OBJECT) {
        json_object(r);
        while (otlp_json_field(r, &name))
            if (json_value(r, s, &v)) record_put(s, l, name, v);
        return;
    }
    if (!json_array(r)) return;
    while (json_next(r)) read_pair(r, s, l);
}

/* What goes wrong in a value stays there, here too. */
static void put_member(struct json_reader *r, struct record_sink *s, struct json_writer *w)
{
    struct json_reader at = *r;
    const struct json_writer before = *w;
    size_t n = w->out->n;
    otlp_json_pair(r, w, s->at, 0);
    if (LIKELY(!r->failed)) return;
    *r = at;
    *w = before;
    w->out->n = n;
    s->left_out += json_skip(r);
}

void otlp_json_members(struct json_reader *r, struct record_sink *s, struct json_writer *w)
{
    json_put_key(w, STR("attributes"));
    if (json_peek(r) == JSON_OBJECT) {
        json_copy(r, w);
        return;
    }
    json_begin_object(w);
    if (json_array(r))
        while (json_next(r)) put_member(r, s, w);
    json_end_object(w);
}

/* ---- scope, resource, request ---- */

/* The names in JSON of what stands around the records. */
static const struct names {
    const char *resources, *scopes, *scopes_before, *records;
} names[] = {
    [TABLE_LOGS] = { "resourceLogs", "scopeLogs", "instrumentationLibraryLogs", "logRecords" },
    [TABLE_SPANS] = { "resourceSpans", "scopeSpans", "instrumentationLibrarySpans", "spans" },
};

/* A record that failed is refused; the reader stands behind it, unless the text is no JSON at all. */
static int record(struct otlp_records *q, struct json_reader *r)
{
    struct json_reader at = *r;
    record_begin(&q->sink);
    r->arena = q->sink.at;
    int rc = q->table == TABLE_SPANS ? otlp_span_json(q, r) : otlp_log_json(q, r);
    r->arena = at.arena;
    if (LIKELY(!r->failed)) return rc;

    struct json_reader failed = *r;
    *r = at;
    if (json_skip(r)) record_refuse(&q->sink, REJECT_record_field, "%s", failed.why);
    return rc;
}

static int records_read(struct otlp_records *q, struct json_reader *r)
{
    int rc = OK;
    if (!json_array(r)) return OK;
    for (q->item_no = 0; rc == OK && json_next(r); q->item_no++) rc = record(q, r);
    return rc;
}

static void scope_read(struct json_reader *r, struct record_sink *s)
{
    struct str key;
    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        if (str_is(key, "name"))
            s->origin.scope_name = otlp_json_text(r, s);
        else if (str_is(key, "version"))
            s->origin.scope_version = otlp_json_text(r, s);
        else if (str_is(key, "attributes"))
            otlp_json_pairs(r, s, &s->scope);
        else
            json_skip(r);
    }
}

/* Records whose scope stands before them, as nearly everyone writes it, are read where they are; those before
 * their scope later. */
static int scope_records(struct otlp_records *q, struct json_reader *r)
{
    const struct names *n = &names[q->table];
    struct otlp_later all = { .known = false };
    struct str key;
    bool has_scope = false, done = false;
    int rc = OK;

    if (!json_object(r)) return OK;
    record_scope_begin(&q->sink);
    while (rc == OK && otlp_json_field(r, &key)) {
        if (!done && (str_is(key, "scope") || otlp_json_is(key, "instrumentationLibrary"))) {
            scope_read(r, &q->sink);
            has_scope = true;
        } else if (done || !otlp_json_is(key, n->records))
            json_skip(r);
        else if (has_scope) {
            record_origin_end(&q->sink);
            rc = records_read(q, r);
            done = true;
        } else
            otlp_json_postpone(r, &all);
    }
    if (rc < 0 || r->failed || done || !all.known) return rc;
    record_origin_end(&q->sink);
    rc = records_read(q, &all.at);
    otlp_json_come_back(r, &all.at);
    return rc;
}

static int scopes_read(struct otlp_records *q, struct json_reader *r)
{
    int rc = OK;
    if (!json_array(r)) return OK;
    for (q->scope_no = 0; rc == OK && json_next(r); q->scope_no++) rc = scope_records(q, r);
    return rc;
}

static void resource_read(struct json_reader *r, struct record_sink *s)
{
    struct str key;
    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        if (str_is(key, "attributes"))
            otlp_json_pairs(r, s, &s->resource);
        else
            json_skip(r);
    }
}

/* Likewise. */
static int resource_records(struct otlp_records *q, struct json_reader *r)
{
    const struct names *n = &names[q->table];
    struct otlp_later all = { .known = false };
    struct str key;
    bool has_resource = false, done = false;
    int rc = OK;

    if (!json_object(r)) return OK;
    record_origin_begin(&q->sink);
    while (rc == OK && otlp_json_field(r, &key)) {
        if (!done && str_is(key, "resource")) {
            resource_read(r, &q->sink);
            has_resource = true;
        } else if (done || (!otlp_json_is(key, n->scopes) && !otlp_json_is(key, n->scopes_before)))
            json_skip(r);
        else if (has_resource) {
            rc = scopes_read(q, r);
            done = true;
        } else
            otlp_json_postpone(r, &all);
    }
    if (rc < 0 || r->failed || done || !all.known) return rc;
    rc = scopes_read(q, &all.at);
    otlp_json_come_back(r, &all.at);
    return rc;
}

static int request(struct otlp_records *q, struct json_reader *r)
{
    struct str key;
    int rc = OK;
    if (!json_object(r)) return OK;
    while (rc == OK && otlp_json_field(r, &key)) {
        if (!otlp_json_is(key, names[q->table].resources)) {
            json_skip(r);
            continue;
        }
        if (!json_array(r)) return OK;
        for (q->resource_no = 0; rc == OK && json_next(r); q->resource_no++) rc = resource_records(q, r);
    }
    return rc;
}

static int requests(struct otlp_records *q, struct json_reader *r)
{
    int rc = OK;
    if (json_peek(r) != JSON_ARRAY) return request(q, r);
    q->many = true;
    json_array(r);
    for (; rc == OK && json_next(r); q->request_no++) rc = request(q, r);
    return rc;
}

int otlp_records_json(struct str body, const struct record_options *options, struct records *out,
                      struct record_report *report, struct err *e)
{
    struct otlp_records q;
    struct json_reader r;
    struct arena whole = ARENA_INIT(SIZE_MAX / 2); /* of a repaired body */

    otlp_records_init(&q, body, out, options, report, e);
    json_open_liberal(&r, body, &whole);
    r.arena = &q.sink.keep;
    int rc = requests(&q, &r);
    if (rc == OK) rc = json_close(&r, e);
    record_sink_release(&q.sink);
    arena_release(&whole);
    return rc;
}
