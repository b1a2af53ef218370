/* export.h - history as rows: what happened at each backend in each hour, or what a PromQL expression was.
 *
 *     struct export_ask ask = { .format = EXPORT_CSV, .from_ms = ..., .to_ms = ... };
 *     export_write(engine, store, &call, &ask, &out, &err)
 *
 * A CSV begins with what it is, in lines that start with "#": source, version, query, range, number of rows,
 * and the SHA-256 of all that follows. A JSON object has the same as "lineage", and the SHA-256 is that of
 * the text of "rows". Columns of hours by backend never change their order; a new one comes last.
 *
 * Rows are bounded: ERR_LIMIT says to ask for less at a time. Threads: any. */
#pragma once
#include "query/promql/engine.h"

#define EXPORT_ROWS_MAX 500000

enum export_format { EXPORT_CSV, EXPORT_JSON };

struct export_ask {
    enum export_format format;
    int64_t from_ms, to_ms; /* hours that begin in it: from included, to not */
    struct str backend;     /* empty: all */
    struct str query;       /* empty: hours by backend; else this, at each step */
    int64_t step_ms;        /* of the query; 0: an hour */
    const atomic_bool *cancelled;
    const char *version; /* of the program */
};
struct export_made {
    uint64_t rows;
    char sha256[65];
};
int export_write(struct engine *, struct store *, struct call *, const struct export_ask *, struct buf *out,
                 struct export_made *, struct err *);
void export_sha256(struct str, char out[65]);
bool export_format_read(struct str, enum export_format *);
