/* cascade_test.c - cascades on graphs drawn by hand. S4-031, S1-067 */
#include "unit/test.h"

#include "base/check.h"
#include "tell/notify/cascade.h"

#define S  1000ll
#define M  (60 * S)
#define T0 (1700000000 * S)

static struct call_graph *services(const char *const *pairs, size_t n)
{
    struct call_graph *g = call_graph_new();
    for (size_t i = 0; i + 1 < n; i += 2)
        call_graph_add(g, CALL_SERVICE, str_of(pairs[i]), CALL_SERVICE, str_of(pairs[i + 1]));
    call_graph_end(g);
    return g;
}
#define CALLS(...)                                                                                           \
    services((const char *const[]){ __VA_ARGS__ }, COUNT(((const char *const[]){ __VA_ARGS__ })))

struct fire {
    const char *service;
    int64_t at_ms;
};

/* Alert i has fingerprint i + 1. */
static struct cascade *cascade(const struct call_graph *g, const struct fire *f, size_t n, int64_t window_ms,
                               unsigned hops)
{
    struct cascade_alert at[16];
    struct label l[16];
    for (size_t i = 0; i < n; i++) {
        l[i] = (struct label){ STR("service"), str_of(f[i].service) };
        at[i] = (struct cascade_alert){ i + 1, { &l[i], 1 }, T0 + f[i].at_ms };
    }
    return cascade_new(g, at, n, &(struct cascade_terms){ window_ms, hops });
}
#define FIRES(g, window, hops, ...)                                                                          \
    cascade(g, (const struct fire[]){ __VA_ARGS__ }, COUNT(((const struct fire[]){ __VA_ARGS__ })), window,  \
            hops)

static bool follows(const struct cascade *c, uint64_t fp, uint64_t cause, uint64_t root)
{
    const struct cascade_link *l = cascade_find(c, fp);
    return l != NULL && l->is_effect && l->cause == cause && l->root == root;
}

static bool is_root(const struct cascade *c, uint64_t fp, size_t n_effects)
{
    const struct cascade_link *l = cascade_find(c, fp);
    return l != NULL && !l->is_effect && l->root == fp && l->n_effects == n_effects;
}

TEST(in_a_chain_the_called_one_that_fired_first_is_the_root)
{
    struct call_graph *g = CALLS("web", "shop", "shop", "db");
    struct cascade *c =
        FIRES(g, 10 * M, 3, { "db", 0 }, { "shop", 30 * S }, { "web", 60 * S }, { "mail", 0 });
    EXPECT(is_root(c, 1, 2));
    EXPECT(follows(c, 2, 1, 1));
    EXPECT(follows(c, 3, 2, 1));
    EXPECT(cascade_find(c, 4) == NULL); /* nobody calls it */
    EXPECT_INT(c->n, 3);
    EXPECT_INT(c->n_roots, 1);
    EXPECT_INT(c->at[0].fp, 1); /* the root, then the effects */
    cascade_free(c);
    call_graph_free(g);
}

TEST(nobody_is_the_effect_of_those_who_call_it)
{
    struct call_graph *g = CALLS("web", "db");
    struct cascade *c = FIRES(g, M, 3, { "web", 0 }, { "db", 2 * M });
    EXPECT_INT(c->n, 0); /* web was first, and longer before than the window */
    cascade_free(c);
    call_graph_free(g);
}

TEST(a_root_may_fire_after_its_effects_within_the_window)
{
    struct call_graph *g = CALLS("web", "shop", "shop", "db");
    struct cascade *c = FIRES(g, 5 * M, 3, { "web", 0 }, { "shop", 10 * S }, { "db", 4 * M });
    EXPECT(is_root(c, 3, 2));
    EXPECT(follows(c, 1, 2, 3));
    EXPECT(follows(c, 2, 3, 3));
    cascade_free(c);
    c = FIRES(g, 5 * M, 3, { "web", 0 }, { "shop", 10 * S }, { "db", 6 * M });
    EXPECT(is_root(c, 2, 1)); /* too late to be the reason */
    EXPECT(cascade_find(c, 3) == NULL);
    cascade_free(c);
    call_graph_free(g);
}

