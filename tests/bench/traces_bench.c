/* traces_bench - what a large trace costs: the tree of N spans, and OTLP of it.
 *
 *     traces_bench [SPANS]        default: 100000, as a bushy tree and as one chain */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "decode/otlp_write.h"
#include "query/traces/trace.h"

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static uint64_t state = 42;
static uint64_t roll(uint64_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % n;
}

static struct trace_span *spans_of(size_t n, bool chain)
{
    struct trace_span *s = calloc(n, sizeof *s);
    for (size_t i = 0; i < n; i++) {
        uint64_t id = i + 1, parent = i == 0 ? 0 : chain ? i : 1 + roll(i);
        memcpy(s[i].id, &id, 8);
        memcpy(s[i].parent_id, &parent, 8);
        s[i].process = 1 + roll(5);
        s[i].kind = (uint8_t)(1 + roll(3));
        s[i].start_ns = (int64_t)(1000000 + i * 1000);
        s[i].duration_ns = (int64_t)(1000 + roll(100000));
    }
    return s;
}

static void build(const char *what, size_t n, bool chain)
{
    struct arena a = ARENA_INIT((size_t)1 << 32);
    struct trace_span *s = spans_of(n, chain);
    struct trace t;
    double began = now_ms();
    trace_build(&t, s, n, &a);
    printf("  %-34s %9zu spans %9.1f ms %8.0f bytes a span, depth %u\n", what, n, now_ms() - began,
           (double)a.used / (double)n, t.depth);
    arena_release(&a);
    free(s);
}

static void write_otlp(size_t n)
{
    struct attr at[] = { { STR("gen_ai.operation.name"), value_str(STR("chat")) },
                         { STR("gen_ai.usage.input_tokens"), value_int(1200) },
                         { STR("gen_ai.request.model"), value_str(STR("gpt-4o")) } };
    struct origin o = { .scope_name = STR("bench") };
    struct record *r = calloc(n, sizeof *r);
    struct buf out = BUF_INIT((size_t)1 << 30);
    for (size_t i = 0; i < n; i++) {
        r[i] = (struct record){ .time_ns = (int64_t)i + 1, .origin = &o, .attrs = { at, 3 } };
        r[i].span.name = STR("chat gpt-4o");
        r[i].trace_id[0] = 1;
        memcpy(r[i].span_id, &(uint64_t){ i + 1 }, 8);
    }
    double began = now_ms();
    otlp_write_spans_json(r, n, "resourceSpans", &out);
    printf("  %-34s %9zu spans %9.1f ms %8.0f bytes a span\n", "OTLP JSON", n, now_ms() - began,
           (double)out.n / (double)n);
    buf_clear(&out);
    began = now_ms();
    otlp_write_spans_proto(r, n, &out);
    printf("  %-34s %9zu spans %9.1f ms %8.0f bytes a span\n", "OTLP protobuf", n, now_ms() - began,
           (double)out.n / (double)n);
    buf_release(&out);
    free(r);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    build("tree, bushy", n, false);
    build("tree, one chain", n, true);
    write_otlp(n);
    return 0;
}
