#include "store/span_claim.h"

#include "unit/test.h"

/* Which of the claims, by tag, is kept of span 1, kind 2. */
static size_t winner(struct span_claim *c, size_t n)
{
    span_claims_sort(c, n);
    for (size_t i = 0; i < n; i++)
        if (c[i].span_id == 1 && c[i].kind == 2 && span_claim_wins(c, i)) return c[i].tag;
    return 0;
}

TEST(a_finished_span_is_kept_before_a_running_one_then_the_later)
{
    struct span_claim c[] = {
        { .span_id = 1, .kind = 2, .is_finished = false, .sequence = 9, .tag = 1 },
        { .span_id = 1, .kind = 2, .is_finished = true, .sequence = 3, .place = 5, .tag = 2 },
        { .span_id = 1, .kind = 2, .is_finished = true, .sequence = 3, .place = 6, .tag = 3 },
        { .span_id = 1, .kind = 3, .is_finished = true, .sequence = 8, .tag = 4 },
        { .span_id = 0, .kind = 2, .is_finished = true, .sequence = 8, .tag = 5 },
    };
    EXPECT_INT(winner(c, 5), 3);
    size_t kept = 0;
    for (size_t i = 0; i < 5; i++) kept += span_claim_wins(c, i);
    EXPECT_INT(kept, 3);
}

/* A row that lies in two files is asked about from either side: both must hear the same. */
TEST(of_one_row_in_two_files_the_same_is_kept_whatever_their_order)
{
    struct span_claim one = { .span_id = 1,
                              .kind = 2,
                              .is_finished = true,
                              .sequence = 3,
                              .place = 5,
                              .tag = 7 },
                      other = one;
    other.tag = 8;
    struct span_claim forth[] = { one, other }, back[] = { other, one };
    EXPECT_INT(winner(forth, 2), 8);
    EXPECT_INT(winner(back, 2), 8);
}

TESTS(CASE(a_finished_span_is_kept_before_a_running_one_then_the_later),
      CASE(of_one_row_in_two_files_the_same_is_kept_whatever_their_order))
