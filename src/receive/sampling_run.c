#include "receive/sampling_run.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"

#define KEEPERS_MAX    20000 /* traces kept by a span of theirs, in one decision */
#define MEMORY_MAX     (64u << 20)
#define DAY_MS         (24ll * 3600 * 1000)
#define STATE_MAX      4096
#define CALL_TIMEOUT_S 120

struct sampling_run {
    _Atomic int64_t wait_ms; /* for how long a decision waits */
    struct store *store;
    char *state_path;
    int64_t decided_ms; /* spans before are decided; 0: not known */
    struct stat *dropped, *failed;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t mu;
    pthread_cond_t woken;
    bool stopping; /* mu */
};

/* ---- how far it has come ---- */

static void state_read(struct sampling_run *s)
{
    struct buf text = BUF_INIT(STATE_MAX);
    struct arena a = ARENA_INIT(64u << 10);
    struct json_reader r;
    struct str key;
    int64_t decided = 0;
    if (file_slurp(s->state_path, &text, NULL) == OK) {
        json_open(&r, buf_view(&text), &a);
        if (json_object(&r))
            while (json_key(&r, &key))
                if (!str_is(key, "decided_ms") || !json_i64(&r, &decided)) json_skip(&r);
        if (json_close(&r, NULL) == OK) s->decided_ms = decided;
    }
    arena_release(&a);
    buf_release(&text);
}

static void state_write(struct sampling_run *s)
{
    char text[64];
    struct err e = ERR_INIT;
    int n = snprintf(text, sizeof text, "{\"decided_ms\":%lld}\n", (long long)s->decided_ms);
    if (file_replace(s->state_path, str_make(text, (size_t)n), &e) < 0) /* then we decide once more */
        log_warn("sampling", "cannot write down how far it has come", "error", e.text, NULL);
}

/* ---- one decision ---- */

struct decision {
    struct arena arena;
    struct value *keepers;
    size_t n, cap;
    int64_t from_ms, to_ms;
};

static int64_t to_ns(int64_t ms)
{
    return ms > INT64_MAX / 1000000 ? INT64_MAX : ms * 1000000;
}

static struct field kept_by_field(void)
{
    return field_attr(FIELD_ATTR, STR(SAMPLING_KEPT_BY));
}

static int take_keeper(void *ctx, const struct record_rows *rows)
{
    struct decision *d = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        struct value id = rows->values[0][i];
        if (id.type != VALUE_BYTES) continue;
        if (d->n > 0 && str_eq(d->keepers[d->n - 1].text, id.text)) continue;
        if (d->n == KEEPERS_MAX) return ERR_LIMIT;
        id.text = arena_str(&d->arena, id.text);
        d->keepers = arena_grow(&d->arena, d->keepers, d->n, &d->cap, sizeof *d->keepers);
        d->keepers[d->n++] = id;
    }
    return OK;
}

static int take_one(void *ctx, const struct record_rows *rows)
{
    *(bool *)ctx |= rows->n > 0;
    return OK;
}

static int scan(struct sampling_run *s, const struct predicate *where, int64_t from_ms, int64_t to_ms,
                size_t limit, record_sink *sink, void *ctx, struct err *e)
{
    const struct field id = field_in(IN_TRACE_ID);
    struct arena scratch = ARENA_INIT(MEMORY_MAX);
    struct call call = { .arena = &scratch, .deadline_ns = clock_mono_ns() + CALL_TIMEOUT_S * 1000000000ll };
    struct record_scan what = { .table = TABLE_SPANS,
                                .from_ns = to_ns(from_ms),
                                .to_ns = to_ns(to_ms),
                                .where = where,
                                .fields = &id,
                                .n_fields = 1,
                                .limit = limit };
    struct store_view *view = NULL;
    int rc = store_view_open(s->store, from_ms, to_ms, &view, e);
    if (rc == OK) rc = view_records(view, &call, &what, sink, ctx, e);
    store_view_close(view);
    arena_release(&scratch);
    return rc;
}

/* A trace may begin before the time that is decided, and go on after it. */
static int find_keepers(struct sampling_run *s, struct decision *d, int64_t now_ms, struct err *e)
{
    struct value *keeps = arena_array(&d->arena, 3, sizeof *keeps);
    keeps[0] = value_str(STR("error"));
    keeps[1] = value_str(STR("slow"));
    keeps[2] = value_str(STR("running"));
    const struct predicate *where = predicate_in(&d->arena, kept_by_field(), keeps, 3);
    return scan(s, where, MAX(d->from_ms - s->wait_ms, (int64_t)0), now_ms, 0, take_keeper, d, e);
}

