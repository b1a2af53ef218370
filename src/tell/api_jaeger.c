/* api_jaeger.c - Jaeger's query API v1, as Grafana and Jaeger's own pages call it. */
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "decode/otlp_traces.h"
#include "decode/otlp_write.h"
#include "query/traces/window.h"
#include "tell/api_jaeger_impl.h"
#include "tell/missing.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000
#define DAY_NS        INT64_C(86400000000000)

/* ---- the envelope ---- */

static void begin_answer(struct json_writer *w, struct buf *out)
{
    json_writer_init(w, out);
    json_begin_object(w);
    json_put_key(w, STR("data"));
}

static void end_answer(struct http_exchange *x, struct json_writer *w, size_t total)
{
    json_kv_i64(w, "total", (int64_t)total);
    json_kv_i64(w, "limit", 0);
    json_kv_i64(w, "offset", 0);
    json_put_key(w, STR("errors"));
    json_put_null(w);
    json_end_object(w);
    trace_answer(x, w->out);
}

static void fail(struct http_exchange *x, int code, struct str text)
{
    struct buf out = BUF_INIT(64 << 10);
    buf_printf(&out,
               "{\"data\":null,\"total\":0,\"limit\":0,\"offset\":0,\"errors\":[{\"code\":%d,\"msg\":", code);
    json_escape(&out, text);
    buf_cs(&out, "}]}");
    http_answer_buf(x, code, "application/json", &out);
}

static int code_of(int rc)
{
    switch (rc) {
    case ERR_PARSE:
    case ERR_RANGE: return 400;
    case ERR_FIND: return 404;
    case ERR_LIMIT: return 422;
    case ERR_CANCEL: return 499;
    case ERR_TIMEOUT:
    case ERR_BUSY: return 503;
    default: return 500;
    }
}

static void fail_with(struct http_exchange *x, const struct err *e)
{
    fail(x, code_of(e->code), str_of(e->text));
}

/* ---- names ---- */

static void run_services(struct http_exchange *x, const struct prometheus_api *api)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    struct trace_query q;
    struct str *names;
    size_t n;

    if (!trace_query_open(&q, x, api)) return trace_query_release(&q);
    if (jaeger_services(&q, &names, &n) < 0) {
        fail_with(x, &q.err);
    } else {
        begin_answer(&w, &out);
        json_begin_array(&w);
        for (size_t i = 0; i < n; i++) json_put_string(&w, names[i]);
        json_end_array(&w);
        end_answer(x, &w, n);
    }
    trace_query_release(&q);
}

void handle_jaeger_services(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_services);
}

static void answer_operations(struct http_exchange *x, const struct prometheus_api *api, struct str service,
                              bool with_kinds)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    struct trace_query q;
    struct jaeger_operation *at;
    size_t n;

    if (!trace_query_open(&q, x, api)) return trace_query_release(&q);
    if (jaeger_operations(&q, service, http_param(x, "spanKind"), with_kinds, &at, &n) < 0) {
        fail_with(x, &q.err);
    } else {
        begin_answer(&w, &out);
        json_begin_array(&w);
        for (size_t i = 0; i < n; i++) {
            if (!with_kinds) {
                json_put_string(&w, at[i].name);
                continue;
            }
            json_begin_object(&w);
            json_kv_string(&w, "name", at[i].name);
            json_kv_cs(&w, "spanKind", jaeger_kind(at[i].kind));
            json_end_object(&w);
        }
        json_end_array(&w);
        end_answer(x, &w, n);
    }
    trace_query_release(&q);
}

static void run_service_operations(struct http_exchange *x, const struct prometheus_api *api)
{
    answer_operations(x, api, http_path_param(x, "service"), false);
}

void handle_jaeger_service_operations(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_service_operations);
}

static void run_operations(struct http_exchange *x, const struct prometheus_api *api)
{
    struct str service = http_param(x, "service");
    if (service.n == 0)
        fail(x, 400, STR("parameter 'service' is required"));
    else
        answer_operations(x, api, service, true);
}

