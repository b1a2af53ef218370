/* record_part.h - an immutable file of log records or spans: rows in key order, as blocks of columns.
 *
 * Key of a row: (bucket of its time, 16 bytes, time): spans sort by trace in 10-minute buckets, so a trace
 * lies together; logs by origin in hour buckets, so a stream lies together. What differs between the tables
 * is in struct record_layout, nowhere else.
 *
 * A block holds up to RECORD_BLOCK_ROWS rows or RECORD_BLOCK_RAW bytes. Each column of a block is a page of
 * its own: intrinsics, and one for each attribute (scope, name, type); what exceeds RECORD_COLUMNS_MAX
 * columns a part lies together in the `rest` column. Texts longer than CONTENT_LEAST bytes lie in content
 * pages of about CONTENT_PAGE bytes shared by neighbouring blocks and are read only when asked for. Index
 * pages hold zone maps of each block (times, duration, severity, columns that are constant or absent);
 * bit-sliced filters (filter.h) answer for words, key=value pairs and ids. Bytes: docs/format-record.md.
 * Written once, then only read. */
#pragma once
#include "store/damage.h"
#include "store/filter.h"
#include "store/part.h"

#define RECORD_BLOCK_ROWS  8192u
#define RECORD_BLOCK_RAW   (1u << 20)
#define RECORD_COLUMNS_MAX 1024u
#define CONTENT_LEAST      512u
#define CONTENT_PAGE       (512u << 10)

struct record_key {
    uint64_t bucket; /* time_ns / layout->bucket_ns */
    uint8_t id[16];  /* spans: trace id; logs: origin */
    int64_t time_ns;
};
int record_key_cmp(const struct record_key *, const struct record_key *);

struct record_layout {
    enum table table;
    int64_t bucket_ns;
    bool has_id_filter; /* trace ids; logs: trace ids too */
    bool joins_equal;   /* spans: of rows with equal (trace, span, kind) one stays, see view_records */
};
const struct record_layout *record_layout(enum table);
void record_key_of(const struct record_layout *, const struct record *, struct record_key *);

struct record_part_info {
    uint64_t rows, blocks, bytes, content_bytes;
    int64_t min_ns, max_ns;
    struct record_key first, last;
    uint32_t level;
    uint64_t sequence;
    uint64_t after_write, last_write; /* every row of its day that came with a write in (after, last] is in
                                         here, but for deleted ones; last 0: not known (covers.h) */
    uint64_t columns;                 /* distinct (scope, name, type) with a column of their own */
};

/* ---- writing ---- */

struct record_writer;
int record_writer_open(const char *path, const struct record_layout *, uint32_t level, uint64_t sequence,
                       int zstd_level, struct record_writer **, struct err *);
/* Before the first row, of a part that has all that these writes brought for its day. */
void record_writer_covers(struct record_writer *, uint64_t after_write, uint64_t last_write);
/* In rising key order. `sequence` of the row: which write it came with; of equal spans the later wins. */
int record_writer_add(struct record_writer *, const struct record *, uint64_t sequence, struct err *);
int record_writer_finish(struct record_writer *, struct record_part_info *, struct err *);
void record_writer_abandon(struct record_writer *);

/* ---- reading ---- */

struct record_part;
int record_part_open(const char *path, const struct record_layout *, struct record_part **, struct err *);
void record_part_close(struct record_part *);
const struct record_part_info *record_part_info(const struct record_part *);

/* What the part knows without reading a row; arena. */
int record_part_fields(struct record_part *, struct arena *, struct field_info **, size_t *n, struct err *);
/* The call is told of blocks that cannot be read; NULL: then it fails. */
int record_part_origins(struct record_part *, const struct call *, struct arena *, struct origin **out,
                        size_t *n, struct err *);

/* Blocks that may hold what `where` asks for, by zone maps and filters; bit i = block i; arena. A filter that
 * cannot be read rules nothing out, nor does the index of a group: seeking its blocks will fail. */
int record_part_candidates(struct record_part *, const struct predicate *where, int64_t from_ns,
                           int64_t to_ns, struct arena *, uint64_t **bits, size_t *n_blocks, struct err *);

/* One block, its columns decoded as they are asked for; one thread each, reused from block to block. */
struct record_block;
struct record_block *record_block_new(struct record_part *);
void record_block_free(struct record_block *);
/* Place it on block i. What was lent before is gone. */
int record_block_seek(struct record_block *, size_t i, struct err *);
/* Where block i lies, without reading it. */
int record_block_look(struct record_block *, size_t i, struct record_key *first, struct record_key *last,
                      int64_t *min_ns, int64_t *max_ns, size_t *rows, struct err *);
/* What is lost with block i, which cannot be read: the block, or its whole group when nobody knows where that
 * has its blocks. Returns the first block behind. */
size_t record_part_loss(struct record_part *, size_t i, struct damage *);
size_t record_block_rows(const struct record_block *);
void record_block_range(const struct record_block *, struct record_key *first, struct record_key *last,
                        int64_t *min_ns, int64_t *max_ns);
const int64_t *record_block_times(struct record_block *, struct err *); /* NULL: error */
/* Rows that match, as a bitmap of (rows + 63) / 64 words; dictionaries are tested once a value, not once a
 * row. */
int record_block_match(struct record_block *, const struct predicate *, int64_t from_ns, int64_t to_ns,
                       uint64_t *bits, struct err *);
/* One field of the n rows given, VALUE_NONE where absent; texts live until the next seek. */
int record_block_values(struct record_block *, struct field, const uint32_t *rows, size_t n,
                        struct value *out, struct err *);
/* Whole records; everything in the arena. */
int record_block_records(struct record_block *, const uint32_t *rows, size_t n, struct arena *,
                         struct record *out, struct err *);
/* Sequence of each row: const in most blocks. */
int record_block_sequences(struct record_block *, const uint32_t *rows, size_t n, uint64_t *out,
                           struct err *);

/* Every page's checksum and every promise of the format. Returns how many violations. */
int64_t record_part_verify(const char *path, const struct record_layout *,
                           void (*report)(void *ctx, const char *text), void *ctx, struct err *);

/* ---- merging ---- */

/* Join n parts into one in key order, joining equal spans when the layout says so and leaving out rows that
 * match `drop` (NULL: none). Blocks that overlap no other source and lose no row are copied without decoding.
 * throttle as in part_merge. */
int record_part_merge(struct record_part *const *sources, size_t n, const char *path,
                      const struct record_layout *, uint32_t level, uint64_t sequence, int zstd_level,
                      const struct predicate *drop, int (*throttle)(void *ctx), void *ctx,
                      struct record_part_info *, uint64_t *dropped, struct err *);
/* record_part_merge without `drop`, but a damaged block is not the end of it: what is sound goes over. */
int record_part_join(struct record_part *const *sources, size_t n, const char *path,
                     const struct record_layout *, uint32_t level, uint64_t sequence, int zstd_level,
                     int (*throttle)(void *ctx), void *ctx, struct record_part_info *, struct merge_losses *,
                     struct err *);
