/* http_answer.c - what a handler sees of a request, and how its answer takes shape.
 *
 * The response object is made on the answering thread (gzip included: the daemon threads only move bytes),
 * kept in the exchange, and queued by the daemon thread, because libmicrohttpd wants that. */
#include "base/check.h"
#include "base/mem.h"
#include "net/http_gzip.h"
#include "net/http_private.h"

static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'";

struct str http_method(const struct http_exchange *x)
{
    return x->method;
}

struct str http_path(const struct http_exchange *x)
{
    return x->path;
}

struct str http_target(const struct http_exchange *x)
{
    return x->target;
}

struct str http_body(const struct http_exchange *x)
{
    return str_make(x->body, x->body_n);
}

struct str http_peer(const struct http_exchange *x)
{
    return str_of(x->peer);
}

struct arena *http_arena(struct http_exchange *x)
{
    return &x->arena;
}

void **http_slot(struct http_exchange *x)
{
    return &x->slot;
}

const _Atomic bool *http_gone(struct http_exchange *x)
{
    return &x->gone;
}

struct str http_header(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->n_fields; i++)
        if (str_is_nocase(x->fields[i].name, name)) return x->fields[i].value;
    return (struct str){ NULL, 0 };
}

struct str http_path_param(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->match.n_captures; i++)
        if (str_is(x->match.captures[i].name, name)) return x->match.captures[i].value;
    return (struct str){ NULL, 0 };
}

static const struct http_pair *param_find(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->params.n; i++)
        if (str_is(x->params.at[i].name, name)) return &x->params.at[i];
    return NULL;
}

struct str http_param(struct http_exchange *x, const char *name)
{
    const struct http_pair *p = param_find(x, name);
    return p ? p->value : (struct str){ NULL, 0 };
}

bool http_has_param(struct http_exchange *x, const char *name)
{
    return param_find(x, name) != NULL;
}

size_t http_params(struct http_exchange *x, const char *name, struct str **out)
{
    size_t n = 0;
    *out = arena_array(&x->arena, x->params.n, sizeof **out);
    for (size_t i = 0; i < x->params.n; i++)
        if (str_is(x->params.at[i].name, name)) (*out)[n++] = x->params.at[i].value;
    return n;
}

/* ---- the answer ---- */

void http_answer_header(struct http_exchange *x, const char *name, struct str value)
{
    x->extra = arena_grow(&x->arena, x->extra, x->n_extra, &x->cap_extra, sizeof *x->extra);
    x->extra[x->n_extra++] =
        (struct http_pair){ arena_str(&x->arena, str_of(name)), arena_str(&x->arena, value) };
}

static bool header_given(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->n_extra; i++)
        if (str_is_nocase(x->extra[i].name, name)) return true;
    return false;
}

/* A value that came from data must not end its line: libmicrohttpd refuses one with CR or LF, and the header
 * is left out. */
static void headers_put(struct http_exchange *x, struct MHD_Response *r, const char *type, bool gzipped,
                        bool varies)
{
    for (size_t i = 0; i < x->n_extra; i++)
        MHD_add_response_header(r, x->extra[i].name.p, x->extra[i].value.p);
    if (type != NULL) MHD_add_response_header(r, "Content-Type", type);
    if (gzipped) MHD_add_response_header(r, "Content-Encoding", "gzip");
    if (varies) MHD_add_response_header(r, "Vary", "Accept-Encoding");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(r, "Server", "vedette");
    if (type != NULL && str_starts(str_of(type), "text/html") && !header_given(x, "Content-Security-Policy"))
        MHD_add_response_header(r, "Content-Security-Policy", page_policy);
    if (x->close_after || atomic_load_explicit(&x->core->draining, memory_order_relaxed))
        MHD_add_response_header(r, "Connection", "close");
}

