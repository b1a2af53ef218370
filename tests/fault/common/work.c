/* work.c - see work.h. */
#include "fault/common/work.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file_trace.h"
#include "base/mem.h"
#include "fault/common/random.h"
#include "fault/common/work_tables.h"

#define DAY       86400000ll
#define SERIES    160
#define SLOTS     512 /* instants, spread over the days */
#define SERIES_AT 24  /* most of a batch */
#define ROWS_AT   4   /* most of a series in a batch */
#define STEP_MS   7000
#define VALUES    1024 /* a value is b * VALUES + series + 0.25 */

int work_complain(struct work_verdict *v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (v->wrong[0] == 0) vsnprintf(v->wrong, sizeof v->wrong, fmt, ap);
    va_end(ap);
    return ERR_CANCEL;
}

/* ---- the metrics table ---- */

struct cell {
    uint16_t series, slot;
};

struct rows { /* of one batch, in order of series */
    struct cell at[SERIES_AT * ROWS_AT];
    size_t n;
};

int64_t work_time_ms(const struct work *w, unsigned slot)
{
    return w->day0_ms + (slot % WORK_DAYS) * DAY + (int64_t)slot * STEP_MS;
}

/* New series come all the time; instants move on, some rows go back and overwrite. */
static void rows_of(const struct work *w, uint32_t b, struct rows *out)
{
    struct rnd rnd = random_of(w->seed, b);
    unsigned n = 1 + (unsigned)random_below(&rnd, SERIES_AT), known = MIN(SERIES, 20 + b / 3);
    unsigned first = (unsigned)random_below(&rnd, known);
    out->n = 0;
    for (unsigned i = 0; i < MIN(n, known); i++) {
        unsigned series = (first + i) % known, rows = 1 + (unsigned)random_below(&rnd, ROWS_AT);
        unsigned slot = (b * 3 + (unsigned)random_below(&rnd, 30)) % SLOTS;
        for (unsigned k = 0; k < rows; k++)
            out->at[out->n++] = (struct cell){ (uint16_t)series, (uint16_t)((slot + k * 5) % SLOTS) };
    }
}

static bool is_histogram(unsigned series)
{
    return series % 6 == 5;
}

static double value_of(uint32_t b, unsigned series)
{
    return (double)b * VALUES + series + 0.25;
}

static int64_t start_of(int64_t time_ms, uint32_t b, unsigned series)
{
    return series % 5 == 1 ? time_ms - b % 1000 - 1 : 0;
}

static struct histogram *histogram_of(double sum, struct arena *a)
{
    struct histogram *h = arena_zero(a, sizeof *h);
    h->schema = 2;
    h->sum = sum;
    h->count = 7;
    h->n_pos_spans = 1;
    h->n_pos = 3;
    h->pos_spans = arena_zero(a, sizeof *h->pos_spans);
    h->pos_spans[0] = (struct hist_span){ (int32_t)((int64_t)sum % 5), 3 };
    h->pos = arena_array(a, 3, sizeof(double));
    for (int i = 0; i < 3; i++) h->pos[i] = 1 << i;
    return h;
}

static void put_series(struct batch *b, unsigned series)
{
    struct label *l = arena_array(b->arena, 3, sizeof *l);
    l[0] = (struct label){ STR("__name__"), arena_printf(b->arena, "metric_%u", series / 10) };
    l[1] = (struct label){ STR("host"), arena_printf(b->arena, "host-%u", series % 10) };
    l[2] = (struct label){ STR("job"), STR("fault") };
    batch_series_labels(b, (struct labels){ l, 3 });
}

/* An exemplar and a help text now and then: they are not judged, but their files are written and damaged too.
 */
static void put_hints(struct batch *b, int64_t t, uint32_t number)
{
    struct label l = { STR("trace_id"), arena_printf(b->arena, "%032x", number) };
    struct buf packed = BUF_INIT(1 << 10);
    labels_pack(&packed, (struct labels){ &l, 1 });
    if (number % 3 == 0) batch_exemplar(b, t, number, arena_str(b->arena, buf_view(&packed)));
    if (number % 7 == 0)
        batch_metadata(b, arena_printf(b->arena, "metric_%u", number % 16), STR("gauge"),
                       arena_printf(b->arena, "written by batch %u", number), STR(""));
    buf_release(&packed);
}

