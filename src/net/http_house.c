/* http_house.c - the thread that looks after connections while nobody else does.
 *
 * Every 200 ms it asks the kernel which suspended exchanges have lost their client: libmicrohttpd does not
 * watch a suspended connection, and a query that nobody waits for should stop. A client that only shuts down
 * its sending side counts as gone, too; the flag is advice to the handler, an answer is still sent.
 *
 * Every second it closes connections that hold a slot without getting on: a head that takes longer than
 * HEAD_MS, a body slower than BODY_FLOOR. Idle ones and stalled readers are libmicrohttpd's own timeout's.
 * Whether a head has begun we learn from the kernel's count of bytes received: it grew, but no request has
 * come of it.
 *
 * Threads: one; `conns` under house_mu. A descriptor stays open while its connection is listed, as
 * libmicrohttpd closes it only after on_connection(CLOSED) has returned. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/stat.h"
#include "net/http_private.h"
#include "net/listen.h"

#define TICK_MS       200
#define SLOW_EVERY    5 /* ticks */
#define HEAD_MS       10000
#define BODY_GRACE_MS 20000
#define BODY_FLOOR    1024 /* bytes a second, on average, once the grace is over */
#define POLL_BATCH    256

/* ---- connections come and go ---- */

static struct http_conn *conn_new(struct http_core *core, struct MHD_Connection *mhd)
{
    struct http_conn *c = mem_alloc_zero(sizeof *c);
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    net_peer_text(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr, c->peer,
                  sizeof c->peer);
    c->since_ms = clock_mono_ns() / 1000000;
    pthread_mutex_lock(&core->house_mu);
    c->next = core->conns;
    if (c->next) c->next->prev = c;
    core->conns = c;
    pthread_mutex_unlock(&core->house_mu);
    atomic_fetch_add(&core->connections, 1);
    return c;
}

static void conn_free(struct http_core *core, struct http_conn *c)
{
    pthread_mutex_lock(&core->house_mu);
    if (c->prev)
        c->prev->next = c->next;
    else
        core->conns = c->next;
    if (c->next) c->next->prev = c->prev;
    pthread_mutex_unlock(&core->house_mu);
    atomic_fetch_sub(&core->connections, 1);
    mem_free(c);
}

void http_on_connection(void *cls, struct MHD_Connection *mhd, void **conn,
                        enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *conn = conn_new(cls, mhd);
    } else if (*conn != NULL) {
        conn_free(cls, *conn);
        *conn = NULL;
    }
}

/* ---- clients that hung up ---- */

static void mark_gone(const struct pollfd *fds, struct http_exchange **of, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) atomic_store(&of[i]->gone, true);
}

static void look_for_gone(struct http_core *core)
{
    struct pollfd fds[POLL_BATCH];
    struct http_exchange *of[POLL_BATCH];
    size_t n = 0;
    pthread_mutex_lock(&core->mu);
    for (struct http_exchange *x = core->suspended; x != NULL; x = x->next) {
        fds[n] = (struct pollfd){ .fd = x->conn->fd, .events = POLLRDHUP };
        of[n++] = x;
        if (n < POLL_BATCH && x->next != NULL) continue;
        if (poll(fds, n, 0) > 0) mark_gone(fds, of, n);
        n = 0;
    }
    pthread_mutex_unlock(&core->mu);
}

/* A stream that sleeps is woken, so that libmicrohttpd finds its client gone. One call of poll a stream:
 * there are few of them. */
static void look_for_gone_streams(struct http_core *core)
{
    pthread_mutex_lock(&core->mu);
    for (struct http_stream *s = core->streams, *next; s != NULL; s = next) {
        next = http_stream_next(s);
        struct pollfd p = { .fd = http_stream_sleeping_fd(s), .events = POLLRDHUP };
        if (p.fd >= 0 && poll(&p, 1, 0) > 0) http_stream_hung_up(s);
    }
    pthread_mutex_unlock(&core->mu);
}

/* ---- clients that are too slow ---- */

static uint64_t bytes_received(int fd)
{
    struct tcp_info info = { 0 };
    socklen_t n = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 ? info.tcpi_bytes_received : 0;
}

static bool body_too_slow(const struct http_conn *c, int64_t now_ms)
{
    int64_t waited_ms = now_ms - c->since_ms;
    size_t bytes = atomic_load_explicit(&c->body_bytes, memory_order_relaxed);
    return waited_ms > BODY_GRACE_MS && (int64_t)bytes < waited_ms / 1000 * BODY_FLOOR;
}

static bool head_too_slow(struct http_conn *c, int64_t now_ms)
{
    if (!c->head_begun && bytes_received(c->fd) > c->seen_bytes) {
        c->head_begun = true;
        c->since_ms = now_ms;
    }
    return c->head_begun && now_ms - c->since_ms > HEAD_MS;
}

/* Has it moved on since we looked last? Then the watch starts afresh. */
static bool moved_on(struct http_conn *c, bool in_body, int64_t now_ms)
{
    unsigned requests = atomic_load_explicit(&c->requests, memory_order_relaxed);
    if (requests == c->seen_requests && in_body == c->seen_body) return false;
    c->seen_requests = requests;
    c->seen_body = in_body;
    c->seen_bytes = bytes_received(c->fd);
    c->head_begun = false;
    c->since_ms = now_ms;
    return true;
}

static void look_for_slow(struct http_core *core)
{
    int64_t now_ms = clock_mono_ns() / 1000000;
    pthread_mutex_lock(&core->house_mu);
    for (struct http_conn *c = core->conns; c != NULL; c = c->next) {
        if (atomic_load_explicit(&c->upgraded, memory_order_relaxed)) continue;
        bool in_body = atomic_load_explicit(&c->in_body, memory_order_relaxed);
        if (moved_on(c, in_body, now_ms)) continue;
        if (in_body ? !body_too_slow(c, now_ms) : !head_too_slow(c, now_ms)) continue;
        shutdown(c->fd, SHUT_RDWR); /* libmicrohttpd sees the end and cleans up */
        stat_add(core->slow_closed, 1);
        c->since_ms = now_ms;
    }
    pthread_mutex_unlock(&core->house_mu);
}

/* ---- the thread ---- */

static bool sleep_tick(struct http_core *core)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&core->house_mu);
    int rc = 0;
    while (!core->house_stop && rc == 0)
        rc = pthread_cond_timedwait(&core->house_wake, &core->house_mu, &until);
    bool go_on = !core->house_stop;
    pthread_mutex_unlock(&core->house_mu);
    return go_on;
}

static void *house(void *arg)
{
    struct http_core *core = arg;
    for (unsigned tick = 1; sleep_tick(core); tick++) {
        look_for_gone(core);
        look_for_gone_streams(core);
        if (tick % SLOW_EVERY == 0) look_for_slow(core);
    }
    return NULL;
}

int http_house_start(struct http_core *core, struct err *e)
{
    int rc = pthread_create(&core->house, NULL, house, core);
    if (rc != 0) return err_set(e, ERR_LIMIT, "cannot start a thread: %s", strerror(rc));
    core->house_runs = true;
    return OK;
}

void http_house_stop(struct http_core *core)
{
    if (!core->house_runs) return;
    pthread_mutex_lock(&core->house_mu);
    core->house_stop = true;
    pthread_cond_signal(&core->house_wake);
    pthread_mutex_unlock(&core->house_mu);
    pthread_join(core->house, NULL);
    core->house_runs = false;
}
