#include "unit/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "net/http_stream.h"
#include "unit/net/raw.h"

/* The stream of the last request; a test writes to it. */
static struct http_stream *_Atomic stream;

static void events(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    atomic_store(&stream, http_stream_begin(x, "text/event-stream"));
}

static void socket_route(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    struct http_stream *s = http_stream_websocket(x);
    if (s != NULL) atomic_store(&stream, s);
}

static const struct http_route routes[] = {
    { "GET", "/events", events },
    { "GET", "/socket", socket_route },
};

static struct http_server *server;
static unsigned port;

static int set_up(void **state)
{
    (void)state;
    struct http_conf c = { .listen = { "127.0.0.1:0" }, .n_listen = 1, .threads = 2 };
    struct err e = ERR_INIT;
    server = http_server_new();
    http_server_routes(server, routes, sizeof routes / sizeof *routes, NULL);
    assert_int_equal(http_server_start(server, &c, &e), OK);
    port = http_server_port(server, 0);
    atomic_store(&stream, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_stream_end(atomic_exchange(&stream, NULL));
    http_server_stop(server, 1000);
    http_server_free(server);
    return 0;
}

static struct http_stream *wait_stream(void)
{
    for (int i = 0; i < 500 && atomic_load(&stream) == NULL; i++) poll(NULL, 0, 5);
    assert_non_null(atomic_load(&stream));
    return atomic_load(&stream);
}

static bool wait_closed(struct http_stream *s, int ms)
{
    int64_t until = clock_mono_ns() + ms * 1000000LL;
    while (http_stream_is_open(s) && clock_mono_ns() < until) poll(NULL, 0, 5);
    return !http_stream_is_open(s);
}

static int ask_events(void)
{
    int fd = raw_connect(port);
    RAW_SEND(fd, "GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    return fd;
}

static char text[RAW_MAX];

/* ---- chunks ---- */

TEST(pieces_arrive_at_once_and_whole)
{
    int fd = ask_events();
    struct http_stream *s = wait_stream();
    EXPECT(http_stream_put(s, STR("data: one\n\n"), 1));
    raw_read(fd, text, "data: one\n\n\r\n", 1000);
    EXPECT(strstr(text, "HTTP/1.1 200 OK\r\n") == text);
    EXPECT(strstr(text, "Content-Type: text/event-stream\r\n") != NULL);
    EXPECT(strstr(text, "Transfer-Encoding: chunked\r\n") != NULL);
    EXPECT(strstr(text, "data: one\n\n") != NULL);

    poll(NULL, 0, 50); /* asleep by now */
    EXPECT(http_stream_put(s, STR("data: two\n\n"), 1));
    raw_read(fd, text, "data: two\n\n\r\n", 1000);
    EXPECT(strstr(text, "data: two\n\n") != NULL);

    http_stream_end(atomic_exchange(&stream, NULL));
    raw_read(fd, text, "0\r\n\r\n", 1000);
    EXPECT(strstr(text, "0\r\n\r\n") != NULL);
    close(fd);
}

TEST(a_client_that_hangs_up_is_noticed_while_nothing_is_said)
{
    int fd = ask_events();
    struct http_stream *s = wait_stream();
    poll(NULL, 0, 50);
    EXPECT(http_stream_is_open(s));
    close(fd);
    EXPECT(wait_closed(s, 1000));
    EXPECT(!http_stream_put(s, STR("x"), 1));
}

TEST(a_client_that_reads_too_slowly_loses_the_oldest_pieces_and_they_are_counted)
{
    enum { PIECE = 64 << 10, PIECES = 400 };
    static char piece[PIECE];
    int fd = ask_events();
    struct http_stream *s = wait_stream();
    for (int i = 0; i < PIECES; i++) { /* 25 MiB, of which the sockets hold some */
        memset(piece, 'a' + i % 26, sizeof piece);
        snprintf(piece, 16, "<%d>", i);
        EXPECT(http_stream_put(s, str_make(piece, sizeof piece), 2));
    }
    uint64_t dropped = http_stream_dropped(s);
    EXPECT(dropped > 0 && dropped % 2 == 0);
    EXPECT_INT(http_stream_dropped(s), 0); /* told once */
    http_stream_end(atomic_exchange(&stream, NULL));

    char *all = malloc(PIECES * PIECE * 2);
    size_t n = 0, pieces = 0;
    for (ssize_t k; (k = recv(fd, all + n, PIECES * PIECE * 2 - n - 1, 0)) > 0;) {
        n += (size_t)k;
        if (memcmp(all + n - 5, "0\r\n\r\n", 5) == 0) break;
    }
    all[n] = 0;
    for (char *p = all; (p = memchr(p, '<', n - (size_t)(p - all))) != NULL; p++) pieces++;
    EXPECT_INT(pieces, PIECES - dropped / 2);
    EXPECT(strstr(all + n - PIECE - 1000, "<399>") != NULL || memmem(all, n, "<399>", 5) != NULL);
    free(all);
    close(fd);
}

TEST(a_piece_larger_than_the_queue_is_dropped_alone)
{
    int fd = ask_events();
    struct http_stream *s = wait_stream();
    char *big = calloc(1, HTTP_STREAM_BYTES + 1);
    EXPECT(http_stream_put(s, str_make(big, HTTP_STREAM_BYTES + 1), 5));
    EXPECT_INT(http_stream_dropped(s), 5);
    EXPECT(http_stream_put(s, STR("small"), 1));
    raw_read(fd, text, "small", 1000);
    EXPECT(strstr(text, "small") != NULL);
    free(big);
    close(fd);
}

TEST(the_server_stops_at_once_though_a_stream_sleeps)
{
    int fd = ask_events();
    struct http_stream *s = wait_stream();
    poll(NULL, 0, 50);
    int64_t begun = clock_mono_ns();
    http_server_stop(server, 5000);
    EXPECT(clock_mono_ns() - begun < 2000000000);
    EXPECT(!http_stream_put(s, STR("x"), 1));
    EXPECT(raw_read(fd, text, NULL, 1000));
    close(fd);
}

static void *write_many(void *arg)
{
    for (int i = 0; i < 2000; i++)
        if (!http_stream_put(arg, STR("0123456789"), 1)) break;
    return NULL;
}

TEST(many_threads_may_write_while_clients_come_and_go)
{
    for (int round = 0; round < 5; round++) {
        int fd = ask_events();
        struct http_stream *s = wait_stream();
        pthread_t t[4];
        for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, write_many, s);
        raw_read(fd, text, "0123456789", 1000);
        close(fd);
        for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
        http_stream_end(atomic_exchange(&stream, NULL));
    }
}

/* ---- WebSocket ---- */

/* The key and its answer are those of RFC 6455, section 1.3. */
#define HANDSHAKE                                                                                            \
    "GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"           \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

static void read_exactly(int fd, void *to, size_t n)
{
    for (ssize_t k; n > 0; to = (char *)to + k, n -= (size_t)k) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        assert_int_equal(poll(&p, 1, 2000), 1);
        k = recv(fd, to, n, 0);
        assert_true(k > 0);
    }
}

