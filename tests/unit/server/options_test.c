#include "base/check.h"
#include "server/options.h"

#include <unistd.h>

#include "server/config.h"
#include "unit/test.h"

static char file_path[] = "/tmp/vedette-options-XXXXXX";

static void file_holds(const char *text)
{
    FILE *f = fopen(file_path, "w");
    EXPECT(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static int load(struct options *o, struct err *e, int argc, char **argv)
{
    *e = (struct err){ 0 };
    return options_load(o, argc, argv, e);
}

#define LOAD(o, e, ...)                                                                                      \
    load(o, e, (int)(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)),                              \
         (char **)(const char *[]){ __VA_ARGS__ })

static void refused(const char *want_text, int argc, char **argv)
{
    struct options o;
    struct err e;
    EXPECT(load(&o, &e, argc, argv) < 0);
    if (strstr(e.text, want_text) == NULL) fail_msg("\"%s\" is not in \"%s\"", want_text, e.text);
    options_release(&o);
}
#define REFUSED(text, ...)                                                                                   \
    refused(text, (int)(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)),                           \
            (char **)(const char *[]){ __VA_ARGS__ })

TEST(defaults_are_those_of_the_help)
{
    struct options o;
    struct err e;
    EXPECT_INT(load(&o, &e, 0, NULL), OK);
    EXPECT_STR(o.listen, "127.0.0.1:8090");
    EXPECT_STR(o.listen_otlp, "127.0.0.1:4318");
    EXPECT_STR(o.listen_grpc, "127.0.0.1:4317");
    EXPECT_STR(o.data, "data");
    EXPECT_INT(o.retention_ms, 30ll * 24 * 3600 * 1000);
    EXPECT_INT(o.query_timeout_ms, 120000);
    EXPECT_INT(o.min_free_bytes, 64u << 20);
    EXPECT(o.self_metrics && o.host_metrics && !o.demo && !o.admin_api && !o.allow_insecure_listen);
    options_release(&o);
}

TEST(a_flag_beats_the_environment_beats_the_file_beats_the_default)
{
    struct options o;
    struct err e;
    file_holds("max_series: 11\nquery_concurrency: 12\nhttp_threads: 13\n");
    setenv("VEDETTE_MAX_SERIES", "21", 1);
    setenv("VEDETTE_QUERY_CONCURRENCY", "22", 1);
    EXPECT_INT(LOAD(&o, &e, "--config", file_path, "--max-series=31"), OK);
    unsetenv("VEDETTE_MAX_SERIES");
    unsetenv("VEDETTE_QUERY_CONCURRENCY");
    EXPECT_INT(o.max_series, 31);
    EXPECT_INT(o.query_concurrency, 22);
    EXPECT_INT(o.http_threads, 13);
    EXPECT_INT(o.max_connections, 4096);
    options_release(&o);
}

TEST(the_environment_may_name_the_file)
{
    struct options o;
    struct err e;
    file_holds("retention: 2d\n");
    setenv("VEDETTE_CONFIG", file_path, 1);
    EXPECT_INT(load(&o, &e, 0, NULL), OK);
    unsetenv("VEDETTE_CONFIG");
    EXPECT_INT(o.retention_ms, 2ll * 24 * 3600 * 1000);
    options_release(&o);
}

TEST(spellings_of_values)
{
    struct options o;
    struct err e;
    EXPECT_INT(LOAD(&o, &e, "--retention", "forever", "--demo", "--self-metrics=off", "--host-metrics=NO",
                    "--head-bytes", "1MiB", "--query-timeout=1m30s"),
               OK);
    EXPECT_INT(o.retention_ms, 0);
    EXPECT(o.demo && !o.self_metrics && !o.host_metrics);
    EXPECT_INT(o.head_bytes, 1u << 20);
    EXPECT_INT(o.query_timeout_ms, 90000);
    options_release(&o);
}

TEST(otlp_listens_on_the_host_of_the_main_listener)
{
    struct options o;
    struct err e;
    EXPECT_INT(LOAD(&o, &e, "--listen", "[::1]:9000", "--listen-grpc", "none"), OK);
    EXPECT_STR(o.listen_otlp, "[::1]:4318");
    EXPECT_STR(o.listen_grpc, "none");
    options_release(&o);
}

TEST(hours_are_summed_up_when_samples_are_kept_for_long_or_when_asked)
{
    static const struct {
        const char *retention, *rollup;
        bool is_on;
    } cases[] = { { "30d", "auto", true },
                  { "15d", "auto", false },
                  { "forever", "auto", true },
                  { "forever", "no", false },
                  { "7d", "yes", true } };
    struct options o;
    struct err e;
    for (size_t i = 0; i < COUNT(cases); i++) {
        EXPECT_INT(LOAD(&o, &e, "--retention", cases[i].retention, "--rollup-1h", cases[i].rollup), OK);
        EXPECT(options_rollup_1h(&o) == cases[i].is_on && !o.rollup_5m);
        EXPECT_INT(o.retention_rollups_ms, 180ll * 24 * 3600 * 1000);
        options_release(&o);
    }
    REFUSED("rollup-1h is yes, no or auto", "--rollup-1h", "sometimes");
}

