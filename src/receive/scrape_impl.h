/* scrape_impl.h - what scrape.c (threads), scrape_pool.c (which targets) and scrape_run.c (one scrape) share.
 *
 * One lock, `mu`, guards everything but a target's memory of its last scrape (cache, families), which belongs
 * to whoever made the target busy. It is held for short: never over a fetch, a parse or a write. */
#pragma once
#include <pthread.h>

#include "base/stat.h"
#include "base/work.h"
#include "receive/discover.h"
#include "receive/scrape.h"
#include "receive/scrape_parse.h"
#include "receive/scrape_target.h"

struct scrape_target {
    struct scrape_manager *manager;
    struct scrape_conf *conf; /* mu; a reference; holds job */
    const struct scrape_job *job;
    struct scrape_spec *spec; /* mu; a reference */
    const char *over_limit;   /* mu; why the whole pool may not be scraped; NULL */

    size_t heap_at; /* mu */
    int64_t due_ms; /* mu; wall clock */
    bool busy;      /* mu; a scrape is under way */
    bool gone;      /* mu; no longer wanted: ends at its next time */
    bool listed;    /* mu; during a sync: found again */

    enum { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN } health; /* mu, and the next three */
    char last_error[256];
    int64_t last_scrape_ms;
    double last_seconds;

    struct scrape_cache *cache; /* whoever made it busy */
    struct scrape_families *families;
    struct hash128 series_identity; /* of the job by whose rules the cache was filled */
    bool reported;                  /* up and its companions were written */
};

struct scrape_pool {
    struct str name;          /* of conf */
    struct scrape_conf *conf; /* a reference */
    const struct scrape_job *job;
    struct discover_source **sources;
    size_t n_sources;
    struct scrape_target **targets; /* mu */
    size_t n_targets, cap_targets;
    struct scrape_spec **dropped; /* mu */
    size_t n_dropped, cap_dropped;
    char over_limit[128];
    bool stale;        /* discovery thread: targets are to be made anew */
    int64_t synced_ms; /* discovery thread; monotonic */
    int64_t born_ms;
};

struct scrape_manager {
    struct store *store;
    struct http_client *client;
    struct work_pool *workers, *resolvers;
    pthread_t scheduler, discoverer;

    pthread_mutex_t mu;
    pthread_cond_t due, found;  /* for the two threads */
    bool stopping, look;        /* mu; look: a source has something new */
    struct scrape_conf *conf;   /* mu; in force */
    struct scrape_conf *next;   /* mu; to be put in force by the discovery thread; NULL */
    struct scrape_pool **pools; /* mu; sorted by name; changed by the discovery thread only */
    size_t n_pools;
    struct scrape_target **heap; /* mu; soonest first; gone ones too */
    size_t n_heap, cap_heap;

    struct stat *scrapes, *failed, *samples, *duplicates, *skipped;
};

/* ---- scrape.c ---- */
void heap_add(struct scrape_manager *, struct scrape_target *);    /* mu */
void heap_fix(struct scrape_manager *, struct scrape_target *);    /* mu; due_ms has changed */
void heap_remove(struct scrape_manager *, struct scrape_target *); /* mu */
int64_t scrape_next_ms(const struct scrape_target *,
                       int64_t now_ms); /* the target's first moment after now */

struct discover_env scrape_discover_env(struct scrape_manager *);

/* ---- scrape_pool.c: discovery thread ---- */
void scrape_pools_reload(struct scrape_manager *, struct scrape_conf *);
int64_t scrape_pools_tick(struct scrape_manager *, int64_t now_mono_ms); /* when to come again */
void scrape_pool_free(struct scrape_pool *);
void scrape_target_free(struct scrape_target *);

/* ---- scrape_run.c ---- */
void scrape_run_start(struct scrape_target *, int64_t time_ms); /* busy is set; ends by clearing it */
void scrape_run_end(struct scrape_target *,
                    int64_t time_ms); /* busy is set and it is gone: last markers, then freed */
