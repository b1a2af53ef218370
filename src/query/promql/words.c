/* words.c - the words of PromQL that are no functions, and how a function's signature is written: what
 * completion, colours and docs/promql-functions.md are made of. The lexer has its own table (lex.c); a test
 * holds the two together. */
#include <string.h>

#include "query/promql/functions.h"

#define A PROMQL_AGGREGATOR
#define K PROMQL_KEYWORD
#define M PROMQL_MODIFIER

/* clang-format off: a table */
static const struct promql_word words[] = {
    { "sum", A, "sum by (label) (v)", false, "Sum of each group." },
    { "avg", A, "avg by (label) (v)", false, "Mean of each group." },
    { "min", A, "min by (label) (v)", false, "Smallest value of each group." },
    { "max", A, "max by (label) (v)", false, "Greatest value of each group." },
    { "count", A, "count by (label) (v)", false, "Number of elements of each group." },
    { "group", A, "group by (label) (v)", false, "1 for each group." },
    { "stddev", A, "stddev by (label) (v)", false, "Standard deviation within each group." },
    { "stdvar", A, "stdvar by (label) (v)", false, "Variance within each group." },
    { "topk", A, "topk by (label) (3, v)", false, "The greatest elements of each group." },
    { "bottomk", A, "bottomk by (label) (3, v)", false, "The smallest elements of each group." },
    { "quantile", A, "quantile by (label) (0.9, v)", false, "Quantile within each group." },
    { "count_values", A, "count_values by (label) (\"value\", v)", false,
      "How many elements have each value, told apart by a new label." },
    { "limitk", A, "limitk by (label) (3, v)", true, "So many elements of each group, whichever." },
    { "limit_ratio", A, "limit_ratio(0.1, v)", true,
      "A share of the elements, always the same ones; with -0.9 the other ones." },

    { "and", K, "a and b", false, "Elements of a whose labels are also in b." },
    { "or", K, "a or b", false, "All of a, and what of b has other labels." },
    { "unless", K, "a unless b", false, "Elements of a whose labels are not in b." },
    { "atan2", K, "a atan2 b", false, "Arc tangent of a / b in the right quadrant." },
    { "inf", K, "inf", false, "Infinity." },
    { "nan", K, "nan", false, "Not a number." },

    { "bool", M, "a > bool b", false, "A comparison answers 0 or 1 instead of dropping elements." },
    { "by", M, "sum by (label) (v)", false, "Groups have these labels." },
    { "without", M, "sum without (label) (v)", false, "Groups have all labels but these." },
    { "on", M, "a * on (label) b", false, "Matches by these labels only." },
    { "ignoring", M, "a * ignoring (label) b", false, "Matches by all labels but these." },
    { "group_left", M, "a * on (label) group_left (extra) b", false,
      "Several elements on the left match one on the right, whose extra labels are copied." },
    { "group_right", M, "a * on (label) group_right (extra) b", false,
      "Several elements on the right match one on the left, whose extra labels are copied." },
    { "fill", M, "a + fill (0) b", true, "Stands in for what is missing on either side." },
    { "fill_left", M, "a + fill_left (0) b", true, "Stands in for what is missing on the left." },
    { "fill_right", M, "a + fill_right (0) b", true, "Stands in for what is missing on the right." },
    { "offset", M, "v offset 5m", false, "Looks that much further back." },
    { "@", M, "v @ 1700000000", false, "Looks at a fixed time; also @ start() and @ end()." },
    { "anchored", M, "increase(v[5m] anchored)", true,
      "Real samples only, from the last one at or before the range on; nothing is extrapolated." },
    { "smoothed", M, "rate(v[5m] smoothed)", true,
      "Values at the ends of the range are interpolated between the samples around them." },
};
/* clang-format on */

const struct promql_word *promql_words(size_t *n)
{
    *n = sizeof words / sizeof words[0];
    return words;
}

const char *promql_type_name(enum promql_type type)
{
    static const char *const names[] = {
        [PROMQL_NONE] = "",        [PROMQL_SCALAR] = "scalar", [PROMQL_VECTOR] = "vector",
        [PROMQL_MATRIX] = "range", [PROMQL_STRING] = "string",
    };
    return names[type];
}

/* The next name of a list with blanks between; *rest moves behind it. */
static struct str next_name(const char **rest)
{
    const char *p = *rest;
    size_t n = strcspn(p, " ");
    *rest = p[n] ? p + n + 1 : p + n;
    return (struct str){ p, n };
}

void promql_signature(struct buf *out, const struct promql_function *fn)
{
    const char *rest = fn->params ? fn->params : "";
    struct str before = { "", 0 };

    buf_cs(out, fn->name);
    buf_char(out, '(');
    for (int i = 0; i < fn->n_args; i++) {
        struct str name = next_name(&rest);
        bool optional = fn->variadic > 0 && i >= fn->n_args - fn->variadic;
        if (i > 0 && str_eq(name, before)) continue; /* q, q: one is needed, more may follow */
        if (optional) buf_cs(out, i > 0 ? " [, " : "[");
        if (!optional && i > 0) buf_cs(out, ", ");
        buf_str(out, name);
        buf_char(out, ' ');
        buf_cs(out, promql_type_name(fn->args[i]));
        if (optional) buf_char(out, ']');
        before = name;
    }
    buf_cs(out, fn->variadic < 0 ? ", ...)" : ")");
}
