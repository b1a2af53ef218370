/* report_records.h - reports that are made of stored records rather than of series: exact, by the records'
 * own times, and seen as soon as the record is stored. For records of which there are thousands an hour, not
 * millions. */
#pragma once
#include "base/map.h"
#include "model/record.h"
#include "query/traces/latency.h"
#include "tell/report/report.h"

#define EVENT_FIELDS_ASKED_MAX 16

/* values[i]: of the i-th attribute; VALUE_NONE: absent. */
typedef void event_sink(void *ctx, int64_t time_ns, const struct value *values);
/* Log records of these event names ("vedette.conflict vedette.conflict.resolve") in the report's window. */
void report_events(struct report *, const char *events, const char *const *attributes, size_t n, event_sink *,
                   void *ctx);
double event_double(struct value, double fallback); /* numbers and booleans; texts that are numbers */
struct str event_text(struct value);

/* A table of groups by name that a sink fills. */
struct tally_row {
    struct str name;
    struct str also; /* a second name, such as the provider */
    int64_t n, good, bad, usd_nano, tokens_in, tokens_out, cached;
    double sum[2];
    int64_t summed[2];
    struct tally_hours {
        int64_t hour, n;
    } * hours; /* ascending when times are */
    size_t n_hours, cap_hours;
    struct latency *took; /* NULL: none was given */
};
struct tally {
    struct tally_row *at;
    size_t n, cap;
    struct map by_name;
    struct arena *arena;
    bool truncated;
};
void tally_init(struct tally *, struct arena *);
void tally_release(struct tally *);
struct tally_row *tally_row(struct tally *, struct str name); /* beyond REPORT_ROWS_MAX: "other" */
void tally_took(struct tally *, struct tally_row *, double ms);
void tally_hour(struct tally *, struct tally_row *, int64_t time_ns);
void tally_sort(struct tally *);       /* most first */
void tally_sort_money(struct tally *); /* dearest first */
/* p50, p95, p99, mean and max in ms; nulls when nothing was timed. */
void tally_took_json(struct json_writer *, const struct tally_row *);

/* report_agents.c */
void report_throughput(struct report *);
void report_conflicts(struct report *);
