/* tree.c - see tree.h. No recursion: a chain of 100,000 spans is as good a tree as any. */
#include "query/traceql/tree.h"

#include "base/check.h"
#include "base/map.h"

struct maker {
    struct span_tree *t;
    const struct tree_columns *c;
    struct map by_id;
};

static const struct value *cell(const struct maker *m, const struct value *column, uint32_t i)
{
    return &column[m->t->rows[i]];
}

static bool has_id(const struct value *v)
{
    static const char zero[8];
    return v->type == VALUE_BYTES && v->text.n == 8 && memcmp(v->text.p, zero, 8) != 0;
}

static bool is_called_side(const struct maker *m, uint32_t i)
{
    int64_t kind = cell(m, m->c->kind, i)->i;
    return kind == SPAN_SERVER || kind == SPAN_CONSUMER;
}

struct wanted_id {
    const struct maker *m;
    struct str id;
};

static bool is_wanted(void *ctx, uint64_t i)
{
    const struct wanted_id *w = ctx;
    return str_eq(cell(w->m, w->m->c->id, (uint32_t)i)->text, w->id);
}

static uint64_t *find(const struct maker *m, struct str id)
{
    return map_find(&m->by_id, hash64(id.p, id.n), is_wanted, &(struct wanted_id){ m, id });
}

/* The one that children go to: of two with an id the called side. */
static void index_ids(struct maker *m)
{
    for (uint32_t i = 0; i < m->t->n; i++) {
        const struct value *id = cell(m, m->c->id, i);
        if (!has_id(id)) continue;
        uint64_t *known = find(m, id->text);
        if (known == NULL)
            map_add(&m->by_id, hash64(id->text.p, id->text.n), i);
        else if (is_called_side(m, i) && !is_called_side(m, (uint32_t)*known))
            *known = i;
    }
}

/* A called side whose id is also its caller's stands below that one. */
static uint32_t shared_caller(const struct maker *m, uint32_t i, const uint32_t *caller)
{
    return is_called_side(m, i) && caller != NULL ? caller[i] : SPAN_NOWHERE;
}

static void find_callers(const struct maker *m, uint32_t *caller)
{
    for (uint32_t i = 0; i < m->t->n; i++) caller[i] = SPAN_NOWHERE;
    for (uint32_t i = 0; i < m->t->n; i++) {
        const struct value *id = cell(m, m->c->id, i);
        if (!has_id(id) || is_called_side(m, i)) continue;
        uint32_t chosen = (uint32_t)*find(m, id->text);
        if (chosen != i && is_called_side(m, chosen)) caller[chosen] = i;
    }
}

static void link_parents(struct maker *m, const uint32_t *caller)
{
    for (uint32_t i = 0; i < m->t->n; i++) {
        const struct value *id = cell(m, m->c->parent_id, i);
        uint32_t above = shared_caller(m, i, caller);
        uint64_t *known = above == SPAN_NOWHERE && has_id(id) ? find(m, id->text) : NULL;
        if (known != NULL) above = (uint32_t)*known;
        m->t->parent[i] = above == i ? SPAN_NOWHERE : above;
    }
}

/* Lists of children: first[i], then next[] of each, in the order of the rows. */
static void list_children(struct span_tree *t, uint32_t *first, uint32_t *next)
{
    for (uint32_t i = 0; i < t->n; i++) first[i] = SPAN_NOWHERE;
    for (uint32_t i = (uint32_t)t->n; i-- > 0;) {
        uint32_t p = t->parent[i];
        next[i] = SPAN_NOWHERE;
        if (p == SPAN_NOWHERE) continue;
        next[i] = first[p];
        first[p] = i;
        t->children[p]++;
    }
}

/* Down from one root; numbers from *count on. Returns how many spans are in the order now. */
static size_t number(struct span_tree *t, uint32_t root, uint32_t *first, const uint32_t *next,
                     uint32_t *count, size_t done)
{
    uint32_t at = root;

    t->left[at] = ++*count;
    t->order[done++] = at;
    for (;;) {
        uint32_t child = first[at];
        if (child != SPAN_NOWHERE) {
            first[at] = next[child]; /* taken */
            at = child;
            t->left[at] = ++*count;
            t->order[done++] = at;
            continue;
        }
        t->right[at] = ++*count;
        if (at == root) return done;
        at = t->parent[at];
    }
}

/* What no root leads to goes round in a ring, or hangs on one. */
static size_t cut_rings(struct span_tree *t, size_t done)
{
    for (uint32_t i = 0; i < t->n; i++) {
        if (t->left[i] != 0) continue;
        if (t->parent[i] != SPAN_NOWHERE) t->children[t->parent[i]] = 0;
        t->parent[i] = SPAN_NOWHERE;
        t->order[done++] = i;
    }
    return done;
}

static void find_root(struct maker *m)
{
    struct span_tree *t = m->t;
    bool has_true_root = false;

    t->start_ns = INT64_MAX;
    t->end_ns = INT64_MIN;
    for (uint32_t i = 0; i < t->n; i++) {
        int64_t start = m->c->time_ns[t->rows[i]], lasts = MAX(cell(m, m->c->duration, i)->i, 0);
        int64_t end = start > INT64_MAX - lasts ? INT64_MAX : start + lasts;
        bool is_root = !has_id(cell(m, m->c->parent_id, i));
        if ((is_root && !has_true_root) ||
            (is_root == has_true_root && start < m->c->time_ns[t->rows[t->root]]))
            t->root = i;
        has_true_root |= is_root;
        if (start < t->start_ns) t->start_ns = start;
        if (end > t->end_ns) t->end_ns = end;
    }
}

void span_tree_make(struct span_tree *t, const struct tree_columns *c, const uint32_t *rows, size_t n,
                    struct arena *a)
{
    struct maker m = { .t = t, .c = c };
    uint32_t *first = arena_array(a, n, sizeof *first), *next = arena_array(a, n, sizeof *next), count = 0;
    size_t done = 0;

    *t = (struct span_tree){ .n = n, .rows = rows };
    t->parent = arena_array(a, n, sizeof *t->parent);
    t->order = arena_array(a, n, sizeof *t->order);
    t->left = arena_zero(a, n * sizeof *t->left);
    t->right = arena_zero(a, n * sizeof *t->right);
    t->children = arena_zero(a, n * sizeof *t->children);
    map_init(&m.by_id, n);
    index_ids(&m);
    find_callers(&m, first);
    link_parents(&m, first);
    list_children(t, first, next);
    for (uint32_t i = 0; i < n; i++)
        if (t->parent[i] == SPAN_NOWHERE) done = number(t, i, first, next, &count, done);
    done = cut_rings(t, done);
    check(done == n);
    find_root(&m);
    map_release(&m.by_id);
}
