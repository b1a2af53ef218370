/* grpc_server.c - the loop thread, the queue of answers, start and stop.
 *
 * A round of the loop: wait; read what came (calls are handed to their handlers here); take the answers that
 * other threads queued; write to, or close, every connection that was touched. Every TICK_MS deadlines and
 * idle times are looked at.
 *
 * Always true:
 *   1. Connections and sessions are touched by the loop thread only; other threads reach it through
 * core->answered.
 *   2. A call is freed by the loop, or by grpc_answer when the loop has gone (core->closed).
 *
 * Stop: the listener closes, every connection gets GOAWAY and goes when its last call is answered; what is
 * left when the grace ends is cut. Late answers then only free their call. */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "net/grpc_private.h"
#include "net/listen.h"
#include "net/tls.h"

#define MAX_MESSAGE     (64u << 20)
#define MAX_CONNECTIONS 1024
#define TICK_MS         100
#define EVENTS          64
#define ACCEPTS_A_ROUND 64

/* ---- health: grpc.health.v1.Health/Check ---- */

static bool serves(const struct grpc_server *s, struct str service)
{
    if (service.n == 0) return true;
    for (size_t i = 0; i < s->n_entries; i++) {
        const char *path = s->entries[i].method->path;
        if (strncmp(path + 1, service.p, service.n) == 0 && path[1 + service.n] == '/') return true;
    }
    return false;
}

static void health_check(struct grpc_call *c, void *ctx)
{
    struct grpc_server *s = ctx; /* answered here and now, on the loop thread */
    struct str service;
    if (!grpc_health_service(grpc_message(c), &service))
        grpc_answer(c, GRPC_INVALID_ARGUMENT, STR(""), "malformed HealthCheckRequest", 0);
    else if (!serves(s, service))
        grpc_answer(c, GRPC_NOT_FOUND, STR(""), "unknown service", 0);
    else
        grpc_answer(c, GRPC_OK, s->draining ? STR("\x08\x02") : STR("\x08\x01"), NULL,
                    0); /* status: 1 serving, 2 not */
}

static const struct grpc_method health_methods[] = { { "/grpc.health.v1.Health/Check", health_check } };

/* ---- life ---- */

struct grpc_server *grpc_server_new(void)
{
    struct grpc_server *s = mem_alloc_zero(sizeof *s);
    s->core = mem_alloc_zero(sizeof *s->core);
    s->core->refs = 1;
    s->core->closed = true;
    s->listen_fd = s->epoll_fd = s->core->wake_fd = -1;
    pthread_mutex_init(&s->core->mu, NULL);
    grpc_server_methods(s, health_methods, COUNT(health_methods), s);
    return s;
}

void grpc_core_unref(struct grpc_core *core)
{
    if (atomic_fetch_sub(&core->refs, 1) > 1) return;
    pthread_mutex_destroy(&core->mu);
    mem_free(core);
}

void grpc_server_free(struct grpc_server *s)
{
    if (s == NULL) return;
    grpc_server_stop(s, 0);
    mem_free(s->entries);
    grpc_core_unref(s->core);
    mem_free(s);
}

void grpc_server_methods(struct grpc_server *s, const struct grpc_method *methods, size_t n, void *ctx)
{
    check(!s->started);
    for (size_t i = 0; i < n; i++) {
        s->entries = mem_grow(s->entries, s->n_entries, &s->cap_entries, sizeof *s->entries);
        s->entries[s->n_entries++] = (struct grpc_entry){ .method = &methods[i], .ctx = ctx };
    }
}

struct grpc_entry *grpc_find(const struct grpc_server *s, struct str path)
{
    for (size_t i = 0; i < s->n_entries; i++)
        if (str_is(path, s->entries[i].method->path)) return &s->entries[i];
    return NULL;
}

unsigned grpc_server_port(const struct grpc_server *s)
{
    return s->port;
}

static double ask_connections(void *ctx)
{
    return atomic_load(&((struct grpc_server *)ctx)->n_conns);
}

static void stats_start(struct grpc_server *s)
{
    s->asked =
        stat_ask(STAT_GAUGE, "vedette_grpc_connections", "Open gRPC connections.", NULL, ask_connections, s);
}

/* ---- the loop ---- */

void grpc_mark_dirty(struct grpc_conn *conn)
{
    if (conn->dirty) return;
    conn->dirty = true;
    conn->next_dirty = conn->server->dirty;
    conn->server->dirty = conn;
}

static void flush_dirty(struct grpc_server *s)
{
    for (struct grpc_conn *conn; (conn = s->dirty) != NULL;) {
        s->dirty = conn->next_dirty;
        conn->dirty = false;
        grpc_conn_flush(conn);
    }
}

static void take_answers(struct grpc_server *s)
{
    struct grpc_core *core = s->core;
    pthread_mutex_lock(&core->mu);
    struct grpc_call *c = core->answered;
    core->answered = core->answered_last = NULL;
    pthread_mutex_unlock(&core->mu);
    for (struct grpc_call *next; c != NULL; c = next) {
        next = c->next_answered;
        if (c->conn != NULL)
            grpc_call_submit(c);
        else
            grpc_call_free(c); /* its stream has gone */
    }
}

static void listen_watch(struct grpc_server *s, bool on)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &s->listen_fd };
    if (s->listening != on &&
        epoll_ctl(s->epoll_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, s->listen_fd, &ev) == 0)
        s->listening = on;
}

static void accept_some(struct grpc_server *s)
{
    for (int i = 0; i < ACCEPTS_A_ROUND; i++) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)) return;
        if (fd <
            0) { /* out of descriptors, most likely: look away until the next tick, or the loop would spin */
            log_warn("grpc", "cannot accept a connection", "error", strerror(errno), NULL);
            return listen_watch(s, false);
        }
        if (atomic_load(&s->n_conns) < s->max_connections)
            grpc_conn_open(s, fd);
        else
            close(fd);
    }
}

