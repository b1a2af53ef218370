/* part_block.h - the runs of one block: gathered and made bytes, or read back run by run; private
 * to part_*.c.
 *
 * A block is three pages: the run directory, the time vectors (none when all are evenly spaced or
 * repeat), the values. Runs of one scrape target share their times, so a vector is stored once per
 * block and referred to. Only the runs that are asked for are decoded. */
#pragma once
#include "store/page.h"
#include "store/part.h"
#include "store/part_format.h"

/* ---- gathering ---- */

struct block_builder;
struct block_builder *block_builder_new(void);
void block_builder_free(struct block_builder *);

/* A piece of a run, n <= PART_BLOCK_ROWS - block_builder_rows(). The caller keeps the order. */
void block_builder_add(struct block_builder *, const struct run *);
size_t block_builder_rows(const struct block_builder *);
bool block_builder_full(const struct block_builder *); /* rows or bytes: write it now */
/* Append the block's pages to out, fill place (but for `at`), start anew. At least one run must be
 * in it. */
void block_builder_finish(struct block_builder *, struct page_packer *, struct buf *out,
                          struct part_place *place);

/* ---- reading ---- */

struct block_run {
    struct run_head head;
    uint32_t vector; /* time vector: runs with the same number share their times */
    uint32_t values_at, values_bytes;
};

struct block_vector {
    int64_t first_ms, last_ms;
    uint32_t n, at, bytes; /* bytes 0: evenly spaced */
};

/* The last few time vectors decoded. Series scraped together come one after the other, each with the same
 * few. */
#define BLOCK_TIMES 8
struct block_times {
    int64_t *time_ms;
    size_t cap;
    uint32_t vector;           /* of this block, UINT32_MAX = of one before */
    struct block_vector holds; /* n 0: nothing */
};

struct block_view {
    size_t n_runs, n_vectors, runs_cap, vectors_cap;
    struct block_run *run;
    struct block_vector *vector;
    struct str stored_times, stored_values;  /* pages still wrapped, in the caller's bytes */
    uint64_t times_at, values_at;            /* in the file */
    bool has_times, has_values;              /* unwrapped already */
    struct buf runs, times, values;          /* unwrapped pages */
    struct block_times decoded[BLOCK_TIMES]; /* vector i of a block in i % BLOCK_TIMES */
    double *value;
    struct histogram **hist;
    size_t value_cap, hist_cap;
};

void block_view_init(struct block_view *);
void block_view_release(struct block_view *);
/* stored: the block's bytes, read from `at` of the unpacker's file, which must stay until the next open.
 * Decodes the directory and checks it. */
int block_view_open(struct block_view *, struct page_unpacker *, struct str stored, uint64_t at,
                    struct err *);
/* The directory must say of the block what the index says. */
int block_view_check(const struct block_view *, const struct part_place *, struct err *);
/* Decode run i. Arrays live until the next read; histograms in the arena. */
int block_view_read(struct block_view *, struct page_unpacker *, size_t i, int64_t from_ms, int64_t to_ms,
                    struct arena *, struct run *out, struct err *);
