/* scrape.h - fetches the metrics of configured targets and writes them, on time.
 *
 * Each target has its own moment within the interval (by a hash of its labels), so that load is even and
 * times of equal steps. A scrape is all or nothing: one bad line or a passed limit makes it a failed one.
 * After a failed scrape, and for each series that was there and is not now, a stale marker is written; none
 * at shutdown, since we shall be back.
 *
 * Threads: a scheduler, a discovery thread, an HTTP client, and a small pool that parses and writes, so that
 * neither long queries nor notifications delay a scrape. All functions from any thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "model/store.h"
#include "receive/scrape_config.h"

struct scrape_manager;

/* Takes a reference of conf (the caller keeps its own); borrows the store. NULL: no threads to be had. */
struct scrape_manager *scrape_manager_start(struct scrape_conf *, struct store *, struct err *);

/* The new configuration: unchanged targets go on with all they remember. */
void scrape_manager_reload(struct scrape_manager *, struct scrape_conf *);

/* Before the store is closed. Fetches under way are cancelled. NULL is fine. */
void scrape_manager_stop(struct scrape_manager *);

struct scrape_target_view { /* borrowed during the visit */
    struct labels discovered, labels;
    struct str pool, url, last_error;
    const char *health;     /* "up", "down", "unknown" */
    int64_t last_scrape_ms; /* 0: never */
    double last_seconds;
    int64_t interval_ms, timeout_ms;
    bool dropped; /* by relabelling: only discovered and pool count */
};

/* Pool by pool, in the order of the names. The visitor must not call back into the manager. */
void scrape_manager_targets(struct scrape_manager *, void (*visit)(const struct scrape_target_view *, void *),
                            void *arg);
void scrape_manager_pools(struct scrape_manager *, void (*visit)(struct str name, void *), void *arg);
