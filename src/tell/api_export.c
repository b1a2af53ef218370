/* api_export.c - GET /api/v1/export?format=csv|json&start=&end=&backend_id=&query=&step=: history as rows. */
#include "base/check.h"
#include "base/clock.h"
#include "tell/api_job.h"
#include "tell/api_reports.h"
#include "tell/missing.h"
#include "tell/report/export.h"

#define DEFAULT_MS (INT64_C(24) * 3600000)
#define LONGEST_MS (INT64_C(400) * 24 * 3600000)

static int take_ask(struct http_exchange *x, struct export_ask *ask, struct err *e)
{
    struct str format = http_param(x, "format");
    int rc;
    if (format.n == 0) format = http_param(x, "output_format");
    if (!export_format_read(format, &ask->format)) return err_set(e, ERR_PARSE, "format must be csv or json");
    if ((rc = take_time(x, "end", clock_now_ms(), &ask->to_ms, e)) < 0) return rc;
    if ((rc = take_time(x, "start", ask->to_ms - DEFAULT_MS, &ask->from_ms, e)) < 0) return rc;
    if ((rc = take_duration(x, "step", 0, &ask->step_ms, e)) < 0) return rc;
    ask->to_ms = MIN(ask->to_ms, INT64_MAX / 1000000);
    if (ask->from_ms < 0 || ask->from_ms >= ask->to_ms)
        return err_set(e, ERR_PARSE, "end must be after start");
    if (ask->to_ms - ask->from_ms > LONGEST_MS) return err_set(e, ERR_PARSE, "at most 400 days at once");
    if (ask->step_ms < 0) return err_set(e, ERR_PARSE, "step must be above 0");
    ask->backend = http_param(x, "backend_id");
    ask->query = http_param(x, "query");
    ask->cancelled = http_gone(x);
    return OK;
}

static void run_export(struct http_exchange *x, const struct prometheus_api *api)
{
    struct export_ask ask = { .version = api->version };
    struct export_made made;
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct err e = ERR_INIT;
    struct api_call c;
    api_call_init(&c, x, api);
    if (take_ask(x, &ask, &e) < 0 ||
        export_write(api->engine, api->store, &c.call, &ask, &out, &made, &e) < 0) {
        respond_err(x, &e);
    } else {
        bool csv = ask.format == EXPORT_CSV;
        missing_header(x);
        http_answer_header(x, "Content-Disposition",
                           csv ? STR("attachment; filename=\"vedette-export.csv\"")
                               : STR("attachment; filename=\"vedette-export.json\""));
        http_answer_buf(x, 200, csv ? "text/csv; charset=utf-8" : "application/json", &out);
    }
    buf_release(&out);
    api_call_release(&c);
}

void handle_export(struct http_exchange *x, void *ctx)
{
    api_post(x, ((struct reports_api *)ctx)->base, run_export);
}
