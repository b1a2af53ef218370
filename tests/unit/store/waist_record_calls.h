/* waist_record_calls.h - what every store promises about logs and spans beside scans: which fields, values
 * and origins there are; batches; views of one moment; deadlines and budgets. Run for both tables. */
#pragma once
#include "unit/store/waist_record_kit.h"

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

static void put_thousands(struct waist *w, int n)
{
    struct records r;
    records_init(&r, &w->arena, w->table);
    for (int i = 0; i < n; i++) {
        struct record rec = { .time_ns = T0_NS + i * 1000000ll };
        id_of(rec.trace_id, 16, i + 1);
        id_of(rec.span_id, 8, i + 1);
        EXPECT(records_add(&r, &rec, NULL) == OK);
    }
    write_records(w, &r, (struct hash128){ 0, 0 });
    settle(w);
}

struct canceller {
    atomic_bool *cancelled;
    size_t rows;
};

static int cancel_at_once(void *ctx, const struct record_rows *r)
{
    struct canceller *c = ctx;
    c->rows += r->n;
    atomic_store(c->cancelled, true);
    return OK;
}

static void a_scan_of_records_is_cancelled_midway(struct waist *w)
{
    enum { N = 20000 };
    static const enum record_order orders[] = { ORDER_ANY, ORDER_TIME, ORDER_TIME_DESC };
    atomic_bool cancelled;
    struct call call = { .cancelled = &cancelled, .arena = &w->arena };
    put_thousands(w, N);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    for (size_t i = 0; i < COUNT(orders); i++) {
        struct canceller c = { .cancelled = &cancelled };
        struct record_scan scan = scan_of(w, NULL);
        struct err e = ERR_INIT;
        scan.order = orders[i];
        atomic_store(&cancelled, false);
        EXPECT(view_records(v, &call, &scan, cancel_at_once, &c, &e) == ERR_CANCEL && e.text[0] != 0);
        EXPECT(c.rows > 0 && c.rows < N);
    }
    store_view_close(v);
}

static const struct waist_case record_call_cases[] = {
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
    { WAIST(a_scan_of_records_is_cancelled_midway) },
};
