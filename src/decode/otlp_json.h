/* otlp_json.h - what the files of the JSON reader share: fields, numbers that may be strings, attributes,
 * points. */
#pragma once
#include "base/json.h"
#include "decode/otlp_point.h"

/* The next key whose value is not null. */
bool otlp_json_field(struct json_reader *, struct str *key);

/* Is it this key, in snake_case or any case, too? */
bool otlp_json_is(struct str key, const char *camel);

struct otlp_later { /* a value to come back to */
    struct json_reader at;
    bool known;
};

void otlp_json_postpone(struct json_reader *, struct otlp_later *); /* skips the value */
/* What went wrong at the place gone back to is what went wrong. */
void otlp_json_come_back(struct json_reader *, const struct json_reader *from);

/* Numbers, or strings of them. */
void otlp_json_double(struct json_reader *, double *out);
void otlp_json_u64(struct json_reader *, uint64_t *out);
void otlp_json_i64(struct json_reader *, int64_t *out);
void otlp_json_i32(struct json_reader *, int32_t *out);

/* One member of an AnyValue, as JSON; false: the key is none of them, nothing was read. */
bool otlp_json_member(struct json_reader *, struct str key, struct json_writer *, struct arena *, int depth);
/* {"key": ..., "value": AnyValue}, in any order, as a member of the object being written. */
void otlp_json_pair(struct json_reader *, struct json_writer *, struct arena *, int depth);

void otlp_json_attrs(struct json_reader *, struct otlp_attrs *, struct arena *);

/* A data point of any kind: its keys mean the same in all. */
void otlp_json_point(struct json_reader *, struct otlp_point *, struct arena *);
