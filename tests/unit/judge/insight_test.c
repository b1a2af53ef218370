/* Advice, each against figures worked out by hand. S1-165 */
#include "judge/insight.h"

#include <math.h>

#include "base/check.h"
#include "unit/test.h"

TEST(the_cheaper_backend_of_equal_quality_is_named)
{
    const struct insight_backend at[] = {
        { STR("dear"), 100, 300000000, 0.90, 1 },   /* 0.003 USD each */
        { STR("worse"), 100, 10000000, 0.80, 1 },   /* far cheaper, and far worse */
        { STR("equal"), 100, 100000000, 0.885, 1 }, /* 0.001 USD each, within the slack */
        { STR("few"), 19, 1, 0.95, 1 },
        { STR("unknown"), 100, 1000, NAN, 1 },
    };
    struct insight_move out[COUNT(at)];
    EXPECT_INT(insight_cheaper(at, COUNT(at), out), 1);
    EXPECT(out[0].from == 0 && out[0].to == 2);
    EXPECT_INT(out[0].saving_nano, 200000000); /* 100 x 0.002 USD */
}

TEST(a_small_saving_is_no_advice)
{
    const struct insight_backend at[] = { { STR("a"), 100, 1000000, 0.9, 1 },
                                          { STR("b"), 100, 960000, 0.9, 1 } };
    struct insight_move out[COUNT(at)];
    EXPECT_INT(insight_cheaper(at, COUNT(at), out), 0); /* 4 %, below 5 % */
}

TEST(outliers_lie_beyond_three_times_the_quartiles)
{
    double v[25];
    struct insight_outliers o;
    for (int i = 0; i < 24; i++) v[i] = 100 + i % 4; /* 100 to 103 */
    v[24] = 1000;
    EXPECT(insight_outliers(v, 25, &o));
    /* sorted: place 12 of 0..24 is 102 (six each of 100, 101, 102, 103) */
    EXPECT(o.median == 102);
    EXPECT(o.limit == 204); /* twice the median is more than 103 + 3 x 2 */
    EXPECT(o.n == 1 && o.excess == 898);
    EXPECT(!insight_outliers(v, INSIGHT_PROMPTS_MIN - 1, &o));
}

TEST(only_what_repeats_from_the_beginning_on_counts)
{
    struct insight_prefixes p;
    insight_prefixes_init(&p);
    insight_prefix_ids(&p, (int64_t[]){ 1, 2, 3 }, 3);
    insight_prefix_ids(&p, (int64_t[]){ 1, 2, 4 }, 3);
    insight_prefix_ids(&p, (int64_t[]){ 9, 2 }, 2);
    EXPECT(p.blocks == 8 && p.repeated == 2 && insight_prefix_share(&p) == 0.25);
    insight_prefixes_release(&p);
}

TEST(texts_are_compared_by_whole_blocks)
{
    static char a[3 * INSIGHT_BLOCK_BYTES], b[3 * INSIGHT_BLOCK_BYTES];
    struct insight_prefixes p;
    memset(a, 'a', sizeof a);
    memcpy(b, a, sizeof b);
    b[INSIGHT_BLOCK_BYTES] = 'b'; /* in the second block: the third is the same, and yet no prefix */
    insight_prefixes_init(&p);
    insight_prefix_text(&p, str_make(a, sizeof a));
    insight_prefix_text(&p, str_make(b, sizeof b));
    insight_prefix_text(&p, str_make(a, INSIGHT_BLOCK_BYTES - 1)); /* no whole block */
    EXPECT(p.prompts == 3 && p.blocks == 6 && p.repeated == 1);
    insight_prefixes_release(&p);
}

TEST(rules_say_what_and_what_to_do)
{
    for (size_t i = 0; i < insight_rules_count; i++) {
        const struct insight_rule *r = &insight_rules[i];
        EXPECT(r->id && r->metric && r->expr && r->text && r->action && r->unit && r->severity && r->area);
    }
}

TESTS(CASE(the_cheaper_backend_of_equal_quality_is_named), CASE(a_small_saving_is_no_advice),
      CASE(outliers_lie_beyond_three_times_the_quartiles),
      CASE(only_what_repeats_from_the_beginning_on_counts), CASE(texts_are_compared_by_whole_blocks),
      CASE(rules_say_what_and_what_to_do))
