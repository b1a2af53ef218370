#include "derive/late_series.h"

#include <pthread.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define HOUR_MS    3600000
#define MINUTE_MS  60000
#define TRIES_MAX  3
/* For one hour's counting. */
#define TIMEOUT_S  120
#define MEMORY_MAX (256u << 20)

struct due {
    int64_t hour_ms;           /* when it began */
    int64_t since_ms, last_ms; /* first and newest span that it waits for, by our clock */
    int tries;
};

struct late_series {
    struct store *store;
    struct span_metrics_conf conf;
    late_labels *labels;
    late_counted *counted;
    void *ctx;

    pthread_mutex_t mu; /* all below */
    struct due *due;
    size_t n, cap;
    size_t newest; /* where the last one was found: spans of an hour come together */
};

struct late_series *late_series_new(struct store *store, const struct span_metrics_conf *conf,
                                    late_labels *labels, late_counted *counted, void *ctx)
{
    struct late_series *l = mem_alloc_zero(sizeof *l);
    *l = (struct late_series){
        .store = store, .conf = *conf, .labels = labels, .counted = counted, .ctx = ctx
    };
    l->conf.is_late = true;
    l->conf.idle_ms =
        HOUR_MS - 2; /* rows are used at the hour's beginning: all go stale 1 ms before its end */
    pthread_mutex_init(&l->mu, NULL);
    return l;
}

void late_series_free(struct late_series *l)
{
    if (l == NULL) return;
    pthread_mutex_destroy(&l->mu);
    mem_free(l->due);
    mem_free(l);
}

/* ---- which hours ---- */

static struct due *find_due(struct late_series *l, int64_t hour_ms)
{
    if (l->newest < l->n && l->due[l->newest].hour_ms == hour_ms) return &l->due[l->newest];
    for (l->newest = 0; l->newest < l->n; l->newest++)
        if (l->due[l->newest].hour_ms == hour_ms) return &l->due[l->newest];
    return NULL;
}

static bool note_hour(struct late_series *l, struct due hour)
{
    pthread_mutex_lock(&l->mu);
    struct due *d = find_due(l, hour.hour_ms);
    bool is_kept = d != NULL || l->n < LATE_HOURS_MAX;
    if (d != NULL) {
        d->last_ms = MAX(d->last_ms, hour.last_ms);
    } else if (is_kept) {
        if (l->n == l->cap) l->due = mem_grow(l->due, l->n, &l->cap, sizeof *l->due);
        l->due[l->n++] = hour;
    }
    pthread_mutex_unlock(&l->mu);
    return is_kept;
}

bool late_series_note(struct late_series *l, int64_t start_ns, int64_t now_ms)
{
    int64_t start_ms = start_ns / 1000000;
    return note_hour(l, (struct due){ start_ms - start_ms % HOUR_MS, now_ms, now_ms, 0 });
}

/* The oldest hour that is ripe leaves the list; spans that come from now on put it there again. */
static bool take_ripe(struct late_series *l, int64_t now_ms, int64_t quiet_ms, struct due *out)
{
    struct due *found = NULL;
    pthread_mutex_lock(&l->mu);
    for (size_t i = 0; i < l->n; i++) {
        struct due *d = &l->due[i];
        bool is_ripe = now_ms - d->last_ms >= quiet_ms || now_ms - d->since_ms >= LATE_WAIT_MS;
        if (is_ripe && (found == NULL || d->hour_ms < found->hour_ms)) found = d;
    }
    if (found != NULL) {
        *out = *found;
        *found = l->due[--l->n];
    }
    pthread_mutex_unlock(&l->mu);
    return found != NULL;
}

/* ---- an hour ---- */

struct hour {
    struct late_series *late;
    struct series_out *out;
    int64_t from_ms, now_ms;
    int64_t tick_ms;  /* the next to be written */
    bool is_counting; /* the second pass; the first finds the rows */
    bool any;
    struct arena scratch;
    struct err *err;
};

