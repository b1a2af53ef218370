#include "decode/prom_read.h"

#include "base/check.h"
#include "decode/limits.h"
#include "decode/prom_write.h"
#include "decode/unpack.h"
#include "unit/decode/wire.h"
#include "unit/test.h"

static void matcher(struct wire *q, unsigned type, const char *name, const char *value)
{
    struct wire m = { 0 };
    if (type != 0) wire_varint(&m, 1, type);
    wire_text(&m, 2, name);
    wire_text(&m, 3, value);
    wire_message(q, 3, &m);
}

static void request(struct wire *w)
{
    struct wire q = { 0 }, hints = { 0 };
    wire_varint(&q, 1, 1000);
    wire_varint(&q, 2, 2000);
    matcher(&q, 0, "__name__", "up");
    matcher(&q, 1, "job", "x");
    matcher(&q, 2, "env", "a|b");
    matcher(&q, 3, "zone", "c.*");
    wire_varint(&hints, 1, 15000);
    wire_message(&q, 4, &hints);
    wire_message(w, 1, &q);
    wire_varint(&q, 1, (uint64_t)-5);
    wire_varint(&q, 2, 7);
    wire_message(w, 1, &q);
}

TEST(prom_read_decodes_queries)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct wire w = { 0 };
    struct prom_read r;
    struct err e = ERR_INIT;
    request(&w);
    EXPECT(prom_read_decode(wire_str(&w), &a, &r, &e) == OK && r.n == 2 && r.accepts_samples);
    const struct prom_read_query *q = &r.queries[0];
    EXPECT(q->start_ms == 1000 && q->end_ms == 2000 && q->n_matchers == 4);
    EXPECT(q->matchers[0].op == MATCH_EQ && str_is(q->matchers[0].value, "up"));
    EXPECT(q->matchers[1].op == MATCH_NEQ && q->matchers[2].op == MATCH_RE && q->matchers[3].op == MATCH_NRE);
    EXPECT(matcher_matches(&q->matchers[2], STR("b")) && !matcher_matches(&q->matchers[3], STR("cd")));
    EXPECT(r.queries[1].start_ms == -5 && r.queries[1].end_ms == 7 && r.queries[1].n_matchers == 0);
    prom_read_release(&r);
    wire_free(&w);
    arena_release(&a);
}

TEST(prom_read_knows_which_answers_are_accepted)
{
    static const struct {
        const char *bytes;
        size_t n;
        bool accepts;
    } cases[] = {
        { "", 0, true },
        { "\x12\x01\x00", 3, true },
        { "\x12\x01\x01", 3, false },
        { "\x12\x02\x01\x00", 4, true },
        { "\x10\x01", 2, false },
        { "\x10\x01\x10\x00", 4, true },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena a = ARENA_INIT(1 << 20);
        struct prom_read r;
        EXPECT(prom_read_decode(str_make(cases[i].bytes, cases[i].n), &a, &r, NULL) == OK &&
               r.accepts_samples == cases[i].accepts);
        prom_read_release(&r);
        arena_release(&a);
    }
}

TEST(prom_read_refuses_what_is_wrong)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct wire w = { 0 }, q = { 0 };
    struct prom_read r;
    struct err e = ERR_INIT;
    matcher(&q, 0, "a", "b");
    matcher(&q, 2, "a", "(");
    wire_message(&w, 1, &q);
    EXPECT(prom_read_decode(wire_str(&w), &a, &r, &e) < 0 && strncmp(e.text, "queries[0]: ", 12) == 0);
    prom_read_release(&r);
    wire_free(&w);

    matcher(&q, 9, "a", "b");
    wire_message(&w, 1, &q);
    EXPECT(prom_read_decode(wire_str(&w), &a, &r, &e) == ERR_PARSE);
    prom_read_release(&r);
    wire_free(&w);

    for (int i = 0; i < 257; i++) matcher(&q, 0, "a", "b");
    wire_message(&w, 1, &q);
    EXPECT(prom_read_decode(wire_str(&w), &a, &r, &e) == ERR_LIMIT);
    prom_read_release(&r);
    wire_free(&w);

    for (int i = 0; i < 65; i++) wire_bytes(&w, 1, "", 0);
    EXPECT(prom_read_decode(wire_str(&w), &a, &r, &e) == ERR_LIMIT);
    prom_read_release(&r);
    wire_free(&w);

    request(&w);
    for (size_t n = 0; n < w.n; n++) {
        char *exact = malloc(n + 1);
        memcpy(exact, w.p, n);
        int rc = prom_read_decode(str_make(exact, n), &a, &r, &e);
        EXPECT(rc <= 0);
        prom_read_release(&r);
        free(exact);
    }
    wire_free(&w);
    arena_release(&a);
}

