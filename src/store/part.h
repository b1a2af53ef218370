/* part.h - an immutable file of metric samples: runs in (key, kind) order, rows of a run in rising time.
 *
 * A run is all that one part has of one series and one kind of row. Many short runs share a block (<=
 * PART_BLOCK_ROWS rows), a long run spans several. Bytes: docs/format-part.md. Written once, front to back,
 * then only read: no locks. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/histogram.h"

#define PART_BLOCK_ROWS 8192

enum row_kind {
    ROW_FLOAT,     /* value column */
    ROW_HISTOGRAM, /* histogram column */
    ROW_START,   /* start times: value is the start time in ms of the sample at the same time (as an int64) */
    ROW_SUMMARY, /* and the kinds after it, to ROW_KINDS: ROW_SUMMARY + f is field f of summaries
                    (model/summary.h), a value column; only in files of summaries (tier.h) */
    ROW_KINDS = ROW_SUMMARY + 64,
};
static inline bool row_is_double(enum row_kind k)
{
    return k == ROW_FLOAT || k >= ROW_SUMMARY;
}

/* metric_no << 32 | series_no: series of one metric lie side by side. */
typedef uint64_t series_key;

struct run {
    series_key key;
    enum row_kind kind;
    size_t n;
    const int64_t *time_ms;
    const double *value;           /* ROW_FLOAT, ROW_SUMMARY + field */
    const int64_t *start_ms;       /* ROW_START */
    struct histogram *const *hist; /* ROW_HISTOGRAM */
};

struct part_info {
    uint64_t rows, runs, blocks,
        bytes; /* a long run counts as several: it is cut into pieces of about 1000 rows */
    int64_t min_time_ms, max_time_ms;
    series_key min_key, max_key;
    uint32_t level;    /* 0 = from the head; a merge writes 1 + the highest of its sources */
    uint64_t sequence; /* of equal (key, kind, time) rows, the part with the higher sequence wins */
};

/* ---- writing ---- */

struct part_writer;
/* Creates path (which must not exist). zstd_level 1 for flushes and small merges, 3-6 for the final merge of
 * a day. */
int part_writer_open(const char *path, uint32_t level, uint64_t sequence, int zstd_level,
                     struct part_writer **out, struct err *);
/* Runs with rising (key, kind); rows with rising time, one per time. The same (key, kind) may come again if
 * its times go on rising. */
int part_writer_run(struct part_writer *, const struct run *, struct err *);
int part_writer_finish(struct part_writer *, struct part_info *,
                       struct err *);           /* footer, fdatasync, close; frees the writer either way */
void part_writer_abandon(struct part_writer *); /* closes, unlinks, frees */

/* ---- reading ---- */

struct part;
int part_open(const char *path, struct part **out,
              struct err *); /* checks header, footer and index; ERR_CORRUPT names the place */
void part_close(struct part *);
const struct part_info *part_info(const struct part *);

/* A cursor walks the runs of a part. It owns scratch memory that it reuses; one thread each. */
struct part_cursor;
struct part_cursor *part_cursor_new(const struct part *);
void part_cursor_free(struct part_cursor *);

/* Go to the first run with key >= key, from anywhere (cheap when going forwards within the same block). */
int part_cursor_seek(struct part_cursor *, series_key key, struct err *);

struct run_head {
    series_key key;
    enum row_kind kind;
    size_t n;
    int64_t first_ms, last_ms;
};
/* The run (or the piece of it in this block) under the cursor without decoding it; 1 = here it is, 0 = end of
 * part, < 0 error. */
int part_cursor_peek(struct part_cursor *, struct run_head *, struct err *);
/* Decode it, at least the rows within [from_ms, to_ms], and step on. Arrays live until the next call;
 * histograms in the arena (rows of one layout share their spans and bounds: read only). The arena may be NULL
 * when no histogram can come. out->n == 0 when nothing of it is in the range. */
int part_cursor_read(struct part_cursor *, int64_t from_ms, int64_t to_ms, struct arena *, struct run *out,
                     struct err *);
int part_cursor_skip(struct part_cursor *, struct err *);

/* What the last of these calls could not read: a run, a block, or the blocks of an index page. */
struct part_loss {
    uint64_t at, bytes;
    bool is_index;
    series_key first_key, last_key;
    int64_t min_ms, max_ms;
    uint64_t rows; /* at most */
    struct {       /* of the whole block, or of all blocks of the page */
        int64_t min_ms, max_ms;
        uint64_t rows;
    } place;
};
/* After a call that failed: step over what could not be read, and say what that is. false: the call failed
 * for another reason, and the cursor stands where it stood. */
bool part_cursor_pass(struct part_cursor *, struct part_loss *);
const char *part_path(const struct part *);

/* Every page's checksum and every promise of the format; report() is called for each violation. Returns how
 * many. */
int64_t part_verify(const char *path, void (*report)(void *ctx, const char *text), void *ctx, struct err *);

/* ---- merging ---- */

/* Join n parts into one, newest sequence winning on equal rows. `drop` (may be NULL) says which keys to leave
 * out. Blocks whose keys overlap no other source are copied without decoding. throttle() (may be NULL) is
 * called now and then; a negative answer abandons the merge and is returned. */
int part_merge(struct part *const *sources, size_t n, const char *path, uint32_t level, uint64_t sequence,
               int zstd_level, bool (*drop)(void *ctx, series_key), int (*throttle)(void *ctx), void *ctx,
               struct part_info *, struct err *);

/* What a merge could not read of its sources, and left out. */
struct merge_losses {
    uint32_t damaged; /* bit i: source i */
    uint64_t rows;    /* at most */
};
/* part_merge, but a damaged block is not the end of it: what is sound goes over. */
int part_join(struct part *const *sources, size_t n, const char *path, uint32_t level, uint64_t sequence,
              int zstd_level, int (*throttle)(void *ctx), void *ctx, struct part_info *,
              struct merge_losses *, struct err *);

/* Rows that a merge leaves out: those within [from_ms, to_ms] of the keys that claims() names. */
struct part_cut {
    bool (*claims)(void *ctx, series_key);
    void *ctx;
    int64_t from_ms, to_ms;
    uint64_t rows; /* out: how many, start times counted like samples */
};
/* One part anew without them. It may be empty then. */
int part_cut(struct part *source, const char *path, uint32_t level, uint64_t sequence, int zstd_level,
             struct part_cut *, int (*throttle)(void *ctx), void *ctx, struct part_info *, struct err *);
