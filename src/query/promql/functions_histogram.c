/* functions_histogram.c - functions of histograms: of native ones sample by sample, of classic ones bucket
 * series by bucket series. A classic histogram is the series that differ only in `le`; native and classic
 * under the same labels at the same step are told apart by nobody and give nothing. */
#include <math.h>

#include "base/check.h"
#include "base/float.h"
#include "query/promql/functions_impl.h"
#include "query/promql/quantile.h"

/* ---- one number of a native histogram ---- */

typedef double of_native(const struct histogram *, struct arena *scratch);

static int map_native(struct eval *ev, const struct node *call, of_native *f, bool needs_buckets,
                      struct series_matrix *out, struct err *e)
{
    struct eval inner = *ev;
    struct series_matrix in;
    struct arena scratch = ARENA_INIT(ev->q->max_memory);
    int rc;

    inner.track_resets = !needs_buckets;
    matrix_init(out, ev->n);
    if ((rc = eval_node(&inner, call->args[0], &in, e)) < 0 || (rc = eval_room(ev, in.n, e)) < 0) return rc;
    for (size_t s = 0; s < in.n && rc == OK; s++) {
        if (in.at[s].h == NULL) continue;
        double *v = row_new(&ev->q->arena, ev->n);
        bool any = false;
        for (size_t i = 0; i < ev->n; i++) {
            if (!has_hist(&in.at[s], i)) continue;
            v[i] = f(in.at[s].h[i], &scratch);
            any = true;
            arena_reset(&scratch);
        }
        if (any) matrix_push(ev->q, out, (struct mseries){ in.at[s].labels, true, v, NULL });
        rc = eval_check(ev, e);
    }
    arena_release(&scratch);
    return rc;
}

static double of_count(const struct histogram *h, struct arena *scratch)
{
    (void)scratch;
    return h->count;
}

static double of_sum(const struct histogram *h, struct arena *scratch)
{
    (void)scratch;
    return h->sum;
}

static double of_avg(const struct histogram *h, struct arena *scratch)
{
    (void)scratch;
    return h->sum / h->count;
}

static double of_stddev(const struct histogram *h, struct arena *scratch)
{
    return sqrt(variance_native(h, scratch));
}

int call_histogram_count(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return map_native(ev, call, of_count, false, out, e);
}

int call_histogram_sum(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return map_native(ev, call, of_sum, false, out, e);
}

int call_histogram_avg(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return map_native(ev, call, of_avg, false, out, e);
}

int call_histogram_stddev(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return map_native(ev, call, of_stddev, true, out, e);
}

int call_histogram_stdvar(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return map_native(ev, call, variance_native, true, out, e);
}

/* ---- quantiles and fractions: native and classic ---- */

struct classic {          /* one classic histogram: its bucket series */
    struct labels labels; /* without le */
    size_t *series;
    double *upper;
    size_t n, cap, cap_upper;
};

struct estimate { /* one call of histogram_quantile, histogram_quantiles or histogram_fraction */
    struct eval *ev;
    uint32_t pos; /* of the vector argument */
    struct str function;
    const double *a, *b;     /* quantile; lower and upper */
    struct str label, value; /* of histogram_quantiles: set on the result */
    struct series_matrix in;
    struct classic *classics;
    size_t n, cap;
    struct series_index index;
    struct arena scratch;
    struct map by_labels;
};

static void estimate_note(struct estimate *x, enum note_id id, struct labels l, struct str text)
{
    notes_add(&x->ev->q->notes, (struct note){ id, x->pos, labels_get(l, LABEL_NAME), text, 0 });
}

struct classic_ctx {
    const struct estimate *x;
    struct labels labels;
};

static bool same_classic(void *ctx, uint64_t at)
{
    const struct classic_ctx *c = ctx;
    return labels_eq(c->x->classics[at].labels, c->labels);
}

static struct classic *find_classic(struct estimate *x, struct labels l)
{
    uint64_t *found = map_find(&x->by_labels, labels_hash(l), same_classic, &(struct classic_ctx){ x, l });
    return found ? &x->classics[*found] : NULL;
}

static void add_bucket(struct estimate *x, size_t series)
{
    struct arena *a = &x->ev->q->arena;
    struct labels all = x->in.at[series].labels, l = labels_set(a, all, STR("le"), STR(""));
    struct str le = labels_get(all, "le");
    double upper;

    if (!float_parse(le, &upper)) {
        estimate_note(x, NOTE_BAD_BUCKET_LABEL, all, le);
        return;
    }
    struct classic *c = find_classic(x, l);
    if (c == NULL) {
        x->classics = arena_grow(a, x->classics, x->n, &x->cap, sizeof *x->classics);
        map_add(&x->by_labels, labels_hash(l), x->n);
        c = &x->classics[x->n++];
        *c = (struct classic){ .labels = l };
    }
    c->series = arena_grow(a, c->series, c->n, &c->cap, sizeof *c->series);
    c->upper = arena_grow(a, c->upper, c->n, &c->cap_upper, sizeof *c->upper);
    c->series[c->n] = series;
    c->upper[c->n++] = upper;
}

