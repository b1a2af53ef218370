/* metrics.c - series made of spans: rate() by (...), quantile_over_time(duration, .9), and their like.
 *
 * A local query is one pass over the spans that match, in no order, and no trace is put together; others take
 * the traces one by one (run.h). Kept is one cell for each series and step, and for quantiles and histograms
 * a count for each bucket that has any: histograms have the powers of two, quantiles 16 buckets between two
 * of them, so that a quantile is at most 4.5 % off. */
#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/float.h"
#include "base/hash.h"
#include "base/map.h"
#include "query/traceql/compare.h"
#include "query/traceql/traceql.h"

#define FINE        16    /* buckets of a quantile between two powers of two */
#define BUCKET_ZERO 32768 /* number of the bucket that ends at 1 */
#define COUNTS_MAX  (4u << 20)

struct cells {
    double *value; /* sum, minimum or maximum */
    uint64_t *count;
    struct span_exemplar *exemplars;
    size_t n_exemplars, cap_exemplars;
    struct static_value by[BY_MAX];
};

struct making {
    const struct metrics_ask *ask;
    const struct metrics *m;
    struct metrics_made *out;
    struct arena *arena;
    struct call *call;
    struct evaluation ev; /* of a local query */
    struct cells *series;
    size_t n, cap;
    struct map by_labels;
    struct map counts; /* series, step, bucket -> how many spans */
    size_t n_exemplars;
    struct err *err;
};

/* ---- which series, which step ---- */

static bool same_value(struct static_value a, struct static_value b)
{
    if (a.type != b.type) return false;
    if (a.type == STATIC_STRING || a.type == STATIC_BYTES) return str_eq(a.s, b.s);
    return a.type == STATIC_NIL || a.i == b.i;
}

struct wanted_series {
    const struct making *k;
    const struct static_value *by;
};

static bool is_series(void *ctx, uint64_t i)
{
    const struct wanted_series *w = ctx;
    for (size_t b = 0; b < w->k->m->n_by; b++)
        if (!same_value(w->k->series[i].by[b], w->by[b])) return false;
    return true;
}

static struct cells *new_series(struct making *k, const struct static_value *by)
{
    size_t steps = k->out->steps;
    if (k->n == TRACEQL_SERIES_MAX || !arena_fits(k->arena, steps * 16)) {
        k->out->warning = k->n == TRACEQL_SERIES_MAX
                              ? STR("more than 10000 series; the others are left out")
                              : STR("the series need more memory than a query may take; "
                                    "some are left out");
        return NULL;
    }
    k->series = arena_grow(k->arena, k->series, k->n, &k->cap, sizeof *k->series);
    struct cells *s = &k->series[k->n++];
    *s = (struct cells){ .value = arena_zero(k->arena, steps * sizeof *s->value),
                         .count = arena_zero(k->arena, steps * sizeof *s->count) };
    for (size_t b = 0; b < k->m->n_by; b++) {
        s->by[b] = by[b];
        if (by[b].type == STATIC_STRING || by[b].type == STATIC_BYTES)
            s->by[b].s = arena_str(k->arena, by[b].s);
    }
    return s;
}

static struct cells *find_series(struct making *k, struct evaluation *ev, uint32_t span)
{
    struct static_value by[BY_MAX];
    uint64_t hash = 0;

    for (size_t b = 0; b < k->m->n_by; b++) {
        by[b] = eval_attr_kept(ev, k->m->by[b], span, b == 0);
        bool is_text = by[b].type == STATIC_STRING || by[b].type == STATIC_BYTES;
        uint64_t h = is_text ? hash64(by[b].s.p, by[b].s.n) : hash64(&by[b].i, sizeof by[b].i);
        hash = (hash ^ h) * 0x9e3779b97f4a7c15u + (uint64_t)by[b].type;
    }
    uint64_t *known = map_find(&k->by_labels, hash, is_series, &(struct wanted_series){ k, by });
    if (known != NULL) return &k->series[*known];
    struct cells *s = new_series(k, by);
    if (s != NULL) map_add(&k->by_labels, hash, k->n - 1);
    return s;
}

