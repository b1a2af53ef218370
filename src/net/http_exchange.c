/* http_exchange.c - one request, from its target to its last byte on the wire.
 *
 * libmicrohttpd calls: on_target (the raw target), on_request once with the head, then with each piece of the
 * body, then with none; on_completed at the end, always. When the handler has not answered by the time it
 * returns, the connection is suspended, and on_request is called again once the answer has resumed it.
 *
 * Always true:
 *   1. The handler runs once, with the whole body, and its answer is queued at most once.
 *   2. A connection is suspended only while its exchange is in the list `suspended`; whoever takes it off the
 * list resumes it.
 *   3. Everything a handler may look at is the exchange's own copy: it stays readable when the connection
 * dies first.
 *   4. `inflight` is the sum of body_cap over all exchanges.
 *
 * Threads: libmicrohttpd's, until the handler answers from elsewhere (states in http_private.h). */
#include <stdio.h>
#include <stdlib.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/stat.h"
#include "net/http_private.h"
#include "net/http_strict.h"

#define ARENA_BUDGET (64u << 20)
#define BODY_SMALL   (64u << 10)  /* is read whatever memory is left */
#define BODY_FIRST   (1u << 20)   /* a declared length is believed this far; beyond, bytes must come first */
#define DISCARD_MAX  (128u << 20) /* a refused body is read this far for the sake of a readable answer */

static struct http_exchange *exchange_new(struct http_core *core, struct MHD_Connection *mhd)
{
    struct http_exchange *x = mem_alloc_zero(sizeof *x);
    x->core = core;
    x->mhd = mhd;
    x->refs = 1;
    x->arena.budget = ARENA_BUDGET;
    x->begun_ns = clock_mono_ns();
    atomic_fetch_add(&core->refs, 1);
    atomic_fetch_add(&core->active, 1);
    return x;
}

void http_exchange_drop_body(struct http_exchange *x)
{
    mem_free(x->body);
    atomic_fetch_sub(&x->core->inflight, x->body_cap);
    budget_give(BUDGET_REQUESTS, x->body_cap);
    x->body = NULL;
    x->body_n = x->body_cap = 0;
}

void http_body_drop(struct http_exchange *x)
{
    http_exchange_drop_body(x);
}

void http_exchange_unref(struct http_exchange *x)
{
    if (atomic_fetch_sub(&x->refs, 1) > 1) return;
    struct http_core *core = x->core;
    http_exchange_drop_body(x);
    if (x->unupgraded != NULL) http_stream_lost(x->unupgraded);
    if (x->response != NULL) MHD_destroy_response(x->response);
    arena_release(&x->arena);
    mem_free(x);
    http_core_unref(core);
}

void *http_on_target(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct http_exchange *x = exchange_new(cls, mhd);
    x->target = arena_str(&x->arena, str_of(uri));
    return x;
}

/* ---- the head ---- */

static enum MHD_Result field_add(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_n,
                                 const char *value, size_t value_n)
{
    (void)kind;
    struct http_exchange *x = cls;
    if (value == NULL) value = "", value_n = 0;
    x->fields[x->n_fields++] = (struct http_pair){ { name, name_n }, { value, value_n } };
    return MHD_YES;
}

static void fields_read(struct http_exchange *x, struct MHD_Connection *mhd)
{
    int n = MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, NULL, NULL);
    x->fields = arena_array(&x->arena, (size_t)MAX(n, 0), sizeof *x->fields);
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, field_add, x);
}

static void fields_own(struct http_exchange *x)
{
    for (size_t i = 0; i < x->n_fields; i++) {
        x->fields[i].name = arena_str(&x->arena, x->fields[i].name);
        x->fields[i].value = str_trim(arena_str(&x->arena, x->fields[i].value));
    }
}

/* "http://host/path" means the same as "/path" here. */
static struct str target_local(struct str target)
{
    struct str t = target;
    if (t.n == 0 || t.p[0] == '/') return t;
    if (!str_starts(t, "http://") && !str_starts(t, "https://")) return t;
    const char *host = memchr(t.p, '/', t.n); /* of "//" */
    const char *path = memchr(host + 2, '/', (size_t)(t.p + t.n - host - 2));
    return path ? str_make(path, (size_t)(t.p + t.n - path)) : STR("/");
}

