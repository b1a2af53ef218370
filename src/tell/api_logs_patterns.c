/* api_logs_patterns.c - GET /api/v1/logs/patterns: what the lines of this server look like, and what is new.
 */
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "tell/api_loki_impl.h"
#include "tell/log_json.h"

#define PATTERNS     100
#define PATTERNS_MAX 10000

struct listed {
    struct str text, service;
    uint64_t lines;
    int64_t first_ns, last_ns;
    double per_s;
    bool is_new;
};

struct listing {
    struct arena *arena;
    struct str service; /* empty: all */
    bool only_new;
    struct listed *at;
    size_t n, cap;
};

static void keep(void *ctx, const struct live_pattern *live)
{
    struct listing *l = ctx;
    const struct log_pattern *p = &live->pattern;
    if (l->service.n > 0 && !str_eq(l->service, live->service)) return;
    if (l->only_new && !live->is_new) return;
    l->at = arena_grow(l->arena, l->at, l->n, &l->cap, sizeof *l->at);
    l->at[l->n++] = (struct listed){ arena_str(l->arena, p->text),
                                     arena_str(l->arena, live->service),
                                     p->lines,
                                     p->first_ns,
                                     p->last_ns,
                                     p->per_s,
                                     live->is_new };
}

static int most_lines_first(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    return x->lines != y->lines ? (x->lines < y->lines) - (x->lines > y->lines) : str_cmp(x->text, y->text);
}

static int latest_first(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    return x->first_ns != y->first_ns ? (x->first_ns < y->first_ns) - (x->first_ns > y->first_ns)
                                      : most_lines_first(a, b);
}

static void put(struct buf *out, const struct listed *p)
{
    buf_cs(out, "{\"pattern\":");
    json_escape(out, p->text);
    buf_cs(out, ",\"service\":");
    json_escape(out, p->service);
    buf_printf(out, ",\"count\":%llu,\"rate_per_second\":%.6g,\"is_new\":%s,\"first_seen\":",
               (unsigned long long)p->lines, p->per_s, p->is_new ? "true" : "false");
    log_put_time(out, p->first_ns);
    buf_cs(out, ",\"last_seen\":");
    log_put_time(out, p->last_ns);
    buf_char(out, '}');
}

static void run_patterns(struct http_exchange *x, const struct logs_api *api)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct err e = ERR_INIT;
    struct str order = http_param(x, "sort");
    struct listing l = { .arena = http_arena(x),
                         .service = http_param(x, "service"),
                         .only_new = str_is(http_param(x, "new"), "true") };
    size_t limit;

    int rc = take_loki_limit(x, "limit", PATTERNS, PATTERNS_MAX, &limit, &e);
    if (rc == OK && order.n > 0 && !str_is(order, "count") && !str_is(order, "first_seen"))
        rc = err_set(&e, ERR_PARSE, "sort: count or first_seen");
    if (rc == OK && (api->hub == NULL || !log_tail_patterns(api->hub, keep, &l)))
        rc = err_set(&e, ERR_FIND, "patterns are not kept on this server");
    if (rc < 0) {
        respond_err(x, &e);
        return;
    }
    bool by_time = str_is(order, "first_seen");
    if (l.n > 1) qsort(l.at, l.n, sizeof *l.at, by_time ? latest_first : most_lines_first);
    buf_printf(&out, "{\"total\":%zu,\"patterns\":[", l.n);
    for (size_t i = 0; i < MIN(l.n, limit); i++) {
        if (i > 0) buf_char(&out, ',');
        put(&out, &l.at[i]);
    }
    buf_cs(&out, "]}");
    loki_answer(x, &out);
}

void handle_logs_patterns(struct http_exchange *x, void *ctx)
{
    logs_post(x, ctx, run_patterns);
}
