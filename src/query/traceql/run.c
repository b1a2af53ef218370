/* run.c - see run.h. */
#include "query/traceql/run.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "query/traces/spans.h"

#define BATCH_MAX      512      /* traces loaded together */
#define ENOUGH         (-10000) /* a sink's wish to stop; no error */
#define TRACE_REACH_MS 86400000

struct candidates {
    uint8_t (*ids)[16];
    size_t n, want;
    struct map seen; /* by the hash of their id, of all batches */
    int64_t last_ns; /* of the last row looked at */
    struct evaluation ev;
    struct err *err;
};

struct columns {
    struct value **values;
    int64_t *time_ns;
    uint32_t *trace; /* which candidate each row belongs to */
    size_t n, cap, n_fields;
    struct arena *arena;
    const struct map *ordinal; /* hash of a trace id -> number in this batch */
    struct call *call;
    struct err *err;
};

struct runner {
    struct store_view *view;
    struct call *call;
    const struct plan *plan;
    int64_t from_ns, to_ns;
    run_visit *visit;
    void *ctx;
    struct run_stats *stats;
    struct candidates c;
    struct err *err;
};

/* ---- candidates ---- */

static int take_candidates(void *ctx, const struct record_rows *rows)
{
    struct candidates *c = ctx;
    c->ev.values = rows->values;
    c->ev.time_ns = rows->time_ns;
    for (uint32_t i = 0; i < rows->n; i++) {
        const struct value *id = &rows->values[PLAN_TRACE_ID][i];
        c->last_ns = rows->time_ns[i];
        if (id->type != VALUE_BYTES || id->text.n != 16) continue;
        if (c->ev.plan->is_local && !eval_local(&c->ev, i)) continue;
        uint64_t hash = hash64(id->text.p, 16);
        if (map_find(&c->seen, hash, NULL, NULL) != NULL) continue;
        if (c->n == c->want) return ENOUGH;
        if (c->seen.n == RUN_TRACES_MAX)
            return err_set(c->err, ERR_LIMIT, "more than %u traces may match; ask for a shorter time",
                           RUN_TRACES_MAX);
        map_add(&c->seen, hash, 0);
        memcpy(c->ids[c->n++], id->text.p, 16);
    }
    return OK;
}

/* Positive: there may be more. */
static int find_candidates(struct runner *r, struct call *call)
{
    struct candidates *c = &r->c;
    const struct plan *p = r->plan;
    struct record_scan scan = { .table = TABLE_SPANS,
                                .from_ns = r->from_ns,
                                .to_ns = c->last_ns,
                                .where = p->candidates,
                                .fields = p->fields,
                                .n_fields = p->is_local ? p->n_fields : 1, /* PLAN_TRACE_ID is the first */
                                .order = ORDER_TIME_DESC };
    c->n = 0;
    int rc = view_records(r->view, call, &scan, take_candidates, c, r->err);
    return rc == ENOUGH ? 1 : rc;
}

/* ---- whole traces ---- */

static void grow(struct columns *c, size_t n)
{
    if (c->n + n <= c->cap) return;
    size_t cap = MAX(c->n + n, c->cap * 2);
    int64_t *times = arena_array(c->arena, cap, sizeof *times);
    uint32_t *trace = arena_array(c->arena, cap, sizeof *trace);
    if (c->n > 0) memcpy(times, c->time_ns, c->n * sizeof *times);
    if (c->n > 0) memcpy(trace, c->trace, c->n * sizeof *trace);
    for (size_t f = 0; f < c->n_fields; f++) {
        struct value *v = arena_array(c->arena, cap, sizeof *v);
        if (c->n > 0) memcpy(v, c->values[f], c->n * sizeof *v);
        c->values[f] = v;
    }
    c->time_ns = times;
    c->trace = trace;
    c->cap = cap;
}

static bool is_text(enum value_type t)
{
    return t == VALUE_STR || t == VALUE_BYTES || t == VALUE_JSON;
}

/* Equal texts of neighbours are kept once: services, names and resources repeat. */
static void copy_column(struct columns *c, size_t f, const struct value *from, size_t n)
{
    struct value *to = c->values[f] + c->n;
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
        if (!is_text(from[i].type)) continue;
        const struct value *before = c->n + i > 0 ? &to[i] - 1 : NULL;
        if (before != NULL && is_text(before->type) && str_eq(before->text, from[i].text))
            to[i].text = before->text;
        else
            to[i].text = arena_str(c->arena, from[i].text);
    }
}

static int take_spans(void *ctx, const struct record_rows *rows)
{
    struct columns *c = ctx;
    if (c->n + rows->n > TRACE_SPANS_MAX)
        return err_set(c->err, ERR_LIMIT, "more than %u spans in the traces that may match", TRACE_SPANS_MAX);
    grow(c, rows->n);
    for (size_t f = 0; f < c->n_fields; f++) copy_column(c, f, rows->values[f], rows->n);
    for (size_t i = 0; i < rows->n; i++) {
        const struct value *id = &rows->values[PLAN_TRACE_ID][i];
        const uint64_t *k = map_find(c->ordinal, hash64(id->text.p, id->text.n), NULL, NULL);
        c->time_ns[c->n + i] = rows->time_ns[i];
        c->trace[c->n + i] = k == NULL ? UINT32_MAX : (uint32_t)*k;
    }
    c->n += rows->n;
    return call_check(c->call, c->err);
}

