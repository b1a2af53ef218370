/* push_records.h - the doors for logs and spans over HTTP that are not OTLP's:
 *
 *     POST /api/v2/spans, /zipkin/api/v2/spans   Zipkin v2 JSON                 202
 *     POST /api/traces, /jaeger/api/traces       Jaeger Thrift over HTTP        202
 *     POST /loki/api/v1/push, /loki-api/...      Loki, protobuf or JSON         204; 400 with a text when
 * some entries were refused POST /api/v1/logs                          JSON lines, object or array    200
 * {"accepted","rejected"}, 207 when some were refused, 400 when all: with "errors", each with its line
 *
 * What is good of a body is kept, in every case; a body that is broken as a whole answers 400, and nothing is
 * kept. 413, 415, 429, 500 and 507 as everywhere (ingest.h). An answer of success means: on disk, and seen
 * by the next query. */
#pragma once
#include "receive/ingest.h"

struct push_records {
    struct ingest zipkin, jaeger, loki, json;
};

void push_records_init(struct push_records *, struct store *, const struct limit *);

extern const struct http_route push_records_routes[]; /* ctx: struct push_records * */
extern const size_t push_records_n_routes;
