/* api_status.c - what this server is and how it is set up: /api/v1/status/... */
#include <errno.h>
#include <unistd.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "tell/api_job.h"
#include "tell/handlers.h"
#include "tell/prom_json.h"

#define TOP_DEFAULT 10
#define TOP_MAX     10000

/* ---- configuration and flags ---- */

void handle_status_config(struct http_exchange *x, void *ctx)
{
    const struct prometheus_api *api = ctx;
    struct buf yaml = BUF_INIT((size_t)16 << 20), out = BUF_INIT(ANSWER_MAX_BYTES);

    if (api->config_yaml) api->config_yaml(api->ctx, &yaml);
    respond_begin(&out);
    buf_cs(&out, "{\"yaml\":");
    json_escape(&out, buf_view(&yaml));
    buf_char(&out, '}');
    respond_data(x, &out);
    buf_release(&yaml);
}

struct flags {
    struct buf *out;
    size_t n;
};

static void put_flag(const char *name, const char *value, void *arg)
{
    struct flags *f = arg;

    if (f->n++ > 0) buf_char(f->out, ',');
    json_escape(f->out, str_of(name));
    buf_char(f->out, ':');
    json_escape(f->out, str_of(value));
}

void handle_status_flags(struct http_exchange *x, void *ctx)
{
    const struct prometheus_api *api = ctx;
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct flags f = { &out, 0 };

    respond_begin(&out);
    buf_char(&out, '{');
    if (api->each_flag) api->each_flag(api->ctx, put_flag, &f);
    buf_char(&out, '}');
    respond_data(x, &out);
}

/* ---- runtime and build ---- */

static void put_text(struct buf *out, const char *key, const char *text)
{
    buf_printf(out, ",\"%s\":", key);
    json_escape(out, str_of(text ? text : ""));
}

/* The keys that belong to Go's runtime are there, since clients look for them, and zero, since we have none.
 */
void handle_status_runtimeinfo(struct http_exchange *x, void *ctx)
{
    const struct prometheus_api *api = ctx;
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    char cwd[4096] = "", host[256] = "";

    if (!getcwd(cwd, sizeof cwd)) cwd[0] = 0;
    if (gethostname(host, sizeof host - 1) < 0) host[0] = 0;
    respond_begin(&out);
    buf_cs(&out, "{\"startTime\":");
    prom_put_rfc3339(&out, api->started_ms);
    put_text(&out, "CWD", cwd);
    put_text(&out, "hostname", host);
    buf_cs(&out, ",\"serverTime\":");
    prom_put_rfc3339(&out, clock_now_ms());
    buf_cs(&out, ",\"reloadConfigSuccess\":true,\"lastConfigTime\":");
    prom_put_rfc3339(&out, api->started_ms);
    buf_cs(&out, ",\"corruptionCount\":0,\"goroutineCount\":0,\"GOMAXPROCS\":0,\"GOMEMLIMIT\":0,\"GOGC\":"
                 "\"\",\"GODEBUG\":\"\"");
    put_text(&out, "storageRetention", api->retention);
    buf_char(&out, '}');
    respond_data(x, &out);
}

/* The version is that of the API we speak: clients switch features on by it. No `features`: Grafana would
 * take us for another product. Our own name and version are in /health. */
void handle_status_buildinfo(struct http_exchange *x, void *ctx)
{
    const struct prometheus_api *api = ctx;
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);

    respond_begin(&out);
    buf_cs(&out, "{\"version\":");
    json_escape(&out, str_of(api->prometheus_version));
    put_text(&out, "revision", "");
    put_text(&out, "branch", "");
    put_text(&out, "buildUser", "");
    put_text(&out, "buildDate", "");
    put_text(&out, "goVersion", "");
    buf_char(&out, '}');
    respond_data(x, &out);
}

/* ---- tsdb ---- */

static void put_counts(struct buf *out, const struct name_count *c, size_t n)
{
    buf_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        buf_cs(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        json_escape(out, c[i].name);
        buf_printf(out, ",\"value\":%llu}", (unsigned long long)c[i].n);
    }
    buf_char(out, ']');
}

