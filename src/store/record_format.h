/* record_format.h - the fixed places of a record part as bytes and back; private to record_*.c.
 *
 * Bytes: docs/format-record.md. */
#pragma once
#include <stdatomic.h>

#include "base/buf.h"
#include "store/bytes.h"
#include "store/filter.h"
#include "store/page.h"
#include "store/record_part.h"

#define RECORD_HEAD_BYTES   64
#define RECORD_FOOT_BYTES   64
#define RECORD_VERSION      2u
#define RECORD_INLINE_MAX   64u /* shorter columns lie in the block's head page */
#define RECORD_PAGE_MAX     PAGE_RAW_MAX
#define RECORD_FILTER_PIECE (16u << 10) /* bytes of a filter's rows in one page, at most */
#define RECORD_FILTER_MAX   (16u << 20) /* a group is closed before its filter outgrows this */
#define RECORD_ROOM         128         /* decoders of numbers write whole miniblocks */

/* Numbers of a block's columns; on disk: never renumber. 1..47 are those of enum intrinsic. */
enum {
    COLUMN_SEQUENCE = 48, /* ints: write number of each row */
    COLUMN_ORIGINS,       /* distinct origins of the block, packed */
    COLUMN_ORIGIN,        /* ints: which of them */
    COLUMN_SHAPES,        /* distinct lists of attribute columns, in the order of arrival */
    COLUMN_SHAPE,         /* ints: which of them */
    COLUMN_REST,          /* attributes without a column of their own, packed, row after row */
    COLUMN_BODY_TYPE,     /* ints: enum value_type of the body */
    COLUMN_ATTRS = 64,    /* and what follows: attributes, as the fields page numbers them */
    COLUMN_END = COLUMN_ATTRS + RECORD_COLUMNS_MAX,
};

struct record_part_head {
    uint32_t level;
    int32_t wrap_level; /* of page_packer_new */
    uint64_t sequence;
    uint32_t table;
    uint64_t after_write, last_write; /* the writes it covers: (after, last]; last 0: not known */
};

struct record_part_foot {
    uint64_t rows;
    uint64_t tail_at; /* fields page, contents page, origins page, top page, footer */
    uint32_t fields_bytes, contents_bytes, origins_bytes, top_bytes;
    uint64_t sequence;
    uint32_t level;
    uint64_t hash; /* XXH3-64 of header, top page and the footer before it */
};

void record_head_put(char to[RECORD_HEAD_BYTES], const struct record_part_head *);
int record_head_get(const char from[RECORD_HEAD_BYTES], struct record_part_head *, struct err *);
void record_foot_put(char to[RECORD_FOOT_BYTES], const struct record_part_foot *,
                     const char head[RECORD_HEAD_BYTES], struct str top);
int record_foot_get(const char from[RECORD_FOOT_BYTES], struct record_part_foot *, struct err *);
uint64_t record_hash(const char head[RECORD_HEAD_BYTES], struct str top, const char foot[RECORD_FOOT_BYTES]);

/* A block as the index knows it: where it is and its zone maps. */
struct record_place {
    struct record_key first, last;
    int64_t min_ns, max_ns;
    int64_t min_duration, max_duration;          /* spans */
    int64_t max_severity, max_status;            /* logs; spans */
    uint64_t at, bytes, head_bytes;              /* head page, then the column pages */
    uint64_t rows, content_first, content_pages; /* numbers of the content pages it refers to */
    uint64_t repeats;                            /* spans: 1 when two rows share their span id */
};

/* A group of blocks: index page and filters. */
struct record_group {
    uint64_t index_at, index_bytes, blocks, rows;
    uint64_t filter_at[FILTER_CLASSES], filter_bytes[FILTER_CLASSES]; /* pages, one after the other */
    int64_t min_ns, max_ns;
};

struct record_top {
    uint64_t content_bytes;
    struct record_key first, last;
    int64_t min_ns, max_ns;
    size_t n;
    struct record_group *group;
};

void record_places_put(struct buf *, const struct record_place *, size_t n); /* 1..FILTER_GROUP */
/* Allocates *out. Checks that places are in key order, inside of [RECORD_HEAD_BYTES, end) and plausible. */
int record_places_get(struct str in, uint64_t end, struct record_place **out, size_t *n, struct err *);
void record_top_put(struct buf *, const struct record_top *);
int record_top_get(struct str in, uint64_t end, struct record_top *, struct err *); /* allocates t->group */

/* Where the content pages are. */
struct record_content_place {
    uint64_t at, bytes;
};
void record_contents_put(struct buf *, const struct record_content_place *, size_t n);
int record_contents_get(struct str in, uint64_t end, struct record_content_place **, size_t *n, struct err *);

/* A column of numbers or text read through the cursor that reads the bytes around it. */
int bytes_ints(struct bytes *, int64_t *v, size_t n, struct err *);
int bytes_fixed_texts(struct bytes *, uint8_t *v, size_t width, size_t n, struct err *);
