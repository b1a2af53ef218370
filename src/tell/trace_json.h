/* trace_json.h - spans, traces and logs as our own API shows them: docs/traces.md. */
#pragma once
#include "base/json.h"
#include "query/traces/search.h"

#define PREVIEW_BYTES 256 /* of a longer text, unless content is asked for */

/* What of a record is wanted; `fields=` of the request. */
struct record_parts {
    bool attributes, resource, events, links;
    bool content; /* texts whole */
};

void json_put_hex(struct json_writer *, const uint8_t *id, size_t n);
void json_kv_hex(struct json_writer *, const char *key, const uint8_t *id, size_t n);
/* key: seconds as a number; key_ns: exact, as text. */
void json_kv_time(struct json_writer *, const char *key, int64_t ns);
void json_kv_ms(struct json_writer *, const char *key, int64_t ns);
void json_put_value(struct json_writer *, struct value);
/* {"name": value, ...} */
void json_kv_attrs(struct json_writer *, const char *key, const struct attrs *);

const char *span_kind_name(unsigned kind);     /* "client" */
const char *span_status_name(unsigned status); /* "unset", "ok", "error" */
const char *severity_word(unsigned severity);  /* "ERROR"; empty for 0 */

void trace_summary_json(struct json_writer *, const struct trace_summary *);
/* record NULL: structure only. */
void trace_span_json(struct json_writer *, const struct trace *, size_t i, const struct record *,
                     const struct record_parts *, int64_t now_ns);
/* A span outside of its tree. */
void span_record_json(struct json_writer *, const struct record *, const struct record_parts *,
                      int64_t now_ns);
void log_record_json(struct json_writer *, const struct record *, const struct record_parts *);
