/* notify_test.c - all of it with its threads: many senders at once, reloads meanwhile, and a restart that
 * tells nobody twice. */
#include "unit/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "tell/notify/notify.h"

#define SENDERS 3
#define ALERTS  60 /* of each sender, in groups of their own */

static atomic_int told, told_firing, to_fail;

static int read_any(struct yaml *map, const struct channel_defaults *d, struct arena *a, void **conf,
                    struct err *e)
{
    struct str url = STR("");
    (void)d;
    *conf = arena_alloc(a, 1);
    return yaml_str(yaml_get(map, "url"), &url, e);
}

static void count(const void *conf, const struct notification *n, struct channel_result *r)
{
    (void)conf;
    if (atomic_fetch_sub(&to_fail, 1) > 0) {
        r->outcome = CHANNEL_RETRY;
        return;
    }
    r->outcome = CHANNEL_SENT;
    told++;
    told_firing += (int)n->n_firing;
}

static const struct channel_kind hook = { "webhook_configs", "webhook", true, read_any, count };

static const struct channel_kind *find(struct str key)
{
    return str_is(key, "webhook_configs") ? &hook : NULL;
}

static bool foreign(struct str key)
{
    (void)key;
    return false;
}

static int read_config(void *ctx, struct am_config **out, struct err *e)
{
    struct am_load load = { "am.yml", "", NULL, NULL, find, foreign };
    (void)ctx;
    return am_config_parse(
        STR("route: {receiver: a, group_by: ['...'], group_wait: 50ms, group_interval: 10m}\n"
            "receivers: [{name: a, webhook_configs: [{url: x}]}]\n"),
        &load, out, e);
}

static void send_one(struct notify *n, int sender, int i)
{
    char name[32], text[32];
    snprintf(name, sizeof name, "a%d", i);
    snprintf(text, sizeof text, "s%d", sender);
    struct label l[] = { { STR("alertname"), str_of(name) }, { STR("sender"), str_of(text) } };
    struct alert a = { .labels = { l, 2 }, .starts_ms = clock_now_ms(), .updated_ms = clock_now_ms() };
    struct alert_sink sink = notify_sink(n);
    if (i % 2)
        sink.send(sink.ctx, &a, 1);
    else
        notify_post(n, &a, 1);
}

struct sender {
    struct notify *n;
    int number;
};

static void *send_all(void *arg)
{
    struct sender *s = arg;
    for (int i = 0; i < ALERTS; i++) send_one(s->n, s->number, i);
    return NULL;
}

static void wait_told(int wanted)
{
    for (int i = 0; i < 6000 && told_firing < wanted; i++) usleep(10000);
    EXPECT_INT(told_firing, wanted);
}

TEST(every_alert_is_told_once_and_a_restart_tells_none_again)
{
    char dir[] = "/tmp/vedette-notify-XXXXXX", path[64], more[80];
    struct state *st;
    struct notify *n;
    pthread_t threads[SENDERS];
    struct sender senders[SENDERS];
    EXPECT(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/s.db", dir);
    EXPECT(state_open(path, &st, NULL) == OK);
    struct notify_conf conf = { { read_config, NULL }, st, "http://us", 0 };
    to_fail = 5;
    EXPECT(notify_start(&conf, &n, NULL) == OK);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ n, i };
        EXPECT(pthread_create(&threads[i], NULL, send_all, &senders[i]) == 0);
    }
    for (int i = 0; i < 10; i++) EXPECT(notify_reload(n, NULL) == OK);
    for (int i = 0; i < SENDERS; i++) pthread_join(threads[i], NULL);
    wait_told(SENDERS * ALERTS);
    notify_stop(n);

    EXPECT(notify_start(&conf, &n, NULL) == OK); /* all are known, and all were told */
    EXPECT_INT(notify_lock(n)->alerts.n, SENDERS * ALERTS);
    notify_unlock(n);
    send_one(n, 7, 0);
    wait_told(SENDERS * ALERTS + 1);
    notify_stop(n);
    state_close(st);
    for (int i = 0; i < 3; i++) {
        static const char *const ends[] = { "", "-wal", "-shm" };
        snprintf(more, sizeof more, "%s%s", path, ends[i]);
        unlink(more);
    }
    rmdir(dir);
}

TESTS(CASE(every_alert_is_told_once_and_a_restart_tells_none_again))
