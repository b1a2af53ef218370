/* push_otlp.c - OTLP over HTTP and gRPC: one way through for three signals, two ways to answer. */
#include "receive/push_otlp.h"

#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "decode/otlp_logs.h"
#include "decode/otlp_traces.h"
#include "decode/protobuf.h"

enum form { FORM_PROTO, FORM_JSON };

/* The three signals: where they are decoded, and what OTLP calls a row that was refused. */
struct signal {
    enum table table;
    const char *rejected;
    record_decoder *proto, *json; /* NULL: metrics have a form of their own */
};

static const struct signal metrics = { TABLE_METRICS, "rejectedDataPoints", NULL, NULL };
static const struct signal traces = { TABLE_SPANS, "rejectedSpans", otlp_traces_proto, otlp_traces_json };
static const struct signal logs = { TABLE_LOGS, "rejectedLogRecords", otlp_logs_proto, otlp_logs_json };

/* What the answer needs: in the arena of the exchange or call. */
struct way {
    struct push_otlp *doors;
    const struct signal *signal;
    struct grpc_call *call; /* NULL: HTTP */
};

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

enum { ANSWER_MAX = 16 << 10, ACCOUNT_MAX = 4 << 10 };

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

static void partial_proto(uint64_t refused, struct str text, struct buf *out)
{
    size_t at = pb_put_begin(out, 1);
    if (refused > 0) pb_put_varint(out, 1, refused);
    pb_put_bytes(out, 2, text);
    pb_put_end(out, at);
}

static void partial_json(const struct signal *signal, uint64_t refused, struct str text, struct buf *out)
{
    struct json_writer w;
    char digits[24]; /* JSON of protobuf writes 64-bit integers as strings */
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)refused);
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_put_key(&w, STR("partialSuccess"));
    json_begin_object(&w);
    if (refused > 0) json_kv_cs(&w, signal->rejected, digits);
    json_kv_string(&w, "errorMessage", text);
    json_end_object(&w);
    json_end_object(&w);
}

/* What the sender should know of a request that was taken; empty: nothing. */
static void account(const struct ingest_request *q, const struct signal *signal, struct buf *out)
{
    uint64_t refused = ingest_refused(q);
    if (signal->table == TABLE_METRICS && refused > 0)
        buf_printf(out, "%llu data points refused, the others kept; first: %s", (unsigned long long)refused,
                   ingest_why(q));
    if (signal->table == TABLE_METRICS) return;
    record_report_text(&q->report, out);
    if (q->kept.rejected_total > 0)
        buf_printf(out, "%s%llu refused by the store; first: %s", out->n > 0 ? "; " : "",
                   (unsigned long long)q->kept.rejected_total, q->kept.why);
}

/* Export...Response: empty when all was kept as it came. */
static void success_message(const struct ingest_request *q, struct buf *out)
{
    const struct way *way = q->door;
    struct buf text = BUF_INIT(ACCOUNT_MAX);
    account(q, way->signal, &text);
    if (text.n == 0) {
        if (q->form == FORM_JSON) buf_cs(out, "{}");
    } else if (q->form == FORM_JSON)
        partial_json(way->signal, ingest_refused(q), buf_view(&text), out);
    else
        partial_proto(ingest_refused(q), buf_view(&text), out);
    buf_release(&text);
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
        success_message(q, &out);
    ingest_answer(q, v.http, type_of((enum form)q->form), buf_view(&out));
    buf_release(&out);
}

