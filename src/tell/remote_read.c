/* remote_read.c - POST /api/v1/read: raw samples for a Prometheus that keeps its past with us. */
#include <string.h>

#include "decode/prom_read.h"
#include "decode/unpack.h"
#include "tell/api_job.h"
#include "tell/external_labels.h"
#include "tell/handlers.h"
#include "tell/missing.h"

struct reading { /* one query of the request */
    const struct prometheus_api *api;
    struct api_call *c;
    struct buf *out;
    struct series_set set;
};

static int put_series(void *ctx, const struct series_rows *rows)
{
    struct reading *r = ctx;
    struct labels l = external_labels_add(r->api, r->set.at[rows->series].labels, &r->c->arena);

    prom_read_series(r->out, l, rows->n, rows->time_ms, rows->value, rows->hist);
    return r->out->full ? ERR_LIMIT : OK;
}

/* A reader asks for our external labels as if the series had them: a match on one of them is fulfilled
 * already. */
static void drop_external(const struct prometheus_api *api, struct prom_read_query *q)
{
    for (size_t i = 0; i < q->n_matchers;) {
        struct matcher *m = &q->matchers[i];
        if (m->op != MATCH_EQ || !external_labels_have(api, m->name, m->value)) {
            i++;
            continue;
        }
        memmove(m, m + 1, (--q->n_matchers - i) * sizeof *m); /* an equality owns no regex */
    }
}

static int read_query(const struct prometheus_api *api, struct api_call *c, struct prom_read_query *q,
                      struct buf *out, struct err *e)
{
    struct reading r = { .api = api, .c = c, .out = out };
    struct store_view *view = NULL;
    size_t result = prom_read_result(out);
    int rc = OK;

    drop_external(api, q);
    if (q->start_ms <= q->end_ms &&
        (rc = store_view_open(api->store, q->start_ms, q->end_ms, &view, e)) == OK &&
        (rc = view_series(view, &c->call, q->matchers, q->n_matchers, 0, &r.set, e)) == OK)
        rc = view_scan(view, &c->call, r.set.at, r.set.n, q->start_ms, q->end_ms, put_series, &r, e);
    store_view_close(view);
    prom_read_result_end(out, result);
    if (out->full)
        return err_set(e, ERR_LIMIT, "the answer is larger than %zu MiB; read a shorter time",
                       ANSWER_MAX_BYTES >> 20);
    return rc;
}

static int read_all(struct http_exchange *x, const struct prometheus_api *api, struct api_call *c,
                    struct buf *packed, struct err *e)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct prom_read req = { 0 };
    struct str body;
    int rc;

    if ((rc = unpack(UNPACK_SNAPPY, http_body(x), UNPACK_SNAPPY_MAX, &c->arena, &body, e)) < 0) return rc;
    rc = prom_read_decode(body, &c->arena, &req, e);
    if (rc == OK && !req.accepts_samples)
        rc = err_set(e, ERR_PARSE, "only the SAMPLES response type is offered");
    for (size_t i = 0; i < req.n && rc == OK; i++) rc = read_query(api, c, &req.queries[i], &out, e);
    if (rc == OK) rc = prom_read_pack(buf_view(&out), packed, e);
    prom_read_release(&req);
    buf_release(&out);
    return rc;
}

static int status_of(int code)
{
    switch (code) {
    case ERR_PARSE:
    case ERR_LIMIT: return 400;
    case ERR_TIMEOUT:
    case ERR_BUSY: return 503;
    default: return 500;
    }
}

static void run_read(struct http_exchange *x, const struct prometheus_api *api)
{
    struct buf packed = BUF_INIT(ANSWER_MAX_BYTES);
    struct api_call c;
    struct err e = ERR_INIT;

    api_call_init(&c, x, api);
    if (read_all(x, api, &c, &packed, &e) < 0) {
        buf_release(&packed);
        respond_text(x, status_of(e.code), "%s", e.text);
    } else {
        missing_header(x);
        http_answer_header(x, "Content-Encoding", STR("snappy"));
        http_answer_buf(x, 200, "application/x-protobuf", &packed);
    }
    api_call_release(&c);
}

void handle_remote_read(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_read);
}
