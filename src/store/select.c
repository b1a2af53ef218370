/* select.c - see select.h. The order of work: exact positive matchers from the shortest list up, then
 * the other positive ones, then the negative ones, each applied to the rows still left. */
#include "store/select.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "store/postings.h"

#define CHECK_EVERY  4096
#define VALUE_COST   64 /* a regex on one value: 100 to 200 ns */
#define LITERAL_COST 16 /* looking up one pair */
#define MEMO_SLOTS   512

struct term {
    const struct matcher *m;
    bool positive; /* a row without the label does not match */
    bool exact;    /* decided by one pair */
    uint32_t name_no, n_values, pair;
    size_t count; /* rows of the pair */
};

struct rows {
    uint32_t *at; /* NULL: not yet narrowed, all rows */
    size_t n;
};

struct selection {
    struct index *index;
    struct call *call;
    struct err *e;
    struct rows rows;
};

static void *take(struct selection *s, size_t n, size_t size)
{
    if (n == 0) n = 1;
    if (!arena_fits(s->call->arena, n * size)) {
        err_set(s->e, ERR_LIMIT, "the condition selects too many series for this query's memory limit");
        return NULL;
    }
    return arena_array(s->call->arena, n, size);
}

/* ---- what a matcher asks of the index ---- */

/* 1 = apply the term, 0 = every row passes it, ERR_FIND = no row does. */
static int term_init(struct selection *s, struct term *t, const struct matcher *m)
{
    const struct index_ops *ops = s->index->ops;
    *t = (struct term){ .m = m, .positive = !matcher_matches_empty(m) };
    int rc = ops->name(s->index, m->name, &t->name_no, &t->n_values, s->e);
    if (rc == 0) return t->positive ? ERR_FIND : 0;
    if (rc < 0) return rc;

    t->exact = m->op == (t->positive ? MATCH_EQ : MATCH_NEQ);
    if (!t->exact) return 1;

    rc = ops->pair(s->index, t->name_no, m->value, &t->pair, s->e);
    if (rc == 0) return t->positive ? ERR_FIND : 0;
    if (rc < 0) return rc;
    rc = ops->count(s->index, t->pair, &t->count, s->e);
    if (rc < 0) return rc;
    return t->positive && t->count == s->index->n_rows ? 0 : 1;
}

static int term_order(const void *left, const void *right)
{
    const struct term *a = left, *b = right;
    if (a->positive != b->positive) return a->positive ? -1 : 1;
    if (a->exact != b->exact) return a->exact ? -1 : 1;
    size_t x = a->exact ? a->count : a->n_values, y = b->exact ? b->count : b->n_values;
    return (x > y) - (x < y);
}

/* ---- the union of many pairs, as bits ---- */

struct gather {
    struct selection *s;
    const struct term *t;
    uint64_t *bits;
    size_t seen;
};

static int gather_pair(struct gather *g, uint32_t pair, struct err *e)
{
    const uint32_t *rows;
    size_t n;
    int rc = g->s->index->ops->postings(g->s->index, pair, g->s->call, &rows, &n, e);
    if (rc < 0) return rc;
    rows_set(g->bits, rows, n);
    return OK;
}

static int gather_value(void *ctx, uint32_t pair, struct str value, struct err *e)
{
    struct gather *g = ctx;
    int rc;
    if (++g->seen % CHECK_EVERY == 0 && (rc = call_check(g->s->call, e)) < 0) return rc;
    if (matcher_matches(g->t->m, value) != g->t->positive) return OK;
    return gather_pair(g, pair, e);
}

/* True when the values in question are those the regex itself accepts: its literals and prefix may
 * narrow the search. */
static bool regex_narrows(const struct term *t)
{
    return t->m->op == (t->positive ? MATCH_RE : MATCH_NRE);
}

static int gather_literals(struct gather *g, const struct str *literals, size_t n)
{
    struct index *index = g->s->index;
    for (size_t i = 0; i < n; i++) {
        uint32_t pair;
        int rc = index->ops->pair(index, g->t->name_no, literals[i], &pair, g->s->e);
        if (rc > 0) rc = gather_pair(g, pair, g->s->e);
        if (rc < 0) return rc;
    }
    return OK;
}

