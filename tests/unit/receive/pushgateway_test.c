#include "receive/pushgateway.h"

#include "unit/test.h"

#include "base/check.h"
#include "base/clock.h"
#include "model/histogram.h"
#include "unit/receive/door.h"
#include "unit/receive/fake_store.h"

#define NOW 1700000000000

static struct fake_store store;
static struct pushgateway *gateway;
static struct door door;

static int setup(void **state)
{
    (void)state;
    const struct limit limit = LIMIT_DEFAULT;
    /* the thread's own sampling is far away: tests call pushgateway_sample */
    const struct pushgateway_conf conf = { .interval_ms = 3600000, .max_groups = 4, .max_series = 10 };
    clock_fix_ms(NOW);
    fake_init(&store);
    gateway = pushgateway_start(&store.store, &limit, &conf);
    return door_open(&door, pushgateway_routes, pushgateway_n_routes, gateway) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    door_close(&door);
    pushgateway_stop(gateway);
    fake_clear(&store);
    clock_fix_ms(0);
    return 0;
}

static int ask(const char *method, const char *target, const char *body)
{
    struct reply r = door_ask(&door, method, target, "", str_of(body));
    free(r.text);
    return r.status;
}

static bool is(const char *series, double value, int64_t time_ms)
{
    const struct fake_row *row = fake_row(&store, series);
    bool fits = row != NULL && row->time_ms == time_ms &&
                (row->value == value || (is_stale(value) && is_stale(row->value)));
    if (!fits)
        fprintf(stderr, "%s: %s %.17g at %lld\n", series, row ? "is" : "missing", row ? row->value : 0,
                row ? (long long)row->time_ms : 0);
    return fits;
}

static double stale(void)
{
    return double_of(STALE_BITS);
}

TEST(pushgateway_keeps_a_push_under_its_group)
{
    EXPECT(ask("PUT", "/metrics/job/backup/instance/db%2F1",
               "# TYPE rows counter\nrows{job=\"other\",t=\"x\"} 5 123\nsize 7\n") == 200);
    EXPECT(store.last_ack == ACK_DURABLE && store.n == 4 && store.n_metadata == 1);
    EXPECT(is("rows{instance=\"db/1\", job=\"backup\", t=\"x\"}", 5,
              NOW)); /* the group's job, the push's time */
    EXPECT(is("size{instance=\"db/1\", job=\"backup\"}", 7, NOW));
    EXPECT(is("push_time_seconds{instance=\"db/1\", job=\"backup\"}", NOW / 1000, NOW));
    EXPECT(is("push_failure_time_seconds{instance=\"db/1\", job=\"backup\"}", 0, NOW));
    EXPECT(ask("DELETE", "/metrics/job/backup/instance/db%2F1", "") == 202);
}

TEST(pushgateway_put_replaces_the_group)
{
    fake_clear(&store);
    clock_fix_ms(NOW + 1000);
    EXPECT(ask("PUT", "/metrics/job/j", "a 1\nb 2\n") == 200);
    clock_fix_ms(NOW + 2000);
    EXPECT(ask("PUT", "/metrics/job/j", "b 3\nc 4\nc 5\n") ==
           200); /* of a series given twice the later counts */
    EXPECT(is("a{job=\"j\"}", stale(), NOW + 2000) && is("b{job=\"j\"}", 3, NOW + 2000) &&
           is("c{job=\"j\"}", 5, NOW + 2000));
    EXPECT(ask("PUT", "/metrics/job/j", "") == 200); /* nothing is a group, too */
    EXPECT(is("b{job=\"j\"}", stale(), NOW + 2001) &&
           is("c{job=\"j\"}", stale(), NOW + 2001)); /* same clock: one later all the same */
    EXPECT(is("push_time_seconds{job=\"j\"}", (NOW + 2001) / 1000.0, NOW + 2001));
    EXPECT(ask("DELETE", "/metrics/job/j", "") == 202);
    EXPECT(is("push_time_seconds{job=\"j\"}", stale(), NOW + 2002) &&
           is("push_failure_time_seconds{job=\"j\"}", stale(), NOW + 2002));
}

