/* cost.c - see cost.h. Two scans: one reads what trees need of every span, the other what genai.h needs of
 * those few that have to do with models; they are joined by id, kind and start. */
#include "query/traces/cost.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"

enum { COL_TRACE, COL_ID, COL_SPAN_KIND, COL_TOOK, COL_CODE, COL_LABEL, COL_SCOPE, COL_NAMES };

/* A span that has to do with models. */
struct priced {
    uint8_t trace_id[16], id[8], kind;
    int64_t start_ns;
    struct span_spend spend;
};

struct loader {
    const struct price_book *book;
    struct span_list spans; /* all, those of a trace together */
    struct priced *at;      /* likewise */
    size_t n, cap;
    uint8_t names[GENAI_NAMES_MAX]; /* by column, from COL_NAMES */
    size_t n_names;
    struct texts texts;
    struct arena scratch; /* of one row */
    struct err *err;
};

static const struct field *all_fields(struct loader *l, struct arena *a)
{
    static const enum intrinsic heads[COL_NAMES] = { IN_TRACE_ID, IN_SPAN_ID, IN_KIND,      IN_DURATION,
                                                     IN_STATUS,   IN_NAME,    IN_SCOPE_NAME };
    struct field *f = arena_array(a, COL_NAMES + GENAI_NAMES_MAX, sizeof *f);
    for (size_t i = 0; i < COL_NAMES; i++) f[i] = field_in(heads[i]);
    for (unsigned i = 1; i <= GENAI_NAMES_MAX && genai_name_text((uint8_t)i).n > 0; i++) {
        if (!genai_name_pays((uint8_t)i)) continue;
        l->names[l->n_names] = (uint8_t)i;
        f[COL_NAMES + l->n_names++] = field_attr(FIELD_ATTR, genai_name_text((uint8_t)i));
    }
    return f;
}

static const struct predicate *where_marked(struct arena *a)
{
    const struct predicate *p = NULL;
    for (unsigned i = 1; i <= GENAI_NAMES_MAX && genai_name_text((uint8_t)i).n > 0; i++) {
        if (!genai_name_marks((uint8_t)i)) continue;
        const struct predicate *has =
            predicate_exists(a, field_attr(FIELD_ATTR, genai_name_text((uint8_t)i)));
        p = p == NULL ? has : predicate_or(a, p, has);
    }
    return p;
}

/* ---- one row ---- */

static struct str text_of(struct value v)
{
    return v.type == VALUE_STR || v.type == VALUE_BYTES ? v.text : STR("");
}

static bool parse_row(struct loader *l, const struct record_rows *rows, size_t row, struct genai_span *g)
{
    const struct value *const *v = rows->values;
    struct origin origin = { .scope_name = text_of(v[COL_SCOPE][row]) };
    struct record r = { .time_ns = rows->time_ns[row],
                        .origin = &origin,
                        .span = { .duration_ns = v[COL_TOOK][row].i,
                                  .kind = (uint8_t)v[COL_SPAN_KIND][row].i,
                                  .status = (uint8_t)v[COL_CODE][row].i,
                                  .name = text_of(v[COL_LABEL][row]) } };
    struct genai_parse p;
    genai_begin(&p, origin.scope_name, &l->scratch);
    for (size_t i = 0; i < l->n_names; i++)
        if (v[COL_NAMES + i][row].type != VALUE_NONE) genai_put(&p, l->names[i], v[COL_NAMES + i][row]);
    return genai_end(&p, &r, TABLE_SPANS, g);
}

static void copy_id(uint8_t *to, size_t n, struct value v)
{
    memset(to, 0, n);
    if (v.type == VALUE_BYTES && v.text.n == n) memcpy(to, v.text.p, n);
}

static void take_row(struct loader *l, const struct record_rows *rows, size_t row)
{
    struct genai_span g;
    if (parse_row(l, rows, row, &g)) {
        l->at = arena_grow(l->texts.arena, l->at, l->n, &l->cap, sizeof *l->at);
        struct priced *p = &l->at[l->n++];
        copy_id(p->trace_id, 16, rows->values[COL_TRACE][row]);
        copy_id(p->id, 8, rows->values[COL_ID][row]);
        p->kind = (uint8_t)rows->values[COL_SPAN_KIND][row].i;
        p->start_ns = rows->time_ns[row];
        p->spend = (struct span_spend){ .node = genai_node_of(&g),
                                        .usage = g.usage,
                                        .cost = price_book_cost(l->book, &g),
                                        .provider = texts_keep(&l->texts, g.provider),
                                        .model = texts_keep(&l->texts, g.model),
                                        .agent = texts_keep(&l->texts, g.agent),
                                        .user = texts_keep(&l->texts, g.user),
                                        .tenant = texts_keep(&l->texts, g.tenant),
                                        .is_odd = g.is_odd };
    }
    arena_reset(&l->scratch);
}

