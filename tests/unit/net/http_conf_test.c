#include "unit/test.h"

#include <pthread.h>
#include <unistd.h>

#include "base/check.h"
#include "net/http_conf.h"
#include "net/http_server.h"
#include "net/outbound.h"
#include "net/pem_file.h"

static struct arena arena = ARENA_INIT(16 << 20);

static int read_conf(const char *text, struct http_client_conf *out, struct err *e)
{
    struct yaml *map;
    struct reader r = { .file = "dir/x.yml", .arena = &arena, .e = e };
    EXPECT_INT(yaml_parse(str_of(text), "dir/x.yml", &arena, &map, e), OK);
    http_conf_read(&r, map, out);
    return r.rc < 0 ? r.rc : yaml_unknown(map, "dir/x.yml", e);
}

static struct http_client_conf conf_of(const char *text)
{
    struct http_client_conf c;
    struct err e = ERR_INIT;
    if (read_conf(text, &c, &e) < 0) fail_msg("%s: %s", text, e.text);
    return c;
}

/* ---- a server: shows what it was sent; hands out tokens ---- */

static struct {
    struct http_server *server;
    _Atomic int tokens, in_form;
    _Atomic bool refuses_header, broken;
    char form[1024];
} s;

static void show(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    struct str text = arena_printf(http_arena(x), "%.*s|%.*s|%.*s", STR_ARG(http_header(x, "authorization")),
                                   STR_ARG(http_header(x, "x-a")), STR_ARG(http_header(x, "host")));
    http_answer(x, 200, "text/plain", text);
}

static void token(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    bool in_form = memmem(http_body(x).p, http_body(x).n, "client_secret=", 14) != NULL;
    snprintf(s.form, sizeof s.form, "%.*s %.*s", STR_ARG(http_header(x, "authorization")),
             STR_ARG(http_body(x)));
    if (s.broken) return http_answer(x, 500, "text/plain", STR("se%cret"));
    if (s.refuses_header && !in_form) return http_answer(x, 401, "text/plain", STR("no"));
    s.in_form += in_form;
    int n = ++s.tokens;
    http_answer(x, 200, "application/json",
                arena_printf(http_arena(x),
                             "{\"access_token\":\"t%d\",\"token_type\":\"bearer\",\"expires_in\":3600}", n));
}

