/* waist_records.h - what every store promises about logs and spans. Most cases hold for both and are run for
 * both; what only spans or only logs have comes last. */
#pragma once
#include "unit/model/record_samples.h"
#include "unit/store/waist_record_kit.h"

/* ---- whole records ---- */

static void an_empty_store_has_no_records(struct waist *w)
{
    struct call call = waist_call(w);
    struct field_info *fields;
    struct value_count *values;
    struct origin *origins;
    size_t n;
    EXPECT_STR(matching(w, NULL), "");
    EXPECT_STR(matching(w, eq(w, "attr.k", "v")), "");
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    EXPECT(view_fields(v, &call, w->table, 0, &fields, &n, NULL) == OK && n == 0);
    EXPECT(view_field_values(v, &call, w->table, field_of("attr.k"), NULL, 0, &values, &n, NULL) == OK &&
           n == 0);
    EXPECT(view_origins(v, &call, w->table, NULL, 0, &origins, &n, NULL) == OK && n == 0);
    store_view_close(v);
}

static void a_record_comes_back_whole(struct waist *w)
{
    struct attr at[] = { { STR("z"), value_str(STR("text")) },
                         { STR("a"), value_int(-5) },
                         { STR("d"), value_double(2.5) },
                         { STR("b"), value_bool(false) },
                         { STR("x"), { VALUE_BYTES, .text = { "\0\xff", 2 } } },
                         { STR("j"), { VALUE_JSON, .text = STR("{\"k\":[1,2]}") } } };
    struct attr res[] = { { STR("service.name"), value_str(STR("planner")) }, { STR("pid"), value_int(77) } };
    struct attr scope[] = { { STR("lang"), value_str(STR("c")) } };
    struct origin o = {
        .resource = { res, 2 }, .scope = { scope, 1 }, .scope_name = STR("lib"), .scope_version = STR("1.2")
    };
    struct record r = {
        .time_ns = T0_NS + 123456789, .flags = 257, .dropped = 3, .origin = &o, .attrs = { at, 6 }
    };
    id_of(r.trace_id, 16, 1);
    id_of(r.span_id, 8, 2);
    if (w->table == TABLE_SPANS) {
        r.span.duration_ns = 987654321;
        id_of(r.span.parent_id, 8, 3);
        r.span.kind = SPAN_CLIENT;
        r.span.status = 2;
        r.span.name = STR("GET /");
        r.span.status_message = STR("timed out");
        r.span.trace_state = STR("a=b");
        r.span.events = STR("[{\"name\":\"e\",\"time_ns\":\"1\",\"attributes\":{}}]");
        r.span.links = STR("[{\"trace_id\":\"00\",\"span_id\":\"00\"}]");
    } else {
        r.log.observed_ns = T0_NS + 5;
        r.log.severity = 17;
        r.log.severity_text = STR("ERROR");
        r.log.event_name = STR("gave.up");
        r.log.body = (struct value){ VALUE_JSON, .text = STR("{\"msg\":\"no\"}") };
    }
    put_record(w, &r);
    struct record got = only(w);
    EXPECT(same_record(&got, &r, w->table) && same_origin(got.origin, &o));
}

static void a_record_of_nothing_but_its_time_comes_back(struct waist *w)
{
    struct record r = { .time_ns = T0_NS };
    put_record(w, &r);
    struct record got = only(w);
    EXPECT(same_record(&got, &r, w->table) && got.origin->resource.n == 0 && got.origin->scope.n == 0);
}

static void attributes_keep_their_order(struct waist *w)
{
    RECORDS(w, { .label = "a", .attrs = "c=1 a=2 b=3" });
    struct record got = only(w);
    EXPECT(got.attrs.n == 3 && str_is(got.attrs.at[0].name, "c") && str_is(got.attrs.at[1].name, "a") &&
           str_is(got.attrs.at[2].name, "b"));
}

static void odd_bytes_come_back_as_they_are(struct waist *w)
{
    struct attr at[] = { { STR("a\0b"), value_str(str_make("\0\xff\n'\"", 5)) },
                         { STR(""), value_str(STR("of no name")) },
                         { STR("empty"), value_str(STR("")) },
                         { STR("no bytes"), { VALUE_BYTES, .text = STR("") } } };
    struct record r = { .time_ns = T0_NS, .attrs = { at, COUNT(at) } };
    put_record(w, &r);
    struct record got = only(w);
    EXPECT(same_record(&got, &r, w->table));
}

static void odd_numbers_of_records_come_back_as_they_are(struct waist *w)
{
    static const uint64_t odd[] = { 0x8000000000000000ull, 1,        0x7ff0000000000000ull,
                                    0xfff0000000000000ull, NAN_BITS, STALE_BITS,
                                    0x7fefffffffffffffull };
    struct attr at[COUNT(odd) + 2];
    for (size_t i = 0; i < COUNT(odd); i++)
        at[i] = (struct attr){ arena_printf(&w->arena, "d%zu", i), value_double(double_of(odd[i])) };
    at[COUNT(odd)] = (struct attr){ STR("least"), value_int(INT64_MIN) };
    at[COUNT(odd) + 1] = (struct attr){ STR("most"), value_int(INT64_MAX) };
    struct record r = { .time_ns = T0_NS, .attrs = { at, COUNT(at) } };
    put_record(w, &r);
    struct record got = only(w);
    EXPECT(same_record(&got, &r, w->table));
}

static void random_records_come_back(struct waist *w)
{
    enum { N = 600 };
    struct dice d = { 42 };
    struct record *want = arena_array(&w->arena, N, sizeof *want);
    for (int from = 0; from < N; from += N / 4) {
        struct records r;
        records_init(&r, &w->arena, w->table);
        for (int i = from; i < from + N / 4; i++) {
            struct origin *o = sample_origin(&d, &w->arena);
            records_origin(&r, o);
            sample_record(&d, &w->arena, w->table, &want[i]);
            want[i].time_ns = T0_NS + i; /* its place in the answer */
            want[i].origin = o;
            id_of(want[i].trace_id, 16, i + 1);
            EXPECT(records_add(&r, &want[i], NULL) == OK);
        }
        write_records(w, &r, (struct hash128){ 0, 0 });
    }
    struct record_scan scan = scan_of(w, NULL);
    scan.order = ORDER_TIME;
    struct found f = find(w, &scan);
    EXPECT_INT(f.n, N);
    for (int i = 0; i < N; i++)
        EXPECT(same_record(&f.at[i], &want[i], w->table) && same_origin(f.at[i].origin, want[i].origin));
}

static void of_equal_attribute_names_the_last_is_kept(struct waist *w)
{
    RECORDS(w, { .label = "a", .attrs = "k=1 k=x k=2.5", .resource = "r=1 r=2" });
    struct record got = only(w);
    EXPECT(got.attrs.n == 1 && value_same(got.attrs.at[0].value, value_double(2.5)));
    EXPECT(got.origin->resource.n == 1 && value_same(got.origin->resource.at[0].value, value_int(2)));
    EXPECT_STR(matching(w, eq(w, "attr.k", "1")), "");
    EXPECT_STR(matching(w, eq(w, "attr.k", "2.5")), "a");
}

static char *long_text(struct waist *w, size_t n, const char *end)
{
    char *p = arena_alloc(&w->arena, n + 1);
    for (size_t i = 0; i < n; i++) p[i] = "prompt of an agent "[i % 19];
    memcpy(p + n - strlen(end), end, strlen(end));
    p[n] = 0;
    return p;
}

static void a_value_of_two_megabytes(struct waist *w)
{
    size_t n = 2u << 20;
    struct attr at = { STR("prompt"), value_str(str_make(long_text(w, n, " needle."), n)) };
    struct record r = { .time_ns = T0_NS, .attrs = { &at, 1 } };
    id_of(r.span_id, 8, 7);
    RECORDS(w, { .label = "a" });
    put_record(w, &r);
    RECORDS(w, { .label = "b" });
    struct record_scan scan = scan_of(w, contains(w, "attr.prompt", "needle", false));
    struct found f = find(w, &scan);
    EXPECT(f.n == 1 && same_record(&f.at[0], &r, w->table));
    EXPECT_STR(matching(w, NULL), "- a b");
}

