/* functions_info.c - info(v, {matchers}): adds to each series the data labels of the info series of the same
 * target.
 *
 * Targets are told apart by instance and job. Which info series enriches is decided step by step: of several
 * with the same name the one whose sample is newest. They are read at the times the base series was read at
 * (its @ and offset). */
#include "base/check.h"
#include "query/promql/functions_impl.h"

static const struct str identifying[] = { { "instance", 8 }, { "job", 3 } };

struct info {
    struct eval *ev;
    struct matcher *matchers; /* of the info selector */
    size_t n_matchers;
    const struct str *wanted; /* data labels asked for; n_wanted 0: all */
    size_t n_wanted;
    bool must_match; /* a matcher does not accept the empty value */
    struct series_matrix values, times;
    struct map targets; /* hash of instance and job -> the last info series with it */
    size_t *room;       /* for as many as there are info series */
    size_t *before;     /* of each info series the one before it with the same hash; SIZE_MAX: none */
    struct series_index index;
};

/* ---- what the second argument says ---- */

static bool is_data_matcher(const struct matcher *m)
{
    return !str_is(m->name, LABEL_NAME);
}

static int add_name_matcher(struct info *x, enum matcher_op op, struct str value, struct err *e)
{
    return matcher_init(&x->matchers[x->n_matchers++], op, STR(LABEL_NAME), value, e);
}

/* Name matchers as given; none: target_info; only negative ones: whatever else ends in _info. */
static int read_matchers(struct info *x, const struct node *sel, struct err *e)
{
    struct arena *a = &x->ev->q->arena;
    size_t n = sel ? sel->n_matchers : 0;
    struct str *wanted = arena_array(a, n, sizeof *wanted);
    bool named = false, positive = false;

    x->matchers = arena_zero(a, (n + 1) * sizeof *x->matchers);
    for (size_t i = 0; i < n; i++) {
        const struct matcher *m = &sel->matchers[i];
        x->matchers[x->n_matchers++] = *m;
        if (is_data_matcher(m)) {
            wanted[x->n_wanted++] = m->name;
            x->must_match |= !matcher_matches_empty(m);
        } else {
            named = true;
            positive |= m->op == MATCH_EQ || m->op == MATCH_RE;
        }
    }
    x->wanted = wanted;
    if (!named) return add_name_matcher(x, MATCH_EQ, STR("target_info"), e);
    return positive ? OK : add_name_matcher(x, MATCH_RE, STR(".+_info"), e);
}

static bool is_info_series(const struct info *x, struct labels l)
{
    struct str name = labels_get(l, LABEL_NAME);
    for (size_t i = 0; i < x->n_matchers; i++)
        if (!is_data_matcher(&x->matchers[i]) && !matcher_matches(&x->matchers[i], name)) return false;
    return true;
}

/* ---- when the base series was read ---- */

static int reference(struct info *x, const struct node *n, struct node *sel, struct err *e)
{
    struct timing t;
    int rc;

    if (n->kind == NODE_SELECTOR || n->kind == NODE_MATRIX || n->kind == NODE_SUBQUERY) {
        if ((rc = timing_of(x->ev->q, n, &t, e)) < 0) return rc;
        if (t.fixed) {
            sel->at_kind = AT_TIME;
            sel->at_ms = t.at_ms;
            sel->offset_ms = 0;
        }
        sel->offset_ms += t.offset_ms;
        if (n->kind != NODE_SUBQUERY) return 1; /* found */
    }
    const struct node *children[] = { n->child, n->left, n->right };
    for (size_t i = 0; i < COUNT(children); i++)
        if (children[i] && (rc = reference(x, children[i], sel, e)) != OK) return rc;
    for (size_t i = 0; i < n->n_args; i++)
        if ((rc = reference(x, n->args[i], sel, e)) != OK) return rc;
    return OK;
}

static int read_info_series(struct info *x, const struct node *base, struct err *e)
{
    struct node sel = { .kind = NODE_SELECTOR,
                        .type = PROMQL_VECTOR,
                        .at = base->at,
                        .matchers = x->matchers,
                        .n_matchers = x->n_matchers };
    int rc = reference(x, base, &sel, e);
    if (rc < 0) return rc;
    if ((rc = eval_selector(x->ev, &sel, SELECT_VALUES, &x->values, e)) < 0) return rc;
    if ((rc = eval_selector(x->ev, &sel, SELECT_TIMES, &x->times, e)) < 0) return rc;
    for (size_t s = 0; s < x->values.n; s++) {
        if (x->values.at[s].h == NULL) continue;
        struct str name = labels_get(x->values.at[s].labels, LABEL_NAME);
        return err_set(e, ERR_EXEC, "this should be an info metric, with float samples: %.*s", STR_ARG(name));
    }
    return OK;
}

/* ---- joining ---- */

struct choice { /* info series chosen at a step, one a name */
    size_t *at;
    size_t n;
};

