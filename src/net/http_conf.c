/* http_conf.c - see http_conf.h. */
#include "net/http_conf.h"

#include "base/check.h"
#include "base/file.h"
#include "net/oauth2.h"
#include "net/pem_file.h"

#define SECRET_MAX (1u << 20)

/* ---- from YAML: TLS ---- */

static void read_pem(struct reader *r, struct yaml *map, const char *key, struct str *text, const char **path)
{
    read_text(r, map, key, text);
    if (text->n == 0) return;
    int line = yaml_get(map, key)->line;
    if (*path != NULL)
        return read_fail(r, line, "at most one of %s and %s_file must be configured", key, key);
    *path = pem_file(*text);
    if (*path == NULL) read_fail(r, line, "%s: no memory for it", key);
}

static void read_version(struct reader *r, struct yaml *map, const char *key, int *out)
{
    static const char *const names[] = { "TLS10", "TLS11", "TLS12", "TLS13" };
    const char *name = NULL;
    read_cstr(r, map, key, &name);
    if (name == NULL) return;
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(name, names[i]) == 0) *out = 10 + (int)i;
    if (*out == 0)
        read_fail(r, yaml_get(map, key)->line, "%s: \"%s\" is none of TLS10, TLS11, TLS12, TLS13", key, name);
}

void http_conf_read_tls(struct reader *r, struct yaml *tls, struct http_tls_conf *out)
{
    struct http_tls *use = &out->use;
    if (tls == NULL) return;
    out->given = true;
    read_path(r, tls, "ca_file", &use->ca_file);
    read_path(r, tls, "cert_file", &use->cert_file);
    read_path(r, tls, "key_file", &use->key_file);
    read_pem(r, tls, "ca", &out->ca, &use->ca_file);
    read_pem(r, tls, "cert", &out->cert, &use->cert_file);
    read_pem(r, tls, "key", &out->key, &use->key_file);
    read_cstr(r, tls, "server_name", &use->server_name);
    read_flag(r, tls, "insecure_skip_verify", &use->insecure_skip_verify);
    read_version(r, tls, "min_version", &use->min_version);
    read_version(r, tls, "max_version", &use->max_version);
    if (use->max_version > 0 && use->max_version < use->min_version)
        read_fail(r, tls->line, "tls_config: max_version is below min_version");
    if ((use->cert_file == NULL) != (use->key_file == NULL))
        read_fail(r, tls->line,
                  "exactly one of key or key_file must be configured when a client certificate is "
                  "configured, and the other way round");
}

/* ---- from YAML: who we are ---- */

static void read_basic(struct reader *r, struct yaml *basic, struct http_client_conf *out)
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

static void read_authorization(struct reader *r, struct yaml *a, struct http_client_conf *out)
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

static void read_bearer(struct reader *r, struct yaml *map, struct http_client_conf *out)
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

static void read_proxy(struct reader *r, struct yaml *map, const char **url, const char **no_proxy,
                       bool *from_environment)
{
    read_cstr(r, map, "proxy_url", url);
    read_cstr(r, map, "no_proxy", no_proxy);
    read_flag(r, map, "proxy_from_environment", from_environment);
    if (*from_environment && (*url != NULL || *no_proxy != NULL))
        read_fail(r, map->line, "proxy_from_environment excludes proxy_url and no_proxy");
    if (*no_proxy != NULL && *url == NULL) read_fail(r, map->line, "no_proxy is of use only with proxy_url");
}

static void read_oauth2_params(struct reader *r, struct yaml *map, struct http_oauth2 *o)
{
    struct yaml *params = read_map(r, map, "endpoint_params");
    if (params == NULL) return;
    o->params = arena_zero(r->arena, (2 * params->n + 1) * sizeof *o->params);
    for (size_t i = 0; i < params->n && r->rc == OK; i++) {
        struct yaml *value = yaml_only(params, i);
        if (value->kind != YAML_SCALAR) return read_fail(r, value->line, "endpoint_params: expected text");
        o->params[o->n_params++] = arena_str(r->arena, params->keys[i]);
        o->params[o->n_params++] = arena_str(r->arena, value->text);
    }
}

