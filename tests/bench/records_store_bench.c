/* records_store_bench.c - what a span costs in the engine, stage by stage, in CPU time.
 *
 *     records_store_bench [spans] [batch]
 *
 * Spans of an agent at work: 12 a trace, 8 attributes of which two are unlike any other. Packing them is the
 * decoder's affair and not counted; writing the part (record_writer) is measured as the rest of the flush. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/embedded.h"
#include "store/record_head.h"

#define SPANS_A_TRACE 12

static double process_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t random_state = 88172645463325252ull;
static uint64_t random_u64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void add_span(struct records *to, size_t i, int64_t time_ns)
{
    static uint64_t trace[2];
    static const char *const models[] = { "gpt-4o", "claude-sonnet-4", "llama-3.1-70b" };
    char id[40], call[40];
    if (i % SPANS_A_TRACE == 0) trace[0] = random_u64(), trace[1] = random_u64();
    uint64_t span = random_u64();
    snprintf(id, sizeof id, "chatcmpl-%016llx", (unsigned long long)random_u64());
    snprintf(call, sizeof call, "call_%08llx", (unsigned long long)(random_u64() & 0xffffffff));
    struct attr attrs[] = {
        { STR("gen_ai.operation.name"), value_str(STR("chat")) },
        { STR("gen_ai.request.model"), value_str(str_of(models[i % COUNT(models)])) },
        { STR("gen_ai.response.id"), value_str(str_of(id)) },
        { STR("gen_ai.tool.call.id"), value_str(str_of(call)) },
        { STR("gen_ai.usage.input_tokens"), value_int((int64_t)(random_u64() % 4000)) },
        { STR("gen_ai.usage.output_tokens"), value_int((int64_t)(random_u64() % 900)) },
        { STR("server.address"), value_str(STR("llm.internal")) },
        { STR("http.response.status_code"), value_int(200) },
    };
    struct record r = { .time_ns = time_ns, .attrs = { attrs, COUNT(attrs) } };
    memcpy(r.trace_id, trace, 16);
    memcpy(r.span_id, &span, 8);
    r.span.name = STR("chat gpt-4o");
    r.span.kind = SPAN_CLIENT;
    r.span.duration_ns = (int64_t)(random_u64() % 2000000000);
    check(records_add(to, &r, NULL) == OK);
}

struct stages {
    double pack, write;
    uint64_t packed_bytes;
};

static void write_batch(struct store *s, size_t first, size_t n, int64_t t0_ns, struct stages *st)
{
    struct attr service = { STR("service.name"), value_str(STR("agent")) };
    struct origin origin = { .resource = { &service, 1 } };
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct batch b;
    struct records spans;
    struct write_result result;
    int64_t t = clock_cpu_ns();
    batch_init(&b, &a, LABELS_PACKED);
    records_init(&spans, &a, TABLE_SPANS);
    records_origin(&spans, &origin);
    for (size_t i = first; i < first + n; i++) add_span(&spans, i, t0_ns + (int64_t)i * 4000);
    records_end(&spans);
    for (size_t i = 0; i < spans.n_chunks; i++) st->packed_bytes += spans.chunks[i].bytes.n;
    b.spans = &spans;
    b.id = (struct hash128){ first + 1, n };
    st->pack += (double)(clock_cpu_ns() - t);

    t = clock_cpu_ns();
    while (store_write(s, &b, ACK_MEMORY, &result, NULL, NULL, NULL) == ERR_BUSY)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    st->write += (double)(clock_cpu_ns() - t);
    arena_release(&a);
}

/* The index alone: opening chunks and sorting rows, as the flush does it. */
static double sort_ns(size_t n, size_t batch, int64_t t0_ns)
{
    struct record_head *h = record_head_new(TABLE_SPANS);
    struct origin origin = { 0 };
    for (size_t i = 0; i < n; i += batch) {
        struct arena a = ARENA_INIT(SIZE_MAX);
        struct records spans;
        records_init(&spans, &a, TABLE_SPANS);
        records_origin(&spans, &origin);
        for (size_t k = i; k < i + batch; k++) add_span(&spans, k, t0_ns + (int64_t)k * 4000);
        records_end(&spans);
        for (size_t k = 0; k < spans.n_chunks; k++)
            record_head_add(h, head_chunk_new(&spans.chunks[k], i + 1));
        arena_release(&a);
    }
    record_head_publish(h);
    int64_t t = clock_cpu_ns();
    struct record_index *x = record_head_index(h, record_head_chunks(h));
    double ns = (double)(clock_cpu_ns() - t);
    record_index_unref(x);
    record_head_free(h);
    return ns;
}