/* Counted up to the middle of a minute; the zeros of all series are half a minute before the first. */
static int write_ticks(struct hour *h, int64_t until_ms)
{
    int rc = OK;
    for (; rc == OK && h->tick_ms < until_ms && h->tick_ms <= h->now_ms; h->tick_ms += MINUTE_MS)
        rc = series_out_write(h->out, h->late->store, h->tick_ms, MINUTE_MS / 2, h->err);
    return rc;
}

static void count_span(struct hour *h, const struct record *r)
{
    struct str service, dimensions[SPAN_DIMENSIONS_MAX];
    h->late->labels(h->late->ctx, r, &h->scratch, &service, dimensions);
    const struct seen_span seen = { r, service, dimensions };
    series_out_lock(h->out);
    if (h->is_counting)
        span_metrics_seen(h->out, &h->late->conf, &seen, h->from_ms);
    else
        (void)span_metrics_row(h->out, &h->late->conf, &seen, h->from_ms);
    series_out_unlock(h->out);
    h->any = true;
}

static int take_spans(void *ctx, const struct record_rows *rows)
{
    struct hour *h = ctx;
    int rc = OK;
    for (size_t i = 0; rc == OK && i < rows->n; i++) {
        const struct record *r = &rows->records[i];
        if (r->span.duration_ns == SPAN_UNFINISHED || h->late->counted(h->late->ctx, r)) continue;
        if (h->is_counting) rc = write_ticks(h, r->time_ns / 1000000);
        arena_reset(&h->scratch);
        count_span(h, r);
    }
    return rc;
}

static int scan_hour(struct hour *h, struct store_view *view)
{
    struct arena memory = ARENA_INIT(MEMORY_MAX);
    struct call call = { .arena = &memory, .deadline_ns = clock_mono_ns() + TIMEOUT_S * INT64_C(1000000000) };
    const struct record_scan what = {
        .table = TABLE_SPANS,
        .from_ns = h->from_ms * 1000000,
        .to_ns = (h->from_ms + HOUR_MS) * 1000000 - 1,
        .where = predicate_cmp(&memory, PRED_GE, field_in(IN_FLAGS), value_int(RECORD_LATE)),
        .order = h->is_counting ? ORDER_TIME : ORDER_ANY,
    };
    int rc = view_records(view, &call, &what, take_spans, h, h->err);
    arena_release(&memory);
    return rc;
}

static int count_hour(struct late_series *l, int64_t hour_ms, int64_t now_ms, struct err *e)
{
    struct hour h = {
        .late = l,
        .out = span_metrics_new(&l->conf),
        .from_ms = hour_ms,
        .now_ms = now_ms,
        .tick_ms = hour_ms + MINUTE_MS / 2,
        .scratch = ARENA_INIT(SIZE_MAX / 2), /* a few label values */
        .err = e,
    };
    struct store_view *view = NULL;
    int rc = store_view_open(l->store, hour_ms, hour_ms + HOUR_MS - 1, &view, e);
    if (rc == OK) rc = scan_hour(&h, view);
    h.is_counting = true;
    if (rc == OK && h.any) {
        rc = scan_hour(&h, view);
        if (rc == OK) rc = write_ticks(&h, hour_ms + HOUR_MS);
        if (rc == OK && hour_ms + HOUR_MS <= now_ms) /* stale markers */
            rc = series_out_write(h.out, l->store, hour_ms + HOUR_MS - 1, MINUTE_MS / 2, e);
    }
    store_view_close(view);
    series_out_free(h.out);
    arena_release(&h.scratch);
    return rc;
}

int late_series_write(struct late_series *l, int64_t now_ms, int64_t quiet_ms, int64_t work_ms, struct err *e)
{
    const int64_t until_ns = clock_mono_ns() + work_ms * 1000000;
    struct due d;
    while (clock_mono_ns() < until_ns && take_ripe(l, now_ms, quiet_ms, &d)) {
        int rc = count_hour(l, d.hour_ms, now_ms, e);
        if (rc == OK) continue;
        d.last_ms = now_ms;
        if (++d.tries < TRIES_MAX && note_hour(l, d)) return rc;
        log_warn("derive", "late spans of an hour are not in span metrics", "hour_ms", log_num(d.hour_ms),
                 "error", e->text, NULL);
    }
    return OK;
}
