/* matrix.c - series by steps: making, merging, spreading. */
#include "base/check.h"
#include "query/promql/eval.h"

void matrix_init(struct series_matrix *m, size_t steps)
{
    *m = (struct series_matrix){ .steps = steps };
}

double *row_new(struct arena *a, size_t steps)
{
    double *v = arena_array(a, steps, sizeof *v);
    for (size_t i = 0; i < steps; i++) v[i] = ABSENT;
    return v;
}

struct mseries *matrix_push(struct query *q, struct series_matrix *m, struct mseries s)
{
    m->at = arena_grow(&q->arena, m->at, m->n, &m->cap, sizeof *m->at);
    m->at[m->n] = s;
    return &m->at[m->n++];
}

struct mseries *matrix_add(struct query *q, struct series_matrix *m, struct labels l, bool drop_name)
{
    return matrix_push(q, m, (struct mseries){ l, drop_name, row_new(&q->arena, m->steps), NULL });
}

void matrix_scalar(struct query *q, struct series_matrix *m, size_t steps, double v)
{
    matrix_init(m, steps);
    struct mseries *s = matrix_add(q, m, (struct labels){ NULL, 0 }, false);
    for (size_t i = 0; i < steps; i++) s->v[i] = v;
}

const struct histogram **hist_row(struct query *q, struct mseries *s, size_t steps)
{
    if (s->h == NULL) s->h = arena_zero(&q->arena, steps * sizeof *s->h);
    return s->h;
}

bool row_empty(const struct mseries *s, size_t steps)
{
    for (size_t i = 0; i < steps; i++)
        if (has_sample(s, i)) return false;
    return true;
}

void matrix_drop_empty(struct series_matrix *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->n; i++)
        if (!row_empty(&m->at[i], m->steps)) m->at[kept++] = m->at[i];
    m->n = kept;
}

/* Add the samples of b to a; false when both have one at the same step. */
static bool row_join(struct query *q, struct mseries *a, const struct mseries *b, size_t steps)
{
    for (size_t i = 0; i < steps; i++)
        if (has_sample(a, i) && has_sample(b, i)) return false;
    double *v = row_new(&q->arena, steps);
    const struct histogram **h = a->h || b->h ? arena_zero(&q->arena, steps * sizeof *h) : NULL;
    for (size_t i = 0; i < steps; i++) {
        const struct mseries *from = has_sample(a, i) ? a : b;
        v[i] = from->v[i];
        if (h && from->h) h[i] = from->h[i];
    }
    a->v = v;
    a->h = h;
    return true;
}

struct same_ctx {
    const struct series_matrix *m;
    const struct mseries *s;
};

static bool same_series(void *ctx, uint64_t i)
{
    const struct same_ctx *c = ctx;
    const struct mseries *s = &c->m->at[i];
    return s->drop_name == c->s->drop_name && labels_eq(s->labels, c->s->labels);
}

int matrix_merge(struct query *q, struct series_matrix *m, struct err *e)
{
    struct map seen;
    size_t kept = 0;
    int rc = OK;

    map_init(&seen, m->n);
    for (size_t i = 0; i < m->n && rc == OK; i++) {
        struct mseries s = m->at[i];
        uint64_t hash = labels_hash(s.labels) + s.drop_name;
        uint64_t *first = map_find(&seen, hash, same_series, &(struct same_ctx){ m, &s });
        if (first == NULL) {
            m->at[kept] = s;
            map_add(&seen, hash, kept++);
        } else if (!row_join(q, &m->at[*first], &s, m->steps)) {
            rc = err_set(e, ERR_EXEC, "vector cannot contain metrics with the same labelset");
        }
    }
    if (rc == OK) m->n = kept;
    map_release(&seen);
    return rc;
}

void series_index_init(struct series_index *x, struct query *q, struct series_matrix *m)
{
    *x = (struct series_index){ .q = q, .m = m };
    map_init(&x->at, 16);
}

void series_index_release(struct series_index *x)
{
    map_release(&x->at);
}

int series_index_get(struct series_index *x, struct labels l, bool drop_name, size_t *out, struct err *e)
{
    struct mseries want = { l, drop_name, NULL, NULL };
    uint64_t hash = labels_hash(l) + drop_name;
    uint64_t *found = map_find(&x->at, hash, same_series, &(struct same_ctx){ x->m, &want });
    *out = found ? *found : x->m->n;
    if (found) return OK;
    struct eval room = { .q = x->q, .n = x->m->steps };
    int rc = eval_room(&room, 1, e);
    if (rc < 0) return rc;
    map_add(&x->at, hash, x->m->n);
    matrix_add(x->q, x->m, l, drop_name);
    return OK;
}

int matrix_broadcast(struct query *q, struct series_matrix *m, size_t steps, struct err *e)
{
    if (m->steps == steps) return OK;
    check(m->steps == 1);
    struct eval room = { .q = q, .n = steps };
    int rc = eval_room(&room, m->n, e);
    if (rc < 0) return rc;
    for (size_t s = 0; s < m->n; s++) {
        struct mseries *row = &m->at[s];
        double v = row->v[0];
        const struct histogram *h = row->h ? row->h[0] : NULL;
        row->v = arena_array(&q->arena, steps, sizeof *row->v);
        row->h = h ? arena_array(&q->arena, steps, sizeof *row->h) : NULL;
        for (size_t i = 0; i < steps; i++) row->v[i] = v;
        for (size_t i = 0; row->h && i < steps; i++) row->h[i] = h;
    }
    m->steps = steps;
    return OK;
}
