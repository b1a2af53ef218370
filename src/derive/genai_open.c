/* genai_open.c - see genai_open.h.
 *
 * Traces lie in a table of fixed size, found through a map that is made anew when places have changed hands;
 * a list through them goes from the one quiet longest to the one heard of last. A trace's spans are an array
 * in order of arrival; for settling they are put parents first. */
#include "derive/genai_open.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "decode/utf8.h"

#define NOBODY      UINT32_MAX
#define DEPTH_MAX   128  /* steps upwards; more is a circle */
#define TRACE_SPANS 8192 /* of one trace; beyond, what comes is not followed upwards */
#define BUCKETS     8192

/* Names and figures of a span that is something to genai.h; its own memory. */
struct told {
    struct spent spent;
    enum genai_kind kind;
    char bytes[];
};

struct open_span {
    uint8_t id[8], parent_id[8];
    struct genai_node node;
    bool is_handed_out;
    struct told *told; /* NULL: only leads upwards */
};

struct open_trace {
    uint8_t id[16];
    uint32_t next_in_bucket, older, newer;
    bool is_used, is_changed, has_waiting;
    int64_t heard_ms;
    struct open_span *spans;
    size_t n, cap;
    struct map by_id;
};

struct open_traces {
    int64_t wait_ms;
    void (*counted)(void *, const struct spent *);
    void *ctx;
    struct open_trace *at;
    uint32_t buckets[BUCKETS];
    uint32_t free, oldest, newest; /* free: through next_in_bucket */
    size_t n_spans;
};

/* ---- the table ---- */

struct open_traces *open_traces_new(int64_t wait_ms, void (*counted)(void *, const struct spent *), void *ctx)
{
    struct open_traces *o = mem_alloc_zero(sizeof *o);
    o->wait_ms = wait_ms;
    o->counted = counted;
    o->ctx = ctx;
    memset(o->buckets, 0xff, sizeof o->buckets);
    o->free = o->oldest = o->newest = NOBODY;
    return o;
}

static uint32_t *bucket_of(const struct open_traces *o, const uint8_t id[16])
{
    return (uint32_t *)&o->buckets[hash64(id, 16) % BUCKETS];
}

static struct open_trace *find(const struct open_traces *o, const uint8_t id[16])
{
    for (uint32_t i = *bucket_of(o, id); i != NOBODY; i = o->at[i].next_in_bucket)
        if (memcmp(o->at[i].id, id, 16) == 0) return &o->at[i];
    return NULL;
}

bool open_traces_follow(const struct open_traces *o, const uint8_t id[16])
{
    return o->n_spans > 0 && find(o, id) != NULL;
}

static void unlink_age(struct open_traces *o, struct open_trace *t)
{
    if (t->older != NOBODY) o->at[t->older].newer = t->newer;
    if (t->newer != NOBODY) o->at[t->newer].older = t->older;
    uint32_t i = (uint32_t)(t - o->at);
    if (o->oldest == i) o->oldest = t->newer;
    if (o->newest == i) o->newest = t->older;
}

static void heard(struct open_traces *o, struct open_trace *t, int64_t now_ms)
{
    uint32_t i = (uint32_t)(t - o->at);
    t->heard_ms = now_ms;
    if (o->newest == i) return;
    unlink_age(o, t);
    t->older = o->newest;
    t->newer = NOBODY;
    if (o->newest != NOBODY) o->at[o->newest].newer = i;
    o->newest = i;
    if (o->oldest == NOBODY) o->oldest = i;
}

static void forget(struct open_traces *o, struct open_trace *t)
{
    uint32_t *from = bucket_of(o, t->id), i = (uint32_t)(t - o->at);
    while (*from != i) from = &o->at[*from].next_in_bucket;
    *from = t->next_in_bucket;
    unlink_age(o, t);
    for (size_t k = 0; k < t->n; k++) mem_free(t->spans[k].told);
    o->n_spans -= t->n;
    mem_free(t->spans);
    map_release(&t->by_id);
    *t = (struct open_trace){ .next_in_bucket = o->free, .older = NOBODY, .newer = NOBODY };
    o->free = i;
}

void open_traces_free(struct open_traces *o)
{
    if (o == NULL) return;
    while (o->oldest != NOBODY) forget(o, &o->at[o->oldest]);
    mem_free(o->at);
    mem_free(o);
}

size_t open_traces_spans(const struct open_traces *o)
{
    return o->n_spans;
}

/* ---- parents ---- */

static bool is_none(const uint8_t id[8])
{
    static const uint8_t none[8];
    return memcmp(id, none, 8) == 0;
}

struct order {
    uint32_t *parent; /* by arrival; NOBODY */
    uint32_t *place;  /* by arrival: where it stands, parents first */
    uint32_t *at;     /* by place: its number of arrival */
};

static bool same_id(void *ctx, uint64_t i)
{
    const void *const *w = ctx;
    return memcmp(((const struct open_span *)w[0])[i].id, w[1], 8) == 0;
}

