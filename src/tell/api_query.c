/* api_query.c - query, query_range, query_exemplars, format_query, parse_query. */
#include "tell/api_query.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "query/promql/parse.h"
#include "tell/api_job.h"
#include "tell/exemplars_json.h"
#include "tell/handlers.h"
#include "tell/result_json.h"

#define POINTS_MAX  11000 /* a series; a week by minutes, a year by hours */
#define QUERY_ARENA ((size_t)256 << 20)

/* ---- parameters ---- */

static int take_rollup(struct str text, enum rollup_use *out, struct err *e)
{
    static const char *const names[] = {
        [ROLLUP_AUTO] = "auto", [ROLLUP_NEVER] = "never", [ROLLUP_ONLY] = "only"
    };
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_is(text, names[i])) return *out = (enum rollup_use)i, OK;
    *out = ROLLUP_AUTO;
    return text.n == 0
               ? OK
               : err_set(e, ERR_PARSE, "invalid parameter \"rollup\": auto, never or only, not \"%.*s\"",
                         STR_ARG(text));
}

static int take_common(struct http_exchange *x, struct query_ask *a, struct err *e)
{
    int64_t timeout_ms, lookback_ms;
    int rc;

    if ((rc = take_duration(x, "timeout", 0, &timeout_ms, e)) < 0) return rc;
    if (!param_duration(http_has_param(x, "lookback_delta") ? http_param(x, "lookback_delta") : STR("0"),
                        &lookback_ms))
        return err_set(e, ERR_PARSE,
                       "error parsing lookback delta duration: cannot parse \"%.*s\" to a valid duration",
                       STR_ARG(http_param(x, "lookback_delta")));
    a->conf.text = http_param(x, "query");
    a->conf.timeout_ms = http_param(x, "timeout").n > 0 ? MAX(timeout_ms, 1) : 0;
    a->conf.lookback_ms = MAX(lookback_ms, 0);
    a->conf.cancelled = http_gone(x);
    a->stats = http_param(x, "stats");
    a->conf.stats = a->stats.n > 0;
    a->conf.stats_per_step = str_is(a->stats, "all");
    if ((rc = take_rollup(http_param(x, "rollup"), &a->conf.rollup, e)) < 0) return rc;
    a->conf.nocache = str_is(http_param(x, "nocache"), "1") || str_is(http_param(x, "nocache"), "true");
    return OK;
}

int query_ask_instant(struct http_exchange *x, struct query_ask *a, struct err *e)
{
    int rc;

    if ((rc = take_limit(x, "limit", &a->limit, e)) < 0) return rc;
    if ((rc = take_time(x, "time", clock_now_ms(), &a->conf.start_ms, e)) < 0) return rc;
    a->conf.end_ms = a->conf.start_ms;
    return take_common(x, a, e);
}

int query_ask_range(struct http_exchange *x, struct query_ask *a, struct err *e)
{
    struct query_conf *c = &a->conf;
    int rc;

    if ((rc = take_limit(x, "limit", &a->limit, e)) < 0) return rc;
    if ((rc = take_needed_time(x, "start", &c->start_ms, e)) < 0) return rc;
    if ((rc = take_needed_time(x, "end", &c->end_ms, e)) < 0) return rc;
    if (c->end_ms < c->start_ms)
        return err_set(e, ERR_PARSE,
                       "invalid parameter \"end\": end timestamp must not be before start time");
    if (!param_duration(http_param(x, "step"), &c->step_ms))
        return err_set(e, ERR_PARSE, "invalid parameter \"step\": cannot parse \"%.*s\" to a valid duration",
                       STR_ARG(http_param(x, "step")));
    if (c->step_ms <= 0)
        return err_set(
            e, ERR_PARSE,
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. "
            "Try a positive integer");
    if ((c->end_ms - c->start_ms) / c->step_ms > POINTS_MAX)
        return err_set(
            e, ERR_PARSE,
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
            "resolution (?step=XX)");
    return take_common(x, a, e);
}

/* ---- query and query_range ---- */

/* The engine's warnings and what this layer has to add. */
static struct str *all_warnings(struct http_exchange *x, const struct query_ask *a,
                                const struct annotations *notes, bool truncated, size_t *n)
{
    struct str *w = arena_array(http_arena(x), notes->n_warnings + 2, sizeof *w);

    *n = 0;
    for (size_t i = 0; i < notes->n_warnings; i++) w[(*n)++] = notes->warnings[i];
    if (truncated) w[(*n)++] = STR("results truncated due to limit");
    if (a->stats.n > 0 && !str_is(a->stats, "true") && !str_is(a->stats, "all"))
        w[(*n)++] =
            arena_printf(http_arena(x),
                         "value \"%.*s\" for parameter \"stats\" is deprecated and will be rejected in the "
                         "next major release, use \"true\" or \"all\"",
                         STR_ARG(a->stats));
    return w;
}