TEST(pushgateway_post_replaces_metrics_of_the_same_name_only)
{
    fake_clear(&store);
    clock_fix_ms(NOW + 10000);
    EXPECT(ask("POST", "/metrics/job/p", "a{x=\"1\"} 1\na{x=\"2\"} 2\nb 3\n") == 200);
    clock_fix_ms(NOW + 20000);
    EXPECT(ask("POST", "/metrics/job/p", "a{x=\"2\"} 20\na{x=\"3\"} 30\n") == 200);
    EXPECT(is("a{job=\"p\", x=\"1\"}", stale(), NOW + 20000) &&
           is("a{job=\"p\", x=\"2\"}", 20, NOW + 20000) && is("a{job=\"p\", x=\"3\"}", 30, NOW + 20000));
    EXPECT(is("b{job=\"p\"}", 3, NOW + 10000)); /* untouched, and still standing: */

    struct err e = ERR_INIT;
    EXPECT(pushgateway_sample(gateway, NOW + 30000, &e) == OK && store.last_ack == ACK_MEMORY);
    EXPECT(is("a{job=\"p\", x=\"1\"}", stale(), NOW + 20000) &&
           is("a{job=\"p\", x=\"2\"}", 20, NOW + 30000) && is("b{job=\"p\"}", 3, NOW + 30000));
    EXPECT(ask("DELETE", "/metrics/job/p", "") == 202);
}

TEST(pushgateway_samples_a_group_until_it_is_deleted)
{
    struct err e = ERR_INIT;
    fake_clear(&store);
    clock_fix_ms(NOW + 40000);
    EXPECT(ask("PUT", "/metrics/job/s", "a 1\n") == 200);
    size_t n = store.n;
    EXPECT(pushgateway_sample(gateway, NOW + 40000, &e) == OK && store.n == n); /* written this very moment */
    EXPECT(pushgateway_sample(gateway, NOW + 55000, &e) == OK && is("a{job=\"s\"}", 1, NOW + 55000));
    EXPECT(is("push_time_seconds{job=\"s\"}", (NOW + 40000) / 1000, NOW + 55000));
    clock_fix_ms(NOW + 56000);
    EXPECT(ask("DELETE", "/metrics/job/s", "") == 202 && is("a{job=\"s\"}", stale(), NOW + 56000));
    n = store.n;
    EXPECT(pushgateway_sample(gateway, NOW + 70000, &e) == OK && store.n == n);
    EXPECT(ask("DELETE", "/metrics/job/s", "") == 202); /* there is none: nothing to do */
    EXPECT(store.n == n);
}

TEST(pushgateway_refuses_a_bad_push_whole)
{
    struct err e = ERR_INIT;
    fake_clear(&store);
    clock_fix_ms(NOW + 80000);
    EXPECT(ask("PUT", "/metrics/job/f", "a 1\n") == 200);
    clock_fix_ms(NOW + 81000);
    struct reply r = door_ask(&door, "PUT", "/metrics/job/f", "", STR("b 2\nc x\n"));
    EXPECT(r.status == 400 && reply_has(&r, "line 2"));
    free(r.text);
    EXPECT(!fake_row(&store, "b{job=\"f\"}"));
    EXPECT(pushgateway_sample(gateway, NOW + 90000, &e) == OK);
    EXPECT(is("a{job=\"f\"}", 1, NOW + 90000) &&
           is("push_failure_time_seconds{job=\"f\"}", (NOW + 81000) / 1000, NOW + 90000));
    EXPECT(is("push_time_seconds{job=\"f\"}", (NOW + 80000) / 1000, NOW + 90000));

    EXPECT(ask("PUT", "/metrics/job/never", "x\n") == 400); /* a group that knows only its failure */
    EXPECT(pushgateway_sample(gateway, NOW + 91000, &e) == OK);
    EXPECT(is("push_failure_time_seconds{job=\"never\"}", (NOW + 81000) / 1000, NOW + 91000));
    EXPECT(ask("DELETE", "/metrics/job/f", "") == 202 && ask("DELETE", "/metrics/job/never", "") == 202);
}

TEST(pushgateway_leaves_the_group_alone_when_the_store_refuses)
{
    struct err e = ERR_INIT;
    fake_clear(&store);
    clock_fix_ms(NOW + 100000);
    EXPECT(ask("PUT", "/metrics/job/r", "a 1\n") == 200);
    store.refuse_with = ERR_BUSY;
    EXPECT(ask("PUT", "/metrics/job/r", "a 2\n") == 429);
    store.refuse_with = 0;
    EXPECT(pushgateway_sample(gateway, NOW + 110000, &e) == OK && is("a{job=\"r\"}", 1, NOW + 110000));
    EXPECT(ask("DELETE", "/metrics/job/r", "") == 202);
}

