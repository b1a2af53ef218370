/* matcher.h - one condition on a label: name = value, !=, =~ or !~. A missing label has the empty value. */
#pragma once
#include "base/regex.h"
#include "model/labels.h"

enum matcher_op { MATCH_EQ, MATCH_NEQ, MATCH_RE, MATCH_NRE };

struct matcher {
    enum matcher_op op;
    struct str name, value;
    struct regex *re; /* for RE and NRE; yours */
};

int matcher_init(struct matcher *, enum matcher_op, struct str name, struct str value,
                 struct err *); /* borrows name and value */
void matcher_release(struct matcher *);

bool matcher_matches(const struct matcher *, struct str value);
bool matcher_matches_empty(const struct matcher *);
bool matchers_match(const struct matcher *, size_t n, struct labels); /* all of them */
const char *matcher_op_text(enum matcher_op);                         /* "=", "!=", "=~", "!~" */