/* The answer's head, byte by byte: frames may follow it. */
static int shake_hands(const char *request)
{
    int fd = raw_connect(port);
    raw_send(fd, request, strlen(request));
    size_t n = 0;
    do {
        read_exactly(fd, text + n++, 1);
        text[n] = 0;
    } while (n < 4 || memcmp(text + n - 4, "\r\n\r\n", 4) != 0);
    return fd;
}

/* An unmasked frame of a server: its first byte; the payload, terminated. */
static unsigned read_frame(int fd, char *payload, size_t *n)
{
    uint8_t head[2], more[8];
    read_exactly(fd, head, 2);
    assert_false(head[1] & 0x80);
    *n = head[1];
    if (*n == 126) {
        read_exactly(fd, more, 2);
        *n = (size_t)more[0] << 8 | more[1];
    } else if (*n == 127) {
        read_exactly(fd, more, 8);
        *n = 0;
        for (int i = 0; i < 8; i++) *n = *n << 8 | more[i];
    }
    read_exactly(fd, payload, *n);
    payload[*n] = 0;
    return head[0];
}

/* Masked with zeros, which leaves the payload as it is. */
static void send_frame(int fd, uint8_t first, const char *payload)
{
    uint8_t head[6] = { first, (uint8_t)(0x80 | strlen(payload)) };
    raw_send(fd, head, sizeof head);
    raw_send(fd, payload, strlen(payload));
}

