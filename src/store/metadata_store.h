/* metadata_store.h - what a metric family is: its type, help text and unit, as its source last said.
 *
 * The latest wins, field by field: an empty field says nothing and leaves what is known. Bounded:
 * families beyond the limit are refused and counted, long texts are cut. Threads: one lock inside; any
 * thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "model/store.h"

#define METADATA_FAMILY_MAX 1024
#define METADATA_TYPE_MAX   32
#define METADATA_HELP_MAX   4096
#define METADATA_UNIT_MAX   256

struct metadata_store;

struct metadata_store *metadata_store_new(size_t limit); /* families; 0 = 100 000 */
void metadata_store_free(struct metadata_store *);

/* 1 = something is new, 0 = all known; ERR_RANGE for an empty or too long family or bytes that are not
 * UTF-8, ERR_LIMIT for one family too many. help, type and unit are cut to their limits. */
int metadata_store_put(struct metadata_store *, const struct metadata *, struct err *);

/* One family, or (empty) all, by name; at most limit (0 = all). In the call's arena. */
int metadata_store_query(struct metadata_store *, struct call *, struct str family, size_t limit,
                         struct metadata **out, size_t *n_out, struct err *);

/* Rewrites path if something changed since the last save. Load adds to what is there; ERR_CORRUPT
 * keeps what was sound. */
int metadata_store_save(struct metadata_store *, const char *path, struct err *);
int metadata_store_load(struct metadata_store *, const char *path, struct err *);

struct metadata_stats {
    uint64_t families, bytes, refused;
};
void metadata_store_stats(struct metadata_store *, struct metadata_stats *);
