#include "model/record.h"

#include "base/check.h"
#include "base/mem.h"
#include "unit/model/record_samples.h"

static struct str printed(struct value v, struct arena *a)
{
    struct buf b = BUF_INIT(1 << 20);
    value_print(&b, v);
    struct str s = arena_str(a, buf_view(&b));
    buf_release(&b);
    return s;
}

TEST(values_print_as_people_read_them)
{
    struct arena a = ARENA_INIT(1 << 20);
    EXPECT(str_is(printed(value_str(STR("as it is")), &a), "as it is"));
    EXPECT(str_is(printed(value_int(INT64_MIN), &a), "-9223372036854775808"));
    EXPECT(str_is(printed(value_double(0.1), &a), "0.1"));
    EXPECT(str_is(printed(value_double(1e21), &a), "1e+21"));
    EXPECT(str_is(printed(value_bool(true), &a), "true"));
    EXPECT(str_is(printed(value_bool(false), &a), "false"));
    EXPECT(str_is(printed((struct value){ VALUE_BYTES, .text = STR("\x00\xffz") }, &a), "00ff7a"));
    EXPECT(str_is(printed((struct value){ VALUE_JSON, .text = STR("[1,2]") }, &a), "[1,2]"));
    EXPECT(printed((struct value){ VALUE_NONE }, &a).n == 0);
    arena_release(&a);
}

TEST(values_are_the_same_by_type_and_bits)
{
    double nan = 0.0 / 0.0;
    EXPECT(value_same(value_double(nan), value_double(nan)));
    EXPECT(!value_same(value_double(0.0), value_double(-0.0)));
    EXPECT(!value_same(value_int(1), value_double(1)));
    EXPECT(!value_same(value_int(1), value_bool(true)));
    EXPECT(value_same(value_str(STR("x")), value_str(STR("x"))));
    EXPECT(!value_same(value_str(STR("x")), (struct value){ VALUE_BYTES, .text = STR("x") }));
    EXPECT(value_same((struct value){ VALUE_NONE }, (struct value){ VALUE_NONE, .i = 7 }));
}

TEST(fields_have_names)
{
    struct buf b = BUF_INIT(1 << 20);
    field_print(&b, field_in(IN_STATUS_MESSAGE));
    buf_char(&b, ' ');
    field_print(&b, field_attr(FIELD_RESOURCE, STR("service.name")));
    buf_char(&b, ' ');
    field_print(&b, field_attr(FIELD_SCOPE, STR("x")));
    buf_char(&b, ' ');
    field_print(&b, field_attr(FIELD_ATTR, STR("http.route")));
    EXPECT(str_is(buf_view(&b), "status_message resource.service.name scope.x attr.http.route"));
    buf_release(&b);
    EXPECT(field_same(field_attr(FIELD_ATTR, STR("a")), field_attr(FIELD_ATTR, STR("a"))));
    EXPECT(!field_same(field_attr(FIELD_ATTR, STR("a")), field_attr(FIELD_SCOPE, STR("a"))));
    EXPECT(!field_same(field_in(IN_NAME), field_in(IN_KIND)));
    EXPECT_STR(table_name(TABLE_LOGS), "logs");
}

static struct value in(const struct record *r, enum table t, enum intrinsic i)
{
    return record_value(r, t, field_in(i));
}

TEST(an_empty_span_has_the_fields_that_are_always_there)
{
    struct record r = { 0 };
    int there = 0;
    for (int i = 0; i < INTRINSIC_END; i++)
        there += in(&r, TABLE_SPANS, (enum intrinsic)i).type != VALUE_NONE;
    EXPECT_INT(there, 4); /* time, duration, kind, status; no origin was given */
    EXPECT(value_same(in(&r, TABLE_SPANS, IN_DURATION), value_int(0)));
    r.span.duration_ns = SPAN_UNFINISHED;
    EXPECT(value_same(in(&r, TABLE_SPANS, IN_DURATION), value_int(-1)));
}

