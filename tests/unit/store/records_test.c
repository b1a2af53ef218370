/* Logs and spans through the embedded engine, against a plain list: writes, flushes, merges, reopening,
 * repeats, refusals, retention. */
#include "unit/store/records_model.h"

#define MINUTE (60 * INT64_C(1000000000))

static void admin(struct store *s, enum store_admin op)
{
    struct err e = ERR_INIT;
    int rc = store_admin(s, op, NULL, &e);
    if (rc < 0) print_error("admin: %s\n", e.text);
    EXPECT(rc == OK);
}

TEST(records_are_seen_at_once_and_after_a_restart)
{
    char *dir = test_dir();
    struct toy *m = toy_new(1, 30 * MINUTE);
    struct store *s = test_open(dir, 0);
    EXPECT(toy_write(m, s, 3, 5, ACK_MEMORY, NULL, NULL) == OK);
    toy_compare_now(m, s);
    store_close(s);
    s = test_open(dir, 0);
    toy_compare_now(m, s);
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

TEST(records_equal_the_list_over_random_runs)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        char *dir = test_dir();
        struct toy *m = toy_new(seed, seed % 2 ? 25 * MINUTE : 50 * 60 * MINUTE);
        struct store *s = test_open(dir, 0);
        for (int i = 0; i < 60; i++) {
            EXPECT(toy_write(m, s, toy_random(m, 30), toy_random(m, 30), ACK_MEMORY, NULL, NULL) == OK);
            switch (toy_random(m, 10)) {
            case 0: admin(s, STORE_FLUSH); break;
            case 1: toy_compare_now(m, s); break;
            case 2:
                store_close(s);
                s = test_open(dir, 0);
                break;
            case 3: admin(s, STORE_MERGE); break;
            }
        }
        toy_compare_now(m, s);
        admin(s, STORE_FLUSH);
        toy_compare_now(m, s);
        admin(s, STORE_MERGE);
        toy_compare_now(m, s);
        store_close(s);
        mem_free(m);
        test_dir_remove(dir);
    }
}

TEST(records_views_stay_as_they_were)
{
    char *dir = test_dir();
    struct toy *m = toy_new(7, 25 * MINUTE);
    struct store *s = test_open(dir, 0);
    struct store_view *v;
    EXPECT(toy_write(m, s, 40, 60, ACK_MEMORY, NULL, NULL) == OK);
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    struct toy *then = mem_copy(m, sizeof *m);
    for (int round = 0; round < 3; round++) {
        EXPECT(toy_write(m, s, 40, 60, ACK_MEMORY, NULL, NULL) == OK);
        toy_compare_now(m, s);
        if (round == 1) admin(s, STORE_FLUSH);
        toy_compare(then, v);
    }
    store_view_close(v);
    store_close(s);
    mem_free(m);
    mem_free(then);
    test_dir_remove(dir);
}

/* ---- one batch at a time ---- */

struct one {
    struct arena a;
    struct batch b;
    struct records logs;
};

static void one_begin(struct one *o, struct hash128 id)
{
    o->a = (struct arena)ARENA_INIT(SIZE_MAX);
    batch_init(&o->b, &o->a, LABELS_PACKED);
    records_init(&o->logs, &o->a, TABLE_LOGS);
    o->b.id = id;
}

static void one_log(struct one *o, uint32_t n, int64_t time_ns)
{
    toy_put(&o->logs, &(struct toy_record){ .table = TABLE_LOGS, .n = n, .time_ns = time_ns }, &o->a);
}

static int one_write(struct one *o, struct store *s, enum store_ack ack, struct write_result *r,
                     store_done *done, void *ctx)
{
    records_end(&o->logs);
    o->b.logs = &o->logs;
    int rc = store_write(s, &o->b, ack, r, done, ctx, NULL);
    arena_release(&o->a);
    return rc;
}

static int count_rows(void *ctx, const struct record_rows *rows)
{
    *(size_t *)ctx += rows->n;
    return OK;
}

