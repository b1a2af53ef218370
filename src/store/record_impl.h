/* record_impl.h - an open record part and a block of it; private to record_*.c.
 *
 * A part is immutable but for groups' indexes and filters, which appear when first asked for: whoever loads
 * one publishes it by compare-and-swap, whoever comes second throws its own away. */
#pragma once
#include <stdatomic.h>

#include "store/record_attrs.h"
#include "store/record_content.h"
#include "store/record_fields.h"
#include "store/record_format.h"
#include "store/text_column.h"

struct record_index { /* of a group */
    size_t n;
    struct record_place *place;
};

struct record_pieces;

struct record_filter { /* of a group */
    struct buf bytes;
    struct filter filter; /* borrows them */
};

struct record_part {
    char *path;
    int fd;
    struct seal seal;
    const struct record_layout *layout;
    struct record_part_info info;
    struct record_part_head head;
    struct record_part_foot foot;
    struct record_top top;
    size_t *first_block; /* of each group; n + 1 of them */
    _Atomic(struct record_index *) *index;
    _Atomic(struct record_filter *) *filter; /* FILTER_CLASSES of each group, whole: for merges */
    _Atomic(struct record_pieces *) *pieces; /* of each of those, where its pieces lie */
    uint64_t cache_file;                     /* of its pages, in the cache */
    struct record_fields fields;
    struct record_content_place *contents;
    size_t n_contents;
};

/* Index of group g, loaded if need be. */
int record_part_index(struct record_part *, struct page_unpacker *, size_t g, const struct record_index **,
                      struct err *);
/* Clear from `bits` every block of group g that cannot hold the hash; reads the rows that it asks for. */
int record_part_probe(struct record_part *, struct page_unpacker *, size_t g, enum filter_class,
                      uint64_t hash, uint64_t bits[FILTER_GROUP / 64], struct err *);
/* The bytes of filter_finish as pages. */
void record_filter_put(struct page_packer *, struct buf *out, struct str bytes);
void record_filters_init(struct record_part *); /* when its top is known */
void record_filters_release(struct record_part *);
/* Filter of group g, whole; *out is NULL when the group has none of this class. It stays with the part. */
int record_part_filter(struct record_part *, struct page_unpacker *, size_t g, enum filter_class,
                       const struct filter **out, struct err *);
/* The group that block i is in. */
size_t record_part_group(const struct record_part *, size_t block);

/* ---- a block ---- */

struct block_column { /* as the head page lists it */
    uint32_t number;
    uint32_t n;     /* values */
    uint32_t bytes; /* of the page, or of the inline bytes */
    bool is_inline;
    uint64_t at;   /* of the page, or offset in the head page */
    void *decoded; /* struct block_text *, int64_t * or double *; NULL: not yet */
};

struct block_text {
    struct text_column column;
    uint64_t *in_content; /* NULL: none of them; else a bit for each value */
    const struct content_ref *ref;
    uint32_t *ref_rank; /* refs before each word of in_content */
    size_t n_refs;
};

struct block_shapes {
    size_t n;
    const uint32_t *start;  /* n + 1: where each shape's numbers begin */
    const uint16_t *number; /* columns; 0: the next of the rest column */
    const uint32_t *of_row;
};

struct block_rest {
    const uint32_t *first; /* rows + 1 */
    const struct attr *attr;
    const struct content_ref *ref; /* length UINT32_MAX: inline */
};

struct record_block {
    struct record_part *part;
    struct page_unpacker *unpacker;
    struct record_place place;
    size_t rows;
    size_t n_columns, columns_cap;
    struct block_column *column; /* in rising number */
    uint16_t slot[COLUMN_END];   /* column by number: its place + 1 */
    struct buf head;
    struct buf *raw; /* unwrapped pages of this block, reused */
    size_t raws, raws_used;
    struct content_reader content;
    struct arena arena;

    /* derived, NULL until asked for */
    const uint8_t (*trace)[16], (*span)[8], (*parent)[8];
    const struct origin *origin;
    size_t n_origins;
    const uint32_t *origin_of_row;
    struct block_shapes *shapes;
    struct block_rest *rest;
};

/* NULL in *out when the block has no such column. */
int block_ints(struct record_block *, uint32_t number, const int64_t **out, struct err *);
int block_doubles(struct record_block *, uint32_t number, const double **out, struct err *);
int block_text(struct record_block *, uint32_t number, struct block_text **out, struct err *);
const struct block_column *block_column(const struct record_block *, uint32_t number);
/* A column unwrapped; good until the next seek. */
int block_bytes(struct record_block *, const struct block_column *, struct str *, struct err *);
/* Puts where it happened before e's text; returns its code. */
int block_damaged(const struct record_block *, uint32_t number, struct err *e);
/* Text i; from a content page it is good until the next call but one. */
int block_text_at(struct record_block *, const struct block_text *, size_t i, struct str *, struct err *);
/* Likewise, in the block's arena. */
int block_text_keep(struct record_block *, const struct block_text *, size_t i, struct arena *, struct str *,
                    struct err *);
int block_content(struct record_block *, const struct content_ref *, struct str *, struct err *);

int block_traces(struct record_block *, struct err *);
int block_spans(struct record_block *, struct err *);
int block_parents(struct record_block *, struct err *);
int block_origins(struct record_block *, struct err *);
int block_shapes(struct record_block *, struct err *);
int block_rest(struct record_block *, struct err *);
/* The rows that have an attribute column, as bits; false when all rows do. Needs block_shapes. */
void block_presence(const struct record_block *, uint32_t number, uint64_t *bits);

static inline bool bit_get(const uint64_t *bits, size_t i)
{
    return bits[i / 64] >> i % 64 & 1;
}
static inline void bit_set(uint64_t *bits, size_t i)
{
    bits[i / 64] |= UINT64_C(1) << i % 64;
}
