/* work_records.c - logs and spans for the fault tests.
 *
 * Record i of batch b follows from the seed, b and i, and says in its attributes which it is. What is found
 * is made again and compared field by field. Other than samples, records that are there twice count twice:
 * so each may be there once. A batch is there with all its records of a table or with none, as long as the
 * files are undamaged (store/write_records.c). */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "fault/common/random.h"
#include "fault/common/work_tables.h"

#define RECORDS_AT 12 /* most of a batch */
#define NS_A_MS    1000000

static unsigned count_of(const struct work *w, uint32_t b, enum table table)
{
    struct rnd rnd = random_of(w->seed, b * 4ull + 100000 + table);
    return (unsigned)random_below(&rnd, RECORDS_AT + 1);
}

/* Most texts are short, some lie in content pages; and some batches are so large that the log takes them in
 * several frames, of which a crash may leave the first ones. */
static size_t text_bytes(struct rnd *rnd, uint32_t b)
{
    if (b % 53 == 7) return 15000 + random_below(rnd, 45000);
    return random_below(rnd, 40) ? random_below(rnd, 60) : 600 + random_below(rnd, 3000);
}

static struct str text_of(struct rnd *rnd, uint32_t b, unsigned i, struct arena *a)
{
    size_t n = text_bytes(rnd, b);
    char *p = arena_alloc(a, n + 1);
    for (size_t k = 0; k < n; k++) p[k] = (char)('a' + random_below(rnd, 26));
    p[n] = 0;
    return arena_printf(a, "batch %u, record %u: %s", b, i, p);
}

static void origin_of(uint32_t b, unsigned i, struct arena *a, struct origin *out)
{
    struct attr *at = arena_array(a, 1, sizeof *at);
    at[0] = (struct attr){ STR("service.name"), value_str(arena_printf(a, "service-%u", (b + i / 4) % 5)) };
    *out = (struct origin){ .resource = { at, 1 }, .scope_name = STR("fault") };
}

static void record_of(const struct work *w, enum table table, uint32_t b, unsigned i, struct arena *a,
                      struct record *r)
{
    struct rnd rnd = random_of(w->seed, ((uint64_t)b * 64 + i) * 4 + (uint64_t)table + 500000);
    struct attr *at = arena_array(a, 3, sizeof *at);
    uint64_t number = (uint64_t)b * 64 + i + 1;
    *r = (struct record){ .attrs = { at, 3 } };
    r->time_ns = work_time_ms(w, (unsigned)random_below(&rnd, 512)) * NS_A_MS + (int64_t)number;
    memcpy(r->trace_id, &w->seed, sizeof w->seed);
    memcpy(r->trace_id + 8, &(uint64_t){ b / 3 + 1 }, 8); /* a trace comes in several batches */
    memcpy(r->span_id, &number, sizeof number);
    at[0] = (struct attr){ STR("batch"), value_int(b) };
    at[1] = (struct attr){ STR("record"), value_int(i) };
    at[2] = (struct attr){ STR("note"), value_str(text_of(&rnd, b, i, a)) };
    if (table == TABLE_LOGS) {
        r->log.severity = (uint8_t)(1 + random_below(&rnd, 24));
        r->log.body = value_str(text_of(&rnd, b, i, a));
    } else {
        r->span.duration_ns = (int64_t)random_below(&rnd, 1u << 30);
        r->span.kind = SPAN_SERVER;
        r->span.name = arena_printf(a, "step %u", i);
    }
}

static struct records *records_of(const struct work *w, enum table table, uint32_t b, struct arena *a)
{
    unsigned n = count_of(w, b, table);
    if (n == 0) return NULL;
    struct records *out = arena_zero(a, sizeof *out);
    records_init(out, a, table);
    for (unsigned i = 0; i < n; i++) {
        struct origin origin;
        struct record r;
        origin_of(b, i, a, &origin);
        record_of(w, table, b, i, a, &r);
        records_origin(out, &origin);
        check(records_add(out, &r, NULL) == OK);
    }
    records_end(out);
    return out;
}

void logs_put(const struct work *w, uint32_t b, struct batch *batch)
{
    batch->logs = records_of(w, TABLE_LOGS, b, batch->arena);
}

void spans_put(const struct work *w, uint32_t b, struct batch *batch)
{
    batch->spans = records_of(w, TABLE_SPANS, b, batch->arena);
}

/* ---- judging them ---- */

struct judge {
    const struct work *w;
    struct work_verdict *v;
    enum table table;
    struct arena scratch;
    uint16_t found[WORK_BATCHES]; /* bit i: record i */
};

static int64_t number_in(const struct record *r, const char *name)
{
    for (size_t i = 0; i < r->attrs.n; i++)
        if (str_is(r->attrs.at[i].name, name) && r->attrs.at[i].value.type == VALUE_INT)
            return r->attrs.at[i].value.i;
    return -1;
}

