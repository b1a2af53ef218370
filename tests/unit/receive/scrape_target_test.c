#include "receive/scrape_target.h"

#include "base/check.h"
#include "unit/test.h"

static struct scrape_conf *job_of(const char *keys)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct scrape_conf *conf = NULL;
    struct yaml *root;
    struct err e = ERR_INIT;
    struct str text = arena_printf(&a, "scrape_configs: [{job_name: j%s%s}]", *keys ? ", " : "", keys);
    if (yaml_parse(text, "t.yml", &a, &root, &e) < 0 || scrape_conf_parse(root, "t.yml", &conf, &e) < 0)
        fail_msg("%s", e.text);
    arena_release(&a);
    return conf;
}

static struct scrape_spec *made(const struct scrape_conf *conf, const char *address, const char *name,
                                const char *value, struct err *e)
{
    struct scrape_spec *s = NULL;
    struct label l[2] = { { STR("__address__"), str_of(address) }, { str_of(name), str_of(value) } };
    scrape_spec_make(&conf->jobs[0], l, name ? 2 : 1, &s, e);
    return s;
}

static void expect_labels(struct labels l, const char *want)
{
    struct buf out = BUF_INIT(1 << 12);
    labels_print(&out, l);
    EXPECT_STR(buf_cstr(&out), want);
    buf_release(&out);
}

TEST(target_has_job_instance_and_url)
{
    struct scrape_conf *conf = job_of("");
    struct scrape_spec *s = made(conf, "host:9100", NULL, NULL, NULL);
    EXPECT_STR(s->url, "http://host:9100/metrics");
    expect_labels(s->labels, "{instance=\"host:9100\", job=\"j\"}");
    expect_labels(s->discovered, "{__address__=\"host:9100\", __metrics_path__=\"/metrics\", "
                                 "__scheme__=\"http\", __scrape_interval__=\"1m\", "
                                 "__scrape_timeout__=\"10s\", job=\"j\"}");
    EXPECT(s->interval_ms == 60000 && s->timeout_ms == 10000 && !s->dropped);
    scrape_spec_unref(s);
    scrape_conf_free(conf);
}

TEST(target_is_made_by_its_labels)
{
    static const struct {
        const char *job, *name, *value, *url;
    } cases[] = {
        { "", "__scheme__", "https", "https://h:1/metrics" },
        { "", "__metrics_path__", "probe", "http://h:1/probe" },
        { "", "__metrics_path__", "/a b?c", "http://h:1/a%20b%3Fc" },
        { "", "__param_target", "a/b&c", "http://h:1/metrics?target=a%2Fb%26c" },
        { "params: {z: ['1', '2'], a: [x]}", NULL, NULL, "http://h:1/metrics?a=x&z=1&z=2" },
        { "params: {z: ['1', '2']}", "__param_z", "other", "http://h:1/metrics?z=other&z=2" },
        { "relabel_configs: [{target_label: __address__, replacement: 'proxy:80'}]", NULL, NULL,
          "http://proxy:80/metrics" },
        { "relabel_configs: [{source_labels: [x], target_label: __param_x}]", "x", "1",
          "http://h:1/metrics?x=1" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scrape_conf *conf = job_of(cases[i].job);
        struct err e = ERR_INIT;
        struct scrape_spec *s = made(conf, "h:1", cases[i].name, cases[i].value, &e);
        if (s == NULL) fail_msg("case %zu: %s", i, e.text);
        EXPECT_STR(s->url, cases[i].url);
        scrape_spec_unref(s);
        scrape_conf_free(conf);
    }
}

TEST(target_keeps_no_internal_labels_and_instance_may_be_given)
{
    struct scrape_conf *conf = job_of("relabel_configs: [{source_labels: [__meta_zone], target_label: zone}, "
                                      "{target_label: __tmp, replacement: x}]");
    struct scrape_spec *s = made(conf, "h:1", "__meta_zone", "z", NULL);
    expect_labels(s->labels, "{instance=\"h:1\", job=\"j\", zone=\"z\"}");
    scrape_spec_unref(s);
    s = made(conf, "h:1", "instance", "me", NULL);
    expect_labels(s->labels, "{instance=\"me\", job=\"j\"}");
    scrape_spec_unref(s);
    scrape_conf_free(conf);
}

TEST(target_may_set_its_own_times)
{
    struct scrape_conf *conf = job_of("");
    struct err e = ERR_INIT;
    struct scrape_spec *a = made(conf, "h:1", "__scrape_interval__", "30s", NULL),
                       *b = made(conf, "h:1", NULL, NULL, NULL);
    EXPECT(a->interval_ms == 30000);
    EXPECT(hash128_eq(a->id, b->id)); /* another beat is no other target */
    EXPECT(made(conf, "h:1", "__scrape_interval__", "5s", &e) == NULL &&
           strstr(e.text, "timeout cannot be greater") != NULL);
    EXPECT(made(conf, "h:1", "__scrape_timeout__", "soon", &e) == NULL &&
           strstr(e.text, "no duration") != NULL);
    scrape_spec_unref(a);
    scrape_spec_unref(b);
    scrape_conf_free(conf);
}

TEST(target_that_makes_no_sense_is_refused)
{
    struct scrape_conf *conf = job_of("");
    static const char *const bad[] = { "", "a/b", "a b", "user@host", "h?x" };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e = ERR_INIT;
        EXPECT(made(conf, bad[i], NULL, NULL, &e) == NULL && e.code == ERR_RANGE);
    }
    EXPECT(made(conf, "h:1", "__scheme__", "file", NULL) == NULL);
    EXPECT(made(conf, "h:1", "x", "\xff", NULL) == NULL);
    scrape_conf_free(conf);
}

TEST(target_dropped_by_relabelling_keeps_what_was_discovered)
{
    struct scrape_conf *conf = job_of("relabel_configs: [{source_labels: [env], regex: prod, action: keep}]");
    struct scrape_spec *s = made(conf, "h:1", "env", "test", NULL);
    EXPECT(s->dropped && str_is(labels_get(s->discovered, "env"), "test"));
    scrape_spec_unref(s);
    scrape_conf_free(conf);
}

TESTS(CASE(target_has_job_instance_and_url), CASE(target_is_made_by_its_labels),
      CASE(target_keeps_no_internal_labels_and_instance_may_be_given), CASE(target_may_set_its_own_times),
      CASE(target_that_makes_no_sense_is_refused),
      CASE(target_dropped_by_relabelling_keeps_what_was_discovered))
