#include "receive/scrape_config.h"

#include "base/check.h"
#include "unit/test.h"

static int load(const char *text, struct scrape_conf **out, struct err *e)
{
    struct arena a = ARENA_INIT(1 << 22); /* gone before the configuration is used: it must have copied */
    struct yaml *root;
    int rc = yaml_parse(str_of(text), "dir/prometheus.yml", &a, &root, e);
    if (rc == OK) rc = scrape_conf_parse(root, "dir/prometheus.yml", out, e);
    arena_release(&a);
    return rc;
}

static struct scrape_conf *loaded(const char *text)
{
    struct scrape_conf *c = NULL;
    struct err e = ERR_INIT;
    if (load(text, &c, &e) < 0) fail_msg("%s", e.text);
    return c;
}

TEST(config_defaults_are_those_of_prometheus)
{
    struct scrape_conf *c = loaded("scrape_configs: [{job_name: x}]");
    const struct scrape_job *j = &c->jobs[0];
    EXPECT(c->n_jobs == 1 && str_is(j->name, "x"));
    EXPECT(j->interval_ms == 60000 && j->timeout_ms == 10000);
    EXPECT(str_is(j->metrics_path, "/metrics") && str_is(j->scheme, "http"));
    EXPECT(!j->honor_labels && j->honor_timestamps && !j->track_timestamps_staleness && j->compression);
    EXPECT(j->http.follow_redirects && j->sample_limit == 0 && j->body_size_limit == 0 && j->n_discover == 0);
    scrape_conf_free(c);
}

TEST(config_without_scrapes_is_fine)
{
    struct scrape_conf *c = NULL;
    EXPECT(scrape_conf_parse(NULL, NULL, &c, NULL) == OK && c->n_jobs == 0);
    scrape_conf_free(c);
    c = loaded("rule_files: [a.yml]\nalerting: {}\n"); /* others' sections are not ours to judge */
    EXPECT(c->n_jobs == 0);
    scrape_conf_free(c);
}

TEST(config_global_values_reach_the_jobs_and_jobs_override_them)
{
    struct scrape_conf *c =
        loaded("global: {scrape_interval: 5s, sample_limit: 7, body_size_limit: 10MB, external_labels: {b: "
               "2, a: 1}}\n"
               "scrape_configs:\n"
               "- {job_name: x}\n"
               "- {job_name: y, scrape_interval: 1m, scrape_timeout: 20s, sample_limit: 9}\n");
    EXPECT(c->jobs[0].interval_ms == 5000 && c->jobs[0].timeout_ms == 5000); /* never above the interval */
    EXPECT(c->jobs[0].sample_limit == 7 && c->jobs[0].body_size_limit == 10u << 20);
    EXPECT(c->jobs[1].interval_ms == 60000 && c->jobs[1].timeout_ms == 20000 && c->jobs[1].sample_limit == 9);
    EXPECT(c->external.n == 2 && str_is(c->external.at[0].name, "a") && str_is(c->external.at[1].value, "2"));
    scrape_conf_free(c);
}

