/* http_client.c - transfers on one thread.
 *
 * A transfer is a curl handle set up completely on the caller's thread (curl copies every option), put on the
 * list `arrived`, and from then on the client thread's alone: driven by the multi handle, which keeps
 * connections for reuse, and freed after its callback.
 *
 * Always true:
 *   1. Every transfer that http_client_fetch accepted gets its callback exactly once, on the client thread.
 *   2. At most max_transfers are accepted and not yet called back.
 *   3. An answer never holds more than its ceiling in memory, decompressed or not.
 *   4. A guarded transfer never uses a connection that an unguarded one has made: it makes its own. */
#include "net/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>

#include "base/check.h"
#include "base/mem.h"
#include "net/curl_guard.h"

#define ANSWER_MAX        (64u << 20)
#define TIMEOUT_MS        30000
#define REDIRECTS_MAX     5
#define IDLE_WAIT_MS      10000 /* curl_multi_poll wakes earlier for its own timers and for wakeups */
#define KEPT_CONNECTIONS  256
#define RETRY_AFTER_MAX_S (7 * 86400) /* who asks for more has made a mistake */

struct transfer {
    struct transfer *next, *prev;
    CURL *easy;
    struct curl_slist *headers, *proxy_headers, *connect_to;
    CURLU *url;
    bool over; /* the answer passed its ceiling */
    struct curl_guard guard;
    struct http_fetched result;
    http_fetched_fn *done;
    void *ctx;
};

struct http_client {
    CURLM *multi;
    pthread_t thread;
    size_t max_transfers;
    _Atomic size_t accepted; /* and not called back */
    pthread_mutex_t mu;
    struct transfer *arrived, *arrived_last; /* mu */
    bool stop;                               /* mu */
    struct transfer *running;                /* client thread */
};

/* ---- one transfer ---- */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    buf_add(&t->result.body, p, size * n);
    t->over = t->result.body.full;
    return t->over ? 0 : size * n; /* 0 ends the transfer */
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct str value, name = str_cut(str_make(p, size * n), ':', &value);
    if (str_is_nocase(name, "x-prometheus-refresh-interval-seconds"))
        snprintf(t->result.refresh_interval, sizeof t->result.refresh_interval, "%.*s",
                 STR_ARG(str_trim(value)));
    return size * n;
}

static void transfer_free(struct transfer *t)
{
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->proxy_headers);
    curl_slist_free_all(t->connect_to);
    curl_url_cleanup(t->url);
    buf_release(&t->result.body);
    mem_free(t);
}

static void slist_add(struct curl_slist **list, const char *text)
{
    struct curl_slist *grown = curl_slist_append(*list, text);
    check(grown != NULL);
    *list = grown;
}

static bool has_line_end(const char *s)
{
    return strpbrk(s, "\r\n") != NULL;
}

static bool names(const char *header, const char *name)
{
    size_t n = strlen(name);
    return strncasecmp(header, name, n) == 0 && header[n] == ':';
}

static int set_headers(struct transfer *t, const struct http_fetch *f, struct err *e)
{
    bool has_type = false;
    for (size_t i = 0; i < f->n_headers; i++) {
        if (has_line_end(f->headers[i])) return err_set(e, ERR_RANGE, "a request header holds a line end");
        has_type |= names(f->headers[i], "content-type");
        slist_add(&t->headers, f->headers[i]);
    }
    if (f->bearer != NULL) {
        if (has_line_end(f->bearer)) return err_set(e, ERR_RANGE, "the bearer token holds a line end");
        struct buf line = BUF_INIT(1 << 20);
        buf_printf(&line, "Authorization: Bearer %s", f->bearer);
        slist_add(&t->headers, buf_cstr(&line));
        buf_release(&line);
    }
    slist_add(&t->headers, "Expect:"); /* curl would wait a second for a 100 that many never send */
    if (!has_type) slist_add(&t->headers, "Content-Type:");
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    return OK;
}

