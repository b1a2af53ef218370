/* record_settle.h - of equal spans in several sources of a scan, only the one that is kept is delivered.
 *
 * Within a part there are no equal spans of a bucket (flush and merge join them), so a row needs a second
 * look only when another source may hold rows of its trace in the same bucket, or when the head knows of
 * another row with its span id. Buckets of different parts overlap near the present only: what a day's last
 * merge has joined is never looked at twice. A span that is sent again with a start in another bucket is
 * another span to us. */
#pragma once
#include "store/record_source.h"

/* Leaves in rows[0 .. *n) those that are kept. */
int record_settle(struct record_sources *, const struct record_piece *, uint32_t *rows, size_t *n,
                  struct err *);
