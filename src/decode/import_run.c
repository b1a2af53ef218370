#include "decode/import_run.h"

#include <stdio.h>

#include "base/float.h"
#include "decode/id_text.h"
#include "decode/time_text.h"

#define NS_PER_S INT64_C(1000000000)

/* ---- walking the file ---- */

/* Counted only when somebody must be told. */
static const char *place(void *run)
{
    struct import_run *q = run;
    size_t line = 1;
    for (const char *p = q->text.p; p < q->at; p++) line += *p == '\n';
    snprintf(q->place, sizeof q->place, "line %zu", line);
    return q->place;
}

static void skip_blank(struct json_reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t')) r->p++;
}

void import_at(struct import_run *q, struct json_reader *r)
{
    skip_blank(r);
    q->at = r->p;
}

/* Of the wrong shape: refused alone, when the text is JSON at all. */
static int item_or_skip(struct import_run *q, struct json_reader *r, import_item *item)
{
    import_at(q, r);
    struct json_reader begin = *r;
    int rc = json_peek(r) == JSON_OBJECT ? item(q, r) : OK;
    if (rc < 0 || (!r->failed && r->p != begin.p)) return rc;

    struct json_reader failed = *r;
    *r = begin;
    q->at = begin.p;
    if (json_skip(r))
        record_refuse(&q->sink, REJECT_record_field, "%s", failed.failed ? failed.why : "expected an object");
    return OK;
}

static int value(struct import_run *q, struct json_reader *r, import_item *item)
{
    if (json_peek(r) != JSON_ARRAY) return item_or_skip(q, r, item);
    int rc = OK;
    json_array(r);
    while (rc == OK && json_next(r)) rc = item_or_skip(q, r, item);
    return rc;
}

/* The text from p on; false when only blanks are left. */
static bool open_rest(struct import_run *q, struct json_reader *r, const char *p)
{
    json_open(r, str_make(p, (size_t)(q->text.p + q->text.n - p)), &q->whole);
    r->repair = true;
    import_at(q, r);
    return r->p < r->end;
}

static const char *line_end(const struct import_run *q, const char *p)
{
    const char *end = q->text.p + q->text.n, *nl = memchr(p, '\n', (size_t)(end - p));
    return nl != NULL ? nl + 1 : end;
}

static int walk(struct import_run *q, import_item *item)
{
    struct json_reader r;
    bool is_first = true;
    for (const char *p = q->text.p; open_rest(q, &r, p); is_first = false) {
        const char *begin = q->at;
        int rc = value(q, &r, item);
        if (rc < 0) return rc;
        p = r.p;
        if (!r.failed) continue;
        q->at = r.failed_at != NULL ? r.failed_at : begin;
        if (is_first) return err_set(q->err, ERR_PARSE, "%s: not JSON: %s", place(q), r.why);
        record_refuse(&q->sink, REJECT_record_field, "not JSON: %s", r.why);
        p = line_end(q, begin);
    }
    if (is_first) return err_set(q->err, ERR_PARSE, "line 1: the file is empty");
    return OK;
}

int import_each(struct str body, const struct record_options *options, struct records *out,
                struct record_report *report, struct err *e, import_item *item)
{
    struct import_run q = { .whole = ARENA_INIT(SIZE_MAX / 2), .err = e };
    struct json_reader repaired;
    record_sink_init(&q.sink, out, options, report, place, &q);
    json_open_liberal(&repaired, body, &q.whole);
    q.text = str_make(repaired.p, (size_t)(repaired.end - repaired.p));
    q.at = q.text.p;
    int rc = q.text.n > 0 ? walk(&q, item) : err_set(e, ERR_PARSE, "line 1: the file is empty");
    record_sink_release(&q.sink);
    arena_release(&q.whole);
    return rc;
}

void import_put_service(struct import_run *q, struct str name)
{
    for (size_t i = 0; i < q->resource.n; i++)
        if (str_is(q->resource.at[i].name, "service.name")) return;
    if (name.n > 0) record_put_text(&q->sink, &q->resource, STR("service.name"), name);
}

bool import_field(struct json_reader *r, struct str *key)
{
    while (json_key(r, key)) {
        if (json_peek(r) != JSON_NULL) return true;
        json_null(r);
    }
    return false;
}

void import_postpone(struct json_reader *r, struct import_later *later)
{
    *later = (struct import_later){ *r, true };
    json_skip(r);
}

struct json_reader *import_resume(struct import_later *later, struct record_sink *s, enum json_kind kind)
{
    if (!later->known || json_peek(&later->at) != kind) return NULL;
    later->at.arena = s->at;
    return &later->at;
}

/* ---- ids ---- */

static bool is_hex(struct str t)
{
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F')) return false;
    }
    return t.n > 0;
}

static bool is_zero(const uint8_t *id, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) any |= id[i];
    return any == 0;
}

static bool is_zero_text(struct str t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] != '0') return false;
    return true;
}

void import_make_id(struct hash128 seed, uint64_t number, size_t n, uint8_t *out)
{
    uint64_t of[3] = { seed.lo, seed.hi, number };
    struct hash128 h = hash128(of, sizeof of);
    memcpy(out, &h, n);
    if (is_zero(out, n)) out[n - 1] = 1;
}

