/* am_matchers.h - conditions on an alert's labels as Alertmanager writes them: a="b", c=~"d|e", "odd
 * name"!=x.
 *
 * Two grammars are in use. The classic one has plain label names and a value that runs to the next comma; the
 * newer one quotes what is not plain. A text that the classic one understands means what it always meant;
 * else the newer one decides. Regexes are anchored, and a label that is missing is empty. */
#pragma once
#include "model/matcher.h"

#define AM_MATCHERS_MAX 1000 /* in one list */

struct am_matchers {
    struct matcher *at; /* in the arena; their regexes are yours */
    size_t n, cap;
};

/* Appends what text holds: one condition or several with commas, in braces or not. ERR_PARSE. */
int am_matchers_parse(struct str text, struct arena *, struct am_matchers *, struct err *);
/* Appends one. Texts are copied. */
int am_matchers_add(struct am_matchers *, enum matcher_op, struct str name, struct str value, struct arena *,
                    struct err *);
void am_matchers_release(struct am_matchers *);

void am_matchers_sort(struct am_matchers *); /* by name, value, operator: the order in group keys */
void am_matcher_print(struct buf *, const struct matcher *);
void am_matchers_print(struct buf *, const struct am_matchers *); /* {a="b",c!="d"} */

static inline bool am_matchers_match(const struct am_matchers *m, struct labels l)
{
    return matchers_match(m->at, m->n, l);
}
