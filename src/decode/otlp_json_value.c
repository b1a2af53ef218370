/* otlp_json_value.c - the small things of OTLP's JSON: fields, numbers, attributes and their values. */
#include "base/check.h"
#include "base/float.h"
#include "decode/otlp_json.h"
#include "decode/otlp_value.h"

/* ---- fields ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

bool otlp_json_is(struct str key, const char *camel)
{
    size_t i = 0;
    for (; i < key.n; i++) {
        if (key.p[i] == '_') continue;
        if (*camel == 0 || lower(key.p[i]) != lower(*camel)) return false;
        camel++;
    }
    return *camel == 0;
}

bool otlp_json_field(struct json_reader *r, struct str *key)
{
    while (json_key(r, key)) {
        if (json_peek(r) != JSON_NULL) return true;
        json_null(r);
    }
    return false;
}

void otlp_json_postpone(struct json_reader *r, struct otlp_later *l)
{
    l->at = *r;
    l->known = true;
    json_skip(r);
}

void otlp_json_come_back(struct json_reader *r, const struct json_reader *from)
{
    if (r->failed || !from->failed) return;
    r->failed = true;
    r->failed_at = from->failed_at;
    memcpy(r->why, from->why, sizeof r->why);
}

/* ---- numbers, which may be strings ---- */

static bool number_text(struct json_reader *r, struct str *out)
{
    return json_peek(r) == JSON_STRING ? json_string(r, out) : json_number_text(r, out);
}

void otlp_json_double(struct json_reader *r, double *out)
{
    struct str text;
    if (!number_text(r, &text)) return;
    if (!float_parse(text, out)) json_fail(r, "expected a number");
}

static bool integral(struct str text, double *out)
{
    return float_parse(text, out) && *out >= -9007199254740992.0 && *out <= 9007199254740992.0 &&
           *out == (double)(int64_t)*out;
}

void otlp_json_u64(struct json_reader *r, uint64_t *out)
{
    struct str text;
    double v;
    if (!number_text(r, &text) || str_to_u64(text, out)) return;
    if (integral(text, &v) && v >= 0)
        *out = (uint64_t)v;
    else
        json_fail(r, "expected an unsigned integer of 64 bits");
}

void otlp_json_i64(struct json_reader *r, int64_t *out)
{
    struct str text;
    double v;
    if (!number_text(r, &text) || str_to_i64(text, out)) return;
    if (integral(text, &v))
        *out = (int64_t)v;
    else
        json_fail(r, "expected an integer of 64 bits");
}

void otlp_json_i32(struct json_reader *r, int32_t *out)
{
    int64_t v = 0;
    otlp_json_i64(r, &v);
    if (v < INT32_MIN || v > INT32_MAX) json_fail(r, "expected an integer of 32 bits");
    *out = (int32_t)v;
}

/* ---- attribute values ---- */

static void value_write(struct json_reader *r, struct json_writer *w, struct arena *a, int depth);

static struct str read_base64(struct json_reader *r, struct arena *a)
{
    struct str text = STR("");
    if (!json_string(r, &text)) return text;
    char *out = arena_alloc(a, text.n + 4);
    size_t n = 0;
    for (size_t i = 0; i < text.n && text.p[i] != '='; i++) {
        char c = text.p[i] == '-' ? '+' : text.p[i] == '_' ? '/' : text.p[i]; /* the URL-safe letters */
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
              c == '/'))
            json_fail(r, "expected base64");
        out[n++] = c;
    }
    while (n % 4 != 0) out[n++] = '=';
    return str_make(out, n);
}

/* {"values": [AnyValue...]} */
static void array_write(struct json_reader *r, struct json_writer *w, struct arena *a, int depth)
{
    struct str key;
    json_begin_array(w);
    if (json_object(r)) {
        while (otlp_json_field(r, &key)) {
            if (!str_is(key, "values")) {
                json_skip(r);
                continue;
            }
            if (json_array(r))
                while (json_next(r)) value_write(r, w, a, depth + 1);
        }
    }
    json_end_array(w);
}