static void metrics_put(const struct work *w, uint32_t number, struct batch *b)
{
    struct rows rows;
    rows_of(w, number, &rows);
    for (size_t i = 0; i < rows.n; i++) {
        unsigned series = rows.at[i].series;
        int64_t t = work_time_ms(w, rows.at[i].slot);
        if (i == 0 || rows.at[i - 1].series != series) put_series(b, series);
        if (is_histogram(series))
            batch_histogram(b, t, histogram_of(value_of(number, series), b->arena));
        else
            batch_sample(b, t, value_of(number, series));
        if (start_of(t, number, series) != 0) batch_start(b, start_of(t, number, series));
    }
    put_hints(b, work_time_ms(w, rows.at[0].slot), number);
}

/* ---- judging it ---- */

struct judge {
    const struct work *w;
    const struct series_set *set;
    struct work_verdict *v;
    uint32_t found[SERIES][SLOTS]; /* the batch whose row is there, + 1 */
    bool has_start[SERIES][SLOTS];
    bool seen[SERIES];
};

/* -1: not one of ours. */
static int series_of(struct labels l)
{
    struct str name = labels_get(l, "__name__"), host = labels_get(l, "host");
    uint64_t a, b;
    if (l.n != 3 || !str_starts(name, "metric_") || !str_starts(host, "host-")) return -1;
    if (!str_to_u64(str_make(name.p + 7, name.n - 7), &a) ||
        !str_to_u64(str_make(host.p + 5, host.n - 5), &b))
        return -1;
    return a < SERIES / 10 && b < 10 ? (int)(a * 10 + b) : -1;
}

static int slot_of(const struct work *w, int64_t t)
{
    int64_t ms = t - w->day0_ms;
    for (int day = 0; day < WORK_DAYS; day++) { /* slots of a day do not reach into the next */
        int64_t in = ms - day * DAY;
        if (in >= 0 && in % STEP_MS == 0 && in / STEP_MS < SLOTS && in / STEP_MS % WORK_DAYS == day)
            return (int)(in / STEP_MS);
    }
    return -1;
}

static bool wrote(const struct work *w, uint32_t b, int series, int slot)
{
    struct rows rows;
    rows_of(w, b, &rows);
    for (size_t i = 0; i < rows.n; i++)
        if (rows.at[i].series == series && rows.at[i].slot == slot) return true;
    return false;
}

static bool same_histogram(const struct histogram *h, double sum)
{
    return h->schema == 2 && h->sum == sum && h->count == 7 && h->n_pos == 3 && h->n_pos_spans == 1 &&
           h->pos[0] == 1 && h->pos[1] == 2 && h->pos[2] == 4 &&
           h->pos_spans[0].offset == (int32_t)((int64_t)sum % 5) && h->pos_spans[0].length == 3;
}

static int judge_row(struct judge *j, int series, const struct series_rows *r, size_t i)
{
    double v = r->value[i];
    int slot = slot_of(j->w, r->time_ms[i]);
    uint32_t b = v >= 0 && v < (double)WORK_BATCHES * VALUES ? (uint32_t)(v / VALUES) : WORK_BATCHES;
    if (slot < 0)
        return work_complain(j->v, "series %d has a row at %lld that nobody wrote", series,
                             (long long)r->time_ms[i]);
    if (b >= WORK_BATCHES || v != value_of(b, (unsigned)series) || !wrote(j->w, b, series, slot))
        return work_complain(j->v, "series %d, slot %d: value %.17g was never written", series, slot, v);
    const struct histogram *h = r->hist ? r->hist[i] : NULL;
    if ((h != NULL) != is_histogram((unsigned)series) || (h != NULL && !same_histogram(h, v)))
        return work_complain(j->v, "series %d, slot %d: not the histogram that batch %u wrote", series, slot,
                             b);
    enum work_state state = atomic_load(&j->w->state[b]);
    if (state == WORK_NONE || state == WORK_REFUSED)
        return work_complain(j->v, "series %d, slot %d: batch %u %s", series, slot, b,
                             state == WORK_NONE ? "had not begun" : "was refused, and is there");
    int64_t start = r->start_ms ? r->start_ms[i] : 0, want = start_of(r->time_ms[i], b, (unsigned)series);
    if (start != 0 && start != want && state == WORK_DURABLE)
        return work_complain(j->v, "series %d, slot %d: start time %lld instead of %lld", series, slot,
                             (long long)start, (long long)want);
    j->found[series][slot] = b + 1;
    j->has_start[series][slot] = start == want;
    return OK;
}

