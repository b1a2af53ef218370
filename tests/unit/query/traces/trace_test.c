/* Trees by hand for the rules of trace.h, and random ones against plain recursion. */
#include "query/traces/trace.h"

#include "base/check.h"
#include "unit/test.h"

static struct arena arena = ARENA_INIT((size_t)1 << 30);
static struct trace t;

/* id and parent are small numbers; 0: none. */
static struct trace_span span(uint64_t id, uint64_t parent, int64_t start, int64_t duration)
{
    struct trace_span s = { .start_ns = start, .duration_ns = duration, .process = 1, .kind = SPAN_INTERNAL };
    id = htobe64(id);
    parent = htobe64(parent);
    memcpy(s.id, &id, 8);
    memcpy(s.parent_id, &parent, 8);
    return s;
}

static uint64_t id_at(size_t i)
{
    uint64_t id;
    memcpy(&id, t.at[i].id, 8);
    return be64toh(id);
}

static const struct trace_span *find(uint64_t id)
{
    for (size_t i = 0; i < t.n; i++)
        if (id_at(i) == id) return &t.at[i];
    fail_msg("no span %d", (int)id);
    return NULL;
}

static void build(const struct trace_span *s, size_t n)
{
    arena_reset(&arena);
    trace_build(&t, s, n, &arena);
}

#define BUILD(...)                                                                                           \
    build((const struct trace_span[]){ __VA_ARGS__ },                                                        \
          sizeof((const struct trace_span[]){ __VA_ARGS__ }) / sizeof(struct trace_span))

TEST(spans_stand_in_tree_order_whatever_the_order_of_arrival)
{
    BUILD(span(4, 2, 30, 10), span(3, 1, 50, 10), span(2, 1, 20, 25), span(1, 0, 10, 90), span(5, 3, 52, 1));
    const uint64_t want[] = { 1, 2, 4, 3, 5 };
    const uint32_t depth[] = { 0, 1, 2, 1, 2 }, parent[] = { SPAN_NONE, 0, 1, 0, 3 };
    for (size_t i = 0; i < 5; i++) {
        EXPECT_INT(id_at(i), want[i]);
        EXPECT_INT(t.at[i].depth, depth[i]);
        EXPECT_INT(t.at[i].parent, parent[i]);
    }
    EXPECT_INT(t.at[0].below, 4);
    EXPECT_INT(t.at[0].children, 2);
    EXPECT_INT(t.roots, 1);
    EXPECT_INT(t.depth, 3);
    EXPECT_INT(t.start_ns, 10);
    EXPECT_INT(t.end_ns, 100);
}

TEST(an_orphan_is_a_root_after_the_true_one)
{
    BUILD(span(7, 99, 1, 5), span(1, 0, 10, 90), span(8, 7, 2, 1));
    EXPECT_INT(id_at(0), 1);
    EXPECT_INT(id_at(1), 7);
    EXPECT_INT(id_at(2), 8);
    EXPECT_INT(t.orphans, 1);
    EXPECT_INT(t.roots, 2);
    EXPECT(t.at[1].marks & SPAN_ORPHAN);
    EXPECT(!(t.at[2].marks & SPAN_ORPHAN));
}

TEST(a_ring_of_parents_is_cut_at_its_earliest_span)
{
    BUILD(span(1, 3, 30, 5), span(2, 1, 20, 5), span(3, 2, 10, 5), span(4, 1, 31, 1), span(5, 5, 50, 1));
    EXPECT_INT(t.n, 5);
    EXPECT_INT(t.cycles, 2); /* the ring, and the one that is its own parent */
    EXPECT_INT(id_at(0), 3);
    EXPECT(t.at[0].marks & SPAN_CYCLE);
    EXPECT_INT(id_at(1), 1);
    EXPECT_INT(t.roots, 2);
    EXPECT_INT(find(4)->depth, 2);
    EXPECT_INT(find(5)->parent, SPAN_NONE);
}

TEST(two_sides_of_one_call_with_one_id_are_told_apart)
{
    struct trace_span client = span(2, 1, 20, 50), server = span(2, 1, 25, 40), inner = span(3, 2, 30, 10),
                      local = span(4, 2, 66, 2);
    client.kind = SPAN_CLIENT;
    server.kind = SPAN_SERVER;
    server.process = inner.process = 2;
    BUILD(server, inner, client, span(1, 0, 10, 90), local);
    EXPECT_INT(t.at[1].kind, SPAN_CLIENT);
    EXPECT_INT(t.at[2].kind, SPAN_SERVER);
    EXPECT_INT(t.at[2].parent, 1);
    EXPECT_INT(find(3)->parent, 2); /* the called process' own */
    EXPECT_INT(find(4)->parent, 1); /* the caller's own */
    EXPECT(t.at[1].marks & SPAN_SHARED && t.at[2].marks & SPAN_SHARED);
}

