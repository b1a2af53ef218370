#include <pthread.h>
#include <unistd.h>

#include "tell/channel/template.h"
#include "unit/tell/channel/sink.h"

static struct arena arena = ARENA_INIT(64 << 20);

static const char *run(const struct notify_templates *set, const char *text, bool html)
{
    struct notification n = both();
    struct buf out = BUF_INIT(1 << 20);
    struct err e = ERR_INIT;
    n.reason = "first";
    struct tvalue data = notify_template_data(&n, 0, &arena);
    if (notify_template_run(set, str_of(text), data, NOW_MS, html, &arena, &out, &e) < 0)
        buf_printf(&out, "! %s", e.text);
    const char *got = arena_str(&arena, buf_view(&out)).p;
    buf_release(&out);
    return got;
}

static void says(const char *text, const char *wanted)
{
    const char *got = run(NULL, text, false);
    if (strcmp(got, wanted) != 0) fail_msg("%s\nsays   %s\nwanted %s", text, got, wanted);
}

static void page(const char *text, const char *wanted)
{
    const char *got = run(NULL, text, true);
    if (strcmp(got, wanted) != 0) fail_msg("%s\nsays   %s\nwanted %s", text, got, wanted);
}

TEST(the_data_is_that_of_alertmanager)
{
    says("{{ .Receiver }} {{ .Status }} {{ .ExternalURL }} {{ .NotificationReason }}",
         "team\\.x firing http://vedette.example first");
    says("{{ len .Alerts }} {{ .Alerts | len }} {{ len .Alerts.Firing }} {{ .Alerts.Resolved | len }}",
         "2 2 1 1");
    says("{{ range .Alerts }}{{ .Status }}/{{ .Labels.job }}/{{ .Labels.none }}/{{ .Fingerprint }} {{ end }}",
         "firing/api//8dd3b726a1f3a0fb resolved/web//359e1f66ad24ec61 ");
    says("{{ range $i, $a := .Alerts }}{{ if gt $i 0 }}, {{ end }}{{ $i }}:{{ $a.Labels.job }}{{ end }}",
         "0:api, 1:web");
    says("{{ (index .Alerts 0).Annotations.summary }}", "slow <b>&</b> \"loud\"");
    says("{{ index .CommonLabels \"severity\" }}{{ index .CommonLabels \"none\" }}", "critical");
    says("{{ $x := .CommonLabels }}{{ $x.severity }} {{ $.Status }}", "critical firing");
}

TEST(sets_of_labels_have_their_methods)
{
    says("{{ .CommonLabels.SortedPairs.Names | join \",\" }}", "alertname,severity");
    says("{{ .CommonLabels.SortedPairs.Values | join \" \" }}", "HighLatency critical");
    says("{{ .CommonLabels.Names | join \",\" }} {{ .CommonLabels.Values | join \",\" }}",
         "alertname,severity HighLatency,critical");
    says("{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}",
         "alertname=HighLatency;severity=critical;");
    says("{{ with .CommonLabels.Remove .GroupLabels.Names }}{{ .Values | join \" \" }}{{ end }}", "critical");
    says("{{ (.CommonLabels.Remove (stringSlice \"severity\" \"x\")).Names | join \" \" }}", "alertname");
    says("{{ if gt (len .CommonLabels) (len .GroupLabels) }}more{{ end }}", "more");
    says("{{ .CommonLabels }}", "alertname=HighLatency, severity=critical");
    says("{{ .CommonLabels.SortedPairs }}", "alertname=HighLatency, severity=critical");
    says("{{ range $k, $v := .GroupLabels }}{{ $k }}:{{ $v }}{{ end }}", "alertname:HighLatency");
    says("{{ .CommonLabels.Remove 5 }}", "! template: :1: error calling Remove: expected a list of names");
}

TEST(what_is_no_field_is_an_error)
{
    says("{{ .Foo }}", "! template: :1: error calling Foo: there is no field Foo");
    says("\n{{ range .Alerts }}{{ .labels }}{{ end }}",
         "\n! template: :2: error calling labels: there is no field labels");
    says("{{ .Status.Remove 5 }}", "! template: :1: Remove is no method here but has arguments");
    says("{{ template \"none\" . }}", "! template: :1: template \"none\" not defined");
}

