/* grpc_conn.c - one HTTP/2 connection: bytes between the socket and nghttp2, frames from nghttp2 to calls.
 *
 * Nothing closes a connection but grpc_conn_flush, which the loop calls for every dirty one after all events
 * of a round: until then a failed connection is only marked dead, so no pointer of that round goes stale. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "net/grpc_private.h"
#include "net/tls.h"

#define STREAMS_MAX       256
#define WINDOW_STREAM     (4u << 20)
#define WINDOW_CONNECTION (16u << 20)
#define HEADER_LIST_MAX   (16u << 10)
#define OUTBOUND_ACKS_MAX 256 /* SETTINGS and PING answers a client may leave unread */
#define RESETS_BURST      500 /* Rapid Reset */
#define RESETS_PER_SECOND 33
#define CONTINUATIONS_MAX 8
#define PINGS_PER_WINDOW  200 /* keepalive needs one in 10 s */
#define PING_WINDOW_MS    10000
#define FIRST_WORDS_MS    10000 /* handshake, preface and SETTINGS */
#define STALLED_MS        60000 /* a message that does not get on */
#define IDLE_MS           (15 * 60 * 1000)
#define OUT_BYTES         (64u << 10) /* gathered into one write */
#define IN_BYTES          (64u << 10)
#define ROUND_BYTES       (1u << 20) /* then others have their turn */

/* ---- nghttp2's callbacks ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *f, void *user)
{
    if (f->hd.type != NGHTTP2_HEADERS || f->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    nghttp2_session_set_stream_user_data(session, f->hd.stream_id, grpc_call_new(user, f->hd.stream_id));
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *f, const uint8_t *name, size_t name_n,
                     const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    (void)flags, (void)user;
    struct grpc_call *c = nghttp2_session_get_stream_user_data(session, f->hd.stream_id);
    if (c == NULL || c->state != GRPC_READING || f->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0; /* trailers say nothing to us */
    if (grpc_call_header(c, str_make(name, name_n), str_make(value, value_n))) return 0;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets the stream */
}

static void count_ping(struct grpc_conn *conn)
{
    int64_t now = conn->server->now_ms;
    if (now - conn->ping_window_ms > PING_WINDOW_MS) {
        conn->ping_window_ms = now;
        conn->pings = 0;
    }
    if (++conn->pings != PINGS_PER_WINDOW) return;
    static const uint8_t why[] = "too_many_pings";
    nghttp2_submit_goaway(conn->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(conn->session), NGHTTP2_ENHANCE_YOUR_CALM,
                          why, sizeof why - 1);
    conn->goaway = true;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *f, void *user)
{
    struct grpc_conn *conn = user;
    if (f->hd.type == NGHTTP2_SETTINGS) conn->has_spoken = true;
    if (f->hd.type == NGHTTP2_PING && !(f->hd.flags & NGHTTP2_FLAG_ACK)) count_ping(conn);
    if (f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA) return 0;

    struct grpc_call *c = nghttp2_session_get_stream_user_data(session, f->hd.stream_id);
    if (c == NULL) return 0;
    bool end = f->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (end) c->remote_done = true;
    if (f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST) grpc_call_headers_done(c);
    if (end) grpc_call_end(c);
    return 0;
}

/* An answer went out before the client had said all: tell it to stop. Not earlier, for a reset overtakes the
 * answer. */
