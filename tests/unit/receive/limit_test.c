#include "receive/limit.h"

#include "unit/test.h"

#define NOW 1000000000
#define FAR (NOW + 10 * 60 * 1000)

static struct batch filled(struct arena *a, const int64_t times[3][3])
{
    static const char *const names[] = { "a", "b", "c" };
    struct batch b;
    batch_init(&b, a, LABELS_PACKED);
    for (int s = 0; s < 3; s++) {
        struct label l = { STR(LABEL_NAME), str_of(names[s]) };
        batch_series_labels(&b, (struct labels){ &l, 1 });
        for (int i = 0; i < 3; i++) batch_sample(&b, times[s][i], s * 10 + i);
    }
    return b;
}

TEST(limit_leaves_a_good_batch_alone)
{
    static const int64_t times[3][3] = { { 0, 1, 2 }, { NOW, NOW, NOW }, { FAR, FAR, FAR } };
    struct limit limit = LIMIT_DEFAULT;
    struct arena a = ARENA_INIT(1 << 20);
    struct write_result refused = { 0 };
    struct batch b = filled(&a, times);
    limit_times(&b, &limit, NOW, &refused);
    EXPECT(b.n_rows == 9 && b.n_series == 3 && refused.rejected_total == 0);
    arena_release(&a);
}

TEST(limit_takes_out_rows_of_the_future_and_before_1970)
{
    static const int64_t times[3][3] = { { 5, FAR + 1, 6 }, { FAR + 1, -1, INT64_MAX }, { INT64_MIN, 7, 8 } };
    struct limit limit = LIMIT_DEFAULT;
    struct arena a = ARENA_INIT(1 << 20);
    struct write_result refused = { 0 };
    struct batch b = filled(&a, times);
    batch_start(&b, 4); /* columns that exist move along */
    struct histogram h = { .sum = 99 };
    batch_histogram(&b, 9, &h);

    limit_times(&b, &limit, NOW, &refused);
    EXPECT(refused.rejected[REJECT_future] == 3 && refused.rejected[REJECT_too_old] == 2 &&
           refused.rejected_total == 5);
    EXPECT(strstr(refused.why, "a: ") == refused.why && strstr(refused.why, "600 s in the future") != NULL);
    EXPECT(b.n_rows == 5 && b.n_series == 2);
    EXPECT(b.series[0].row == 0 && b.series[0].n_rows == 2 && b.value[0] == 0 && b.value[1] == 2);
    EXPECT(b.series[1].row == 2 && b.series[1].n_rows == 3 && b.value[2] == 21 && b.value[3] == 22 &&
           b.value[4] == 99);
    EXPECT(b.time_ms[0] == 5 && b.time_ms[1] == 6 && b.time_ms[2] == 7 && b.time_ms[3] == 8 &&
           b.time_ms[4] == 9);
    EXPECT(b.hist[3] == NULL && b.hist[4] == &h && b.start_ms[2] == 0 && b.start_ms[3] == 4);
    EXPECT(str_eq(b.series[1].raw, STR("\010__name__\001c")));
    arena_release(&a);
}

TEST(limit_keeps_exemplars_at_their_series)
{
    static const int64_t times[3][3] = { { FAR + 1, FAR + 1, FAR + 1 },
                                         { FAR + 1, FAR + 1, FAR + 1 },
                                         { 1, 2, 3 } };
    struct limit limit = LIMIT_DEFAULT;
    struct arena a = ARENA_INIT(1 << 20);
    struct write_result refused = { 0 };
    struct batch b = filled(&a, times);
    batch_exemplar(&b, 5, 1, STR(""));       /* of c */
    batch_exemplar(&b, FAR + 1, 2, STR("")); /* of c, too far ahead */
    b.exemplars = arena_grow(&a, b.exemplars, b.n_exemplars, &b.cap_exemplars, sizeof *b.exemplars);
    b.exemplars[b.n_exemplars++] =
        (struct batch_exemplar){ .series = 1, .time_ms = 6, .value = 3 }; /* of b, which has no rows left */

    limit_times(&b, &limit, NOW, &refused);
    EXPECT(b.n_series == 2 && b.n_rows == 3 && b.n_exemplars == 2);
    EXPECT(b.exemplars[0].series == 1 && b.exemplars[0].value == 1 && b.exemplars[1].series == 0 &&
           b.exemplars[1].value == 3);
    EXPECT(str_eq(b.series[0].raw, STR("\010__name__\001b")) && b.series[0].n_rows == 0);
    EXPECT(refused.rejected_total == 7);
    arena_release(&a);
}

TEST(limit_of_the_future_does_not_overflow)
{
    static const int64_t times[3][3] = { { INT64_MAX, 1, 2 }, { 1, 2, 3 }, { 1, 2, 3 } };
    struct limit limit = LIMIT_DEFAULT;
    limit.future_ms = INT64_MAX;
    struct arena a = ARENA_INIT(1 << 20);
    struct write_result refused = { 0 };
    struct batch b = filled(&a, times);
    limit_times(&b, &limit, NOW, &refused);
    EXPECT(b.n_rows == 9);
    arena_release(&a);
}

TEST(limit_takes_an_empty_batch)
{
    struct limit limit = LIMIT_DEFAULT;
    struct arena a = ARENA_INIT(1 << 20);
    struct write_result refused = { 0 };
    struct batch b;
    batch_init(&b, &a, LABELS_PROTO);
    limit_times(&b, &limit, NOW, &refused);
    EXPECT(b.n_rows == 0 && refused.rejected_total == 0);
    arena_release(&a);
}

TESTS(CASE(limit_leaves_a_good_batch_alone), CASE(limit_takes_out_rows_of_the_future_and_before_1970),
      CASE(limit_keeps_exemplars_at_their_series), CASE(limit_of_the_future_does_not_overflow),
      CASE(limit_takes_an_empty_batch))