/* A QueryResult's series are spelled like those of remote write, so its decoder reads our answer back. */
TEST(prom_read_writes_an_answer_that_reads_back)
{
    static const struct decode_limits limits = DECODE_LIMITS_DEFAULT;
    const struct label l[] = { { STR("__name__"), STR("up") }, { STR("job"), STR("x") } };
    const int64_t times[] = { 1000, 2000, 3000 };
    const double values[] = { 1, double_of(NAN_BITS), 0 };
    struct hist_span span = { -2, 2 };
    double counts[] = { 1.5, 2 }, bounds[] = { 1 };
    struct histogram h = { .schema = 2,
                           .reset = HIST_GAUGE,
                           .count = 3.5,
                           .sum = 8,
                           .n_neg_spans = 1,
                           .neg_spans = &span,
                           .n_neg = 2,
                           .neg = counts };
    struct histogram c = { .schema = HISTOGRAM_CUSTOM,
                           .count = 1.5,
                           .sum = 1,
                           .n_pos_spans = 1,
                           .n_pos = 1,
                           .pos = counts,
                           .n_custom = 1,
                           .custom = bounds,
                           .pos_spans = &(struct hist_span){ 0, 1 } };
    struct histogram *const hists[] = { NULL, &h, &c };

    struct buf text = BUF_INIT(1 << 20), packed = BUF_INIT(1 << 20);
    struct err e = ERR_INIT;
    size_t result = prom_read_result(&text);
    prom_read_series(&text, (struct labels){ l, 2 }, 2, times, values, NULL);
    prom_read_series(&text, (struct labels){ l, 2 }, 0, times, values, NULL); /* nothing */
    prom_read_series(&text, (struct labels){ l, 2 }, 3, times, values, hists);
    prom_read_result_end(&text, result);
    EXPECT(prom_read_pack(buf_view(&text), &packed, &e) == OK);

    struct arena a = ARENA_INIT(1 << 20);
    struct str body;
    EXPECT(unpack(UNPACK_SNAPPY, buf_view(&packed), UNPACK_MAX, &a, &body, &e) == OK &&
           str_eq(body, buf_view(&text)));
    /* strip the result's own tag and length: 0x0a and a two-byte varint, for more than 127 bytes */
    EXPECT(body.p[0] == 0x0a && (body.p[1] & 0x80) != 0 && body.p[2] > 0);
    struct batch b;
    struct write_result refused = { 0 };
    EXPECT(prom_write_v1(str_make(body.p + 3, body.n - 3), &limits, &a, &b, &refused, &e) == OK &&
           refused.rejected_total == 0);
    EXPECT(b.n_series == 2 && b.n_rows == 5 && b.time_ms[1] == 2000 && double_bits(b.value[1]) == NAN_BITS);
    EXPECT(b.hist[2] == NULL && b.value[2] == 1 && b.hist[3]->n_neg == 2 && b.hist[3]->neg[0] == 1.5 &&
           b.hist[3]->reset == HIST_GAUGE);
    EXPECT(histogram_same_layout(b.hist[3], &h) && histogram_same_layout(b.hist[4], &c) &&
           b.time_ms[4] == 3000);
    arena_release(&a);
    buf_release(&text);
    buf_release(&packed);
}

TEST(prom_read_packs_an_empty_answer)
{
    struct buf packed = BUF_INIT(100), none = BUF_INIT(2);
    struct err e = ERR_INIT;
    EXPECT(prom_read_pack(STR(""), &packed, &e) == OK && packed.n == 1 && packed.p[0] == 0);
    EXPECT(prom_read_pack(STR("abc"), &none, &e) == ERR_LIMIT);
    buf_release(&packed);
}

TESTS(CASE(prom_read_decodes_queries), CASE(prom_read_knows_which_answers_are_accepted),
      CASE(prom_read_refuses_what_is_wrong), CASE(prom_read_writes_an_answer_that_reads_back),
      CASE(prom_read_packs_an_empty_answer))