static int set_method(struct transfer *t, const struct http_fetch *f, struct err *e)
{
    const char *method = f->method ? f->method : "GET";
    if (strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(method) || *method == 0)
        return err_set(e, ERR_RANGE, "\"%s\" is no HTTP method", method);
    if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
    } else if (f->body.n > 0 || strcmp(method, "GET") != 0) {
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body.n);
        curl_easy_setopt(t->easy, CURLOPT_COPYPOSTFIELDS, f->body.n ? f->body.p : "");
        curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
    }
    return OK;
}

/* Another name for TLS than the one to connect to: curl only knows the URL's host, so that becomes the name,
 * the connection is sent to the real host, and the Host header stays the real one. */
static void set_server_name(struct transfer *t, const char *name)
{
    char *host = NULL, *port = NULL;
    if (curl_url_get(t->url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(t->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        struct buf line = BUF_INIT(4096);
        buf_printf(&line, "%s:%s:%s:%s", name, port, host, port);
        slist_add(&t->connect_to, buf_cstr(&line));
        buf_clear(&line);
        buf_printf(&line, "Host: %s:%s", host, port);
        slist_add(&t->headers, buf_cstr(&line));
        buf_release(&line);
        curl_url_set(t->url, CURLUPART_HOST, name, 0);
        curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
    }
    curl_free(host);
    curl_free(port);
}

static void set_tls(struct transfer *t, const struct http_tls *tls)
{
    if (tls == NULL) return;
    if (tls->server_name) set_server_name(t, tls->server_name);
    curl_set_tls(t->easy, tls);
}

static bool is_web(CURLU *url)
{
    char *scheme = NULL;
    bool web = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
               (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    return web;
}

bool http_url_is_web(const char *text)
{
    CURLU *url = curl_url();
    bool web = url != NULL && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK && is_web(url);
    curl_url_cleanup(url);
    return web;
}

static int set_url(struct transfer *t, const struct http_fetch *f, struct err *e)
{
    CURLUcode rc = curl_url_set(t->url, CURLUPART_URL, f->url, 0);
    if (rc != CURLUE_OK) return err_set(e, ERR_RANGE, "URL \"%s\": %s", f->url, curl_url_strerror(rc));
    if (!is_web(t->url)) return err_set(e, ERR_RANGE, "URL \"%s\": only http and https", f->url);
    curl_easy_setopt(t->easy, CURLOPT_CURLU, t->url);
    return OK;
}

static void set_limits(struct transfer *t, const struct http_fetch *f)
{
    long timeout_ms = f->timeout_ms ? (long)f->timeout_ms : TIMEOUT_MS;
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(t->easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, f->follow_redirects ? 1L : 0L);
    curl_easy_setopt(t->easy, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    curl_easy_setopt(t->easy, CURLOPT_UNRESTRICTED_AUTH, 0L);
}

static int set_proxy(struct transfer *t, const struct http_fetch *f, struct err *e)
{
    if (f->proxy_url != NULL || !f->proxy_from_environment)
        curl_easy_setopt(t->easy, CURLOPT_PROXY,
                         f->proxy_url ? f->proxy_url : ""); /* "": not from the environment either */
    if (f->no_proxy != NULL) curl_easy_setopt(t->easy, CURLOPT_NOPROXY, f->no_proxy);
    curl_easy_setopt(t->easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    for (size_t i = 0; i < f->n_proxy_headers; i++) {
        if (has_line_end(f->proxy_headers[i]))
            return err_set(e, ERR_RANGE, "a proxy header holds a line end");
        slist_add(&t->proxy_headers, f->proxy_headers[i]);
    }
    curl_easy_setopt(t->easy, CURLOPT_PROXYHEADER, t->proxy_headers);
    return OK;
}

static int set_guard(struct transfer *t, const struct http_fetch *f, struct err *e)
{
    char *host = NULL;
    if (f->outbound == NULL) return OK;
    check(curl_url_get(t->url, CURLUPART_HOST, &host, 0) == CURLUE_OK);
    int rc = curl_guard_set(&t->guard, t->easy, f->outbound, host, e);
    curl_free(host);
    return rc;
}

static void set_results(struct transfer *t, const struct http_fetch *f)
{
    t->result.body = (struct buf)BUF_INIT(f->max_answer_bytes ? f->max_answer_bytes : ANSWER_MAX);
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->result.error);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "vedette");
    if (f->accept_gzip) curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    if (f->user == NULL) return;
    curl_easy_setopt(t->easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(t->easy, CURLOPT_USERNAME, f->user);
    curl_easy_setopt(t->easy, CURLOPT_PASSWORD, f->password ? f->password : "");
}

static int transfer_new(const struct http_fetch *f, struct transfer **out, struct err *e)
{
    curl_start();
    struct transfer *t = mem_alloc_zero(sizeof *t);
    t->easy = curl_easy_init();
    t->url = curl_url();
    check(t->easy != NULL && t->url != NULL);

    int rc;
    if ((rc = set_url(t, f, e)) < 0) goto fail;
    if ((rc = set_method(t, f, e)) < 0) goto fail;
    set_limits(t, f);
    if ((rc = set_proxy(t, f, e)) < 0) goto fail;
    if ((rc = set_guard(t, f, e)) < 0) goto fail;
    set_results(t, f);
    set_tls(t, f->tls);
    if ((rc = set_headers(t, f, e)) < 0) goto fail;
    *out = t;
    return OK;
fail:
    transfer_free(t);
    return rc;
}

static int code_of(const struct transfer *t, CURLcode rc)
{
    switch (rc) {
    case CURLE_OK: return OK;
    case CURLE_OPERATION_TIMEDOUT: return ERR_TIMEOUT;
    case CURLE_TOO_MANY_REDIRECTS: return ERR_LIMIT;
    default: return t->over ? ERR_LIMIT : t->guard.refused[0] ? ERR_RANGE : ERR_IO;
    }
}

static void transfer_settle(struct transfer *t, CURLcode rc)
{
    struct http_fetched *r = &t->result;
    const char *type = NULL;
    curl_off_t micros = 0, bytes = 0, retry_after_s = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &r->status);
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(t->easy, CURLINFO_TOTAL_TIME_T, &micros);
    curl_easy_getinfo(t->easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    r->retry_after_ms = retry_after_s > 0 ? MIN(retry_after_s, RETRY_AFTER_MAX_S) * 1000 : 0;
    r->seconds = (double)micros / 1e6;
    r->wire_bytes = (size_t)bytes;
    snprintf(r->content_type, sizeof r->content_type, "%s", type ? type : "");
    r->rc = code_of(t, rc);
    if (t->over)
        snprintf(r->error, sizeof r->error, "answer larger than %zu bytes", r->body.max);
    else if (r->rc == ERR_RANGE)
        snprintf(r->error, sizeof r->error, "%s", t->guard.refused);
    else if (r->rc != OK && r->error[0] == 0)
        snprintf(r->error, sizeof r->error, "%s", curl_easy_strerror(rc));
}

int http_fetch_now(const struct http_fetch *f, struct http_fetched *out, struct err *e)
{
    struct transfer *t;
    struct err why = ERR_INIT;
    int rc = transfer_new(f, &t, &why);
    *out = (struct http_fetched){ .rc = rc };
    if (rc < 0) {
        snprintf(out->error, sizeof out->error, "%.*s", (int)sizeof out->error - 1, why.text);
        return err_set(e, rc, "%s", why.text);
    }
    transfer_settle(t, curl_easy_perform(t->easy));
    *out = t->result;
    t->result.body = (struct buf)BUF_INIT(0);
    transfer_free(t);
    return out->rc == OK ? OK : err_set(e, out->rc, "%s: %s", f->url, out->error);
}

/* ---- the client ---- */

static void running_add(struct http_client *c, struct transfer *t)
{
    t->prev = NULL;
    t->next = c->running;
    if (t->next) t->next->prev = t;
    c->running = t;
}

static void running_remove(struct http_client *c, struct transfer *t)
{
    if (t->prev)
        t->prev->next = t->next;
    else
        c->running = t->next;
    if (t->next) t->next->prev = t->prev;
}

static void finish(struct http_client *c, struct transfer *t)
{
    atomic_fetch_sub(&c->accepted, 1); /* before the callback: it may want to fetch again */
    t->done(&t->result, t->ctx);
    transfer_free(t);
}

/* Take what has arrived to the multi handle; false when it is time to stop. */
static bool take_arrived(struct http_client *c)
{
    pthread_mutex_lock(&c->mu);
    struct transfer *t = c->arrived;
    c->arrived = c->arrived_last = NULL;
    bool go_on = !c->stop;
    pthread_mutex_unlock(&c->mu);

    for (struct transfer *next; t != NULL; t = next) {
        next = t->next;
        running_add(c, t);
        check(curl_multi_add_handle(c->multi, t->easy) == CURLM_OK);
    }
    return go_on;
}

static void finish_completed(struct http_client *c)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &left)) != NULL;) {
        if (m->msg != CURLMSG_DONE) continue;
        struct transfer *t;
        CURLcode rc = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
        curl_multi_remove_handle(c->multi, t->easy);
        running_remove(c, t);
        transfer_settle(t, rc);
        finish(c, t);
    }
}

