/* api_admin.c - snapshots and deletion over HTTP, only where the configuration allows them. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "state/state.h"
#include "tell/api_job.h"
#include "tell/handlers.h"

static bool admin_allowed(struct http_exchange *x, const struct prometheus_api *api)
{
    if (api->admin_enabled) return true;
    respond_error(x, API_UNAVAILABLE, "admin APIs disabled");
    return false;
}

/* 20240102T030405Z-00000018c8f1e2a3: unique within a millisecond of this server. */
static void snapshot_name(char *out, size_t cap)
{
    int64_t now_ms = clock_now_ms();
    time_t now = (time_t)(now_ms / 1000);
    struct tm tm;

    gmtime_r(&now, &tm);
    size_t n = strftime(out, cap, "%Y%m%dT%H%M%SZ", &tm);
    snprintf(out + n, cap - n, "-%016llx", (unsigned long long)clock_mono_ns());
}

static void run_snapshot(struct http_exchange *x, const struct prometheus_api *api)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES), dir = BUF_INIT(4096);
    char name[64];
    struct err e = ERR_INIT;

    snapshot_name(name, sizeof name);
    buf_printf(&dir, "%s/snapshots", api->data_dir ? api->data_dir : ".");
    int rc = file_mkdirs(buf_cstr(&dir), &e);
    buf_printf(&dir, "/%s", name);
    if (rc == OK) rc = store_admin(api->store, STORE_SNAPSHOT, buf_cstr(&dir), &e);
    buf_cs(&dir, "/state.db");
    if (rc == OK && api->data_dir != NULL) rc = state_copy(api->data_dir, buf_cstr(&dir), &e);
    if (rc < 0) {
        respond_error(x, API_INTERNAL, "create snapshot: %s", e.text);
    } else {
        respond_begin(&out);
        buf_cs(&out, "{\"name\":");
        json_escape(&out, str_of(name));
        buf_char(&out, '}');
        respond_data(x, &out);
    }
    buf_release(&dir);
}

void handle_admin_snapshot(struct http_exchange *x, void *ctx)
{
    if (admin_allowed(x, ctx)) api_post(x, ctx, run_snapshot);
}

static int delete_sets(struct http_exchange *x, const struct prometheus_api *api, struct arena *a,
                       struct match_sets *sets, struct err *e)
{
    struct store_delete what = { .table = TABLE_METRICS,
                                 .who = STR("admin API"),
                                 .reason = STR("delete_series") };
    int rc;
    if ((rc = take_time(x, "start", API_TIME_MIN, &what.from_ms, e)) < 0) return rc;
    if ((rc = take_time(x, "end", API_TIME_MAX, &what.to_ms, e)) < 0) return rc;
    if ((rc = take_matches(x, "match[]", a, sets, e)) < 0) return rc;
    for (size_t i = 0; rc == OK && i < sets->n; i++) {
        what.matchers = sets->at[i].at;
        what.n_matchers = sets->at[i].n;
        rc = store_admin(api->store, STORE_DELETE, &what, e);
    }
    return rc;
}

static void run_delete_series(struct http_exchange *x, const struct prometheus_api *api)
{
    struct arena a = ARENA_INIT(64u << 20);
    struct match_sets sets = { 0 };
    struct err e = ERR_INIT;
    if (!http_has_param(x, "match[]"))
        respond_error(x, API_BAD_DATA, "no match[] parameter provided");
    else if (delete_sets(x, api, &a, &sets, &e) < 0)
        respond_err(x, &e);
    else
        http_answer(x, 204, NULL, STR(""));
    match_sets_release(&sets);
    arena_release(&a);
}

/* Gone from the disk when answered, and noted in the audit. */
void handle_admin_delete_series(struct http_exchange *x, void *ctx)
{
    if (admin_allowed(x, ctx)) api_post(x, ctx, run_delete_series);
}

/* Nothing to clean: deletion leaves no tombstones. */
void handle_admin_clean_tombstones(struct http_exchange *x, void *ctx)
{
    if (admin_allowed(x, ctx)) http_answer(x, 204, NULL, STR(""));
}
