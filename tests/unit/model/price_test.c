/* Money, each expectation worked out by hand from published list prices. */
#include "model/price.h"

#include "unit/test.h"

#define SECOND INT64_C(1000000000)

static struct genai_span call_of(const char *provider, const char *model, int64_t input, int64_t output)
{
    return (struct genai_span){ .kind = GENAI_LLM,
                                .part = PART_CALL,
                                .time_ns = INT64_C(1758284610) * SECOND, /* 2025-09-19 12:23:30 UTC */
                                .provider = str_of(provider),
                                .model = str_of(model),
                                .usage = { .tokens = { [TOKENS_INPUT] = input, [TOKENS_OUTPUT] = output } },
                                .has_usage = true };
}

static int64_t nano_of(const char *provider, const char *model, int64_t input, int64_t output)
{
    struct price_book *b = price_book_builtin();
    struct genai_span g = call_of(provider, model, input, output);
    struct cost c = price_book_cost(b, &g);
    EXPECT(c.source == COST_LIST);
    price_book_unref(b);
    return c.nano_usd;
}

TEST(price_a_cached_call_with_reasoning_costs_what_hand_calculation_says)
{
    /* gpt-5: 1.25, 0.125 and 10 USD a million. 91 x 1250 + 1024 x 125 + 101 x 10000 nano = 1251750. */
    struct price_book *b = price_book_builtin();
    struct genai_span g = call_of("openai", "gpt-5", 91, 37);
    g.usage.tokens[TOKENS_CACHE_READ] = 1024;
    g.usage.tokens[TOKENS_REASONING] = 64;
    struct cost c = price_book_cost(b, &g);

    EXPECT_INT(c.nano_usd, 1251750);
    EXPECT_INT(c.part[TOKENS_INPUT], 113750);
    EXPECT_INT(c.part[TOKENS_CACHE_READ], 128000);
    EXPECT_INT(c.part[TOKENS_OUTPUT], 370000);
    EXPECT_INT(c.part[TOKENS_REASONING], 640000);
    EXPECT(c.match == MATCH_EXACT);
    price_book_unref(b);
}

TEST(price_the_long_tier_is_for_the_whole_request_and_begins_above_its_bound)
{
    /* gpt-5.5: 5 and 30; above 272000 tokens in: 10 and 45. */
    EXPECT_INT(nano_of("openai", "gpt-5.5", 272000, 1000), INT64_C(272000) * 5000 + 1000 * 30000);
    EXPECT_INT(nano_of("openai", "gpt-5.5", 272001, 1000), INT64_C(272001) * 10000 + 1000 * 45000);
}

TEST(price_cached_tokens_count_for_the_tier)
{
    struct price_book *b = price_book_builtin();
    struct genai_span g = call_of("openai", "gpt-5.5", 1, 0);
    g.usage.tokens[TOKENS_CACHE_READ] = 272000;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 10000 + INT64_C(272000) * 1000);
    price_book_unref(b);
}

TEST(price_is_that_of_the_day_the_call_began)
{
    /* claude-sonnet-5: 2 and 10 before 2026-09-01 UTC, 3 and 15 from then on. */
    struct price_book *b = price_book_builtin();
    struct genai_span g = call_of("anthropic", "claude-sonnet-5", 1000, 100);

    g.time_ns = INT64_C(1788220800) * SECOND - 1;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 1000 * 2000 + 100 * 10000);
    g.time_ns++;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 1000 * 3000 + 100 * 15000);
    price_book_unref(b);
}

TEST(price_may_hang_on_the_hour)
{
    /* deepseek-chat: 0.27 and 1.1 from 00:30 to 16:30 UTC, 0.135 and 0.55 else. */
    struct price_book *b = price_book_builtin();
    struct genai_span g = call_of("deepseek", "deepseek-chat", 1000, 1000);
    int64_t midnight = INT64_C(1758240000) * SECOND;

    g.time_ns = midnight + (30 * 60) * SECOND - 1;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 1000 * 135 + 1000 * 550);
    g.time_ns++;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 1000 * 270 + 1000 * 1100);
    g.time_ns = midnight + (16 * 60 + 30) * 60 * SECOND;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 1000 * 135 + 1000 * 550);
    price_book_unref(b);
}