/* (from, from + step] is step 0. */
static bool find_step(const struct making *k, int64_t time_ns, size_t *step)
{
    if (time_ns <= k->ask->from_ns || time_ns > k->ask->to_ns) return false;
    *step = (size_t)((time_ns - k->ask->from_ns - 1) / k->ask->step_ns);
    return *step < k->out->steps;
}

/* ---- one span ---- */

static uint64_t bucket_of(double v, double fine)
{
    if (!(v > 0)) return 0;
    double b = ceil(log2(v) * fine - 1e-9) + BUCKET_ZERO;
    return (uint64_t)MIN(MAX(b, 1.0), 65535.0);
}

static double bucket_end(uint64_t bucket, double fine)
{
    return bucket == 0 ? 0 : exp2(((double)bucket - BUCKET_ZERO) / fine);
}

static double fineness(const struct making *k)
{
    return k->m->kind == METRIC_HISTOGRAM ? 1 : FINE;
}

/* One to one, so that the table's hash is the key itself: neighbours would crowd its slots. */
static uint64_t scatter(uint64_t key)
{
    key = (key ^ key >> 32) * 0x9e3779b97f4a7c15u;
    return key ^ key >> 32;
}

static uint64_t gather(uint64_t hash)
{
    hash = (hash ^ hash >> 32) * 0xf1de83e19937733du; /* the inverse modulo 2^64 */
    return hash ^ hash >> 32;
}

static int count_bucket(struct making *k, size_t series, size_t step, double v)
{
    uint64_t key =
        scatter(1ull << 63 | (uint64_t)series << 40 | (uint64_t)step << 16 | bucket_of(v, fineness(k)));
    uint64_t *known = map_find(&k->counts, key, NULL, NULL);
    if (known != NULL) {
        ++*known;
        return OK;
    }
    if (k->counts.n == COUNTS_MAX)
        return err_set(k->err, ERR_LIMIT, "more than %u buckets in all; ask for fewer series or steps",
                       COUNTS_MAX);
    map_add(&k->counts, key, 1);
    return OK;
}

static void fold(struct making *k, struct cells *s, size_t step, double v)
{
    bool is_first = s->count[step]++ == 0;
    switch (k->m->kind) {
    case METRIC_MIN: s->value[step] = is_first || v < s->value[step] ? v : s->value[step]; break;
    case METRIC_MAX: s->value[step] = is_first || v > s->value[step] ? v : s->value[step]; break;
    default: s->value[step] += v; break;
    }
}

/* The first span of a series and step stands for them. */
static void note_exemplar(struct making *k, struct evaluation *ev, struct cells *s, uint32_t row, double v)
{
    const struct value *id = &ev->values[PLAN_TRACE_ID][row];
    if (k->n_exemplars >= k->ask->exemplars || id->type != VALUE_BYTES || id->text.n != 16) return;
    s->exemplars =
        arena_grow(k->arena, s->exemplars, s->n_exemplars, &s->cap_exemplars, sizeof *s->exemplars);
    struct span_exemplar *x = &s->exemplars[s->n_exemplars++];
    *x = (struct span_exemplar){ .time_ns = ev->time_ns[row], .value = v };
    memcpy(x->trace_id, id->text.p, 16);
    k->n_exemplars++;
}

static int take_span(struct making *k, struct evaluation *ev, uint32_t span)
{
    uint32_t row = ev->tree != NULL ? ev->tree->rows[span] : span;
    double v = 1;
    size_t step;

    if (!find_step(k, ev->time_ns[row], &step)) return OK;
    if (k->m->kind >= METRIC_MIN) {
        struct static_value x = eval_attr(ev, k->m->attr, span);
        v = static_number(x) / (x.type == STATIC_DURATION ? 1e9 : 1);
        if (isnan(v)) return OK;
    }
    struct cells *s = find_series(k, ev, span);
    if (s == NULL) return OK;
    if (s->count[step] == 0) note_exemplar(k, ev, s, row, v);
    fold(k, s, step, v);
    bool has_buckets = k->m->kind == METRIC_QUANTILE || k->m->kind == METRIC_HISTOGRAM;
    return has_buckets ? count_bucket(k, (size_t)(s - k->series), step, v) : OK;
}

