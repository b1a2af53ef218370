/* functions_impl.h - the C functions behind the lines of functions.c. Not for others. */
#pragma once
#include "query/promql/eval.h"

/* functions_math.c */
promql_call_fn call_map, call_clamp, call_clamp_max, call_clamp_min, call_round, call_min_of, call_max_of,
    call_pi;
double math_sgn(double), math_deg(double), math_rad(double);

/* functions_time.c */
promql_call_fn call_time, call_timestamp, call_start_timestamp, call_start, call_end, call_step, call_range,
    call_date;
double date_minute(double), date_hour(double), date_day_of_week(double), date_day_of_month(double),
    date_day_of_year(double), date_days_in_month(double), date_month(double), date_year(double);

/* functions_vector.c */
promql_call_fn call_absent, call_absent_over_time, call_scalar, call_vector, call_sort, call_sort_desc,
    call_sort_by_label, call_sort_by_label_desc, call_window;

/* functions_label.c */
promql_call_fn call_label_replace, call_label_join;

/* functions_info.c */
promql_call_fn call_info;

/* functions_histogram.c */
promql_call_fn call_histogram_avg, call_histogram_count, call_histogram_sum, call_histogram_stddev,
    call_histogram_stdvar, call_histogram_fraction, call_histogram_quantile, call_histogram_quantiles;

/* Evaluate the vector argument i, name flagged for removal, with its rows to be overwritten by the caller. */
int call_vector_arg(struct eval *, const struct node *call, size_t i, struct series_matrix *out,
                    struct err *);