static int take_rows(void *ctx, const struct record_rows *rows)
{
    struct loader *l = ctx;
    for (size_t i = 0; i < rows->n; i++) take_row(l, rows, i);
    if (arena_over(l->texts.arena))
        return err_set(l->err, ERR_LIMIT, "the spans of these traces need more memory than a query may take");
    return OK;
}

static int by_trace(const void *x, const void *y)
{
    const struct priced *a = x, *b = y;
    return memcmp(a->trace_id, b->trace_id, 16);
}

static int load(struct loader *l, struct store_view *view, struct call *call, const uint8_t (*ids)[16],
                size_t n)
{
    struct arena *a = call->arena;
    int rc = spans_load(view, call, ids, n, &l->spans, l->err);
    if (rc < 0 || l->spans.n == 0) return rc;
    struct record_scan scan = { .table = TABLE_SPANS,
                                .to_ns = INT64_MAX,
                                .where = predicate_and(a, where_traces(a, ids, n), where_marked(a)) };
    scan.fields = all_fields(l, a);
    scan.n_fields = COL_NAMES + l->n_names;
    l->scratch = (struct arena)ARENA_INIT((size_t)256 << 20);
    texts_init(&l->texts, a);
    rc = view_records(view, call, &scan, take_rows, l, l->err);
    texts_release(&l->texts);
    arena_release(&l->scratch);
    if (rc == OK && n > 1 && l->n > 1) qsort(l->at, l->n, sizeof *l->at, by_trace);
    return rc;
}

/* ---- one trace ---- */

static uint64_t span_hash(const uint8_t id[8], int64_t start_ns, uint8_t kind)
{
    return hash64(id, 8) ^ ((uint64_t)start_ns * 31 + kind);
}

struct wanted_span {
    const struct priced *at;
    const struct trace_span *span;
};

static bool is_wanted(void *ctx, uint64_t i)
{
    const struct wanted_span *w = ctx;
    const struct priced *p = &w->at[i];
    return memcmp(p->id, w->span->id, 8) == 0 && p->kind == w->span->kind && p->start_ns == w->span->start_ns;
}

