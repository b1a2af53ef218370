#include "base/yaml.h"

#include "base/buf.h"
#include "unit/test.h"

static struct arena arena = ARENA_INIT(64 << 20);
static struct err e;

static int parse(const char *text, struct yaml **out)
{
    arena_reset(&arena);
    e = (struct err)ERR_INIT;
    return yaml_parse(str_of(text), "f.yml", &arena, out, &e);
}

static struct yaml *tree(const char *text)
{
    struct yaml *y = NULL;
    if (parse(text, &y) < 0) printf("%s\n", e.text);
    EXPECT(y != NULL);
    return y;
}

static void refused(const char *text, int code, const char *with)
{
    struct yaml *y;
    int rc = parse(text, &y);
    if (rc != code || strstr(e.text, with) == NULL) printf("%d %s\n", rc, e.text);
    EXPECT(rc == code && strstr(e.text, with) != NULL);
}

TEST(yaml_builds_a_tree_that_knows_its_lines)
{
    struct yaml *y = tree("a: 1\nb:\n  - x\n  - y: 'null'\n    z: ~\nc: \"q\"\n");
    EXPECT(y->kind == YAML_MAP && y->n == 3);
    struct yaml *b = yaml_get(y, "b");
    EXPECT(b->kind == YAML_LIST && b->n == 2 && y->key_lines[1] == 2);
    EXPECT(str_is(b->items[0]->text, "x") && b->items[0]->line == 3 && !b->items[0]->quoted);
    struct yaml *quoted = yaml_get(b->items[1], "y");
    EXPECT(quoted->kind == YAML_SCALAR && quoted->quoted && quoted->line == 4);
    EXPECT(yaml_get(b->items[1], "z") == NULL && b->items[1]->items[1]->kind == YAML_NULL);
    EXPECT(yaml_get(y, "c")->quoted && yaml_get(y, "nothing") == NULL && yaml_get(NULL, "a") == NULL &&
           yaml_get(b, "a") == NULL);
}

TEST(yaml_empty_documents_are_null)
{
    EXPECT(tree("")->kind == YAML_NULL);
    EXPECT(tree("# nothing\n")->kind == YAML_NULL);
    EXPECT(tree("---\n")->kind == YAML_NULL);
}

TEST(yaml_merges_behind_the_maps_own_keys)
{
    struct yaml *y =
        tree("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  <<: [*a, *b]\n  x: 0\nd:\n  <<: *b\n");
    struct yaml *c = yaml_get(y, "c");
    EXPECT(c->n == 3);
    EXPECT(str_is(yaml_get(c, "x")->text, "0")); /* its own */
    EXPECT(str_is(yaml_get(c, "y")->text, "2")); /* the first of the list wins */
    EXPECT(str_is(yaml_get(c, "z")->text, "4"));
    EXPECT(str_is(yaml_get(yaml_get(y, "d"), "z")->text, "4"));
    refused("a: 1\nb:\n  <<: 5\n", ERR_PARSE, "<<");
}

TEST(yaml_aliases_are_the_same_node)
{
    struct yaml *y = tree("a: &x [1, 2]\nb: *x\nc: &x 3\nd: *x\n");
    EXPECT(yaml_get(y, "a") == yaml_get(y, "b"));
    EXPECT(str_is(yaml_get(y, "d")->text, "3")); /* the latest of that name */
    refused("a: *nobody\n", ERR_PARSE, "f.yml:1: no anchor \"nobody\"");
    refused("a: &x [*x]\n", ERR_PARSE, "no anchor"); /* no cycles */
}

TEST(yaml_refuses_what_is_not_clear)
{
    refused("a: 1\nb: 2\na: 3\n", ERR_PARSE, "f.yml:3: duplicate key \"a\"");
    refused("a: [1\n", ERR_PARSE, "f.yml:");
    refused("a: b: c\n", ERR_PARSE, "f.yml:1");
    refused("\ta: 1\n", ERR_PARSE, "f.yml:1");
    refused("? [x]\n: 1\n", ERR_PARSE, "key");
    refused("a: 1\n---\nb: 2\n", ERR_PARSE, "second document");
    refused("a: \"\\xZZ\"\n", ERR_PARSE, "f.yml:1");
    refused("a: \xff\n", ERR_PARSE, "f.yml:");
    refused("a: !!", ERR_PARSE, "f.yml:1");
}

