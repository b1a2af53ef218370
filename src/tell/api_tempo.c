/* api_tempo.c - the routes of Tempo's API, and what its answers are made of. */
#include "tell/api_tempo.h"

#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "tell/api_tempo_impl.h"
#include "tell/missing.h"

/* ---- answers ---- */

static int status_of(int code)
{
    switch (code) {
    case ERR_PARSE:
    case ERR_RANGE:
    case ERR_EXEC:
    case ERR_UNSUPPORTED: return 400;
    case ERR_FIND: return 404;
    case ERR_LIMIT: return 422;
    case ERR_TIMEOUT: return 504;
    case ERR_CANCEL: return 499;
    case ERR_BUSY: return 503;
    default: return 500;
    }
}

void tempo_error(struct http_exchange *x, const struct err *e)
{
    respond_text(x, status_of(e->code), "%s", e->text);
}

void tempo_answer_json(struct http_exchange *x, struct buf *out)
{
    if (!out->full) {
        missing_header(x);
        http_answer_buf(x, 200, "application/json", out);
        return;
    }
    buf_release(out);
    respond_text(x, 422, "the answer is larger than %zu bytes; ask for less", (size_t)ANSWER_MAX_BYTES);
}

/* ---- parameters ---- */

int tempo_take_time(struct http_exchange *x, const char *name, int64_t fallback_ns, int64_t *ns,
                    struct err *e)
{
    struct str text = http_param(x, name);
    int64_t ms;

    *ns = fallback_ns;
    if (text.n == 0) return OK;
    if (str_to_i64(text, ns) && *ns >= (int64_t)1e15) return OK; /* of the year 33 million, or nanoseconds */
    if (!param_time(text, &ms) || ms < 0)
        return err_set(e, ERR_PARSE, "invalid %s: Unix seconds are expected", name);
    *ns = ms > INT64_MAX / 1000000 ? INT64_MAX : ms * 1000000;
    return OK;
}

bool tempo_read_duration(struct str text, int64_t *ns)
{
    struct arena arena = ARENA_INIT((size_t)1 << 20);
    struct traceql_query q;
    int64_t ms;
    bool ok = param_duration(text, &ms) && ms >= 0 && ms < INT64_MAX / 1000000;

    if (ok) {
        *ns = ms * 1000000;
        return true;
    }
    if (traceql_parse(arena_printf(&arena, "{ duration > %.*s }", STR_ARG(text)), &arena, &q, NULL) == OK) {
        const struct field_expr *x =
            q.pipeline.first->kind == STAGE_SPANSET ? q.pipeline.first->spanset->filter : NULL;
        ok = x != NULL && x->kind == EXPR_BINARY && x->right->kind == EXPR_STATIC &&
             x->right->value.type == STATIC_DURATION;
        if (ok) *ns = x->right->value.i;
    }
    traceql_release(&q);
    arena_release(&arena);
    return ok;
}

/* ---- pieces of JSON ---- */

void tempo_put_int_text(struct json_writer *w, const char *key, int64_t v)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%lld", (long long)v);
    json_kv_string(w, key, str_make(text, (size_t)n));
}

void tempo_put_hex(struct json_writer *w, const char *key, const uint8_t *id, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char text[32];
    check(n <= 16);
    for (size_t i = 0; i < n; i++) {
        text[2 * i] = digits[id[i] >> 4];
        text[2 * i + 1] = digits[id[i] & 15];
    }
    json_kv_string(w, key, str_make(text, 2 * n));
}

static void put_printed(struct json_writer *w, struct static_value v)
{
    struct buf text = BUF_INIT(4096);
    static_print(&text, v);
    json_kv_string(w, "stringValue", buf_view(&text));
    buf_release(&text);
}

void tempo_put_key_value(struct json_writer *w, struct str key, struct static_value v)
{
    json_begin_object(w);
    json_kv_string(w, "key", key);
    json_put_key(w, STR("value"));
    json_begin_object(w);
    switch (v.type) {
    case STATIC_BOOL: json_kv_bool(w, "boolValue", v.i != 0); break;
    case STATIC_INT: tempo_put_int_text(w, "intValue", v.i); break;
    case STATIC_FLOAT: json_kv_double(w, "doubleValue", v.d); break;
    case STATIC_STRING:
    case STATIC_BYTES: json_kv_string(w, "stringValue", v.s); break;
    default: put_printed(w, v); break;
    }
    json_end_object(w);
    json_end_object(w);
}

/* ---- small answers and routes ---- */

static void handle_echo(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_answer_static(x, 200, "text/plain; charset=utf-8", STR("echo"));
}

static void handle_ready(struct http_exchange *x, void *ctx)
{
    const struct prometheus_api *api = ctx;
    struct str why = STR("starting");
    if (api->ready == NULL || api->ready(api->ctx, &why))
        http_answer_static(x, 200, "text/plain; charset=utf-8", STR("ready"));
    else
        respond_text(x, 503, "%.*s", STR_ARG(why));
}

static void handle_buildinfo(struct http_exchange *x, void *ctx)
{
    const struct prometheus_api *api = ctx;
    struct buf out = BUF_INIT(4096);
    struct json_writer w;

    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_kv_cs(&w, "version", "2.9.0"); /* whose API this is: Grafana turns features on by it */
    json_kv_cs(&w, "revision", api->version);
    json_kv_cs(&w, "branch", "vedette");
    json_kv_cs(&w, "buildUser", "");
    json_kv_cs(&w, "buildDate", "");
    json_kv_cs(&w, "goVersion", "");
    json_end_object(&w);
    tempo_answer_json(x, &out);
}

#define ROUTES(prefix)                                                                                       \
    { "GET", prefix "/api/echo", handle_echo }, { "GET", prefix "/api/status/buildinfo", handle_buildinfo }, \
        { "GET", prefix "/api/v2/traces/{id}", tempo_handle_trace_v2 },                                      \
        { "GET", prefix "/api/search", tempo_handle_search },                                                \
        { "GET", prefix "/api/search/tags", tempo_handle_tags },                                             \
        { "GET", prefix "/api/v2/search/tags", tempo_handle_tags_v2 },                                       \
        { "GET", prefix "/api/search/tag/{tag}/values", tempo_handle_values },                               \
        { "GET", prefix "/api/v2/search/tag/{tag}/values", tempo_handle_values_v2 },                         \
        { "GET", prefix "/api/metrics/query_range", tempo_handle_query_range },                              \
    {                                                                                                        \
        "GET", prefix "/api/metrics/query", tempo_handle_query                                               \
    }

const struct http_route tempo_routes[] = { ROUTES("") };
const size_t tempo_routes_count = COUNT(tempo_routes);

const struct http_route tempo_prefixed_routes[] = {
    ROUTES("/tempo"),
    { "GET", "/tempo/api/traces/{id}", tempo_handle_trace },
    { "GET", "/tempo/ready", handle_ready },
};
const size_t tempo_prefixed_routes_count = COUNT(tempo_prefixed_routes);
