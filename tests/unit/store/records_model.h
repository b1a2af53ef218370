/* records_model.h - a toy of logs and spans, for the tests: every record written, as a plain list.
 *
 * Each has a number of its own in the attribute "n", so that what a scan delivers can be told apart. Spans
 * come from few traces; some are sent again, finished or changed, with the start they had: then the list
 * keeps only the one that counts. */
#pragma once
#include "unit/store/store_model.h"

#define RECORDS_MAX 20000

struct toy_record {
    enum table table;
    int64_t time_ns, duration_ns; /* spans */
    uint32_t trace, span, service, n;
    bool is_gone; /* a better one came */
};

struct toy {
    struct toy_record at[RECORDS_MAX];
    size_t n;
    uint64_t seed;
    int64_t first_ns, span_ns; /* times lie in [first, first + span) */
};

static inline uint64_t toy_random(struct toy *m, uint64_t below)
{
    m->seed ^= m->seed << 13;
    m->seed ^= m->seed >> 7;
    m->seed ^= m->seed << 17;
    return m->seed % below;
}

static inline struct toy *toy_new(uint64_t seed, int64_t span_ns)
{
    struct toy *m = mem_alloc_zero(sizeof *m);
    m->seed = seed * 2654435761u + 1;
    m->span_ns = span_ns;
    m->first_ns = clock_now_ms() * 1000000 - span_ns;
    return m;
}

static inline void toy_trace_id(uint32_t trace, uint8_t out[16])
{
    for (int i = 0; i < 16; i++)
        out[i] = (uint8_t)((trace + 1) * 2654435761u >> (i % 4 * 8) ^ (unsigned)i * 17);
}

static inline void toy_fill(const struct toy_record *t, struct record *r, struct attr attrs[2])
{
    *r = (struct record){ .time_ns = t->time_ns };
    attrs[0] = (struct attr){ STR("n"), value_int(t->n) };
    attrs[1] = (struct attr){ STR("http.route"), value_str(t->n % 3 ? STR("/chat") : STR("/tools/list")) };
    r->attrs = (struct attrs){ attrs, 2 };
    toy_trace_id(t->trace, r->trace_id);
    memcpy(r->span_id, &(uint64_t){ t->span + 1 }, 8);
    if (t->table == TABLE_SPANS) {
        r->span.duration_ns = t->duration_ns;
        r->span.kind = SPAN_SERVER;
        r->span.name = STR("step");
    } else {
        r->log.severity = (uint8_t)(1 + t->n % 24);
        r->log.body = value_str(t->n % 7 ? STR("all is well") : STR("the tool call failed"));
    }
}

static inline void toy_origin(uint32_t service, struct arena *a, struct origin *o)
{
    struct attr *at = arena_array(a, 1, sizeof *at);
    at[0] = (struct attr){ STR("service.name"), value_str(arena_printf(a, "service-%u", service)) };
    *o = (struct origin){ .resource = { at, 1 }, .scope_name = STR("toy") };
}

static inline void toy_retire(struct toy *m, const struct toy_record *fresh)
{
    bool finished = fresh->duration_ns != SPAN_UNFINISHED;
    for (size_t i = 0; i < m->n; i++) {
        struct toy_record *old = &m->at[i];
        if (old == fresh || old->table != TABLE_SPANS || old->is_gone || old->trace != fresh->trace ||
            old->span != fresh->span)
            continue;
        bool old_finished = old->duration_ns != SPAN_UNFINISHED;
        if (old_finished && !finished)
            m->at[fresh - m->at].is_gone = true;
        else
            old->is_gone = true;
    }
}