void handle_jaeger_operations(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_operations);
}

/* ---- traces ---- */

static void answer_traces(struct trace_query *q, const struct trace_records *r)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    size_t total = 0;

    begin_answer(&w, &out);
    json_begin_array(&w);
    for (size_t i = 0; i < r->n; i++) {
        size_t n = r->begin[i + 1] - r->begin[i];
        if (n == 0) continue;
        jaeger_trace_json(&w, r->list.at + r->begin[i], n, q->arena, clock_now_ms() * 1000000);
        total++;
    }
    json_end_array(&w);
    end_answer(q->x, &w, total);
}

/* tags={"k":"v"}, and the older tag=k:v, which may be repeated. */
static struct str tags_of(struct http_exchange *x, struct arena *a)
{
    struct str *old, tags = http_param(x, "tags");
    size_t n = http_params(x, "tag", &old);
    if (tags.n > 0 || n == 0) return tags;
    struct buf json = BUF_INIT(1 << 20);
    for (size_t i = 0; i < n; i++) {
        struct str value, key = str_cut(old[i], ':', &value);
        buf_char(&json, i == 0 ? '{' : ',');
        json_escape(&json, key);
        buf_char(&json, ':');
        json_escape(&json, value);
    }
    buf_char(&json, '}');
    tags = arena_str(a, buf_view(&json));
    buf_release(&json);
    return tags;
}

static int take_times(struct http_exchange *x, struct jaeger_ask *ask, struct err *e)
{
    int64_t now_ns = clock_now_ms() * 1000000, back = 0;
    struct str lookback = http_param(x, "lookback");
    int rc = take_trace_time(x, "end", MAX(now_ns, 0) + DAY_NS, &ask->to_ns, e);

    if (rc < 0) return rc;
    if (lookback.n > 0 && trace_duration(lookback, &back)) ask->from_ns = MAX(ask->to_ns - back, 0);
    return take_trace_time(x, "start", ask->from_ns, &ask->from_ns, e);
}

static int take_ask(struct http_exchange *x, struct jaeger_ask *ask, struct arena *a, struct err *e)
{
    int rc;
    *ask = (struct jaeger_ask){ .service = http_param(x, "service"),
                                .operation = http_param(x, "operation"),
                                .tags = tags_of(x, a) };
    if (ask->service.n == 0) return err_set(e, ERR_PARSE, "parameter 'service' is required");
    if (str_is(ask->operation, "all")) ask->operation.n = 0;
    if ((rc = take_times(x, ask, e)) < 0) return rc;
    if ((rc = take_trace_duration(x, "minDuration", &ask->min_ns, e)) < 0) return rc;
    if ((rc = take_trace_duration(x, "maxDuration", &ask->max_ns, e)) < 0) return rc;
    return take_count(x, "limit", LIMIT_DEFAULT, LIMIT_MAX, &ask->limit, e);
}

static int find_traces(struct trace_query *q, uint8_t (**ids)[16], size_t *n)
{
    struct str *given;
    size_t n_given = http_params(q->x, "traceID", &given);
    struct jaeger_ask ask;
    struct trace_found found;
    int rc;

    *n = n_given;
    if (n_given > LIMIT_MAX) return err_set(&q->err, ERR_LIMIT, "more than %d trace ids", LIMIT_MAX);
    if (n_given > 0) {
        *ids = arena_array(q->arena, n_given, sizeof **ids);
        for (size_t i = 0; i < n_given; i++)
            if (!trace_id_read(given[i], (*ids)[i]))
                return err_set(&q->err, ERR_PARSE, "cannot parse traceID param");
        return OK;
    }
    if ((rc = take_ask(q->x, &ask, q->arena, &q->err)) < 0) return rc;
    if ((rc = jaeger_search(q, &ask, &found)) < 0) return rc;
    *n = found.n;
    *ids = arena_array(q->arena, found.n, sizeof **ids);
    for (size_t i = 0; i < found.n; i++) memcpy((*ids)[i], found.at[i].id, 16);
    return OK;
}

