/* rule_reads.c - see rule_reads.h. A selector with a name reads series of that name; one without reads any.
 */
#include "judge/rule_reads.h"

#include "base/map.h"
#include "query/promql/functions.h"
#include "query/promql/parse.h"

struct written { /* by the rules so far */
    struct map names;
    bool any, alerts;
};

static bool selects(const struct node *n, const struct written *w)
{
    for (size_t i = 0; i < n->n_matchers; i++) {
        const struct matcher *m = &n->matchers[i];
        if (m->op != MATCH_EQ || !str_is(m->name, LABEL_NAME)) continue;
        bool is_alerts = str_is(m->value, "ALERTS") || str_is(m->value, "ALERTS_FOR_STATE");
        return (is_alerts && w->alerts) ||
               map_find(&w->names, hash64(m->value.p, m->value.n), NULL, NULL) != NULL;
    }
    return w->any;
}

static bool reads(const struct node *n, const struct written *w)
{
    if (n == NULL) return false;
    if (n->kind == NODE_SELECTOR && selects(n, w)) return true;
    if (n->kind == NODE_CALL && strcmp(n->fn->name, "info") == 0)
        return w->any; /* its series are not named */
    for (size_t i = 0; i < n->n_args; i++)
        if (reads(n->args[i], w)) return true;
    return reads(n->child, w) || reads(n->left, w) || reads(n->right, w) || reads(n->param, w);
}

static bool expr_reads(const struct rule_spec *r, const struct written *w)
{
    struct arena scratch = ARENA_INIT((size_t)64 << 20);
    struct node *root;
    bool yes = w->any;
    if (r->lang == RULE_PROMQL && promql_parse(r->expr, &scratch, &root, NULL) == OK) {
        yes = reads(root, w);
        promql_release(root);
    }
    arena_release(&scratch);
    return yes;
}

/* Templates may ask, too. */
static bool texts_ask(const struct rule_texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->at[i].filled != NULL && memmem(t->at[i].text.p, t->at[i].text.n, "query", 5) != NULL)
            return true;
    return false;
}

void rule_reads_earlier(const struct rule_group_spec *g, bool *out)
{
    struct written w = { 0 };
    map_init(&w.names, g->n_rules + 1);
    for (size_t i = 0; i < g->n_rules; i++) {
        const struct rule_spec *r = &g->rules[i];
        out[i] = w.any && (expr_reads(r, &w) || texts_ask(&r->labels) || texts_ask(&r->annotations));
        w.any = true;
        w.alerts |= r->is_alert;
        if (!r->is_alert) map_add(&w.names, hash64(r->name.p, r->name.n), i);
    }
    map_release(&w.names);
}
