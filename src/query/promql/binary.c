/* binary.c - operators between scalars, a scalar and a vector, and two vectors.
 *
 * Vectors are matched once, not step by step: series of both sides meet in a table by the hash of their
 * matching labels. Inside such a match the steps are walked; who is present may change from step to step, and
 * the rules (one series on the "one" side, unique results) hold at each step. */
#include "query/promql/binary.h"

#include "base/check.h"

static struct sample sample_at(const struct mseries *s, size_t i)
{
    return (struct sample){ s->v[i], s->h ? s->h[i] : NULL };
}

static void put(struct query *q, struct mseries *s, size_t steps, size_t i, struct sample x)
{
    if (x.h)
        hist_row(q, s, steps)[i] = x.h;
    else
        s->v[i] = x.v;
}

/* ---- with scalars ---- */

static int scalars(struct eval *ev, struct binop *b, const struct series_matrix *l,
                   const struct series_matrix *r, struct series_matrix *out)
{
    matrix_scalar(ev->q, out, ev->n, 0);
    for (size_t i = 0; i < ev->n; i++) {
        struct sample x = { 0, NULL };
        if (binop_apply(b, sample_at(&l->at[0], i), sample_at(&r->at[0], i), &x)) out->at[0].v[i] = x.v;
    }
    return OK;
}

static int vector_scalar(struct eval *ev, struct binop *b, const struct series_matrix *vector,
                         const double *scalar, struct series_matrix *out, struct err *e)
{
    bool drop = op_changes_metric(b->node->op) || b->node->return_bool;
    int rc = eval_room(ev, vector->n, e);

    for (size_t s = 0; s < vector->n && rc == OK; s++) {
        const struct mseries *in = &vector->at[s];
        struct mseries made = { in->labels, in->drop_name || drop, row_new(&ev->q->arena, ev->n), NULL };
        bool any = false;
        for (size_t i = 0; i < ev->n; i++) {
            struct sample x = sample_at(in, i), y = { scalar[i], NULL }, z;
            if (!has_sample(in, i)) continue;
            if (!(b->scalar_left ? binop_apply(b, y, x, &z) : binop_apply(b, x, y, &z))) continue;
            put(ev->q, &made, ev->n, i, z);
            any = true;
        }
        if (any) matrix_push(ev->q, out, made);
        rc = eval_check(ev, e);
    }
    return rc;
}

/* ---- matching ---- */

struct match { /* series of both sides with the same matching labels */
    size_t *side[2];
    size_t n[2], cap[2];
};

struct matching {
    struct eval *ev;
    const struct node *node;
    struct binop *op;
    const struct series_matrix *in[2]; /* left, right */
    struct match *matches;
    size_t n, cap;
    struct series_matrix *out;
    struct series_index index;
    struct arena work; /* forgotten after each match */
};

static uint64_t match_hash(const struct node *n, struct labels l)
{
    return n->on ? labels_hash_on(l, n->match_labels, n->n_match_labels)
                 : labels_hash_without(l, n->match_labels, n->n_match_labels);
}

static struct labels match_labels(const struct matching *m, struct labels l)
{
    struct arena *a = &m->ev->q->arena;
    return m->node->on ? labels_keep(a, l, m->node->match_labels, m->node->n_match_labels)
                       : labels_without(a, l, m->node->match_labels, m->node->n_match_labels);
}

struct match_ctx {
    const struct matching *m;
    struct labels labels;
};

static bool same_match(void *ctx, uint64_t at)
{
    const struct match_ctx *c = ctx;
    const struct matching *m = c->m;
    const struct match *of = &m->matches[at];
    int side = of->n[0] > 0 ? 0 : 1;
    struct labels l = m->in[side]->at[of->side[side][0]].labels;
    return m->node->on ? labels_eq_on(l, c->labels, m->node->match_labels, m->node->n_match_labels)
                       : labels_eq_without(l, c->labels, m->node->match_labels, m->node->n_match_labels);
}

