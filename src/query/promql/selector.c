/* selector.c - from the store to a matrix: instant selectors, and range selectors under a window function.
 *
 * One view serves the whole query. The series of a selector are found once, split into chunks and scanned on
 * the worker pool; the lookup or the window function is applied to each series' rows inside the scan, so raw
 * samples are never kept: memory is what the results need. Each chunk has its own arenas and writes only its
 * own slots. */
#include <stdlib.h>

#include "base/check.h"
#include "base/turns.h"
#include "query/promql/blocks.h"
#include "query/promql/explain.h"
#include "query/promql/reusable.h"
#include "query/promql/summaries.h"
#include "query/promql/window.h"

#define CHUNKS_PER_THREAD 4
#define CHUNK_SERIES_MIN  8

struct scan;

struct chunk {
    struct scan *scan;
    size_t first, n;    /* series [first, first + n) of the scan */
    struct arena *keep; /* results; the query's */
    struct arena scratch, series, clean;
    struct arena *reading; /* of the store's scan */
    double *spare;         /* a row of a series that had nothing: still all ABSENT */
    size_t charged;
    uint64_t samples;
    bool *odd; /* series of the chunk whose rows must be looked at; NULL: none */
    int rc;
    struct err err;
};

struct scan {
    struct eval *ev;
    struct window_job *job; /* NULL: instant lookup */
    enum select_mode mode;
    bool smoothed;
    uint32_t pos;
    int64_t data_start, data_step, lookback_ms;
    int64_t from_ms, to_ms;
    struct expired expired;
    struct summary_plan plan;
    bool in_plan; /* the steps of the plan are being answered; those of rows were before */
    struct series_set set;
    struct mseries *found; /* one a series; v NULL when nothing was found */
    struct chunk *chunks;
    series_sink *sink;
};

/* ---- rows without stale markers ---- */

/* A stale marker is not a number, and few blocks have any such. */
static bool any_stale(const struct series_rows *r)
{
    for (size_t i = 0, end; i < r->n; i = end) {
        end = MIN(i + BLOCK, r->n);
        if (end - i == BLOCK && !block_has_nan(r->value + i)) continue;
        for (size_t k = i; k < end; k++)
            if (is_stale(r->value[k])) return true;
    }
    return false;
}

static struct rows without_stale(const struct series_rows *r, struct arena *a)
{
    if (!any_stale(r)) return (struct rows){ r->n, r->time_ms, r->value, r->hist, r->start_ms };
    int64_t *t = arena_array(a, r->n, sizeof *t);
    double *v = arena_array(a, r->n, sizeof *v);
    struct histogram **h = r->hist ? arena_array(a, r->n, sizeof *h) : NULL;
    int64_t *s = r->start_ms ? arena_array(a, r->n, sizeof *s) : NULL;
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (is_stale(r->value[i])) continue;
        t[n] = r->time_ms[i];
        v[n] = r->value[i];
        if (h) h[n] = r->hist[i];
        if (s) s[n] = r->start_ms[i];
        n++;
    }
    return (struct rows){ n, t, v, h, s };
}

static bool any_told(const struct rows *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->hist[i] != NULL && r->hist[i]->reset == HIST_RESET_NO) return true;
    return false;
}

/* Hints of the store say little: rows may have come between. Either they are found out here by comparing each
 * histogram with the one before (only wanted where a conflict is to be told), or they become unknown. */
static void set_hints(const struct scan *s, struct rows *r, struct arena *series, struct arena *scratch)
{
    const struct histogram *prev = NULL;
    if (r->hist == NULL || !(s->ev->track_resets || any_told(r))) return;
    struct histogram **out = arena_array(series, r->n, sizeof *out);
    struct histogram *copies = arena_array(series, r->n, sizeof *copies);
    for (size_t i = 0; i < r->n; i++) {
        out[i] = NULL;
        if (r->hist[i] == NULL) continue;
        copies[i] = *r->hist[i];
        out[i] = &copies[i];
        if (copies[i].reset != HIST_GAUGE && s->ev->track_resets) {
            copies[i].reset = prev == NULL                                    ? HIST_RESET_UNKNOWN
                              : hist_reset_or_told(r->hist[i], prev, scratch) ? HIST_RESET_YES
                                                                              : HIST_RESET_NO;
            arena_reset(scratch);
        } else if (copies[i].reset == HIST_RESET_NO) {
            copies[i].reset = HIST_RESET_UNKNOWN;
        }
        prev = r->hist[i];
    }
    r->hist = out;
}

