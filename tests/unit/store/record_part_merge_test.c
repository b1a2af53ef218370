/* Merging record parts: all rows, each once, in order; spans that came twice joined; blocks copied; and
 * checking parts: damage anywhere is noticed. */
#include "unit/test.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "unit/store/record_part_data.h"

#define HOUR_NS INT64_C(3600000000000)
#define PARTS   5

static void path_of(char to[64], int n)
{
    snprintf(to, 64, "/tmp/record_part_merge_test.%d.%d", (int)getpid(), n);
}

static void report(void *ctx, const char *text)
{
    if (ctx == NULL) fprintf(stderr, "%s\n", text);
}

static struct record_part *open_part(int n, enum table table)
{
    char path[64];
    struct err e = ERR_INIT;
    struct record_part *p;
    path_of(path, n);
    int rc = record_part_open(path, record_layout(table), &p, &e);
    if (rc < 0) fprintf(stderr, "%s\n", e.text);
    EXPECT(rc == OK);
    return p;
}

static void write_part(int n, enum table table, const struct keyed *k, size_t rows)
{
    char path[64];
    struct err e = ERR_INIT;
    struct record_writer *w;
    path_of(path, n);
    unlink(path);
    EXPECT(record_writer_open(path, record_layout(table), 0, (uint64_t)n, 1, &w, &e) == OK);
    for (size_t i = 0; i < rows; i++) EXPECT(record_writer_add(w, k[i].r, k[i].sequence, &e) == OK);
    EXPECT(record_writer_finish(w, NULL, &e) == OK);
}

static void expect_sound(int n, enum table table)
{
    char path[64];
    struct err e = ERR_INIT;
    path_of(path, n);
    EXPECT(record_part_verify(path, record_layout(table), report, NULL, &e) == 0);
}

/* ---- the plain way: everything in one list, sorted, joined by looking at all pairs of a trace ---- */

static bool beats(const struct keyed *a, const struct keyed *b) /* a over b, of equal spans */
{
    bool a_runs = a->r->span.duration_ns == SPAN_UNFINISHED,
         b_runs = b->r->span.duration_ns == SPAN_UNFINISHED;
    if (a_runs != b_runs) return b_runs;
    return a->sequence > b->sequence;
}

static bool is_joined_away(const struct keyed *k, size_t n, size_t i)
{
    static const uint8_t none[8];
    for (size_t j = 0; j < n; j++)
        if (j != i && k[j].key.bucket == k[i].key.bucket &&
            memcmp(k[j].r->trace_id, k[i].r->trace_id, 16) == 0 && memcmp(k[i].r->span_id, none, 8) != 0 &&
            memcmp(k[j].r->span_id, k[i].r->span_id, 8) == 0 && k[j].r->span.kind == k[i].r->span.kind &&
            beats(&k[j], &k[i]))
            return true;
    return false;
}

static size_t plain_merge(struct keyed *k, size_t n, enum table table, const struct predicate *drop,
                          struct keyed *out)
{
    size_t kept = 0, left = 0;
    for (size_t i = 0; i < n; i++)
        if (drop == NULL || !predicate_matches(drop, k[i].r, table)) k[left++] = k[i];
    for (size_t i = 0; i < left; i++)
        if (table == TABLE_LOGS || !is_joined_away(k, left, i)) out[kept++] = k[i];
    return kept;
}

static void expect_rows(int part, enum table table, const struct keyed *want, size_t n)
{
    struct err e = ERR_INIT;
    struct record_part *p = open_part(part, table);
    struct record_block *b = record_block_new(p);
    size_t at = 0;
    EXPECT(record_part_info(p)->rows == n);
    for (size_t i = 0; i < record_part_info(p)->blocks; i++) {
        struct arena a = ARENA_INIT(SIZE_MAX);
        EXPECT(record_block_seek(b, i, &e) == OK);
        size_t rows = record_block_rows(b);
        uint32_t *row = arena_array(&a, rows, sizeof *row);
        struct record *r = arena_array(&a, rows, sizeof *r);
        uint64_t *seq = arena_array(&a, rows, sizeof *seq);
        for (size_t j = 0; j < rows; j++) row[j] = (uint32_t)j;
        EXPECT(record_block_records(b, row, rows, &a, r, &e) == OK);
        EXPECT(record_block_sequences(b, row, rows, seq, &e) == OK);
        for (size_t j = 0; j < rows; j++, at++) {
            EXPECT(seq[j] == want[at].sequence);
            EXPECT(same_record(&r[j], want[at].r, table));
        }
        arena_release(&a);
    }
    EXPECT(at == n);
    record_block_free(b);
    record_part_close(p);
}

