/* search.c - see search.h. Rounds of: find traces by their spans, newest first; count them whole; keep those
 * that are as wanted. A round looks for as many as are still missing, the next one goes on where it stopped.
 */
#include "query/traces/search.h"

#include <stdlib.h>

#include "base/check.h"

#define CANDIDATES_MAX 3000 /* traces looked at for one page; then it ends early, with a cursor */
#define ROUND_MIN      32
#define ROUND_MAX      1024
#define SERVICES_MAX   200     /* kept of one trace */
#define STOP           (-1000) /* a sink has what it wants */

/* ---- traces by id ---- */

struct id_set {
    struct arena *arena;
    struct map map;
    uint8_t (*at)[16];
    size_t n, cap;
};

struct wanted_id {
    const struct id_set *in;
    const uint8_t *id;
};

static bool is_wanted(void *ctx, uint64_t i)
{
    const struct wanted_id *w = ctx;
    return memcmp(w->in->at[i], w->id, 16) == 0;
}

static size_t id_find(const struct id_set *s, const void *id)
{
    const uint64_t *i = map_find(&s->map, hash64(id, 16), is_wanted, &(struct wanted_id){ s, id });
    return i != NULL ? *i : SIZE_MAX;
}

static void id_add(struct id_set *s, const void *id)
{
    s->at = arena_grow(s->arena, s->at, s->n, &s->cap, sizeof *s->at);
    memcpy(s->at[s->n], id, 16);
    map_add(&s->map, hash64(id, 16), s->n++);
}

/* ---- counting a trace whole ---- */

struct counting {
    struct id_set ids;
    struct trace_summary *out;
    struct texts texts;
};

static void count_service(struct trace_summary *t, struct arena *a, struct str name, bool failed)
{
    size_t i = 0;
    while (i < t->n_services && t->services[i].name.p != name.p) i++; /* kept texts: one place each */
    if (i == t->n_services) {
        if (i == SERVICES_MAX) return;
        t->services = arena_grow(a, t->services, t->n_services, &t->cap_services, sizeof *t->services);
        t->services[t->n_services++] = (struct service_count){ .name = name };
    }
    t->services[i].spans++;
    t->services[i].errors += failed;
}

static bool has_parent(const struct trace_span *s)
{
    uint64_t id;
    memcpy(&id, s->parent_id, 8);
    return id != 0;
}

static void count_span(struct trace_summary *t, const struct trace_span *s, struct arena *a)
{
    bool runs = s->duration_ns == SPAN_UNFINISHED, root = !has_parent(s);
    int64_t length = runs ? 0 : s->duration_ns;
    int64_t end = length > INT64_MAX - s->start_ns ? INT64_MAX : s->start_ns + length;

    t->start_ns = t->spans == 0 ? s->start_ns : MIN(t->start_ns, s->start_ns);
    t->end_ns = t->spans == 0 ? end : MAX(t->end_ns, end);
    if (t->spans == 0 || root > t->has_root || (root == t->has_root && s->start_ns < t->root_start_ns)) {
        t->root_name = s->name;
        t->root_service = s->service;
        t->root_start_ns = s->start_ns;
        t->has_root = root;
    }
    if (t->agent.n == 0) t->agent = s->agent;
    t->spans++;
    t->errors += s->status == STATUS_ERROR;
    t->running += runs;
    count_service(t, a, s->service, s->status == STATUS_ERROR);
}

static int count_rows(void *ctx, const struct record_rows *rows)
{
    struct counting *c = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        struct trace_span s;
        span_of_row(&s, rows, i, &c->texts);
        size_t at = id_find(&c->ids, s.trace_id);
        if (at != SIZE_MAX) count_span(&c->out[at], &s, c->ids.arena);
    }
    return OK;
}

static int most_spans_first(const void *x, const void *y)
{
    const struct service_count *a = x, *b = y;
    return a->spans != b->spans ? (a->spans < b->spans) - (a->spans > b->spans) : str_cmp(a->name, b->name);
}

int trace_summaries(struct store_view *view, struct call *call, const uint8_t (*ids)[16], size_t n,
                    struct trace_summary *out, struct err *e)
{
    struct counting c = { .ids = { .arena = call->arena }, .out = out };
    struct record_scan scan = {
        .table = TABLE_SPANS, .to_ns = INT64_MAX, .fields = span_fields, .n_fields = SPAN_COLUMNS
    };