TEST(price_classes_of_service_have_their_own_and_fall_back_to_the_standard)
{
    /* gpt-5.6: batch has 2.5 and 15 but no price of a cache read, which is 0.5 then; its long tier is 10 and
     * 45, so in batch 10 x 2.5 / 5 and 45 x 15 / 30. */
    struct price_book *b = price_book_builtin();
    struct genai_span g = call_of("openai", "gpt-5.6", 1000, 100);

    g.price_class = CLASS_BATCH;
    g.usage.tokens[TOKENS_CACHE_READ] = 1000;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 1000 * 2500 + 1000 * 500 + 100 * 15000);
    g.usage.tokens[TOKENS_REASONING] = 10; /* has no price of its own: that of output */
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 1000 * 2500 + 1000 * 500 + 110 * 15000);
    g.usage.tokens[TOKENS_REASONING] = 0;
    g.price_class = CLASS_PRIORITY;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 1000 * 10000 + 1000 * 1000 + 100 * 60000);
    g.price_class = CLASS_BATCH;
    g.usage.tokens[TOKENS_CACHE_READ] = 0;
    g.usage.tokens[TOKENS_INPUT] = 300000;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, INT64_C(300000) * 5000 + 100 * 22500);
    price_book_unref(b);
}

TEST(price_writing_a_cache_for_an_hour_costs_more)
{
    /* claude-sonnet-4-5: 3.75 for 5 minutes, 6 for an hour. */
    struct price_book *b = price_book_builtin();
    struct genai_span g = call_of("anthropic", "claude-sonnet-4-5", 0, 0);
    g.usage.tokens[TOKENS_CACHE_WRITE] = 1500;
    g.usage.cache_write_1h = 500;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 1000 * 3750 + 500 * 6000);
    price_book_unref(b);
}

TEST(price_a_tier_without_a_price_of_its_own_grows_as_input_does)
{
    /* claude-sonnet-4-20250514: 3, an hour's write 6; above 200000: 6, and of the hour nothing is said: 12.
     */
    struct price_book *b = price_book_builtin();
    struct genai_span g = call_of("anthropic", "claude-sonnet-4-20250514", 200001, 0);
    g.usage.tokens[TOKENS_CACHE_WRITE] = g.usage.cache_write_1h = 1000;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, INT64_C(200001) * 6000 + 1000 * 12000);
    price_book_unref(b);
}

TEST(price_a_call_is_rounded_once_and_half_up)
{
    /* deepseek-v4-pro: a cache read is 0.003625 USD a million: 3.625 nano-dollars a token. 4 are 14.5. */
    struct price_book *b = price_book_builtin();
    struct genai_span g = call_of("deepseek", "deepseek-v4-pro", 0, 0);
    g.usage.tokens[TOKENS_CACHE_READ] = 4;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 15);
    g.usage.tokens[TOKENS_CACHE_READ] = 1;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 4);
    g.usage.tokens[TOKENS_CACHE_READ] = 3; /* 10.875 */
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 11);
    price_book_unref(b);
}

TEST(price_parts_add_up_to_the_whole)
{
    struct price_book *b = price_book_builtin();
    struct genai_span g = call_of("google", "gemini-2.0-flash-lite", 7, 11);
    g.usage.tokens[TOKENS_CACHE_READ] = 3; /* 18.75 nano-dollars each */
    g.usage.tokens[TOKENS_REASONING] = 1;
    struct cost c = price_book_cost(b, &g);
    int64_t sum = 0;
    for (size_t i = 0; i < TOKEN_BUCKETS; i++) sum += c.part[i];
    EXPECT_INT(sum, c.nano_usd);
    EXPECT_INT(c.nano_usd, 7 * 75 + 12 * 300 + 56); /* 56.25 */
    price_book_unref(b);
}