TEST(times_and_durations_have_gos_methods)
{
    says("{{ range .Alerts.Firing }}{{ .StartsAt }}{{ end }}", "2026-09-21 14:11:49.5 +0000 UTC");
    says("{{ range .Alerts.Firing }}{{ .StartsAt.Format \"Jan 2 15:04:05 MST\" }} {{ .StartsAt.Unix }}{{ end "
         "}}",
         "Sep 21 14:11:49 UTC 1789999909");
    says("{{ range .Alerts.Firing }}{{ .StartsAt | date \"15:04\" }} {{ .StartsAt | since }}{{ end }}",
         "14:11 1m30.5s");
    says("{{ range .Alerts.Firing }}{{ since .StartsAt | humanizeDuration }}{{ end }}", "1m 30s");
    says("{{ range .Alerts.Resolved }}{{ .EndsAt.Sub .StartsAt }} {{ (.EndsAt.Sub .StartsAt).Minutes }}{{ "
         "end }}",
         "9m59s 9.983333333333333");
    says("{{ range .Alerts.Resolved }}{{ .EndsAt.After .StartsAt }} {{ .EndsAt.IsZero }}{{ end }}",
         "true false");
    says("{{ range .Alerts.Firing }}{{ .EndsAt.IsZero }} {{ .StartsAt.Year }} {{ .StartsAt.Month }}{{ end }}",
         "true 2026 September");
    says("{{ range .Alerts.Firing }}{{ (tz \"Asia/Kolkata\" .StartsAt).Format \"15:04 -0700\" }}{{ end }}",
         "19:41 +0530");
    says("{{ range .Alerts.Firing }}{{ tz \"Nowhere/Land\" .StartsAt }}{{ end }}",
         "! template: :1: error calling tz: unknown time zone Nowhere/Land");
    says("{{ now.Format \"2006\" }}", "! template: :1: unexpected \".\" after operand");
    says("{{ (now).Format \"2006-01-02\" }}", "2026-09-21");
    says("{{ range .Alerts.Firing }}{{ (since .StartsAt).Round 1000000000 }}{{ end }}", "1m31s");
}

TEST(functions_do_as_their_names_say)
{
    says(
        "{{ .Status | toUpper }} {{ \"A\" | toLower }} {{ title \"hello world\" }} {{ trimSpace \"  x \" }}.",
        "FIRING a Hello World x.");
    says("{{ match \"^fir\" .Status }} {{ match \"x\" .Status }}", "true false");
    says("{{ reReplaceAll \"(f)(i)\" \"${2}-$1\" .Status }}", "i-fring");
    says("{{ reReplaceAll \"(\" \"\" .Status }}",
         "! template: :1: error calling reReplaceAll: invalid regular expression \"(\": missing ): (");
    says("{{ stringSlice \"a\" \"b\" | join \"+\" }} {{ list 1 2 3 | len }} {{ join \"\" (append (list "
         "\"a\") \"b\") }}",
         "a+b 3 ab");
    says("{{ $d := dict \"b\" 1 \"a\" 2 \"b\" 3 }}{{ $d.b }}{{ $d.a }}{{ len $d }}", "322");
    says("{{ dict \"a\" }}", "! template: :1: error calling dict: expected keys and values in turn");
    says("{{ toJson .GroupLabels }} {{ toJson (list 1 \"x\" true) }}",
         "{\"alertname\":\"HighLatency\"} [1,\"x\",true]");
    says("{{ range .Alerts.Resolved }}{{ toJson . }}{{ end }}",
         "{\"annotations\":{\"summary\":\"slow <b>&</b> \\\"loud\\\"\"},\"endsAt\":\"2026-09-21T14:13:19Z\","
         "\"fingerprint\":\"359e1f66ad24ec61\",\"generatorURL\":\"\",\"labels\":{\"alertname\":"
         "\"HighLatency\",\"job\":"
         "\"web\",\"severity\":\"critical\"},\"startsAt\":\"2026-09-21T14:03:20Z\",\"status\":\"resolved\"}");
    says("{{ base64encode \"hi\" }} {{ base64decode \"aGk=\" }} {{ urlUnescape \"a%20b\" }} {{ urlquery \"a "
         "b&c\" }}",
         "aGk= hi a b a+b%26c");
    says("{{ humanizeDuration 0.25 }} {{ humanizeDuration 59 }} {{ humanizeDuration 90061 }} {{ "
         "humanizeDuration 0 }}",
         "250ms 59s 1d 1h 1m 1s 0s");
    says("{{ safeHtml \"<b>\" }}{{ safeUrl \"javascript:x\" }}", "<b>javascript:x");
}