TEST(a_log_has_no_fields_of_spans_and_the_reverse)
{
    struct origin o = { .scope_name = STR("lib") };
    struct record r = { .time_ns = 5, .origin = &o };
    r.log.severity = 17;
    r.log.body = value_str(STR("hello"));
    EXPECT(value_same(in(&r, TABLE_LOGS, IN_SEVERITY), value_int(17)));
    EXPECT(value_same(in(&r, TABLE_LOGS, IN_BODY), value_str(STR("hello"))));
    EXPECT(in(&r, TABLE_LOGS, IN_DURATION).type == VALUE_NONE);
    EXPECT(in(&r, TABLE_LOGS, IN_OBSERVED).type == VALUE_NONE);
    EXPECT(in(&r, TABLE_LOGS, IN_ORIGIN).text.n == 16);
    EXPECT(value_same(in(&r, TABLE_LOGS, IN_SCOPE_NAME), value_str(STR("lib"))));
    r.log.body = value_str(STR(""));
    EXPECT(in(&r, TABLE_LOGS, IN_BODY).type == VALUE_NONE);
    EXPECT(in(&r, TABLE_SPANS, IN_BODY).type == VALUE_NONE);
}

/* ---- packed ---- */

/* Opens every chunk and hands each record to the caller in turn. */
struct walk {
    struct records *r;
    struct arena arena;
    struct record_reader reader;
    size_t chunk, i, chunks_met;
};

static bool walk_next(struct walk *w, struct record *out)
{
    struct err e = ERR_INIT;
    while (w->i == w->reader.n) {
        if (w->chunk == w->r->n_chunks) return false;
        const struct record_chunk *c = &w->r->chunks[w->chunk++];
        EXPECT(record_chunk_open(&w->reader, c->bytes, &w->arena, &e) == OK);
        EXPECT(w->reader.n == c->n && c->n > 0 && w->reader.table == w->r->table);
        w->i = 0;
    }
    record_chunk_get(&w->reader, w->i, &w->arena, out);
    const struct record_chunk *c = &w->r->chunks[w->chunk - 1];
    EXPECT(out->time_ns >= c->min_ns && out->time_ns <= c->max_ns);

    struct record head;
    record_chunk_head(&w->reader, w->i++, &head);
    EXPECT(head.time_ns == out->time_ns && head.origin == out->origin && head.attrs.n == 0 &&
           memcmp(head.trace_id, out->trace_id, 16) == 0 && memcmp(head.span_id, out->span_id, 8) == 0);
    return true;
}

static struct walk walk_begin(struct records *r)
{
    return (struct walk){ .r = r, .arena = ARENA_INIT(SIZE_MAX) };
}

static void round_trip(enum table t, uint64_t seed, size_t n)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct dice d = { seed };
    struct records r;
    struct record *want = arena_array(&a, n, sizeof *want);
    struct origin *origin = NULL;
    records_init(&r, &a, t);
    for (size_t i = 0; i < n; i++) {
        if (origin == NULL || roll_below(&d, 20) == 0) records_origin(&r, origin = sample_origin(&d, &a));
        sample_record(&d, &a, t, &want[i]);
        want[i].origin = origin;
        EXPECT(records_add(&r, &want[i], NULL) == OK);
    }
    records_end(&r);
    EXPECT(r.n == n);

    struct walk w = walk_begin(&r);
    struct record got, copy;
    size_t i = 0;
    for (; walk_next(&w, &got); i++) {
        EXPECT(same_record(&got, &want[i], t) && same_origin(got.origin, want[i].origin));
        record_copy(&copy, &got, t, &a);
        EXPECT(same_record(&copy, &want[i], t) && same_origin(copy.origin, want[i].origin));
        EXPECT(hash128_eq(copy.origin->id, got.origin->id));
    }
    EXPECT(i == n);
    arena_release(&w.arena);
    arena_release(&a);
}

TEST(what_was_packed_comes_back)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        round_trip(TABLE_SPANS, seed, 200);
        round_trip(TABLE_LOGS, seed, 200);
    }
    round_trip(TABLE_SPANS, 99, 8000);
    round_trip(TABLE_LOGS, 99, 8000);
}

TEST(chunks_are_of_about_their_size)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct dice d = { 5 };
    struct records r;
    struct record rec;
    records_init(&r, &a, TABLE_SPANS);
    for (int i = 0; i < 5000; i++) {
        sample_record(&d, &a, TABLE_SPANS, &rec);
        EXPECT(records_add(&r, &rec, NULL) == OK);
    }
    records_end(&r);
    EXPECT(r.n_chunks >= 4);
    for (size_t i = 0; i < r.n_chunks; i++) {
        EXPECT(r.chunks[i].bytes.n <= RECORD_CHUNK_BYTES + 4096);
        if (i + 1 < r.n_chunks) EXPECT(r.chunks[i].bytes.n > RECORD_CHUNK_BYTES / 2);
    }
    arena_release(&a);
}

