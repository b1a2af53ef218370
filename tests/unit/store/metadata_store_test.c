#include "store/metadata_store.h"

#include <unistd.h>

#include "base/file.h"
#include "unit/store/index_model.h"

static const char *path(void)
{
    static char text[64];
    snprintf(text, sizeof text, "/tmp/metadata_store_test.%d", (int)getpid());
    return text;
}

static int put(struct metadata_store *s, const char *family, const char *type, const char *help,
               const char *unit)
{
    struct metadata m = { str_of(family), str_of(type), str_of(help), str_of(unit) };
    struct err e = ERR_INIT;
    return metadata_store_put(s, &m, &e);
}

static size_t query(struct metadata_store *s, const char *family, size_t limit, struct arena *a,
                    struct metadata **out)
{
    struct call call = model_call(a);
    struct err e = ERR_INIT;
    size_t n;
    EXPECT(metadata_store_query(s, &call, str_of(family), limit, out, &n, &e) == OK);
    return n;
}

TEST(metadata_is_found_by_family_and_listed_by_name)
{
    struct metadata_store *s = metadata_store_new(0);
    struct arena a = ARENA_INIT(1 << 20);
    struct metadata *got;
    EXPECT_INT(put(s, "up", "gauge", "Whether the target answered.", ""), 1);
    EXPECT_INT(put(s, "http_requests", "counter", "Requests.", "requests"), 1);
    EXPECT_INT(put(s, "cpu", "counter", "", "seconds"), 1);

    EXPECT_INT(query(s, "http_requests", 0, &a, &got), 1);
    EXPECT(str_is(got[0].type, "counter") && str_is(got[0].help, "Requests.") &&
           str_is(got[0].unit, "requests"));
    EXPECT_INT(query(s, "nosuch", 0, &a, &got), 0);
    EXPECT_INT(query(s, "", 0, &a, &got), 3);
    EXPECT(str_is(got[0].family, "cpu") && str_is(got[1].family, "http_requests") &&
           str_is(got[2].family, "up"));
    EXPECT_INT(query(s, "", 2, &a, &got), 2);
    arena_release(&a);
    metadata_store_free(s);
}

TEST(the_latest_metadata_wins_and_silence_says_nothing)
{
    struct metadata_store *s = metadata_store_new(0);
    struct arena a = ARENA_INIT(1 << 20);
    struct metadata *got;
    put(s, "up", "unknown", "Old text.", "");
    EXPECT_INT(put(s, "up", "gauge", "New text.", ""), 1);
    EXPECT_INT(put(s, "up", "gauge", "New text.", ""), 0);
    EXPECT_INT(put(s, "up", "", "", "targets"), 1);
    EXPECT_INT(query(s, "up", 0, &a, &got), 1);
    EXPECT(str_is(got[0].type, "gauge") && str_is(got[0].help, "New text.") &&
           str_is(got[0].unit, "targets"));
    arena_release(&a);
    metadata_store_free(s);
}

TEST(metadata_is_bounded)
{
    struct metadata_store *s = metadata_store_new(2);
    struct metadata_stats stats;
    struct arena a = ARENA_INIT(1 << 20);
    struct metadata *got;
    static char help[METADATA_HELP_MAX + 100], family[METADATA_FAMILY_MAX + 2];
    memset(help, 'x', METADATA_HELP_MAX - 1);
    strcpy(help + METADATA_HELP_MAX - 1, "é and more"); /* would be cut in its middle */
    memset(family, 'f', METADATA_FAMILY_MAX + 1);

    EXPECT_INT(put(s, "a", "gauge", help, ""), 1);
    EXPECT_INT(put(s, "b", "gauge", "", ""), 1);
    EXPECT_INT(put(s, "c", "gauge", "", ""), ERR_LIMIT);
    EXPECT_INT(put(s, "a", "counter", "", ""), 1); /* known ones go on */
    EXPECT_INT(put(s, "", "gauge", "", ""), ERR_RANGE);
    EXPECT_INT(put(s, family, "gauge", "", ""), ERR_RANGE);
    EXPECT_INT(put(s, "b", "gauge", "\xff", ""), ERR_RANGE);
    EXPECT_INT(query(s, "a", 0, &a, &got), 1);
    EXPECT_INT(got[0].help.n, METADATA_HELP_MAX - 1);
    metadata_store_stats(s, &stats);
    EXPECT(stats.families == 2 && stats.refused == 1);
    arena_release(&a);
    metadata_store_free(s);
}

TEST(metadata_survives_a_restart_and_a_damaged_file)
{
    struct metadata_store *s = metadata_store_new(0), *again = metadata_store_new(0),
                          *less = metadata_store_new(10);
    struct arena a = ARENA_INIT(1 << 20);
    struct metadata *want, *got;
    struct buf file = BUF_INIT(1 << 20);
    struct err e = ERR_INIT;
    unlink(path());
    EXPECT(metadata_store_load(s, path(), &e) == OK); /* no file yet */
    for (int i = 0; i < 200; i++) {
        char family[32];
        snprintf(family, sizeof family, "family_%d", i * 7919 % 200);
        put(s, family, i % 2 ? "gauge" : "counter", "Help.", "");
    }
    EXPECT(metadata_store_save(s, path(), &e) == OK);
    EXPECT(metadata_store_load(again, path(), &e) == OK);
    size_t n = query(s, "", 0, &a, &want);
    EXPECT_INT(query(again, "", 0, &a, &got), n);
    for (size_t i = 0; i < n; i++)
        EXPECT(str_eq(got[i].family, want[i].family) && str_eq(got[i].type, want[i].type));
    EXPECT(metadata_store_load(less, path(), &e) == OK); /* a lower limit than before */
    EXPECT_INT(query(less, "", 0, &a, &got), 10);

    EXPECT(file_slurp(path(), &file, &e) == OK);
    file.p[file.n / 2] ^= 1;
    EXPECT(file_replace(path(), buf_view(&file), &e) == OK);
    struct metadata_store *half = metadata_store_new(0);
    EXPECT(metadata_store_load(half, path(), &e) == ERR_CORRUPT);
    n = query(half, "", 0, &a, &got);
    EXPECT(n > 80 && n < 120);
    EXPECT(metadata_store_save(half, path(), &e) == OK);
    EXPECT(metadata_store_load(half, path(), &e) == OK);
    unlink(path());
    buf_release(&file);
    arena_release(&a);
    metadata_store_free(s);
    metadata_store_free(again);
    metadata_store_free(less);
    metadata_store_free(half);
}

TESTS(CASE(metadata_is_found_by_family_and_listed_by_name),
      CASE(the_latest_metadata_wins_and_silence_says_nothing), CASE(metadata_is_bounded),
      CASE(metadata_survives_a_restart_and_a_damaged_file))
