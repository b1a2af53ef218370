/* A client made of libnghttp2 talks to the server over a socket. */
#include "unit/test.h"

#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "net/grpc_server.h"
#include "unit/net/raw.h"

/* ---- a small client ---- */

struct rpc {
    const char *path, *method, *type, *encoding, *timeout;
    struct buf body; /* with its head */
    size_t sent;
    bool keep_open; /* never ends the stream */
    int32_t id;
    char status[8], http[8], message[256], details[256];
    struct buf reply;
    bool closed;
    uint32_t reset;
};

struct client {
    int fd;
    nghttp2_session *session;
    bool ended, goaway;
    uint32_t goaway_code;
};

static ssize_t body_read(nghttp2_session *s, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                         nghttp2_data_source *src, void *user)
{
    (void)s, (void)id, (void)user;
    struct rpc *r = src->ptr;
    size_t n = r->body.n - r->sent < room ? r->body.n - r->sent : room;
    if (n == 0 && r->keep_open) return NGHTTP2_ERR_DEFERRED;
    if (n) memcpy(to, r->body.p + r->sent, n);
    r->sent += n;
    if (r->sent == r->body.n && !r->keep_open) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static int on_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name, size_t nn,
                     const uint8_t *v, size_t vn, uint8_t flags, void *user)
{
    (void)flags, (void)user, (void)nn;
    struct rpc *r = nghttp2_session_get_stream_user_data(s, f->hd.stream_id);
    if (r == NULL) return 0;
    const struct {
        const char *name;
        char *to;
        size_t room;
    } keep[] = { { ":status", r->http, sizeof r->http },
                 { "grpc-status", r->status, sizeof r->status },
                 { "grpc-message", r->message, sizeof r->message },
                 { "grpc-status-details-bin", r->details, sizeof r->details } };
    for (size_t i = 0; i < 4; i++)
        if (strcmp((const char *)name, keep[i].name) == 0)
            snprintf(keep[i].to, keep[i].room, "%.*s", (int)vn, (const char *)v);
    return 0;
}

static int on_chunk(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *user)
{
    (void)flags, (void)user;
    struct rpc *r = nghttp2_session_get_stream_user_data(s, id);
    if (r) buf_add(&r->reply, p, n);
    return 0;
}

static int on_close(nghttp2_session *s, int32_t id, uint32_t code, void *user)
{
    (void)user;
    struct rpc *r = nghttp2_session_get_stream_user_data(s, id);
    if (r) r->closed = true, r->reset = code;
    return 0;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
    (void)s;
    struct client *c = user;
    if (f->hd.type == NGHTTP2_GOAWAY) c->goaway = true, c->goaway_code = f->goaway.error_code;
    return 0;
}

static void client_open(struct client *c, unsigned port)
{
    *c = (struct client){ .fd = raw_connect(port) };
    assert_true(c->fd >= 0);
    nghttp2_session_callbacks *cb;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_client_new(&c->session, cb, c);
    nghttp2_session_callbacks_del(cb);
    nghttp2_submit_settings(c->session, 0, NULL, 0);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static void client_close(struct client *c)
{
    nghttp2_session_del(c->session);
    close(c->fd);
}

static void client_submit(struct client *c, struct rpc *r)
{
#define HEADER(n, v) { (uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), strlen(n), strlen(v), 0 }
    nghttp2_nv nv[8] = { HEADER(":method", r->method ? r->method : "POST"),
                         HEADER(":scheme", "http"),
                         HEADER(":path", r->path),
                         HEADER(":authority", "x"),
                         HEADER("content-type", r->type ? r->type : "application/grpc"),
                         HEADER("te", "trailers") };
    size_t n = 6;
    if (r->encoding) nv[n++] = (nghttp2_nv)HEADER("grpc-encoding", r->encoding);
    if (r->timeout) nv[n++] = (nghttp2_nv)HEADER("grpc-timeout", r->timeout);
    nghttp2_data_provider body = { .source.ptr = r, .read_callback = body_read };
    r->reply.max = 1 << 26;
    r->id = nghttp2_submit_request(c->session, NULL, nv, n, &body, r);
    assert_true(r->id > 0);
}

/* Move bytes both ways once; waits up to timeout_ms for the server. */
static void client_turn(struct client *c, int timeout_ms)
{
    static _Thread_local char in[65536];
    const uint8_t *p;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(c->session, &p)) > 0) {
        for (ssize_t k; n > 0; p += k, n -= k) {
            k = send(c->fd, p, (size_t)n, MSG_NOSIGNAL);
            if (k < 0 && errno != EAGAIN) c->ended = true;
            if (k < 0) poll(&(struct pollfd){ .fd = c->fd, .events = POLLOUT }, 1, 100), k = 0;
            if (c->ended) return;
        }
    }
    if (poll(&(struct pollfd){ .fd = c->fd, .events = POLLIN }, 1, timeout_ms) <= 0) return;
    n = recv(c->fd, in, sizeof in, 0);
    if (n <= 0 || nghttp2_session_mem_recv(c->session, (uint8_t *)in, (size_t)n) < 0) c->ended = true;
}