TEST(in_a_diamond_all_lead_to_the_one_below)
{
    struct call_graph *g = CALLS("web", "left", "web", "right", "left", "db", "right", "db");
    struct cascade *c =
        FIRES(g, 10 * M, 3, { "web", 90 * S }, { "left", 40 * S }, { "right", 50 * S }, { "db", 0 });
    EXPECT(is_root(c, 4, 3));
    EXPECT(follows(c, 2, 4, 4));
    EXPECT(follows(c, 3, 4, 4));
    EXPECT(cascade_find(c, 1)->root == 4);
    EXPECT_INT(cascade_find(c, 1)->hops, 1); /* by left or right, which fire, not past them */
    cascade_free(c);
    call_graph_free(g);
}

TEST(in_a_ring_the_earliest_is_the_root)
{
    struct call_graph *g = CALLS("a", "b", "b", "c", "c", "a");
    struct cascade *c = FIRES(g, 10 * M, 3, { "a", 20 * S }, { "b", 0 }, { "c", 40 * S });
    EXPECT(is_root(c, 2, 2));
    EXPECT_INT(c->n, 3);
    cascade_free(c);
    c = FIRES(g, 10 * M, 3, { "a", 0 }, { "b", 0 }, { "c", 0 }); /* at one instant: still one root */
    EXPECT_INT(c->n_roots, 1);
    EXPECT_INT(c->n, 3);
    cascade_free(c);
    call_graph_free(g);
}

TEST(calls_may_pass_places_without_alerts_as_far_as_hops_allow)
{
    struct call_graph *g = CALLS("web", "gate", "gate", "shop", "shop", "db");
    struct cascade *c = FIRES(g, 10 * M, 3, { "web", 10 * S }, { "db", 0 });
    EXPECT(follows(c, 1, 2, 2));
    EXPECT_INT(cascade_find(c, 1)->hops, 3);
    cascade_free(c);
    c = FIRES(g, 10 * M, 2, { "web", 10 * S }, { "db", 0 });
    EXPECT_INT(c->n, 0);
    cascade_free(c);
    call_graph_free(g);
}

TEST(of_two_causes_the_earlier_root_counts)
{
    struct call_graph *g = CALLS("web", "db", "web", "cache");
    struct cascade *c = FIRES(g, 10 * M, 3, { "web", 60 * S }, { "db", 30 * S }, { "cache", 20 * S });
    EXPECT(follows(c, 1, 3, 3));
    EXPECT(cascade_find(c, 2) == NULL); /* a trouble of its own */
    cascade_free(c);
    call_graph_free(g);
}

TEST(an_old_alert_of_the_callee_is_no_reason_and_hides_no_new_one)
{
    struct call_graph *g = CALLS("web", "db");
    struct cascade *c = FIRES(g, 10 * M, 3, { "db", -300 * M }, { "db", 0 }, { "web", 30 * S });
    EXPECT(follows(c, 3, 2, 2));
    EXPECT(cascade_find(c, 1) == NULL);
    cascade_free(c);
    call_graph_free(g);
}

TEST(agents_follow_from_the_models_and_tools_they_use)
{
    struct call_graph *g = call_graph_new();
    call_graph_add(g, CALL_AGENT, STR("planner"), CALL_AGENT, STR("coder"));
    call_graph_add(g, CALL_AGENT, STR("coder"), CALL_MODEL, STR("m-large"));
    call_graph_add(g, CALL_SERVICE, STR("planner"), CALL_SERVICE,
                   STR("db")); /* of the same name, and no agent */
    call_graph_end(g);
    struct label model[] = { { STR("model"), STR("m-large") } };
    struct label coder[] = { { STR("agent"), STR("coder") }, { STR("model"), STR("m-large") } };
    struct label planner[] = { { STR("agent_name"), STR("planner") }, { STR("service"), STR("planner") } };
    struct label db[] = { { STR("service"), STR("db") } };
    const struct cascade_alert at[] = { { 1, { model, 1 }, T0 },
                                        { 2, { coder, 2 }, T0 + S },
                                        { 3, { planner, 2 }, T0 + 2 * S },
                                        { 4, { db, 1 }, T0 } };
    struct cascade *c = cascade_new(g, at, COUNT(at), &(struct cascade_terms){ 10 * M, 3 });
    EXPECT(is_root(c, 1, 2));
    EXPECT(follows(c, 2, 1, 1));
    EXPECT(follows(c, 3, 2, 1));
    EXPECT(cascade_find(c, 4) == NULL); /* the alert is about the agent */
    cascade_free(c);
    call_graph_free(g);
}

