/* record_head.h - the newest logs or spans, in memory: the chunks as they came, and an index of their rows in
 * key order that is made when somebody asks.
 *
 * A write costs a copy of its chunks and nothing a row. The first reader (or the flush) opens the chunks that
 * are new and merges their rows into the index; an index is immutable, so that readers of different moments
 * may use the same one and leave out the chunks that came after theirs.
 *
 * Always true:
 *   1. Chunks stand in the order in which they were written; a number once given stays. Those below
 * `published` may be read.
 *   2. Rows of an index are in order of (bucket, id, time), equal ones in order of arrival.
 *
 * Threads: adding and publishing by the writer (the store's write lock); the rest by any thread that keeps
 * the head alive. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "store/record_part.h"
#include "store/span_claim.h"

/* A chunk of a write, copied; owns its bytes. */
struct head_chunk {
    struct str bytes;
    size_t n;
    int64_t min_ns, max_ns;
    uint64_t sequence;           /* of the write */
    struct record_reader reader; /* set when it gets into an index */
};
struct head_chunk *head_chunk_new(const struct record_chunk *, uint64_t sequence);
void head_chunk_free(struct head_chunk *);

struct record_head;
struct record_head *record_head_new(enum table);
void record_head_free(struct record_head *);

void record_head_add(struct record_head *, struct head_chunk *); /* takes it; unseen until published */
void record_head_publish(struct record_head *);

size_t record_head_chunks(struct record_head *); /* published */
uint64_t record_head_rows(struct record_head *); /* of them */
size_t record_head_bytes(struct record_head *);
uint64_t record_head_sequence(struct record_head *); /* highest published; 0: empty */
void record_head_times(struct record_head *, int64_t *min_ns, int64_t *max_ns); /* MAX, MIN when empty */

struct record_row {
    uint64_t id_high, id_low; /* the key's id as a big-endian number */
    int64_t time_ns;
    uint32_t bucket, chunk, row;
    uint32_t span; /* hash of the span id, its last bit: another row of this id and bucket has it too */
};
#define ROW_CONTESTED 1u

struct record_index {
    atomic_uint refs;
    size_t n_chunks; /* covered */
    struct head_chunk **chunks;
    struct record_row *at;
    size_t n;
};
/* Of the first n_chunks chunks and perhaps some more. A reference, yours; not beyond the head's life. */
struct record_index *record_head_index(struct record_head *, size_t n_chunks);
void record_index_unref(struct record_index *);

/* The whole record; attributes in the arena, texts in the chunk. */
void record_index_get(const struct record_index *, const struct record_row *, struct arena *,
                      struct record *);
void record_row_id(const struct record_row *, uint8_t out[16]);
bool record_row_has_id(const struct record_row *, const uint8_t id[16]);
/* First row at or after (bucket, id); n when there is none. */
size_t record_index_find(const struct record_index *, uint64_t bucket, const uint8_t id[16]);

/* What row says of itself; scratch is for its attributes. */
void record_index_claim(const struct record_index *, const struct record_row *, struct arena *scratch,
                        struct span_claim *);