TEST(price_is_found_by_whatever_routers_regions_and_dates_make_of_an_id)
{
    static const struct {
        const char *provider, *asked, *model;
        enum price_match how;
    } cases[] = {
        { "openai", "gpt-4o-mini", "gpt-4o-mini", MATCH_EXACT },
        { "openai", "gpt-4o-mini-2024-07-18", "gpt-4o-mini", MATCH_ALIAS },
        { "openai", "GPT-4O-Mini", "gpt-4o-mini", MATCH_EXACT },
        { "azure.ai.openai", "gpt-5.4-2031-01-31", "gpt-5.4", MATCH_DATED },
        { "anthropic", "claude-haiku-4-5-20991231", "claude-haiku-4-5", MATCH_DATED },
        { "gcp.vertex_ai", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5", MATCH_DATED },
        { "", "bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude-haiku-4-5", MATCH_ROUTED },
        { "aws.bedrock", "us.anthropic.claude-sonnet-4-6", "claude-sonnet-4-6", MATCH_ROUTED },
        { "openrouter", "openrouter/anthropic/claude-opus-4-1", "claude-opus-4-1", MATCH_ROUTED },
        { "gcp.gemini", "models/gemini-2.5-pro", "gemini-2.5-pro", MATCH_ROUTED },
        { "groq", "openai/gpt-oss-120b", "openai/gpt-oss-120b", MATCH_EXACT },
        { "mistral_ai", "mistral/mistral-small-latest", "mistral-small-latest", MATCH_ROUTED },
    };
    struct price_book *b = price_book_builtin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum price_match how;
        const struct price_model *m =
            price_book_find(b, str_of(cases[i].provider), str_of(cases[i].asked), &how);
        EXPECT(m != NULL);
        EXPECT(str_is(m->model, cases[i].model));
        EXPECT_INT(how, cases[i].how);
    }
    price_book_unref(b);
}

TEST(price_of_a_stranger_is_not_guessed)
{
    static const char *const strangers[] = { "gpt-5-ultra", "gpt",   "claude", "llama",   "/",
                                             "a/b/",        "-v1:0", "us.",    "gpt-5-20" };
    struct price_book *b = price_book_builtin();
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        enum price_match how;
        EXPECT(price_book_find(b, STR("openai"), str_of(strangers[i]), &how) == NULL);
        EXPECT_INT(how, MATCH_NONE);
    }
    price_book_unref(b);
}

TEST(price_the_provider_decides_between_two_of_one_name)
{
    /* deepseek-v4-pro costs 0.435 at its maker and 1.74 at Fireworks. */
    EXPECT_INT(nano_of("deepseek", "deepseek-v4-pro", 1000, 0), 435000);
    EXPECT_INT(nano_of("fireworks", "deepseek-v4-pro", 1000, 0), 1740000);
    EXPECT_INT(nano_of("", "deepseek-v4-pro", 1000, 0), 435000);
}

TEST(price_unknown_is_unpriced_and_a_reported_nothing_is_free)
{
    struct price_book *b = price_book_builtin();
    struct genai_span g = call_of("openai", "nobody-knows", 10, 10);

    EXPECT_INT(price_book_cost(b, &g).source, COST_UNPRICED);
    g.has_reported_cost = true;
    EXPECT_INT(price_book_cost(b, &g).source, COST_REPORTED);
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 0);
    g = call_of("openai", "nobody-knows", 0, 0);
    EXPECT_INT(price_book_cost(b, &g).source, COST_NONE);
    price_book_unref(b);
}

TEST(price_of_the_list_beats_a_library_and_yields_to_the_bill)
{
    struct price_book *b = price_book_builtin();
    struct genai_span g = call_of("openai", "gpt-4o", 1000, 0);
    g.has_reported_cost = true;
    g.reported_nano_usd = 1;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 2500000);
    g.is_billed = true;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 1);
    EXPECT_INT(price_book_cost(b, &g).source, COST_REPORTED);
    price_book_unref(b);
}

/* ---- files ---- */

static struct price_book *read_ok(const char *text)
{
    struct price_book *b = NULL;
    struct err e = { 0 };
    if (price_book_read(str_of(text), "prices.yml", &b, &e) < 0) fail_msg("%s", e.text);
    return b;
}