static const uint64_t *find_span(const struct open_trace *t, const uint8_t id[8])
{
    return map_find(&t->by_id, hash64(id, 8), same_id, (void *)(const void *[]){ t->spans, id });
}

static void find_parents(const struct open_trace *t, uint32_t *parent)
{
    for (size_t i = 0; i < t->n; i++) {
        const uint8_t *id = t->spans[i].parent_id;
        const uint64_t *up = is_none(id) ? NULL : find_span(t, id);
        parent[i] = up == NULL || *up == i ? NOBODY : (uint32_t)*up;
    }
}

/* Parents first; a circle is cut where it is met. */
static void put_in_order(const struct open_trace *t, struct order *o, struct arena *a)
{
    uint32_t *path = arena_array(a, t->n, sizeof *path), placed = 0;
    o->parent = arena_array(a, t->n, sizeof *o->parent);
    o->place = arena_array(a, t->n, sizeof *o->place);
    o->at = arena_array(a, t->n, sizeof *o->at);
    uint8_t *on_path = arena_zero(a, t->n);
    find_parents(t, o->parent);
    memset(o->place, 0xff, t->n * sizeof *o->place);
    for (uint32_t i = 0; i < t->n; i++) {
        size_t depth = 0;
        uint32_t k = i;
        while (k != NOBODY && o->place[k] == NOBODY && !on_path[k]) {
            on_path[k] = 1;
            path[depth++] = k;
            k = o->parent[k];
        }
        if (k != NOBODY && o->place[k] == NOBODY) o->parent[path[depth - 1]] = NOBODY; /* a circle */
        while (depth > 0) {
            uint32_t s = path[--depth];
            on_path[s] = 0;
            o->place[s] = placed;
            o->at[placed++] = s;
        }
    }
}

/* ---- settling ---- */

/* From the nearest span above that has one; what it has itself stays. */
static void inherit(struct spent *s, const struct told *above)
{
    static const struct {
        enum spent_text text;
        enum genai_kind from;
    } heirlooms[] = { { SPENT_AGENT, GENAI_AGENT },
                      { SPENT_WORKFLOW, GENAI_WORKFLOW },
                      { SPENT_TOOL, GENAI_TOOL },
                      { SPENT_MCP_SERVER, GENAI_TOOL } };
    for (size_t i = 0; i < COUNT(heirlooms); i++)
        if (s->text[heirlooms[i].text].n == 0 && above->kind == heirlooms[i].from)
            s->text[heirlooms[i].text] = above->spent.text[heirlooms[i].text];
}

static bool chain_is_whole(const struct open_trace *t, const struct order *o, uint32_t i)
{
    for (int steps = 0; steps < DEPTH_MAX; steps++) {
        if (o->parent[i] == NOBODY) return is_none(t->spans[i].parent_id);
        i = o->parent[i];
    }
    return true;
}

static void hand_out(struct open_traces *all, struct open_trace *t, const struct order *o, uint32_t i)
{
    struct open_span *s = &t->spans[i];
    struct spent spent = s->told->spent;
    uint32_t up = o->parent[i];
    for (int steps = 0; up != NOBODY && steps < DEPTH_MAX; up = o->parent[up], steps++)
        if (t->spans[up].told != NULL) inherit(&spent, t->spans[up].told);
    all->counted(all->ctx, &spent);
    s->is_handed_out = true;
}

static bool is_whole(const struct open_trace *t, const struct order *o)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (o->parent[i] == NOBODY && !is_none(t->spans[i].parent_id)) return false;
    return true;
}

static void settle_owners(struct open_trace *t, const struct order *o, bool is_over, struct arena *a)
{
    struct genai_node *nodes = arena_array(a, t->n, sizeof *nodes);
    for (size_t p = 0; p < t->n; p++) {
        uint32_t i = o->at[p], up = o->parent[i];
        nodes[p] = t->spans[i].node;
        nodes[p].parent = up == NOBODY ? GENAI_NO_PARENT : o->place[up];
        nodes[p].is_orphan = up == NOBODY && !is_none(t->spans[i].parent_id);
    }
    genai_owners(nodes, t->n, is_over, arena_array(a, t->n, 1));
    for (size_t p = 0; p < t->n; p++) t->spans[o->at[p]].node = nodes[p];
}

static void settle(struct open_traces *all, struct open_trace *t, bool is_over)
{
    struct arena a = ARENA_INIT(SIZE_MAX / 2);
    struct order o;
    put_in_order(t, &o, &a);
    is_over = is_over || is_whole(t, &o);
    settle_owners(t, &o, is_over, &a);
    t->has_waiting = false;
    for (uint32_t i = 0; i < t->n; i++) {
        struct open_span *s = &t->spans[i];
        if (s->told == NULL || s->is_handed_out || (s->node.is_settled && !s->node.counts)) continue;
        bool knows = is_over || s->told->spent.text[SPENT_AGENT].n > 0 || chain_is_whole(t, &o, i);
        if (s->node.counts && knows)
            hand_out(all, t, &o, i);
        else
            t->has_waiting = t->has_waiting || s->node.part != PART_NONE;
    }
    t->is_changed = false;
    arena_release(&a);
}

