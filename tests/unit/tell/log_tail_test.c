#include "unit/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "tell/api_loki_impl.h"
#include "tell/log_tail.h"
#include "unit/net/raw.h"

/* ---- a server whose only work is to follow ---- */

static struct log_tail_hub *hub;
static struct http_server *server;
static unsigned port;
static char text[RAW_MAX];

static struct logs_api api;
static struct prometheus_api base;

static const struct http_route routes[] = { { "GET", "/tail", handle_logs_tail } };

static int set_up_with(struct log_tail_conf conf)
{
    struct http_conf c = { .listen = { "127.0.0.1:0" }, .n_listen = 1, .threads = 2 };
    struct err e = ERR_INIT;
    hub = log_tail_start(&conf);
    api = (struct logs_api){ .base = &base, .hub = hub };
    server = http_server_new();
    http_server_routes(server, routes, 1, &api);
    assert_int_equal(http_server_start(server, &c, &e), OK);
    port = http_server_port(server, 0);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with((struct log_tail_conf){ 0 });
}

static int set_up_small(void **state)
{
    (void)state;
    return set_up_with((struct log_tail_conf){ .queue_bytes = 4096, .no_patterns = true });
}

static int tear_down(void **state)
{
    (void)state;
    http_server_stop(server, 1000);
    log_tail_stop(hub);
    http_server_free(server);
    return 0;
}

/* What the doors do when they have accepted a record. */
static void arrive(const char *service, const char *line, uint8_t severity)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct records r;
    struct attr name = { STR("service.name"), value_str(str_of(service)) };
    struct origin origin = { .resource = { &name, 1 } };
    struct record record = { .time_ns = 1000,
                             .log = { .severity = severity, .body = value_str(str_of(line)) } };
    records_init(&r, &a, TABLE_LOGS);
    records_origin(&r, &origin);
    assert_int_equal(records_add(&r, &record, NULL), OK);
    records_end(&r);
    struct record_tap tap = log_tail_tap(hub);
    tap.seen(tap.ctx, &r);
    arena_release(&a);
}

static int follow(const char *path)
{
    char request[500];
    int fd = raw_connect(port);
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    raw_send(fd, request, (size_t)n);
    raw_read(fd, text, "as they come", 2000);
    return fd;
}

/* ---- tests ---- */

TEST(only_lines_that_pass_are_told)
{
    int fd = follow("/tail?service=planner&severity=warn%2B&text=TASK");
    arrive("planner", "task failed", 17);
    arrive("planner", "task went on", 9);
    arrive("critic", "task failed too", 17);
    arrive("planner", "task is late", 13);
    raw_read(fd, text, "late", 2000);
    EXPECT(strstr(text, "\"message\":\"task failed\"") != NULL);
    EXPECT(strstr(text, "went on") == NULL && strstr(text, "too") == NULL);
    EXPECT(strstr(text, "\"severity\":\"WARN\",\"severity_number\":13") != NULL);
    close(fd);
}

TEST(logql_may_decide_and_change_the_line)
{
    int fd = follow("/tail?query=%7Bservice_name%3D%22planner%22%7D%20%7C%20logfmt%20%7C%20line_format%20%"
                    "22n%3D%7B%7B.n%7D%7D%22");
    arrive("critic", "n=1", 9);
    arrive("planner", "n=2 m=3", 9);
    raw_read(fd, text, "\n\n\r\n", 2000);
    EXPECT(strstr(text, "\"message\":\"n=2\"") != NULL);
    EXPECT(strstr(text, "n=1") == NULL);
    close(fd);
}

TEST(what_the_hub_cannot_hold_is_counted_and_told)
{
    int fd = follow("/tail");
    static char line[3000];
    memset(line, 'x', sizeof line - 1);
    for (int i = 0; i < 3000; i++) arrive("planner", line, 9);
    for (int i = 0; i < 50 && strstr(text, "event: dropped") == NULL; i++)
        raw_read(fd, text, "event: dropped", 200);
    EXPECT(strstr(text, "event: dropped\ndata: {\"dropped\":") != NULL);
    close(fd);
}

TEST(a_question_that_is_wrong_is_refused)
{
    char *got = raw_ask(port, "GET /tail?severity=loud HTTP/1.1\r\nHost: a\r\n\r\n", 45, "}");
    EXPECT(strstr(got, "HTTP/1.1 400 ") == got);
    EXPECT(strstr(got, "severity: ") != NULL);
    free(got);
    got = raw_ask(port, "GET /tail?query=%7B HTTP/1.1\r\nHost: a\r\n\r\n", 41, "}");
    EXPECT(strstr(got, "HTTP/1.1 400 ") == got);
    free(got);
}

struct seen {
    size_t n;
    uint64_t lines;
};

static void see(void *ctx, const struct live_pattern *p)
{
    struct seen *s = ctx;
    s->n++;
    s->lines += p->pattern.lines;
    EXPECT(str_is(p->service, "planner") || str_is(p->service, "critic"));
    EXPECT(!p->is_new); /* everything is new to a server that has just begun */
}

TEST(patterns_are_kept_by_service)
{
    struct seen s = { 0 };
    arrive("planner", "task 1 failed", 17);
    arrive("planner", "task 2 failed", 17);
    arrive("critic", "task 3 failed", 17);
    for (int i = 0; i < 200 && s.lines < 3; i++) {
        poll(NULL, 0, 10);
        s = (struct seen){ 0 };
        EXPECT(log_tail_patterns(hub, see, &s));
    }
    EXPECT_INT(s.n, 2);
    EXPECT_INT(s.lines, 3);
}

static _Atomic bool stop_writing;

static void *write_on(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop_writing)) arrive("planner", "task 7 goes on", 9);
    return NULL;
}

TEST(followers_come_and_go_while_lines_arrive)
{
    pthread_t t[2];
    atomic_store(&stop_writing, false);
    for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, write_on, NULL);
    for (int i = 0; i < 10; i++) {
        int fd = follow("/tail?service=planner");
        raw_read(fd, text, "goes on", 2000);
        EXPECT(strstr(text, "goes on") != NULL);
        close(fd);
    }
    atomic_store(&stop_writing, true);
    for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
}

#define CASE_SERVED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TESTS(CASE_SERVED(only_lines_that_pass_are_told), CASE_SERVED(logql_may_decide_and_change_the_line),
      cmocka_unit_test_setup_teardown(what_the_hub_cannot_hold_is_counted_and_told, set_up_small, tear_down),
      CASE_SERVED(a_question_that_is_wrong_is_refused), CASE_SERVED(patterns_are_kept_by_service),
      CASE_SERVED(followers_come_and_go_while_lines_arrive))
