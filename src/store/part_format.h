/* part_format.h - the fixed places of a part file as bytes and back; private to part_*.c. Bytes:
 * docs/format-part.md. */
#pragma once
#include <stdatomic.h>

#include "base/buf.h"
#include "store/page.h"
#include "store/part.h"

#define PART_HEAD_BYTES    64
#define PART_FOOT_BYTES    64
#define PART_VERSION       1u
#define PART_INDEX_BLOCKS  512         /* blocks of one index page */
#define PART_BLOCK_RAW_MAX (8u << 20)  /* a page of a block, unwrapped */
#define PART_RUN_ROWS      1024        /* longer runs are cut: a short time range is not a day's work */
#define PART_HIST_VALUES   (64u << 10) /* columns x rows of a histogram run of several rows */

struct part_head {
    uint32_t level;
    int32_t wrap_level; /* of page_packer_new */
    uint64_t sequence;
};

struct part_foot {
    uint64_t rows;
    int64_t min_time_ms, max_time_ms;
    uint64_t index_at; /* where the blocks end */
    uint64_t sequence;
    uint32_t level, top_bytes; /* the top page lies right before the footer */
    uint64_t hash;             /* XXH3-64 of header, top page and the footer before it */
};

void part_head_put(char to[PART_HEAD_BYTES], const struct part_head *);
int part_head_get(const char from[PART_HEAD_BYTES], struct part_head *, struct err *);
/* Computes hash. */
void part_foot_put(char to[PART_FOOT_BYTES], const struct part_foot *, const char head[PART_HEAD_BYTES],
                   struct str top);
int part_foot_get(const char from[PART_FOOT_BYTES], struct part_foot *, struct err *);
uint64_t part_hash(const char head[PART_HEAD_BYTES], struct str top, const char foot[PART_FOOT_BYTES]);

/* What the index knows of a block, and the top of an index page (there `at` and `bytes` are the
 * page's, `blocks` its entries). */
struct part_place {
    series_key first_key, last_key;
    int64_t min_ms, max_ms;
    uint64_t at, bytes, rows, runs, blocks;
};

/* n > 0 places as the bytes of an index or top page. */
void part_places_put(struct buf *, const struct part_place *, size_t n);
/* Allocates *out. Checks order, extents (each place begins where the one before ended) and
 * plausible counts. */
int part_places_get(struct str in, struct part_place **out, size_t *n, struct err *);

/* One index page in memory. */
struct part_index {
    size_t n;
    struct part_place *block;
};

/* An open part. Immutable but for the index pages, which appear when first asked for: whoever loads
 * one first publishes it by compare-and-swap, whoever comes second throws its own away. */
struct part {
    char *path;
    int fd;
    struct seal seal;
    struct part_info info;
    struct part_head head;
    struct part_foot foot;
    struct part_place *top;
    size_t n_index;
    _Atomic(struct part_index *) *index;
};

/* Index page i, loading it if need be. */
int part_index(const struct part *, struct page_unpacker *, size_t i, const struct part_index **out,
               struct err *);