TEST(price_file_replaces_and_adds)
{
    struct price_book *b =
        read_ok("version: ours-7\n"
                "models:\n"
                "  - {provider: openai, model: gpt-4o, rates: {input: 1, output: 2}}\n"
                "  - {provider: us, model: house-model, aliases: ['house-*'], request: 0.001,\n"
                "     rates: {input: 0.000001, output: 0}}\n");
    struct genai_span g = call_of("openai", "gpt-4o", 1000, 0);
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 1000000);
    g = call_of("", "house-of-cards", 1000, 0); /* 1000 x 0.001 nano + a call's 1000000 */
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 1000001);
    EXPECT_INT(price_book_cost(b, &g).match, MATCH_PREFIX);
    g = call_of("openai", "gpt-5", 1000, 0);
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 1250000);
    EXPECT(str_is(price_book_version(b), "2026-08-21, ours-7"));
    price_book_unref(b);
}

TEST(price_file_may_stand_alone)
{
    struct price_book *b =
        read_ok("builtin: false\nmodels: [{provider: a, model: b, rates: {input: 1, output: 1}}]\n");
    EXPECT_INT(price_book_size(b), 1);
    price_book_unref(b);
}

TEST(price_file_over_midnight)
{
    struct price_book *b = read_ok("models:\n"
                                   "  - provider: a\n"
                                   "    model: b\n"
                                   "    periods:\n"
                                   "      - {input: 2, output: 2}\n"
                                   "      - {hours: '22:00-06:00', input: 1, output: 1}\n");
    struct genai_span g = call_of("a", "b", 1000, 0);
    int64_t midnight = INT64_C(1758240000) * SECOND;
    g.time_ns = midnight - 1;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 1000000);
    g.time_ns = midnight + 6 * 3600 * SECOND;
    EXPECT_INT(price_book_cost(b, &g).nano_usd, 2000000);
    price_book_unref(b);
}

TEST(price_file_errors_name_the_line)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "models: [{provider: a, model: b, rates: {input: 1}}]", "line 1: output is missing" },
        { "models: [{provider: a, model: b}]", "line 1: a model needs rates, or periods" },
        { "models:\n - {model: b, rates: {input: 1, output: 1}}", "line 2: provider is missing" },
        { "models: [{provider: a, model: b, rates: {input: 1.1234567, output: 1}}]", "is no price" },
        { "models: [{provider: a, model: b, rates: {input: -1, output: 1}}]", "is no price" },
        { "models: [{provider: a, model: b, rates: {input: nan, output: 1}}]", "is no price" },
        { "models: [{provider: a, model: b, rates: {input: 1e3, output: 1}}]", "is no price" },
        { "models: [{provider: a, model: b, rates: {input: 99999999999, output: 1}}]", "more than 1000000" },
        { "models: [{provider: a, model: b, rates: {input: 1, output: 1, ouput: 1}}]", "ouput" },
        { "models: [{provider: a, model: b, rates: {input: 1, output: 1}, tiers: [{above: 5, input: 1}, "
          "{above: 5}]}]",
          "tiers go up" },
        { "models: [{provider: a, model: b, periods: [{from: 2026-02-30, input: 1, output: 1}]}]",
          "from: a day" },
        { "models: [{provider: a, model: b, periods: [{hours: '25:00-26:00', input: 1, output: 1}]}]",
          "hours:" },
        { "models: [{provider: a, model: b, rates: {input: 1, output: 1}},"
          " {provider: a, model: b, rates: {input: 1, output: 1}}]",
          "twice" },
        { "[]", "a map with version and models" },
        { "models: 3", "a list is expected" },
        { "models: [3]", "a model is a map" },
        { "models: [{provider: a, model: b, rates: 3}]", "rates: a map" },
        { "models: [{provider: a, model: b, rates: {input: 1, output: 1}, batch: 3}]", "a class is a map" },
        { "models: [{provider: a, model: b, request: -3, rates: {input: 1, output: 1}}]", "request:" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct price_book *b = NULL;
        struct err e = { 0 };
        EXPECT(price_book_read(str_of(cases[i].text), "prices.yml", &b, &e) < 0);
        if (strstr(e.text, cases[i].error) == NULL || strstr(e.text, "prices.yml") == NULL)
            fail_msg("%s: %s", cases[i].text, e.text);
        EXPECT(b == NULL);
    }
}

