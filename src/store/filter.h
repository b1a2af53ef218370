/* filter.h - which of many blocks may hold a hash: Bloom bitmaps of a group of blocks, stored row by row.
 *
 * Row r of a group is bit r of each of its blocks, side by side: asking for a hash reads a few rows of 64
 * bytes and ANDs them, instead of one bitmap a block. Two classes share the code and differ in bits a hash:
 * words and key=value pairs (14 bits, 10 probes), trace and conversation ids (29 bits, 20 probes: a miss
 * costs a block).
 *
 * A block with more hashes than FILTER_HASHES_MAX is marked full: it may hold anything. Pure, no locks;
 * bytes: docs/format-record.md. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define FILTER_GROUP      512u        /* blocks of a group */
#define FILTER_HASHES_MAX (64u << 10) /* distinct, of one block */

enum filter_class { FILTER_WORDS, FILTER_IDS, FILTER_CLASSES };

/* ---- building: one group ---- */

struct filter_builder;
struct filter_builder *filter_builder_new(enum filter_class);
void filter_builder_free(struct filter_builder *);
/* The next block's hashes: any order, duplicates allowed (they are made unique in place). */
void filter_add_block(struct filter_builder *, uint64_t *hashes, size_t n);
size_t filter_blocks(const struct filter_builder *);
/* What filter_finish will append at most: a group may be ended early when it gets too large for a page. */
size_t filter_bytes(const struct filter_builder *);
/* Append the group (1..FILTER_GROUP blocks) as bytes and begin a new one. */
void filter_finish(struct filter_builder *, struct buf *out);
/* A block's column as it is in another group of the same class, without its hashes (merge of copied blocks).
 * The bitmaps are widened or kept: the result may only have more false positives, never fewer answers. */
struct filter;
void filter_copy_block(struct filter_builder *, const struct filter *, size_t block);

/* ---- asking ---- */

struct filter { /* borrows the bytes */
    const uint8_t *rows;
    uint32_t n_blocks, bits /* rows; a power of two */, row_bytes /* 0: less than one */, row_bits;
    enum filter_class class;
    uint64_t full[FILTER_GROUP / 64];
};
int filter_open(struct filter *, struct str bytes, struct err *); /* ERR_CORRUPT */
/* Clear from `candidates` (bit i: block i of the group) every block that cannot hold the hash. */
void filter_probe(const struct filter *, uint64_t hash, uint64_t candidates[FILTER_GROUP / 64]);

/* The same where the rows lie elsewhere: fetch() lends the `n` bytes from `at` of them until its next call.
 * It is asked no further when no candidate is left. */
int filter_probe_by(const struct filter *, uint64_t hash, uint64_t candidates[FILTER_GROUP / 64],
                    int (*fetch)(void *ctx, size_t at, size_t n, const uint8_t **, struct err *), void *ctx,
                    struct err *);
/* A group's bytes are its rows and, behind them, its tail. This opens the tail alone. */
int filter_open_tail(struct filter *, struct str tail, struct err *);
size_t filter_rows_bytes(const struct filter *);
size_t filter_tail_bytes(const struct filter *);
size_t filter_piece_bytes(const struct filter *, size_t most); /* whole rows, as many as fit */

/* ---- what is hashed ---- */

#define FILTER_WORD_LEAST 2u
#define FILTER_WORD_MOST  64u

/* Words of a text: runs of letters, digits and _ (bytes >= 0x80 count as letters), lower-cased ASCII, 2..64
 * bytes long; of longer runs the first 64 bytes are the word. Calls are cheap; hashes are appended to *at
 * (mem_grow). */
void filter_words(struct str text, uint64_t **at, size_t *n, size_t *cap);
/* Of a whole run; lower-cases, cuts. Runs of one byte are in no filter: do not ask for them. */
uint64_t filter_word_hash(struct str word);
uint64_t filter_pair_hash(uint8_t scope, struct str key,
                          struct str value); /* of an attribute; see record_part.h */
uint64_t filter_id_hash(const void *id, size_t n);
/* Words that any text containing `needle` must have whole: its inner words, and those at its ends only where
 * a boundary is certain (none at a bare end). For PRED_CONTAINS. */
void filter_needle_words(struct str needle, uint64_t **at, size_t *n, size_t *cap);
