/* push_records.c - four protocols, each a few lines: what a body is, who decodes it, what the answer is. */
#include "receive/push_records.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "decode/jaeger_thrift.h"
#include "decode/log_json.h"
#include "decode/loki_push.h"
#include "decode/zipkin.h"

#define ANSWER_MAX (64u << 10)
#define TEXT       "text/plain; charset=utf-8"

void push_records_init(struct push_records *p, struct store *store, const struct limit *limit)
{
    ingest_init(&p->zipkin, "zipkin", store, limit);
    ingest_init(&p->jaeger, "jaeger_thrift", store, limit);
    ingest_init(&p->loki, "loki", store, limit);
    ingest_init(&p->json, "json_lines", store, limit);
}

static struct str media_type(const struct http_exchange *x)
{
    struct str rest;
    return str_trim(str_cut(http_header(x, "Content-Type"), ';', &rest));
}

static int no_such_type(struct str type, const char *use, struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED, "Content-Type \"%.*s\" is not supported: use %s",
                   (int)MIN(type.n, (size_t)64), type.p, use);
}

/* The rest of every handler: rc and e are those of the steps so far. */
static void write_and_answer(struct ingest_request *q, int rc, const struct err *e,
                             void (*answer)(struct ingest_request *))
{
    if (rc < 0) {
        ingest_refuse(q, e);
        return;
    }
    ingest_write(q);
    ingest_finish(q, answer);
}

/* What was not kept as it came, for a sender that reads answers. */
static void answer_account(struct ingest_request *q, int status)
{
    struct buf text = BUF_INIT(ANSWER_MAX);
    record_report_text(&q->report, &text);
    if (q->kept.rejected_total > 0)
        buf_printf(&text, "%s%llu refused by the store; first: %s", text.n > 0 ? "; " : "",
                   (unsigned long long)q->kept.rejected_total, q->kept.why);
    if (text.n > 0) buf_char(&text, '\n');
    ingest_answer(q, status, TEXT, buf_view(&text));
    buf_release(&text);
}

/* ---- spans: Zipkin and Jaeger answer 202 to what they can read ---- */

static void spans_answer(struct ingest_request *q)
{
    if (q->rc < 0)
        ingest_answer_text(q, ingest_status(q->rc), q->err.text);
    else
        answer_account(q, 202);
}

static void handle_spans(struct http_exchange *x, struct ingest *in, record_decoder *decode, bool is_type,
                         const char *use)
{
    struct ingest_request *q = ingest_begin(in, x);
    struct err e = ERR_INIT;
    struct str body;
    int rc = is_type ? OK : no_such_type(media_type(x), use, &e);
    if (rc == OK) rc = ingest_body(q, UNPACK_IDENTITY, &body, &e);
    if (rc == OK) rc = ingest_decode(q, TABLE_SPANS, decode, body, &e);
    write_and_answer(q, rc, &e, spans_answer);
}

static void handle_zipkin(struct http_exchange *x, void *ctx)
{
    struct push_records *p = ctx;
    struct str type = media_type(x);
    bool other = str_is_nocase(type, "application/x-protobuf") || str_is_nocase(type, "application/x-thrift");
    handle_spans(x, &p->zipkin, zipkin_json, !other, "application/json (v2)");
}

static void handle_jaeger(struct http_exchange *x, void *ctx)
{
    struct push_records *p = ctx;
    struct str type = media_type(x);
    bool is_thrift =
        str_is_nocase(type, "application/x-thrift") || str_starts(type, "application/vnd.apache.thrift.");
    handle_spans(x, &p->jaeger, jaeger_thrift, is_thrift, "application/x-thrift");
}

/* ---- Loki ---- */

static void loki_answer(struct ingest_request *q)
{
    if (q->rc < 0)
        ingest_answer_text(q, ingest_status(q->rc), q->err.text);
    else if (ingest_refused(q) > 0)
        answer_account(q, 400);
    else
        ingest_answer(q, 204, TEXT, STR(""));
}

