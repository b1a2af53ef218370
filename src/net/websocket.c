/* websocket.c - the other way out of a stream: text messages of a WebSocket (RFC 6455).
 *
 * libmicrohttpd answers 101 and hands the socket over; from then on one thread for all WebSockets polls them.
 * wslay frames and answers pings and closes. A message is given to wslay only when the one before has been
 * written: what waits, waits in the stream's queue, which knows how to drop.
 *
 *     open ──client's close, hang-up, error, silence──> lost
 *       └──writer's end, server's stop──> closing: the rest, a close frame, the client's ──> lost
 *
 * Always true:
 *   1. Only the thread touches a socket and its wslay context; it learns of work by an eventfd.
 *   2. What a client sends is read, bounded, and thrown away. Its pings wait while ANSWERS_MAX are unsent.
 *   3. A socket goes back to libmicrohttpd exactly once, and before the daemons stop.
 *
 * Threads: one, started with the first WebSocket; `fresh` and `stopping` under mu. */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wslay/wslay.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/http_stream_private.h"

#define MESSAGE_MAX     (64u << 10) /* from a client */
#define ANSWERS_MAX     16          /* frames queued in wslay before we stop to read */
#define PING_AFTER_MS   20000       /* of silence */
#define LOST_AFTER_MS   90000
#define CLOSE_WITHIN_MS 2000 /* from our close frame to the client's */
#define TICK_MS         500

struct socket {
    struct socket *next;
    struct http_stream *stream;
    struct MHD_UpgradeResponseHandle *urh;
    int fd;
    wslay_event_context_ptr frames;
    char *early; /* what came with the handshake */
    size_t early_n, early_at;
    int64_t heard_ms, pinged_ms, close_by_ms;
    bool failed, closing;
};

struct http_sockets {
    _Atomic int refs; /* core's, and one of each stream */
    pthread_t thread;
    int wake; /* eventfd */
    pthread_mutex_t mu;
    struct socket *fresh;
    bool stopping;
    struct socket *all; /* the thread's own */
    size_t n;
};

static int64_t now_ms(void)
{
    return clock_mono_ns() / 1000000;
}

void http_sockets_wake(struct http_sockets *s)
{
    uint64_t one = 1;
    ssize_t n = write(s->wake, &one, sizeof one);
    (void)n; /* EAGAIN: it is awake already */
}

void http_sockets_unref(struct http_sockets *s)
{
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1) return;
    close(s->wake);
    pthread_mutex_destroy(&s->mu);
    mem_free(s);
}

/* ---- wslay's hands ---- */

