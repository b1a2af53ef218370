/* Snapshots as one attribute and as many; what is refused; node-link graphs by their several names. */
#include "model/kgot.h"

#include "base/check.h"
#include "unit/test.h"

static int read_text(const char *json, struct kgot_snapshot *s, struct arena *a, struct err *e)
{
    return kgot_read(s, str_of(json), a, e);
}

/* S0-051 to S0-058 */
TEST(all_fields_of_a_snapshot_are_read)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct kgot_snapshot s;
    struct str *texts;
    struct kgot_score *scores;
    EXPECT(
        read_text("{\"graph_id\":\"g\",\"node_count\":3,\"edge_count\":2.0,\"active_thoughts\":[\"a\",\"b\"],"
                  "\"reasoning_path\":[\"x\"],\"confidence_scores\":{\"p\":0.5,\"q\":1},\"timestamp\":12,"
                  "\"serialized_graph\":\"dot\",\"other\":null}",
                  &s, &a, NULL) == OK);
    EXPECT(str_is(s.graph_id, "g") && s.node_count == 3 && s.edge_count == 2 && s.time.i == 12);
    EXPECT(kgot_texts(s.thoughts, &a, &texts) == 2 && str_is(texts[1], "b"));
    EXPECT(kgot_texts(s.path, &a, &texts) == 1);
    EXPECT(kgot_scores(&s, &a, &scores) == 2 && scores[0].value == 0.5 && str_is(scores[1].name, "q"));
    struct kgot_graph g;
    EXPECT(str_is(s.graph, "dot") && !kgot_graph(&s, &a, &g));
    arena_release(&a);
}

TEST(what_is_wrong_is_named)
{
    static const struct {
        const char *json, *says;
    } bad[] = {
        { "{}", "graph_id: missing" },
        { "{\"graph_id\":1}", "graph_id: expected" },
        { "{\"graph_id\":\"g\",\"node_count\":-1}", "node_count: expected" },
        { "{\"graph_id\":\"g\",\"node_count\":1.5}", "node_count: expected" },
        { "{\"graph_id\":\"g\",\"edge_count\":1e300}", "edge_count: expected" },
        { "{\"graph_id\":\"g\",\"active_thoughts\":\"a\"}", "active_thoughts: expected" },
        { "{\"graph_id\":\"g\",\"reasoning_path\":[1]}", "reasoning_path: expected" },
        { "{\"graph_id\":\"g\",\"confidence_scores\":{\"a\":\"b\"}}", "confidence_scores: expected" },
        { "{\"graph_id\":\"g\",\"serialized_graph\":7}", "serialized_graph: expected" },
        { "[]", "" },
        { "{\"graph_id\":\"g\"", "" },
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct arena a = ARENA_INIT(1 << 20);
        struct kgot_snapshot s;
        struct err e = ERR_INIT;
        EXPECT(read_text(bad[i].json, &s, &a, &e) < 0);
        EXPECT(strncmp(e.text, bad[i].says, strlen(bad[i].says)) == 0);
        arena_release(&a);
    }
}

/* S0-042: the form POST /api/v1/logs stores */
TEST(a_snapshot_in_many_attributes_is_the_same)
{
    struct arena a = ARENA_INIT(1 << 20);
    const struct attr at[] = {
        { STR("kgot_snapshots"), value_str(STR("no")) },
        { STR("kgot_snapshot.graph_id"), value_str(STR("g")) },
        { STR("kgot_snapshot.node_count"), value_int(4) },
        { STR("kgot_snapshot.serialized_graph"), { .type = VALUE_JSON, .text = STR("{\"nodes\":[1]}") } },
    };
    struct kgot_snapshot s;
    struct kgot_graph g;
    int rc;
    EXPECT(kgot_of(&s, &(struct attrs){ at, COUNT(at) }, &a, &rc, NULL) && rc == OK);
    EXPECT(str_is(s.graph_id, "g") && s.node_count == 4 && s.edge_count == -1);
    EXPECT(kgot_graph(&s, &a, &g) && g.n_nodes == 1 && g.nodes[0].has_number && str_is(g.nodes[0].id, "1"));
    EXPECT(!kgot_of(&s, &(struct attrs){ at, 1 }, &a, &rc, NULL));
    EXPECT(kgot_of(&s, &(struct attrs){ at + 2, 1 }, &a, &rc, NULL) && rc < 0);
    arena_release(&a);
}

TEST(graphs_are_read_by_the_names_that_are_in_use)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct kgot_snapshot s = { .graph = STR(
                                   "{\"vertices\":[{\"id\":\"a\",\"label\":\"A\"},{\"x\":1}],"
                                   "\"edges\":[{\"from\":\"a\",\"to\":\"b\",\"relation\":\"r\",\"weight\":2},"
                                   "{\"from\":\"a\"}]}") };
    struct kgot_graph g;
    EXPECT(kgot_graph(&s, &a, &g) && g.n_nodes == 1 && g.n_edges == 1);
    EXPECT(str_is(g.nodes[0].name, "A") && str_is(g.edges[0].type, "r") && g.edges[0].weight == 2);
    struct err e = ERR_INIT;
    EXPECT(kgot_edges_read(STR("[{\"source\":\"a\"}]"), "edges", &a, &g, &e) < 0);
    EXPECT_STR(e.text, "edges[0]: target: missing");
    EXPECT(kgot_nodes_read(STR("[{\"id\":\"a\"},{}]"), "entities", &a, &g, &e) < 0);
    EXPECT_STR(e.text, "entities[1]: id: missing");
    arena_release(&a);
}

TESTS(CASE(all_fields_of_a_snapshot_are_read), CASE(what_is_wrong_is_named),
      CASE(a_snapshot_in_many_attributes_is_the_same), CASE(graphs_are_read_by_the_names_that_are_in_use))