static int judge_series(void *ctx, const struct series_rows *r)
{
    struct judge *j = ctx;
    int series = series_of(j->set->at[r->series].labels);
    if (series < 0) return OK; /* of another table, or of the retention's prey */
    if (j->seen[series]) return work_complain(j->v, "series %d is there twice", series);
    j->seen[series] = true;
    for (size_t i = 0; i < r->n; i++) {
        if (i > 0 && r->time_ms[i] <= r->time_ms[i - 1])
            return work_complain(j->v, "series %d: time %lld follows %lld", series, (long long)r->time_ms[i],
                                 (long long)r->time_ms[i - 1]);
        int rc = judge_row(j, series, r, i);
        if (rc < 0) return rc;
    }
    j->v->rows += r->n;
    return OK;
}

bool work_is_promised(const struct work *w, uint32_t b, int64_t taken_before_ns)
{
    enum work_state state = atomic_load(&w->state[b]);
    return state == WORK_DURABLE || (state == WORK_TAKEN && atomic_load(&w->taken_ns[b]) < taken_before_ns);
}

static void judge_batch(struct judge *j, uint32_t b, int64_t taken_before_ns)
{
    struct rows rows;
    size_t there = 0, gone = 0; /* the others were overwritten */
    enum work_state state = atomic_load(&j->w->state[b]);
    if (state == WORK_NONE || state == WORK_REFUSED) return;
    rows_of(j->w, b, &rows);
    bool promised = work_is_promised(j->w, b, taken_before_ns);
    for (size_t i = 0; i < rows.n; i++) {
        unsigned series = rows.at[i].series, slot = rows.at[i].slot;
        uint32_t found = j->found[series][slot];
        there += found == b + 1;
        gone += found <= b;
        if (promised && found <= b)
            work_complain(j->v, "batch %u was acknowledged%s; its row of series %u, slot %u is %s", b,
                          state == WORK_DURABLE ? " as durable" : " long enough ago", series, slot,
                          found ? "older" : "missing");
        if (promised && found == b + 1 && !j->has_start[series][slot])
            work_complain(j->v, "batch %u was acknowledged; a start time of it is missing", b);
    }
    j->v->cells += promised ? rows.n : 0;
    j->v->partial += !promised && there > 0 && gone > 0;
    if (state == WORK_TAKEN && gone > 0) {
        int64_t at = atomic_load(&j->w->taken_ns[b]);
        if (j->v->oldest_lost_ns == 0 || at < j->v->oldest_lost_ns) j->v->oldest_lost_ns = at;
    }
}

static int metrics_judge(const struct work *w, struct store_view *view, int64_t taken_before_ns,
                         struct work_verdict *v, struct err *e)
{
    struct arena a = ARENA_INIT(256u << 20);
    struct call call = { .arena = &a };
    struct series_set set;
    struct judge *j = mem_alloc_zero(sizeof *j);
    *j = (struct judge){ .w = w, .set = &set, .v = v };
    int rc = view_series(view, &call, NULL, 0, 0, &set, e);
    if (rc == OK) rc = view_scan(view, &call, set.at, set.n, 0, INT64_MAX, judge_series, j, e);
    if (rc == ERR_CANCEL && v->wrong[0] != 0) rc = OK;
    for (uint32_t b = 0; rc == OK && v->wrong[0] == 0 && b < WORK_BATCHES; b++)
        judge_batch(j, b, taken_before_ns);
    mem_free(j);
    arena_release(&a);
    return rc;
}

/* ---- the tables ---- */

static const struct work_table {
    const char *name;
    void (*put)(const struct work *, uint32_t batch, struct batch *);
    int (*judge)(const struct work *, struct store_view *, int64_t taken_before_ns, struct work_verdict *,
                 struct err *);
} work_tables[] = {
    { "metrics", metrics_put, metrics_judge },
    { "logs", logs_put, logs_judge },
    { "spans", spans_put, spans_judge },
};

