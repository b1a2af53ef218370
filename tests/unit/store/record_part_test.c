/* Record parts: what is written is read back, conditions answer as they do on the records themselves, and no
 * block that has an answer is ever left out. */
#include "unit/test.h"

#include <unistd.h>

#include "unit/store/record_part_data.h"

static char path[64];

static const char *fresh_path(void)
{
    static int n;
    snprintf(path, sizeof path, "/tmp/record_part_test.%d.%d", (int)getpid(), n++);
    unlink(path);
    return path;
}

static struct record_part *write_part(enum table table, const struct keyed *k, size_t n)
{
    struct err e = ERR_INIT;
    struct record_writer *w;
    struct record_part *p;
    struct record_part_info info;
    const char *to = fresh_path();
    EXPECT(record_writer_open(to, record_layout(table), 0, 7, 1, &w, &e) == OK);
    for (size_t i = 0; i < n; i++) EXPECT(record_writer_add(w, k[i].r, k[i].sequence, &e) == OK);
    EXPECT(record_writer_finish(w, &info, &e) == OK);
    EXPECT(info.rows == n);
    int rc = record_part_open(to, record_layout(table), &p, &e);
    if (rc < 0) fprintf(stderr, "%s\n", e.text);
    EXPECT(rc == OK);
    EXPECT(record_part_info(p)->rows == n);
    EXPECT(record_part_info(p)->sequence == 7);
    EXPECT(memcmp(&info, record_part_info(p), sizeof info) == 0);
    return p;
}

static const uint32_t *all_rows(struct arena *a, size_t n)
{
    uint32_t *rows = arena_array(a, n, sizeof *rows);
    for (size_t i = 0; i < n; i++) rows[i] = (uint32_t)i;
    return rows;
}

static void expect_equal(struct record_part *p, enum table table, const struct keyed *k, size_t n)
{
    struct err e = ERR_INIT;
    struct record_block *b = record_block_new(p);
    size_t at = 0;
    for (size_t i = 0; i < record_part_info(p)->blocks; i++) {
        struct arena a = ARENA_INIT(SIZE_MAX);
        int rc = record_block_seek(b, i, &e);
        size_t rows = record_block_rows(b);
        struct record *r = arena_array(&a, rows, sizeof *r);
        uint64_t *seq = arena_array(&a, rows, sizeof *seq);
        if (rc == OK) rc = record_block_records(b, all_rows(&a, rows), rows, &a, r, &e);
        if (rc == OK) rc = record_block_sequences(b, all_rows(&a, rows), rows, seq, &e);
        if (rc < 0) fprintf(stderr, "%s\n", e.text);
        EXPECT(rc == OK);
        for (size_t j = 0; j < rows; j++, at++) {
            EXPECT(at < n);
            EXPECT(same_record(&r[j], k[at].r, table));
            EXPECT(seq[j] == k[at].sequence);
        }
        arena_release(&a);
    }
    EXPECT(at == n);
    record_block_free(b);
}

static void round_trip(uint64_t seed, struct data_plan plan)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct dice d = { seed };
    struct record *r = random_records(&d, &a, &plan);
    struct keyed *k = keyed_of(&a, plan.table, r, plan.n);
    struct record_part *p = write_part(plan.table, k, plan.n);
    expect_equal(p, plan.table, k, plan.n);
    record_part_close(p);
    unlink(path);
    arena_release(&a);
}

#define HOUR_NS INT64_C(3600000000000)

TEST(records_come_back_as_they_were)
{
    round_trip(1, (struct data_plan){ TABLE_SPANS, 5000, 20, 6, 2 * HOUR_NS, 400 });
    round_trip(2, (struct data_plan){ TABLE_LOGS, 5000, 20, 6, 5 * HOUR_NS, 400 });
    round_trip(3, (struct data_plan){ TABLE_SPANS, 1, 1, 1, 1, 1 });
    round_trip(4, (struct data_plan){ TABLE_LOGS, 3, 1, 1, 1, 1 });
}