TEST(self_time_counts_overlapping_children_once)
{
    BUILD(span(1, 0, 0, 100), span(2, 1, 10, 30), span(3, 1, 20, 40), span(4, 1, 90, 50));
    EXPECT_INT(find(1)->self_ns, 100 - 50 - 10); /* 10..60, and 90..100 of the last */
    EXPECT_INT(find(4)->self_ns, 50);
}

TEST(the_critical_path_is_what_the_end_waited_for)
{
    /* 1: 0-100; 2: 10-40 beside 3: 20-60; 4: 60-90, whose child 5: 70-80. */
    BUILD(span(1, 0, 0, 100), span(2, 1, 10, 30), span(3, 1, 20, 40), span(4, 1, 60, 30), span(5, 4, 70, 10));
    EXPECT_INT(find(1)->critical_ns, 20 + 10);
    EXPECT_INT(find(2)->critical_ns, 0);
    EXPECT(!(find(2)->marks & SPAN_CRITICAL));
    EXPECT_INT(find(3)->critical_ns, 40);
    EXPECT_INT(find(4)->critical_ns, 20);
    EXPECT_INT(find(5)->critical_ns, 10);
    EXPECT_INT(t.idle_ns, 0);
}

TEST(what_lies_between_roots_is_idle)
{
    BUILD(span(1, 0, 0, 10), span(2, 0, 30, 10));
    EXPECT_INT(t.idle_ns, 20);
    EXPECT_INT(t.roots, 2);
}

TEST(clocks_of_two_processes_are_made_to_agree)
{
    struct trace_span client = span(1, 0, 1000, 100), server = span(2, 1, 400, 60),
                      below = span(3, 2, 410, 5);
    client.kind = SPAN_CLIENT;
    server.kind = SPAN_SERVER;
    server.process = below.process = 2;
    BUILD(client, server, below);
    EXPECT_INT(find(2)->from_ns, 1020); /* 60 in the middle of 100 */
    EXPECT_INT(find(2)->to_ns, 1080);
    EXPECT_INT(find(3)->from_ns, 1030); /* moves with its process */
    EXPECT_INT(find(2)->start_ns, 400);
    EXPECT(find(3)->marks & SPAN_SKEWED);
    EXPECT_INT(t.start_ns, 1000);
    EXPECT_INT(t.end_ns, 1100);
}

TEST(a_message_that_nobody_waits_for_is_not_moved)
{
    struct trace_span producer = span(1, 0, 1000, 10), consumer = span(2, 1, 5000, 60);
    producer.kind = SPAN_PRODUCER;
    consumer.kind = SPAN_CONSUMER;
    consumer.process = 2;
    BUILD(producer, consumer);
    EXPECT_INT(find(2)->from_ns, 5000);
    EXPECT_INT(t.end_ns, 5060);
}

TEST(a_running_span_ends_with_the_last_thing_known)
{
    BUILD(span(1, 0, 0, SPAN_UNFINISHED), span(2, 1, 10, 30), span(3, 1, 60, SPAN_UNFINISHED));
    EXPECT_INT(t.running, 2);
    EXPECT_INT(t.end_ns, 60);
    EXPECT_INT(find(1)->to_ns, 60);
    EXPECT_INT(find(1)->self_ns, 30);
}

TEST(times_at_the_end_of_time_do_not_overflow)
{
    BUILD(span(1, 0, INT64_MAX - 5, 100), span(2, 1, 0, INT64_MAX), span(3, 2, INT64_MAX, SPAN_UNFINISHED));
    EXPECT_INT(t.n, 3);
    EXPECT(t.end_ns == INT64_MAX);
}

/* ---- random traces ---- */

static uint64_t state = 1;
static uint64_t roll(uint64_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % n;
}

#define SPANS_MAX 40
static struct trace_span in[SPANS_MAX];

static size_t random_trace(void)
{
    size_t n = 1 + roll(SPANS_MAX);
    for (size_t i = 0; i < n; i++) {
        uint64_t parent = roll(10) == 0 ? roll(60) : roll(i + 1); /* sometimes missing, later, or itself */
        in[i] = span(i + 1, i == 0 && roll(4) > 0 ? 0 : parent, (int64_t)roll(200), (int64_t)roll(100));
        in[i].process = 1 + roll(3);
        if (roll(12) == 0) in[i].duration_ns = SPAN_UNFINISHED;
    }
    return n;
}