int work_judge(const struct work *w, struct store *s, int64_t taken_before_ns, bool may_fail,
               struct work_verdict *v)
{
    struct err e = ERR_INIT;
    struct store_view *view;
    *v = (struct work_verdict){ 0 };
    int rc = store_view_open(s, 0, INT64_MAX, &view, &e);
    if (rc == OK) {
        for (size_t i = 0; rc == OK && v->wrong[0] == 0 && i < COUNT(work_tables); i++)
            rc = work_tables[i].judge(w, view, taken_before_ns, v, &e);
        store_view_close(view);
    }
    if (rc < 0 && !may_fail) snprintf(v->wrong, sizeof v->wrong, "reading fails: %.480s", e.text);
    return rc;
}

/* ---- writing ---- */

void work_init(struct work *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->day0_ms = 1790000000000ll / DAY * DAY; /* a day of 2026, the same in every run */
}

void work_reach(struct work *w, uint32_t b, enum work_state state)
{
    struct work_mark mark = { b, state };
    if (state == WORK_TAKEN) atomic_store(&w->taken_ns[b], clock_mono_ns());
    atomic_store(&w->state[b], state);
    file_trace_mark(&mark, sizeof mark);
}

struct ticket {
    struct work *w;
    uint32_t b;
};

static void on_answer(void *ctx, int rc)
{
    struct ticket *t = ctx;
    struct store_status status;
    if (rc < 0 && t->w->watched != NULL) {
        store_status(t->w->watched, &status);
        atomic_fetch_add(&t->w->count, 1);
        atomic_fetch_add(&t->w->silent, !status.read_only);
    }
    work_reach(t->w, t->b, rc == OK ? WORK_DURABLE : WORK_FAILED);
    mem_free(t);
}

int work_write(struct work *w, struct store *s, uint32_t b, enum store_ack ack, struct err *e)
{
    struct arena a = ARENA_INIT(16u << 20);
    struct batch batch;
    struct write_result r;
    struct ticket *t = ack == ACK_DURABLE ? mem_copy(&(struct ticket){ w, b }, sizeof *t) : NULL;
    check(b < WORK_BATCHES);
    batch_init(&batch, &a, LABELS_PACKED);
    for (size_t i = 0; i < COUNT(work_tables); i++) work_tables[i].put(w, b, &batch);
    if (b % 4 != 0) batch.id = (struct hash128){ w->seed, b }; /* remembered, as a sender's body would be */

    work_reach(w, b, WORK_BEGUN);
    int rc = store_write(s, &batch, ack, &r, t ? on_answer : NULL, t, e);
    if (rc == OK) check(r.rejected_total == 0);
    if (rc == OK && ack == ACK_MEMORY) work_reach(w, b, WORK_TAKEN);
    if (rc < 0) work_reach(w, b, WORK_REFUSED);
    if (rc < 0) mem_free(t);
    arena_release(&a);
    return rc;
}

bool work_is_pending(const struct work *w, uint32_t b)
{
    return atomic_load(&w->state[b]) == WORK_BEGUN;
}

void work_wait(const struct work *w, uint32_t from, uint32_t to, uint32_t most)
{
    for (;;) {
        uint32_t n = 0;
        for (uint32_t b = from; b < to; b++) n += work_is_pending(w, b);
        if (n <= most) return;
        nanosleep(&(struct timespec){ 0, 50000 }, NULL);
    }
}

struct embedded_conf work_conf(const char *dir)
{
    return (struct embedded_conf){ .dir = dir,
                                   .head_bytes = 192u << 10,
                                   .retention_ms = 5 * DAY,
                                   .sync_interval_ms = WORK_INTERVAL_MS,
                                   .min_free_bytes = 1,
                                   .wal_segment_bytes = 64u << 10,
                                   .wal_retry_ms = 20 };
}

void work_clock(const struct work *w, bool is_late)
{
    clock_fix_ms(w->day0_ms + (WORK_DAYS - 1) * DAY + DAY / 2 + (is_late ? DAY : 0));
}
