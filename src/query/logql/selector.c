/* selector.c - {a="b"} on resources: their attributes are the labels of a stream, by sanitised names. */
#include "base/check.h"
#include "query/logql/source.h"

struct labels origin_labels(const struct origin *o, struct arena *a)
{
    struct lset s = { 0 };
    for (size_t i = 0; i < o->resource.n; i++) {
        struct buf text = BUF_INIT(LABEL_VALUE_MAX);
        struct value v = o->resource.at[i].value;
        struct str name = label_sanitised(o->resource.at[i].name, a);
        if (v.type != VALUE_STR) value_print(&text, v);
        struct str value = v.type == VALUE_STR ? v.text : arena_str(a, buf_view(&text));
        if (value.n > 0 && lset_find(&s, name) == NULL) lset_set(&s, name, value, LABEL_STREAM, 0);
        buf_release(&text);
    }
    struct labels l = lset_labels(&s, LABEL_ANY, a, true);
    lset_release(&s);
    return l;
}

/* May the condition be given to the store? Only on text, and only when no empty value fulfils it. */
static const struct predicate *matcher_predicate(const struct matcher *m, const struct field_info *f,
                                                 size_t n, struct arena *a, bool *usable)
{
    const struct predicate *any = NULL;
    *usable = (m->op == MATCH_EQ || m->op == MATCH_RE) && !matcher_matches_empty(m);
    for (size_t i = 0; i < n && *usable; i++) {
        if (f[i].field.scope != FIELD_RESOURCE || !str_eq(label_sanitised(f[i].field.name, a), m->name))
            continue;
        *usable = (f[i].types & ~(1u << VALUE_STR)) == 0;
        const struct predicate *one = m->op == MATCH_EQ
                                          ? predicate_cmp(a, PRED_EQ, f[i].field, value_str(m->value))
                                          : predicate_regex(a, f[i].field, m->re);
        any = any ? predicate_or(a, any, one) : one;
    }
    return any;
}

int selector_predicate(const struct matcher *m, size_t n, struct store_view *view, struct call *c,
                       const struct predicate **out, bool *none, struct err *e)
{
    struct field_info *fields;
    size_t n_fields;
    int rc = view_fields(view, c, TABLE_LOGS, 0, &fields, &n_fields, e);
    *out = NULL;
    *none = false;
    for (size_t i = 0; i < n && rc == OK; i++) {
        bool usable;
        const struct predicate *p = matcher_predicate(&m[i], fields, n_fields, c->arena, &usable);
        if (usable && p == NULL) *none = true; /* no resource has such an attribute */
        if (usable && p != NULL) *out = predicate_and(c->arena, *out, p);
    }
    return rc;
}
