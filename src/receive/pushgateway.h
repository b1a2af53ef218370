/* pushgateway.h - the Pushgateway's HTTP interface, with nothing to be scraped in between.
 *
 *     PUT    /metrics/job/JOB{/LABEL/VALUE...}   the group is what the body says                     200
 *     POST   ...                                 metrics of the names in the body are replaced       200
 *     DELETE ...                                 the group ends                                      202
 *
 * A label name with the suffix @base64 has its value in URL-safe base64 ("=" is the empty value). A body with
 * any bad line is refused whole: 400, and push_failure_time_seconds of the group tells when.
 *
 * Pushed values stand until replaced: they are written at once, and again at every interval for as long as
 * the group exists, so that queries see what a scraped Pushgateway would show. Series that a PUT, POST or
 * DELETE ends get a stale marker. Times in the body are ignored: a pushed value is of the moment it is
 * pushed. Groups are in bounded memory and do not outlive a restart; their series then end as those of a
 * vanished target do. */
#pragma once
#include "net/http_server.h"
#include "receive/ingest.h"

struct pushgateway;

struct pushgateway_conf {
    int64_t interval_ms; /* 0 = 15 s */
    size_t max_groups;   /* 0 = 10 000 */
    size_t max_series;   /* of all groups together; 0 = 500 000 */
};

struct pushgateway *pushgateway_start(struct store *, const struct limit *,
                                      const struct pushgateway_conf *); /* borrows the store */
void pushgateway_stop(struct pushgateway *); /* after the last request; NULL is fine */

/* Write the current values of all groups now; the thread calls it every interval. */
int pushgateway_sample(struct pushgateway *, int64_t now_ms, struct err *);

extern const struct http_route pushgateway_routes[]; /* ctx: struct pushgateway * */
extern const size_t pushgateway_n_routes;