static void client_wait(struct client *c, struct rpc *r)
{
    int64_t until = clock_mono_ns() + 5000000000;
    while (!r->closed && !c->ended && clock_mono_ns() < until) client_turn(c, 50);
}

static void rpc_body(struct rpc *r, int flag, const char *p, size_t n)
{
    r->body.max = 1 << 26;
    char head[5] = { (char)flag, (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n };
    buf_add(&r->body, head, 5);
    buf_add(&r->body, p, n);
}

static void rpc_release(struct rpc *r)
{
    buf_release(&r->body);
    buf_release(&r->reply);
}

static unsigned port;

/* One call on a connection of its own. */
static void call(struct rpc *r)
{
    struct client c;
    client_open(&c, port);
    client_submit(&c, r);
    client_wait(&c, r);
    client_close(&c);
    assert_true(r->closed || c.ended);
}

/* ---- a server ---- */

static void echo(struct grpc_call *c, void *ctx)
{
    (void)ctx;
    grpc_answer(c, GRPC_OK, grpc_message(c), NULL, 0);
}

static void answer_busy(struct grpc_call *c, void *ctx)
{
    (void)ctx;
    grpc_answer(c, GRPC_UNAVAILABLE, STR(""), "too b\xc3\xbcsy", 1500);
}

static void *later_thread(void *arg)
{
    struct grpc_call *c = arg;
    poll(NULL, 0, 100);
    grpc_answer(c, GRPC_OK, grpc_message(c), NULL, 0);
    return NULL;
}

static _Atomic int later_calls;

static void later(struct grpc_call *c, void *ctx)
{
    (void)ctx;
    pthread_t t;
    atomic_fetch_add(&later_calls, 1);
    assert_int_equal(pthread_create(&t, NULL, later_thread, c), 0);
    pthread_detach(t);
}

static struct grpc_call *_Atomic kept;

static void keep(struct grpc_call *c, void *ctx)
{
    (void)ctx;
    atomic_store(&kept, c);
}

static const struct grpc_method methods[] = {
    { "/t.T/Echo", echo }, { "/t.T/Fail", answer_busy }, { "/t.T/Later", later }, { "/t.T/Keep", keep }
};
static struct grpc_server *server;

static struct grpc_server *start(void)
{
    struct grpc_server *s = grpc_server_new();
    grpc_server_methods(s, methods, sizeof methods / sizeof *methods, NULL);
    struct grpc_conf conf = { .listen = "127.0.0.1:0", .max_message_bytes = 2 << 20 };
    struct err e = ERR_INIT;
    assert_int_equal(grpc_server_start(s, &conf, &e), OK);
    return s;
}

static int set_up(void **state)
{
    (void)state;
    server = start();
    port = grpc_server_port(server);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    grpc_server_stop(server, 1000);
    grpc_server_free(server);
    return 0;
}

#define EXPECT_STATUS(r, want)                                                                               \
    do {                                                                                                     \
        if (strcmp((r).status, want) != 0)                                                                   \
            printf("grpc-status %s (%s), want %s\n", (r).status, (r).message, want);                         \
        EXPECT_STR((r).status, want);                                                                        \
    } while (0)

/* ---- tests ---- */

TEST(a_message_comes_back_with_status_0_in_the_trailers)
{
    struct rpc r = { .path = "/t.T/Echo" };
    rpc_body(&r, 0, "hello", 5);
    call(&r);
    EXPECT_STR(r.http, "200");
    EXPECT_STATUS(r, "0");
    EXPECT(str_eq(buf_view(&r.reply), str_make("\0\0\0\0\5hello", 10)));
    rpc_release(&r);

    struct rpc empty = { .path = "/t.T/Echo", .type = "application/grpc+proto" };
    rpc_body(&empty, 0, "", 0);
    call(&empty);
    EXPECT_STATUS(empty, "0");
    EXPECT_INT(empty.reply.n, 5);
    rpc_release(&empty);
}

TEST(an_error_carries_its_text_and_when_to_retry)
{
    struct rpc r = { .path = "/t.T/Fail" };
    rpc_body(&r, 0, "x", 1);
    call(&r);
    EXPECT_STR(r.http, "200");
    EXPECT_STATUS(r, "14");
    EXPECT_STR(r.message, "too b%C3%BCsy");
    EXPECT(strlen(r.details) > 20 && strchr(r.details, '=') == NULL);
    EXPECT_INT(r.reply.n, 0);
    rpc_release(&r);
}

TEST(what_is_no_grpc_is_told_so_in_http)
{
    struct rpc r = { .path = "/t.T/Echo", .type = "application/json" };
    rpc_body(&r, 0, "x", 1);
    call(&r);
    EXPECT_STR(r.http, "415");
    rpc_release(&r);
    struct rpc like = { .path = "/t.T/Echo", .type = "application/grpc-web" };
    rpc_body(&like, 0, "x", 1);
    call(&like);
    EXPECT_STR(like.http, "415");
    rpc_release(&like);
    struct rpc put = { .path = "/t.T/Echo", .method = "PUT" };
    rpc_body(&put, 0, "x", 1);
    call(&put);
    EXPECT_STR(put.http, "405");
    rpc_release(&put);
}

TEST(bad_calls_get_the_status_that_stops_retries)
{
    static const struct {
        const char *name, *path, *encoding, *timeout, *bytes;
        size_t n;
        const char *status;
    } bad[] = {
        { "unknown method", "/t.T/Nothing", NULL, NULL, "\0\0\0\0\0", 5, "12" },
        { "unknown encoding", "/t.T/Echo", "lz4", NULL, "\0\0\0\0\0", 5, "12" },
        { "no message", "/t.T/Echo", NULL, NULL, "", 0, "3" },
        { "half a head", "/t.T/Echo", NULL, NULL, "\0\0\0", 3, "3" },
        { "cut message", "/t.T/Echo", NULL, NULL, "\0\0\0\0\5abc", 8, "3" },
        { "two messages", "/t.T/Echo", NULL, NULL, "\0\0\0\0\1a\0\0\0\0\1b", 12, "3" },
        { "flag 2", "/t.T/Echo", NULL, NULL, "\2\0\0\0\0", 5, "3" },
        { "too large", "/t.T/Echo", NULL, NULL,
          "\0\x7f\xff\xff\xff"
          "abc",
          8, "8" },
        { "compressed without encoding", "/t.T/Echo", NULL, NULL, "\1\0\0\0\1a", 6, "3" },
        { "gzip that is none", "/t.T/Echo", "gzip", NULL, "\1\0\0\0\1a", 6, "3" },
        { "malformed timeout", "/t.T/Echo", NULL, "soon", "\0\0\0\0\0", 5, "3" },
        { "no time at all", "/t.T/Echo", NULL, "0S", "\0\0\0\0\0", 5, "4" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rpc r = {
            .path = bad[i].path, .encoding = bad[i].encoding, .timeout = bad[i].timeout, .body.max = 64
        };
        buf_add(&r.body, bad[i].bytes, bad[i].n);
        call(&r);
        if (strcmp(r.status, bad[i].status) != 0) printf("%s: %s %s\n", bad[i].name, r.status, r.message);
        EXPECT_STR(r.status, bad[i].status);
        rpc_release(&r);
    }
}

static void rpc_gzip(struct rpc *r, const char *p, size_t n)
{
    size_t room = compressBound(n) + 64;
    char *packed = malloc(room);
    z_stream z = { .next_in = (unsigned char *)(uintptr_t)p,
                   .avail_in = (unsigned)n,
                   .next_out = (unsigned char *)packed,
                   .avail_out = (unsigned)room };
    deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    rpc_body(r, 1, packed, z.total_out);
    deflateEnd(&z);
    free(packed);
    r->encoding = "gzip";
}

TEST(gzip_messages_are_unpacked_up_to_the_limit)
{
    size_t n = 3 << 20;
    char *p = calloc(1, n);
    struct rpc fits = { .path = "/t.T/Echo" }, bomb = { .path = "/t.T/Echo" };
    rpc_gzip(&fits, p, 2 << 20);
    call(&fits);
    EXPECT_STATUS(fits, "0");
    EXPECT_INT(fits.reply.n, (2 << 20) + 5);
    rpc_release(&fits);
    rpc_gzip(&bomb, p, n);
    call(&bomb);
    EXPECT_STATUS(bomb, "8");
    rpc_release(&bomb);
    free(p);
}

TEST(a_hundred_calls_share_a_connection_and_answers_come_from_other_threads)
{
    enum { N = 100 };
    static struct rpc r[N];
    struct client c;
    client_open(&c, port);
    char text[16];
    for (int i = 0; i < N; i++) {
        r[i] = (struct rpc){ .path = i % 2 ? "/t.T/Later" : "/t.T/Echo" };
        rpc_body(&r[i], 0, text, (size_t)snprintf(text, sizeof text, "call %03d", i));
        client_submit(&c, &r[i]);
    }
    for (int i = 0; i < N; i++) {
        client_wait(&c, &r[i]);
        EXPECT_STATUS(r[i], "0");
        EXPECT_INT(r[i].reply.n, 13);
        EXPECT(memcmp(r[i].reply.p, r[i].body.p, 13) == 0);
        rpc_release(&r[i]);
    }
    client_close(&c);
}

TEST(large_messages_pass_the_windows)
{
    size_t n = 2 << 20;
    char *p = malloc(n);
    for (size_t i = 0; i < n; i++) p[i] = (char)(i * 7);
    struct rpc r = { .path = "/t.T/Echo" };
    rpc_body(&r, 0, p, n);
    call(&r);
    EXPECT_STATUS(r, "0");
    EXPECT(r.reply.n == n + 5 && memcmp(r.reply.p + 5, p, n) == 0);
    rpc_release(&r);
    free(p);
}

TEST(a_client_that_hangs_up_does_no_harm_to_late_answers)
{
    int before = atomic_load(&later_calls);
    struct client c;
    struct rpc r = { .path = "/t.T/Later" };
    rpc_body(&r, 0, "x", 1);
    client_open(&c, port);
    client_submit(&c, &r);
    while (atomic_load(&later_calls) == before) client_turn(&c, 5);
    client_close(&c); /* 100 ms before the answer */
    poll(NULL, 0, 200);
    rpc_release(&r);

    struct rpc again = { .path = "/t.T/Echo" };
    rpc_body(&again, 0, "x", 1);
    call(&again);
    EXPECT_STATUS(again, "0");
    rpc_release(&again);
}

TEST(an_unfinished_call_ends_at_its_deadline)
{
    struct rpc r = { .path = "/t.T/Echo", .timeout = "300m", .keep_open = true };
    rpc_body(&r, 0, "abcdef", 6);
    r.body.n -= 3;
    int64_t before = clock_mono_ns();
    call(&r);
    EXPECT_STATUS(r, "4");
    EXPECT(clock_mono_ns() - before >= 300000000);
    rpc_release(&r);
}

TEST(health_is_served)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *status;
    } asks[] = {
        { "", 0, "0" }, { "\x0a\x03t.T", 5, "0" }, { "\x0a\x03t.X", 5, "5" }, { "\x0a\x01t", 3, "5" }
    };
    for (size_t i = 0; i < 4; i++) {
        struct rpc r = { .path = "/grpc.health.v1.Health/Check" };
        rpc_body(&r, 0, asks[i].bytes, asks[i].n);
        call(&r);
        EXPECT_STATUS(r, asks[i].status);
        if (asks[i].status[0] == '0') EXPECT(str_eq(buf_view(&r.reply), str_make("\0\0\0\0\2\x08\x01", 7)));
        rpc_release(&r);
    }
}