/* Nanosecond by nanosecond. */
static int64_t naive_self(size_t i)
{
    int64_t self = 0;
    for (int64_t at = t.at[i].from_ns; at < t.at[i].to_ns; at++) {
        bool covered = false;
        for (size_t k = 0; k < t.n && !covered; k++)
            covered = t.at[k].parent == i && t.at[k].from_ns <= at && at < t.at[k].to_ns;
        self += !covered;
    }
    return self;
}

static int64_t naive_critical[SPANS_MAX + 1];

/* The same rule as a recursion: what did span i (t.n: the trace) wait for in [from, to]? */
static void naive_path(size_t i, int64_t from, int64_t to)
{
    uint32_t me = i == t.n ? SPAN_NONE : (uint32_t)i;
    bool used[SPANS_MAX] = { false };
    int64_t at = to;
    while (true) {
        size_t best = SIZE_MAX;
        for (size_t k = 0; k < t.n; k++) {
            const struct trace_span *s = &t.at[k];
            if (s->parent != me || used[k] || MIN(s->to_ns, to) > at ||
                MIN(s->to_ns, to) <= MAX(s->from_ns, from))
                continue;
            if (best == SIZE_MAX || s->to_ns > t.at[best].to_ns ||
                (s->to_ns == t.at[best].to_ns && s->from_ns < t.at[best].from_ns))
                best = k;
        }
        if (best == SIZE_MAX) break;
        used[best] = true;
        int64_t child_to = MIN(t.at[best].to_ns, to), child_from = MAX(t.at[best].from_ns, from);
        naive_critical[i] += at - child_to;
        naive_path(best, child_from, child_to);
        at = child_from;
    }
    naive_critical[i] += at - from;
}

static void check_tree(size_t n)
{
    size_t below = 0;
    EXPECT_INT(t.n, n);
    for (size_t i = 0; i < n; i++) {
        const struct trace_span *s = &t.at[i];
        if (s->parent == SPAN_NONE) {
            EXPECT_INT(s->depth, 0);
            below += s->below + 1;
            continue;
        }
        EXPECT(s->parent < i && i <= s->parent + t.at[s->parent].below);
        EXPECT_INT(s->depth, t.at[s->parent].depth + 1);
        EXPECT(memcmp(s->parent_id, t.at[s->parent].id, 8) == 0); /* random ids are distinct */
    }
    EXPECT_INT(below, n);
}

TEST(random_traces_agree_with_plain_recursion)
{
    for (int round = 0; round < 3000; round++) {
        size_t n = random_trace();
        int64_t sum = 0;
        build(in, n);
        check_tree(n);
        memset(naive_critical, 0, sizeof naive_critical);
        naive_path(n, t.start_ns, t.end_ns);
        for (size_t i = 0; i < n; i++) {
            EXPECT_INT(t.at[i].self_ns, naive_self(i));
            EXPECT_INT(t.at[i].critical_ns, naive_critical[i]);
            sum += t.at[i].critical_ns;
        }
        EXPECT_INT(t.idle_ns, naive_critical[n]);
        EXPECT_INT(sum + t.idle_ns, t.end_ns - t.start_ns);
    }
}

TEST(a_chain_of_many_spans_is_no_deeper_for_us)
{
    enum { MANY = 20000 };
    struct trace_span *s = calloc(MANY, sizeof *s);
    for (uint64_t i = 0; i < MANY; i++) s[i] = span(i + 1, i, (int64_t)i, 2 * MANY - 2 * (int64_t)i);
    build(s, MANY);
    free(s);
    EXPECT_INT(t.depth, MANY);
    EXPECT_INT(t.at[MANY - 1].depth, MANY - 1);
    EXPECT_INT(t.at[0].below, MANY - 1);
}

TESTS(CASE(spans_stand_in_tree_order_whatever_the_order_of_arrival),
      CASE(an_orphan_is_a_root_after_the_true_one), CASE(a_ring_of_parents_is_cut_at_its_earliest_span),
      CASE(two_sides_of_one_call_with_one_id_are_told_apart),
      CASE(self_time_counts_overlapping_children_once), CASE(the_critical_path_is_what_the_end_waited_for),
      CASE(what_lies_between_roots_is_idle), CASE(clocks_of_two_processes_are_made_to_agree),
      CASE(a_message_that_nobody_waits_for_is_not_moved), CASE(a_running_span_ends_with_the_last_thing_known),
      CASE(times_at_the_end_of_time_do_not_overflow), CASE(random_traces_agree_with_plain_recursion),
      CASE(a_chain_of_many_spans_is_no_deeper_for_us))
