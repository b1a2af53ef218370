/* am_config_test.c - files that are good, and what is said of those that are not. */
#include "unit/test.h"

#include "tell/notify/am_config.h"
#include "unit/tell/notify/toy_channel.h"

#define HOOK                                                                                                 \
    "receivers:\n- name: hook\n  webhook_configs:\n  - url: https://user:pw@example.org/path?token=1\n"

static void refused(const char *text, const char *why)
{
    struct am_config *c = NULL;
    struct err e = ERR_INIT;
    EXPECT(toy_config(text, &c, &e) < 0);
    if (strstr(e.text, why) == NULL) fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

static struct am_config *taken(const char *text)
{
    struct am_config *c = NULL;
    struct err e = ERR_INIT;
    if (toy_config(text, &c, &e) < 0) fail_msg("%s", e.text);
    return c;
}

TEST(a_route_has_from_its_parent_what_it_does_not_say)
{
    struct am_config *c = taken("route:\n  receiver: hook\n  group_by: [b, a]\n  group_wait: 1s\n  routes:\n"
                                "  - matchers: [x=y]\n    repeat_interval: 3h\n    group_by: []\n"
                                "  - match: {x: z}\n    group_by: ['...']\n" HOOK);
    EXPECT_INT(c->n_routes, 3);
    EXPECT_INT(c->root->group_interval_ms, 5 * 60000);
    EXPECT_INT(c->root->repeat_interval_ms, 4 * 3600000);
    const struct am_route *one = c->root->children[0], *two = c->root->children[1];
    EXPECT_INT(one->group_wait_ms, 1000);
    EXPECT_INT(one->repeat_interval_ms, 3 * 3600000);
    EXPECT_INT(one->n_group_by, 2); /* an empty list says nothing */
    EXPECT(str_is(one->group_by[0], "a"));
    EXPECT(two->group_by_all && !one->group_by_all);
    EXPECT(one->receiver == c->root->receiver);
    EXPECT(str_is(one->key, "{}/{x=\"y\"}"));
    am_config_unref(c);
}

TEST(what_is_wrong_is_named_with_file_line_and_key)
{
    refused("", "no route provided");
    refused("receivers: []\n", "am.yml:1: no route provided");
    refused("route:\n  group_wait: 1s\n", "am.yml:2: root route must specify a default receiver");
    refused("route: {receiver: nobody}\n" HOOK, "am.yml:1: undefined receiver \"nobody\"");
    refused("route: {receiver: hook, matchers: [a=b]}\n" HOOK, "root route must not have any matchers");
    refused("route: {receiver: hook, continue: true}\n" HOOK, "cannot have continue in root route");
    refused("route: {receiver: hook, mute_time_intervals: [x]}\n" HOOK, "undefined time interval \"x\"");
    refused("route: {receiver: hook, group_interval: 0s}\n" HOOK, "group_interval cannot be zero");
    refused("route: {receiver: hook, group_wait: soon}\n" HOOK, "group_wait");
    refused("route: {receiver: hook, group_by: [a, a]}\n" HOOK, "\"a\" comes twice");
    refused("route: {receiver: hook, group_by: [a, '...']}\n" HOOK, "'...' stands alone");
    refused("route:\n  receiver: hook\n  routes:\n  - matchers: ['a=~\"(\"']\n" HOOK, "am.yml:4: matchers");
    refused("route: {receiver: hook}\n" HOOK "- name: hook\n", "am.yml:6: two receivers are named \"hook\"");
    refused("route: {receiver: hook}\n" HOOK "  sauce: 1\n", "unknown key \"sauce\"");
    refused("route: {receiver: hook, sauce: 1}\n" HOOK, "am.yml:1: route: unknown key \"sauce\"");
    refused("route: {receiver: hook}\nglobal:\n  sauce: 1\n" HOOK, "am.yml:3: global: unknown key \"sauce\"");
    refused("route: {receiver: hook}\n" HOOK "inhibit_rules:\n- source_match: x\n", "source_match is a map");
    refused("route: {receiver: hook, escalations: [{delay: 5m, receiver: hook}, {delay: 1m, receiver: "
            "hook}]}\n" HOOK,
            "delays rise");
    refused("route: {receiver: hook}\nflap_damping: {changes: 1}\n" HOOK, "flap_damping wants");
    refused("route: {receiver: hook}\nmaintenance_windows: [{name: x}]\n" HOOK,
            "needs a name and time_intervals");
    refused("route: &a {receiver: hook, routes: [*a]}\n" HOOK, "no anchor");
}

TEST(kinds_that_are_not_served_load_and_stay_silent)
{
    struct am_config *c =
        taken("route: {receiver: hook}\n" HOOK "  pushover_configs: [{user_key: x, anything: [1]}]\n");
    EXPECT_INT(c->n_foreign, 1);
    EXPECT_INT(c->receivers[0].n, 2);
    EXPECT(c->receivers[0].at[1].kind == NULL);
    EXPECT(str_is(c->receivers[0].at[1].key, "hook/pushover/0"));
    am_config_unref(c);
}

TEST(what_is_shown_has_neither_secrets_nor_keys_of_ours)
{
    struct am_config *c =
        taken("global: {smtp_auth_password: hidden1, slack_api_url: 'https://hidden2', resolve_timeout: 1m}\n"
              "route: {receiver: hook, escalations: [{delay: 1m, receiver: hook}]}\nflap_damping: {changes: "
              "4}\n" HOOK "  pushover_configs: [{token: hidden3, http_config: {basic_auth: {username: u, "
              "password: hidden4}}}]\n");
    char *text = str_dup(c->original);
    EXPECT(strstr(text, "hidden") == NULL && strstr(text, "pw@") == NULL && strstr(text, "token=1") == NULL);
    EXPECT(strstr(text, "escalations") == NULL && strstr(text, "flap_damping") == NULL);
    EXPECT(strstr(text, "smtp_auth_password: <secret>") != NULL);
    EXPECT(strstr(text, "\"https://example.org/<secret>\"") != NULL);
    EXPECT(strstr(text, "resolve_timeout: 1m") != NULL);
    struct am_config *again = NULL; /* and can be read again */
    EXPECT(toy_config(text, &again, NULL) == OK);
    am_config_unref(again);
    free(text);
    am_config_unref(c);
}

TEST(templates_start_in_the_files_folder)
{
    struct am_config *c = taken("route: {receiver: hook}\ntemplates: ['a/*.tmpl', /b.tmpl]\n" HOOK);
    EXPECT(str_is(c->template_files[0], "/etc/am/a/*.tmpl"));
    EXPECT(str_is(c->template_files[1], "/b.tmpl"));
    am_config_unref(c);
}

TEST(without_a_file_everything_goes_to_nobody)
{
    struct am_config *c = am_config_empty();
    EXPECT_INT(c->root->receiver->n, 0);
    am_config_unref(c);
}

TESTS(CASE(a_route_has_from_its_parent_what_it_does_not_say),
      CASE(what_is_wrong_is_named_with_file_line_and_key),
      CASE(kinds_that_are_not_served_load_and_stay_silent),
      CASE(what_is_shown_has_neither_secrets_nor_keys_of_ours), CASE(templates_start_in_the_files_folder),
      CASE(without_a_file_everything_goes_to_nobody))