static void tick(struct grpc_server *s)
{
    for (struct grpc_conn *conn = s->conns; conn != NULL; conn = conn->next) grpc_conn_tick(conn);
    if (!s->draining) listen_watch(s, true);
}

static void drain(struct grpc_server *s)
{
    s->draining = true;
    listen_watch(s, false);
    close(s->listen_fd);
    s->listen_fd = -1;
    for (struct grpc_conn *conn = s->conns; conn != NULL; conn = conn->next) {
        grpc_conn_goaway(conn);
        grpc_mark_dirty(conn);
    }
}

static void on_event(struct grpc_server *s, const struct epoll_event *ev)
{
    uint64_t count;
    if (ev->data.ptr == &s->listen_fd) {
        if (s->listen_fd >= 0) accept_some(s);
    } else if (ev->data.ptr == &s->core->wake_fd) {
        if (read(s->core->wake_fd, &count, sizeof count) < 0) return; /* nothing new: fine */
    } else if (ev->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        grpc_conn_readable(ev->data.ptr);
    } else {
        grpc_mark_dirty(ev->data.ptr);
    }
}

static bool go_on(struct grpc_server *s)
{
    int64_t stop_ms = atomic_load(&s->stop_ms);
    if (stop_ms == 0) return true;
    if (!s->draining) drain(s);
    return s->conns != NULL && s->now_ms < stop_ms;
}

static void close_all(struct grpc_server *s)
{
    pthread_mutex_lock(&s->core->mu);
    s->core->closed = true;
    close(s->core->wake_fd);
    s->core->wake_fd = -1;
    pthread_mutex_unlock(&s->core->mu);
    while (s->conns != NULL) grpc_conn_close(s->conns);
    s->dirty = NULL;
    take_answers(s);
}

static void *loop(void *arg)
{
    struct grpc_server *s = arg;
    struct epoll_event events[EVENTS];
    int64_t ticked_ms = 0;
    pthread_mutex_lock(&s->core->mu); /* until start has noted which thread this is */
    pthread_mutex_unlock(&s->core->mu);
    do {
        int n = epoll_wait(s->epoll_fd, events, EVENTS, s->conns || !s->listening ? TICK_MS : -1);
        s->now_ms = clock_mono_ns() / 1000000;
        for (int i = 0; i < n; i++) on_event(s, &events[i]);
        if (s->now_ms - ticked_ms >= TICK_MS) {
            tick(s);
            ticked_ms = s->now_ms;
        }
        take_answers(s);
        flush_dirty(s);
    } while (go_on(s));
    flush_dirty(s);
    close_all(s);
    return NULL;
}

/* ---- start and stop ---- */

static int loop_prepare(struct grpc_server *s, const struct grpc_conf *c, struct err *e)
{
    int rc;
    if (c->tls_cert_pem != NULL &&
        (rc = tls_credentials_open(c->tls_cert_pem, c->tls_key_pem, &s->credentials, e)) < 0)
        return rc;
    if ((rc = grpc_session_setup(s, e)) < 0) return rc;
    if ((s->listen_fd = net_listen(c->listen, &s->port, e)) < 0) return s->listen_fd;
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->core->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &s->core->wake_fd };
    if (s->epoll_fd < 0 || s->core->wake_fd < 0 ||
        epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->core->wake_fd, &ev) < 0)
        return err_errno(e, ERR_IO, "cannot serve gRPC on %s", c->listen);
    listen_watch(s, true);
    return OK;
}

static void loop_release(struct grpc_server *s)
{
    if (s->listen_fd >= 0) close(s->listen_fd);
    if (s->epoll_fd >= 0) close(s->epoll_fd);
    if (s->core->wake_fd >= 0) close(s->core->wake_fd);
    s->listen_fd = s->epoll_fd = s->core->wake_fd = -1;
    nghttp2_session_callbacks_del(s->callbacks);
    nghttp2_option_del(s->options);
    s->callbacks = NULL;
    s->options = NULL;
    tls_credentials_close(s->credentials);
    s->credentials = NULL;
    if (s->asked != NULL) stat_forget(s->asked);
    s->asked = NULL;
}

int grpc_server_start(struct grpc_server *s, const struct grpc_conf *c, struct err *e)
{
    check(!s->started);
    s->max_message = c->max_message_bytes ? c->max_message_bytes : MAX_MESSAGE;
    s->max_connections = c->max_connections ? c->max_connections : MAX_CONNECTIONS;
    s->now_ms = clock_mono_ns() / 1000000;
    int rc = loop_prepare(s, c, e);
    if (rc == OK) {
        stats_start(s);
        s->core->closed = false;
        pthread_mutex_lock(&s->core->mu);
        int why = pthread_create(&s->core->loop, NULL, loop, s);
        pthread_mutex_unlock(&s->core->mu);
        if (why != 0) rc = err_set(e, ERR_LIMIT, "cannot start a thread: %s", strerror(why));
    }
    s->started = rc == OK;
    if (rc < 0) loop_release(s);
    return rc;
}

void grpc_server_stop(struct grpc_server *s, unsigned grace_ms)
{
    if (!s->started) return;
    uint64_t one = 1;
    pthread_mutex_lock(
        &s->core->mu); /* or the loop might see stop_ms and close wake_fd before we write to it */
    atomic_store(&s->stop_ms, clock_mono_ns() / 1000000 + grace_ms);
    check(write(s->core->wake_fd, &one, sizeof one) == sizeof one);
    pthread_mutex_unlock(&s->core->mu);
    pthread_join(s->core->loop, NULL);
    s->started = false;
    loop_release(s);
}