/* ---- instant selectors ---- */

struct lookup { /* one series on its way through the steps */
    struct chunk *c;
    const struct rows *r;
    struct labels labels;
    struct mseries *out;
    size_t last_row;
    const struct histogram *last_hist; /* the copy of row last_row */
};

static void put_sample(struct lookup *l, size_t step, double v, const struct histogram *h)
{
    size_t steps = l->c->scan->ev->n;
    if (l->out->v == NULL) l->out->v = row_new(l->c->keep, steps);
    l->c->samples++;
    if (l->c->scan->ev->samples_at) l->c->scan->ev->samples_at[step]++;
    if (h == NULL) {
        l->out->v[step] = v;
        return;
    }
    if (l->out->h == NULL) l->out->h = arena_zero(l->c->keep, steps * sizeof *l->out->h);
    l->out->h[step] = h;
}

static const struct histogram *kept_hist(struct lookup *l, size_t row)
{
    if (l->last_hist == NULL || l->last_row != row) {
        struct histogram *copy = histogram_copy(l->r->hist[row], l->c->keep);
        if (copy->reset == HIST_RESET_YES && !l->c->scan->ev->track_resets) copy->reset = HIST_RESET_UNKNOWN;
        l->last_hist = copy;
        l->last_row = row;
    }
    return l->last_hist;
}

static void put_row(struct lookup *l, size_t step, size_t row)
{
    enum select_mode mode = l->c->scan->mode;
    const struct rows *r = l->r;
    if (mode == SELECT_TIMES)
        put_sample(l, step, (double)r->time_ms[row] / 1000, NULL);
    else if (mode == SELECT_STARTS)
        put_sample(l, step, r->start_ms ? (double)r->start_ms[row] / 1000 : 0, NULL);
    else if (r->hist && r->hist[row])
        put_sample(l, step, 0, kept_hist(l, row));
    else
        put_sample(l, step, r->value[row], NULL);
}

/* Where the last row of each bucket is all that is left, the one before may be a bucket older. */
static int64_t lookback_at(const struct scan *s, int64_t t)
{
    return s->lookback_ms + (t < s->expired.before_ms ? s->expired.width_ms : 0);
}

static void lookup_plain(struct lookup *l)
{
    const struct scan *s = l->c->scan;
    const struct rows *r = l->r;
    size_t next = 0, moved = 0;
    for (size_t i = 0; i < s->ev->n; i++) {
        int64_t t = s->data_start + (int64_t)i * s->data_step;
        size_t was = next;
        next = rows_after_guess(r->time_ms, was, r->n, t, was + moved);
        moved = next - was;
        if (next == 0 || r->time_ms[next - 1] <= t - lookback_at(s, t) || is_stale(r->value[next - 1]))
            continue;
        put_row(l, i, next - 1);
    }
}

static void note_at(struct lookup *l, enum note_id id)
{
    const struct scan *s = l->c->scan;
    notes_add(&s->ev->q->notes, (struct note){ id, s->pos, labels_get(l->labels, LABEL_NAME), { 0 }, 0 });
}

/* Between two rows, on the line that joins them. */
static void put_between(struct lookup *l, size_t step, size_t row, int64_t t)
{
    const struct rows *r = l->r;
    const struct histogram *a = r->hist ? r->hist[row] : NULL, *b = r->hist ? r->hist[row + 1] : NULL;
    int64_t t0 = r->time_ms[row], t1 = r->time_ms[row + 1];
    if ((a == NULL) != (b == NULL)) {
        note_at(l, NOTE_MIXED_FLOATS_HISTOGRAMS);
    } else if (a == NULL) {
        put_sample(l, step, interpolate_float(r->value[row], r->value[row + 1], t0, t1, t, false, false),
                   NULL);
    } else {
        int told = 0;
        const struct histogram *h =
            interpolate_hist(a, b, t0, t1, t, false, false, &l->c->scratch, l->c->keep, &told);
        if (told & HWORK_INCOMPATIBLE)
            note_at(l, NOTE_MIXED_EXPONENTIAL_CUSTOM);
        else
            put_sample(l, step, 0, h);
        arena_reset(&l->c->scratch);
    }
}

