#include "model/predicate.h"

#include "base/check.h"
#include "unit/model/record_samples.h"

static struct value text(const char *s)
{
    return value_str(str_of(s));
}

static struct predicate leaf(enum predicate_op op, struct value v)
{
    return (struct predicate){ .op = op, .field = field_attr(FIELD_ATTR, STR("x")), .value = v };
}

static bool holds(struct value a, enum predicate_op op, struct value b)
{
    struct predicate p = leaf(op, b);
    return value_matches(&p, a);
}

/* -1, 0, 1; 2: nothing can be said. In 128-bit fixed point, exact for numbers below 2^64 with at most 52
 * binary places: another way than the code's. */
static int oracle(struct value a, struct value b)
{
    bool a_text = a.type == VALUE_STR || a.type == VALUE_BYTES || a.type == VALUE_JSON;
    bool b_text = b.type == VALUE_STR || b.type == VALUE_BYTES || b.type == VALUE_JSON;
    if (a.type == VALUE_NONE || b.type == VALUE_NONE || a_text != b_text) return 2;
    if (a_text) {
        int c = memcmp(a.text.p, b.text.p, MIN(a.text.n, b.text.n));
        return c ? (c > 0) - (c < 0) : (a.text.n > b.text.n) - (a.text.n < b.text.n);
    }
    __int128 n[2];
    const struct value *v[] = { &a, &b };
    for (int i = 0; i < 2; i++) {
        if (v[i]->type != VALUE_DOUBLE)
            n[i] = (__int128)v[i]->i * (1ll << 52);
        else if (v[i]->d != v[i]->d)
            return 2;
        else if (v[i]->d > 1e19 || v[i]->d < -1e19) /* beyond every integer; larger ones come out equal */
            n[i] = (v[i]->d > 0 ? 1 : -1) * ((__int128)1 << 120);
        else
            n[i] = (__int128)(v[i]->d * 0x1p52L); /* a product by a power of two is exact */
    }
    return (n[0] > n[1]) - (n[0] < n[1]);
}

TEST(values_compare_exactly_and_as_the_oracle_says)
{
    const double two53 = 9007199254740992.0, two63 = 9223372036854775808.0;
    const struct value v[] = {
        { VALUE_NONE },
        value_int(0),
        value_int(1),
        value_int(-1),
        value_int(1ll << 53),
        value_int((1ll << 53) + 1),
        value_int(-(1ll << 53) - 1),
        value_int(INT64_MAX),
        value_int(INT64_MAX - 1),
        value_int(INT64_MIN),
        value_bool(true),
        value_bool(false),
        value_double(0.0),
        value_double(-0.0),
        value_double(0.5),
        value_double(-0.5),
        value_double(1),
        value_double(two53),
        value_double(two53 + 2),
        value_double(-two53),
        value_double(two63),
        value_double(-two63),
        value_double(two63 - 1024),
        value_double(0.0 / 0.0),
        value_double(1e30),
        value_double(-1.0 / 0.0),
        text(""),
        text("a"),
        text("ab"),
        text("b"),
        text("1"),
        text("\xff"),
        { VALUE_JSON, .text = STR("a") },
        { VALUE_BYTES, .text = STR("ab") },
    };
    for (size_t i = 0; i < COUNT(v); i++)
        for (size_t k = 0; k < COUNT(v); k++) {
            int c = oracle(v[i], v[k]);
            EXPECT(holds(v[i], PRED_EQ, v[k]) == (c == 0));
            EXPECT(holds(v[i], PRED_LT, v[k]) == (c == -1));
            EXPECT(holds(v[i], PRED_LE, v[k]) == (c == -1 || c == 0));
            EXPECT(holds(v[i], PRED_GT, v[k]) == (c == 1));
            EXPECT(holds(v[i], PRED_GE, v[k]) == (c == 1 || c == 0));
        }
}

TEST(integers_beyond_2_to_53_are_not_rounded)
{
    EXPECT(!holds(value_int((1ll << 53) + 1), PRED_EQ, value_double(9007199254740992.0)));
    EXPECT(holds(value_int((1ll << 53) + 1), PRED_GT, value_double(9007199254740992.0)));
    EXPECT(!holds(value_int(INT64_MAX), PRED_EQ, value_double(9223372036854775808.0)));
    EXPECT(holds(value_int(INT64_MIN), PRED_EQ, value_double(-9223372036854775808.0)));
    EXPECT(holds(value_int(-1), PRED_LT, value_double(-0.5)) &&
           holds(value_int(0), PRED_GT, value_double(-0.5)));
    EXPECT(holds(value_double(2.5), PRED_GT, value_int(2)) &&
           holds(value_double(-2.5), PRED_LT, value_int(-2)));
}

