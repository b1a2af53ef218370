/* Budgets: their configuration, and arithmetic by hand. S1-029 */
#include "judge/budget.h"

#include "base/check.h"
#include "model/price.h"
#include "unit/test.h"

#define NOON INT64_C(1772366400000) /* 2026-03-01 12:00 UTC */
#define HOUR INT64_C(3600000)

TEST(a_day_and_a_month_are_those_of_utc)
{
    int64_t start, end;
    budget_period_at(BUDGET_DAILY, NOON, &start, &end);
    EXPECT(start == NOON - 12 * HOUR && end == NOON + 12 * HOUR);
    budget_period_at(BUDGET_MONTHLY, NOON, &start, &end);
    EXPECT(start == NOON - 12 * HOUR && end == start + 31 * 24 * HOUR);
    budget_period_at(BUDGET_MONTHLY, NOON - 24 * HOUR, &start, &end); /* February */
    EXPECT(end - start == 28 * 24 * HOUR);
    budget_period_at(BUDGET_MONTHLY, NOON + (31 + 30 + 31 + 30 + 31 + 31 + 30 + 31 + 30) * 24 * HOUR, &start,
                     &end);
    EXPECT(end - start == 31 * 24 * HOUR); /* December: the next month is of the next year */
}

TEST(burn_says_when_it_is_gone)
{
    /* 10 USD a day, 4 used at noon, 1.50 in the last hour: gone in 4 h; 22 USD at midnight */
    struct budget_state s = budget_judge(BUDGET_DAILY, 10 * NANO_USD, 4 * NANO_USD, 3 * NANO_USD / 2, NOON);
    EXPECT(s.usage_percent == 40 && s.burn_usd_per_hour == 1.5 && s.projected_usd == 22);
    EXPECT(s.exhausted_ms == NOON + 4 * HOUR && !s.is_exceeded);
    s = budget_judge(BUDGET_DAILY, 10 * NANO_USD, 4 * NANO_USD, NANO_USD / 4, NOON); /* 24 h: not today */
    EXPECT(s.exhausted_ms == 0);
    s = budget_judge(BUDGET_DAILY, 10 * NANO_USD, 10 * NANO_USD + 1, 0, NOON);
    EXPECT(s.is_exceeded && s.exhausted_ms == NOON);
    s = budget_judge(BUDGET_MONTHLY, 0, 5, 5, NOON); /* no limit: nothing to use up */
    EXPECT(s.exhausted_ms == 0 && !s.is_exceeded && s.usage_percent == 0);
}

static int read(const char *text, size_t *n, struct budget *first, char why[256])
{
    struct arena a = ARENA_INIT(1u << 20);
    struct budget *at;
    struct yaml *y;
    struct err e = ERR_INIT;
    int rc = yaml_parse(str_of(text), "t", &a, &y, &e);
    if (rc == OK) rc = budgets_read(y, &a, &at, n, &e);
    if (rc == OK && *n > 0) *first = at[0];
    snprintf(why, 256, "%.255s", e.text);
    arena_release(&a);
    return rc;
}

TEST(the_section_is_read_and_mistakes_are_named)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        { "- {name: a}", "daily" },
        { "- {name: a, daily: -1}", "daily" },
        { "- {name: a, daily: 0}", "daily" },
        { "- {daily: 1}", "name" },
        { "- {name: a, scope: planet, daily: 1}", "scope" },
        { "- {name: a, scope: agent, daily: 1}", "of" },
        { "- {name: a, of: x, daily: 1}", "of" },
        { "- {name: a, daily: 1}\n- {name: a, daily: 1}", "two budgets" },
        { "- {name: a, daily: 1, weekly: 2}", "weekly" },
        { "- {name: a, daily: 1, sources: [moon]}", "sources" },
        { "a: 1", "list" },
    };
    struct budget b = { 0 };
    size_t n;
    char why[256];
    EXPECT_INT(read("- {name: a, scope: user, of: u1, daily: 0.5, monthly: 0.000000001}", &n, &b, why), OK);
    EXPECT(n == 1 && b.scope == BUDGET_OF_USER && b.limit_nano[BUDGET_DAILY] == NANO_USD / 2 &&
           b.limit_nano[BUDGET_MONTHLY] == 1);
    for (size_t i = 0; i < COUNT(bad); i++) {
        EXPECT(read(bad[i].text, &n, &b, why) < 0);
        EXPECT(strstr(why, bad[i].why) != NULL);
    }
}

TESTS(CASE(a_day_and_a_month_are_those_of_utc), CASE(burn_says_when_it_is_gone),
      CASE(the_section_is_read_and_mistakes_are_named))
