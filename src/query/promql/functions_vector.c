/* functions_vector.c - absent, scalar, vector, sort, and the door to the window functions. */
#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "query/promql/functions_impl.h"
#include "query/promql/window.h"

int call_window(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return eval_window_call(ev, call, out, e);
}

/* ---- absent ---- */

/* The labels a missing series would have. Matchers are gone through in their order: the first equality of a
 * name sets the label, any other matcher of that name takes it away. */
static struct labels demanded_labels(struct eval *ev, const struct node *n)
{
    struct labels l = { NULL, 0 };
    n = node_bare(n);
    if (n->kind == NODE_MATRIX) n = n->child;
    if (n->kind != NODE_SELECTOR) return l;
    for (size_t i = 0; i < n->n_matchers; i++) {
        const struct matcher *m = &n->matchers[i];
        if (str_is(m->name, LABEL_NAME)) continue;
        bool sets = m->op == MATCH_EQ;
        for (size_t k = 0; k < i && sets; k++)
            sets = n->matchers[k].op != MATCH_EQ || !str_eq(n->matchers[k].name, m->name);
        l = labels_set(&ev->q->arena, l, m->name, sets ? m->value : STR(""));
    }
    return l;
}

static int absent_of(struct eval *ev, const struct node *arg, const struct series_matrix *in,
                     struct series_matrix *out)
{
    matrix_init(out, ev->n);
    struct mseries *s = matrix_add(ev->q, out, demanded_labels(ev, arg), false);
    for (size_t i = 0; i < ev->n; i++) s->v[i] = 1;
    for (size_t k = 0; k < in->n; k++)
        for (size_t i = 0; i < ev->n; i++)
            if (has_sample(&in->at[k], i)) s->v[i] = ABSENT;
    matrix_drop_empty(out);
    return OK;
}

int call_absent(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    struct series_matrix in;
    int rc = eval_node(ev, call->args[0], &in, e);
    return rc < 0 ? rc : absent_of(ev, call->args[0], &in, out);
}

int call_absent_over_time(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    struct series_matrix in;
    int rc = eval_window_call(ev, call, &in, e);
    return rc < 0 ? rc : absent_of(ev, call->args[0], &in, out);
}

/* ---- scalar, vector ---- */

int call_scalar(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    struct series_matrix in;
    int rc = eval_node(ev, call->args[0], &in, e);
    if (rc < 0) return rc;
    matrix_scalar(ev->q, out, ev->n, NAN);
    for (size_t i = 0; i < ev->n; i++) {
        size_t found = 0;
        double v = NAN;
        for (size_t s = 0; s < in.n && found < 2; s++) {
            if (!has_float(&in.at[s], i)) continue;
            v = in.at[s].v[i];
            found++;
        }
        out->at[0].v[i] = found == 1 ? v : NAN;
    }
    return OK;
}

int call_vector(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return eval_node(ev, call->args[0], out, e);
}

/* ---- sort: only the order of an instant answer can show it ---- */

static void note_range(struct eval *ev, const struct node *call)
{
    if (ev->q->is_range)
        notes_add(&ev->q->notes, (struct note){ NOTE_SORT_IN_RANGE, call->at.pos, STR(""), STR("sort"), 0 });
}

static int by_value(const void *a, const void *b)
{
    double x = ((const struct mseries *)a)->v[0], y = ((const struct mseries *)b)->v[0];
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

static int by_value_desc(const void *a, const void *b)
{
    double x = ((const struct mseries *)a)->v[0], y = ((const struct mseries *)b)->v[0];
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return (x < y) - (x > y);
}

static int sorted(struct eval *ev, const struct node *call, int (*by)(const void *, const void *),
                  struct series_matrix *out, struct err *e)
{
    int rc = eval_node(ev, call->args[0], out, e);
    if (rc < 0) return rc;
    note_range(ev, call);
    for (size_t s = 0; s < out->n; s++) out->at[s].h = NULL; /* histograms have no order */
    matrix_drop_empty(out);
    if (ev->n == 1 && out->n > 1) qsort(out->at, out->n, sizeof *out->at, by);
    return OK;
}

int call_sort(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return sorted(ev, call, by_value, out, e);
}

int call_sort_desc(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return sorted(ev, call, by_value_desc, out, e);
}

/* Natural order: runs of digits compare as numbers. */
static int natural_cmp(struct str a, struct str b)
{
    size_t i = 0, j = 0;
    while (i < a.n && j < b.n) {
        bool digits = a.p[i] >= '0' && a.p[i] <= '9' && b.p[j] >= '0' && b.p[j] <= '9';
        if (!digits) {
            if (a.p[i] != b.p[j]) return (unsigned char)a.p[i] < (unsigned char)b.p[j] ? -1 : 1;
            i++, j++;
            continue;
        }
        while (i < a.n && a.p[i] == '0') i++;
        while (j < b.n && b.p[j] == '0') j++;
        size_t m = i, n = j;
        while (m < a.n && a.p[m] >= '0' && a.p[m] <= '9') m++;
        while (n < b.n && b.p[n] >= '0' && b.p[n] <= '9') n++;
        if (m - i != n - j) return m - i < n - j ? -1 : 1;
        int c = memcmp(a.p + i, b.p + j, m - i);
        if (c) return c;
        i = m, j = n;
    }
    return (i < a.n) - (j < b.n);
}

struct label_order {
    const struct node *call;
    int sign;
};

static int by_labels(const void *a, const void *b, void *ctx)
{
    const struct label_order *o = ctx;
    struct labels x = ((const struct mseries *)a)->labels, y = ((const struct mseries *)b)->labels;
    for (size_t i = 1; i < o->call->n_args; i++) {
        struct str name = node_string(o->call->args[i]);
        int c = natural_cmp(labels_get_str(x, name), labels_get_str(y, name));
        if (c) return c * o->sign;
    }
    return labels_cmp(x, y) * o->sign;
}

static int sorted_by_label(struct eval *ev, const struct node *call, int sign, struct series_matrix *out,
                           struct err *e)
{
    note_range(ev, call);
    int rc = eval_node(ev, call->args[0], out, e);
    if (rc == OK && out->n > 1)
        qsort_r(out->at, out->n, sizeof *out->at, by_labels, &(struct label_order){ call, sign });
    return rc;
}

int call_sort_by_label(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    return sorted_by_label(ev, call, 1, out, e);
}

int call_sort_by_label_desc(struct eval *ev, const struct node *call, struct series_matrix *out,
                            struct err *e)
{
    return sorted_by_label(ev, call, -1, out, e);
}