TEST(stopping_says_goaway_and_lets_calls_finish)
{
    struct grpc_server *s = start();
    struct client c;
    client_open(&c, grpc_server_port(s));
    struct rpc r = { .path = "/t.T/Later" };
    rpc_body(&r, 0, "x", 1);
    int before = atomic_load(&later_calls);
    client_submit(&c, &r);
    while (atomic_load(&later_calls) == before) client_turn(&c, 5);
    grpc_server_stop(s, 2000);
    while (!c.ended) client_turn(&c, 50);
    EXPECT_STATUS(r, "0");
    EXPECT(c.goaway);
    EXPECT_INT(c.goaway_code, 0);
    client_close(&c);
    grpc_server_free(s);
    rpc_release(&r);
}

TEST(an_answer_after_the_server_has_gone_only_frees)
{
    struct grpc_server *s = start();
    struct client c;
    client_open(&c, grpc_server_port(s));
    struct rpc r = { .path = "/t.T/Keep" };
    rpc_body(&r, 0, "xyz", 3);
    atomic_store(&kept, NULL);
    client_submit(&c, &r);
    while (atomic_load(&kept) == NULL) client_turn(&c, 5);
    grpc_server_stop(s, 50);
    grpc_server_free(s);
    struct grpc_call *late = atomic_load(&kept);
    EXPECT(str_is(grpc_message(late), "xyz"));
    EXPECT(str_is(grpc_metadata(late, "te"), "trailers"));
    grpc_answer(late, GRPC_OK, STR("late"), NULL, 0);
    client_close(&c);
    rpc_release(&r);
}

