/* loki_json.h - results of LogQL as Loki writes them. */
#pragma once
#include "base/buf.h"
#include "query/logql/logql.h"

/* {"status":"success","data":{...}}. categorised: each line has its labels beside those of the stream; else
 * all labels together tell streams apart. forward: lines within a stream oldest first. */
void loki_put_result(struct buf *out, struct logql_result *, bool categorised, bool forward);

/* [{"stream":{},"values":[["ns","line"],...]},...], entries grouped by labels. */
void loki_put_streams(struct buf *out, const struct logql_stream *, size_t n, bool categorised, bool forward,
                      struct arena *);
void loki_put_sample(struct buf *out, struct labels metric, int64_t time_ms, double value); /* of a vector */
