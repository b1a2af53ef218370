/* window_stats.c - rates, errors, latencies of the spans of a stretch of time, in one pass. */
#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "query/traces/window.h"

#define TRACES_EXACT (4u << 20) /* distinct ids that are counted one by one */

enum { F_TRACE, F_PARENT, F_DURATION, F_NAME, F_STATUS, F_SERVICE, FIELDS };

struct stats {
    struct window_stats *out;
    struct call *call;
    struct err *err;
    int64_t from_ns, to_ns;
    struct texts texts;
    struct map traces;                   /* hashes of ids */
    struct map service_of, operation_of; /* text numbers -> index */
    size_t cap_services, cap_operations;
};

/* The group of this key; past the ceiling that of "other". */
static struct span_group *group_of(struct stats *s, struct map *map, uint64_t key, struct str service,
                                   struct str name, struct span_group ***at, size_t *n, size_t *cap)
{
    const uint64_t *known = map_find(map, key, NULL, NULL);
    if (known != NULL) return (*at)[*known];
    if (*n > WINDOW_GROUPS_MAX) return (*at)[WINDOW_GROUPS_MAX];

    struct span_group *g = arena_zero(s->call->arena, sizeof *g);
    bool other = *n == WINDOW_GROUPS_MAX;
    g->service = other ? STR("other") : service;
    g->name = other && name.n > 0 ? STR("other") : name;
    *at = arena_grow(s->call->arena, *at, *n, cap, sizeof **at);
    (*at)[*n] = g;
    if (!other) map_add(map, key, *n);
    ++*n;
    return g;
}

static void count(struct span_group *g, int64_t time_ns, int64_t duration_ns, bool failed)
{
    g->spans++;
    g->errors += failed;
    g->running += duration_ns == SPAN_UNFINISHED;
    g->last_ns = MAX(g->last_ns, time_ns);
    latency_add(&g->took, duration_ns);
}

static void count_trace(struct stats *s, struct value id)
{
    if (id.type != VALUE_BYTES || s->out->traces_estimated) return;
    uint64_t hash = hash64(id.text.p, id.text.n);
    if (map_find(&s->traces, hash, NULL, NULL) != NULL) return;
    map_add(&s->traces, hash, 1);
    s->out->traces++;
    s->out->traces_estimated = s->out->traces == TRACES_EXACT;
}

static void count_over_time(struct stats *s, int64_t time_ns, bool failed)
{
    double share = ((double)time_ns - (double)s->from_ns) / ((double)s->to_ns - (double)s->from_ns + 1);
    int bucket = (int)(share * WINDOW_BUCKETS);
    bucket = MIN(MAX(bucket, 0), WINDOW_BUCKETS - 1);
    s->out->over_time[bucket]++;
    s->out->errors_over_time[bucket] += failed;
}

static void count_row(struct stats *s, const struct record_rows *rows, size_t i)
{
    struct window_stats *out = s->out;
    const struct value *const *v = rows->values;
    int64_t time_ns = rows->time_ns[i], duration_ns = v[F_DURATION][i].i;
    bool failed = v[F_STATUS][i].i == STATUS_ERROR;
    uint32_t service = texts_number(&s->texts, service_or_unknown(v[F_SERVICE][i]));
    uint32_t name = texts_number(&s->texts, v[F_NAME][i].type == VALUE_STR ? v[F_NAME][i].text : STR("-"));

    out->first_ns = out->spans == 0 ? time_ns : MIN(out->first_ns, time_ns);
    out->last_ns = MAX(out->last_ns, time_ns);
    out->spans++;
    out->errors += failed;
    out->running += duration_ns == SPAN_UNFINISHED;
    out->roots += v[F_PARENT][i].type == VALUE_NONE;
    latency_add(&out->took, duration_ns);
    count_trace(s, v[F_TRACE][i]);
    count_over_time(s, time_ns, failed);
    count(group_of(s, &s->service_of, service + 1, s->texts.at[service], STR(""), &out->services,
                   &out->n_services, &s->cap_services),
          time_ns, duration_ns, failed);
    uint64_t both[2] = { service, name };
    count(group_of(s, &s->operation_of, hash64(both, sizeof both), s->texts.at[service], s->texts.at[name],
                   &out->operations, &out->n_operations, &s->cap_operations),
          time_ns, duration_ns, failed);
}

static int take_rows(void *ctx, const struct record_rows *rows)
{
    struct stats *s = ctx;
    for (size_t i = 0; i < rows->n; i++) count_row(s, rows, i);
    return call_check(s->call, s->err);
}

static int most_spans_first(const void *x, const void *y)
{
    const struct span_group *a = *(struct span_group *const *)x, *b = *(struct span_group *const *)y;
    if (a->spans != b->spans) return a->spans > b->spans ? -1 : 1;
    int c = str_cmp(a->service, b->service);
    return c != 0 ? c : str_cmp(a->name, b->name);
}

int window_stats(struct store_view *view, struct call *call, int64_t from_ns, int64_t to_ns,
                 const struct predicate *where, struct window_stats *out, struct err *e)
{
    const struct field fields[FIELDS] = {
        [F_TRACE] = field_in(IN_TRACE_ID),    [F_PARENT] = field_in(IN_PARENT_ID),
        [F_DURATION] = field_in(IN_DURATION), [F_NAME] = field_in(IN_NAME),
        [F_STATUS] = field_in(IN_STATUS),     [F_SERVICE] = span_fields[COL_SERVICE],
    };
    struct record_scan scan = { .table = TABLE_SPANS,
                                .from_ns = from_ns,
                                .to_ns = to_ns,
                                .where = where,
                                .fields = fields,
                                .n_fields = FIELDS };
    struct stats s = { .out = out, .call = call, .err = e, .from_ns = from_ns, .to_ns = to_ns };

    *out = (struct window_stats){ 0 };
    texts_init(&s.texts, call->arena);
    map_init(&s.traces, 1024);
    map_init(&s.service_of, 64);
    map_init(&s.operation_of, 256);
    int rc = view_records(view, call, &scan, take_rows, &s, e);
    map_release(&s.operation_of);
    map_release(&s.service_of);
    map_release(&s.traces);
    texts_release(&s.texts);
    if (out->n_services > 1) qsort(out->services, out->n_services, sizeof *out->services, most_spans_first);
    if (out->n_operations > 1)
        qsort(out->operations, out->n_operations, sizeof *out->operations, most_spans_first);
    return rc;
}
