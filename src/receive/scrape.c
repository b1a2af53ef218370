/* scrape.c - the two threads: one starts scrapes on time, one keeps the set of targets right.
 *
 * Each target's times are k * interval + offset, its offset a hash of its identity, so that they are the same
 * after a restart and even over the interval. A scrape that comes at most TOLERANCE_MS late is stamped with
 * the time it should have had: equal steps cost no bytes in the store, and two milliseconds no truth.
 *
 * Always true:
 *   1. A target has at most one scrape under way (`busy`); a moment that comes meanwhile is skipped, never
 * queued.
 *   2. A target that is no longer wanted stays in the heap until its next moment, so that one that comes back
 * goes on where it was.
 *   3. Nothing waits for a target: fetches have timeouts, and stopping cancels them. */
#include "receive/scrape_impl.h"

#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define TOLERANCE_MS 2
#define WAKE_MS      1000 /* the wall clock may be set: look at it this often */
#define FETCHES_MAX  8192
#define QUEUE_MAX    65536

/* ---- the heap of targets by time ---- */

static void heap_put(struct scrape_manager *m, size_t i, struct scrape_target *t)
{
    m->heap[i] = t;
    t->heap_at = i;
}

static void heap_up(struct scrape_manager *m, size_t i)
{
    struct scrape_target *t = m->heap[i];
    for (; i > 0 && m->heap[(i - 1) / 2]->due_ms > t->due_ms; i = (i - 1) / 2)
        heap_put(m, i, m->heap[(i - 1) / 2]);
    heap_put(m, i, t);
}

static void heap_down(struct scrape_manager *m, size_t i)
{
    struct scrape_target *t = m->heap[i];
    for (size_t child; (child = 2 * i + 1) < m->n_heap; i = child) {
        if (child + 1 < m->n_heap && m->heap[child + 1]->due_ms < m->heap[child]->due_ms) child++;
        if (m->heap[child]->due_ms >= t->due_ms) break;
        heap_put(m, i, m->heap[child]);
    }
    heap_put(m, i, t);
}

void heap_fix(struct scrape_manager *m, struct scrape_target *t)
{
    heap_up(m, t->heap_at);
    heap_down(m, t->heap_at);
    if (m->heap[0] == t) pthread_cond_signal(&m->due);
}

void heap_add(struct scrape_manager *m, struct scrape_target *t)
{
    m->heap = mem_grow(m->heap, m->n_heap, &m->cap_heap, sizeof *m->heap);
    heap_put(m, m->n_heap++, t);
    heap_fix(m, t);
}

void heap_remove(struct scrape_manager *m, struct scrape_target *t)
{
    struct scrape_target *last = m->heap[--m->n_heap];
    if (last == t) return;
    heap_put(m, t->heap_at, last);
    heap_fix(m, last);
}

/* ---- the scheduler ---- */

int64_t scrape_next_ms(const struct scrape_target *t, int64_t now_ms)
{
    int64_t step = t->spec->interval_ms;
    int64_t offset = (int64_t)(t->spec->id.lo % (uint64_t)step);
    int64_t next = now_ms / step * step + offset;
    return next > now_ms ? next : next + step;
}

static int64_t stamp(const struct scrape_target *t, int64_t now_ms)
{
    int64_t late = now_ms - t->due_ms;
    return late >= 0 && late <= TOLERANCE_MS && late * 100 <= t->spec->interval_ms ? t->due_ms : now_ms;
}

/* mu is held, and let go while the scrape is started. */
static void start_one(struct scrape_manager *m, struct scrape_target *t, int64_t now_ms)
{
    int64_t time_ms = stamp(t, now_ms);
    bool skip = t->busy, gone = t->gone;
    if (gone && !skip) {
        heap_remove(m, t);
    } else {
        t->due_ms = scrape_next_ms(t, now_ms);
        heap_fix(m, t);
    }
    t->busy = true;
    pthread_mutex_unlock(&m->mu);
    if (skip)
        stat_add(m->skipped, 1);
    else if (gone)
        scrape_run_end(t, time_ms);
    else
        scrape_run_start(t, time_ms);
    pthread_mutex_lock(&m->mu);
}

