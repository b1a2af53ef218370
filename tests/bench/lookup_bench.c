/* lookup_bench - what it costs to find spans: lists of traces, one trace, an attribute, a service.
 *
 *     lookup_bench [SPANS] [A FLUSH EVERY] [THREADS]     default: 360000, 300000: most in parts, the rest in
 * the head; 1
 *
 * 12 spans a trace, a trace every 12 ms, 40 services, ids at random. Each question is asked eight times; best
 * and worst of the last seven, and the processor time of the best. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/work.h"
#include "model/predicate.h"
#include "query/traces/search.h"
#include "store/embedded.h"

#define SPANS_A_TRACE 12
#define BATCH         600
#define SPAN_NS       1000000
#define ROUNDS        8

static uint64_t random_state = 88172645463325252ull;
static uint64_t random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

struct bench {
    struct store *store;
    size_t n;
    int64_t first_ns;
    uint8_t some_trace[16]; /* from the middle */
    struct work_pool *pool;
};

/* ---- writing ---- */

static void add_span(struct bench *b, struct records *to, size_t i)
{
    static uint64_t trace[2], parent;
    char call[40], user[40];
    if (i % SPANS_A_TRACE == 0) trace[0] = random_u64(), trace[1] = random_u64();
    if (i == b->n / 2) memcpy(b->some_trace, trace, 16);
    uint64_t span = random_u64();
    snprintf(call, sizeof call, "call_%016llx", (unsigned long long)random_u64());
    if (i == b->n / 3) snprintf(call, sizeof call, "needle");
    snprintf(user, sizeof user, "user-%u", (unsigned)(random_u64() % 5000));
    struct attr attrs[] = {
        { STR("gen_ai.operation.name"), value_str(STR("chat")) },
        { STR("gen_ai.tool.call.id"), value_str(str_of(call)) },
        { STR("enduser.id"), value_str(str_of(user)) },
        { STR("gen_ai.usage.input_tokens"), value_int((int64_t)(random_u64() % 4000)) },
        { STR("http.response.status_code"), value_int(random_u64() % 1000 ? 200 : 503) },
    };
    struct record r = { .time_ns = b->first_ns + (int64_t)i * SPAN_NS, .attrs = { attrs, COUNT(attrs) } };
    memcpy(r.trace_id, trace, 16);
    memcpy(r.span_id, &span, 8);
    if (i % SPANS_A_TRACE > 0) memcpy(r.span.parent_id, &parent, 8);
    if (i % SPANS_A_TRACE == 0) parent = span;
    r.span.name = STR("chat gpt-4o");
    r.span.kind = SPAN_CLIENT;
    r.span.status = random_u64() % 500 == 0 ? STATUS_ERROR : 0;
    r.span.duration_ns = (int64_t)(random_u64() % 20000000);
    check(records_add(to, &r, NULL) == OK);
}

static void write_batch(struct bench *b, size_t first, size_t n)
{
    char name[20];
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct batch batch;
    struct records spans;
    struct write_result result;
    snprintf(name, sizeof name, "agent-%zu", first / BATCH % 40);
    struct attr service = { STR("service.name"), value_str(str_of(name)) };
    struct origin origin = { .resource = { &service, 1 } };
    batch_init(&batch, &a, LABELS_PACKED);
    records_init(&spans, &a, TABLE_SPANS);
    records_origin(&spans, &origin);
    for (size_t i = first; i < first + n; i++) add_span(b, &spans, i);
    records_end(&spans);
    batch.spans = &spans;
    batch.id = (struct hash128){ first + 1, n };
    while (store_write(b->store, &batch, ACK_MEMORY, &result, NULL, NULL, NULL) == ERR_BUSY)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    arena_release(&a);
}

/* ---- asking ---- */

static int count_rows(void *ctx, const struct record_rows *rows)
{
    *(size_t *)ctx += rows->n;
    return OK;
}

static size_t scan(struct bench *b, struct arena *a, const struct predicate *where, int64_t from_ns)
{
    size_t n = 0;
    struct call call = { .arena = a, .pool = b->pool };
    struct store_view *v;
    const struct field fields[] = { field_in(IN_TRACE_ID), field_in(IN_NAME) };
    struct record_scan s = { .table = TABLE_SPANS,
                             .from_ns = from_ns,
                             .to_ns = INT64_MAX,
                             .where = where,
                             .fields = fields,
                             .n_fields = 2,
                             .order = ORDER_TIME_DESC };
    check(store_view_open(b->store, 0, INT64_MAX, &v, NULL) == OK);
    check(view_records(v, &call, &s, count_rows, &n, NULL) == OK);
    store_view_close(v);
    return n;
}

static size_t search(struct bench *b, struct arena *a, int64_t min_ns, enum trace_status status)
{
    struct call call = { .arena = a, .pool = b->pool };
    struct store_view *v;
    struct trace_found found;
    struct err e = ERR_INIT;
    struct trace_search ask = { .to_ns = INT64_MAX, .limit = 20, .min_ns = min_ns, .status = status };
    check(store_view_open(b->store, 0, INT64_MAX, &v, NULL) == OK);
    if (trace_search(v, &call, &ask, &found, &e) < 0) printf("%s\n", e.text);
    store_view_close(v);
    return found.n;
}

