/* The embedded engine against the model: writes in any order, flushes, merges, reopening. */
#include "unit/store/store_model.h"

#include <pthread.h>

static void admin(struct store *s, enum store_admin op)
{
    struct err e = ERR_INIT;
    int rc = store_admin(s, op, NULL, &e);
    if (rc < 0) print_error("admin: %s\n", e.text);
    EXPECT(rc == OK);
}

TEST(store_gives_back_one_sample)
{
    char *dir = test_dir();
    struct model *m = model_new(1);
    struct store *s = test_open(dir, 0);
    EXPECT(model_write(m, s, false, ACK_MEMORY, NULL, NULL) == OK);
    model_check(m, s);
    store_close(s);
    s = test_open(dir, 0);
    model_check(m, s);
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

static void random_run(uint64_t seed, size_t head_bytes)
{
    char *dir = test_dir();
    struct model *m = model_new(seed);
    struct store *s = test_open(dir, head_bytes);
    for (int i = 0; i < 150; i++) {
        EXPECT(model_write(m, s, i % 3 == 0, ACK_MEMORY, NULL, NULL) == OK);
        switch (model_random(m, 12)) {
        case 0: admin(s, STORE_FLUSH); break;
        case 1: admin(s, STORE_MERGE); break;
        case 2: model_check(m, s); break;
        case 3:
            if (i % 4) break;
            store_close(s);
            s = test_open(dir, head_bytes);
            break;
        }
    }
    model_check(m, s);
    admin(s, STORE_FLUSH);
    model_check(m, s);
    admin(s, STORE_MERGE);
    model_check(m, s);
    store_close(s);
    s = test_open(dir, head_bytes);
    model_check(m, s);
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

TEST(store_equals_the_model_over_random_runs)
{
    for (uint64_t seed = 1; seed <= 6; seed++) random_run(seed, seed % 2 ? 1u << 20 : 64u << 10);
}

TEST(store_views_stay_as_they_were)
{
    char *dir = test_dir();
    struct model *m = model_new(77);
    struct store *s = test_open(dir, 0);
    for (int i = 0; i < 20; i++) model_write(m, s, true, ACK_MEMORY, NULL, NULL);
    struct store_view *v;
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    struct model *then = mem_copy(m, sizeof *m);

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20; i++) model_write(m, s, true, ACK_MEMORY, NULL, NULL);
        admin(s, STORE_FLUSH);
        admin(s, STORE_MERGE);
        struct model_scan x = { .m = then };
        model_compare(&x, v, 0, INT64_MAX);
        EXPECT(x.missing == 0);
    }
    store_view_close(v);
    model_check(m, s);
    store_close(s);
    mem_free(m);
    mem_free(then);
    test_dir_remove(dir);
}

static void on_done(void *ctx, int rc)
{
    atomic_fetch_add((atomic_int *)ctx, rc == OK ? 1 : 1000000);
}

