#include <pthread.h>
#include <unistd.h>

#include "unit/tell/channel/sink.h"

#define KIND "webhook_configs"

TEST(the_body_is_version_4_of_alertmanager)
{
    struct notification n = both();
    void *conf = conf_of(KIND, yaml_of("url: %s", sink_url("/hook?a=b")), NULL);
    sink_answers(200, "text/plain", "");
    struct channel_result r = send_of(KIND, conf, &n);
    EXPECT_STR(r.error, "");
    EXPECT(r.outcome == CHANNEL_SENT && r.status == 200);
    EXPECT_STR(sink.method, "POST");
    EXPECT_STR(sink.path, "/hook");
    EXPECT_STR(sink.type, "application/json");
    EXPECT_STR(sink.signature, "");
    /* by Alertmanager's documentation of the webhook receiver; fingerprints by Python's own FNV-1a */
    EXPECT_STR(
        sink.body,
        "{\"receiver\":\"team\\\\.x\",\"status\":\"firing\",\"alerts\":["
        "{\"status\":\"firing\",\"labels\":{\"alertname\":\"HighLatency\",\"job\":\"api\",\"severity\":"
        "\"critical\"},\"annotations\":{\"summary\":\"slow <b>&</b> \\\"loud\\\"\"},"
        "\"startsAt\":\"2026-09-21T14:11:49.5Z\",\"endsAt\":\"0001-01-01T00:00:00Z\","
        "\"generatorURL\":\"http://prom/graph?g0.expr=up&x=1\",\"fingerprint\":\"8dd3b726a1f3a0fb\"},"
        "{\"status\":\"resolved\",\"labels\":{\"alertname\":\"HighLatency\",\"job\":\"web\",\"severity\":"
        "\"critical\"},\"annotations\":{\"summary\":\"slow <b>&</b> \\\"loud\\\"\"},"
        "\"startsAt\":\"2026-09-21T14:03:20Z\",\"endsAt\":\"2026-09-21T14:13:19Z\","
        "\"generatorURL\":\"\",\"fingerprint\":\"359e1f66ad24ec61\"}],"
        "\"groupLabels\":{\"alertname\":\"HighLatency\"},"
        "\"commonLabels\":{\"alertname\":\"HighLatency\",\"severity\":\"critical\"},"
        "\"commonAnnotations\":{\"summary\":\"slow <b>&</b> \\\"loud\\\"\"},"
        "\"externalURL\":\"http://vedette.example\",\"version\":\"4\","
        "\"groupKey\":\"{}:{alertname=\\\"HighLatency\\\"}\",\"truncatedAlerts\":0}\n");
}

TEST(max_alerts_cuts_and_what_is_common_is_that_of_the_shown)
{
    struct notification n = both();
    void *conf = conf_of(KIND, yaml_of("{url: %s, max_alerts: 1}", sink_url("/")), NULL);
    sink_answers(204, NULL, "");
    EXPECT(send_of(KIND, conf, &n).outcome == CHANNEL_SENT);
    EXPECT(strstr(sink.body, "\"truncatedAlerts\":1") != NULL);
    EXPECT(strstr(sink.body, "\"web\"") == NULL);
    EXPECT(strstr(sink.body, "\"commonLabels\":{\"alertname\":\"HighLatency\",\"job\":\"api\",") != NULL);
}

TEST(a_group_of_resolved_alerts_is_resolved)
{
    struct notification n = both();
    n.alerts++;
    n.n = 1;
    void *conf = conf_of(KIND, yaml_of("url: %s", sink_url("/")), NULL);
    EXPECT(send_of(KIND, conf, &n).outcome == CHANNEL_SENT);
    EXPECT(strstr(sink.body, "\"receiver\":\"team\\\\.x\",\"status\":\"resolved\"") != NULL);
}