/* Protobuf is packed with snappy, whether its sender says so or not; a few send it plain. */
static int loki_body(struct ingest_request *q, bool is_json, struct str *body, struct err *e)
{
    bool says = http_header(q->x, "Content-Encoding").n > 0;
    int rc = ingest_body(q, is_json ? UNPACK_IDENTITY : UNPACK_SNAPPY, body, e);
    if (rc == ERR_PARSE && !is_json && !says)
        rc = unpack(UNPACK_IDENTITY, http_body(q->x), q->in->limit.body_bytes, &q->arena, body, e);
    return rc;
}

static void handle_loki(struct http_exchange *x, void *ctx)
{
    struct push_records *p = ctx;
    struct ingest_request *q = ingest_begin(&p->loki, x);
    struct err e = ERR_INIT;
    struct str body, type = media_type(x);
    bool is_json = str_is_nocase(type, "application/json");
    int rc = OK;

    if (type.n > 0 && !is_json && !str_is_nocase(type, "application/x-protobuf"))
        rc = no_such_type(type, "application/x-protobuf or application/json", &e);
    if (rc == OK) rc = loki_body(q, is_json, &body, &e);
    if (rc == OK) rc = ingest_decode(q, TABLE_LOGS, is_json ? loki_push_json : loki_push_proto, body, &e);
    write_and_answer(q, rc, &e, loki_answer);
}

/* ---- JSON lines ---- */

/* "line 7: ..." says which. */
static void put_fault(struct json_writer *w, const struct record_fault *f)
{
    unsigned long line = 0;
    json_begin_object(w);
    if (sscanf(f->text, "line %lu", &line) == 1) json_kv_i64(w, "line", (int64_t)line);
    json_kv_cs(w, "error", f->text);
    json_kv_bool(w, "kept", f->reason == REJECT_COUNT);
    json_end_object(w);
}

static void json_answer(struct ingest_request *q)
{
    const uint64_t rejected = ingest_refused(q), accepted = q->kept.logs;
    struct buf out = BUF_INIT(ANSWER_MAX);
    struct json_writer w;
    if (q->rc < 0) {
        ingest_answer_text(q, ingest_status(q->rc), q->err.text);
        return;
    }
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_kv_i64(&w, "accepted", (int64_t)accepted);
    json_kv_i64(&w, "rejected", (int64_t)rejected);
    if (q->report.altered > 0) json_kv_i64(&w, "altered", (int64_t)q->report.altered);
    if (rejected > 0) json_kv_cs(&w, "error", ingest_why(q));
    json_put_key(&w, STR("errors"));
    json_begin_array(&w);
    for (size_t i = 0; i < q->report.n_first; i++) put_fault(&w, &q->report.first[i]);
    json_end_array(&w);
    json_end_object(&w);
    ingest_answer(q, rejected == 0 ? 200 : accepted > 0 ? 207 : 400, "application/json", buf_view(&out));
    buf_release(&out);
}

static void handle_json(struct http_exchange *x, void *ctx)
{
    struct push_records *p = ctx;
    struct ingest_request *q = ingest_begin(&p->json, x);
    struct err e = ERR_INIT;
    struct str body;
    int rc = ingest_body(q, UNPACK_IDENTITY, &body, &e); /* any type: curl says it is a form */
    if (rc == OK) rc = ingest_decode(q, TABLE_LOGS, log_json, body, &e);
    write_and_answer(q, rc, &e, json_answer);
}

const struct http_route push_records_routes[] = {
    { "POST", "/api/v2/spans", handle_zipkin },   { "POST", "/zipkin/api/v2/spans", handle_zipkin },
    { "POST", "/api/traces", handle_jaeger },     { "POST", "/jaeger/api/traces", handle_jaeger },
    { "POST", "/loki/api/v1/push", handle_loki }, { "POST", "/loki-api/loki/api/v1/push", handle_loki },
    { "POST", "/api/v1/logs", handle_json },
};
const size_t push_records_n_routes = COUNT(push_records_routes);