static void answer_query(struct http_exchange *x, const struct prometheus_api *api, const struct query_ask *a)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct query_result r = { 0 };
    struct err e = ERR_INIT;
    size_t n;

    if (engine_query(api->engine, &a->conf, &r, &e) < 0) {
        if (e.code == ERR_PARSE) err_where(&e, "invalid parameter \"query\"");
        respond_err(x, &e);
        return;
    }
    respond_begin(&out);
    bool truncated = result_json(&out, &r, a->limit, a->stats.n > 0, a->conf.start_ms);
    struct str *warnings = all_warnings(x, a, &r.notes, truncated, &n);
    respond_success(x, &out, warnings, n, r.notes.infos, r.notes.n_infos);
    query_result_release(&r);
}

static void run_query(struct http_exchange *x, const struct prometheus_api *api)
{
    struct query_ask a = { 0 };
    struct err e = ERR_INIT;

    if (query_ask_instant(x, &a, &e) < 0)
        respond_err(x, &e);
    else
        answer_query(x, api, &a);
}

static void run_query_range(struct http_exchange *x, const struct prometheus_api *api)
{
    struct query_ask a = { 0 };
    struct err e = ERR_INIT;

    if (query_ask_range(x, &a, &e) < 0)
        respond_err(x, &e);
    else
        answer_query(x, api, &a);
}

void handle_query(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_query);
}

void handle_query_range(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_query_range);
}

/* ---- format_query and parse_query ---- */

static void answer_parsed(struct http_exchange *x, void (*put)(struct buf *, const struct node *))
{
    struct arena arena = ARENA_INIT(QUERY_ARENA);
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct node *n;
    struct err e = ERR_INIT;

    if (promql_parse(http_param(x, "query"), &arena, &n, &e) < 0) {
        err_where(&e, "invalid parameter \"query\"");
        respond_err(x, &e);
    } else {
        respond_begin(&out);
        put(&out, n);
        promql_release(n);
        respond_data(x, &out);
    }
    arena_release(&arena);
}

static void put_formatted(struct buf *out, const struct node *n)
{
    struct buf text = BUF_INIT((size_t)64 << 20);

    promql_format(&text, n);
    json_escape(out, buf_view(&text));
    out->full |= text.full;
    buf_release(&text);
}

static void run_format(struct http_exchange *x, const struct prometheus_api *api)
{
    (void)api;
    answer_parsed(x, put_formatted);
}

static void run_parse(struct http_exchange *x, const struct prometheus_api *api)
{
    (void)api;
    answer_parsed(x, promql_ast_json);
}

void handle_format_query(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_format);
}

void handle_parse_query(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_parse);
}

/* ---- query_exemplars ---- */

static int take_exemplar_window(struct http_exchange *x, int64_t *from_ms, int64_t *to_ms, struct err *e)
{
    int rc;

    if ((rc = take_time(x, "start", API_TIME_MIN, from_ms, e)) < 0) return rc;
    if ((rc = take_time(x, "end", API_TIME_MAX, to_ms, e)) < 0) return rc;
    if (*to_ms < *from_ms) return err_set(e, ERR_PARSE, "end timestamp must not be before start timestamp");
    return OK;
}

static void answer_exemplars(struct http_exchange *x, const struct prometheus_api *api,
                             const struct node *query, int64_t from_ms, int64_t to_ms)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct store_view *view = NULL;
    struct api_call c;
    struct err e = ERR_INIT;
    int rc;

    api_call_init(&c, x, api);
    respond_begin(&out);
    if ((rc = store_view_open(api->store, from_ms, to_ms, &view, &e)) == OK)
        rc = exemplars_json(&out, view, &c.call, query, from_ms, to_ms, &e);
    store_view_close(view);
    if (rc < 0) {
        buf_release(&out);
        respond_err(x, &e);
    } else {
        respond_data(x, &out);
    }
    api_call_release(&c);
}

static void run_exemplars(struct http_exchange *x, const struct prometheus_api *api)
{
    struct arena arena = ARENA_INIT(QUERY_ARENA);
    int64_t from_ms, to_ms;
    struct node *n = NULL;
    struct err e = ERR_INIT;

    if (take_exemplar_window(x, &from_ms, &to_ms, &e) < 0 ||
        promql_parse(http_param(x, "query"), &arena, &n, &e) < 0)
        respond_err(x, &e);
    else
        answer_exemplars(x, api, n, from_ms, to_ms);
    promql_release(n);
    arena_release(&arena);
}

void handle_query_exemplars(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_exemplars);
}
