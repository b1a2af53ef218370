#include <pthread.h>
#include <unistd.h>

#include "unit/tell/channel/sink.h"

/* A line of YAML with %s where the sink's address stands. */
static struct channel_result told(const char *kind, const char *fmt, const struct notification *n)
{
    char text[4096];
    const char *hole = strstr(fmt, "%s");
    snprintf(text, sizeof text, "%.*s%s%s", (int)(hole - fmt), fmt, sink_url("/x/hook"), hole + 2);
    return send_of(kind, conf_of(kind, text, NULL), n);
}

static bool body_has(const char *text)
{
    return strstr(sink.body, text) != NULL;
}

#define SUBJECT "[FIRING:1] HighLatency (critical)"
#define LINK    "http://vedette.example/#/alerts?receiver=team%5C.x"
#define KEY                                                                                                  \
    "d4061866bc333de2350285b0452a21f78349e3d63b4f06b6c956f64f95d7be36" /* SHA-256 of the group's key, by     \
                                                                          sha256sum */

/* ---- Slack ---- */

TEST(slack_gets_an_attachment)
{
    struct notification n = both();
    sink_answers(200, "text/plain", "ok");
    struct channel_result r = told("slack_configs",
                                   "{api_url: '%s', channel: '#{{ .GroupLabels.alertname }}', fields: "
                                   "[{title: A, value: '{{ .Status }}'}, {title: B, value: C, short: true}], "
                                   "actions: [{type: button, text: Go, url: 'http://x'}]}",
                                   &n);
    EXPECT_STR(r.error, "");
    EXPECT_STR(
        sink.body,
        "{\"channel\":\"#HighLatency\",\"username\":\"Vedette\",\"attachments\":[{\"title\":\"" SUBJECT "\","
        "\"title_link\":\"" LINK "\",\"text\":\"\",\"fallback\":\"" SUBJECT " | " LINK "\","
        "\"fields\":[{\"title\":\"A\",\"value\":\"firing\",\"short\":false},"
        "{\"title\":\"B\",\"value\":\"C\",\"short\":true}],\"footer\":\"\",\"color\":\"danger\","
        "\"callback_id\":\"\",\"actions\":[{\"type\":\"button\",\"text\":\"Go\",\"url\":\"http://x\"}],"
        "\"mrkdwn_in\":[\"fallback\",\"pretext\",\"text\"]}]}");
}

TEST(slack_answers_200_to_what_it_did_not_take)
{
    static const struct {
        const char *type, *answer;
        enum channel_outcome outcome;
    } all[] = {
        { "text/plain", "ok", CHANNEL_SENT },
        { "text/plain", "invalid_payload", CHANNEL_FAILED },
        { "application/json; charset=utf-8", "{\"ok\":true,\"ts\":\"1\"}", CHANNEL_SENT },
        { "application/json", "{\"ok\":false,\"error\":\"channel_not_found\"}", CHANNEL_FAILED },
        { "application/json", "{\"ok\":false,\"error\":\"ratelimited\"}", CHANNEL_RETRY },
        { "application/json", "<html>", CHANNEL_RETRY },
    };
    struct notification n = both();
    for (size_t i = 0; i < COUNT(all); i++) {
        sink_answers(200, all[i].type, all[i].answer);
        struct channel_result r = told("slack_configs", "api_url: '%s'", &n);
        if (r.outcome != all[i].outcome) fail_msg("%s: %s", all[i].answer, r.error);
    }
}

TEST(slacks_bot_token_goes_into_a_header)
{
    struct notification n = both();
    sink_answers(200, "application/json", "{\"ok\":true}");
    void *conf = conf_of("slack_configs", "channel: c",
                         yaml_of("{slack_app_token: xoxb-1, slack_app_url: '%s'}", sink_url("/api")));
    struct channel_result r = send_of("slack_configs", conf, &n);
    EXPECT_STR(r.error, "");
    EXPECT_STR(sink.authorization, "Bearer xoxb-1");
    EXPECT_STR(sink.path, "/api");
}

TEST(long_titles_are_cut_by_characters)
{
    struct notification n = both();
    char text[8000] = "{api_url: '%s', title: '";
    for (int i = 0; i < 1100; i++) strcat(text, "\xc3\xa4");
    strcat(text, "'}");
    sink_answers(200, "text/plain", "ok");
    char full[9000];
    snprintf(full, sizeof full, "{api_url: '%s'%s", sink_url("/"), strstr(text, ", title"));
    EXPECT(send_of("slack_configs", conf_of("slack_configs", full, NULL), &n).outcome == CHANNEL_SENT);
    const char *title = strstr(sink.body, "\"title\":\""), *end = strstr(title + 9, "\"");
    EXPECT_INT(end - title - 9, 1023 * 2 + 3);
}

