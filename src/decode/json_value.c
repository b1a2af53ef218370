#include "decode/json_value.h"

#include "base/check.h"
#include "base/float.h"
#include "decode/time_text.h"
#include "decode/utf8.h"

void json_open_liberal(struct json_reader *r, struct str text, struct arena *a)
{
    json_open(r, utf8_repaired(text, a), a);
    r->repair = true;
}

static bool copy_scalar(struct json_reader *r, struct json_writer *w)
{
    struct str text;
    bool b;
    switch (json_peek(r)) {
    case JSON_STRING:
        if (!json_string(r, &text)) return false;
        json_put_string(w, text);
        return true;
    case JSON_NUMBER:
        if (!json_number_text(r, &text)) return false;
        json_put_raw(w, text);
        return true;
    case JSON_BOOL:
        if (!json_bool(r, &b)) return false;
        json_put_bool(w, b);
        return true;
    default: json_null(r); return false;
    }
}

/* The reader bounds the depth: what lies deeper is null. One value is written, after an error too: the writer
 * expects it. */
void json_copy(struct json_reader *r, struct json_writer *w)
{
    struct str key;
    enum json_kind kind = json_peek(r);
    if (r->depth == JSON_DEPTH_MAX && (kind == JSON_OBJECT || kind == JSON_ARRAY)) {
        json_skip(r);
        json_put_null(w);
        return;
    }
    switch (json_peek(r)) {
    case JSON_OBJECT:
        json_begin_object(w);
        json_object(r);
        while (json_key(r, &key)) {
            json_put_key(w, key);
            json_copy(r, w);
        }
        json_end_object(w);
        break;
    case JSON_ARRAY:
        json_begin_array(w);
        json_array(r);
        while (json_next(r)) json_copy(r, w);
        json_end_array(w);
        break;
    default:
        if (!copy_scalar(r, w)) json_put_null(w);
    }
}

static bool nested(struct json_reader *r, struct record_sink *s, struct value *out)
{
    struct buf text = BUF_INIT(RECORD_JSON_MAX);
    struct json_writer w;
    json_writer_init(&w, &text);
    json_copy(r, &w);
    if (!r->failed) *out = record_value_json(s, &text);
    buf_release(&text);
    return !r->failed;
}

static bool number(struct json_reader *r, struct value *out)
{
    struct str digits;
    int64_t i;
    double d;
    if (!json_number_text(r, &digits)) return false;
    if (str_to_i64(digits, &i))
        *out = value_int(i);
    else if (float_parse(digits, &d))
        *out = value_double(d);
    else
        *out = value_str(digits); /* too large for a double */
    return true;
}

bool json_value(struct json_reader *r, struct record_sink *s, struct value *out)
{
    struct str text;
    bool b;
    *out = (struct value){ .type = VALUE_NONE };
    switch (json_peek(r)) {
    case JSON_STRING:
        if (!json_string(r, &text)) return false;
        *out = record_value_text(s, text);
        return true;
    case JSON_NUMBER: return number(r, out);
    case JSON_BOOL:
        if (!json_bool(r, &b)) return false;
        *out = value_bool(b);
        return true;
    case JSON_OBJECT:
    case JSON_ARRAY: return nested(r, s, out);
    default: return json_null(r);
    }
}

bool json_scalar_text(struct json_reader *r, struct record_sink *s, struct str *out)
{
    bool b;
    *out = STR("");
    switch (json_peek(r)) {
    case JSON_STRING:
        if (!json_string(r, out)) return false;
        *out = record_text(s, *out);
        return true;
    case JSON_NUMBER: return json_number_text(r, out);
    case JSON_BOOL:
        if (!json_bool(r, &b)) return false;
        *out = b ? STR("true") : STR("false");
        return true;
    default: return json_skip(r);
    }
}

bool json_time(struct json_reader *r, int64_t *ns)
{
    struct str text = STR("");
    enum json_kind kind = json_peek(r);
    if (kind != JSON_STRING && kind != JSON_NUMBER) {
        json_skip(r);
        return false;
    }
    return (kind == JSON_STRING ? json_string(r, &text) : json_number_text(r, &text)) &&
           time_from_text(str_trim(text), ns);
}

/* ---- flattening ---- */

static struct str joined(struct record_sink *s, struct str name, struct str key)
{
    if (name.n == 0) return key;
    char *text = arena_alloc(s->at, name.n + key.n + 1);
    memcpy(text, name.p, name.n);
    text[name.n] = '.';
    if (key.n > 0) memcpy(text + name.n + 1, key.p, key.n);
    return str_make(text, name.n + key.n + 1);
}

static bool is_empty_object(struct json_reader r)
{
    struct str key;
    return json_object(&r) && !json_key(&r, &key) && !r.failed;
}

void json_flatten(struct json_reader *r, struct record_sink *s, struct attr_list *l, struct str name,
                  int depth)
{
    struct value v;
    struct str key;
    if (json_peek(r) != JSON_OBJECT || depth == 0 || is_empty_object(*r)) {
        if (json_value(r, s, &v)) record_put(s, l, name, v);
        return;
    }
    json_object(r);
    while (json_key(r, &key)) json_flatten(r, s, l, joined(s, name, key), depth - 1);
}
