/* push_otlp.c - OTLP metrics over HTTP and gRPC: one way through, two ways to answer. */
#include "receive/push_otlp.h"

#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "decode/protobuf.h"

enum form { FORM_PROTO, FORM_JSON };

/* ---- what an error code means to a sender ---- */

struct verdict {
    int http;
    enum grpc_status grpc;
    unsigned retry_ms; /* 0: do not repeat */
};

static struct verdict verdict_of(int rc)
{
    switch (rc) {
    case OK: return (struct verdict){ 200, GRPC_OK, 0 };
    case ERR_LIMIT: return (struct verdict){ 413, GRPC_RESOURCE_EXHAUSTED, 0 };
    case ERR_UNSUPPORTED: return (struct verdict){ 415, GRPC_INVALID_ARGUMENT, 0 };
    case ERR_FIND: return (struct verdict){ 404, GRPC_UNIMPLEMENTED, 0 };
    case ERR_BUSY:
    case ERR_TIMEOUT: return (struct verdict){ 429, GRPC_UNAVAILABLE, 1000 };
    case ERR_FULL:
    case ERR_IO:
    case ERR_CORRUPT: return (struct verdict){ 503, GRPC_UNAVAILABLE, 10000 };
    default: return (struct verdict){ 400, GRPC_INVALID_ARGUMENT, 0 };
    }
}

/* ---- messages of answers ---- */

enum { ANSWER_MAX = 16 << 10 };

static void status_message(enum form form, struct verdict v, const char *text, struct buf *out)
{
    struct json_writer w;
    if (form == FORM_PROTO) {
        pb_put_varint(out, 1, v.grpc);
        pb_put_bytes(out, 2, str_of(text));
        return;
    }
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_kv_i64(&w, "code", v.grpc);
    json_kv_cs(&w, "message", text);
    json_end_object(&w);
}

static void partial_proto(uint64_t refused, const char *text, struct buf *out)
{
    size_t at = pb_put_begin(out, 1);
    pb_put_varint(out, 1, refused);
    pb_put_bytes(out, 2, str_of(text));
    pb_put_end(out, at);
}

static void partial_json(uint64_t refused, const char *text, struct buf *out)
{
    struct json_writer w;
    char digits[24]; /* JSON of protobuf writes 64-bit integers as strings */
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)refused);
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_put_key(&w, STR("partialSuccess"));
    json_begin_object(&w);
    json_kv_cs(&w, "rejectedDataPoints", digits);
    json_kv_cs(&w, "errorMessage", text);
    json_end_object(&w);
    json_end_object(&w);
}

/* ExportMetricsServiceResponse: empty when all was kept. */
static void success_message(const struct ingest_request *q, enum form form, struct buf *out)
{
    char text[400];
    uint64_t refused = ingest_refused(q);
    if (refused == 0) {
        if (form == FORM_JSON) buf_cs(out, "{}");
        return;
    }
    snprintf(text, sizeof text, "%llu data points refused, the others kept; first: %s",
             (unsigned long long)refused, ingest_why(q));
    (form == FORM_JSON ? partial_json : partial_proto)(refused, text, out);
}

/* ---- answering ---- */

static const char *type_of(enum form form)
{
    return form == FORM_JSON ? "application/json" : "application/x-protobuf";
}

static void http_answer_to(struct ingest_request *q)
{
    struct buf out = BUF_INIT(ANSWER_MAX);
    struct verdict v = verdict_of(q->rc);
    if (q->rc < 0)
        status_message((enum form)q->form, v, q->err.text, &out);
    else
        success_message(q, (enum form)q->form, &out);
    ingest_answer(q, v.http, type_of((enum form)q->form), buf_view(&out));
    buf_release(&out);
}

static void grpc_answer_to(struct ingest_request *q)
{
    struct buf out = BUF_INIT(ANSWER_MAX);
    struct verdict v = verdict_of(q->rc);
    if (q->rc == OK) success_message(q, FORM_PROTO, &out);
    ingest_count(q->in, v.http);
    grpc_answer(q->door, v.grpc, buf_view(&out), q->rc < 0 ? q->err.text : "", v.retry_ms);
    buf_release(&out);
}

/* ---- the way through ---- */

static int sum_cumulate(void *ctx, struct hash128 stream, uint64_t *start_ns, uint64_t time_ns, double *value,
                        struct err *e)
{
    return delta_sum(ctx, stream, start_ns, time_ns, value, e);
}

static int histogram_cumulate(void *ctx, struct hash128 stream, uint64_t *start_ns, uint64_t time_ns,
                              struct histogram *h, struct arena *a, struct err *e)
{
    return delta_histogram(ctx, stream, start_ns, time_ns, h, a, e);
}

static double n_streams(void *delta)
{
    return (double)delta_streams(delta);
}

