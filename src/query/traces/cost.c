/* cost.c - see cost.h. One scan reads what trees need and, beside it, every attribute that means something to
 * genai.h; columns that no span has cost nothing. */
#include "query/traces/cost.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"

enum { COL_SCOPE = SPAN_COLUMNS, COL_EVENTS, COL_NAMES };

/* A span as it was read, and its spend: they part when the tree puts spans in order. */
struct priced {
    struct trace_span span;
    struct span_spend spend;
};

struct loader {
    const struct price_book *book;
    struct priced *at;
    size_t n, cap;
    size_t n_fields;
    struct texts texts;
    struct arena scratch; /* of one row */
    struct err *err;
};

static const struct field *all_fields(struct arena *a, size_t *n)
{
    struct field *f = arena_array(a, COL_NAMES + GENAI_NAMES_MAX, sizeof *f);
    memcpy(f, span_fields, SPAN_COLUMNS * sizeof *f);
    f[COL_SCOPE] = field_in(IN_SCOPE_NAME);
    f[COL_EVENTS] = field_in(IN_EVENTS);
    *n = COL_NAMES;
    for (unsigned i = 1; i <= GENAI_NAMES_MAX && genai_name_text((uint8_t)i).n > 0; i++)
        f[(*n)++] = field_attr(FIELD_ATTR, genai_name_text((uint8_t)i));
    return f;
}

/* ---- one row ---- */

static struct str text_of(struct value v)
{
    return v.type == VALUE_STR || v.type == VALUE_JSON ? v.text : STR("");
}

static bool parse_row(struct loader *l, const struct record_rows *rows, size_t row,
                      const struct trace_span *s, struct genai_span *g)
{
    struct str scope = text_of(rows->values[COL_SCOPE][row]);
    struct genai_parse p;
    bool tells = false;
    genai_begin(&p, scope, &l->scratch);
    for (size_t c = COL_NAMES; c < l->n_fields; c++) {
        struct value v = rows->values[c][row];
        if (v.type == VALUE_NONE) continue;
        uint8_t name = (uint8_t)(c - COL_NAMES + 1);
        genai_put(&p, name, v);
        tells = tells || genai_name_tells(name);
    }
    if (!tells) return false;
    struct origin origin = { .scope_name = scope };
    struct record r = { .time_ns = s->start_ns,
                        .origin = &origin,
                        .span = { .duration_ns = s->duration_ns,
                                  .kind = s->kind,
                                  .status = s->status,
                                  .name = s->name,
                                  .events = text_of(rows->values[COL_EVENTS][row]) } };
    return genai_end(&p, &r, TABLE_SPANS, g);
}

static void take_row(struct loader *l, const struct record_rows *rows, size_t row)
{
    struct genai_span g;
    l->at = arena_grow(l->texts.arena, l->at, l->n, &l->cap, sizeof *l->at);
    struct priced *p = &l->at[l->n++];
    span_of_row(&p->span, rows, row, &l->texts);
    p->spend = (struct span_spend){ .node = { .parent = GENAI_NO_PARENT } };
    if (parse_row(l, rows, row, &p->span, &g))
        p->spend = (struct span_spend){ .node = genai_node_of(&g),
                                        .usage = g.usage,
                                        .cost = price_book_cost(l->book, &g),
                                        .provider = texts_keep(&l->texts, g.provider),
                                        .model = texts_keep(&l->texts, g.model),
                                        .agent = texts_keep(&l->texts, g.agent),
                                        .is_odd = g.is_odd };
    arena_reset(&l->scratch);
}

static int take_rows(void *ctx, const struct record_rows *rows)
{
    struct loader *l = ctx;
    if (l->n + rows->n > TRACE_SPANS_MAX)
        return err_set(l->err, ERR_LIMIT, "more than %u spans in one answer; ask for fewer traces",
                       TRACE_SPANS_MAX);
    for (size_t i = 0; i < rows->n; i++) take_row(l, rows, i);
    if (arena_over(l->texts.arena))
        return err_set(l->err, ERR_LIMIT, "the spans of these traces need more memory than a query may take");
    return OK;
}

static int load(struct loader *l, struct store_view *view, struct call *call, const uint8_t (*ids)[16],
                size_t n)
{
    struct record_scan scan = { .table = TABLE_SPANS,
                                .to_ns = INT64_MAX,
                                .where = where_traces(call->arena, ids, n) };
    scan.fields = all_fields(call->arena, &l->n_fields);
    scan.n_fields = l->n_fields;
    l->scratch = (struct arena)ARENA_INIT((size_t)256 << 20);
    texts_init(&l->texts, call->arena);
    int rc = view_records(view, call, &scan, take_rows, l, l->err);
    texts_release(&l->texts);
    arena_release(&l->scratch);
    return rc;
}

/* ---- one trace ---- */

static uint64_t span_hash(const struct trace_span *s)
{
    return hash64(s->id, sizeof s->id) ^ (uint64_t)s->start_ns * 31 ^ s->kind;
}

struct wanted_span {
    const struct priced *at;
    const struct trace_span *span;
};