static void long_texts_beside_short_ones(struct waist *w)
{
    for (int i = 0; i < 30; i++) {
        size_t n = (size_t)(i % 3 == 0 ? 5000 + i : 20);
        struct attr at = { STR("text"), value_str(str_make(long_text(w, n, i == 15 ? "special" : "."), n)) };
        struct record r = { .time_ns = T0_NS + i, .attrs = { &at, 1 } };
        id_of(r.span_id, 8, 100 + i);
        put_record(w, &r);
    }
    struct record_scan scan = scan_of(w, contains(w, "attr.text", "special", false));
    struct found f = find(w, &scan);
    EXPECT(f.n == 1 && f.at[0].attrs.at[0].value.text.n == 5015);
    EXPECT(find(w, &(struct record_scan){ .table = w->table, .to_ns = INT64_MAX }).n == 30);
}

static void very_many_attribute_names(struct waist *w)
{
    for (int part = 0; part < 3; part++) {
        struct attr *at = arena_array(&w->arena, 900, sizeof *at);
        for (int i = 0; i < 900; i++)
            at[i] = (struct attr){ arena_printf(&w->arena, "name.%d", part * 900 + i), value_int(i) };
        struct record r = { .time_ns = T0_NS + part, .attrs = { at, 900 } };
        id_of(r.span_id, 8, part + 1);
        put_record(w, &r);
    }
    struct record_scan scan = scan_of(w, NULL);
    scan.order = ORDER_TIME;
    struct found f = find(w, &scan);
    EXPECT_INT(f.n, 3);
    for (int part = 0; part < 3; part++)
        for (int i = 0; i < 900; i++) {
            struct str name = arena_printf(&w->arena, "name.%d", part * 900 + i);
            EXPECT(f.at[part].attrs.n == 900);
            EXPECT(
                value_same(record_value(&f.at[part], w->table, field_attr(FIELD_ATTR, name)), value_int(i)));
        }
    EXPECT(find(w, &(struct record_scan){ .table = w->table,
                                          .to_ns = INT64_MAX,
                                          .where = eq(w, "attr.name.2699", "899") })
               .n == 1);
    EXPECT(find(w, &(struct record_scan){ .table = w->table,
                                          .to_ns = INT64_MAX,
                                          .where = exists(w, "attr.name.950") })
               .n == 1);
}

/* ---- times ---- */

static const char *between(struct waist *w, int64_t from, int64_t to)
{
    struct record_scan scan = scan_of(w, NULL);
    scan.from_ns = T0_NS + from;
    scan.to_ns = T0_NS + to;
    return scanned(w, &scan);
}

static void ranges_of_records_are_closed_and_in_nanoseconds(struct waist *w)
{
    RECORDS(w, { .label = "a", .at_ns = 10 }, { .label = "b", .at_ns = 20 }, { .label = "c", .at_ns = 30 });
    RECORDS(w, { .label = "d", .at_ns = 40 });
    EXPECT_STR(between(w, 10, 30), "a b c");
    EXPECT_STR(between(w, 11, 29), "b");
    EXPECT_STR(between(w, 20, 20), "b");
    EXPECT_STR(between(w, 21, 29), "");
    EXPECT_STR(between(w, 31, 1000), "d");
    EXPECT_STR(between(w, 30, 20), "");
}

static void records_of_several_days(struct waist *w)
{
    int64_t day = WAIST_DAY_MS * 1000000;
    RECORDS(w, { .label = "a" }, { .label = "d", .at_ns = 3 * day });
    RECORDS(w, { .label = "b", .at_ns = day }, { .label = "c", .at_ns = 2 * day });
    EXPECT_STR(matching(w, NULL), "a b c d");
    EXPECT_STR(between(w, day, 2 * day), "b c");
    settle(w);
    struct store_view *v = waist_view(w, T0 + WAIST_DAY_MS, T0 + 2 * WAIST_DAY_MS);
    struct record_scan scan = scan_of(w, NULL);
    scan.from_ns = T0_NS + day;
    scan.to_ns = T0_NS + 2 * day;
    struct found f = find_in_view(w, v, &scan);
    EXPECT_STR(labels_text(w, &f, ORDER_ANY), "b c");
    store_view_close(v);
}

static void times_zero_and_far_away_are_taken(struct waist *w)
{
    RECORDS(w, { .label = "zero", .at_epoch = true }, { .label = "now" });
    RECORDS(w, { .label = "far", .time_ns = 9000000000000000000 });
    EXPECT(w->result.rejected_total == 0);
    EXPECT_STR(matching(w, NULL), "far now zero");
    struct record_scan scan = scan_of(w, NULL);
    scan.to_ns = 0;
    EXPECT_STR(scanned(w, &scan), "zero");
    scan.from_ns = scan.to_ns = 9000000000000000000;
    EXPECT_STR(scanned(w, &scan), "far");
}

static void a_record_from_before_1970_is_refused_and_counted(struct waist *w)
{
    RECORDS(w, { .label = "before", .time_ns = -1 }, { .label = "now" });
    uint64_t kept = w->table == TABLE_SPANS ? w->result.spans : w->result.logs;
    EXPECT(kept == 1 && w->result.rejected_total == 1 && w->result.why[0] != 0);
    EXPECT(w->result.rejected[REJECT_record_time] + w->result.rejected[REJECT_too_old] == 1);
    EXPECT_STR(matching(w, NULL), "now");
}

static void the_order_asked_for(struct waist *w)
{
    RECORDS(w, { .label = "c", .at_ns = 3 }, { .label = "a", .at_ns = 1 });
    RECORDS(w, { .label = "d", .at_ns = 4 * WAIST_DAY_MS * 1000000 }, { .label = "b", .at_ns = 2 });
    RECORDS(w, { .label = "e", .at_ns = 5 * WAIST_DAY_MS * 1000000 });
    struct record_scan scan = scan_of(w, NULL);
    scan.order = ORDER_TIME;
    EXPECT_STR(scanned(w, &scan), "a b c d e");
    scan.order = ORDER_TIME_DESC;
    EXPECT_STR(scanned(w, &scan), "e d c b a");
    scan.order = ORDER_ANY;
    EXPECT_STR(scanned(w, &scan), "a b c d e");
}

static void a_limit_takes_the_first_in_the_order(struct waist *w)
{
    for (int i = 0; i < 9; i++)
        RECORDS(w,
                { .label = arena_printf(&w->arena, "%d", i * 5 % 9).p, .at_ns = i * 5 % 9 * 1000000000ll });
    struct record_scan scan = scan_of(w, NULL);
    scan.limit = 3;
    scan.order = ORDER_TIME;
    EXPECT_STR(scanned(w, &scan), "0 1 2");
    scan.order = ORDER_TIME_DESC;
    EXPECT_STR(scanned(w, &scan), "8 7 6");
    scan.order = ORDER_ANY;
    EXPECT(find(w, &scan).n == 3);
    scan.limit = 100;
    EXPECT(find(w, &scan).n == 9);
    scan.order = ORDER_TIME_DESC;
    scan.limit = 2;
    scan.to_ns = T0_NS + 4 * 1000000000ll;
    EXPECT_STR(scanned(w, &scan), "4 3"); /* a page further back */
    scan.to_ns = T0_NS + 2 * 1000000000ll;
    EXPECT_STR(scanned(w, &scan), "2 1");
}