static size_t bit_words(const struct selection *s)
{
    return ((size_t)s->index->n_rows + 63) / 64;
}

/* Rows whose pair decides: accepted ones of a positive term, refused ones of a negative. */
static int term_bits(struct selection *s, const struct term *t, uint64_t **bits)
{
    struct gather g = { s, t, take(s, bit_words(s), sizeof **bits), 0 };
    if (g.bits == NULL) return ERR_LIMIT;
    memset(g.bits, 0, bit_words(s) * sizeof *g.bits);
    *bits = g.bits;

    struct str prefix = STR("");
    if (regex_narrows(t)) {
        size_t n = 0;
        const struct str *literals = regex_literals(t->m->re, &n);
        if (literals != NULL) return gather_literals(&g, literals, n);
        prefix = regex_prefix(t->m->re);
    }
    return s->index->ops->values(s->index, t->name_no, prefix, gather_value, &g, s->e);
}

/* ---- the first term ---- */

static int start_all(struct selection *s)
{
    s->rows.n = s->index->n_rows;
    if ((s->rows.at = take(s, s->rows.n, sizeof *s->rows.at)) == NULL) return ERR_LIMIT;
    for (size_t i = 0; i < s->rows.n; i++) s->rows.at[i] = (uint32_t)i;
    return OK;
}

static int start_exact(struct selection *s, const struct term *t)
{
    const uint32_t *rows;
    int rc = s->index->ops->postings(s->index, t->pair, s->call, &rows, &s->rows.n, s->e);
    if (rc < 0) return rc;
    if ((s->rows.at = take(s, s->rows.n, sizeof *rows)) == NULL) return ERR_LIMIT;
    memcpy(s->rows.at, rows, s->rows.n * sizeof *rows);
    return OK;
}

static int start_union(struct selection *s, const struct term *t)
{
    uint64_t *bits;
    int rc = term_bits(s, t, &bits);
    if (rc < 0) return rc;
    s->rows.at = take(s, rows_count(bits, bit_words(s)), sizeof *s->rows.at);
    if (s->rows.at == NULL) return ERR_LIMIT;
    s->rows.n = rows_list(bits, bit_words(s), s->rows.at);
    return OK;
}

static int start(struct selection *s, const struct term *t)
{
    int rc = t == NULL || !t->positive ? start_all(s) : t->exact ? start_exact(s, t) : start_union(s, t);
    if (rc == OK && s->index->ops->alive != NULL)
        s->rows.n = s->index->ops->alive(s->index, s->rows.at, s->rows.n);
    return rc;
}

/* ---- the following terms ---- */

struct memo { /* verdicts by pair; a newer one overwrites */
    uint32_t pair_plus_1;
    bool keep;
};

static int judge_row(struct selection *s, const struct term *t, uint32_t row, struct memo *memo, bool *keep)
{
    uint32_t pair;
    int rc = s->index->ops->row_pair(s->index, row, t->name_no, &pair, s->e);
    if (rc < 0) return rc;
    if (rc == 0 || t->exact) {
        *keep = (rc == 1 && (!t->exact || pair == t->pair)) == t->positive;
        return OK;
    }
    struct memo *known = &memo[pair % MEMO_SLOTS];
    if (known->pair_plus_1 != pair + 1) {
        struct str value;
        if ((rc = s->index->ops->value(s->index, pair, s->call->arena, &value, s->e)) < 0) return rc;
        *known = (struct memo){ pair + 1, matcher_matches(t->m, value) };
    }
    *keep = known->keep;
    return OK;
}

static int filter_rows(struct selection *s, const struct term *t)
{
    struct memo memo[MEMO_SLOTS] = { { 0 } };
    size_t kept = 0;
    for (size_t i = 0; i < s->rows.n; i++) {
        bool keep = false;
        int rc = judge_row(s, t, s->rows.at[i], memo, &keep);
        if (rc == OK && i % CHECK_EVERY == 0) rc = call_check(s->call, s->e);
        if (rc < 0) return rc;
        if (keep) s->rows.at[kept++] = s->rows.at[i];
    }
    s->rows.n = kept;
    return OK;
}