    memset(out, 0, n * sizeof *out);
    if (n == 0) return OK;
    scan.where = where_traces(call->arena, ids, n);
    map_init(&c.ids.map, n);
    for (size_t i = 0; i < n; i++) {
        memcpy(out[i].id, ids[i], 16);
        id_add(&c.ids, ids[i]);
    }
    texts_init(&c.texts, call->arena);
    int rc = view_records(view, call, &scan, count_rows, &c, e);
    texts_release(&c.texts);
    map_release(&c.ids.map);
    for (size_t i = 0; i < n; i++)
        if (out[i].n_services > 1)
            qsort(out[i].services, out[i].n_services, sizeof *out[i].services, most_spans_first);
    return rc;
}

/* ---- finding candidates ---- */

struct search {
    const struct trace_search *ask;
    struct store_view *view;
    struct call *call;
    struct err *err;
    const struct predicate *where;
    struct id_set seen; /* candidates of all rounds, in the order found */
    int64_t *seen_ns;   /* of each: its newest span that matches */
    size_t cap_ns;
    size_t wanted; /* stop at so many seen */
    int64_t to_ns; /* where the next round begins */
    bool is_exhausted;
};

static bool is_after(const struct trace_cursor *c, int64_t time_ns, const uint8_t *id)
{
    if (c->time_ns == 0) return true;
    return time_ns < c->time_ns || (time_ns == c->time_ns && memcmp(id, c->trace_id, 16) > 0);
}

static int find_rows(void *ctx, const struct record_rows *rows)
{
    struct search *s = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        struct value id = rows->values[0][i];
        if (id.type != VALUE_BYTES || id.text.n != 16) continue;
        if (id_find(&s->seen, id.text.p) != SIZE_MAX) continue;
        /* Spans of one time come in any order: all of them belong to the round. */
        if (s->seen.n >= s->wanted && rows->time_ns[i] < s->to_ns) return STOP;
        s->seen_ns = arena_grow(s->call->arena, s->seen_ns, s->seen.n, &s->cap_ns, sizeof *s->seen_ns);
        s->seen_ns[s->seen.n] = s->to_ns = rows->time_ns[i];
        id_add(&s->seen, id.text.p);
    }
    return OK;
}

/* More candidates, at least n if there are so many. */
static int find_more(struct search *s, size_t n)
{
    const struct field fields[] = { field_in(IN_TRACE_ID) };
    struct record_scan scan = { .table = TABLE_SPANS,
                                .from_ns = s->ask->from_ns,
                                .to_ns = s->to_ns,
                                .where = s->where,
                                .fields = fields,
                                .n_fields = 1,
                                .order = ORDER_TIME_DESC };
    s->wanted = s->seen.n + n;
    int rc = view_records(s->view, s->call, &scan, find_rows, s, s->err);
    if (rc == STOP) return OK;
    s->is_exhausted = rc == OK;
    return rc;
}

/* ---- traces of earlier pages ---- */

struct earlier {
    const struct search *s;
    bool *is_old; /* by number of candidate */
};

static int mark_old(void *ctx, const struct record_rows *rows)
{
    struct earlier *e = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        struct value id = rows->values[0][i];
        size_t at = id.type == VALUE_BYTES && id.text.n == 16 ? id_find(&e->s->seen, id.text.p) : SIZE_MAX;
        if (at != SIZE_MAX && !is_after(&e->s->ask->after, rows->time_ns[i], (const uint8_t *)id.text.p))
            e->is_old[at] = true;
    }
    return OK;
}

/* Which of the candidates from `from` on have a matching span before the cursor. */
static int find_old(struct search *s, size_t from, bool *is_old)
{
    const struct field fields[] = { field_in(IN_TRACE_ID) };
    struct arena *a = s->call->arena;
    struct record_scan scan = { .table = TABLE_SPANS,
                                .from_ns = s->ask->after.time_ns,
                                .to_ns = s->ask->to_ns,
                                .fields = fields,
                                .n_fields = 1 };
    if (s->ask->after.time_ns == 0 || s->seen.n == from) return OK;
    scan.where = predicate_and(a, where_traces(a, (const uint8_t(*)[16])s->seen.at + from, s->seen.n - from),
                               s->where);
    return view_records(s->view, s->call, &scan, mark_old, &(struct earlier){ s, is_old }, s->err);
}

/* ---- rounds ---- */

static bool is_as_wanted(const struct trace_search *ask, const struct trace_summary *t)
{
    int64_t length = t->end_ns - t->start_ns;
    if (t->spans == 0) return false; /* gone since */
    if (length < ask->min_ns || (ask->max_ns > 0 && length > ask->max_ns)) return false;
    switch (ask->status) {
    case TRACE_ERROR: return t->errors > 0;
    case TRACE_OK: return t->errors == 0 && t->running == 0;
    case TRACE_RUNNING: return t->running > 0;
    default: return true;
    }
}