/* Rows dealt out to PARTS parts, merged again. */
static void deal_and_merge(uint64_t seed, struct data_plan plan, const struct predicate *drop, bool by_time)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct err e = ERR_INIT;
    struct dice d = { seed };
    struct record *r = random_records(&d, &a, &plan);
    struct keyed *all = keyed_of(&a, plan.table, r, plan.n), *piece = arena_array(&a, plan.n, sizeof *piece);
    struct keyed *want = arena_array(&a, plan.n, sizeof *want);
    struct record_part *part[PARTS];
    uint8_t *owner = arena_array(&a, plan.n, 1);
    for (size_t i = 0; i < plan.n; i++)
        owner[i] = (uint8_t)(by_time ? all[i].key.bucket % PARTS : below(&d, PARTS));
    for (int n = 0; n < PARTS; n++) {
        size_t rows = 0;
        for (size_t i = 0; i < plan.n; i++)
            if (owner[i] == n) piece[rows++] = all[i];
        write_part(n, plan.table, piece, rows);
        expect_sound(n, plan.table);
        part[n] = open_part(n, plan.table);
    }
    char path[64];
    uint64_t dropped;
    struct record_part_info info;
    path_of(path, PARTS);
    unlink(path);
    int rc = record_part_merge(part, PARTS, path, record_layout(plan.table), 1, 99, 1, drop, NULL, NULL,
                               &info, &dropped, &e);
    if (rc < 0) fprintf(stderr, "%s\n", e.text);
    EXPECT(rc == OK);
    size_t wanted = 0;
    for (size_t i = 0; i < plan.n; i++)
        wanted += drop != NULL && predicate_matches(drop, all[i].r, plan.table);
    EXPECT(dropped == wanted);
    size_t n = plain_merge(all, plan.n, plan.table, drop, want);
    EXPECT(info.rows == n && info.level == 1 && info.sequence == 99);
    expect_rows(PARTS, plan.table, want, n);
    expect_sound(PARTS, plan.table);
    for (int i = 0; i < PARTS; i++) record_part_close(part[i]);
    for (int i = 0; i <= PARTS; i++) {
        path_of(path, i);
        unlink(path);
    }
    arena_release(&a);
}

TEST(a_merge_is_all_rows_sorted_and_joined)
{
    deal_and_merge(1, (struct data_plan){ TABLE_SPANS, 4000, 30, 8, HOUR_NS, 60 }, NULL, false);
    deal_and_merge(2, (struct data_plan){ TABLE_LOGS, 4000, 30, 8, 4 * HOUR_NS, 60 }, NULL, false);
    deal_and_merge(3, (struct data_plan){ TABLE_LOGS, 6000, 3000, 8, 4 * HOUR_NS, 60 }, NULL, false);
}

TEST(blocks_that_overlap_nothing_go_over_whole)
{
    deal_and_merge(4, (struct data_plan){ TABLE_SPANS, 9000, 30, 8, 6 * HOUR_NS, 3000 }, NULL, true);
    deal_and_merge(5, (struct data_plan){ TABLE_LOGS, 9000, 200, 8, 24 * HOUR_NS, 60 }, NULL, true);
}

TEST(rows_to_be_forgotten_are_left_out)
{
    struct value v[2] = { value_str(STR("service-1")), value_str(STR("service-2")) };
    struct predicate drop = {
        .op = PRED_IN, .field = field_attr(FIELD_RESOURCE, STR("service.name")), .values = v, .n_values = 2
    };
    deal_and_merge(6, (struct data_plan){ TABLE_SPANS, 3000, 30, 8, HOUR_NS, 60 }, &drop, false);
    deal_and_merge(7, (struct data_plan){ TABLE_LOGS, 6000, 30, 8, 24 * HOUR_NS, 60 }, &drop, true);
}