/* ---- PagerDuty ---- */

TEST(pagerduty_gets_an_event)
{
    struct notification n = both();
    sink_answers(202, "application/json", "{}");
    struct channel_result r =
        told("pagerduty_configs",
             "{url: '%s', routing_key: secret-key, severity: '{{ "
             ".CommonLabels.severity }}', details: {firing: f, x: '{{ .Status }}'}, class: c, links: "
             "[{href: 'http://x', text: t}, {text: none}]}",
             &n);
    EXPECT_STR(r.error, "");
    EXPECT_STR(sink.body,
               "{\"routing_key\":\"secret-key\",\"dedup_key\":\"" KEY "\",\"event_action\":\"trigger\","
               "\"payload\":{\"summary\":\"" SUBJECT
               "\",\"source\":\"Vedette\",\"severity\":\"critical\",\"class\":\"c\","
               "\"custom_details\":{\"firing\":\"f\",\"resolved\":\"slow <b>&</b> \\\"loud\\\"\\n  "
               "alertname: HighLatency\\n"
               "  job: web\\n  severity: critical\\n  since: 2026-09-21 14:03:20 UTC\\n  until: 2026-09-21 "
               "14:13:19 UTC\\n\\n"
               "\",\"num_firing\":\"1\",\"num_resolved\":\"1\",\"x\":\"firing\"}},\"client\":\"Vedette\","
               "\"client_url\":\"" LINK "\",\"links\":[{\"href\":\"http://x\",\"text\":\"t\"}]}");
    sink_answers(400, "application/json", "{\"errors\":[\"secret-key is bad\"]}");
    r = told("pagerduty_configs", "{url: '%s', routing_key: secret-key}", &n);
    EXPECT(r.outcome == CHANNEL_FAILED && strstr(r.error, "secret-key") == NULL);
}

TEST(pagerduty_resolves_what_is_over_and_leaves_out_details_that_are_too_large)
{
    struct notification n = both();
    char text[300];
    n.alerts++;
    n.n = 1;
    n.n_firing = 0;
    sink_answers(202, NULL, "");
    snprintf(text, sizeof text, "{url: '%s', routing_key: k, details: {x: '{{ printf \"%%0600000d\" 1 }}'}}",
             sink_url("/"));
    EXPECT(send_of("pagerduty_configs", conf_of("pagerduty_configs", text, NULL), &n).outcome ==
           CHANNEL_SENT);
    EXPECT(body_has("\"event_action\":\"resolve\""));
    snprintf(text, sizeof text, "{url: '%s', service_key: k}", sink_url("/"));
    sink_answers(403, NULL, "");
    EXPECT(send_of("pagerduty_configs", conf_of("pagerduty_configs", text, NULL), &n).outcome ==
           CHANNEL_RETRY);
    EXPECT(body_has("\"event_type\":\"resolve\"") && body_has("\"service_key\":\"k\""));
}

/* ---- Opsgenie ---- */

TEST(opsgenie_gets_an_alert_and_its_end)
{
    struct notification n = both();
    const char *text =
        "{api_url: '%s', api_key: abcdefgh, tags: 'a,b', priority: P1, details: {job: x}, responders: "
        "[{name: 'one,two', type: teams}, {username: u, type: user}]}";
    sink_answers(202, "application/json", "{}");
    struct channel_result r = told("opsgenie_configs", text, &n);
    EXPECT_STR(r.error, "");
    EXPECT_STR(sink.method, "POST");
    EXPECT_STR(sink.path, "/x/hook/v2/alerts");
    EXPECT_STR(sink.authorization, "GenieKey abcdefgh");
    EXPECT(body_has("{\"alias\":\"" KEY "\",\"message\":\"" SUBJECT "\",\"description\":\"slow "));
    EXPECT(body_has("\"details\":{\"alertname\":\"HighLatency\",\"severity\":\"critical\",\"job\":\"x\"}"));
    EXPECT(
        body_has("\"responders\":[{\"name\":\"one\",\"type\":\"team\"},{\"name\":\"two\",\"type\":\"team\"},"
                 "{\"username\":\"u\",\"type\":\"user\"}],\"tags\":[\"a\",\"b\"],\"priority\":\"P1\"}"));
    n.alerts++;
    n.n = 1;
    EXPECT(told("opsgenie_configs", text, &n).outcome == CHANNEL_SENT);
    EXPECT_STR(sink.path, "/x/hook/v2/alerts/" KEY "/close");
    EXPECT_STR(sink.body, "{\"source\":\"" LINK "\"}");
}

