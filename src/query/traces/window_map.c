/* window_map.c - who calls whom, from spans alone.
 *
 * Services: an edge wherever a span's parent belongs to another service. A calling span (client, producer)
 * whose called side did not report is an edge to what its attributes say it called: a database, a queue, a
 * peer.
 * Agents: a span belongs to the agent it names, else to that of the nearest span above it that names one. An
 * edge from agent to agent where that changes, and from an agent to the tools and models it used. */
#include <stdlib.h>

#include "base/check.h"
#include "query/traces/window.h"

#define STOP    (-1000)
#define NOT_YET UINT32_MAX
#define NOBODY  (UINT32_MAX - 1)

enum {
    PEER_SERVICE,
    PEER_DB_SYSTEM,
    PEER_DB_SYSTEM_OLD,
    PEER_MESSAGING,
    PEER_DESTINATION,
    PEER_ADDRESS,
    PEERS
};

#define ATTR(s)                                                                                              \
    {                                                                                                        \
        FIELD_ATTR, (enum intrinsic)0,                                                                       \
        {                                                                                                    \
            s, sizeof(s) - 1                                                                                 \
        }                                                                                                    \
    }

static const struct {
    struct field field;
    const char *kind;
} peers[PEERS] = {
    [PEER_SERVICE] = { ATTR("peer.service"), "external" },
    [PEER_DB_SYSTEM] = { ATTR("db.system.name"), "database" },
    [PEER_DB_SYSTEM_OLD] = { ATTR("db.system"), "database" },
    [PEER_MESSAGING] = { ATTR("messaging.destination.name"), "messaging" },
    [PEER_DESTINATION] = { ATTR("messaging.system"), "messaging" },
    [PEER_ADDRESS] = { ATTR("server.address"), "external" },
};

struct light_span {
    uint64_t id, parent; /* hashes of trace and span id; parent 0: none */
    int64_t duration_ns;
    uint32_t node;          /* its service, or the agent it names; NOBODY */
    uint32_t peer;          /* a node it calls by name: peer, tool or model; NOBODY */
    uint32_t owner;         /* agents: whose it is; NOT_YET */
    bool failed, is_joined; /* is_joined: what it called has reported */
};

struct mapping {
    enum map_by by;
    struct service_map *out;
    struct call *call;
    struct err *err;
    struct texts texts; /* kind and name of a node */
    struct map node_of, edge_of, span_of;
    size_t cap_nodes, cap_edges;
    struct light_span *at;
    size_t n, cap;
};

/* ---- nodes and edges ---- */

static uint32_t node_of(struct mapping *m, const char *kind, struct str name)
{
    uint64_t key = hash64(name.p, name.n) ^ hash64(kind, strlen(kind)) * 3;
    const uint64_t *known = map_find(&m->node_of, key, NULL, NULL);
    if (known != NULL) return (uint32_t)*known;
    if (m->out->n_nodes == WINDOW_GROUPS_MAX && !str_is(name, "other")) return node_of(m, kind, STR("other"));

    m->out->nodes =
        arena_grow(m->call->arena, m->out->nodes, m->out->n_nodes, &m->cap_nodes, sizeof *m->out->nodes);
    m->out->nodes[m->out->n_nodes] =
        (struct map_node){ .name = texts_keep(&m->texts, name), .kind = str_of(kind) };
    map_add(&m->node_of, key, m->out->n_nodes);
    return (uint32_t)m->out->n_nodes++;
}

static void count_edge(struct mapping *m, uint32_t from, uint32_t to, int64_t duration_ns, bool failed)
{
    uint64_t key = ((uint64_t)from << 32 | to) + 1;
    const uint64_t *known = map_find(&m->edge_of, key, NULL, NULL);
    struct map_edge *edge;
    if (known != NULL)
        edge = m->out->edges[*known];
    else if (m->out->n_edges == WINDOW_GROUPS_MAX)
        return;
    else {
        edge = arena_zero(m->call->arena, sizeof *edge);
        edge->from = from;
        edge->to = to;
        m->out->edges =
            arena_grow(m->call->arena, m->out->edges, m->out->n_edges, &m->cap_edges, sizeof *m->out->edges);
        map_add(&m->edge_of, key, m->out->n_edges);
        m->out->edges[m->out->n_edges++] = edge;
    }
    edge->calls++;
    edge->errors += failed;
    latency_add(&edge->took, duration_ns);
}

