#include "unit/test.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "net/http_client.h"
#include "net/http_server.h"

static _Atomic int gone;
static char url[128];

static void hello(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_answer_header(x, "X-Prometheus-Refresh-Interval-Seconds", STR("30"));
    http_answer(x, 200, "text/plain; v=1", STR("hello"));
}

static void show(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    struct str s = arena_printf(http_arena(x), "%.*s auth=%.*s type=%.*s x=%.*s agent=%.*s body=%.*s",
                                STR_ARG(http_method(x)), STR_ARG(http_header(x, "authorization")),
                                STR_ARG(http_header(x, "content-type")), STR_ARG(http_header(x, "x-mine")),
                                STR_ARG(http_header(x, "user-agent")), STR_ARG(http_body(x)));
    http_answer(x, 418, "text/plain", s);
}

static void zeros(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    static char all[1 << 20];
    http_answer(x, 200, "text/plain", str_make(all, sizeof all));
}

static void redirect(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_answer_header(x, "Location", STR("/hello"));
    http_answer(x, 302, NULL, STR(""));
}

static void loop(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_answer_header(x, "Location", STR("/loop"));
    http_answer(x, 302, NULL, STR(""));
}

static void *never_thread(void *arg)
{
    struct http_exchange *x = arg;
    for (int i = 0; i < 500 && !atomic_load(http_gone(x)); i++) poll(NULL, 0, 10);
    atomic_store(&gone, atomic_load(http_gone(x)));
    http_answer(x, 200, NULL, STR(""));
    return NULL;
}

static void never(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    pthread_t t;
    pthread_create(&t, NULL, never_thread, x);
    pthread_detach(t);
}

static const struct http_route routes[] = { { "GET", "/hello", hello }, { "*", "/show", show },
                                            { "GET", "/zeros", zeros }, { "GET", "/redirect", redirect },
                                            { "GET", "/loop", loop },   { "GET", "/never", never } };
static struct http_server *server;