TEST(in_is_equal_to_one_of_them)
{
    struct value of[] = { text("a"), value_int(3), value_double(4.5) };
    struct predicate p = { .op = PRED_IN, .values = of, .n_values = COUNT(of) };
    EXPECT(value_matches(&p, text("a")) && value_matches(&p, value_double(3)) &&
           value_matches(&p, value_double(4.5)));
    EXPECT(!value_matches(&p, text("3")) && !value_matches(&p, value_int(4)) &&
           !value_matches(&p, (struct value){ VALUE_NONE }));
    p.n_values = 0;
    EXPECT(!value_matches(&p, text("a")));
}

static bool has_word(const char *in, const char *word, bool fold)
{
    struct predicate p = leaf(PRED_CONTAINS, text(word));
    p.fold = fold;
    return value_matches(&p, text(in));
}

/* Against asking each value of the set by itself, which the oracle has judged. */
TEST(a_prepared_set_holds_what_the_set_holds)
{
    struct dice d = { 7 };
    for (int round = 0; round < 300; round++) {
        struct arena a = ARENA_INIT(SIZE_MAX);
        struct value v[40];
        size_t n = roll_below(&d, COUNT(v) + 1);
        for (size_t i = 0; i < n; i++) v[i] = sample_value(&d, &a);
        if (n > 3) v[0] = v[3], v[1] = value_double(0.0 / 0.0), v[2] = (struct value){ VALUE_NONE };
        const struct field x = field_attr(FIELD_ATTR, STR("x"));
        const struct predicate *set = predicate_in(&a, x, v, n), *prepared = predicate_prepare(&a, set);
        for (int k = 0; k < 60; k++) {
            struct value it = n > 0 && k < 40 ? v[roll_below(&d, n)] : sample_value(&d, &a);
            if (it.type == VALUE_INT && k % 3 == 0) it = value_double((double)it.i);
            if (it.type == VALUE_STR && k % 3 == 0) it.type = VALUE_BYTES;
            EXPECT(value_matches(prepared, it) == value_matches(set, it));
        }
        arena_release(&a);
    }
}

TEST(preparing_leaves_the_tree_as_it_is)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    const struct value v[] = { text("b"), text("a"), value_int(2), text("b") };
    const struct field x = field_attr(FIELD_ATTR, STR("x"));
    const struct predicate *in = predicate_in(&a, x, v, COUNT(v)),
                           *tree = predicate_not(&a, predicate_and(&a, in, predicate_exists(&a, x)));
    const struct predicate *prepared = predicate_prepare(&a, tree);
    EXPECT(in->values == v && !in->is_sorted && in->n_values == 4);
    EXPECT(prepared != tree && tree->child[0]->child[0] == in);
    EXPECT(prepared->child[0]->child[0]->n_values == 3); /* "b" once */
    EXPECT(predicate_prepare(&a, prepared->child[0]->child[0]) == prepared->child[0]->child[0]);
    EXPECT(predicate_prepare(&a, NULL) == NULL);
    EXPECT(predicate_prepare(&a, predicate_in(&a, x, NULL, 0))->n_values == 0);
    arena_release(&a);
}

TEST(contains_looks_for_bytes_and_folds_ascii_only)
{
    EXPECT(has_word("connection refused", "refused", false) && has_word("abc", "", false));
    EXPECT(!has_word("connection Refused", "refused", false));
    EXPECT(has_word("connection REFused", "refUSED", true));
    EXPECT(!has_word("ab", "abc", true) && has_word("xabc", "abc", true) && !has_word("", "a", true));
    EXPECT(has_word("aaab", "AAB", true) && !has_word("[", "{", true) && !has_word("@", "`", true));
    EXPECT(!has_word("\xc3\xa4", "\xc3\x84", true)); /* ä and Ä: not ASCII */
    struct predicate p = leaf(PRED_CONTAINS, text("1"));
    EXPECT(!value_matches(&p, value_int(1)) && !value_matches(&p, (struct value){ VALUE_NONE }));
    EXPECT(value_matches(&p, (struct value){ VALUE_JSON, .text = STR("[1]") }));
    EXPECT(!value_matches(&p, (struct value){ VALUE_BYTES, .text = STR("1") }));
}