static void run_traces(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct trace_records r;
    uint8_t(*ids)[16] = NULL;
    size_t n = 0;

    if (trace_query_open(&q, x, api)) {
        if (find_traces(&q, &ids, &n) < 0 || jaeger_load(&q, (const uint8_t(*)[16])ids, n, &r) < 0)
            fail_with(x, &q.err);
        else
            answer_traces(&q, &r);
    }
    trace_query_release(&q);
}

void handle_jaeger_traces(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_traces);
}

/* ---- one trace: Jaeger's JSON, or OTLP for those that ask for protobuf (Tempo's v1) ---- */

static bool wants_protobuf(const struct http_exchange *x)
{
    struct str accept = http_header(x, "Accept");
    return accept.n > 0 && memmem(accept.p, accept.n, "application/protobuf", 20) != NULL;
}

static void answer_protobuf(struct http_exchange *x, const struct trace_records *r)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    otlp_write_spans_proto(r->list.at, r->list.n, &out);
    if (!out.full) {
        missing_header(x);
        http_answer_buf(x, 200, "application/protobuf", &out);
        return;
    }
    buf_release(&out);
    fail(x, 422, STR("the trace is larger than an answer may be"));
}

static void run_trace(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct trace_records r;
    uint8_t id[1][16];

    if (!trace_query_open(&q, x, api))
        ;
    else if (!trace_id_read(http_path_param(x, "id"), id[0]))
        fail(x, 400, STR("cannot parse traceID param"));
    else if (jaeger_load(&q, (const uint8_t(*)[16])id, 1, &r) < 0)
        fail_with(x, &q.err);
    else if (r.list.n == 0)
        fail(x, 404, STR("trace not found"));
    else if (wants_protobuf(x))
        answer_protobuf(x, &r);
    else
        answer_traces(&q, &r);
    trace_query_release(&q);
}

void handle_jaeger_trace(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_trace);
}

/* ---- dependencies ---- */

static int take_dependencies(struct http_exchange *x, int64_t *from_ns, int64_t *to_ns, struct err *e)
{
    int64_t back_ms = 86400000;
    struct str lookback = http_param(x, "lookback");
    int rc = take_trace_time(x, "endTs", clock_now_ms() * 1000000, to_ns, e);
    if (rc < 0) return rc;
    if (lookback.n > 0 && (!str_to_i64(lookback, &back_ms) || back_ms < 0))
        return err_set(e, ERR_PARSE, "unable to parse param 'lookback': not a number of milliseconds");
    *from_ns = back_ms > *to_ns / 1000000 ? 0 : *to_ns - back_ms * 1000000;
    return OK;
}

static void answer_dependencies(struct http_exchange *x, const struct service_map *map)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;

    begin_answer(&w, &out);
    json_begin_array(&w);
    for (size_t i = 0; i < map->n_edges; i++) {
        json_begin_object(&w);
        json_kv_string(&w, "parent", map->nodes[map->edges[i]->from].name);
        json_kv_string(&w, "child", map->nodes[map->edges[i]->to].name);
        json_kv_i64(&w, "callCount", (int64_t)map->edges[i]->calls);
        json_end_object(&w);
    }
    json_end_array(&w);
    end_answer(x, &w, map->n_edges);
}

static void run_dependencies(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct service_map map;
    int64_t from_ns = 0, to_ns = 0;

    if (trace_query_open(&q, x, api)) {
        if (take_dependencies(x, &from_ns, &to_ns, &q.err) < 0 ||
            window_map(q.view, &q.c.call, MAP_SERVICES, from_ns, to_ns, &map, &q.err) < 0)
            fail_with(x, &q.err);
        else
            answer_dependencies(x, &map);
    }
    trace_query_release(&q);
}