TEST(three_thousand_names_overflow_into_the_rest_column)
{
    round_trip(5, (struct data_plan){ TABLE_SPANS, 12000, 3000, 40, HOUR_NS, 2000 });
    round_trip(6, (struct data_plan){ TABLE_LOGS, 12000, 3000, 400, HOUR_NS, 2000 });
}

TEST(a_part_of_no_rows_is_a_part)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct err e = ERR_INIT;
    struct record_part *p = write_part(TABLE_LOGS, NULL, 0);
    uint64_t *bits;
    size_t n = 1;
    EXPECT(record_part_candidates(p, NULL, INT64_MIN, INT64_MAX, &a, &bits, &n, &e) == OK);
    EXPECT(n == 0);
    record_part_close(p);
    unlink(path);
    arena_release(&a);
}

/* ---- conditions ---- */

static struct field random_field(struct dice *d, struct arena *a, size_t names)
{
    static const enum intrinsic in[] = { IN_TIME,      IN_TRACE_ID,       IN_SPAN_ID,       IN_FLAGS,
                                         IN_DROPPED,   IN_SCOPE_NAME,     IN_SCOPE_VERSION, IN_ORIGIN,
                                         IN_PARENT_ID, IN_DURATION,       IN_NAME,          IN_KIND,
                                         IN_STATUS,    IN_STATUS_MESSAGE, IN_TRACE_STATE,   IN_EVENTS,
                                         IN_LINKS,     IN_OBSERVED,       IN_SEVERITY,      IN_SEVERITY_TEXT,
                                         IN_BODY,      IN_EVENT_NAME };
    switch (below(d, 5)) {
    case 0: return field_in(in[below(d, sizeof in / sizeof in[0])]);
    case 1: return field_attr(FIELD_RESOURCE, below(d, 2) ? STR("service.name") : STR("pid"));
    case 2: return field_attr(FIELD_SCOPE, STR("scope.kind"));
    default:
        return field_attr(
            FIELD_ATTR,
            arena_printf(a, "attr.%llu", (unsigned long long)(below(d, 3) ? below(d, 8) : below(d, names))));
    }
}

struct sample { /* where values to ask for come from */
    const struct record *r;
    size_t n;
    enum table table;
    struct regex *re[4];
};

/* Mostly a value that some record has there. */
static struct value asked_value(struct dice *d, struct arena *a, const struct sample *s, struct field f)
{
    for (int i = 0; i < 20 && below(d, 8); i++) {
        struct value v = record_value(&s->r[below(d, s->n)], s->table, f);
        if (v.type != VALUE_NONE) return v;
    }
    return random_value(d, a);
}

static const struct predicate *random_predicate(struct dice *d, struct arena *a, const struct sample *s,
                                                size_t names, int depth)
{
    if (depth > 0 && below(d, 2)) {
        const struct predicate *x = random_predicate(d, a, s, names, depth - 1);
        const struct predicate *y = random_predicate(d, a, s, names, depth - 1);
        switch (below(d, 3)) {
        case 0: return predicate_and(a, x, y);
        case 1: return predicate_or(a, x, y);
        default: return predicate_not(a, x);
        }
    }
    struct field f = random_field(d, a, names);
    struct value v = asked_value(d, a, s, f);
    bool is_text = v.type == VALUE_STR || v.type == VALUE_JSON || v.type == VALUE_BYTES;
    switch (below(d, 10)) {
    case 0: return predicate_exists(a, f);
    case 1: return predicate_cmp(a, (enum predicate_op)(PRED_LT + below(d, 4)), f, v);
    case 2: {
        struct value *in = arena_array(a, 3, sizeof *in);
        for (int i = 0; i < 3; i++) in[i] = asked_value(d, a, s, f);
        return predicate_in(a, f, in, below(d, 4));
    }
    case 3: return predicate_regex(a, f, s->re[below(d, 4)]);
    case 4:
    case 5:
    case 6:
        if (is_text) {
            size_t from = below(d, v.text.n + 1), n = below(d, 30);
            if (n > v.text.n - from) n = v.text.n - from;
            return predicate_contains(a, f, str_make(v.text.p + from, n), below(d, 2));
        }
        /* fall through */
    default: return predicate_cmp(a, PRED_EQ, f, v);
    }
}

