/* functions.c - the table of functions, sorted by name. See functions.h.
 *
 * One line a function: signature, how it runs, help. Functions of one float only name their C function (`map`), those
 * of a range vector their window function (`window`). */
#include "query/promql/functions.h"

#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "query/promql/functions_impl.h"
#include "query/promql/window.h"

#define S PROMQL_SCALAR
#define V PROMQL_VECTOR
#define M PROMQL_MATRIX
#define T PROMQL_STRING

#define MAP(name, fn, text) { #name, { V }, 1, 0, V, false, call_map, text, .map = fn }
#define WINDOW(name, text) { #name, { M }, 1, 0, V, false, call_window, text, .window = &window_##name }
#define WINDOW_X(name, text) { #name, { M }, 1, 0, V, true, call_window, text, .window = &window_##name }
#define DATE(name, fn, text) { #name, { V }, 1, 1, V, false, call_date, text, .map = fn, .uses_time = true }

static const struct promql_function table[] = {
    MAP(abs, fabs, "Absolute values."),
    { "absent", { V }, 1, 0, V, false, call_absent, "1 when the vector has no elements." },
    { "absent_over_time", { M }, 1, 0, V, false, call_absent_over_time, "1 when the range has no samples at all.",
      .window = &window_present_over_time },
    MAP(acos, acos, "Arc cosine."),
    MAP(acosh, acosh, "Inverse hyperbolic cosine."),
    MAP(asin, asin, "Arc sine."),
    MAP(asinh, asinh, "Inverse hyperbolic sine."),
    MAP(atan, atan, "Arc tangent."),
    MAP(atanh, atanh, "Inverse hyperbolic tangent."),
    WINDOW(avg_over_time, "Mean of the values in the range."),
    MAP(ceil, ceil, "Rounds up to the next integer."),
    WINDOW(changes, "How often the value changed in the range."),
    { "clamp", { V, S, S }, 3, 0, V, false, call_clamp, "Values limited to [min, max]." },
    { "clamp_max", { V, S }, 2, 0, V, false, call_clamp_max, "Values limited from above." },
    { "clamp_min", { V, S }, 2, 0, V, false, call_clamp_min, "Values limited from below." },
    MAP(cos, cos, "Cosine."),
    MAP(cosh, cosh, "Hyperbolic cosine."),
    WINDOW(count_over_time, "Number of samples in the range."),
    DATE(day_of_month, date_day_of_month, "Day of the month, 1 to 31, in UTC."),
    DATE(day_of_week, date_day_of_week, "Day of the week, 0 is Sunday, in UTC."),
    DATE(day_of_year, date_day_of_year, "Day of the year, 1 to 366, in UTC."),
    DATE(days_in_month, date_days_in_month, "Days of the month, 28 to 31, in UTC."),
    MAP(deg, math_deg, "Radians to degrees."),
    WINDOW(delta, "Difference between the ends of the range, extrapolated; for gauges."),
    WINDOW(deriv, "Slope per second by linear regression; for gauges."),
    { "double_exponential_smoothing", { M, S, S }, 3, 0, V, true, call_window, "Smoothed value by a smoothing and a trend factor.",
      .window = &window_double_exponential_smoothing },
    { "end", { PROMQL_NONE }, 0, 0, S, true, call_end, "End of the query's time range, in seconds." },
    MAP(exp, exp, "e to the power of the value."),
    WINDOW(first_over_time, "Oldest sample in the range."),
    MAP(floor, floor, "Rounds down to an integer."),
    { "histogram_avg", { V }, 1, 0, V, false, call_histogram_avg, "Mean of the observations of a native histogram." },
    { "histogram_count", { V }, 1, 0, V, false, call_histogram_count, "Number of observations of a native histogram." },
    { "histogram_fraction", { S, S, V }, 3, 0, V, false, call_histogram_fraction,
      "Estimated fraction of the observations between two values." },
    { "histogram_quantile", { S, V }, 2, 0, V, false, call_histogram_quantile, "Estimated quantile of a histogram." },
    { "histogram_quantiles", { V, T, S, S }, 4, -1, V, true, call_histogram_quantiles,
      "Several estimated quantiles of a histogram, told apart by a label." },
    { "histogram_stddev", { V }, 1, 0, V, false, call_histogram_stddev, "Estimated standard deviation of the observations." },
    { "histogram_stdvar", { V }, 1, 0, V, false, call_histogram_stdvar, "Estimated variance of the observations." },
    { "histogram_sum", { V }, 1, 0, V, false, call_histogram_sum, "Sum of the observations of a native histogram." },
    DATE(hour, date_hour, "Hour of the day, 0 to 23, in UTC."),
    WINDOW(idelta, "Difference between the last two samples; for gauges."),
    WINDOW(increase, "Growth of a counter over the range, resets accounted for."),
    { "info", { V, V }, 2, 1, V, true, call_info, "Adds data labels of matching info series." },
    WINDOW(irate, "Growth per second between the last two samples of a counter."),
    { "label_join", { V, T, T, T }, 4, -1, V, false, call_label_join, "Joins label values into a label." },
    { "label_replace", { V, T, T, T, T }, 5, 0, V, false, call_label_replace, "Sets a label from a match on another." },
    WINDOW(last_over_time, "Newest sample in the range."),
    MAP(ln, log, "Natural logarithm."),
    MAP(log10, log10, "Decimal logarithm."),
    MAP(log2, log2, "Binary logarithm."),
    WINDOW_X(mad_over_time, "Median absolute deviation in the range."),
    { "max_of", { S, S }, 2, 0, S, true, call_max_of, "The greater of two numbers." },
    WINDOW(max_over_time, "Greatest value in the range."),
    { "min_of", { S, S }, 2, 0, S, true, call_min_of, "The smaller of two numbers." },
    WINDOW(min_over_time, "Smallest value in the range."),
    DATE(minute, date_minute, "Minute of the hour, 0 to 59, in UTC."),
    DATE(month, date_month, "Month of the year, 1 to 12, in UTC."),
    { "pi", { PROMQL_NONE }, 0, 0, S, false, call_pi, "The number pi." },
    { "predict_linear", { M, S }, 2, 0, V, false, call_window, "Value so many seconds from now, by linear regression.",
      .window = &window_predict_linear, .uses_time = true },
    WINDOW(present_over_time, "1 for each series with a sample in the range."),
    { "quantile_over_time", { S, M }, 2, 0, V, false, call_window, "Quantile of the values in the range.",
      .window = &window_quantile_over_time },
    MAP(rad, math_rad, "Degrees to radians."),
    { "range", { PROMQL_NONE }, 0, 0, S, true, call_range, "Length of the query's time range, in seconds." },
    WINDOW(rate, "Growth per second of a counter over the range, resets accounted for."),
    WINDOW(resets, "How often the counter was reset in the range."),
    { "round", { V, S }, 2, 1, V, false, call_round, "Rounds to the nearest integer, or multiple of the second argument." },
    { "scalar", { V }, 1, 0, S, false, call_scalar, "The only element as a number, else NaN." },
    MAP(sgn, math_sgn, "Sign: -1, 0 or 1."),
    MAP(sin, sin, "Sine."),
    MAP(sinh, sinh, "Hyperbolic sine."),
    { "sort", { V }, 1, 0, V, false, call_sort, "Ordered by value, ascending; instant queries only." },
    { "sort_by_label", { V, T }, 2, -1, V, true, call_sort_by_label, "Ordered by label values, naturally, ascending." },
    { "sort_by_label_desc", { V, T }, 2, -1, V, true, call_sort_by_label_desc, "Ordered by label values, naturally, descending." },
    { "sort_desc", { V }, 1, 0, V, false, call_sort_desc, "Ordered by value, descending; instant queries only." },
    MAP(sqrt, sqrt, "Square root."),
    { "start", { PROMQL_NONE }, 0, 0, S, true, call_start, "Start of the query's time range, in seconds." },
    { "start_timestamp", { V }, 1, 0, V, true, call_start_timestamp, "Start time of each sample, in seconds; 0 when unknown.",
      .uses_time = true },
    WINDOW(stddev_over_time, "Standard deviation of the values in the range."),
    WINDOW(stdvar_over_time, "Variance of the values in the range."),
    { "step", { PROMQL_NONE }, 0, 0, S, true, call_step, "Step of the query, in seconds." },
    WINDOW(sum_over_time, "Sum of the values in the range."),
    MAP(tan, tan, "Tangent."),
    MAP(tanh, tanh, "Hyperbolic tangent."),
    { "time", { PROMQL_NONE }, 0, 0, S, false, call_time, "Evaluation time, in seconds since 1970.", .uses_time = true },
    { "timestamp", { V }, 1, 0, V, false, call_timestamp, "Time of each sample, in seconds since 1970.", .uses_time = true },
    WINDOW_X(ts_of_first_over_time, "Time of the oldest sample in the range."),
    WINDOW_X(ts_of_last_over_time, "Time of the newest sample in the range."),
    WINDOW_X(ts_of_max_over_time, "Time of the last greatest value in the range."),
    WINDOW_X(ts_of_min_over_time, "Time of the last smallest value in the range."),
    { "vector", { S }, 1, 0, V, false, call_vector, "A scalar as a vector of one element." },
    DATE(year, date_year, "Year in UTC."),
};

static int by_name(const void *key, const void *entry)
{
    return str_cmp(*(const struct str *)key, str_of(((const struct promql_function *)entry)->name));
}

const struct promql_function *promql_function_find(struct str name)
{
    return bsearch(&name, table, COUNT(table), sizeof table[0], by_name);
}

const struct promql_function *promql_functions(size_t *n)
{
    *n = COUNT(table);
    return table;
}
