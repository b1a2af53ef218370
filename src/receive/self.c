/* self.c - our own metrics and the host's, into the store at a steady step, as if scraped: with `up` and its
 * companions.
 *
 * Thread: one of its own; readings are stamped with multiples of the interval so that equal steps compress to
 * nothing. */
#include "receive/self.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/float.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "derive/host.h"

#define STAT_LABELS_MAX 16

struct self {
    struct store *store;
    struct self_conf conf;
    struct str instance;
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t wake;
    bool stopping; /* mu */
};

struct reading { /* one target, one time */
    struct batch *batch;
    struct str job, instance;
    int64_t time_ms;
};

/* name plus the labels of the stat (a="b",c="d": our own text, so no escapes beyond \" and \\), job,
 * instance, and le. */
static void put(const struct reading *r, struct str name, const char *labels, struct str le, double value)
{
    struct label l[STAT_LABELS_MAX + 4] = {
        { STR(LABEL_NAME), name }, { STR("instance"), r->instance }, { STR("job"), r->job }, { STR("le"), le }
    };
    size_t n = 4;
    for (struct str rest = str_of(labels); rest.n > 0 && n < COUNT(l); n++) {
        l[n].name = str_cut(rest, '=', &rest);
        check(rest.n >= 2 && rest.p[0] == '"');
        rest = str_make(rest.p + 1, rest.n - 1);
        l[n].value = str_cut(rest, '"', &rest);
        if (rest.n > 0 && rest.p[0] == ',') rest = str_make(rest.p + 1, rest.n - 1);
    }
    if (labels_normalise(l, &n, NULL) < 0) return;
    batch_series_labels(r->batch, (struct labels){ l, n });
    batch_sample(r->batch, r->time_ms, value);
}

/* A whole bound is written 1.0, as our scraper and Prometheus write it. */
static struct str bound_text(struct arena *a, double bound)
{
    char text[FLOAT_TEXT_MAX];
    size_t n = float_text(bound, text);
    bool plain = memchr(text, '.', n) == NULL && memchr(text, 'e', n) == NULL;
    return arena_printf(a, "%.*s%s", (int)n, text, plain ? ".0" : "");
}

static void put_histogram(const struct reading *r, const struct stat_view *v)
{
    struct arena *a = r->batch->arena;
    double total = 0;
    for (size_t i = 0; i <= v->n_bounds; i++) {
        total += (double)v->counts[i];
        struct str text = i < v->n_bounds ? bound_text(a, v->bounds[i]) : STR("+Inf");
        put(r, arena_printf(a, "%s_bucket", v->name), v->labels, text, total);
    }
    put(r, arena_printf(a, "%s_sum", v->name), v->labels, STR(""), v->sum);
    put(r, arena_printf(a, "%s_count", v->name), v->labels, STR(""), total);
}

static void put_stat(const struct stat_view *v, void *ctx)
{
    static const char *const types[] = { "counter", "gauge", "histogram" };
    const struct reading *r = ctx;
    if (v->type == STAT_HISTOGRAM)
        put_histogram(r, v);
    else
        put(r, str_of(v->name), v->labels, STR(""), v->value);
    batch_metadata(r->batch, str_of(v->name), str_of(types[v->type]), str_of(v->help), STR(""));
}

static void put_scrape(const struct reading *r, int64_t began_ns)
{
    double samples = (double)r->batch->n_rows;
    put(r, STR("up"), "", STR(""), 1);
    put(r, STR("scrape_duration_seconds"), "", STR(""), (double)(clock_mono_ns() - began_ns) / 1e9);
    put(r, STR("scrape_samples_scraped"), "", STR(""), samples);
    put(r, STR("scrape_samples_post_metric_relabeling"), "", STR(""), samples);
}

static void read_target(struct self *s, struct str job, bool host, int64_t time_ms)
{
    struct arena arena = ARENA_INIT(64u << 20);
    struct batch b;
    batch_init(&b, &arena, LABELS_PACKED);
    struct reading r = { &b, job, s->instance, time_ms };
    int64_t began_ns = clock_mono_ns();
    if (host) {
        host_read(&b, "", job, s->instance, time_ms);
    } else {
        stat_each(put_stat, &r);
        host_read_process(&b, "", job, s->instance, time_ms);
    }
    put_scrape(&r, began_ns);

    struct write_result result;
    struct err e = ERR_INIT;
    if (store_write(s->store, &b, ACK_MEMORY, &result, NULL, NULL, &e) < 0)
        log_warn("self", "own metrics not stored", "job", job.p, "error", e.text, NULL);
    arena_release(&arena);
}

static bool wait_until(struct self *s, int64_t t_ms)
{
    struct timespec until = { t_ms / 1000, t_ms % 1000 * 1000000 };
    pthread_mutex_lock(&s->mu);
    while (!s->stopping && clock_now_ms() < t_ms) pthread_cond_timedwait(&s->wake, &s->mu, &until);
    bool on = !s->stopping;
    pthread_mutex_unlock(&s->mu);
    return on;
}

static void *self_main(void *arg)
{
    struct self *s = arg;
    int64_t step = s->conf.interval_ms;
    for (int64_t t = clock_now_ms() / step * step; wait_until(s, t);) {
        if (s->conf.server) read_target(s, STR("vedette"), false, t);
        if (s->conf.host) read_target(s, STR("node"), true, t);
        int64_t now = clock_now_ms();
        t = now < t || now - t >= step ? (now / step + 1) * step
                                       : t + step; /* late, or the clock was set: skip, do not queue */
    }
    return NULL;
}

struct self *self_start(struct store *store, const struct self_conf *conf)
{
    check(conf->interval_ms > 0);
    struct self *s = mem_alloc_zero(sizeof *s);
    s->store = store;
    s->conf = *conf;
    s->instance = str_of(mem_strdup(conf->instance));
    pthread_mutex_init(&s->mu, NULL);
    pthread_cond_init(&s->wake, NULL);
    check(pthread_create(&s->thread, NULL, self_main, s) == 0);
    return s;
}

void self_stop(struct self *s)
{
    if (s == NULL) return;
    pthread_mutex_lock(&s->mu);
    s->stopping = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->mu);
    pthread_join(s->thread, NULL);
    pthread_mutex_destroy(&s->mu);
    pthread_cond_destroy(&s->wake);
    mem_free((char *)s->instance.p);
    mem_free(s);
}
