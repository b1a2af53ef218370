/* delta.h - streams of delta points -> streams of cumulative ones.
 *
 * A delta point says what happened between its start and its time; queries want counters that only rise. So
 * each stream's sum since it was first seen is kept here, and a point is replaced by that sum, its start by
 * the stream's.
 *
 *   - The same time again is the same point again (a sender that repeats a request): it adds nothing and gets
 * the same answer.
 *   - A point older than the last one, or reaching back before the stream's start, is refused: ERR_ORDER.
 *   - A stream that comes back after a gap goes on; one that was idle for longer than idle_ms has been
 * forgotten and starts anew, with a new start time, which queries take for a reset.
 *   - When all the streams or bytes are in use, new streams are refused: ERR_LIMIT.
 *
 * Threads: all functions from any thread; locks inside. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "model/histogram.h"

struct delta;

struct delta_conf {
    size_t max_streams, max_bytes; /* bytes: of the histograms' buckets */
    int64_t idle_ms;
};

#define DELTA_CONF_DEFAULT                                                                                   \
    {                                                                                                        \
        .max_streams = 200000, .max_bytes = 256u << 20, .idle_ms = 60 * 60 * 1000                            \
    }

struct delta *delta_new(const struct delta_conf *);
void delta_free(struct delta *); /* NULL is fine */
size_t delta_streams(struct delta *);

/* stream: the identity of the series the points become. start_ns 0: not known. */
int delta_sum(struct delta *, struct hash128 stream, uint64_t *start_ns, uint64_t time_ns, double *value,
              struct err *);

/* Exponential, or custom bounds with one dense span from 0 (it stays so). Other bounds than before start the
 * stream anew. h's arrays are replaced by ones in the arena. */
int delta_histogram(struct delta *, struct hash128 stream, uint64_t *start_ns, uint64_t time_ns,
                    struct histogram *h, struct arena *, struct err *);