static void a_limit_counts_what_matches(struct waist *w)
{
    for (int i = 0; i < 12; i++)
        RECORDS(w, { .label = arena_printf(&w->arena, "%c", 'a' + i).p,
                     .at_ns = i,
                     .attrs = i % 3 ? "k=1" : "k=2" });
    struct record_scan scan = scan_of(w, eq(w, "attr.k", "2"));
    scan.limit = 2;
    scan.order = ORDER_TIME_DESC;
    EXPECT_STR(scanned(w, &scan), "j g");
    scan.order = ORDER_TIME;
    EXPECT_STR(scanned(w, &scan), "a d");
}

static void pages_by_limit_meet_without_gaps(struct waist *w)
{
    enum { N = 50, PAGE = 7 };
    for (int i = 0; i < N; i++) RECORDS(w, { .label = "x", .at_ns = i * 17 % N * 1000 });
    struct record_scan scan = scan_of(w, NULL);
    scan.order = ORDER_TIME;
    scan.limit = PAGE;
    size_t n = 0;
    for (struct found f = { .n = PAGE }; f.n == PAGE;) {
        f = find(w, &scan);
        for (size_t i = 0; i < f.n; i++, n++) EXPECT(f.time_ns[i] == T0_NS + (int64_t)n * 1000);
        if (f.n > 0) scan.from_ns = f.time_ns[f.n - 1] + 1;
    }
    EXPECT_INT(n, N);
}

static void many_records_of_one_time(struct waist *w)
{
    enum { N = 9000 };
    struct records r;
    records_init(&r, &w->arena, w->table);
    for (int i = 0; i < N; i++) {
        struct record rec = { .time_ns = T0_NS };
        id_of(rec.trace_id, 16, i % 10 + 1);
        id_of(rec.span_id, 8, i + 1);
        EXPECT(records_add(&r, &rec, NULL) == OK);
    }
    write_records(w, &r, (struct hash128){ 0, 0 });
    struct record_scan scan = scan_of(w, NULL);
    EXPECT(find(w, &scan).n == N);
    scan.order = ORDER_TIME_DESC;
    struct found f = find(w, &scan);
    EXPECT(f.n == N && f.batches >= 2); /* keep_rows looks at the size of each */
    scan.limit = 8193;
    EXPECT(find(w, &scan).n == 8193);
}

static void a_record_sink_that_says_no_stops_the_scan(struct waist *w)
{
    struct call call = waist_call(w);
    for (int i = 0; i < 4; i++) RECORDS(w, { .label = "a", .at_ns = i });
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    struct record_scan scan = scan_of(w, NULL);
    struct found f = { .w = w, .stop_after = 1 };
    EXPECT(view_records(v, &call, &scan, keep_rows, &f, NULL) == ERR_EXEC && f.batches == 1);
    store_view_close(v);
}

/* ---- fields instead of whole records ---- */

struct columns {
    struct buf *out;
    const struct record_scan *scan;
};

static int say_columns(void *ctx, const struct record_rows *r)
{
    struct columns *c = ctx;
    EXPECT(r->n > 0 && r->n <= 8192 && r->records == NULL);
    for (size_t i = 0; i < r->n; i++) {
        buf_printf(c->out, "%lld:", (long long)(r->time_ns[i] - T0_NS));
        for (size_t f = 0; f < c->scan->n_fields; f++) {
            buf_char(c->out, ' ');
            say_value(c->out, r->values[f][i]);
        }
        buf_char(c->out, '\n');
    }
    return OK;
}

/* A line a record, oldest first: "10: sx -". */
static const char *columns(struct waist *w, const char *fields, const struct predicate *where)
{
    struct call call = waist_call(w);
    struct field at[16];
    struct record_scan scan = scan_of(w, where);
    struct str rest = str_of(fields), word;
    struct said said = said_new();
    struct columns c = { &said.text, &scan };
    while (next_word(&rest, &word)) at[scan.n_fields++] = field_of(arena_str(&w->arena, word).p);
    scan.fields = at;
    scan.order = ORDER_TIME;
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    EXPECT(view_records(v, &call, &scan, say_columns, &c, NULL) == OK);
    store_view_close(v);
    return said_end(&said, w);
}

static void fields_are_delivered_as_columns(struct waist *w)
{
    RECORDS(w, { .label = "a", .attrs = "k=v n=5", .resource = "service.name=x" });
    RECORDS(w, { .label = "b", .at_ns = 1, .attrs = "n=2.5 j=[1]", .scope = "@lib @@2 s=true" });
    RECORDS(w, { .label = "c", .at_ns = 2, .attrs = "k=" });
    EXPECT_STR(columns(w, "attr.k attr.n attr.nosuch", NULL), "0: sv i5 -\n1: - d2.5 -\n2: s - -\n");
    EXPECT_STR(columns(w, "resource.service.name scope.s scope_name scope_version attr.j", NULL),
               "0: sx - - - -\n1: - btrue slib s2 j[1]\n2: - - - - -\n");
    EXPECT_STR(columns(w, "attr.n attr.n", eq(w, "attr.k", "v")), "0: i5 i5\n");
}

static void intrinsics_are_delivered_as_columns(struct waist *w)
{
    RECORDS(w, { .label = "a",
                 .trace = 1,
                 .id = 2,
                 .parent = 3,
                 .kind = SPAN_SERVER,
                 .status = 2,
                 .duration = 9,
                 .severity = 17 });
    RECORDS(w, { .label = "", .at_ns = 5, .has_no_ids = true });
    EXPECT_STR(columns(w, "trace_id span_id flags", NULL),
               "0: xab000000000000000000000000000001 xab00000000000002 -\n5: - - -\n");
    EXPECT_STR(columns(w, "time attr.x", NULL), "0: i1700000000000000000 -\n5: i1700000000000000005 -\n");
    if (w->table == TABLE_SPANS)
        EXPECT_STR(columns(w, "name kind status duration parent_id body", NULL),
                   "0: sa i2 i2 i9 xab00000000000003 -\n5: - i0 i0 i0 - -\n");
    else
        EXPECT_STR(columns(w, "body severity observed name duration", NULL),
                   "0: sa i17 - - -\n5: - - - - -\n");
}

/* ---- conditions ---- */

static void put_typed(struct waist *w)
{
    RECORDS(w, { .label = "text", .attrs = "k=5x" }, { .label = "text5", .attrs = "k='5'" },
            { .label = "int5", .attrs = "k=5" }, { .label = "int7", .attrs = "k=7" });
    RECORDS(w, { .label = "double5", .attrs = "k=5.0" }, { .label = "double6", .attrs = "k=6.5" },
            { .label = "true", .attrs = "k=true" }, { .label = "false", .attrs = "k=false" });
    RECORDS(w, { .label = "json", .attrs = "k=[5]" }, { .label = "absent", .attrs = "other=5" },
            { .label = "empty", .attrs = "k=" });
}

static void equal_values(struct waist *w)
{
    put_typed(w);
    EXPECT_STR(matching(w, eq(w, "attr.k", "5x")), "text");
    EXPECT_STR(matching(w, eq(w, "attr.k", "'5'")), "text5");
    EXPECT_STR(matching(w, eq(w, "attr.k", "6.5")), "double6");
    EXPECT_STR(matching(w, eq(w, "attr.k", "[5]")), "json");
    EXPECT_STR(matching(w, eq(w, "attr.k", "")), "empty");
    EXPECT_STR(matching(w, eq(w, "attr.nosuch", "5")), "");
}

static void numbers_are_equal_whatever_their_type(struct waist *w)
{
    put_typed(w);
    EXPECT_STR(matching(w, eq(w, "attr.k", "5")), "double5 int5");
    EXPECT_STR(matching(w, eq(w, "attr.k", "5.0")), "double5 int5");
    EXPECT_STR(matching(w, eq(w, "attr.k", "true")), "true");
    EXPECT_STR(matching(w, eq(w, "attr.k", "1")), "true");
    EXPECT_STR(matching(w, eq(w, "attr.k", "0.0")), "false");
}

