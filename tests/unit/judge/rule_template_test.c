/* rule_template_test.c - templates of rules. What is expected are the texts of Prometheus' documentation and
 * of its functions worked out by hand. */
#include "judge/rule_template.h"

#include <math.h>

#include "unit/test.h"
#include "unit/toy_store.c"

static struct store *store;
static struct engine *engine;
static struct rule_query query;

static int set_up(void **state)
{
    (void)state;
    static const char *const hosts[] = { "b", "a", "c" };
    store = toy_store_new();
    for (size_t i = 0; i < 3; i++) {
        struct label at[] = { { STR(LABEL_NAME), STR("load") }, { STR("host"), str_of(hosts[i]) } };
        toy_store_add(store, (struct labels){ at, 2 }, 1000000, (double)i + 0.5, NULL, 0);
    }
    engine = engine_new(store, NULL, &(struct engine_conf){ .no_result_cache = true });
    query = (struct rule_query){ .engine = engine };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    engine_free(engine);
    store_close(store);
    return 0;
}

static void run(const char *text, double value, const char *want)
{
    struct label labels[] = { { STR("host"), STR("web.example.org:80") }, { STR("job"), STR("api") } };
    struct label external[] = { { STR("cluster"), STR("eu") } };
    struct rule_template_data d = { .labels = { labels, 2 },
                                    .value = value,
                                    .external = { external, 1 },
                                    .external_url = STR("http://x.example/base"),
                                    .query = &query,
                                    .at_ms = 1000000 };
    struct arena a = ARENA_INIT(1u << 20);
    struct template *t = NULL;
    struct err e = ERR_INIT;
    if (rule_template_new(str_of(text), &t, &e) < 0) fail_msg("%s: %s", text, e.text);
    EXPECT(t != NULL);
    struct str got = rule_template_run(t, &d, &a);
    if (!str_is(got, want)) fail_msg("%s: wanted \"%s\", got \"%.*s\"", text, want, STR_ARG(got));
    template_free(t);
    arena_release(&a);
}

TEST(variables)
{
    run("{{ $labels.job }} {{ .Labels.host }} {{ $labels.none }}|", 1, "api web.example.org:80 |");
    run("{{ $value }} {{ .Value }}", 0.25, "0.25 0.25");
    run("{{ $value }}", 1e6, "1e+06");
    run("{{ $value | printf \"%.2f\" }}", 1.0 / 3, "0.33");
    run("{{ $externalLabels.cluster }} {{ $externalURL }} {{ .ExternalURL }}", 1,
        "eu http://x.example/base http://x.example/base");
    run("{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}", 1, "host=web.example.org:80;job=api;");
    run("{{ if eq $labels.job \"api\" }}yes{{ else }}no{{ end }} {{ with $labels.none }}x{{ end }}", 1,
        "yes ");
    run("{{ index $labels \"job\" }}{{- /* trimmed */ -}}  !", 1, "api!");
}

TEST(numbers_for_people)
{
    run("{{ humanize $value }}", 1234567, "1.235M");
    run("{{ humanize $value }}", 0.00012, "120u");
    run("{{ humanize $value }}", 0, "0");
    run("{{ humanize $value }}", -1500, "-1.5k");
    run("{{ humanize $value }}", NAN, "NaN");
    run("{{ humanize $value }}", INFINITY, "+Inf");
    run("{{ humanize \"2000\" }} {{ humanize 3000 }}", 0, "2k 3k");
    run("{{ humanize1024 $value }}", 1536, "1.5ki");
    run("{{ humanize1024 $value }}", 0.5, "0.5");
    run("{{ humanize1024 $value }}", 1048576, "1Mi");
    run("{{ humanizePercentage $value }}", 0.1234567, "12.35%");
    run("{{ humanizePercentage $value }}", 2, "200%");
    run("{{ humanize \"x\" }}", 0,
        "<error expanding template: template: :1: error calling humanize: \"x\" is not a number>");
}