TEST(opsgenie_updates_when_told_to)
{
    struct notification n = both();
    int before = sink.requests;
    sink_answers(202, NULL, "");
    EXPECT(told("opsgenie_configs", "{api_url: '%s', api_key: k, update_alerts: true, description: d}", &n)
               .outcome == CHANNEL_SENT);
    EXPECT_INT(sink.requests, before + 3);
    EXPECT_STR(sink.method, "PUT");
    EXPECT_STR(sink.path, "/x/hook/v2/alerts/" KEY "/description");
    EXPECT_STR(sink.body, "{\"description\":\"d\"}");
}

/* ---- Teams, Discord, Telegram, Mattermost ---- */

TEST(teams_gets_an_adaptive_card_by_both_configurations)
{
    struct notification n = both();
    static const char *const kinds[] = { "msteamsv2_configs", "msteams_configs" };
    sink_answers(202, NULL, "");
    for (size_t i = 0; i < 2; i++) {
        EXPECT(told(kinds[i], "{webhook_url: '%s', text: 'a text'}", &n).outcome == CHANNEL_SENT);
        EXPECT_STR(sink.body, "{\"type\":\"message\",\"attachments\":[{\"contentType\":\"application/"
                              "vnd.microsoft.card.adaptive\","
                              "\"contentUrl\":null,\"content\":{\"$schema\":\"http://adaptivecards.io/"
                              "schemas/adaptive-card.json\","
                              "\"type\":\"AdaptiveCard\",\"version\":\"1.4\",\"body\":[{\"type\":"
                              "\"TextBlock\",\"text\":\"" SUBJECT "\","
                              "\"weight\":\"Bolder\",\"size\":\"Medium\",\"style\":\"heading\",\"color\":"
                              "\"Attention\",\"wrap\":true},"
                              "{\"type\":\"TextBlock\",\"text\":\"a "
                              "text\",\"wrap\":true}],\"msteams\":{\"width\":\"full\"}}}]}");
    }
    char text[400];
    snprintf(text, sizeof text,
             "{webhook_url: '%s', text: '{{ range list 1 2 3 4 5 6 7 8 }}{{ range list 1 2 3 4 5 6 7 8 }}"
             "{{ printf \"%%01000d\" 1 }}{{ end }}{{ end }}'}",
             sink_url("/"));
    EXPECT(send_of("msteamsv2_configs", conf_of("msteamsv2_configs", text, NULL), &n).outcome ==
           CHANNEL_SENT);
    EXPECT(strlen(sink.body) <= 28000 && strlen(sink.body) > 20000);
}

TEST(discord_gets_an_embed_that_wakes_nobody)
{
    struct notification n = both();
    sink_answers(204, NULL, "");
    EXPECT(told("discord_configs",
                "{webhook_url: '%s', message: '@everyone {{ len .Alerts }}', username: me}", &n)
               .outcome == CHANNEL_SENT);
    EXPECT_STR(sink.body,
               "{\"content\":\"\",\"embeds\":[{\"title\":\"" SUBJECT "\",\"description\":\"@everyone 2\","
               "\"color\":10038562}],\"username\":\"me\","
               "\"allowed_mentions\":{\"parse\":[\"users\",\"roles\"]}}");
}

TEST(telegram_gets_html_and_nobody_sees_the_token)
{
    struct notification n = both();
    const char *text =
        "{api_url: '%s', bot_token: '123:abcdefgh', chat_id: -100, message_thread_id: 7, message: '<b>{{ "
        ".CommonAnnotations.summary }}</b>'}";
    sink_answers(200, "application/json", "{\"ok\":true}");
    EXPECT(told("telegram_configs", text, &n).outcome == CHANNEL_SENT);
    EXPECT_STR(sink.path, "/x/hook/bot123:abcdefgh/sendMessage");
    EXPECT_STR(sink.body,
               "{\"chat_id\":\"-100\",\"text\":\"<b>slow &lt;b&gt;&amp;&lt;/b&gt; &#34;loud&#34;</b>\","
               "\"parse_mode\":\"HTML\",\"disable_web_page_preview\":true,\"disable_notification\":false,"
               "\"message_thread_id\":7}");
    sink_answers(429, "application/json",
                 "{\"ok\":false,\"parameters\":{\"retry_after\": 12},\"x\":\"123:abcdefgh\"}");
    struct channel_result r = told("telegram_configs", text, &n);
    EXPECT(r.outcome == CHANNEL_RETRY && r.retry_after_ms == 12000 && strstr(r.error, "abcdefgh") == NULL);
}