static void grpc_answer_to(struct ingest_request *q)
{
    struct buf out = BUF_INIT(ANSWER_MAX);
    struct verdict v = verdict_of(q->rc);
    const struct way *way = q->door;
    if (q->rc == OK) success_message(q, &out);
    ingest_count(q->in, v.http);
    grpc_answer(way->call, v.grpc, buf_view(&out), q->rc < 0 ? q->err.text : "", v.retry_ms);
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

static int decode_metrics(struct push_otlp *p, struct ingest_request *q, enum form form, struct str body,
                          struct err *e)
{
    const struct limit *limit = &q->in->limit;
    struct otlp_options options = p->options;
    options.now_ms = clock_now_ms();
    options.latest_ms = options.now_ms + limit->future_ms;
    return (form == FORM_JSON ? otlp_metrics_json : otlp_metrics_proto)(body, &options, &limit->decode,
                                                                        &q->arena, &q->batch, &q->refused, e);
}

/* From body to rows on their way to disk. */
static void take_in(struct ingest_request *q, enum form form, struct str body)
{
    const struct way *way = q->door;
    const struct signal *signal = way->signal;
    struct err e = ERR_INIT;
    int rc =
        signal->table == TABLE_METRICS
            ? decode_metrics(way->doors, q, form, body, &e)
            : ingest_decode(q, signal->table, form == FORM_JSON ? signal->json : signal->proto, body, &e);
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

static struct way *way_of(struct arena *a, struct push_otlp *p, const struct signal *signal,
                          struct grpc_call *call)
{
    struct way *way = arena_alloc(a, sizeof *way);
    *way = (struct way){ p, signal, call };
    return way;
}

static void handle_http(struct http_exchange *x, struct push_otlp *p, const struct signal *signal)
{
    struct ingest_request *q = ingest_begin(&p->http, x);
    enum form form;
    struct str body;
    struct err e = ERR_INIT;
    int rc = form_of(http_header(x, "Content-Type"), &form, &e);

    q->door = way_of(http_arena(x), p, signal, NULL);
    q->form = form;
    if (rc == OK) rc = ingest_body(q, UNPACK_IDENTITY, &body, &e);
    if (rc == OK)
        take_in(q, form, body);
    else
        fail(q, &e);
    ingest_finish(q, http_answer_to);
}

static void http_metrics(struct http_exchange *x, void *ctx)
{
    handle_http(x, ctx, &metrics);
}

static void http_traces(struct http_exchange *x, void *ctx)
{
    handle_http(x, ctx, &traces);
}

static void http_logs(struct http_exchange *x, void *ctx)
{
    handle_http(x, ctx, &logs);
}

/* ---- gRPC: one thread has all connections, so what takes long is done by others ---- */

/* Decoding some 100 MB/s: what is smaller costs less than handing it over. */
#define AT_ONCE_BYTES (16u << 10)

static void grpc_job(void *arg)
{
    struct ingest_request *q = arg;
    const struct way *way = q->door;
    take_in(q, FORM_PROTO, grpc_message(way->call));
    ingest_finish(q, grpc_answer_to);
}

static void handle_grpc(struct grpc_call *call, struct push_otlp *p, const struct signal *signal)
{
    struct ingest_request *q = ingest_begin(&p->grpc, NULL);
    const size_t n = grpc_message(call).n;
    struct err e = ERR_INIT;

    q->form = FORM_PROTO;
    ingest_in_flight(q, n);
    q->door = way_of(grpc_arena(call), p, signal, call);
    stat_add(p->grpc.bytes, n);
    if (p->pool == NULL || n < AT_ONCE_BYTES) {
        grpc_job(q);
        return;
    }
    if (work_post(p->pool, grpc_job, q)) return;
    err_set(&e, ERR_BUSY, "too many requests wait to be decoded");
    fail(q, &e);
    ingest_finish(q, grpc_answer_to);
}

static void grpc_metrics(struct grpc_call *call, void *ctx)
{
    handle_grpc(call, ctx, &metrics);
}

static void grpc_traces(struct grpc_call *call, void *ctx)
{
    handle_grpc(call, ctx, &traces);
}

static void grpc_logs(struct grpc_call *call, void *ctx)
{
    handle_grpc(call, ctx, &logs);
}

const struct http_route push_otlp_routes[] = {
    { "POST", "/v1/metrics", http_metrics },
    { "POST", "/otlp/v1/metrics", http_metrics },
    { "POST", "/api/v1/otlp/v1/metrics", http_metrics },
    { "POST", "/v1/traces", http_traces },
    { "POST", "/otlp/v1/traces", http_traces },
    { "POST", "/v1/logs", http_logs },
    { "POST", "/otlp/v1/logs", http_logs },
};
const size_t push_otlp_n_routes = COUNT(push_otlp_routes);

#define SERVICE(signal) "/opentelemetry.proto.collector." signal "Service/Export"
const struct grpc_method push_otlp_methods[] = {
    { SERVICE("metrics.v1.Metrics"), grpc_metrics },
    { SERVICE("trace.v1.Trace"), grpc_traces },
    { SERVICE("logs.v1.Logs"), grpc_logs },
};
const size_t push_otlp_n_methods = COUNT(push_otlp_methods);
