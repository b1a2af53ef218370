#include "store/exemplar_store.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "unit/store/index_model.h"

static const char *path(void)
{
    static char text[64];
    snprintf(text, sizeof text, "/tmp/exemplar_store_test.%d", (int)getpid());
    return text;
}

static struct str trace(struct arena *a, unsigned no)
{
    struct label at[] = { { STR("trace_id"), arena_printf(a, "%032x", no) } };
    return model_pack((struct labels){ at, 1 }, a);
}

static int add(struct exemplar_store *s, series_key key, int64_t time_ms, unsigned no)
{
    struct arena a = ARENA_INIT(1 << 16);
    struct err e = ERR_INIT;
    int rc = exemplar_store_add(s, key, time_ms, no, trace(&a, no), &e);
    arena_release(&a);
    return rc;
}

/* Series k is up{host="k"}; series 0 is gone. */
static struct labels labels_of(void *ctx, series_key key, struct arena *a)
{
    (void)ctx;
    if (key == 0) return (struct labels){ NULL, 0 };
    struct label *at = arena_array(a, 2, sizeof *at);
    at[0] = (struct label){ STR(LABEL_NAME), STR("up") };
    at[1] = (struct label){ STR("host"), arena_printf(a, "%d", (int)key) };
    return (struct labels){ at, 2 };
}

static size_t query(struct exemplar_store *s, const char *host, int64_t from, int64_t to, struct arena *a,
                    struct exemplar **out)
{
    struct call call = model_call(a);
    struct err e = ERR_INIT;
    struct matcher m;
    size_t n;
    EXPECT(matcher_init(&m, MATCH_RE, STR("host"), str_of(host), &e) == OK);
    EXPECT(exemplar_store_query(s, labels_of, NULL, &m, 1, from, to, &call, out, &n, &e) == OK);
    matcher_release(&m);
    return n;
}

TEST(exemplars_are_found_by_series_and_time)
{
    struct exemplar_store *s = exemplar_store_new(0);
    struct arena a = ARENA_INIT(1 << 20);
    struct exemplar *got;
    EXPECT_INT(add(s, 2, 30, 3), 1);
    EXPECT_INT(add(s, 1, 20, 2), 1);
    EXPECT_INT(add(s, 1, 10, 1), 1);
    EXPECT_INT(add(s, 0, 10, 9), 1);

    EXPECT_INT(query(s, ".*", 0, 100, &a, &got),
               3); /* by series, then time; not those of the series that is gone */
    EXPECT(got[0].time_ms == 10 && got[1].time_ms == 20 && got[2].time_ms == 30);
    EXPECT(got[1].value == 2 && str_is(labels_get(got[1].series, "host"), "1"));
    EXPECT(str_is(labels_get(got[2].labels, "trace_id"), "00000000000000000000000000000003"));
    EXPECT_INT(query(s, "2", 0, 100, &a, &got), 1);
    EXPECT_INT(query(s, ".*", 10, 20, &a, &got), 2); /* both ends belong */
    EXPECT_INT(query(s, ".*", 11, 19, &a, &got), 0);
    arena_release(&a);
    exemplar_store_free(s);
}

TEST(an_exemplar_is_kept_once)
{
    struct exemplar_store *s = exemplar_store_new(0);
    struct exemplar_stats stats;
    EXPECT_INT(add(s, 1, 10, 1), 1);
    EXPECT_INT(add(s, 1, 10, 1), 0);
    EXPECT_INT(add(s, 1, 10, 2), 1); /* another trace at the same time */
    EXPECT_INT(add(s, 2, 10, 1), 1);
    exemplar_store_stats(s, &stats);
    EXPECT(stats.kept == 3 && stats.duplicates == 1);
    exemplar_store_free(s);
}

TEST(a_series_keeps_its_newest_exemplars)
{
    struct exemplar_store *s = exemplar_store_new(100);
    struct exemplar_stats stats;
    struct arena a = ARENA_INIT(1 << 20);
    struct exemplar *got;
    EXPECT_INT(add(s, 2, 1, 1), 1);
    for (int i = 0; i < 500; i++) EXPECT_INT(add(s, 1, 1000 + i * 7 % 500, (unsigned)i) >= 0, 1);
    EXPECT_INT(query(s, "1", 0, 10000, &a, &got), EXEMPLARS_PER_SERIES);
    for (int i = 0; i < EXEMPLARS_PER_SERIES; i++) EXPECT_INT(got[i].time_ms, 1490 + i);
    EXPECT_INT(query(s, "2", 0, 10000, &a, &got), 1); /* the busy one took nobody else's place */
    EXPECT_INT(add(s, 1, 5, 77), 0);
    exemplar_store_stats(s, &stats);
    EXPECT(stats.kept == 11 && stats.evicted == 0 && stats.replaced + stats.too_old == 501 - 10);
    arena_release(&a);
    exemplar_store_free(s);
}

TEST(the_limit_holds_and_the_oldest_arrivals_go)
{
    struct exemplar_store *s = exemplar_store_new(100);
    struct exemplar_stats stats;
    struct arena a = ARENA_INIT(1 << 20);
    struct exemplar *got;
    for (int i = 1; i <= 250; i++) EXPECT_INT(add(s, (series_key)i, 1, 1), 1);
    exemplar_store_stats(s, &stats);
    EXPECT(stats.kept == 100 && stats.evicted == 150);
    EXPECT_INT(query(s, ".*", 0, 10, &a, &got), 100);
    EXPECT(str_is(labels_get(got[0].series, "host"), "151"));
    exemplar_store_drop_before(s, 2);
    EXPECT_INT(query(s, ".*", 0, 10, &a, &got), 0);
    EXPECT_INT(add(s, 7, 3, 1), 1);
    EXPECT_INT(query(s, ".*", 0, 10, &a, &got), 1);
    arena_release(&a);
    exemplar_store_free(s);
}