static void numbers_are_ordered_texts_are_not_numbers(struct waist *w)
{
    put_typed(w);
    EXPECT_STR(matching(w, gt(w, "attr.k", "5")), "double6 int7");
    EXPECT_STR(matching(w, ge(w, "attr.k", "5")), "double5 double6 int5 int7");
    EXPECT_STR(matching(w, lt(w, "attr.k", "5.5")), "double5 false int5 true");
    EXPECT_STR(matching(w, le(w, "attr.k", "1")), "false true");
    EXPECT_STR(matching(w, lt(w, "attr.k", "0")), "");
}

static void texts_are_ordered_by_bytes(struct waist *w)
{
    put_typed(w);
    EXPECT_STR(matching(w, gt(w, "attr.k", "'5'")), "json text");
    EXPECT_STR(matching(w, le(w, "attr.k", "'5'")), "empty text5");
    EXPECT_STR(matching(w, lt(w, "attr.k", "a")), "empty json text text5");
}

static void large_integers_are_not_rounded(struct waist *w)
{
    RECORDS(w, { .label = "a", .attrs = "n=9007199254740992" },
            { .label = "b", .attrs = "n=9007199254740993" },
            { .label = "max", .attrs = "n=9223372036854775807" },
            { .label = "min", .attrs = "n=-9223372036854775808" });
    RECORDS(w, { .label = "d", .attrs = "n=9007199254740992.0" },
            { .label = "e63", .attrs = "n=9223372036854775808.0" });
    EXPECT_STR(matching(w, eq(w, "attr.n", "9007199254740992.0")), "a d");
    EXPECT_STR(matching(w, eq(w, "attr.n", "9007199254740993")), "b");
    EXPECT_STR(matching(w, gt(w, "attr.n", "9007199254740992.0")), "b e63 max");
    EXPECT_STR(matching(w, ge(w, "attr.n", "9223372036854775808.0")), "e63");
    EXPECT_STR(matching(w, eq(w, "attr.n", "-9223372036854775808.0")), "min");
    EXPECT_STR(matching(w, gt(w, "attr.n", "9223372036854775806")), "e63 max");
}

static void not_a_number_compares_false(struct waist *w)
{
    RECORDS(w, { .label = "nan", .attrs = "d=NaN" }, { .label = "inf", .attrs = "d=Inf" },
            { .label = "one", .attrs = "d=1.0" });
    EXPECT_STR(matching(w, eq(w, "attr.d", "NaN")), "");
    EXPECT_STR(matching(w, ge(w, "attr.d", "1")), "inf one");
    EXPECT_STR(matching(w, le(w, "attr.d", "Inf")), "inf one");
    EXPECT_STR(matching(w, not_(w, ge(w, "attr.d", "1"))), "nan");
    EXPECT_STR(matching(w, exists(w, "attr.d")), "inf nan one");
}

static void absent_fields_compare_false_and_not_turns_it(struct waist *w)
{
    RECORDS(w, { .label = "a", .attrs = "k=1" }, { .label = "b", .attrs = "k=2" });
    RECORDS(w, { .label = "none", .attrs = "x=1" });
    EXPECT_STR(matching(w, not_(w, eq(w, "attr.k", "1"))), "b none");
    EXPECT_STR(matching(w, exists(w, "attr.k")), "a b");
    EXPECT_STR(matching(w, not_(w, exists(w, "attr.k"))), "none");
    EXPECT_STR(matching(w, not_(w, exists(w, "attr.nosuch"))), "a b none");
    EXPECT_STR(matching(w, not_(w, not_(w, eq(w, "attr.k", "1")))), "a");
}

static void conditions_join(struct waist *w)
{
    RECORDS(w, { .label = "a", .attrs = "k=1 m=x" }, { .label = "b", .attrs = "k=1 m=y" });
    RECORDS(w, { .label = "c", .attrs = "k=2 m=x" }, { .label = "d" });
    EXPECT_STR(matching(w, both(w, eq(w, "attr.k", "1"), eq(w, "attr.m", "x"))), "a");
    EXPECT_STR(matching(w, either(w, eq(w, "attr.k", "2"), eq(w, "attr.m", "y"))), "b c");
    EXPECT_STR(matching(w, both(w, eq(w, "attr.k", "1"), not_(w, eq(w, "attr.m", "x")))), "b");
    EXPECT_STR(matching(w, not_(w, either(w, eq(w, "attr.k", "1"), eq(w, "attr.m", "x")))), "d");
    EXPECT_STR(matching(w, not_(w, both(w, eq(w, "attr.k", "1"), eq(w, "attr.m", "x")))), "b c d");
    EXPECT_STR(matching(w, tree(w, PRED_AND, NULL, NULL)), "a b c d");
    EXPECT_STR(matching(w, tree(w, PRED_OR, NULL, NULL)), "");
    EXPECT_STR(matching(w, tree(w, PRED_ALL, NULL, NULL)), "a b c d");
    EXPECT_STR(matching(w, either(w, eq(w, "attr.k", "2"), tree(w, PRED_ALL, NULL, NULL))), "a b c d");
}

static void one_of_several_values(struct waist *w)
{
    put_typed(w);
    EXPECT_STR(matching(w, one_of(w, "attr.k", "5 5x nosuch")), "double5 int5 text");
    EXPECT_STR(matching(w, one_of(w, "attr.k", "")), "");
    EXPECT_STR(matching(w, not_(w, one_of(w, "attr.k", "5 6.5 7 5x '5' true false [5]"))), "absent empty");
}

static void put_sentences(struct waist *w)
{
    RECORDS(w, { .label = "1", .attrs = "m=connection-refused_by.peer" },
            { .label = "2", .attrs = "m=Connection" }, { .label = "3", .attrs = "m=reconnection42 n=42" });
    RECORDS(w, { .label = "4", .attrs = "m={\"why\":\"refused\"}" }, { .label = "5", .attrs = "n=1" },
            { .label = "6", .attrs = "m=na\xc3\xafve" });
}

static void texts_that_contain_a_text(struct waist *w)
{
    put_sentences(w);
    EXPECT_STR(matching(w, contains(w, "attr.m", "connection", false)), "1 3");
    EXPECT_STR(matching(w, contains(w, "attr.m", "onnectio", false)), "1 2 3");
    EXPECT_STR(matching(w, contains(w, "attr.m", "CONNECTION", true)), "1 2 3");
    EXPECT_STR(matching(w, contains(w, "attr.m", "refused", false)), "1 4");
    EXPECT_STR(matching(w, contains(w, "attr.m", "-refused_", false)), "1");
    EXPECT_STR(matching(w, contains(w, "attr.m", "y.p", false)), "1");
    EXPECT_STR(matching(w, contains(w, "attr.m", "", false)), "1 2 3 4 6");
    EXPECT_STR(matching(w, contains(w, "attr.m", "42", false)), "3");
    EXPECT_STR(matching(w, contains(w, "attr.n", "42", false)), "");
    EXPECT_STR(matching(w, contains(w, "attr.m", "a\xc3\xaf", false)), "6");
    EXPECT_STR(matching(w, contains(w, "attr.m", "nosuch", true)), "");
    EXPECT_STR(matching(w, contains(w, "attr.m", "\"why\"", false)), "4");
}

static void labels_that_contain_a_text(struct waist *w)
{
    const char *field = w->table == TABLE_SPANS ? "name" : "body";
    RECORDS(w, { .label = "agent.plan" }, { .label = "agent.act" });
    RECORDS(w, { .label = "Agents" }, { .label = "" });
    EXPECT_STR(matching(w, contains(w, field, "agent", false)), "agent.act agent.plan");
    EXPECT_STR(matching(w, contains(w, field, "agent", true)), "Agents agent.act agent.plan");
    EXPECT_STR(matching(w, contains(w, field, "gent.p", false)), "agent.plan");
    EXPECT_STR(matching(w, eq(w, field, "agent.act")), "agent.act");
    EXPECT_STR(matching(w, exists(w, field)), "Agents agent.act agent.plan");
}

