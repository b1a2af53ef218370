#include <stdio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "receive/discover_impl.h"
#include "unit/test.h"

static const struct label also = { STR("__meta_filepath"), STR("f") };

static void show(const struct discover_group *g, void *ctx)
{
    struct buf *out = ctx;
    for (size_t i = 0; i < g->n_targets; i++) buf_printf(out, "%.*s ", STR_ARG(g->targets[i]));
    buf_char(out, '{');
    for (size_t i = 0; i < g->n_labels; i++)
        buf_printf(out, "%s%.*s=%.*s", i > 0 ? "," : "", STR_ARG(g->labels[i].name),
                   STR_ARG(g->labels[i].value));
    buf_cs(out, "}\n");
}

static int parsed(const char *text, bool json, char *out, size_t cap, struct err *e)
{
    struct discover_found *f = discover_found_new();
    struct buf shown = BUF_INIT(cap - 1);
    int rc = json ? discover_parse_json(str_of(text), &also, f, e)
                  : discover_parse_yaml(str_of(text), "f.yml", &also, f, e);
    for (size_t i = 0; i < f->n; i++) show(&f->groups[i], &shown);
    snprintf(out, cap, "%s", buf_cstr(&shown));
    buf_release(&shown);
    discover_found_free(f);
    return rc;
}

TEST(discover_reads_lists_as_json_and_yaml)
{
    static const char want[] = "a:1 b:2 {env=prod,__meta_filepath=f}\nc:3 {__meta_filepath=f}\n";
    char got[512];
    EXPECT(parsed("[{\"targets\":[\"a:1\",\"b:2\"],\"labels\":{\"env\":\"prod\"}},{\"targets\":[\"c:3\"],"
                  "\"labels\":null,\"more\":[1]}]",
                  true, got, sizeof got, NULL) == OK);
    EXPECT_STR(got, want);
    EXPECT(parsed("- targets: ['a:1', 'b:2']\n  labels: {env: prod}\n- targets: ['c:3']\n", false, got,
                  sizeof got, NULL) == OK);
    EXPECT_STR(got, want);
    EXPECT(parsed("[]", true, got, sizeof got, NULL) == OK && parsed("", false, got, sizeof got, NULL) == OK);
}

TEST(discover_refuses_what_is_no_list)
{
    static const char *const json[] = { "",
                                        "{}",
                                        "[1]",
                                        "[{\"targets\":\"a\"}]",
                                        "[{\"targets\":[1]}]",
                                        "[{\"targets\":[\"a\"]}",
                                        "[{\"labels\":{\"a\":1}}]" };
    static const char *const yaml[] = { "a: b", "- 1", "- targets: a", "- labels: [a]",
                                        "- {targets: [a], nonsense: 1}" };
    char got[512];
    struct err e = ERR_INIT;
    for (size_t i = 0; i < COUNT(json); i++) EXPECT(parsed(json[i], true, got, sizeof got, &e) == ERR_PARSE);
    for (size_t i = 0; i < COUNT(yaml); i++) {
        EXPECT(parsed(yaml[i], false, got, sizeof got, &e) == ERR_PARSE);
        EXPECT(strncmp(e.text, "f.yml:1: ", 9) == 0);
    }
}

static void changed(void *ctx)
{
    ++*(int *)ctx;
}

static void write_text(const char *dir, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    check(file_replace(path, str_of(text), NULL) == OK);
}

TEST(discover_follows_files_and_keeps_the_last_good_list)
{
    char dir[] = "/tmp/vedette-discover-XXXXXX", config[256];
    struct arena a = ARENA_INIT(1 << 20);
    struct scrape_conf *conf = NULL;
    struct yaml *root;
    struct buf out = BUF_INIT(1 << 12);
    int told = 0;
    log_set_level(LOG_ERROR);
    check(mkdtemp(dir) != NULL);
    snprintf(config, sizeof config, "%s/prometheus.yml", dir);
    check(yaml_parse(STR("scrape_configs: [{job_name: j, file_sd_configs: [{files: ['*.json']}]}]"), config,
                     &a, &root, NULL) == OK);
    check(scrape_conf_parse(root, config, &conf, NULL) == OK);
    struct discover_env env = { .changed = changed, .ctx = &told };
    struct discover_source *s = discover_source_new(conf, &conf->jobs[0].discover[0], &env);

    EXPECT(!discover_is_known(s) && discover_tick(s, 1000) == 2000 && discover_is_known(s) && told == 1);
    write_text(dir, "a.json", "[{\"targets\":[\"a:1\"]}]");
    discover_tick(s, 2000);
    EXPECT(told == 2 && discover_take_changed(s) && !discover_take_changed(s));
    discover_each(s, show, &out);
    EXPECT(strncmp(buf_cstr(&out), "a:1 {__meta_filepath=", 21) == 0);
    discover_tick(s, 3000);
    EXPECT(told == 2); /* nothing new */
    write_text(dir, "b.json", "[{");
    discover_tick(s, 4000);
    EXPECT(!discover_take_changed(s));
    buf_clear(&out);
    discover_each(s, show, &out);
    EXPECT(strncmp(buf_cstr(&out), "a:1 ", 4) == 0);
    write_text(dir, "b.json", "[{\"targets\":[\"b:1\"]}]");
    discover_tick(s, 5000);
    buf_clear(&out);
    discover_each(s, show, &out);
    EXPECT(discover_take_changed(s) && strstr(buf_cstr(&out), "b:1 ") != NULL);

    discover_source_drop(s);
    scrape_conf_free(conf);
    arena_release(&a);
    buf_release(&out);
    static const char *const names[] = { "a.json", "b.json" };
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(config, sizeof config, "%s/%s", dir, names[i]);
        file_unlink(config, NULL);
    }
    rmdir(dir);
}

TESTS(CASE(discover_reads_lists_as_json_and_yaml), CASE(discover_refuses_what_is_no_list),
      CASE(discover_follows_files_and_keeps_the_last_good_list))
