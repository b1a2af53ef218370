/* Writers, readers, flushes and merges of logs and spans at once: every reader sees all that was answered
 * before it looked, each record once. */
#include <pthread.h>

#include "unit/store/records_model.h"

#define WRITERS 3
#define BATCHES 40
#define ROWS    8

struct common {
    struct store *s;
    atomic_uint written[WRITERS]; /* batches */
    atomic_bool stop;
};

struct writer {
    struct common *c;
    uint32_t number;
};

static void *write_all(void *arg)
{
    struct writer *w = arg;
    for (uint32_t i = 0; i < BATCHES; i++) {
        struct arena a = ARENA_INIT(SIZE_MAX);
        struct batch b;
        struct records logs, spans;
        struct write_result r;
        int64_t now_ns = clock_now_ms() * 1000000;
        batch_init(&b, &a, LABELS_PACKED);
        records_init(&logs, &a, TABLE_LOGS);
        records_init(&spans, &a, TABLE_SPANS);
        for (uint32_t k = 0; k < ROWS; k++) {
            struct toy_record t = { .table = TABLE_LOGS,
                                    .time_ns = now_ns,
                                    .n = w->number,
                                    .trace = i,
                                    .span = w->number * 10000 + i * ROWS + k };
            toy_put(&logs, &t, &a);
            t.table = TABLE_SPANS;
            toy_put(&spans, &t, &a);
        }
        records_end(&logs);
        records_end(&spans);
        b.logs = &logs;
        b.spans = &spans;
        while (store_write(w->c->s, &b, ACK_MEMORY, &r, NULL, NULL, NULL) == ERR_BUSY)
            nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
        atomic_store(&w->c->written[w->number], i + 1);
        arena_release(&a);
    }
    return NULL;
}

static int count_by_writer(void *ctx, const struct record_rows *rows)
{
    uint64_t *n = ctx;
    for (size_t i = 0; i < rows->n; i++) n[rows->values[0][i].i]++;
    return OK;
}

static bool look(struct common *c, enum table table, enum record_order order)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct call call = { .arena = &a };
    struct field field = field_attr(FIELD_ATTR, STR("n"));
    struct record_scan scan = {
        .table = table, .to_ns = INT64_MAX, .fields = &field, .n_fields = 1, .order = order
    };
    uint64_t least[WRITERS], n[WRITERS] = { 0 };
    struct store_view *v;
    bool right = true;
    for (int i = 0; i < WRITERS; i++) least[i] = (uint64_t)atomic_load(&c->written[i]) * ROWS;
    right &= store_view_open(c->s, 0, INT64_MAX, &v, NULL) == OK;
    right &= view_records(v, &call, &scan, count_by_writer, n, NULL) == OK;
    store_view_close(v);
    for (int i = 0; i < WRITERS; i++)
        right &= n[i] >= least[i] && n[i] % ROWS == 0 && n[i] <= BATCHES * ROWS; /* whole batches */
    arena_release(&a);
    return right;
}

static void *read_on(void *arg)
{
    struct common *c = arg;
    bool right = true;
    for (int i = 0; !atomic_load(&c->stop); i++)
        right &= look(c, i % 2 ? TABLE_LOGS : TABLE_SPANS, (enum record_order)(i % 3));
    return right ? arg : NULL;
}

static void *churn(void *arg)
{
    struct common *c = arg;
    for (int i = 0; !atomic_load(&c->stop); i++)
        if (store_admin(c->s, i % 3 == 2 ? STORE_MERGE : STORE_FLUSH, NULL, NULL) < 0) return NULL;
    return arg;
}

TEST(writers_readers_flushes_and_merges_at_once)
{
    char *dir = test_dir();
    struct common c = { .s = test_open(dir, 0) };
    struct writer writers[WRITERS];
    pthread_t write[WRITERS], read[2], churner;
    void *right[3];
    pthread_create(&churner, NULL, churn, &c);
    for (int i = 0; i < 2; i++) pthread_create(&read[i], NULL, read_on, &c);
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){ &c, i };
        pthread_create(&write[i], NULL, write_all, &writers[i]);
    }
    for (int i = 0; i < WRITERS; i++) pthread_join(write[i], NULL);
    atomic_store(&c.stop, true);
    for (int i = 0; i < 2; i++) pthread_join(read[i], &right[i]);
    pthread_join(churner, &right[2]);
    EXPECT(right[0] && right[1] && right[2]);
    for (int order = ORDER_ANY; order <= ORDER_TIME_DESC; order++) {
        EXPECT(look(&c, TABLE_LOGS, (enum record_order)order));
        EXPECT(look(&c, TABLE_SPANS, (enum record_order)order));
    }
    store_close(c.s);
    test_dir_remove(dir);
}

TESTS(CASE(writers_readers_flushes_and_merges_at_once))