static long rss_kb(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    check(f != NULL && fscanf(f, "%*s %ld", &pages) == 1);
    fclose(f);
    return pages * 4;
}

static int count(void *ctx, const struct record_rows *rows)
{
    *(size_t *)ctx += rows->n;
    return OK;
}

/* One value out of all: what the first question after a start costs, and the ones after it. */
static void needles(const char *dir)
{
    struct store *s;
    struct store_view *v;
    struct embedded_conf conf = { .dir = dir, .min_free_bytes = 1 };
    check(embedded_open(&conf, &s, NULL) == OK);
    check(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    long before = rss_kb();
    for (int i = 0; i < 4; i++) {
        char id[40];
        struct arena a = ARENA_INIT(SIZE_MAX);
        struct call call = { .arena = &a };
        struct field field = field_in(IN_TIME);
        size_t rows = 0;
        snprintf(id, sizeof id, "chatcmpl-%016llx", (unsigned long long)random_u64());
        struct predicate where = { .op = PRED_EQ,
                                   .field = field_attr(FIELD_ATTR, STR("gen_ai.response.id")),
                                   .value = value_str(str_of(id)) };
        struct record_scan scan = {
            .table = TABLE_SPANS, .to_ns = INT64_MAX, .where = &where, .fields = &field, .n_fields = 1
        };
        int64_t t = clock_mono_ns();
        check(view_records(v, &call, &scan, count, &rows, NULL) == OK);
        printf("  needle %d: %.2f ms, %zu rows, RSS %+ld KB\n", i + 1, (double)(clock_mono_ns() - t) / 1e6,
               rows, rss_kb() - before);
        arena_release(&a);
    }
    store_view_close(v);
    store_close(s);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? (size_t)atoll(argv[1]) : 200000, batch = argc > 2 ? (size_t)atoll(argv[2]) : 500;
    char dir[] = "/tmp/vedette-bench-XXXXXX", command[100];
    struct store *s;
    struct stages st = { 0 };
    struct store_status status;
    check(mkdtemp(dir) != NULL);
    struct embedded_conf conf = { .dir = dir, .head_bytes = 4ull << 30, .min_free_bytes = 1 };
    check(embedded_open(&conf, &s, NULL) == OK);

    int64_t t0_ns = clock_now_ms() * 1000000 / 86400000000000 * 86400000000000;
    double start = process_ns();
    for (size_t i = 0; i < n; i += batch) write_batch(s, i, batch, t0_ns, &st);
    nanosleep(&(struct timespec){ 2, 0 }, NULL); /* the committer comes to rest */
    double written = process_ns() - start - st.pack;

    int64_t t = clock_cpu_ns();
    check(store_admin(s, STORE_FLUSH, NULL, NULL) == OK);
    double flush = (double)(clock_cpu_ns() - t), sort = sort_ns(n, batch, t0_ns);
    store_status(s, &status);
    store_close(s);
    double spans = (double)n;
    printf("%zu spans in batches of %zu, %.0f bytes each as packed\n", n, batch,
           (double)st.packed_bytes / spans);
    printf("  stage                                     ns a span\n");
    printf("  write: copy, head, id, log record         %9.0f\n", st.write / spans);
    printf("  log: LZ4, checksum, write, sync           %9.0f\n", (written - st.write) / spans);
    printf("  flush: open chunks and sort               %9.0f\n", sort / spans);
    printf("  flush: the part itself (record_writer)    %9.0f\n", (flush - sort) / spans);
    printf("  all but the part                          %9.0f\n", (written + sort) / spans);
    printf("  packing, for comparison                   %9.0f\n", st.pack / spans);
    printf("  stored bytes a span                       %9.1f\n",
           (double)status.table[TABLE_SPANS].bytes_on_disk / spans);
    needles(dir);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}
