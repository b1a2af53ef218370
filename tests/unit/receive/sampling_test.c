/* The marks that spans get at the door, and what a decision asks the store to forget. Thresholds and counts
 * are those of OpenTelemetry's consistent probability sampling. */
#include "receive/sampling_run.h"

#include <math.h>
#include <unistd.h>

#include "base/hash.h"
#include "unit/receive/shelf.h"
#include "unit/toy_store.c"

static struct arena arena = ARENA_INIT(1 << 26);

static struct value mark(const struct sampling *s, struct record *r, const char *name)
{
    r->attrs = (struct attrs){ NULL, 0 };
    sampling_mark(s, r, &arena);
    return record_value(r, TABLE_SPANS, field_attr(FIELD_ATTR, str_of(name)));
}

static struct record span(uint8_t trace, int64_t time_ns, int64_t duration_ns, uint8_t status)
{
    struct record r = { .time_ns = time_ns,
                        .trace_id = { [15] = trace },
                        .span_id = { 1 },
                        .span = { .duration_ns = duration_ns, .status = status } };
    r.span.name = STR("s");
    return r;
}

static bool kept_by(const struct sampling *s, struct record r, const char *why)
{
    return str_is(mark(s, &r, SAMPLING_KEPT_BY).text, why);
}

TEST(spans_say_what_keeps_them)
{
    const struct sampling s = { .keep_errors = true, .slower_than_ns = 1000, .one_in = 0, .wait_ms = 1000 };
    EXPECT(kept_by(&s, span(1, 5, 10, 2), "error"));
    EXPECT(kept_by(&s, span(1, 5, 1001, 0), "slow"));
    EXPECT(kept_by(&s, span(1, 5, 1000, 0), "trace"));
    EXPECT(kept_by(&s, span(1, 5, SPAN_UNFINISHED, 0), "running"));
    const struct sampling all = { .one_in = 1 };
    EXPECT(kept_by(&all, span(1, 5, 10, 2), "one_in"));
}

TEST(without_configuration_only_the_senders_count_is_added)
{
    struct record r = span(1, 5, 10, 0);
    EXPECT(mark(NULL, &r, SAMPLING_KEPT_BY).type == VALUE_NONE && r.attrs.n == 0);
    r.span.trace_state = STR("congo=t61,ot=th:c;rv:123456789abcde");
    EXPECT(mark(NULL, &r, SAMPLING_ADJUSTED).d == 4); /* c000... of 2^56 are thrown away: one in four stays */
    EXPECT_INT(r.attrs.n, 1);
}

TEST(thresholds_are_read_as_the_specification_writes_them)
{
    static const struct {
        const char *state;
        double count;
    } cases[] = { { "ot=th:8", 2 },
                  { "ot=th:0", 1 },
                  { "ot=th:fd70a3d70a3d71", 100 },
                  { "ot=rv:1;th:e", 8 },
                  { "a=b, ot=th:c", 4 },
                  { "ot=th:", 1 },
                  { "ot=th:xyz", 1 },
                  { "ot=th:123456789012345", 1 },
                  { "th:8", 1 },
                  { "not=th:8", 1 },
                  { "", 1 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        EXPECT(fabs(sampling_adjusted_count(str_of(cases[i].state)) - cases[i].count) < 1e-9);
}

TEST(one_in_ten_is_one_in_ten_and_whole_traces)
{
    const struct sampling s = { .one_in = 10 };
    size_t kept = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        struct record r = span(0, 5, 10, 0), other = span(0, 7, 20, 0);
        struct hash128 id = hash128(&i, sizeof i);
        memcpy(r.trace_id, &id, 16);
        memcpy(other.trace_id, &id, 16);
        bool one = kept_by(&s, r, "one_in");
        EXPECT(one == kept_by(&s, other, "one_in"));
        kept += one;
    }
    EXPECT(kept > 1850 && kept < 2150); /* 2000, give or take 3.5 standard deviations of 42 */
}

/* Of what a sender kept by the same bits, a smaller share of all is kept, not a share of the share. */
TEST(a_share_of_a_senders_share_is_not_taken_twice)
{
    const struct sampling s = { .one_in = 8 };
    size_t sent = 0, kept = 0;
    for (uint64_t i = 0; i < 16000; i++) {
        struct record r = span(0, 5, 10, 0);
        struct hash128 id = hash128(&i, sizeof i);
        memcpy(r.trace_id, &id, 16);
        r.span.trace_state = STR("ot=th:c"); /* one in four */
        if (r.trace_id[9] < 0xc0) continue;  /* the sender did not keep it */
        sent++;
        if (!kept_by(&s, r, "one_in")) continue;
        kept++;
        EXPECT(mark(&s, &r, SAMPLING_STORED).d == 8 && mark(&s, &r, SAMPLING_ADJUSTED).d == 4);
    }
    EXPECT(sent > 3700 && sent < 4300);
    EXPECT(kept > 1800 && kept < 2200); /* an eighth of all, half of those sent */
}

/* ---- decisions ---- */

#define SECOND 1000000000ll
#define NOW_MS 1700000000000ll

static struct store *store;
static struct store_ops ops;
static size_t asked, to_go, admin_fails;
static bool went[256];

static int note_gone(void *ctx, const struct record_rows *rows)
{
    (void)ctx;
    for (size_t i = 0; i < rows->n; i++) went[rows->records[i].trace_id[15]] = true;
    to_go += rows->n;
    return OK;
}

/* What a real store would delete. */
static int admin(struct store *s, enum store_admin what, const void *arg, struct err *e)
{
    const struct store_delete *d = arg;
    struct arena scratch = ARENA_INIT(1 << 24);
    struct call call = { .arena = &scratch };
    struct record_scan scan = { .table = d->table,
                                .from_ns = d->from_ms * 1000000,
                                .to_ns = d->to_ms * 1000000 + 999999,
                                .where = d->where };
    struct store_view *view;
    EXPECT(what == STORE_DELETE && d->table == TABLE_SPANS);
    asked++;
    if (admin_fails > 0) return admin_fails--, err_set(e, ERR_IO, "no");
    EXPECT(store_view_open(s, 0, INT64_MAX, &view, e) == OK);
    EXPECT(view_records(view, &call, &scan, note_gone, NULL, e) == OK);
    store_view_close(view);
    arena_release(&scratch);
    *d->rows = to_go;
    return OK;
}

static void write_span(const struct sampling *s, uint8_t trace, int64_t age_s, int64_t duration,
                       uint8_t status)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct records records;
    struct batch b;
    struct write_result result = { 0 };
    const struct origin origin = { .scope_name = { NULL, 0 } };
    struct record r = span(trace, NOW_MS * 1000000 - age_s * SECOND, duration, status);
    r.span_id[1] = (uint8_t)age_s;
    records_init(&records, &a, TABLE_SPANS);
    records_origin(&records, &origin);
    sampling_mark(s, &r, &a);
    EXPECT(records_add(&records, &r, NULL) == OK);
    records_end(&records);
    batch_init(&b, &a, LABELS_PACKED);
    b.spans = &records;
    EXPECT(store_write(store, &b, ACK_DURABLE, &result, NULL, NULL, NULL) == OK);
    arena_release(&a);
}

