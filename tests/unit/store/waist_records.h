/* waist_records.h - what every store promises about logs and spans alike: whole records come back as they
 * were, in the times, the order and the number asked for. What they are asked: waist_conditions.h; what else
 * there is: waist_record_calls.h; what only spans or only logs have: waist_spans.h, waist_logs.h. */
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
};