void push_otlp_init(struct push_otlp *p, struct store *store, const struct limit *limit,
                    const struct otlp_options *options)
{
    const struct delta_conf conf = DELTA_CONF_DEFAULT;
    *p = (struct push_otlp){ .delta = delta_new(&conf) };
    if (options != NULL) p->options = *options;
    p->cumulate = (struct otlp_cumulate){ p->delta, sum_cumulate, histogram_cumulate };
    p->options.cumulate = &p->cumulate;
    p->streams = stat_ask(STAT_GAUGE, "vedette_otlp_delta_streams", "Delta streams whose sums are kept.",
                          NULL, n_streams, p->delta);
    ingest_init(&p->http, "otlp_http", store, limit);
    ingest_init(&p->grpc, "otlp_grpc", store, limit);
}

void push_otlp_release(struct push_otlp *p)
{
    if (p->delta == NULL) return;
    stat_forget(p->streams);
    delta_free(p->delta);
    p->delta = NULL;
}

static int fail(struct ingest_request *q, const struct err *e)
{
    q->err = *e;
    return q->rc = e->code;
}

/* From body to rows on their way to disk. */
static void take_in(struct push_otlp *p, struct ingest_request *q, enum form form, struct str body)
{
    const struct limit *limit = &q->in->limit;
    struct otlp_options options = p->options;
    struct err e = ERR_INIT;

    options.now_ms = clock_now_ms();
    options.latest_ms = options.now_ms + limit->future_ms;
    int rc = (form == FORM_JSON ? otlp_metrics_json : otlp_metrics_proto)(
        body, &options, &limit->decode, &q->arena, &q->batch, &q->refused, &e);
    if (rc < 0)
        fail(q, &e);
    else
        ingest_write(q);
}

static int form_of(struct str content_type, enum form *out, struct err *e)
{
    struct str rest, type = str_trim(str_cut(content_type, ';', &rest));
    *out = FORM_JSON; /* of the answer, when we do not know better: people can read it */
    if (str_is_nocase(type, "application/json")) return OK;
    if (!str_is_nocase(type, "application/x-protobuf") && !str_is_nocase(type, "application/protobuf"))
        return err_set(
            e, ERR_UNSUPPORTED,
            "Content-Type \"%.*s\" is not supported: use application/x-protobuf or application/json",
            (int)MIN(type.n, (size_t)64), type.p);
    *out = FORM_PROTO;
    return OK;
}

static void handle_http(struct http_exchange *x, void *ctx)
{
    struct push_otlp *p = ctx;
    struct ingest_request *q = ingest_begin(&p->http, x);
    enum form form;
    struct str body;
    struct err e = ERR_INIT;
    int rc = form_of(http_header(x, "Content-Type"), &form, &e);

    q->form = form;
    if (rc == OK) rc = ingest_body(q, UNPACK_IDENTITY, &body, &e);
    if (rc == OK)
        take_in(p, q, form, body);
    else
        fail(q, &e);
    ingest_finish(q, http_answer_to);
}

static void handle_grpc(struct grpc_call *call, void *ctx)
{
    struct push_otlp *p = ctx;
    struct ingest_request *q = ingest_begin(&p->grpc, NULL);
    q->door = call;
    stat_add(p->grpc.bytes, grpc_message(call).n);
    take_in(p, q, FORM_PROTO, grpc_message(call));
    ingest_finish(q, grpc_answer_to);
}

static void handle_not_yet(struct http_exchange *x, void *ctx)
{
    struct push_otlp *p = ctx;
    struct ingest_request *q = ingest_begin(&p->http, x);
    enum form form;
    struct err e = ERR_INIT;
    struct str path = http_path(x);

    form_of(http_header(x, "Content-Type"), &form, &e);
    q->form = form;
    err_set(&e, ERR_FIND, "%.*s: this server does not take traces or logs yet, only metrics (/v1/metrics)",
            (int)MIN(path.n, (size_t)64), path.p);
    fail(q, &e);
    ingest_finish(q, http_answer_to);
}

const struct http_route push_otlp_routes[] = {
    { "POST", "/v1/metrics", handle_http },
    { "POST", "/otlp/v1/metrics", handle_http },
    { "POST", "/api/v1/otlp/v1/metrics", handle_http },
    { "POST", "/v1/traces", handle_not_yet },
    { "POST", "/v1/logs", handle_not_yet },
    { "POST", "/otlp/v1/traces", handle_not_yet },
    { "POST", "/otlp/v1/logs", handle_not_yet },
};
const size_t push_otlp_n_routes = COUNT(push_otlp_routes);

const struct grpc_method push_otlp_methods[] = {
    { "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", handle_grpc },
};
const size_t push_otlp_n_methods = COUNT(push_otlp_methods);
