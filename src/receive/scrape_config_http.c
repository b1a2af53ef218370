/* scrape_config_http.c - how to reach an HTTP server: credentials, TLS, proxy, headers. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "receive/scrape_config_impl.h"

#define SECRET "<secret>"

/* libcurl takes PEM from files; a text given in line becomes one that exists in memory only. */
static void read_pem(struct reader *r, struct yaml *map, const char *key, struct scrape_conf *conf,
                     const char **out)
{
    struct str pem = { NULL, 0 };
    read_text(r, map, key, &pem);
    if (pem.n == 0) return;
    int line = yaml_get(map, key)->line;
    if (*out != NULL) return read_fail(r, line, "at most one of %s and %s_file must be configured", key, key);
    int fd = memfd_create("pem", MFD_CLOEXEC);
    if (fd < 0 || write(fd, pem.p, pem.n) != (ssize_t)pem.n) read_fail(r, line, "%s: no memory for it", key);
    if (fd < 0) return;
    conf->memfds = mem_grow(conf->memfds, conf->n_memfds, &conf->cap_memfds, sizeof *conf->memfds);
    conf->memfds[conf->n_memfds++] = fd;
    *out = arena_printf(r->arena, "/proc/self/fd/%d", fd).p;
}

static void read_tls(struct reader *r, struct yaml *map, struct scrape_conf *conf, struct scrape_http *out)
{
    struct yaml *tls = read_map(r, map, "tls_config");
    if (tls == NULL) return;
    out->has_tls = true;
    read_path(r, tls, "ca_file", &out->tls.ca_file);
    read_path(r, tls, "cert_file", &out->tls.cert_file);
    read_path(r, tls, "key_file", &out->tls.key_file);
    read_pem(r, tls, "ca", conf, &out->tls.ca_file);
    read_pem(r, tls, "cert", conf, &out->tls.cert_file);
    read_pem(r, tls, "key", conf, &out->tls.key_file);
    read_cstr(r, tls, "server_name", &out->tls.server_name);
    read_flag(r, tls, "insecure_skip_verify", &out->tls.insecure_skip_verify);
    read_accept(tls, "min_version");
    read_accept(tls, "max_version");
    if ((out->tls.cert_file == NULL) != (out->tls.key_file == NULL))
        read_fail(r, tls->line,
                  "exactly one of key or key_file must be configured when a client certificate is "
                  "configured, and the other way round");
}

static void read_basic(struct reader *r, struct yaml *basic, struct scrape_http *out)
{
    if (basic == NULL) return;
    read_cstr(r, basic, "username", &out->user);
    read_path(r, basic, "username_file", &out->user_file);
    read_cstr(r, basic, "password", &out->password);
    read_path(r, basic, "password_file", &out->password_file);
    if (out->user != NULL && out->user_file != NULL)
        read_fail(r, basic->line, "at most one of basic_auth username & username_file must be configured");
    if (out->password != NULL && out->password_file != NULL)
        read_fail(r, basic->line, "at most one of basic_auth password & password_file must be configured");
    if (out->user == NULL && out->user_file == NULL) out->user = "";
}