static int choose(const struct info *x, const size_t *candidates, size_t n, size_t step, struct choice *c,
                  struct err *e)
{
    c->n = 0;
    for (size_t k = 0; k < n; k++) {
        size_t s = candidates[k], same = 0;
        if (!has_sample(&x->times.at[s], step)) continue;
        struct str name = labels_get(x->times.at[s].labels, LABEL_NAME);
        while (same < c->n && !str_eq(labels_get(x->times.at[c->at[same]].labels, LABEL_NAME), name)) same++;
        if (same == c->n) {
            c->at[c->n++] = s;
            continue;
        }
        double old = x->times.at[c->at[same]].v[step], now = x->times.at[s].v[step];
        if (old == now)
            return err_set(e, ERR_EXEC, "found duplicate series for info metric %.*s", STR_ARG(name));
        if (now > old) c->at[same] = s;
    }
    return OK;
}

static int enriched(const struct info *x, struct labels base, const struct choice *c, struct labels *out,
                    struct err *e)
{
    struct arena *a = &x->ev->q->arena;
    struct labels added = { NULL, 0 };

    *out = base;
    for (size_t k = 0; k < c->n; k++) {
        struct labels l = x->times.at[c->at[k]].labels;
        for (size_t i = 0; i < l.n; i++) {
            struct str name = l.at[i].name, before = labels_get_str(added, name);
            bool skip = str_is(name, LABEL_NAME) || names_has(identifying, COUNT(identifying), name) ||
                        (x->n_wanted && !names_has(x->wanted, x->n_wanted, name)) ||
                        labels_get_str(base, name).n > 0;
            if (skip) continue;
            if (before.n > 0 && !str_eq(before, l.at[i].value))
                return err_set(e, ERR_EXEC, "conflicting label: %.*s", STR_ARG(name));
            added = labels_set(a, added, name, l.at[i].value);
            *out = labels_set(a, *out, name, l.at[i].value);
        }
    }
    return OK;
}

static void find_targets(struct info *x)
{
    map_init(&x->targets, x->times.n);
    x->before = arena_array(&x->ev->q->arena, x->times.n, sizeof *x->before);
    x->room = arena_array(&x->ev->q->arena, x->times.n, sizeof *x->room);
    for (size_t s = 0; s < x->times.n; s++) {
        uint64_t hash = labels_hash_on(x->times.at[s].labels, identifying, COUNT(identifying));
        uint64_t *last = map_find(&x->targets, hash, NULL, NULL);
        x->before[s] = last ? *last : SIZE_MAX;
        if (last)
            *last = s;
        else
            map_add(&x->targets, hash, s);
    }
}

static size_t find_candidates(const struct info *x, struct labels base, size_t *out)
{
    uint64_t *last = map_find(&x->targets, labels_hash_on(base, identifying, COUNT(identifying)), NULL, NULL);
    size_t n = 0;
    for (size_t s = last ? *last : SIZE_MAX; s != SIZE_MAX; s = x->before[s])
        if (labels_eq_on(x->times.at[s].labels, base, identifying, COUNT(identifying))) out[n++] = s;
    return n;
}

static bool same_choice(const struct choice *a, const struct choice *b)
{
    return a->n == b->n && (a->n == 0 || memcmp(a->at, b->at, a->n * sizeof *a->at) == 0);
}

static int join_series(struct info *x, const struct mseries *base, struct err *e)
{
    struct query *q = x->ev->q;
    struct arena *a = &q->arena;
    bool plain = is_info_series(x, base->labels);
    size_t n = plain ? 0 : find_candidates(x, base->labels, x->room), out = SIZE_MAX, *candidates = x->room;
    struct choice now = { arena_array(a, n, sizeof(size_t)), 0 },
                  last = { arena_array(a, n, sizeof(size_t)), 0 };
    int rc = OK;

    for (size_t i = 0; i < x->ev->n; i++) {
        struct labels l;
        if (!has_sample(base, i)) continue;
        if ((rc = choose(x, candidates, n, i, &now, e)) < 0) return rc;
        if (now.n == 0 && x->must_match && !plain) continue;
        if (out == SIZE_MAX || !same_choice(&now, &last)) {
            if ((rc = enriched(x, base->labels, &now, &l, e)) < 0) return rc;
            if ((rc = series_index_get(&x->index, l, base->drop_name, &out, e)) < 0) return rc;
            last.n = now.n;
            memcpy(last.at, now.at, now.n * sizeof *now.at);
        }
        struct mseries *made = &x->index.m->at[out];
        if (has_sample(made, i))
            return err_set(e, ERR_EXEC, "vector cannot contain metrics with the same labelset");
        made->v[i] = base->v[i];
        if (has_hist(base, i)) hist_row(q, made, x->ev->n)[i] = base->h[i];
    }
    return eval_check(x->ev, e);
}

int call_info(struct eval *ev, const struct node *call, struct series_matrix *out, struct err *e)
{
    struct info x = { .ev = ev };
    struct series_matrix base;
    const struct node *sel = call->n_args > 1 ? node_bare(call->args[1]) : NULL;
    int rc;

    matrix_init(out, ev->n);
    if ((rc = eval_node(ev, call->args[0], &base, e)) < 0 || (rc = read_matchers(&x, sel, e)) < 0) return rc;
    rc = read_info_series(&x, call->args[0], e);
    if (rc == OK) find_targets(&x);
    series_index_init(&x.index, ev->q, out);
    for (size_t s = 0; rc == OK && s < base.n; s++) rc = join_series(&x, &base.at[s], e);
    series_index_release(&x.index);
    map_release(&x.targets);
    for (size_t i = sel ? sel->n_matchers : 0; i < x.n_matchers; i++) matcher_release(&x.matchers[i]);
    return rc;
}