static const char *by_regex(struct waist *w, const char *field, const char *pattern)
{
    struct regex *re;
    struct predicate *p = leaf(w, field, PRED_REGEX, (struct value){ VALUE_NONE });
    EXPECT(regex_new(str_of(pattern), &re, NULL) == OK);
    p->re = re;
    const char *text = matching(w, p);
    regex_free(re);
    return text;
}

static void texts_that_match_an_expression(struct waist *w)
{
    put_sentences(w);
    EXPECT_STR(by_regex(w, "attr.m", "re.*[0-9]+"), "3");
    EXPECT_STR(by_regex(w, "attr.m", "Connection|connection.*"), "1 2");
    EXPECT_STR(by_regex(w, "attr.m", ".*refused.*"), "1 4");
    EXPECT_STR(by_regex(w, "attr.m", ""), "");
    EXPECT_STR(by_regex(w, "attr.n", "42"), "");
    EXPECT_STR(by_regex(w, "attr.nosuch", ".*"), "");
}

static void one_name_of_many_types(struct waist *w)
{
    put_typed(w);
    EXPECT_STR(columns(w, "attr.k", both(w, exists(w, "attr.k"), one_of(w, "attr.k", "5 [5] true"))),
               "0: i5\n0: d5\n0: btrue\n0: j[5]\n");
}

static void resources_and_scopes_are_asked_like_attributes(struct waist *w)
{
    RECORDS(w, { .label = "a", .resource = "service.name=api n=1", .attrs = "service.name=x" },
            { .label = "b", .resource = "service.name=db", .scope = "@lib @@1 s=5" });
    RECORDS(w, { .label = "c", .resource = "service.name=api n=2", .scope = "@lib @@2" });
    EXPECT_STR(matching(w, eq(w, "resource.service.name", "api")), "a c");
    EXPECT_STR(matching(w, eq(w, "attr.service.name", "api")), "");
    EXPECT_STR(matching(w, gt(w, "resource.n", "1.5")), "c");
    EXPECT_STR(matching(w, eq(w, "scope.s", "5")), "b");
    EXPECT_STR(matching(w, eq(w, "scope_name", "lib")), "b c");
    EXPECT_STR(matching(w, eq(w, "scope_version", "'2'")), "c");
    EXPECT_STR(matching(w, not_(w, exists(w, "scope_name"))), "a");
    EXPECT_STR(matching(w, both(w, eq(w, "resource.service.name", "api"), exists(w, "scope_name"))), "c");
}

static struct value bytes_of_id(struct waist *w, size_t n, int number)
{
    uint8_t *id = arena_alloc(&w->arena, n);
    id_of(id, n, number);
    return (struct value){ VALUE_BYTES, .text = str_make(id, n) };
}

static void records_are_found_by_their_ids(struct waist *w)
{
    for (int i = 1; i <= 6; i++)
        RECORDS(w, { .label = arena_printf(&w->arena, "%d", i).p,
                     .trace = 1 + i % 2,
                     .id = i,
                     .at_ns = i * 3600000000000ll });
    RECORDS(w, { .label = "none", .has_no_ids = true });
    EXPECT_STR(matching(w, leaf(w, "trace_id", PRED_EQ, bytes_of_id(w, 16, 1))), "2 4 6");
    EXPECT_STR(matching(w, leaf(w, "span_id", PRED_EQ, bytes_of_id(w, 8, 5))), "5");
    EXPECT_STR(matching(w, leaf(w, "trace_id", PRED_EQ, bytes_of_id(w, 16, 77))), "");
    EXPECT_STR(matching(w, not_(w, exists(w, "trace_id"))), "none");
    struct predicate *p = leaf(w, "trace_id", PRED_IN, (struct value){ VALUE_NONE });
    struct value two[] = { bytes_of_id(w, 16, 2), bytes_of_id(w, 16, 9) };
    p->values = two;
    p->n_values = 2;
    EXPECT_STR(matching(w, p), "1 3 5");
}

static void records_are_found_by_their_origin(struct waist *w)
{
    RECORDS(w, { .label = "a", .resource = "x=1 y=2" },
            { .label = "b", .resource = "y=2 x=1", .scope = "@other" });
    RECORDS(w, { .label = "c", .resource = "x=1" });
    struct record_scan scan = scan_of(w, eq(w, "resource.y", "2"));
    struct found f = find(w, &scan);
    EXPECT(f.n == 2 && hash128_eq(f.at[0].origin->id, f.at[1].origin->id));
    struct value id = { VALUE_BYTES, .text = str_make(&f.at[0].origin->id, 16) };
    EXPECT_STR(matching(w, leaf(w, "origin", PRED_EQ, id)), "a b");
}

static void the_time_is_a_field_too(struct waist *w)
{
    RECORDS(w, { .label = "a", .at_ns = 1 }, { .label = "b", .at_ns = 2 });
    RECORDS(w, { .label = "c", .at_ns = 3 });
    EXPECT_STR(matching(w, gt(w, "time", "1700000000000000001")), "b c");
    EXPECT_STR(matching(w, eq(w, "time", "1700000000000000002")), "b");
}

static void fields_of_the_other_table_are_absent(struct waist *w)
{
    const char *other = w->table == TABLE_SPANS ? "severity" : "kind";
    RECORDS(w, { .label = "a", .severity = 9, .kind = SPAN_CLIENT });
    EXPECT_STR(matching(w, exists(w, other)), "");
    EXPECT_STR(matching(w, not_(w, exists(w, other))), "a");
}

static void conditions_that_are_too_deep_are_refused(struct waist *w)
{
    struct call call = waist_call(w);
    struct err e = ERR_INIT;
    struct found f = { .w = w };
    const struct predicate *p = eq(w, "attr.k", "1");
    for (int i = 0; i < 80; i++) p = not_(w, p);
    RECORDS(w, { .label = "a" });
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    struct record_scan scan = scan_of(w, p);
    EXPECT(view_records(v, &call, &scan, keep_rows, &f, &e) == ERR_LIMIT && e.text[0] != 0 && f.n == 0);
    store_view_close(v);
}

/* ---- what there is ---- */

static const char *fields(struct waist *w, size_t limit)
{
    struct call call = waist_call(w);
    struct said said = said_new();
    struct field_info *at;
    size_t n;
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    EXPECT(view_fields(v, &call, w->table, limit, &at, &n, NULL) == OK);
    for (size_t i = 0; i < n; i++) {
        if (i > 0) buf_char(&said.text, ' ');
        field_print(&said.text, at[i].field);
        buf_printf(&said.text, "=%x", at[i].types);
        EXPECT(at[i].rows > 0);
    }
    store_view_close(v);
    return said_end(&said, w);
}

static void fields_that_occur_and_their_types(struct waist *w)
{
    RECORDS(w, { .label = "a", .attrs = "k=x z=1", .resource = "service.name=api" });
    RECORDS(w, { .label = "b", .attrs = "k=5 b=true d=1.5 j=[1]", .scope = "@lib s=1" });
    EXPECT_STR(fields(w, 0),
               "resource.service.name=2 scope.s=4 attr.b=10 attr.d=8 attr.j=40 attr.k=6 attr.z=4");
    EXPECT_STR(fields(w, 2), "resource.service.name=2 scope.s=4");
}

static int by_rows_and_text(const void *x, const void *y)
{
    const struct value_count *a = x, *b = y;
    if (a->rows != b->rows) return a->rows < b->rows ? 1 : -1;
    if (a->value.type != b->value.type) return a->value.type < b->value.type ? -1 : 1;
    return a->value.type == VALUE_STR ? str_cmp(a->value.text, b->value.text)
                                      : (a->value.i > b->value.i) - (a->value.i < b->value.i);
}