static struct record named(const char *name, const struct attr *at, size_t n)
{
    struct record r = { .time_ns = 1, .attrs = { at, n } };
    r.span.name = str_of(name);
    return r;
}

TEST(the_last_of_equal_attribute_names_wins)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct attr at[] = { { STR("x"), value_int(1) },   { STR("y"), value_int(2) },
                         { STR("x"), value_int(3) },   { STR("z"), { VALUE_NONE } },
                         { STR("x"), value_int(4) },   { STR("y"), { VALUE_NONE } },
                         { STR(""), value_bool(true) } };
    struct record rec = named("n", at, COUNT(at)), got;
    struct origin o = { .resource = { at, COUNT(at) }, .scope = { at, 3 } };
    struct records r;
    records_init(&r, &a, TABLE_SPANS);
    records_origin(&r, &o);
    for (int i = 0; i < 3; i++) EXPECT(records_add(&r, &rec, NULL) == OK);
    records_end(&r);

    struct walk w = walk_begin(&r);
    while (walk_next(&w, &got)) {
        EXPECT(got.attrs.n == 2);
        EXPECT(str_is(got.attrs.at[0].name, "x") && value_same(got.attrs.at[0].value, value_int(4)));
        EXPECT(str_is(got.attrs.at[1].name, "") && value_same(got.attrs.at[1].value, value_bool(true)));
        EXPECT(got.origin->resource.n == 2 && got.origin->scope.n == 2);
        EXPECT(
            value_same(record_value(&got, TABLE_SPANS, field_attr(FIELD_RESOURCE, STR("x"))), value_int(4)));
        EXPECT(value_same(record_value(&got, TABLE_SPANS, field_attr(FIELD_SCOPE, STR("x"))), value_int(3)));
    }
    arena_release(&w.arena);
    arena_release(&a);
}

TEST(a_resource_is_known_by_its_content)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct attr one[] = { { STR("a"), value_int(1) }, { STR("b"), value_str(STR("x")) } };
    struct attr two[] = { { STR("b"), value_str(STR("x")) }, { STR("a"), value_int(1) } };
    struct attr other[] = { { STR("a"), value_double(1) }, { STR("b"), value_str(STR("x")) } };
    struct origin o[] = { { .resource = { one, 2 } },
                          { .resource = { two, 2 }, .scope_name = STR("s") },
                          { .resource = { other, 2 } },
                          { .resource = { one, 1 } } };
    struct record rec = named("n", NULL, 0), got;
    struct hash128 id[COUNT(o)];
    struct records r;
    records_init(&r, &a, TABLE_SPANS);
    for (size_t i = 0; i < COUNT(o); i++) {
        records_origin(&r, &o[i]);
        EXPECT(records_add(&r, &rec, NULL) == OK);
    }
    records_end(&r);
    struct walk w = walk_begin(&r);
    for (size_t i = 0; walk_next(&w, &got); i++) id[i] = got.origin->id;
    EXPECT(hash128_eq(id[0], id[1]));
    EXPECT(!hash128_eq(id[0], id[2]) && !hash128_eq(id[0], id[3]) && !hash128_eq(id[2], id[3]));
    EXPECT(w.reader.n_origins == 4); /* the scope of the second differs */
    arena_release(&w.arena);
    arena_release(&a);
}

static char *long_text(size_t n)
{
    char *p = mem_alloc(n);
    memset(p, 'p', n);
    return p;
}

TEST(large_records_have_chunks_of_their_own)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    size_t n = 2u << 20;
    char *text = long_text(n);
    struct attr at = { STR("prompt"), value_str(str_make(text, n)) };
    struct record small = named("small", NULL, 0), large = named("large", &at, 1), got;
    struct records r;
    records_init(&r, &a, TABLE_SPANS);
    const struct record *order[] = { &small, &small, &large, &small, &large, &large, &small };
    for (size_t i = 0; i < COUNT(order); i++) EXPECT(records_add(&r, order[i], NULL) == OK);
    records_end(&r);
    size_t counts[] = { 2, 1, 1, 1, 1, 1 };
    EXPECT_INT(r.n_chunks, COUNT(counts));
    for (size_t i = 0; i < r.n_chunks; i++) EXPECT_INT(r.chunks[i].n, counts[i]);
    struct walk w = walk_begin(&r);
    for (size_t i = 0; walk_next(&w, &got); i++) EXPECT(same_record(&got, order[i], TABLE_SPANS));
    arena_release(&w.arena);
    arena_release(&a);
    mem_free(text);
}

