/* http_conf.h - Prometheus' HTTP client configuration: one reader for whatever asks an HTTP server for
 * something, be it a scrape, a discovery, a notification.
 *
 *     http_conf_read(&r, map, &conf);                              the keys stand in `map` itself
 *     http_conf_request(&conf, url, headers, n, &arena, &fetch, e) what is in files is read at each request,
 *                                                                  so that changed ones are taken up
 *
 * Known: basic_auth, authorization, bearer_token, oauth2 (client credentials), tls_config, proxy_url,
 * no_proxy, proxy_from_environment, proxy_connect_header, follow_redirects, http_headers, enable_http2
 * (taken, without effect: the server decides). */
#pragma once
#include "base/yaml_read.h"
#include "net/http_client.h"

struct http_conf_header {
    struct str name, value, file; /* value, or the file that holds it */
    bool secret;
};

struct http_tls_conf {
    struct http_tls use;      /* files; a PEM text given in line became one in memory */
    struct str ca, cert, key; /* those texts; p NULL: not given */
    bool given;
};

struct http_oauth2 {
    const char *client_id, *client_secret, *client_secret_file, *token_url;
    const char *scope;  /* joined by blanks; NULL: none */
    struct str *params; /* name, value, name, value, ... */
    size_t n_params;
    struct http_tls_conf tls;
    const char *proxy_url, *no_proxy;
    bool proxy_from_environment;
};

/* NULL texts: not given. */
struct http_client_conf {
    const char *user, *user_file, *password, *password_file;
    const char *auth_type, *credentials, *credentials_file; /* Authorization: type credentials */
    struct http_oauth2 *oauth2;                             /* NULL: none */
    struct http_tls_conf tls;
    const char *proxy_url, *no_proxy;
    bool proxy_from_environment;
    bool follow_redirects;
    struct http_conf_header *headers, *proxy_headers;
    size_t n_headers, n_proxy_headers;
};

void http_conf_read(struct reader *, struct yaml *map, struct http_client_conf *out);
/* The map below tls_config: for what is not HTTP. NULL: nothing given. */
void http_conf_read_tls(struct reader *, struct yaml *tls, struct http_tls_conf *out);
/* YAML again, each line behind `indent`; without `secrets` they are <secret>. */
void http_conf_print(const struct http_client_conf *, const char *indent, bool secrets, struct buf *out);

/* A GET with everything but timeout, ceiling and guard. Headers: `extra` first. Texts live in the arena.
 * ERR_IO, ERR_FIND: a file that cannot be read; with oauth2, what http_oauth2_token says. */
int http_conf_request(const struct http_client_conf *, const char *url, const char *const *extra,
                      size_t n_extra, const struct outbound *, struct arena *, struct http_fetch *out,
                      struct err *);
/* Its request may have to wait for a token from another server: not for a thread that others wait for. */
static inline bool http_conf_may_wait(const struct http_client_conf *c)
{
    return c->oauth2 != NULL;
}

/* What a file with a secret holds, without white space at its ends; NULL path: *out stays. */
int http_conf_secret(const char *path, const char **out, struct arena *, struct err *);