static const char *values(struct waist *w, const char *field, const struct predicate *where, size_t limit)
{
    struct call call = waist_call(w);
    struct said said = said_new();
    struct value_count *at;
    size_t n;
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    EXPECT(view_field_values(v, &call, w->table, field_of(field), where, limit, &at, &n, NULL) == OK);
    for (size_t i = 1; i < n; i++) EXPECT(at[i - 1].rows >= at[i].rows);
    if (n > 0) qsort(at, n, sizeof *at, by_rows_and_text);
    for (size_t i = 0; i < n; i++) {
        if (i > 0) buf_char(&said.text, ' ');
        say_value(&said.text, at[i].value);
    }
    store_view_close(v);
    return said_end(&said, w);
}

static void values_of_a_field_most_frequent_first(struct waist *w)
{
    for (int i = 0; i < 6; i++)
        RECORDS(w, { .label = i % 2 ? "odd" : "even",
                     .attrs = i < 3   ? "k=x"
                              : i < 5 ? "k=y"
                                      : "k=5",
                     .resource = "s=r",
                     .at_ns = i });
    EXPECT_STR(values(w, "attr.k", NULL, 0), "sx sy i5");
    EXPECT_STR(values(w, "attr.k", NULL, 1), "sx");
    EXPECT_STR(values(w, "attr.nosuch", NULL, 0), "");
    EXPECT_STR(values(w, "resource.s", NULL, 0), "sr");
    EXPECT_STR(values(w, w->table == TABLE_SPANS ? "name" : "body", NULL, 0), "seven sodd");
}

static void values_of_a_field_among_those_that_match(struct waist *w)
{
    RECORDS(w, { .label = "a", .attrs = "k=x e=1", .resource = "s=1" }, { .label = "b", .attrs = "k=y e=1" });
    RECORDS(w, { .label = "c", .attrs = "k=y e=1" }, { .label = "d", .attrs = "k=z e=2" });
    EXPECT_STR(values(w, "attr.k", eq(w, "attr.e", "1"), 0), "sy sx");
    EXPECT_STR(values(w, "attr.k", eq(w, "resource.s", "1"), 0), "sx");
    EXPECT_STR(values(w, "resource.s", eq(w, "attr.e", "1"), 0), "i1");
    EXPECT_STR(values(w, "attr.k", eq(w, "attr.e", "3"), 0), "");
}

static int by_service(const void *x, const void *y)
{
    const struct origin *a = x, *b = y;
    return value_same(a->resource.at[0].value, b->resource.at[0].value)
               ? 0
               : str_cmp(a->resource.at[0].value.text, b->resource.at[0].value.text);
}

/* Their first resource attribute, sorted. */
static const char *origins(struct waist *w, const struct predicate *where, size_t limit)
{
    struct call call = waist_call(w);
    struct said said = said_new();
    struct origin *at;
    size_t n;
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    EXPECT(view_origins(v, &call, w->table, where, limit, &at, &n, NULL) == OK);
    if (n > 0) qsort(at, n, sizeof *at, by_service);
    for (size_t i = 0; i < n; i++) {
        if (i > 0) buf_char(&said.text, ' ');
        EXPECT(at[i].resource.n > 0 && at[i].scope.n == 0 && at[i].scope_name.n == 0);
        buf_str(&said.text, at[i].resource.at[0].value.text);
    }
    store_view_close(v);
    return said_end(&said, w);
}

static void origins_are_distinct_resources(struct waist *w)
{
    RECORDS(w, { .label = "a", .resource = "s=api v=1" },
            { .label = "b", .resource = "v=1 s=api", .scope = "@x" });
    RECORDS(w, { .label = "c", .resource = "s=db v=2" },
            { .label = "d", .resource = "s=api v=1", .scope = "@y" });
    RECORDS(w, { .label = "e", .resource = "s=web" });
    EXPECT_STR(origins(w, NULL, 0), "api db web");
    EXPECT_STR(origins(w, eq(w, "resource.v", "1"), 0), "api");
    EXPECT_STR(origins(w, not_(w, eq(w, "resource.s", "db")), 0), "api web");
    EXPECT_STR(origins(w, eq(w, "resource.s", "nosuch"), 0), "");
    EXPECT(strchr(origins(w, NULL, 2), ' ') != NULL); /* two of the three */
}

/* ---- batches ---- */

static void a_batch_that_comes_again_is_written_once(struct waist *w)
{
    const struct spec s[] = { { .label = "a" }, { .label = "b" } };
    put_specs(w, s, 2, (struct hash128){ 7, 8 });
    EXPECT(!w->result.is_repeat);
    put_specs(w, s, 2, (struct hash128){ 7, 8 });
    uint64_t kept = w->table == TABLE_SPANS ? w->result.spans : w->result.logs;
    EXPECT(w->result.is_repeat && kept == 2 && w->result.rejected_total == 0);
    put_specs(w, s, 1, (struct hash128){ 7, 9 });
    EXPECT(!w->result.is_repeat);
    EXPECT_STR(matching(w, NULL), "a a b");
}

static void batches_without_an_id_are_all_written(struct waist *w)
{
    for (int i = 0; i < 3; i++) {
        RECORDS(w, { .label = "a" });
        EXPECT(!w->result.is_repeat);
    }
    EXPECT_STR(matching(w, NULL), "a a a");
}

static void one_batch_of_everything(struct waist *w)
{
    struct records logs, spans;
    struct batch b;
    const struct spec s[] = { { .label = "a" }, { .label = "b" } };
    enum table asked = w->table;
    batch_init(&b, &w->arena, LABELS_PACKED);
    batch_series_labels(&b, labels_of("up", &w->arena));
    batch_sample(&b, T0, 1);
    records_init(&logs, &w->arena, TABLE_LOGS);
    records_init(&spans, &w->arena, TABLE_SPANS);
    w->table = TABLE_LOGS;
    add_specs(w, &logs, s, 2);
    w->table = TABLE_SPANS;
    add_specs(w, &spans, s, 1);
    records_end(&logs);
    records_end(&spans);
    b.logs = &logs;
    b.spans = &spans;
    waist_write(w, &b);
    w->table = asked;
    EXPECT(w->result.samples == 1 && w->result.logs == 2 && w->result.spans == 1);
    EXPECT_STR(matching(w, NULL), asked == TABLE_LOGS ? "a b" : "a");
    EXPECT_STR(rows(w, ""), "up: 0=1\n");
}

static void status_counts_records(struct waist *w)
{
    struct store_status st;
    RECORDS(w, { .label = "a" }, { .label = "b", .at_ns = 7000000000 });
    RECORDS(w, { .label = "c", .at_ns = 5000000000 });
    settle(w);
    store_status(w->store, &st);
    const struct table_status *t = &st.table[w->table];
    EXPECT(t->min_time_ms == T0 && t->max_time_ms == T0 + 7000 && t->head_rows + t->rows_on_disk >= 3);
    EXPECT(w->state == REOPENED || t->ingested == 3);
    EXPECT(st.table[w->table == TABLE_LOGS ? TABLE_SPANS : TABLE_LOGS].ingested == 0);
}

/* ---- one moment; struct call ---- */

static void a_view_sees_one_moment_of_records(struct waist *w)
{
    RECORDS(w, { .label = "a" }, { .label = "b", .id = 5, .trace = 5 });
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    RECORDS(w, { .label = "c" }, { .label = "later", .id = 5, .trace = 5 });
    EXPECT_STR(view_labels_text(w, v), "a b");
    waist_admin(w, STORE_FLUSH);
    EXPECT_STR(view_labels_text(w, v), "a b");
    RECORDS(w, { .label = "d" });
    waist_admin(w, STORE_FLUSH);
    waist_admin(w, STORE_MERGE);
    waist_admin(w, STORE_RETAIN);
    EXPECT_STR(view_labels_text(w, v), "a b");
    store_view_close(v);
    EXPECT_STR(matching(w, NULL), w->table == TABLE_SPANS ? "a c d later" : "a b c d later");
}

