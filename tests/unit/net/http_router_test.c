#include "unit/test.h"

#include "net/http_router.h"

static void h(struct http_exchange *x, void *ctx)
{
    (void)x, (void)ctx;
}

static const struct http_route routes[] = {
    { "GET", "/api/v1/traces/{id}", h },         /* 0 */
    { "GET", "/api/v1/traces/stats", h },        /* 1 */
    { "GET", "/assets/{rest*}", h },             /* 2 */
    { "GET", "/api/v1/label/{name}/values", h }, /* 3 */
    { "POST", "/api/v1/query", h },              /* 4 */
    { "GET", "/api/v1/query", h },               /* 5 */
    { "GET", "/", h },                           /* 6 */
    { "*", "/any/{a}/{b}", h },                  /* 7 */
    { "GET", "/{x}/fixed", h },                  /* 8 */
    { "GET", "/fixed/{x}", h },                  /* 9 */
    { "GET", "/assets/{one}/known", h },         /* 10 */
};

static struct http_router router;
static struct arena arena = ARENA_INIT(1 << 20);
static struct http_match m;

static int found(const char *method, const char *path)
{
    http_router_find(&router, str_of(method), str_of(path), &arena, &m);
    return m.entry ? (int)(m.entry->route - routes) : -1;
}

static int set_up(void **state)
{
    (void)state;
    http_router_add(&router, routes, sizeof routes / sizeof *routes, NULL);
    http_router_seal(&router);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_router_release(&router);
    arena_release(&arena);
    return 0;
}

TEST(literal_segments_beat_names_and_names_beat_rest)
{
    EXPECT_INT(found("GET", "/api/v1/traces/stats"), 1);
    EXPECT_INT(found("GET", "/api/v1/traces/abc"), 0);
    EXPECT(str_is(m.captures[0].name, "id") && str_is(m.captures[0].value, "abc"));
    EXPECT_INT(found("GET", "/fixed/fixed"), 9);
    EXPECT_INT(found("GET", "/other/fixed"), 8);
    EXPECT_INT(found("GET", "/assets/a/known"), 10);
    EXPECT_INT(found("GET", "/assets/a/other"), 2);
    EXPECT(str_is(m.captures[0].name, "rest") && str_is(m.captures[0].value, "a/other"));
}

TEST(segments_are_decoded_after_splitting)
{
    EXPECT_INT(found("GET", "/api/v1/label/a%2Fb%20c/values"), 3);
    EXPECT(str_is(m.captures[0].value, "a/b c"));
    EXPECT_INT(found("GET", "/api/v1/label/a/b/values"), -1);
    EXPECT_INT(found("GET", "/api/v1/%71uery"), 5);
    EXPECT_INT(found("GET", "/api/v1%2Fquery"), -1);
}

TEST(a_known_path_with_another_method_names_those_allowed)
{
    EXPECT_INT(found("DELETE", "/api/v1/query"), -1);
    EXPECT(m.path_known);
    EXPECT_STR(m.allow, "POST, GET, HEAD, OPTIONS");
    EXPECT_INT(found("HEAD", "/api/v1/query"), 5);
    EXPECT_INT(found("PATCH", "/any/1/2"), 7);
    EXPECT_INT(found("GET", "/nowhere"), -1);
    EXPECT(!m.path_known);
}

TEST(edges_of_paths)
{
    EXPECT_INT(found("GET", "/"), 6);
    EXPECT_INT(found("GET", ""), -1);
    EXPECT_INT(found("GET", "*"), -1);
    EXPECT_INT(found("GET", "/api/v1/query/"), -1);
    EXPECT_INT(found("GET", "/api/v1/traces/"), -1); /* a name is never empty */
    EXPECT_INT(found("GET", "//"), -1);
    EXPECT_INT(found("GET", "/assets/"), 2);
    EXPECT_INT(found("GET", "/assets"), -1);
}

int main(void)
{
    const struct CMUnitTest all[] = { CASE(literal_segments_beat_names_and_names_beat_rest),
                                      CASE(segments_are_decoded_after_splitting),
                                      CASE(a_known_path_with_another_method_names_those_allowed),
                                      CASE(edges_of_paths) };
    return cmocka_run_group_tests(all, set_up, tear_down);
}
