/* metric.c - a range aggregation over log lines: a leaf of the tree that PromQL's evaluator walks.
 *
 * One scan, in whatever order records lie. Each line becomes a sample of a series, whose labels are the
 * stream's, those of metadata and those the pipeline has made, grouped where the query says so. */
#include <math.h>

#include "base/check.h"
#include "base/float.h"
#include "query/logql/run.h"

#define ASK_EVERY 4096 /* lines */

struct line_series {
    struct labels labels;
    struct window_series values;
};

struct counting {
    struct logql_run *run;
    const struct expr *x;
    const struct grouping *group; /* or NULL: all labels */
    struct query *q;
    struct window_plan plan;
    struct pipeline pipe;
    struct arena arena; /* of series and their cells */
    size_t charged;
    struct line_series *series;
    size_t n, cap;
    struct map by_labels;
    bool plain;        /* no stage changes lines or labels, and there is no unwrap */
    bool stream_only;  /* nothing but the stream's labels can be in the result */
    bool always_exact; /* lines need not be tried */
    uint64_t asked, matched;
    size_t last; /* series of the row before; SIZE_MAX: none */
    struct call *call;
    struct err *err;
};

/* ---- series ---- */

struct same_labels_ctx {
    const struct counting *c;
    struct labels labels;
};

static bool is_same(void *ctx, uint64_t i)
{
    const struct same_labels_ctx *x = ctx;
    return labels_eq(x->c->series[i].labels, x->labels);
}

static struct labels copied(struct arena *a, struct labels l)
{
    struct label *at = arena_array(a, l.n, sizeof *at);
    for (size_t i = 0; i < l.n; i++)
        at[i] = (struct label){ arena_str(a, l.at[i].name), arena_str(a, l.at[i].value) };
    return (struct labels){ at, l.n };
}

static int series_of(struct counting *c, struct labels l, size_t *out)
{
    uint64_t hash = labels_hash(l),
             *found = map_find(&c->by_labels, hash, is_same, &(struct same_labels_ctx){ c, l });
    if (found) {
        *out = *found;
        return OK;
    }
    if (c->n >= c->run->conf->max_series)
        return err_set(
            c->err, ERR_LIMIT,
            "maximum number of series (%llu) reached for a single query; aggregate by fewer labels, "
            "as in sum by (...)",
            (unsigned long long)c->run->conf->max_series);
    c->series = arena_grow(&c->arena, c->series, c->n, &c->cap, sizeof *c->series);
    c->series[c->n] = (struct line_series){ .labels = copied(&c->arena, l) };
    map_add(&c->by_labels, hash, c->n);
    *out = c->n++;
    return OK;
}

static bool in_group(const struct grouping *g, struct str name)
{
    if (g == NULL) return true;
    return names_has(g->names, g->n, name) == g->by;
}

static struct labels grouped(struct counting *c)
{
    struct labels l = lset_labels(&c->pipe.labels, LABEL_ANY, &c->pipe.scratch, false);
    struct label *at = (struct label *)l.at;
    struct str unwrapped = c->x->unwrap.name;
    size_t n = 0;
    for (size_t i = 0; i < l.n; i++) {
        if (unwrapped.n > 0 && !c->x->grouping.by && str_eq(at[i].name, unwrapped)) continue;
        if (in_group(c->group, at[i].name)) at[n++] = at[i];
    }
    return (struct labels){ at, n };
}

/* ---- a line's sample ---- */

static int pipeline_error(struct counting *c)
{
    struct buf b = BUF_INIT(600);
    struct str kind = lset_get(&c->pipe.labels, STR(ERROR_LABEL));
    labels_print(&b, lset_labels(&c->pipe.labels, LABEL_ANY, &c->pipe.scratch, false));
    int rc = err_set(
        c->err, ERR_EXEC,
        "pipeline error: '%.*s' for series: '%s'. Skip such lines with | __error__=\"\" behind the stage "
        "that fails, or after unwrap",
        STR_ARG(kind), buf_cstr(&b));
    buf_release(&b);
    return rc;
}

/* False: the line has no such label, so no sample. What cannot be read is an error of the line. */
static bool unwrap_value(struct counting *c, double *out)
{
    const struct unwrap *u = &c->x->unwrap;
    struct str s = lset_get(&c->pipe.labels, u->name);
    int64_t ns;
    bool good;
    if (s.n == 0) return false;
    if (u->conversion == UNWRAP_BYTES)
        good = logql_bytes(s, out);
    else if (u->conversion == UNWRAP_NUMBER)
        good = float_parse(s, out);
    else if ((good = logql_duration(s, &ns)))
        *out = (double)ns / 1e9;
    if (!good)
        lset_error(&c->pipe.labels, "SampleExtractionErr",
                   arena_printf(&c->pipe.scratch, "cannot read \"%.*s\"", (int)MIN(s.n, (size_t)200), s.p));
    return true;
}