TEST(store_durable_writes_are_acknowledged_once)
{
    char *dir = test_dir();
    struct model *m = model_new(5);
    struct store *s = test_open(dir, 0);
    atomic_int done = 0;
    for (int i = 0; i < 50; i++)
        EXPECT(model_write(m, s, true, i % 2 ? ACK_DURABLE : ACK_MEMORY, on_done, &done) == OK);
    for (int i = 0; i < 3000 && atomic_load(&done) < 50; i++)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    int answers = atomic_load(&done);
    EXPECT(answers == 50);
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

TEST(store_second_opener_is_told)
{
    char *dir = test_dir();
    struct store *s = test_open(dir, 0), *other;
    struct err e = ERR_INIT;
    EXPECT(embedded_open(&(struct embedded_conf){ .dir = dir }, &other, &e) == ERR_BUSY);
    store_close(s);
    test_dir_remove(dir);
}

TEST(store_read_only_sees_everything_and_changes_nothing)
{
    char *dir = test_dir();
    struct model *m = model_new(9);
    struct store *s = test_open(dir, 0), *reader;
    for (int i = 0; i < 30; i++) {
        model_write(m, s, true, ACK_MEMORY, NULL, NULL);
        if (i == 15) admin(s, STORE_FLUSH);
    }
    atomic_int done = 0;
    model_write(m, s, true, ACK_DURABLE, on_done, &done);
    while (atomic_load(&done) == 0) nanosleep(&(struct timespec){ 0, 1000000 }, NULL);

    struct err e = ERR_INIT;
    EXPECT(embedded_open(&(struct embedded_conf){ .dir = dir, .read_only = true }, &reader, &e) == OK);
    model_check(m, reader);
    EXPECT(model_write(m, reader, true, ACK_MEMORY, NULL, NULL) == ERR_IO);
    store_close(reader);
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

/* One series, rows at chosen times. */
static int put(struct store *s, const char *name, int64_t t, double v, struct write_result *r)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct batch b;
    struct label l = { STR("__name__"), str_of(name) };
    struct write_result mine;
    batch_init(&b, &a, LABELS_PACKED);
    batch_series_labels(&b, (struct labels){ &l, 1 });
    batch_sample(&b, t, v);
    int rc;
    while ((rc = store_write(s, &b, ACK_MEMORY, r ? r : &mine, NULL, NULL, NULL)) == ERR_BUSY)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    arena_release(&a);
    return rc;
}

static int count_rows(void *ctx, const struct series_rows *r)
{
    *(size_t *)ctx += r->n;
    return OK;
}

static size_t rows_of(struct store *s, const char *name, int64_t from, int64_t to)
{
    struct arena a = ARENA_INIT(16 << 20);
    struct call call = { .arena = &a };
    struct store_view *v;
    struct series_set set;
    struct matcher eq;
    size_t n = 0;
    EXPECT(store_view_open(s, from, to, &v, NULL) == OK);
    EXPECT(matcher_init(&eq, MATCH_EQ, STR("__name__"), str_of(name), NULL) == OK);
    EXPECT(view_series(v, &call, &eq, 1, 0, &set, NULL) == OK);
    EXPECT(view_scan(v, &call, set.at, set.n, from, to, count_rows, &n, NULL) == OK);
    matcher_release(&eq);
    store_view_close(v);
    arena_release(&a);
    return n;
}

TEST(store_takes_samples_from_1970_on)
{
    char *dir = test_dir();
    struct store *s = test_open(dir, 0);
    struct write_result r;
    put(s, "old", 0, 1, NULL);
    put(s, "old", 1, 1, NULL);
    put(s, "old", 1000000000000, 1, NULL);
    EXPECT(put(s, "old", -1, 1, &r) == OK && r.rejected[REJECT_too_old] == 1 && r.samples == 0 &&
           r.why[0] != 0);
    EXPECT(put(s, "old", INT64_MAX, 1, &r) == OK && r.rejected[REJECT_future] == 1);
    EXPECT(rows_of(s, "old", INT64_MIN, INT64_MAX) == 3);
    EXPECT(rows_of(s, "old", 0, 0) == 1);
    admin(s, STORE_FLUSH);
    EXPECT(rows_of(s, "old", 0, 0) == 1 && rows_of(s, "old", 2, 999999999999) == 0);
    store_close(s);
    s = test_open(dir, 0);
    EXPECT(rows_of(s, "old", INT64_MIN, INT64_MAX) == 3);
    store_close(s);
    test_dir_remove(dir);
}

static struct store *open_with(struct embedded_conf conf)
{
    struct store *s;
    struct err e = ERR_INIT;
    if (conf.min_free_bytes == 0) conf.min_free_bytes = 1;
    int rc = embedded_open(&conf, &s, &e);
    if (rc < 0) print_error("open: %s\n", e.text);
    EXPECT(rc == OK);
    return s;
}

TEST(store_retention_refuses_and_drops_whole_days)
{
    char *dir = test_dir();
    int64_t now = clock_now_ms();
    struct write_result r;
    struct store *s = open_with((struct embedded_conf){ .dir = dir });
    for (int day = 0; day < 10; day++) put(s, "m", now - day * DAY, day, NULL);
    admin(s, STORE_FLUSH);
    struct store_view *before;
    EXPECT(store_view_open(s, 0, INT64_MAX, &before, NULL) == OK);
    store_view_close(before);
    store_close(s);

    s = open_with((struct embedded_conf){ .dir = dir, .retention_ms = 3 * DAY });
    EXPECT(put(s, "m", now - 4 * DAY, 1, &r) == OK && r.rejected[REJECT_too_old] == 1);
    EXPECT(rows_of(s, "m", 0, INT64_MAX) == 10);
    admin(s, STORE_RETAIN);
    EXPECT(rows_of(s, "m", 0, INT64_MAX) == 4);
    store_close(s);
    s = open_with((struct embedded_conf){ .dir = dir });
    EXPECT(rows_of(s, "m", 0, INT64_MAX) == 4);
    store_close(s);

    s = open_with((struct embedded_conf){ .dir = dir, .retention_bytes = 1 });
    admin(s, STORE_RETAIN);
    EXPECT(rows_of(s, "m", 0, INT64_MAX) == 1); /* the newest day stays, however large */
    store_close(s);
    test_dir_remove(dir);
}

TEST(store_snapshot_opens_as_a_store)
{
    char *dir = test_dir(), copy[200];
    struct model *m = model_new(31);
    struct store *s = test_open(dir, 0);
    struct err e = ERR_INIT;
    for (int i = 0; i < 30; i++) model_write(m, s, true, ACK_MEMORY, NULL, NULL);
    snprintf(copy, sizeof copy, "%s.snapshot", dir);
    EXPECT(store_admin(s, STORE_SNAPSHOT, copy, &e) == OK);
    EXPECT(store_admin(s, STORE_SNAPSHOT, copy, &e) == ERR_RANGE);
    struct model *then = mem_copy(m, sizeof *m);
    for (int i = 0; i < 30; i++) model_write(m, s, true, ACK_MEMORY, NULL, NULL);
    admin(s, STORE_FLUSH);
    admin(s, STORE_MERGE);

    struct store *c = test_open(copy, 0);
    model_check(then, c);
    store_close(c);
    model_check(m, s);
    store_close(s);
    mem_free(m);
    mem_free(then);
    test_dir_remove(dir);
}

TEST(store_series_limit_refuses_new_series_only)
{
    char *dir = test_dir();
    struct store *s = open_with((struct embedded_conf){ .dir = dir, .max_series = 3 });
    struct write_result r;
    int64_t now = clock_now_ms();
    static const char *const names[] = { "a", "b", "c", "d", "a" };
    for (int i = 0; i < 5; i++) {
        EXPECT(put(s, names[i], now + i, 1, &r) == OK);
        EXPECT(r.rejected[REJECT_series_limit] == (i == 3));
    }
    EXPECT(rows_of(s, "a", 0, INT64_MAX) == 2 && rows_of(s, "d", 0, INT64_MAX) == 0);
    store_close(s);
    test_dir_remove(dir);
}

TEST(store_labels_names_values_and_limits)
{
    char *dir = test_dir();
    struct model *m = model_new(3);
    struct store *s = test_open(dir, 0);
    for (int i = 0; i < 60; i++) {
        model_write(m, s, true, ACK_MEMORY, NULL, NULL);
        if (i == 30) admin(s, STORE_FLUSH);
    }
    struct arena a = ARENA_INIT(16 << 20);
    struct call call = { .arena = &a };
    struct store_view *v;
    struct str *out;
    size_t n;
    struct matcher eq;
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    EXPECT(view_label_names(v, &call, NULL, 0, 0, &out, &n, NULL) == OK);
    EXPECT(n == 3 && str_is(out[0], "__name__") && str_is(out[1], "host") && str_is(out[2], "job"));
    EXPECT(view_label_values(v, &call, STR("host"), NULL, 0, 0, &out, &n, NULL) == OK && n == 10 &&
           str_is(out[9], "host-9"));
    EXPECT(view_label_values(v, &call, STR("host"), NULL, 0, 4, &out, &n, NULL) == OK && n == 4);
    EXPECT(matcher_init(&eq, MATCH_EQ, STR("host"), STR("host-3"), NULL) == OK);
    EXPECT(view_label_values(v, &call, STR("__name__"), &eq, 1, 0, &out, &n, NULL) == OK && n == 6);
    struct series_set set;
    EXPECT(view_series(v, &call, &eq, 1, 0, &set, NULL) == OK && set.n == 6 && !set.truncated);
    EXPECT(view_series(v, &call, &eq, 1, 2, &set, NULL) == OK && set.n == 2 && set.truncated);
    matcher_release(&eq);
    store_view_close(v);
    arena_release(&a);
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

TEST(store_status_counts)
{
    char *dir = test_dir();
    struct store *s = test_open(dir, 0);
    struct store_status st;
    store_status(s, &st);
    EXPECT(st.min_time_ms == INT64_MAX && st.max_time_ms == INT64_MIN && st.series_active == 0 &&
           !st.read_only);
    for (int i = 0; i < 100; i++) put(s, "m", 1000 + i, i, NULL);
    store_status(s, &st);
    EXPECT(st.head_rows == 100 && st.samples_ingested == 100 && st.min_time_ms == 1000 &&
           st.max_time_ms == 1099 && st.parts == 0);
    admin(s, STORE_FLUSH);
    store_status(s, &st);
    EXPECT(st.head_rows == 0 && st.rows_on_disk == 100 && st.parts == 1 && st.bytes_on_disk > 0 &&
           st.max_time_ms == 1099);
    store_close(s);
    test_dir_remove(dir);
}

static void note(void *ctx, const char *text)
{
    (void)text;
    (*(int *)ctx)++;
}

TEST(store_fsck_finds_damage)
{
    char *dir = test_dir(), path[300];
    struct model *m = model_new(4);
    struct store *s = test_open(dir, 0);
    struct fsck_report r;
    struct err e = ERR_INIT;
    int lines = 0;
    for (int i = 0; i < 20; i++) model_write(m, s, false, ACK_MEMORY, NULL, NULL);
    admin(s, STORE_FLUSH);
    for (int i = 0; i < 20; i++) model_write(m, s, false, ACK_MEMORY, NULL, NULL);
    EXPECT(embedded_fsck(dir, note, &lines, &r, &e) == OK && r.damaged == 0 && r.parts == 1 && r.files >= 3 &&
           lines >= 3);
    store_close(s);

    struct tm tm;
    time_t t = (time_t)(clock_now_ms() / 1000);
    gmtime_r(&t, &tm);
    snprintf(path, sizeof path, "%s/metrics/%04d%02d%02d/0-1.part", dir, tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday);
    int fd = file_open(path, 2, &e);
    EXPECT(fd >= 0 && file_write_at(fd, "xxxx", 4, 200, &e) == OK);
    file_close(fd, NULL);
    EXPECT(embedded_fsck(dir, note, &lines, &r, &e) == OK && r.damaged == 1);
    mem_free(m);
    test_dir_remove(dir);
}

/* ---- many threads ---- */

struct crowd {
    struct store *s;
    atomic_bool stop;
    atomic_size_t written, scans;
};

static void *write_much(void *arg)
{
    struct crowd *c = arg;
    static atomic_int number;
    int me = atomic_fetch_add(&number, 1);
    char name[32];
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof name, "crowd_%d_%d", me, i % 7);
        check(put(c->s, name, clock_now_ms() - i, i, NULL) == OK);
        atomic_fetch_add(&c->written, 1);
    }
    return NULL;
}

