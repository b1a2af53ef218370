#include "unit/test.h"

#include "base/mem.h"
#include "derive/log_pattern.h"

#define SECOND 1000000000LL

/* ---- helpers ---- */

static struct log_patterns *patterns(size_t max)
{
    return log_patterns_new(&(struct log_patterns_conf){ .max_patterns = max });
}

static uint32_t add(struct log_patterns *m, const char *line)
{
    static int64_t now;
    return log_patterns_add(m, 0, str_of(line), now += SECOND, NULL);
}

struct found {
    size_t n;
    struct log_pattern at[64];
};

static void keep(void *ctx, const struct log_pattern *p)
{
    struct found *f = ctx;
    if (f->n < 64) f->at[f->n++] = *p;
}

static struct found all(struct log_patterns *m)
{
    struct found f = { 0 };
    log_patterns_each(m, keep, &f);
    return f;
}

static void expect_pattern(const char *line, const char *pattern)
{
    struct log_patterns *m = patterns(0);
    add(m, line);
    struct found f = all(m);
    assert_int_equal(f.n, 1);
    EXPECT_STR(f.at[0].text.p, pattern);
    log_patterns_free(m);
}

/* ---- tests ---- */

TEST(what_looks_like_a_value_is_one)
{
    expect_pattern("connection from 10.0.0.7 port 3345", "connection from <_> port <_>");
    expect_pattern("GET /api/v1/tasks?id=7 took 12 ms", "GET <_> took <_>");
    expect_pattern("wrote /var/log/agent.log: done", "wrote <_>: done");
    expect_pattern("at Sun Jul 17 06:08:01 2005", "at <_>");
    expect_pattern("mail to bob@example.org failed", "mail to <_> failed");
    expect_pattern("class org.apache.hadoop.Foo registered", "class <_> registered");
    expect_pattern("free 512 KB (of 4 GB)", "free <_> (of <_>)");
    expect_pattern("retry in 5s; attempt #3", "retry in <_>; attempt <_>");
    expect_pattern("mask=deadbeef on facade", "mask=<_> on facade");
    expect_pattern("session opened for user alice", "session opened for user <_>");
    expect_pattern("from ns.example.com.", "from <_>.");
}

TEST(empty_places_are_values_too)
{
    struct log_patterns *m = patterns(0);
    EXPECT_INT(add(m, "connection from 10.0.0.7 (host.example.org) at 7"),
               add(m, "connection from 10.0.0.7 () at 7"));
    EXPECT_INT(add(m, "logname= uid=0 ruser="), add(m, "logname= uid=1 ruser=9"));
    EXPECT_INT(log_patterns_count(m), 2);
    log_patterns_free(m);
}

TEST(words_that_no_rule_knows_are_values_once_five_were_seen)
{
    static const char *const queues[] = { "red", "green", "blue", "black", "white", "pink" };
    struct log_patterns *m = patterns(0);
    uint32_t number[6];
    char line[100];
    for (int i = 0; i < 6; i++) {
        snprintf(line, sizeof line, "the queue %s is full", queues[i]);
        number[i] = add(m, line);
        EXPECT_INT(log_patterns_count(m), i < 4 ? i + 1 : 1);
    }
    for (int i = 0; i < 6; i++) EXPECT_INT(log_patterns_now(m, number[i]), number[5]);
    struct found f = all(m);
    EXPECT_STR(f.at[0].text.p, "the queue <_> is full");
    EXPECT_INT(f.at[0].lines, 6);
    EXPECT_INT(f.at[0].last_ns - f.at[0].first_ns, 5 * SECOND);
    log_patterns_free(m);
}

TEST(few_states_stay_apart)
{
    struct log_patterns *m = patterns(0);
    add(m, "VM Started (Lifecycle Event)");
    add(m, "VM Paused (Lifecycle Event)");
    add(m, "VM Resumed (Lifecycle Event)");
    add(m, "VM Stopped (Lifecycle Event)");
    EXPECT_INT(log_patterns_count(m), 4);
    log_patterns_free(m);
}

TEST(a_line_is_new_when_nothing_like_it_was_known)
{
    struct log_patterns *m = patterns(0);
    bool is_new;
    log_patterns_add(m, 0, STR("disk 3 failed"), 1, &is_new);
    EXPECT(is_new);
    log_patterns_add(m, 0, STR("disk 4 failed"), 2, &is_new);
    EXPECT(!is_new);
    log_patterns_add(m, 1, STR("disk 4 failed"), 3, &is_new); /* of another scope */
    EXPECT(is_new);
    log_patterns_free(m);
}