TEST(durations_and_times)
{
    run("{{ humanizeDuration $value }}", 0, "0s");
    run("{{ humanizeDuration $value }}", 1, "1s");
    run("{{ humanizeDuration $value }}", 61, "1m 1s");
    run("{{ humanizeDuration $value }}", 3661, "1h 1m 1s");
    run("{{ humanizeDuration $value }}", 90061, "1d 1h 1m 1s");
    run("{{ humanizeDuration $value }}", 0.01, "10ms");
    run("{{ humanizeDuration $value }}", -61, "-1m 1s");
    run("{{ humanizeDuration $value }}", 12.345, "12.35s"); /* of the doubles beside 12.345 */
    run("{{ humanizeTimestamp $value }}", 1435065584.128, "2015-06-23 13:19:44.128 +0000 UTC");
    run("{{ (toTime $value).Year }}", 0, "1970");
    run("{{ toDuration $value }}", 3723.5, "1h2m3.5s");
    run("{{ toDuration $value }}", 0.0015, "1.5ms");
    run("{{ parseDuration \"1h2m\" }}", 0, "3720");
    run("{{ now }}", 0, "1000");
}

TEST(questions)
{
    run("{{ range query \"load\" | sortByLabel \"host\" }}{{ .Labels.host }}={{ .Value }} {{ end }}", 0,
        "a=1.5 b=0.5 c=2.5 ");
    run("{{ with query \"max(load)\" }}{{ . | first | value | humanize }}{{ end }}", 0, "2.5");
    run("{{ query \"load{host='a'}\" | first | label \"host\" }}", 0, "a");
    run("{{ with query \"nothing\" }}some{{ else }}none{{ end }}", 0, "none");
    run("{{ query \"nothing\" | first | value }}", 0,
        "<error expanding template: template: :1: error calling first: first() called on vector with no "
        "elements>");
    run("{{ len (query \"load\") }}", 0, "3");
}

TEST(texts_and_links)
{
    run("{{ stripPort $labels.host }} {{ stripDomain $labels.host }}", 0, "web.example.org web:80");
    run("{{ stripDomain \"10.0.0.1:80\" }} {{ stripPort \"[::1]:80\" }} {{ stripDomain \"a.b\" }}", 0,
        "10.0.0.1:80 ::1 a");
    run("{{ reReplaceAll \"(.*)\\\\.example.*\" \"$1!\" $labels.host }}", 0, "web!");
    run("{{ match \"^w.b\" $labels.host }} {{ match \"nothing\" $labels.host }}", 0, "true false");
    run("{{ toUpper \"aBc\" }} {{ toLower \"aBc\" }} {{ title \"one two\" }}", 0, "ABC abc One Two");
    run("{{ graphLink \"up == 0\" }}", 0, "/graph?g0.expr=up+%3D%3D+0&g0.tab=0");
    run("{{ tableLink \"up\" }}", 0, "/graph?g0.expr=up&g0.tab=1");
    run("{{ externalURL }} {{ pathPrefix }}", 0, "http://x.example/base /base");
    run("{{ urlQueryEscape \"a b&c\" }} {{ safeHtml \"<b>\" }}", 0, "a+b%26c <b>");
    run("{{ define \"t\" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ template \"t\" (args 1 \"b\") }}", 0, "1-b");
}

TEST(text_without_actions_needs_no_template)
{
    struct template *t = (struct template *)1;
    EXPECT_INT(rule_template_new(STR("plain } text {"), &t, NULL), OK);
    EXPECT(t == NULL);
}

TEST(what_the_language_does_not_know_is_refused)
{
    static const char *const texts[] = { "{{ upper $value }}", "{{ $nothing }}", "{{ if }}", "{{",
                                         "{{ humanize }" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct template *t = NULL;
        struct err e = ERR_INIT;
        if (rule_template_new(str_of(texts[i]), &t, &e) == OK) fail_msg("%s was taken", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest all[] = { CASE(variables),
                                      CASE(numbers_for_people),
                                      CASE(durations_and_times),
                                      CASE(questions),
                                      CASE(texts_and_links),
                                      CASE(text_without_actions_needs_no_template),
                                      CASE(what_the_language_does_not_know_is_refused) };
    return cmocka_run_group_tests(all, set_up, tear_down);
}
