/* notify.c - see notify.h.
 *
 * Always true:
 *   1. What a receiver said yes to is in the notification log before the next message to it is begun.
 *   2. An alert of the API is on disk before it is answered, if the disk takes it; it is told in any case.
 *   3. Time goes by the wall clock, for people see it; when that is set, what waits is moved along with it.
 *
 * Locks: `mu` guards the dispatcher and the inbox. Under it those of nflog, silences, track and the state
 * file are taken, never the other way round. Sending happens without it. */
#include "tell/notify/notify.h"

#include <pthread.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "base/work.h"
#include "tell/notify/alert_store.h"

#define THREADS        24
#define INBOX_MAX      100000
#define CLOCK_JUMP_MS  2000
#define FLUSH_STATE_MS 2000 /* history to disk */
#define ALIVE_MS       10000
#define CALLS_MS       15000  /* how old the call graph may be */
#define FORGET_MS      900000 /* old log entries and silences, as often as Alertmanager does */

struct notify {
    struct notify_conf conf;
    pthread_mutex_t mu;
    pthread_cond_t wake;
    struct dispatch d; /* under mu */
    struct held **inbox;
    size_t n_inbox, cap_inbox, n_sending;
    bool stopping;
    pthread_t thread;
    bool has_thread;
    struct work_pool *pool;
    struct nflog *nflog;
    struct silences *silences;
    struct track *track;
    struct stat *dropped, *received, *reload_ok, *stats[3];
    bool reads_calls;                                                    /* under mu */
    int64_t next_flush_ms, next_alive_ms, next_forget_ms, next_calls_ms; /* the clock's thread alone */
};

/* ---- sending ---- */

struct job {
    struct notify *n;
    struct delivery *m;
};

static void hand_out(struct notify *n);

static void send_job(void *arg)
{
    struct job j = *(struct job *)arg;
    struct channel_result r;
    mem_free(arg);
    delivery_send(j.m, j.m->conf->templates, notify_external_url(j.n), clock_now_ms(), &r);
    if (r.outcome == CHANNEL_SENT) dispatch_log(&j.n->d, j.m, clock_now_ms());
    pthread_mutex_lock(&j.n->mu);
    j.n->n_sending--;
    dispatch_done(&j.n->d, j.m, &r, clock_now_ms());
    if (!j.n->stopping) hand_out(j.n);
    pthread_cond_signal(&j.n->wake);
    pthread_mutex_unlock(&j.n->mu);
}

static void hand_out(struct notify *n)
{
    while (n->n_sending < n->conf.threads) {
        struct delivery *m = dispatch_take(&n->d);
        if (m == NULL) return;
        struct job *j = mem_alloc(sizeof *j);
        *j = (struct job){ n, m };
        n->n_sending++;
        check(work_post(n->pool, send_job, j)); /* the queue is longer than n_sending may be */
    }
}

/* ---- the clock's thread ---- */

/* A full disk keeps nobody from being told. */
static void keep_on_disk(struct notify *n, const struct alert *a, size_t count)
{
    struct err e = ERR_INIT;
    if (n->conf.state != NULL && alert_store_put(n->conf.state, a, count, &e) < 0)
        log_error("notify", "alerts are not on disk: a restart forgets them", "error", e.text, NULL);
}

static void drain_inbox(struct notify *n)
{
    struct held **at = n->inbox;
    size_t count = n->n_inbox;
    if (count == 0) return;
    n->inbox = NULL;
    n->n_inbox = n->cap_inbox = 0;
    struct alert *alerts = mem_array(count, sizeof *alerts);
    for (size_t i = 0; i < count; i++) alerts[i] = at[i]->a;
    if (n->conf.state != NULL) {
        pthread_mutex_unlock(&n->mu); /* the disk may be slow */
        keep_on_disk(n, alerts, count);
        pthread_mutex_lock(&n->mu);
    }
    dispatch_put(&n->d, alerts, count, clock_now_ms());
    mem_free(alerts);
    for (size_t i = 0; i < count; i++) held_unref(at[i]);
    mem_free(at);
}

static void upkeep(struct notify *n, int64_t now_ms)
{
    if (now_ms >= n->next_flush_ms) {
        n->next_flush_ms = now_ms + FLUSH_STATE_MS;
        track_flush(n->track, now_ms);
    }
    if (now_ms >= n->next_alive_ms && n->conf.state != NULL) {
        n->next_alive_ms = now_ms + ALIVE_MS;
        alert_store_alive(n->conf.state, now_ms);
    }
    if (now_ms < n->next_forget_ms) return;
    n->next_forget_ms = now_ms + FORGET_MS;
    nflog_gc(n->nflog, now_ms);
    silences_gc(n->silences, now_ms);
    if (n->conf.state != NULL) alert_store_gc(n->conf.state, now_ms);
}