static void read_oauth2(struct reader *r, struct yaml *map, struct http_client_conf *out)
{
    struct str *scopes = NULL;
    size_t n;
    const char *grant = NULL;
    if (map == NULL) return;
    struct http_oauth2 *o = out->oauth2 = arena_zero(r->arena, sizeof *o);
    read_cstr(r, map, "client_id", &o->client_id);
    read_cstr(r, map, "client_secret", &o->client_secret);
    read_path(r, map, "client_secret_file", &o->client_secret_file);
    read_cstr(r, map, "token_url", &o->token_url);
    read_cstr(r, map, "grant_type", &grant);
    read_texts(r, read_list(r, map, "scopes"), &scopes, &n);
    read_oauth2_params(r, map, o);
    http_conf_read_tls(r, read_map(r, map, "tls_config"), &o->tls);
    read_proxy(r, map, &o->proxy_url, &o->no_proxy, &o->proxy_from_environment);
    for (size_t i = 0; i < n && r->rc == OK; i++)
        o->scope = arena_printf(r->arena, "%s%s%.*s", i ? o->scope : "", i ? " " : "", STR_ARG(scopes[i])).p;
    if (o->client_id == NULL || *o->client_id == 0) read_fail(r, map->line, "oauth2: client_id is missing");
    if (o->token_url == NULL || *o->token_url == 0) read_fail(r, map->line, "oauth2: token_url is missing");
    if ((o->client_secret != NULL) == (o->client_secret_file != NULL))
        read_fail(r, map->line,
                  "oauth2: exactly one of client_secret & client_secret_file must be configured");
    if (grant != NULL && strcmp(grant, "client_credentials") != 0)
        read_fail(r, map->line, "oauth2: grant_type: only client_credentials is known");
}

/* ---- from YAML: headers ---- */

static size_t count_values(const struct yaml *headers)
{
    size_t total = 0;
    for (size_t i = 0; i < headers->n; i++) {
        const struct yaml *h = headers->items[i];
        if (h->kind == YAML_LIST) total += h->n;
        for (size_t k = 0; h->kind == YAML_MAP && k < h->n; k++) total += h->items[k]->n;
    }
    return total;
}

static void read_headers(struct reader *r, struct yaml *map, struct http_client_conf *out)
{
    static const char *const lists[] = { "values", "secrets", "files" };
    struct yaml *headers = read_map(r, map, "http_headers");
    if (headers == NULL) return;
    out->headers = arena_zero(r->arena, (count_values(headers) + 1) * sizeof *out->headers);
    for (size_t i = 0; i < headers->n && r->rc == OK; i++) {
        struct yaml *h = yaml_only(headers, i);
        struct str name = arena_str(r->arena, headers->keys[i]), *texts = NULL;
        if (str_is_nocase(name, "authorization"))
            read_fail(r, headers->key_lines[i], "http_headers: use basic_auth or authorization");
        for (size_t k = 0; k < COUNT(lists); k++) {
            size_t n = 0;
            read_texts(r, read_list(r, h, lists[k]), &texts, &n);
            for (size_t j = 0; j < n; j++) {
                struct http_conf_header *one = &out->headers[out->n_headers++];
                *one = (struct http_conf_header){ .name = name, .value = texts[j], .secret = k == 1 };
                if (k == 2) one->file = str_of(read_resolve(r, texts[j]));
                if (k == 2) one->value = STR("");
            }
        }
    }
}

static void read_proxy_headers(struct reader *r, struct yaml *map, struct http_client_conf *out)
{
    struct yaml *headers = read_map(r, map, "proxy_connect_header");
    if (headers == NULL) return;
    if (out->proxy_url == NULL && !out->proxy_from_environment)
        read_fail(r, headers->line,
                  "proxy_connect_header is of use only with proxy_url or proxy_from_environment");
    out->proxy_headers = arena_zero(r->arena, (count_values(headers) + 1) * sizeof *out->proxy_headers);
    for (size_t i = 0; i < headers->n && r->rc == OK; i++) {
        struct str name = arena_str(r->arena, headers->keys[i]), *texts = NULL;
        size_t n = 0;
        struct yaml *list = yaml_only(headers, i);
        if (list->kind != YAML_LIST) return read_fail(r, list->line, "proxy_connect_header: expected a list");
        read_texts(r, list, &texts, &n);
        for (size_t j = 0; j < n; j++)
            out->proxy_headers[out->n_proxy_headers++] =
                (struct http_conf_header){ .name = name, .value = texts[j], .secret = true };
    }
}