/* The one way out of every answer: x may be gone when this returns. */
static void settle(struct http_exchange *x, int status, struct MHD_Response *r)
{
    check(r != NULL);
    http_exchange_drop_body(x);
    x->response = r;
    x->status = status;
    http_exchange_settle(x);
    http_exchange_unref(x);
}

static bool may_gzip(const struct http_exchange *x, const char *type, size_t n)
{
    return n >= HTTP_GZIP_LEAST_BYTES && type != NULL && http_gzip_type(type) &&
           !header_given(x, "Content-Encoding");
}

/* When the answer went out gzipped, true. Vary is sent either way: a cache must not give one client the
 * other's bytes. */
static bool answer_gzipped(struct http_exchange *x, int status, const char *type, struct str body)
{
    struct buf packed = BUF_INIT(0);
    if (!http_gzip_accepted(http_header(x, "accept-encoding")) || !http_gzip(body, &packed)) return false;
    struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback(packed.n, packed.p, mem_free);
    headers_put(x, r, type, true, true);
    settle(x, status, r);
    return true;
}

static struct MHD_Response *response_of(struct str body, enum MHD_ResponseMemoryMode mode)
{
    /* the buffer is not written to, whatever its type says */
    return MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, mode);
}

void http_answer(struct http_exchange *x, int status, const char *type, struct str body)
{
    bool varies = may_gzip(x, type, body.n);
    if (varies && answer_gzipped(x, status, type, body)) return;
    struct MHD_Response *r = response_of(body, body.n ? MHD_RESPMEM_MUST_COPY : MHD_RESPMEM_PERSISTENT);
    headers_put(x, r, type, false, varies);
    settle(x, status, r);
}

void http_answer_buf(struct http_exchange *x, int status, const char *type, struct buf *body)
{
    struct buf taken = *body;
    *body = (struct buf)BUF_INIT(taken.max);
    bool varies = may_gzip(x, type, taken.n);
    if (varies && answer_gzipped(x, status, type, buf_view(&taken))) {
        buf_release(&taken);
        return;
    }
    struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback(taken.n, taken.p, mem_free);
    headers_put(x, r, type, false, varies);
    settle(x, status, r);
}

void http_answer_static(struct http_exchange *x, int status, const char *type, struct str body)
{
    struct MHD_Response *r = response_of(body, MHD_RESPMEM_PERSISTENT);
    headers_put(x, r, type, false, header_given(x, "Content-Encoding"));
    settle(x, status, r);
}

void http_answer_response(struct http_exchange *x, int status, const char *type, struct MHD_Response *r)
{
    headers_put(x, r, type, false, false);
    settle(x, status, r);
}

static const char *error_type(int status)
{
    switch (status) {
    case 404: return "not_found";
    case 503: return "unavailable";
    default: return "bad_data";
    }
}

void http_answer_error(struct http_exchange *x, int status, const char *why)
{
    bool api = str_starts(x->path, "/api/") || str_is(x->path, "/api");
    struct str text =
        api ? arena_printf(&x->arena, "{\"status\":\"error\",\"errorType\":\"%s\",\"error\":\"%s\"}",
                           error_type(status), why)
            : arena_printf(&x->arena, "%s\n", why);
    if (status == 405) http_answer_header(x, "Allow", str_of(x->match.allow));
    if (status == 503) http_answer_header(x, "Retry-After", STR("1"));
    http_answer(x, status, api ? "application/json" : "text/plain; charset=utf-8", text);
}

enum MHD_Result http_answer_queue(struct http_exchange *x, struct MHD_Connection *mhd)
{
    return MHD_queue_response(mhd, (unsigned)x->status, x->response);
}

enum MHD_Result http_answer_abandoned(struct MHD_Connection *mhd)
{
    struct MHD_Response *r = response_of(STR("shutting down\n"), MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(r, "Connection", "close");
    MHD_add_response_header(r, "Retry-After", "1");
    enum MHD_Result queued = MHD_queue_response(mhd, 503, r);
    MHD_destroy_response(r);
    return queued;
}