static int take_rows(void *ctx, const struct record_rows *rows)
{
    struct making *k = ctx;
    k->ev.values = rows->values;
    k->ev.time_ns = rows->time_ns;
    k->out->stats.spans += rows->n;
    for (uint32_t i = 0; i < rows->n; i++) {
        if (!eval_local(&k->ev, i)) continue;
        int rc = take_span(k, &k->ev, i);
        if (rc < 0) return rc;
    }
    return call_check(k->call, k->err);
}

static int take_trace(void *ctx, struct evaluation *ev, const struct spansets *sets, struct err *e)
{
    struct making *k = ctx;
    (void)e;
    for (size_t i = 0; i < sets->n; i++)
        for (size_t s = 0; s < sets->at[i].n; s++) {
            int rc = take_span(k, ev, sets->at[i].at[s]);
            if (rc < 0) return rc;
        }
    return OK;
}

/* ---- series out of cells ---- */

static void set_labels(struct making *k, struct span_series *s, const struct cells *c, const char *extra,
                       double value)
{
    static const char *const names[] = { "",
                                         "rate",
                                         "count_over_time",
                                         "min_over_time",
                                         "max_over_time",
                                         "avg_over_time",
                                         "sum_over_time",
                                         "quantile_over_time",
                                         "histogram_over_time",
                                         "compare" };
    s->labels = arena_array(k->arena, k->m->n_by + 2, sizeof *s->labels);
    for (size_t b = 0; b < k->m->n_by; b++) {
        struct buf name = BUF_INIT(4096);
        attr_ref_print(&name, &k->ask->query->attrs[k->m->by[b]]);
        s->labels[s->n_labels++] = (struct traceql_attr){ arena_str(k->arena, buf_view(&name)), c->by[b] };
        buf_release(&name);
    }
    if (extra != NULL)
        s->labels[s->n_labels++] =
            (struct traceql_attr){ str_of(extra), { .type = STATIC_FLOAT, .d = value } };
    else if (s->n_labels == 0)
        s->labels[s->n_labels++] =
            (struct traceql_attr){ STR("__name__"),
                                   { .type = STATIC_STRING, .s = str_of(names[k->m->kind]) } };
}

static double value_of(const struct making *k, const struct cells *c, size_t step)
{
    uint64_t n = c->count[step];
    switch (k->m->kind) {
    case METRIC_RATE: return (double)n / ((double)k->ask->step_ns / 1e9);
    case METRIC_COUNT: return (double)n;
    case METRIC_AVG: return n == 0 ? (double)NAN : c->value[step] / (double)n;
    default: return n == 0 ? (double)NAN : c->value[step];
    }
}

static struct span_series *add_series(struct making *k, size_t *cap)
{
    k->out->series = arena_grow(k->arena, k->out->series, k->out->n, cap, sizeof *k->out->series);
    struct span_series *s = &k->out->series[k->out->n++];
    *s = (struct span_series){ .values = arena_array(k->arena, k->out->steps, sizeof *s->values) };
    return s;
}

static void end_plain(struct making *k)
{
    size_t cap = 0;
    for (size_t i = 0; i < k->n; i++) {
        struct cells *c = &k->series[i];
        struct span_series *s = add_series(k, &cap);
        set_labels(k, s, c, NULL, 0);
        for (size_t step = 0; step < k->out->steps; step++) s->values[step] = value_of(k, c, step);
        s->exemplars = c->exemplars;
        s->n_exemplars = c->n_exemplars;
    }
}

struct bucket {
    uint64_t key, n;
};

static int by_key(const void *x, const void *y)
{
    const struct bucket *a = x, *b = y;
    return (a->key > b->key) - (a->key < b->key);
}

/* All buckets by series, step and size. */
static struct bucket *sorted_buckets(struct making *k, size_t *n)
{
    struct bucket *b = arena_array(k->arena, k->counts.n, sizeof *b);
    *n = 0;
    for (size_t i = 0; k->counts.n > 0 && i <= k->counts.mask; i++)
        if (k->counts.slots[i].hash != 0)
            b[(*n)++] =
                (struct bucket){ gather(k->counts.slots[i].hash) & ~(1ull << 63), k->counts.slots[i].value };
    if (*n > 1) qsort(b, *n, sizeof *b, by_key);
    return b;
}

/* The value below which a share q of the spans of one step lies; within a bucket as if spread evenly by
 * logarithm. */
