/* api_am_impl.h - what the files of the Alertmanager API share. */
#pragma once
#include "base/json.h"
#include "tell/api_am.h"

#define AM_ANSWER_MAX ((size_t)256 << 20)

typedef void am_job_fn(struct http_exchange *, struct am_api *);
void am_post(struct http_exchange *, struct am_api *, am_job_fn *); /* on the pool; it answers */

void am_answer(struct http_exchange *, struct buf *json);
/* A JSON text, as Alertmanager's clients expect errors. */
void am_error(struct http_exchange *, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void am_error_of(struct http_exchange *, const struct err *);

void am_kv_time(struct json_writer *, const char *key, int64_t ms);
void am_kv_labels(struct json_writer *, const char *key, struct labels);
void am_kv_fingerprint(struct json_writer *, const char *key, uint64_t);

/* filter=, repeated, into the exchange's arena. Release them also after an error. */
int am_take_filters(struct http_exchange *, struct am_matchers *, struct err *);
int am_take_bool(struct http_exchange *, const char *name, bool *out, struct err *); /* absent: as it was */

/* {"name":"value",...}: sorted, without empty values. ERR_PARSE, ERR_RANGE into e, or the reader has failed.
 */
int am_read_labels(struct json_reader *, struct arena *, struct labels *, struct err *);

/* api_am_alerts.c */
http_handler handle_am_alerts, handle_am_groups, handle_am_post_alerts;
http_handler handle_am_cascades, handle_actions_audit; /* api_am_cascade.c, api_actions.c */
