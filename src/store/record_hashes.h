/* record_hashes.h - what the filters of a block are asked and told: the one place where both sides agree.
 *
 * Told of each row:
 *   - text and JSON of attributes and of intrinsics that are names: the pair when at most HASH_TEXT_MAX
 * bytes, else that there is a long one; and the words of short ones
 *   - whole numbers and booleans, also whole doubles: the pair
 *   - that a field occurs
 *   - bodies: words, however long
 *   - trace ids (class FILTER_IDS)
 * A word that begins or ends its text is left out: only PRED_CONTAINS asks for words, and only for those with
 * something else on both sides (filter_needle_words). */
#pragma once
#include "model/predicate.h"
#include "store/filter.h"

#define HASH_TEXT_MAX 128u

/* ---- telling ---- */

struct record_hashes { /* of one block */
    uint64_t *at[FILTER_CLASSES];
    size_t n[FILTER_CLASSES], cap[FILTER_CLASSES];
    uint64_t *seen; /* recent ones: most repeats are caught here */
};
void record_hashes_init(struct record_hashes *);
void record_hashes_release(struct record_hashes *);
void record_hashes_clear(struct record_hashes *);

void record_hashes_field(struct record_hashes *, struct field);               /* it occurs */
void record_hashes_value(struct record_hashes *, struct field, struct value); /* it has this value */
void record_hashes_words(struct record_hashes *, struct str text);
void record_hashes_id(struct record_hashes *, const uint8_t id[16]);

/* ---- asking ---- */

/* Whether values of this field are told at all. */
bool hash_is_told(struct field);
uint64_t hash_of_field(struct field);
uint64_t hash_of_long(struct field);
/* False when this value is never told as a pair. */
bool hash_of_value(struct field, struct value, uint64_t *hash);
uint64_t hash_of_id(const uint8_t id[16]);