static ssize_t on_recv(wslay_event_context_ptr frames, uint8_t *to, size_t max, int flags, void *arg)
{
    (void)flags;
    struct socket *k = arg;
    size_t early = MIN(k->early_n - k->early_at, max);
    if (early > 0) {
        memcpy(to, k->early + k->early_at, early);
        k->early_at += early;
        return (ssize_t)early;
    }
    ssize_t n = -1;
    errno = EAGAIN;
    if (wslay_event_get_queued_msg_count(frames) < ANSWERS_MAX) n = recv(k->fd, to, max, 0);
    if (n > 0) {
        k->heard_ms = now_ms();
        return n;
    }
    bool later = n < 0 && (errno == EAGAIN || errno == EINTR);
    wslay_event_set_error(frames, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t on_send(wslay_event_context_ptr frames, const uint8_t *from, size_t n, int flags, void *arg)
{
    (void)flags;
    struct socket *k = arg;
    ssize_t sent = send(k->fd, from, n, MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    bool later = errno == EAGAIN || errno == EINTR;
    wslay_event_set_error(frames, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

/* ---- one socket ---- */

static struct socket *socket_new(struct http_stream *stream, struct MHD_UpgradeResponseHandle *urh, int fd,
                                 struct str early)
{
    struct socket *k = mem_alloc_zero(sizeof *k);
    k->stream = stream;
    k->urh = urh;
    k->fd = fd;
    k->early = early.n > 0 ? mem_copy(early.p, early.n) : NULL;
    k->early_n = early.n;
    k->heard_ms = now_ms();
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    const struct wslay_event_callbacks hands = { .recv_callback = on_recv, .send_callback = on_send };
    check(wslay_event_context_server_init(&k->frames, &hands, k) == 0);
    wslay_event_config_set_max_recv_msg_length(k->frames, MESSAGE_MAX);
    return k;
}

static void socket_free(struct socket *k)
{
    wslay_event_context_free(k->frames);
    MHD_upgrade_action(k->urh, MHD_UPGRADE_ACTION_CLOSE);
    http_stream_lost(k->stream);
    mem_free(k->early);
    mem_free(k);
}

static void say_close(struct socket *k, uint16_t code)
{
    if (k->closing) return;
    k->closing = true;
    k->close_by_ms = now_ms() + CLOSE_WITHIN_MS;
    wslay_event_queue_close(k->frames, code, NULL, 0);
}

/* The next messages, each when the one before is on its way. */
static void feed(struct socket *k)
{
    bool open = http_stream_is_open(k->stream); /* asked first: after the end nothing is put any more */
    struct http_piece *p;
    while (!k->failed && !k->closing && !wslay_event_want_write(k->frames) &&
           (p = http_stream_take(k->stream)) != NULL) {
        const struct wslay_event_msg m = { WSLAY_TEXT_FRAME, (const uint8_t *)p->bytes, p->n };
        if (wslay_event_queue_msg(k->frames, &m) != 0 || wslay_event_send(k->frames) != 0) k->failed = true;
        mem_free(p);
    }
    if (!open && !wslay_event_want_write(k->frames)) say_close(k, WSLAY_CODE_NORMAL_CLOSURE);
    if (!k->failed && wslay_event_want_write(k->frames) && wslay_event_send(k->frames) != 0) k->failed = true;
}

static void keep_alive(struct socket *k, int64_t now)
{
    if (now - MAX(k->heard_ms, k->pinged_ms) < PING_AFTER_MS || k->closing) return;
    const struct wslay_event_msg ping = { WSLAY_PING, NULL, 0 };
    wslay_event_queue_msg(k->frames, &ping);
    k->pinged_ms = now;
}

static bool is_over(const struct socket *k, int64_t now)
{
    if (k->failed || now - k->heard_ms > LOST_AFTER_MS) return true;
    if (k->closing && now > k->close_by_ms) return true;
    return !wslay_event_want_read(k->frames) && !wslay_event_want_write(k->frames);
}

static void serve(struct socket *k, short ready, int64_t now)
{
    if ((ready || k->early_at < k->early_n) && wslay_event_want_read(k->frames) &&
        wslay_event_recv(k->frames) != 0)
        k->failed = true;
    keep_alive(k, now);
    feed(k);
}

/* ---- the thread ---- */

static bool take_fresh(struct http_sockets *s)
{
    pthread_mutex_lock(&s->mu);
    while (s->fresh != NULL) {
        struct socket *k = s->fresh;
        s->fresh = k->next;
        k->next = s->all;
        s->all = k;
        s->n++;
    }
    bool stopping = s->stopping;
    pthread_mutex_unlock(&s->mu);
    return stopping;
}

static void wait_for_work(struct http_sockets *s, struct pollfd *fds)
{
    size_t n = 1;
    fds[0] = (struct pollfd){ .fd = s->wake, .events = POLLIN };
    for (struct socket *k = s->all; k != NULL; k = k->next) {
        bool reads = wslay_event_get_queued_msg_count(k->frames) < ANSWERS_MAX;
        fds[n++] = (struct pollfd){ .fd = k->fd,
                                    .events = (short)((reads ? POLLIN : 0) |
                                                      (wslay_event_want_write(k->frames) ? POLLOUT : 0)) };
    }
    if (poll(fds, n, TICK_MS) > 0 && fds[0].revents) {
        uint64_t count;
        ssize_t got = read(s->wake, &count, sizeof count);
        (void)got; /* only to empty it */
    }
}

static void drop_finished(struct http_sockets *s, int64_t now)
{
    for (struct socket **at = &s->all, *k; (k = *at) != NULL;) {
        if (!is_over(k, now)) {
            at = &k->next;
            continue;
        }
        *at = k->next;
        s->n--;
        socket_free(k);
    }
}

static void *run(void *arg)
{
    struct http_sockets *s = arg;
    struct pollfd fds[HTTP_STREAMS_MAX + 1];
    for (;;) {
        wait_for_work(s, fds);
        size_t polled = s->n;
        int64_t now = now_ms();
        struct socket *k = s->all;
        for (size_t i = 1; i <= polled; i++, k = k->next) serve(k, fds[i].revents, now);
        bool stopping = take_fresh(s);
        for (k = s->all; k != NULL; k = k->next) {
            serve(k, 0, now);
            if (stopping) say_close(k, WSLAY_CODE_GOING_AWAY);
        }
        drop_finished(s, now);
        if (stopping && s->all == NULL) break;
    }
    http_sockets_unref(s);
    return NULL;
}

static struct http_sockets *sockets_start(void)
{
    struct http_sockets *s = mem_alloc_zero(sizeof *s);
    s->refs = 2; /* core's and the thread's */
    s->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&s->mu, NULL);
    if (s->wake < 0 || pthread_create(&s->thread, NULL, run, s) != 0) {
        pthread_mutex_destroy(&s->mu);
        if (s->wake >= 0) close(s->wake);
        mem_free(s);
        return NULL;
    }
    return s;
}

/* A reference to the server's, NULL: it stops, or there are no more threads. */
static struct http_sockets *sockets_ref(struct http_core *core)
{
    pthread_mutex_lock(&core->mu);
    if (core->sockets == NULL && !core->no_sockets) core->sockets = sockets_start();
    struct http_sockets *s = core->sockets;
    if (s != NULL) atomic_fetch_add(&s->refs, 1);
    pthread_mutex_unlock(&core->mu);
    return s;
}

void http_sockets_stop(struct http_core *core)
{
    pthread_mutex_lock(&core->mu);
    struct http_sockets *s = core->sockets;
    core->sockets = NULL;
    core->no_sockets = true;
    pthread_mutex_unlock(&core->mu);
    if (s == NULL) return;
    pthread_mutex_lock(&s->mu);
    s->stopping = true;
    pthread_mutex_unlock(&s->mu);
    http_sockets_wake(s);
    pthread_join(s->thread, NULL);
    http_sockets_unref(s);
}

/* ---- the handshake ---- */

/* A list of words, one of which it must be. */
static bool has_word(struct str list, const char *word)
{
    while (list.n > 0)
        if (str_is_nocase(str_trim(str_cut(list, ',', &list)), word)) return true;
    return false;
}

/* A page of another site must not read along: browsers say where a script comes from. */
static bool origin_is_ours(const struct http_exchange *x)
{
    struct str origin = http_header(x, "origin"), host = http_header(x, "host");
    if (origin.n == 0) return true;
    const char *slashes = memmem(origin.p, origin.n, "://", 3);
    if (slashes == NULL) return false;
    struct str from = str_make(slashes + 3, origin.n - (size_t)(slashes + 3 - origin.p));
    return str_eq(from, host);
}

static const char *refusal(const struct http_exchange *x, int *status)
{
    *status = 400;
    if (!str_is(x->method, "GET")) return "a WebSocket is asked for with GET";
    if (!has_word(http_header(x, "upgrade"), "websocket") ||
        !has_word(http_header(x, "connection"), "upgrade"))
        return "this path speaks WebSocket: the request must ask for an upgrade";
    if (http_header(x, "sec-websocket-key").n != 24) return "Sec-WebSocket-Key is missing or malformed";
    *status = 426;
    if (!str_is(http_header(x, "sec-websocket-version"), "13")) return "WebSocket version 13 is spoken here";
    *status = 403;
    if (!origin_is_ours(x)) return "WebSockets are not for pages of another origin";
    return NULL;
}

static struct str accept_key(struct http_exchange *x)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
    struct str text = arena_printf(&x->arena, "%.*s%s", STR_ARG(http_header(x, "sec-websocket-key")), guid);
    unsigned char digest[20];
    gnutls_datum_t in = { digest, sizeof digest }, out = { NULL, 0 };
    check(gnutls_hash_fast(GNUTLS_DIG_SHA1, text.p, text.n, digest) == 0);
    check(gnutls_base64_encode2(&in, &out) == 0);
    struct str key = arena_str(&x->arena, str_make(out.data, out.size));
    gnutls_free(out.data);
    return key;
}

/* libmicrohttpd's thread hands the socket over. */
static void on_upgrade(void *cls, struct MHD_Connection *mhd, void *req_cls, const char *extra,
                       size_t extra_n, MHD_socket fd, struct MHD_UpgradeResponseHandle *urh)
{
    (void)mhd;
    struct http_stream *stream = cls;
    struct http_sockets *s = stream->sockets;
    struct http_exchange *x = req_cls;
    x->unupgraded = NULL;
    atomic_store_explicit(&x->conn->upgraded, true, memory_order_relaxed);
    struct socket *k = socket_new(stream, urh, fd, str_make(extra, extra_n));
    pthread_mutex_lock(&s->mu);
    bool late = s->stopping;
    if (!late) {
        k->next = s->fresh;
        s->fresh = k;
    }
    pthread_mutex_unlock(&s->mu);
    if (late)
        socket_free(k);
    else
        http_sockets_wake(s);
}

struct http_stream *http_stream_websocket(struct http_exchange *x)
{
    int status;
    const char *why = refusal(x, &status);
    if (why != NULL) {
        if (status == 426) http_answer_header(x, "Sec-WebSocket-Version", STR("13"));
        http_answer_error(x, status, why);
        return NULL;
    }
    struct http_stream *stream = http_stream_new(x);
    if (stream == NULL) return NULL;
    if ((stream->sockets = sockets_ref(x->core)) == NULL) {
        http_stream_lost(stream);
        http_stream_end(stream);
        http_answer_error(x, 503, "shutting down");
        return NULL;
    }
    x->unupgraded = stream;
    struct MHD_Response *r = MHD_create_response_for_upgrade(on_upgrade, stream);
    MHD_add_response_header(r, "Upgrade", "websocket");
    MHD_add_response_header(r, "Sec-WebSocket-Accept", accept_key(x).p);
    http_answer_response(x, 101, NULL, r);
    return stream;
}