TEST(the_defaults_say_what_and_how_many_and_all_of_them_run)
{
    static const char *const names[] = {
        "__subject",
        "__description",
        "__text_alert_list",
        "slack.default.title",
        "slack.default.username",
        "slack.default.fallback",
        "slack.default.callbackid",
        "slack.default.pretext",
        "slack.default.titlelink",
        "slack.default.iconemoji",
        "slack.default.iconurl",
        "slack.default.text",
        "slack.default.footer",
        "pagerduty.default.description",
        "pagerduty.default.client",
        "pagerduty.default.clientURL",
        "opsgenie.default.message",
        "opsgenie.default.description",
        "opsgenie.default.source",
        "email.default.subject",
        "email.default.html",
        "discord.default.title",
        "discord.default.message",
        "telegram.default.message",
        "msteams.default.summary",
        "msteams.default.title",
        "msteams.default.text",
        "msteamsv2.default.title",
        "msteamsv2.default.text",
        "mattermost.default.text",
        "mattermost.default.title",
        "mattermost.default.username",
    };
    says("{{ template \"__subject\" . }}", "[FIRING:1] HighLatency (critical)");
    says("{{ template \"__alertmanagerURL\" . }}", "http://vedette.example/#/alerts?receiver=team%5C.x");
    for (size_t i = 0; i < COUNT(names); i++) {
        if (strcmp(names[i], "__text_alert_list") == 0) continue;
        const char *text = arena_printf(&arena, "{{ template \"%s\" . }}", names[i]).p;
        for (int html = 0; html < 2; html++)
            if (run(NULL, text, html)[0] == '!') fail_msg("%s: %s", names[i], run(NULL, text, html));
    }
    says("{{ template \"pagerduty.default.instances\" .Alerts.Firing }}",
         "slow <b>&</b> \"loud\"\n  alertname: HighLatency\n  job: api\n  severity: critical\n"
         "  since: 2026-09-21 14:11:49 UTC\n  source: http://prom/graph?g0.expr=up&x=1\n\n");
}

TEST(files_of_the_user_override_also_what_defaults_call)
{
    const char *file = file_with("ignored{{ define \"__subject\" }}mine {{ template \"my\" . }}{{ end }}"
                                 "{{ define \"my\" }}{{ .Status }}{{ end }}");
    const struct str patterns[] = { str_of(file), STR("/nowhere/*.tmpl") };
    struct notify_templates *set;
    EXPECT_INT(notify_templates_load(patterns, 2, &set, NULL), OK);
    EXPECT_STR(run(set, "{{ template \"slack.default.title\" . }}", false), "mine firing");
    EXPECT_STR(run(set, "{{ define \"my\" }}nearer{{ end }}{{ template \"slack.default.title\" . }}", false),
               "mine nearer");
    notify_templates_free(set);
    unlink(file);
}

TEST(a_broken_file_is_an_error_that_names_it)
{
    const char *file = file_with("x\n{{ define \"a\" }}\n{{ nonsense }}{{ end }}");
    const struct str pattern = str_of(file);
    struct notify_templates *set;
    struct err e = ERR_INIT;
    EXPECT_INT(notify_templates_load(&pattern, 1, &set, &e), ERR_PARSE);
    EXPECT(strstr(e.text, file) != NULL && strstr(e.text, "3: function \"nonsense\" not defined") != NULL);
    unlink(file);
    EXPECT_INT(notify_template_check(STR("{{ .A.B }} {{ template \"any\" . }}"), &e), OK);
    EXPECT_INT(notify_template_check(STR("{{ if }}"), &e), ERR_PARSE);
}

TEST(a_template_that_calls_itself_ends)
{
    says("{{ define \"x\" }}{{ template \"x\" . }}{{ end }}{{ template \"x\" . }}",
         "! template: nested more than 128 deep");
}