static double quantile(const struct bucket *b, size_t n, double q)
{
    double total = 0, seen = 0;
    for (size_t i = 0; i < n; i++) total += (double)b[i].n;
    double rank = q * total;
    for (size_t i = 0; i < n; i++) {
        seen += (double)b[i].n;
        if (seen < rank && i + 1 < n) continue;
        uint64_t bucket = b[i].key & 0xffff;
        if (bucket == 0) return 0;
        double share = MIN(MAX((rank - (seen - (double)b[i].n)) / (double)b[i].n, 0.0), 1.0);
        return exp2(((double)bucket - 1 + share - BUCKET_ZERO) / FINE);
    }
    return NAN;
}

static void fill_quantile(struct making *k, struct span_series *s, const struct bucket *b, size_t n, double q)
{
    for (size_t step = 0; step < k->out->steps; step++) s->values[step] = NAN;
    for (size_t i = 0, end; i < n; i = end) {
        size_t step = (b[i].key >> 16) & 0xffffff;
        for (end = i; end < n && ((b[end].key >> 16) & 0xffffff) == step; end++) continue;
        s->values[step] = quantile(b + i, end - i, q);
    }
}

static void end_quantiles(struct making *k, const struct cells *c, const struct bucket *b, size_t n,
                          size_t *cap)
{
    for (size_t q = 0; q < k->m->n_quantiles; q++) {
        struct span_series *s = add_series(k, cap);
        set_labels(k, s, c, "p", k->m->quantile[q]);
        fill_quantile(k, s, b, n, k->m->quantile[q]);
        if (q + 1 < k->m->n_quantiles) continue;
        s->exemplars = c->exemplars;
        s->n_exemplars = c->n_exemplars;
    }
}

/* One series a bucket; how many of its buckets occur at all is seen from a bitmap. */
static void end_histogram(struct making *k, const struct cells *c, const struct bucket *b, size_t n,
                          size_t *cap)
{
    uint8_t *used = arena_zero(k->arena, 65536);
    for (size_t i = 0; i < n; i++) used[b[i].key & 0xffff] = 1;
    for (uint64_t bucket = 0; bucket < 65536; bucket++) {
        if (!used[bucket] || k->out->n >= TRACEQL_SERIES_MAX) continue;
        struct span_series *s = add_series(k, cap);
        set_labels(k, s, c, "__bucket", bucket_end(bucket, 1));
        memset(s->values, 0, k->out->steps * sizeof *s->values);
        for (size_t i = 0; i < n; i++)
            if ((b[i].key & 0xffff) == bucket) s->values[(b[i].key >> 16) & 0xffffff] = (double)b[i].n;
    }
}

static void end_buckets(struct making *k)
{
    size_t n, cap = 0, end;
    struct bucket *b = sorted_buckets(k, &n);
    for (size_t i = 0; i < n; i = end) {
        size_t series = (size_t)(b[i].key >> 40);
        for (end = i; end < n && (size_t)(b[end].key >> 40) == series; end++) continue;
        if (k->m->kind == METRIC_QUANTILE)
            end_quantiles(k, &k->series[series], b + i, end - i, &cap);
        else
            end_histogram(k, &k->series[series], b + i, end - i, &cap);
    }
}

/* ---- topk, bottomk, comparisons ---- */

struct ranked {
    double value;
    size_t series;
};

static int largest_first(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    if (a->value != b->value) return a->value > b->value ? -1 : 1;
    return (a->series > b->series) - (a->series < b->series);
}

static int smallest_first(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    if (a->value != b->value) return a->value < b->value ? -1 : 1;
    return (a->series > b->series) - (a->series < b->series);
}

static void keep_best(struct metrics_made *m, const struct second_stage *s, struct ranked *r)
{
    for (size_t step = 0; step < m->steps; step++) {
        size_t n = 0;
        for (size_t i = 0; i < m->n; i++)
            if (!isnan(m->series[i].values[step])) r[n++] = (struct ranked){ m->series[i].values[step], i };
        if (n > 1) qsort(r, n, sizeof *r, s->kind == SECOND_TOPK ? largest_first : smallest_first);
        for (size_t i = (size_t)s->n; i < n; i++) m->series[r[i].series].values[step] = NAN;
    }
}