/* ---- the call graph ---- */

static void read_calls(void *arg)
{
    struct notify *n = arg;
    struct call_graph *g = NULL;
    struct err e = ERR_INIT;
    int rc = n->conf.calls.read(n->conf.calls.ctx, clock_now_ms(), &g, &e);
    if (rc < 0) log_warn("notify", "no call graph, so no cascades are found", "error", e.text, NULL);
    pthread_mutex_lock(&n->mu);
    if (rc == OK) dispatch_calls(&n->d, g);
    n->reads_calls = false;
    pthread_mutex_unlock(&n->mu);
}

/* Only while there may be something to find out. Under mu. */
static void renew_calls(struct notify *n, int64_t now_ms)
{
    if (n->conf.calls.read == NULL || n->d.alerts.n == 0 || n->reads_calls || now_ms < n->next_calls_ms)
        return;
    n->next_calls_ms = now_ms + CALLS_MS;
    n->reads_calls = work_post(n->pool, read_calls, n);
}

static void wait_until(struct notify *n, int64_t wake_ms)
{
    int64_t ms = MIN(MAX(wake_ms - clock_now_ms(), 1), 1000);
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&n->wake, &n->mu, &t);
}

/* How far the wall clock was set since the last look; 0 when it went as the monotonic one did. */
static int64_t clock_jump(int64_t *offset)
{
    int64_t now = clock_now_ms() - clock_mono_ns() / 1000000, by = now - *offset;
    *offset = now;
    return by > CLOCK_JUMP_MS || by < -CLOCK_JUMP_MS ? by : 0;
}

static void *run(void *arg)
{
    struct notify *n = arg;
    int64_t offset = clock_now_ms() - clock_mono_ns() / 1000000;
    pthread_mutex_lock(&n->mu);
    while (!n->stopping) {
        int64_t jump = clock_jump(&offset);
        if (jump != 0) dispatch_shift(&n->d, jump);
        drain_inbox(n);
        renew_calls(n, clock_now_ms());
        int64_t wake_ms = dispatch_run(&n->d, clock_now_ms());
        hand_out(n);
        pthread_mutex_unlock(&n->mu);
        upkeep(n, clock_now_ms());
        pthread_mutex_lock(&n->mu);
        if (!n->stopping && n->n_inbox == 0) wait_until(n, wake_ms);
    }
    pthread_mutex_unlock(&n->mu);
    return NULL;
}

/* ---- starting and stopping ---- */

static void restore_one(const struct alert *a, void *ctx)
{
    struct notify *n = ctx;
    if (a->ends_ms == 0) track_resume(n->track, alert_fingerprint(a->labels));
    dispatch_put(&n->d, a, 1, clock_now_ms());
}

static int restore(struct notify *n, struct err *e)
{
    if (n->conf.state == NULL) return OK;
    int rc = alert_store_open(n->conf.state, e);
    if (rc == OK) alert_store_gc(n->conf.state, clock_now_ms());
    return rc == OK ? alert_store_each(n->conf.state, n->d.conf->resolve_timeout_ms, restore_one, n, e) : rc;
}

static void init_locks(struct notify *n)
{
    pthread_condattr_t a;
    pthread_mutex_init(&n->mu, NULL);
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(&n->wake, &a);
    pthread_condattr_destroy(&a);
}

static double count_alerts(void *ctx)
{
    struct notify *n = ctx;
    pthread_mutex_lock(&n->mu);
    double v = (double)n->d.alerts.n;
    pthread_mutex_unlock(&n->mu);
    return v;
}

static double count_groups(void *ctx)
{
    struct notify *n = ctx;
    pthread_mutex_lock(&n->mu);
    double v = (double)n->d.groups.n;
    pthread_mutex_unlock(&n->mu);
    return v;
}

static double count_deliveries(void *ctx)
{
    struct notify *n = ctx;
    pthread_mutex_lock(&n->mu);
    double v = (double)n->d.n_deliveries;
    pthread_mutex_unlock(&n->mu);
    return v;
}

static void make_stats(struct notify *n)
{
    n->received =
        stat_counter("vedette_alerts_received_total", "Alerts taken, of our rules and of others.", NULL);
    n->dropped =
        stat_counter("vedette_alerts_dropped_total", "Alerts dropped because the inbox was full.", NULL);
    n->reload_ok = stat_gauge("vedette_alertmanager_config_last_reload_successful",
                              "Whether the last reading of the Alertmanager configuration was good.", NULL);
    stat_set(n->reload_ok, 1);
    n->stats[0] = stat_ask(STAT_GAUGE, "vedette_notify_alerts", "Alerts known, with those resolved lately.",
                           NULL, count_alerts, n);
    n->stats[1] = stat_ask(STAT_GAUGE, "vedette_notify_groups", "Groups of alerts.", NULL, count_groups, n);
    n->stats[2] = stat_ask(STAT_GAUGE, "vedette_notify_deliveries",
                           "Notifications under way or to be tried again.", NULL, count_deliveries, n);
}

