/* nflog.h - what was told to whom: of each group and integration the alerts of the last notification.
 *
 * Always true:
 *   1. An entry is on disk before nflog_put returns, and in memory only then: after a crash nobody is told
 *      again what they were told, except where the crash fell between the receiver's yes and our write.
 *   2. Without a usable disk entries live in memory and the error is counted: telling twice is better than
 * not telling.
 *
 * Threads: one lock inside; any thread. */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "state/state.h"

struct nflog;

struct nflog_entry {
    int64_t at_ms, expires_ms;
    const uint64_t *firing, *resolved; /* fingerprints, sorted */
    size_t n_firing, n_resolved;
};

int nflog_open(struct state *, struct nflog **out, struct err *); /* state NULL: in memory */
void nflog_close(struct nflog *);

/* The sets of e are sorted in place by the caller beforehand. */
int nflog_put(struct nflog *, struct str key, const struct nflog_entry *e, struct err *);
/* Copies the entry for as long as visit runs; false when there is none. */
bool nflog_ask(struct nflog *, struct str key, void (*visit)(const struct nflog_entry *, void *), void *ctx);
void nflog_gc(struct nflog *, int64_t now_ms); /* forgets what has expired */
size_t nflog_count(struct nflog *);

/* Alertmanager's question: is there anything to tell? Why, or NULL. last NULL: never told. Sets sorted. */
const char *nflog_news(const struct nflog_entry *last, const struct nflog_entry *now, bool send_resolved,
                       int64_t repeat_ms);