TEST(a_large_origin_is_not_repeated_for_every_few_records)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    size_t n = 3u << 20, total = 0;
    char *text = long_text(n);
    struct attr at = { STR("env"), value_str(str_make(text, n)) };
    struct origin o = { .resource = { &at, 1 } };
    struct attr some = { STR("body"), value_str(str_make(text, 1000)) };
    struct record rec = named("n", &some, 1);
    struct records r;
    records_init(&r, &a, TABLE_SPANS);
    records_origin(&r, &o);
    for (int i = 0; i < 6000; i++) EXPECT(records_add(&r, &rec, NULL) == OK);
    records_end(&r);
    for (size_t i = 0; i < r.n_chunks; i++) total += r.chunks[i].bytes.n;
    EXPECT(total < 3 * (6000 * 1100 + n));
    arena_release(&a);
    mem_free(text);
}

TEST(too_large_records_are_refused_and_leave_no_trace)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct err e = ERR_INIT;
    size_t n = RECORD_BYTES_MAX;
    char *text = long_text(n);
    struct attr at = { STR("x"), value_str(str_make(text, n)) };
    struct attr *many = mem_array(RECORD_ATTRS_MAX + 1, sizeof *many);
    for (int i = 0; i <= RECORD_ATTRS_MAX; i++)
        many[i] = (struct attr){ arena_printf(&a, "%d", i), value_int(i) };
    struct record small = named("small", NULL, 0), large = named("large", &at, 1), got;
    struct record most = named("most", many, RECORD_ATTRS_MAX),
                  more = named("more", many, RECORD_ATTRS_MAX + 1);
    struct origin too_much = { .resource = { &at, 1 } };
    struct records r;

    records_init(&r, &a, TABLE_SPANS);
    EXPECT(records_add(&r, &large, &e) == ERR_RANGE && strstr(e.text, "16777216") != NULL);
    EXPECT(records_add(&r, &most, &e) == OK);
    EXPECT(records_add(&r, &more, &e) == ERR_RANGE && strstr(e.text, "4097") != NULL);
    records_origin(&r, &too_much);
    EXPECT(records_add(&r, &small, &e) == ERR_RANGE);
    records_origin(&r, &(struct origin){ .scope_name = STR("ok") });
    EXPECT(records_add(&r, &small, &e) == OK);
    small.span.duration_ns = -2;
    EXPECT(records_add(&r, &small, &e) == ERR_RANGE);
    small.span.duration_ns = SPAN_UNFINISHED;
    small.span.kind = 6;
    EXPECT(records_add(&r, &small, &e) == ERR_RANGE);
    records_end(&r);

    struct walk w = walk_begin(&r);
    EXPECT(r.n == 2 && walk_next(&w, &got) && got.attrs.n == RECORD_ATTRS_MAX &&
           got.origin->scope_name.n == 0);
    EXPECT(walk_next(&w, &got) && str_is(got.origin->scope_name, "ok") && !walk_next(&w, &got));
    arena_release(&w.arena);
    arena_release(&a);
    mem_free(many);
    mem_free(text);
}

TEST(no_records_no_chunks)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct records r;
    records_init(&r, &a, TABLE_LOGS);
    records_origin(&r, &(struct origin){ .scope_name = STR("x") });
    records_end(&r);
    records_end(&r);
    EXPECT(r.n == 0 && r.n_chunks == 0);
    arena_release(&a);
}

