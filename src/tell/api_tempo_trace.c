/* api_tempo_trace.c - one trace whole, as protobuf or JSON. */
#include "base/check.h"
#include "decode/otlp_write.h"
#include "tell/api_tempo_impl.h"
#include "tell/missing.h"

#define SPANS_MAX (1u << 20)

struct gathering {
    struct record *at;
    size_t n, cap;
    struct arena *arena;
    struct err *err;
};

static int take_records(void *ctx, const struct record_rows *rows)
{
    struct gathering *g = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        if (g->n == SPANS_MAX || arena_over(g->arena))
            return err_set(g->err, ERR_LIMIT, "the trace is larger than a query may load");
        g->at = arena_grow(g->arena, g->at, g->n, &g->cap, sizeof *g->at);
        record_copy(&g->at[g->n++], &rows->records[i], TABLE_SPANS, g->arena);
    }
    return OK;
}

/* 1 to 32 hex digits; shorter ones are padded from the left. */
static bool read_trace_id(struct str text, uint8_t id[16])
{
    if (text.n == 0 || text.n > 32) return false;
    memset(id, 0, 16);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[text.n - 1 - i];
        int digit = c >= '0' && c <= '9'                     ? c - '0'
                    : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                             : -1;
        if (digit < 0) return false;
        id[15 - i / 2] |= (uint8_t)(digit << (i % 2 * 4));
    }
    return true;
}

static int gather(struct http_exchange *x, const struct prometheus_api *api, struct api_call *c,
                  struct gathering *g, struct err *e)
{
    struct store_view *view = NULL;
    uint8_t id[16];
    int rc;

    *g = (struct gathering){ .arena = &c->arena, .err = e };
    if (!read_trace_id(http_path_param(x, "id"), id))
        return err_set(e, ERR_PARSE, "a trace id is 1 to 32 hex digits");
    struct value v = { .type = VALUE_BYTES, .text = str_make(id, 16) };
    struct record_scan scan = { .table = TABLE_SPANS,
                                .to_ns = INT64_MAX,
                                .where = predicate_cmp(&c->arena, PRED_EQ, field_in(IN_TRACE_ID), v),
                                .order = ORDER_TIME };
    if ((rc = store_view_open(api->store, 0, INT64_MAX / 1000000, &view, e)) < 0) return rc;
    rc = view_records(view, &c->call, &scan, take_records, g, e);
    store_view_close(view);
    if (rc == OK && g->n == 0) return err_set(e, ERR_FIND, "trace not found");
    return rc;
}

static void put_varint(struct buf *out, uint8_t tag, const struct buf *body)
{
    buf_u8(out, tag);
    buf_varint(out, body->n);
    buf_str(out, buf_view(body));
}

static void answer(struct http_exchange *x, const struct gathering *g, bool is_v2)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES), body = BUF_INIT(ANSWER_MAX_BYTES);
    struct str accept = http_header(x, "Accept");
    bool is_proto = accept.n > 0 && memmem(accept.p, accept.n, "application/protobuf", 20) != NULL;

    if (is_proto) {
        otlp_write_spans_proto(g->at, g->n, &body);
        if (is_v2)
            put_varint(&out, 1 << 3 | 2, &body); /* TraceByIDResponse.trace; status COMPLETE is 0: absent */
    } else {
        if (is_v2) buf_cs(&out, "{\"trace\":");
        otlp_write_spans_json(g->at, g->n, is_v2 ? "resourceSpans" : "batches", &body);
        buf_str(&out, buf_view(&body));
        if (is_v2) buf_char(&out, '}');
    }
    if (is_proto && !is_v2) buf_str(&out, buf_view(&body));
    out.full |= body.full;
    buf_release(&body);
    if (out.full || !is_proto) {
        tempo_answer_json(x, &out);
    } else {
        missing_header(x);
        http_answer_buf(x, 200, "application/protobuf", &out);
    }
}

static void run(struct http_exchange *x, const struct prometheus_api *api, bool is_v2)
{
    struct gathering g;
    struct api_call c;
    struct err e = ERR_INIT;

    api_call_init(&c, x, api);
    if (gather(x, api, &c, &g, &e) < 0)
        tempo_error(x, &e);
    else
        answer(x, &g, is_v2);
    api_call_release(&c);
}

static void run_v1(struct http_exchange *x, const struct prometheus_api *api)
{
    run(x, api, false);
}

static void run_v2(struct http_exchange *x, const struct prometheus_api *api)
{
    run(x, api, true);
}

void tempo_handle_trace(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_v1);
}

void tempo_handle_trace_v2(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_v2);
}
