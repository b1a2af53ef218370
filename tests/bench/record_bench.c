/* record_bench.c - what packed records cost: ns to pack, to check (open) and to get back, bytes each.
 *
 *     record_bench [million records]
 *
 * Spans as an instrumented agent sends them, in requests of 512: 10 attributes, of which some repeat and some
 * differ, one resource a request. Logs: a line of about 100 bytes and 4 attributes. One core; the best of
 * five passes. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "model/record.h"

enum { REQUEST = 512, PASSES = 5 };

struct cost {
    double pack_ns, open_ns, head_ns, get_ns, bytes;
};

static uint64_t roll(void)
{
    static uint64_t at = 88172645463325252ull;
    at ^= at << 13;
    at ^= at >> 7;
    return at ^= at << 17;
}

static const char *const models[] = { "gpt-4o", "gpt-4o-mini", "claude-sonnet", "llama-3.1-70b" };
static const char *const tools[] = { "search", "read_file", "run_tests", "calendar.lookup", "sql" };

static struct attrs span_attrs(struct arena *a)
{
    struct attr *at = arena_array(a, 10, sizeof *at);
    struct attr all[10] = {
        { STR("gen_ai.operation.name"), value_str(STR("chat")) },
        { STR("gen_ai.request.model"), value_str(str_of(models[roll() % COUNT(models)])) },
        { STR("gen_ai.usage.input_tokens"), value_int((int64_t)(roll() % 8000)) },
        { STR("gen_ai.usage.output_tokens"), value_int((int64_t)(roll() % 900)) },
        { STR("gen_ai.request.temperature"), value_double((double)(roll() % 11) / 10) },
        { STR("gen_ai.tool.name"), value_str(str_of(tools[roll() % COUNT(tools)])) },
        { STR("gen_ai.conversation.id"), value_str(arena_printf(a, "conv_%016lx", roll())) },
        { STR("server.address"), value_str(STR("llm-gateway.internal")) },
        { STR("server.port"), value_int(443) },
        { STR("streaming"), value_bool(roll() & 1) },
    };
    memcpy(at, all, sizeof all);
    return (struct attrs){ at, 10 };
}

static struct attrs log_attrs(struct arena *a)
{
    struct attr *at = arena_array(a, 4, sizeof *at);
    at[0] = (struct attr){ STR("logger"), value_str(STR("agent.planner")) };
    at[1] = (struct attr){ STR("thread.id"), value_int((int64_t)(roll() % 64)) };
    at[2] = (struct attr){ STR("task.id"), value_str(arena_printf(a, "task-%lu", roll() % 100000)) };
    at[3] = (struct attr){ STR("attempt"), value_int(1) };
    return (struct attrs){ at, 4 };
}

static void make(struct record *r, enum table t, struct arena *a, size_t i)
{
    *r = (struct record){ .time_ns = 1760000000000000000ll + (int64_t)i * 1000000 };
    uint64_t trace = i / 12 * 0x9e3779b97f4a7c15ull, span = roll();
    memcpy(r->trace_id, &trace, 8);
    memcpy(r->trace_id + 8, &trace, 8);
    memcpy(r->span_id, &span, 8);
    if (t == TABLE_SPANS) {
        r->attrs = span_attrs(a);
        r->span.duration_ns = (int64_t)(roll() % 2000000000);
        memcpy(r->span.parent_id, &trace, 8);
        r->span.kind = SPAN_CLIENT;
        r->span.name = arena_printf(a, "chat %s", models[roll() % COUNT(models)]);
    } else {
        r->attrs = log_attrs(a);
        r->log.observed_ns = r->time_ns + 5000;
        r->log.severity = 9;
        r->log.severity_text = STR("INFO");
        r->log.body = value_str(arena_printf(a,
                                             "planner chose tool %s after %lu candidates, cost so far %lu "
                                             "nano-dollars, waiting for the reply",
                                             tools[roll() % COUNT(tools)], roll() % 9, roll() % 1000000));
    }
}

static double lap(int64_t *since)
{
    int64_t now = clock_mono_ns(), took = now - *since;
    *since = now;
    return (double)took;
}

static void pass(enum table t, const struct record *all, size_t n, const struct origin *o, struct cost *c)
{
    static volatile uint64_t sink;
    struct arena packed = ARENA_INIT(SIZE_MAX), scratch = ARENA_INIT(SIZE_MAX);
    *c = (struct cost){ 0 };
    for (size_t from = 0; from < n; from += REQUEST) {
        struct records r;
        struct record_reader reader;
        struct record one;
        uint64_t sum = 0;
        int64_t since = clock_mono_ns();

        records_init(&r, &packed, t);
        records_origin(&r, o);
        for (size_t i = from; i < from + REQUEST; i++) check(records_add(&r, &all[i], NULL) == OK);
        records_end(&r);
        c->pack_ns += lap(&since);
        for (size_t k = 0; k < r.n_chunks; k++) {
            check(record_chunk_open(&reader, r.chunks[k].bytes, &scratch, NULL) == OK);
            c->open_ns += lap(&since);
            for (size_t i = 0; i < reader.n; i++) {
                record_chunk_head(&reader, i, &one);
                sum += (uint64_t)one.time_ns;
            }
            c->head_ns += lap(&since);
            for (size_t i = 0; i < reader.n; i++) {
                record_chunk_get(&reader, i, &scratch, &one);
                sum += one.attrs.n;
            }
            c->get_ns += lap(&since);
            c->bytes += (double)r.chunks[k].bytes.n;
        }
        sink += sum;
        arena_reset(&packed);
        arena_reset(&scratch);
    }
    arena_release(&packed);
    arena_release(&scratch);
}

static void keep_best(struct cost *best, const struct cost *c, bool is_first)
{
    best->pack_ns = is_first ? c->pack_ns : MIN(best->pack_ns, c->pack_ns);
    best->open_ns = is_first ? c->open_ns : MIN(best->open_ns, c->open_ns);
    best->head_ns = is_first ? c->head_ns : MIN(best->head_ns, c->head_ns);
    best->get_ns = is_first ? c->get_ns : MIN(best->get_ns, c->get_ns);
    best->bytes = c->bytes;
}

static void measure(enum table t, size_t n)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct attr resource[] = { { STR("service.name"), value_str(STR("planner")) },
                               { STR("service.version"), value_str(STR("1.4.2")) },
                               { STR("host.name"), value_str(STR("node-17")) },
                               { STR("telemetry.sdk.language"), value_str(STR("python")) } };
    struct origin o = { .resource = { resource, COUNT(resource) }, .scope_name = STR("agent") };
    struct record *all = arena_array(&a, n, sizeof *all);
    struct cost best = { 0 }, c;
    for (size_t i = 0; i < n; i++) make(&all[i], t, &a, i);
    for (int p = 0; p < PASSES; p++) {
        pass(t, all, n, &o, &c);
        keep_best(&best, &c, p == 0);
    }
    double d = (double)n;
    printf("%-6s %9.1f %9.1f %9.1f %9.1f %9.1f\n", table_name(t), best.pack_ns / d, best.open_ns / d,
           best.head_ns / d, best.get_ns / d, best.bytes / d);
    arena_release(&a);
}

int main(int argc, char **argv)
{
    double million = argc > 1 ? atof(argv[1]) : 0.2;
    size_t n = (size_t)(million * 1e6) / REQUEST * REQUEST;
    if (n == 0) n = REQUEST;
    printf("%-6s %9s %9s %9s %9s %9s   of each record, %zu records\n", "", "pack ns", "open ns", "head ns",
           "get ns", "bytes", n);
    measure(TABLE_SPANS, n);
    measure(TABLE_LOGS, n);
    return 0;
}