static void lookup_smoothed(struct lookup *l)
{
    const struct scan *s = l->c->scan;
    const struct rows *r = l->r;
    size_t next = 0;
    for (size_t i = 0; i < s->ev->n; i++) {
        int64_t t = s->data_start + (int64_t)i * s->data_step;
        while (next < r->n && r->time_ms[next] <= t) next++;
        if (next == 0 || r->time_ms[next - 1] <= t - s->lookback_ms) continue;
        bool exact = r->time_ms[next - 1] == t, alone = next == r->n || r->time_ms[next] > t + s->lookback_ms;
        if (exact || alone)
            put_row(l, i, next - 1);
        else
            put_between(l, i, next - 1, t);
    }
}

static int sink_instant(void *ctx, const struct series_rows *rows)
{
    struct chunk *c = ctx;
    size_t index = c->first + rows->series;
    struct scan *s = c->scan;
    struct rows r = { rows->n, rows->time_ms, rows->value, rows->hist, rows->start_ms };

    if (s->smoothed) r = without_stale(rows, &c->clean);
    if (s->mode == SELECT_VALUES && s->ev->track_resets) {
        if (r.hist) atomic_store(&s->ev->q->spoiled, true); /* the first row's reset is not known */
        set_hints(s, &r, &c->series, &c->scratch);
    }
    struct lookup l = { c, &r, s->set.at[index].labels, &s->found[index], 0, NULL };
    if (s->smoothed)
        lookup_smoothed(&l);
    else
        lookup_plain(&l);
    arena_reset(&c->clean);
    arena_reset(&c->series);
    return OK;
}

/* ---- range selectors ---- */

/* Does any window have so many rows that its sum is put together of runs? */
static bool is_crowded(const struct rows *r, int64_t range_ms)
{
    for (size_t i = 0; i + WINDOW_RUN_WORTH <= r->n; i++)
        if (r->time_ms[i + WINDOW_RUN_WORTH - 1] - r->time_ms[i] < range_ms) return true;
    return false;
}

/* What a kept step must not depend on: reusable.h. */
static void look_for_spoilers(const struct scan *s, const struct rows *r)
{
    struct query *q = s->ev->q;
    if (!q->keeps || atomic_load_explicit(&q->spoiled, memory_order_relaxed)) return;
    bool hints = r->hist && s->ev->track_resets;
    if (hints || (reuse_runs(s->job->def) && is_crowded(r, s->job->range_ms)))
        atomic_store(&q->spoiled, true);
}

static int sink_window(void *ctx, const struct series_rows *rows)
{
    struct chunk *c = ctx;
    struct scan *s = c->scan;
    size_t index = c->first + rows->series, steps = s->ev->n;

    if (rows->n == 0) return OK;
    struct window_run r = { .job = s->job,
                            .labels = s->set.at[index].labels,
                            .rows = without_stale(rows, &c->clean),
                            .keep = c->keep,
                            .scratch = &c->scratch,
                            .series = &c->series,
                            .err = &c->err };
    look_for_spoilers(s, &r.rows);
    set_hints(s, &r.rows, &c->series, &c->scratch);
    r.v = c->spare ? c->spare : row_new(c->keep, steps);
    window_series(&r);
    struct mseries result = { r.labels, !s->job->def->keeps_name, r.v, r.h };
    bool empty = row_empty(&result, steps);
    c->spare = empty ? r.v : NULL;
    if (!empty) s->found[index] = result;
    c->samples += r.samples;
    arena_reset(&c->clean);
    arena_reset(&c->series);
    return r.rc;
}

/* ---- range selectors, from summaries ---- */