static int load(struct runner *r, struct call *call, size_t from, size_t n, struct columns *c)
{
    const struct plan *p = r->plan;
    struct map ordinal;
    struct record_scan scan = { .table = TABLE_SPANS,
                                .to_ns = INT64_MAX,
                                .where = where_traces(call->arena, (const uint8_t(*)[16])r->c.ids + from, n),
                                .fields = p->fields,
                                .n_fields = p->n_fields };

    map_init(&ordinal, n);
    for (size_t i = 0; i < n; i++) map_add(&ordinal, hash64(r->c.ids[from + i], 16), i);
    *c = (struct columns){
        .n_fields = p->n_fields, .arena = call->arena, .ordinal = &ordinal, .call = call, .err = r->err
    };
    c->values = arena_zero(call->arena, p->n_fields * sizeof *c->values);
    int rc = view_records(r->view, call, &scan, take_spans, c, r->err);
    map_release(&ordinal);
    c->ordinal = NULL;
    return rc;
}

/* rows of trace k: rows[begin[k]] to rows[begin[k + 1]], as they came. */
static void sort_rows(const struct columns *c, size_t traces, uint32_t *begin, uint32_t *rows)
{
    memset(begin, 0, (traces + 2) * sizeof *begin);
    for (size_t i = 0; i < c->n; i++)
        if (c->trace[i] < traces) begin[c->trace[i] + 2]++;
    for (size_t k = 2; k < traces + 2; k++) begin[k] += begin[k - 1];
    for (size_t i = 0; i < c->n; i++)
        if (c->trace[i] < traces) rows[begin[c->trace[i] + 1]++] = (uint32_t)i;
}

static int visit_trace(struct runner *r, struct call *call, const struct columns *c, const uint32_t *rows,
                       size_t n)
{
    struct tree_columns t = { c->values[PLAN_SPAN_ID], c->values[PLAN_PARENT_ID], c->values[PLAN_DURATION],
                              c->values[PLAN_KIND], c->time_ns };
    struct span_tree tree;
    struct evaluation ev = { .plan = r->plan,
                             .values = (const struct value *const *)c->values,
                             .time_ns = c->time_ns };
    struct spansets sets;

    span_tree_make(&tree, &t, rows, n, call->arena);
    ev.tree = &tree;
    r->stats->traces++;
    r->stats->spans += n;
    int rc = spansets_run(&ev, call, &sets, r->err);
    if (rc == OK && sets.n > 0) rc = r->visit(r->ctx, &ev, &sets, r->err);
    evaluation_release(&ev);
    return rc;
}

static int visit_batch(struct runner *r, struct call *call, size_t from, size_t n)
{
    struct columns c;
    int rc = load(r, call, from, n, &c);
    if (rc < 0) return rc;
    uint32_t *begin = arena_array(call->arena, n + 2, sizeof *begin),
             *rows = arena_array(call->arena, c.n, sizeof *rows);
    sort_rows(&c, n, begin, rows);
    for (size_t k = 0; k < n && rc == OK; k++)
        if (begin[k + 1] > begin[k]) rc = visit_trace(r, call, &c, rows + begin[k], begin[k + 1] - begin[k]);
    return rc;
}

/* A batch whose traces are too much together is halved, down to one. Traces already visited are not again:
 * loading fails before the first is. */
static int visit_candidates(struct runner *r, struct arena *arena)
{
    size_t step = r->c.n;
    int rc = OK;

    for (size_t from = 0; from < r->c.n && rc == OK;) {
        struct call call = *r->call;
        uint64_t before = r->stats->traces;
        size_t n = MIN(step, r->c.n - from);
        arena_reset(arena);
        call.arena = arena;
        rc = visit_batch(r, &call, from, n);
        if (rc == ERR_LIMIT && n > 1 && r->stats->traces == before && call_check(r->call, NULL) == OK) {
            step = n / 2;
            rc = OK;
            continue;
        }
        from += n;
    }
    return rc;
}

int run_traces(struct store_view *view, struct call *call, const struct plan *p, int64_t from_ns,
               int64_t to_ns, size_t first, run_visit *visit, void *ctx, struct run_stats *stats,
               struct err *e)
{
    struct runner r = { .view = view,
                        .call = call,
                        .plan = p,
                        .from_ns = from_ns,
                        .to_ns = to_ns,
                        .visit = visit,
                        .ctx = ctx,
                        .stats = stats,
                        .err = e };
    struct arena batch = ARENA_INIT(call->arena->budget / 2);
    int rc, more = 1;

    map_init(&r.c.seen, 256);
    r.c.ids = mem_array(BATCH_MAX, sizeof *r.c.ids);
    r.c.last_ns = to_ns;
    r.c.ev.plan = p;
    r.c.err = e;
    r.c.want = MIN(MAX(first, 1), BATCH_MAX);
    for (rc = OK; more > 0 && rc == OK; r.c.want = MIN(r.c.want * 2, BATCH_MAX)) {
        struct call own = *call;
        arena_reset(&batch);
        own.arena = &batch;
        more = find_candidates(&r, &own);
        rc = more < 0 ? more : visit_candidates(&r, &batch);
    }
    evaluation_release(&r.c.ev);
    arena_release(&batch);
    mem_free(r.c.ids);
    map_release(&r.c.seen);
    return rc > 0 ? OK : rc;
}

void run_view_times(int64_t from_ns, int64_t to_ns, int64_t *from_ms, int64_t *to_ms)
{
    *from_ms = from_ns / 1000000 > TRACE_REACH_MS ? from_ns / 1000000 - TRACE_REACH_MS : 0;
    *to_ms = to_ns / 1000000 + TRACE_REACH_MS;
}
