/* Dashboards: what is read of Grafana's JSON, and what is kept. */
#include "tell/dashboards.h"

#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "unit/test.h"

static int read_text(const char *json, struct arena *a, struct dashboard_facts *f, struct err *e)
{
    *e = (struct err)ERR_INIT;
    return dashboard_read(str_of(json), a, f, e);
}

TEST(facts_are_read_wherever_they_stand)
{
    struct arena a = ARENA_INIT(1u << 20);
    struct dashboard_facts f;
    struct err e;
    const char *bare = "{\"panels\":[{\"type\":\"stat\"},{\"type\":\"row\",\"panels\":[{\"title\":\"W\","
                       "\"type\":\"geomap\"}]}],"
                       "\"tags\":[\"a\",7,\"b\"],\"uid\":\"u\",\"refresh\":\"15s\",\"title\":\"T\\u00e9\"}";
    char wrapped[1024];
    snprintf(wrapped, sizeof wrapped, "{\"meta\":{},\"dashboard\":%s,\"overwrite\":true}", bare);
    const char *both[] = { bare, wrapped };
    for (size_t i = 0; i < COUNT(both); i++) {
        EXPECT_INT(read_text(both[i], &a, &f, &e), OK);
        EXPECT(str_is(f.title, "T\xc3\xa9") && str_is(f.uid, "u") && str_is(f.refresh, "15s"));
        EXPECT(str_is(f.tags, "[\"a\",\"b\"]"));
        EXPECT(str_is(f.body, bare));
        EXPECT_INT(f.panels, 2); /* a row is none */
        EXPECT_INT(f.n_notes, 1);
        EXPECT(str_is(f.notes[0], "panel \"W\" is of the kind \"geomap\", which is not drawn here"));
    }
    arena_release(&a);
}

TEST(what_is_no_dashboard_is_refused_with_a_reason)
{
    static const struct {
        const char *json, *why;
        int rc;
    } cases[] = {
        { "", "line 1", ERR_PARSE },
        { "[1]", "expected an object", ERR_PARSE },
        { "{\"title\":\"x\"}", "no list of \"panels\"", ERR_PARSE },
        { "{\"title\":\"  \",\"panels\":[]}", "no title", ERR_PARSE },
        { "{\"title\":7,\"panels\":[]}", "no title", ERR_PARSE },
        { "{\"title\":\"x\",\"rows\":[]}", "schema 16", ERR_UNSUPPORTED },
        { "{\"title\":\"x\",\"elements\":{},\"layout\":{}}", "schema 2", ERR_UNSUPPORTED },
        { "{\"title\":\"x\",\"panels\":[{}]}", "a panel without a type", ERR_PARSE },
        { "{\"title\":\"x\",\"panels\":[]} more", "line 1, column 27", ERR_PARSE },
    };
    struct arena a = ARENA_INIT(1u << 20);
    struct dashboard_facts f;
    struct err e;
    for (size_t i = 0; i < COUNT(cases); i++) {
        EXPECT_INT(read_text(cases[i].json, &a, &f, &e), cases[i].rc);
        if (strstr(e.text, cases[i].why) == NULL) fail_msg("%s: %s", cases[i].json, e.text);
    }
    arena_release(&a);
}

TEST(names_are_made_of_titles)
{
    struct arena a = ARENA_INIT(1u << 16);
    EXPECT(str_is(dashboard_slug(STR("My Dashboard (v2)"), &a), "my-dashboard-v2"));
    EXPECT(str_is(dashboard_slug(STR("  --A  b--"), &a), "a-b"));
    EXPECT_INT(dashboard_slug(STR("\xc3\x9c ?"), &a).n, 0);
    EXPECT(dashboard_name_ok(STR("a-B_9")));
    EXPECT(!dashboard_name_ok(STR("")) && !dashboard_name_ok(STR("a/b")) && !dashboard_name_ok(STR("..")));
    arena_release(&a);
}

static void count_one(const struct dashboard *d, void *ctx)
{
    (void)d;
    ++*(size_t *)ctx;
}

static size_t count_all(struct dashboards *d)
{
    size_t n = 0;
    EXPECT_INT(dashboards_each(d, count_one, &n, NULL), OK);
    return n;
}

TEST(what_people_bring_is_kept_and_built_in_ones_are_safe)
{
    char dir[] = "/tmp/vedette-dashboards-XXXXXX", path[128];
    struct arena a = ARENA_INIT(8u << 20);
    struct dashboard_facts f;
    struct state *state;
    struct dashboards *d;
    struct str json;
    struct err e = ERR_INIT;
    bool is_new;
    EXPECT(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/state.db", dir);
    EXPECT_INT(state_open(path, &state, &e), OK);
    EXPECT_INT(dashboards_open(state, &d, &e), OK);
    size_t built_in = count_all(d);
    EXPECT_INT(built_in, dashboard_files_count);

    EXPECT_INT(read_text("{\"title\":\"Mine\",\"panels\":[]}", &a, &f, &e), OK);
    EXPECT_INT(dashboards_put(d, STR("mine"), &f, &is_new, &e), OK);
    EXPECT(is_new);
    EXPECT_INT(dashboards_put(d, STR("mine"), &f, &is_new, &e), OK);
    EXPECT(!is_new);
    EXPECT_INT(dashboards_put(d, STR("system-health"), &f, &is_new, &e), ERR_RANGE);
    EXPECT_INT(dashboards_put(d, STR("a b"), &f, &is_new, &e), ERR_RANGE);
    EXPECT_INT(dashboards_delete(d, STR("system-health"), &e), ERR_RANGE);
    dashboards_close(d);
    state_close(state);

    EXPECT_INT(state_open(path, &state, &e), OK);
    EXPECT_INT(dashboards_open(state, &d, &e), OK);
    EXPECT_INT(count_all(d), built_in + 1);
    EXPECT_INT(dashboards_get(d, STR("mine"), &a, &json, &e), OK);
    EXPECT(str_is(json, "{\"title\":\"Mine\",\"panels\":[]}"));
    EXPECT_INT(dashboards_delete(d, STR("mine"), &e), OK);
    EXPECT_INT(dashboards_delete(d, STR("mine"), &e), ERR_FIND);
    EXPECT_INT(dashboards_get(d, STR("mine"), &a, &json, &e), ERR_FIND);
    EXPECT(dashboards_folder(d, "/nowhere/at/all", &e) < 0);
    dashboards_close(d);
    state_close(state);
    arena_release(&a);
}

TESTS(CASE(facts_are_read_wherever_they_stand), CASE(what_is_no_dashboard_is_refused_with_a_reason),
      CASE(names_are_made_of_titles), CASE(what_people_bring_is_kept_and_built_in_ones_are_safe))
