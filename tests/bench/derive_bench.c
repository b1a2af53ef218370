/* derive_bench.c - what the tap of span metrics and graphs costs a span, beside the packing of the same
 * spans. */
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "derive/genai_series.h"
#include "derive/record_series.h"
#include "unit/receive/fake_store.h"

#define SPANS  2000
#define ROUNDS 200

static void pack(struct records *out, struct arena *a, uint64_t round, const char *const *attributes,
                 size_t n)
{
    struct attr service = { STR("service.name"), value_str(STR("checkout")) };
    records_init(out, a, TABLE_SPANS);
    records_origin(out, &(struct origin){ .resource = { &service, 1 }, .scope_name = STR("bench") });
    for (uint64_t i = 0; i < SPANS; i++) {
        struct attr at[16];
        char name[32];
        uint64_t id = (round * SPANS + i) * 0x9e3779b97f4a7c15u + 1, trace = id - i % 8;
        struct record r = { .time_ns = clock_now_ms() * 1000000 - 1000000000 };
        memcpy(r.trace_id, &trace, 8);
        memcpy(r.span_id, &id, 8);
        r.span.kind = (uint8_t)(i % 6);
        r.span.parent_id[0] = 1;
        r.span.duration_ns = (int64_t)(i % 997) * 1000000;
        r.span.name =
            str_make(name, (size_t)snprintf(name, sizeof name, "GET /api/v1/items/%u", (unsigned)(i % 50)));
        for (size_t k = 0; k < n; k++)
            at[k] = (struct attr){ str_of(attributes[k]),
                                   value_str(strcmp(attributes[k], "gen_ai.operation.name") == 0
                                                 ? STR("chat")
                                                 : STR("a usual value")) };
        r.attrs = (struct attrs){ at, n };
        check(records_add(out, &r, NULL) == OK);
    }
    records_end(out);
}

static void run(const char *what, const char *const *attributes, size_t n)
{
    struct record_series_conf conf = RECORD_SERIES_DEFAULT;
    struct fake_store store;
    fake_init(&store);
    conf.interval_ms = 0;
    struct record_series *s = record_series_start(&store.store, &conf);
    struct record_tap tap = record_series_tap(s);
    int64_t packed_ns = 0, seen_ns = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct arena a = ARENA_INIT(1u << 30);
        struct records r;
        int64_t t0 = clock_cpu_ns();
        pack(&r, &a, round, attributes, n);
        int64_t t1 = clock_cpu_ns();
        tap.seen(tap.ctx, &r);
        seen_ns += clock_cpu_ns() - t1;
        packed_ns += t1 - t0;
        arena_release(&a);
    }
    printf("%-34s %6.0f ns a span to pack, %6.0f ns to derive\n", what, (double)packed_ns / (SPANS * ROUNDS),
           (double)seen_ns / (SPANS * ROUNDS));
    record_series_stop(s);
    fake_clear(&store);
}

/* The same of model calls, tokens and cost (genai_series.h). A second pass in the same traces shows what
 * spans without any such name cost while traces of agents are followed. */
static void run_genai(const char *what, const char *const *attributes, size_t n, const char *const *before,
                      size_t n_before)
{
    struct genai_series_conf conf = GENAI_SERIES_DEFAULT;
    struct fake_store store;
    fake_init(&store);
    conf.interval_ms = 0;
    struct genai_series *s = genai_series_start(&store.store, &conf);
    struct record_tap tap = genai_series_tap(s);
    int64_t seen_ns = 0;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct arena a = ARENA_INIT(1u << 30);
        struct records r;
        if (n_before > 0) {
            pack(&r, &a, 1000000 + round, before, n_before);
            tap.seen(tap.ctx, &r);
        }
        pack(&r, &a, round, attributes, n);
        int64_t t = clock_cpu_ns();
        tap.seen(tap.ctx, &r);
        seen_ns += clock_cpu_ns() - t;
        if (round % 20 == 19) check(genai_series_write(s, clock_now_ms(), 15000, false, NULL) == OK);
        arena_release(&a);
    }
    printf("%-34s %29s %6.0f ns for model calls\n", what, "", (double)seen_ns / (SPANS * ROUNDS));
    genai_series_stop(s);
    fake_clear(&store);
}

int main(void)
{
    static const char *const web[] = { "http.request.method",
                                       "http.route",
                                       "http.response.status_code",
                                       "url.path",
                                       "user_agent.original",
                                       "network.protocol.version",
                                       "client.address",
                                       "url.scheme" };
    static const char *const ai[] = { "gen_ai.operation.name", "gen_ai.request.model",
                                      "gen_ai.response.model", "gen_ai.tool.name",
                                      "server.address",        "gen_ai.conversation.id",
                                      "gen_ai.response.id",    "user.id" };
    run("spans of the web, 8 attributes", web, COUNT(web));
    run("spans of agents, 8 attributes", ai, COUNT(ai));
    run_genai("spans of the web, 8 attributes", web, COUNT(web), NULL, 0);
    run_genai("the same, while traces are followed", web, COUNT(web), ai, COUNT(ai));
    run_genai("spans of agents, 8 attributes", ai, COUNT(ai), NULL, 0);
    run("bare spans", web, 0);
    return 0;
}