TEST(a_graph_keeps_to_its_ceiling_and_long_chains_are_walked)
{
    struct call_graph *g = call_graph_new();
    char a[16], b[16];
    for (int i = 0; i < CALL_GRAPH_CALLS_MAX + 10; i++) {
        snprintf(a, sizeof a, "s%d", i);
        snprintf(b, sizeof b, "s%d", i + 1);
        call_graph_add(g, CALL_SERVICE, str_of(a), CALL_SERVICE, str_of(b));
        call_graph_add(g, CALL_SERVICE, str_of(a), CALL_SERVICE, str_of(b)); /* known */
    }
    call_graph_end(g);
    EXPECT_INT(g->n_calls, CALL_GRAPH_CALLS_MAX);
    uint32_t first = call_graph_find(g, CALL_SERVICE, STR("s0")),
             next = call_graph_find(g, CALL_SERVICE, STR("s1"));
    EXPECT(g->at[first].ring > g->at[next].ring);
    EXPECT(call_graph_find(g, CALL_AGENT, STR("s0")) == CALL_NOBODY);
    call_graph_free(g);
}

/* Whatever the graph: no circles, roots are roots, and the numbers agree. */
TEST(random_graphs_have_no_circles)
{
    unsigned seed = 7;
    for (int round = 0; round < 300; round++) {
        struct call_graph *g = call_graph_new();
        const char *names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
        struct fire f[16];
        for (int i = 0; i < 14; i++) {
            seed = seed * 1103515245 + 12345;
            call_graph_add(g, CALL_SERVICE, str_of(names[seed >> 16 & 7]), CALL_SERVICE,
                           str_of(names[seed >> 20 & 7]));
        }
        call_graph_end(g);
        for (int i = 0; i < 16; i++) {
            seed = seed * 1103515245 + 12345;
            f[i] = (struct fire){ names[seed >> 16 & 7], (int64_t)(seed >> 20 & 15) * M };
        }
        struct cascade *c = cascade(g, f, 16, 5 * M, 3);
        size_t effects = 0, counted = 0;
        for (size_t i = 0; i < c->n; i++) {
            const struct cascade_link *l = &c->at[i], *root = cascade_find(c, l->root);
            EXPECT(root != NULL && !root->is_effect);
            effects += l->is_effect;
            counted += l->n_effects;
            int steps = 0;
            for (const struct cascade_link *k = l; k->is_effect; k = cascade_find(c, k->cause)) {
                EXPECT(++steps < 16);
                if (cascade_find(c, k->cause)->root != l->root)
                    break; /* its cause chose another: only roots must agree */
            }
        }
        EXPECT_INT(effects, counted);
        cascade_free(c);
        call_graph_free(g);
    }
}

TESTS(CASE(in_a_chain_the_called_one_that_fired_first_is_the_root),
      CASE(nobody_is_the_effect_of_those_who_call_it),
      CASE(a_root_may_fire_after_its_effects_within_the_window), CASE(in_a_diamond_all_lead_to_the_one_below),
      CASE(in_a_ring_the_earliest_is_the_root),
      CASE(calls_may_pass_places_without_alerts_as_far_as_hops_allow),
      CASE(of_two_causes_the_earlier_root_counts),
      CASE(an_old_alert_of_the_callee_is_no_reason_and_hides_no_new_one),
      CASE(agents_follow_from_the_models_and_tools_they_use),
      CASE(a_graph_keeps_to_its_ceiling_and_long_chains_are_walked), CASE(random_graphs_have_no_circles))
