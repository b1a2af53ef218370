#include "unit/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_server.h"
#include "unit/net/raw.h"

/* ---- handlers ---- */

static void hello(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_answer(x, 200, "text/plain", STR("hello"));
}

static void echo(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_answer(x, 200, "application/octet-stream", http_body(x));
}

static void length(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_answer(x, 200, "text/plain", arena_printf(http_arena(x), "%zu bytes", http_body(x).n));
}

static void list_params(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    struct str *a;
    size_t n = http_params(x, "a", &a);
    struct str all = STR("");
    for (size_t i = 0; i < n; i++)
        all = arena_printf(http_arena(x), "%.*s[%.*s]", STR_ARG(all), STR_ARG(a[i]));
    all = arena_printf(http_arena(x), "%.*s name=%.*s first=%.*s has_b=%d peer=%.*s", STR_ARG(all),
                       STR_ARG(http_path_param(x, "name")), STR_ARG(http_param(x, "a")),
                       http_has_param(x, "b"), STR_ARG(http_peer(x)));
    http_answer(x, 200, "text/plain", all);
}

static void big_json(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    struct buf b = BUF_INIT(1 << 20);
    for (int i = 0; i < 5000; i++) buf_cs(&b, "[1,2,3],");
    http_answer_buf(x, 200, "application/json", &b);
}

static void page(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_answer_header(x, "X-Bad", STR("a\r\nSet-Cookie: b"));
    http_answer_header(x, "X-Good", STR("yes"));
    http_answer_static(x, 200, "text/html; charset=utf-8", STR("<p>hi"));
}

static void *answer_now(void *arg)
{
    struct http_exchange *x = arg;
    http_answer(x, 200, "text/plain", str_of("later"));
    return NULL;
}

static void *answer_in_100ms(void *arg)
{
    poll(NULL, 0, 100);
    return answer_now(arg);
}

static void post(void *(*fn)(void *), void *arg)
{
    pthread_t t;
    pthread_attr_t a;
    pthread_attr_init(&a);
    pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
    assert_int_equal(pthread_create(&t, &a, fn, arg), 0);
    pthread_attr_destroy(&a);
}

static void later_now(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    post(answer_now, x);
}

static void later_100(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    post(answer_in_100ms, x);
}

static _Atomic int saw_gone;

static void *wait_until_gone(void *arg)
{
    struct http_exchange *x = arg;
    for (int i = 0; i < 300 && !atomic_load(http_gone(x)); i++) poll(NULL, 0, 10);
    atomic_store(&saw_gone, atomic_load(http_gone(x)) ? 1 : -1);
    return answer_now(x);
}

static void until_gone(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    post(wait_until_gone, x);
}

static struct http_exchange *_Atomic kept;

static void keep(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    atomic_store(&kept, x);
}

static const struct http_route routes[] = {
    { "GET", "/hello", hello },        { "POST", "/echo", echo },          { "POST", "/length", length },
    { "*", "/p/{name}", list_params }, { "GET", "/later/now", later_now }, { "GET", "/later/100", later_100 },
    { "GET", "/gone", until_gone },    { "GET", "/keep", keep },           { "GET", "/big", big_json },
    { "GET", "/page", page },
};

static struct http_server *start(struct http_conf c)
{
    c.listen[0] = "127.0.0.1:0";
    c.n_listen = 1;
    struct http_server *s = http_server_new();
    struct err e = ERR_INIT;
    http_server_routes(s, routes, sizeof routes / sizeof *routes, NULL);
    int rc = http_server_start(s, &c, &e);
    if (rc != OK) printf("%s\n", e.text);
    assert_int_equal(rc, OK);
    return s;
}

static struct http_server *server;
static unsigned port;