static void threads_share_a_view_of_records_while_the_store_changes(struct waist *w)
{
    struct onlooker at[2];
    for (int i = 1; i <= 10; i++)
        RECORDS(w, { .label = arena_printf(&w->arena, "%d", i).p, .trace = 1, .id = i, .at_ns = i });
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    const char *then = view_labels_text(w, v);
    for (int i = 0; i < 2; i++) onlooker_start(&at[i], w, v, then, view_labels_text);
    for (int i = 1; i <= 30; i++) {
        RECORDS(w, { .label = "new", .trace = 1, .id = i, .at_ns = i });
        if (i % 7 == 3) waist_admin(w, STORE_FLUSH);
        if (i % 15 == 14) waist_admin(w, STORE_MERGE);
    }
    for (int i = 0; i < 2; i++) onlooker_stop(&at[i]);
    store_view_close(v);
}

static int read_records(struct waist *w, struct call *call, struct err *e)
{
    struct found f = { .w = w };
    struct record_scan scan = scan_of(w, NULL);
    struct field_info *info;
    struct value_count *value;
    size_t n;
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    int rc = view_records(v, call, &scan, keep_rows, &f, e);
    EXPECT(view_fields(v, call, w->table, 0, &info, &n, NULL) == rc);
    EXPECT(view_field_values(v, call, w->table, field_of("attr.k"), NULL, 0, &value, &n, NULL) == rc);
    store_view_close(v);
    return rc;
}

static void record_calls_are_cancelled_and_time_out(struct waist *w)
{
    atomic_bool cancelled = true;
    struct err e = ERR_INIT;
    struct call call = { .cancelled = &cancelled, .arena = &w->arena };
    RECORDS(w, { .label = "a", .attrs = "k=1" });
    settle(w);
    EXPECT(read_records(w, &call, &e) == ERR_CANCEL && e.text[0] != 0);
    atomic_store(&cancelled, false);
    call.deadline_ns = 1;
    EXPECT(read_records(w, &call, &e) == ERR_TIMEOUT);
    call.deadline_ns = 0;
    EXPECT(read_records(w, &call, &e) == OK);
}

static void record_calls_keep_to_their_memory(struct waist *w)
{
    struct arena small = ARENA_INIT(60000);
    struct err e = ERR_INIT;
    struct call call = { .arena = &small };
    struct records r;
    records_init(&r, &w->arena, w->table);
    for (int i = 0; i < 20000; i++) {
        struct attr at = { STR("k"), value_str(arena_printf(&w->arena, "a value of its own, number %d", i)) };
        struct record rec = { .time_ns = T0_NS + i * 1000ll, .attrs = { &at, 1 } };
        id_of(rec.span_id, 8, i + 1);
        EXPECT(records_add(&r, &rec, NULL) == OK);
    }
    write_records(w, &r, (struct hash128){ 0, 0 });
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    struct value_count *values_at;
    size_t n;
    EXPECT(view_field_values(v, &call, w->table, field_of("attr.k"), NULL, 0, &values_at, &n, &e) ==
           ERR_LIMIT);
    EXPECT(e.text[0] != 0);
    store_view_close(v);
    arena_release(&small);
}

/* ---- spans only ---- */

static void of_equal_spans_the_last_is_delivered(struct waist *w)
{
    RECORDS(w, { .label = "one", .trace = 1, .id = 1, .duration = 5 });
    RECORDS(w, { .label = "other", .trace = 1, .id = 2 });
    RECORDS(w, { .label = "two", .trace = 1, .id = 1, .duration = 6 });
    EXPECT_STR(matching(w, NULL), "other two");
    RECORDS(w, { .label = "three", .trace = 1, .id = 1, .duration = 4 });
    EXPECT_STR(matching(w, NULL), "other three");
}

static void equal_spans_of_one_batch(struct waist *w)
{
    RECORDS(w, { .label = "one", .trace = 1, .id = 1 }, { .label = "two", .trace = 1, .id = 1 },
            { .label = "x", .trace = 2, .id = 1 });
    EXPECT_STR(matching(w, NULL), "two x");
}

static void a_finished_span_replaces_the_running_one(struct waist *w)
{
    RECORDS(w, { .label = "running", .trace = 1, .id = 1, .duration = SPAN_UNFINISHED });
    EXPECT_STR(matching(w, eq(w, "duration", "-1")), "running");
    RECORDS(w, { .label = "done", .trace = 1, .id = 1, .duration = 7 });
    EXPECT_STR(matching(w, NULL), "done");
    EXPECT_STR(matching(w, eq(w, "duration", "-1")), "");
}

static void a_running_span_does_not_replace_the_finished_one(struct waist *w)
{
    RECORDS(w, { .label = "done", .trace = 1, .id = 1, .duration = 7 });
    RECORDS(w, { .label = "running", .trace = 1, .id = 1, .duration = SPAN_UNFINISHED });
    EXPECT_STR(matching(w, NULL), "done");
    RECORDS(w, { .label = "running", .trace = 1, .id = 1, .duration = SPAN_UNFINISHED },
            { .label = "done2", .trace = 1, .id = 1, .duration = 8 },
            { .label = "running", .trace = 1, .id = 1, .duration = SPAN_UNFINISHED });
    EXPECT_STR(matching(w, NULL), "done2");
}

static void of_running_spans_the_last_is_delivered(struct waist *w)
{
    RECORDS(w, { .label = "one", .trace = 1, .id = 1, .duration = SPAN_UNFINISHED });
    RECORDS(w, { .label = "two", .trace = 1, .id = 1, .duration = SPAN_UNFINISHED });
    EXPECT_STR(matching(w, NULL), "two");
}

static void spans_of_another_kind_or_trace_stay(struct waist *w)
{
    RECORDS(w, { .label = "client", .trace = 1, .id = 1, .kind = SPAN_CLIENT });
    RECORDS(w, { .label = "server", .trace = 1, .id = 1, .kind = SPAN_SERVER });
    RECORDS(w, { .label = "elsewhere", .trace = 2, .id = 1, .kind = SPAN_CLIENT });
    EXPECT_STR(matching(w, NULL), "client elsewhere server");
}

/* Which of them is delivered is decided first, whatever is asked for: what a span was is no longer true. */
static void a_replaced_span_is_not_found_by_what_it_was(struct waist *w)
{
    RECORDS(
        w, { .label = "was", .trace = 1, .id = 1, .attrs = "state=old both=1", .duration = SPAN_UNFINISHED });
    RECORDS(w, { .label = "is", .trace = 1, .id = 1, .attrs = "state=new both=1", .duration = 5 });
    EXPECT_STR(matching(w, eq(w, "attr.state", "old")), "");
    EXPECT_STR(matching(w, eq(w, "name", "was")), "");
    EXPECT_STR(matching(w, eq(w, "attr.state", "new")), "is");
    EXPECT_STR(matching(w, not_(w, eq(w, "attr.state", "new"))), "");
    EXPECT_STR(columns(w, "name attr.state", eq(w, "attr.both", "1")), "0: sis snew\n");
}

static void a_limit_counts_each_span_once(struct waist *w)
{
    for (int round = 0; round < 3; round++)
        for (int i = 1; i <= 4; i++)
            RECORDS(
                w,
                { .label = arena_printf(&w->arena, "%d.%d", i, round).p, .trace = i, .id = i, .at_ns = i });
    struct record_scan scan = scan_of(w, NULL);
    scan.order = ORDER_TIME;
    scan.limit = 3;
    EXPECT_STR(scanned(w, &scan), "1.2 2.2 3.2");
    scan.order = ORDER_TIME_DESC;
    EXPECT_STR(scanned(w, &scan), "4.2 3.2 2.2");
}

