/* action_conf_test.c - actions as they are configured: what is allowed, and what an argument may become.
 * S3-010 */
#include "unit/test.h"

#include "base/check.h"
#include "tell/notify/action_conf.h"

static int parse(const char *text, struct action_conf **out, struct err *e)
{
    struct arena a = ARENA_INIT(1u << 20);
    struct yaml *root;
    *out = NULL;
    int rc = yaml_parse(str_of(text), "v.yml", &a, &root, e);
    if (rc == OK) rc = action_conf_read(yaml_get(root, "actions"), "v.yml", NULL, out, e);
    arena_release(&a);
    return rc;
}

#define HEAD "actions:\n  enabled: true\n  allow_commands: [/bin/fix]\n  rules:\n"

TEST(off_dry_and_limited_unless_said_otherwise)
{
    struct action_conf *c;
    EXPECT(parse("a: 1\n", &c, NULL) == OK);
    EXPECT(!c->is_enabled && c->n == 0);
    action_conf_unref(c);
    EXPECT(parse("actions:\n  allow_commands: [/bin/fix]\n  rules:\n  - {name: x, matchers: ['a=b'], "
                 "command: [/bin/fix]}\n",
                 &c, NULL) == OK);
    EXPECT(!c->is_enabled);
    EXPECT(c->at[0].is_dry && c->at[0].on_firing && !c->at[0].on_resolved);
    EXPECT_INT(c->at[0].runs, 10);
    EXPECT_INT(c->at[0].window_ms, 3600000);
    EXPECT_INT(c->at[0].timeout_ms, 10000);
    action_conf_unref(c);
}

static bool fails(const char *rules, const char *why)
{
    char text[1000];
    struct action_conf *c;
    struct err e = ERR_INIT;
    snprintf(text, sizeof text, HEAD "%s", rules);
    if (parse(text, &c, &e) >= 0) {
        action_conf_unref(c);
        return false;
    }
    if (strstr(e.text, why) == NULL || strncmp(e.text, "v.yml", 5) != 0) print_error("%s\n", e.text);
    return strstr(e.text, why) != NULL && strncmp(e.text, "v.yml", 5) == 0;
}

TEST(mistakes_are_named)
{
    EXPECT(fails("  - {name: x, matchers: ['a=b'], command: [/bin/other]}\n",
                 "not among actions.allow_commands"));
    EXPECT(fails("  - {name: x, matchers: ['a=b'], command: [fix]}\n", "not among actions.allow_commands"));
    EXPECT(fails("  - {name: x, matchers: ['a=b'], command: ['{{ .Labels.a }}']}\n",
                 "not among actions.allow_commands"));
    EXPECT(fails("  - {name: x, matchers: ['a=b'], command: [/bin/fix, '{{ .Value }}']}\n",
                 "takes labels only"));
    EXPECT(fails("  - {name: x, matchers: ['a=b'], command: [/bin/fix, '{{ .Labels.a']}\n",
                 "takes labels only"));
    EXPECT(fails("  - {name: x, matchers: ['a=b'], command: [/bin/fix, '{{']}\n", "takes labels only"));
    EXPECT(fails("  - {name: x, matchers: ['a=b']}\n", "a command or a webhook"));
    EXPECT(fails("  - {name: x, matchers: ['a=b'], command: [/bin/fix], webhook: {url: 'http://x/'}}\n",
                 "a command or a webhook"));
    EXPECT(fails("  - {name: x, command: [/bin/fix]}\n", "needs matchers"));
    EXPECT(fails("  - {matchers: ['a=b'], command: [/bin/fix]}\n", "needs a name"));
    EXPECT(fails("  - {name: x, matchers: ['a=b'], on: always, command: [/bin/fix]}\n",
                 "firing, resolved or both"));
    EXPECT(fails("  - {name: x, matchers: ['a=b'], command: [/bin/fix], timeout: 1h}\n", "at most 10m"));
    EXPECT(fails("  - {name: x, matchers: ['a=b'], command: [/bin/fix], rate_limit: {runs: 0}}\n",
                 "from 1 to 100"));
    EXPECT(fails("  - {name: x, matchers: ['a=b'], comand: [/bin/fix]}\n", "a command or a webhook"));
    EXPECT(fails("  - {name: x, matchers: ['a=b'], command: [/bin/fix], shell: true}\n", "unknown key"));
    EXPECT(fails("  - {name: x, matchers: ['a=b'], command: [/bin/fix]}\n  - {name: x, matchers: ['a=b'], "
                 "command: [/bin/fix]}\n",
                 "two actions"));
    struct action_conf *c;
    struct err e = ERR_INIT;
    EXPECT(parse("actions: {allow_commands: [bin/fix]}\n", &c, &e) < 0);
    EXPECT(strstr(e.text, "no absolute path") != NULL);
    EXPECT(parse("actions: {allow_commands: [/a/../bin/sh]}\n", &c, &e) < 0);
}

TEST(arguments_take_labels_and_nothing_that_could_be_an_option)
{
    struct action_conf *c;
    struct arena a = ARENA_INIT(1u << 20);
    const char *const *argv;
    struct err e = ERR_INIT;
    EXPECT(parse(HEAD "  - {name: x, matchers: ['a=b'], command: [/bin/fix, '{{ .Labels.agent }}', "
                      "'at={{$labels.zone}}/{{ .Labels.none }}!']}\n",
                 &c, &e) == OK);
    struct label l[] = { { STR("agent"), STR("a b; rm -rf /") }, { STR("zone"), STR("-z") } };
    EXPECT(action_arguments(&c->at[0], (struct labels){ l, 2 }, &a, &argv, &e) == OK);
    EXPECT_STR(argv[0], "/bin/fix");
    EXPECT_STR(argv[1], "a b; rm -rf /");
    EXPECT_STR(argv[2], "at=-z/!");
    EXPECT(argv[3] == NULL);
    l[0].value = STR("--force");
    EXPECT(action_arguments(&c->at[0], (struct labels){ l, 2 }, &a, &argv, &e) == ERR_RANGE);
    EXPECT(strstr(e.text, "option") != NULL);
    l[0].value = str_make("a\0b", 3);
    EXPECT(action_arguments(&c->at[0], (struct labels){ l, 2 }, &a, &argv, &e) == ERR_RANGE);
    static char big[5000];
    memset(big, 'x', sizeof big);
    l[0].value = str_make(big, sizeof big);
    EXPECT(action_arguments(&c->at[0], (struct labels){ l, 2 }, &a, &argv, &e) == ERR_RANGE);
    action_conf_unref(c);
    arena_release(&a);
}

TESTS(CASE(off_dry_and_limited_unless_said_otherwise), CASE(mistakes_are_named),
      CASE(arguments_take_labels_and_nothing_that_could_be_an_option))
