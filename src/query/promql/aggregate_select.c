/* aggregate_select.c - topk, bottomk, limitk, limit_ratio, quantile, count_values: decided step by step. */
#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/float.h"
#include "base/hash.h"
#include "query/promql/aggregate.h"
#include "query/promql/histogram_ops.h"
#include "query/promql/lex.h"
#include "query/promql/parse.h"
#include "query/promql/quantile.h"

/* ---- results that are some of the input's samples ---- */

struct taken { /* output row of each input series; SIZE_MAX: none yet */
    size_t *row;
};

static struct taken taken_new(struct aggregation *a)
{
    struct taken t = { arena_array(&a->ev->q->arena, a->in->n, sizeof(size_t)) };
    for (size_t i = 0; i < a->in->n; i++) t.row[i] = SIZE_MAX;
    return t;
}

static void take_sample(struct aggregation *a, struct taken *t, size_t series, size_t step)
{
    const struct mseries *in = &a->in->at[series];
    if (t->row[series] == SIZE_MAX) {
        t->row[series] = a->out->n;
        matrix_add(a->ev->q, a->out, in->labels, in->drop_name);
    }
    struct mseries *out = &a->out->at[t->row[series]];
    out->v[step] = in->v[step];
    if (has_hist(in, step)) hist_row(a->ev->q, out, a->ev->n)[step] = in->h[step];
}

/* How many are asked for at this step. */
static int count_wanted(struct aggregation *a, size_t step, size_t *k, struct err *e)
{
    double v = a->param[step];
    *k = 0;
    if (isnan(v)) return err_set(e, ERR_EXEC, "Parameter value is NaN");
    if (!(v > -0x1p63 && v < 0x1p63)) return err_set(e, ERR_EXEC, "Scalar value %g overflows int64", v);
    if (v >= 1) *k = v > (double)a->in->n ? a->in->n : (size_t)v;
    return OK;
}

/* ---- topk, bottomk ---- */

struct ranked {
    double v;
    size_t series, order;
};

static int by_rank(const struct ranked *a, const struct ranked *b, bool top)
{
    bool nan_a = isnan(a->v), nan_b = isnan(b->v);
    if (nan_a != nan_b) return nan_a - nan_b; /* NaN is last in both */
    if (!nan_a && a->v != b->v) return (a->v > b->v) == top ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

static void sift_down(struct ranked *heap, size_t n, size_t i, bool top)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && by_rank(&heap[child + 1], &heap[child], top) > 0) child++;
        if (by_rank(&heap[child], &heap[i], top) <= 0) return;
        struct ranked t = heap[i];
        heap[i] = heap[child];
        heap[child] = t;
    }
}

static void make_heap(struct ranked *heap, size_t n, bool top)
{
    for (size_t i = n / 2; i-- > 0;) sift_down(heap, n, i, top);
}

/* The k best of a group at a step, best first: a heap with the worst kept on top, then emptied. */
static size_t best_of(struct aggregation *a, const struct group *g, size_t step, size_t k,
                      struct ranked *heap)
{
    bool top = a->node->agg == AGG_TOPK;
    size_t n = 0;
    for (size_t m = 0; m < g->n; m++) {
        const struct mseries *s = &a->in->at[g->members[m]];
        if (has_hist(s, step))
            aggregation_note(a, NOTE_HISTOGRAM_IGNORED, STR(""), promql_agg_text(a->node->agg));
        if (!has_float(s, step)) continue;
        struct ranked r = { s->v[step], g->members[m], m };
        if (n < k) {
            heap[n++] = r;
            if (n == k) make_heap(heap, n, top);
        } else if (by_rank(&r, &heap[0], top) < 0) {
            heap[0] = r;
            sift_down(heap, n, 0, top);
        }
    }
    make_heap(heap, n, top);
    for (size_t left = n; left > 1; left--) {
        struct ranked worst = heap[0];
        heap[0] = heap[left - 1];
        heap[left - 1] = worst;
        sift_down(heap, left - 1, 0, top);
    }
    return n;
}

int aggregate_topk(struct aggregation *a, struct err *e)
{
    struct taken t = taken_new(a);
    struct ranked *heap = arena_array(&a->ev->q->arena, a->in->n + 1, sizeof *heap);
    int rc = OK;

    for (size_t i = 0; i < a->ev->n && rc == OK; i++) {
        size_t k;
        if ((rc = count_wanted(a, i, &k, e)) < 0) break;
        for (size_t g = 0; k > 0 && g < a->n_groups; g++) {
            size_t n = best_of(a, &a->groups[g], i, k, heap);
            for (size_t r = 0; r < n; r++) take_sample(a, &t, heap[r].series, i);
        }
        rc = eval_check(a->ev, e);
    }
    return rc;
}

/* ---- limitk, limit_ratio ---- */

int aggregate_limitk(struct aggregation *a, struct err *e)
{
    struct taken t = taken_new(a);
    int rc = OK;

    for (size_t i = 0; i < a->ev->n && rc == OK; i++) {
        size_t k;
        if ((rc = count_wanted(a, i, &k, e)) < 0) break;
        for (size_t g = 0; g < a->n_groups; g++) {
            size_t left = k;
            for (size_t m = 0; left > 0 && m < a->groups[g].n; m++) {
                size_t series = a->groups[g].members[m];
                if (!has_sample(&a->in->at[series], i)) continue;
                take_sample(a, &t, series, i);
                left--;
            }
        }
        rc = eval_check(a->ev, e);
    }
    return rc;
}

