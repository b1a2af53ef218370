/* http_client.h - outbound HTTP on libcurl's multi interface: one thread, many transfers, connections reused.
 *
 * Only http and https. No redirects unless asked (credentials never follow to another host). Ceilings on
 * answer size and time. A request with an `outbound` reaches only what that allows, wherever it is sent on
 * to. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct http_client;
struct outbound;

struct http_tls {
    const char *ca_file, *cert_file, *key_file, *server_name; /* NULL = system default */
    bool insecure_skip_verify;
    int min_version, max_version; /* 10 to 13 for TLS 1.0 to 1.3; 0 = the library's default */
};

struct http_fetch {
    const char *method, *url;
    const char *const *headers; /* "Name: value", n_headers */
    size_t n_headers;
    struct str body;
    const char *user, *password; /* basic auth */
    const char *bearer;
    const struct http_tls *tls;
    const char *proxy_url, *no_proxy; /* no_proxy: hosts, domains and networks, with commas */
    bool proxy_from_environment;
    const char *const *proxy_headers; /* sent to the proxy when it is asked for a tunnel, n_proxy_headers */
    size_t n_proxy_headers;
    const struct outbound *outbound; /* borrowed until the callback; NULL: any address, for targets that an
                                        administrator chose */
    bool follow_redirects;
    bool accept_gzip; /* decompress the answer (ceiling applies to the result) */
    unsigned timeout_ms;
    size_t max_answer_bytes; /* after decompression */
};

struct http_fetched {
    int rc; /* OK when an HTTP answer came, whatever its status; ERR_IO, ERR_TIMEOUT, ERR_LIMIT, ERR_CANCEL,
               ERR_RANGE: outbound refused every address */
    long status;
    struct buf body; /* yours to take (swap it out), else freed after the callback */
    char content_type[256];
    char refresh_interval[32]; /* X-Prometheus-Refresh-Interval-Seconds, for http_sd */
    char error[256];
    double seconds;
    size_t wire_bytes;
    int64_t retry_after_ms; /* Retry-After, as seconds or as a date; 0: not given */
};

typedef void http_fetched_fn(struct http_fetched *, void *ctx); /* on the client's thread: be short */

struct http_client *http_client_start(size_t max_transfers, struct err *);
void http_client_stop(struct http_client *); /* transfers under way end with ERR_CANCEL */

/* Everything in the request is copied. ERR_BUSY when max_transfers are queued. */
int http_client_fetch(struct http_client *, const struct http_fetch *, http_fetched_fn *done, void *ctx,
                      struct err *);

bool http_url_is_web(const char *url); /* http or https, with a host */

/* On the caller's thread, waiting. The answer is yours: buf_release(&out->body). */
int http_fetch_now(const struct http_fetch *, struct http_fetched *out, struct err *);
