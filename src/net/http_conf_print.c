/* http_conf_print.c - an HTTP client configuration as YAML again: for people without its secrets, and with
 * them to tell whether two are equal. */
#include <stdio.h>

#include "base/json.h"
#include "net/http_conf.h"

#define SECRET "<secret>"

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

static void put_pem(struct buf *out, const char *indent, const char *key, struct str text, const char *path,
                    bool secrets)
{
    if (text.n > 0) return put_secret(out, indent, key, text.p, secrets);
    if (path == NULL) return;
    buf_printf(out, "%s%s_file: ", indent, key);
    json_escape(out, str_of(path));
    buf_char(out, '\n');
}

static void print_tls(const struct http_tls_conf *t, const char *indent, bool secrets, struct buf *out)
{
    char deeper[32];
    if (!t->given) return;
    snprintf(deeper, sizeof deeper, "%s  ", indent);
    buf_printf(out, "%stls_config:\n", indent);
    put_pem(out, deeper, "ca", t->ca, t->use.ca_file, secrets);
    put_pem(out, deeper, "cert", t->cert, t->use.cert_file, secrets);
    put_pem(out, deeper, "key", t->key, t->use.key_file, secrets);
    put(out, deeper, "server_name", t->use.server_name);
    if (t->use.min_version > 0) buf_printf(out, "%smin_version: TLS%d\n", deeper, t->use.min_version);
    if (t->use.max_version > 0) buf_printf(out, "%smax_version: TLS%d\n", deeper, t->use.max_version);
    buf_printf(out, "%sinsecure_skip_verify: %s\n", deeper, t->use.insecure_skip_verify ? "true" : "false");
}

/* A proxy's URL may hold a password. */
static void print_proxy(const char *url, const char *no_proxy, bool from_environment, const char *indent,
                        bool secrets, struct buf *out)
{
    const char *at = url ? strchr(url, '@') : NULL, *host = url ? strstr(url, "://") : NULL;
    if (at != NULL && host != NULL && host < at && !secrets)
        buf_printf(out, "%sproxy_url: \"%.*s" SECRET "%s\"\n", indent, (int)(host + 3 - url), url, at);
    else
        put(out, indent, "proxy_url", url);
    put(out, indent, "no_proxy", no_proxy);
    if (from_environment) buf_printf(out, "%sproxy_from_environment: true\n", indent);
}

static void print_oauth2(const struct http_oauth2 *o, const char *indent, bool secrets, struct buf *out)
{
    char deeper[32];
    if (o == NULL) return;
    snprintf(deeper, sizeof deeper, "%s  ", indent);
    buf_printf(out, "%soauth2:\n", indent);
    put(out, deeper, "client_id", o->client_id);
    put_secret(out, deeper, "client_secret", o->client_secret, secrets);
    put(out, deeper, "client_secret_file", o->client_secret_file);
    if (o->scope != NULL) buf_printf(out, "%sscopes:\n", deeper);
    for (struct str rest = str_of(o->scope), one; rest.n > 0;) {
        one = str_cut(rest, ' ', &rest);
        buf_printf(out, "%s- ", deeper);
        json_escape(out, one);
        buf_char(out, '\n');
    }
    put(out, deeper, "token_url", o->token_url);
    for (size_t i = 0; i < o->n_params; i += 2) {
        if (i == 0) buf_printf(out, "%sendpoint_params:\n", deeper);
        buf_printf(out, "%s  ", deeper);
        json_escape(out, o->params[i]);
        buf_cs(out, ": ");
        json_escape(out, secrets ? o->params[i + 1] : STR(SECRET));
        buf_char(out, '\n');
    }
    print_tls(&o->tls, deeper, secrets, out);
    print_proxy(o->proxy_url, o->no_proxy, o->proxy_from_environment, deeper, secrets, out);
}

static void print_value(const struct http_conf_header *h, bool secrets, struct buf *out)
{
    if (h->secret && !secrets)
        buf_cs(out, SECRET);
    else
        json_escape(out, h->file.n > 0 ? h->file : h->value);
}

static void print_name(const struct http_conf_header *h, const char *indent, struct buf *out)
{
    buf_printf(out, "%s  ", indent);
    json_escape(out, h->name);
    buf_cs(out, ":\n");
}

static void print_headers(const struct http_client_conf *c, const char *indent, bool secrets, struct buf *out)
{
    for (size_t i = 0; i < c->n_headers; i++) {
        const struct http_conf_header *h = &c->headers[i];
        const char *list = h->file.n > 0 ? "files" : h->secret ? "secrets" : "values";
        if (i == 0) buf_printf(out, "%shttp_headers:\n", indent);
        if (i == 0 || !str_eq(h->name, c->headers[i - 1].name)) print_name(h, indent, out);
        buf_printf(out, "%s    %s: [", indent, list);
        print_value(h, secrets, out);
        buf_cs(out, "]\n");
    }
}

static void print_proxy_headers(const struct http_client_conf *c, const char *indent, bool secrets,
                                struct buf *out)
{
    for (size_t i = 0; i < c->n_proxy_headers; i++) {
        const struct http_conf_header *h = &c->proxy_headers[i];
        if (i == 0) buf_printf(out, "%sproxy_connect_header:\n", indent);
        if (i == 0 || !str_eq(h->name, c->proxy_headers[i - 1].name)) print_name(h, indent, out);
        buf_printf(out, "%s  - ", indent);
        print_value(h, secrets, out);
        buf_char(out, '\n');
    }
}

void http_conf_print(const struct http_client_conf *c, const char *indent, bool secrets, struct buf *out)
{
    char deeper[32];
    snprintf(deeper, sizeof deeper, "%s  ", indent);
    if (c->user != NULL || c->user_file != NULL) {
        buf_printf(out, "%sbasic_auth:\n", indent);
        put(out, deeper, "username", c->user);
        put(out, deeper, "username_file", c->user_file);
        put_secret(out, deeper, "password", c->password, secrets);
        put(out, deeper, "password_file", c->password_file);
    }
    if (c->auth_type != NULL) {
        buf_printf(out, "%sauthorization:\n", indent);
        put(out, deeper, "type", c->auth_type);
        put_secret(out, deeper, "credentials", c->credentials, secrets);
        put(out, deeper, "credentials_file", c->credentials_file);
    }
    print_oauth2(c->oauth2, indent, secrets, out);
    print_tls(&c->tls, indent, secrets, out);
    print_proxy(c->proxy_url, c->no_proxy, c->proxy_from_environment, indent, secrets, out);
    print_proxy_headers(c, indent, secrets, out);
    print_headers(c, indent, secrets, out);
    buf_printf(out, "%sfollow_redirects: %s\n", indent, c->follow_redirects ? "true" : "false");
}