static size_t rows_of(struct store *s, enum table table)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct call call = { .arena = &a };
    struct field field = field_in(IN_TIME);
    struct record_scan scan = { .table = table, .to_ns = INT64_MAX, .fields = &field, .n_fields = 1 };
    struct store_view *v;
    size_t n = 0;
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    EXPECT(view_records(v, &call, &scan, count_rows, &n, NULL) == OK);
    store_view_close(v);
    arena_release(&a);
    return n;
}

static void on_done(void *ctx, int rc)
{
    atomic_fetch_add((atomic_int *)ctx, rc == OK ? 1 : 1000000);
}

static void wait_for(atomic_int *done, int n)
{
    for (int i = 0; i < 5000 && atomic_load(done) < n; i++) nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    EXPECT_INT(atomic_load(done), n);
}

TEST(a_repeated_batch_is_answered_and_not_written_again)
{
    char *dir = test_dir();
    struct store *s = test_open(dir, 0);
    int64_t now_ns = clock_now_ms() * 1000000;
    atomic_int done = 0;
    for (int round = 0; round < 6; round++) {
        struct one o;
        struct write_result r;
        one_begin(&o, (struct hash128){ 17, 18 });
        one_log(&o, 1, now_ns);
        one_log(&o, 2, now_ns);
        EXPECT(one_write(&o, s, ACK_DURABLE, &r, on_done, &done) == OK);
        EXPECT(r.logs == 2 && r.is_repeat == (round > 0));
        EXPECT_INT(rows_of(s, TABLE_LOGS), 2);
        wait_for(&done, round + 1);
        if (round == 2) admin(s, STORE_FLUSH);
        if (round == 1 || round == 3) { /* from the log; and from behind the cut of a flush */
            store_close(s);
            s = test_open(dir, 0);
        }
    }
    store_close(s);
    test_dir_remove(dir);
}

TEST(a_refused_record_does_not_refuse_its_batch)
{
    char *dir = test_dir();
    struct store *s;
    struct one o;
    struct write_result r;
    int64_t now_ns = clock_now_ms() * 1000000, hour = 60 * MINUTE;
    struct embedded_conf conf = { .dir = dir, .min_free_bytes = 1, .retention_logs_ms = 3600 * 1000 };
    EXPECT(embedded_open(&conf, &s, NULL) == OK);
    one_begin(&o, (struct hash128){ 0, 0 });
    one_log(&o, 1, now_ns - 2 * hour);
    one_log(&o, 2, now_ns);
    one_log(&o, 3, -5);
    one_log(&o, 4, now_ns - hour / 2);
    EXPECT(one_write(&o, s, ACK_MEMORY, &r, NULL, NULL) == OK);
    EXPECT(r.logs == 2 && r.rejected_total == 2);
    EXPECT(r.rejected[REJECT_too_old] == 1 && r.rejected[REJECT_record_time] == 1 && r.why[0] != 0);
    EXPECT_INT(rows_of(s, TABLE_LOGS), 2);
    store_close(s);
    test_dir_remove(dir);
}

TEST(retention_is_of_each_table)
{
    char *dir = test_dir();
    struct store *s;
    struct one o;
    struct write_result r;
    struct store_status status;
    int64_t now_ns = clock_now_ms() * 1000000, day = 24 * 60 * MINUTE;
    struct embedded_conf conf = { .dir = dir, .min_free_bytes = 1 };
    EXPECT(embedded_open(&conf, &s, NULL) == OK);
    one_begin(&o, (struct hash128){ 0, 0 });
    one_log(&o, 1, now_ns - 5 * day);
    one_log(&o, 2, now_ns);
    EXPECT(one_write(&o, s, ACK_MEMORY, &r, NULL, NULL) == OK);
    store_close(s);

    conf.retention_ms = conf.retention_spans_ms = 3600 * 1000; /* of others: no matter */
    EXPECT(embedded_open(&conf, &s, NULL) == OK);
    admin(s, STORE_RETAIN);
    EXPECT_INT(rows_of(s, TABLE_LOGS), 2);
    store_status(s, &status);
    EXPECT(status.table[TABLE_LOGS].rows_on_disk == 2 && status.table[TABLE_LOGS].parts == 2);
    EXPECT(status.table[TABLE_SPANS].parts == 0 && status.parts == 2 && status.rows_on_disk == 0);
    store_close(s);

    conf.retention_logs_ms = 3 * 24 * 3600 * 1000ll;
    EXPECT(embedded_open(&conf, &s, NULL) == OK);
    admin(s, STORE_RETAIN);
    EXPECT_INT(rows_of(s, TABLE_LOGS), 1);
    store_close(s);
    test_dir_remove(dir);
}

