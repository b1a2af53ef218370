/* unpack.h - a body as it came over the wire -> the bytes its sender meant.
 *
 * The whole packed body is at hand, so every ceiling is known before the first byte is inflated: what the
 * caller allows, and UNPACK_RATIO times the packed size once that is more than UNPACK_FREE bytes. A size the
 * body declares for itself is checked against both before anything is allocated. */
#pragma once
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define UNPACK_MAX        (64u << 20) /* usual ceiling for one body */
#define UNPACK_SNAPPY_MAX (32u << 20) /* what Prometheus' own receiver allows */
#define UNPACK_RATIO      200         /* telemetry packs well, but not better */
#define UNPACK_FREE       (8u << 20)  /* below this any ratio will do */

enum unpack_coding { UNPACK_IDENTITY, UNPACK_GZIP, UNPACK_DEFLATE, UNPACK_ZSTD, UNPACK_SNAPPY };

/* Content-Encoding; empty = identity. ERR_UNSUPPORTED names what we take. Snappy is the block format. */
int unpack_coding(struct str content_encoding, enum unpack_coding *out, struct err *);

/* *out points into packed (identity) or into the arena. ERR_LIMIT: beyond a ceiling; ERR_PARSE: damaged. */
int unpack(enum unpack_coding, struct str packed, size_t max_bytes, struct arena *, struct str *out,
           struct err *);
