/* unpack.h - a body as it came over the wire -> the bytes its sender meant.
 *
 * The whole packed body is at hand, so every ceiling is known before the first byte is inflated: what the
 * caller allows, and a multiple of the packed size that gets smaller as the result gets larger:
 *
 *     up to UNPACK_FREE    any multiple
 *     up to UNPACK_STEEP   UNPACK_RATIO
 *     beyond               UNPACK_RATIO_LARGE
 *
 * so that what takes much memory has cost its sender bytes, too. A size that the body declares for itself is
 * checked against all of them before anything is allocated. */
#pragma once
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define UNPACK_MAX         (64u << 20) /* usual ceiling for one body */
#define UNPACK_SNAPPY_MAX  (32u << 20) /* what Prometheus' own receiver allows */
#define UNPACK_FREE        (8u << 20)
#define UNPACK_STEEP       (32u << 20)
#define UNPACK_RATIO       100 /* telemetry packs well, but not better: 5 to 25 is usual */
#define UNPACK_RATIO_LARGE 30

enum unpack_coding { UNPACK_IDENTITY, UNPACK_GZIP, UNPACK_DEFLATE, UNPACK_ZSTD, UNPACK_SNAPPY };

/* Content-Encoding; empty = identity. ERR_UNSUPPORTED names what we take. Snappy is the block format. */
int unpack_coding(struct str content_encoding, enum unpack_coding *out, struct err *);

/* *out points into packed (identity) or into the arena. ERR_LIMIT: beyond a ceiling; ERR_PARSE: damaged. */
int unpack(enum unpack_coding, struct str packed, size_t max_bytes, struct arena *, struct str *out,
           struct err *);