/* A new record, or a span that is sent again. */
static inline struct toy_record *toy_add(struct toy *m, enum table table)
{
    struct toy_record *t = &m->at[m->n];
    check(m->n < RECORDS_MAX);
    *t = (struct toy_record){ .table = table, .n = (uint32_t)m->n };
    t->time_ns = m->first_ns + (int64_t)toy_random(m, (uint64_t)m->span_ns);
    t->trace = (uint32_t)(m->n / 5 + toy_random(m, 3));
    t->span = (uint32_t)m->n;
    t->service = (uint32_t)toy_random(m, 4);
    t->duration_ns = toy_random(m, 4) ? (int64_t)toy_random(m, 1000000) : SPAN_UNFINISHED;
    size_t before = m->n ? toy_random(m, m->n) : 0;
    bool is_again = table == TABLE_SPANS && m->n > 0 && toy_random(m, 5) == 0;
    if (is_again && m->at[before].table == TABLE_SPANS) {
        t->time_ns = m->at[before].time_ns;
        t->trace = m->at[before].trace;
        t->span = m->at[before].span;
    }
    m->n++;
    if (table == TABLE_SPANS) toy_retire(m, t);
    return t;
}

static inline void toy_put(struct records *to, const struct toy_record *t, struct arena *a)
{
    struct record r;
    struct attr attrs[2];
    struct origin o;
    toy_origin(t->service, a, &o);
    toy_fill(t, &r, attrs);
    records_origin(to, &o);
    EXPECT(records_add(to, &r, NULL) == OK);
}

/* One batch of logs and spans. */
static inline int toy_write(struct toy *m, struct store *s, size_t n_logs, size_t n_spans, enum store_ack ack,
                            store_done *done, void *ctx)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct batch b;
    struct records logs, spans;
    struct write_result result;
    struct err e = ERR_INIT;
    batch_init(&b, &a, LABELS_PACKED);
    records_init(&logs, &a, TABLE_LOGS);
    records_init(&spans, &a, TABLE_SPANS);
    for (size_t i = 0; i < n_logs; i++) toy_put(&logs, toy_add(m, TABLE_LOGS), &a);
    for (size_t i = 0; i < n_spans; i++) toy_put(&spans, toy_add(m, TABLE_SPANS), &a);
    records_end(&logs);
    records_end(&spans);
    b.logs = &logs;
    b.spans = &spans;
    int rc = store_write(s, &b, ack, &result, done, ctx, &e);
    if (rc < 0) print_error("write: %s\n", e.text);
    EXPECT(rc < 0 || (result.logs == n_logs && result.spans == n_spans && result.rejected_total == 0));
    arena_release(&a);
    return rc;
}

/* ---- comparing ---- */

struct toy_check {
    const struct toy *m;
    const struct record_scan *scan;
    uint8_t seen[RECORDS_MAX];
    size_t delivered;
    int64_t last_ns;
    bool failed;
};

static inline bool toy_matches(const struct toy_record *t, const struct record_scan *scan)
{
    struct record r;
    struct attr attrs[2];
    struct origin o;
    struct arena a = ARENA_INIT(SIZE_MAX);
    if (t->is_gone || t->table != scan->table || t->time_ns < scan->from_ns || t->time_ns > scan->to_ns)
        return false;
    toy_origin(t->service, &a, &o);
    toy_fill(t, &r, attrs);
    r.origin = &o;
    bool matches = predicate_matches(scan->where, &r, scan->table);
    arena_release(&a);
    return matches;
}

static inline int toy_see(void *ctx, const struct record_rows *rows)
{
    struct toy_check *c = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        struct value n =
            rows->records ? record_value(&rows->records[i], c->scan->table, field_attr(FIELD_ATTR, STR("n")))
                          : rows->values[0][i];
        bool is_ours = n.type == VALUE_INT && n.i >= 0 && (size_t)n.i < c->m->n;
        const struct toy_record *t = is_ours ? &c->m->at[n.i] : NULL;
        int64_t step =
            c->scan->order == ORDER_TIME_DESC ? c->last_ns - rows->time_ns[i] : rows->time_ns[i] - c->last_ns;
        if (c->scan->order != ORDER_ANY && c->delivered > 0 && step < 0) c->failed = true;
        if (t == NULL || t->time_ns != rows->time_ns[i] || c->seen[n.i]++ || !toy_matches(t, c->scan))
            c->failed = true;
        c->last_ns = rows->time_ns[i];
        c->delivered++;
    }
    return OK;
}

