/* otlp_any.c - AnyValue as JSON, with a ceiling on how deep values may lie within one another. */
#include "decode/otlp_any.h"

#include "decode/otlp_value.h"

bool otlp_key_value(struct pb *r, struct str message, struct str *key, struct str *value)
{
    struct pb sub = pb_sub(r, message);
    struct pb_field f;
    *key = *value = STR("");
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_LEN(1): *key = f.bytes; break;
        case PB_LEN(2): *value = f.bytes; break;
        default: pb_other(&sub, &f, PB_KNOWN(1) | PB_KNOWN(2));
        }
    }
    return pb_join(r, &sub);
}

/* ArrayValue and KeyValueList: both hold field 1, repeated. */
static bool items_json(struct pb *r, struct str message, bool keyed, int depth, struct arena *a,
                       struct json_writer *w)
{
    struct pb sub = pb_sub(r, message);
    struct pb_field f;
    struct str key, value;
    while (pb_next(&sub, &f)) {
        if (f.tag != PB_LEN(1)) {
            pb_other(&sub, &f, PB_KNOWN(1));
            continue;
        }
        value = f.bytes;
        if (keyed && otlp_key_value(&sub, f.bytes, &key, &value)) json_put_key(w, key);
        if (sub.why == NULL) otlp_any_json(&sub, value, depth + 1, a, w);
    }
    return pb_join(r, &sub);
}

bool otlp_any_last(struct pb *r, struct str message, struct pb_field *last)
{
    struct pb sub = pb_sub(r, message);
    struct pb_field f;
    last->tag = 0;
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_LEN(1):
        case PB_VARINT(2):
        case PB_VARINT(3):
        case PB_I64(4):
        case PB_LEN(5):
        case PB_LEN(6):
        case PB_LEN(7): *last = f; break;
        default: pb_other(&sub, &f, (PB_KNOWN(8) - 1) & ~PB_KNOWN(0));
        }
    }
    return pb_join(r, &sub);
}

bool otlp_any_json(struct pb *r, struct str message, int depth, struct arena *a, struct json_writer *w)
{
    struct pb_field v = { .tag = 0 };
    if (depth > OTLP_VALUE_DEPTH_MAX)
        pb_fail(r, "attribute values nested too deeply");
    else if (!otlp_any_last(r, message, &v))
        v.tag = 0;
    switch (v.tag) {
    case PB_LEN(1): json_put_string(w, v.bytes); break;
    case PB_VARINT(2): json_put_bool(w, v.u != 0); break;
    case PB_VARINT(3): json_put_i64(w, (int64_t)v.u); break;
    case PB_I64(4): json_put_double(w, pb_double(v.u)); break;
    case PB_LEN(5):
        json_begin_array(w);
        items_json(r, v.bytes, false, depth, a, w);
        json_end_array(w);
        break;
    case PB_LEN(6):
        json_begin_object(w);
        items_json(r, v.bytes, true, depth, a, w);
        json_end_object(w);
        break;
    case PB_LEN(7): json_put_string(w, otlp_base64(v.bytes, a)); break;
    default: json_put_null(w);
    }
    return r->why == NULL;
}
