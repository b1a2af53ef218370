/* syslog_listen.c - one epoll loop: accept, read, frame, write.
 *
 * A round: wait; read what each ready connection has, up to READ_BYTES; its whole messages and the datagrams
 * that wait, up to DATAGRAMS_MAX, go into one batch for all; the batch is written and waited for. So a
 * connection is never read ahead of the disk by more than one round, and many small messages share one sync.
 *
 * Always true:
 *   1. A message is taken off its connection's buffer only when it is in the batch of this round.
 *   2. The round does not end before the batch is durable, or has been refused for good, or we are told to
 *      stop.
 *
 * Not here: TLS (put a proxy in front). */
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
#define DATAGRAMS_MAX   4096        /* in one round */
#define DATAGRAM_BYTES  (64u << 10) /* no datagram is larger */
#define DATAGRAM_ROOM   (8 << 20)   /* asked of the kernel, which may give less (net.core.rmem_max) */

struct connection {
    int fd;
    struct buf in;
    int64_t seen_ms;
    bool ended;
    char peer[46];
};

struct syslog_listener {
    struct ingest in;
    int listen_fd, udp_fd, epoll_fd, wake_fd; /* -1: none */
    unsigned port, udp_port;
    pthread_t thread;
    bool has_thread;
    atomic_bool stopping;
    struct connection *at[CONNECTIONS_MAX]; /* from here on: the loop's own */
    size_t n;
    char place[80];
    size_t message_no;
    const char *peer;
    char *datagram; /* DATAGRAM_BYTES; NULL without UDP */
    bool has_datagrams;
    uint32_t kernel_lost; /* as the kernel counted at the last datagram */
    struct stat *lost, *connections, *datagrams_lost;
};

/* ---- life ---- */

static int open_udp(struct syslog_listener *s, const char *address, struct err *e)
{
    const int room = DATAGRAM_ROOM, on = 1;
    s->udp_fd = net_bind_udp(address, &s->udp_port, e);
    if (s->udp_fd < 0) return s->udp_fd;
    setsockopt(s->udp_fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    setsockopt(s->udp_fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
    s->datagram = mem_alloc(DATAGRAM_BYTES);
    return OK;
}

int syslog_listener_new(const struct syslog_conf *conf, struct store *store, const struct limit *limit,
                        struct syslog_listener **out, struct err *e)
{
    const bool has_tcp = strcmp(conf->tcp, "none") != 0, has_udp = strcmp(conf->udp, "none") != 0;
    int rc = OK;
    *out = NULL;
    if (!has_tcp && !has_udp) return OK;
    struct syslog_listener *s = mem_alloc_zero(sizeof *s);
    s->listen_fd = s->udp_fd = s->epoll_fd = s->wake_fd = -1;
    if (has_tcp) rc = s->listen_fd = net_listen(conf->tcp, &s->port, e);
    if (rc >= 0 && has_udp) rc = open_udp(s, conf->udp, e);
    if (rc < 0) {
        syslog_listener_free(s);
        return rc;
    }
    ingest_init(&s->in, "syslog", store, limit);
    s->lost = stat_counter("vedette_syslog_connections_lost_total",
                           "Connections closed because their framing was lost or they were too many.", NULL);
    s->connections = stat_gauge("vedette_syslog_connections", "Open syslog connections.", NULL);
    s->datagrams_lost = stat_counter("vedette_syslog_datagrams_lost_total",
                                     "Syslog datagrams that the kernel had no room for.", NULL);
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

unsigned syslog_listener_udp_port(const struct syslog_listener *s)
{
    return s->udp_port;
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
    if (s->udp_fd >= 0) close(s->udp_fd);
    if (s->epoll_fd >= 0) close(s->epoll_fd);
    if (s->wake_fd >= 0) close(s->wake_fd);
    mem_free(s->datagram);
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

/* ---- datagrams ---- */

static void count_lost(struct syslog_listener *s, struct msghdr *m)
{
    uint32_t total;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL) continue;
        memcpy(&total, CMSG_DATA(c), sizeof total);
        stat_add(s->datagrams_lost, total - s->kernel_lost); /* the kernel's count may wrap */
        s->kernel_lost = total;
    }
}

/* The next that waits; false: none. */
static bool read_datagram(struct syslog_listener *s, struct str *message, char peer[46])
{
    union {
        char bytes[CMSG_SPACE(sizeof(uint32_t))];
        struct cmsghdr align;
    } control;
    struct sockaddr_storage from;
    struct iovec to = { s->datagram, DATAGRAM_BYTES };
    struct msghdr m = { .msg_name = &from,
                        .msg_namelen = sizeof from,
                        .msg_iov = &to,
                        .msg_iovlen = 1,
                        .msg_control = control.bytes,
                        .msg_controllen = sizeof control.bytes };
    ssize_t n = recvmsg(s->udp_fd, &m, MSG_DONTWAIT);
    if (n < 0) return false;
    count_lost(s, &m);
    stat_add(s->in.bytes, (size_t)n);
    net_peer_text((struct sockaddr *)&from, peer, 46);
    *message = str_make(s->datagram, (size_t)n);
    while (message->n > 0 && message->p[message->n - 1] == 0) message->n--; /* some count C's ending */
    return true;
}

static void take_datagrams(struct syslog_listener *s, struct record_sink *sink, int *rc, struct err *e)
{
    struct str message;
    char peer[46];
    s->peer = peer;
    s->has_datagrams = false;
    for (size_t i = 0; *rc == OK && i < DATAGRAMS_MAX && read_datagram(s, &message, peer); i++) {
        s->message_no++;
        *rc = syslog_message(sink, message, e);
    }
    s->peer = "";
}

/* ---- a round ---- */

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
    if (s->has_datagrams && rc == OK) take_datagrams(s, &sink, &rc, &e);
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
    return s->has_datagrams;
}

static void take_event(struct syslog_listener *s, const struct epoll_event *ev)
{
    if (ev->data.fd == s->listen_fd) {
        accept_one(s);
        return;
    }
    if (ev->data.fd == s->udp_fd) {
        s->has_datagrams = true;
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
    const int fds[] = { s->wake_fd, s->listen_fd, s->udp_fd };
    for (size_t i = 0; i < COUNT(fds); i++) {
        if (fds[i] < 0) continue;
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