static bool line_value(struct counting *c, double *out)
{
    *out = 1;
    if (c->x->range_op == RANGE_BYTES || c->x->range_op == RANGE_BYTES_RATE) *out = (double)c->pipe.line.n;
    if (c->x->unwrap.name.n == 0) return true;
    return unwrap_value(c, out) && pipeline_run(&c->pipe, c->x->unwrap.filters);
}

static int look_around(struct counting *c)
{
    if (++c->asked % ASK_EVERY != 0) return OK;
    int rc = call_check(c->call, c->err);
    return rc < 0 ? rc : query_charge(c->q, c->arena.used + c->run->arena.used, &c->charged, c->err);
}

static int put(struct counting *c, size_t series, int64_t t, double v)
{
    c->last = series;
    c->matched++;
    window_put(&c->plan, &c->series[series].values, t, v, &c->arena);
    return OK;
}

/* The series of a stream is the same for all its lines: looked up once. */
static int put_of_stream(struct counting *c, struct log_stream *s, int64_t t, double v)
{
    size_t at = (size_t)(uintptr_t)s->user;
    if (at == 0) {
        lset_begin(&c->pipe.labels, s->labels);
        int rc = series_of(c, grouped(c), &at);
        if (rc < 0) return rc;
        s->user = (void *)(uintptr_t)++at;
    }
    return put(c, at - 1, t, v);
}

static int take_line(void *ctx, struct source_cursor *cur, const struct source_row *row)
{
    struct counting *c = ctx;
    double v;
    size_t at;
    int rc = look_around(c);
    if (!row->same_labels) c->last = SIZE_MAX; /* also when this line is in no window */
    if (rc < 0 || !window_place(&c->plan, row->time_ns)) return rc;
    bool may_repeat = c->plain && c->last != SIZE_MAX;
    if (c->plain && c->always_exact) {
        v = c->x->range_op == RANGE_BYTES || c->x->range_op == RANGE_BYTES_RATE ? (double)row->line.n : 1;
        if (c->stream_only) return put_of_stream(c, row->stream, row->time_ns, v);
        if (may_repeat) return put(c, c->last, row->time_ns, v);
    }
    pipeline_next(&c->pipe, row->stream->labels, row->line, row->time_ns);
    source_labels(cur, &c->pipe.labels, &c->pipe.scratch);
    c->last = SIZE_MAX;
    if (!c->always_exact && !pipeline_run(&c->pipe, c->x->log->stages)) return OK;
    if (!line_value(c, &v)) return OK;
    if (c->pipe.labels.has_error) return pipeline_error(c);
    if ((rc = series_of(c, grouped(c), &at)) < 0) return rc;
    return put(c, at, row->time_ns, v);
}

/* ---- absent_over_time ---- */

static int take_presence(void *ctx, struct source_cursor *cur, const struct source_row *row)
{
    struct counting *c = ctx;
    double v;
    int rc = look_around(c);
    if (rc < 0 || !window_place(&c->plan, row->time_ns)) return rc;
    if (!c->always_exact || !c->plain) {
        pipeline_next(&c->pipe, row->stream->labels, row->line, row->time_ns);
        source_labels(cur, &c->pipe.labels, &c->pipe.scratch);
        if (!c->always_exact && !pipeline_run(&c->pipe, c->x->log->stages)) return OK;
        if (!line_value(c, &v)) return OK;
        if (c->pipe.labels.has_error) return pipeline_error(c);
    }
    return put(c, 0, row->time_ns, 1);
}

/* The labels that the selector itself fixes. */
static struct labels absent_labels(const struct log_expr *log, struct arena *a)
{
    struct labels l = { NULL, 0 };
    for (size_t i = 0; i < log->n_matchers; i++) {
        const struct matcher *m = &log->matchers[i];
        size_t same = 0;
        for (size_t k = 0; k < log->n_matchers; k++) same += str_eq(log->matchers[k].name, m->name);
        if (m->op == MATCH_EQ && m->value.n > 0 && same == 1) l = labels_set(a, l, m->name, m->value);
    }
    return l;
}