static bool same_attrs(struct attrs found, struct attrs want)
{
    size_t same = 0;
    for (size_t i = 0; i < want.n; i++)
        for (size_t k = 0; k < found.n; k++)
            same +=
                str_eq(found.at[k].name, want.at[i].name) && value_same(found.at[k].value, want.at[i].value);
    return found.n == want.n && same == want.n;
}

static bool is_equal(const struct record *found, const struct record *want, const struct origin *origin,
                     enum table table)
{
    if (found->time_ns != want->time_ns || memcmp(found->trace_id, want->trace_id, 16) != 0 ||
        memcmp(found->span_id, want->span_id, 8) != 0 || !same_attrs(found->attrs, want->attrs) ||
        found->origin == NULL || !same_attrs(found->origin->resource, origin->resource))
        return false;
    if (table == TABLE_LOGS)
        return found->log.severity == want->log.severity && value_same(found->log.body, want->log.body);
    return found->span.duration_ns == want->span.duration_ns && found->span.kind == want->span.kind &&
           str_eq(found->span.name, want->span.name);
}

static int judge_record(struct judge *j, const struct record *r)
{
    const char *name = table_name(j->table);
    int64_t b = number_in(r, "batch"), i = number_in(r, "record");
    struct record want;
    struct origin origin;
    if (b < 0 || b >= WORK_BATCHES || i < 0 || i >= count_of(j->w, (uint32_t)b, j->table))
        return work_complain(j->v, "%s: a record (%lld, %lld) that nobody wrote", name, (long long)b,
                             (long long)i);
    arena_reset(&j->scratch);
    record_of(j->w, j->table, (uint32_t)b, (unsigned)i, &j->scratch, &want);
    origin_of((uint32_t)b, (unsigned)i, &j->scratch, &origin);
    if (!is_equal(r, &want, &origin, j->table))
        return work_complain(j->v, "%s: record %lld of batch %lld is not equal to what was written", name,
                             (long long)i, (long long)b);
    enum work_state state = atomic_load(&j->w->state[b]);
    if (state == WORK_NONE || state == WORK_REFUSED)
        return work_complain(j->v, "%s: a record of batch %lld is there, which %s", name, (long long)b,
                             state == WORK_NONE ? "had not begun" : "was refused");
    if (j->found[b] >> i & 1)
        return work_complain(j->v, "%s: record %lld of batch %lld is there twice", name, (long long)i,
                             (long long)b);
    j->found[b] |= (uint16_t)(1u << i);
    j->v->rows++;
    return OK;
}

static int judge_records(void *ctx, const struct record_rows *rows)
{
    int rc = OK;
    for (size_t i = 0; rc == OK && i < rows->n; i++) rc = judge_record(ctx, &rows->records[i]);
    return rc;
}

static void judge_batch(struct judge *j, uint32_t b, int64_t taken_before_ns)
{
    unsigned n = count_of(j->w, b, j->table), there = (unsigned)__builtin_popcount(j->found[b]);
    enum work_state state = atomic_load(&j->w->state[b]);
    bool promised = work_is_promised(j->w, b, taken_before_ns);
    j->v->cells += promised ? n : 0;
    j->v->partial += !promised && there > 0 && there < n;
    if (promised && there < n)
        work_complain(j->v, "%s: batch %u was acknowledged%s; %u of its %u records are there",
                      table_name(j->table), b, state == WORK_DURABLE ? " as durable" : " long enough ago",
                      there, n);
    if ((state == WORK_BEGUN || state == WORK_TAKEN) && there > 0 && there < n)
        work_complain(j->v, "%s: of batch %u %u of %u records are there, and it is one write",
                      table_name(j->table), b, there, n);
}

static int table_judge(const struct work *w, enum table table, struct store_view *view,
                       int64_t taken_before_ns, struct work_verdict *v, struct err *e)
{
    struct arena a = ARENA_INIT(256u << 20);
    struct call call = { .arena = &a };
    struct record_scan scan = { .table = table, .from_ns = 0, .to_ns = INT64_MAX };
    struct judge *j = mem_alloc_zero(sizeof *j);
    *j = (struct judge){ .w = w, .v = v, .table = table, .scratch = ARENA_INIT(1 << 20) };
    int rc = view_records(view, &call, &scan, judge_records, j, e);
    if (rc == ERR_CANCEL && v->wrong[0] != 0) rc = OK;
    for (uint32_t b = 0; rc == OK && v->wrong[0] == 0 && b < WORK_BATCHES; b++)
        judge_batch(j, b, taken_before_ns);
    arena_release(&j->scratch);
    mem_free(j);
    arena_release(&a);
    return rc;
}

int logs_judge(const struct work *w, struct store_view *view, int64_t taken_before_ns, struct work_verdict *v,
               struct err *e)
{
    return table_judge(w, TABLE_LOGS, view, taken_before_ns, v, e);
}

int spans_judge(const struct work *w, struct store_view *view, int64_t taken_before_ns,
                struct work_verdict *v, struct err *e)
{
    return table_judge(w, TABLE_SPANS, view, taken_before_ns, v, e);
}
