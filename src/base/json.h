/* json.h - a pull reader (strict RFC 8259, bounded depth) and a writer.
 *
 * The reader never copies what it need not: strings without escapes point into the text, others into the
 * arena.
 *
 *     struct json_reader r;
 *     json_open(&r, text, &arena);
 *     struct str key;
 *     if (!json_object(&r)) ...;
 *     while (json_key(&r, &key)) {
 *         if (str_is(key, "name")) json_string(&r, &name);
 *         else json_skip(&r);
 *     }
 *     if (json_close(&r, e) < 0) return e->code;         // syntax errors, wrong kinds, trailing bytes: "line
 * 3, column 7: ..."
 *
 * Errors are sticky: after the first one every call returns false, so a decoder reads straight down and looks
 * once. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define JSON_DEPTH_MAX      64
#define JSON_SKIP_DEPTH_MAX (1u << 20)

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT, JSON_NOTHING };

struct json_reader {
    const char *begin, *p, *end;
    struct arena *arena;
    int depth;
    bool fresh[JSON_DEPTH_MAX + 1]; /* nothing read yet in the container at this depth */
    bool failed;
    bool repair; /* set after json_open: half a surrogate pair is read as U+FFFD, as senders that cut strings
                    need it */
    const char *failed_at;
    char why[96];
};

void json_open(struct json_reader *, struct str text, struct arena *);
int json_close(struct json_reader *, struct err *); /* OK when all was read and right, else ERR_PARSE */

enum json_kind json_peek(struct json_reader *); /* kind of the next value; JSON_NOTHING after an error */

bool json_object(struct json_reader *); /* enter; then json_key until false (the end is consumed) */
bool json_key(struct json_reader *, struct str *key);
bool json_array(struct json_reader *); /* enter; then json_next until false */
bool json_next(struct json_reader *);

bool json_string(struct json_reader *, struct str *out);
bool json_bool(struct json_reader *, bool *out);
bool json_null(struct json_reader *);
bool json_double(struct json_reader *, double *out);          /* a number, not a string */
bool json_number_text(struct json_reader *, struct str *out); /* the digits as they stand */
bool json_i64(struct json_reader *, int64_t *out);            /* an integral number within range */
bool json_skip(struct json_reader *); /* one whole value, however deeply nested up to JSON_SKIP_DEPTH_MAX */
bool json_raw(struct json_reader *, struct str *out);  /* one whole value as it stands in the text */
void json_fail(struct json_reader *, const char *why); /* the decoder's own objection, at this place */

/* Writing: commas are put by the writer. Strings are escaped; invalid UTF-8 becomes U+FFFD. */
struct json_writer {
    struct buf *out;
    int depth;
    bool first[JSON_DEPTH_MAX + 1];
    bool after_key;
};

void json_writer_init(struct json_writer *, struct buf *out);
void json_begin_object(struct json_writer *);
void json_end_object(struct json_writer *);
void json_begin_array(struct json_writer *);
void json_end_array(struct json_writer *);
void json_put_key(struct json_writer *, struct str key);
void json_put_string(struct json_writer *, struct str s);
void json_put_i64(struct json_writer *, int64_t v);
void json_put_u64(struct json_writer *, uint64_t v);
void json_put_double(struct json_writer *, double v); /* NaN and infinities as null */
void json_put_bool(struct json_writer *, bool v);
void json_put_null(struct json_writer *);
void json_put_raw(struct json_writer *, struct str json); /* already JSON */

/* key and value in one call. */
void json_kv_string(struct json_writer *, const char *key, struct str s);
void json_kv_cs(struct json_writer *, const char *key, const char *s);
void json_kv_i64(struct json_writer *, const char *key, int64_t v);
void json_kv_double(struct json_writer *, const char *key, double v);
void json_kv_bool(struct json_writer *, const char *key, bool v);

void json_escape(struct buf *out, struct str s); /* with the quotes */