static bool is_wanted(void *ctx, uint64_t i)
{
    const struct wanted_span *w = ctx;
    const struct trace_span *s = &w->at[i].span;
    return memcmp(s->id, w->span->id, 8) == 0 && s->kind == w->span->kind && s->start_ns == w->span->start_ns;
}

/* Spends in the order of the tree. */
static struct span_spend *arrange(const struct trace *t, const struct priced *at, struct arena *a)
{
    struct span_spend *out = arena_array(a, t->n, sizeof *out);
    struct map by_span;
    map_init(&by_span, t->n);
    for (size_t i = 0; i < t->n; i++) map_add(&by_span, span_hash(&at[i].span), i);
    for (size_t i = 0; i < t->n; i++) {
        const struct trace_span *s = &t->at[i];
        const uint64_t *from = map_find(&by_span, span_hash(s), is_wanted, &(struct wanted_span){ at, s });
        check(from != NULL);
        out[i] = at[*from].spend;
        out[i].node.parent = s->parent == SPAN_NONE ? GENAI_NO_PARENT : s->parent;
        out[i].node.is_orphan = (s->marks & SPAN_ORPHAN) != 0;
    }
    map_release(&by_span);
    return out;
}

static void name_agents(struct span_spend *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i].agent.n == 0 && s[i].node.parent != GENAI_NO_PARENT) s[i].agent = s[s[i].node.parent].agent;
}

static void find_owners(struct span_spend *s, size_t n, struct arena *a)
{
    struct genai_node *nodes = arena_array(a, n, sizeof *nodes);
    for (size_t i = 0; i < n; i++) nodes[i] = s[i].node;
    genai_owners(nodes, n, true, arena_array(a, n, 1));
    for (size_t i = 0; i < n; i++) s[i].node = nodes[i];
}

static struct trace_spend sum(const struct span_spend *s, size_t n)
{
    struct trace_spend t = { 0 };
    for (size_t i = 0; i < n; i++) {
        t.odd += s[i].is_odd;
        if (!s[i].node.counts) continue;
        genai_usage_add(&t.usage, &s[i].usage);
        t.nano_usd = money_add(t.nano_usd, s[i].cost.nano_usd);
        t.calls++;
        t.unpriced += s[i].cost.source == COST_UNPRICED;
        t.unknown += s[i].cost.source == COST_NONE && !s[i].node.has_usage;
    }
    return t;
}

/* The spans of one trace as they were read. */
static void build(struct trace *t, const struct priced *at, size_t n, struct arena *a)
{
    struct trace_span *spans = arena_array(a, n, sizeof *spans);
    for (size_t i = 0; i < n; i++) spans[i] = at[i].span;
    trace_build(t, spans, n, a);
    struct span_spend *s = arrange(t, at, a);
    find_owners(s, n, a);
    name_agents(s, n);
    struct trace_spend *total = arena_alloc(a, sizeof *total);
    *total = sum(s, n);
    t->spend = s;
    t->total = total;
}

int trace_load_priced(struct store_view *view, struct call *call, const struct price_book *book,
                      const uint8_t id[16], struct trace *t, struct err *e)
{
    struct loader l = { .book = book, .err = e };
    uint8_t ids[1][16];
    memcpy(ids[0], id, 16);
    int rc = load(&l, view, call, (const uint8_t(*)[16])ids, 1);
    if (rc < 0) return rc;
    if (l.n == 0) return err_set(e, ERR_FIND, "trace not found");
    build(t, l.at, l.n, call->arena);
    return OK;
}

/* ---- many ---- */

static int by_trace(const void *x, const void *y)
{
    const struct priced *a = x, *b = y;
    return memcmp(a->span.trace_id, b->span.trace_id, 16);
}

static bool spends(const struct priced *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (at[i].spend.node.part != PART_NONE) return true;
    return false;
}

/* Where trees are not wanted, each is forgotten before the next. */
static struct trace_spend spend_of(const struct priced *at, size_t n)
{
    struct arena scratch = ARENA_INIT((size_t)1 << 30);
    struct trace_spend s = { 0 };
    struct trace t;
    if (spends(at, n)) {
        build(&t, at, n, &scratch);
        s = *t.total;
    }
    arena_release(&scratch);
    return s;
}

static size_t end_of_trace(const struct loader *l, size_t from)
{
    size_t i = from + 1;
    while (i < l->n && memcmp(l->at[i].span.trace_id, l->at[from].span.trace_id, 16) == 0) i++;
    return i;
}

int traces_spend(struct store_view *view, struct call *call, const struct price_book *book,
                 const uint8_t (*ids)[16], size_t n, struct trace_spend *out, struct err *e)
{
    struct loader l = { .book = book, .err = e };
    memset(out, 0, n * sizeof *out);
    if (n == 0) return OK;
    int rc = load(&l, view, call, ids, n);
    if (rc < 0) return rc;
    if (l.n > 1) qsort(l.at, l.n, sizeof *l.at, by_trace);
    for (size_t i = 0, end; i < l.n; i = end) {
        end = end_of_trace(&l, i);
        struct trace_spend s = spend_of(&l.at[i], end - i);
        for (size_t k = 0; k < n; k++)
            if (memcmp(ids[k], l.at[i].span.trace_id, 16) == 0) out[k] = s;
    }
    return OK;
}
