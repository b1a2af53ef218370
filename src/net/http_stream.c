/* http_stream.c - see http_stream.h: the queue, and its way out by chunks.
 *
 * libmicrohttpd asks for bytes. When there are none the connection is suspended, and resumed by the next put,
 * by the end, or by the house thread that has seen the client go.
 *
 * Always true:
 *   1. `suspended` is set and cleared under mu, and whoever clears it resumes the connection: so a connection
 * is resumed only while it is asleep, and a sleeping one cannot have been closed.
 *   2. A piece of which a byte has been handed over is never dropped: clients see whole pieces or nothing.
 *   3. Once `ended` or `gone` is set no connection falls asleep. */
#include "net/http_stream_private.h"

#include "base/check.h"
#include "base/mem.h"

#define BLOCK_BYTES (16u << 10)

/* ---- life ---- */

static bool list_add(struct http_core *core, struct http_stream *s)
{
    pthread_mutex_lock(&core->mu);
    bool room = core->n_streams < HTTP_STREAMS_MAX && !core->stopping;
    if (room) {
        s->next = core->streams;
        if (s->next) s->next->prev = s;
        core->streams = s;
        core->n_streams++;
        s->listed = true;
    }
    pthread_mutex_unlock(&core->mu);
    return room;
}

static void list_remove(struct http_core *core, struct http_stream *s)
{
    pthread_mutex_lock(&core->mu);
    if (s->listed) {
        if (s->prev)
            s->prev->next = s->next;
        else
            core->streams = s->next;
        if (s->next) s->next->prev = s->prev;
        core->n_streams--;
        s->listed = false;
    }
    pthread_mutex_unlock(&core->mu);
}

struct http_stream *http_stream_new(struct http_exchange *x)
{
    struct http_stream *s = mem_alloc_zero(sizeof *s);
    s->core = x->core;
    s->refs = 2;
    pthread_mutex_init(&s->mu, NULL);
    atomic_fetch_add(&s->core->refs, 1);
    if (list_add(s->core, s)) return s;
    http_stream_unref(s);
    http_stream_unref(s);
    http_answer_error(x, 503, "too many streams are open");
    return NULL;
}

static void queue_clear(struct http_stream *s)
{
    for (struct http_piece *p = s->head, *next; p != NULL; p = next) {
        next = p->next;
        mem_free(p);
    }
    s->head = s->tail = NULL;
    s->n = s->bytes = s->head_sent = 0;
}

void http_stream_unref(struct http_stream *s)
{
    if (atomic_fetch_sub(&s->refs, 1) > 1) return;
    list_remove(s->core, s);
    queue_clear(s);
    http_sockets_unref(s->sockets);
    pthread_mutex_destroy(&s->mu);
    http_core_unref(s->core);
    mem_free(s);
}

/* ---- the queue; under mu ---- */

static struct http_piece *piece_new(struct str text, uint64_t weight)
{
    struct http_piece *p = mem_alloc(sizeof *p + text.n);
    *p = (struct http_piece){ .weight = weight, .n = text.n };
    if (text.n > 0) memcpy(p->bytes, text.p, text.n);
    return p;
}

static struct http_piece *pop(struct http_stream *s)
{
    struct http_piece *p = s->head;
    if (p == NULL) return NULL;
    s->head = p->next;
    if (s->head == NULL) s->tail = NULL;
    s->n--;
    s->bytes -= p->n;
    s->head_sent = 0;
    return p;
}

/* The oldest piece of which nothing has been sent goes. False when there is none. */
static bool drop_oldest(struct http_stream *s)
{
    bool begun = s->head != NULL && s->head_sent > 0;
    struct http_piece **at = begun ? &s->head->next : &s->head, *p = *at;
    if (p == NULL) return false;
    *at = p->next;
    if (s->tail == p) s->tail = begun ? s->head : NULL;
    s->n--;
    s->bytes -= p->n;
    s->dropped += p->weight;
    mem_free(p);
    return true;
}

static void push(struct http_stream *s, struct http_piece *p)
{
    while (s->bytes + p->n > HTTP_STREAM_BYTES || s->n >= HTTP_STREAM_PIECES)
        if (!drop_oldest(s)) break;
    if (s->bytes + p->n > HTTP_STREAM_BYTES) {
        s->dropped += p->weight;
        mem_free(p);
        return;
    }
    if (s->tail)
        s->tail->next = p;
    else
        s->head = p;
    s->tail = p;
    s->n++;
    s->bytes += p->n;
}