static int set_up(void **state)
{
    static const struct http_route routes[] = { { "GET", "/show", show }, { "POST", "/token", token } };
    struct http_conf c = { .listen = { "127.0.0.1:0" }, .n_listen = 1, .threads = 2 };
    (void)state;
    s.server = http_server_new();
    http_server_routes(s.server, routes, COUNT(routes), NULL);
    return http_server_start(s.server, &c, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    http_server_stop(s.server, 3000);
    http_server_free(s.server);
    return 0;
}

static const char *at(const char *path)
{
    return arena_printf(&arena, "http://127.0.0.1:%u%s", http_server_port(s.server, 0), path).p;
}

static const char *asked(const struct http_client_conf *c, const char *url)
{
    struct http_fetch f;
    struct http_fetched got = { 0 };
    struct err e = ERR_INIT;
    int rc = http_conf_request(c, url, NULL, 0, NULL, &arena, &f, &e);
    f.timeout_ms = 3000;
    if (rc == OK) http_fetch_now(&f, &got, &e);
    const char *text =
        e.code ? arena_str(&arena, str_of(e.text)).p : arena_str(&arena, buf_view(&got.body)).p;
    buf_release(&got.body);
    return text;
}

/* ---- tests ---- */

TEST(credentials_and_headers_go_into_the_request)
{
    struct http_client_conf c =
        conf_of("{basic_auth: {username: u, password: p}, http_headers: {X-A: {values: [v]}}}");
    EXPECT(strncmp(asked(&c, at("/show")), "Basic dTpw|v|", 13) == 0);
    c = conf_of("{authorization: {type: Token, credentials: abc}}");
    EXPECT(strncmp(asked(&c, at("/show")), "Token abc||", 11) == 0);
    c = conf_of("{bearer_token_file: /nowhere/at/all}");
    EXPECT(strstr(asked(&c, at("/show")), "/nowhere/at/all") != NULL);
}

TEST(a_token_is_fetched_once_and_used_until_it_ends)
{
    const char *text =
        arena_printf(&arena,
                     "{oauth2: {client_id: 'i:d', client_secret: se%%cret, scopes: [a, b], token_url: '%s', "
                     "endpoint_params: {aud: 'x y'}}}",
                     at("/token"))
            .p;
    struct http_client_conf c = conf_of(text);
    s.tokens = 0;
    for (int i = 0; i < 3; i++) EXPECT(strncmp(asked(&c, at("/show")), "Bearer t1||", 11) == 0);
    EXPECT_INT(s.tokens, 1);
    /* RFC 6749, 2.3.1: both words encoded as in a form, then as Basic: i%3Ad:se%25cret */
    EXPECT_STR(s.form, "Basic aSUzQWQ6c2UlMjVjcmV0 grant_type=client_credentials&scope=a+b&aud=x+y");
    struct http_client_conf again = conf_of(text);
    EXPECT(strncmp(asked(&again, at("/show")), "Bearer t1||", 11) == 0); /* a reload asks for nothing new */
    EXPECT(http_conf_may_wait(&c));
}

TEST(a_server_that_wants_the_secret_in_the_form_gets_it_there)
{
    struct http_client_conf c = conf_of(
        arena_printf(&arena, "{oauth2: {client_id: other, client_secret: s, token_url: '%s'}}", at("/token"))
            .p);
    s.refuses_header = true;
    s.in_form = 0;
    EXPECT(strncmp(asked(&c, at("/show")), "Bearer t", 8) == 0);
    EXPECT_INT(s.in_form, 1);
    s.refuses_header = false;
}

TEST(a_token_that_is_not_to_be_had_is_an_error_that_is_remembered_and_holds_no_secret)
{
    struct http_client_conf c =
        conf_of(arena_printf(&arena, "{oauth2: {client_id: third, client_secret: hushhush, token_url: '%s'}}",
                             at("/token"))
                    .p);
    s.broken = true;
    const char *why = asked(&c, at("/show"));
    EXPECT(strstr(why, "oauth2: the token's server answered with HTTP status 500") != NULL &&
           strstr(why, "hush") == NULL);
    s.broken = false;
    EXPECT(strstr(asked(&c, at("/show")), "500") != NULL); /* not asked again within seconds */
}

TEST(a_token_from_a_private_address_needs_to_be_allowed)
{
    struct http_client_conf c = conf_of(
        arena_printf(&arena, "{oauth2: {client_id: fourth, client_secret: s, token_url: '%s'}}", at("/token"))
            .p);
    struct http_fetch f;
    struct err e = ERR_INIT;
    EXPECT(http_conf_request(&c, at("/show"), NULL, 0, outbound_public_only(), &arena, &f, &e) < 0);
    EXPECT(strstr(e.text, "loopback") != NULL);
}

TEST(no_proxy_is_heeded)
{
    struct http_client_conf c =
        conf_of("{proxy_url: 'http://127.0.0.1:1', no_proxy: '127.0.0.0/8,example.com'}");
    EXPECT(strncmp(asked(&c, at("/show")), "||127.0.0.1", 11) == 0);
    c = conf_of("{proxy_url: 'http://127.0.0.1:1', no_proxy: 'example.com'}");
    EXPECT(strstr(asked(&c, at("/show")), "127.0.0.1") != NULL &&
           strstr(asked(&c, at("/show")), "||") == NULL);
}

TEST(a_proxy_gets_the_whole_url)
{
    struct http_client_conf c = conf_of(arena_printf(&arena, "{proxy_url: '%s'}", at("")).p);
    EXPECT_STR(asked(&c, "http://example.invalid/show"), "||example.invalid");
}

TEST(equal_pem_texts_have_one_name)
{
    const char *a = pem_file(STR("-----A-----")), *b = pem_file(STR("-----B-----"));
    char text[32] = "";
    EXPECT(a != NULL && b != NULL && strcmp(a, b) != 0);
    EXPECT(pem_file(STR("-----A-----")) == a);
    FILE *f = fopen(a, "r");
    EXPECT(f != NULL && fgets(text, sizeof text, f) != NULL);
    fclose(f);
    EXPECT_STR(text, "-----A-----");
}

TEST(what_is_printed_has_no_secret_and_reads_back)
{
    struct http_client_conf c =
        conf_of("{oauth2: {client_id: i, client_secret: hush1, token_url: 'http://t/', scopes: [a, b], "
                "endpoint_params: {k: hush2}, "
                "tls_config: {min_version: TLS12, max_version: TLS13}}, proxy_url: 'http://u:hush3@p:1', "
                "no_proxy: n, "
                "proxy_connect_header: {X: [hush4]}, http_headers: {Y: {secrets: [hush5]}}}");
    struct buf shown = BUF_INIT(1 << 16), whole = BUF_INIT(1 << 16), again = BUF_INIT(1 << 16);
    http_conf_print(&c, "", false, &shown);
    EXPECT(strstr(buf_cstr(&shown), "hush") == NULL &&
           strstr(buf_cstr(&shown), "min_version: TLS12") != NULL);
    http_conf_print(&c, "", true, &whole);
    struct http_client_conf d = conf_of(buf_cstr(&whole));
    http_conf_print(&d, "", true, &again);
    EXPECT_STR(buf_cstr(&again), buf_cstr(&whole));
    EXPECT(d.oauth2->tls.use.min_version == 12 && d.oauth2->tls.use.max_version == 13 &&
           d.n_proxy_headers == 1);
    buf_release(&shown);
    buf_release(&whole);
    buf_release(&again);
}

TEST(contradictions_are_errors_with_file_and_line)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "a: b", "unknown key \"a\"" },
        { "tls_config: {min_version: TLS9}", "dir/x.yml:1: min_version: \"TLS9\" is none of" },
        { "tls_config: {min_version: TLS13, max_version: TLS12}", "max_version is below min_version" },
        { "tls_config: {ca: a, ca_file: b}", "at most one of ca and ca_file" },
        { "no_proxy: a", "no_proxy is of use only with proxy_url" },
        { "{proxy_from_environment: true, proxy_url: 'http://x'}", "proxy_from_environment excludes" },
        { "proxy_connect_header: {A: [b]}", "of use only with proxy_url" },
        { "oauth2: {client_id: a, client_secret: b}", "token_url is missing" },
        { "oauth2: {client_secret: b, token_url: c}", "client_id is missing" },
        { "oauth2: {client_id: a, token_url: c}", "exactly one of client_secret" },
        { "oauth2: {client_id: a, client_secret: b, token_url: c, grant_type: x}",
          "only client_credentials" },
        { "{oauth2: {client_id: a, client_secret: b, token_url: c}, bearer_token: d}",
          "at most one of basic_auth, oauth2" },
        { "http_headers: {Authorization: {values: [a]}}", "use basic_auth or authorization" },
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct http_client_conf c;
        struct err e = ERR_INIT;
        if (read_conf(bad[i].text, &c, &e) != ERR_PARSE) fail_msg("taken: %s", bad[i].text);
        if (strstr(e.text, bad[i].says) == NULL) fail_msg("%s\nsays %s", bad[i].text, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(credentials_and_headers_go_into_the_request),
        CASE(a_token_is_fetched_once_and_used_until_it_ends),
        CASE(a_server_that_wants_the_secret_in_the_form_gets_it_there),
        CASE(a_token_that_is_not_to_be_had_is_an_error_that_is_remembered_and_holds_no_secret),
        CASE(a_token_from_a_private_address_needs_to_be_allowed),
        CASE(no_proxy_is_heeded),
        CASE(a_proxy_gets_the_whole_url),
        CASE(equal_pem_texts_have_one_name),
        CASE(what_is_printed_has_no_secret_and_reads_back),
        CASE(contradictions_are_errors_with_file_and_line),
    };
    return cmocka_run_group_tests(all, set_up, tear_down);
}
