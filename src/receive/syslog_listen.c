/* syslog_listen.c - one epoll loop: accept, read, frame, write.
 *
 * A round: wait; read what each ready connection has, up to READ_BYTES; its whole messages go into one batch
 * for all connections; the batch is written and waited for. So a connection is never read ahead of the disk
 * by more than one round, and many small messages share one sync.
 *
 * Always true:
 *   1. A message is taken off its connection's buffer only when it is in the batch of this round.
 *   2. The round does not end before the batch is durable, or has been refused for good, or we are told to
 *      stop.
 *
 * Not here: TLS (put a proxy in front), UDP. */
#include "receive/syslog_listen.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "decode/syslog.h"
#include "net/listen.h"
#include "receive/ingest_wait.h"

#define CONNECTIONS_MAX 256
#define READ_BYTES      (64u << 10)
#define BUFFER_MAX      (SYSLOG_FRAME_MAX + 16 + READ_BYTES)
#define IDLE_MS         (10 * 60 * 1000)
#define TICK_MS         1000
#define EVENTS          64
#define RETRY_MS        500

struct connection {
    int fd;
    struct buf in;
    int64_t seen_ms;
    bool ended;
    char peer[46];
};

struct syslog_listener {
    struct ingest in;
    int listen_fd, epoll_fd, wake_fd;
    unsigned port;
    pthread_t thread;
    bool has_thread;
    atomic_bool stopping;
    struct connection *at[CONNECTIONS_MAX]; /* from here on: the loop's own */
    size_t n;
    char place[80];
    size_t message_no;
    const char *peer;
    struct stat *lost, *connections;
};

/* ---- life ---- */

int syslog_listener_new(const char *address, struct store *store, const struct limit *limit,
                        struct syslog_listener **out, struct err *e)
{
    struct syslog_listener *s = mem_alloc_zero(sizeof *s);
    s->epoll_fd = s->wake_fd = -1;
    s->listen_fd = net_listen(address, &s->port, e);
    if (s->listen_fd < 0) {
        int rc = s->listen_fd;
        mem_free(s);
        return rc;
    }
    ingest_init(&s->in, "syslog", store, limit);
    s->lost = stat_counter("vedette_syslog_connections_lost_total",
                           "Connections closed because their framing was lost or they were too many.", NULL);
    s->connections = stat_gauge("vedette_syslog_connections", "Open syslog connections.", NULL);
    *out = s;
    return OK;
}

struct ingest *syslog_listener_ingest(struct syslog_listener *s)
{
    return s != NULL ? &s->in : NULL;
}

unsigned syslog_listener_port(const struct syslog_listener *s)
{
    return s->port;
}

static void close_connection(struct syslog_listener *s, size_t i)
{
    struct connection *c = s->at[i];
    close(c->fd); /* epoll forgets it */
    buf_release(&c->in);
    mem_free(c);
    s->at[i] = s->at[--s->n];
    stat_set(s->connections, (double)s->n);
}

void syslog_listener_free(struct syslog_listener *s)
{
    if (s == NULL) return;
    while (s->n > 0) close_connection(s, 0);
    if (s->listen_fd >= 0) close(s->listen_fd);
    if (s->epoll_fd >= 0) close(s->epoll_fd);
    if (s->wake_fd >= 0) close(s->wake_fd);
    mem_free(s);
}

/* ---- connections ---- */

static void accept_one(struct syslog_listener *s)
{
    struct sockaddr_storage from;
    socklen_t n = sizeof from;
    int fd = accept4(s->listen_fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP, .data.fd = fd };
    if (s->n == CONNECTIONS_MAX || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
        stat_add(s->lost, 1);
        close(fd);
        return;
    }
    struct connection *c = mem_alloc_zero(sizeof *c);
    c->fd = fd;
    c->in = (struct buf)BUF_INIT(BUFFER_MAX);
    c->seen_ms = clock_mono_ns() / 1000000;
    net_peer_text((struct sockaddr *)&from, c->peer, sizeof c->peer);
    s->at[s->n++] = c;
    stat_set(s->connections, (double)s->n);
}

static void read_some(struct syslog_listener *s, struct connection *c)
{
    char *room = buf_room(&c->in, READ_BYTES);
    ssize_t n = room != NULL ? read(c->fd, room, READ_BYTES) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    c->seen_ms = clock_mono_ns() / 1000000;
    if (n <= 0) {
        c->ended = true;
        return;
    }
    buf_added(&c->in, (size_t)n);
    stat_add(s->in.bytes, (size_t)n);
}

