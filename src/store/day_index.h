/* day_index.h - which series one UTC day has: label pair -> series, series -> labels, in one immutable file.
 *
 * A flush writes a small index file with the series that are new in the day; the merge joins them into one.
 * Opened lazily, decoded at need, pages cached; label values are sorted so that prefixes and equality are
 * found by binary search. Bytes: docs/format-part.md, section "series index". No locks: immutable. */
#pragma once
#include "model/store.h"
#include "store/part.h"

struct day_index;

/* keys sorted; packed(ctx, key) lends its packed labels. Creates path, syncs it. */
int day_index_write(const char *path, const series_key *keys, size_t n,
                    struct str (*packed)(void *ctx, series_key), void *ctx, uint64_t *bytes, struct err *);
int day_index_merge(struct day_index *const *sources, size_t n, const char *path, uint64_t *bytes,
                    struct err *);
/* The same, but a damaged page is not the end of it: the series that can be told go over. rows of the losses
 * are series. */
int day_index_join(struct day_index *const *sources, size_t n, const char *path, uint64_t *bytes,
                   struct merge_losses *, struct err *);

int day_index_open(const char *path, struct day_index **out, struct err *);
void day_index_close(struct day_index *);
void day_index_cache_limit(
    size_t bytes); /* of decoded pages, all open indexes together; 16 MiB unless told */
uint64_t day_index_series(const struct day_index *);

int day_index_select(const struct day_index *, const struct matcher *, size_t n, struct call *,
                     series_key **out, size_t *n_out, struct err *); /* sorted */
int day_index_labels(const struct day_index *, series_key key, struct arena *, struct labels *out,
                     struct err *); /* ERR_FIND when not here */
/* For a reading call: labels in its arena. Where damage hides them it is told, and they are none. */
int day_index_labels_told(const struct day_index *, series_key key, const struct call *, struct labels *out,
                          struct err *);
/* Every series: for loading the registry after a restart. */
int day_index_each(const struct day_index *, int (*visit)(void *ctx, series_key, struct str packed),
                   void *ctx, struct err *);
int day_index_label_names(const struct day_index *, struct call *, struct str **out, size_t *n_out,
                          struct err *); /* sorted */
int day_index_label_values(const struct day_index *, struct str name, struct call *, struct str **out,
                           size_t *n_out, struct err *);
int64_t day_index_verify(const char *path, void (*report)(void *ctx, const char *text), void *ctx,
                         struct err *);
