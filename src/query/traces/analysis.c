/* analysis.c - see analysis.h. Traces are loaded some at a time, so that memory is for a batch of spans. */
#include "query/traces/analysis.h"

#include <stdlib.h>

#include "base/check.h"

#define BATCH 50 /* traces loaded at once */

struct analysing {
    struct trace_analysis *out;
    struct call *call;
    struct err *err;
    struct texts texts;
    struct map operation_of, edge_of;
    size_t cap_operations, cap_edges;
};

static struct bottleneck *operation_of(struct analysing *a, const struct trace_span *s)
{
    uint64_t both[2] = { texts_number(&a->texts, s->service), texts_number(&a->texts, s->name) };
    uint64_t key = hash64(both, sizeof both);
    const uint64_t *known = map_find(&a->operation_of, key, NULL, NULL);
    if (known != NULL) return a->out->operations[*known];
    if (a->out->n_operations == ANALYSIS_ROWS_MAX) return NULL;

    struct bottleneck *b = arena_zero(a->call->arena, sizeof *b);
    b->service = a->texts.at[both[0]];
    b->operation = a->texts.at[both[1]];
    a->out->operations = arena_grow(a->call->arena, a->out->operations, a->out->n_operations,
                                    &a->cap_operations, sizeof *a->out->operations);
    map_add(&a->operation_of, key, a->out->n_operations);
    return a->out->operations[a->out->n_operations++] = b;
}

static struct call_edge *edge_of(struct analysing *a, struct bottleneck *from, struct bottleneck *to)
{
    const void *both[2] = { from, to };
    uint64_t key = hash64(both, sizeof both);
    const uint64_t *known = map_find(&a->edge_of, key, NULL, NULL);
    if (known != NULL) return a->out->edges[*known];
    if (a->out->n_edges == ANALYSIS_ROWS_MAX) return NULL;

    struct call_edge *edge = arena_zero(a->call->arena, sizeof *edge);
    edge->from = from;
    edge->to = to;
    a->out->edges =
        arena_grow(a->call->arena, a->out->edges, a->out->n_edges, &a->cap_edges, sizeof *a->out->edges);
    map_add(&a->edge_of, key, a->out->n_edges);
    return a->out->edges[a->out->n_edges++] = edge;
}

/* Critical time of a span and of what its own service did below it. */
static int64_t critical_below(const struct trace *t, size_t i)
{
    int64_t sum = 0;
    for (size_t k = i; k <= i + t->at[i].below; k++) {
        if (!str_eq(t->at[k].service, t->at[i].service)) {
            k += t->at[k].below;
            continue;
        }
        sum += t->at[k].critical_ns;
    }
    return sum;
}

static void add_operation(struct bottleneck *b, const struct trace_span *s, size_t number)
{
    b->spans++;
    b->errors += s->status == STATUS_ERROR;
    b->self_ns += s->self_ns;
    b->critical_ns += s->critical_ns;
    b->on_path += (s->marks & SPAN_CRITICAL) != 0;
    b->traces += b->last_trace != number;
    b->last_trace = number;
    latency_add(&b->took, s->duration_ns);
    if (s->critical_ns > b->slowest_ns) {
        b->slowest_ns = s->critical_ns;
        memcpy(b->slowest, s->trace_id, 16);
    }
}

static void add_trace(struct analysing *a, const struct trace *t)
{
    struct trace_analysis *out = a->out;

    out->from_ns = out->traces == 0 ? t->start_ns : MIN(out->from_ns, t->start_ns);
    out->to_ns = MAX(out->to_ns, t->end_ns);
    out->traces++;
    out->spans += t->n;
    out->errors += t->errors;
    out->running += t->running;
    out->orphans += t->orphans;
    out->cycles += t->cycles;
    out->duration_ns += t->end_ns - t->start_ns;
    out->idle_ns += t->idle_ns;
    latency_add(&out->took, t->end_ns - t->start_ns);
    for (size_t i = 0; i < t->n; i++) {
        const struct trace_span *s = &t->at[i];
        struct bottleneck *b = operation_of(a, s);
        if (b != NULL) add_operation(b, s, out->traces);
        if (b == NULL || s->parent == SPAN_NONE || str_eq(s->service, t->at[s->parent].service)) continue;
        struct bottleneck *from = operation_of(a, &t->at[s->parent]);
        struct call_edge *edge = from != NULL ? edge_of(a, from, b) : NULL;
        if (edge == NULL) continue;
        edge->calls++;
        edge->errors += s->status == STATUS_ERROR;
        edge->critical_ns += critical_below(t, i);
        latency_add(&edge->took, s->duration_ns);
    }
}