static int put_aside(struct chunk *c, size_t series)
{
    if (c->odd == NULL) c->odd = arena_zero(c->keep, c->n * sizeof *c->odd);
    c->odd[series] = true;
    return OK;
}

/* The row of a series, without values at the plan's steps. */
static struct mseries row_for_plan(struct chunk *c, const struct mseries *found)
{
    const struct scan *s = c->scan;
    struct mseries row = *found;
    if (row.v == NULL) row.v = c->spare ? c->spare : row_new(c->keep, s->ev->n);
    for (size_t i = 0; found->v != NULL && i < s->plan.steps; i++) {
        row.v[i] = ABSENT;
        if (row.h != NULL) row.h[i] = NULL;
    }
    return row;
}

static int sink_summaries(void *ctx, size_t series, const struct summary *at)
{
    struct chunk *c = ctx;
    struct scan *s = c->scan;
    size_t index = c->first + series;
    if (summaries_are_odd(&s->plan, at)) return put_aside(c, series);

    struct mseries row = row_for_plan(c, &s->found[index]);
    struct window_run r = { .job = s->job,
                            .labels = s->set.at[index].labels,
                            .metric = labels_get(s->set.at[index].labels, LABEL_NAME),
                            .series = &c->series,
                            .v = row.v };
    bool spoiled;
    summaries_series(&r, &s->plan, at, &spoiled);
    if (s->job->def->checks_name) window_check_name(&r);
    struct mseries result = { r.labels, !s->job->def->keeps_name, row.v, row.h };
    bool empty = row_empty(&result, s->ev->n);
    if (s->found[index].v == NULL) c->spare = empty ? row.v : NULL;
    s->found[index] = empty ? (struct mseries){ 0 } : result;
    if (spoiled && s->ev->q->keeps) atomic_store(&s->ev->q->spoiled, true);
    c->samples += r.samples;
    arena_reset(&c->series);
    return OK;
}

/* ---- scanning in chunks ---- */

static int check_chunk(struct chunk *c)
{
    struct query *q = c->scan->ev->q;
    int rc;
    turns_yield();
    size_t used = c->keep->used + c->scratch.used + c->series.used + c->clean.used + c->reading->used;
    if ((rc = query_charge(q, used, &c->charged, &c->err)) < 0) return rc;
    struct call check = q->call;
    check.arena = NULL;
    return call_check(&check, &c->err);
}

static int counted_sink(void *ctx, const struct series_rows *rows)
{
    struct chunk *c = ctx;
    int rc = c->scan->sink(ctx, rows);
    return rc < 0 ? rc : check_chunk(c);
}

static int counted_summaries(void *ctx, size_t series, const struct summary *at)
{
    int rc = sink_summaries(ctx, series, at);
    return rc < 0 ? rc : check_chunk(ctx);
}

static int read_summaries(struct scan *s, struct chunk *c, struct call *call)
{
    struct store_view *v = s->ev->q->view;
    size_t first = c->first;
    const struct series_ref *refs = s->set.at + first;
    int rc =
        view_summarize(v, call, refs, c->n, &s->plan.grid, s->plan.fields, counted_summaries, c, &c->err);
    if (s->plan.steps < s->ev->n) return rc; /* the odd ones have their rows already */
    for (size_t i = 0; rc == OK && c->odd != NULL && i < c->n; i++) {
        if (!c->odd[i]) continue;
        c->first = first + i;
        rc = view_scan(v, call, refs + i, 1, s->from_ms, s->to_ms, counted_sink, c, &c->err);
    }
    c->first = first;
    return rc;
}

static void run_chunk(void *ctx, size_t i)
{
    struct scan *s = ctx;
    struct chunk *c = &s->chunks[i];
    struct query *q = s->ev->q;
    struct arena mine = ARENA_INIT(q->max_memory);
    struct call call = q->call;

    call.arena = c->reading = &mine;
    c->rc = s->in_plan ? read_summaries(s, c, &call)
                       : view_scan(q->view, &call, s->set.at + c->first, c->n, s->from_ms, s->to_ms,
                                   counted_sink, c, &c->err);
    arena_release(&mine);
    arena_release(&c->scratch);
    arena_release(&c->series);
    arena_release(&c->clean);
    query_charge(q, c->keep->used, &c->charged, NULL); /* less than before */
}