/* A trace id of 64 bits gets its zeros in front, as every tracing system does it. */
bool import_id(struct str text, size_t n, uint8_t *out, bool *exact)
{
    struct str hex = str_trim(text);
    if (str_starts(hex, "0x")) hex = str_make(hex.p + 2, hex.n - 2);
    *exact = true;
    if (is_zero_text(hex)) return false;
    bool is_uuid = n == 16 && hex.n == 36;
    if ((is_hex(hex) && (hex.n == 2 * n || (n == 16 && hex.n == n))) || is_uuid)
        if (id_from_hex(hex, n, out)) return !is_zero(out, n);
    *exact = false;
    import_make_id(hash128(text.p, text.n), n, n, out);
    return true;
}

bool import_put_id(struct record_sink *s, struct str text, size_t n, uint8_t *out, const char *kept)
{
    bool exact;
    if (!import_id(text, n, out, &exact)) return false;
    if (!exact) record_put_text(s, &s->attrs, str_of(kept), text);
    return true;
}

/* ---- times ---- */

static bool two_part_time(struct json_reader *r, int64_t *ns)
{
    int64_t part[2] = { 0, 0 };
    size_t n = 0;
    json_array(r);
    for (; json_next(r); n++)
        if (n >= 2 || json_peek(r) != JSON_NUMBER || !json_i64(r, &part[n])) json_skip(r);
    if (r->failed || n != 2 || part[0] < 0 || part[1] < 0 || part[1] >= NS_PER_S) return false;
    return !__builtin_mul_overflow(part[0], NS_PER_S, ns) && !__builtin_add_overflow(*ns, part[1], ns);
}

bool import_time(struct json_reader *r, int64_t *ns)
{
    struct str text;
    switch (json_peek(r)) {
    case JSON_ARRAY: return two_part_time(r, ns);
    case JSON_STRING: return json_string(r, &text) && time_from_text(str_trim(text), ns);
    case JSON_NUMBER: return json_number_text(r, &text) && time_from_number(text, ns);
    default: json_skip(r); return false;
    }
}

bool import_iso_duration(struct str t, int64_t *ns)
{
    double total = 0, part;
    if (!str_starts(t, "P")) return false;
    bool in_time = false;
    for (size_t i = 1, from = 1; i < t.n; i++) {
        char c = t.p[i];
        if ((c >= '0' && c <= '9') || c == '.') continue;
        if (c == 'T' && !in_time && i == from) {
            in_time = true;
        } else {
            double unit = c == 'D' && !in_time  ? 86400
                          : c == 'H' && in_time ? 3600
                          : c == 'M' && in_time ? 60
                          : c == 'S' && in_time ? 1
                                                : 0;
            if (unit == 0 || !float_parse(str_make(t.p + from, i - from), &part)) return false;
            total += part * unit;
        }
        from = i + 1;
        if (from == t.n) {
            if (!(total >= 0) || total > 9e9 || c == 'T') return false;
            *ns = (int64_t)(total * 1e9 + 0.5);
            return true;
        }
    }
    return false;
}

/* ---- attributes ---- */

bool import_is_empty(struct json_reader r)
{
    struct str text;
    switch (json_peek(&r)) {
    case JSON_NULL: return true;
    case JSON_STRING: return json_string(&r, &text) && text.n == 0;
    case JSON_OBJECT: return json_object(&r) && !json_key(&r, &text) && !r.failed;
    case JSON_ARRAY: return json_array(&r) && !json_next(&r) && !r.failed;
    default: return false;
    }
}

static bool has_one(struct json_reader *r, const char *const *keys, size_t n)
{
    struct str key;
    bool has = false;
    json_object(r);
    while (json_key(r, &key)) {
        for (size_t i = 0; i < n; i++) has |= str_is(key, keys[i]) && !import_is_empty(*r);
        json_skip(r);
    }
    return has;
}

bool import_any_without(struct json_reader r, const char *const *keys, size_t n)
{
    if (json_peek(&r) != JSON_ARRAY) return false;
    json_array(&r);
    while (json_next(&r)) {
        if (json_peek(&r) != JSON_OBJECT)
            json_skip(&r);
        else if (!has_one(&r, keys, n))
            return !r.failed;
    }
    return false;
}

void import_put(struct json_reader *r, struct record_sink *s, struct attr_list *l, struct str name)
{
    struct value v;
    if (import_is_empty(*r))
        json_skip(r);
    else if (json_value(r, s, &v))
        record_put(s, l, name, v);
}

void import_put_all(struct json_reader *r, struct record_sink *s, struct attr_list *l, const char *prefix)
{
    struct str key;
    if (!json_object(r)) return;
    while (json_key(r, &key))
        import_put(r, s, l, prefix[0] ? arena_printf(s->at, "%s.%.*s", prefix, STR_ARG(key)) : key);
}

struct str import_snake(struct record_sink *s, const char *prefix, struct str camel)
{
    size_t n = strlen(prefix);
    char *out = arena_alloc(s->at, n + 2 * camel.n + 1);
    memcpy(out, prefix, n);
    for (size_t i = 0; i < camel.n; i++) {
        char c = camel.p[i];
        bool upper = c >= 'A' && c <= 'Z';
        if (upper && i > 0) out[n++] = '_';
        out[n++] = upper ? (char)(c - 'A' + 'a') : c;
    }
    return str_make(out, n);
}