TEST(bad_values_name_where_they_stand)
{
    REFUSED("command line: retention", "--retention", "7q");
    REFUSED("\"7q\"", "--retention", "7q");
    REFUSED("--retention wants a value", "--retention");
    REFUSED("unknown flag --retension", "--retension", "7d");
    REFUSED("unexpected argument stray", "stray");
    setenv("VEDETTE_DEMO", "perhaps", 1);
    REFUSED("VEDETTE_DEMO: demo is yes or no", "--data", "x");
    unsetenv("VEDETTE_DEMO");
    file_holds("data: x\n\nmax_body: plenty\n");
    REFUSED(":3: max-body is a size", "--config", file_path);
    file_holds("listen:\n  - a\n");
    REFUSED(file_path, "--config", file_path);
    REFUSED("/no/such/file", "--config", "/no/such/file");
}

TEST(numbers_have_bounds)
{
    REFUSED("too small", "--self-interval", "0s");
    REFUSED("not \"forever\"", "--self-interval", "forever");
    REFUSED("too small", "--query-concurrency", "0");
    REFUSED("too large", "--http-threads", "1000000");
    REFUSED("too large", "--max-body", "1000GiB");
    REFUSED("not \"-1d\"", "--retention=-1d");
    REFUSED("whole number", "--max-series", "18446744073709551616");
}

TEST(help_is_not_an_error)
{
    struct options o;
    struct err e;
    EXPECT_INT(LOAD(&o, &e, "--retention", "7q", "--help"), ERR_FIND);
    EXPECT_STR(e.text, "");
    options_release(&o);
}

/* ---- the file as a whole ---- */

static int check_file(const char *text, struct err *e)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct yaml *file = NULL;
    struct str read;
    *e = (struct err){ 0 };
    file_holds(text);
    int rc = options_read_file(file_path, &a, &file, &read, e);
    if (rc == OK) rc = config_check(file, file_path, e);
    arena_release(&a);
    return rc;
}

TEST(every_section_of_prometheus_is_known)
{
    struct err e;
    EXPECT_INT(check_file("", &e), OK);
    EXPECT_INT(check_file("# nothing\n", &e), OK);
    EXPECT_INT(
        check_file(
            "rule_files: []\nalerting: {}\nremote_write: []\nremote_read: []\nstorage: {}\ntracing: {}\n"
            "global: {}\nscrape_configs: []\notlp: {}\nretention: 3d\nscrape_config_files:\n",
            &e),
        OK);
}

TEST(an_unknown_key_is_named_with_its_line)
{
    struct err e;
    EXPECT_INT(check_file("global: {}\nretention: 3d\nscrape_config: []\n", &e), ERR_PARSE);
    EXPECT(strstr(e.text, ":3: unknown key \"scrape_config\"") != NULL);
    EXPECT(strstr(e.text, file_path) == e.text);
}

TEST(a_file_that_is_no_map_is_refused)
{
    struct err e;
    EXPECT_INT(check_file("- a\n", &e), ERR_PARSE);
    EXPECT(strstr(e.text, ":1: ") != NULL);
    EXPECT_INT(check_file("words\n", &e), ERR_PARSE);
}

TEST(a_file_is_checked_with_the_same_eyes_at_a_reload)
{
    struct err e;
    EXPECT(check_file("demo: perhaps\n", &e) < 0);
    EXPECT(strstr(e.text, ":1: demo is yes or no") != NULL);
    EXPECT(check_file("otlp: 5\n", &e) < 0);
    EXPECT(strstr(e.text, file_path) == e.text);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(file_path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file_path);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(defaults_are_those_of_the_help),
        CASE(a_flag_beats_the_environment_beats_the_file_beats_the_default),
        CASE(the_environment_may_name_the_file),
        CASE(spellings_of_values),
        CASE(otlp_listens_on_the_host_of_the_main_listener),
        CASE(hours_are_summed_up_when_samples_are_kept_for_long_or_when_asked),
        CASE(bad_values_name_where_they_stand),
        CASE(numbers_have_bounds),
        CASE(help_is_not_an_error),
        CASE(every_section_of_prometheus_is_known),
        CASE(an_unknown_key_is_named_with_its_line),
        CASE(a_file_that_is_no_map_is_refused),
        CASE(a_file_is_checked_with_the_same_eyes_at_a_reload),
    };
    return cmocka_run_group_tests(all, make_file, remove_file);
}
