/* api_loki_impl.h - what the handlers over logs share: jobs, parameters as Loki reads them, errors as Loki
 * words them, the streams of a selector. */
#pragma once
#include "base/buf.h"
#include "base/map.h"
#include "tell/api_job.h"
#include "tell/api_loki.h"

#define LOKI_ENTRIES_MAX 5000 /* of one answer */
#define LOKI_SINCE_NS    3600000000000LL
#define NS_PER_S         1000000000LL
#define NS_PER_MS        1000000LL

/* ---- jobs ---- */

typedef void logs_job_fn(struct http_exchange *, const struct logs_api *);
/* Run job on the pool; it answers. A full queue is answered with 429. */
void logs_post(struct http_exchange *, const struct logs_api *, logs_job_fn *);

/* ---- answers ---- */

void loki_error(struct http_exchange *, const struct err *); /* text, by its code */
void loki_answer(struct http_exchange *, struct buf *json);  /* 200; an error when it grew too large */

/* ---- parameters ---- */

/* ns, s (ten digits and fewer, or with a point), or RFC 3339. */
bool loki_time(struct str, int64_t *ns);
/* 5m, 1h30m, 15 or 1.5 (seconds). */
bool loki_duration(struct str, int64_t *ns);
int take_loki_time(struct http_exchange *, const char *name, int64_t fallback, int64_t *ns, struct err *);
int take_loki_duration(struct http_exchange *, const char *name, int64_t fallback, int64_t *ns, struct err *);
/* start, end, since: without them the last hour. */
int take_loki_window(struct http_exchange *, int64_t *start_ns, int64_t *end_ns, struct err *);
int take_loki_limit(struct http_exchange *, const char *name, size_t fallback, size_t max, size_t *out,
                    struct err *);
int64_t loki_now_ns(void);

/* ---- streams ---- */

struct log_streams { /* a view of a window, and its streams that a selector means */
    struct api_call c;
    struct store_view *view;
    int64_t start_ns, end_ns;
    struct labels *labels; /* distinct, in no order */
    size_t n;
};

/* All streams whose labels one of the selectors matches; no selector: all. Close it in any case. */
int log_streams_open(struct log_streams *, struct http_exchange *, const struct logs_api *, struct err *);
int log_streams_add(struct log_streams *, struct str selector, struct err *);
void log_streams_close(struct log_streams *);

/* Names, or values, with how many streams have each; sorted by name. */
struct name_set {
    struct arena *arena;
    struct name_count *at;
    size_t n, cap;
    struct map by_hash;
};
void name_set_init(struct name_set *, struct arena *);
void name_set_add(struct name_set *, struct str, uint64_t n);
void name_set_sort(struct name_set *);
void name_set_release(struct name_set *);

/* ---- handlers ---- */

/* api_loki_names.c */
http_handler handle_loki_labels, handle_loki_label_values, handle_loki_series, handle_loki_detected_labels;
/* api_loki_fields.c */
http_handler handle_loki_detected_fields, handle_loki_detected_field_values;
/* api_loki_volume.c */
http_handler handle_loki_stats, handle_loki_volume, handle_loki_volume_range, handle_loki_patterns;
/* api_tail.c */
http_handler handle_loki_tail, handle_logs_tail;
/* api_logs.c */
http_handler handle_logs, handle_logs_stats;
/* api_logs_patterns.c */
http_handler handle_logs_patterns;

/* Has the client asked for labels of three kinds (X-Loki-Response-Encoding-Flags)? */
bool loki_wants_categories(const struct http_exchange *);