TEST(lines_are_counted_by_time_and_counts_survive_joining)
{
    struct log_patterns *m = log_patterns_new(
        &(struct log_patterns_conf){ .start_ns = 100 * SECOND, .step_ns = 10 * SECOND, .n_buckets = 3 });
    static const char *const words[] = { "one", "two", "three", "four", "five" };
    char line[100];
    for (int i = 0; i < 5; i++) { /* at 100, 107, 114, 121, 128 */
        snprintf(line, sizeof line, "the word is %s here", words[i]);
        log_patterns_add(m, 0, str_of(line), (100 + 7 * i) * SECOND, NULL);
    }
    log_patterns_add(m, 0, STR("the word is one here"), 99 * SECOND, NULL); /* before all of them */
    log_patterns_add(m, 0, STR("the word is one here"), 130 * SECOND, NULL);
    struct found f = all(m);
    EXPECT_INT(f.n, 1);
    EXPECT_INT(f.at[0].lines, 7);
    EXPECT_INT(f.at[0].buckets[0], 2);
    EXPECT_INT(f.at[0].buckets[1], 1);
    EXPECT_INT(f.at[0].buckets[2], 2);
    log_patterns_free(m);
}

TEST(memory_is_bounded_and_what_is_seen_often_stays)
{
    struct log_patterns *m = patterns(100);
    char line[200];
    size_t most = 0;
    for (int i = 0; i < 20000; i++) {
        char a[8] = { 'q', (char)('a' + i % 26), (char)('a' + i / 26 % 26), (char)('a' + i / 676 % 26), 0 };
        snprintf(line, sizeof line, "%s %s%s", a, a, a); /* two words: never joined */
        add(m, line);
        add(m, "the heart beats 72 times");
        if (log_patterns_bytes(m) > most) most = log_patterns_bytes(m);
    }
    EXPECT(log_patterns_count(m) <= 100);
    EXPECT(log_patterns_forgotten(m) > 15000);
    EXPECT(most < 200000);
    bool heart = false;
    struct found f = all(m);
    for (size_t i = 0; i < f.n; i++)
        heart |= strcmp(f.at[i].text.p, "the heart beats <_> times") == 0 && f.at[i].lines == 20000;
    EXPECT(heart);
    log_patterns_free(m);
}

TEST(memory_is_bounded_when_patterns_are_joined_all_the_time)
{
    struct log_patterns *m = patterns(50);
    char line[200];
    size_t most = 0;
    for (int i = 0; i < 50000; i++) {
        char a[8] = { 'q', (char)('a' + i % 26), (char)('a' + i / 26 % 26), (char)('a' + i / 676 % 26), 0 };
        snprintf(line, sizeof line, "word %s of the group %c is here", a, 'a' + i % 20);
        add(m, line);
        if (log_patterns_bytes(m) > most) most = log_patterns_bytes(m);
    }
    EXPECT(log_patterns_count(m) <= 50);
    EXPECT(most < 400000);
    log_patterns_free(m);
}

TEST(any_bytes_are_a_line)
{
    struct log_patterns *m = patterns(10);
    char line[5000];
    add(m, "");
    add(m, "   \t ");
    add(m, "\n\nx");
    unsigned seed = 1;
    for (int i = 0; i < 2000; i++) {
        size_t n = (seed = seed * 1103515245u + 12345) >> 8 & 4095;
        for (size_t k = 0; k < n; k++) line[k] = (char)((seed = seed * 1103515245u + 12345) >> 16);
        log_patterns_add(m, 0, str_make(line, n), i, NULL);
    }
    memset(line, '=', sizeof line);
    log_patterns_add(m, 0, str_make(line, sizeof line), 1, NULL);
    memset(line, '1', sizeof line);
    log_patterns_add(m, 0, str_make(line, sizeof line), 1, NULL);
    all(m);
    log_patterns_free(m);
}

TESTS(CASE(what_looks_like_a_value_is_one), CASE(empty_places_are_values_too),
      CASE(words_that_no_rule_knows_are_values_once_five_were_seen), CASE(few_states_stay_apart),
      CASE(a_line_is_new_when_nothing_like_it_was_known),
      CASE(lines_are_counted_by_time_and_counts_survive_joining),
      CASE(memory_is_bounded_and_what_is_seen_often_stays),
      CASE(memory_is_bounded_when_patterns_are_joined_all_the_time), CASE(any_bytes_are_a_line))