static void keep_compared(struct metrics_made *m, const struct second_stage *s)
{
    struct static_value than = { .type = STATIC_FLOAT, .d = s->value };
    for (size_t i = 0; i < m->n; i++)
        for (size_t step = 0; step < m->steps; step++) {
            struct static_value v = { .type = STATIC_FLOAT, .d = m->series[i].values[step] };
            if (!static_compare(s->op, v, than, NULL)) m->series[i].values[step] = NAN;
        }
}

static void drop_empty(struct metrics_made *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->n; i++) {
        bool any = false;
        for (size_t step = 0; step < m->steps && !any; step++) any = !isnan(m->series[i].values[step]);
        if (any) m->series[kept++] = m->series[i];
    }
    m->n = kept;
}

static void second_stages(struct making *k)
{
    struct metrics_made *m = k->out;
    for (const struct second_stage *s = k->m->second; s != NULL; s = s->next) {
        if (s->kind == SECOND_COMPARE)
            keep_compared(m, s);
        else if ((uint64_t)s->n < m->n)
            keep_best(m, s, arena_array(k->arena, m->n, sizeof(struct ranked)));
    }
    if (k->m->second != NULL) drop_empty(m);
}

/* ---- in ---- */

static int check_times(const struct metrics_ask *a, struct metrics_made *out, struct err *e)
{
    if (a->step_ns <= 0 || a->to_ns <= a->from_ns || a->from_ns < 0)
        return err_set(e, ERR_RANGE, "the end must be after the start, and the step above zero");
    uint64_t steps = ((uint64_t)(a->to_ns - a->from_ns) + (uint64_t)a->step_ns - 1) / (uint64_t)a->step_ns;
    if (steps > TRACEQL_STEPS_MAX)
        return err_set(e, ERR_RANGE, "more than %d steps; ask for a longer step", TRACEQL_STEPS_MAX);
    *out = (struct metrics_made){ .steps = (size_t)steps,
                                  .first_ns = a->from_ns + a->step_ns,
                                  .step_ns = a->step_ns };
    return OK;
}

static int pass(struct making *k, struct store_view *view, const struct plan *p)
{
    struct record_scan scan = { .table = TABLE_SPANS,
                                .from_ns = k->ask->from_ns,
                                .to_ns = k->ask->to_ns,
                                .where = p->candidates,
                                .fields = p->fields,
                                .n_fields = p->n_fields };
    if (!p->is_local)
        return run_traces(view, k->call, p, k->ask->from_ns, k->ask->to_ns, 64, take_trace, k, &k->out->stats,
                          k->err);
    struct arena scratch = ARENA_INIT(k->call->arena->budget / 2);
    struct call own = *k->call;
    own.arena = &scratch;
    k->ev.plan = p;
    int rc = view_records(view, &own, &scan, take_rows, k, k->err);
    evaluation_release(&k->ev);
    arena_release(&scratch);
    return rc;
}

int traceql_metrics(struct store_view *view, struct call *call, const struct metrics_ask *ask,
                    struct metrics_made *out, struct err *e)
{
    struct making k = {
        .ask = ask, .m = &ask->query->metrics, .out = out, .arena = call->arena, .call = call, .err = e
    };
    struct plan plan;
    int rc;

    *out = (struct metrics_made){ 0 };
    if (k.m->kind == METRIC_NONE)
        return err_set(e, ERR_EXEC, "this query makes no series: it needs a metrics function, as | rate()");
    if ((rc = check_times(ask, out, e)) < 0 || (rc = plan_make(&plan, ask->query, call->arena, e)) < 0)
        return rc;
    if (k.m->kind == METRIC_COMPARE) return traceql_compare(view, call, ask, &plan, out, e);
    map_init(&k.by_labels, 64);
    map_init(&k.counts, 64);
    rc = pass(&k, view, &plan);
    if (rc == OK && (k.m->kind == METRIC_QUANTILE || k.m->kind == METRIC_HISTOGRAM))
        end_buckets(&k);
    else if (rc == OK)
        end_plain(&k);
    if (rc == OK) second_stages(&k);
    map_release(&k.by_labels);
    map_release(&k.counts);
    if (rc == OK && arena_over(call->arena))
        return err_set(e, ERR_LIMIT, "the series need more memory than a query may take");
    return rc;
}
