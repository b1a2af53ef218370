/* http_server.c - listeners and their libmicrohttpd daemons; start and stop.
 *
 * A listener has a daemon with its own pool of threads, each with its own epoll. What exchanges need (router,
 * ceilings, counters, the list of suspended ones) is in the core, which outlives the server while late
 * answers are still out.
 *
 * Stop: listen no more, let exchanges finish for the grace period, answer 503 to those still suspended, then
 * stop the daemons. A handler may answer an abandoned exchange at any later time, even after
 * http_server_free: that only frees it.
 *
 * Not here: reading requests (http_exchange.c), writing answers (http_answer.c), slow and lost clients
 * (http_house.c). */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "net/http_private.h"
#include "net/listen.h"
#include "net/tls.h"

#define MAX_BODY          (64u << 20)
#define MAX_INFLIGHT      (256u << 20)
#define MAX_CONNECTIONS   4096
#define IDLE_TIMEOUT_S    120
/* The head, the receive buffer and the answer's head. libmicrohttpd clears it all for each request, so every
 * connection that was ever used holds this much; bodies of 50 kB take 12 us of CPU with 32/8 KiB, 32 us with
 * 64/16 (tests of 2026). */
#define CONNECTION_MEMORY (32u << 10)
#define ARRIVAL_STEP      (8u << 10)

struct http_listener {
    struct MHD_Daemon *daemon;
    int fd;
    unsigned port;
};

struct http_server {
    struct http_core *core;
    struct http_listener listeners[4];
    size_t n_listeners;
    struct stat *asked[2];
};

static struct http_core *core_new(void)
{
    struct http_core *core = mem_alloc_zero(sizeof *core);
    core->refs = 1;
    pthread_mutex_init(&core->mu, NULL);
    pthread_mutex_init(&core->house_mu, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&core->house_wake, &attr);
    pthread_condattr_destroy(&attr);
    return core;
}

void http_core_unref(struct http_core *core)
{
    if (atomic_fetch_sub(&core->refs, 1) > 1) return;
    http_router_release(&core->router);
    pthread_cond_destroy(&core->house_wake);
    pthread_mutex_destroy(&core->house_mu);
    pthread_mutex_destroy(&core->mu);
    mem_free(core);
}

struct http_server *http_server_new(void)
{
    struct http_server *s = mem_alloc_zero(sizeof *s);
    s->core = core_new();
    return s;
}

void http_server_free(struct http_server *s)
{
    if (s == NULL) return;
    http_server_stop(s, 0);
    http_core_unref(s->core);
    mem_free(s);
}

void http_server_routes(struct http_server *s, const struct http_route *routes, size_t n, void *ctx)
{
    check(s->n_listeners == 0);
    http_router_add(&s->core->router, routes, n, ctx);
}

/* ---- counters ---- */

static double ask_inflight(void *ctx)
{
    return (double)atomic_load(&((struct http_core *)ctx)->inflight);
}

static double ask_connections(void *ctx)
{
    return (double)atomic_load(&((struct http_core *)ctx)->connections);
}

/* What is refused before any handler has seen it; by status, which here says all. */
static const struct {
    int status;
    const char *reason;
} refusals[HTTP_REFUSALS] = {
    { 400, "malformed" }, { 404, "path" }, { 405, "method" }, { 413, "body" }, { 503, "inflight" }
};

void http_count_refused(struct http_core *core, int status)
{
    for (size_t i = 0; i < HTTP_REFUSALS; i++)
        if (refusals[i].status == status) stat_add(core->refused[i], 1);
}

static void stats_start(struct http_server *s)
{
    struct http_core *core = s->core;
    for (size_t i = 0; i < HTTP_REFUSALS; i++) {
        char labels[64];
        snprintf(labels, sizeof labels, "reason=\"%s\"", refusals[i].reason);
        core->refused[i] =
            stat_counter("vedette_http_refused_total",
                         "Requests refused before any handler has seen them, by reason.", labels);
    }
    core->slow_closed =
        stat_counter("vedette_http_slow_closed_total", "Connections closed for sending too slowly.", NULL);
    s->asked[0] = stat_ask(STAT_GAUGE, "vedette_http_inflight_bytes", "Memory held by request bodies.", NULL,
                           ask_inflight, core);
    s->asked[1] = stat_ask(STAT_GAUGE, "vedette_http_connections", "Open HTTP connections.", NULL,
                           ask_connections, core);
}

static void stats_stop(struct http_server *s)
{
    for (size_t i = 0; i < COUNT(s->asked); i++)
        if (s->asked[i] != NULL) stat_forget(s->asked[i]);
    memset(s->asked, 0, sizeof s->asked);
}

/* ---- daemons ---- */