static void cancel_running(struct http_client *c)
{
    for (struct transfer *t; (t = c->running) != NULL;) {
        curl_multi_remove_handle(c->multi, t->easy);
        running_remove(c, t);
        t->result.rc = ERR_CANCEL;
        snprintf(t->result.error, sizeof t->result.error, "cancelled");
        finish(c, t);
    }
}

static void *client_thread(void *arg)
{
    struct http_client *c = arg;
    while (take_arrived(c)) {
        int running;
        curl_multi_perform(c->multi, &running);
        finish_completed(c);
        curl_multi_poll(c->multi, NULL, 0, IDLE_WAIT_MS, NULL);
    }
    cancel_running(c);
    return NULL;
}

struct http_client *http_client_start(size_t max_transfers, struct err *e)
{
    curl_start();
    struct http_client *c = mem_alloc_zero(sizeof *c);
    c->max_transfers = max_transfers;
    c->multi = curl_multi_init();
    check(c->multi != NULL);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
    pthread_mutex_init(&c->mu, NULL);
    int rc = pthread_create(&c->thread, NULL, client_thread, c);
    if (rc == 0) return c;

    err_set(e, ERR_LIMIT, "cannot start a thread: %s", strerror(rc));
    curl_multi_cleanup(c->multi);
    pthread_mutex_destroy(&c->mu);
    mem_free(c);
    return NULL;
}

