/* Trees as they were met in exports of real frameworks, and the holes that traces have. */
#include "model/genai_owner.h"

#include "unit/test.h"

static struct genai_node node(uint32_t parent, enum genai_kind kind, enum genai_part part)
{
    return (
        struct genai_node){ .parent = parent, .kind = kind, .part = part, .has_usage = part != PART_NONE };
}

#define ROOT GENAI_NO_PARENT

static void expect(struct genai_node *n, size_t count, bool is_over, const char *counts)
{
    uint8_t marks[16];
    char got[17] = { 0 };
    genai_owners(n, count, is_over, marks);
    for (size_t i = 0; i < count; i++) got[i] = n[i].counts ? '1' : '0';
    EXPECT_STR(got, counts);
}

TEST(owner_is_the_call_and_not_the_agent_around_it)
{
    struct genai_node n[] = { node(ROOT, GENAI_AGENT, PART_WRAPPER), node(0, GENAI_STEP, PART_WRAPPER),
                              node(1, GENAI_LLM, PART_CALL), node(1, GENAI_LLM, PART_CALL),
                              node(0, GENAI_TOOL, PART_NONE) };
    expect(n, 5, true, "00110");
}

TEST(owner_is_the_wrapper_when_its_calls_are_not_traced)
{
    struct genai_node n[] = { node(ROOT, GENAI_WORKFLOW, PART_WRAPPER), node(0, GENAI_AGENT, PART_WRAPPER),
                              node(1, GENAI_TOOL, PART_NONE), node(0, GENAI_AGENT, PART_WRAPPER) };
    expect(n, 4, true, "0101");
}

TEST(owner_of_a_call_seen_by_two_libraries_is_the_inner_one)
{
    struct genai_node n[] = { node(ROOT, GENAI_AGENT, PART_NONE), node(0, GENAI_LLM, PART_CALL),
                              node(1, GENAI_NONE, PART_NONE), node(2, GENAI_LLM, PART_CALL) };
    expect(n, 4, true, "0001");
}

TEST(owner_a_call_that_runs_a_tool_that_runs_an_agent_is_counted_beside_it)
{
    struct genai_node n[] = { node(ROOT, GENAI_LLM, PART_CALL), node(0, GENAI_TOOL, PART_NONE),
                              node(1, GENAI_AGENT, PART_NONE), node(2, GENAI_LLM, PART_CALL) };
    expect(n, 4, true, "1001");
}

TEST(owner_is_never_the_server_beside_its_client)
{
    struct genai_node n[] = { node(ROOT, GENAI_LLM, PART_CALL), node(0, GENAI_LLM, PART_SERVER) };
    struct genai_node alone[] = { node(ROOT, GENAI_NONE, PART_NONE), node(0, GENAI_LLM, PART_SERVER),
                                  node(1, GENAI_LLM, PART_SERVER) };
    struct genai_node gateway[] = { node(ROOT, GENAI_LLM, PART_SERVER), node(0, GENAI_LLM, PART_CALL) };
    expect(n, 2, true, "10");
    expect(alone, 3, true, "010");
    expect(gateway, 2, true, "01");
}

TEST(owner_a_call_without_usage_counts_unless_a_neighbour_does)
{
    struct genai_node n[] = { node(ROOT, GENAI_LLM, PART_CALL), node(0, GENAI_LLM, PART_CALL),
                              node(ROOT, GENAI_LLM, PART_CALL) };
    n[1].has_usage = n[2].has_usage = false;
    expect(n, 3, true, "101");
    struct genai_node m[] = { node(ROOT, GENAI_LLM, PART_CALL), node(0, GENAI_STEP, PART_NONE),
                              node(1, GENAI_LLM, PART_CALL) };
    m[0].has_usage = false;
    expect(m, 3, true, "001");
}

TEST(owner_wrappers_wait_until_a_trace_is_over)
{
    struct genai_node n[] = { node(ROOT, GENAI_AGENT, PART_WRAPPER), node(0, GENAI_TOOL, PART_NONE) };
    expect(n, 2, false, "00");
    EXPECT(!n[0].is_settled);
    expect(n, 2, true, "10");
}

TEST(owner_what_was_settled_stays)
{
    /* The outer side of a call was counted before the inner one came: the inner one is the repetition then.
     */
    struct genai_node n[] = { node(ROOT, GENAI_LLM, PART_CALL), node(0, GENAI_LLM, PART_CALL) };
    n[0].is_settled = n[0].counts = true;
    expect(n, 2, true, "10");
}

TEST(owner_a_call_torn_off_may_belong_to_any_wrapper)
{
    struct genai_node n[] = { node(ROOT, GENAI_AGENT, PART_WRAPPER), node(ROOT, GENAI_LLM, PART_CALL) };
    n[1].is_orphan = true;
    expect(n, 2, true, "01");
    /* but a wrapper whose own tree has a hole at the top is decided by what is beneath it */
    struct genai_node m[] = { node(ROOT, GENAI_AGENT, PART_WRAPPER), node(0, GENAI_LLM, PART_CALL),
                              node(ROOT, GENAI_AGENT, PART_WRAPPER) };
    m[0].is_orphan = m[2].is_orphan = true;
    expect(m, 3, true, "011");
}

TESTS(CASE(owner_is_the_call_and_not_the_agent_around_it),
      CASE(owner_is_the_wrapper_when_its_calls_are_not_traced),
      CASE(owner_of_a_call_seen_by_two_libraries_is_the_inner_one),
      CASE(owner_a_call_that_runs_a_tool_that_runs_an_agent_is_counted_beside_it),
      CASE(owner_is_never_the_server_beside_its_client),
      CASE(owner_a_call_without_usage_counts_unless_a_neighbour_does),
      CASE(owner_wrappers_wait_until_a_trace_is_over), CASE(owner_what_was_settled_stays),
      CASE(owner_a_call_torn_off_may_belong_to_any_wrapper))