TEST(config_reads_every_key_of_a_job)
{
    struct scrape_conf *c = loaded(
        "scrape_configs:\n"
        "- job_name: all\n"
        "  scrape_interval: 30s\n"
        "  scrape_timeout: 5s\n"
        "  scrape_protocols: [PrometheusText0.0.4, OpenMetricsText1.0.0]\n"
        "  fallback_scrape_protocol: PrometheusText0.0.4\n"
        "  metrics_path: /m\n"
        "  scheme: https\n"
        "  params: {b: [x, y], a: ['1']}\n"
        "  honor_labels: true\n"
        "  honor_timestamps: false\n"
        "  track_timestamps_staleness: true\n"
        "  enable_compression: false\n"
        "  basic_auth: {username: me, password_file: secret}\n"
        "  tls_config: {ca_file: ca.pem, server_name: s, insecure_skip_verify: true, min_version: TLS12}\n"
        "  proxy_url: http://proxy:1\n"
        "  follow_redirects: false\n"
        "  enable_http2: false\n"
        "  http_headers: {X-A: {values: [v], secrets: [s], files: [f]}}\n"
        "  sample_limit: 1\n"
        "  label_limit: 2\n"
        "  label_name_length_limit: 3\n"
        "  label_value_length_limit: 4\n"
        "  target_limit: 5\n"
        "  keep_dropped_targets: 6\n"
        "  body_size_limit: 7KB\n"
        "  metric_name_validation_scheme: utf8\n"
        "  native_histogram_bucket_limit: 100\n"
        "  static_configs: [{targets: ['a:1', 'b:2'], labels: {env: prod}}]\n"
        "  file_sd_configs: [{files: ['t/*.json', /abs/x.yml], refresh_interval: 1m}]\n"
        "  http_sd_configs: [{url: 'http://sd/', authorization: {credentials: tok}}]\n"
        "  dns_sd_configs: [{names: [x.example], type: A, port: 80}]\n"
        "  relabel_configs: [{source_labels: [__address__], target_label: a}]\n"
        "  metric_relabel_configs: [{action: labeldrop, regex: x}]\n");
    const struct scrape_job *j = &c->jobs[0];
    EXPECT(j->n_protocols == 2 && j->protocols[0] == SCRAPE_TEXT_004 && j->fallback == SCRAPE_TEXT_004);
    EXPECT(j->n_params == 2 && str_is(j->params[0].name, "a") && str_is(j->params[1].values[1], "y"));
    EXPECT(j->honor_labels && !j->honor_timestamps && j->track_timestamps_staleness && !j->compression);
    EXPECT_STR(j->http.user, "me");
    EXPECT_STR(j->http.password_file, "dir/secret");
    EXPECT_STR(j->http.tls.use.ca_file, "dir/ca.pem");
    EXPECT(j->http.tls.use.insecure_skip_verify && !j->http.follow_redirects && j->http.n_headers == 3);
    EXPECT(j->label_limit == 2 && j->label_name_limit == 3 && j->label_value_limit == 4 &&
           j->target_limit == 5);
    EXPECT(j->keep_dropped_targets == 6 && j->body_size_limit == 7 * 1024);
    EXPECT(j->n_discover == 4 && j->discover[0].n_groups == 1 && j->discover[0].groups[0].n_targets == 2);
    EXPECT_STR(j->discover[1].names[0], "dir/t/*.json");
    EXPECT_STR(j->discover[1].names[1], "/abs/x.yml");
    EXPECT(j->discover[2].kind == DISCOVER_HTTP && j->discover[3].dns_port == 80);
    EXPECT(j->relabel.n == 1 && j->metric_relabel.n == 1);
    scrape_conf_free(c);
}

TEST(config_errors_name_file_and_line)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "scrape_configs:\n- job_name: x\n  scrap_interval: 1s\n", "dir/prometheus.yml:3: " },
        { "scrape_configs:\n- job_name: x\n  scrap_interval: 1s\n", "scrap_interval" },
        { "global:\n  nonsense: 1\n", "dir/prometheus.yml:2: " },
        { "scrape_configs:\n- {}\n", "dir/prometheus.yml:2: job_name is empty" },
        { "scrape_configs:\n- job_name: x\n- job_name: x\n",
          "dir/prometheus.yml:3: found multiple scrape configs with job name \"x\"" },
        { "scrape_configs:\n- job_name: x\n  scrape_interval: 5 apples\n",
          "dir/prometheus.yml:3: scrape_interval: " },
        { "scrape_configs:\n- job_name: x\n  scrape_interval: 1s\n  scrape_timeout: 2s\n",
          "scrape timeout greater than scrape interval" },
        { "global: {scrape_interval: 1s, scrape_timeout: 2s}", "global scrape timeout greater" },
        { "scrape_configs:\n- job_name: x\n  scrape_interval: 0s\n", "longer than 0" },
        { "scrape_configs:\n- job_name: x\n  scheme: ftp\n", ":3: scheme: http or https" },
        { "scrape_configs: {a: b}", "scrape_configs: expected a list" },
        { "scrape_configs: [5]", "a scrape config is a map" },
        { "scrape_configs:\n- job_name: x\n  basic_auth: {username: a, password: b, password_file: c}\n",
          "at most one of basic_auth password" },
        { "scrape_configs:\n- job_name: x\n  basic_auth: {username: a}\n  bearer_token: b\n",
          "at most one of basic_auth, oauth2 & authorization" },
        { "scrape_configs:\n- job_name: x\n  bearer_token: a\n  bearer_token_file: b\n",
          "at most one of bearer_token" },
        { "scrape_configs:\n- job_name: x\n  authorization: {type: Basic}\n", "use \"basic_auth\" instead" },
        { "scrape_configs:\n- job_name: x\n  tls_config: {cert_file: a}\n", "certificate" },
        { "scrape_configs:\n- job_name: x\n  static_configs:\n  - targets:\n    - http://a/b\n",
          "dir/prometheus.yml:5: \"http://a/b\" is not a valid hostname" },
        { "scrape_configs:\n- job_name: x\n  file_sd_configs: [{files: [a.txt]}]\n",
          "not valid for file discovery" },
        { "scrape_configs:\n- job_name: x\n  file_sd_configs: [{files: ['a/*/b.json']}]\n",
          "not valid for file discovery" },
        { "scrape_configs:\n- job_name: x\n  file_sd_configs: [{}]\n", "at least one path name" },
        { "scrape_configs:\n- job_name: x\n  http_sd_configs: [{url: 'ftp://x'}]\n", "URL scheme" },
        { "scrape_configs:\n- job_name: x\n  dns_sd_configs: [{names: [a], type: A}]\n",
          "a port is required" },
        { "scrape_configs:\n- job_name: x\n  dns_sd_configs: [{names: [a], type: TXT}]\n",
          "invalid DNS-SD records type" },
        { "scrape_configs:\n- job_name: x\n  scrape_protocols: [Carrier]\n", "unknown scrape protocol" },
        { "scrape_configs:\n- job_name: x\n  sample_limit: -1\n", "must not be negative" },
        { "scrape_configs:\n- job_name: x\n  relabel_configs:\n  - action: what\n",
          "dir/prometheus.yml:4: unknown relabel action" },
        { "global: {external_labels: {__name__: x}}", "__name__ is not allowed" },
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct scrape_conf *c = NULL;
        struct err e = ERR_INIT;
        if (load(bad[i].text, &c, &e) != ERR_PARSE) fail_msg("taken: %s", bad[i].text);
        if (strstr(e.text, bad[i].says) == NULL)
            fail_msg("%s\nsays %s\nnot  %s", bad[i].text, e.text, bad[i].says);
    }
}