TEST(a_socket_shakes_hands_as_the_rfc_has_it)
{
    int fd = shake_hands(HANDSHAKE "\r\n");
    EXPECT(strstr(text, "HTTP/1.1 101 ") == text);
    EXPECT(strstr(text, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") != NULL);
    wait_stream();
    close(fd);
}

TEST(messages_are_text_frames_of_any_length)
{
    int fd = shake_hands(HANDSHAKE "\r\n");
    struct http_stream *s = wait_stream();
    static char long_text[100001], got[100001];
    size_t n, lengths[] = { 0, 125, 126, 65535, 65536, 100000 };
    memset(long_text, 'x', sizeof long_text - 1);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        EXPECT(http_stream_put(s, str_make(long_text, lengths[i]), 1));
        EXPECT_INT(read_frame(fd, got, &n), 0x81);
        EXPECT_INT(n, lengths[i]);
        EXPECT(memcmp(got, long_text, n) == 0);
    }
    close(fd);
}

TEST(pings_are_answered_and_a_close_is_answered)
{
    int fd = shake_hands(HANDSHAKE "\r\n");
    struct http_stream *s = wait_stream();
    char got[200];
    size_t n;
    send_frame(fd, 0x89, "are you there");
    EXPECT_INT(read_frame(fd, got, &n), 0x8a);
    EXPECT_STR(got, "are you there");
    send_frame(fd, 0x81, "hello"); /* thrown away */
    send_frame(fd, 0x88, "\x03\xe8");
    EXPECT_INT(read_frame(fd, got, &n), 0x88);
    EXPECT(wait_closed(s, 1000));
    EXPECT_INT(recv(fd, got, 1, 0), 0);
    close(fd);
}

TEST(a_frame_against_the_rules_ends_the_socket)
{
    int fd = shake_hands(HANDSHAKE "\r\n");
    struct http_stream *s = wait_stream();
    RAW_SEND(fd, "\x81\x05hello"); /* a client must mask */
    EXPECT(wait_closed(s, 3000));
    close(fd);
}

TEST(a_frame_that_announces_too_much_ends_the_socket)
{
    int fd = shake_hands(HANDSHAKE "\r\n");
    struct http_stream *s = wait_stream();
    RAW_SEND(fd, "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0abc");
    EXPECT(wait_closed(s, 3000));
    close(fd);
}

TEST(what_was_queued_before_the_end_is_sent_and_then_a_close)
{
    int fd = shake_hands(HANDSHAKE "\r\n");
    struct http_stream *s = wait_stream();
    char got[200];
    size_t n;
    http_stream_put(s, STR("last words"), 1);
    http_stream_end(atomic_exchange(&stream, NULL));
    EXPECT_INT(read_frame(fd, got, &n), 0x81);
    EXPECT_STR(got, "last words");
    EXPECT_INT(read_frame(fd, got, &n), 0x88);
    EXPECT_INT((uint8_t)got[0] << 8 | (uint8_t)got[1], 1000);
    close(fd);
}

TEST(a_client_without_goodbye_is_noticed)
{
    int fd = shake_hands(HANDSHAKE "\r\n");
    struct http_stream *s = wait_stream();
    close(fd);
    EXPECT(wait_closed(s, 1500));
}

TEST(the_server_goes_away_with_a_close_frame)
{
    int fd = shake_hands(HANDSHAKE "\r\n");
    struct http_stream *s = wait_stream();
    char got[200];
    size_t n;
    http_stream_put(s, STR("here"),
                    1); /* a socket that has just been upgraded may not have been taken over yet */
    EXPECT_INT(read_frame(fd, got, &n), 0x81);
    int64_t begun = clock_mono_ns();
    http_server_stop(server, 5000);
    EXPECT(clock_mono_ns() - begun < 4000000000);
    EXPECT_INT(read_frame(fd, got, &n), 0x88);
    close(fd);
}

TEST(a_socket_that_does_not_read_loses_messages_but_costs_no_memory)
{
    int fd = shake_hands(HANDSHAKE "\r\n");
    struct http_stream *s = wait_stream();
    static char piece[64 << 10];
    memset(piece, 'x', sizeof piece);
    for (int i = 0; i < 400; i++) http_stream_put(s, str_make(piece, sizeof piece), 1);
    EXPECT(http_stream_dropped(s) > 0);
    EXPECT(http_stream_is_open(s));
    close(fd);
}

static void expect_refused(const char *request, const char *status)
{
    char *got = raw_ask(port, request, strlen(request), "\r\n\r\n");
    if (strstr(got, status) == NULL) printf("%s", got);
    EXPECT(strstr(got, status) != NULL);
    free(got);
}

TEST(what_is_no_handshake_is_answered_with_the_reason)
{
    expect_refused("GET /socket HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 ");
    expect_refused("GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Version: 13\r\n\r\n",
                   "HTTP/1.1 400 ");
    expect_refused("GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n",
                   "HTTP/1.1 426 ");
    expect_refused(HANDSHAKE "Origin: http://elsewhere.example\r\n\r\n", "HTTP/1.1 403 ");
    expect_refused(HANDSHAKE "Origin: null\r\n\r\n", "HTTP/1.1 403 ");
    int fd = shake_hands(HANDSHAKE "Origin: http://a\r\n\r\n");
    EXPECT(strstr(text, "HTTP/1.1 101 ") == text);
    wait_stream();
    close(fd);
}

#define CASE_SERVED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

TESTS(CASE_SERVED(pieces_arrive_at_once_and_whole),
      CASE_SERVED(a_client_that_hangs_up_is_noticed_while_nothing_is_said),
      CASE_SERVED(a_client_that_reads_too_slowly_loses_the_oldest_pieces_and_they_are_counted),
      CASE_SERVED(a_piece_larger_than_the_queue_is_dropped_alone),
      CASE_SERVED(the_server_stops_at_once_though_a_stream_sleeps),
      CASE_SERVED(many_threads_may_write_while_clients_come_and_go),
      CASE_SERVED(a_socket_shakes_hands_as_the_rfc_has_it),
      CASE_SERVED(messages_are_text_frames_of_any_length),
      CASE_SERVED(pings_are_answered_and_a_close_is_answered),
      CASE_SERVED(a_frame_against_the_rules_ends_the_socket),
      CASE_SERVED(a_frame_that_announces_too_much_ends_the_socket),
      CASE_SERVED(what_was_queued_before_the_end_is_sent_and_then_a_close),
      CASE_SERVED(a_client_without_goodbye_is_noticed), CASE_SERVED(the_server_goes_away_with_a_close_frame),
      CASE_SERVED(a_socket_that_does_not_read_loses_messages_but_costs_no_memory),
      CASE_SERVED(what_is_no_handshake_is_answered_with_the_reason))