static void find_matches(struct matching *m)
{
    struct arena *a = &m->ev->q->arena;
    struct map seen;

    map_init(&seen, m->in[0]->n + m->in[1]->n);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < m->in[side]->n; i++) {
            struct labels l = m->in[side]->at[i].labels;
            uint64_t hash = match_hash(m->node, l);
            uint64_t *found = map_find(&seen, hash, same_match, &(struct match_ctx){ m, l });
            size_t at = found ? *found : m->n;
            if (!found) {
                m->matches = arena_grow(a, m->matches, m->n, &m->cap, sizeof *m->matches);
                m->matches[m->n++] = (struct match){ 0 };
                map_add(&seen, hash, at);
            }
            struct match *of = &m->matches[at];
            of->side[side] = arena_grow(a, of->side[side], of->n[side], &of->cap[side], sizeof(size_t));
            of->side[side][of->n[side]++] = i;
        }
    }
    map_release(&seen);
}

/* Which steps have a sample on that side of a match. */
static bool *present(struct matching *m, const struct match *of, int side)
{
    bool *at = arena_zero(&m->work, m->ev->n);
    for (size_t k = 0; k < of->n[side]; k++) {
        const struct mseries *s = &m->in[side]->at[of->side[side][k]];
        for (size_t i = 0; i < m->ev->n; i++) at[i] |= has_sample(s, i);
    }
    return at;
}

/* ---- and, or, unless ---- */

static void copy_where(struct matching *m, const struct mseries *s, const bool *at, bool wanted)
{
    struct query *q = m->ev->q;
    struct mseries made = { s->labels, s->drop_name, row_new(&q->arena, m->ev->n), NULL };
    bool any = false;
    for (size_t i = 0; i < m->ev->n; i++) {
        if (!has_sample(s, i) || (at ? at[i] : false) != wanted) continue;
        put(q, &made, m->ev->n, i, sample_at(s, i));
        any = true;
    }
    if (any) matrix_push(q, m->out, made);
}

static void copy_side(struct matching *m, const struct match *of, int side, const bool *at, bool wanted)
{
    for (size_t k = 0; k < of->n[side]; k++) copy_where(m, &m->in[side]->at[of->side[side][k]], at, wanted);
}

static int set_operator(struct matching *m, struct err *e)
{
    enum promql_op op = m->node->op;
    int rc = eval_room(m->ev, m->in[0]->n + (op == OP_OR ? m->in[1]->n : 0), e);

    for (size_t k = 0; k < m->n && rc == OK; k++) {
        const struct match *of = &m->matches[k];
        if (op == OP_AND && of->n[0] && of->n[1]) copy_side(m, of, 0, present(m, of, 1), true);
        if (op == OP_UNLESS && of->n[0]) copy_side(m, of, 0, of->n[1] ? present(m, of, 1) : NULL, false);
        if (op == OP_OR) {
            copy_side(m, of, 0, NULL, false);
            if (of->n[1]) copy_side(m, of, 1, of->n[0] ? present(m, of, 0) : NULL, false);
        }
        arena_reset(&m->work);
        rc = eval_check(m->ev, e);
    }
    return rc == OK && op == OP_OR ? matrix_merge(m->ev->q, m->out, e) : rc;
}

/* ---- one to one, many to one ---- */

/* fill_left and fill_right speak of the many and the one side, also where group_right has turned them round:
 * so does Prometheus. */
struct roles {
    int many, one; /* sides; in one-to-one the left is "many" */
    bool fill_many, fill_one;
    double many_value, one_value;
};

static struct roles roles_of(const struct node *n)
{
    bool turned = n->card == CARD_ONE_TO_MANY;
    return (
        struct roles){ turned, !turned, n->has_fill_left, n->has_fill_right, n->fill_left, n->fill_right };
}

static struct labels result_labels(const struct matching *m, struct labels many, struct labels one)
{
    const struct node *n = m->node;
    struct arena *a = &m->ev->q->arena;
    struct labels l = op_changes_metric(n->op) ? labels_drop_meta(a, many) : many;

    if (n->card == CARD_ONE_TO_ONE && n->on) {
        l = labels_keep(a, l, n->match_labels, n->n_match_labels);
    } else if (n->card == CARD_ONE_TO_ONE) {
        struct labels all = l;
        for (size_t i = 0; i < all.n; i++)
            if (names_has(n->match_labels, n->n_match_labels, all.at[i].name))
                l = labels_set(a, l, all.at[i].name, STR(""));
    }
    for (size_t i = 0; i < n->n_include; i++)
        l = labels_set(a, l, n->include[i], labels_get_str(one, n->include[i]));
    return l;
}