struct tally {
    size_t asked, rows, pruned;
};

/* One condition over a whole part, held against the records one by one. */
static void expect_match(struct record_part *p, struct record_block *b, enum table table,
                         const struct keyed *k, const struct predicate *where, int64_t from, int64_t to,
                         struct tally *t)
{
    struct err e = ERR_INIT;
    struct arena a = ARENA_INIT(SIZE_MAX);
    uint64_t *may, bits[RECORD_BLOCK_ROWS / 64];
    size_t n, at = 0;
    EXPECT(record_part_candidates(p, where, from, to, &a, &may, &n, &e) == OK);
    EXPECT(n == record_part_info(p)->blocks);
    for (size_t i = 0; i < n; i++) {
        EXPECT(record_block_seek(b, i, &e) == OK);
        int rc = record_block_match(b, where, from, to, bits, &e);
        if (rc < 0) fprintf(stderr, "%s\n", e.text);
        EXPECT(rc == OK);
        size_t found = 0;
        for (size_t j = 0; j < record_block_rows(b); j++, at++) {
            const struct record *r = k[at].r;
            bool want = r->time_ns >= from && r->time_ns <= to && predicate_matches(where, r, table);
            bool got = bits[j / 64] >> j % 64 & 1;
            if (want != got) {
                struct buf text = BUF_INIT(1 << 20);
                predicate_print(&text, where);
                fprintf(stderr, "row %zu: wanted %d: %.*s\n", at, want, (int)text.n, text.p);
                buf_release(&text);
            }
            EXPECT(want == got);
            found += want;
        }
        if (found > 0) EXPECT(may[i / 64] >> i % 64 & 1);
        t->pruned += !(may[i / 64] >> i % 64 & 1);
        t->rows += found;
    }
    t->asked++;
    arena_release(&a);
}

static void ask_many(uint64_t seed, struct data_plan plan, size_t questions)
{
    static const char *const patterns[] = { "value.*", "service-[13]", "value 1|id-7|WARN", ".*timeout.*" };
    struct err e = ERR_INIT;
    struct arena a = ARENA_INIT(SIZE_MAX), scratch = ARENA_INIT(SIZE_MAX);
    struct dice d = { seed };
    struct record *r = random_records(&d, &a, &plan);
    struct keyed *k = keyed_of(&a, plan.table, r, plan.n);
    struct record_part *p = write_part(plan.table, k, plan.n);
    struct record_block *b = record_block_new(p);
    struct sample s = { r, plan.n, plan.table, { NULL } };
    struct tally t = { 0 };
    for (int i = 0; i < 4; i++) EXPECT(regex_new(str_of(patterns[i]), &s.re[i], &e) == OK);
    for (size_t i = 0; i < questions; i++) {
        const struct predicate *where = random_predicate(&d, &scratch, &s, plan.names, 3);
        bool all = below(&d, 2);
        int64_t from = all ? INT64_MIN : TEST_START_NS + (int64_t)below(&d, (uint64_t)plan.span_ns);
        int64_t to = all ? INT64_MAX : from + (int64_t)below(&d, (uint64_t)plan.span_ns);
        expect_match(p, b, plan.table, k, where, from, to, &t);
        arena_reset(&scratch);
    }
    EXPECT(t.rows > 0 && t.pruned > 0);
    for (int i = 0; i < 4; i++) regex_free(s.re[i]);
    record_block_free(b);
    record_part_close(p);
    unlink(path);
    arena_release(&scratch);
    arena_release(&a);
}

