/* keeper.c - the two background threads of a store.
 *
 * The keeper wakes every second, and when a writer says that the head is full: it watches the free space,
 * sorts full slabs, flushes, applies the retention, closes idle days. The merger joins parts at the lowest
 * priority, one merge at a time. */
#include <errno.h>
#include <sys/resource.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/engine.h"

#define TICK_MS         1000
#define RETAIN_EVERY_NS (60 * 1000000000ll)
#define WAL_BYTES_MAX   (512ull << 20) /* a restart must not take longer than reading this much */

void engine_wake(struct engine *s)
{
    pthread_mutex_lock(&s->idle_mu);
    s->want_flush = true;
    pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->idle_mu);
}

/* False when it is time to end. */
static bool rest(struct engine *s, int64_t ms, bool until_flush)
{
    int64_t until = clock_mono_ns() + ms * 1000000;
    struct timespec t = { until / 1000000000, until % 1000000000 };
    pthread_mutex_lock(&s->idle_mu);
    while (!s->stop && !(until_flush && s->want_flush))
        if (pthread_cond_timedwait(&s->idle, &s->idle_mu, &t) == ETIMEDOUT) break;
    if (until_flush) s->want_flush = false;
    bool go_on = !s->stop;
    pthread_mutex_unlock(&s->idle_mu);
    return go_on;
}

static bool flush_is_due(struct engine *s)
{
    catalog_lock(s->catalog);
    size_t bytes = head_bytes(s->head);
    int64_t since = head_since_ns(s->head);
    bool is_left_over = s->flushing != NULL;
    catalog_unlock(s->catalog);
    bool is_old = since != 0 && clock_mono_ns() - since > s->conf.head_age_ms * 1000000;
    return is_left_over || bytes > s->flush_bytes || is_old || wal_bytes(s->wal) > WAL_BYTES_MAX;
}

static void sort_full_slabs(struct engine *s)
{
    catalog_lock(s->catalog);
    struct head *h = head_ref(s->head);
    catalog_unlock(s->catalog);
    head_sort_full(h);
    head_unref(h);
}

static void *keep(void *arg)
{
    struct engine *s = arg;
    int64_t retained = clock_mono_ns();
    struct retention_clock wall = { 0 };
    retention_clock_ok(&wall, clock_now_ms(), retained);
    do {
        struct err e = ERR_INIT;
        engine_check_space(s);
        if (flush_is_due(s)) {
            if (engine_flush(s, &e) < 0)
                log_error("store", "the head cannot be flushed; trying again", "why", e.text, NULL);
        } else {
            sort_full_slabs(s);
        }
        if (clock_mono_ns() - retained > RETAIN_EVERY_NS) {
            retained = clock_mono_ns();
            bool is_trusted = retention_clock_ok(&wall, clock_now_ms(), clock_mono_ns());
            if (is_trusted && engine_retain(s, &e) < 0)
                log_error("store", "old days cannot be dropped", "why", e.text, NULL);
            days_close_idle(s);
        }
    } while (rest(s, TICK_MS, true));
    return NULL;
}

static void *merge(void *arg)
{
    struct engine *s = arg;
    setpriority(PRIO_PROCESS, 0, 19); /* of this thread, on Linux; refused or not, the merges are right */
    while (rest(s, TICK_MS, false)) {
        struct err e = ERR_INIT;
        int did = engine_merge(s, false, &e);
        if (did < 0 && did != ERR_CANCEL) {
            log_error("store", "a merge failed; trying again in a minute", "why", e.text, NULL);
            if (!rest(s, 60000, false)) break;
        }
    }
    return NULL;
}

void engine_start_threads(struct engine *s)
{
    check(pthread_create(&s->keeper, NULL, keep, s) == 0);
    check(pthread_create(&s->merger, NULL, merge, s) == 0);
    s->has_threads = true;
}

void engine_stop_threads(struct engine *s)
{
    if (!s->has_threads) return;
    pthread_mutex_lock(&s->idle_mu);
    s->stop = true;
    pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->idle_mu);
    atomic_store(&s->stopping, true);
    pthread_join(s->keeper, NULL);
    pthread_join(s->merger, NULL);
    s->has_threads = false;
}