static int put_top(struct buf *out, struct store *s, struct call *call, const char *key, const char *what,
                   size_t limit, struct err *e)
{
    struct name_count *c = NULL;
    size_t n = 0;
    int rc = store_top(s, call, what, limit, &c, &n, e);

    if (rc < 0) return rc;
    buf_printf(out, ",\"%s\":", key);
    put_counts(out, c, MIN(n, limit));
    return OK;
}

static int put_head_stats(struct buf *out, struct store *s, struct call *call, struct err *e)
{
    struct name_count *c = NULL;
    struct store_status status;
    uint64_t pairs = 0;
    size_t n = 0;
    int rc = store_top(s, call, "values_by_label", TOP_MAX, &c, &n, e);

    if (rc < 0) return rc;
    for (size_t i = 0; i < n; i++) pairs += c[i].n;
    store_status(s, &status);
    buf_printf(out,
               "{\"headStats\":{\"numSeries\":%llu,\"numLabelPairs\":%llu,\"chunkCount\":%llu,\"minTime\":%"
               "lld,\"maxTime\":%lld}",
               (unsigned long long)status.series_active, (unsigned long long)pairs,
               (unsigned long long)status.parts, (long long)status.min_time_ms,
               (long long)status.max_time_ms);
    return OK;
}

static int put_tsdb(struct buf *out, struct store *s, struct call *call, size_t limit, struct err *e)
{
    static const struct {
        const char *key, *what;
    } lists[] = {
        { "seriesCountByMetricName", "series_by_metric" },
        { "labelValueCountByLabelName", "values_by_label" },
        { "memoryInBytesByLabelName", "bytes_by_label" },
        { "seriesCountByLabelValuePair", "series_by_pair" },
    };
    int rc = put_head_stats(out, s, call, e);

    for (size_t i = 0; i < COUNT(lists) && rc == OK; i++)
        rc = put_top(out, s, call, lists[i].key, lists[i].what, limit, e);
    buf_char(out, '}');
    return rc;
}

/* ---- cardinality: who grows, and what the memory limit says about it ---- */

static void put_memory(struct buf *out)
{
    buf_printf(out, ",\"memory\":{\"limitBytes\":%llu,\"usedBytes\":%llu,\"level\":%d}}",
               (unsigned long long)budget_limit(), (unsigned long long)budget_used(), (int)budget_level());
}

static int put_cardinality(struct buf *out, struct store *s, struct call *call, size_t limit, struct err *e)
{
    struct store_status status;
    store_status(s, &status);
    buf_printf(out, "{\"series\":%llu", (unsigned long long)status.series_active);
    int rc = put_top(out, s, call, "seriesByMetric", "series_by_metric", limit, e);
    if (rc == OK) rc = put_top(out, s, call, "valuesByLabel", "values_by_label", limit, e);
    if (rc == OK) rc = put_top(out, s, call, "seriesByPair", "series_by_pair", limit, e);
    put_memory(out);
    return rc;
}

typedef int top_printer(struct buf *, struct store *, struct call *, size_t limit, struct err *);

static void run_top(struct http_exchange *x, const struct prometheus_api *api, top_printer *put)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct str text = http_param(x, "limit");
    int64_t limit = TOP_DEFAULT;
    struct api_call c;
    struct err e = ERR_INIT;

    if (text.n > 0 && (!str_to_i64(text, &limit) || limit < 1)) {
        respond_error(x, API_BAD_DATA, "limit must be a positive number");
        return;
    }
    if (limit > TOP_MAX) {
        respond_error(x, API_BAD_DATA, "limit must not exceed %d", TOP_MAX);
        return;
    }
    api_call_init(&c, x, api);
    respond_begin(&out);
    if (put(&out, api->store, &c.call, (size_t)limit, &e) < 0) {
        buf_release(&out);
        respond_err(x, &e);
    } else {
        respond_data(x, &out);
    }
    api_call_release(&c);
}

static void run_tsdb(struct http_exchange *x, const struct prometheus_api *api)
{
    run_top(x, api, put_tsdb);
}

void handle_status_tsdb(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_tsdb);
}

static void run_cardinality(struct http_exchange *x, const struct prometheus_api *api)
{
    run_top(x, api, put_cardinality);
}

void handle_status_cardinality(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_cardinality);
}

/* Replay is over before we listen. */
void handle_status_walreplay(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    respond_json(x, STR("{\"min\":0,\"max\":0,\"current\":0}"));
}
