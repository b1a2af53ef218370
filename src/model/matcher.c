/* matcher.c - conditions on labels. The regex, if any, is compiled once and owned by the matcher. */
#include "model/matcher.h"

#include "base/check.h"

int matcher_init(struct matcher *m, enum matcher_op op, struct str name, struct str value, struct err *e)
{
    *m = (struct matcher){ .op = op, .name = name, .value = value };
    if (op == MATCH_EQ || op == MATCH_NEQ) return OK;
    return regex_new(value, &m->re, e);
}

void matcher_release(struct matcher *m)
{
    regex_free(m->re);
    m->re = NULL;
}

bool matcher_matches(const struct matcher *m, struct str value)
{
    switch (m->op) {
    case MATCH_EQ: return str_eq(value, m->value);
    case MATCH_NEQ: return !str_eq(value, m->value);
    case MATCH_RE: return regex_match(m->re, value);
    case MATCH_NRE: return !regex_match(m->re, value);
    }
    check(!"a matcher has one of four operators");
    return false;
}

bool matcher_matches_empty(const struct matcher *m)
{
    return matcher_matches(m, STR(""));
}

bool matchers_match(const struct matcher *m, size_t n, struct labels l)
{
    for (size_t i = 0; i < n; i++)
        if (!matcher_matches(&m[i], labels_get_str(l, m[i].name))) return false;
    return true;
}

const char *matcher_op_text(enum matcher_op op)
{
    static const char *const texts[] = { "=", "!=", "=~", "!~" };
    check((unsigned)op < COUNT(texts));
    return texts[op];
}