TEST(a_damaged_part_is_set_aside_and_the_rest_is_there)
{
    char *dir = test_dir(), command[600];
    struct toy *m = toy_new(29, 10 * MINUTE);
    struct store *s = test_open(dir, 0);
    struct fsck_report report;
    EXPECT(toy_write(m, s, 50, 0, ACK_MEMORY, NULL, NULL) == OK);
    admin(s, STORE_FLUSH);
    EXPECT(toy_write(m, s, 0, 50, ACK_MEMORY, NULL, NULL) == OK);
    store_close(s);
    EXPECT(embedded_fsck(dir, NULL, NULL, &report, NULL) == OK && report.damaged == 0 && report.rows >= 50);
    snprintf(command, sizeof command, "for f in %s/logs/*/*.part; do truncate -s 100 $f; done", dir);
    EXPECT(system(command) == 0);
    EXPECT(embedded_fsck(dir, NULL, NULL, &report, NULL) == OK && report.damaged >= 1);
    s = test_open(dir, 0);
    EXPECT_INT(rows_of(s, TABLE_LOGS), 0);
    for (size_t i = 0; i < m->n; i++) m->at[i].is_gone |= m->at[i].table == TABLE_LOGS;
    toy_compare_now(m, s);
    snprintf(command, sizeof command, "ls %s/logs/*/*.damaged > /dev/null", dir);
    EXPECT(system(command) == 0);
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

static void write_span(struct store *s, uint32_t n, int64_t time_ns)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct batch b;
    struct records spans;
    struct write_result r;
    batch_init(&b, &a, LABELS_PACKED);
    records_init(&spans, &a, TABLE_SPANS);
    toy_put(&spans, &(struct toy_record){ .table = TABLE_SPANS, .n = n, .time_ns = time_ns }, &a);
    records_end(&spans);
    b.spans = &spans;
    EXPECT(store_write(s, &b, ACK_MEMORY, &r, NULL, NULL, NULL) == OK);
    arena_release(&a);
}

static int last_n(void *ctx, const struct record_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) *(int64_t *)ctx = *(int64_t *)ctx * 100 + rows->values[0][i].i;
    return OK;
}

/* The spans' numbers as digits of a hundred. */
static int64_t spans_of(struct store *s)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct call call = { .arena = &a };
    struct field field = field_attr(FIELD_ATTR, STR("n"));
    struct record_scan scan = { .table = TABLE_SPANS, .to_ns = INT64_MAX, .fields = &field, .n_fields = 1 };
    struct store_view *v;
    int64_t n = 0;
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    EXPECT(view_records(v, &call, &scan, last_n, &n, NULL) == OK);
    store_view_close(v);
    arena_release(&a);
    return n;
}

