#include "store/record_verdict.h"

#include "unit/test.h"

/* A chunk of two senders, whose spans know the attributes "a" and "b". */
struct story {
    struct arena arena;
    struct record_reader chunk;
};

static void add_span(struct records *to, const char *service, const char *name, int64_t value)
{
    struct attr from = { STR("service.name"), value_str(str_of(service)) };
    struct origin origin = { .resource = { &from, 1 } };
    struct attr attr = { str_of(name), value_int(value) };
    struct record r = { .time_ns = 1, .attrs = { &attr, 1 } };
    r.span.name = STR("work");
    records_origin(to, &origin);
    EXPECT(records_add(to, &r, NULL) == OK);
}

static void begin(struct story *s)
{
    *s = (struct story){ .arena = ARENA_INIT(SIZE_MAX) };
    struct records *spans = arena_zero(&s->arena, sizeof *spans);
    records_init(spans, &s->arena, TABLE_SPANS);
    add_span(spans, "shop", "a", 1);
    add_span(spans, "mail", "b", 2);
    records_end(spans);
    EXPECT(spans->n_chunks == 1);
    EXPECT(record_chunk_open(&s->chunk, spans->chunks[0].bytes, &s->arena, NULL) == OK);
}

static const struct predicate *attr_is(struct story *s, const char *name)
{
    return predicate_cmp(&s->arena, PRED_EQ, field_attr(FIELD_ATTR, str_of(name)), value_int(1));
}

static const struct predicate *service_is(struct story *s, const char *name)
{
    struct field f = field_attr(FIELD_RESOURCE, STR("service.name"));
    return predicate_cmp(&s->arena, PRED_EQ, f, value_str(str_of(name)));
}

/* Of the two spans, as letters: open, none, all. */
static bool verdicts_are(struct story *s, const struct predicate *where, const char *expected)
{
    struct record_scan scan = { .table = TABLE_SPANS, .where = where };
    struct record_verdicts *v = record_verdicts_new(&s->arena, &scan, 1);
    bool same = true;
    for (size_t again = 0; again < 2; again++)
        for (size_t row = 0; row < 2; row++)
            same &= "ona"[record_verdict(v, 0, &s->chunk, row)] == expected[row];
    return same;
}

TEST(a_name_that_the_chunk_lacks_decides)
{
    struct story s;
    begin(&s);
    EXPECT(verdicts_are(&s, attr_is(&s, "a"), "oo"));
    EXPECT(verdicts_are(&s, attr_is(&s, "c"), "nn"));
    EXPECT(verdicts_are(&s, predicate_not(&s.arena, attr_is(&s, "c")), "aa"));
    EXPECT(verdicts_are(&s, predicate_exists(&s.arena, field_attr(FIELD_ATTR, STR("c"))), "nn"));
    arena_release(&s.arena);
}

TEST(the_sender_decides_for_its_records)
{
    struct story s;
    begin(&s);
    EXPECT(verdicts_are(&s, service_is(&s, "shop"), "an"));
    EXPECT(verdicts_are(&s, predicate_not(&s.arena, service_is(&s, "shop")), "na"));
    EXPECT(verdicts_are(&s, service_is(&s, "nobody"), "nn"));
    arena_release(&s.arena);
}

TEST(and_or_join_three_values)
{
    struct story s;
    begin(&s);
    struct arena *a = &s.arena;
    EXPECT(verdicts_are(&s, predicate_and(a, service_is(&s, "shop"), attr_is(&s, "a")), "on"));
    EXPECT(verdicts_are(&s, predicate_or(a, service_is(&s, "shop"), attr_is(&s, "a")), "ao"));
    EXPECT(verdicts_are(&s, predicate_or(a, service_is(&s, "shop"), attr_is(&s, "c")), "an"));
    EXPECT(verdicts_are(&s, predicate_not(a, predicate_and(a, attr_is(&s, "a"), attr_is(&s, "c"))), "aa"));
    EXPECT(verdicts_are(&s, predicate_cmp(a, PRED_GE, field_in(IN_DURATION), value_int(0)), "oo"));
    arena_release(a);
}

TESTS(CASE(a_name_that_the_chunk_lacks_decides), CASE(the_sender_decides_for_its_records),
      CASE(and_or_join_three_values))
