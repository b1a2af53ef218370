/* api_jaeger_ask.c - what both of Jaeger's APIs ask the store. */
#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"
#include "tell/api_jaeger_impl.h"

/* ---- search ---- */

/* Tags that Jaeger makes of what are fields here. */
static const struct predicate *special_tag(struct arena *a, struct str key, struct str value)
{
    if (str_is(key, "error") && (str_is(value, "true") || str_is(value, "false"))) {
        const struct predicate *failed =
            predicate_cmp(a, PRED_EQ, field_in(IN_STATUS), value_int(STATUS_ERROR));
        return str_is(value, "true") ? failed : predicate_not(a, failed);
    }
    if (str_is(key, "otel.status_code"))
        return predicate_cmp(a, PRED_EQ, field_in(IN_STATUS),
                             value_int(str_is_nocase(value, "ERROR") ? 2
                                       : str_is_nocase(value, "OK")  ? 1
                                                                     : 0));
    if (str_is(key, "span.kind"))
        for (unsigned k = 1; k <= SPAN_CONSUMER; k++)
            if (str_is_nocase(value, span_kind_name(k)))
                return predicate_cmp(a, PRED_EQ, field_in(IN_KIND), value_int(k));
    if (str_is(key, "otel.scope.name"))
        return predicate_cmp(a, PRED_EQ, field_in(IN_SCOPE_NAME), value_str(value));
    return NULL;
}

static int take_tags(struct span_filter *f, struct arena *a, struct str json, struct err *e)
{
    struct json_reader r;
    struct str key, value;

    if (json.n == 0) return OK;
    json_open(&r, json, a);
    if (json_object(&r))
        while (json_key(&r, &key)) {
            if (json_peek(&r) == JSON_STRING ? !json_string(&r, &value) : !json_raw(&r, &value)) break;
            const struct predicate *p = special_tag(a, key, value);
            filter_and(f, a, p != NULL ? p : where_attribute(a, key, value));
        }
    int rc = json_close(&r, e);
    if (rc < 0) err_where(e, "malformed 'tags' parameter, expecting a JSON object of texts");
    return rc;
}

int jaeger_search(struct trace_query *q, const struct jaeger_ask *ask, struct trace_found *found)
{
    struct arena *a = q->arena;
    struct span_filter f = { 0 };
    struct trace_search s = { .from_ns = ask->from_ns, .to_ns = ask->to_ns };

    s.limit = MIN(MAX(ask->limit, (size_t)1), (size_t)SEARCH_LIMIT_MAX);
    if (ask->service.n > 0) filter_and(&f, a, where_service(a, ask->service));
    if (ask->operation.n > 0)
        filter_and(&f, a, predicate_cmp(a, PRED_EQ, field_in(IN_NAME), value_str(ask->operation)));
    if (ask->min_ns > 0)
        filter_and(&f, a, predicate_cmp(a, PRED_GE, field_in(IN_DURATION), value_int(ask->min_ns)));
    if (ask->max_ns > 0)
        filter_and(&f, a, predicate_cmp(a, PRED_LE, field_in(IN_DURATION), value_int(ask->max_ns)));
    int rc = take_tags(&f, a, ask->tags, &q->err);
    s.where = f.where;
    return rc < 0 ? rc : trace_search(q->view, &q->c.call, &s, found, &q->err);
}

/* ---- names ---- */

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

int jaeger_services(struct trace_query *q, struct str **names, size_t *n)
{
    struct value_count *v = NULL;
    size_t n_values = 0;
    int rc = view_field_values(q->view, &q->c.call, TABLE_SPANS, span_fields[COL_SERVICE], NULL, 0, &v,
                               &n_values, &q->err);
    if (rc < 0) return rc;
    *names = arena_array(q->arena, n_values + 1, sizeof **names);
    *n = 0;
    for (size_t i = 0; i < n_values; i++)
        if (v[i].value.type == VALUE_STR && v[i].value.text.n > 0) (*names)[(*n)++] = v[i].value.text;
    if (*n > 1) qsort(*names, *n, sizeof **names, by_text);
    return OK;
}

const char *jaeger_kind(unsigned kind)
{
    return kind == SPAN_UNSPECIFIED ? "" : span_kind_name(kind);
}

static int by_operation(const void *x, const void *y)
{
    const struct jaeger_operation *a = x, *b = y;
    int c = str_cmp(a->name, b->name);
    return c != 0 ? c : (a->kind > b->kind) - (a->kind < b->kind);
}

struct operations {
    struct texts names;
    struct map seen; /* number of name and kind */
    bool with_kinds;
    struct jaeger_operation *at;
    size_t n, cap;
};

