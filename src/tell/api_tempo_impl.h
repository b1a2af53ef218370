/* api_tempo_impl.h - what the files of Tempo's API share. */
#pragma once
#include "base/json.h"
#include "query/traceql/traceql.h"
#include "tell/api_job.h"
#include "tell/api_tempo.h"

http_handler tempo_handle_trace_v2, tempo_handle_search, tempo_handle_tags, tempo_handle_tags_v2,
    tempo_handle_values, tempo_handle_values_v2, tempo_handle_query_range, tempo_handle_query;

void tempo_error(struct http_exchange *, const struct err *); /* by its code, as plain text */
void tempo_answer_json(struct http_exchange *, struct buf *);
/* Seconds, nanoseconds or RFC 3339; fallback when absent. */
int tempo_take_time(struct http_exchange *, const char *name, int64_t fallback_ns, int64_t *ns, struct err *);
/* "1.5s" as TraceQL writes durations, or seconds. */
bool tempo_read_duration(struct str text, int64_t *ns);
void tempo_put_key_value(struct json_writer *, struct str key, struct static_value); /* OTLP's KeyValue */
void tempo_put_hex(struct json_writer *, const char *key, const uint8_t *id, size_t n);
void tempo_put_int_text(struct json_writer *, const char *key, int64_t v); /* "123", as protojson has int64 */
