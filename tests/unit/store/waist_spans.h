/* waist_spans.h - what every store promises about spans only: of equal ones one is delivered, durations,
 * kinds, states, traces. */
#pragma once
#include "unit/store/waist_conditions.h"

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