static int add_batch(struct analysing *a, struct store_view *view, const uint8_t (*ids)[16], size_t n)
{
    struct arena arena = ARENA_INIT(a->call->arena->budget);
    struct call call = *a->call;
    struct span_list list;

    call.arena = &arena;
    int rc = spans_load(view, &call, ids, n, &list, a->err);
    for (size_t i = 0, end; rc == OK && i < list.n; i = end) {
        struct trace t;
        for (end = i + 1; end < list.n && memcmp(list.at[end].trace_id, list.at[i].trace_id, 16) == 0;) end++;
        trace_build(&t, list.at + i, end - i, &arena);
        add_trace(a, &t);
    }
    arena_release(&arena);
    return rc == OK ? call_check(a->call, a->err) : rc;
}

static int most_critical(const void *x, const void *y)
{
    const struct bottleneck *a = *(struct bottleneck *const *)x, *b = *(struct bottleneck *const *)y;
    if (a->critical_ns != b->critical_ns) return a->critical_ns > b->critical_ns ? -1 : 1;
    if (a->self_ns != b->self_ns) return a->self_ns > b->self_ns ? -1 : 1;
    int c = str_cmp(a->service, b->service);
    return c != 0 ? c : str_cmp(a->operation, b->operation);
}

static int most_critical_edge(const void *x, const void *y)
{
    const struct call_edge *a = *(struct call_edge *const *)x, *b = *(struct call_edge *const *)y;
    if (a->critical_ns != b->critical_ns) return a->critical_ns > b->critical_ns ? -1 : 1;
    return (a->took.sum_ns < b->took.sum_ns) - (a->took.sum_ns > b->took.sum_ns);
}

static int add_all(struct analysing *a, struct store_view *view, const struct trace_found *found)
{
    uint8_t ids[BATCH][16];
    size_t n = 0, spans = 0;
    int rc = OK;
    for (size_t i = 0; i < found->n && rc == OK; i++) {
        if (spans + found->at[i].spans > ANALYSIS_SPANS_MAX && spans > 0) {
            a->out->truncated = true;
            break;
        }
        spans += found->at[i].spans;
        memcpy(ids[n++], found->at[i].id, 16);
        if (n == BATCH || i + 1 == found->n) {
            rc = add_batch(a, view, (const uint8_t(*)[16])ids, n);
            n = 0;
        }
    }
    return rc == OK && n > 0 ? add_batch(a, view, (const uint8_t(*)[16])ids, n) : rc;
}

int trace_analyse(struct store_view *view, struct call *call, const struct trace_search *ask,
                  struct trace_analysis *out, struct err *e)
{
    struct analysing a = { .out = out, .call = call, .err = e };
    struct trace_found found;

    *out = (struct trace_analysis){ 0 };
    int rc = trace_search(view, call, ask, &found, e);
    if (rc < 0) return rc;
    out->truncated = found.more;
    texts_init(&a.texts, call->arena);
    map_init(&a.operation_of, 256);
    map_init(&a.edge_of, 256);
    rc = add_all(&a, view, &found);
    map_release(&a.edge_of);
    map_release(&a.operation_of);
    texts_release(&a.texts);
    if (out->n_operations > 1)
        qsort(out->operations, out->n_operations, sizeof *out->operations, most_critical);
    if (out->n_edges > 1) qsort(out->edges, out->n_edges, sizeof *out->edges, most_critical_edge);
    return rc;
}
