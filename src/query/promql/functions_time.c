/* functions_time.c - the query's times, the samples' times, and the calendar (UTC, proleptic Gregorian). */
#include <math.h>

#include "base/check.h"
#include "query/promql/functions_impl.h"

static int constant(struct eval *ev, int64_t ms, struct series_matrix *out)
{
    matrix_scalar(ev->q, out, ev->n, (double)ms / 1000);
    return OK;
}

int call_time(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    (void)call, (void)e;
    matrix_scalar(ev->q, out, ev->n, 0);
    for (size_t i = 0; i < ev->n; i++) out->at[0].v[i] = (double)eval_time(ev, i) / 1000;
    return OK;
}

int call_start(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    (void)call, (void)e;
    return constant(ev, ev->q->start_ms, out);
}

int call_end(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    (void)call, (void)e;
    return constant(ev, ev->q->end_ms, out);
}

int call_step(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    (void)call, (void)e;
    return constant(ev, ev->q->step_ms, out);
}

int call_range(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    (void)call, (void)e;
    return constant(ev, ev->q->end_ms - ev->q->start_ms, out);
}

/* Of a plain selector the samples' own times; of anything computed, the time of the evaluation. */
static int sample_times(struct eval *ev, const struct node *call, enum select_mode mode,
                        struct series_matrix *out, struct err *e)
{
    const struct node *arg = node_bare(call->args[0]);
    bool plain = arg->kind == NODE_SELECTOR && arg->extent == EXTENT_PLAIN;
    int rc = plain ? eval_selector(ev, arg, mode, out, e) : eval_node(ev, arg, out, e);

    for (size_t s = 0; rc == OK && s < out->n; s++) {
        struct mseries *in = &out->at[s];
        in->drop_name = true;
        if (plain) continue;
        double *v = row_new(&ev->q->arena, ev->n);
        for (size_t i = 0; i < ev->n; i++)
            if (has_sample(in, i)) v[i] = mode == SELECT_TIMES ? (double)eval_time(ev, i) / 1000 : 0;
        in->v = v;
        in->h = NULL;
    }
    return rc;
}

int call_timestamp(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return sample_times(ev, call, SELECT_TIMES, out, e);
}

int call_start_timestamp(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return sample_times(ev, call, SELECT_STARTS, out, e);
}

/* ---- calendar ---- */

struct date {
    int64_t year, day_of_year; /* from 0 */
    int month, day;            /* from 1 */
};

static bool is_leap(int64_t y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int month_days(int64_t year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return days[month - 1] + (month == 2 && is_leap(year));
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days before January 1 of year y, counted from 1970. */
static int64_t days_before(int64_t y)
{
    return 365 * (y - 1970) + floor_div(y - 1, 4) - floor_div(y - 1, 100) + floor_div(y - 1, 400) - 477;
}

static struct date date_of(int64_t days)
{
    struct date d = { 1970 + floor_div(days * 400, 146097), 0, 1, 0 };
    while (days_before(d.year + 1) <= days) d.year++;
    while (days_before(d.year) > days) d.year--;
    d.day_of_year = days - days_before(d.year);
    int64_t left = d.day_of_year;
    while (left >= month_days(d.year, d.month)) left -= month_days(d.year, d.month++);
    d.day = (int)left + 1;
    return d;
}

/* Far beyond any calendar the numbers mean nothing; stay within what the arithmetic can hold. */
static int64_t whole_seconds(double v)
{
    if (isnan(v)) return 0;
    return (int64_t)fmax(-1e13, fmin(1e13, trunc(v)));
}

static struct date date_at(double v)
{
    return date_of(floor_div(whole_seconds(v), 86400));
}

static int64_t second_of_day(double v)
{
    int64_t s = whole_seconds(v);
    return s - floor_div(s, 86400) * 86400;
}

double date_minute(double v)
{
    return (double)(second_of_day(v) / 60 % 60);
}

double date_hour(double v)
{
    return (double)(second_of_day(v) / 3600);
}

double date_day_of_week(double v)
{
    int64_t days = floor_div(whole_seconds(v), 86400) + 4; /* 1970 began on a Thursday */
    return (double)(days - floor_div(days, 7) * 7);
}

double date_day_of_month(double v)
{
    return date_at(v).day;
}

double date_day_of_year(double v)
{
    return (double)date_at(v).day_of_year + 1;
}

double date_days_in_month(double v)
{
    struct date d = date_at(v);
    return month_days(d.year, d.month);
}

double date_month(double v)
{
    return date_at(v).month;
}

double date_year(double v)
{
    return (double)date_at(v).year;
}

int call_date(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    if (call->n_args > 0) return call_map(ev, call, out, e);
    matrix_scalar(ev->q, out, ev->n, 0);
    for (size_t i = 0; i < ev->n; i++) out->at[0].v[i] = call->fn->map((double)eval_time(ev, i) / 1000);
    return OK;
}