TEST(yaml_alias_bomb_is_refused)
{
    struct buf b = BUF_INIT(1 << 20);
    buf_cs(&b, "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        buf_printf(&b, "l%d: &l%d [", i, i);
        for (int k = 0; k < 10; k++) buf_printf(&b, "%s*l%d", k ? ", " : "", i - 1);
        buf_cs(&b, "]\n");
    }
    refused(buf_cstr(&b), ERR_LIMIT, "aliases stand for more than 10000 nodes");
    buf_release(&b);
}

TEST(yaml_depth_is_bounded_also_through_aliases)
{
    struct buf b = BUF_INIT(1 << 20);
    for (int i = 0; i < 65; i++) buf_char(&b, '[');
    for (int i = 0; i < 65; i++) buf_char(&b, ']');
    refused(buf_cstr(&b), ERR_LIMIT, "64");

    buf_clear(&b);
    for (int i = 0; i < 64; i++) buf_char(&b, '[');
    for (int i = 0; i < 64; i++) buf_char(&b, ']');
    EXPECT(tree(buf_cstr(&b))->kind == YAML_LIST);

    buf_clear(&b);
    buf_cs(&b, "l0: &l0 [x]\n");
    for (int i = 1; i < 80; i++) buf_printf(&b, "l%d: &l%d [*l%d]\n", i, i, i - 1);
    refused(buf_cstr(&b), ERR_LIMIT, "64");
    buf_release(&b);
}

TEST(yaml_nodes_are_bounded)
{
    struct buf b = BUF_INIT(1 << 20);
    buf_char(&b, '[');
    for (int i = 0; i < 100001; i++) buf_cs(&b, "x,");
    buf_char(&b, ']');
    refused(buf_cstr(&b), ERR_LIMIT, "100000");
    buf_release(&b);
}

TEST(yaml_unknown_names_line_and_way)
{
    struct yaml *y = tree("global: {}\nscrape_configs:\n  - job_name: x\n    scrap_interval:\n      - 15s\n");
    yaml_get(y, "global");
    yaml_get(yaml_get(y, "scrape_configs")->items[0], "job_name");
    EXPECT(yaml_unknown(y, "f.yml", &e) == ERR_PARSE);
    EXPECT_STR(e.text, "f.yml:4: scrape_configs[0]: unknown key \"scrap_interval\"");
    yaml_get(yaml_get(y, "scrape_configs")->items[0], "scrap_interval");
    EXPECT(yaml_unknown(y, "f.yml", &e) == OK);

    y = tree("a:\n  b:\n    c: 1\n");
    yaml_get(yaml_get(y, "a"), "b");
    EXPECT(yaml_unknown(y, "f.yml", &e) == ERR_PARSE);
    EXPECT_STR(e.text, "f.yml:3: a.b: unknown key \"c\"");
    yaml_only(yaml_get(yaml_get(y, "a"), "b"), 0);
    EXPECT(yaml_unknown(y, "f.yml", &e) == OK && yaml_unknown(NULL, "f.yml", &e) == OK);
}

TEST(yaml_scalars_are_typed)
{
    struct yaml *y = tree("b: yes\nq: 'yes'\ni: -12\nd: 1.5e3\nt: 1h30m\ns: 64KiB\nm: 1.5MB\np: 100\nl: "
                          "[1]\nn: null\nx: 5iB\no: 99999999EB\n");
    bool b = false;
    int64_t i = 7;
    double d = 0;
    uint64_t u = 9;
    struct str s = STR("default");
    EXPECT(yaml_bool(yaml_get(y, "b"), &b, &e) == OK && b);
    EXPECT(yaml_bool(yaml_get(y, "q"), &b, &e) == ERR_PARSE); /* quoted: text */
    EXPECT_STR(e.text, "line 2: expected true or false, not the quoted \"yes\"");
    EXPECT(yaml_i64(yaml_get(y, "i"), &i, &e) == OK && i == -12);
    EXPECT(yaml_i64(yaml_get(y, "d"), &i, &e) == ERR_PARSE && i == -12);
    EXPECT(yaml_double(yaml_get(y, "d"), &d, &e) == OK && d == 1500);
    EXPECT(yaml_duration_ms(yaml_get(y, "t"), &i, &e) == OK && i == 5400000);
    EXPECT(yaml_duration_ms(yaml_get(y, "p"), &i, &e) == ERR_PARSE);
    EXPECT(yaml_bytes(yaml_get(y, "s"), &u, &e) == OK && u == 65536);
    EXPECT(yaml_bytes(yaml_get(y, "m"), &u, &e) == OK && u == 1572864); /* 1.5 * 2^20, as Prometheus */
    EXPECT(yaml_bytes(yaml_get(y, "p"), &u, &e) == OK && u == 100);
    EXPECT(yaml_bytes(yaml_get(y, "x"), &u, &e) == ERR_PARSE &&
           yaml_bytes(yaml_get(y, "o"), &u, &e) == ERR_PARSE && u == 100);
    EXPECT(yaml_str(yaml_get(y, "l"), &s, &e) == ERR_PARSE);
    EXPECT_STR(e.text, "line 9: expected text, not a list");
    EXPECT(yaml_str(yaml_get(y, "n"), &s, &e) == OK && str_is(s, "default")); /* null leaves the default */
    EXPECT(yaml_i64(NULL, &i, &e) == OK && i == 5400000);
    arena_release(&arena);
}

TESTS(CASE(yaml_builds_a_tree_that_knows_its_lines), CASE(yaml_empty_documents_are_null),
      CASE(yaml_merges_behind_the_maps_own_keys), CASE(yaml_aliases_are_the_same_node),
      CASE(yaml_refuses_what_is_not_clear), CASE(yaml_alias_bomb_is_refused),
      CASE(yaml_depth_is_bounded_also_through_aliases), CASE(yaml_nodes_are_bounded),
      CASE(yaml_unknown_names_line_and_way), CASE(yaml_scalars_are_typed))