int notify_start(const struct notify_conf *conf, struct notify **out, struct err *e)
{
    struct notify *n = mem_alloc_zero(sizeof *n);
    struct am_config *am = NULL;
    n->conf = *conf;
    if (n->conf.threads == 0) n->conf.threads = THREADS;
    init_locks(n);
    make_stats(n);
    int rc = conf->source.read(conf->source.ctx, &am, e);
    if (rc == OK) rc = nflog_open(conf->state, &n->nflog, e);
    if (rc == OK) rc = silences_open(conf->state, &n->silences, e);
    if (rc == OK) rc = track_open(conf->state, &n->track, e);
    if (rc == OK) dispatch_init(&n->d, am, n->nflog, n->silences, n->track);
    if (rc == OK) n->d.changed = conf->changed;
    am_config_unref(am);
    if (rc == OK) rc = restore(n, e);
    if (rc < 0) {
        notify_stop(n);
        return rc;
    }
    n->pool = work_start("notify", n->conf.threads, 2 * n->conf.threads);
    n->has_thread = pthread_create(&n->thread, NULL, run, n) == 0;
    check(n->has_thread);
    *out = n;
    return OK;
}

void notify_stop(struct notify *n)
{
    if (n == NULL) return;
    pthread_mutex_lock(&n->mu);
    n->stopping = true;
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->mu);
    if (n->has_thread) pthread_join(n->thread, NULL);
    work_stop(n->pool);
    for (size_t i = 0; i < COUNT(n->stats); i++) stat_forget(n->stats[i]);
    pthread_mutex_lock(&n->mu);
    if (n->has_thread) drain_inbox(n); /* what came last is on disk when we start again */
    pthread_mutex_unlock(&n->mu);
    if (n->track != NULL) track_flush(n->track, clock_now_ms());
    if (n->has_thread && n->conf.state != NULL) alert_store_alive(n->conf.state, clock_now_ms());
    dispatch_release(&n->d);
    nflog_close(n->nflog);
    silences_close(n->silences);
    track_close(n->track);
    pthread_cond_destroy(&n->wake);
    pthread_mutex_destroy(&n->mu);
    mem_free(n);
}

int notify_reload(struct notify *n, struct err *e)
{
    struct am_config *am;
    int rc = n->conf.source.read(n->conf.source.ctx, &am, e);
    stat_set(n->reload_ok, rc == OK);
    if (rc < 0) return rc;
    pthread_mutex_lock(&n->mu);
    dispatch_reload(&n->d, am, clock_now_ms());
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->mu);
    am_config_unref(am);
    return OK;
}

/* ---- alerts in ---- */

static void sink_send(void *ctx, const struct alert *a, size_t count)
{
    struct notify *n = ctx;
    int64_t now_ms = clock_now_ms();
    stat_add(n->received, count);
    pthread_mutex_lock(&n->mu);
    for (size_t i = 0; i < count; i++) {
        struct alert one = a[i];
        if (n->n_inbox == INBOX_MAX || one.labels.n == 0) {
            stat_add(n->dropped, 1);
            continue;
        }
        one.updated_ms = now_ms;
        if (one.starts_ms <= 0) one.starts_ms = one.ends_ms > 0 ? one.ends_ms : now_ms;
        n->inbox = mem_grow(n->inbox, n->n_inbox, &n->cap_inbox, sizeof(struct held *));
        n->inbox[n->n_inbox++] = held_new(&one, false);
    }
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->mu);
}

struct alert_sink notify_sink(struct notify *n)
{
    return (struct alert_sink){ sink_send, n };
}

void notify_post(struct notify *n, const struct alert *a, size_t count)
{
    if (count == 0) return;
    keep_on_disk(n, a, count);
    stat_add(n->received, count);
    pthread_mutex_lock(&n->mu);
    dispatch_put(&n->d, a, count, clock_now_ms());
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->mu);
}

/* ---- looking in ---- */

struct dispatch *notify_lock(struct notify *n)
{
    pthread_mutex_lock(&n->mu);
    return &n->d;
}

void notify_unlock(struct notify *n)
{
    pthread_mutex_unlock(&n->mu);
}

struct silences *notify_silences(struct notify *n)
{
    return n->silences;
}

struct track *notify_track(struct notify *n)
{
    return n->track;
}

void notify_each_outside(const struct notify *n, void (*visit)(const char *url, void *), void *ctx)
{
    if (n->conf.outside.each != NULL) n->conf.outside.each(n->conf.outside.ctx, visit, ctx);
}

struct str notify_external_url(const struct notify *n)
{
    return str_of(n->conf.external_url ? n->conf.external_url : "");
}
