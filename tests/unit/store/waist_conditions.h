/* waist_conditions.h - what every store promises about fields of logs and spans: as columns, and in
 * conditions on records. Each case holds for both and is run for both. */
#pragma once
#include "unit/store/waist_record_kit.h"

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

static const struct waist_case condition_cases[] = {
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
};
