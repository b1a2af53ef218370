/* discover.h - where a job's targets come from, looked at again and again; what was found last stays until
 * better is known.
 *
 * A source is of one of four kinds: static (known at once), file (looked at every second by its times and
 * size, read when they change or the refresh interval is over), http and dns (asked every refresh interval,
 * on other threads).
 *
 * Threads: discover_tick from one thread; the groups are swapped under the source's lock. Sources are shared
 * by reference: an answer under way keeps its source alive. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/work.h"
#include "net/http_client.h"
#include "receive/scrape_config.h"

struct discover_source;

struct discover_env {
    struct http_client *client;
    struct work_pool *pool;     /* for blocking look-ups of names */
    void (*changed)(void *ctx); /* from any thread, after groups were swapped */
    void *ctx;
};

struct discover_source *discover_source_new(struct scrape_conf *, const struct discover_conf *,
                                            const struct discover_env *);
void discover_source_drop(struct discover_source *); /* no more ticks; NULL is fine */

/* Looks again if it is time (or starts to). Returns when to call again, in clock_mono_ns milliseconds. */
int64_t discover_tick(struct discover_source *, int64_t now_mono_ms);

bool discover_is_known(struct discover_source *);     /* has answered at least once, if only with an error */
bool discover_take_changed(struct discover_source *); /* since the last call */
void discover_each(struct discover_source *, void (*visit)(const struct discover_group *, void *),
                   void *ctx); /* under its lock */