static void wait_ms(pthread_cond_t *cond, pthread_mutex_t *mu, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + MIN(ms, (int64_t)WAKE_MS) * 1000000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_cond_timedwait(cond, mu, &until);
}

/* The clock was set back: what is due far beyond its interval would wait for ever. */
static bool is_far(const struct scrape_target *t, int64_t now_ms)
{
    return t->due_ms - now_ms > 2 * t->spec->interval_ms;
}

static void *scheduler_main(void *arg)
{
    struct scrape_manager *m = arg;
    pthread_mutex_lock(&m->mu);
    while (!m->stopping) {
        int64_t now_ms = clock_now_ms();
        struct scrape_target *first = m->n_heap > 0 ? m->heap[0] : NULL;
        if (first == NULL) {
            pthread_cond_wait(&m->due, &m->mu);
        } else if (first->due_ms <= now_ms) {
            start_one(m, first, now_ms);
        } else if (is_far(first, now_ms)) {
            first->due_ms = scrape_next_ms(first, now_ms);
            heap_fix(m, first);
        } else {
            wait_ms(&m->due, &m->mu, first->due_ms - now_ms);
        }
    }
    pthread_mutex_unlock(&m->mu);
    return NULL;
}

/* ---- discovery ---- */

static void look_again(void *ctx)
{
    struct scrape_manager *m = ctx;
    pthread_mutex_lock(&m->mu);
    m->look = true;
    pthread_cond_signal(&m->found);
    pthread_mutex_unlock(&m->mu);
}

static void *discoverer_main(void *arg)
{
    struct scrape_manager *m = arg;
    pthread_mutex_lock(&m->mu);
    while (!m->stopping) {
        struct scrape_conf *next = m->next;
        m->next = NULL;
        m->look = false;
        pthread_mutex_unlock(&m->mu);
        if (next != NULL) scrape_pools_reload(m, next);
        int64_t now_ms = clock_mono_ns() / 1000000;
        int64_t due_ms = scrape_pools_tick(m, now_ms);
        pthread_mutex_lock(&m->mu);
        if (m->look || m->next != NULL || m->stopping) continue;
        if (due_ms == INT64_MAX)
            pthread_cond_wait(&m->found, &m->mu);
        else if (due_ms > now_ms)
            wait_ms(&m->found, &m->mu, due_ms - now_ms);
    }
    pthread_mutex_unlock(&m->mu);
    return NULL;
}

/* ---- life ---- */

static void count_in(struct scrape_manager *m)
{
    m->scrapes = stat_counter("vedette_scrapes_total", "Scrapes of configured targets.", NULL);
    m->failed = stat_counter("vedette_scrapes_failed_total", "Scrapes that brought nothing.", NULL);
    m->skipped = stat_counter("vedette_scrapes_skipped_total",
                              "Scrapes not begun because the one before was still under way.", NULL);
    m->samples = stat_counter("vedette_scrape_samples_total", "Samples stored from scrapes.", NULL);
    m->duplicates =
        stat_counter("vedette_scrape_duplicates_total",
                     "Samples dropped because the scrape had one of the same series already.", NULL);
}

static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