/* Every cut, and every byte changed in turn: refused or read, within the bytes (the sanitizers watch). */
static void damage(enum table t)
{
    struct arena a = ARENA_INIT(SIZE_MAX), scratch = ARENA_INIT(SIZE_MAX);
    struct dice d = { 77 };
    struct records r;
    struct record rec;
    struct record_reader reader;
    records_init(&r, &a, t);
    for (int i = 0; i < 6; i++) {
        records_origin(&r, sample_origin(&d, &a));
        sample_record(&d, &a, t, &rec);
        rec.attrs.n = MIN(rec.attrs.n, (size_t)5);
        EXPECT(records_add(&r, &rec, NULL) == OK);
    }
    records_end(&r);
    struct str good = r.chunks[0].bytes;
    for (size_t n = 0; n < good.n; n++) {
        char *cut = mem_copy(good.p, n);
        EXPECT(record_chunk_open(&reader, str_make(cut, n), &scratch, NULL) == ERR_CORRUPT);
        mem_free(cut);
        arena_reset(&scratch);
    }
    for (size_t i = 0; i < good.n; i++) {
        char *bad = mem_copy(good.p, good.n);
        bad[i] ^= (char)(1 + roll_below(&d, 255));
        if (record_chunk_open(&reader, str_make(bad, good.n), &scratch, NULL) == OK)
            for (size_t k = 0; k < reader.n; k++) record_chunk_get(&reader, k, &scratch, &rec);
        mem_free(bad);
        arena_reset(&scratch);
    }
    arena_release(&scratch);
    arena_release(&a);
}

TEST(damaged_chunks_are_refused_or_read_within_their_bytes)
{
    damage(TABLE_SPANS);
    damage(TABLE_LOGS);
}

/* By hand, from docs/format-record.md. */
TEST(a_chunk_is_as_the_format_says)
{
    static const char chunk[] =
        "\x01\x01"                             /* version, logs */
        "\x02\x01k\x02kk"                      /* two names */
        "\x01\x1c"                             /* one origin of 28 bytes */
        "0123456789abcdef"                     /* its id */
        "\x01\x01r\x02\x05"                    /* resource: r = int -3 */
        "\x01S\x00\x01\x00\x04\x01"            /* scope S, no version; scope attribute "" = true */
        "\x01"                                 /* one record */
        "\x02\x01"                             /* has: span id, body */
        "\x07\x00\x00\x00\x00\x00\x00\x00\x00" /* time 7, origin 0 */
        "spanspan"
        "\x01\x02hi"                 /* body: text */
        "\x02\x09\x01v\x02\x80\x01"; /* kk = "v", k = int 64 */
    struct arena a = ARENA_INIT(1 << 20);
    struct record_reader r;
    struct record rec;
    struct err e = ERR_INIT;
    EXPECT(record_chunk_open(&r, str_make(chunk, sizeof chunk - 1), &a, &e) == OK);
    EXPECT(r.n == 1 && r.n_names == 2 && r.n_origins == 1 && r.table == TABLE_LOGS);
    record_chunk_get(&r, 0, &a, &rec);
    EXPECT(rec.time_ns == 7 && memcmp(rec.span_id, "spanspan", 8) == 0 && rec.trace_id[0] == 0);
    EXPECT(value_same(rec.log.body, value_str(STR("hi"))) && rec.attrs.n == 2);
    EXPECT(str_is(rec.attrs.at[0].name, "kk") && value_same(rec.attrs.at[0].value, value_str(STR("v"))));
    EXPECT(str_is(rec.attrs.at[1].name, "k") && value_same(rec.attrs.at[1].value, value_int(64)));
    EXPECT(rec.origin->id.lo == 0x3736353433323130ull && str_is(rec.origin->scope_name, "S"));
    EXPECT(value_same(rec.origin->resource.at[0].value, value_int(-3)));
    EXPECT(value_same(rec.origin->scope.at[0].value, value_bool(true)));
    arena_release(&a);
}

TESTS(CASE(values_print_as_people_read_them), CASE(values_are_the_same_by_type_and_bits),
      CASE(fields_have_names), CASE(an_empty_span_has_the_fields_that_are_always_there),
      CASE(a_log_has_no_fields_of_spans_and_the_reverse), CASE(what_was_packed_comes_back),
      CASE(chunks_are_of_about_their_size), CASE(the_last_of_equal_attribute_names_wins),
      CASE(a_resource_is_known_by_its_content), CASE(large_records_have_chunks_of_their_own),
      CASE(a_large_origin_is_not_repeated_for_every_few_records),
      CASE(too_large_records_are_refused_and_leave_no_trace), CASE(no_records_no_chunks),
      CASE(damaged_chunks_are_refused_or_read_within_their_bytes), CASE(a_chunk_is_as_the_format_says))
