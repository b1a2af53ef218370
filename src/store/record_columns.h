/* record_columns.h - a block of a record part while it grows: rows taken apart into columns, then written.
 *
 * One thread. Everything given is copied. */
#pragma once
#include "store/record_content.h"
#include "store/record_fields.h"
#include "store/record_hashes.h"

struct record_column { /* being built */
    size_t n, cap;     /* values */
    union {
        void *at;
        struct str *text; /* empty when in content */
        int64_t *i;
        double *d;
    };
    enum value_type type; /* INT stands for BOOL, STR for BYTES and JSON */
    struct column_ref {
        uint32_t value;
        struct content_ref where;
    } * ref;
    size_t n_refs, refs_cap;
    uint32_t row; /* + 1: the last row that has it */
};

struct block_origin {
    struct origin o; /* resource left empty */
    uint64_t rows;
    size_t first_field, n_fields; /* its attributes' numbers, in fields_used */
};

struct block_shape {
    uint32_t first, n; /* in shape_numbers */
};

struct record_columns {
    const struct record_layout *layout;
    struct record_fields *fields;
    struct record_content *content;
    struct record_origins *origins_of_part;

    struct arena arena; /* texts of this block */
    size_t rows, raw;
    struct record_place place; /* zone maps so far */
    uint8_t (*trace)[16], (*span)[8], (*parent)[8];
    struct record_column *column; /* by number, COLUMN_END of them */
    uint32_t *used;               /* numbers in use */
    size_t n_used;

    struct block_origin *origin;
    size_t n_origins, origins_cap, last_origin;
    struct map origin_map;
    struct buf origins; /* packed */
    uint32_t *origin_fields;
    size_t n_origin_fields, origin_fields_cap;

    struct block_shape *shape;
    size_t n_shapes, shapes_cap;
    uint16_t *shape_numbers; /* those of the row at hand stand at the end, not yet counted */
    size_t n_shape_numbers, shape_numbers_cap;
    struct map shape_map;

    struct buf rest;
    struct record_hashes hashes;
    struct buf scratch, pages, head; /* of finish */
};

void record_columns_init(struct record_columns *, const struct record_layout *, struct record_fields *,
                         struct record_content *, struct record_origins *);
void record_columns_release(struct record_columns *);
bool record_columns_full(const struct record_columns *);
void record_columns_add(struct record_columns *, const struct record *, const struct record_key *,
                        uint64_t sequence);
/* Append the block's pages to out, fill *place but for `at`, and begin a new block. hashes stay until
 * then. */
void record_columns_finish(struct record_columns *, struct page_packer *, struct buf *out,
                           struct record_place *);
/* The same for a value: used by both halves, record_columns.c and record_encode.c. */
struct record_column *record_column_at(struct record_columns *, uint32_t number, enum value_type);