/* Spends in the order of the tree. */
static struct span_spend *arrange(const struct trace *t, const struct priced *at, size_t n, struct arena *a)
{
    struct span_spend *out = arena_zero(a, t->n * sizeof *out);
    struct map by_span;
    map_init(&by_span, n);
    for (size_t i = 0; i < n; i++) map_add(&by_span, span_hash(at[i].id, at[i].start_ns, at[i].kind), i);
    for (size_t i = 0; i < t->n; i++) {
        const struct trace_span *s = &t->at[i];
        const uint64_t *from = map_find(&by_span, span_hash(s->id, s->start_ns, s->kind), is_wanted,
                                        &(struct wanted_span){ at, s });
        if (from != NULL) out[i] = at[*from].spend;
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

/* The spans of one trace, and those of them that have to do with models. */
static void build(struct trace *t, const struct trace_span *spans, size_t n, const struct priced *at,
                  size_t n_priced, struct arena *a)
{
    trace_build(t, spans, n, a);
    struct span_spend *s = arrange(t, at, n_priced, a);
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
    if (l.spans.n == 0) return err_set(e, ERR_FIND, "trace not found");
    build(t, l.spans.at, l.spans.n, l.at, l.n, call->arena);
    return OK;
}

/* ---- many ---- */

/* Where trees are not wanted, each is forgotten before the next. */
static struct trace_spend spend_of(const struct trace_span *spans, size_t n, const struct priced *at,
                                   size_t n_priced)
{
    struct arena scratch = ARENA_INIT((size_t)1 << 30);
    struct trace_spend s = { 0 };
    struct trace t;
    if (n_priced > 0) {
        build(&t, spans, n, at, n_priced, &scratch);
        s = *t.total;
    }
    arena_release(&scratch);
    return s;
}

static size_t end_of_trace(const struct loader *l, size_t from)
{
    size_t i = from + 1;
    while (i < l->spans.n && memcmp(l->spans.at[i].trace_id, l->spans.at[from].trace_id, 16) == 0) i++;
    return i;
}

int traces_spend(struct store_view *view, struct call *call, const struct price_book *book,
                 const uint8_t (*ids)[16], size_t n, struct trace_spend *out, struct err *e)
{
    struct loader l = { .book = book, .err = e };
    memset(out, 0, n * sizeof *out);
    if (n == 0) return OK;
    int rc = load(&l, view, call, ids, n);
    if (rc < 0 || l.n == 0) return rc;
    for (size_t i = 0, end, p = 0, p_end; i < l.spans.n; i = end, p = p_end) {
        const uint8_t *id = l.spans.at[i].trace_id;
        end = end_of_trace(&l, i);
        while (p < l.n && memcmp(l.at[p].trace_id, id, 16) < 0) p++; /* of a trace that has come in between */
        for (p_end = p; p_end < l.n && memcmp(l.at[p_end].trace_id, id, 16) == 0;) p_end++;
        struct trace_spend s = spend_of(&l.spans.at[i], end - i, &l.at[p], p_end - p);
        for (size_t k = 0; k < n; k++)
            if (memcmp(ids[k], id, 16) == 0) out[k] = s;
    }
    return OK;
}

/* ---- a stretch of time ---- */

struct id_list {
    uint8_t (*at)[16];
    size_t n, cap;
    struct arena *arena;
    struct map known;
    struct err *err;
};

static bool is_known(void *ctx, uint64_t i)
{
    const struct id_list *l = ctx;
    return memcmp(l->at[i], l->at[l->n], 16) == 0; /* the one past the last is the one at hand */
}

static int take_ids(void *ctx, const struct record_rows *rows)
{
    struct id_list *l = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        l->at = arena_grow(l->arena, l->at, l->n, &l->cap, sizeof *l->at);
        copy_id(l->at[l->n], 16, rows->values[0][i]);
        uint64_t hash = hash64(l->at[l->n], 16);
        if (map_find(&l->known, hash, is_known, l) != NULL) continue;
        map_add(&l->known, hash, l->n++);
    }
    if (l->n > WINDOW_TRACES_MAX)
        return err_set(l->err, ERR_LIMIT, "more than %u traces with model calls: ask for a shorter time",
                       WINDOW_TRACES_MAX);
    return OK;
}

static int marked_ids(struct store_view *view, struct call *call, int64_t from_ns, int64_t to_ns,
                      struct id_list *l)
{
    const struct field fields[] = { field_in(IN_TRACE_ID) };
    struct record_scan scan = { .table = TABLE_SPANS,
                                .from_ns = from_ns,
                                .to_ns = to_ns,
                                .where = where_marked(call->arena),
                                .fields = fields,
                                .n_fields = 1 };
    map_init(&l->known, 256);
    int rc = view_records(view, call, &scan, take_ids, l, l->err);
    map_release(&l->known);
    return rc;
}

struct window {
    int64_t from_ns, to_ns;
    spend_sink *sink;
    void *ctx;
};

static int give_trace(const struct loader *l, size_t from, size_t end, const struct priced *at, size_t n,
                      const struct window *w)
{
    struct arena scratch = ARENA_INIT((size_t)1 << 30);
    struct trace t;
    int rc = OK;
    build(&t, &l->spans.at[from], end - from, at, n, &scratch);
    for (size_t i = 0; i < t.n && rc == OK; i++)
        if (t.spend[i].node.counts && t.at[i].start_ns >= w->from_ns && t.at[i].start_ns <= w->to_ns)
            rc = w->sink(w->ctx, &t.at[i], &t.spend[i]);
    arena_release(&scratch);
    return rc;
}

/* So many traces at a time as fit into memory with ease. */
#define WINDOW_BATCH 512

static int give_batch(struct store_view *view, const struct call *whole, const struct price_book *book,
                      const uint8_t (*ids)[16], size_t n, const struct window *w, struct err *e)
{
    struct arena scratch = ARENA_INIT(whole->arena->budget);
    struct call call = *whole;
    struct loader l = { .book = book, .err = e };
    call.arena = &scratch;
    int rc = load(&l, view, &call, ids, n);
    for (size_t i = 0, end, p = 0, p_end; rc == OK && l.n > 0 && i < l.spans.n; i = end, p = p_end) {
        const uint8_t *id = l.spans.at[i].trace_id;
        end = end_of_trace(&l, i);
        while (p < l.n && memcmp(l.at[p].trace_id, id, 16) < 0) p++;
        for (p_end = p; p_end < l.n && memcmp(l.at[p_end].trace_id, id, 16) == 0;) p_end++;
        if (p_end > p) rc = give_trace(&l, i, end, &l.at[p], p_end - p, w);
    }
    arena_release(&scratch);
    return rc;
}

int window_spend(struct store_view *view, struct call *call, const struct price_book *book, int64_t from_ns,
                 int64_t to_ns, spend_sink *sink, void *ctx, struct err *e)
{
    struct id_list l = { .arena = call->arena, .err = e };
    struct window w = { from_ns, to_ns, sink, ctx };
    int rc = marked_ids(view, call, from_ns, to_ns, &l);
    for (size_t i = 0; i < l.n && rc == OK; i += WINDOW_BATCH) {
        rc = call_check(call, e);
        if (rc == OK)
            rc = give_batch(view, call, book, (const uint8_t(*)[16]) & l.at[i], MIN(WINDOW_BATCH, l.n - i),
                            &w, e);
    }
    return rc;
}