TEST(mattermost_gets_text_and_an_attachment)
{
    struct notification n = both();
    sink_answers(200, "text/plain", "ok");
    EXPECT(told("mattermost_configs",
                "{webhook_url: '%s', text: hi, priority: {priority: urgent, requested_ack: true}}", &n)
               .outcome == CHANNEL_SENT);
    EXPECT_STR(sink.body,
               "{\"text\":\"hi\",\"username\":\"Vedette\",\"attachments\":[{\"title\":\"" SUBJECT "\","
               "\"title_link\":\"" LINK "\",\"fallback\":\"" SUBJECT " | " LINK "\",\"color\":\"#d6333f\"}],"
               "\"priority\":{\"priority\":\"urgent\",\"requested_ack\":true}}");
}

/* ---- all of them ---- */

TEST(a_template_that_fails_sends_nothing_and_says_why)
{
    struct notification n = both();
    int before = sink.requests;
    struct channel_result r = told("discord_configs", "{webhook_url: '%s', title: '{{ .Nothing }}'}", &n);
    EXPECT(r.outcome == CHANNEL_FAILED && strstr(r.error, "there is no field Nothing") != NULL);
    EXPECT_INT(sink.requests, before);
}

TEST(what_is_wrong_in_a_configuration_is_named)
{
    static const struct {
        const char *kind, *text, *says;
    } bad[] = {
        { "slack_configs", "channel: c", "one of api_url or api_url_file" },
        { "slack_configs", "api_url: http://x/\ntitle: '{{ nonsense }}'",
          "line 2: title: template: :1: function" },
        { "slack_configs", "api_url: http://x/\nfields: [{title: a}]",
          "line 2: fields: title and value are needed" },
        { "slack_configs", "api_url: http://x/\nactions: [{type: a, text: b}]", "a url or a name" },
        { "slack_configs", "api_url: http://x/\ncolour: red", "unknown key \"colour\"" },
        { "pagerduty_configs", "url: http://x/", "routing_key or service_key is missing" },
        { "pagerduty_configs", "{routing_key: a, url: x}", "url: expected an http or https URL" },
        { "opsgenie_configs", "tags: a", "api_key is missing" },
        { "opsgenie_configs", "{api_key: a, responders: [{type: user}]}", "id, name or username" },
        { "opsgenie_configs", "{api_key: a, responders: [{name: x, type: cat}]}", "type is none of" },
        { "telegram_configs", "chat_id: 1", "bot_token or bot_token_file is missing" },
        { "telegram_configs", "{bot_token: a, chat_id: x}", "chat_id: expected a whole number" },
        { "telegram_configs", "{bot_token: a, chat_id: 1, parse_mode: X}", "parse_mode: none of" },
        { "discord_configs", "title: x", "one of webhook_url or webhook_url_file" },
        { "msteams_configs", "title: x", "one of webhook_url" },
        { "msteamsv2_configs", "{webhook_url: 'http://x/', summary: x}", "unknown key \"summary\"" },
        { "mattermost_configs", "text: x", "one of webhook_url" },
        { "email_configs", "to: a@b", "smarthost is missing" },
        { "email_configs", "{smarthost: 'x:25', from: a@b}", "to is missing" },
        { "email_configs", "{smarthost: x, to: a@b, from: a@b}", "smarthost: expected host:port" },
        { "email_configs", "{smarthost: 'x:25', to: a@b, from: a@b, headers: {'a b': c}}",
          "is no name of a header" },
        { "email_configs", "{smarthost: 'x:25', to: a@b, from: a@b, headers: {To: c, to: d}}",
          "is given twice" },
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        void *conf;
        struct err e = ERR_INIT;
        if (conf_read(bad[i].kind, bad[i].text, NULL, &conf, &e) != ERR_PARSE)
            fail_msg("taken: %s", bad[i].text);
        if (strstr(e.text, bad[i].says) == NULL) fail_msg("%s\nsays %s", bad[i].text, e.text);
    }
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(slack_gets_an_attachment),
        CASE(slack_answers_200_to_what_it_did_not_take),
        CASE(slacks_bot_token_goes_into_a_header),
        CASE(long_titles_are_cut_by_characters),
        CASE(pagerduty_gets_an_event),
        CASE(pagerduty_resolves_what_is_over_and_leaves_out_details_that_are_too_large),
        CASE(opsgenie_gets_an_alert_and_its_end),
        CASE(opsgenie_updates_when_told_to),
        CASE(teams_gets_an_adaptive_card_by_both_configurations),
        CASE(discord_gets_an_embed_that_wakes_nobody),
        CASE(telegram_gets_html_and_nobody_sees_the_token),
        CASE(mattermost_gets_text_and_an_attachment),
        CASE(a_template_that_fails_sends_nothing_and_says_why),
        CASE(what_is_wrong_in_a_configuration_is_named),
    };
    return cmocka_run_group_tests(all, sink_start, sink_stop);
}