TEST(pushgateway_reads_base64_in_the_path)
{
    fake_clear(&store);
    clock_fix_ms(NOW + 120000);
    /* the example of its documentation: job="directory_cleaner", path="/var/tmp" */
    EXPECT(ask("PUT", "/metrics/job/directory_cleaner/path@base64/L3Zhci90bXA", "a 1\n") == 200);
    EXPECT(is("a{job=\"directory_cleaner\", path=\"/var/tmp\"}", 1, NOW + 120000));
    EXPECT(ask("PUT", "/metrics/job@base64/0KHQv9GD0YLQvdC40Lo/first_label@base64/=", "b 1\n") ==
           200); /* Sputnik, in Cyrillic; an empty value is no label */
    EXPECT(is("b{job=\"\xD0\xA1\xD0\xBF\xD1\x83\xD1\x82\xD0\xBD\xD0\xB8\xD0\xBA\"}", 1, NOW + 120000));
    EXPECT(ask("DELETE", "/metrics/job/directory_cleaner/path@base64/L3Zhci90bXA=", "") == 202);
    EXPECT(is("a{job=\"directory_cleaner\", path=\"/var/tmp\"}", stale(), NOW + 120001));
    EXPECT(ask("DELETE", "/metrics/job@base64/0KHQv9GD0YLQvdC40Lo", "") == 202);
    EXPECT(is("b{job=\"\xD0\xA1\xD0\xBF\xD1\x83\xD1\x82\xD0\xBD\xD0\xB8\xD0\xBA\"}", stale(), NOW + 120001));
}

TEST(pushgateway_refuses_paths_that_name_no_group)
{
    static const char *const bad[] = {
        "/metrics/job/",           "/metrics/job/j/label",
        "/metrics/job/j/la-bel/x", "/metrics/job/j/__name__/x",
        "/metrics/job/j/a/1/a/2",  "/metrics/job/j/b@base64/!!",
        "/metrics/job/j/job/k",    "/metrics/job@base64/=",
        "/metrics/job/j/a/%ff",
    };
    fake_clear(&store);
    for (size_t i = 0; i < COUNT(bad); i++) {
        int status = ask("PUT", bad[i], "a 1\n");
        if (status != 400) fprintf(stderr, "%s: %d\n", bad[i], status);
        EXPECT(status == 400 && store.writes == 0);
    }
}

TEST(pushgateway_holds_only_so_much)
{
    fake_clear(&store);
    EXPECT(ask("PUT", "/metrics/job/1", "a 1\nb 1\nc 1\nd 1\n") == 200);
    EXPECT(ask("PUT", "/metrics/job/2", "a 1\nb 1\nc 1\nd 1\ne 1\nf 1\n") == 200);
    EXPECT(ask("PUT", "/metrics/job/3", "a 1\n") == 413); /* eleven series */
    EXPECT(ask("PUT", "/metrics/job/2", "a 1\n") == 200);
    EXPECT(ask("PUT", "/metrics/job/3", "a 1\n") == 200);
    EXPECT(ask("PUT", "/metrics/job/4", "a 1\n") == 200);
    EXPECT(ask("PUT", "/metrics/job/5", "a 1\n") == 413); /* five groups */
    for (int i = 1; i <= 4; i++) {
        char target[40];
        snprintf(target, sizeof target, "/metrics/job/%d", i);
        EXPECT(ask("DELETE", target, "") == 202);
    }
    EXPECT(ask("PUT", "/metrics/job/5", "a 1\n") == 200 && ask("DELETE", "/metrics/job/5", "") == 202);
}

TEST(pushgateway_thread_samples_by_itself)
{
    struct fake_store other;
    const struct limit limit = LIMIT_DEFAULT;
    const struct pushgateway_conf conf = { .interval_ms = 20 };
    struct door its_door;
    fake_init(&other);
    struct pushgateway *g = pushgateway_start(&other.store, &limit, &conf);
    EXPECT(door_open(&its_door, pushgateway_routes, pushgateway_n_routes, g));
    clock_fix_ms(NOW + 200000);
    struct reply r = door_ask(&its_door, "PUT", "/metrics/job/t", "", STR("a 1\n"));
    EXPECT(r.status == 200);
    free(r.text);
    clock_fix_ms(NOW + 215000);
    bool seen = false;
    for (int i = 0; i < 500 && !seen; i++) {
        usleep(10000);
        pthread_mutex_lock(&other.mu);
        const struct fake_row *row = fake_row(&other, "a{job=\"t\"}");
        seen = row != NULL && row->time_ms == NOW + 215000;
        pthread_mutex_unlock(&other.mu);
    }
    EXPECT(seen);
    door_close(&its_door);
    pushgateway_stop(g);
    fake_clear(&other);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(pushgateway_keeps_a_push_under_its_group),
        CASE(pushgateway_put_replaces_the_group),
        CASE(pushgateway_post_replaces_metrics_of_the_same_name_only),
        CASE(pushgateway_samples_a_group_until_it_is_deleted),
        CASE(pushgateway_refuses_a_bad_push_whole),
        CASE(pushgateway_leaves_the_group_alone_when_the_store_refuses),
        CASE(pushgateway_reads_base64_in_the_path),
        CASE(pushgateway_refuses_paths_that_name_no_group),
        CASE(pushgateway_holds_only_so_much),
        CASE(pushgateway_thread_samples_by_itself),
    };
    return cmocka_run_group_tests(all, setup, teardown);
}