static void refuse(struct http_exchange *x, int status, const char *why)
{
    if (x->refused == 0) {
        x->refused = status;
        x->refused_why = why;
        http_count_refused(x->core, status);
    }
    http_exchange_drop_body(x);
}

static void body_expect(struct http_exchange *x)
{
    uint64_t length = 0;
    str_to_u64(http_header(x, "content-length"), &length);
    x->body_declared = length;
    x->has_body = length > 0 || http_header(x, "transfer-encoding").n > 0;
    if (length > x->core->max_body) refuse(x, 413, "request body larger than the limit");
}

static void route_find(struct http_exchange *x)
{
    struct str raw = str_cut(target_local(x->target), '?', &x->query);
    http_router_find(&x->core->router, x->method, raw, &x->arena, &x->match);
    x->path = http_decode(raw, false, &x->arena);
    if (x->match.entry != NULL || str_is(x->method, "OPTIONS")) return;
    refuse(x, x->match.path_known ? 405 : 404, x->match.path_known ? "method not allowed" : "no such path");
}

/* From here on the handler, or whoever answers in its place, holds a reference. */
static void hand_out(struct http_exchange *x)
{
    atomic_fetch_add(&x->refs, 1);
    atomic_store(&x->state, HTTP_RUNNING);
}

/* An answer before the body has been read makes libmicrohttpd close the connection afterwards, which is what
 * is wanted for heads that cannot be trusted, and for a client that waits for "100 Continue" with too large a
 * body. */
static enum MHD_Result answer_early(struct http_exchange *x, struct MHD_Connection *mhd)
{
    x->close_after = true;
    hand_out(x);
    http_answer_error(x, x->refused, x->refused_why);
    return http_answer_queue(x, mhd);
}

static enum MHD_Result head_done(struct http_exchange *x, struct MHD_Connection *mhd, const char *method,
                                 const char *version)
{
    x->begun = true;
    x->conn = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    memcpy(x->peer, x->conn->peer, sizeof x->peer);
    x->method = arena_str(&x->arena, str_of(method));
    fields_read(x, mhd);
    const char *why = http_strict(mhd, method, x->target, version, x->fields, x->n_fields);
    fields_own(x);
    if (why == NULL) why = http_strict_target(x->target);
    if (why != NULL) {
        x->path = x->target;
        refuse(x, 400, why);
        return answer_early(x, mhd);
    }
    route_find(x);
    body_expect(x);
    if (x->refused && x->has_body && http_header(x, "expect").n > 0) return answer_early(x, mhd);
    atomic_store_explicit(&x->conn->body_bytes, 0, memory_order_relaxed);
    atomic_store_explicit(&x->conn->in_body, x->has_body, memory_order_relaxed);
    atomic_fetch_add_explicit(&x->conn->requests, 1, memory_order_relaxed);
    return MHD_YES;
}

/* ---- the body ---- */

static bool inflight_take(struct http_core *core, size_t n)
{
    if (n > BODY_SMALL && budget_admit_query(n, NULL) < 0) return false;
    size_t now = atomic_load_explicit(&core->inflight, memory_order_relaxed);
    do {
        if (n > core->max_inflight || now > core->max_inflight - n) return false;
    } while (!atomic_compare_exchange_weak(&core->inflight, &now, now + n));
    budget_take(BUDGET_REQUESTS, n);
    return true;
}

/* Exactly the declared length when that is modest; else it doubles with what has really come. */
static size_t body_cap_for(const struct http_exchange *x, size_t need)
{
    size_t want = x->body_cap ? x->body_cap * 2 : BODY_FIRST;
    if (x->body_cap == 0 && x->body_declared == 0) want = 16u << 10;
    if (x->body_declared > 0) want = MIN(want, x->body_declared);
    return MIN(MAX(want, need), x->core->max_body);
}

