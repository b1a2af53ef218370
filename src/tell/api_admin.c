/* api_admin.c - snapshots and deletion over HTTP, only where the configuration allows them. */
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
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

/* Parts are immutable and hold many series; data goes by retention, whole days at a time. */
void handle_admin_delete_series(struct http_exchange *x, void *ctx)
{
    if (!admin_allowed(x, ctx)) return;
    struct buf out = BUF_INIT(1024);
    buf_cs(&out, "{\"status\":\"error\",\"errorType\":\"unavailable\",\"error\":\"deleting single series is "
                 "not supported; "
                 "data is dropped by retention\"}");
    http_answer_buf(x, 501, "application/json", &out);
}

/* Nothing to clean: there are no tombstones. */
void handle_admin_clean_tombstones(struct http_exchange *x, void *ctx)
{
    if (admin_allowed(x, ctx)) http_answer(x, 204, NULL, STR(""));
}