/* ---- reading ---- */

static uint64_t span_key(const uint8_t trace[16], const uint8_t id[8])
{
    uint8_t both[24];
    memcpy(both, trace, 16);
    memcpy(both + 16, id, 8);
    return hash64(both, sizeof both) | 1;
}

static bool is_zero(const uint8_t id[8])
{
    uint64_t v;
    memcpy(&v, id, 8);
    return v == 0;
}

static uint32_t peer_of(struct mapping *m, const struct trace_span *s, const struct record_rows *rows,
                        size_t row)
{
    if (m->by == MAP_AGENTS) {
        if (s->tool.n > 0) return node_of(m, "tool", s->tool);
        return s->model.n > 0 ? node_of(m, "model", s->model) : NOBODY;
    }
    if (s->kind != SPAN_CLIENT && s->kind != SPAN_PRODUCER) return NOBODY;
    for (size_t p = 0; p < PEERS; p++) {
        struct value v = rows->values[SPAN_COLUMNS + p][row];
        if (v.type == VALUE_STR && v.text.n > 0) return node_of(m, peers[p].kind, v.text);
    }
    return NOBODY;
}

static int take_rows(void *ctx, const struct record_rows *rows)
{
    struct mapping *m = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        struct trace_span s;
        if (m->n == WINDOW_SPANS_MAX) return STOP;
        span_of_row(&s, rows, i, NULL);
        m->at = arena_grow(m->call->arena, m->at, m->n, &m->cap, sizeof *m->at);
        struct light_span *l = &m->at[m->n];
        *l = (struct light_span){ .id = span_key(s.trace_id, s.id),
                                  .parent = is_zero(s.parent_id) ? 0 : span_key(s.trace_id, s.parent_id),
                                  .duration_ns = s.duration_ns,
                                  .node = NOBODY,
                                  .owner = NOT_YET,
                                  .failed = s.status == STATUS_ERROR };
        if (m->by == MAP_SERVICES)
            l->node = node_of(m, "service", s.service);
        else if (s.agent.n > 0)
            l->node = node_of(m, "agent", s.agent);
        l->peer = peer_of(m, &s, rows, i);
        m->n++;
        m->out->from_ns = rows->time_ns[i];
    }
    return call_check(m->call, m->err);
}

/* ---- joining ---- */

static struct light_span *parent_of(struct mapping *m, const struct light_span *s)
{
    const uint64_t *at = s->parent != 0 ? map_find(&m->span_of, s->parent, NULL, NULL) : NULL;
    return at != NULL ? &m->at[*at] : NULL;
}

/* Up to a span that names an agent or has been here; rings end at a ceiling no honest trace reaches. */
static uint32_t owner_of(struct mapping *m, struct light_span *s)
{
    uint32_t owner = NOBODY;
    struct light_span *up = s;
    for (int steps = 0; up != NULL && steps < 100000; steps++, up = parent_of(m, up)) {
        owner = up->owner != NOT_YET ? up->owner : up->node;
        if (up->owner != NOT_YET || up->node != NOBODY) break;
        owner = NOBODY;
    }
    for (struct light_span *k = s; k != NULL && k != up && k->owner == NOT_YET; k = parent_of(m, k))
        k->owner = owner;
    return owner;
}

static void join_services(struct mapping *m)
{
    for (size_t i = 0; i < m->n; i++) {
        struct light_span *s = &m->at[i], *parent = parent_of(m, s);
        if (parent == NULL || parent->node == s->node) continue;
        parent->is_joined = true;
        count_edge(m, parent->node, s->node, s->duration_ns, s->failed);
    }
}

