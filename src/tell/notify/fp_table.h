/* fp_table.h - from a fingerprint to a thing, with removal: open addressing, a removed slot is closed by
 * moving later ones back, so there are no tombstones. 0 is a key like any other.
 *
 * Walk: for (size_t i = 0; (v = fp_table_next(t, &i)) != NULL;) - without changing the table. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct fp_slot {
    uint64_t key;
    void *value; /* NULL: free */
};

struct fp_table {
    struct fp_slot *slots;
    size_t mask, n; /* mask = slots - 1; slots NULL when empty */
};

void fp_table_release(struct fp_table *);
void *fp_table_get(const struct fp_table *, uint64_t key);
/* The value that was there before, or NULL. value is not NULL. */
void *fp_table_put(struct fp_table *, uint64_t key, void *value);
void *fp_table_remove(struct fp_table *, uint64_t key); /* what was there, or NULL */
void *fp_table_next(const struct fp_table *, size_t *at);
