/* api_events_impl.h - what api_events.c, api_mcp.c and api_workflows.c share. */
#pragma once
#include "base/json.h"
#include "tell/api_job.h"

#define EVENTS_LIMIT_MAX 10000

http_handler handle_mcp_performance, handle_mcp_top, handle_workflows;

/* Log records of one event name (or, `event` NULL, those that have the first field) of the last window_ms,
 * with the attributes asked for. */
struct event_rows_ask {
    const char *event, *const *attributes;
    size_t n;
    int64_t window_ms;
    struct str is; /* the first attribute equals it; empty: any */
    size_t limit;  /* newest first; 0: all, in any order */
};
int event_rows_read(struct http_exchange *, const struct prometheus_api *, struct api_call *,
                    const struct event_rows_ask *, record_sink *, void *ctx, struct err *);

int take_event_window(struct http_exchange *, int64_t *window_ms, struct err *);
void events_answer(struct http_exchange *, struct buf *json);
void json_kv_known(struct json_writer *, const char *key, double v); /* NAN: null */
