/* genai_tables.h - the tables of label sets behind genai_series.h, and how one event is counted in them.
 *
 * Any thread: each table has its own lock. */
#pragma once
#include "derive/genai_open.h"
#include "derive/series_out.h"

enum genai_table {
    SERIES_CALLS,
    SERIES_TOKENS,
    SERIES_USAGE, /* from here on OpenTelemetry's names */
    SERIES_DURATION,
    SERIES_FIRST,
    SERIES_RUNS,
    SERIES_MCP,
    SERIES_SCORES,
    GENAI_TABLES
};

struct genai_tables {
    struct series_out *at[GENAI_TABLES];
};
void genai_tables_init(struct genai_tables *, size_t max_rows, int64_t idle_ms);
void genai_tables_release(struct genai_tables *);

void genai_count_spent(struct genai_tables *, const struct spent *, int64_t now_ms);
/* An agent, tool, workflow, ... has run; or an MCP message went through. */
void genai_count_run(struct genai_tables *, const struct genai_span *, const struct record *,
                     struct str service, int64_t now_ms);
void genai_count_score(struct genai_tables *, const struct genai_span *, struct str service, int64_t now_ms);