void http_client_stop(struct http_client *c)
{
    if (c == NULL) return;
    pthread_mutex_lock(&c->mu);
    c->stop = true;
    pthread_mutex_unlock(&c->mu);
    curl_multi_wakeup(c->multi);
    pthread_join(c->thread, NULL);
    curl_multi_cleanup(c->multi);
    pthread_mutex_destroy(&c->mu);
    mem_free(c);
}

/* A place among the accepted, or false. */
static bool accept_one(struct http_client *c)
{
    if (atomic_fetch_add(&c->accepted, 1) < c->max_transfers) return true;
    atomic_fetch_sub(&c->accepted, 1);
    return false;
}

int http_client_fetch(struct http_client *c, const struct http_fetch *f, http_fetched_fn *done, void *ctx,
                      struct err *e)
{
    struct transfer *t;
    if (!accept_one(c)) return err_set(e, ERR_BUSY, "%zu transfers under way already", c->max_transfers);
    int rc = transfer_new(f, &t, e);
    if (rc < 0) {
        atomic_fetch_sub(&c->accepted, 1);
        return rc;
    }
    t->done = done;
    t->ctx = ctx;
    pthread_mutex_lock(&c->mu);
    bool stopping = c->stop;
    if (!stopping) {
        if (c->arrived_last)
            c->arrived_last->next = t;
        else
            c->arrived = t;
        c->arrived_last = t;
    }
    pthread_mutex_unlock(&c->mu);
    if (stopping) {
        atomic_fetch_sub(&c->accepted, 1);
        transfer_free(t);
        return err_set(e, ERR_CANCEL, "the client is stopping");
    }
    curl_multi_wakeup(c->multi);
    return OK;
}