static int let_go(struct sampling_run *s, struct decision *d, uint64_t *rows, struct err *e)
{
    struct arena *a = &d->arena;
    bool any = false;
    const struct predicate *where = predicate_cmp(a, PRED_EQ, kept_by_field(), value_str(STR("trace")));
    if (d->n > 0)
        where = predicate_and(a, where,
                              predicate_not(a, predicate_in(a, field_in(IN_TRACE_ID), d->keepers, d->n)));
    int rc = scan(s, where, d->from_ms, d->to_ms, 1, take_one, &any, e);
    if (rc < 0 || !any) return rc; /* a deletion would flush, and leave a line in the audit */
    struct store_delete what = { .table = TABLE_SPANS,
                                 .from_ms = d->from_ms,
                                 .to_ms = d->to_ms,
                                 .where = where,
                                 .who = STR("sampling"),
                                 .reason = STR("traces that no rule keeps"),
                                 .rows = rows };
    return store_admin(s->store, STORE_DELETE, &what, e);
}

int64_t sampling_run_once(struct sampling_run *s, int64_t now_ms, struct err *e)
{
    struct decision d = { .arena = ARENA_INIT(MEMORY_MAX), .to_ms = now_ms - s->wait_ms };
    uint64_t rows = 0;
    int64_t last = s->decided_ms > 0 ? s->decided_ms : d.to_ms - DAY_MS;
    d.from_ms = MAX(last - s->wait_ms, (int64_t)0);
    if (d.to_ms <= d.from_ms) return 0;

    int rc = find_keepers(s, &d, now_ms, e);
    if (rc == ERR_LIMIT && d.n == KEEPERS_MAX) {
        log_warn("sampling",
                 "more traces are to be kept than one decision can tell apart: all of this time stay",
                 "from_ms", log_num(d.from_ms), "to_ms", log_num(d.to_ms), NULL);
        rc = OK;
    } else if (rc == OK)
        rc = let_go(s, &d, &rows, e);
    arena_release(&d.arena);
    if (rc < 0) return rc;
    s->decided_ms = d.to_ms;
    state_write(s);
    stat_add(s->dropped, rows);
    return (int64_t)rows;
}

/* ---- the thread ---- */

static bool sleeps_until_next(struct sampling_run *s)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    const int64_t wait_ms = s->wait_ms;
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_mutex_lock(&s->mu);
    int rc = 0;
    while (!s->stopping && rc != ETIMEDOUT) rc = pthread_cond_timedwait(&s->woken, &s->mu, &until);
    bool goes_on = !s->stopping;
    pthread_mutex_unlock(&s->mu);
    return goes_on;
}

static void *decide(void *arg)
{
    struct sampling_run *s = arg;
    while (sleeps_until_next(s)) {
        struct err e = ERR_INIT;
        if (sampling_run_once(s, clock_now_ms(), &e) >= 0) continue;
        stat_add(s->failed, 1);
        log_warn("sampling", "no decision now, the traces stay until the next", "error", e.text, NULL);
    }
    return NULL;
}

struct sampling_run *sampling_run_new(const struct sampling *conf, struct store *store, const char *data_dir)
{
    struct sampling_run *s = mem_alloc_zero(sizeof *s);
    char path[4096];
    s->wait_ms = conf->wait_ms;
    s->store = store;
    snprintf(path, sizeof path, "%s/sampling.json", data_dir);
    s->state_path = str_dup(str_of(path));
    s->dropped = stat_counter("vedette_sampling_spans_dropped_total",
                              "Spans that left because no rule of tail sampling keeps their trace.", NULL);
    s->failed = stat_counter("vedette_sampling_decisions_failed_total",
                             "Decisions of tail sampling that could not be made then.", NULL);
    pthread_mutex_init(&s->mu, NULL);
    pthread_cond_init(&s->woken, NULL);
    state_read(s);
    return s;
}

void sampling_run_free(struct sampling_run *s)
{
    if (s == NULL) return;
    pthread_mutex_destroy(&s->mu);
    pthread_cond_destroy(&s->woken);
    mem_free(s->state_path);
    mem_free(s);
}

void sampling_run_set(struct sampling_run *s, const struct sampling *conf)
{
    s->wait_ms = conf->wait_ms;
}

void sampling_run_start(struct sampling_run *s)
{
    check(pthread_create(&s->thread, NULL, decide, s) == 0);
    s->has_thread = true;
}

void sampling_run_stop(struct sampling_run *s)
{
    if (s == NULL || !s->has_thread) return;
    pthread_mutex_lock(&s->mu);
    s->stopping = true;
    pthread_cond_signal(&s->woken);
    pthread_mutex_unlock(&s->mu);
    pthread_join(s->thread, NULL);
    s->has_thread = false;
}