void handle_jaeger_dependencies(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_dependencies);
}

/* ---- OTLP JSON of a file, shown as a trace ---- */

static int by_trace(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    int c = memcmp(x->trace_id, y->trace_id, 16);
    return c != 0 ? c : (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

static int read_body(struct trace_query *q, struct record_list *list)
{
    struct record_options options = { .now_ns = clock_now_ms() * 1000000 };
    struct record_report report = { 0 };
    struct records records;
    int rc;

    *list = (struct record_list){ 0 };
    records_init(&records, q->arena, TABLE_SPANS);
    rc = otlp_traces_json(http_body(q->x), &options, &records, &report, &q->err);
    records_end(&records);
    if (rc < 0) return rc;
    list->at = arena_array(q->arena, records.n + 1, sizeof *list->at);
    for (size_t c = 0; c < records.n_chunks && rc == OK; c++) {
        struct record_reader reader;
        if ((rc = record_chunk_open(&reader, records.chunks[c].bytes, q->arena, &q->err)) < 0) break;
        for (size_t i = 0; i < reader.n; i++) record_chunk_get(&reader, i, q->arena, &list->at[list->n++]);
    }
    if (list->n > 1) qsort(list->at, list->n, sizeof *list->at, by_trace);
    return rc;
}

static void run_transform(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct trace_records r = { .n = 0 };

    if (trace_query_open(&q, x, api)) {
        if (read_body(&q, &r.list) < 0) {
            fail_with(x, &q.err);
        } else {
            r.begin = arena_zero(q.arena, (r.list.n + 2) * sizeof *r.begin);
            for (size_t i = 0; i < r.list.n; i++) {
                if (i == 0 || memcmp(r.list.at[i].trace_id, r.list.at[i - 1].trace_id, 16) != 0) r.n++;
                r.begin[r.n] = i + 1;
            }
            answer_traces(&q, &r);
        }
    }
    trace_query_release(&q);
}

void handle_jaeger_transform(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_transform);
}

/* ---- what there is none of: archives, and metrics other than by PromQL ---- */

void handle_jaeger_none(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    fail(x, 501,
         STR("not offered here: metrics of spans are series, ask for traces_spanmetrics_* by PromQL"));
}

#define BOTH(method, path, handler)                                                                          \
    { method, path, handler },                                                                               \
    {                                                                                                        \
        method, "/jaeger" path, handler                                                                      \
    }

const struct http_route jaeger_routes[] = {
    BOTH("GET", "/api/services", handle_jaeger_services),
    BOTH("GET", "/api/services/{service}/operations", handle_jaeger_service_operations),
    BOTH("GET", "/api/operations", handle_jaeger_operations),
    BOTH("GET", "/api/traces", handle_jaeger_traces),
    BOTH("GET", "/api/traces/{id}", handle_jaeger_trace),
    BOTH("GET", "/api/dependencies", handle_jaeger_dependencies),
    BOTH("POST", "/api/transform", handle_jaeger_transform),
    BOTH("POST", "/api/archive/{id}", handle_jaeger_none),
    BOTH("GET", "/api/metrics/latencies", handle_jaeger_none),
    BOTH("GET", "/api/metrics/calls", handle_jaeger_none),
    BOTH("GET", "/api/metrics/errors", handle_jaeger_none),
    BOTH("GET", "/api/metrics/minstep", handle_jaeger_none),
    BOTH("GET", "/api/v3/services", handle_jaeger3_services),
    BOTH("GET", "/api/v3/operations", handle_jaeger3_operations),
    BOTH("GET", "/api/v3/traces", handle_jaeger3_traces),
    BOTH("GET", "/api/v3/traces/{id}", handle_jaeger3_trace),
    BOTH("GET", "/api/v3/trace-summaries", handle_jaeger3_summaries),
};
const size_t jaeger_routes_count = COUNT(jaeger_routes);
