/* prom_histogram.h - the native histogram message that remote write 1.0, 2.0 and remote read share. */
#pragma once
#include "decode/protobuf.h"
#include "model/histogram.h"

struct prom_histogram {
    struct histogram *h;
    int64_t time_ms;
    int64_t start_ms; /* 0: not said */
    bool
        overflows; /* counts do not add up within 64 bits, or an integer histogram's buckets miss its count */
    bool mixed;    /* integer and float buckets in one */
};

/* Reads the message at the cursor into the arena; false after a wire error (r has it). The content is for
 * prom_histogram_check to judge. */
bool prom_histogram_read(struct pb *r, struct arena *, struct prom_histogram *out);

/* ERR_RANGE or ERR_LIMIT when this cannot be a histogram. */
int prom_histogram_check(const struct prom_histogram *, struct err *);

/* Appends the message's content, always with float counts: it loses nothing and needs no deltas. */
void prom_histogram_write(struct buf *, const struct histogram *, int64_t time_ms);