static int set_up(void **state)
{
    (void)state;
    struct http_conf c = { .listen = { "127.0.0.1:0" }, .n_listen = 1, .threads = 2 };
    server = http_server_new();
    http_server_routes(server, routes, sizeof routes / sizeof *routes, NULL);
    return http_server_start(server, &c, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    http_server_stop(server, 3000);
    http_server_free(server);
    return 0;
}

static const char *at(const char *path)
{
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", http_server_port(server, 0), path);
    return url;
}

static struct http_fetched now(struct http_fetch f)
{
    struct http_fetched got;
    struct err e = ERR_INIT;
    http_fetch_now(&f, &got, &e);
    return got;
}

TEST(an_answer_comes_with_status_type_and_body)
{
    struct http_fetched got = now((struct http_fetch){ .url = at("/hello") });
    EXPECT_INT(got.rc, OK);
    EXPECT_INT(got.status, 200);
    EXPECT_STR(got.content_type, "text/plain; v=1");
    EXPECT_STR(got.refresh_interval, "30");
    EXPECT(str_is(buf_view(&got.body), "hello"));
    EXPECT_INT(got.wire_bytes, 5);
    buf_release(&got.body);
}

TEST(methods_bodies_and_credentials_go_out_as_asked)
{
    const char *const headers[] = { "X-Mine: 1", "Content-Type: application/json" };
    struct http_fetched got = now((struct http_fetch){ .method = "POST",
                                                       .url = at("/show"),
                                                       .headers = headers,
                                                       .n_headers = 2,
                                                       .body = STR("{}"),
                                                       .bearer = "abc" });
    EXPECT_INT(got.status, 418);
    EXPECT_STR(buf_cstr(&got.body), "POST auth=Bearer abc type=application/json x=1 agent=vedette body={}");
    buf_release(&got.body);

    got = now((struct http_fetch){ .method = "PUT", .url = at("/show"), .user = "u", .password = "p" });
    EXPECT_STR(buf_cstr(&got.body), "PUT auth=Basic dTpw type= x= agent=vedette body=");
    buf_release(&got.body);
}

TEST(an_answer_beyond_its_ceiling_is_cut_off_packed_or_not)
{
    for (int gzip = 0; gzip < 2; gzip++) {
        struct http_fetched got =
            now((struct http_fetch){ .url = at("/zeros"), .max_answer_bytes = 100000, .accept_gzip = gzip });
        EXPECT_INT(got.rc, ERR_LIMIT);
        EXPECT(got.body.n <= 100000);
        EXPECT_STR(got.error, "answer larger than 100000 bytes");
        buf_release(&got.body);
    }
    struct http_fetched got =
        now((struct http_fetch){ .url = at("/zeros"), .max_answer_bytes = 1 << 20, .accept_gzip = true });
    EXPECT_INT(got.rc, OK);
    EXPECT_INT(got.body.n, 1 << 20);
    EXPECT(got.wire_bytes < 20000);
    buf_release(&got.body);
}

TEST(redirects_are_followed_only_when_asked_and_not_for_ever)
{
    struct http_fetched got = now((struct http_fetch){ .url = at("/redirect") });
    EXPECT_INT(got.status, 302);
    buf_release(&got.body);
    got = now((struct http_fetch){ .url = at("/redirect"), .follow_redirects = true });
    EXPECT_INT(got.status, 200);
    buf_release(&got.body);
    got = now((struct http_fetch){ .url = at("/loop"), .follow_redirects = true });
    EXPECT_INT(got.rc, ERR_LIMIT);
    buf_release(&got.body);
}

TEST(what_cannot_be_asked_is_refused_with_a_reason)
{
    const char *const split[] = { "A: b\r\nC: d" };
    const struct http_fetch bad[] = { { .url = "file:///etc/passwd" },
                                      { .url = "http://" },
                                      { .url = "gopher://x/" },
                                      { .url = "http://x/", .headers = split, .n_headers = 1 },
                                      { .url = "http://x/", .bearer = "a\nb" },
                                      { .url = "http://x/", .method = "GE T" } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct http_fetched got;
        struct err e = ERR_INIT;
        EXPECT_INT(http_fetch_now(&bad[i], &got, &e), ERR_RANGE);
        EXPECT(e.text[0] != 0);
    }
    struct http_fetched got = now((struct http_fetch){ .url = "http://127.0.0.1:1/" });
    EXPECT_INT(got.rc, ERR_IO);
    EXPECT(got.error[0] != 0);
}

TEST(a_slow_server_meets_the_timeout_and_learns_of_it)
{
    atomic_store(&gone, 0);
    struct http_fetched got = now((struct http_fetch){ .url = at("/never"), .timeout_ms = 100 });
    EXPECT_INT(got.rc, ERR_TIMEOUT);
    for (int i = 0; i < 300 && !atomic_load(&gone); i++) poll(NULL, 0, 10);
    EXPECT(atomic_load(&gone));
}

struct tally {
    _Atomic int ok, cancelled, other;
};

static void count(struct http_fetched *got, void *ctx)
{
    struct tally *t = ctx;
    if (got->rc == OK && str_is(buf_view(&got->body), "hello"))
        atomic_fetch_add(&t->ok, 1);
    else if (got->rc == ERR_CANCEL)
        atomic_fetch_add(&t->cancelled, 1);
    else
        atomic_fetch_add(&t->other, 1);
}

TEST(many_transfers_share_one_thread)
{
    struct tally tally = { 0 };
    struct http_client *c = http_client_start(100, NULL);
    struct http_fetch f = { .url = at("/hello") };
    for (int i = 0; i < 100; i++) EXPECT_INT(http_client_fetch(c, &f, count, &tally, NULL), OK);
    for (int i = 0; i < 500 && atomic_load(&tally.ok) < 100; i++) poll(NULL, 0, 10);
    EXPECT_INT(atomic_load(&tally.ok), 100);
    http_client_stop(c);
}

TEST(a_full_client_says_so_and_stopping_cancels_what_runs)
{
    struct tally tally = { 0 };
    struct http_client *c = http_client_start(3, NULL);
    struct http_fetch f = { .url = at("/never") };
    for (int i = 0; i < 3; i++) EXPECT_INT(http_client_fetch(c, &f, count, &tally, NULL), OK);
    EXPECT_INT(http_client_fetch(c, &f, count, &tally, NULL), ERR_BUSY);
    poll(NULL, 0, 50);
    int64_t before = clock_mono_ns();
    http_client_stop(c);
    EXPECT(clock_mono_ns() - before < 1000000000);
    EXPECT_INT(atomic_load(&tally.cancelled), 3);
    EXPECT_INT(atomic_load(&tally.other), 0);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(an_answer_comes_with_status_type_and_body),
        CASE(methods_bodies_and_credentials_go_out_as_asked),
        CASE(an_answer_beyond_its_ceiling_is_cut_off_packed_or_not),
        CASE(redirects_are_followed_only_when_asked_and_not_for_ever),
        CASE(what_cannot_be_asked_is_refused_with_a_reason),
        CASE(a_slow_server_meets_the_timeout_and_learns_of_it),
        CASE(many_transfers_share_one_thread),
        CASE(a_full_client_says_so_and_stopping_cancels_what_runs),
    };
    return cmocka_run_group_tests(all, set_up, tear_down);
}
