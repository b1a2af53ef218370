/* source.h - log lines out of a store's view: which streams a selector means, which fields must be read, what
 * the store can filter itself.
 *
 * Always true:
 *   1. Every record that a query's selector and pipeline let pass is delivered; others may be, but for those
 * of streams that are not selected: the pipeline looks again, unless `exact` says it need not.
 *   2. Bodies are read only when somebody needs the line. */
#pragma once
#include "base/map.h"
#include "model/store.h"
#include "query/logql/pipeline.h"

struct log_stream {
    struct hash128 id; /* of the origin */
    struct labels labels;
    void *user; /* the reader's own */
};

struct wanted { /* a field and the label it is */
    struct field field;
    struct str label;
    bool is_level;  /* severity as detected_level */
    bool is_number; /* severity as severity_number, only beside a text unless asked for by name */
    bool by_name;
};

struct source {
    struct store_view *view;
    struct call *call;
    struct arena *arena; /* of streams and plans */
    struct log_stream *streams;
    size_t n_streams;
    struct map by_id;
    const struct predicate *where;
    bool exact;     /* whatever comes has passed all stages */
    bool has_lines; /* the body is read */
    bool whole;     /* whole records are read: too many fields */
    struct wanted *wanted;
    size_t n_wanted;
    uint64_t lines, bytes;
};

struct needs { /* labels beside the stream's that somebody looks at */
    bool line, all;
    const struct str *names;
    size_t n;
};

/* The needs of stages are added to those given. */
int source_open(struct source *, struct store_view *, struct call *, const struct log_expr *, struct needs,
                struct err *);
void source_release(struct source *);

struct source_row {
    struct log_stream *stream;
    int64_t time_ns;
    struct str line;  /* when has_lines */
    bool same_labels; /* metadata is that of the row before, as is its stream */
};

/* Negative: stop. Labels of metadata are put into the pipeline by source_labels when they are asked for. */
struct source_cursor;
typedef int source_sink(void *ctx, struct source_cursor *, const struct source_row *);
int source_scan(struct source *, int64_t from_ns, int64_t to_ns, enum record_order, size_t limit,
                source_sink *, void *ctx, struct err *);
/* Of the row being delivered; into labels that hold the stream's. */
void source_labels(struct source_cursor *, struct lset *, struct arena *);

/* selector.c */
struct labels origin_labels(const struct origin *, struct arena *);
/* The selector as a condition on origins that none of them fails wrongly; *none: nothing can match. NULL:
 * all. */
int selector_predicate(const struct matcher *, size_t n, struct store_view *, struct call *,
                       const struct predicate **out, bool *none, struct err *);

/* pushdown.c: conditions on fields that every passing record fulfils */
const struct predicate *pushdown(const struct log_expr *, const struct source *, const struct field_info *,
                                 size_t n_fields, bool *exact);
/* One line and its metadata of a record. */
struct str record_line(const struct record *, struct arena *);
void record_labels(const struct record *, struct lset *, struct arena *);
const char *level_name(uint8_t severity); /* trace, debug, info, warn, error, fatal, unknown */