static int filter_list(struct selection *s, const struct term *t)
{
    const uint32_t *rows;
    size_t n;
    int rc = s->index->ops->postings(s->index, t->pair, s->call, &rows, &n, s->e);
    if (rc == OK) s->rows.n = postings_intersect(s->rows.at, s->rows.n, rows, n);
    return rc;
}

static int filter_bits(struct selection *s, const struct term *t)
{
    uint64_t *bits;
    int rc = OK;
    if (t->exact) { /* negative: the positive ones are lists */
        struct gather g = { s, t, take(s, bit_words(s), sizeof *bits), 0 };
        if ((bits = g.bits) == NULL) return ERR_LIMIT;
        memset(bits, 0, bit_words(s) * sizeof *bits);
        rc = gather_pair(&g, t->pair, s->e);
    } else {
        rc = term_bits(s, t, &bits);
    }
    if (rc < 0) return rc;

    size_t kept = 0;
    for (size_t i = 0; i < s->rows.n; i++)
        if (rows_has(bits, s->rows.at[i]) == t->positive) s->rows.at[kept++] = s->rows.at[i];
    s->rows.n = kept;
    return OK;
}

/* Rows of one metric are neighbours: the pages to look at are at most those between the first and the
 * last row. */
static size_t cost_by_row(const struct selection *s, const struct term *t)
{
    size_t n = s->rows.n, span = (s->rows.at[n - 1] - s->rows.at[0]) / s->index->rows_per_page + 1;
    return n * s->index->row_cost + MIN(n, span) * s->index->page_cost +
           (t->exact ? 0 : MIN(n, t->n_values) * VALUE_COST);
}

/* Doublings and halvings of a gallop over a list that is so many times as long. */
static size_t steps(size_t ratio)
{
    size_t n = 1;
    for (; ratio > 0; ratio /= 2) n++;
    return n;
}

/* How many rows a regex selects is not known before; an eighth of all is a guess that is seldom far
 * off in the costly direction. */
static size_t cost_by_list(const struct selection *s, const struct term *t)
{
    size_t literals = 0;
    if (t->exact)
        return t->count * s->index->posting_cost + MIN(t->count, s->rows.n * 2 * steps(t->count / s->rows.n));
    if (regex_narrows(t) && regex_literals(t->m->re, &literals) != NULL)
        return literals * LITERAL_COST + s->index->n_rows / 8;
    return (size_t)t->n_values * VALUE_COST + s->index->n_rows / 8;
}

static int narrow(struct selection *s, const struct term *t)
{
    if (cost_by_row(s, t) < cost_by_list(s, t)) return filter_rows(s, t);
    return t->exact && t->positive ? filter_list(s, t) : filter_bits(s, t);
}

int index_select(struct index *index, const struct matcher *m, size_t n, struct call *call, uint32_t **rows,
                 size_t *n_rows, struct err *e)
{
    struct selection s = { index, call, e, { NULL, 0 } };
    struct term *terms = arena_array(call->arena, n + 1, sizeof *terms);
    size_t n_terms = 0, first = 0;
    int rc = call_check(call, e);

    *rows = NULL;
    *n_rows = 0;
    for (size_t i = 0; i < n && rc >= 0; i++) {
        rc = term_init(&s, &terms[n_terms], &m[i]);
        if (rc == ERR_FIND) return OK; /* nothing can match */
        if (rc == 1) n_terms++;
    }
    if (rc < 0) return rc;

    qsort(terms, n_terms, sizeof *terms, term_order);
    if ((rc = start(&s, n_terms ? &terms[0] : NULL)) < 0) return rc;
    if (n_terms > 0 && terms[0].positive) first = 1; /* its rows are what we started with */
    for (size_t i = first; i < n_terms && s.rows.n > 0 && rc == OK; i++)
        if ((rc = call_check(call, e)) == OK) rc = narrow(&s, &terms[i]);
    *rows = s.rows.at;
    *n_rows = s.rows.n;
    return rc;
}
