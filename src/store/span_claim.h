/* span_claim.h - of spans with equal (trace, span, kind) one is kept: the finished one before the running
 * one, then the one written last. Spans without an id are all kept. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span_claim { /* of one row among the rows of a trace */
    uint64_t span_id;
    uint8_t kind;
    bool is_finished;
    uint64_t sequence; /* of the write */
    uint64_t place;    /* the later of one write has the higher one */
    size_t tag;        /* the caller's: which row this is */
};

/* Sort them so that equal spans lie together, the one that is kept first. The same row of two files: the one
 * with the higher tag, whoever asks. */
void span_claims_sort(struct span_claim *, size_t n);
/* After sorting: is the i-th the one that is kept of its span? */
bool span_claim_wins(const struct span_claim *sorted, size_t i);
