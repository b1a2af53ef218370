/* select.h - matchers to rows, over anything that looks like an inverted index: the registry or a
 * day's index file.
 *
 * An index numbers its series as rows 0..n_rows-1, its distinct pairs and its label names. A row has
 * at most one pair of a name. Every matcher is either positive (does not match the empty value: keep
 * the rows whose pair it accepts) or negative (matches the empty value too: drop the rows whose pair
 * it refuses); select starts from the shortest lists and looks at single rows once few are left. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "model/matcher.h"
#include "model/store.h"

struct index;

/* All return 1 = found, 0 = not there, or a negative code. */
struct index_ops {
    int (*name)(struct index *, struct str name, uint32_t *name_no, uint32_t *n_values, struct err *);
    int (*pair)(struct index *, uint32_t name_no, struct str value, uint32_t *pair, struct err *);
    /* Each pair of the name (at least those that start with prefix). A negative answer of visit stops
     * and is returned. */
    int (*values)(struct index *, uint32_t name_no, struct str prefix,
                  int (*visit)(void *ctx, uint32_t pair, struct str value, struct err *), void *ctx,
                  struct err *);
    int (*count)(struct index *, uint32_t pair, size_t *n, struct err *);
    /* Sorted rows, borrowed or in the arena. */
    int (*postings)(struct index *, uint32_t pair, struct call *, const uint32_t **rows, size_t *n,
                    struct err *);
    /* The row's pair of this name; 0 when it has none. */
    int (*row_pair)(struct index *, uint32_t row, uint32_t name_no, uint32_t *pair, struct err *);
    int (*value)(struct index *, uint32_t pair, struct arena *, struct str *value, struct err *);
    /* Drop rows that do not count (in place); NULL: all count. */
    size_t (*alive)(struct index *, uint32_t *rows, size_t n);
};

struct index {
    const struct index_ops *ops;
    uint32_t n_rows;
    /* Costs in units of stepping over one posting in memory, about 2 ns. */
    uint32_t posting_cost; /* of fetching one posting; 0: lists are lent */
    uint32_t row_cost;     /* of row_pair */
    uint32_t page_cost;    /* of row_pair for the first row of a page, besides; 0: no pages */
    uint32_t rows_per_page;
};

/* Rows that match, sorted, in the call's arena. */
int index_select(struct index *, const struct matcher *, size_t n, struct call *, uint32_t **rows,
                 size_t *n_rows, struct err *);
