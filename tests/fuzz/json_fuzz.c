/* json_fuzz.c - any bytes: the reader stops with an error or has read one value; what it calls right, it can
 * read again from its own writer. */
#include "base/check.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Copies one value from reader to writer, by every typed call there is. */
static void copy(struct json_reader *r, struct json_writer *w)
{
    struct str s;
    bool b;
    switch (json_peek(r)) {
    case JSON_OBJECT:
        if (!json_object(r)) return;
        json_begin_object(w);
        while (json_key(r, &s)) {
            json_put_key(w, s);
            copy(r, w);
            if (r->failed) return;
        }
        if (!r->failed) json_end_object(w);
        break;
    case JSON_ARRAY:
        if (!json_array(r)) return;
        json_begin_array(w);
        while (json_next(r)) {
            copy(r, w);
            if (r->failed) return;
        }
        if (!r->failed) json_end_array(w);
        break;
    case JSON_STRING:
        if (json_string(r, &s)) json_put_string(w, s);
        break;
    case JSON_NUMBER:
        if (json_number_text(r, &s)) json_put_raw(w, s);
        break;
    case JSON_BOOL:
        if (json_bool(r, &b)) json_put_bool(w, b);
        break;
    case JSON_NULL:
        if (json_null(r)) json_put_null(w);
        break;
    case JSON_NOTHING: json_fail(r, "expected a value"); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT(64 << 20);
    struct buf out = BUF_INIT(64 << 20), again = BUF_INIT(64 << 20);
    struct json_reader r;
    struct json_writer w;
    struct err e;
    int64_t i;
    double d;

    json_open(&r, str_make(data, size), &a);
    json_skip(&r);
    bool skipped = json_close(&r, &e) == OK;

    json_open(&r, str_make(data, size), &a);
    json_writer_init(&w, &out);
    copy(&r, &w);
    bool copied = json_close(&r, &e) == OK;
    check(skipped == copied); /* skipping and reading agree on what is JSON */

    if (copied) {
        json_open(&r, buf_view(&out), &a);
        json_writer_init(&w, &again);
        copy(&r, &w);
        check(json_close(&r, &e) == OK && str_eq(buf_view(&out), buf_view(&again)));
    }

    json_open(&r, str_make(data, size), &a);
    json_i64(&r, &i);
    json_open(&r, str_make(data, size), &a);
    json_double(&r, &d);
    buf_release(&out);
    buf_release(&again);
    arena_release(&a);
    return 0;
}
