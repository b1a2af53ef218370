/* alert_states_test.c - the machine, walked through by hand. Times are minutes. */
#include "judge/alert_states.h"

#include "unit/test.h"

#define MIN_MS 60000

static struct label label_a[] = { { { "alertname", 9 }, { "A", 1 } }, { { "i", 1 }, { "1", 1 } } };
static struct label label_b[] = { { { "alertname", 9 }, { "A", 1 } }, { { "i", 1 }, { "2", 1 } } };

static struct alert_seen seen(struct label *labels, double value)
{
    struct labels l = { labels, 2 };
    return (struct alert_seen){ .id = labels_id(l), .labels = l, .value = value };
}

static int step(struct alert_states *s, const struct alert_terms *t, bool a, int64_t minute)
{
    struct alert_seen one = seen(label_a, (double)minute);
    struct err e = ERR_INIT;
    return alert_states_step(s, t, &one, a ? 1 : 0, minute * MIN_MS, &e);
}

TEST(without_for_it_fires_at_once)
{
    struct alert_states s = { 0 };
    struct alert_terms t = { 0 };
    step(&s, &t, true, 1);
    EXPECT_INT(s.n, 1);
    EXPECT(s.at[0]->phase == ALERT_FIRING && s.at[0]->fired_ms == MIN_MS && s.at[0]->active_ms == MIN_MS);
    alert_states_release(&s);
}

TEST(for_is_waited_out_and_an_absence_begins_anew)
{
    struct alert_states s = { 0 };
    struct alert_terms t = { .for_ms = 3 * MIN_MS };
    for (int64_t m = 0; m < 3; m++) {
        step(&s, &t, true, m);
        EXPECT(s.at[0]->phase == ALERT_PENDING);
    }
    step(&s, &t, false, 3); /* one step before it would have fired */
    EXPECT_INT(s.n, 0);
    for (int64_t m = 4; m < 7; m++) step(&s, &t, true, m);
    EXPECT(s.at[0]->phase == ALERT_PENDING && s.at[0]->active_ms == 4 * MIN_MS);
    step(&s, &t, true, 7);
    EXPECT(s.at[0]->phase == ALERT_FIRING && s.at[0]->fired_ms == 7 * MIN_MS);
    EXPECT(s.at[0]->value == 7);
    alert_states_release(&s);
}

TEST(keep_firing_for_bridges_gaps)
{
    struct alert_states s = { 0 };
    struct alert_terms t = { .keep_firing_ms = 3 * MIN_MS };
    step(&s, &t, true, 0);
    step(&s, &t, false, 1);
    step(&s, &t, false, 3);
    EXPECT(s.at[0]->phase == ALERT_FIRING && s.at[0]->kept_since_ms == MIN_MS);
    step(&s, &t, true, 3);
    EXPECT(s.at[0]->kept_since_ms == ALERT_NEVER);
    step(&s, &t, false, 4);
    step(&s, &t, false, 6);
    EXPECT(s.at[0]->phase == ALERT_FIRING);
    step(&s, &t, false, 7); /* three minutes without it */
    EXPECT(s.at[0]->phase == ALERT_INACTIVE && s.at[0]->resolved_ms == 7 * MIN_MS);
    alert_states_release(&s);
}

TEST(an_end_is_remembered_for_a_quarter_of_an_hour)
{
    struct alert_states s = { 0 };
    struct alert_terms t = { 0 };
    step(&s, &t, true, 0);
    for (int64_t m = 1; m <= 16; m++) {
        step(&s, &t, false, m);
        EXPECT_INT(s.n, 1);
    }
    step(&s, &t, false, 17);
    EXPECT_INT(s.n, 0);
    alert_states_release(&s);
}

TEST(seen_again_after_its_end_it_begins_anew)
{
    struct alert_states s = { 0 };
    struct alert_terms t = { .for_ms = MIN_MS };
    step(&s, &t, true, 0);
    step(&s, &t, true, 1);
    step(&s, &t, false, 2);
    EXPECT(s.at[0]->phase == ALERT_INACTIVE);
    step(&s, &t, true, 3);
    EXPECT_INT(s.n, 1);
    EXPECT(s.at[0]->phase == ALERT_PENDING && s.at[0]->active_ms == 3 * MIN_MS);
    EXPECT(s.at[0]->sent_ms == ALERT_NEVER && s.at[0]->resolved_ms == ALERT_NEVER);
    alert_states_release(&s);
}

TEST(what_is_due_to_be_told)
{
    struct alert_states s = { 0 };
    struct alert_terms t = { .for_ms = MIN_MS };
    step(&s, &t, true, 0);
    EXPECT(!live_alert_is_due(s.at[0], 0, MIN_MS)); /* pending is nobody's business */
    step(&s, &t, true, 1);
    EXPECT(live_alert_is_due(s.at[0], MIN_MS, MIN_MS));
    s.at[0]->sent_ms = MIN_MS;
    EXPECT(!live_alert_is_due(s.at[0], 2 * MIN_MS, MIN_MS)); /* exactly one delay later is not yet more */
    EXPECT(live_alert_is_due(s.at[0], 2 * MIN_MS + 1, MIN_MS));
    step(&s, &t, false, 2);
    EXPECT(live_alert_is_due(s.at[0], 2 * MIN_MS, MIN_MS)); /* an end is told at once */
    s.at[0]->sent_ms = 2 * MIN_MS;
    EXPECT(!live_alert_is_due(s.at[0], 2 * MIN_MS, MIN_MS));
    EXPECT(live_alert_is_due(s.at[0], 4 * MIN_MS, MIN_MS)); /* and again, in case it was lost */
    alert_states_release(&s);
}

