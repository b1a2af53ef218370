#include "derive/service_graph.h"

#include "base/check.h"
#include "base/mem.h"
#include "derive/span_metrics.h"
#include "derive/waiting.h"

enum role { CLIENT, SERVER };
enum connection { PLAIN, MESSAGING, DATABASE, VIRTUAL };
enum { REQUESTS, FAILED, COUNTS };
enum { SERVER_SECONDS, CLIENT_SECONDS, HISTS };

struct service_graph {
    struct series_out *out;
    struct waiting *waiting;
    uint64_t unpaired;
    int64_t now_ms; /* of the call under way */
};

struct edge {
    struct str client, server;
    enum connection connection;
    double client_seconds, server_seconds;
    bool has_failed;
};

static void count(struct service_graph *g, const struct edge *e)
{
    static const char *const connections[] = { "", "messaging_system", "database", "virtual_node" };
    const struct str values[] = { e->client, e->server, str_of(connections[e->connection]) };
    struct out_row *row = series_out_row(g->out, values, g->now_ms);
    series_out_count(g->out, row, REQUESTS, 1);
    series_out_count(g->out, row, FAILED, e->has_failed);
    series_out_observe(g->out, row, SERVER_SECONDS, e->server_seconds);
    series_out_observe(g->out, row, CLIENT_SECONDS, e->client_seconds);
}

static void pair(struct service_graph *g, const struct half *client, const struct half *server)
{
    count(g, &(struct edge){ waiting_text(&client->name), waiting_text(&server->name),
                             (enum connection)client->connection, client->seconds, server->seconds,
                             client->has_failed || server->has_failed });
}

/* It has waited long enough. */
static void alone(void *ctx, const struct half *h)
{
    struct service_graph *g = ctx;
    if (h->is_paired) return;
    if (h->role == CLIENT && h->peer.n > 0)
        count(g, &(struct edge){ waiting_text(&h->name), waiting_text(&h->peer), VIRTUAL, h->seconds,
                                 h->seconds, h->has_failed });
    else
        g->unpaired++;
}

struct service_graph *service_graph_new(const struct service_graph_conf *conf)
{
    static const struct out_shape shape = {
        .labels = { "client", "server", "connection_type" },
        .n_labels = 3,
        .overflow = "client",
        .families = { { "traces_service_graph_request_total", "Calls between services.", OUT_COUNTER,
                        REQUESTS, 1, false },
                      { "traces_service_graph_request_failed_total", "Calls that failed.", OUT_COUNTER,
                        FAILED, 1, false },
                      { "traces_service_graph_request_server_seconds", "Calls as the server saw them.",
                        OUT_HISTOGRAM, SERVER_SECONDS, 1, false },
                      { "traces_service_graph_request_client_seconds", "Calls as the client saw them.",
                        OUT_HISTOGRAM, CLIENT_SECONDS, 1, false } },
        .n_families = 4,
        .n_counts = COUNTS,
        .n_hists = HISTS,
        .bounds = span_bounds,
        .n_bounds = SPAN_BOUNDS,
    };
    struct service_graph *g = mem_alloc_zero(sizeof *g);
    g->out = series_out_new(&shape, conf->max_rows, conf->idle_ms);
    g->waiting = waiting_new(conf->max_waiting, conf->wait_ms, alone, g);
    return g;
}

void service_graph_free(struct service_graph *g)
{
    if (g == NULL) return;
    waiting_free(g->waiting);
    series_out_free(g->out);
    mem_free(g);
}

struct series_out *service_graph_out(struct service_graph *g)
{
    return g->out;
}

/* ---- spans ---- */

static bool is_zero(const uint8_t id[8])
{
    static const uint8_t none[8];
    return memcmp(id, none, sizeof none) == 0;
}

static struct half half_of(const struct record *r, enum role role, struct str service)
{
    struct half h = { .role = role,
                      .has_failed = r->span.status == 2,
                      .seconds = (double)r->span.duration_ns / 1e9,
                      .name = waiting_name(service) };
    waiting_key(h.key, r->trace_id, role == CLIENT ? r->span_id : r->span.parent_id);
    return h;
}

static bool is_database(const struct value *picked, struct str *name)
{
    static const enum span_field named[] = { SPAN_FIELD_DB_NAMESPACE, SPAN_FIELD_DB_NAME,
                                             SPAN_FIELD_DB_SYSTEM_NAME, SPAN_FIELD_DB_SYSTEM };
    *name = span_field_first(picked, named, COUNT(named));
    return name->n > 0;
}

static void client(struct service_graph *g, const struct record *r, struct str service,
                   const struct value *picked)
{
    static const enum span_field peers[] = { SPAN_FIELD_PEER_SERVICE, SPAN_FIELD_SERVER_ADDRESS,
                                             SPAN_FIELD_NET_PEER_NAME };
    struct half h = half_of(r, CLIENT, service), *server;
    struct str name;
    h.connection = r->span.kind == SPAN_PRODUCER ? MESSAGING : PLAIN;
    if (h.connection == PLAIN && is_database(picked, &name)) {
        count(g, &(struct edge){ service, name, DATABASE, h.seconds, h.seconds, h.has_failed });
        return;
    }
    h.peer = waiting_name(span_field_first(picked, peers, COUNT(peers)));
    for (struct half *at = waiting_find(g->waiting, h.key, NULL); (server = at) != NULL;) {
        at = waiting_find(g->waiting, h.key, server);
        if (server->role != SERVER) continue;
        pair(g, &h, server);
        h.is_paired = true;
        waiting_remove(g->waiting, server);
    }
    if (!h.is_paired || h.connection == MESSAGING) waiting_add(g->waiting, &h, g->now_ms);
}

static void server(struct service_graph *g, const struct record *r, struct str service)
{
    struct half h = half_of(r, SERVER, service), *of;
    if (is_zero(r->span.parent_id)) {
        if (r->span.kind == SPAN_SERVER)
            count(g, &(struct edge){ STR("user"), service, VIRTUAL, h.seconds, h.seconds, h.has_failed });
        return;
    }
    for (of = waiting_find(g->waiting, h.key, NULL); of != NULL; of = waiting_find(g->waiting, h.key, of))
        if (of->role == CLIENT) break;
    if (of == NULL) {
        waiting_add(g->waiting, &h, g->now_ms);
        return;
    }
    pair(g, of, &h);
    of->is_paired = true;
    if (of->connection != MESSAGING) waiting_remove(g->waiting, of);
}

void service_graph_seen(struct service_graph *g, const struct record *r, struct str service,
                        const struct value *picked, int64_t now_ms)
{
    g->now_ms = now_ms;
    if (r->span.kind == SPAN_CLIENT || r->span.kind == SPAN_PRODUCER)
        client(g, r, service, picked);
    else if (r->span.kind == SPAN_SERVER || r->span.kind == SPAN_CONSUMER)
        server(g, r, service);
}

void service_graph_expire(struct service_graph *g, int64_t now_ms)
{
    g->now_ms = now_ms;
    waiting_expire(g->waiting, now_ms);
}

uint64_t service_graph_unpaired(const struct service_graph *g)
{
    return g->unpaired;
}
