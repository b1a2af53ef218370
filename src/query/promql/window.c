/* window.c - the frame around window functions: the call, the loop over steps, what a window shows. */
#include "query/promql/window.h"

#include "base/check.h"
#include "base/turns.h"

#define ASK_EVERY (1u << 18) /* samples; some hundred microseconds of work */

size_t rows_after_far(const int64_t *t, size_t from, size_t n, int64_t bound)
{
    size_t leap = 1;
    while (from + leap < n && t[from + leap] <= bound) {
        from += leap;
        leap *= 2;
    }
    size_t lo = from,
           hi = MIN(from + leap, n); /* t[hi] is later, if there is a t[hi]; before lo nothing is */
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (t[mid] <= bound)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct floats window_floats(struct window_run *r, const struct window *w)
{
    const struct rows *rows = &r->rows;
    size_t n = w->hi - w->lo;
    if (w->n_hists == 0) return (struct floats){ rows->time_ms + w->lo, rows->value + w->lo, n };

    int64_t *t = arena_array(r->scratch, n, sizeof *t);
    double *v = arena_array(r->scratch, n, sizeof *v);
    size_t m = 0;
    for (size_t i = w->lo; i < w->hi; i++) {
        if (rows->hist[i] != NULL) continue;
        t[m] = rows->time_ms[i];
        v[m++] = rows->value[i];
    }
    return (struct floats){ t, v, m };
}

const struct histogram **window_hists(struct window_run *r, const struct window *w, size_t *n)
{
    const struct histogram **h = arena_array(r->scratch, w->n_hists, sizeof *h);
    *n = 0;
    for (size_t i = w->lo; w->n_hists && i < w->hi; i++)
        if (r->rows.hist[i] != NULL) h[(*n)++] = r->rows.hist[i];
    return h;
}

void window_note_text(struct window_run *r, enum note_id id, struct str text)
{
    notes_add(&r->job->ev->q->notes, (struct note){ id, r->job->pos, r->metric, text, 0 });
}

void window_note(struct window_run *r, enum note_id id)
{
    window_note_text(r, id, (struct str){ NULL, 0 });
}

/* rate of what is no counter: worth a word when floats came of it. */
void window_check_name(struct window_run *r)
{
    static const char *const suffixes[] = { "_total", "_sum", "_count", "_bucket" };
    struct str type = labels_get(r->labels, "__type__");
    size_t i = 0;
    while (i < r->job->ev->n && is_stale(r->v[i])) i++;
    if (r->metric.n == 0 || i == r->job->ev->n) return;
    if (type.n) {
        if (!str_is(type, "counter") && !str_is(type, "histogram"))
            window_note_text(r, NOTE_POSSIBLE_NON_COUNTER_TYPE, type);
        return;
    }
    for (i = 0; i < COUNT(suffixes); i++)
        if (str_ends(r->metric, suffixes[i])) return;
    window_note(r, NOTE_POSSIBLE_NON_COUNTER);
}

static void put_hist(struct window_run *r, size_t step, const struct histogram *h)
{
    size_t n = r->job->ev->n;
    if (r->h == NULL) r->h = arena_zero(r->keep, n * sizeof *r->h);
    r->h[step] = h;
}

static size_t count_hists(const struct window_run *r, size_t lo, size_t hi)
{
    return r->hists_before && hi > lo ? r->hists_before[hi] - r->hists_before[lo] : 0;
}

int window_time_left(struct window_run *r, uint64_t work)
{
    r->work += work + 1;
    if (r->work < ASK_EVERY) return OK;
    r->work = 0;
    turns_yield();
    struct call c = r->job->ev->q->call;
    c.arena = NULL; /* another thread's */
    return call_check(&c, r->err);
}

void window_each(struct window_run *r)
{
    const struct window_job *job = r->job;
    bool may_be_empty = job->extent == EXTENT_SMOOTHED;
    struct window w = { 0 };

    for (size_t i = 0; i < job->ev->n && r->rc == OK; i++) {
        w.step = i;
        w.end_ms = job->data_start + (int64_t)i * job->data_step;
        w.start_ms = w.end_ms - job->range_ms;
        window_slide(&r->rows, &w);
        if (w.lo == w.hi && !may_be_empty) continue;
        double v = 0;
        const struct histogram *h = NULL;
        w.n_hists = count_hists(r, w.lo, w.hi);
        r->samples += w.hi - w.lo;
        if (job->def->float_only && w.n_hists > 0) {
            if (w.n_hists == w.hi - w.lo) continue;
            window_note(r, NOTE_HISTOGRAM_IGNORED_RANGE);
        }
        bool has = job->extent != EXTENT_PLAIN && job->def->smoothed ? extended_rate(r, &w, &v, &h)
                                                                     : job->def->step(r, &w, &v, &h);
        if (has && h != NULL)
            put_hist(r, i, h);
        else if (has)
            r->v[i] = v;
        if (r->scratch->used > 0) arena_reset(r->scratch);
        if (r->rc == OK) r->rc = window_time_left(r, w.hi - w.lo);
    }
}

static const uint32_t *hists_before(struct window_run *r)
{
    if (r->rows.hist == NULL) return NULL;
    uint32_t *before = arena_array(r->series, r->rows.n + 1, sizeof *before);
    before[0] = 0;
    for (size_t i = 0; i < r->rows.n; i++) before[i + 1] = before[i] + (r->rows.hist[i] != NULL);
    return before[r->rows.n] ? before : NULL;
}

double rows_a_window(const struct window_run *r)
{
    const struct rows *rows = &r->rows;
    if (rows->n < 2) return (double)rows->n;
    return (double)r->job->range_ms * (double)(rows->n - 1) /
           (double)(rows->time_ms[rows->n - 1] - rows->time_ms[0]);
}

static void count_samples(const struct window_run *r)
{
    const struct window_job *job = r->job;
    struct window w = { 0 };
    for (size_t i = 0; i < job->ev->n; i++) {
        w.end_ms = job->data_start + (int64_t)i * job->data_step;
        w.start_ms = w.end_ms - job->range_ms;
        window_slide(&r->rows, &w);
        job->ev->samples_at[i] += w.hi - w.lo;
    }
}

void window_series(struct window_run *r)
{
    r->metric = labels_get(r->labels, LABEL_NAME);
    r->hists_before = hists_before(r);
    if (r->job->def->run && r->hists_before == NULL && r->job->extent == EXTENT_PLAIN)
        r->job->def->run(r);
    else
        window_each(r);
    if (r->job->def->checks_name) window_check_name(r);
    if (r->job->ev->samples_at) count_samples(r);
}

/* ---- subqueries: the inner matrix gives the rows ---- */

static struct rows subquery_rows(const struct eval *inner, const struct mseries *s, struct arena *a)
{
    int64_t *t = arena_array(a, inner->n, sizeof *t);
    double *v = arena_array(a, inner->n, sizeof *v);
    struct histogram **h = s->h ? arena_array(a, inner->n, sizeof *h) : NULL;
    size_t n = 0;
    for (size_t i = 0; i < inner->n; i++) {
        if (!has_sample(s, i)) continue;
        t[n] = eval_time(inner, i);
        v[n] = s->v[i];
        if (h) h[n] = NULL;
        if (has_hist(s, i)) {
            h[n] = arena_alloc(a, sizeof **h);
            *h[n] = *s->h[i];
            if (h[n]->reset != HIST_GAUGE)
                h[n]->reset = HIST_RESET_UNKNOWN; /* samples between were left out */
            v[n] = h[n]->sum;
        }
        n++;
    }
    return (struct rows){ n, t, v, h, NULL };
}

static int over_subquery(struct eval *ev, const struct node *sub, struct window_job *job,
                         struct series_matrix *out, struct err *e)
{
    struct query *q = ev->q;
    struct timing t;
    struct eval inner;
    struct series_matrix values;
    struct arena scratch = ARENA_INIT(q->max_memory), series = ARENA_INIT(q->max_memory);
    int rc;

    if ((rc = timing_of(q, sub, &t, e)) < 0) return rc;
    job->range_ms = t.range_ms;
    job->data_start = (t.fixed ? t.at_ms : ev->start_ms) - t.offset_ms;
    job->data_step = t.fixed ? 0 : ev->step_ms;
    int64_t last = job->data_start + (int64_t)(ev->n - 1) * job->data_step;
    inner = (struct eval){ q, 0, t.step_ms, 0, false };
    eval_subquery_steps(&inner, job->data_start - t.range_ms, last);
    if (inner.n == 0) return OK;
    if ((rc = eval_room(&inner, 1, e)) < 0 || (rc = eval_node(&inner, sub->child, &values, e)) < 0) return rc;
    if ((rc = eval_room(ev, values.n, e)) < 0) return rc;

    for (size_t i = 0; i < values.n && rc == OK; i++) {
        struct mseries *s = &values.at[i];
        struct window_run r = { .job = job,
                                .labels = s->labels,
                                .keep = &q->arena,
                                .scratch = &scratch,
                                .series = &series,
                                .err = e };
        r.rows = subquery_rows(&inner, s, &series);
        r.v = row_new(&q->arena, ev->n);
        window_series(&r);
        rc = r.rc < 0 ? r.rc : eval_check(ev, e);
        q->samples += r.samples;
        struct mseries result = { s->labels, s->drop_name || !job->def->keeps_name, r.v, r.h };
        if (!row_empty(&result, ev->n)) matrix_push(q, out, result);
        arena_reset(&series);
    }
    arena_release(&scratch);
    arena_release(&series);
    return rc;
}

/* ---- the call ---- */

static int scalar_args(struct eval *ev, const struct node *call, struct window_job *job,
                       const struct node **range, struct err *e)
{
    size_t n = 0;
    for (size_t i = 0; i < call->n_args; i++) {
        if (call->args[i]->type == PROMQL_MATRIX) {
            *range = call->args[i];
            continue;
        }
        check(n < COUNT(job->param));
        int rc = eval_scalar(ev, call->args[i], &job->param[n++], e);
        if (rc < 0) return rc;
    }
    return OK;
}

int eval_window_call(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    struct window_job job = { .ev = ev, .def = call->fn->window };
    const struct node *range = NULL;
    int rc = scalar_args(ev, call, &job, &range, e);

    matrix_init(out, ev->n);
    if (rc < 0) return rc;
    check(range != NULL);
    job.pos = range->at.pos;
    range = node_bare(range);
    if (job.def == &window_quantile_over_time) {
        for (size_t i = 0; i < ev->n; i++)
            if (!(job.param[0][i] >= 0 && job.param[0][i] <= 1))
                notes_add(&ev->q->notes,
                          (struct note){
                              NOTE_INVALID_QUANTILE, call->args[0]->at.pos, { 0 }, { 0 }, job.param[0][i] });
    }
    if (range->kind == NODE_SUBQUERY) return over_subquery(ev, range, &job, out, e);
    job.from_store = true;
    return eval_range_selector(ev, range, &job, out, e);
}