static const struct sampling conf = { .keep_errors = true, .slower_than_ns = SECOND, .wait_ms = 60000 };
static char dir[32];
static struct sampling_run *run;

static int begin(void **state)
{
    (void)state;
    asked = to_go = admin_fails = 0;
    memset(went, 0, sizeof went);
    strcpy(dir, "/tmp/sampling-XXXXXX");
    if (mkdtemp(dir) == NULL) return -1;
    store = toy_store_new();
    ops = *store->ops;
    ops.admin = admin;
    store->ops = &ops;
    run = sampling_run_new(&conf, store, dir);
    return 0;
}

static int end(void **state)
{
    (void)state;
    char command[64];
    sampling_run_free(run);
    store_close(store);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

TEST(traces_that_nothing_keeps_go_after_the_wait)
{
    struct err e = ERR_INIT;
    write_span(&conf, 1, 90, 10, 0);
    write_span(&conf, 2, 90, 10, 0);
    write_span(&conf, 2, 89, 10, 2); /* an error keeps both */
    write_span(&conf, 3, 90, 10, 0);
    write_span(&conf, 3, 5, 2 * SECOND, 0); /* slow, and later than what is decided */
    write_span(&conf, 4, 90, SPAN_UNFINISHED, 0);
    write_span(&conf, 5, 30, 10, 0); /* not yet */
    write_span(NULL, 6, 90, 10, 0);  /* from before sampling was turned on */
    EXPECT(sampling_run_once(run, NOW_MS, &e) == 1);
    EXPECT(went[1] && !went[2] && !went[3] && !went[4] && !went[5] && !went[6]);
}

TEST(nothing_to_forget_asks_nothing_of_the_store)
{
    struct err e = ERR_INIT;
    write_span(&conf, 2, 90, 10, 2);
    EXPECT(sampling_run_once(run, NOW_MS, &e) == 0);
    EXPECT_INT(asked, 0);
}

TEST(a_decision_that_failed_is_made_again_and_a_made_one_is_remembered)
{
    struct err e = ERR_INIT;
    write_span(&conf, 1, 150, 10, 0);
    admin_fails = 1;
    EXPECT(sampling_run_once(run, NOW_MS, &e) == ERR_IO);
    EXPECT(sampling_run_once(run, NOW_MS, &e) == 1);
    sampling_run_free(run);
    run = sampling_run_new(&conf, store, dir); /* a restart */
    to_go = 0;
    EXPECT(sampling_run_once(run, NOW_MS + 1000000, &e) == 0); /* all of it is before what was decided */
}

static int read_conf(const char *text, struct sampling *s, bool *has, struct err *e)
{
    struct yaml *root;
    *e = (struct err)ERR_INIT;
    EXPECT(yaml_parse(str_of(text), "test.yml", &arena, &root, e) == OK);
    return sampling_config(root, s, has, e);
}

TEST(the_section_is_read_and_mistakes_name_their_line)
{
    struct sampling s;
    struct err e;
    bool has;
    EXPECT(read_conf("{slower_than: 2s, one_in: 20, decision_wait: 1m}", &s, &has, &e) == OK);
    EXPECT(has && s.keep_errors && s.slower_than_ns == 2 * SECOND && s.one_in == 20 && s.wait_ms == 60000);
    EXPECT(sampling_config(NULL, &s, &has, &e) == OK && !has);
    EXPECT(read_conf("{one_in: -1}", &s, &has, &e) < 0 && strstr(e.text, "line 1") != NULL);
    EXPECT(read_conf("{decision_wait: 1ms}", &s, &has, &e) < 0);
    EXPECT(read_conf("[1]", &s, &has, &e) < 0);
}

#define RUN(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(spans_say_what_keeps_them),
        CASE(without_configuration_only_the_senders_count_is_added),
        CASE(thresholds_are_read_as_the_specification_writes_them),
        CASE(one_in_ten_is_one_in_ten_and_whole_traces),
        CASE(a_share_of_a_senders_share_is_not_taken_twice),
        RUN(traces_that_nothing_keeps_go_after_the_wait),
        RUN(nothing_to_forget_asks_nothing_of_the_store),
        RUN(a_decision_that_failed_is_made_again_and_a_made_one_is_remembered),
        CASE(the_section_is_read_and_mistakes_name_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