/* ---- messages ---- */

static const char *place(void *ctx)
{
    struct syslog_listener *s = ctx;
    snprintf(s->place, sizeof s->place, "syslog from %s, message %zu", s->peer, s->message_no);
    return s->place;
}

/* All whole messages of a connection into the sink; false: it has lost its way. */
static bool take_messages(struct syslog_listener *s, struct connection *c, struct record_sink *sink, int *rc,
                          struct err *e)
{
    enum syslog_framing f = SYSLOG_MORE;
    struct str message;
    size_t used, at = 0;
    s->peer = c->peer;
    if (c->in.n == 0) return true;
    while (*rc == OK && at < c->in.n) {
        f = syslog_frame(str_make(c->in.p + at, c->in.n - at), c->ended, &message, &used);
        if (f != SYSLOG_FRAME) break;
        s->message_no++;
        *rc = syslog_message(sink, message, e);
        at += used;
    }
    memmove(c->in.p, c->in.p + at, c->in.n - at);
    c->in.n -= at;
    return f != SYSLOG_BROKEN && (f != SYSLOG_MORE || c->in.n <= SYSLOG_FRAME_MAX + 16);
}

static void close_ended(struct syslog_listener *s, int64_t now_ms)
{
    for (size_t i = s->n; i-- > 0;)
        if (s->at[i]->ended || now_ms - s->at[i]->seen_ms > IDLE_MS) close_connection(s, i);
}

static void take_all(struct syslog_listener *s, struct ingest_request *q)
{
    struct record_sink sink;
    struct err e = ERR_INIT;
    int rc = OK;
    record_sink_init(&sink, ingest_records(q, TABLE_LOGS), ingest_options(q, TABLE_LOGS), &q->report, place,
                     s);
    for (size_t i = 0; i < s->n && rc == OK; i++) {
        if (take_messages(s, s->at[i], &sink, &rc, &e)) continue;
        stat_add(s->lost, 1);
        s->at[i]->ended = true;
    }
    record_sink_release(&sink);
    ingest_decoded(q, STR(""));
    if (rc < 0) log_warn("syslog", "messages dropped", "error", e.text, NULL);
}

static void write_round(struct syslog_listener *s)
{
    struct ingest_request *q = ingest_begin(&s->in, NULL);
    take_all(s, q);
    ingest_write_waiting(q, &s->stopping, RETRY_MS);
    close_ended(s, clock_mono_ns() / 1000000);
}

/* ---- the loop ---- */

static bool has_input(const struct syslog_listener *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->at[i]->in.n > 0 || s->at[i]->ended) return true;
    return false;
}

static void take_event(struct syslog_listener *s, const struct epoll_event *ev)
{
    if (ev->data.fd == s->listen_fd) {
        accept_one(s);
        return;
    }
    for (size_t i = 0; i < s->n; i++)
        if (s->at[i]->fd == ev->data.fd) read_some(s, s->at[i]);
}

static void *loop(void *arg)
{
    struct syslog_listener *s = arg;
    struct epoll_event events[EVENTS];
    while (!atomic_load(&s->stopping)) {
        int n = epoll_wait(s->epoll_fd, events, EVENTS, TICK_MS);
        for (int i = 0; i < n; i++) take_event(s, &events[i]);
        if (n > 0 && has_input(s))
            write_round(s);
        else
            close_ended(s, clock_mono_ns() / 1000000);
    }
    return NULL;
}

int syslog_listener_start(struct syslog_listener *s, struct err *e)
{
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    const int fds[] = { s->listen_fd, s->wake_fd };
    for (size_t i = 0; i < COUNT(fds); i++) {
        struct epoll_event ev = { .events = EPOLLIN, .data.fd = fds[i] };
        if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fds[i], &ev) < 0)
            return err_errno(e, ERR_IO, "syslog listener");
    }
    if (pthread_create(&s->thread, NULL, loop, s) != 0) return err_errno(e, ERR_IO, "syslog thread");
    s->has_thread = true;
    return OK;
}

void syslog_listener_stop(struct syslog_listener *s)
{
    if (s == NULL || !s->has_thread) return;
    atomic_store(&s->stopping, true);
    uint64_t one = 1;
    if (write(s->wake_fd, &one, sizeof one) < 0) log_debug("syslog", "the loop was awake", NULL);
    pthread_join(s->thread, NULL);
    s->has_thread = false;
}
