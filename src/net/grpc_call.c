/* grpc_call.c - one unary call: headers, one message, one answer.
 *
 * What is wrong is answered as soon as it is known, before the rest of the message has come; the stream is
 * then reset so that the client stops sending. Memory for a message is taken as its bytes come: the declared
 * length is believed up to MESSAGE_FIRST. All requests under way have one ceiling, whatever door they came
 * through (budget.h, --max-inflight); beyond it calls get UNAVAILABLE with RetryInfo. */
#include <stdio.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/stat.h"
#include "net/grpc_private.h"
#include "net/grpc_unpack.h"

#define HEADER_BYTES_MAX (16u << 10)
#define HEADER_OVERHEAD  32 /* RFC 9113, 6.5.2 */
#define HEADERS_MAX      128
#define MESSAGE_FIRST    (1u << 20)
#define TEXT_MAX         2048
#define BUSY_RETRY_MS    1000
#define NV(n, v, vn)                                                                                         \
    {                                                                                                        \
        (uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), sizeof(n) - 1, (vn), NGHTTP2_NV_FLAG_NONE      \
    }

struct grpc_call *grpc_call_new(struct grpc_conn *conn, int32_t stream_id)
{
    struct grpc_call *c = mem_alloc_zero(sizeof *c);
    c->core = conn->server->core;
    atomic_fetch_add(&c->core->refs, 1);
    c->conn = conn;
    c->stream_id = stream_id;
    c->arena.budget = 1 << 20;
    c->last_data_ms = conn->server->now_ms;
    c->reply.max = (size_t)UINT32_MAX + GRPC_HEAD_BYTES;
    c->text.max = c->details.max = 8 * TEXT_MAX;
    c->next = conn->calls;
    if (c->next) c->next->prev = c;
    conn->calls = c;
    return c;
}

static void drop_message(struct grpc_call *c)
{
    budget_request_give(c->in_cap + c->unpacked_n);
    mem_free(c->in);
    mem_free(c->unpacked);
    c->in = c->unpacked = NULL;
    c->in_n = c->in_cap = c->unpacked_n = 0;
}

void grpc_call_free(struct grpc_call *c)
{
    struct grpc_core *core = c->core;
    drop_message(c);
    buf_release(&c->reply);
    buf_release(&c->text);
    buf_release(&c->details);
    arena_release(&c->arena);
    mem_free(c);
    grpc_core_unref(core);
}

void grpc_call_detach(struct grpc_call *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        c->conn->calls = c->next;
    if (c->next) c->next->prev = c->prev;
    c->conn = NULL;
    if (c->state != GRPC_HANDED) grpc_call_free(c);
}

/* ---- request ---- */

bool grpc_call_header(struct grpc_call *c, struct str name, struct str value)
{
    c->header_bytes += name.n + value.n + HEADER_OVERHEAD;
    if (c->header_bytes > HEADER_BYTES_MAX || c->n_headers == HEADERS_MAX) return false;
    c->headers = arena_grow(&c->arena, c->headers, c->n_headers, &c->cap_headers, sizeof *c->headers);
    c->headers[c->n_headers++] =
        (struct http_pair){ arena_str(&c->arena, name), arena_str(&c->arena, value) };
    return true;
}

struct str grpc_metadata(const struct grpc_call *c, const char *name)
{
    for (size_t i = 0; i < c->n_headers; i++)
        if (str_is_nocase(c->headers[i].name, name)) return c->headers[i].value;
    return (struct str){ NULL, 0 };
}

/* "application/grpc", also followed by "+proto" or ";charset": everything else is no gRPC. */
static bool is_grpc_type(struct str type)
{
    const size_t n = sizeof "application/grpc" - 1;
    return str_starts(type, "application/grpc") && (type.n == n || type.p[n] == '+' || type.p[n] == ';');
}

static void refuse_http(struct grpc_call *c, int status)
{
    c->http_status = status;
    grpc_call_refuse(c, GRPC_UNKNOWN, "", 0);
}

void grpc_call_headers_done(struct grpc_call *c)
{
    struct grpc_server *s = c->conn->server;
    if (!str_is(grpc_metadata(c, ":method"), "POST")) return refuse_http(c, 405);
    if (!is_grpc_type(grpc_metadata(c, "content-type"))) return refuse_http(c, 415);

    int64_t ms;
    struct str timeout = grpc_metadata(c, "grpc-timeout"), encoding = grpc_metadata(c, "grpc-encoding");
    if (timeout.n > 0) {
        if (!grpc_timeout_read(timeout, &ms))
            return grpc_call_refuse(c, GRPC_INVALID_ARGUMENT, "malformed grpc-timeout", 0);
        c->deadline_ms = s->now_ms + ms;
    }
    c->entry = grpc_find(s, grpc_metadata(c, ":path"));
    if (c->entry == NULL) return grpc_call_refuse(c, GRPC_UNIMPLEMENTED, "unknown method", 0);
    enum grpc_packing packing;
    if (!grpc_packing_find(encoding, &packing))
        grpc_call_refuse(c, GRPC_UNIMPLEMENTED, "unknown grpc-encoding, want one of " GRPC_PACKINGS, 0);
}