static struct value text(const char *s)
{
    return value_str(str_of(s));
}

static struct field attribute(enum field_scope scope, const char *name)
{
    return field_attr(scope, str_of(name));
}

static size_t ask_newest(struct bench *b, struct arena *a)
{
    return search(b, a, 0, TRACE_ANY);
}
static size_t ask_slow(struct bench *b, struct arena *a)
{
    return search(b, a, 3600000000000, TRACE_ANY);
}
static size_t ask_failed(struct bench *b, struct arena *a)
{
    return search(b, a, 0, TRACE_ERROR);
}
static size_t ask_trace(struct bench *b, struct arena *a)
{
    struct value id = { .type = VALUE_BYTES, .text = str_make(b->some_trace, 16) };
    return scan(b, a, predicate_cmp(a, PRED_EQ, field_in(IN_TRACE_ID), id), 0);
}
static size_t ask_needle(struct bench *b, struct arena *a)
{
    return scan(b, a, predicate_cmp(a, PRED_EQ, attribute(FIELD_ATTR, "gen_ai.tool.call.id"), text("needle")),
                0);
}
static size_t ask_user(struct bench *b, struct arena *a)
{
    return scan(b, a, predicate_cmp(a, PRED_EQ, attribute(FIELD_ATTR, "enduser.id"), text("user-77")), 0);
}
static size_t ask_absent(struct bench *b, struct arena *a)
{
    return scan(b, a, predicate_cmp(a, PRED_EQ, attribute(FIELD_ATTR, "no.such.name"), text("x")), 0);
}
static size_t ask_service(struct bench *b, struct arena *a)
{
    int64_t last_ns = b->first_ns + (int64_t)b->n * SPAN_NS;
    return scan(b, a, predicate_cmp(a, PRED_EQ, attribute(FIELD_RESOURCE, "service.name"), text("agent-7")),
                last_ns - 3600000000000);
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void measure(struct bench *b, const char *what, size_t (*ask)(struct bench *, struct arena *))
{
    double best = 1e9, worst = 0, best_cpu = 0;
    size_t found = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct arena a = ARENA_INIT((size_t)1 << 30);
        double cpu = cpu_ms();
        int64_t t = clock_mono_ns();
        found = ask(b, &a);
        double ms = (double)(clock_mono_ns() - t) / 1e6;
        if (i > 0 && ms < best) best = ms, best_cpu = cpu_ms() - cpu;
        if (i > 0) worst = ms > worst ? ms : worst;
        arena_release(&a);
    }
    printf("  %-44s %9.2f ms %9.2f worst %9.2f cpu %8zu found\n", what, best, worst, best_cpu, found);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct bench b = { .n = argc > 1 ? (size_t)atoll(argv[1]) : 360000 };
    size_t flush = argc > 2 ? (size_t)atoll(argv[2]) : 300000;
    char dir[] = "/tmp/vedette-bench-XXXXXX", command[100];
    struct store_status status;
    check(mkdtemp(dir) != NULL);
    struct embedded_conf conf = { .dir = dir, .head_bytes = 4ull << 30, .min_free_bytes = 1 };
    check(embedded_open(&conf, &b.store, NULL) == OK);
    b.first_ns = (clock_now_ms() - (int64_t)b.n) / 60000 * 60000 * 1000000;

    if (argc > 3) b.pool = work_start("query", (size_t)atoll(argv[3]), 64);
    double cpu = cpu_ms();
    for (size_t i = 0; i < b.n; i += BATCH) {
        write_batch(&b, i, MIN(b.n - i, (size_t)BATCH));
        if ((i + BATCH) % flush < BATCH) check(store_admin(b.store, STORE_FLUSH, NULL, NULL) == OK);
    }
    cpu = cpu_ms() - cpu;
    store_status(b.store, &status);
    const struct table_status *t = &status.table[TABLE_SPANS];
    printf(
        "%zu spans: %llu in %llu parts of %.1f bytes a span, %llu in the head; %.0f ns of processor a span\n",
        b.n, (unsigned long long)t->rows_on_disk, (unsigned long long)t->parts,
        t->rows_on_disk ? (double)t->bytes_on_disk / (double)t->rows_on_disk : 0,
        (unsigned long long)t->head_rows, cpu * 1e6 / (double)b.n);
    measure(&b, "the 20 newest traces", ask_newest);
    measure(&b, "min_duration that no trace meets", ask_slow);
    measure(&b, "the 20 newest failed traces", ask_failed);
    measure(&b, "one trace by id", ask_trace);
    measure(&b, "attribute = value of one span", ask_needle);
    measure(&b, "attribute = value of a user", ask_user);
    measure(&b, "attribute that is nowhere", ask_absent);
    measure(&b, "one of 40 services, the last hour", ask_service);
    work_stop(b.pool);
    store_close(b.store);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}
