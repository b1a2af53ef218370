/* nflog_test.c - is there news, and is what was told still known after a restart? */
#include "unit/test.h"

#include <unistd.h>

#include "tell/notify/nflog.h"

static const uint64_t abc[] = { 1, 2, 3 };

static const char *news(const struct nflog_entry *last, size_t firing, size_t resolved, int64_t at,
                        bool send_resolved)
{
    struct nflog_entry now = { at, 0, abc, abc + 3 - resolved, firing, resolved };
    const char *why = nflog_news(last, &now, send_resolved, 100);
    return why ? why : "nothing";
}

TEST(news_is_what_alertmanager_calls_so)
{
    struct nflog_entry told = { 1000, 9999, abc, abc + 2, 2, 0 }, ended = { 1000, 9999, NULL, abc, 0, 2 };
    EXPECT_STR(news(NULL, 1, 0, 1000, true), "first");
    EXPECT_STR(news(NULL, 0, 1, 1000, true), "nothing"); /* nobody was told that it fired */
    EXPECT_STR(news(&told, 2, 0, 1001, true), "nothing");
    EXPECT_STR(news(&told, 1, 0, 1001, true), "nothing"); /* fewer fire, none resolved: it was muted */
    EXPECT_STR(news(&told, 3, 0, 1001, true), "new alerts");
    EXPECT_STR(news(&told, 1, 1, 1001, true), "resolved");
    EXPECT_STR(news(&told, 1, 1, 1001, false), "nothing");
    EXPECT_STR(news(&told, 0, 2, 1001, false), "resolved"); /* so that the log forgets that they fired */
    EXPECT_STR(news(&told, 2, 0, 1100, true), "nothing");
    EXPECT_STR(news(&told, 2, 0, 1101, true), "repeat");
    EXPECT_STR(news(&ended, 0, 2, 9000, true), "nothing");
    EXPECT_STR(news(&ended, 1, 0, 1001, true), "new alerts");
}

static void count(const struct nflog_entry *e, void *ctx)
{
    size_t *n = ctx;
    *n = e->n_firing * 10 + e->n_resolved;
    EXPECT(e->n_firing == 0 || (e->firing[0] == 1 && e->firing[1] == 2));
}

TEST(an_entry_is_there_after_opening_again_until_it_expires)
{
    char dir[] = "/tmp/vedette-nflog-XXXXXX", path[64];
    struct state *s;
    struct nflog *l;
    size_t n = 0;
    EXPECT(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/s.db", dir);
    EXPECT(state_open(path, &s, NULL) == OK);
    EXPECT(nflog_open(s, &l, NULL) == OK);
    struct nflog_entry e = { 5, 100, abc, abc + 2, 2, 1 };
    EXPECT(nflog_put(l, STR("group:hook"), &e, NULL) == OK);
    nflog_close(l);
    EXPECT(nflog_open(s, &l, NULL) == OK);
    EXPECT(nflog_ask(l, STR("group:hook"), count, &n));
    EXPECT_INT(n, 21);
    EXPECT(!nflog_ask(l, STR("group:other"), count, &n));
    nflog_gc(l, 99);
    EXPECT_INT(nflog_count(l), 1);
    nflog_gc(l, 100);
    EXPECT_INT(nflog_count(l), 0);
    nflog_close(l);
    EXPECT(nflog_open(s, &l, NULL) == OK);
    EXPECT_INT(nflog_count(l), 0);
    nflog_close(l);
    state_close(s);
    unlink(path);
    rmdir(dir);
}

TESTS(CASE(news_is_what_alertmanager_calls_so), CASE(an_entry_is_there_after_opening_again_until_it_expires))