static void make_chunks(struct scan *s, size_t n_chunks)
{
    struct query *q = s->ev->q;
    s->chunks = arena_zero(&q->arena, n_chunks * sizeof *s->chunks);
    for (size_t i = 0; i < n_chunks; i++) {
        struct chunk *c = &s->chunks[i];
        c->scan = s;
        c->first = s->set.n * i / n_chunks;
        c->n = s->set.n * (i + 1) / n_chunks - c->first;
        c->keep = query_arena_new(q);
        c->scratch.budget = c->series.budget = c->clean.budget = q->max_memory;
    }
}

static int run_scan(struct scan *s, struct err *e)
{
    struct query *q = s->ev->q;
    size_t threads = q->pool ? work_threads(q->pool) : 1;
    size_t n_chunks = MAX((size_t)1, MIN(threads * CHUNKS_PER_THREAD, s->set.n / CHUNK_SERIES_MIN));

    if (threads == 1) n_chunks = 1;
    make_chunks(s, n_chunks);
    work_parallel(n_chunks > 1 ? q->pool : NULL, n_chunks, run_chunk, s);
    for (size_t i = 0; i < n_chunks; i++) {
        q->samples += s->chunks[i].samples;
        if (s->chunks[i].rc < 0) {
            if (e) *e = s->chunks[i].err;
            return s->chunks[i].rc;
        }
    }
    return OK;
}

static int select_series(struct scan *s, const struct node *sel, struct err *e)
{
    struct query *q = s->ev->q;
    int rc = view_series(q->view, &q->call, sel->matchers, sel->n_matchers, 0, &s->set, e);
    if (rc < 0) return rc;
    if ((rc = eval_room(s->ev, s->set.n, e)) < 0) return rc;
    q->series += s->set.n;
    s->found = arena_zero(&q->arena, s->set.n * sizeof *s->found);
    return OK;
}

static int scan_into(struct scan *s, const struct node *sel, struct series_matrix *out, struct err *e)
{
    struct query *q = s->ev->q;
    int rc;

    uint64_t before = q->samples;

    matrix_init(out, s->ev->n);
    if (q->view == NULL) return OK;
    if ((rc = select_series(s, sel, e)) < 0) return rc;
    s->in_plan = s->plan.fn != NULL && s->plan.steps == s->ev->n;
    if (s->set.n > 0 && (rc = run_scan(s, e)) < 0) return rc;
    if (s->plan.fn != NULL && !s->in_plan) {
        s->in_plan = true;
        if (s->set.n > 0 && (rc = run_scan(s, e)) < 0) return rc;
    }
    costs_read(q->costs, sel, s->from_ms, s->to_ms, s->set.n, q->samples - before);
    for (size_t i = 0; i < s->set.n; i++) {
        if (s->found[i].v == NULL) continue;
        s->found[i].labels = s->set.at[i].labels;
        matrix_push(q, out, s->found[i]);
    }
    return eval_check(s->ev, e);
}

int eval_selector(struct eval *ev, const struct node *sel, enum select_mode mode, struct series_matrix *out,
                  struct err *e)
{
    struct scan s = { .ev = ev, .mode = mode, .sink = sink_instant, .pos = sel->at.pos };
    struct timing t;
    int rc = timing_of(ev->q, sel, &t, e);
    if (rc < 0) return rc;
    s.smoothed = sel->extent == EXTENT_SMOOTHED;
    s.lookback_ms = ev->q->lookback_ms;
    s.data_start = (t.fixed ? t.at_ms : ev->start_ms) - t.offset_ms;
    s.data_step = t.fixed ? 0 : ev->step_ms;
    s.from_ms = s.data_start - s.lookback_ms + 1;
    s.to_ms = s.data_start + (int64_t)(ev->n - 1) * s.data_step + (s.smoothed ? s.lookback_ms : 0);
    s.expired = summaries_note(ev->q, sel->at.pos, s.from_ms, s.to_ms);
    s.from_ms = summaries_read_from(ev->q, s.expired, s.from_ms);
    if ((rc = summaries_check(ev->q, NULL, 0, e)) < 0) return rc;
    return scan_into(&s, sel, out, e);
}

