/* report.h - a report under way: a stretch of time, filters, and a JSON object that is being written; and the
 * tables that most reports are made of.
 *
 *     struct report r;
 *     if (report_open(&r, x, api, "backend_id", 24 * HOUR_MS)) {
 *         report_section(&r, &throughput);
 *         ...
 *     }
 *     report_close(&r);                      answers, with what went wrong or with the object
 *
 * A section is a table: each column is a PromQL expression or the exact growth of a counter
 * (judge/budget_counter.h), rows are joined by one label. What no series says is null, and the series that
 * would are named in "missing_series": a report never makes up a number. `$f` in an expression stands for the
 * filters, `$w` for the window.
 *
 * Threads: one worker has a report. Memory: that of the call. */
#pragma once
#include "base/json.h"
#include "judge/budget_counter.h"
#include "model/price.h"
#include "tell/api_job.h"

#define HOUR_MS              INT64_C(3600000)
#define REPORT_FILTERS_MAX   4
#define REPORT_COLUMNS_MAX   24
#define REPORT_ROWS_MAX      5000 /* of a section; more are left out and said */
#define REPORT_MISSING_MAX   64
#define REPORT_WINDOW_MAX_MS (INT64_C(400) * 24 * HOUR_MS)

struct report {
    struct http_exchange *x;
    const struct prometheus_api *api;
    struct api_call c;
    struct arena *arena; /* of the call */
    int64_t from_ms, to_ms;
    struct label filter[REPORT_FILTERS_MAX]; /* those that were given */
    size_t n_filter;
    const char *missing[REPORT_MISSING_MAX];
    size_t n_missing;
    struct buf out;
    struct json_writer w;
    struct err err;
    int rc; /* the first error sticks: later calls do nothing */
};

/* Takes start, end, hours, window and the parameters in `filters` ("backend_id agent_id"). False: it went
 * wrong. In any case report_close. The object is begun, with the window in it. */
bool report_open(struct report *, struct http_exchange *, const struct prometheus_api *, const char *filters,
                 int64_t default_ms);
void report_close(struct report *);
/* The value of a filter; empty when it was not given. */
struct str report_filter(const struct report *, const char *name);

/* ---- one number ---- */

/* The sum of what the expression gives; false: nothing. */
bool report_number(struct report *, const char *expr, double *out);
/* As a member; null and `series` is missing when there is nothing. series may be NULL. */
void report_kv(struct report *, const char *key, const char *expr, const char *series);
void report_miss(struct report *, const char *series);
/* By how much a counter grew, in units of 1/scale. */
bool report_growth(struct report *, const char *series, const char *by, double scale,
                   struct counter_growth *out);

/* ---- tables ---- */

enum column_kind {
    COLUMN_VALUE, /* expr */
    COLUMN_COUNT, /* growth of the counter `series` */
    COLUMN_USD,   /* the same in nano-dollars, written as USD */
    COLUMN_RATIO, /* of two columns before, by key: "failed/requests"; `scale` times, less than 0: 1 minus
                     that */
};
struct report_column {
    const char *key;
    enum column_kind kind;
    const char *series; /* that is needed */
    const char *expr;
    double scale; /* COLUMN_VALUE and COLUMN_RATIO: factor; 0: 1 */
};
struct report_section {
    const char *key;
    const char *by; /* label; NULL: one object of sums instead of a list */
    const struct report_column *columns;
    size_t n;
};
void report_section(struct report *, const struct report_section *);

/* The cells of a section, for those who reason about them. */
struct report_cell {
    bool is_known, is_usd, is_count;
    double value;
    int64_t whole; /* COUNT, USD */
};
struct report_row {
    struct str name;
    struct report_cell cell[REPORT_COLUMNS_MAX];
};
struct report_table {
    struct report_row *at; /* in the order of the first column, most first */
    size_t n;
    bool truncated;
};
void report_table_read(struct report *, const struct report_section *, struct report_table *);
void report_table_json(struct report *, const struct report_section *, const struct report_table *);
