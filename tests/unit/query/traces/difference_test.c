/* What stands out among some spans, by hand-made spans whose shares are known. */
#include "query/traces/difference.h"

#include "unit/test.h"
#include "unit/toy_store.c"

static struct arena arena = ARENA_INIT((size_t)64 << 20);
static struct call call = { .arena = &arena };

/* 100 spans: every tenth failed; of the failed all ran in region "x", of the others one in nine did. */
static struct store *store_of_hundred(void)
{
    struct store *store = toy_store_new();
    struct records records;
    struct batch batch;
    struct write_result result = { 0 };
    struct err e = ERR_INIT;

    records_init(&records, &arena, TABLE_SPANS);
    for (int i = 0; i < 100; i++) {
        char id[24];
        snprintf(id, sizeof id, "request-%d", i * 7919);
        bool failed = i % 10 == 0;
        struct attr attrs[] = { { STR("region"), value_str(failed || i % 9 == 1 ? STR("x") : STR("y")) },
                                { STR("same"), value_int(1) },
                                { STR("request.id"), value_str(str_of(id)) } };
        struct attr service = { STR("service.name"), value_str(STR("shop")) };
        struct origin origin = { .resource = { &service, 1 } };
        struct record r = { .time_ns = 1000 + i,
                            .attrs = { attrs, 3 },
                            .span = { .duration_ns = failed ? 900 : 10,
                                      .status = failed ? 2 : 0,
                                      .kind = SPAN_SERVER,
                                      .name = STR("buy") } };
        r.trace_id[0] = (uint8_t)(i + 1);
        r.span_id[0] = (uint8_t)(i + 1);
        records_origin(&records, &origin);
        EXPECT_INT(records_add(&records, &r, &e), OK);
    }
    records_end(&records);
    batch_init(&batch, &arena, LABELS_PACKED);
    batch.spans = &records;
    EXPECT_INT(store_write(store, &batch, ACK_MEMORY, &result, NULL, NULL, &e), OK);
    return store;
}

static void ask(struct store *s, const struct predicate *selected, struct difference_report *out)
{
    struct difference_ask q = { .to_ns = INT64_MAX, .selected = selected };
    struct store_view *view;
    struct err e = ERR_INIT;
    EXPECT_INT(store_view_open(s, 0, INT64_MAX / 1000000, &view, &e), OK);
    EXPECT_INT(span_differences(view, &call, &q, 10, out, &e), OK);
    store_view_close(view);
}

static const struct difference *find(const struct difference_report *r, const char *name, const char *value)
{
    for (size_t i = 0; i < r->n; i++)
        if (str_is(r->at[i].field.name, name) && str_is(r->at[i].value.text, value)) return &r->at[i];
    return NULL;
}

TEST(what_failed_spans_share_comes_first)
{
    arena_reset(&arena);
    struct store *s = store_of_hundred();
    struct difference_report r;
    ask(s, predicate_cmp(&arena, PRED_EQ, field_in(IN_STATUS), value_int(2)), &r);
    EXPECT_INT(r.selected, 10);
    EXPECT_INT(r.others, 90);
    EXPECT(r.n > 0 && r.at[0].field.intrinsic == IN_STATUS); /* the condition itself */
    const struct difference *x = find(&r, "region", "x");
    EXPECT(x != NULL && x->selected == 10 && x->selected_share == 1);
    /* Of 0..99, i % 9 == 1 holds for 11; 10 and 100 would be failed: 10 is. So 10 others. */
    EXPECT(x != NULL && x->others == 10 && x->others_share == 10.0 / 90);
    EXPECT(find(&r, "same", "1") == NULL);
    for (size_t i = 0; i < r.n; i++) EXPECT(!str_is(r.at[i].field.name, "service.name"));
    store_close(s);
}

TEST(nothing_differs_when_all_or_none_are_selected)
{
    arena_reset(&arena);
    struct store *s = store_of_hundred();
    struct difference_report r;
    ask(s, predicate_cmp(&arena, PRED_EQ, field_in(IN_NAME), value_str(STR("buy"))), &r);
    EXPECT(r.n == 0 && r.selected == 100 && r.others == 0);
    ask(s, predicate_cmp(&arena, PRED_EQ, field_in(IN_NAME), value_str(STR("sell"))), &r);
    EXPECT(r.n == 0 && r.selected == 0);
    store_close(s);
}

TEST(fields_that_tell_no_group_apart_are_left_out)
{
    arena_reset(&arena);
    struct store *s = toy_store_new();
    struct difference_report r;
    struct records records;
    struct batch batch;
    struct write_result result = { 0 };
    struct err e = ERR_INIT;
    records_init(&records, &arena, TABLE_SPANS);
    for (int i = 0; i < 2 * DIFFERENCE_VALUES; i++) {
        struct attr id = { STR("id"), value_int(i) };
        struct record v = { .time_ns = 1 + i,
                            .attrs = { &id, 1 },
                            .span = { .duration_ns = 1, .status = i % 2 ? 2 : 0, .name = STR("n") } };
        v.trace_id[0] = 1;
        v.span_id[0] = (uint8_t)i;
        v.span_id[1] = (uint8_t)(1 + i / 256);
        struct origin none = { 0 };
        records_origin(&records, &none);
        EXPECT_INT(records_add(&records, &v, &e), OK);
    }
    records_end(&records);
    batch_init(&batch, &arena, LABELS_PACKED);
    batch.spans = &records;
    EXPECT_INT(store_write(s, &batch, ACK_MEMORY, &result, NULL, NULL, &e), OK);
    ask(s, predicate_cmp(&arena, PRED_EQ, field_in(IN_STATUS), value_int(2)), &r);
    EXPECT(r.selected == DIFFERENCE_VALUES);
    for (size_t i = 0; i < r.n; i++) EXPECT(!str_is(r.at[i].field.name, "id"));
    store_close(s);
}

TESTS(CASE(what_failed_spans_share_comes_first), CASE(nothing_differs_when_all_or_none_are_selected),
      CASE(fields_that_tell_no_group_apart_are_left_out))