static bool any_float(const struct mseries *s, size_t steps)
{
    for (size_t i = 0; i < steps; i++)
        if (has_float(s, i)) return true;
    return false;
}

static int put_estimate(struct estimate *x, struct labels l, size_t step, double v, struct err *e)
{
    size_t at;
    if (x->label.n) l = labels_set(&x->ev->q->arena, l, x->label, x->value);
    int rc = series_index_get(&x->index, l, true, &at, e);
    if (rc == OK) x->index.m->at[at].v[step] = v;
    return rc;
}

static size_t buckets_at(const struct estimate *x, const struct classic *c, size_t step,
                         struct classic_bucket *out)
{
    size_t n = 0;
    for (size_t k = 0; k < c->n; k++)
        if (has_float(&x->in.at[c->series[k]], step))
            out[n++] = (struct classic_bucket){ c->upper[k], x->in.at[c->series[k]].v[step] };
    return n;
}

static int estimate_classic(struct estimate *x, const struct classic *c, const bool *native_too,
                            struct err *e)
{
    struct classic_bucket *b = arena_array(&x->scratch, c->n, sizeof *b);
    int rc = OK;
    for (size_t i = 0; i < x->ev->n && rc == OK; i++) {
        size_t n = buckets_at(x, c, i, b);
        int told = 0;
        if (n == 0 || (native_too && native_too[i])) continue;
        double v = x->b ? fraction_classic(x->a[i], x->b[i], b, n) : quantile_classic(x->a[i], b, n, &told);
        if (told & QUANTILE_FORCED) estimate_note(x, NOTE_FORCED_MONOTONICITY, c->labels, x->function);
        rc = put_estimate(x, c->labels, i, v, e);
    }
    return rc < 0 ? rc : eval_check(x->ev, e);
}

static int estimate_native(struct estimate *x, const struct mseries *s, size_t step, struct err *e)
{
    int told = 0;
    double v;
    if (x->b) {
        v = fraction_native(x->a[step], x->b[step], s->h[step], &x->scratch, &told);
        if (told) estimate_note(x, NOTE_FRACTION_NAN, s->labels, STR(""));
    } else {
        v = quantile_native(x->a[step], s->h[step], &x->scratch, &told);
        if (told)
            estimate_note(x, told == QUANTILE_NAN ? NOTE_QUANTILE_NAN : NOTE_QUANTILE_NAN_SKEW, s->labels,
                          x->function);
    }
    arena_reset(&x->scratch);
    return put_estimate(x, s->labels, step, v, e);
}

/* Marks in `clash` the steps at which the native series meets buckets of the same labels; NULL: at none. */
static void find_clashes(struct estimate *x, const struct mseries *s, bool **clash)
{
    struct classic *c = find_classic(x, s->labels);
    if (c == NULL) return;
    bool **at = &clash[c - x->classics];
    if (*at == NULL) *at = arena_zero(&x->ev->q->arena, x->ev->n);
    for (size_t k = 0; k < c->n; k++)
        for (size_t i = 0; i < x->ev->n; i++)
            if (has_hist(s, i) && has_float(&x->in.at[c->series[k]], i)) (*at)[i] = true;
}

static int estimate_all(struct estimate *x, struct series_matrix *out, struct err *e)
{
    struct arena *a = &x->ev->q->arena;
    size_t steps = x->ev->n;
    int rc = OK;

    map_init(&x->by_labels, 16);
    series_index_init(&x->index, x->ev->q, out);
    for (size_t s = 0; s < x->in.n; s++)
        if (any_float(&x->in.at[s], steps)) add_bucket(x, s);
    bool **clash = arena_array(a, x->n, sizeof *clash);
    for (size_t k = 0; k < x->n; k++) clash[k] = NULL;
    for (size_t s = 0; s < x->in.n; s++)
        if (x->in.at[s].h) find_clashes(x, &x->in.at[s], clash);

    for (size_t k = 0; k < x->n && rc == OK; k++) {
        rc = estimate_classic(x, &x->classics[k], clash[k], e);
        arena_reset(&x->scratch);
    }
    for (size_t s = 0; s < x->in.n && rc == OK; s++) {
        const struct mseries *m = &x->in.at[s];
        struct classic *c = m->h ? find_classic(x, m->labels) : NULL;
        for (size_t i = 0; m->h && i < steps && rc == OK; i++) {
            if (m->h[i] == NULL) continue;
            if (c && clash[c - x->classics] && clash[c - x->classics][i])
                estimate_note(x, NOTE_MIXED_CLASSIC_NATIVE, m->labels, STR(""));
            else
                rc = estimate_native(x, m, i, e);
        }
        if (rc == OK) rc = eval_check(x->ev, e);
    }
    series_index_release(&x->index);
    map_release(&x->by_labels);
    return rc;
}