static int duplicate_error(const struct matching *m, const struct match *of, const struct roles *r, size_t a,
                           size_t b, struct err *e)
{
    struct buf text = BUF_INIT(4096);
    const struct series_matrix *in = m->in[r->one];
    buf_cs(&text, "found duplicate series for the match group ");
    labels_print(&text, match_labels(m, in->at[of->side[r->one][a]].labels));
    buf_printf(&text, " on the %s hand-side of the operation: [", r->one == 0 ? "left" : "right");
    labels_print(&text, in->at[of->side[r->one][b]].labels);
    buf_cs(&text, ", ");
    labels_print(&text, in->at[of->side[r->one][a]].labels);
    buf_cs(&text, "];many-to-many matching not allowed: matching labels must be unique on one side");
    int rc = err_set(e, ERR_EXEC, "%s", buf_cstr(&text));
    buf_release(&text);
    return rc;
}

/* Has the whole vector on that side a sample at the step? */
static bool any_present(const struct series_matrix *in, size_t step)
{
    for (size_t s = 0; s < in->n; s++)
        if (has_sample(&in->at[s], step)) return true;
    return false;
}

#define NOBODY UINT32_MAX

/* For each step the member of the "one" side that is there. Two at once is an error, unless there is nobody
 * to match. */
static int who_is_one(struct matching *m, const struct match *of, const struct roles *r, uint32_t **out,
                      struct err *e)
{
    uint32_t *who = arena_array(&m->work, m->ev->n, sizeof *who);
    for (size_t i = 0; i < m->ev->n; i++) who[i] = NOBODY;
    for (size_t k = 0; k < of->n[r->one]; k++) {
        const struct mseries *s = &m->in[r->one]->at[of->side[r->one][k]];
        for (size_t i = 0; i < m->ev->n; i++) {
            if (!has_sample(s, i)) continue;
            if (who[i] != NOBODY && (r->fill_many || r->fill_one || any_present(m->in[r->many], i)))
                return duplicate_error(m, of, r, who[i], k, e);
            who[i] = (uint32_t)k;
        }
    }
    *out = who;
    return OK;
}

struct pairing { /* where the samples of one many-series go: its result with each series of the one side */
    size_t out;  /* SIZE_MAX: not made yet */
};

/* A comparison hands on the labels of the many side, and with them whether their name is dropped in the end.
 */
static int emit(struct matching *m, const struct roles *r, struct pairing *p, struct labels many,
                bool drop_name, struct labels one, size_t step, struct sample x, struct sample y,
                struct err *e)
{
    struct sample z;
    bool swap = r->many == 1;
    if (!binop_apply(m->op, swap ? y : x, swap ? x : y, &z)) return OK;
    if (p->out == SIZE_MAX) {
        bool drop = m->node->return_bool || (drop_name && !op_changes_metric(m->node->op));
        int rc = series_index_get(&m->index, result_labels(m, many, one), drop, &p->out, e);
        if (rc < 0) return rc;
    }
    struct mseries *s = &m->out->at[p->out];
    if (has_sample(s, step))
        return err_set(e, ERR_EXEC,
                       m->node->card == CARD_ONE_TO_ONE
                           ? "multiple matches for labels: many-to-one matching must be explicit "
                             "(group_left/group_right)"
                           : "multiple matches for labels: grouping labels must ensure unique matches");
    put(m->ev->q, s, m->ev->n, step, z);
    return OK;
}

