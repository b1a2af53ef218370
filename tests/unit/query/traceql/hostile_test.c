/* A trace of 20,000 spans, each below the one before, and queries that would be quadratic if done plainly. */
#include "query/traceql/traceql.h"

#include "base/check.h"
#include "base/clock.h"
#include "unit/test.h"
#include "unit/toy_store.c"

#define SPANS 20000

static struct store *store;
static struct arena arena = ARENA_INIT((size_t)256 << 20);

static void put_id(uint8_t *to, uint32_t n)
{
    memcpy(to, &n, sizeof n);
}

static int open_store(void **state)
{
    struct write_result result;
    struct origin origin = { 0 };
    struct records r;
    struct batch b;

    (void)state;
    store = toy_store_new();
    records_init(&r, &arena, TABLE_SPANS);
    records_origin(&r, &origin);
    for (uint32_t i = 0; i < SPANS; i++) {
        struct attr own = { STR("n"), value_int(i) };
        struct record s = { .time_ns = 1000 + i, .attrs = { &own, 1 } };
        s.trace_id[0] = 1;
        put_id(s.span_id, i + 1);
        if (i > 0) put_id(s.span.parent_id, i);
        s.span.name = STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        check(records_add(&r, &s, NULL) == OK);
    }
    records_end(&r);
    batch_init(&b, &arena, (enum labels_spelling)0);
    b.spans = &r;
    check(store_write(store, &b, ACK_MEMORY, &result, NULL, NULL, NULL) == OK);
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    store_close(store);
    arena_release(&arena);
    return 0;
}

/* CPU seconds of it; *matched: spans of the first set. */
static double run(const char *text, size_t *matched)
{
    struct arena a = ARENA_INIT((size_t)512 << 20);
    struct traceql_query q;
    struct store_view *view;
    struct search_found f = { 0 };
    struct err e = ERR_INIT;
    struct call call = { .arena = &a, .deadline_ns = clock_mono_ns() + 60000000000 };
    struct search_ask ask = { .query = &q, .to_ns = INT64_MAX };
    int64_t began = clock_cpu_ns();

    check(store_view_open(store, 0, INT64_MAX / 1000000, &view, &e) == OK);
    int rc = traceql_parse(str_of(text), &a, &q, &e);
    if (rc == OK) rc = traceql_search(view, &call, &ask, &f, &e);
    if (rc < 0 && rc != ERR_LIMIT) fail_msg("%s: %s", text, e.text);
    *matched = rc == OK && f.n > 0 ? f.at[0].sets[0].matched : 0;
    traceql_release(&q);
    store_view_close(view);
    arena_release(&a);
    return (double)(clock_cpu_ns() - began) / 1e9;
}

TEST(relations_of_a_long_chain_are_linear)
{
    static const struct {
        const char *text;
        size_t matched;
    } cases[] = {
        { "{} >> {}", SPANS - 1 },
        { "{} << {}", SPANS - 1 },
        { "{} &>> {}", SPANS },
        { "{} !>> {}", 1 },
        { "{} ~ {}", 0 },
        { "{} > {} > {} > {} > {} > {} > {} > {}", SPANS - 7 },
        { "{ span.n > 10 } >> { span.n < 20 }", 8 },
        { "{ parent.n >= 0 && name =~ \"(a*)*b\" }", 0 },
        { "{} | by(span:id) | count() > 1", 0 },
        { "{} | by(name) | count() > 1 | coalesce()", SPANS },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t matched;
        double seconds = run(cases[i].text, &matched);
        if (matched != cases[i].matched) fail_msg("%s: %zu", cases[i].text, matched);
        if (getenv("TIMES") != NULL) printf("%8.1f ms  %s\n", seconds * 1000, cases[i].text);
        EXPECT(seconds < 20); /* a quadratic one takes minutes; figures are a benchmark's */
    }
}

int main(void)
{
    const struct CMUnitTest all[] = { CASE(relations_of_a_long_chain_are_linear) };
    return cmocka_run_group_tests(all, open_store, close_store);
}