static bool inflight_take(struct grpc_call *c, size_t n)
{
    if (budget_request_take(n, c->in_cap + c->unpacked_n + n) && budget_admit_ingest(0, NULL) == OK)
        return true;
    budget_request_give(n);
    grpc_call_refuse(c, GRPC_UNAVAILABLE, "too many messages in flight", BUSY_RETRY_MS);
    return false;
}

static bool message_room(struct grpc_call *c, size_t n)
{
    size_t need = c->in_n + n;
    if (need <= c->in_cap) return true;
    size_t cap = MIN((size_t)c->head.length, MAX(need, c->in_cap ? c->in_cap * 2 : MESSAGE_FIRST));
    if (!inflight_take(c, cap - c->in_cap)) return false;
    c->in = mem_realloc(c->in, cap);
    c->in_cap = cap;
    return true;
}

/* Returns how many of the n bytes belonged to the head. */
static size_t take_head(struct grpc_call *c, const char *p, size_t n)
{
    size_t k = MIN(n, GRPC_HEAD_BYTES - c->head_n);
    memcpy(c->head_bytes + c->head_n, p, k);
    c->head_n += k;
    if (k == 0 || c->head_n < GRPC_HEAD_BYTES) return k;

    char text[96];
    size_t max = c->conn->server->max_message;
    if (!grpc_head_read(c->head_bytes, &c->head)) {
        grpc_call_refuse(c, GRPC_INVALID_ARGUMENT, "malformed message head", 0);
    } else if (c->head.length > max) {
        snprintf(text, sizeof text, "message of %u bytes, limit %zu", c->head.length, max);
        grpc_call_refuse(c, GRPC_RESOURCE_EXHAUSTED, text, 0);
    }
    return k;
}

void grpc_call_data(struct grpc_call *c, const char *p, size_t n)
{
    if (c->state != GRPC_READING) return; /* refused: what still comes is thrown away */
    c->last_data_ms = c->conn->server->now_ms;
    size_t k = take_head(c, p, n);
    p += k;
    n -= k;
    if (c->state != GRPC_READING || n == 0) return;
    if (n > c->head.length - c->in_n)
        return grpc_call_refuse(c, GRPC_INVALID_ARGUMENT, "more than one message", 0);
    if (!message_room(c, n)) return;
    memcpy(c->in + c->in_n, p, n);
    c->in_n += n;
}

static bool unpack(struct grpc_call *c)
{
    struct err e = ERR_INIT;
    struct str in = { c->in, c->in_n };
    enum grpc_packing packing;
    if (!grpc_packing_find(grpc_metadata(c, "grpc-encoding"), &packing) || packing == GRPC_PLAIN) {
        grpc_call_refuse(c, GRPC_INVALID_ARGUMENT, "compressed message without grpc-encoding", 0);
        return false;
    }
    int64_t n = grpc_packed_size(packing, in, c->conn->server->max_message, &e);
    if (n >= 0) {
        if (!inflight_take(c, (size_t)n)) return false;
        c->unpacked_n = (size_t)n;
        c->unpacked = mem_alloc((size_t)n);
        n = grpc_unpack(packing, in, c->unpacked, (size_t)n, &e);
        c->message_n = (size_t)MAX(n, 0);
        if (n >= 0) return true;
    }
    grpc_call_refuse(c, n == ERR_LIMIT ? GRPC_RESOURCE_EXHAUSTED : GRPC_INVALID_ARGUMENT, e.text, 0);
    return false;
}

void grpc_call_end(struct grpc_call *c)
{
    c->remote_done = true;
    if (c->state != GRPC_READING) return;
    if (c->head_n < GRPC_HEAD_BYTES || c->in_n < c->head.length)
        return grpc_call_refuse(c, GRPC_INVALID_ARGUMENT, "message cut short", 0);
    if (c->head.compressed && !unpack(c)) return;
    if (c->deadline_ms > 0 && c->conn->server->now_ms >= c->deadline_ms)
        return grpc_call_refuse(c, GRPC_DEADLINE_EXCEEDED,
                                "deadline exceeded before the message was complete", 0);
    c->state = GRPC_HANDED;
    c->entry->method->handle(c, c->entry->ctx);
}

struct str grpc_message(const struct grpc_call *c)
{
    return c->head.compressed ? str_make(c->unpacked, c->message_n) : str_make(c->in, c->in_n);
}

struct arena *grpc_arena(struct grpc_call *c)
{
    return &c->arena;
}

