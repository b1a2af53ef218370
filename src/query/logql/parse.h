/* parse.h - LogQL text to a tree. */
#pragma once
#include "base/buf.h"
#include "query/logql/ast.h"

/* Errors as Loki words them: "parse error at line 1, col 5: ...". The tree lives in the arena, as does a copy
 * of the text. On an error nothing is left to release. */
int logql_parse(struct str text, struct arena *, struct logql_query *out, struct err *);
/* Only {...}, which may also be empty or match everything; a pipeline behind it is parsed and ignored. */
int logql_parse_selector(struct str text, struct arena *, struct logql_query *out, struct err *);
void logql_query_release(struct logql_query *); /* zeroed is fine */

bool logql_is_log(const struct expr *);             /* gives lines, not series; parentheses looked through */
const struct expr *logql_bare(const struct expr *); /* without parentheses */

/* The whole on one line; logql_print_pretty breaks what is longer than 100 columns. */
void logql_print(struct buf *, const struct expr *);
void logql_print_pretty(struct buf *, const struct expr *);

/* "5m", "1.5h", "1d12h", "-30s" in ns: Go's durations, and days, weeks and years. */
bool logql_duration(struct str, int64_t *ns);
/* "5KB", "1.5MiB", "20 B": SI units count by 1000, those with an i by 1024. */
bool logql_bytes(struct str, double *out);
