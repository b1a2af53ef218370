#include "receive/push_elastic.h"

#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "decode/elastic_bulk.h"

#define JSON       "application/json"
#define ANSWER_MAX (64u << 20)

/* The version whose clients' greetings we answer. */
#define ELASTIC_VERSION "8.15.0"

void push_elastic_init(struct push_elastic *p, struct store *store, const struct limit *limit)
{
    ingest_init(&p->in, "elastic_bulk", store, limit);
}

static void say_product(struct http_exchange *x)
{
    http_answer_header(x, "X-Elastic-Product", STR("Elasticsearch"));
}

/* ---- bulk ---- */

struct bulk {
    struct elastic_items items;
    int64_t began_ns;
};

static void put_error(struct buf *out, int status, const char *reason)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_put_key(&w, STR("error"));
    json_begin_object(&w);
    json_kv_cs(&w, "type", status == 429 ? "es_rejected_execution_exception" : "illegal_argument_exception");
    json_kv_cs(&w, "reason", reason);
    json_end_object(&w);
    json_kv_i64(&w, "status", status);
    json_end_object(&w);
}

static void bulk_answer(struct ingest_request *q)
{
    struct buf out = BUF_INIT(ANSWER_MAX);
    struct bulk *b = q->door;
    int status = q->rc < 0 ? ingest_status(q->rc) : 200;
    say_product(q->x);
    if (q->kept.rejected_total > 0) elastic_items_too_old(&b->items, q->kept.rejected_total);
    if (q->rc < 0)
        put_error(&out, status, q->err.text);
    else
        elastic_answer(&b->items, (clock_mono_ns() - b->began_ns) / 1000000, &out);
    ingest_answer(q, status, JSON, buf_view(&out));
    buf_release(&out);
}

static int bulk_decode(struct ingest_request *q, struct bulk *b, struct err *e)
{
    struct str body;
    int rc = ingest_body(q, UNPACK_IDENTITY, &body, e);
    if (rc < 0) return rc;
    rc = elastic_bulk(body, ingest_options(q, TABLE_LOGS), &b->items, ingest_records(q, TABLE_LOGS),
                      &q->report, e);
    ingest_decoded(q, body);
    return rc;
}

static void handle_bulk(struct http_exchange *x, void *ctx)
{
    struct push_elastic *p = ctx;
    struct ingest_request *q = ingest_begin(&p->in, x);
    struct bulk *b = arena_zero(http_arena(x), sizeof *b);
    struct err e = ERR_INIT;

    b->began_ns = clock_mono_ns();
    b->items.arena = http_arena(x);
    b->items.index = http_path_param(x, "index");
    q->door = b;
    if (bulk_decode(q, b, &e) < 0) {
        q->rc = e.code;
        q->err = e;
    } else
        ingest_write(q);
    ingest_finish(q, bulk_answer);
}

/* ---- greetings: fixed answers ---- */

static void say(struct http_exchange *x, const char *type, struct str body)
{
    say_product(x);
    http_answer(x, 200, type, body);
}

static void handle_info(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    say(x, JSON,
        STR("{\"name\":\"vedette\",\"cluster_name\":\"vedette\",\"cluster_uuid\":\"vedette\",\"version\":{"
            "\"number\":\"" ELASTIC_VERSION "\",\"build_flavor\":\"default\",\"build_type\":\"deb\","
            "\"lucene_version\":\"9.11.1\",\"minimum_wire_compatibility_version\":\"7.17.0\","
            "\"minimum_index_compatibility_version\":\"7.0.0\"},\"tagline\":\"You Know, for Search\"}"));
}

static void handle_health(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    say(x, JSON,
        STR("{\"cluster_name\":\"vedette\",\"status\":\"green\",\"timed_out\":false,\"number_of_nodes\":1,"
            "\"number_of_data_nodes\":1,\"active_primary_shards\":0,\"active_shards\":0,"
            "\"unassigned_shards\":0}"));
}

static void handle_cat_health(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    say(x, "text/plain; charset=utf-8", STR("vedette green 1 1 0 0 0 0 0 0 - 100.0%\n"));
}

static void handle_license(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    say(x, JSON,
        STR("{\"license\":{\"status\":\"active\",\"uid\":\"vedette\",\"type\":\"basic\",\"mode\":\"basic\"}"
            "}"));
}

static void handle_xpack(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    say(x, JSON,
        STR("{\"license\":{\"status\":\"active\",\"uid\":\"vedette\",\"type\":\"basic\",\"mode\":\"basic\"},"
            "\"features\":{\"ilm\":{\"available\":false,\"enabled\":false}}}"));
}

static void handle_nodes(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    say(x, JSON, STR("{\"cluster_name\":\"vedette\",\"nodes\":{}}"));
}

static void handle_there(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    say(x, JSON, STR("{}"));
}

static void handle_acknowledge(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    say(x, JSON, STR("{\"acknowledged\":true}"));
}

#define KEPT_NOWHERE(path)                                                                                   \
    { "GET", path, handle_there }, { "PUT", path, handle_acknowledge },                                      \
    {                                                                                                        \
        "POST", path, handle_acknowledge                                                                     \
    }

const struct http_route push_elastic_routes[] = {
    { "POST", "/elastic/_bulk", handle_bulk },
    { "PUT", "/elastic/_bulk", handle_bulk },
    { "POST", "/elastic/{index}/_bulk", handle_bulk },
    { "PUT", "/elastic/{index}/_bulk", handle_bulk },
    { "GET", "/elastic", handle_info },
    { "GET", "/elastic/", handle_info },
    { "GET", "/elastic/_cluster/health", handle_health },
    { "GET", "/elastic/_cat/health", handle_cat_health },
    { "GET", "/elastic/_license", handle_license },
    { "GET", "/elastic/_xpack", handle_xpack },
    { "GET", "/elastic/_nodes/http", handle_nodes },
    KEPT_NOWHERE("/elastic/_template/{name}"),
    KEPT_NOWHERE("/elastic/_index_template/{name}"),
    KEPT_NOWHERE("/elastic/_component_template/{name}"),
    KEPT_NOWHERE("/elastic/_ilm/policy/{name}"),
    KEPT_NOWHERE("/elastic/_ingest/pipeline/{name}"),
    KEPT_NOWHERE("/elastic/_data_stream/{name}"),
    KEPT_NOWHERE("/elastic/_alias/{name}"),
    { "GET", "/elastic/{index}", handle_there },
    { "PUT", "/elastic/{index}", handle_acknowledge },
};
const size_t push_elastic_n_routes = COUNT(push_elastic_routes);
