/* Lists of random traces against a plain walk over all spans: every trace that should be found is on exactly
 * one page, in order; and the rules of the window's statistics. */
#include "query/traces/search.h"

#include "query/traces/window.h"
#include "unit/test.h"
#include "unit/toy_store.c"

#define TRACES 60

static uint64_t state = 7;
static uint64_t roll(uint64_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % n;
}

/* What was written, once more. */
static struct plain {
    uint8_t trace, span, parent, service, name, status;
    int64_t start, duration;
} written[2000];
static size_t n_written;

static struct store *store;
static struct arena arena = ARENA_INIT((size_t)256 << 20);
static struct call call = { .arena = &arena };

static void write_all(void)
{
    static const char *const names[] = { "a", "b", "c" };
    struct records records;
    struct batch batch;
    struct write_result result = { 0 };
    struct err e = ERR_INIT;
    records_init(&records, &arena, TABLE_SPANS);
    for (size_t i = 0; i < n_written; i++) {
        const struct plain *p = &written[i];
        struct attr service = { STR("service.name"), value_str(str_of(names[p->service])) };
        struct origin origin = { .resource = { &service, 1 } };
        struct record r = { .time_ns = p->start,
                            .span = { .duration_ns = p->duration,
                                      .status = p->status,
                                      .kind = SPAN_INTERNAL,
                                      .name = str_of(names[p->name]) } };
        r.trace_id[15] = p->trace;
        r.span_id[7] = p->span;
        r.span.parent_id[7] = p->parent;
        records_origin(&records, &origin);
        EXPECT_INT(records_add(&records, &r, &e), OK);
    }
    records_end(&records);
    batch_init(&batch, &arena, LABELS_PACKED);
    batch.spans = &records;
    EXPECT_INT(store_write(store, &batch, ACK_MEMORY, &result, NULL, NULL, &e), OK);
}

static void make_random(void)
{
    n_written = 0;
    for (uint8_t t = 1; t <= TRACES; t++) {
        int64_t begin = 1000 + (int64_t)roll(300);
        uint8_t spans = (uint8_t)(1 + roll(8));
        for (uint8_t s = 1; s <= spans; s++)
            written[n_written++] =
                (struct plain){ .trace = t,
                                .span = s,
                                .parent = s == 1 ? 0 : (uint8_t)(1 + roll(s - 1u)),
                                .service = (uint8_t)roll(3),
                                .name = (uint8_t)roll(3),
                                .status = (uint8_t)(roll(10) == 0 ? 2 : 0),
                                .start = begin + (int64_t)roll(60),
                                .duration = roll(15) == 0 ? SPAN_UNFINISHED : (int64_t)roll(100) };
    }
    store = toy_store_new();
    write_all();
}

struct asked {
    int service, status; /* -1: any */
    int64_t from, to, min, max;
};

/* The newest matching span's start; -1: the trace is not wanted. */
static int64_t naive(uint8_t trace, const struct asked *q)
{
    int64_t seen = -1, start = INT64_MAX, end = 0;
    bool error = false, running = false;
    for (size_t i = 0; i < n_written; i++) {
        const struct plain *p = &written[i];
        if (p->trace != trace) continue;
        start = p->start < start ? p->start : start;
        int64_t to = p->start + (p->duration < 0 ? 0 : p->duration);
        end = to > end ? to : end;
        error |= p->status == 2;
        running |= p->duration < 0;
        if (p->start < q->from || p->start > q->to) continue;
        if (q->service >= 0 && p->service != q->service) continue;
        if (q->service < 0 && q->status == TRACE_ERROR && p->status != 2) continue;
        if (q->service < 0 && q->status == TRACE_RUNNING && p->duration >= 0) continue;
        seen = p->start > seen ? p->start : seen;
    }
    if (seen < 0 || end - start < q->min || (q->max > 0 && end - start > q->max)) return -1;
    if (q->status == TRACE_ERROR && !error) return -1;
    if (q->status == TRACE_OK && (error || running)) return -1;
    if (q->status == TRACE_RUNNING && !running) return -1;
    return seen;
}

static size_t one_page(const struct trace_search *ask, struct trace_found *found)
{
    struct store_view *view;
    struct err e = ERR_INIT;
    EXPECT_INT(store_view_open(store, 0, INT64_MAX / 1000000, &view, &e), OK);
    if (trace_search(view, &call, ask, found, &e) < 0) fail_msg("%s", e.text);
    store_view_close(view);
    return found->n;
}

static void check_summary(const struct trace_summary *t)
{
    uint32_t spans = 0, errors = 0;
    for (size_t i = 0; i < n_written; i++)
        if (written[i].trace == t->id[15]) spans++, errors += written[i].status == 2;
    EXPECT_INT(t->spans, spans);
    EXPECT_INT(t->errors, errors);
    EXPECT(t->has_root);
}

