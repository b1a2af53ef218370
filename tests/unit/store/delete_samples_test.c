/* Samples deleted on demand, through the whole engine, against the plain table. */
#include "model/matcher.h"
#include "unit/store/store_model.h"

static void admin(struct store *s, enum store_admin op, const void *arg)
{
    struct err e = ERR_INIT;
    int rc = store_admin(s, op, arg, &e);
    if (rc < 0) print_error("admin: %s\n", e.text);
    EXPECT(rc == OK);
}

static struct store *open_with_tiers(const char *dir)
{
    struct store *s = NULL;
    struct embedded_conf conf = {
        .dir = dir, .min_free_bytes = 1, .sync_interval_ms = 20, .tier_5m = true, .tier_1h = true
    };
    EXPECT(embedded_open(&conf, &s, NULL) == OK);
    return s;
}

/* Of the host's series, in the store and in the table; how many rows the store says. */
static uint64_t delete_host(struct model *m, struct store *s, unsigned host, int64_t from_ms, int64_t to_ms)
{
    char value[32];
    uint64_t rows = 0;
    struct matcher match = { 0 };
    snprintf(value, sizeof value, "host-%u", host);
    EXPECT(matcher_init(&match, MATCH_EQ, STR("host"), str_of(value), NULL) == OK);
    struct store_delete what = { .table = TABLE_METRICS,
                                 .from_ms = from_ms,
                                 .to_ms = to_ms,
                                 .matchers = &match,
                                 .n_matchers = 1,
                                 .who = STR("test"),
                                 .rows = &rows };
    admin(s, STORE_DELETE, &what);
    matcher_release(&match);
    for (size_t i = host; i < SERIES; i += 10)
        for (size_t day = 0; day < DAYS; day++)
            for (size_t k = 0; k < TIMES; k++)
                if (model_time(m, day, k) >= from_ms && model_time(m, day, k) <= to_ms)
                    m->at[i][day][k] = (struct cell){ 0 };
    return rows;
}

static size_t rows_of_host(const struct model *m, unsigned host, int64_t from_ms, int64_t to_ms)
{
    size_t n = 0;
    for (size_t i = host; i < SERIES; i += 10)
        for (size_t day = 0; day < DAYS; day++)
            for (size_t k = 0; k < TIMES; k++) {
                int64_t t = model_time(m, day, k);
                n += t >= from_ms && t <= to_ms && m->at[i][day][k].kind != EMPTY;
            }
    return n;
}

TEST(deleted_samples_are_gone_at_once_after_merges_and_after_a_restart_and_no_others_are)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        char *dir = test_dir();
        struct model *m = model_new(seed);
        struct store *s = open_with_tiers(dir);
        for (int i = 0; i < 60; i++) {
            EXPECT(model_write(m, s, i % 2, ACK_MEMORY, NULL, NULL) == OK);
            if (i % 9 == 5) admin(s, STORE_FLUSH, NULL);
            if (i % 20 == 19) admin(s, STORE_MERGE, NULL);
            if (i % 7 != 6) continue;
            int64_t a = model_time(m, model_random(m, DAYS), model_random(m, TIMES)),
                    b = model_time(m, model_random(m, DAYS), model_random(m, TIMES));
            unsigned host = (unsigned)model_random(m, 10);
            size_t there = rows_of_host(m, host, MIN(a, b), MAX(a, b));
            uint64_t gone = delete_host(m, s, host, MIN(a, b), MAX(a, b));
            EXPECT(gone >= there); /* and start times, and rows that later ones had hidden */
            EXPECT(delete_host(m, s, host, MIN(a, b), MAX(a, b)) == 0);
            model_check(m, s);
        }
        delete_host(m, s, 3, 0, INT64_MAX);
        model_check(m, s);
        admin(s, STORE_MERGE, NULL);
        model_check(m, s);
        store_close(s);
        s = open_with_tiers(dir);
        model_check(m, s);
        store_close(s);
        struct fsck_report r;
        EXPECT(embedded_fsck(dir, NULL, NULL, &r, NULL) == OK && r.damaged == 0);
        mem_free(m);
        test_dir_remove(dir);
    }
}

TEST(a_deletion_changes_the_generation_notes_itself_and_says_which_series)
{
    char *dir = test_dir(), path[200];
    struct model *m = model_new(9);
    struct store *s = open_with_tiers(dir);
    uint64_t before, after;
    for (int i = 0; i < 5; i++) EXPECT(model_write(m, s, true, ACK_MEMORY, NULL, NULL) == OK);
    store_changed_since(s, 0, &before);
    delete_host(m, s, 1, 0, INT64_MAX);
    EXPECT(store_changed_since(s, before, &after) <= model_time(m, DAYS - 1, TIMES) && after > before);
    struct store_delete all = { .table = TABLE_METRICS, .to_ms = INT64_MAX };
    EXPECT(store_admin(s, STORE_DELETE, &all, NULL) == ERR_RANGE); /* not everything by an oversight */
    store_close(s);
    struct buf audit = BUF_INIT(1 << 16);
    snprintf(path, sizeof path, "%s/audit.jsonl", dir);
    EXPECT(file_slurp(path, &audit, NULL) == OK && memmem(audit.p, audit.n, "\"metrics\"", 9) != NULL);
    buf_release(&audit);
    mem_free(m);
    test_dir_remove(dir);
}

TESTS(CASE(deleted_samples_are_gone_at_once_after_merges_and_after_a_restart_and_no_others_are),
      CASE(a_deletion_changes_the_generation_notes_itself_and_says_which_series))