TEST(price_builtin_table_is_sound)
{
    struct price_book *b = price_book_builtin();
    EXPECT(price_book_size(b) >= 115);
    for (size_t i = 0; i < price_book_size(b); i++) {
        const struct price_model *m = price_book_at(b, i);
        enum price_match how;
        EXPECT(price_book_find(b, m->provider, m->model, &how) != NULL && how <= MATCH_ALIAS);
        for (unsigned c = 0; c < CLASSES; c++) {
            const struct price_rates *r =
                price_rates_at(m, INT64_C(1758284610) * SECOND, 1, (enum genai_class)c);
            EXPECT(r != NULL);
            for (unsigned k = 0; k < PRICE_KINDS; k++) EXPECT(r->pico[k] >= 0);
            EXPECT(r->pico[PRICE_CACHE_READ] <= r->pico[PRICE_INPUT] || c != CLASS_STANDARD);
        }
    }
    price_book_unref(b);
}

/* ---- money ---- */

TEST(money_is_read_and_written_exactly)
{
    static const struct {
        int64_t nano;
        const char *text;
    } cases[] = { { 1251750, "0.00125175" },
                  { 1, "0.000000001" },
                  { 0, "0" },
                  { NANO_USD, "1" },
                  { 10 * NANO_USD, "10" },
                  { -1, "-0.000000001" },
                  { 123456789012, "123.456789012" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[MONEY_TEXT_MAX];
        int64_t back;
        size_t n = money_text(cases[i].nano, text);
        EXPECT(str_is(str_make(text, n), cases[i].text));
        if (cases[i].nano >= 0) EXPECT(money_read(str_make(text, n), &back) && back == cases[i].nano);
    }
    int64_t v;
    EXPECT(!money_read(STR(""), &v) && !money_read(STR("."), &v) && !money_read(STR("-1"), &v));
    EXPECT(!money_read(STR("1.0000000001"), &v) && !money_read(STR("99999999999999999999"), &v));
    EXPECT(money_read(STR("1.0000000000"), &v) && v == NANO_USD);
    EXPECT(money_text(INT64_MIN, (char[MONEY_TEXT_MAX]){ 0 }) < MONEY_TEXT_MAX);
}

TEST(money_stays_at_its_ends)
{
    EXPECT(money_add(INT64_MAX, 1) == INT64_MAX && money_add(INT64_MIN, -1) == INT64_MIN);
    EXPECT(money_add(1, 2) == 3);
}

TEST(money_as_a_double_reads_as_it_should)
{
    EXPECT(money_double(1251750) == 0.00125175);
}

TESTS(CASE(price_a_cached_call_with_reasoning_costs_what_hand_calculation_says),
      CASE(price_the_long_tier_is_for_the_whole_request_and_begins_above_its_bound),
      CASE(price_cached_tokens_count_for_the_tier), CASE(price_is_that_of_the_day_the_call_began),
      CASE(price_may_hang_on_the_hour),
      CASE(price_classes_of_service_have_their_own_and_fall_back_to_the_standard),
      CASE(price_writing_a_cache_for_an_hour_costs_more),
      CASE(price_a_tier_without_a_price_of_its_own_grows_as_input_does),
      CASE(price_a_call_is_rounded_once_and_half_up), CASE(price_parts_add_up_to_the_whole),
      CASE(price_is_found_by_whatever_routers_regions_and_dates_make_of_an_id),
      CASE(price_of_a_stranger_is_not_guessed), CASE(price_the_provider_decides_between_two_of_one_name),
      CASE(price_unknown_is_unpriced_and_a_reported_nothing_is_free),
      CASE(price_of_the_list_beats_a_library_and_yields_to_the_bill), CASE(price_file_replaces_and_adds),
      CASE(price_file_may_stand_alone), CASE(price_file_over_midnight), CASE(price_file_errors_name_the_line),
      CASE(price_builtin_table_is_sound), CASE(money_is_read_and_written_exactly),
      CASE(money_stays_at_its_ends), CASE(money_as_a_double_reads_as_it_should))
