/* label_pool.h - every distinct (name, value) pair once, with a number.
 *
 * A thousand series of one host repeat its name a thousand times; here it is one pair that costs 16
 * bytes and its text, and a series is a list of pair numbers. Pairs are numbered 0, 1, 2 ... in order
 * of arrival, names likewise. Nothing is ever removed: owners rebuild. No locks: the owner has them. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "model/labels.h"
#include "store/id_table.h"
#include "store/paged.h"

struct pool_name {
    const char *text;
    uint32_t *pairs; /* all pairs of this name */
    uint32_t len, n_pairs, cap_pairs;
};

struct pool_pair {
    const char *value;
    uint32_t len, name_no;
};

struct pool_chunk;
struct label_pool {
    struct pool_chunk *chunk; /* texts */
    char *at, *end;
    size_t text_bytes, list_bytes;
    uint64_t seed; /* of the hashes: nobody outside can choose values that collide */
    struct paged names, pairs;
    uint32_t n_names, n_pairs;
    struct id_table name_ids, pair_ids;
};

void label_pool_init(struct label_pool *);
void label_pool_release(struct label_pool *);

/* ID_NONE when new. */
uint32_t label_pool_name(const struct label_pool *, struct str name);
uint32_t label_pool_find(const struct label_pool *, uint32_t name_no, struct str value);
uint32_t label_pool_find_pair(const struct label_pool *, struct str name, struct str value);

uint32_t label_pool_add(struct label_pool *, struct str name, struct str value); /* found or made */

static inline const struct pool_name *label_pool_name_at(const struct label_pool *p, uint32_t name_no)
{
    return paged_at(&p->names, name_no);
}
static inline const struct pool_pair *label_pool_pair_at(const struct label_pool *p, uint32_t pair)
{
    return paged_at(&p->pairs, pair);
}
static inline struct label label_pool_label(const struct label_pool *p, uint32_t pair)
{
    const struct pool_pair *at = label_pool_pair_at(p, pair);
    const struct pool_name *name = label_pool_name_at(p, at->name_no);
    return (struct label){ { name->text, name->len }, { at->value, at->len } };
}

size_t label_pool_bytes(const struct label_pool *);