static void read_authorization(struct reader *r, struct yaml *a, struct scrape_http *out)
{
    if (a == NULL) return;
    out->auth_type = "Bearer";
    read_cstr(r, a, "type", &out->auth_type);
    read_cstr(r, a, "credentials", &out->credentials);
    read_path(r, a, "credentials_file", &out->credentials_file);
    if (str_is_nocase(str_of(out->auth_type), "basic"))
        read_fail(r, a->line, "authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
    if (out->credentials != NULL && out->credentials_file != NULL)
        read_fail(r, a->line,
                  "at most one of authorization credentials & credentials_file must be configured");
}

static void read_bearer(struct reader *r, struct yaml *map, struct scrape_http *out)
{
    const char *token = NULL, *file = NULL;
    read_cstr(r, map, "bearer_token", &token);
    read_path(r, map, "bearer_token_file", &file);
    if (token == NULL && file == NULL) return;
    if (token != NULL && file != NULL)
        read_fail(r, map->line, "at most one of bearer_token & bearer_token_file must be configured");
    if (out->auth_type != NULL)
        read_fail(r, map->line, "authorization is not compatible with bearer_token & bearer_token_file");
    out->auth_type = "Bearer";
    out->credentials = token;
    out->credentials_file = file;
}

static void add_header(struct scrape_http *out, struct str name, struct str value, struct str file,
                       bool secret)
{
    out->headers[out->n_headers++] = (struct scrape_header){ name, value, file, secret };
}

static void read_headers(struct reader *r, struct yaml *map, struct scrape_http *out)
{
    struct yaml *headers = read_map(r, map, "http_headers");
    size_t total = 0;
    if (headers == NULL) return;
    for (size_t i = 0; i < headers->n; i++) {
        struct yaml *h = yaml_only(headers, i);
        for (size_t k = 0; k < h->n; k++) total += h->kind == YAML_MAP ? h->items[k]->n : 0;
    }
    out->headers = arena_zero(r->arena, (total + 1) * sizeof *out->headers);
    for (size_t i = 0; i < headers->n && r->rc == OK; i++) {
        struct yaml *h = headers->items[i];
        struct str name = arena_str(r->arena, headers->keys[i]), *texts = NULL;
        static const char *const lists[] = { "values", "secrets", "files" };
        if (str_is_nocase(name, "authorization"))
            read_fail(r, headers->key_lines[i], "http_headers: use basic_auth or authorization");
        for (size_t k = 0; k < COUNT(lists); k++) {
            size_t n = 0;
            read_texts(r, read_list(r, h, lists[k]), &texts, &n);
            for (size_t j = 0; j < n; j++)
                add_header(out, name, k == 2 ? STR("") : texts[j],
                           k == 2 ? str_of(read_resolve(r, texts[j])) : STR(""), k == 1);
        }
    }
}

void scrape_http_read(struct reader *r, struct yaml *map, const struct scrape_conf *conf,
                      struct scrape_http *out)
{
    static const char *const accepted[] = { "enable_http2", "no_proxy", "proxy_from_environment",
                                            "proxy_connect_header" };
    struct yaml *basic = read_map(r, map, "basic_auth");
    *out = (struct scrape_http){ .follow_redirects = true };
    read_basic(r, basic, out);
    read_authorization(r, read_map(r, map, "authorization"), out);
    read_bearer(r, map, out);
    if (basic != NULL && out->auth_type != NULL)
        read_fail(r, map->line, "at most one of basic_auth, oauth2 & authorization must be configured");
    if (r->rc == OK && yaml_get(map, "oauth2") != NULL) {
        log_warn("scrape", "oauth2 is not supported; requests are sent without it", "file", r->file, "line",
                 log_num(yaml_get(map, "oauth2")->line), NULL);
        read_accept(map, "oauth2");
    }
    read_tls(r, map, (struct scrape_conf *)conf, out);
    read_cstr(r, map, "proxy_url", &out->proxy_url);
    read_flag(r, map, "follow_redirects", &out->follow_redirects);
    read_headers(r, map, out);
    for (size_t i = 0; i < COUNT(accepted); i++) read_accept(map, accepted[i]);
}

/* ---- back to YAML ---- */

static void put(struct buf *out, const char *indent, const char *key, const char *value)
{
    if (value == NULL) return;
    buf_printf(out, "%s%s: ", indent, key);
    json_escape(out, str_of(value));
    buf_char(out, '\n');
}

static void put_secret(struct buf *out, const char *indent, const char *key, const char *value, bool secrets)
{
    if (value != NULL && secrets)
        put(out, indent, key, value);
    else if (value != NULL)
        buf_printf(out, "%s%s: " SECRET "\n", indent, key);
}

/* The text of a PEM in memory takes part in a job's identity; its number does not. */
static void put_pem(struct buf *out, const char *indent, const char *key, const char *path, bool secrets)
{
    if (path == NULL) return;
    if (!str_starts(str_of(path), "/proc/self/fd/")) {
        buf_printf(out, "%s%s_file: ", indent, key);
        json_escape(out, str_of(path));
        buf_char(out, '\n');
    } else if (!secrets) {
        buf_printf(out, "%s%s: " SECRET "\n", indent, key);
    } else {
        struct buf pem = BUF_INIT(1u << 20);
        struct str fd = str_make(path + 14, strlen(path) - 14);
        int64_t n = 0;
        char piece[4096];
        str_to_i64(fd, &n);
        for (ssize_t got, at = 0; (got = pread((int)n, piece, sizeof piece, at)) > 0; at += got)
            buf_add(&pem, piece, (size_t)got);
        put(out, indent, key, buf_cstr(&pem));
        buf_release(&pem);
    }
}

static void print_tls(const struct scrape_http *h, const char *indent, bool secrets, struct buf *out)
{
    char deeper[32];
    if (!h->has_tls) return;
    snprintf(deeper, sizeof deeper, "%s  ", indent);
    buf_printf(out, "%stls_config:\n", indent);
    put_pem(out, deeper, "ca", h->tls.ca_file, secrets);
    put_pem(out, deeper, "cert", h->tls.cert_file, secrets);
    put_pem(out, deeper, "key", h->tls.key_file, secrets);
    put(out, deeper, "server_name", h->tls.server_name);
    buf_printf(out, "%sinsecure_skip_verify: %s\n", deeper, h->tls.insecure_skip_verify ? "true" : "false");
}

static void print_headers(const struct scrape_http *h, const char *indent, bool secrets, struct buf *out)
{
    for (size_t i = 0; i < h->n_headers; i++) {
        const struct scrape_header *one = &h->headers[i];
        bool again = i > 0 && str_eq(one->name, h->headers[i - 1].name);
        if (i == 0) buf_printf(out, "%shttp_headers:\n", indent);
        if (!again) {
            buf_printf(out, "%s  ", indent);
            json_escape(out, one->name);
            buf_cs(out, ":\n");
        }
        buf_printf(out, "%s    %s: [", indent,
                   one->file.n > 0 ? "files"
                   : one->secret   ? "secrets"
                                   : "values");
        if (one->secret && !secrets)
            buf_cs(out, SECRET);
        else
            json_escape(out, one->file.n > 0 ? one->file : one->value);
        buf_cs(out, "]\n");
    }
}

/* A proxy's URL may hold a password. */
static void print_proxy(const char *url, const char *indent, bool secrets, struct buf *out)
{
    const char *at = url ? strchr(url, '@') : NULL, *host = url ? strstr(url, "://") : NULL;
    if (at != NULL && host != NULL && host < at && !secrets)
        buf_printf(out, "%sproxy_url: \"%.*s" SECRET "%s\"\n", indent, (int)(host + 3 - url), url, at);
    else
        put(out, indent, "proxy_url", url);
}

void scrape_http_print(const struct scrape_http *h, const char *indent, bool secrets, struct buf *out)
{
    char deeper[32];
    snprintf(deeper, sizeof deeper, "%s  ", indent);
    if (h->user != NULL || h->user_file != NULL) {
        buf_printf(out, "%sbasic_auth:\n", indent);
        put(out, deeper, "username", h->user);
        put(out, deeper, "username_file", h->user_file);
        put_secret(out, deeper, "password", h->password, secrets);
        put(out, deeper, "password_file", h->password_file);
    }
    if (h->auth_type != NULL) {
        buf_printf(out, "%sauthorization:\n", indent);
        put(out, deeper, "type", h->auth_type);
        put_secret(out, deeper, "credentials", h->credentials, secrets);
        put(out, deeper, "credentials_file", h->credentials_file);
    }
    print_tls(h, indent, secrets, out);
    print_proxy(h->proxy_url, indent, secrets, out);
    print_headers(h, indent, secrets, out);
    buf_printf(out, "%sfollow_redirects: %s\n", indent, h->follow_redirects ? "true" : "false");
}