TEST(conditions_answer_as_on_the_records_themselves)
{
    ask_many(11, (struct data_plan){ TABLE_SPANS, 4000, 40, 10, 2 * HOUR_NS, 300 }, 400);
    ask_many(12, (struct data_plan){ TABLE_LOGS, 4000, 40, 10, 5 * HOUR_NS, 300 }, 400);
    ask_many(13, (struct data_plan){ TABLE_SPANS, 8000, 3000, 10, HOUR_NS, 3000 }, 100);
}

/* A long text leaves an empty one in its column, which is not the empty text that follows it. */
TEST(an_empty_text_behind_a_long_one_is_found)
{
    static char body[2000];
    struct err e = ERR_INIT;
    struct arena a = ARENA_INIT(SIZE_MAX);
    static const struct origin nobody;
    struct record r[2] = { { .time_ns = 1, .origin = &nobody }, { .time_ns = 2, .origin = &nobody } };
    struct attr at[2] = { { STR("k"), value_str(str_make(body, sizeof body)) },
                          { STR("k"), value_str(STR("")) } };
    for (int i = 0; i < 2; i++) r[i].attrs = (struct attrs){ &at[i], 1 };
    memset(body, 'x', sizeof body);
    struct keyed *k = keyed_of(&a, TABLE_LOGS, r, 2);
    struct record_part *p = write_part(TABLE_LOGS, k, 2);
    struct predicate empty = { .op = PRED_EQ,
                               .field = field_attr(FIELD_ATTR, STR("k")),
                               .value = value_str(STR("")) };
    uint64_t *may, bits[RECORD_BLOCK_ROWS / 64];
    size_t n;
    EXPECT(record_part_candidates(p, &empty, 0, 9, &a, &may, &n, &e) == OK);
    EXPECT(n == 1 && may[0] == 1);
    struct record_block *b = record_block_new(p);
    EXPECT(record_block_seek(b, 0, &e) == OK);
    EXPECT(record_block_match(b, &empty, 0, 9, bits, &e) == OK);
    EXPECT(bits[0] == 2);
    record_block_free(b);
    record_part_close(p);
    unlink(path);
    arena_release(&a);
}

TEST(single_fields_are_those_of_the_record)
{
    struct data_plan plan = { TABLE_SPANS, 6000, 2000, 10, HOUR_NS, 300 };
    for (plan.table = TABLE_LOGS; plan.table <= TABLE_SPANS; plan.table++) {
        struct err e = ERR_INIT;
        struct arena a = ARENA_INIT(SIZE_MAX);
        struct dice d = { 21 + plan.table };
        struct record *r = random_records(&d, &a, &plan);
        struct keyed *k = keyed_of(&a, plan.table, r, plan.n);
        struct record_part *p = write_part(plan.table, k, plan.n);
        struct record_block *b = record_block_new(p);
        size_t at = 0;
        for (size_t i = 0; i < record_part_info(p)->blocks; i++) {
            EXPECT(record_block_seek(b, i, &e) == OK);
            size_t n = record_block_rows(b);
            struct value *v = arena_array(&a, n, sizeof *v);
            for (int q = 0; q < 40; q++) {
                struct field f = random_field(&d, &a, plan.names);
                EXPECT(record_block_values(b, f, all_rows(&a, n), n, v, &e) == OK);
                for (size_t j = 0; j < n; j++)
                    EXPECT(value_same(v[j], record_value(k[at + j].r, plan.table, f)));
            }
            at += n;
        }
        record_block_free(b);
        record_part_close(p);
        unlink(path);
        arena_release(&a);
    }
}

