/* The graph in memory: neighbours and shortest paths against a plain search, and what goes when it is full.
 */
#include "derive/kg_graph.h"

#include "base/check.h"
#include "unit/test.h"

static void edge(struct kg_graph *g, const char *from, const char *to, const char *type, int64_t t)
{
    EXPECT(kg_graph_edge(g, &(struct kg_edge){ str_of(from), str_of(to), str_of(type), 1 }, t, NULL) >= 0);
}

static long hops(struct kg_graph *g, const char *from, const char *to, enum kg_direction d, size_t most)
{
    struct arena a = ARENA_INIT(8 << 20);
    struct kg_path p;
    int rc = kg_graph_path(g, str_of(from), str_of(to), d, most, &a, &p, NULL);
    long n = rc < 0 ? rc : p.at == NULL ? -1 : (long)p.hops;
    arena_release(&a);
    return rc < 0 ? -100 : n;
}

/* S2-018, S2-021 */
TEST(an_entity_or_edge_that_comes_again_is_renewed_and_not_doubled)
{
    struct kg_graph *g = kg_graph_new(&(struct kg_conf)KG_DEFAULT);
    EXPECT(kg_graph_entity(g, &(struct kg_entity){ .id = STR("paris"), .type = STR("city") }, 1, NULL) == 1);
    EXPECT(kg_graph_entity(g, &(struct kg_entity){ .id = STR("paris"), .name = STR("Paris") }, 2, NULL) == 0);
    edge(g, "paris", "france", "in", 3);
    edge(g, "paris", "france", "in", 4);
    edge(g, "paris", "france", "capital_of", 5);
    struct kg_stats s = kg_graph_stats(g);
    EXPECT_INT(s.nodes, 2);
    EXPECT_INT(s.edges, 2);
    EXPECT_INT(s.nodes_added, 2);
    EXPECT_INT(s.edges_added, 2);

    struct arena a = ARENA_INIT(1 << 20);
    struct kg_neighbors n;
    EXPECT(kg_graph_neighbors(g, STR("paris"), STR(""), KG_BOTH, 10, &a, &n, NULL) == OK);
    EXPECT(str_is(n.of.type, "city") && str_is(n.of.name, "Paris")); /* both were kept */
    arena_release(&a);
    kg_graph_free(g);
}

/* S2-022, S2-032 */
TEST(neighbours_are_those_of_a_type_and_a_direction_up_to_a_limit)
{
    struct kg_graph *g = kg_graph_new(&(struct kg_conf)KG_DEFAULT);
    struct arena a = ARENA_INIT(1 << 20);
    struct kg_neighbors n;
    struct err e = ERR_INIT;
    edge(g, "a", "b", "knows", 1);
    edge(g, "a", "c", "likes", 2);
    edge(g, "d", "a", "knows", 3);

    EXPECT(kg_graph_neighbors(g, STR("a"), STR(""), KG_BOTH, 10, &a, &n, NULL) == OK && n.total == 3);
    EXPECT(kg_graph_neighbors(g, STR("a"), STR("knows"), KG_BOTH, 10, &a, &n, NULL) == OK && n.total == 2);
    EXPECT(kg_graph_neighbors(g, STR("a"), STR("knows"), KG_OUT, 10, &a, &n, NULL) == OK && n.total == 1);
    EXPECT(str_is(n.at[0].entity.id, "b") && n.at[0].is_target);
    EXPECT(kg_graph_neighbors(g, STR("a"), STR(""), KG_IN, 10, &a, &n, NULL) == OK && n.total == 1);
    EXPECT(str_is(n.at[0].entity.id, "d") && !n.at[0].is_target);
    EXPECT(kg_graph_neighbors(g, STR("a"), STR(""), KG_BOTH, 1, &a, &n, NULL) == OK);
    EXPECT(n.n == 1 && n.total == 3);
    EXPECT(kg_graph_neighbors(g, STR("z"), STR(""), KG_BOTH, 1, &a, &n, &e) == ERR_FIND);
    EXPECT(strstr(e.text, "\"z\"") != NULL);
    arena_release(&a);
    kg_graph_free(g);
}

/* S2-023, S2-034 */
TEST(a_path_has_the_fewest_hops_and_keeps_to_its_limit)
{
    struct kg_graph *g = kg_graph_new(&(struct kg_conf)KG_DEFAULT);
    edge(g, "a", "b", "x", 1);
    edge(g, "b", "c", "x", 2);
    edge(g, "c", "d", "x", 3);
    edge(g, "a", "e", "y", 4);
    edge(g, "e", "d", "y", 5);
    edge(g, "far", "away", "x", 6);
    EXPECT_INT(hops(g, "a", "d", KG_OUT, 10), 2);
    EXPECT_INT(hops(g, "d", "a", KG_OUT, 10), -1);
    EXPECT_INT(hops(g, "d", "a", KG_IN, 10), 2);
    EXPECT_INT(hops(g, "d", "a", KG_BOTH, 10), 2);
    EXPECT_INT(hops(g, "a", "d", KG_OUT, 1), -1);
    EXPECT_INT(hops(g, "a", "a", KG_OUT, 0), 0);
    EXPECT_INT(hops(g, "a", "far", KG_BOTH, 10), -1);
    EXPECT_INT(hops(g, "a", "nowhere", KG_BOTH, 10), -100);

    struct arena a = ARENA_INIT(1 << 20);
    struct kg_path p;
    EXPECT(kg_graph_path(g, STR("a"), STR("d"), KG_OUT, 10, &a, &p, NULL) == OK);
    EXPECT(str_is(p.at[0].id, "a") && str_is(p.at[1].id, "e") && str_is(p.at[2].id, "d"));
    EXPECT(str_is(p.edge_types[0], "y") && str_is(p.edge_types[1], "y"));
    arena_release(&a);
    kg_graph_free(g);
}

