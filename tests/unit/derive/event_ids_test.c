#include "derive/event_ids.h"

#include "unit/test.h"

static uint64_t id(size_t i)
{
    char text[32];
    int n = snprintf(text, sizeof text, "id-%zu", i);
    return event_id_hash("vedette.lb.request", str_make(text, (size_t)n));
}

TEST(an_id_is_claimed_once_until_it_is_released)
{
    struct event_ids *s = event_ids_new(0);
    EXPECT(event_ids_claim(s, id(1)));
    EXPECT(!event_ids_claim(s, id(1)));
    event_ids_release(s, id(1));
    EXPECT(event_ids_count(s) == 0);
    EXPECT(event_ids_claim(s, id(1)));
    event_ids_unref(s);
}

TEST(a_claimed_id_is_settled_once_and_not_released_after)
{
    struct event_ids *s = event_ids_new(0);
    EXPECT(event_ids_claim(s, id(1)));
    EXPECT(event_ids_settle(s, id(1)));
    EXPECT(!event_ids_settle(s, id(1)));
    event_ids_release(s, id(1));
    EXPECT(!event_ids_claim(s, id(1)));
    EXPECT(event_ids_settle(s, id(2))); /* by a door that claims nothing */
    EXPECT(!event_ids_claim(s, id(2)));
    event_ids_unref(s);
}

TEST(kinds_have_ids_of_their_own)
{
    EXPECT(event_id_hash("a", STR("1")) != event_id_hash("b", STR("1")));
}

TEST(the_last_ones_are_remembered_and_no_more)
{
    struct event_ids *s = event_ids_new(1000);
    for (size_t i = 0; i < 10500; i++) EXPECT(event_ids_claim(s, id(i)));
    EXPECT(event_ids_count(s) <= 2000);
    for (size_t i = 9500; i < 10500; i++) EXPECT(!event_ids_claim(s, id(i)));
    EXPECT(event_ids_claim(s, id(0))); /* long forgotten */
    event_ids_unref(s);
}

TEST(many_releases_cost_no_memory)
{
    struct event_ids *s = event_ids_new(1000);
    for (size_t i = 0; i < 200000; i++) {
        EXPECT(event_ids_claim(s, id(i)));
        event_ids_release(s, id(i));
    }
    EXPECT(event_ids_count(s) == 0);
    event_ids_unref(s);
}

TESTS(CASE(an_id_is_claimed_once_until_it_is_released),
      CASE(a_claimed_id_is_settled_once_and_not_released_after), CASE(kinds_have_ids_of_their_own),
      CASE(the_last_ones_are_remembered_and_no_more), CASE(many_releases_cost_no_memory))
