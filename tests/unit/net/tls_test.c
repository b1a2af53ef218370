/* Both servers over TLS, with a certificate made on the spot; our own client looks closely at it. */
#include "unit/test.h"

#include <gnutls/x509.h>
#include <time.h>
#include <unistd.h>

#include "net/grpc_server.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "unit/net/raw.h"

static char cert_pem[8192], key_pem[8192], ca_file[] = "/tmp/vedette-tls-test-XXXXXX";

static void make_certificate(void)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_init(&key);
    gnutls_x509_crt_init(&crt);
    assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                                  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, "\1", 1);
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 3600);
    gnutls_x509_crt_set_dn(crt, "CN=vedette.test", NULL);
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "vedette.test", 12, GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_basic_constraints(crt, 1, -1);
    gnutls_x509_crt_set_key(crt, key);
    assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
    size_t n = sizeof cert_pem;
    assert_int_equal(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_PEM, cert_pem, &n), 0);
    n = sizeof key_pem;
    assert_int_equal(gnutls_x509_privkey_export(key, GNUTLS_X509_FMT_PEM, key_pem, &n), 0);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}

static int set_up(void **state)
{
    (void)state;
    make_certificate();
    int fd = mkstemp(ca_file);
    return fd >= 0 && write(fd, cert_pem, strlen(cert_pem)) > 0 && close(fd) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(ca_file);
}

static void hello(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_answer(x, 200, "text/plain", http_header(x, "host"));
}

static const struct http_route routes[] = { { "GET", "/", hello } };

static void echo(struct grpc_call *c, void *ctx)
{
    (void)ctx;
    grpc_answer(c, GRPC_OK, grpc_message(c), NULL, 0);
}

static const struct grpc_method methods[] = { { "/t.T/Echo", echo } };

static int fetch(unsigned port, const struct http_tls *tls, struct http_fetched *got)
{
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", port);
    struct http_fetch f = { .url = url, .tls = tls, .timeout_ms = 5000 };
    return http_fetch_now(&f, got, NULL);
}

TEST(http_speaks_tls_and_the_client_checks_whom_it_talks_to)
{
    struct http_conf c = { .listen = { "127.0.0.1:0" },
                           .n_listen = 1,
                           .threads = 2,
                           .tls_cert_pem = cert_pem,
                           .tls_key_pem = key_pem };
    struct http_server *s = http_server_new();
    struct err e = ERR_INIT;
    http_server_routes(s, routes, 1, NULL);
    EXPECT_INT(http_server_start(s, &c, &e), OK);
    unsigned port = http_server_port(s, 0);

    struct http_fetched got;
    EXPECT_INT(fetch(port, NULL, &got), ERR_IO); /* nobody vouches for it */
    buf_release(&got.body);
    EXPECT_INT(fetch(port, &(struct http_tls){ .ca_file = ca_file }, &got),
               ERR_IO); /* and it is not 127.0.0.1 */
    buf_release(&got.body);
    EXPECT_INT(fetch(port, &(struct http_tls){ .ca_file = ca_file, .server_name = "other.test" }, &got),
               ERR_IO);
    buf_release(&got.body);
    EXPECT_INT(fetch(port, &(struct http_tls){ .ca_file = ca_file, .server_name = "vedette.test" }, &got),
               OK);
    char host[32];
    snprintf(host, sizeof host, "127.0.0.1:%u", port);
    EXPECT_STR(buf_cstr(&got.body), host); /* the Host header names whom we asked, not the certificate */
    buf_release(&got.body);
    EXPECT_INT(fetch(port, &(struct http_tls){ .insecure_skip_verify = true }, &got), OK);
    buf_release(&got.body);

    char *t = raw_ask(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, NULL); /* no plain words here */
    EXPECT(strstr(t, "HTTP/1.1 200") == NULL);
    free(t);
    http_server_stop(s, 100);
    http_server_free(s);
}

TEST(grpc_speaks_tls_with_alpn_h2)
{
    struct grpc_conf c = { .listen = "127.0.0.1:0", .tls_cert_pem = cert_pem, .tls_key_pem = key_pem };
    struct grpc_server *s = grpc_server_new();
    struct err e = ERR_INIT;
    grpc_server_methods(s, methods, 1, NULL);
    EXPECT_INT(grpc_server_start(s, &c, &e), OK);

    size_t n = 1 << 20; /* many records */
    char *message = calloc(1, n + 5), url[64];
    message[2] = 0x10;
    snprintf(url, sizeof url, "https://127.0.0.1:%u/t.T/Echo", grpc_server_port(s));
    const char *const headers[] = { "Content-Type: application/grpc", "TE: trailers" };
    struct http_fetch f = { .method = "POST",
                            .url = url,
                            .headers = headers,
                            .n_headers = 2,
                            .body = { message, n + 5 },
                            .tls = &(struct http_tls){ .ca_file = ca_file, .server_name = "vedette.test" },
                            .timeout_ms = 5000 };
    struct http_fetched got;
    EXPECT_INT(http_fetch_now(&f, &got, &e), OK);
    EXPECT_INT(got.status, 200);
    EXPECT_STR(got.content_type, "application/grpc");
    EXPECT(got.body.n == n + 5 && memcmp(got.body.p, message, n + 5) == 0);
    buf_release(&got.body);
    free(message);

    char *t = raw_ask(grpc_server_port(s), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24, NULL);
    free(t);
    grpc_server_stop(s, 100);
    grpc_server_free(s);
}

TEST(a_certificate_that_is_none_is_refused_at_start)
{
    struct err e = ERR_INIT;
    struct grpc_conf gc = { .listen = "127.0.0.1:0", .tls_cert_pem = "nonsense", .tls_key_pem = key_pem };
    struct grpc_server *g = grpc_server_new();
    EXPECT(grpc_server_start(g, &gc, &e) < 0 && e.text[0] != 0);
    grpc_server_free(g);
    struct http_conf hc = {
        .listen = { "127.0.0.1:0" }, .n_listen = 1, .tls_cert_pem = "nonsense", .tls_key_pem = key_pem
    };
    struct http_server *h = http_server_new();
    EXPECT(http_server_start(h, &hc, &e) < 0 && e.text[0] != 0);
    http_server_free(h);
}

int main(void)
{
    const struct CMUnitTest all[] = { CASE(http_speaks_tls_and_the_client_checks_whom_it_talks_to),
                                      CASE(grpc_speaks_tls_with_alpn_h2),
                                      CASE(a_certificate_that_is_none_is_refused_at_start) };
    return cmocka_run_group_tests(all, set_up, tear_down);
}