TEST(config_of_an_unsupported_discovery_still_loads)
{
    struct scrape_conf *c = loaded(
        "scrape_configs:\n- job_name: x\n  kubernetes_sd_configs: [{role: pod, namespaces: {names: [a]}}]\n"
        "  static_configs: [{targets: ['a:1']}]\n");
    EXPECT(c->jobs[0].n_discover == 1);
    scrape_conf_free(c);
}

static const char secrets[] =
    "scrape_configs:\n- job_name: x\n  basic_auth: {username: me, password: hush1}\n  proxy_url: "
    "http://u:hush2@p:1\n"
    "  tls_config: {ca: hush3}\n  http_headers: {X: {secrets: [hush4]}}\n"
    "  http_sd_configs: [{url: 'http://sd/', authorization: {credentials: hush5}}]\n";

TEST(config_dump_hides_secrets_and_reads_back)
{
    struct scrape_conf *c = loaded(secrets);
    struct buf text = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
    scrape_conf_print(c, &text);
    EXPECT(strstr(buf_cstr(&text), "hush") == NULL);
    EXPECT(strstr(buf_cstr(&text), "password: <secret>") != NULL);
    struct scrape_conf *d = loaded(buf_cstr(&text));
    scrape_conf_print(d, &again);
    EXPECT(str_eq(buf_view(&text), buf_view(&again)));
    scrape_conf_free(c);
    scrape_conf_free(d);
    buf_release(&text);
    buf_release(&again);
}

TEST(config_identity_changes_with_what_matters_and_only_then)
{
    struct scrape_conf *a = loaded(
        "# one\nscrape_configs:\n- {job_name: x, basic_auth: {username: u, password: p}}\n- {job_name: y}\n");
    struct scrape_conf *b =
        loaded("scrape_configs:\n- {job_name: y}\n- job_name: x\n  basic_auth: {password: p, username: u}\n");
    struct scrape_conf *c =
        loaded("scrape_configs:\n- {job_name: x, basic_auth: {username: u, password: q}}\n");
    EXPECT(hash128_eq(a->jobs[0].identity, b->jobs[1].identity) &&
           hash128_eq(a->jobs[1].identity, b->jobs[0].identity));
    EXPECT(!hash128_eq(a->jobs[0].identity,
                       c->jobs[0].identity)); /* a new password counts, though it is never shown */
    EXPECT(hash128_eq(a->jobs[0].series_identity, c->jobs[0].series_identity));
    scrape_conf_free(a);
    scrape_conf_free(b);
    scrape_conf_free(c);
}

TESTS(CASE(config_defaults_are_those_of_prometheus), CASE(config_without_scrapes_is_fine),
      CASE(config_global_values_reach_the_jobs_and_jobs_override_them), CASE(config_reads_every_key_of_a_job),
      CASE(config_errors_name_file_and_line), CASE(config_of_an_unsupported_discovery_still_loads),
      CASE(config_dump_hides_secrets_and_reads_back),
      CASE(config_identity_changes_with_what_matters_and_only_then))