static void on_log(void *cls, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
static void on_log(void *cls, const char *format, va_list ap)
{
    (void)cls;
    char text[256];
    vsnprintf(text, sizeof text, format, ap);
    text[strcspn(text, "\n")] = 0;
    log_debug("http", text, NULL);
}

static struct MHD_Daemon *daemon_start(struct http_core *core, int fd, const struct http_conf *c)
{
    unsigned threads = c->threads ? (unsigned)c->threads : (unsigned)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
    unsigned connections = MAX(c->max_connections ? c->max_connections : MAX_CONNECTIONS, threads);
    struct MHD_OptionItem options[16];
    size_t n = 0;
#define OPTION(...) options[n++] = (struct MHD_OptionItem){ __VA_ARGS__ }
    OPTION(MHD_OPTION_LISTEN_SOCKET, fd, NULL);
    OPTION(MHD_OPTION_CONNECTION_LIMIT, connections, NULL);
    OPTION(MHD_OPTION_PER_IP_CONNECTION_LIMIT, connections - connections / 4, NULL);
    OPTION(MHD_OPTION_CONNECTION_TIMEOUT, c->idle_timeout_s ? c->idle_timeout_s : IDLE_TIMEOUT_S, NULL);
    OPTION(MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL);
    OPTION(MHD_OPTION_CONNECTION_MEMORY_INCREMENT, ARRIVAL_STEP, NULL);
    OPTION(MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL); /* and http_strict.c looks for the rest */
    OPTION(MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_on_completed, core);
    OPTION(MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)http_on_connection, core);
    OPTION(MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)http_on_target, core);
    if (threads > 1) OPTION(MHD_OPTION_THREAD_POOL_SIZE, threads, NULL);
    if (c->tls_cert_pem != NULL) {
        OPTION(MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)c->tls_cert_pem);
        OPTION(MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)c->tls_key_pem);
        OPTION(MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES);
    }
    OPTION(MHD_OPTION_END, 0, NULL);
#undef OPTION
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     MHD_ALLOW_UPGRADE | (c->tls_cert_pem ? MHD_USE_TLS : 0);
    return MHD_start_daemon(flags, 0, NULL, NULL, http_on_request, core, MHD_OPTION_EXTERNAL_LOGGER, on_log,
                            NULL, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static int listener_start(struct http_server *s, const char *address, const struct http_conf *c,
                          struct err *e)
{
    struct http_listener *l = &s->listeners[s->n_listeners];
    l->fd = net_listen(address, &l->port, e);
    if (l->fd < 0) return l->fd;
    l->daemon = daemon_start(s->core, l->fd, c);
    if (l->daemon == NULL) {
        close(l->fd);
        return err_set(e, ERR_IO, "cannot serve on %s%s", address,
                       c->tls_cert_pem ? ": certificate and key do not fit, or no more threads" : "");
    }
    s->n_listeners++;
    return OK;
}

int http_server_start(struct http_server *s, const struct http_conf *c, struct err *e)
{
    check(s->n_listeners == 0 && !s->core->stopping);
    if (c->n_listen > COUNT(s->listeners))
        return err_set(e, ERR_RANGE, "at most %zu listeners", COUNT(s->listeners));
    s->core->max_body = c->max_body_bytes ? c->max_body_bytes : MAX_BODY;
    s->core->max_inflight = c->max_inflight_bytes ? c->max_inflight_bytes : MAX_INFLIGHT;
    http_router_seal(&s->core->router);
    stats_start(s);

    int rc = http_house_start(s->core, e);
    for (size_t i = 0; i < c->n_listen && rc == OK; i++) rc = listener_start(s, c->listen[i], c, e);
    if (rc < 0) http_server_stop(s, 0);
    return rc;
}

unsigned http_server_port(const struct http_server *s, size_t listener)
{
    return listener < s->n_listeners ? s->listeners[listener].port : 0;
}

/* ---- stop ---- */

static void wait_for_exchanges(struct http_core *core, unsigned grace_ms)
{
    int64_t until_ns = clock_mono_ns() + (int64_t)grace_ms * 1000000;
    while (atomic_load(&core->active) > 0 && clock_mono_ns() < until_ns) poll(NULL, 0, 5);
}

void http_server_stop(struct http_server *s, unsigned grace_ms)
{
    struct http_core *core = s->core;
    atomic_store(&core->draining, true);
    for (size_t i = 0; i < s->n_listeners; i++) MHD_quiesce_daemon(s->listeners[i].daemon);
    for (size_t i = 0; i < s->n_listeners; i++) close(s->listeners[i].fd);
    http_streams_finish(core);
    http_sockets_stop(core);
    wait_for_exchanges(core, grace_ms);
    http_streams_finish(core); /* those begun meanwhile */

    http_abandon_suspended(core);
    wait_for_exchanges(core, s->n_listeners ? 200 : 0); /* so that the 503s reach the wire */
    for (size_t i = 0; i < s->n_listeners; i++) MHD_stop_daemon(s->listeners[i].daemon);
    s->n_listeners = 0;
    http_house_stop(core);
    stats_stop(s);
}
