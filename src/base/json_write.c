/* json_write.c - writing JSON. The writer knows where commas belong; a missing or doubled key is a bug of the
 * caller. */
#include "base/check.h"
#include "base/float.h"
#include "base/json.h"

void json_writer_init(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){ .out = out };
    w->first[0] = true;
}

/* Before every value and key: the comma that separates it from the one before. */
static void separate(struct json_writer *w)
{
    if (w->after_key)
        w->after_key = false;
    else if (w->first[w->depth])
        w->first[w->depth] = false;
    else
        buf_char(w->out, ',');
}

static void begin(struct json_writer *w, char open)
{
    check(w->depth < JSON_DEPTH_MAX);
    separate(w);
    buf_char(w->out, open);
    w->first[++w->depth] = true;
}

static void end(struct json_writer *w, char close)
{
    check(w->depth > 0 && !w->after_key);
    w->depth--;
    buf_char(w->out, close);
}

void json_begin_object(struct json_writer *w)
{
    begin(w, '{');
}

void json_end_object(struct json_writer *w)
{
    end(w, '}');
}

void json_begin_array(struct json_writer *w)
{
    begin(w, '[');
}

void json_end_array(struct json_writer *w)
{
    end(w, ']');
}

void json_put_key(struct json_writer *w, struct str key)
{
    check(!w->after_key);
    separate(w);
    json_escape(w->out, key);
    buf_char(w->out, ':');
    w->after_key = true;
}

void json_put_string(struct json_writer *w, struct str s)
{
    separate(w);
    json_escape(w->out, s);
}

void json_put_i64(struct json_writer *w, int64_t v)
{
    separate(w);
    buf_i64(w->out, v);
}

void json_put_u64(struct json_writer *w, uint64_t v)
{
    separate(w);
    buf_u64(w->out, v);
}

void json_put_double(struct json_writer *w, double v)
{
    char text[FLOAT_TEXT_MAX];
    if (!__builtin_isfinite(v)) {
        json_put_null(w);
        return;
    }
    separate(w);
    buf_add(w->out, text, float_text(v, text));
}

void json_put_bool(struct json_writer *w, bool v)
{
    separate(w);
    buf_cs(w->out, v ? "true" : "false");
}

void json_put_null(struct json_writer *w)
{
    separate(w);
    buf_cs(w->out, "null");
}

void json_put_raw(struct json_writer *w, struct str json)
{
    separate(w);
    buf_str(w->out, json);
}

void json_kv_string(struct json_writer *w, const char *key, struct str s)
{
    json_put_key(w, str_of(key));
    json_put_string(w, s);
}

void json_kv_cs(struct json_writer *w, const char *key, const char *s)
{
    json_kv_string(w, key, str_of(s));
}

void json_kv_i64(struct json_writer *w, const char *key, int64_t v)
{
    json_put_key(w, str_of(key));
    json_put_i64(w, v);
}

void json_kv_double(struct json_writer *w, const char *key, double v)
{
    json_put_key(w, str_of(key));
    json_put_double(w, v);
}

void json_kv_bool(struct json_writer *w, const char *key, bool v)
{
    json_put_key(w, str_of(key));
    json_put_bool(w, v);
}

/* ---- escaping ---- */

/* Length of the valid UTF-8 sequence at p; 0 when there is none. */
static size_t sequence(const char *p, const char *end)
{
    for (size_t n = 2; n <= 4 && n <= (size_t)(end - p); n++)
        if (str_utf8_valid(str_make(p, n))) return n;
    return 0;
}

static void escape_one(struct buf *out, unsigned char c)
{
    switch (c) {
    case '"': buf_cs(out, "\\\""); break;
    case '\\': buf_cs(out, "\\\\"); break;
    case '\n': buf_cs(out, "\\n"); break;
    case '\r': buf_cs(out, "\\r"); break;
    case '\t': buf_cs(out, "\\t"); break;
    default: buf_printf(out, "\\u%04x", c);
    }
}

/* Copied in runs: the longest stretch that needs no change goes out at once. */
void json_escape(struct buf *out, struct str s)
{
    bool valid = str_utf8_valid(s);
    const char *from = s.p, *p = s.p, *stop = s.n ? s.p + s.n : s.p;

    buf_char(out, '"');
    while (p < stop) {
        unsigned char c = (unsigned char)*p;
        size_t n = c < 0x80 || valid ? 1 : sequence(p, stop);
        if (n > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            p += n;
            continue;
        }
        buf_add(out, from, (size_t)(p - from));
        if (n == 0)
            buf_cs(out, "\xef\xbf\xbd"); /* U+FFFD */
        else
            escape_one(out, c);
        from = ++p;
    }
    buf_add(out, from, (size_t)(p - from));
    buf_char(out, '"');
}
