/* wal_record.h - what is inside a WAL frame: records back to back, each kind u8, length u32, payload.
 *
 * Rows travel as columns (series, time, value), so that LZ4 finds something to squeeze. A series is
 * introduced by a WAL_SERIES record before its first row. Bytes: docs/format-wal.md. Pure functions; decoding
 * trusts nothing. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "model/histogram.h"
#include "model/record.h"
#include "store/part.h"

enum wal_kind {
    WAL_SERIES = 1,
    WAL_FLOATS = 2,
    WAL_HISTOGRAMS = 3,
    WAL_STARTS = 4,
    WAL_EXEMPLARS = 5,
    WAL_METADATA = 6,
    WAL_RECORDS = 7,
    WAL_BATCH = 8,
};

struct wal_exemplar {
    series_key key;
    int64_t time_ms;
    double value;
    struct str labels; /* packed */
};

struct wal_metadata {
    struct str family, type, help, unit;
};

/* Logs or spans of a write: a chunk as record.h packs them. The write is whole when its WAL_BATCH has come.
 */
struct wal_records {
    uint64_t sequence; /* of the write; rises */
    uint32_t place;    /* of the chunk in its write: 0, 1, 2 ... */
    enum table table;
    struct str chunk;
};

struct wal_batch {
    uint64_t sequence; /* of the write that ends here; 0: none does, this only keeps an id in mind */
    struct hash128 id; /* zeros: none */
    int64_t time_ms;   /* wall clock of the write */
};

void wal_put_series(struct buf *, series_key key, struct str packed);
/* bits: doubles, start times, or (ROW_HISTOGRAM) pointers to struct histogram. */
void wal_put_rows(struct buf *, enum row_kind, const series_key *key, const int64_t *time_ms,
                  const uint64_t *bits, size_t n);
void wal_put_exemplars(struct buf *, const struct wal_exemplar *, size_t n);
void wal_put_metadata(struct buf *, const struct wal_metadata *, size_t n);
void wal_put_records(struct buf *, const struct wal_records *);
void wal_put_batch(struct buf *, const struct wal_batch *);

/* Called for each thing found; a negative answer stops and is returned. Everything is borrowed for the call.
 * histogram: packed bytes (histogram_unpack checks them), else empty. */
struct wal_visitor {
    int (*series)(void *ctx, series_key key, struct str packed);
    int (*row)(void *ctx, enum row_kind, series_key key, int64_t time_ms, uint64_t bits,
               struct str histogram);
    int (*exemplar)(void *ctx, const struct wal_exemplar *);
    int (*metadata)(void *ctx, const struct wal_metadata *);
    void *ctx;
    int (*records)(void *ctx, const struct wal_records *); /* these two may be NULL: not wanted */
    int (*batch)(void *ctx, const struct wal_batch *);
};

/* All records of one frame. ERR_CORRUPT for bytes that are not ours (a frame's checksum was right: a bug or
 * an attack). */
int wal_records_read(struct str raw, const struct wal_visitor *, struct err *);

/* Where the record at p ends, for splitting a run of records into frames; records.n when the rest is one
 * record. */
size_t wal_record_size(struct str records);
