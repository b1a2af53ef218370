/* scrape_request.c - see scrape_request.h. */
#include "receive/scrape_request.h"

#include "base/check.h"
#include "base/file.h"

#define SECRET_MAX (1u << 20)

static int read_secret(const char *path, const char **out, struct arena *a, struct err *e)
{
    struct buf text = BUF_INIT(SECRET_MAX);
    if (path == NULL) return OK;
    int rc = file_slurp(path, &text, e);
    if (rc == OK) *out = arena_str(a, str_trim(buf_view(&text))).p;
    buf_release(&text);
    return rc;
}

static int add_headers(const struct scrape_http *h, const char **headers, size_t *n, struct arena *a,
                       struct err *e)
{
    const char *credentials = h->credentials;
    int rc = read_secret(h->credentials_file, &credentials, a, e);
    if (rc < 0) return rc;
    if (h->auth_type != NULL && credentials != NULL)
        headers[(*n)++] = arena_printf(a, "Authorization: %s %s", h->auth_type, credentials).p;
    for (size_t i = 0; i < h->n_headers; i++) {
        const struct scrape_header *one = &h->headers[i];
        const char *value = one->value.p ? arena_str(a, one->value).p : "";
        if (one->file.n > 0 && (rc = read_secret(one->file.p, &value, a, e)) < 0) return rc;
        headers[(*n)++] = arena_printf(a, "%.*s: %s", STR_ARG(one->name), value).p;
    }
    return OK;
}

int scrape_request_make(const struct scrape_http *h, const char *url, const char *const *extra,
                        size_t n_extra, struct arena *a, struct http_fetch *out, struct err *e)
{
    const char **headers = arena_array(a, n_extra + h->n_headers + 1, sizeof *headers);
    int rc;
    *out = (struct http_fetch){
        .method = "GET", .url = url, .user = h->user, .password = h->password, .proxy_url = h->proxy_url
    };
    out->tls = h->has_tls ? &h->tls : NULL;
    out->follow_redirects = h->follow_redirects;
    if ((rc = read_secret(h->user_file, &out->user, a, e)) < 0) return rc;
    if ((rc = read_secret(h->password_file, &out->password, a, e)) < 0) return rc;
    for (size_t i = 0; i < n_extra; i++) headers[out->n_headers++] = extra[i];
    if ((rc = add_headers(h, headers, &out->n_headers, a, e)) < 0) return rc;
    out->headers = headers;
    return OK;
}

static const struct {
    enum scrape_protocol protocol;
    const char *media;
} media[] = {
    /* native histograms come in protobuf only, which we do not read, so we do not ask for it */
    { SCRAPE_OM_100, "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8" },
    { SCRAPE_OM_001, "application/openmetrics-text;version=0.0.1" },
    { SCRAPE_TEXT_100, "text/plain;version=1.0.0;escaping=allow-utf-8" },
    { SCRAPE_TEXT_004, "text/plain;version=0.0.4" },
};

const char *scrape_accept(const struct scrape_job *job, struct arena *a)
{
    struct str text = STR("Accept: ");
    int q = 2 + (int)job->n_protocols;
    for (size_t i = 0; i < job->n_protocols; i++)
        for (size_t k = 0; k < COUNT(media); k++)
            if (media[k].protocol == job->protocols[i])
                text = arena_printf(a, "%.*s%s;q=0.%d,", STR_ARG(text), media[k].media, q--);
    return arena_printf(a, "%.*s*/*;q=0.%d", STR_ARG(text), q).p;
}