static bool body_room(struct http_exchange *x, size_t n)
{
    size_t need = x->body_n + n;
    if (need <= x->body_cap) return true;
    if (need > x->core->max_body) {
        refuse(x, 413, "request body larger than the limit");
        return false;
    }
    size_t cap = body_cap_for(x, need);
    if (!inflight_take(x->core, cap - x->body_cap)) {
        refuse(x, 503, "too many request bodies in flight, try again later");
        return false;
    }
    x->body = mem_realloc(x->body, cap);
    x->body_cap = cap;
    return true;
}

static enum MHD_Result body_piece(struct http_exchange *x, const char *data, size_t n)
{
    atomic_fetch_add_explicit(&x->conn->body_bytes, n, memory_order_relaxed);
    if (!x->refused && body_room(x, n)) {
        memcpy(x->body + x->body_n, data, n);
        x->body_n += n;
        return MHD_YES;
    }
    x->body_discarded += n;
    return x->body_discarded <= DISCARD_MAX ? MHD_YES : MHD_NO; /* NO closes the connection */
}

/* ---- the whole request ---- */

static bool body_is_form(const struct http_exchange *x)
{
    struct str parameters, type = str_cut(http_header(x, "content-type"), ';', &parameters);
    return str_is_nocase(str_trim(type), "application/x-www-form-urlencoded");
}

static void params_read(struct http_exchange *x)
{
    struct err e = ERR_INIT;
    int rc = http_params_read(&x->params, x->query, &x->arena, &e);
    if (rc == OK && x->body_n > 0 && body_is_form(x))
        rc = http_params_read(&x->params, http_body(x), &x->arena, &e);
    if (rc < 0) refuse(x, 400, "too many parameters");
}

static void answer_options(struct http_exchange *x)
{
    http_answer_header(x, "Allow", str_of(x->match.allow));
    http_answer_static(x, x->match.path_known ? 204 : 404, NULL, (struct str){ NULL, 0 });
}

static void run(struct http_exchange *x)
{
    if (!x->refused) params_read(x);
    if (x->refused)
        http_answer_error(x, x->refused, x->refused_why);
    else if (x->match.entry == NULL)
        answer_options(x);
    else
        x->match.entry->route->handle(x, x->match.entry->ctx);
}

static void list_add(struct http_core *core, struct http_exchange *x)
{
    x->prev = NULL;
    x->next = core->suspended;
    if (x->next) x->next->prev = x;
    core->suspended = x;
}

static void list_remove(struct http_core *core, struct http_exchange *x)
{
    if (x->prev)
        x->prev->next = x->next;
    else
        core->suspended = x->next;
    if (x->next) x->next->prev = x->prev;
}

/* The handler kept the exchange. Under the lock, so that whoever finds SUSPENDED and then takes the lock
 * finds the connection suspended and listed. An answer that was quicker is found here and queued at once. */
static enum MHD_Result suspend(struct http_exchange *x, struct MHD_Connection *mhd)
{
    struct http_core *core = x->core;
    int was = HTTP_RUNNING;
    pthread_mutex_lock(&core->mu);
    bool stopping = core->stopping;
    bool kept = atomic_compare_exchange_strong(&x->state, &was, stopping ? HTTP_ABANDONED : HTTP_SUSPENDED);
    if (kept && !stopping) {
        MHD_suspend_connection(mhd);
        list_add(core, x);
    }
    pthread_mutex_unlock(&core->mu);
    if (!kept) return http_answer_queue(x, mhd);
    return stopping ? http_answer_abandoned(mhd) : MHD_YES;
}

static enum MHD_Result dispatch(struct http_exchange *x, struct MHD_Connection *mhd)
{
    atomic_store_explicit(&x->conn->in_body, false, memory_order_relaxed);
    hand_out(x);
    run(x);
    return atomic_load(&x->state) == HTTP_ANSWERED ? http_answer_queue(x, mhd) : suspend(x, mhd);
}