struct scrape_manager *scrape_manager_start(struct scrape_conf *conf, struct store *store, struct err *e)
{
    /* Its own client, so that stopping cancels our fetches only, and its own threads, so that no long query
     * delays us. */
    struct http_client *client = http_client_start(FETCHES_MAX, e);
    if (client == NULL) return NULL;
    struct scrape_manager *m = mem_alloc_zero(sizeof *m);
    m->store = store;
    m->client = client;
    m->workers = work_start("scrape", (size_t)MAX(sysconf(_SC_NPROCESSORS_ONLN) / 2, 1), QUEUE_MAX);
    m->resolvers = work_start("resolve", 1, QUEUE_MAX);
    m->next = scrape_conf_ref(conf);
    count_in(m);
    pthread_mutex_init(&m->mu, NULL);
    cond_init(&m->due);
    cond_init(&m->found);
    check(pthread_create(&m->scheduler, NULL, scheduler_main, m) == 0);
    check(pthread_create(&m->discoverer, NULL, discoverer_main, m) == 0);
    return m;
}

void scrape_manager_reload(struct scrape_manager *m, struct scrape_conf *conf)
{
    pthread_mutex_lock(&m->mu);
    scrape_conf_free(m->next);
    m->next = scrape_conf_ref(conf);
    pthread_cond_signal(&m->found);
    pthread_mutex_unlock(&m->mu);
}

void scrape_manager_stop(struct scrape_manager *m)
{
    if (m == NULL) return;
    pthread_mutex_lock(&m->mu);
    m->stopping = true;
    pthread_cond_signal(&m->due);
    pthread_cond_signal(&m->found);
    pthread_mutex_unlock(&m->mu);
    pthread_join(m->scheduler, NULL);
    pthread_join(m->discoverer, NULL);
    http_client_stop(m->client); /* every fetch under way now ends as cancelled */
    work_stop(m->workers);
    work_stop(m->resolvers);
    for (size_t i = 0; i < m->n_heap; i++) scrape_target_free(m->heap[i]);
    for (size_t i = 0; i < m->n_pools; i++) scrape_pool_free(m->pools[i]);
    scrape_conf_free(m->conf);
    scrape_conf_free(m->next);
    pthread_cond_destroy(&m->due);
    pthread_cond_destroy(&m->found);
    pthread_mutex_destroy(&m->mu);
    mem_free(m->heap);
    mem_free(m->pools);
    mem_free(m);
}

struct discover_env scrape_discover_env(struct scrape_manager *m)
{
    return (struct discover_env){ m->client, m->resolvers, look_again, m };
}

/* ---- looking ---- */

static void visit_target(const struct scrape_pool *pool, const struct scrape_target *t,
                         void (*visit)(const struct scrape_target_view *, void *), void *arg)
{
    static const char *const healths[] = { "unknown", "up", "down" };
    struct scrape_target_view v = {
        .discovered = t->spec->discovered,
        .labels = t->spec->labels,
        .pool = pool->name,
        .url = str_of(t->spec->url),
        .last_error = str_of(t->last_error),
        .health = healths[t->health],
        .last_scrape_ms = t->last_scrape_ms,
        .last_seconds = t->last_seconds,
        .interval_ms = t->spec->interval_ms,
        .timeout_ms = t->spec->timeout_ms,
    };
    visit(&v, arg);
}

void scrape_manager_targets(struct scrape_manager *m,
                            void (*visit)(const struct scrape_target_view *, void *), void *arg)
{
    pthread_mutex_lock(&m->mu);
    for (size_t i = 0; i < m->n_pools; i++) {
        const struct scrape_pool *p = m->pools[i];
        for (size_t k = 0; k < p->n_targets; k++) visit_target(p, p->targets[k], visit, arg);
        for (size_t k = 0; k < p->n_dropped; k++)
            visit(&(struct scrape_target_view){ .discovered = p->dropped[k]->discovered,
                                                .pool = p->name,
                                                .health = "unknown",
                                                .dropped = true },
                  arg);
    }
    pthread_mutex_unlock(&m->mu);
}

void scrape_manager_pools(struct scrape_manager *m, void (*visit)(struct str name, void *), void *arg)
{
    pthread_mutex_lock(&m->mu);
    for (size_t i = 0; i < m->n_pools; i++) visit(m->pools[i]->name, arg);
    pthread_mutex_unlock(&m->mu);
}
