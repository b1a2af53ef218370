/* Kills while logs and spans are written: what was answered is there, once; what was not is there whole or
 * not at all, and may be sent again. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "unit/store/records_model.h"

#define BATCH_ROWS 20

struct shared { /* between the child that writes and the parent that judges */
    atomic_uint acknowledged, begun;
};

struct ack {
    struct shared *shared;
    unsigned number;
};

static void on_durable(void *ctx, int rc)
{
    struct ack *a = ctx;
    if (rc == OK) atomic_store(&a->shared->acknowledged, a->number); /* in order: one committer */
}

static const char *long_text(void) /* some batches need several chunks and frames */
{
    static char text[60000];
    for (size_t i = 0; i < sizeof text - 1; i++) text[i] = (char)('a' + i * i % 26);
    return text;
}

static void put(struct records *to, enum table table, unsigned number, int row, int64_t time_ns)
{
    struct attr attrs[3] = { { STR("batch"), value_int(number) },
                             { STR("row"), value_int(row) },
                             { STR("prompt"), value_str(str_of(long_text())) } };
    struct record r = { .time_ns = time_ns, .attrs = { attrs, number % 10 == 0 ? 3 : 2 } };
    memcpy(r.trace_id, &(uint64_t){ number + 1 }, 8);
    memcpy(r.span_id, &(uint64_t){ (uint64_t)row + 1 }, 8);
    if (table == TABLE_LOGS) r.log.body = value_str(STR("hello"));
    EXPECT(records_add(to, &r, NULL) == OK);
}

static void send(struct store *s, unsigned number, int64_t t0_ns, struct ack *ack)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct origin origin = { 0 };
    struct batch b;
    struct records logs, spans;
    struct write_result r;
    batch_init(&b, &a, LABELS_PACKED);
    records_init(&logs, &a, TABLE_LOGS);
    records_init(&spans, &a, TABLE_SPANS);
    records_origin(&logs, &origin);
    records_origin(&spans, &origin);
    for (int i = 0; i < BATCH_ROWS; i++) {
        put(&logs, TABLE_LOGS, number, i, t0_ns + number * 1000ll + i);
        put(&spans, TABLE_SPANS, number, i, t0_ns + number * 1000ll + i);
    }
    records_end(&logs);
    records_end(&spans);
    b.logs = &logs;
    b.spans = &spans;
    b.id = (struct hash128){ number, 77 };
    while (store_write(s, &b, ACK_DURABLE, &r, on_durable, ack, NULL) == ERR_BUSY)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    arena_release(&a);
}

static _Noreturn void child(const char *dir, struct shared *shared, unsigned first, int64_t t0_ns)
{
    static struct ack acks[100000];
    struct store *s;
    struct embedded_conf conf = { .dir = dir, .head_bytes = 200u << 10, .min_free_bytes = 1 };
    if (embedded_open(&conf, &s, NULL) < 0) _exit(3);
    for (unsigned i = first; i < first + COUNT(acks); i++) {
        acks[i - first] = (struct ack){ shared, i };
        atomic_store(&shared->begun, i);
        send(s, i, t0_ns, &acks[i - first]);
        if (i % 40 == 0) store_admin(s, STORE_MERGE, NULL, NULL);
        while (i - atomic_load(&shared->acknowledged) > 20) nanosleep(&(struct timespec){ 0, 100000 }, NULL);
    }
    _exit(0);
}

struct tally {
    uint32_t *rows; /* by batch */
    unsigned most;
};

static int tally_rows(void *ctx, const struct record_rows *r)
{
    struct tally *t = ctx;
    for (size_t i = 0; i < r->n; i++) {
        struct value batch = r->values[0][i];
        EXPECT(batch.type == VALUE_INT && batch.i >= 1 && batch.i <= t->most);
        t->rows[batch.i]++;
    }
    return OK;
}

static void judge(struct store *s, enum table table, unsigned acknowledged, unsigned begun)
{
    struct arena a = ARENA_INIT(1u << 30);
    struct call call = { .arena = &a };
    struct field field = field_attr(FIELD_ATTR, STR("batch"));
    struct record_scan scan = { .table = table, .to_ns = INT64_MAX, .fields = &field, .n_fields = 1 };
    struct tally t = { mem_array(begun + 2, sizeof(uint32_t)), begun };
    struct store_view *v;
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, NULL) == OK);
    EXPECT(view_records(v, &call, &scan, tally_rows, &t, NULL) == OK);
    for (unsigned i = 1; i <= begun; i++) {
        bool is_right = t.rows[i] == BATCH_ROWS || (i > acknowledged && t.rows[i] == 0);
        if (!is_right)
            print_error("%s: batch %u has %u rows; %u acknowledged, %u begun\n", table_name(table), i,
                        t.rows[i], acknowledged, begun);
        EXPECT(is_right);
    }
    mem_free(t.rows);
    store_view_close(v);
    arena_release(&a);
}

static void judge_both(struct store *s, unsigned acknowledged, unsigned begun)
{
    judge(s, TABLE_LOGS, acknowledged, begun);
    judge(s, TABLE_SPANS, acknowledged, begun);
}

/* Until so many are acknowledged, or two seconds on a busy machine; then some milliseconds more. */
static void wait_a_while(struct shared *shared, unsigned number, uint64_t ms)
{
    for (int i = 0; i < 2000 && atomic_load(&shared->acknowledged) < number; i++)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    nanosleep(&(struct timespec){ 0, (long)ms * 1000000 }, NULL);
}

TEST(kills_lose_and_double_no_record)
{
    char *dir = test_dir();
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int64_t t0_ns = clock_now_ms() / DAY * DAY * 1000000;
    unsigned rounds = getenv("VEDETTE_KILLS") ? (unsigned)atoi(getenv("VEDETTE_KILLS")) : 20;
    struct toy random = { .seed = 4711 };
    static struct ack acks[1000];

    for (unsigned round = 0; round < rounds; round++) {
        unsigned first = atomic_load(&shared->begun) + 1;
        int status;
        pid_t pid = fork();
        if (pid == 0) child(dir, shared, first, t0_ns);
        wait_a_while(shared, first + (unsigned)toy_random(&random, 60), toy_random(&random, 20));
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        EXPECT(WIFSIGNALED(status));

        unsigned acknowledged = atomic_load(&shared->acknowledged), begun = atomic_load(&shared->begun);
        struct store *s = test_open(dir, 0);
        judge_both(s, acknowledged, begun);
        /* The client, who was not answered, sends again; and the last answered one, to be sure. */
        for (unsigned i = MAX(acknowledged, 1u); i <= begun; i++) {
            acks[i % COUNT(acks)] = (struct ack){ shared, i };
            send(s, i, t0_ns, &acks[i % COUNT(acks)]);
        }
        judge_both(s, begun, begun);
        store_close(s);
        atomic_store(&shared->acknowledged, begun);
    }
    print_message("%u kills, %u batches acknowledged\n", rounds, atomic_load(&shared->acknowledged));
    munmap(shared, sizeof *shared);
    test_dir_remove(dir);
}

TESTS(CASE(kills_lose_and_double_no_record))