void http_conf_read(struct reader *r, struct yaml *map, struct http_client_conf *out)
{
    struct yaml *basic = read_map(r, map, "basic_auth");
    *out = (struct http_client_conf){ .follow_redirects = true };
    read_basic(r, basic, out);
    read_authorization(r, read_map(r, map, "authorization"), out);
    read_bearer(r, map, out);
    read_oauth2(r, read_map(r, map, "oauth2"), out);
    if ((basic != NULL) + (out->auth_type != NULL) + (out->oauth2 != NULL) > 1)
        read_fail(r, map->line, "at most one of basic_auth, oauth2 & authorization must be configured");
    http_conf_read_tls(r, read_map(r, map, "tls_config"), &out->tls);
    read_proxy(r, map, &out->proxy_url, &out->no_proxy, &out->proxy_from_environment);
    read_proxy_headers(r, map, out);
    read_flag(r, map, "follow_redirects", &out->follow_redirects);
    read_headers(r, map, out);
    read_accept(map, "enable_http2");
}

/* ---- a request ---- */

int http_conf_secret(const char *path, const char **out, struct arena *a, struct err *e)
{
    struct buf text = BUF_INIT(SECRET_MAX);
    if (path == NULL) return OK;
    int rc = file_slurp(path, &text, e);
    if (rc == OK) *out = arena_str(a, str_trim(buf_view(&text))).p;
    buf_release(&text);
    return rc;
}

static int add_authorization(const struct http_client_conf *c, const struct outbound *guard, struct arena *a,
                             const char **headers, size_t *n, struct err *e)
{
    const char *type = c->auth_type, *credentials = c->credentials;
    int rc = http_conf_secret(c->credentials_file, &credentials, a, e);
    if (rc == OK && c->oauth2 != NULL) rc = oauth2_token(c->oauth2, guard, a, &type, &credentials, e);
    if (rc == OK && type != NULL && credentials != NULL)
        headers[(*n)++] = arena_printf(a, "Authorization: %s %s", type, credentials).p;
    return rc;
}

static int add_headers(const struct http_conf_header *from, size_t n_from, struct arena *a,
                       const char **headers, size_t *n, struct err *e)
{
    for (size_t i = 0; i < n_from; i++) {
        const char *value = from[i].value.p ? from[i].value.p : "";
        int rc = from[i].file.n > 0 ? http_conf_secret(from[i].file.p, &value, a, e) : OK;
        if (rc < 0) return rc;
        headers[(*n)++] = arena_printf(a, "%.*s: %s", STR_ARG(from[i].name), value).p;
    }
    return OK;
}

int http_conf_request(const struct http_client_conf *c, const char *url, const char *const *extra,
                      size_t n_extra, const struct outbound *guard, struct arena *a, struct http_fetch *out,
                      struct err *e)
{
    const char **headers = arena_array(a, n_extra + c->n_headers + 1, sizeof *headers);
    const char **to_proxy = arena_array(a, c->n_proxy_headers + 1, sizeof *to_proxy);
    int rc;
    *out = (struct http_fetch){ .method = "GET",
                                .url = url,
                                .user = c->user,
                                .password = c->password,
                                .tls = c->tls.given ? &c->tls.use : NULL,
                                .proxy_url = c->proxy_url,
                                .no_proxy = c->no_proxy,
                                .proxy_from_environment = c->proxy_from_environment,
                                .follow_redirects = c->follow_redirects,
                                .outbound = guard };
    for (size_t i = 0; i < n_extra; i++) headers[out->n_headers++] = extra[i];
    if ((rc = http_conf_secret(c->user_file, &out->user, a, e)) < 0) return rc;
    if ((rc = http_conf_secret(c->password_file, &out->password, a, e)) < 0) return rc;
    if ((rc = add_authorization(c, guard, a, headers, &out->n_headers, e)) < 0) return rc;
    if ((rc = add_headers(c->headers, c->n_headers, a, headers, &out->n_headers, e)) < 0) return rc;
    rc = add_headers(c->proxy_headers, c->n_proxy_headers, a, to_proxy, &out->n_proxy_headers, e);
    out->headers = headers;
    out->proxy_headers = to_proxy;
    return rc;
}