static int take_operations(void *ctx, const struct record_rows *rows)
{
    struct operations *o = ctx;
    const char *last = NULL;
    uint32_t number = 0;
    for (size_t i = 0; i < rows->n; i++) {
        struct value name = rows->values[0][i];
        if (name.type != VALUE_STR) continue;
        if (name.text.p != last || !str_eq(o->names.at[number], name.text))
            number = texts_number(&o->names, name.text);
        last = name.text.p;
        unsigned kind = o->with_kinds ? (unsigned)rows->values[1][i].i : 0;
        uint64_t key = ((uint64_t)number << 8 | kind) + 1;
        if (map_find(&o->seen, key, NULL, NULL) != NULL) continue;
        map_add(&o->seen, key, 1);
        o->at = arena_grow(o->names.arena, o->at, o->n, &o->cap, sizeof *o->at);
        o->at[o->n++] = (struct jaeger_operation){ o->names.at[number], kind };
    }
    return OK;
}

int jaeger_operations(struct trace_query *q, struct str service, struct str kind, bool with_kinds,
                      struct jaeger_operation **out, size_t *n)
{
    const struct field fields[] = { field_in(IN_NAME), field_in(IN_KIND) };
    struct span_filter f = { 0 };
    struct operations o = { .with_kinds = with_kinds };

    if (service.n > 0) filter_and(&f, q->arena, where_service(q->arena, service));
    for (unsigned k = 0; kind.n > 0 && k <= SPAN_CONSUMER; k++)
        if (str_is_nocase(kind, span_kind_name(k)) ||
            (str_starts(kind, "SPAN_KIND_") &&
             str_is_nocase(str_make(kind.p + 10, kind.n - 10), span_kind_name(k))))
            filter_and(&f, q->arena, predicate_cmp(q->arena, PRED_EQ, field_in(IN_KIND), value_int(k)));
    struct record_scan scan = { .table = TABLE_SPANS,
                                .to_ns = TRACE_TIME_MAX,
                                .where = f.where,
                                .fields = fields,
                                .n_fields = with_kinds ? 2 : 1 };
    texts_init(&o.names, q->arena);
    map_init(&o.seen, 64);
    int rc = view_records(q->view, &q->c.call, &scan, take_operations, &o, &q->err);
    map_release(&o.seen);
    texts_release(&o.names);
    if (o.n > 1) qsort(o.at, o.n, sizeof *o.at, by_operation);
    *out = o.at;
    *n = o.n;
    return rc;
}

/* ---- records ---- */

struct placed {
    size_t trace, i;
    int64_t time_ns;
};

static int by_trace_and_time(const void *x, const void *y)
{
    const struct placed *a = x, *b = y;
    if (a->trace != b->trace) return a->trace < b->trace ? -1 : 1;
    if (a->time_ns != b->time_ns) return a->time_ns < b->time_ns ? -1 : 1;
    return (a->i > b->i) - (a->i < b->i);
}

static size_t number_of(const uint8_t (*ids)[16], size_t n, const uint8_t id[16])
{
    size_t i = 0;
    while (i < n && memcmp(ids[i], id, 16) != 0) i++;
    return i;
}

int jaeger_load(struct trace_query *q, const uint8_t (*ids)[16], size_t n, struct trace_records *out)
{
    *out = (struct trace_records){ .begin = arena_zero(q->arena, (n + 2) * sizeof(size_t)), .n = n };
    if (n == 0) return OK;
    int rc = records_load(q, TABLE_SPANS, 0, TRACE_TIME_MAX, where_traces(q->arena, ids, n), ORDER_ANY,
                          TRACE_SPANS_MAX, &out->list);
    if (rc < 0) return rc;
    struct placed *p = arena_array(q->arena, out->list.n + 1, sizeof *p);
    struct record *sorted = arena_array(q->arena, out->list.n + 1, sizeof *sorted);
    for (size_t i = 0; i < out->list.n; i++)
        p[i] = (struct placed){ number_of(ids, n, out->list.at[i].trace_id), i, out->list.at[i].time_ns };
    if (out->list.n > 1) qsort(p, out->list.n, sizeof *p, by_trace_and_time);
    for (size_t i = 0; i < out->list.n; i++) {
        sorted[i] = out->list.at[p[i].i];
        out->begin[p[i].trace + 1] = i + 1;
    }
    for (size_t i = 1; i <= n; i++) out->begin[i] = MAX(out->begin[i], out->begin[i - 1]);
    out->list.at = sorted;
    return OK;
}