/* What the candidates from `from` on are; those that are wanted join the found, up to the limit. */
static int take_round(struct search *s, size_t from, struct trace_found *found)
{
    size_t n = s->seen.n - from;
    bool *is_old = arena_zero(s->call->arena, s->seen.n + 1);
    struct trace_summary *t = arena_zero(s->call->arena, (n + 1) * sizeof *t);
    int rc = find_old(s, from, is_old);

    if (rc == OK)
        rc = trace_summaries(s->view, s->call, (const uint8_t(*)[16])s->seen.at + from, n, t, s->err);
    for (size_t i = 0; i < n && rc == OK; i++) {
        if (found->n == s->ask->limit) {
            found->more = true;
            break;
        }
        found->next.time_ns = s->seen_ns[from + i];
        memcpy(found->next.trace_id, s->seen.at[from + i], 16);
        if (is_old[from + i] || !is_as_wanted(s->ask, &t[i])) continue;
        found->at[found->n] = t[i];
        found->at[found->n++].seen_ns = s->seen_ns[from + i];
    }
    return rc;
}

/* Candidates of one time in the order of the cursor. */
static void order_equal_times(struct search *s, size_t from)
{
    for (size_t i = from + 1; i < s->seen.n; i++)
        for (size_t k = i; k > from && s->seen_ns[k] == s->seen_ns[k - 1] &&
                           memcmp(s->seen.at[k], s->seen.at[k - 1], 16) < 0;
             k--) {
            uint8_t id[16];
            memcpy(id, s->seen.at[k], 16);
            memcpy(s->seen.at[k], s->seen.at[k - 1], 16);
            memcpy(s->seen.at[k - 1], id, 16);
        }
    map_clear(&s->seen.map);
    for (size_t i = 0; i < s->seen.n; i++) map_add(&s->seen.map, hash64(s->seen.at[i], 16), i);
}

static int run_rounds(struct search *s, struct trace_found *found)
{
    size_t round = ROUND_MIN; /* doubled: when few are as wanted, beginning again costs more than looking */
    int rc = OK;
    while (rc == OK && !s->is_exhausted && found->n < s->ask->limit && s->seen.n < CANDIDATES_MAX) {
        size_t from = s->seen.n;
        rc = find_more(s, MAX(s->ask->limit - found->n + 1, round));
        round = MIN(2 * round, (size_t)ROUND_MAX);
        if (rc < 0) break;
        order_equal_times(s, from);
        rc = take_round(s, from, found);
    }
    if (!s->is_exhausted) found->more = true;
    return rc;
}

/* What the status says of a single span narrows the search: without it, all healthy traces are candidates. */
static const struct predicate *narrow(const struct trace_search *ask, struct arena *a)
{
    if (ask->where != NULL) return ask->where;
    if (ask->status == TRACE_ERROR)
        return predicate_cmp(a, PRED_EQ, field_in(IN_STATUS), value_int(STATUS_ERROR));
    if (ask->status == TRACE_RUNNING)
        return predicate_cmp(a, PRED_EQ, field_in(IN_DURATION), value_int(SPAN_UNFINISHED));
    return NULL;
}

static int newest_first(const void *x, const void *y)
{
    const struct trace_summary *a = x, *b = y;
    if (a->start_ns != b->start_ns) return a->start_ns > b->start_ns ? -1 : 1;
    return memcmp(a->id, b->id, 16);
}

int trace_search(struct store_view *view, struct call *call, const struct trace_search *ask,
                 struct trace_found *found, struct err *e)
{
    struct search s = { .ask = ask,
                        .view = view,
                        .call = call,
                        .err = e,
                        .where = narrow(ask, call->arena),
                        .seen = { .arena = call->arena },
                        .to_ns = ask->after.time_ns > 0 ? MIN(ask->after.time_ns, ask->to_ns) : ask->to_ns };

    check(ask->limit > 0 && ask->limit <= SEARCH_LIMIT_MAX);
    *found = (struct trace_found){ .at = arena_array(call->arena, ask->limit, sizeof *found->at) };
    map_init(&s.seen.map, 256);
    int rc = run_rounds(&s, found);
    map_release(&s.seen.map);
    if (found->n > 1) qsort(found->at, found->n, sizeof *found->at, newest_first);
    return rc;
}
