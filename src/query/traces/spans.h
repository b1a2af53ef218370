/* spans.h - spans out of the store, as far as trees and statistics need them: no content, no attributes but
 * those that name an agent, a tool or a model.
 *
 * Threads: as the store's views. Memory: the call's arena. */
#pragma once
#include "base/map.h"
#include "model/store.h"
#include "query/traces/trace.h"

#define TRACE_SPANS_MAX (1u << 20) /* of one load; beyond, ERR_LIMIT */
#define UNKNOWN_SERVICE "unknown_service"

/* Texts that many spans share, each kept once. */
struct texts {
    struct arena *arena;
    struct map map;
    struct str *at;
    size_t n, cap;
};
void texts_init(struct texts *, struct arena *);
void texts_release(struct texts *);
uint32_t texts_number(struct texts *, struct str); /* from 0, in order of arrival */
struct str texts_keep(struct texts *, struct str);

/* ---- what is asked of each span ---- */

enum span_column {
    COL_TRACE_ID,
    COL_SPAN_ID,
    COL_PARENT_ID,
    COL_DURATION,
    COL_NAME,
    COL_KIND,
    COL_STATUS,
    COL_ORIGIN,
    COL_SERVICE,
    COL_AGENT, /* AGENT_NAMES columns, the first present wins */
    COL_AGENT_END = COL_AGENT + 4,
    COL_OPERATION = COL_AGENT_END, /* gen_ai.operation.name, openinference.span.kind */
    COL_OPERATION_2,
    COL_TOOL,
    COL_TOOL_2,
    COL_MODEL,
    COL_MODEL_2,
    SPAN_COLUMNS
};
extern const struct field span_fields[SPAN_COLUMNS];

/* One row of a scan for span_fields. Texts are borrowed unless `texts` is given. */
void span_of_row(struct trace_span *, const struct record_rows *, size_t row, struct texts *);

struct str service_or_unknown(struct value);
/* Spans of this service; that of no name is UNKNOWN_SERVICE. */
const struct predicate *where_service(struct arena *, struct str service);
const struct predicate *where_agent(struct arena *, struct str agent);
const struct predicate *where_traces(struct arena *, const uint8_t (*ids)[16], size_t n);

/* ---- whole traces ---- */

struct span_list {
    struct trace_span *at;
    size_t n, cap;
};

/* All spans of these traces, those of a trace together. */
int spans_load(struct store_view *, struct call *, const uint8_t (*ids)[16], size_t n, struct span_list *,
               struct err *);

/* spans_load and trace_build for one; ERR_FIND when it is not there. */
int trace_load(struct store_view *, struct call *, const uint8_t id[16], struct trace *, struct err *);