TEST(two_of_the_same_labels_change_nothing)
{
    struct alert_states s = { 0 };
    struct alert_terms t = { 0 };
    struct alert_seen twice[] = { seen(label_a, 5), seen(label_a, 6) };
    struct err e = ERR_INIT;
    step(&s, &t, true, 0);
    EXPECT_INT(alert_states_step(&s, &t, twice, 2, MIN_MS, &e), ERR_EXEC);
    EXPECT(strstr(e.text, "same labelset") != NULL);
    EXPECT(s.n == 1 && s.at[0]->value == 0 && s.at[0]->phase == ALERT_FIRING);
    alert_states_release(&s);
}

TEST(beyond_the_limit_all_are_forgotten)
{
    struct alert_states s = { 0 };
    struct alert_terms t = { .limit = 1 };
    struct alert_seen both[] = { seen(label_a, 1), seen(label_b, 2) };
    struct err e = ERR_INIT;
    EXPECT_INT(alert_states_step(&s, &t, both, 1, 0, &e), OK);
    EXPECT_INT(alert_states_step(&s, &t, both, 2, MIN_MS, &e), ERR_LIMIT);
    EXPECT_STR(e.text, "exceeded limit of 1 with 2 alerts");
    EXPECT_INT(s.n, 0);
    EXPECT_INT(alert_states_step(&s, &t, both, 1, 2 * MIN_MS, &e), OK); /* and it goes on from there */
    EXPECT_INT(s.n, 1);
    alert_states_release(&s);
}

TEST(annotations_are_the_newest)
{
    struct alert_states s = { 0 };
    struct alert_terms t = { 0 };
    struct label first = { { "summary", 7 }, { "one", 3 } }, second = { { "summary", 7 }, { "three", 5 } };
    struct alert_seen a = seen(label_a, 1);
    struct err e = ERR_INIT;
    a.annotations = (struct labels){ &first, 1 };
    alert_states_step(&s, &t, &a, 1, 0, &e);
    a.annotations = (struct labels){ &second, 1 };
    alert_states_step(&s, &t, &a, 1, 1, &e);
    EXPECT(str_is(s.at[0]->annotations.at[0].value, "three"));
    alert_states_release(&s);
}

TEST(a_successor_takes_over_what_it_does_not_have)
{
    struct alert_states old = { 0 }, fresh = { 0 };
    struct alert_terms t = { 0 };
    struct alert_seen both[] = { seen(label_a, 1), seen(label_b, 2) };
    struct err e = ERR_INIT;
    alert_states_step(&old, &t, both, 2, 0, &e);
    alert_states_step(&fresh, &t, both, 1, MIN_MS, &e);
    alert_states_take_over(&fresh, &old);
    EXPECT(old.n == 0 && fresh.n == 2);
    EXPECT(fresh.at[0]->active_ms == MIN_MS && fresh.at[1]->active_ms == 0);
    alert_states_step(&fresh, &t, both, 2, 2 * MIN_MS, &e);
    EXPECT(fresh.n == 2 && fresh.at[1]->active_ms == 0);
    alert_states_release(&fresh);
}

TEST(on_a_partial_answer_nothing_ends_and_nothing_ripens_unseen)
{
    struct alert_states s = { 0 };
    struct alert_terms t = { .for_ms = 2 * MIN_MS };
    EXPECT(step(&s, &t, true, 0) == OK);
    t.is_partial = true;
    EXPECT(step(&s, &t, false, 1) == OK && s.n == 1);
    EXPECT(step(&s, &t, false, 3) == OK && s.at[0]->phase == ALERT_PENDING); /* unseen: it may be over */
    EXPECT(step(&s, &t, true, 4) == OK && s.at[0]->phase == ALERT_FIRING);
    EXPECT(step(&s, &t, false, 60) == OK && s.at[0]->phase == ALERT_FIRING);
    t.is_partial = false;
    EXPECT(step(&s, &t, false, 61) == OK && s.at[0]->phase == ALERT_INACTIVE);
    t.is_partial = true;
    EXPECT(step(&s, &t, false, 61 + 16) == OK && s.n == 0); /* what has ended is forgotten as ever */
    alert_states_release(&s);
}

TESTS(CASE(on_a_partial_answer_nothing_ends_and_nothing_ripens_unseen), CASE(without_for_it_fires_at_once),
      CASE(for_is_waited_out_and_an_absence_begins_anew), CASE(keep_firing_for_bridges_gaps),
      CASE(an_end_is_remembered_for_a_quarter_of_an_hour), CASE(seen_again_after_its_end_it_begins_anew),
      CASE(what_is_due_to_be_told), CASE(two_of_the_same_labels_change_nothing),
      CASE(beyond_the_limit_all_are_forgotten), CASE(annotations_are_the_newest),
      CASE(a_successor_takes_over_what_it_does_not_have))