TEST(the_signature_is_the_hmac_of_the_body)
{
    struct notification n = both();
    struct arena a = ARENA_INIT(1 << 20);
    const char *file = file_with("key\n");
    void *conf = conf_of(KIND, yaml_of("{url: %s, hmac_secret_file: %s}", sink_url("/"), file), NULL);
    EXPECT(send_of(KIND, conf, &n).outcome == CHANNEL_SENT);
    struct str sum = channel_hmac_sha256(&a, STR("key"), str_of(sink.body));
    EXPECT(str_eq(str_of(sink.signature), arena_printf(&a, "sha256=%.*s", STR_ARG(sum))));
    /* RFC 4231, test case 2 */
    sum = channel_hmac_sha256(&a, STR("Jefe"), STR("what do ya want for nothing?"));
    EXPECT(str_is(sum, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    arena_release(&a);
    unlink(file);
}

TEST(answers_become_outcomes)
{
    static const struct {
        int status;
        enum channel_outcome outcome;
    } all[] = { { 200, CHANNEL_SENT },   { 202, CHANNEL_SENT },   { 299, CHANNEL_SENT },
                { 400, CHANNEL_FAILED }, { 401, CHANNEL_FAILED }, { 404, CHANNEL_FAILED },
                { 429, CHANNEL_RETRY },  { 500, CHANNEL_RETRY },  { 503, CHANNEL_RETRY },
                { 302, CHANNEL_FAILED } };
    struct notification n = both();
    void *conf = conf_of(KIND, yaml_of("url: %s", sink_url("/")), NULL);
    for (size_t i = 0; i < COUNT(all); i++) {
        sink_answers(all[i].status, "text/plain", "no\r\nway");
        struct channel_result r = send_of(KIND, conf, &n);
        if (r.outcome != all[i].outcome || r.status != all[i].status)
            fail_msg("%d: %s", all[i].status, r.error);
        EXPECT((r.error[0] == 0) == (r.outcome == CHANNEL_SENT));
        EXPECT(strpbrk(r.error, "\r\n") == NULL);
    }
    sink_answers(429, "text/plain", "");
    sink.retry_after = "17";
    EXPECT_INT(send_of(KIND, conf, &n).retry_after_ms, 17000);
}

TEST(a_redirect_is_not_followed)
{
    struct notification n = both();
    void *conf =
        conf_of(KIND, yaml_of("{url: %s, http_config: {follow_redirects: true}}", sink_url("/from")), NULL);
    sink_answers(307, NULL, "");
    sink.location = "/to";
    int before = sink.requests;
    struct channel_result r = send_of(KIND, conf, &n);
    EXPECT(r.outcome == CHANNEL_FAILED && strstr(r.error, "redirects") != NULL);
    EXPECT_INT(sink.requests, before + 1);
}

TEST(no_secret_is_in_an_error)
{
    struct notification n = both();
    void *conf =
        conf_of(KIND, yaml_of("url: %s", sink_url("/services/T0123456/SECRETSECRET?token=hushhush")), NULL);
    sink_answers(403, "text/plain", "no SECRETSECRET with hushhush");
    struct channel_result r = send_of(KIND, conf, &n);
    EXPECT(r.outcome == CHANNEL_FAILED);
    EXPECT(strstr(r.error, "SECRET") == NULL && strstr(r.error, "hush") == NULL &&
           strstr(r.error, "no ***") != NULL);

    conf = conf_of(KIND, "url: http://user:hushhush@127.0.0.1:1/services/SECRETSECRET", NULL);
    r = send_of(KIND, conf, &n);
    EXPECT(r.outcome == CHANNEL_RETRY && r.error[0] != 0);
    EXPECT(strstr(r.error, "SECRET") == NULL && strstr(r.error, "hush") == NULL);
}

TEST(private_addresses_are_not_reached_unless_allowed)
{
    struct notification n = both();
    struct outbound *allowed = everywhere;
    everywhere = (struct outbound *)(uintptr_t)outbound_public_only();
    void *conf = conf_of(KIND, yaml_of("url: %s", sink_url("/")), NULL);
    everywhere = allowed;
    int before = sink.requests;
    struct channel_result r = send_of(KIND, conf, &n);
    EXPECT(r.outcome == CHANNEL_FAILED && strstr(r.error, "loopback") != NULL);
    EXPECT_INT(sink.requests, before);
}

TEST(the_url_may_come_from_a_file_that_is_read_each_time)
{
    struct notification n = both();
    const char *file = file_with(sink_url("/one\n"));
    void *conf = conf_of(KIND, yaml_of("url_file: %s", file), NULL);
    sink_answers(200, NULL, "");
    EXPECT(send_of(KIND, conf, &n).outcome == CHANNEL_SENT);
    EXPECT_STR(sink.path, "/one");
    FILE *f = fopen(file, "w");
    fprintf(f, "%s\n", sink_url("/two"));
    fclose(f);
    EXPECT(send_of(KIND, conf, &n).outcome == CHANNEL_SENT);
    EXPECT_STR(sink.path, "/two");
    unlink(file);
    struct channel_result r = send_of(KIND, conf, &n);
    EXPECT(r.outcome == CHANNEL_RETRY && r.error[0] != 0);
}

TEST(credentials_come_from_http_config_or_from_global)
{
    struct notification n = both();
    void *conf = conf_of(
        KIND, yaml_of("{url: %s, http_config: {authorization: {credentials: abc}}}", sink_url("/")), NULL);
    sink_answers(200, NULL, "");
    EXPECT(send_of(KIND, conf, &n).outcome == CHANNEL_SENT);
    EXPECT_STR(sink.authorization, "Bearer abc");
    conf = conf_of(KIND, yaml_of("url: %s", sink_url("/")),
                   "http_config: {basic_auth: {username: u, password: p}}");
    EXPECT(send_of(KIND, conf, &n).outcome == CHANNEL_SENT);
    EXPECT_STR(sink.authorization, "Basic dTpw");
}

TEST(what_is_wrong_in_a_configuration_is_named_with_its_line)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "max_alerts: 1", "line 1: one of url or url_file must be configured" },
        { "max_alerts: 1\nurl: ftp://x/", "url: expected an http or https URL" },
        { "url: http://x/\nurl_file: y", "line 1: at most one of url & url_file" },
        { "url: http://x/\nmax_alerts: -1", "line 2: max_alerts: must not be negative" },
        { "url: http://x/\ntimeout: soon", "line 2: timeout: " },
        { "url: http://x/\nurls: 1", "unknown key \"urls\"" },
        { "url: http://x/\nhttp_config:\n  basic_auth: {user: a}", "unknown key \"user\"" },
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        void *conf;
        struct err e = ERR_INIT;
        if (conf_read(KIND, bad[i].text, NULL, &conf, &e) != ERR_PARSE) fail_msg("taken: %s", bad[i].text);
        if (strstr(e.text, bad[i].says) == NULL) fail_msg("%s\nsays %s", bad[i].text, e.text);
    }
}

TEST(kinds_are_known_by_their_keys)
{
    EXPECT(channel_kind(STR(KIND)) == &channel_webhook);
    EXPECT(channel_kind(STR("webhook")) == NULL && channel_kind(STR("pushover_configs")) == NULL);
    EXPECT(channel_is_foreign(STR("pushover_configs")) && !channel_is_foreign(STR(KIND)));
    EXPECT(!channel_is_foreign(STR("nonsense_configs")));
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(the_body_is_version_4_of_alertmanager),
        CASE(max_alerts_cuts_and_what_is_common_is_that_of_the_shown),
        CASE(a_group_of_resolved_alerts_is_resolved),
        CASE(the_signature_is_the_hmac_of_the_body),
        CASE(answers_become_outcomes),
        CASE(a_redirect_is_not_followed),
        CASE(no_secret_is_in_an_error),
        CASE(private_addresses_are_not_reached_unless_allowed),
        CASE(the_url_may_come_from_a_file_that_is_read_each_time),
        CASE(credentials_come_from_http_config_or_from_global),
        CASE(what_is_wrong_in_a_configuration_is_named_with_its_line),
        CASE(kinds_are_known_by_their_keys),
    };
    return cmocka_run_group_tests(all, sink_start, sink_stop);
}
