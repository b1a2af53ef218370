/* prom_read.h - remote read: the request's queries, and the answer (SAMPLES type: whole series, one message).
 *
 *     ReadRequest   1 queries { 1 start ms, 2 end ms, 3 matchers { 1 type, 2 name, 3 value }, 4 hints },
 *                   2 accepted types
 *     ReadResponse  1 results { 1 timeseries { 1 labels, 2 samples { 1, 2 }, 4 histograms } }
 *
 * The answer is written result by result: prom_read_result, then its series, then prom_read_result_end; the
 * whole is then packed with snappy. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/histogram.h"
#include "model/matcher.h"

#define PROM_READ_QUERIES_MAX  64
#define PROM_READ_MATCHERS_MAX 256 /* of one query */
#define PROM_READ_REGEX_CPU_MS                                                                               \
    1000 /* to compile the regular expressions of a request; small ones can be dear */

struct prom_read_query {
    int64_t start_ms, end_ms; /* closed */
    struct matcher *matchers; /* in the arena; their regexes are freed by prom_read_release */
    size_t n_matchers;
};

struct prom_read {
    struct prom_read_query *queries;
    size_t n;
    int64_t regex_ns;     /* spent on compiling so far */
    bool accepts_samples; /* it names no types, or SAMPLES among them: else our answer would not be understood
                           */
};

/* body: unpacked. Borrows from body and arena. ERR_PARSE, ERR_LIMIT; matcher_init's errors for a bad regex.
 */
int prom_read_decode(struct str body, struct arena *, struct prom_read *out, struct err *);
void prom_read_release(struct prom_read *); /* also after a failed decode */

size_t prom_read_result(struct buf *); /* begins the result of the next query */
void prom_read_result_end(struct buf *, size_t result);
/* One series; hist NULL: floats only, hist[i] NULL: row i is a float. n 0 writes nothing. */
void prom_read_series(struct buf *, struct labels, size_t n, const int64_t *time_ms, const double *value,
                      struct histogram *const *hist);

/* Snappy block of all of text, appended. ERR_LIMIT when out is full. */
int prom_read_pack(struct str text, struct buf *out, struct err *);
