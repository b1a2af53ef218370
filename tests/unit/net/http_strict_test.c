/* Malformed requests, byte by byte: each gets at most one answer, the expected one, and the server lives on.
 * Behind each lies a second request that a smuggler would want answered. */
#include "unit/test.h"

#include "net/http_server.h"
#include "unit/net/raw.h"

static void take(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_answer(x, 200, "text/plain", STR("taken"));
}

static const struct http_route routes[] = { { "GET", "/", take },
                                            { "POST", "/", take },
                                            { "GET", "/p/{x}", take } };

static struct http_server *server;
static unsigned port;

static int set_up(void **state)
{
    (void)state;
    struct http_conf c = {
        .listen = { "127.0.0.1:0" }, .n_listen = 1, .threads = 2, .max_body_bytes = 1 << 20
    };
    struct err e = ERR_INIT;
    server = http_server_new();
    http_server_routes(server, routes, 3, NULL);
    assert_int_equal(http_server_start(server, &c, &e), OK);
    port = http_server_port(server, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_server_free(server);
    return 0;
}

#define H    "Host: x\r\n"
#define NEXT "GET /p/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

struct wrong {
    const char *name, *bytes;
    size_t n;
};
#define W(name, bytes)                                                                                       \
    {                                                                                                        \
        name, bytes, sizeof(bytes) - 1                                                                       \
    }

/* Each must be refused with a 4xx or 5xx, or the connection closed without a word. */
static const struct wrong refused[] = {
    W("length and chunked",
      "POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT),
    W("chunked and length",
      "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" NEXT),
    W("two lengths", "POST / HTTP/1.1\r\n" H "Content-Length: 0\r\nContent-Length: 40\r\n\r\n" NEXT),
    W("two equal lengths", "POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc" NEXT),
    W("length list", "POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\nabc" NEXT),
    W("signed length", "POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\nabc" NEXT),
    W("negative length", "POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n" NEXT),
    W("hex length", "POST / HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\nabc" NEXT),
    W("length with rest", "POST / HTTP/1.1\r\n" H "Content-Length: 3 x\r\n\r\nabc" NEXT),
    W("huge length", "POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999999\r\n\r\nabc" NEXT),
    W("length 2^64", "POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551616\r\n\r\n" NEXT),
    W("empty length", "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n" NEXT),
    W("chunked and identity",
      "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" NEXT),
    W("identity", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n" NEXT),
    W("xchunked", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" NEXT),
    W("gzip, chunked", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" NEXT),
    W("two codings", "POST / HTTP/1.1\r\n" H
                     "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" NEXT),
    W("coding after vertical tab", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
                                   "chunked\r\n\r\n0\r\n\r\n" NEXT),
    W("blank before colon",
      "POST / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" NEXT),
    W("blank in name", "GET / HTTP/1.1\r\n" H "Content Length: 5\r\n\r\n" NEXT),
    W("chunked in 1.0",
      "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n" NEXT),
    W("bare LF after request line", "GET / HTTP/1.1\n" H "\r\n" NEXT),
    W("bare LF after header", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n" NEXT),
    W("bare LF hides a header", "POST / HTTP/1.1\r\n" H "A: b\nContent-Length: 38\r\n\r\n" NEXT),
    W("bare LF at the end", "GET / HTTP/1.1\r\nHost: x\r\n\n" NEXT),
    W("only bare LF", "GET / HTTP/1.1\nHost: x\n\n" NEXT),
    W("bare CR in a value", "GET / HTTP/1.1\r\n" H "A: b\rContent-Length: 38\r\n\r\n" NEXT),
    W("folded header", "GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n" NEXT),
    W("folded length", "POST / HTTP/1.1\r\n" H "Content-Length:\r\n 3\r\n\r\nabc" NEXT),
    W("folded first line", "GET / HTTP/1.1\r\n Host: x\r\n\r\n" NEXT),
    W("header without colon", "GET / HTTP/1.1\r\n" H "nonsense\r\n\r\n" NEXT),
    W("header without name", "GET / HTTP/1.1\r\n" H ": v\r\n\r\n" NEXT),
    W("NUL in a value", "GET / HTTP/1.1\r\n" H "A: b\0c\r\n\r\n" NEXT),
    W("NUL in a name", "GET / HTTP/1.1\r\n" H "A\0b: c\r\n\r\n" NEXT),
    W("NUL in the path", "GET /p/a\0b HTTP/1.1\r\n" H "\r\n" NEXT),
    W("NUL before a length", "POST / HTTP/1.1\r\n" H "\0Content-Length: 5\r\n\r\n" NEXT),
    W("control byte in a value", "GET / HTTP/1.1\r\n" H "A: \x01\r\n\r\n" NEXT),
    W("control byte in the path", "GET /p/\x01 HTTP/1.1\r\n" H "\r\n" NEXT),
    W("escaped NUL in the path", "GET /p/%00 HTTP/1.1\r\n" H "\r\n" NEXT),
    W("half an escape", "GET /p/%4 HTTP/1.1\r\n" H "\r\n" NEXT),
    W("no host", "GET / HTTP/1.1\r\n\r\n" NEXT),
    W("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" NEXT),
    W("version 1.2", "GET / HTTP/1.2\r\n" H "\r\n" NEXT),
    W("version 2.0", "GET / HTTP/2.0\r\n" H "\r\n" NEXT),
    W("version 0.9", "GET /\r\n\r\n"),
    W("version nonsense", "GET / FTP/1.1\r\n" H "\r\n" NEXT),
    W("version without minor", "GET / HTTP/1\r\n" H "\r\n" NEXT),
    W("lower-case version", "GET / http/1.1\r\n" H "\r\n" NEXT),
    W("blank in target", "GET /p/a b HTTP/1.1\r\n" H "\r\n" NEXT),
    W("method with control", "G\x01T / HTTP/1.1\r\n" H "\r\n" NEXT),
    W("empty method", " / HTTP/1.1\r\n" H "\r\n" NEXT),
    W("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    W("TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    W("noise", "\xff\xfe\xfd\x00\x01\x02 \r\n\r\n\r\n"),
    W("chunk size not hex",
      "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n" NEXT),
    W("chunk size negative",
      "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n" NEXT),
    W("chunk size 0x",
      "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n" NEXT),
    W("chunk size overflow",
      "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n" NEXT),
    W("chunk size empty",
      "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n" NEXT),
    W("chunk without end",
      "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n" NEXT),
};

static char *ask(const struct wrong *w)
{
    char *text = calloc(1, RAW_MAX);
    int fd = raw_connect(port);
    assert_true(fd >= 0);
    raw_send(fd, w->bytes, w->n);
    shutdown(fd, SHUT_WR);
    raw_read(fd, text, NULL, 2000);
    close(fd);
    return text;
}

static void expect_alive(const char *after)
{
    char *t = raw_ask(port, NEXT, sizeof NEXT - 1, "taken");
    if (strstr(t, "taken") == NULL) printf("dead after: %s\n", after);
    assert_non_null(strstr(t, "taken"));
    free(t);
}

/* libmicrohttpd 0.9.75 writes the head of its own refusals twice when it refuses after the last header line
 * (a length that is no number, no Host). It closes the connection then, and the second head lies within the
 * first's Content-Length. */
static bool is_doubled_head(const char *t)
{
    const char *first_end = strstr(t, "\r\n\r\n");
    if (first_end == NULL || strstr(t, "Connection: close") > first_end || t[9] != '4') return false;
    size_t head = (size_t)(first_end + 4 - t);
    return strncmp(t, t + head, head) == 0 && raw_count(t, "HTTP/1.1 ") == 2;
}

TEST(malformed_requests_get_one_refusal_and_nothing_behind_them_is_answered)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char *t = ask(&refused[i]);
        size_t answers = raw_count(t, "HTTP/1.1 ") + raw_count(t, "HTTP/1.0 ");
        if (answers > 1 && is_doubled_head(t)) answers = 1;
        if (answers > 1 || strstr(t, "taken") != NULL) {
            printf("%s: %zu answers: %s\n", refused[i].name, answers, t);
            failed++;
        }
        free(t);
        expect_alive(refused[i].name);
    }
    EXPECT_INT(failed, 0);
}

/* What looks odd and is allowed: so many answers, all of them good. */
static const struct {
    struct wrong w;
    size_t answers;
} allowed[] = {
    { W("plain", NEXT), 1 },
    { W("absolute target", "GET http://x/p/1 HTTP/1.1\r\n" H "\r\n" NEXT), 2 },
    { W("blanks around values",
        "POST / HTTP/1.1\r\nHost:  x\t \r\nContent-Length:\t3\r\nA:\r\nB:  \r\nC: \r\n\r\nabc" NEXT),
      2 },
    { W("empty last value", "GET / HTTP/1.1\r\nHost: x\r\nA:\r\n\r\n" NEXT), 2 },
    { W("upper-case chunked",
        "POST / HTTP/1.1\r\n" H "TRANSFER-ENCODING: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" NEXT),
      2 },
    { W("chunk with trailer",
        "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nT: v\r\n\r\n" NEXT),
      2 },
    { W("no host in 1.0", "GET / HTTP/1.0\r\n\r\n"), 1 },
    { W("empty lines before", "\r\nGET / HTTP/1.1\r\n" H "\r\n"), 1 },
    { W("query without escapes", "GET /p/1?q={a=\"b\"}&c=100% HTTP/1.1\r\n" H "\r\n"), 1 },
    { W("bytes above 127", "GET /p/\xc3\xa9 HTTP/1.1\r\n" H "A: \xc3\xa9\r\n\r\n"), 1 },
    { W("many headers",
        "GET / HTTP/1.1\r\n" H "a: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\ne: 5\r\nf: 6\r\ng: 7\r\nh: 8\r\n\r\n" NEXT),
      2 },
};

TEST(odd_but_lawful_requests_are_answered)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        char *t = ask(&allowed[i].w);
        if (raw_count(t, "taken") != allowed[i].answers) {
            printf("%s: %s\n", allowed[i].w.name, t);
            failed++;
        }
        free(t);
    }
    EXPECT_INT(failed, 0);
}

TEST(heads_beyond_any_reason_are_refused)
{
    size_t n = 1 << 20;
    char *request = malloc(n + 1);
    for (int kind = 0; kind < 3; kind++) { /* one long line, many short ones, many parameters */
        static const char *const starts[] = { "GET / HTTP/1.1\r\nHost: x\r\nA: ",
                                              "GET / HTTP/1.1\r\nHost: x\r\n", "GET /?" };
        static const char *const fills[] = { "aaaaaa", "a: b\r\n", "a=b&c&" };
        size_t at = strlen(starts[kind]);
        memcpy(request, starts[kind], at);
        for (; at + 6 <= n; at += 6) memcpy(request + at, fills[kind], 6);
        struct wrong w = { "long head", request, at };
        char *t = ask(&w);
        EXPECT(raw_count(t, "HTTP/1.1 ") <= 1 && strstr(t, "taken") == NULL);
        free(t);
        expect_alive("long head");
    }
    free(request);
}

TEST(requests_cut_anywhere_do_no_harm)
{
    const char whole[] =
        "POST /?a=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    for (size_t cut = 0; cut < sizeof whole - 1; cut++) {
        int fd = raw_connect(port);
        raw_send(fd, whole, cut);
        close(fd);
    }
    expect_alive("cuts");
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(malformed_requests_get_one_refusal_and_nothing_behind_them_is_answered),
        CASE(odd_but_lawful_requests_are_answered),
        CASE(heads_beyond_any_reason_are_refused),
        CASE(requests_cut_anywhere_do_no_harm),
    };
    return cmocka_run_group_tests(all, set_up, tear_down);
}