TEST(the_later_of_equal_spans_counts_in_a_snapshot_and_after_a_lost_manifest)
{
    char *dir = test_dir(), copy[300], command[700];
    struct store *s = test_open(dir, 0);
    int64_t t = clock_now_ms() * 1000000;
    for (uint32_t i = 1; i <= 5; i++) write_span(s, i, t);
    EXPECT_INT(spans_of(s), 5);
    snprintf(copy, sizeof copy, "%s.copy", dir);
    EXPECT(store_admin(s, STORE_SNAPSHOT, copy, NULL) == OK);
    store_close(s);

    s = test_open(copy, 0);
    write_span(s, 6, t);
    EXPECT_INT(spans_of(s), 6);
    store_close(s);
    snprintf(command, sizeof command, "rm %s/MANIFEST*", copy);
    EXPECT(system(command) == 0);
    s = test_open(copy, 0);
    EXPECT_INT(spans_of(s), 6);
    write_span(s, 7, t);
    EXPECT_INT(spans_of(s), 7);
    admin(s, STORE_FLUSH);
    admin(s, STORE_MERGE);
    EXPECT_INT(spans_of(s), 7);
    store_close(s);
    test_dir_remove(dir);
}

/* ---- deletion ---- */

TEST(deleted_records_are_gone_from_head_and_parts)
{
    char *dir = test_dir(), path[300];
    struct toy *m = toy_new(23, 49 * 60 * MINUTE);
    struct store *s = test_open(dir, 0);
    struct arena a = ARENA_INIT(SIZE_MAX);
    uint64_t rows = 0, want = 0;
    for (int i = 0; i < 3; i++) {
        EXPECT(toy_write(m, s, 200, 200, ACK_MEMORY, NULL, NULL) == OK);
        if (i < 2) admin(s, STORE_FLUSH);
    }
    struct store_delete all = { .table = TABLE_SPANS,
                                .to_ms = INT64_MAX,
                                .where = toy_cmp(&a, PRED_EQ, field_attr(FIELD_RESOURCE, STR("service.name")),
                                                 value_str(STR("service-1"))),
                                .who = STR("ada"),
                                .reason = STR("asked to be forgotten"),
                                .rows = &rows };
    for (size_t i = 0; i < m->n; i++)
        if (m->at[i].table == TABLE_SPANS && m->at[i].service == 1) {
            want += !m->at[i].is_gone;
            m->at[i].is_gone = true;
        }
    admin(s, STORE_MERGE); /* so that no worse version of a span comes back to light */
    EXPECT(store_admin(s, STORE_FLUSH, NULL, NULL) == OK && store_admin(s, STORE_MERGE, NULL, NULL) == OK);
    EXPECT(store_admin(s, STORE_DELETE, &all, NULL) == OK);
    EXPECT_INT(rows, want);
    toy_compare_now(m, s);
    EXPECT(store_admin(s, STORE_DELETE, &all, NULL) == OK);
    EXPECT_INT(rows, 0);
    store_close(s);
    s = test_open(dir, 0);
    toy_compare_now(m, s);

    struct store_delete logs = { .table = TABLE_LOGS, .to_ms = INT64_MAX, .rows = &rows };
    EXPECT(store_admin(s, STORE_DELETE, &logs, NULL) == OK);
    EXPECT_INT(rows, 600);
    EXPECT_INT(rows_of(s, TABLE_LOGS), 0);
    struct buf text = BUF_INIT(1u << 20);
    snprintf(path, sizeof path, "%s/audit.jsonl", dir);
    EXPECT(file_slurp(path, &text, NULL) == OK);
    EXPECT(strstr(buf_cstr(&text), "asked to be forgotten") != NULL);
    buf_release(&text);
    store_close(s);
    mem_free(m);
    arena_release(&a);
    test_dir_remove(dir);
}

/* ---- fields, values, origins ---- */

