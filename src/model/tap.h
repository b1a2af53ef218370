/* tap.h - who else wants to see records at the moment they have been accepted: span metrics, the service
 * graph, live tails. Called on the receiving thread after the store has taken them; quick, never blocking. */
#pragma once
#include "model/record.h"

struct record_tap {
    void (*seen)(void *ctx, const struct records *);
    void *ctx;
};

#define RECORD_TAPS_MAX 8
struct record_taps {
    struct record_tap at[RECORD_TAPS_MAX]; /* filled before the doors open, read only afterwards */
    size_t n;
};
static inline void record_taps_seen(const struct record_taps *t, const struct records *r)
{
    for (size_t i = 0; t != NULL && i < t->n; i++) t->at[i].seen(t->at[i].ctx, r);
}