static int estimate_start(struct estimate *x, struct eval *ev, const struct node *call, size_t vector,
                          struct series_matrix *out, struct err *e)
{
    struct eval inner = *ev;
    inner.track_resets = false;
    *x = (struct estimate){ .ev = ev,
                            .pos = call->args[vector]->at.pos,
                            .function = str_of(call->fn->name),
                            .scratch = ARENA_INIT(ev->q->max_memory) };
    matrix_init(out, ev->n);
    return eval_node(&inner, call->args[vector], &x->in, e);
}

static void check_quantile(struct estimate *x, const struct node *arg)
{
    for (size_t i = 0; i < x->ev->n; i++)
        if (!(x->a[i] >= 0 && x->a[i] <= 1))
            notes_add(&x->ev->q->notes,
                      (struct note){ NOTE_INVALID_QUANTILE, arg->at.pos, STR(""), STR(""), x->a[i] });
}

int call_histogram_quantile(struct eval *ev, const struct node *call, struct series_matrix *out,
                            struct err *e)
{
    struct estimate x;
    int rc;
    if ((rc = estimate_start(&x, ev, call, 1, out, e)) < 0 ||
        (rc = eval_scalar(ev, call->args[0], &x.a, e)) < 0)
        return rc;
    check_quantile(&x, call->args[0]);
    rc = estimate_all(&x, out, e);
    arena_release(&x.scratch);
    return rc;
}

int call_histogram_fraction(struct eval *ev, const struct node *call, struct series_matrix *out,
                            struct err *e)
{
    struct estimate x;
    int rc;
    if ((rc = estimate_start(&x, ev, call, 2, out, e)) < 0 ||
        (rc = eval_scalar(ev, call->args[0], &x.a, e)) < 0 ||
        (rc = eval_scalar(ev, call->args[1], &x.b, e)) < 0)
        return rc;
    rc = estimate_all(&x, out, e);
    arena_release(&x.scratch);
    return rc;
}

/* 1 is written 1.0, as OpenMetrics does. */
static struct str quantile_text(struct arena *a, double q)
{
    char text[FLOAT_TEXT_MAX];
    struct str s = str_make(text, float_text(q, text));
    bool whole = isfinite(q);
    for (size_t i = 0; i < s.n; i++) whole &= s.p[i] != '.' && s.p[i] != 'e';
    return arena_printf(a, "%.*s%s", STR_ARG(s), whole ? ".0" : "");
}

/* A quantile may differ from step to step, and with it the label: each step with its own. */
static int one_quantile(struct estimate *x, struct eval *ev, const struct node *arg,
                        struct series_matrix *out, struct err *e)
{
    struct arena *a = &ev->q->arena;
    struct series_matrix all = x->in;
    const double *q;
    int rc = eval_scalar(ev, arg, &q, e);
    if (rc < 0) return rc;
    for (size_t from = 0, to; from < ev->n && rc == OK; from = to) {
        for (to = from + 1; to < ev->n && double_bits(q[to]) == double_bits(q[from]);) to++;
        struct series_matrix part;
        matrix_init(&part, ev->n);
        for (size_t s = 0; s < all.n; s++) { /* only the steps with this quantile */
            struct mseries m = { all.at[s].labels, all.at[s].drop_name, row_new(a, ev->n), NULL };
            memcpy(m.v + from, all.at[s].v + from, (to - from) * sizeof *m.v);
            if (all.at[s].h)
                memcpy(hist_row(ev->q, &m, ev->n) + from, all.at[s].h + from, (to - from) * sizeof *m.h);
            matrix_push(ev->q, &part, m);
        }
        x->in = from == 0 && to == ev->n ? all : part;
        x->a = q;
        x->value = quantile_text(a, q[from]);
        x->classics = NULL;
        x->n = x->cap = 0;
        check_quantile(x, arg);
        rc = estimate_all(x, out, e);
    }
    x->in = all;
    return rc;
}

int call_histogram_quantiles(struct eval *ev, const struct node *call, struct series_matrix *out,
                             struct err *e)
{
    struct estimate x;
    int rc = estimate_start(&x, ev, call, 0, out, e);
    if (rc < 0) return rc;
    x.label = node_string(call->args[1]);
    if (x.label.n == 0 || !str_utf8_valid(x.label))
        return err_set(e, ERR_EXEC, "invalid label name in histogram_quantiles()");
    for (size_t i = 2; i < call->n_args && rc == OK; i++) rc = one_quantile(&x, ev, call->args[i], out, e);
    arena_release(&x.scratch);
    return rc == OK ? matrix_merge(ev->q, out, e) : rc;
}