TEST(fields_values_and_origins_come_from_head_and_parts)
{
    char *dir = test_dir();
    struct toy *m = toy_new(11, 10 * MINUTE);
    struct store *s = test_open(dir, 0);
    for (int round = 0; round < 2; round++) {
        struct arena a = ARENA_INIT(1u << 30);
        struct call call = { .arena = &a };
        struct store_view *v;
        struct field_info *fields;
        struct value_count *values;
        struct origin *origins;
        size_t n, count[4] = { 0 };
        EXPECT(toy_write(m, s, 100, 0, ACK_MEMORY, NULL, NULL) == OK);
        for (size_t i = 0; i < m->n; i++) count[m->at[i].service]++;

        EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
        EXPECT(view_fields(v, &call, TABLE_LOGS, 0, &fields, &n, NULL) == OK);
        EXPECT_INT(n, 3);
        EXPECT(fields[0].field.scope == FIELD_RESOURCE && str_is(fields[0].field.name, "service.name"));
        EXPECT(str_is(fields[1].field.name, "http.route") && fields[1].types == 1u << VALUE_STR);
        EXPECT(str_is(fields[2].field.name, "n") && fields[2].types == 1u << VALUE_INT);

        struct field service = field_attr(FIELD_RESOURCE, STR("service.name"));
        EXPECT(view_field_values(v, &call, TABLE_LOGS, service, NULL, 0, &values, &n, NULL) == OK);
        EXPECT_INT(n, 4);
        for (size_t i = 0; i < n; i++) {
            EXPECT(values[i].rows == count[values[i].value.text.p[8] - '0']);
            EXPECT(i == 0 || values[i].rows <= values[i - 1].rows);
        }
        const struct predicate *where = toy_cmp(&a, PRED_EQ, service, value_str(STR("service-3")));
        EXPECT(view_origins(v, &call, TABLE_LOGS, where, 0, &origins, &n, NULL) == OK);
        EXPECT(n == 1 && str_is(origins[0].resource.at[0].value.text, "service-3"));
        EXPECT(view_origins(v, &call, TABLE_LOGS, NULL, 0, &origins, &n, NULL) == OK && n == 4);
        EXPECT(view_origins(v, &call, TABLE_LOGS, NULL, 2, &origins, &n, NULL) == OK && n == 2);
        store_view_close(v);
        arena_release(&a);
        admin(s, STORE_FLUSH);
    }
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

TEST(a_scan_keeps_to_its_call)
{
    char *dir = test_dir();
    struct toy *m = toy_new(13, 10 * MINUTE);
    struct store *s = test_open(dir, 0);
    struct arena a = ARENA_INIT(SIZE_MAX), small = ARENA_INIT(1000);
    atomic_bool cancelled = true;
    struct record_scan scan = { .table = TABLE_LOGS, .to_ns = INT64_MAX, .order = ORDER_TIME };
    struct store_view *v;
    size_t n = 0;
    EXPECT(toy_write(m, s, 3000, 0, ACK_MEMORY, NULL, NULL) == OK);
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    EXPECT(view_records(v, &(struct call){ .arena = &a, .cancelled = &cancelled }, &scan, count_rows, &n,
                        NULL) == ERR_CANCEL);
    EXPECT(view_records(v, &(struct call){ .arena = &a, .deadline_ns = 1 }, &scan, count_rows, &n, NULL) ==
           ERR_TIMEOUT);
    EXPECT(view_records(v, &(struct call){ .arena = &small }, &scan, count_rows, &n, NULL) == ERR_LIMIT);
    EXPECT_INT(n, 0);
    scan.table = TABLE_METRICS;
    EXPECT(view_records(v, &(struct call){ .arena = &a }, &scan, count_rows, &n, NULL) == ERR_RANGE);
    store_view_close(v);
    store_close(s);
    mem_free(m);
    arena_release(&a);
    arena_release(&small);
    test_dir_remove(dir);
}

TESTS(CASE(records_are_seen_at_once_and_after_a_restart), CASE(records_equal_the_list_over_random_runs),
      CASE(records_views_stay_as_they_were), CASE(a_repeated_batch_is_answered_and_not_written_again),
      CASE(a_refused_record_does_not_refuse_its_batch), CASE(retention_is_of_each_table),
      CASE(the_later_of_equal_spans_counts_in_a_snapshot_and_after_a_lost_manifest),
      CASE(a_damaged_part_is_set_aside_and_the_rest_is_there),
      CASE(deleted_records_are_gone_from_head_and_parts),
      CASE(fields_values_and_origins_come_from_head_and_parts), CASE(a_scan_keeps_to_its_call))