static int check_rising(void *ctx, const struct series_rows *r)
{
    (void)ctx;
    for (size_t i = 1; i < r->n; i++) check(r->time_ms[i] > r->time_ms[i - 1]);
    return OK;
}

static void *read_much(void *arg)
{
    struct crowd *c = arg;
    /* Once at least: on a busy machine the writers may be done before this thread runs at all. */
    do {
        struct arena a = ARENA_INIT(16 << 20);
        struct call call = { .arena = &a };
        struct store_view *v;
        struct series_set set;
        check(store_view_open(c->s, 0, INT64_MAX, &v, NULL) == OK);
        check(view_series(v, &call, NULL, 0, 0, &set, NULL) == OK);
        check(view_scan(v, &call, set.at, set.n, 0, INT64_MAX, check_rising, NULL, NULL) == OK);
        store_view_close(v);
        arena_release(&a);
        atomic_fetch_add(&c->scans, 1);
    } while (!atomic_load(&c->stop));
    return NULL;
}

TEST(store_many_writers_and_readers_at_once)
{
    char *dir = test_dir();
    struct crowd c = { .s = test_open(dir, 32u << 10) };
    pthread_t writer[3], reader[2];
    for (int i = 0; i < 3; i++) pthread_create(&writer[i], NULL, write_much, &c);
    for (int i = 0; i < 2; i++) pthread_create(&reader[i], NULL, read_much, &c);
    for (int i = 0; i < 5; i++) {
        admin(c.s, STORE_FLUSH);
        admin(c.s, STORE_MERGE);
    }
    for (int i = 0; i < 3; i++) pthread_join(writer[i], NULL);
    atomic_store(&c.stop, true);
    for (int i = 0; i < 2; i++) pthread_join(reader[i], NULL);
    size_t written = atomic_load(&c.written), scans = atomic_load(&c.scans);
    EXPECT(written == 1200 && scans > 0);
    store_close(c.s);
    test_dir_remove(dir);
}

TESTS(CASE(store_gives_back_one_sample), CASE(store_equals_the_model_over_random_runs),
      CASE(store_views_stay_as_they_were), CASE(store_durable_writes_are_acknowledged_once),
      CASE(store_second_opener_is_told), CASE(store_read_only_sees_everything_and_changes_nothing),
      CASE(store_takes_samples_from_1970_on), CASE(store_retention_refuses_and_drops_whole_days),
      CASE(store_snapshot_opens_as_a_store), CASE(store_series_limit_refuses_new_series_only),
      CASE(store_labels_names_values_and_limits), CASE(store_status_counts), CASE(store_fsck_finds_damage),
      CASE(store_many_writers_and_readers_at_once))