static int on_sent(nghttp2_session *session, const nghttp2_frame *f, void *user)
{
    (void)user;
    if (f->hd.type != NGHTTP2_HEADERS || !(f->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
    struct grpc_call *c = nghttp2_session_get_stream_user_data(session, f->hd.stream_id);
    if (c != NULL && !c->remote_done)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, c->stream_id, NGHTTP2_NO_ERROR);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *p, size_t n,
                   void *user)
{
    (void)flags, (void)user;
    struct grpc_call *c = nghttp2_session_get_stream_user_data(session, stream_id);
    if (c != NULL) grpc_call_data(c, (const char *)p, n);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *user)
{
    (void)code, (void)user;
    struct grpc_call *c = nghttp2_session_get_stream_user_data(session, stream_id);
    if (c != NULL) grpc_call_detach(c);
    return 0;
}

int grpc_session_setup(struct grpc_server *s, struct err *e)
{
    if (nghttp2_session_callbacks_new(&s->callbacks) != 0 || nghttp2_option_new(&s->options) != 0)
        return err_set(e, ERR_LIMIT, "HTTP/2: out of memory");
    nghttp2_session_callbacks_set_on_begin_headers_callback(s->callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(s->callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(s->callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(s->callbacks, on_sent);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(s->callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(s->callbacks, on_stream_close);
    nghttp2_option_set_max_outbound_ack(s->options, OUTBOUND_ACKS_MAX);
    nghttp2_option_set_stream_reset_rate_limit(s->options, RESETS_BURST, RESETS_PER_SECOND);
    nghttp2_option_set_max_continuations(s->options, CONTINUATIONS_MAX);
    nghttp2_option_set_no_closed_streams(s->options, 1);
    return OK;
}

/* ---- open and close ---- */

static bool session_start(struct grpc_conn *conn)
{
    const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, STREAMS_MAX },
                                                { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_STREAM },
                                                { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_MAX } };
    struct grpc_server *s = conn->server;
    return nghttp2_session_server_new2(&conn->session, s->callbacks, conn, s->options) == 0 &&
           nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, settings, COUNT(settings)) == 0 &&
           nghttp2_session_set_local_window_size(conn->session, NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t)WINDOW_CONNECTION) == 0;
}

static bool tls_start(struct grpc_conn *conn)
{
    static const gnutls_datum_t h2 = { (unsigned char *)(uintptr_t) "h2", 2 };
    if (conn->server->credentials == NULL) return true;
    if (gnutls_init(&conn->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0) return false;
    gnutls_transport_set_int(conn->tls, conn->fd);
    return gnutls_priority_set_direct(conn->tls, TLS_PRIORITIES, NULL) == 0 &&
           gnutls_credentials_set(conn->tls, GNUTLS_CRD_CERTIFICATE, conn->server->credentials) == 0 &&
           gnutls_alpn_set_protocols(conn->tls, &h2, 1, GNUTLS_ALPN_MANDATORY) == 0;
}

void grpc_conn_open(struct grpc_server *s, int fd)
{
    struct grpc_conn *conn = mem_alloc_zero(sizeof *conn);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conn->server = s;
    conn->fd = fd;
    conn->opened_ms = conn->last_ms = s->now_ms;
    conn->next = s->conns;
    if (conn->next) conn->next->prev = conn;
    s->conns = conn;
    atomic_fetch_add(&s->n_conns, 1);

    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = conn };
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 || !tls_start(conn) || !session_start(conn))
        conn->dead = true;
    grpc_mark_dirty(conn);
}

void grpc_conn_close(struct grpc_conn *conn)
{
    struct grpc_server *s = conn->server;
    while (conn->calls != NULL) grpc_call_detach(conn->calls);
    nghttp2_session_del(conn->session);
    if (conn->tls != NULL) gnutls_deinit(conn->tls);
    close(conn->fd);
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        s->conns = conn->next;
    if (conn->next) conn->next->prev = conn->prev;
    atomic_fetch_sub(&s->n_conns, 1);
    mem_free(conn->out);
    mem_free(conn);
}

void grpc_conn_goaway(struct grpc_conn *conn)
{
    if (conn->goaway || conn->session == NULL) return;
    conn->goaway = true;
    nghttp2_submit_goaway(conn->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(conn->session), NGHTTP2_NO_ERROR, NULL, 0);
    grpc_mark_dirty(conn);
}

/* ---- bytes: > 0 moved, 0 the end, -1 later, -2 failed ---- */

static ssize_t tls_result(ssize_t n)
{
    if (n >= 0) return n;
    return n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ? -1 : -2;
}

static ssize_t plain_result(ssize_t n)
{
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EINTR ? -1 : -2;
}

static ssize_t bytes_in(struct grpc_conn *conn, void *p, size_t n)
{
    return conn->tls ? tls_result(gnutls_record_recv(conn->tls, p, n))
                     : plain_result(recv(conn->fd, p, n, 0));
}

static ssize_t bytes_out(struct grpc_conn *conn, const void *p, size_t n)
{
    return conn->tls ? tls_result(gnutls_record_send(conn->tls, p, n))
                     : plain_result(send(conn->fd, p, n, MSG_NOSIGNAL));
}

/* False while the handshake is under way, or when it has failed. */
static bool shake_hands(struct grpc_conn *conn)
{
    if (conn->tls == NULL || conn->tls_ready) return true;
    int rc = gnutls_handshake(conn->tls);
    if (rc == GNUTLS_E_SUCCESS)
        conn->tls_ready = true;
    else if (gnutls_error_is_fatal(rc))
        conn->dead = true;
    return conn->tls_ready;
}