static int set_up(void **state)
{
    (void)state;
    server = start((struct http_conf){ .threads = 2, .max_body_bytes = 1 << 20 });
    port = http_server_port(server, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_server_stop(server, 1000);
    http_server_free(server);
    return 0;
}

#define ASK(request, until) raw_ask(port, request, sizeof(request) - 1, until)
#define EXPECT_IN(text, what)                                                                                \
    do {                                                                                                     \
        if (strstr(text, what) == NULL) printf("no \"%s\" in: %s\n", what, text);                            \
        assert_non_null(strstr(text, what));                                                                 \
    } while (0)

/* ---- tests ---- */

TEST(a_get_is_answered_with_the_standard_headers)
{
    char *t = ASK("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", "hello");
    EXPECT_IN(t, "HTTP/1.1 200 ");
    EXPECT_IN(t, "Content-Length: 5\r\n");
    EXPECT_IN(t, "X-Content-Type-Options: nosniff\r\n");
    EXPECT_IN(t, "Server: vedette\r\n");
    EXPECT_IN(t, "Date: ");
    EXPECT_IN(t, "\r\n\r\nhello");
    free(t);
}

TEST(html_carries_the_policy_and_no_header_can_be_split)
{
    char *t = ASK("GET /page HTTP/1.1\r\nHost: x\r\n\r\n", "<p>hi");
    EXPECT_IN(t, "Content-Security-Policy: default-src 'none'; script-src 'self'");
    EXPECT_IN(t, "X-Good: yes");
    EXPECT(strstr(t, "Set-Cookie") == NULL);
    free(t);
}

TEST(head_is_the_get_without_its_body)
{
    char *t = ASK("HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", NULL);
    EXPECT_IN(t, "HTTP/1.1 200 ");
    EXPECT_IN(t, "Content-Length: 5\r\n");
    EXPECT(strstr(t, "hello") == NULL);
    free(t);
}

TEST(unknown_paths_and_methods_say_so)
{
    char *t = ASK("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", "no such path");
    EXPECT_IN(t, "HTTP/1.1 404 ");
    EXPECT_IN(t, "text/plain");
    free(t);
    t = ASK("GET /api/nowhere HTTP/1.1\r\nHost: x\r\n\r\n", "}");
    EXPECT_IN(t, "{\"status\":\"error\",\"errorType\":\"not_found\",\"error\":\"no such path\"}");
    free(t);
    t = ASK("DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n", "allowed");
    EXPECT_IN(t, "HTTP/1.1 405 ");
    EXPECT_IN(t, "Allow: GET, HEAD, OPTIONS\r\n");
    free(t);
    t = ASK("OPTIONS /hello HTTP/1.1\r\nHost: x\r\nOrigin: http://evil\r\n\r\n", "\r\n\r\n");
    EXPECT_IN(t, "HTTP/1.1 204 ");
    EXPECT_IN(t, "Allow: GET, HEAD, OPTIONS\r\n");
    EXPECT(strstr(t, "Access-Control") == NULL);
    free(t);
}

TEST(parameters_of_url_and_form_are_merged_url_first)
{
    char *t = ASK("POST /p/x%2Fy?a=1&a=2 HTTP/1.1\r\nHost: x\r\nContent-Type: "
                  "application/x-www-form-urlencoded; charset=utf-8\r\n"
                  "Content-Length: 9\r\n\r\na=3&b&a=4",
                  "peer=127.0.0.1");
    EXPECT_IN(t, "[1][2][3][4] name=x/y first=1 has_b=1");
    free(t);
    t = ASK(
        "POST /p/n?a=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n",
        "peer");
    EXPECT_IN(t, "[1] name=n");
    free(t);
    t = ASK(
        "POST /p/n?a=1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\na=2",
        "peer");
    EXPECT_IN(t, "[1] name=n"); /* a JSON body is no form */
    EXPECT(strstr(t, "[2]") == NULL);
    free(t);
}

TEST(a_chunked_body_arrives_whole)
{
    char *t = ASK("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                  "chunked\r\n\r\n5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\n\r\n",
                  "world");
    EXPECT_IN(t, "\r\n\r\nhello, world");
    free(t);
}

TEST(a_client_may_wait_for_100_continue)
{
    char t[4096];
    char *text = calloc(1, RAW_MAX);
    int fd = raw_connect(port);
    raw_send(fd, t,
             (size_t)snprintf(
                 t, sizeof t,
                 "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"));
    raw_read(fd, text, "100 Continue", 2000);
    EXPECT_IN(text, "HTTP/1.1 100 Continue");
    RAW_SEND(fd, "data");
    raw_read(fd, text, "data", 2000);
    EXPECT_IN(text, "HTTP/1.1 200 ");
    close(fd);

    fd = raw_connect(port); /* and hears at once when its body is too large */
    raw_send(
        fd, t,
        (size_t)snprintf(
            t, sizeof t,
            "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"));
    raw_read(fd, text, NULL, 2000);
    EXPECT_IN(text, "HTTP/1.1 413 ");
    EXPECT(strstr(text, "100 Continue") == NULL);
    close(fd);
    free(text);
}

TEST(connections_are_kept_and_requests_may_be_pipelined)
{
    char *text = calloc(1, RAW_MAX);
    int fd = raw_connect(port);
    for (int i = 0; i < 3; i++) {
        RAW_SEND(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
        raw_read(fd, text, "hello", 2000);
        EXPECT_IN(text, "HTTP/1.1 200 ");
    }
    const char three[] = "GET /later/100 HTTP/1.1\r\nHost: x\r\n\r\n"
                         "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                         "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    raw_send(fd, three, sizeof three - 1);
    EXPECT(raw_read(fd, text, NULL, 3000));
    EXPECT_INT(raw_count(text, "HTTP/1.1 200 "), 3);
    EXPECT(strstr(text, "later") < strstr(text, "abc") && strstr(text, "abc") < strstr(text, "hello"));
    close(fd);
    free(text);
}

TEST(an_answer_may_come_from_another_thread_now_or_later)
{
    for (int i = 0; i < 200; i++) {
        char *t = ASK("GET /later/now HTTP/1.1\r\nHost: x\r\n\r\n", "later");
        EXPECT_IN(t, "HTTP/1.1 200 ");
        free(t);
    }
    int64_t before = clock_mono_ns();
    char *t = ASK("GET /later/100 HTTP/1.1\r\nHost: x\r\n\r\n", "later");
    EXPECT_IN(t, "HTTP/1.1 200 ");
    EXPECT(clock_mono_ns() - before >= 100000000);
    free(t);
}

TEST(two_hundred_exchanges_wait_at_once)
{
    enum { N = 200 };
    int fd[N];
    char *text = calloc(1, RAW_MAX);
    for (int i = 0; i < N; i++) {
        fd[i] = raw_connect(port);
        EXPECT(fd[i] >= 0);
        raw_send(fd[i], "GET /later/100 HTTP/1.1\r\nHost: x\r\n\r\n", 37);
    }
    for (int i = 0; i < N; i++) {
        raw_read(fd[i], text, "later", 5000);
        EXPECT_IN(text, "HTTP/1.1 200 ");
        close(fd[i]);
    }
    free(text);
}

static char *ask_with_body(unsigned to, const char *path, size_t n, bool chunked)
{
    char *request = malloc(n + 512);
    int head = snprintf(request, 512,
                        chunked ? "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n"
                                : "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                        path, n);
    memset(request + head, 'b', n);
    size_t all = (size_t)head + n;
    if (chunked) memcpy(request + all, "\r\n0\r\n\r\n", 7), all += 7;
    char *t = raw_ask(to, request, all, "\n\n");
    free(request);
    return t;
}

TEST(bodies_up_to_the_limit_are_taken_and_beyond_refused)
{
    for (int chunked = 0; chunked < 2; chunked++) {
        char *t = ask_with_body(port, "/length", 1 << 20, chunked);
        EXPECT_IN(t, "1048576 bytes");
        free(t);
        t = ask_with_body(port, "/length", (1 << 20) + 1, chunked);
        EXPECT_IN(t, "HTTP/1.1 413 ");
        EXPECT_INT(raw_count(t, "HTTP/1.1"), 1);
        free(t);
    }
}

TEST(bodies_in_flight_have_a_ceiling_together)
{
    struct http_server *s = start((struct http_conf){ .threads = 2, .max_inflight_bytes = 300000 });
    unsigned p = http_server_port(s, 0);
    int holds = raw_connect(p); /* declares 250 kB, sends some of it, and dawdles */
    RAW_SEND(holds, "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 250000\r\n\r\nabc");
    poll(NULL, 0, 100);

    char *t = ask_with_body(p, "/length", 100000, false);
    EXPECT_IN(t, "HTTP/1.1 503 ");
    EXPECT_IN(t, "Retry-After: 1\r\n");
    free(t);
    close(holds);
    poll(NULL, 0, 100);
    t = ask_with_body(p, "/length", 100000, false);
    EXPECT_IN(t, "100000 bytes"); /* the dawdler's share came back */
    free(t);
    http_server_free(s);
}

TEST(large_json_is_gzipped_for_those_who_ask)
{
    char *t = ASK("GET /big HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n", NULL);
    EXPECT_IN(t, "Content-Encoding: gzip\r\n");
    EXPECT_IN(t, "Vary: Accept-Encoding\r\n");
    free(t);
    t = ASK("GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", NULL);
    EXPECT(strstr(t, "Content-Encoding") == NULL);
    EXPECT_IN(t, "Vary: Accept-Encoding\r\n");
    EXPECT_IN(t, "Content-Length: 40000\r\n");
    free(t);
}

TEST(a_client_that_hangs_up_is_noticed_while_suspended)
{
    atomic_store(&saw_gone, 0);
    int fd = raw_connect(port);
    RAW_SEND(fd, "GET /gone HTTP/1.1\r\nHost: x\r\n\r\n");
    poll(NULL, 0, 50);
    close(fd);
    for (int i = 0; i < 400 && atomic_load(&saw_gone) == 0; i++) poll(NULL, 0, 10);
    EXPECT_INT(atomic_load(&saw_gone), 1);
}

TEST(stopping_while_busy_answers_503_and_late_answers_do_no_harm)
{
    struct http_server *s = start((struct http_conf){ .threads = 2 });
    unsigned p = http_server_port(s, 0);
    char *text = calloc(1, RAW_MAX);
    int fd = raw_connect(p), quick = raw_connect(p);
    atomic_store(&kept, NULL);
    RAW_SEND(fd, "GET /keep?q=1 HTTP/1.1\r\nHost: x\r\nX-Me: you\r\n\r\n");
    RAW_SEND(quick, "GET /later/100 HTTP/1.1\r\nHost: x\r\n\r\n");
    while (atomic_load(&kept) == NULL) poll(NULL, 0, 1);
    poll(NULL, 0, 20);

    http_server_stop(s, 300);
    raw_read(fd, text, NULL, 2000);
    EXPECT_IN(text, "HTTP/1.1 503 ");
    raw_read(quick, text, NULL, 2000);
    EXPECT_IN(text, "HTTP/1.1 200 "); /* was within the grace */
    EXPECT(raw_connect(p) < 0);
    http_server_free(s);

    struct http_exchange *late = atomic_load(&kept);
    EXPECT(str_is(http_header(late, "x-me"), "you")); /* still its own copy */
    EXPECT(str_is(http_param(late, "q"), "1"));
    http_answer(late, 200, "text/plain", STR("too late"));
    close(fd);
    close(quick);
    free(text);
}

TEST(a_port_that_is_taken_is_an_error_that_names_it)
{
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    struct http_conf c = { .listen = { address }, .n_listen = 1 };
    struct http_server *s = http_server_new();
    struct err e = ERR_INIT;
    EXPECT(http_server_start(s, &c, &e) == ERR_IO);
    EXPECT_IN(e.text, address);
    http_server_free(s);

    const char *const bad[] = { "8090",   "127.0.0.1:",  ":80",  "127.0.0.1:99999",
                                "::1:80", "127.0.0.1:x", "[::1]" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        s = http_server_new();
        c.listen[0] = bad[i];
        EXPECT(http_server_start(s, &c, &e) == ERR_PARSE);
        EXPECT_IN(e.text, bad[i]);
        http_server_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(a_get_is_answered_with_the_standard_headers),
        CASE(html_carries_the_policy_and_no_header_can_be_split),
        CASE(head_is_the_get_without_its_body),
        CASE(unknown_paths_and_methods_say_so),
        CASE(parameters_of_url_and_form_are_merged_url_first),
        CASE(a_chunked_body_arrives_whole),
        CASE(a_client_may_wait_for_100_continue),
        CASE(connections_are_kept_and_requests_may_be_pipelined),
        CASE(an_answer_may_come_from_another_thread_now_or_later),
        CASE(two_hundred_exchanges_wait_at_once),
        CASE(bodies_up_to_the_limit_are_taken_and_beyond_refused),
        CASE(bodies_in_flight_have_a_ceiling_together),
        CASE(large_json_is_gzipped_for_those_who_ask),
        CASE(a_client_that_hangs_up_is_noticed_while_suspended),
        CASE(stopping_while_busy_answers_503_and_late_answers_do_no_harm),
        CASE(a_port_that_is_taken_is_an_error_that_names_it),
    };
    return cmocka_run_group_tests(all, set_up, tear_down);
}
