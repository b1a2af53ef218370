#include "model/batch.h"

#include "unit/test.h"

TEST(batch_columns_appear_when_first_needed)
{
    struct arena a = ARENA_INIT(16 << 20);
    struct batch b;
    struct histogram h = { .sum = 2.5 };
    batch_init(&b, &a, LABELS_PROTO);

    batch_series(&b, STR("one"));
    for (int i = 0; i < 100; i++) batch_sample(&b, i, i * 0.5);
    EXPECT(b.hist == NULL && b.start_ms == NULL);

    batch_series(&b, STR("two"));
    batch_histogram(&b, 7, &h);
    batch_start(&b, 5);
    for (int i = 0; i < 1000; i++) batch_sample(&b, i, 1);
    batch_start(&b, 6);

    EXPECT(b.n_series == 2 && b.n_rows == 1101);
    EXPECT(b.series[0].row == 0 && b.series[0].n_rows == 100 && b.series[1].row == 100 &&
           b.series[1].n_rows == 1001);
    for (size_t i = 0; i < b.n_rows; i++) {
        EXPECT(b.hist[i] == (i == 100 ? &h : NULL));
        EXPECT(b.start_ms[i] == (i == 100 ? 5 : i == 1100 ? 6 : 0));
    }
    EXPECT(b.value[100] == 2.5 && b.time_ms[99] == 99 && b.value[99] == 49.5);
    arena_release(&a);
}

TEST(batch_keys_tell_spellings_apart)
{
    struct arena a = ARENA_INIT(16 << 20);
    struct batch packed, proto;
    batch_init(&packed, &a, LABELS_PACKED);
    batch_init(&proto, &a, LABELS_PROTO);
    batch_series(&packed, STR("x"));
    batch_series(&packed, STR("x"));
    batch_series(&packed, STR("y"));
    batch_series(&proto, STR("x"));
    EXPECT(hash128_eq(packed.series[0].key, packed.series[1].key));
    EXPECT(!hash128_eq(packed.series[0].key, packed.series[2].key) &&
           !hash128_eq(packed.series[0].key, proto.series[0].key));
    arena_release(&a);
}

TEST(batch_packs_labels_itself)
{
    struct arena a = ARENA_INIT(16 << 20);
    struct batch b;
    struct label pairs[] = { { STR("__name__"), STR("up") }, { STR("job"), STR("x") } };
    struct labels l = { pairs, 2 }, back;
    batch_init(&b, &a, LABELS_PACKED);
    batch_series_labels(&b, l);
    EXPECT(labels_from(LABELS_PACKED, b.series[0].raw, &a, &back, NULL) == OK && labels_eq(l, back));
    arena_release(&a);
}

TEST(batch_keeps_exemplars_and_metadata)
{
    struct arena a = ARENA_INIT(16 << 20);
    struct batch b;
    batch_init(&b, &a, LABELS_PACKED);
    for (int i = 0; i < 50; i++) {
        batch_series(&b, STR("s"));
        batch_exemplar(&b, i, i, STR("l"));
        batch_metadata(&b, STR("family"), STR("counter"), STR("help"), STR(""));
    }
    EXPECT(b.n_exemplars == 50 && b.exemplars[49].series == 49 && b.exemplars[49].time_ms == 49 &&
           str_is(b.exemplars[49].labels, "l"));
    EXPECT(b.n_metadata == 50 && str_is(b.metadata[49].type, "counter"));
    arena_release(&a);
}

TESTS(CASE(batch_columns_appear_when_first_needed), CASE(batch_keys_tell_spellings_apart),
      CASE(batch_packs_labels_itself), CASE(batch_keeps_exemplars_and_metadata))
