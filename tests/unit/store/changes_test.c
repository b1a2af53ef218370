/* changes_test.c - what changed since when, against a list that forgets nothing; and the store's own notes.
 */
#include "unit/test.h"

#include <unistd.h>

#include "base/clock.h"
#include "store/changes.h"
#include "store/embedded.h"

static uint64_t now_of(struct changes *c)
{
    uint64_t now;
    changes_since(c, UINT64_MAX, &now);
    return now;
}

TEST(nothing_has_changed_at_first)
{
    struct changes c;
    uint64_t now = 0;
    changes_init(&c);
    EXPECT(changes_since(&c, 1, &now) == INT64_MAX);
    EXPECT_INT(now, 1);
    changes_note(&c, INT64_MAX);
    EXPECT_INT(now_of(&c), 1);
    changes_release(&c);
}

TEST(a_later_change_of_older_rows_hides_an_earlier_one)
{
    struct changes c;
    uint64_t now, g[4];
    int64_t times[] = { 100, 200, 50 };
    changes_init(&c);
    g[0] = now_of(&c);
    for (int i = 0; i < 3; i++) {
        changes_note(&c, times[i]);
        g[i + 1] = now_of(&c);
    }
    for (int i = 0; i < 3; i++) EXPECT_INT(changes_since(&c, g[i], &now), 50);
    EXPECT(changes_since(&c, g[3], &now) == INT64_MAX);
    EXPECT_INT(c.n, 1);
    changes_release(&c);
}

#define NOTES 20000

/* Rising times, now and then a late one. While the list has not been joined answers are exact; later they may
 * be earlier, never later. */
TEST(answers_are_never_too_late_and_recent_ones_are_exact)
{
    static int64_t noted[NOTES];
    static uint64_t after[NOTES];
    struct changes c;
    uint64_t now, seed = 7;
    changes_init(&c);
    for (int i = 0; i < NOTES; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        noted[i] = i * 10 - (seed >> 60 == 0 ? (int64_t)(seed >> 40 & 1023) : 0);
        changes_note(&c, noted[i]);
        after[i] = now_of(&c);
        EXPECT(c.n <= CHANGES_MAX);
    }
    int64_t oldest = INT64_MAX; /* of notes after i */
    for (int i = NOTES - 1; i >= 0; i--) {
        int64_t told = changes_since(&c, after[i], &now);
        EXPECT(told <= oldest);
        if (i >= NOTES - 256) EXPECT(told == oldest);
        oldest = noted[i] < oldest ? noted[i] : oldest;
    }
    changes_release(&c);
}

/* ---- the store's own ---- */

#define DAY 86400000ll

static struct store *opened(char dir[64], int64_t retention_ms)
{
    struct embedded_conf conf = { .dir = dir, .retention_ms = retention_ms };
    struct store *s = NULL;
    strcpy(dir, "/tmp/vedette-changes-XXXXXX");
    EXPECT(mkdtemp(dir) != NULL);
    EXPECT_INT(embedded_open(&conf, &s, NULL), OK);
    return s;
}

static void closed(struct store *s, const char *dir)
{
    char command[128];
    store_close(s);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    EXPECT_INT(system(command), 0);
}

static uint64_t write_rows(struct store *s, int64_t first_ms, int n)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct label l = { STR("__name__"), STR("m") };
    struct write_result result;
    struct batch b;
    batch_init(&b, &a, LABELS_PACKED);
    batch_series_labels(&b, (struct labels){ &l, 1 });
    for (int i = 0; i < n; i++) batch_sample(&b, first_ms + i * 1000, i);
    EXPECT_INT(store_write(s, &b, ACK_MEMORY, &result, NULL, NULL, NULL), OK);
    arena_release(&a);
    return result.rejected_total;
}

TEST(a_write_tells_its_oldest_kept_row)
{
    char dir[64];
    struct store *s = opened(dir, 10 * DAY);
    int64_t now_ms = clock_now_ms();
    uint64_t begun, g, now;
    store_changed_since(s, 0, &begun);

    EXPECT_INT(write_rows(s, now_ms, 3), 0);
    EXPECT(store_changed_since(s, begun, &g) == now_ms);
    EXPECT(store_changed_since(s, g, &now) == INT64_MAX);
    EXPECT_INT(write_rows(s, now_ms - 5000, 1), 0); /* late */
    EXPECT(store_changed_since(s, g, &now) == now_ms - 5000);
    store_changed_since(s, 0, &g);
    EXPECT_INT(write_rows(s, now_ms - 20 * DAY, 2), 2); /* refused: too old */
    EXPECT(store_changed_since(s, g, &now) == INT64_MAX);
    EXPECT(now == g);
    closed(s, dir);
}

TEST(what_only_moves_to_files_has_not_changed)
{
    char dir[64];
    struct store *s = opened(dir, 0);
    uint64_t g, now;
    write_rows(s, clock_now_ms(), 10);
    store_changed_since(s, 0, &g);
    EXPECT_INT(store_admin(s, STORE_FLUSH, NULL, NULL), OK);
    EXPECT_INT(store_admin(s, STORE_MERGE, NULL, NULL), OK);
    EXPECT(store_changed_since(s, g, &now) == INT64_MAX);
    closed(s, dir);
}

TEST(a_day_that_expires_has_changed)
{
    char dir[64];
    struct store *s = opened(dir, 3 * DAY);
    int64_t now_ms = clock_now_ms(), old_ms = now_ms - 2 * DAY;
    uint64_t g, now;
    write_rows(s, old_ms, 10);
    write_rows(s, now_ms, 10);
    EXPECT_INT(store_admin(s, STORE_FLUSH, NULL, NULL), OK);
    store_changed_since(s, 0, &g);
    EXPECT_INT(store_admin(s, STORE_RETAIN, NULL, NULL), OK);
    EXPECT(store_changed_since(s, g, &now) == INT64_MAX);
    clock_fix_ms(now_ms + 2 * DAY);
    EXPECT_INT(store_admin(s, STORE_RETAIN, NULL, NULL), OK);
    clock_fix_ms(0);
    EXPECT(store_changed_since(s, g, &now) <= old_ms);
    closed(s, dir);
}

TESTS(CASE(nothing_has_changed_at_first), CASE(a_later_change_of_older_rows_hides_an_earlier_one),
      CASE(answers_are_never_too_late_and_recent_ones_are_exact), CASE(a_write_tells_its_oldest_kept_row),
      CASE(what_only_moves_to_files_has_not_changed), CASE(a_day_that_expires_has_changed))
