/* The wrappers of the waist, over a toy store; and the reasons for refusals. */
#include "model/store.h"

#include "base/clock.h"
#include "base/stat.h"
#include "unit/test.h"

struct toy {
    struct store store;
    int closed, views;
};

static void toy_close(struct store *s)
{
    ((struct toy *)s)->closed++;
}

static int toy_write(struct store *s, const struct batch *b, enum store_ack ack, struct write_result *r,
                     store_done *done, void *ctx, struct err *e)
{
    (void)s, (void)ack, (void)e;
    r->samples = b->n_rows;
    if (done) done(ctx, OK);
    return OK;
}

static int toy_open(struct store *s, int64_t from_ms, int64_t to_ms, struct store_view **out, struct err *e)
{
    static struct store_view view;
    if (from_ms > to_ms) return err_set(e, ERR_RANGE, "backwards");
    ((struct toy *)s)->views++;
    view.store = s;
    *out = &view;
    return OK;
}

static void toy_view_close(struct store_view *v)
{
    ((struct toy *)v->store)->views--;
}

static const struct store_ops toy_ops = {
    .close = toy_close, .write = toy_write, .view_open = toy_open, .view_close = toy_view_close
};

static void count_done(void *ctx, int rc)
{
    if (rc == OK) ++*(int *)ctx;
}

TEST(store_wrappers_hand_over_to_the_engine)
{
    struct toy toy = { .store = { &toy_ops } };
    struct arena a = ARENA_INIT(1 << 20);
    struct batch b;
    struct write_result r = { 0 };
    struct store_view *v = NULL;
    struct err e = ERR_INIT;
    int done = 0;

    batch_init(&b, &a, LABELS_PACKED);
    batch_series(&b, STR("s"));
    batch_sample(&b, 1, 2);
    EXPECT(store_write(&toy.store, &b, ACK_MEMORY, &r, count_done, &done, &e) == OK && r.samples == 1 &&
           done == 1);
    EXPECT(store_view_open(&toy.store, 2, 1, &v, &e) == ERR_RANGE && v == NULL);
    EXPECT(store_view_open(&toy.store, 1, 2, &v, &e) == OK && toy.views == 1);
    store_view_close(v);
    store_view_close(NULL);
    EXPECT(toy.views == 0);
    store_close(&toy.store);
    store_close(NULL);
    EXPECT(toy.closed == 1);
    arena_release(&a);
}

TEST(call_check_knows_every_reason_to_stop)
{
    struct arena a = ARENA_INIT(100);
    atomic_bool cancelled = false;
    struct err e = ERR_INIT;
    struct call c = { .arena = &a, .cancelled = &cancelled };
    EXPECT(call_check(&c, &e) == OK);
    EXPECT(call_check(&(struct call){ 0 }, &e) == OK);

    c.deadline_ns = clock_mono_ns() + 3600ll * 1000000000;
    EXPECT(call_check(&c, &e) == OK);
    c.deadline_ns = clock_mono_ns() - 1;
    EXPECT(call_check(&c, &e) == ERR_TIMEOUT);
    arena_alloc(&a, 200);
    EXPECT(call_check(&c, &e) == ERR_LIMIT);
    atomic_store(&cancelled, true);
    EXPECT(call_check(&c, &e) == ERR_CANCEL);
    arena_release(&a);
}

static void find_utf8(const struct stat_view *v, void *ctx)
{
    if (strcmp(v->name, "vedette_rejected_total") == 0 && strcmp(v->labels, "reason=\"utf8\"") == 0)
        *(double *)ctx = v->value;
}

TEST(reject_counts_by_reason)
{
    double counted = -1;
    EXPECT_STR(reject_name(REJECT_too_old), "too_old");
    EXPECT_STR(reject_text(REJECT_too_old), "older than the retention");
    reject_count(REJECT_future, 1);
    stat_each(find_utf8, &counted);
    EXPECT(counted == 0); /* every reason is there before it happens */
    reject_count(REJECT_utf8, 3);
    stat_each(find_utf8, &counted);
    EXPECT(counted == 3);
}

TESTS(CASE(store_wrappers_hand_over_to_the_engine), CASE(call_check_knows_every_reason_to_stop),
      CASE(reject_counts_by_reason))