enum MHD_Result http_on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                                const char *version, const char *data, size_t *n, void **exchange)
{
    (void)cls, (void)url;
    struct http_exchange *x = *exchange;
    if (!x->begun) return head_done(x, mhd, method, version);
    if (*n > 0) {
        enum MHD_Result go_on = body_piece(x, data, *n);
        *n = 0;
        return go_on;
    }
    switch (atomic_load(&x->state)) {
    case HTTP_NEW: return dispatch(x, mhd);
    case HTTP_ANSWERED: return http_answer_queue(x, mhd);
    case HTTP_ABANDONED: return http_answer_abandoned(mhd);
    default: return MHD_YES; /* still suspended: a spurious call */
    }
}

/* ---- counting: a stat is made when it is first needed, so that routes nobody calls cost no series ---- */

static void count_answer(_Atomic(struct stat *) *answered, const char *path, int class)
{
    struct stat *s = atomic_load_explicit(answered, memory_order_acquire);
    if (s == NULL) {
        char labels[256];
        snprintf(labels, sizeof labels, "route=\"%s\",code=\"%dxx\"", path, class);
        s = stat_counter("vedette_http_requests_total",
                         "HTTP requests answered, by route and class of status.", labels);
        atomic_store_explicit(answered, s, memory_order_release); /* two makers get the same one */
    }
    stat_add(s, 1);
}

static void count_seconds(struct http_entry *entry, double seconds)
{
    static const double bounds[] = { 0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30 };
    struct stat *s = atomic_load_explicit(&entry->seconds, memory_order_acquire);
    if (s == NULL) {
        char labels[256];
        snprintf(labels, sizeof labels, "route=\"%s\"", entry->route->path);
        s = stat_histogram("vedette_http_request_duration_seconds",
                           "From the request line to the last byte of the answer.", labels, bounds,
                           COUNT(bounds));
        atomic_store_explicit(&entry->seconds, s, memory_order_release);
    }
    stat_observe(s, seconds);
}

static void count(struct http_exchange *x)
{
    int class = x->status / 100;
    if (class < 1 || class >= HTTP_CODE_CLASSES) class = 5; /* no handler has any business answering these */
    struct http_entry *entry = x->match.entry;
    if (entry == NULL) {
        count_answer(&x->core->unrouted[class], "", class);
        return;
    }
    count_answer(&entry->answered[class], entry->route->path, class);
    count_seconds(entry, (double)(clock_mono_ns() - x->begun_ns) / 1e9);
}

void http_on_completed(void *cls, struct MHD_Connection *mhd, void **exchange,
                       enum MHD_RequestTerminationCode code)
{
    (void)cls, (void)mhd, (void)code;
    struct http_exchange *x = *exchange;
    if (x == NULL) return;
    *exchange = NULL;
    struct http_core *core = x->core;
    if (x->conn) atomic_store_explicit(&x->conn->in_body, false, memory_order_relaxed);
    if (atomic_load(&x->state) == HTTP_ANSWERED) count(x);
    atomic_fetch_sub(&core->active, 1);
    http_exchange_unref(x);
}

/* ---- from other threads ---- */

bool http_exchange_settle(struct http_exchange *x)
{
    struct http_core *core = x->core;
    int was = HTTP_RUNNING;
    if (atomic_compare_exchange_strong(&x->state, &was, HTTP_ANSWERED)) return true;
    check(was == HTTP_SUSPENDED || was == HTTP_ABANDONED); /* else: answered twice */

    pthread_mutex_lock(&core->mu);
    was = atomic_load(&x->state);
    if (was == HTTP_SUSPENDED) {
        atomic_store(&x->state, HTTP_ANSWERED);
        list_remove(core, x);
        MHD_resume_connection(x->mhd);
    }
    pthread_mutex_unlock(&core->mu);
    return was == HTTP_SUSPENDED;
}

void http_abandon_suspended(struct http_core *core)
{
    pthread_mutex_lock(&core->mu);
    core->stopping = true;
    while (core->suspended != NULL) {
        struct http_exchange *x = core->suspended;
        atomic_store(&x->state, HTTP_ABANDONED);
        list_remove(core, x);
        MHD_resume_connection(x->mhd);
    }
    pthread_mutex_unlock(&core->mu);
}
