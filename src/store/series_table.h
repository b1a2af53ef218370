/* series_table.h - the rows of the registry and their inverted index. See registry_impl.h for what is
 * always true. */
#pragma once
#include "store/registry_impl.h"

void series_table_init(struct series_table *);
void series_table_release(struct series_table *);
size_t series_table_bytes(const struct series_table *);

/* pairs has room for l.n (> 0) numbers; the last gets PAIR_LAST. False when one of them is new. */
bool series_table_known_pairs(const struct series_table *, struct labels l, uint32_t *pairs);
void series_table_make_pairs(struct series_table *, struct labels l, uint32_t *pairs);

uint32_t series_table_find(const struct series_table *, const uint32_t *pairs); /* row or ID_NONE */
/* The metric number of the series' name; 0 when the name is new. */
uint32_t series_table_metric(const struct series_table *, const uint32_t *pairs);
/* A new row; the key is not in use. */
uint32_t series_table_add(struct series_table *, const uint32_t *pairs, series_key);

/* Texts are the pool's: borrowed until the table is rebuilt. */
struct labels series_table_labels(const struct series_table *, uint32_t row, struct arena *);