int eval_range_selector(struct eval *ev, const struct node *matrix, struct window_job *job,
                        struct series_matrix *out, struct err *e)
{
    struct scan s = { .ev = ev, .job = job, .sink = sink_window };
    const struct node *sel = matrix->child;
    struct timing t;
    int rc = timing_of(ev->q, matrix, &t, e);
    if (rc < 0) return rc;
    job->extent = sel->extent;
    job->range_ms = t.range_ms;
    job->data_start = (t.fixed ? t.at_ms : ev->start_ms) - t.offset_ms;
    job->data_step = t.fixed ? 0 : ev->step_ms;
    int64_t before = job->extent != EXTENT_PLAIN ? ev->q->lookback_ms : 0;
    int64_t after = job->extent == EXTENT_SMOOTHED ? ev->q->lookback_ms : 0;
    s.from_ms = job->data_start - t.range_ms - before + 1;
    s.to_ms = job->data_start + (int64_t)(ev->n - 1) * job->data_step + after;
    struct expired expired = summaries_note(ev->q, sel->at.pos, s.from_ms, s.to_ms);
    summaries_plan(ev->q->view, job, s.from_ms, s.to_ms, &s.plan);
    if ((rc = summaries_check(ev->q, &s.plan, ev->n, e)) < 0) return rc;
    expired.width_ms = 0; /* windows have no lookback */
    s.from_ms = summaries_read_from(ev->q, expired, s.from_ms);
    return scan_into(&s, sel, out, e);
}

/* ---- a range vector as the answer itself ---- */

struct raw {
    struct query *q;
    struct series_set *set;
    struct query_result *out;
};

static int sink_raw(void *ctx, const struct series_rows *rows)
{
    struct raw *raw = ctx;
    struct query_result *out = raw->out;
    struct result_series *s = &out->series[out->n];
    s->labels = raw->set->at[rows->series].labels;
    s->points = arena_array(&out->arena, rows->n, sizeof *s->points);
    s->n = 0;
    for (size_t i = 0; i < rows->n; i++) {
        if (is_stale(rows->value[i])) continue;
        const struct histogram *h =
            rows->hist && rows->hist[i] ? histogram_copy(rows->hist[i], &out->arena) : NULL;
        s->points[s->n++] = (struct result_point){ rows->time_ms[i], rows->value[i], h };
    }
    raw->q->samples += s->n;
    if (s->n) out->n++;
    if (query_count_result(raw->q, out, NULL) < 0) return ERR_LIMIT;
    return arena_over(&out->arena) || raw->q->samples > raw->q->max_samples ? ERR_LIMIT : OK;
}

int eval_raw_matrix(struct eval *ev, const struct node *matrix, struct query_result *out, struct err *e)
{
    struct query *q = ev->q;
    struct series_set set;
    struct timing t;
    int rc = timing_of(q, matrix, &t, e);

    if (rc < 0 || q->view == NULL) return rc;
    int64_t end = (t.fixed ? t.at_ms : ev->start_ms) - t.offset_ms;
    struct expired expired = summaries_note(q, matrix->child->at.pos, end - t.range_ms + 1, end);
    expired.width_ms = 0;
    int64_t from_ms = summaries_read_from(q, expired, end - t.range_ms + 1);
    if ((rc = summaries_check(q, NULL, 0, e)) < 0) return rc;
    if ((rc = view_series(q->view, &q->call, matrix->child->matchers, matrix->child->n_matchers, 0, &set,
                          e)) < 0)
        return rc;
    out->series = arena_zero(&out->arena, (set.n + 1) * sizeof *out->series);
    rc =
        view_scan(q->view, &q->call, set.at, set.n, from_ms, end, sink_raw, &(struct raw){ q, &set, out }, e);
    if (rc == ERR_LIMIT) err_set(e, rc, "query processing would load too many samples into memory");
    return rc;
}