TEST(values_are_escaped_by_where_they_stand)
{
#define EVIL "{{ $x := \"<a href='x'>&\\\"\" }}"
    page(EVIL "<p>{{ $x }}</p>", "<p>&lt;a href=&#39;x&#39;&gt;&amp;&#34;</p>");
    page(EVIL "<p title=\"{{ $x }}\">", "<p title=\"&lt;a href=&#39;x&#39;&gt;&amp;&#34;\">");
    page(EVIL "<p title='{{ $x }}'>", "<p title='&lt;a href=&#39;x&#39;&gt;&amp;&#34;'>");
    page("<p title={{ \"a b=c\" }} class=x>", "<p title=a&#32;b&#61;c class=x>");
    page("<p {{ \"onclick=x\" }}>", "<p ZgotmplZ>");
    page("<!-- {{ .Status }} --><b>{{ .Status }}</b>", "<!--  --><b>firing</b>");
    page("{{ safeHtml \"<b>\" }}", "<b>");
    page("<p title=\"{{ safeHtml \"<b>\" }}\">", "<p title=\"&lt;b&gt;\">");
    page("<h1>{{ 5 }} {{ .GroupLabels.SortedPairs.Values | join \"<\" }}</h1>", "<h1>5 HighLatency</h1>");
}

TEST(addresses_of_pages_have_safe_schemes)
{
    page("<a href=\"{{ \"javascript:alert(1)\" }}\">x</a>", "<a href=\"#ZgotmplZ\">x</a>");
    page("<a href=\"{{ \"JaVaScRiPt:alert(1)\" }}\">", "<a href=\"#ZgotmplZ\">");
    page("<a href='{{ \"data:text/html,x\" }}'>", "<a href='#ZgotmplZ'>");
    page("<a href={{ \"vbscript:x\" }}>", "<a href=#ZgotmplZ>");
    page("<a href=\"{{ \"http://x/?a=1&b=<2>\" }}\">", "<a href=\"http://x/?a=1&amp;b=%3c2%3e\">");
    page("<a href=\"{{ \"/rel/a:b\" }}\">", "<a href=\"/rel/a:b\">");
    page("<a href=\"http://x/?q={{ \"a&b=c d\" }}\">", "<a href=\"http://x/?q=a%26b%3dc%20d\">");
    page("<a href=\"{{ safeUrl \"sip:me\" }}\">", "<a href=\"sip:me\">");
    page("<a class=x href = \"{{ \"javascript:1\" }}\">", "<a class=x href = \"#ZgotmplZ\">");
    page("<img alt=\"a\" src=\"{{ \"javascript:1\" }}\"/>", "<img alt=\"a\" src=\"#ZgotmplZ\"/>");
}

TEST(values_cannot_become_code)
{
    page("<a onclick=\"f('{{ \"');alert(1)//\" }}')\">", "<a onclick=\"f('ZgotmplZ')\">");
    page("<p style=\"color: {{ \"#fff\" }}\">", "<p style=\"color: #fff\">");
    page("<p style=\"color: {{ \"red;background:url(x)\" }}\">", "<p style=\"color: ZgotmplZ\">");
    page("<script>var x = {{ \"</script><b>\" }};</script><b>{{ \"<\" }}</b>",
         "<script>var x = \"\\u003c/script\\u003e\\u003cb\\u003e\";</script><b>&lt;</b>");
    page("<script>var x = '{{ \"';alert(1)\" }}';</script>", "<script>var x = '\\u0027;alert(1)';</script>");
}

TESTS(CASE(the_data_is_that_of_alertmanager), CASE(sets_of_labels_have_their_methods),
      CASE(what_is_no_field_is_an_error), CASE(times_and_durations_have_gos_methods),
      CASE(functions_do_as_their_names_say), CASE(the_defaults_say_what_and_how_many_and_all_of_them_run),
      CASE(files_of_the_user_override_also_what_defaults_call), CASE(a_broken_file_is_an_error_that_names_it),
      CASE(a_template_that_calls_itself_ends), CASE(values_are_escaped_by_where_they_stand),
      CASE(addresses_of_pages_have_safe_schemes), CASE(values_cannot_become_code))