static int too_many(const struct matching *m, bool *claimed, size_t step, struct err *e)
{
    if (m->node->card != CARD_ONE_TO_ONE) return OK;
    if (claimed[step])
        return err_set(
            e, ERR_EXEC,
            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
    claimed[step] = true;
    return OK;
}

/* One series of the many side against whoever is on the one side at each step. */
static int match_series(struct matching *m, const struct match *of, const struct roles *r,
                        const struct mseries *s, const uint32_t *who, struct pairing *pairs, bool *claimed,
                        struct err *e)
{
    size_t n_one = of->n[r->one];
    struct sample fill = { r->one_value, NULL };
    int rc = OK;

    for (size_t k = 0; k <= n_one; k++) pairs[k].out = SIZE_MAX;
    for (size_t i = 0; i < m->ev->n && rc == OK; i++) {
        if (!has_sample(s, i) || (who[i] == NOBODY && !r->fill_one)) continue;
        if ((rc = too_many(m, claimed, i, e)) < 0) break;
        if (who[i] == NOBODY) {
            rc = emit(m, r, &pairs[n_one], s->labels, s->drop_name, (struct labels){ NULL, 0 }, i,
                      sample_at(s, i), fill, e);
        } else {
            const struct mseries *one = &m->in[r->one]->at[of->side[r->one][who[i]]];
            rc = emit(m, r, &pairs[who[i]], s->labels, s->drop_name, one->labels, i, sample_at(s, i),
                      sample_at(one, i), e);
        }
    }
    return rc;
}

/* Steps where the one side stands alone. */
static int match_lonely(struct matching *m, const struct match *of, const struct roles *r,
                        const uint32_t *who, struct pairing *pairs, struct err *e)
{
    bool *there = present(m, of, r->many);
    struct sample fill = { r->many_value, NULL };
    int rc = OK;

    for (size_t k = 0; k <= of->n[r->one]; k++) pairs[k].out = SIZE_MAX;
    for (size_t i = 0; i < m->ev->n && rc == OK; i++) {
        if (who[i] == NOBODY || there[i]) continue;
        const struct mseries *one = &m->in[r->one]->at[of->side[r->one][who[i]]];
        rc = emit(m, r, &pairs[who[i]], match_labels(m, one->labels), one->drop_name, one->labels, i, fill,
                  sample_at(one, i), e);
    }
    return rc;
}

static int match_operator(struct matching *m, struct err *e)
{
    struct roles r = roles_of(m->node);
    int rc = OK;

    series_index_init(&m->index, m->ev->q, m->out);
    for (size_t k = 0; k < m->n && rc == OK; k++) {
        const struct match *of = &m->matches[k];
        uint32_t *who = NULL;
        if ((rc = who_is_one(m, of, &r, &who, e)) < 0) break;
        if (of->n[r.one] == 0 && !r.fill_one) continue;
        if (of->n[r.many] == 0 && !r.fill_many) continue;
        struct pairing *pairs = arena_array(&m->work, of->n[r.one] + 1, sizeof *pairs);
        bool *claimed = arena_zero(&m->work, m->ev->n);
        for (size_t s = 0; s < of->n[r.many] && rc == OK; s++)
            rc = match_series(m, of, &r, &m->in[r.many]->at[of->side[r.many][s]], who, pairs, claimed, e);
        if (rc == OK && r.fill_many) rc = match_lonely(m, of, &r, who, pairs, e);
        arena_reset(&m->work);
        if (rc == OK) rc = eval_check(m->ev, e);
    }
    series_index_release(&m->index);
    return rc;
}

static int vectors(struct eval *ev, struct binop *b, const struct series_matrix *l,
                   const struct series_matrix *r, struct series_matrix *out, struct err *e)
{
    struct matching m = { .ev = ev, .node = b->node, .op = b, .in = { l, r }, .out = out };
    m.work.budget = ev->q->max_memory;
    find_matches(&m);
    int rc = op_is_set(b->node->op) ? set_operator(&m, e) : match_operator(&m, e);
    arena_release(&m.work);
    return rc;
}

int eval_binary(struct eval *ev, const struct node *n, struct series_matrix *out, struct err *e)
{
    struct eval inner = *ev;
    struct series_matrix l, r;
    struct arena scratch = ARENA_INIT(ev->q->max_memory);
    struct binop b = { ev->q, n, false, &scratch };
    bool left_scalar = n->left->type == PROMQL_SCALAR, right_scalar = n->right->type == PROMQL_SCALAR;
    int rc;

    inner.track_resets = false;
    matrix_init(out, ev->n);
    if ((rc = eval_node(&inner, n->left, &l, e)) < 0 || (rc = eval_node(&inner, n->right, &r, e)) < 0)
        return rc;
    b.scalar_left = left_scalar && !right_scalar;
    if (left_scalar && right_scalar)
        rc = scalars(ev, &b, &l, &r, out);
    else if (left_scalar)
        rc = vector_scalar(ev, &b, &r, l.at[0].v, out, e);
    else if (right_scalar)
        rc = vector_scalar(ev, &b, &l, r.at[0].v, out, e);
    else
        rc = vectors(ev, &b, &l, &r, out, e);
    arena_release(&scratch);
    return rc;
}