static void join_agents(struct mapping *m)
{
    for (size_t i = 0; i < m->n; i++) {
        struct light_span *s = &m->at[i], *parent = parent_of(m, s);
        uint32_t above = parent != NULL ? owner_of(m, parent) : NOBODY;
        if (s->node != NOBODY && above != NOBODY && above != s->node)
            count_edge(m, above, s->node, s->duration_ns, s->failed);
    }
}

static void count_peers(struct mapping *m)
{
    for (size_t i = 0; i < m->n; i++) {
        struct light_span *s = &m->at[i];
        uint32_t from = m->by == MAP_AGENTS ? owner_of(m, s) : s->node;
        if (from != NOBODY) {
            m->out->nodes[from].spans++;
            m->out->nodes[from].errors += s->failed;
        }
        if (s->peer == NOBODY || s->is_joined || from == NOBODY) continue;
        m->out->nodes[s->peer].spans++;
        m->out->nodes[s->peer].errors += s->failed;
        count_edge(m, from, s->peer, s->duration_ns, s->failed);
    }
}

/* Nodes that nothing counted (a peer that did report under its own name) go. */
static void drop_unused(struct service_map *map, struct arena *a)
{
    uint32_t *now = arena_array(a, map->n_nodes + 1, sizeof *now);
    size_t n = 0;
    for (size_t i = 0; i < map->n_nodes; i++) {
        now[i] = (uint32_t)n;
        if (map->nodes[i].spans > 0) map->nodes[n++] = map->nodes[i];
    }
    map->n_nodes = n;
    for (size_t i = 0; i < map->n_edges; i++) {
        map->edges[i]->from = now[map->edges[i]->from];
        map->edges[i]->to = now[map->edges[i]->to];
    }
}

static int most_calls_first(const void *x, const void *y)
{
    const struct map_edge *a = *(struct map_edge *const *)x, *b = *(struct map_edge *const *)y;
    if (a->calls != b->calls) return a->calls > b->calls ? -1 : 1;
    return a->from != b->from ? (a->from > b->from) - (a->from < b->from) : (a->to > b->to) - (a->to < b->to);
}

static int join(struct mapping *m)
{
    map_init(&m->span_of, m->n);
    for (size_t i = 0; i < m->n; i++)
        if (map_find(&m->span_of, m->at[i].id, NULL, NULL) == NULL) map_add(&m->span_of, m->at[i].id, i);
    m->by == MAP_SERVICES ? join_services(m) : join_agents(m);
    count_peers(m);
    drop_unused(m->out, m->call->arena);
    if (m->out->n_edges > 1) qsort(m->out->edges, m->out->n_edges, sizeof *m->out->edges, most_calls_first);
    map_release(&m->span_of);
    return call_check(m->call, m->err);
}

int window_map(struct store_view *view, struct call *call, enum map_by by, int64_t from_ns, int64_t to_ns,
               struct service_map *out, struct err *e)
{
    struct field fields[SPAN_COLUMNS + PEERS];
    struct record_scan scan = { .table = TABLE_SPANS,
                                .from_ns = from_ns,
                                .to_ns = to_ns,
                                .fields = fields,
                                .n_fields = COUNT(fields),
                                .order = ORDER_TIME_DESC };
    struct mapping m = { .by = by, .out = out, .call = call, .err = e };

    memcpy(fields, span_fields, sizeof span_fields);
    for (size_t p = 0; p < PEERS; p++) fields[SPAN_COLUMNS + p] = peers[p].field;
    *out = (struct service_map){ 0 };
    texts_init(&m.texts, call->arena);
    map_init(&m.node_of, 64);
    map_init(&m.edge_of, 256);
    int rc = view_records(view, call, &scan, take_rows, &m, e);
    if (rc != STOP) out->from_ns = from_ns;
    out->spans = m.n;
    if (rc == OK || rc == STOP) rc = join(&m);
    map_release(&m.edge_of);
    map_release(&m.node_of);
    texts_release(&m.texts);
    return rc;
}
