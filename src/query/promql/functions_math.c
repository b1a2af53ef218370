/* functions_math.c - functions of one float at a time. Histograms have no such values and are left out. */
#include <math.h>

#include "base/check.h"
#include "query/promql/functions_impl.h"

double math_sgn(double v)
{
    return v < 0 ? -1 : v > 0 ? 1 : v;
}

double math_deg(double v)
{
    return v * 180 / M_PI;
}

double math_rad(double v)
{
    return v * M_PI / 180;
}

int call_vector_arg(struct eval *ev, const struct node *call, size_t i, struct series_matrix *out,
                    struct err *e)
{
    struct series_matrix in;
    int rc = eval_node(ev, call->args[i], &in, e);

    matrix_init(out, ev->n);
    if (rc == OK) rc = eval_room(ev, in.n, e);
    for (size_t s = 0; rc == OK && s < in.n; s++) {
        struct mseries copy = in.at[s];
        copy.v = arena_array(&ev->q->arena, ev->n, sizeof *copy.v);
        memcpy(copy.v, in.at[s].v, ev->n * sizeof *copy.v);
        copy.h = NULL;
        copy.drop_name = true;
        matrix_push(ev->q, out, copy);
    }
    if (rc == OK) matrix_drop_empty(out);
    return rc;
}

int call_map(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    int rc = call_vector_arg(ev, call, 0, out, e);
    for (size_t s = 0; rc == OK && s < out->n; s++)
        for (size_t i = 0; i < ev->n; i++)
            if (has_float(&out->at[s], i)) out->at[s].v[i] = call->fn->map(out->at[s].v[i]);
    return rc;
}

/* ---- with scalars beside ---- */

typedef double with_scalars(double v, double a, double b);

static int map_with(struct eval *ev, const struct node *call, with_scalars *f, struct series_matrix *out,
                    struct err *e)
{
    const double *a = NULL, *b = NULL;
    int rc = call_vector_arg(ev, call, 0, out, e);
    if (rc == OK && call->n_args > 1) rc = eval_scalar(ev, call->args[1], &a, e);
    if (rc == OK && call->n_args > 2) rc = eval_scalar(ev, call->args[2], &b, e);
    for (size_t s = 0; rc == OK && s < out->n; s++)
        for (size_t i = 0; i < ev->n; i++)
            if (has_float(&out->at[s], i)) out->at[s].v[i] = f(out->at[s].v[i], a ? a[i] : 1, b ? b[i] : 0);
    return rc;
}

/* As Go's Max and Min: an infinity that settles the matter does so beside NaN, too. */
static double greater(double a, double b)
{
    if (a == INFINITY || b == INFINITY) return INFINITY;
    return isnan(a) || isnan(b) ? NAN : fmax(a, b);
}

static double smaller(double a, double b)
{
    if (a == -INFINITY || b == -INFINITY) return -INFINITY;
    return isnan(a) || isnan(b) ? NAN : fmin(a, b);
}

static double clamp(double v, double min, double max)
{
    return min > max ? ABSENT : greater(min, smaller(max, v));
}

static double clamp_min(double v, double min, double unused)
{
    (void)unused;
    return greater(min, v);
}

static double clamp_max(double v, double max, double unused)
{
    (void)unused;
    return smaller(max, v);
}

/* Half up. Done with the inverse, as 1 / 0.1 is exact where 0.1 is not. */
static double round_to(double v, double nearest, double unused)
{
    (void)unused;
    double inverse = 1 / nearest;
    return floor(v * inverse + 0.5) / inverse;
}

int call_clamp(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    int rc = map_with(ev, call, clamp, out, e);
    if (rc == OK) matrix_drop_empty(out);
    return rc;
}

int call_clamp_min(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return map_with(ev, call, clamp_min, out, e);
}

int call_clamp_max(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return map_with(ev, call, clamp_max, out, e);
}

int call_round(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return map_with(ev, call, round_to, out, e);
}

/* ---- scalars ---- */

static int scalar_of_two(struct eval *ev, const struct node *call, double (*f)(double, double),
                         struct series_matrix *out, struct err *e)
{
    const double *a, *b;
    int rc;
    if ((rc = eval_scalar(ev, call->args[0], &a, e)) < 0 || (rc = eval_scalar(ev, call->args[1], &b, e)) < 0)
        return rc;
    matrix_scalar(ev->q, out, ev->n, 0);
    for (size_t i = 0; i < ev->n; i++) out->at[0].v[i] = f(a[i], b[i]);
    return OK;
}

int call_min_of(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return scalar_of_two(ev, call, smaller, out, e);
}

int call_max_of(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return scalar_of_two(ev, call, greater, out, e);
}

int call_pi(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    (void)call, (void)e;
    matrix_scalar(ev->q, out, ev->n, M_PI);
    return OK;
}