TEST(regular_expressions_are_for_text)
{
    struct predicate p = leaf(PRED_REGEX, text(""));
    struct regex *re;
    EXPECT(regex_new(STR("4[0-9]+"), &re, NULL) == OK);
    p.re = re;
    EXPECT(value_matches(&p, text("404")) && !value_matches(&p, text("504")));
    EXPECT(!value_matches(&p, value_int(404)) && !value_matches(&p, (struct value){ VALUE_NONE }));
    EXPECT(value_matches(&p, (struct value){ VALUE_JSON, .text = STR("404") }));
    regex_free(re);
}

TEST(trees_are_plain_logic)
{
    struct attr at[] = { { STR("x"), text("a") }, { STR("n"), value_int(5) } };
    struct record r = { .attrs = { at, 2 } };
    struct predicate yes = leaf(PRED_EQ, text("a")), no = leaf(PRED_EQ, text("b"));
    struct predicate other = { .op = PRED_EQ, .field = field_attr(FIELD_ATTR, STR("y")), .value = text("a") };
    const struct predicate *yes_no[] = { &yes, &no }, *just_other[] = { &other };
    struct predicate and = { .op = PRED_AND, .child = yes_no, .n_children = 2 };
    struct predicate or = { .op = PRED_OR, .child = yes_no, .n_children = 2 };
    struct predicate not_other = { .op = PRED_NOT, .child = just_other, .n_children = 1 };
    struct predicate exists = { .op = PRED_EXISTS, .field = other.field };

    EXPECT(predicate_matches(NULL, &r, TABLE_LOGS));
    EXPECT(predicate_matches(&(struct predicate){ .op = PRED_ALL }, &r, TABLE_LOGS));
    EXPECT(!predicate_matches(&and, &r, TABLE_LOGS) && predicate_matches(& or, &r, TABLE_LOGS));
    and.n_children = or.n_children = 0;
    EXPECT(predicate_matches(&and, &r, TABLE_LOGS) && !predicate_matches(& or, &r, TABLE_LOGS));
    EXPECT(predicate_matches(&not_other, &r, TABLE_LOGS)); /* holds where y is absent */
    EXPECT(!predicate_matches(&exists, &r, TABLE_LOGS));
    exists.field = field_in(IN_TIME);
    EXPECT(predicate_matches(&exists, &r, TABLE_SPANS));
}

TEST(depth_and_size_of_trees_are_bounded)
{
    struct err e = ERR_INIT;
    struct predicate all = { .op = PRED_ALL }, node[70];
    const struct predicate *child[70], *many[4096];
    for (int i = 0; i < 70; i++) {
        child[i] = i ? &node[i - 1] : &all;
        node[i] = (struct predicate){ .op = PRED_NOT, .child = &child[i], .n_children = 1 };
    }
    EXPECT(predicate_check(NULL, &e) == OK);
    EXPECT(predicate_check(&node[62], &e) == OK); /* 63 NOTs and the leaf */
    EXPECT(predicate_check(&node[63], &e) == ERR_LIMIT);
    EXPECT(predicate_check(&node[69], &e) == ERR_LIMIT);

    for (int i = 0; i < 4096; i++) many[i] = &all;
    struct predicate wide = { .op = PRED_OR, .child = many, .n_children = 4095 };
    EXPECT(predicate_check(&wide, &e) == OK);
    wide.n_children = 4096;
    EXPECT(predicate_check(&wide, &e) == ERR_LIMIT);
}

TEST(trees_that_make_no_sense_are_refused)
{
    struct err e = ERR_INIT;
    struct predicate p = leaf(PRED_REGEX, text("x"));
    EXPECT(predicate_check(&p, &e) == ERR_RANGE);
    p = leaf(PRED_CONTAINS, value_int(1));
    EXPECT(predicate_check(&p, &e) == ERR_RANGE);
    p = (struct predicate){ .op = PRED_EQ, .field = { FIELD_INTRINSIC, (enum intrinsic)9 } };
    EXPECT(predicate_check(&p, &e) == ERR_RANGE);
    p = (struct predicate){ .op = PRED_NOT };
    EXPECT(predicate_check(&p, &e) == ERR_RANGE);
    p = (struct predicate){ .op = (enum predicate_op)99 };
    EXPECT(predicate_check(&p, &e) == ERR_RANGE);
}

TESTS(CASE(values_compare_exactly_and_as_the_oracle_says), CASE(integers_beyond_2_to_53_are_not_rounded),
      CASE(in_is_equal_to_one_of_them), CASE(a_prepared_set_holds_what_the_set_holds),
      CASE(preparing_leaves_the_tree_as_it_is), CASE(contains_looks_for_bytes_and_folds_ascii_only),
      CASE(regular_expressions_are_for_text), CASE(trees_are_plain_logic),
      CASE(depth_and_size_of_trees_are_bounded), CASE(trees_that_make_no_sense_are_refused))
