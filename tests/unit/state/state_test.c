/* state_test.c - what was answered with OK is there again, and versions lead only forwards. */
#include "unit/test.h"

#include <unistd.h>

#include "state/state.h"

static char dir[64], path[96];

static void fresh(void)
{
    snprintf(dir, sizeof dir, "/tmp/vedette-state-XXXXXX");
    EXPECT(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/state.db", dir);
}

static void gone(void)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    char name[128];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
    rmdir(dir);
}

static const char *const steps[] = { "CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER)",
                                     "ALTER TABLE t ADD COLUMN w TEXT" };

static int sum(const struct state_row *r, void *ctx)
{
    *(int64_t *)ctx += state_int(r, 1);
    return 0;
}

static int64_t total(struct state *s)
{
    int64_t n = 0;
    EXPECT(state_each(s, "SELECT k, v FROM t", NULL, 0, sum, &n, NULL) == OK);
    return n;
}

static int put(struct state *s, const char *k, int64_t v)
{
    return state_run(s, "INSERT OR REPLACE INTO t (k, v) VALUES (?, ?)",
                     (struct state_value[]){ STATE_STR(str_of(k)), STATE_INT(v) }, 2, NULL);
}

TEST(rows_are_there_after_opening_again)
{
    struct state *s;
    struct err e = ERR_INIT;
    fresh();
    EXPECT(state_open(path, &s, &e) == OK);
    EXPECT(state_migrate(s, "t", steps, 1, &e) == OK);
    EXPECT(put(s, "a", 1) == OK && put(s, "b", 2) == OK && put(s, "a", 5) == OK);
    state_close(s);

    EXPECT(state_open(path, &s, &e) == OK);
    EXPECT(state_migrate(s, "t", steps, 2, &e) == OK); /* one version further, rows kept */
    EXPECT_INT(total(s), 7);
    EXPECT(state_migrate(s, "t", steps, 1, &e) == ERR_RANGE); /* and never back */
    state_close(s);
    gone();
}

TEST(a_transaction_is_all_or_nothing)
{
    struct state *s;
    struct err e = ERR_INIT;
    fresh();
    EXPECT(state_open(path, &s, &e) == OK && state_migrate(s, "t", steps, 2, &e) == OK);
    EXPECT(state_begin(s, &e) == OK && put(s, "a", 1) == OK);
    state_rollback(s);
    EXPECT_INT(total(s), 0);
    EXPECT(state_begin(s, &e) == OK && put(s, "a", 1) == OK && put(s, "b", 1) == OK &&
           state_commit(s, &e) == OK);
    EXPECT_INT(total(s), 2);
    state_close(s);
    gone();
}

TEST(a_failing_statement_is_an_error_and_no_more)
{
    struct state *s;
    struct err e = ERR_INIT;
    fresh();
    EXPECT(state_open(path, &s, &e) == OK && state_migrate(s, "t", steps, 2, &e) == OK);
    EXPECT(state_run(s, "INSERT INTO nowhere VALUES (1)", NULL, 0, &e) == ERR_IO);
    EXPECT(strstr(e.text, "nowhere") != NULL);
    EXPECT(put(s, "a", 1) == OK);
    state_close(s);
    gone();
}

TEST(what_is_no_database_is_refused)
{
    struct state *s;
    struct err e = ERR_INIT;
    fresh();
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 4096; i++) fputc('x', f);
    fclose(f);
    EXPECT(state_open(path, &s, &e) == ERR_CORRUPT);
    EXPECT(strstr(e.text, path) != NULL);
    gone();
}

TEST(a_copy_is_taken_while_it_is_open_and_damage_is_seen)
{
    struct state *s, *other;
    struct err e = ERR_INIT;
    char copy[96], elsewhere[] = "/tmp/vedette-copy-XXXXXX";
    fresh();
    EXPECT(mkdtemp(elsewhere) != NULL);
    snprintf(copy, sizeof copy, "%s/state.db", elsewhere);
    EXPECT(state_copy(dir, copy, &e) == OK && access(copy, F_OK) != 0); /* nothing is there yet */
    EXPECT(state_check(dir, &e) == OK);
    EXPECT(state_open(path, &s, &e) == OK && state_migrate(s, "t", steps, 2, &e) == OK);
    EXPECT(state_run(s, "INSERT INTO t (k, v) VALUES ('a', 7)", NULL, 0, &e) == OK);
    EXPECT(state_copy(dir, copy, &e) == OK);
    EXPECT(state_run(s, "INSERT INTO t (k, v) VALUES ('b', 8)", NULL, 0, &e) == OK);
    EXPECT(state_copy(dir, copy, &e) == ERR_IO); /* never over another file */
    EXPECT(state_check(dir, &e) == OK && state_check(elsewhere, &e) == OK);
    EXPECT(state_open(copy, &other, &e) == OK);
    EXPECT_INT(total(other), 7);
    state_close(other);
    EXPECT_INT(total(s), 15);
    state_close(s);
    FILE *f = fopen(copy, "r+");
    EXPECT(f != NULL && fseek(f, 0, SEEK_SET) == 0 && fputs("this is no database any more", f) >= 0);
    fclose(f);
    EXPECT(state_check(elsewhere, &e) == ERR_CORRUPT);
    EXPECT(strstr(e.text, copy) != NULL);
    gone();
    snprintf(dir, sizeof dir, "%s", elsewhere);
    snprintf(path, sizeof path, "%s", copy);
    gone();
}

TESTS(CASE(a_copy_is_taken_while_it_is_open_and_damage_is_seen), CASE(rows_are_there_after_opening_again),
      CASE(a_transaction_is_all_or_nothing), CASE(a_failing_statement_is_an_error_and_no_more),
      CASE(what_is_no_database_is_refused))