#define N 40
static unsigned rnd(unsigned *s)
{
    return (*s = *s * 1664525u + 1013904223u) >> 16;
}

TEST(paths_in_random_graphs_are_as_long_as_floyd_and_warshall_say)
{
    unsigned seed = 7;
    for (int round = 0; round < 20; round++) {
        struct kg_graph *g = kg_graph_new(&(struct kg_conf)KG_DEFAULT);
        static long d[N][N];
        char from[8], to[8];
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) d[i][j] = i == j ? 0 : 1000;
        for (int i = 0; i < N; i++) {
            snprintf(from, sizeof from, "%d", i);
            kg_graph_entity(g, &(struct kg_entity){ .id = str_of(from) }, i, NULL);
        }
        for (int k = 0; k < N + 10; k++) {
            unsigned i = rnd(&seed) % N, j = rnd(&seed) % N;
            snprintf(from, sizeof from, "%u", i);
            snprintf(to, sizeof to, "%u", j);
            edge(g, from, to, "x", k);
            if (i != j) d[i][j] = 1;
        }
        for (int k = 0; k < N; k++)
            for (int i = 0; i < N; i++)
                for (int j = 0; j < N; j++) d[i][j] = MIN(d[i][j], d[i][k] + d[k][j]);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                snprintf(from, sizeof from, "%d", i);
                snprintf(to, sizeof to, "%d", j);
                EXPECT_INT(hops(g, from, to, KG_OUT, KG_HOPS_MAX), d[i][j] >= 1000 ? -1 : d[i][j]);
            }
        kg_graph_free(g);
    }
}

/* S2-018: bounded */
TEST(when_it_is_full_the_oldest_go_first_and_are_counted)
{
    struct kg_conf conf = { .max_nodes = 10, .max_edges = 12, .max_bytes = 1 << 20 };
    struct kg_graph *g = kg_graph_new(&conf);
    char from[8], to[8];
    for (int i = 0; i < 30; i++) {
        snprintf(from, sizeof from, "n%d", i);
        snprintf(to, sizeof to, "n%d", i + 1);
        edge(g, from, to, "next", i);
    }
    struct kg_stats s = kg_graph_stats(g);
    EXPECT_INT(s.nodes, 10);
    EXPECT_INT(s.nodes_dropped, 21);
    EXPECT_INT(s.edges, 9); /* between the ten that stayed */
    EXPECT_INT(s.edges_dropped, 21);
    EXPECT_INT(hops(g, "n21", "n30", KG_OUT, 20), 9);
    EXPECT_INT(hops(g, "n20", "n30", KG_OUT, 20), -100);
    for (int i = 0; i < 30; i++) { /* many edges between two */
        snprintf(to, sizeof to, "t%d", i);
        edge(g, "n29", "n30", to, 100);
    }
    EXPECT(kg_graph_stats(g).edges <= 12);
    kg_graph_free(g);
}

TEST(bytes_are_bounded_and_texts_that_are_too_long_are_refused)
{
    struct kg_conf conf = { .max_nodes = 100000, .max_edges = 100000, .max_bytes = 64 << 10 };
    struct kg_graph *g = kg_graph_new(&conf);
    static char name[KG_TEXT_MAX + 1];
    struct err e = ERR_INIT;
    memset(name, 'x', sizeof name);
    for (int i = 0; i < 500; i++) {
        int n = snprintf(name, 8, "%07d", i);
        name[n] = 'x';
        EXPECT(kg_graph_entity(g, &(struct kg_entity){ .id = str_make(name, KG_TEXT_MAX) }, i, NULL) == 1);
        EXPECT(kg_graph_stats(g).bytes <= conf.max_bytes);
    }
    EXPECT(kg_graph_entity(g, &(struct kg_entity){ .id = str_make(name, sizeof name) }, 1, &e) == ERR_RANGE);
    EXPECT(kg_graph_entity(g, &(struct kg_entity){ .id = STR("") }, 1, &e) == ERR_RANGE);
    kg_graph_free(g);
    kg_graph_free(NULL);
}

TESTS(CASE(an_entity_or_edge_that_comes_again_is_renewed_and_not_doubled),
      CASE(neighbours_are_those_of_a_type_and_a_direction_up_to_a_limit),
      CASE(a_path_has_the_fewest_hops_and_keeps_to_its_limit),
      CASE(paths_in_random_graphs_are_as_long_as_floyd_and_warshall_say),
      CASE(when_it_is_full_the_oldest_go_first_and_are_counted),
      CASE(bytes_are_bounded_and_texts_that_are_too_long_are_refused))
