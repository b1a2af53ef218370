/* alert_store_test.c - who comes back firing after a restart, and who does not. */
#include "unit/test.h"

#include <unistd.h>

#include "tell/notify/alert_store.h"

#define M  60000ll
#define T0 1700000000000ll

static char seen[256];

static void see(const struct alert *a, void *ctx)
{
    size_t n = strlen(seen);
    (void)ctx;
    snprintf(seen + n, sizeof seen - n, "%.*s%s ", STR_ARG(labels_get(a->labels, "alertname")),
             a->ends_ms == 0 ? "+" : "-");
}

static void put(struct state *s, const char *name, int64_t updated, int64_t ends)
{
    struct label l = { STR("alertname"), str_of(name) };
    struct alert a = { .labels = { &l, 1 }, .starts_ms = T0, .ends_ms = ends, .updated_ms = updated };
    EXPECT(alert_store_put(s, &a, 1, NULL) == OK);
}

static bool says(const char *what)
{
    return strstr(seen, what) != NULL;
}

TEST(only_what_had_not_ended_when_we_were_last_alive_fires_again)
{
    char dir[] = "/tmp/vedette-alerts-XXXXXX", path[64];
    struct state *s;
    EXPECT(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/s.db", dir);
    EXPECT(state_open(path, &s, NULL) == OK);
    EXPECT(alert_store_open(s, NULL) == OK);
    put(s, "renewed", T0 + 9 * M, 0); /* its timeout of 5 min had not passed at T0 + 10 min */
    put(s, "silent", T0 + 2 * M, 0);  /* it had */
    put(s, "resolved", T0 + 3 * M, T0 + 3 * M);
    put(s, "rule", T0 + 9 * M, T0 + 13 * M); /* of a rule: an end that each evaluation moves */
    put(s, "gone", T0 + 5 * M, T0 + 9 * M);
    alert_store_alive(s, T0 + M);
    alert_store_alive(s, T0 + 10 * M);
    EXPECT(alert_store_each(s, 5 * M, see, NULL, NULL) == OK);
    EXPECT(says("renewed+") && says("silent-") && says("resolved-") && says("rule+") && says("gone-"));
    state_close(s);
    unlink(path);
    rmdir(dir);
}

TESTS(CASE(only_what_had_not_ended_when_we_were_last_alive_fires_again))
