/* budget_counter.h - by how much counters grew in a stretch of time, exactly.
 *
 * PromQL's increase() extrapolates to the edges of its window, which is right for a rate and wrong for a
 * bill. Here each series counts from its last value at or before `from` to its last at or before `to`, resets
 * included, in whole units of 1/scale: nano-dollars, requests, tokens. A series that was never seen before
 * counts from its first value; those that Vedette derives begin with a zero.
 *
 * Threads: any. Memory: the call's arena. */
#pragma once
#include "model/store.h"

#define COUNTER_MATCHES_MAX 6

struct counter_ask {
    const char *name;
    struct label match[COUNTER_MATCHES_MAX]; /* label = value, all of them */
    size_t n_match;
    const char *by;         /* groups by this label; NULL: all together */
    int64_t from_ms, to_ms; /* after from, up to and including to */
    double scale;           /* 1e9: USD to nano-dollars; 0: 1 */
};

struct counter_group {
    struct str value; /* of the label; empty: absent */
    int64_t grew;
};

struct counter_growth {
    struct counter_group *at; /* most first */
    size_t n;
    int64_t total;
    bool is_known; /* false: there is no such series in this time */
};

int counter_growth(struct store *, struct call *, const struct counter_ask *, struct counter_growth *,
                   struct err *);
