/* elastic_bulk.h - Elasticsearch's _bulk: lines of action and source in turn.
 *
 *     {"create":{"_index":"logs","_id":"7"}}
 *     {"@timestamp":"2024-05-01T12:00:00Z","message":"hello","log.level":"info"}
 *
 * create and index bring a log record (log_document.h; objects within objects become dotted names); its
 * service is service.name, else the index. delete and update answer 400: records do not change. Each action
 * is an item of the answer, in order, whatever became of it. A line that is no action ends the request, as it
 * does there: ERR_PARSE; nothing should be kept then. */
#pragma once
#include "decode/record_sink.h"

struct elastic_item {
    struct str action, index, id; /* "create", ...; id empty: none given */
    int64_t time_ns;              /* of the record */
    int status;                   /* 201, or 400 */
    struct str why;               /* of 400 */
};

struct elastic_items {
    struct elastic_item *at; /* in the arena */
    size_t n, cap;
    struct arena *arena;
    struct str index; /* of the path; empty: none */
};

int elastic_bulk(struct str body, const struct record_options *, struct elastic_items *, struct records *out,
                 struct record_report *, struct err *);

/* The store has refused n of what was read, as older than it keeps: those are the n oldest. */
void elastic_items_too_old(struct elastic_items *, uint64_t n);

/* {"took":N,"errors":B,"items":[...]} */
void elastic_answer(const struct elastic_items *, int64_t took_ms, struct buf *);