static void durations_kinds_and_states_are_asked(struct waist *w)
{
    RECORDS(w, { .label = "fast", .duration = 5, .kind = SPAN_CLIENT, .status = 1 },
            { .label = "slow", .duration = 5000000000, .kind = SPAN_SERVER, .status = 2 });
    RECORDS(w, { .label = "plain" }, { .label = "running", .duration = SPAN_UNFINISHED, .parent = 4 },
            { .label = "ever", .duration = INT64_MAX });
    EXPECT_STR(matching(w, gt(w, "duration", "1000000000")), "ever slow");
    EXPECT_STR(matching(w, lt(w, "duration", "0")), "running");
    EXPECT_STR(matching(w, eq(w, "status", "2")), "slow");
    EXPECT_STR(matching(w, eq(w, "status", "0")), "ever plain running");
    EXPECT_STR(matching(w, eq(w, "kind", "3")), "fast");
    EXPECT_STR(matching(w, exists(w, "kind")), "ever fast plain running slow");
    EXPECT_STR(matching(w, exists(w, "parent_id")), "running");
    EXPECT_STR(matching(w, leaf(w, "parent_id", PRED_EQ, bytes_of_id(w, 8, 4))), "running");
}

static void a_trace_of_many_spans(struct waist *w)
{
    for (int part = 0; part < 4; part++) {
        struct records r;
        records_init(&r, &w->arena, w->table);
        for (int i = 0; i < 1500; i++) {
            int n = part * 1500 + i;
            struct record rec = { .time_ns = T0_NS + n * 1000000ll };
            id_of(rec.trace_id, 16, 1 + n % 3);
            id_of(rec.span_id, 8, n + 1);
            EXPECT(records_add(&r, &rec, NULL) == OK);
        }
        write_records(w, &r, (struct hash128){ 0, 0 });
    }
    struct record_scan scan = scan_of(w, leaf(w, "trace_id", PRED_EQ, bytes_of_id(w, 16, 2)));
    EXPECT_INT(find(w, &scan).n, 2000);
}

/* ---- logs only ---- */

static void equal_logs_all_stay(struct waist *w)
{
    RECORDS(w, { .label = "a", .trace = 1, .id = 1 }, { .label = "a", .trace = 1, .id = 1 });
    RECORDS(w, { .label = "a", .trace = 1, .id = 1 });
    EXPECT_STR(matching(w, NULL), "a a a");
}

static void severities_are_asked(struct waist *w)
{
    RECORDS(w, { .label = "none" }, { .label = "info", .severity = 9 });
    RECORDS(w, { .label = "error", .severity = 17 }, { .label = "fatal", .severity = 21 });
    EXPECT_STR(matching(w, ge(w, "severity", "17")), "error fatal");
    EXPECT_STR(matching(w, eq(w, "severity", "9")), "info");
    EXPECT_STR(matching(w, not_(w, exists(w, "severity"))), "none");
    EXPECT_STR(matching(w, lt(w, "severity", "17")), "info");
}

static void bodies_of_every_type_come_back(struct waist *w)
{
    static const char *const bodies[] = { "text", "5", "2.5", "true", "{\"k\":1}" };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct record r = { .time_ns = T0_NS + (int64_t)i };
        r.log.body = value_of(str_of(bodies[i]));
        put_record(w, &r);
    }
    EXPECT_STR(columns(w, "body", NULL), "0: stext\n1: i5\n2: d2.5\n3: btrue\n4: j{\"k\":1}\n");
}

static void a_line_of_two_megabytes(struct waist *w)
{
    size_t n = 2u << 20;
    struct record r = { .time_ns = T0_NS };
    r.log.body = value_str(str_make(long_text(w, n, " needle."), n));
    put_record(w, &r);
    RECORDS(w, { .label = "a needle too" }, { .label = "none" });
    struct record_scan scan = scan_of(w, contains(w, "body", "needle", false));
    EXPECT(find(w, &scan).n == 2);
    struct record_scan all = scan_of(w, contains(w, "body", "an agent", false));
    struct found f = find(w, &all);
    EXPECT(f.n == 1 && same_record(&f.at[0], &r, TABLE_LOGS));
}

static const struct waist_case record_cases[] = {
    { WAIST(an_empty_store_has_no_records) },
    { WAIST(a_record_comes_back_whole) },
    { WAIST(a_record_of_nothing_but_its_time_comes_back) },
    { WAIST(attributes_keep_their_order) },
    { WAIST(odd_bytes_come_back_as_they_are) },
    { WAIST(odd_numbers_of_records_come_back_as_they_are) },
    { WAIST(random_records_come_back) },
    { WAIST(of_equal_attribute_names_the_last_is_kept) },
    { WAIST(a_value_of_two_megabytes) },
    { WAIST(long_texts_beside_short_ones) },
    { WAIST(very_many_attribute_names) },
    { WAIST(ranges_of_records_are_closed_and_in_nanoseconds) },
    { WAIST(records_of_several_days) },
    { WAIST(times_zero_and_far_away_are_taken) },
    { WAIST(a_record_from_before_1970_is_refused_and_counted) },
    { WAIST(the_order_asked_for) },
    { WAIST(a_limit_takes_the_first_in_the_order) },
    { WAIST(a_limit_counts_what_matches) },
    { WAIST(pages_by_limit_meet_without_gaps) },
    { WAIST(many_records_of_one_time) },
    { WAIST(a_record_sink_that_says_no_stops_the_scan) },
    { WAIST(fields_are_delivered_as_columns) },
    { WAIST(intrinsics_are_delivered_as_columns) },
    { WAIST(equal_values) },
    { WAIST(numbers_are_equal_whatever_their_type) },
    { WAIST(numbers_are_ordered_texts_are_not_numbers) },
    { WAIST(texts_are_ordered_by_bytes) },
    { WAIST(large_integers_are_not_rounded) },
    { WAIST(not_a_number_compares_false) },
    { WAIST(absent_fields_compare_false_and_not_turns_it) },
    { WAIST(conditions_join) },
    { WAIST(one_of_several_values) },
    { WAIST(texts_that_contain_a_text) },
    { WAIST(labels_that_contain_a_text) },
    { WAIST(texts_that_match_an_expression) },
    { WAIST(one_name_of_many_types) },
    { WAIST(resources_and_scopes_are_asked_like_attributes) },
    { WAIST(records_are_found_by_their_ids) },
    { WAIST(records_are_found_by_their_origin) },
    { WAIST(the_time_is_a_field_too) },
    { WAIST(fields_of_the_other_table_are_absent) },
    { WAIST(conditions_that_are_too_deep_are_refused) },
    { WAIST(fields_that_occur_and_their_types) },
    { WAIST(values_of_a_field_most_frequent_first) },
    { WAIST(values_of_a_field_among_those_that_match) },
    { WAIST(origins_are_distinct_resources) },
    { WAIST(a_batch_that_comes_again_is_written_once) },
    { WAIST(batches_without_an_id_are_all_written) },
    { WAIST(one_batch_of_everything) },
    { WAIST(status_counts_records) },
    { WAIST(a_view_sees_one_moment_of_records) },
    { WAIST(threads_share_a_view_of_records_while_the_store_changes) },
    { WAIST(record_calls_are_cancelled_and_time_out) },
    { WAIST(record_calls_keep_to_their_memory) },
};

static const struct waist_case span_cases[] = {
    { WAIST(of_equal_spans_the_last_is_delivered) },
    { WAIST(equal_spans_of_one_batch) },
    { WAIST(a_finished_span_replaces_the_running_one) },
    { WAIST(a_running_span_does_not_replace_the_finished_one) },
    { WAIST(of_running_spans_the_last_is_delivered) },
    { WAIST(spans_of_another_kind_or_trace_stay) },
    { WAIST(a_replaced_span_is_not_found_by_what_it_was) },
    { WAIST(a_limit_counts_each_span_once) },
    { WAIST(durations_kinds_and_states_are_asked) },
    { WAIST(a_trace_of_many_spans) },
};

static const struct waist_case log_cases[] = {
    { WAIST(equal_logs_all_stay) },
    { WAIST(severities_are_asked) },
    { WAIST(bodies_of_every_type_come_back) },
    { WAIST(a_line_of_two_megabytes) },
};
