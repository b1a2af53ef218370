/* predicate.h - a condition on a log record or span, as a tree; what LogQL, TraceQL and searches give the
 * store.
 *
 * Fixed by this interface:
 *   1. A comparison with an absent field is false; so is one between text and number. NOT is plain negation,
 * so NOT (x = "a") holds where x is absent.
 *   2. Integers, doubles and booleans compare as numbers, exactly. NaN compares false.
 *   3. Text, JSON and bytes compare by bytes, with each other too. Regular expressions are RE2; whether they
 * are anchored is the regex's own affair.
 *   4. PRED_CONTAINS with `fold` ignores the case of ASCII letters.
 *
 * Pure; the tree is read-only while in use and may be shared by threads. */
#pragma once
#include "base/regex.h"
#include "model/record.h"

enum predicate_op {
    PRED_ALL, /* true */
    PRED_AND,
    PRED_OR,
    PRED_NOT, /* one child */
    PRED_EXISTS,
    PRED_EQ,
    PRED_LT,
    PRED_LE,
    PRED_GT,
    PRED_GE,
    PRED_IN,       /* equal to one of `values` */
    PRED_CONTAINS, /* text, JSON: `value` is in it */
    PRED_REGEX,    /* text, JSON */
};

struct predicate {
    enum predicate_op op;
    struct field field;
    struct value value;
    const struct value *values; /* PRED_IN; any order */
    size_t n_values;
    const struct regex *re;
    bool fold;
    bool is_sorted;                       /* PRED_IN: by predicate_prepare */
    const struct predicate *const *child; /* AND, OR, NOT */
    size_t n_children;
};

bool value_matches(const struct predicate *, struct value); /* a leaf against one value */
bool predicate_matches(const struct predicate *, const struct record *, enum table); /* NULL: true */

/* Depth and size are bounded: ERR_LIMIT above 64 levels or 4096 nodes. */
int predicate_check(const struct predicate *, struct err *);
/* The same condition for asking it of many records: the values of PRED_IN are put in order, so that a set of
 * thousands costs a dozen comparisons a record. Texts stay borrowed; the rest is in the arena. NULL stays
 * NULL.
 */
const struct predicate *predicate_prepare(struct arena *, const struct predicate *);
void predicate_print(struct buf *, const struct predicate *); /* for explain and tests */

/* Makers; everything in the arena. Children are borrowed. NULL children are PRED_ALL and are simplified away.
 */
const struct predicate *predicate_and(struct arena *, const struct predicate *, const struct predicate *);
const struct predicate *predicate_or(struct arena *, const struct predicate *, const struct predicate *);
const struct predicate *predicate_not(struct arena *, const struct predicate *);
const struct predicate *predicate_exists(struct arena *, struct field);
const struct predicate *predicate_cmp(struct arena *, enum predicate_op, struct field, struct value);
const struct predicate *predicate_in(struct arena *, struct field, const struct value *, size_t n);
const struct predicate *predicate_contains(struct arena *, struct field, struct str, bool fold);
const struct predicate *predicate_regex(struct arena *, struct field, const struct regex *);