TEST(every_wanted_trace_is_on_one_page_and_no_other)
{
    static const char *const names[] = { "a", "b", "c" };
    for (int round = 0; round < 150; round++) {
        arena_reset(&arena);
        make_random();
        struct asked q = { (int)roll(4) - 1, (int)roll(4), 0, INT64_MAX, 0, 0 };
        if (roll(3) == 0) q.from = 1050 + (int64_t)roll(100), q.to = q.from + (int64_t)roll(200);
        if (roll(3) == 0) q.min = (int64_t)roll(100);
        if (roll(3) == 0) q.max = q.min + (int64_t)roll(60);
        struct trace_search ask = { .from_ns = q.from,
                                    .to_ns = q.to,
                                    .status = (enum trace_status)q.status,
                                    .min_ns = q.min,
                                    .max_ns = q.max,
                                    .limit = 1 + roll(20) };
        if (q.service >= 0) ask.where = where_service(&arena, str_of(names[q.service]));

        bool given[TRACES + 1] = { false };
        int64_t last = INT64_MAX;
        size_t pages = 0;
        struct trace_found found;
        do {
            one_page(&ask, &found);
            EXPECT(found.n <= ask.limit);
            int64_t lowest = INT64_MAX;
            for (size_t i = 0; i < found.n; i++) {
                uint8_t id = found.at[i].id[15];
                EXPECT(!given[id]);
                given[id] = true;
                EXPECT_INT(found.at[i].seen_ns, naive(id, &q));
                EXPECT(found.at[i].seen_ns <= last);
                lowest = found.at[i].seen_ns < lowest ? found.at[i].seen_ns : lowest;
                EXPECT(i == 0 || found.at[i].start_ns <= found.at[i - 1].start_ns);
                check_summary(&found.at[i]);
            }
            if (found.n > 0) last = lowest;
            ask.after = found.next;
            EXPECT(++pages <= TRACES + 2);
        } while (found.more);
        for (uint8_t t = 1; t <= TRACES; t++) EXPECT_INT(given[t], naive(t, &q) >= 0);
        store_close(store);
    }
}

TEST(a_trace_that_grows_between_pages_is_not_given_twice)
{
    arena_reset(&arena);
    n_written = 0;
    for (uint8_t t = 1; t <= 3; t++)
        written[n_written++] = (struct plain){ .trace = t, .span = 1, .start = 1000 * t, .duration = 5 };
    store = toy_store_new();
    write_all();
    struct trace_search ask = { .to_ns = INT64_MAX, .limit = 1 };
    struct trace_found found;
    one_page(&ask, &found);
    EXPECT_INT(found.at[0].id[15], 3);
    written[0] = (struct plain){ .trace = 3, .span = 2, .parent = 1, .start = 1500, .duration = 5 };
    n_written = 1;
    write_all(); /* older than the cursor, of a trace that was given */
    ask.after = found.next;
    one_page(&ask, &found);
    EXPECT_INT(found.at[0].id[15], 2);
    ask.after = found.next;
    one_page(&ask, &found);
    EXPECT_INT(found.at[0].id[15], 1);
    EXPECT(!found.more);
    store_close(store);
}

TEST(the_window_counts_what_a_plain_walk_counts)
{
    for (int round = 0; round < 20; round++) {
        arena_reset(&arena);
        make_random();
        int64_t from = 1000 + (int64_t)roll(100), to = from + (int64_t)roll(300);
        uint64_t spans = 0, errors = 0, running = 0, by_service[3] = { 0 }, edges[3][3] = { { 0 } };
        bool trace[TRACES + 1] = { false };
        for (size_t i = 0; i < n_written; i++) {
            const struct plain *p = &written[i];
            if (p->start < from || p->start > to) continue;
            spans++, errors += p->status == 2, running += p->duration < 0, by_service[p->service]++;
            trace[p->trace] = true;
            for (size_t k = 0; k < n_written; k++)
                if (written[k].trace == p->trace && written[k].span == p->parent &&
                    written[k].start >= from && written[k].start <= to && written[k].service != p->service)
                    edges[written[k].service][p->service]++;
        }
        size_t traces = 0;
        for (size_t t = 0; t <= TRACES; t++) traces += trace[t];

        struct store_view *view;
        struct window_stats s;
        struct service_map map;
        struct err e = ERR_INIT;
        EXPECT_INT(store_view_open(store, 0, INT64_MAX / 1000000, &view, &e), OK);
        EXPECT_INT(window_stats(view, &call, from, to, NULL, &s, &e), OK);
        EXPECT(s.spans == spans && s.errors == errors && s.running == running && s.traces == traces);
        for (size_t i = 0; i < s.n_services; i++)
            EXPECT(s.services[i]->spans == by_service[s.services[i]->service.p[0] - 'a']);
        EXPECT_INT(window_map(view, &call, MAP_SERVICES, from, to, &map, &e), OK);
        for (size_t i = 0; i < map.n_edges; i++) {
            uint64_t *want = &edges[map.nodes[map.edges[i]->from].name.p[0] - 'a']
                                   [map.nodes[map.edges[i]->to].name.p[0] - 'a'];
            EXPECT(map.edges[i]->calls == *want);
            *want = 0;
        }
        for (size_t i = 0; i < 9; i++) EXPECT(edges[i / 3][i % 3] == 0); /* none is missing */
        store_view_close(view);
        store_close(store);
    }
}

TEST(quantiles_of_latencies_are_near)
{
    static struct latency l;
    for (int64_t i = 1; i <= 100000; i++) latency_add(&l, i * 1000);
    for (int p = 1; p < 100; p++) {
        double v = latency_quantile(&l, p / 100.0), want = p * 1e6;
        if (v < want * 0.955 || v > want * 1.045) fail_msg("p%d: %g, wanted %g", p, v, want);
    }
    EXPECT(latency_quantile(&l, 1) == 1e8);
    latency_add(&l, INT64_MAX); /* and -1, which is no latency */
    latency_add(&l, -1);
    EXPECT_INT(l.n, 100001);
}

TESTS(CASE(every_wanted_trace_is_on_one_page_and_no_other),
      CASE(a_trace_that_grows_between_pages_is_not_given_twice),
      CASE(the_window_counts_what_a_plain_walk_counts), CASE(quantiles_of_latencies_are_near))
