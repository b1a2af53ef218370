/* held.h - an alert that is kept: a copy that never changes, shared by those who look at it.
 *
 * An update is another held alert with the same fingerprint. Threads: any; the count is atomic. */
#pragma once
#include "model/alert.h"

struct held {
    _Atomic int refs;
    struct alert a;
    uint64_t fp;
    bool is_timeout; /* ends_ms was not said: it is our resolve_timeout */
};

struct held *held_new(const struct alert *, bool is_timeout); /* a reference is yours */
struct held *held_ref(struct held *);
void held_unref(struct held *); /* NULL is fine */

static inline bool held_resolved(const struct held *h, int64_t now_ms)
{
    return alert_is_resolved(&h->a, now_ms);
}

/* What is known of an alert from two messages: the earlier start, and of the ends the one that was said. */
struct held *held_merge(const struct held *older, const struct held *younger, int64_t now_ms);

/* How Alertmanager sorts alerts of a group: by job, instance, then all labels. For qsort of struct held *. */
int held_order(const void *a, const void *b);
