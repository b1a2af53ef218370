/* api_traces_impl.h - what the handlers over traces share: a view of all time, parameters, records of traces.
 */
#pragma once
#include "query/traces/cost.h"
#include "query/traces/search.h"
#include "tell/api_job.h"
#include "tell/api_traces.h"
#include "tell/trace_json.h"

#define TRACE_TIME_MAX INT64_MAX

/* ---- a question under way ---- */

struct trace_query {
    struct http_exchange *x;
    struct api_call c;
    struct store_view *view;
    struct arena *arena; /* of the call */
    struct price_book *prices;
    struct err err;
};

/* False: answered already. Release it in any case. */
bool trace_query_open(struct trace_query *, struct http_exchange *, const struct prometheus_api *);
void trace_query_release(struct trace_query *);
void trace_answer(struct http_exchange *, struct buf *json); /* 200, or an error when it is too large */

/* ---- parameters ---- */

/* RFC 3339, or a number whose size says its unit: seconds (with fraction), ms, µs, ns. */
bool trace_time(struct str, int64_t *ns);
/* 1.5s, 300ms, 1h30m, 20us; a number alone is seconds. */
bool trace_duration(struct str, int64_t *ns);
int take_trace_time(struct http_exchange *, const char *name, int64_t fallback, int64_t *ns, struct err *);
int take_trace_duration(struct http_exchange *, const char *name, int64_t *ns, struct err *);
/* start and end; both must be in order. */
int take_window(struct http_exchange *, int64_t back_ns, int64_t *from_ns, int64_t *to_ns, struct err *);
int take_count(struct http_exchange *, const char *name, size_t fallback, size_t max, size_t *out,
               struct err *);
bool trace_id_read(struct str, uint8_t id[16]); /* hex of any case, 1 to 32 digits; or base64 */
/* attributes,resource,events,links,content,structure; content=true too. */
int take_parts(struct http_exchange *, struct record_parts *, struct err *);

/* Conditions on one span, from several parameters; regular expressions must be released. */
struct span_filter {
    const struct predicate *where;
    struct regex *re[16];
    size_t n_re;
};
void filter_and(struct span_filter *, struct arena *, const struct predicate *);
/* key=value, key!=value, key=~regex, key>1, key<=2, key: of the span or of its resource. */
int filter_attribute(struct span_filter *, struct arena *, struct str condition, struct err *);
/* key equals value, whatever the value's type is. */
const struct predicate *where_attribute(struct arena *, struct str key, struct str value);
/* service, operation, agent, kind, attribute; those that are given. */
int take_span_filter(struct http_exchange *, struct span_filter *, struct arena *, struct err *);
void span_filter_release(struct span_filter *);

/* ---- records ---- */

struct record_list {
    struct record *at;
    size_t n, cap;
    bool truncated;
};
/* Whole records, copied; at most limit (0: as many as memory allows). */
int records_load(struct trace_query *, enum table, int64_t from_ns, int64_t to_ns, const struct predicate *,
                 enum record_order, size_t limit, struct record_list *);

/* Handlers; context as in api_traces.h. */
http_handler handle_traces, handle_trace, handle_trace_span, handle_traces_stats, handle_traces_analysis;
http_handler handle_services, handle_services_map, handle_errors, handle_correlate, handle_traces_difference;