/* Large regular blocks: many are copied, and content pages with them. */
static size_t many_logs(struct arena *a, struct keyed **out, size_t n)
{
    struct record *r = arena_zero(a, n * sizeof *r);
    struct dice d = { 77 };
    static struct origin origin[40];
    for (uint64_t i = 0; i < 40; i++) origin[i] = *random_origin(&d, a, i);
    for (size_t i = 0; i < n; i++) {
        r[i].time_ns = TEST_START_NS + (int64_t)i * 1000000;
        r[i].origin = &origin[i * 40 / n];
        bool is_long = below(&d, 50) == 0;
        r[i].log.body =
            value_str(is_long ? words_of(&d, a, 3000)
                              : arena_printf(a, "line %zu of job %llu", i, (unsigned long long)below(&d, 9)));
        struct attr *at = arena_array(a, 2, sizeof *at);
        at[0] = (struct attr){ arena_printf(a, "key.%zu", i / (n / 8)), value_int((int64_t)i) };
        at[1] = (struct attr){ STR("shared"),
                               value_str(arena_printf(a, "%llu", (unsigned long long)below(&d, 3))) };
        r[i].attrs = (struct attrs){ at, 2 };
    }
    *out = keyed_of(a, TABLE_LOGS, r, n);
    return n;
}

static int count_calls(void *ctx)
{
    ++*(int *)ctx;
    return OK;
}

TEST(copied_blocks_answer_as_before)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct err e = ERR_INIT;
    struct keyed *k;
    struct record_part *part[2], *merged;
    char path[64];
    int calls = 0;
    size_t n = many_logs(&a, &k, 100000), half = n / 2;
    while (record_key_cmp(&k[half].key, &k[half - 1].key) == 0) half++;
    write_part(0, TABLE_LOGS, k + half, n - half); /* the later half has the lower sequence */
    write_part(1, TABLE_LOGS, k, half);
    for (int i = 0; i < 2; i++) part[i] = open_part(i, TABLE_LOGS);
    path_of(path, 2);
    unlink(path);
    EXPECT(record_part_merge(part, 2, path, record_layout(TABLE_LOGS), 1, 9, 1, NULL, count_calls, &calls,
                             NULL, NULL, &e) == OK);
    EXPECT(calls >= 10);
    expect_rows(2, TABLE_LOGS, k, n);
    expect_sound(2, TABLE_LOGS);
    merged = open_part(2, TABLE_LOGS);
    struct field_info *f;
    size_t n_fields;
    EXPECT(record_part_fields(merged, &a, &f, &n_fields, &e) == OK);
    for (size_t i = 0; i < n_fields; i++) {
        uint64_t rows = 0;
        for (size_t j = 0; j < n; j++)
            rows += record_value(k[j].r, TABLE_LOGS, f[i].field).type != VALUE_NONE;
        EXPECT(f[i].rows == rows);
    }
    record_part_close(merged);
    for (int i = 0; i < 2; i++) record_part_close(part[i]);
    for (int i = 0; i < 3; i++) {
        path_of(path, i);
        unlink(path);
    }
    arena_release(&a);
}

/* ---- damage ---- */

static int64_t verify_bytes(const char *path, struct str bytes, enum table table)
{
    struct err e = ERR_INIT;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), quiet = 1;
    EXPECT(fd >= 0 && write(fd, bytes.p, bytes.n) == (ssize_t)bytes.n);
    close(fd);
    return record_part_verify(path, record_layout(table), report, &quiet, &e);
}

TEST(every_flipped_byte_is_noticed)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct err e = ERR_INIT;
    char path[64], copy[64];
    path_of(path, 0);
    path_of(copy, 1);
    for (enum table table = TABLE_LOGS; table <= TABLE_SPANS; table++) {
        struct data_plan plan = { table, 60, 12, 3, HOUR_NS, 20 };
        struct dice d = { 5 + table };
        struct buf bytes = BUF_INIT(1 << 24);
        write_part(0, table, keyed_of(&a, table, random_records(&d, &a, &plan), plan.n), plan.n);
        EXPECT(file_slurp(path, &bytes, &e) == OK);
        EXPECT(verify_bytes(copy, buf_view(&bytes), table) == 0);
        for (size_t i = 0; i < bytes.n; i++) {
            char was = bytes.p[i];
            bytes.p[i] = (char)(was ^ 1 << i % 8);
            EXPECT(verify_bytes(copy, buf_view(&bytes), table) > 0);
            bytes.p[i] = was;
        }
        for (size_t cut = 0; cut < bytes.n; cut += 1 + bytes.n / 200)
            EXPECT(verify_bytes(copy, str_make(bytes.p, cut), table) > 0);
        buf_release(&bytes);
    }
    unlink(path);
    unlink(copy);
    arena_release(&a);
}

TESTS(CASE(a_merge_is_all_rows_sorted_and_joined), CASE(blocks_that_overlap_nothing_go_over_whole),
      CASE(rows_to_be_forgotten_are_left_out), CASE(copied_blocks_answer_as_before),
      CASE(every_flipped_byte_is_noticed))