TEST(broken_exemplar_labels_are_refused)
{
    struct exemplar_store *s = exemplar_store_new(0);
    struct err e = ERR_INIT;
    char large[EXEMPLAR_LABELS_BYTES_MAX + 1] = { 0 };
    EXPECT(exemplar_store_add(s, 1, 1, 1, STR("\x05"), &e) == ERR_RANGE);
    EXPECT(exemplar_store_add(s, 1, 1, 1, str_make(large, sizeof large), &e) == ERR_LIMIT);
    EXPECT(exemplar_store_add(s, 1, 1, 1, STR(""), &e) == 1); /* none at all is fine */
    exemplar_store_free(s);
}

TEST(exemplars_survive_a_restart)
{
    struct exemplar_store *s = exemplar_store_new(0);
    struct arena a = ARENA_INIT(1 << 20);
    struct exemplar *want, *got;
    struct err e = ERR_INIT;
    unlink(path());
    EXPECT(exemplar_store_load(s, path(), &e) == OK); /* no file yet */
    for (unsigned i = 0; i < 300; i++) add(s, 1 + i % 40, (int64_t)i * 3 - 100, i);
    EXPECT(exemplar_store_save(s, path(), &e) == OK);
    size_t n = query(s, ".*", INT64_MIN, INT64_MAX, &a, &want);

    struct exemplar_store *again = exemplar_store_new(0);
    EXPECT(exemplar_store_load(again, path(), &e) == OK);
    EXPECT_INT(query(again, ".*", INT64_MIN, INT64_MAX, &a, &got), n);
    for (size_t i = 0; i < n; i++)
        EXPECT(got[i].time_ms == want[i].time_ms && got[i].value == want[i].value &&
               labels_eq(got[i].labels, want[i].labels));

    unlink(path()); /* nothing new: nothing is written */
    EXPECT(exemplar_store_save(again, path(), &e) == OK && !file_exists(path()));
    add(again, 1, 100000, 1);
    file_fail_at(1, ENOSPC);
    EXPECT(exemplar_store_save(again, path(), &e) < 0);
    file_fail_at(0, 0);
    EXPECT(exemplar_store_save(again, path(), &e) == OK &&
           file_exists(path())); /* what failed is tried again */
    unlink(path());
    arena_release(&a);
    exemplar_store_free(s);
    exemplar_store_free(again);
}

TEST(a_damaged_exemplar_file_gives_its_sound_start)
{
    struct exemplar_store *s = exemplar_store_new(0);
    struct buf file = BUF_INIT(1 << 20);
    struct err e = ERR_INIT;
    unlink(path());
    for (unsigned i = 0; i < 5; i++) add(s, i + 1, 10, i);
    EXPECT(exemplar_store_save(s, path(), &e) == OK && file_slurp(path(), &file, &e) == OK);
    size_t record = (file.n - 8) / 5;
    for (size_t i = 0; i < file.n; i++) {
        struct exemplar_store *again = exemplar_store_new(0);
        struct exemplar_stats stats;
        file.p[i] ^= 0x10;
        EXPECT(file_replace(path(), buf_view(&file), &e) == OK);
        EXPECT(exemplar_store_load(again, path(), &e) == ERR_CORRUPT);
        exemplar_store_stats(again, &stats);
        EXPECT_INT(stats.kept, i < 8 ? 0 : (i - 8) / record);
        file.p[i] ^= 0x10;
        exemplar_store_free(again);
    }
    unlink(path());
    buf_release(&file);
    exemplar_store_free(s);
}

static void *ask_all_the_time(void *ctx)
{
    struct arena a = ARENA_INIT(1 << 24);
    struct call call = model_call(&a);
    for (int i = 0; i < 200; i++) {
        struct exemplar *got;
        struct err e = ERR_INIT;
        size_t n;
        check(exemplar_store_query(ctx, labels_of, NULL, NULL, 0, 0, INT64_MAX, &call, &got, &n, &e) == OK);
        arena_reset(&a);
    }
    arena_release(&a);
    return NULL;
}

TEST(exemplars_are_read_while_they_are_written)
{
    struct exemplar_store *s = exemplar_store_new(200);
    pthread_t reader;
    EXPECT(pthread_create(&reader, NULL, ask_all_the_time, s) == 0);
    for (int i = 0; i < 5000; i++) add(s, (series_key)(1 + i % 60), i, (unsigned)i);
    pthread_join(reader, NULL);
    exemplar_store_free(s);
}

TESTS(CASE(exemplars_are_found_by_series_and_time), CASE(an_exemplar_is_kept_once),
      CASE(a_series_keeps_its_newest_exemplars), CASE(the_limit_holds_and_the_oldest_arrivals_go),
      CASE(broken_exemplar_labels_are_refused), CASE(exemplars_survive_a_restart),
      CASE(a_damaged_exemplar_file_gives_its_sound_start), CASE(exemplars_are_read_while_they_are_written))
