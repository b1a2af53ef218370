/* api_jaeger_v3.c - Jaeger's query API v3: OTLP within an envelope of its own. */
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "decode/otlp_write.h"
#include "tell/api_jaeger_impl.h"

#define DEPTH_DEFAULT 100
#define DEPTH_MAX     1000

static void fail(struct http_exchange *x, int code, struct str text)
{
    struct buf out = BUF_INIT(64 << 10);
    buf_printf(&out, "{\"error\":{\"httpCode\":%d,\"message\":", code);
    json_escape(&out, text);
    buf_cs(&out, "}}");
    http_answer_buf(x, code, "application/json", &out);
}

static void fail_with(struct http_exchange *x, const struct err *e)
{
    int code = e->code == ERR_PARSE || e->code == ERR_RANGE    ? 400
               : e->code == ERR_FIND                           ? 404
               : e->code == ERR_LIMIT                          ? 422
               : e->code == ERR_CANCEL                         ? 499
               : e->code == ERR_TIMEOUT || e->code == ERR_BUSY ? 503
                                                               : 500;
    fail(x, code, str_of(e->text));
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
        json_writer_init(&w, &out);
        json_begin_object(&w);
        json_put_key(&w, STR("services"));
        json_begin_array(&w);
        for (size_t i = 0; i < n; i++) json_put_string(&w, names[i]);
        json_end_array(&w);
        json_end_object(&w);
        trace_answer(x, &out);
    }
    trace_query_release(&q);
}

void handle_jaeger3_services(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_services);
}

static struct str either_param(struct http_exchange *x, const char *a, const char *b)
{
    return http_has_param(x, a) ? http_param(x, a) : http_param(x, b);
}

static void run_operations(struct http_exchange *x, const struct prometheus_api *api)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    struct trace_query q;
    struct jaeger_operation *at;
    struct str service = http_param(x, "service");
    size_t n;

    if (!trace_query_open(&q, x, api)) return trace_query_release(&q);
    if (service.n == 0) {
        fail(x, 400, STR("missing parameter: service"));
    } else if (jaeger_operations(&q, service, either_param(x, "spanKind", "span_kind"), true, &at, &n) < 0) {
        fail_with(x, &q.err);
    } else {
        json_writer_init(&w, &out);
        json_begin_object(&w);
        json_put_key(&w, STR("operations"));
        json_begin_array(&w);
        for (size_t i = 0; i < n; i++) {
            json_begin_object(&w);
            json_kv_string(&w, "name", at[i].name);
            json_kv_cs(&w, "spanKind", jaeger_kind(at[i].kind));
            json_end_object(&w);
        }
        json_end_array(&w);
        json_end_object(&w);
        trace_answer(x, &out);
    }
    trace_query_release(&q);
}

void handle_jaeger3_operations(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_operations);
}

/* ---- search ---- */

/* query.serviceName or query.service_name. */
static struct str query_param(struct http_exchange *x, const char *camel)
{
    char camel_name[64], snake[64];
    size_t n = 0;
    snprintf(camel_name, sizeof camel_name, "query.%s", camel);
    for (const char *p = camel_name; *p && n < sizeof snake - 2; p++) {
        bool upper = *p >= 'A' && *p <= 'Z';
        if (upper) snake[n++] = '_';
        snake[n++] = upper ? (char)(*p | 0x20) : *p;
    }
    snake[n] = 0;
    return either_param(x, camel_name, snake);
}

static int needed_time(struct http_exchange *x, const char *name, int64_t *ns, struct err *e)
{
    struct str s = query_param(x, name);
    if (s.n == 0) return err_set(e, ERR_PARSE, "query.%s is required", name);
    return trace_time(s, ns) ? OK : err_set(e, ERR_PARSE, "malformed parameter query.%s", name);
}

static int maybe_duration(struct http_exchange *x, const char *name, int64_t *ns, struct err *e)
{
    struct str s = query_param(x, name);
    *ns = 0;
    return s.n == 0 || trace_duration(s, ns) ? OK
                                             : err_set(e, ERR_PARSE, "malformed parameter query.%s", name);
}