static int ratio_wanted(struct aggregation *a, size_t step, double *ratio, struct err *e)
{
    double v = a->param[step];
    if (isnan(v)) return err_set(e, ERR_EXEC, "Ratio value is NaN");
    *ratio = fmax(-1, fmin(1, v));
    if (*ratio != v)
        notes_add(&a->ev->q->notes, (struct note){ NOTE_INVALID_RATIO, a->node->param->at.pos, STR(""),
                                                   v > 0 ? STR("1") : STR("-1"), v });
    return OK;
}

static void add_sized(struct buf *b, struct str s)
{
    buf_u8(b, s.n < 255 ? (uint8_t)s.n : 255);
    for (int i = 0; s.n >= 255 && i < 3; i++) buf_u8(b, (uint8_t)(s.n >> (8 * i)));
    buf_str(b, s);
}

/* Where in [0, 1] a series stands: the hash Prometheus takes, so that the same series are chosen. */
static double place_of(struct labels l, struct buf *b)
{
    buf_clear(b);
    for (size_t i = 0; i < l.n; i++) {
        add_sized(b, l.at[i].name);
        add_sized(b, l.at[i].value);
    }
    return (double)XXH64(b->p, b->n, 0) / (double)UINT64_MAX;
}

int aggregate_limit_ratio(struct aggregation *a, struct err *e)
{
    struct taken t = taken_new(a);
    double *place = arena_array(&a->ev->q->arena, a->in->n, sizeof *place), ratio = 0;
    struct buf bytes = BUF_INIT(64u << 20);
    int rc = OK;

    for (size_t s = 0; s < a->in->n; s++) place[s] = place_of(a->in->at[s].labels, &bytes);
    buf_release(&bytes);
    for (size_t i = 0; i < a->ev->n && rc == OK; i++) {
        if ((rc = ratio_wanted(a, i, &ratio, e)) < 0) break;
        for (size_t s = 0; s < a->in->n; s++) {
            bool in = ratio >= 0 ? place[s] < ratio : place[s] >= 1 + ratio;
            if (in && has_sample(&a->in->at[s], i)) take_sample(a, &t, s, i);
        }
        rc = eval_check(a->ev, e);
    }
    return rc;
}

/* ---- quantile ---- */

static void quantile_step(struct aggregation *a, const struct group *g, size_t step, double *values,
                          struct mseries *out)
{
    size_t n = 0;
    for (size_t m = 0; m < g->n; m++) {
        const struct mseries *s = &a->in->at[g->members[m]];
        if (has_hist(s, step)) aggregation_note(a, NOTE_HISTOGRAM_IGNORED, STR(""), STR("quantile"));
        if (has_float(s, step)) values[n++] = s->v[step];
    }
    if (n > 0) out->v[step] = quantile_values(a->param[step], values, n);
}

int aggregate_quantile(struct aggregation *a, struct err *e)
{
    double *values = arena_array(&a->ev->q->arena, a->in->n, sizeof *values);
    int rc = eval_room(a->ev, a->n_groups, e);

    for (size_t i = 0; i < a->ev->n; i++)
        if (!(a->param[i] >= 0 && a->param[i] <= 1))
            notes_add(&a->ev->q->notes, (struct note){ NOTE_INVALID_QUANTILE, a->node->param->at.pos, STR(""),
                                                       STR(""), a->param[i] });
    for (size_t g = 0; g < a->n_groups && rc == OK; g++) {
        struct mseries *out = matrix_add(a->ev->q, a->out, a->groups[g].labels, a->groups[g].drop_name);
        for (size_t i = 0; i < a->ev->n && rc == OK; i++) {
            quantile_step(a, &a->groups[g], i, values, out);
            rc = eval_check(a->ev, e);
        }
    }
    matrix_drop_empty(a->out);
    return rc;
}

/* ---- count_values ---- */

static struct str value_text(struct aggregation *a, const struct mseries *s, size_t step)
{
    char text[512];
    if (has_hist(s, step)) return hist_text(s->h[step], &a->scratch, &a->ev->q->arena);
    size_t n = float_text_plain(s->v[step], text, sizeof text);
    return arena_str(&a->ev->q->arena, str_make(text, n));
}

static int count_series(struct aggregation *a, struct series_index *index, const struct group *g,
                        const struct mseries *s, struct err *e)
{
    struct arena *arena = &a->ev->q->arena;
    for (size_t i = 0; i < a->ev->n; i++) {
        size_t at;
        if (!has_sample(s, i)) continue;
        struct labels l = g->labels;
        if (!a->hides_label) l = labels_set(arena, l, a->label, value_text(a, s, i));
        int rc = series_index_get(index, l, g->drop_name, &at, e);
        if (rc < 0) return rc;
        double *v = &a->out->at[at].v[i];
        *v = is_stale(*v) ? 1 : *v + 1;
    }
    arena_reset(&a->scratch);
    return eval_check(a->ev, e);
}

static int invalid_label(struct str name, struct err *e)
{
    struct buf text = BUF_INIT(512);
    lex_quote(&text, name, SIZE_MAX);
    int rc = err_set(e, ERR_EXEC, "invalid label name %s", buf_cstr(&text));
    buf_release(&text);
    return rc;
}

int aggregate_count_values(struct aggregation *a, struct err *e)
{
    struct series_index index;
    int rc = OK;

    if (a->label.n == 0 || !str_utf8_valid(a->label)) return invalid_label(a->label, e);
    a->hides_label = a->node->without && names_has(a->node->grouping, a->node->n_grouping, a->label);
    series_index_init(&index, a->ev->q, a->out);
    for (size_t g = 0; g < a->n_groups && rc == OK; g++)
        for (size_t m = 0; m < a->groups[g].n && rc == OK; m++)
            rc = count_series(a, &index, &a->groups[g], &a->in->at[a->groups[g].members[m]], e);
    series_index_release(&index);
    return rc;
}
