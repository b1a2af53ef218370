/* prom_write.h - remote write bodies (already unpacked) -> rows.
 *
 * 1.0 spells labels LABELS_PROTO: a series is known again by its raw bytes, and nobody looks at a label until
 * the store meets a spelling it does not know. 2.0 spells them LABELS_PACKED, made from its symbol table.
 *
 * The batch borrows from body and arena. Rows that cannot be kept are counted in *refused (see limits.h; zero
 * it first). ERR_PARSE names the place: "timeseries[3].samples: byte 117: ..."; ERR_LIMIT: more rows or
 * memory than allowed. */
#pragma once
#include "base/arena.h"
#include "decode/limits.h"
#include "model/batch.h"

int prom_write_v1(struct str body, const struct decode_limits *, struct arena *, struct batch *out,
                  struct write_result *refused, struct err *);
int prom_write_v2(struct str body, const struct decode_limits *, struct arena *, struct batch *out,
                  struct write_result *refused, struct err *);

/* Of a metadata message: "counter", ... ; "unknown" for 0, empty for numbers nobody has assigned. */
struct str prom_metric_type(uint64_t number);