void otlp_json_pair(struct json_reader *r, struct json_writer *w, struct arena *a, int depth)
{
    struct otlp_later value = { .known = false };
    struct str key, name = STR("");
    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        if (str_is(key, "key"))
            json_string(r, &name);
        else if (str_is(key, "value"))
            otlp_json_postpone(r, &value);
        else
            json_skip(r);
    }
    if (r->failed) return;
    json_put_key(w, name);
    if (!value.known) {
        json_put_null(w);
        return;
    }
    value_write(&value.at, w, a, depth + 1);
    otlp_json_come_back(r, &value.at);
}

/* {"values": [KeyValue...]} */
static void list_write(struct json_reader *r, struct json_writer *w, struct arena *a, int depth)
{
    struct str key;
    json_begin_object(w);
    if (json_object(r)) {
        while (otlp_json_field(r, &key)) {
            if (!str_is(key, "values")) {
                json_skip(r);
                continue;
            }
            if (json_array(r))
                while (json_next(r)) otlp_json_pair(r, w, a, depth);
        }
    }
    json_end_object(w);
}

bool otlp_json_member(struct json_reader *r, struct str key, struct json_writer *w, struct arena *a,
                      int depth)
{
    struct str text = STR("");
    int64_t i = 0;
    double d = 0;
    bool b = false;

    if (otlp_json_is(key, "stringValue"))
        json_string(r, &text), json_put_string(w, text);
    else if (otlp_json_is(key, "boolValue"))
        json_bool(r, &b), json_put_bool(w, b);
    else if (otlp_json_is(key, "intValue"))
        otlp_json_i64(r, &i), json_put_i64(w, i);
    else if (otlp_json_is(key, "doubleValue"))
        otlp_json_double(r, &d), json_put_double(w, d);
    else if (otlp_json_is(key, "bytesValue"))
        json_put_string(w, read_base64(r, a));
    else if (otlp_json_is(key, "arrayValue"))
        array_write(r, w, a, depth);
    else if (otlp_json_is(key, "kvlistValue"))
        list_write(r, w, a, depth);
    else
        return false;
    return true;
}

static void value_write(struct json_reader *r, struct json_writer *w, struct arena *a, int depth)
{
    struct str key;
    bool written = false;

    if (depth > OTLP_VALUE_DEPTH_MAX) json_fail(r, "attribute values nested too deeply");
    if (json_peek(r) == JSON_NULL)
        json_null(r);
    else if (json_object(r)) {
        while (otlp_json_field(r, &key)) {
            if (!written && otlp_json_member(r, key, w, a, depth))
                written = true;
            else
                json_skip(r);
        }
    }
    if (!written) json_put_null(w); /* after an error too: the writer expects a value */
}

static struct str nested_text(struct json_reader *r, struct str key, struct arena *a)
{
    struct buf text = BUF_INIT(OTLP_VALUE_JSON_MAX);
    struct json_writer w;
    json_writer_init(&w, &text);
    otlp_json_member(r, key, &w, a, 0);
    struct str kept = arena_str(a, buf_view(&text));
    buf_release(&text);
    return kept;
}

static void value_text(struct json_reader *r, struct arena *a, struct str *out)
{
    struct str key;
    int64_t i = 0;
    double d = 0;
    bool b = false;

    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        if (str_is(key, "stringValue"))
            json_string(r, out);
        else if (str_is(key, "boolValue"))
            json_bool(r, &b), *out = otlp_bool_text(b);
        else if (str_is(key, "intValue"))
            otlp_json_i64(r, &i), *out = otlp_int_text(i, a);
        else if (str_is(key, "doubleValue"))
            otlp_json_double(r, &d), *out = otlp_double_text(d, a);
        else if (str_is(key, "bytesValue"))
            *out = read_base64(r, a);
        else if (str_is(key, "arrayValue") || str_is(key, "kvlistValue"))
            *out = nested_text(r, key, a);
        else
            json_skip(r);
    }
}

static void read_attr(struct json_reader *r, struct otlp_attr *out, struct arena *a)
{
    struct str key;
    if (!json_object(r)) return;
    while (otlp_json_field(r, &key)) {
        if (str_is(key, "key"))
            json_string(r, &out->key);
        else if (str_is(key, "value"))
            value_text(r, a, &out->value);
        else
            json_skip(r);
    }
}

void otlp_json_attrs(struct json_reader *r, struct otlp_attrs *out, struct arena *a)
{
    if (!json_array(r)) return;
    while (json_next(r)) read_attr(r, otlp_attr_add(out, a), a);
}