TEST(noise_floods_and_cut_connections_do_no_harm)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static const char settings[] = "\0\0\0\4\0\0\0\0\0", ping[] = "\0\0\x08\6\0\0\0\0\0pingpong";
    char *text = raw_ask(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, NULL);
    EXPECT(strstr(text, "HTTP/1.1 200") == NULL);
    free(text);

    int fd = raw_connect(port); /* pings without end */
    raw_send(fd, preface, 24);
    raw_send(fd, settings, 9);
    for (int i = 0; i < 2000; i++) raw_send(fd, ping, 17);
    text = calloc(1, RAW_MAX);
    EXPECT(raw_read(fd, text, NULL, 3000)); /* shown the door */
    close(fd);
    free(text);

    uint32_t x = 7;
    for (int i = 0; i < 200; i++) { /* noise after a good start */
        char noise[200];
        for (size_t k = 0; k < sizeof noise; k++) noise[k] = (char)((x = x * 1664525 + 1013904223) >> 24);
        noise[0] = noise[1] = 0; /* short frames, so that their kinds are read at all */
        noise[2] &= 63;
        fd = raw_connect(port);
        raw_send(fd, preface, 24);
        raw_send(fd, settings, 9);
        raw_send(fd, noise, sizeof noise);
        close(fd);
    }
    struct rpc r = { .path = "/t.T/Echo" };
    rpc_body(&r, 0, "alive", 5);
    call(&r);
    EXPECT_STATUS(r, "0");
    rpc_release(&r);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(a_message_comes_back_with_status_0_in_the_trailers),
        CASE(an_error_carries_its_text_and_when_to_retry),
        CASE(what_is_no_grpc_is_told_so_in_http),
        CASE(bad_calls_get_the_status_that_stops_retries),
        CASE(gzip_messages_are_unpacked_up_to_the_limit),
        CASE(a_hundred_calls_share_a_connection_and_answers_come_from_other_threads),
        CASE(large_messages_pass_the_windows),
        CASE(a_client_that_hangs_up_does_no_harm_to_late_answers),
        CASE(an_unfinished_call_ends_at_its_deadline),
        CASE(health_is_served),
        CASE(stopping_says_goaway_and_lets_calls_finish),
        CASE(an_answer_after_the_server_has_gone_only_frees),
        CASE(noise_floods_and_cut_connections_do_no_harm),
    };
    return cmocka_run_group_tests(all, set_up, tear_down);
}