/* With a limit only the first in the order asked for may come: no other of the list lies before the last. */
static inline bool toy_is_whole(const struct toy_check *c)
{
    size_t want = 0;
    for (size_t i = 0; i < c->m->n; i++) {
        const struct toy_record *t = &c->m->at[i];
        if (!toy_matches(t, c->scan)) continue;
        want++;
        if (c->seen[i]) continue;
        bool is_full = c->scan->limit && c->delivered == c->scan->limit;
        bool is_before = c->scan->order == ORDER_TIME
                             ? t->time_ns < c->last_ns
                             : c->scan->order == ORDER_TIME_DESC && t->time_ns > c->last_ns;
        if (!is_full || is_before) return false;
    }
    return c->delivered == (c->scan->limit ? MIN(want, c->scan->limit) : want);
}

static inline bool toy_scan(const struct toy *m, struct store_view *v, const struct record_scan *scan)
{
    struct arena a = ARENA_INIT(1u << 30);
    struct call call = { .arena = &a };
    struct err e = ERR_INIT;
    struct toy_check *c = mem_alloc_zero(sizeof *c);
    c->m = m;
    c->scan = scan;
    int rc = view_records(v, &call, scan, toy_see, c, &e);
    if (rc < 0) print_error("scan: %s\n", e.text);
    bool right = rc == OK && !c->failed && toy_is_whole(c);
    if (!right)
        print_error("table %s, order %d, limit %zu: %zu delivered, failed %d\n", table_name(scan->table),
                    (int)scan->order, scan->limit, c->delivered, c->failed);
    mem_free(c);
    arena_release(&a);
    return right;
}

static inline const struct predicate *toy_cmp(struct arena *a, enum predicate_op op, struct field f,
                                              struct value v)
{
    struct predicate *p = arena_zero(a, sizeof *p);
    *p = (struct predicate){ .op = op, .field = f, .value = v };
    return p;
}

/* Every order, with and without limit and fields, and some conditions. */
static inline void toy_compare(struct toy *m, struct store_view *v)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct field n_field = field_attr(FIELD_ATTR, STR("n"));
    uint8_t id[16];
    toy_trace_id(m->n ? m->at[toy_random(m, m->n)].trace : 0, id);
    const struct predicate *where[] = {
        NULL,
        toy_cmp(&a, PRED_EQ, field_in(IN_TRACE_ID), (struct value){ VALUE_BYTES, { { (char *)id, 16 } } }),
        toy_cmp(&a, PRED_EQ, field_attr(FIELD_RESOURCE, STR("service.name")), value_str(STR("service-2"))),
        toy_cmp(&a, PRED_LT, field_in(IN_DURATION), value_int(0)), /* running spans only */
        toy_cmp(&a, PRED_EQ, field_attr(FIELD_ATTR, STR("http.route")), value_str(STR("/tools/list"))),
    };
    for (int table = TABLE_LOGS; table <= TABLE_SPANS; table++)
        for (int order = ORDER_ANY; order <= ORDER_TIME_DESC; order++)
            for (size_t w = 0; w < COUNT(where); w++) {
                struct record_scan scan = { .table = (enum table)table,
                                            .to_ns = INT64_MAX,
                                            .where = where[w],
                                            .order = (enum record_order)order,
                                            .limit = w % 2 ? 0 : toy_random(m, 2) * 17 };
                if (toy_random(m, 2))
                    scan.from_ns = m->first_ns + (int64_t)toy_random(m, (uint64_t)m->span_ns);
                if (toy_random(m, 2)) scan.fields = &n_field, scan.n_fields = 1;
                EXPECT(toy_scan(m, v, &scan));
            }
    arena_release(&a);
}

static inline void toy_compare_now(struct toy *m, struct store *s)
{
    struct store_view *v;
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    toy_compare(m, v);
    store_view_close(v);
}
