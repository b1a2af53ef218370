/* A scan that others help with answers what one that nobody helps with does: same rows, same order. */
#include "base/work.h"
#include "unit/store/records_model.h"

#define MINUTE (60 * INT64_C(1000000000))

static void admin(struct store *s, enum store_admin op)
{
    EXPECT(store_admin(s, op, NULL, NULL) == OK);
}

static bool scan_is_right(const struct toy *m, struct store_view *v, struct work_pool *pool,
                          const struct record_scan *scan)
{
    struct arena a = ARENA_INIT(1u << 30);
    struct call call = { .arena = &a, .pool = pool };
    struct err e = ERR_INIT;
    struct toy_check *c = mem_alloc_zero(sizeof *c);
    c->m = m;
    c->scan = scan;
    int rc = view_records(v, &call, scan, toy_see, c, &e);
    bool right = rc == OK && !c->failed && toy_is_whole(c);
    if (!right)
        print_error("%s, order %d, limit %zu: %zu delivered, failed %d, %s\n", table_name(scan->table),
                    (int)scan->order, scan->limit, c->delivered, c->failed, e.text);
    mem_free(c);
    arena_release(&a);
    return right;
}

/* Twenty parts a table, spans sent again in later ones, and rows in the head. */
static struct store *fill(const char *dir, struct toy *m)
{
    struct store *s = test_open(dir, 0);
    for (int i = 0; i < 21; i++) {
        EXPECT(toy_write(m, s, 60, 60, ACK_MEMORY, NULL, NULL) == OK);
        if (i < 20) admin(s, STORE_FLUSH);
    }
    return s;
}

TEST(records_of_many_pieces_come_in_order_whoever_helps)
{
    for (int64_t span = 20 * MINUTE; span <= 2000 * MINUTE; span *= 100) {
        char *dir = test_dir();
        struct toy *m = toy_new(5, span);
        struct store *s = fill(dir, m);
        struct work_pool *pool = work_start("scan", 3, 16);
        struct arena a = ARENA_INIT(SIZE_MAX);
        struct field n_field = field_attr(FIELD_ATTR, STR("n"));
        const struct predicate *where[] = {
            NULL,
            toy_cmp(&a, PRED_EQ, field_attr(FIELD_ATTR, STR("http.route")), value_str(STR("/tools/list"))),
            toy_cmp(&a, PRED_EQ, field_attr(FIELD_RESOURCE, STR("service.name")),
                    value_str(STR("service-2"))),
        };
        struct store_view *v;
        EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
        for (int table = TABLE_LOGS; table <= TABLE_SPANS; table++)
            for (int order = ORDER_ANY; order <= ORDER_TIME_DESC; order++)
                for (size_t w = 0; w < COUNT(where); w++)
                    for (size_t how = 0; how < 4; how++) {
                        struct record_scan scan = { .table = (enum table)table,
                                                    .to_ns = INT64_MAX,
                                                    .where = where[w],
                                                    .fields = &n_field,
                                                    .n_fields = how & 1,
                                                    .order = (enum record_order)order,
                                                    .limit = how & 2 ? 70 : 0 };
                        EXPECT(scan_is_right(m, v, pool, &scan));
                    }
        store_view_close(v);
        arena_release(&a);
        work_stop(pool);
        store_close(s);
        mem_free(m);
        test_dir_remove(dir);
    }
}

struct stopping {
    size_t rows;
    const struct toy *m;
};

static int stop_soon(void *ctx, const struct record_rows *rows)
{
    struct stopping *s = ctx;
    s->rows += rows->n;
    return s->rows > 100 ? ERR_FIND : OK;
}

/* A sink's word, a cancelled call and too little memory end it, whoever is at work. */
TEST(a_scan_with_help_ends_when_told)
{
    char *dir = test_dir();
    struct toy *m = toy_new(6, 20 * MINUTE);
    struct store *s = fill(dir, m);
    struct work_pool *pool = work_start("scan", 3, 16);
    struct arena a = ARENA_INIT(1u << 30);
    atomic_bool cancelled = true;
    struct store_view *v;
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    for (int order = ORDER_ANY; order <= ORDER_TIME_DESC; order++) {
        struct record_scan scan = { .table = TABLE_LOGS,
                                    .to_ns = INT64_MAX,
                                    .order = (enum record_order)order };
        struct call call = { .arena = &a, .pool = pool };
        struct stopping told = { 0, m };
        EXPECT(view_records(v, &call, &scan, stop_soon, &told, NULL) == ERR_FIND && told.rows > 100);
        call.cancelled = &cancelled;
        EXPECT(view_records(v, &call, &scan, stop_soon, &told, NULL) == ERR_CANCEL);
        struct arena small = ARENA_INIT(3000);
        struct call poor = { .arena = &small, .pool = pool };
        EXPECT(view_records(v, &poor, &scan, stop_soon, &told, NULL) == ERR_LIMIT);
        arena_release(&small);
    }
    store_view_close(v);
    arena_release(&a);
    work_stop(pool);
    store_close(s);
    mem_free(m);
    test_dir_remove(dir);
}

TESTS(CASE(records_of_many_pieces_come_in_order_whoever_helps), CASE(a_scan_with_help_ends_when_told))