static int give_absent(struct counting *c, struct eval *ev, struct series_matrix *out)
{
    double *present = row_new(&c->arena, ev->n);
    int rc = window_finish(&c->plan, &c->series[0].values, present, &c->arena, c->call, c->err);
    if (rc < 0) return rc;
    struct mseries *s = matrix_add(ev->q, out, absent_labels(c->x->log, &ev->q->arena), false);
    for (size_t i = 0; i < ev->n; i++)
        if (is_stale(present[i])) s->v[i] = 1;
    return OK;
}

/* ---- the leaf ---- */

static int give_series(struct counting *c, struct eval *ev, struct series_matrix *out)
{
    int rc = eval_room(ev, c->n, c->err);
    for (size_t i = 0; i < c->n && rc == OK; i++) {
        struct arena scratch = ARENA_INIT(ev->q->max_memory);
        struct mseries *s = matrix_add(ev->q, out, copied(&ev->q->arena, c->series[i].labels), false);
        rc = window_finish(&c->plan, &c->series[i].values, s->v, &scratch, c->call, c->err);
        arena_release(&scratch);
    }
    matrix_drop_empty(out);
    return rc;
}

static bool only_line_filters(const struct stage *s)
{
    for (; s != NULL; s = s->next)
        if (s->kind != STAGE_LINE_FILTER) return false;
    return true;
}

static struct needs needs_of(const struct counting *c)
{
    const struct expr *x = c->x;
    struct needs n = { .line = x->range_op == RANGE_BYTES || x->range_op == RANGE_BYTES_RATE };
    if (x->range_op == RANGE_ABSENT) return n;
    n.all = c->group == NULL || !c->group->by || x->unwrap.name.n > 0;
    if (!n.all) n.names = c->group->names, n.n = c->group->n;
    return n;
}

/* With `by` only those labels are looked at; an unwrapped one may be metadata too, so all are read then. */
static int count_lines(struct counting *c, struct source *src, int64_t from_ns, int64_t to_ns)
{
    bool absent = c->x->range_op == RANGE_ABSENT;
    struct needs needs = needs_of(c);
    if (absent && c->x->unwrap.name.n > 0) needs.all = true;
    int rc = source_open(src, c->run->view, c->call, c->x->log, needs, c->err);
    if (rc < 0) return rc;
    c->plain = only_line_filters(c->x->log->stages) && c->x->unwrap.name.n == 0;
    c->stream_only = src->n_wanted == 0 && !src->whole;
    c->always_exact = src->exact;
    if (absent) c->series = arena_zero(&c->arena, sizeof *c->series);
    return source_scan(src, from_ns, to_ns, ORDER_ANY, 0, absent ? take_presence : take_line, c, c->err);
}

static int add_ns(int64_t a, int64_t b, int64_t *out)
{
    if (!__builtin_add_overflow(a, b, out)) return OK;
    *out = b < 0 ? INT64_MIN : INT64_MAX;
    return ERR_RANGE;
}

int logql_leaf(struct eval *ev, const struct node *n, struct series_matrix *out, struct err *e)
{
    const struct leaf *leaf = n->leaf_ctx;
    struct logql_run *run = leaf->run;
    const struct expr *x = leaf->expr;
    struct call call = ev->q->call;
    struct counting c = { .run = run,
                          .x = x,
                          .q = ev->q,
                          .arena = ARENA_INIT(ev->q->max_memory),
                          .last = SIZE_MAX,
                          .call = &call,
                          .err = e };
    struct source src = { 0 };
    int64_t from_ns, to_ns;

    matrix_init(out, ev->n);
    call.arena = &run->arena; /* the scan's, not the one results are counted in */
    c.group = x->grouping.by || x->grouping.without ? &x->grouping : leaf->outer;
    window_plan_init(&c.plan, x, run->start_ns + ev->start_ms * run->step_ns, run->step_ns, ev->n);
    add_ns(c.plan.first_end, 1 - x->range_ns, &from_ns);
    to_ns = c.plan.first_end + (int64_t)(ev->n - 1) * run->step_ns;
    pipeline_init(&c.pipe);
    map_init(&c.by_labels, 16);
    int rc = count_lines(&c, &src, MAX(from_ns, 0), to_ns);
    if (rc == OK) rc = x->range_op == RANGE_ABSENT ? give_absent(&c, ev, out) : give_series(&c, ev, out);
    run->stats->lines += src.lines;
    run->stats->bytes += src.bytes;
    run->stats->matched += c.matched;
    query_charge(ev->q, 0, &c.charged, NULL); /* given back */
    source_release(&src);
    map_release(&c.by_labels);
    pipeline_release(&c.pipe);
    arena_release(&c.arena);
    return rc;
}