static int take_ask(struct http_exchange *x, struct jaeger_ask *ask, struct err *e)
{
    struct str depth = query_param(x, "searchDepth");
    uint64_t limit = DEPTH_DEFAULT;
    int rc;

    *ask = (struct jaeger_ask){ .service = query_param(x, "serviceName"),
                                .operation = query_param(x, "operationName"),
                                .tags = query_param(x, "attributes") };
    if ((rc = needed_time(x, "startTimeMin", &ask->from_ns, e)) < 0) return rc;
    if ((rc = needed_time(x, "startTimeMax", &ask->to_ns, e)) < 0) return rc;
    if ((rc = maybe_duration(x, "durationMin", &ask->min_ns, e)) < 0) return rc;
    if ((rc = maybe_duration(x, "durationMax", &ask->max_ns, e)) < 0) return rc;
    if (depth.n == 0) depth = query_param(x, "numTraces");
    if (depth.n > 0 && (!str_to_u64(depth, &limit) || limit == 0))
        return err_set(e, ERR_PARSE, "malformed parameter query.searchDepth");
    ask->limit = (size_t)MIN(limit, (uint64_t)DEPTH_MAX);
    return OK;
}

static int find(struct trace_query *q, struct trace_found *found)
{
    struct jaeger_ask ask;
    int rc = take_ask(q->x, &ask, &q->err);
    return rc < 0 ? rc : jaeger_search(q, &ask, found);
}

/* ---- traces ---- */

static void answer_records(struct http_exchange *x, const struct trace_records *r)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    if (r->list.n == 0) {
        fail(x, 404, STR("No traces found"));
        return;
    }
    buf_cs(&out, "{\"result\":");
    otlp_write_spans_json(r->list.at, r->list.n, "resourceSpans", &out);
    buf_char(&out, '}');
    trace_answer(x, &out);
}

static void run_traces(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct trace_found found;
    struct trace_records r = { .n = 0 };
    uint8_t(*ids)[16];

    if (!trace_query_open(&q, x, api)) return trace_query_release(&q);
    int rc = find(&q, &found);
    if (rc == OK) {
        ids = arena_array(q.arena, found.n, sizeof *ids);
        for (size_t i = 0; i < found.n; i++) memcpy(ids[i], found.at[i].id, 16);
        rc = jaeger_load(&q, (const uint8_t(*)[16])ids, found.n, &r);
    }
    if (rc < 0)
        fail_with(x, &q.err);
    else
        answer_records(x, &r);
    trace_query_release(&q);
}

void handle_jaeger3_traces(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_traces);
}

static void run_trace(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct trace_records r;
    uint8_t id[1][16];

    if (!trace_query_open(&q, x, api))
        ;
    else if (!trace_id_read(http_path_param(x, "id"), id[0]))
        fail(x, 400, STR("malformed parameter trace_id"));
    else if (jaeger_load(&q, (const uint8_t(*)[16])id, 1, &r) < 0)
        fail_with(x, &q.err);
    else
        answer_records(x, &r);
    trace_query_release(&q);
}

void handle_jaeger3_trace(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_trace);
}

/* ---- summaries ---- */

static void put_ns(struct json_writer *w, const char *key, int64_t ns)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%lld", (long long)ns);
    json_kv_string(w, key, str_make(digits, (size_t)n));
}

static void put_summary(struct json_writer *w, const struct trace_summary *t)
{
    json_begin_object(w);
    json_kv_hex(w, "traceId", t->id, 16);
    json_kv_string(w, "rootServiceName", t->root_service);
    json_kv_string(w, "rootOperationName", t->root_name);
    put_ns(w, "minStartTimeUnixNano", t->start_ns);
    put_ns(w, "maxEndTimeUnixNano", t->end_ns);
    json_kv_i64(w, "spanCount", t->spans);
    json_kv_i64(w, "errorSpanCount", t->errors);
    json_put_key(w, STR("services"));
    json_begin_array(w);
    for (size_t i = 0; i < t->n_services; i++) {
        json_begin_object(w);
        json_kv_string(w, "name", t->services[i].name);
        json_kv_i64(w, "spanCount", t->services[i].spans);
        json_kv_i64(w, "errorSpanCount", t->services[i].errors);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}

static void run_summaries(struct http_exchange *x, const struct prometheus_api *api)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    struct trace_query q;
    struct trace_found found;

    if (!trace_query_open(&q, x, api)) return trace_query_release(&q);
    if (find(&q, &found) < 0) {
        fail_with(x, &q.err);
    } else {
        json_writer_init(&w, &out);
        json_begin_object(&w);
        json_put_key(&w, STR("summaries"));
        json_begin_array(&w);
        for (size_t i = 0; i < found.n; i++) put_summary(&w, &found.at[i]);
        json_end_array(&w);
        json_end_object(&w);
        trace_answer(x, &out);
    }
    trace_query_release(&q);
}

void handle_jaeger3_summaries(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_summaries);
}