/* ---- answer ---- */

static void answer_fill(struct grpc_call *c, enum grpc_status status, struct str reply, const char *text,
                        unsigned retry_ms)
{
    struct str t = str_of(text);
    t.n = MIN(t.n, (size_t)TEXT_MAX);
    c->status = status;
    drop_message(c);
    if (status == GRPC_OK) {
        grpc_head_write(&c->reply, (uint32_t)reply.n);
        buf_str(&c->reply, reply);
        return;
    }
    grpc_text_write(&c->text, t);
    if (retry_ms > 0) grpc_details_write(&c->details, status, t, retry_ms);
}

void grpc_call_refuse(struct grpc_call *c, enum grpc_status status, const char *text, unsigned retry_after_ms)
{
    answer_fill(c, status, (struct str){ NULL, 0 }, text, retry_after_ms);
    grpc_call_submit(c);
}

void grpc_answer(struct grpc_call *c, enum grpc_status status, struct str reply, const char *text,
                 unsigned retry_after_ms)
{
    struct grpc_core *core = c->core;
    check(!atomic_exchange(&c->was_answered, true));
    check(reply.n <= UINT32_MAX);
    struct buf copied = BUF_INIT(c->reply.max); /* the reply may borrow from the message */
    if (status == GRPC_OK) buf_str(&copied, reply);
    answer_fill(c, status, buf_view(&copied), text, retry_after_ms);
    buf_release(&copied);

    pthread_mutex_lock(&core->mu);
    bool closed = core->closed;
    if (!closed) {
        if (core->answered_last)
            core->answered_last->next_answered = c;
        else
            core->answered = c;
        core->answered_last = c;
        uint64_t one = 1;
        if (!pthread_equal(core->loop, pthread_self()))
            check(write(core->wake_fd, &one, sizeof one) == sizeof one);
    }
    pthread_mutex_unlock(&core->mu);
    if (closed) grpc_call_free(c);
}

/* The trailers: after the reply, or all there is. first: the nv before them. */
static size_t trailers(struct grpc_call *c, nghttp2_nv *nv, char status[4])
{
    size_t n = 0;
    size_t digits = (size_t)snprintf(status, 4, "%u", (unsigned)c->status % 100);
    nv[n++] = (nghttp2_nv)NV("grpc-status", status, digits);
    if (c->text.n > 0) nv[n++] = (nghttp2_nv)NV("grpc-message", c->text.p, c->text.n);
    if (c->details.n > 0) nv[n++] = (nghttp2_nv)NV("grpc-status-details-bin", c->details.p, c->details.n);
    return n;
}

static ssize_t reply_read(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t room,
                          uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void)user;
    struct grpc_call *c = source->ptr;
    size_t n = MIN(room, c->reply.n - c->reply_sent);
    memcpy(to, c->reply.p + c->reply_sent, n);
    c->reply_sent += n;
    if (c->reply_sent < c->reply.n) return (ssize_t)n;

    nghttp2_nv nv[3];
    char status[4];
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    if (nghttp2_submit_trailer(session, stream_id, nv, trailers(c, nv, status)) != 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return (ssize_t)n;
}

/* A stat is made when it is first needed; only the loop's thread comes here. */
static void count_answer(struct stat **answered, const char *path, enum grpc_status status)
{
    if (answered[status] == NULL) {
        char labels[256];
        snprintf(labels, sizeof labels, "method=\"%s\",code=\"%d\"", path, (int)status);
        answered[status] = stat_counter("vedette_grpc_requests_total",
                                        "gRPC calls answered, by method and status code.", labels);
    }
    stat_add(answered[status], 1);
}

void grpc_call_submit(struct grpc_call *c)
{
    nghttp2_session *session = c->conn->session;
    struct grpc_entry *entry = c->entry;
    char code[12], status[4];
    size_t digits = (size_t)snprintf(code, sizeof code, "%d", c->http_status ? c->http_status : 200);
    nghttp2_nv nv[6] = { NV(":status", code, digits), NV("content-type", "application/grpc", 16),
                         NV("grpc-accept-encoding", GRPC_PACKINGS, sizeof GRPC_PACKINGS - 1) };
    size_t n = c->http_status ? 1 : 3;
    c->state = GRPC_ANSWERED;
    count_answer(entry ? entry->answered : c->conn->server->unknown, entry ? entry->method->path : "",
                 c->status);

    if (c->status == GRPC_OK) {
        nghttp2_data_provider body = { .source.ptr = c, .read_callback = reply_read };
        nghttp2_submit_response(session, c->stream_id, nv, n, &body);
    } else {
        if (!c->http_status) n += trailers(c, nv + n, status);
        nghttp2_submit_response(session, c->stream_id, nv, n, NULL);
    }
    grpc_mark_dirty(c->conn);
}