TEST(keys_that_fall_are_refused)
{
    struct err e = ERR_INIT;
    struct record_writer *w;
    struct record r = { .time_ns = TEST_START_NS };
    const char *to = fresh_path();
    EXPECT(record_writer_open(to, record_layout(TABLE_LOGS), 0, 1, 1, &w, &e) == OK);
    EXPECT(record_writer_add(w, &r, 1, &e) == OK);
    r.time_ns -= 1;
    EXPECT(record_writer_add(w, &r, 1, &e) == ERR_ORDER);
    record_writer_abandon(w);
    EXPECT(access(to, F_OK) != 0); /* an unfinished part leaves nothing behind */
}

/* ---- what the part knows ---- */

TEST(fields_and_origins_are_listed)
{
    struct err e = ERR_INIT;
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct dice d = { 31 };
    struct data_plan plan = { TABLE_LOGS, 3000, 2500, 12, HOUR_NS, 10 };
    struct record *r = random_records(&d, &a, &plan);
    struct record_part *p = write_part(plan.table, keyed_of(&a, plan.table, r, plan.n), plan.n);
    struct field_info *f;
    struct origin *o;
    size_t n, n_origins;
    EXPECT(record_part_fields(p, &a, &f, &n, &e) == OK);
    for (size_t i = 0; i < n; i++) {
        uint64_t rows = 0;
        uint32_t types = 0;
        for (size_t k = 0; k < plan.n; k++) {
            struct value v = record_value(&r[k], plan.table, f[i].field);
            rows += v.type != VALUE_NONE;
            if (v.type != VALUE_NONE) types |= UINT32_C(1) << v.type;
        }
        EXPECT(f[i].rows == rows);
        EXPECT(f[i].types == types);
    }
    for (size_t i = 1; i < n; i++)
        EXPECT(
            f[i - 1].field.scope < f[i].field.scope ||
            (f[i - 1].field.scope == f[i].field.scope && str_cmp(f[i - 1].field.name, f[i].field.name) < 0));
    EXPECT(n > 1024); /* those of the rest column, too */
    EXPECT(record_part_origins(p, NULL, &a, &o, &n_origins, &e) == OK);
    EXPECT(n_origins == 6);
    for (size_t i = 0; i < n_origins; i++) {
        bool found = false;
        for (size_t k = 0; k < plan.n && !found; k++)
            found =
                hash128_eq(o[i].id, r[k].origin->id) && same_attrs(&o[i].resource, &r[k].origin->resource);
        EXPECT(found);
        EXPECT(o[i].scope.n == 0 && o[i].scope_name.n == 0);
    }
    record_part_close(p);
    unlink(path);
    arena_release(&a);
}

TEST(a_part_of_very_many_resources_names_them_all)
{
    struct err e = ERR_INIT;
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct dice d = { 32 };
    struct data_plan plan = { TABLE_SPANS, 30000, 1, 12000, HOUR_NS, 10000 };
    struct record *r = random_records(&d, &a, &plan);
    struct record_part *p = write_part(plan.table, keyed_of(&a, plan.table, r, plan.n), plan.n);
    uint8_t seen[6000] = { 0 };
    struct origin *o;
    size_t n, want = 0;
    for (size_t i = 0; i < plan.n; i++) {
        uint8_t *s = &seen[r[i].origin->resource.at[1].value.i / 100];
        want += !*s;
        *s = 1;
    }
    EXPECT(record_part_origins(p, NULL, &a, &o, &n, &e) == OK);
    EXPECT(n == want && n > 4096);
    record_part_close(p);
    unlink(path);
    arena_release(&a);
}

TESTS(CASE(records_come_back_as_they_were), CASE(three_thousand_names_overflow_into_the_rest_column),
      CASE(a_part_of_no_rows_is_a_part), CASE(conditions_answer_as_on_the_records_themselves),
      CASE(an_empty_text_behind_a_long_one_is_found), CASE(single_fields_are_those_of_the_record),
      CASE(keys_that_fall_are_refused), CASE(fields_and_origins_are_listed),
      CASE(a_part_of_very_many_resources_names_them_all))