void grpc_conn_readable(struct grpc_conn *conn)
{
    static _Thread_local char in[IN_BYTES];
    grpc_mark_dirty(conn);
    if (conn->dead || !shake_hands(conn)) return;
    conn->last_ms = conn->server->now_ms;
    for (size_t total = 0;
         total < ROUND_BYTES || (conn->tls && gnutls_record_check_pending(conn->tls) > 0);) {
        ssize_t n = bytes_in(conn, in, sizeof in);
        if (n == -1) return;
        if (n <= 0 || nghttp2_session_mem_recv(conn->session, (const uint8_t *)in, (size_t)n) != n) {
            conn->dead = true;
            return;
        }
        total += (size_t)n;
        if (conn->tls == NULL && (size_t)n < sizeof in) return; /* the socket is empty: spare a call */
    }
}

/* ---- out ---- */

/* Gather what nghttp2 wants to send. */
static void out_fill(struct grpc_conn *conn)
{
    if (!nghttp2_session_want_write(conn->session)) return;
    if (conn->out == NULL)
        conn->out = mem_alloc(OUT_BYTES + (32u << 10)); /* a chunk is at most a frame: 16 KiB and its head */
    while (conn->out_n < OUT_BYTES) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(conn->session, &p);
        if (n < 0) conn->dead = true;
        if (n <= 0) return;
        check((size_t)n <= 32u << 10);
        memcpy(conn->out + conn->out_n, p, (size_t)n);
        conn->out_n += (size_t)n;
    }
}

static void out_send(struct grpc_conn *conn)
{
    while (conn->out_at < conn->out_n) {
        ssize_t n = bytes_out(conn, conn->out + conn->out_at, conn->out_n - conn->out_at);
        if (n == -1) return;
        if (n <= 0) {
            conn->dead = true;
            return;
        }
        conn->out_at += (size_t)n;
    }
    conn->out_at = conn->out_n = 0;
}

static void watch(struct grpc_conn *conn, bool write)
{
    if (conn->wants_write == write) return;
    struct epoll_event ev = { .events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = conn };
    if (epoll_ctl(conn->server->epoll_fd, EPOLL_CTL_MOD, conn->fd, &ev) < 0) conn->dead = true;
    conn->wants_write = write;
}

void grpc_conn_flush(struct grpc_conn *conn)
{
    bool ready = !conn->dead && shake_hands(conn);
    while (ready && !conn->dead) {
        out_fill(conn);
        if (conn->out_n == 0) break;
        out_send(conn);
        if (conn->out_n > 0) break; /* the socket is full */
    }
    bool more = ready ? conn->out_n > 0
                      : conn->tls != NULL && !conn->dead && gnutls_record_get_direction(conn->tls) == 1;
    if (!conn->dead) watch(conn, more);
    if (ready && conn->out_n == 0) {
        mem_free(conn->out); /* idle connections hold no buffer */
        conn->out = NULL;
        bool over = !nghttp2_session_want_read(conn->session) && !nghttp2_session_want_write(conn->session);
        if (over || (conn->goaway && conn->calls == NULL)) conn->dead = true;
    }
    if (conn->dead) grpc_conn_close(conn);
}

/* ---- time ---- */

static void calls_tick(struct grpc_conn *conn, int64_t now)
{
    for (struct grpc_call *c = conn->calls, *next; c != NULL; c = next) {
        next = c->next;
        if (c->state != GRPC_READING) continue;
        bool late = c->deadline_ms > 0 && now >= c->deadline_ms;
        if (late || now - c->last_data_ms > STALLED_MS)
            grpc_call_refuse(c, GRPC_DEADLINE_EXCEEDED,
                             late ? "deadline exceeded before the message was complete" : "message stalled",
                             0);
    }
}

void grpc_conn_tick(struct grpc_conn *conn)
{
    int64_t now = conn->server->now_ms;
    calls_tick(conn, now);
    if (!conn->has_spoken && now - conn->opened_ms > FIRST_WORDS_MS) {
        conn->dead = true;
        grpc_mark_dirty(conn);
    } else if (conn->calls == NULL && now - conn->last_ms > IDLE_MS) {
        grpc_conn_goaway(conn);
    }
}
