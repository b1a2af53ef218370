#include "derive/event_open.h"

#include "unit/test.h"

static size_t lost_n;
static int64_t lost_ms;
static void lost(void *ctx, const struct event_opened *was)
{
    (void)ctx;
    lost_n++;
    lost_ms = was->time_ms;
}

static struct event_opened at(int64_t ms)
{
    return (struct event_opened){ ms, { STR("backend"), STR(""), STR("c") } };
}

TEST(an_end_finds_what_its_start_said_once)
{
    struct event_open *o = event_open_new(10, 1000, NULL, NULL);
    struct event_opened what = at(5), was;
    EXPECT(event_open_begin(o, 7, &what));
    EXPECT(!event_open_begin(o, 7, &what));
    EXPECT(!event_open_end(o, 8, &was));
    EXPECT(event_open_end(o, 7, &was));
    EXPECT(was.time_ms == 5 && str_is(was.text[0], "backend") && was.text[1].n == 0 &&
           str_is(was.text[2], "c"));
    EXPECT(!event_open_end(o, 7, &was));
    event_open_free(o);
}

TEST(the_oldest_go_first_when_there_are_too_many)
{
    struct event_open *o = event_open_new(100, 1000000, lost, NULL);
    struct event_opened was;
    lost_n = 0;
    for (uint64_t i = 1; i <= 150; i++) {
        struct event_opened what = at((int64_t)i);
        EXPECT(event_open_begin(o, i << 20, &what));
    }
    EXPECT(event_open_count(o) == 100 && lost_n == 50 && lost_ms == 50);
    EXPECT(!event_open_end(o, 50ull << 20, &was));
    EXPECT(event_open_end(o, 51ull << 20, &was));
    event_open_free(o);
}

TEST(nothing_is_open_for_ever)
{
    struct event_open *o = event_open_new(100, 1000, lost, NULL);
    struct event_opened a = at(0), b = at(500), was;
    lost_n = 0;
    event_open_begin(o, 1, &a);
    event_open_begin(o, 2, &b);
    event_open_expire(o, 1001);
    EXPECT(lost_n == 1 && event_open_count(o) == 1);
    EXPECT(event_open_end(o, 2, &was));
    event_open_free(o);
}

/* Against a plain table: begins and ends in an order without order. */
TEST(it_agrees_with_a_plain_table)
{
    static bool open[512];
    struct event_open *o = event_open_new(1000, 1 << 30, NULL, NULL);
    struct event_opened what = at(1), was;
    uint64_t x = 12345;
    for (size_t i = 0; i < 100000; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        size_t id = (x >> 33) & 511;
        uint64_t hash = (id + 1) * 0x9e3779b97f4a7c15u;
        if (x & 1) {
            EXPECT(event_open_begin(o, hash, &what) == !open[id]);
            open[id] = true;
        } else {
            EXPECT(event_open_end(o, hash, &was) == open[id]);
            open[id] = false;
        }
    }
    event_open_free(o);
}

TESTS(CASE(an_end_finds_what_its_start_said_once), CASE(the_oldest_go_first_when_there_are_too_many),
      CASE(nothing_is_open_for_ever), CASE(it_agrees_with_a_plain_table))