static void wake(struct http_stream *s)
{
    if (s->suspended) {
        s->suspended = false;
        MHD_resume_connection(s->mhd);
    }
}

/* ---- the writer's side ---- */

bool http_stream_put(struct http_stream *s, struct str text, uint64_t weight)
{
    struct http_piece *p = piece_new(text, weight);
    pthread_mutex_lock(&s->mu);
    bool open = !s->ended && !s->gone;
    if (open) {
        push(s, p);
        wake(s);
    } else {
        mem_free(p);
    }
    pthread_mutex_unlock(&s->mu);
    if (open && s->sockets) http_sockets_wake(s->sockets);
    return open;
}

bool http_stream_is_open(struct http_stream *s)
{
    pthread_mutex_lock(&s->mu);
    bool open = !s->ended && !s->gone;
    pthread_mutex_unlock(&s->mu);
    return open;
}

uint64_t http_stream_dropped(struct http_stream *s)
{
    pthread_mutex_lock(&s->mu);
    uint64_t n = s->dropped;
    s->dropped = 0;
    pthread_mutex_unlock(&s->mu);
    return n;
}

static void finish(struct http_stream *s)
{
    pthread_mutex_lock(&s->mu);
    s->ended = true;
    wake(s);
    pthread_mutex_unlock(&s->mu);
}

void http_stream_end(struct http_stream *s)
{
    if (s == NULL) return;
    finish(s);
    if (s->sockets) http_sockets_wake(s->sockets);
    http_stream_unref(s);
}

/* ---- the transport's side ---- */

struct http_piece *http_stream_take(struct http_stream *s)
{
    pthread_mutex_lock(&s->mu);
    struct http_piece *p = pop(s);
    pthread_mutex_unlock(&s->mu);
    return p;
}

void http_stream_lost(struct http_stream *s)
{
    list_remove(s->core, s);
    pthread_mutex_lock(&s->mu);
    s->gone = true;
    s->suspended = false;
    queue_clear(s);
    pthread_mutex_unlock(&s->mu);
    http_stream_unref(s);
}

static size_t copy_out(struct http_stream *s, char *to, size_t max)
{
    size_t n = 0;
    while (s->head != NULL && n < max) {
        size_t some = MIN(s->head->n - s->head_sent, max - n);
        memcpy(to + n, s->head->bytes + s->head_sent, some);
        n += some;
        s->head_sent += some;
        if (s->head_sent == s->head->n) mem_free(pop(s));
    }
    return n;
}

/* libmicrohttpd wants bytes. */
static ssize_t on_read(void *cls, uint64_t pos, char *to, size_t max)
{
    (void)pos;
    struct http_stream *s = cls;
    ssize_t n = 0;
    pthread_mutex_lock(&s->mu);
    if (s->gone) {
        n = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (s->head != NULL) {
        n = (ssize_t)copy_out(s, to, max);
    } else if (s->ended) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        MHD_suspend_connection(s->mhd);
        s->suspended = true;
    }
    pthread_mutex_unlock(&s->mu);
    return n;
}

static void on_free(void *cls)
{
    http_stream_lost(cls);
}

struct http_stream *http_stream_begin(struct http_exchange *x, const char *content_type)
{
    struct http_stream *s = http_stream_new(x);
    if (s == NULL) return NULL;
    s->mhd = x->mhd;
    s->conn = x->conn;
    struct MHD_Response *r =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_read, s, on_free);
    http_answer_header(x, "Cache-Control", STR("no-cache"));
    http_answer_header(x, "X-Accel-Buffering", STR("no")); /* proxies must not wait for more */
    http_answer_response(x, 200, content_type, r);
    return s;
}

/* ---- from the house thread and from stop; core->mu is held ---- */

struct http_stream *http_stream_next(struct http_stream *s)
{
    return s->next;
}

/* The descriptor to look at, -1: it is not asleep, so libmicrohttpd looks itself. */
int http_stream_sleeping_fd(struct http_stream *s)
{
    pthread_mutex_lock(&s->mu);
    int fd = s->suspended ? s->conn->fd : -1;
    pthread_mutex_unlock(&s->mu);
    return fd;
}

void http_stream_hung_up(struct http_stream *s)
{
    pthread_mutex_lock(&s->mu);
    s->gone = true;
    wake(s);
    pthread_mutex_unlock(&s->mu);
}

void http_streams_finish(struct http_core *core)
{
    pthread_mutex_lock(&core->mu);
    for (struct http_stream *s = core->streams; s != NULL; s = s->next) finish(s);
    pthread_mutex_unlock(&core->mu);
}