void open_traces_settle(struct open_traces *o, int64_t now_ms, bool all)
{
    for (uint32_t i = o->oldest, newer; i != NOBODY; i = newer) {
        struct open_trace *t = &o->at[i];
        int64_t quiet = now_ms - t->heard_ms;
        newer = t->newer;
        if (t->is_changed || (t->has_waiting && (all || quiet >= o->wait_ms)))
            settle(o, t, all || quiet >= o->wait_ms);
        if (all || quiet >= OPEN_KEPT_MS) forget(o, t);
    }
}

/* ---- coming in ---- */

static void forget_oldest(struct open_traces *o)
{
    struct open_trace *t = &o->at[o->oldest];
    settle(o, t, true);
    forget(o, t);
}

static struct open_trace *begin(struct open_traces *o, const uint8_t id[16])
{
    if (o->at == NULL) { /* when the first comes: who traces no models pays nothing */
        o->at = mem_alloc_zero(OPEN_TRACES * sizeof *o->at);
        for (uint32_t i = 0; i < OPEN_TRACES; i++)
            o->at[i].next_in_bucket = i + 1 < OPEN_TRACES ? i + 1 : NOBODY;
        o->free = 0;
    }
    if (o->free == NOBODY) forget_oldest(o);
    struct open_trace *t = &o->at[o->free];
    o->free = t->next_in_bucket;
    *t = (struct open_trace){
        .next_in_bucket = *bucket_of(o, id), .older = NOBODY, .newer = NOBODY, .is_used = true
    };
    memcpy(t->id, id, 16);
    map_init(&t->by_id, 8);
    *bucket_of(o, id) = (uint32_t)(t - o->at);
    return t;
}

static struct told *told_of(const struct genai_span *g, const struct cost *cost, struct str service)
{
    struct str texts[SPENT_TEXTS] = {
        [SPENT_PROVIDER] = g->provider,
        [SPENT_MODEL] = g->model,
        [SPENT_REQUEST_MODEL] = g->request_model,
        [SPENT_OPERATION] = g->operation,
        [SPENT_SERVICE] = service,
        [SPENT_AGENT] = g->agent,
        [SPENT_WORKFLOW] = g->workflow,
        [SPENT_MCP_SERVER] = g->mcp_server,
        [SPENT_TOOL] = g->tool,
        [SPENT_ERROR] = g->error_type,
    };
    size_t n = 0;
    for (size_t i = 0; i < SPENT_TEXTS; i++) {
        if (texts[i].n > OPEN_TEXT_MAX) texts[i].n = utf8_floor(texts[i], OPEN_TEXT_MAX);
        n += texts[i].n;
    }
    struct told *t = mem_alloc_zero(sizeof *t + n);
    char *p = t->bytes;
    for (size_t i = 0; i < SPENT_TEXTS; i++) {
        if (texts[i].n > 0) memcpy(p, texts[i].p, texts[i].n);
        t->spent.text[i] = str_make(p, texts[i].n);
        p += texts[i].n;
    }
    t->kind = g->kind;
    t->spent.usage = g->usage;
    t->spent.cost = *cost;
    t->spent.cost.model = NULL; /* the book may go before the trace does */
    t->spent.has_usage = g->has_usage;
    t->spent.seconds = g->seconds;
    t->spent.first_token_seconds = g->first_token_seconds;
    return t;
}

bool open_traces_add(struct open_traces *o, const struct record *r, const struct genai_span *g,
                     const struct cost *cost, struct str service, int64_t now_ms)
{
    struct open_trace *t = find(o, r->trace_id);
    if (t == NULL && g == NULL) return true;
    if (t != NULL && !is_none(r->span_id) && find_span(t, r->span_id) != NULL) return false;
    while (o->n_spans >= OPEN_SPANS) {
        if (t != NULL && o->oldest == (uint32_t)(t - o->at)) t = NULL;
        forget_oldest(o);
    }
    if (t != NULL && t->n >= TRACE_SPANS) {
        settle(o, t, true);
        forget(o, t);
        t = NULL;
    }
    if (t == NULL) t = begin(o, r->trace_id);
    t->spans = t->n == t->cap ? mem_grow(t->spans, t->n, &t->cap, sizeof *t->spans) : t->spans;
    struct open_span *s = &t->spans[t->n++];
    *s = (struct open_span){ .node = { .parent = GENAI_NO_PARENT } };
    memcpy(s->id, r->span_id, 8);
    memcpy(s->parent_id, r->span.parent_id, 8);
    if (g != NULL) {
        s->node = genai_node_of(g);
        s->told = told_of(g, cost, service);
    }
    map_add(&t->by_id, hash64(s->id, 8), t->n - 1);
    o->n_spans++;
    t->is_changed = true;
    heard(o, t, now_ms);
    return true;
}
