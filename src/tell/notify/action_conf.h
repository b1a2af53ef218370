/* action_conf.h - what is done by itself when an alert begins or ends: the section `actions`.
 *
 *     actions:
 *       enabled: true                                      without it nothing is done
 *       allow_commands: [/usr/local/bin/restart-agent]
 *       rules:
 *       - name: restart what hangs
 *         matchers: ['alertname="AgentStuck"', 'severity=~"critical|high"']
 *         on: firing                                       or resolved, or both
 *         command: [/usr/local/bin/restart-agent, '{{ .Labels.agent }}']
 *         timeout: 30s
 *         dry_run: false                                   true when it is not said
 *         rate_limit: {runs: 3, window: 1h}
 *       - name: drain the backend
 *         webhook: {url: 'https://lb.example.org/drain', hmac_secret_file: secret}
 *
 * Always true:
 *   1. A command is one of allow_commands, by its full name; no shell reads it. Arguments take nothing but
 * labels.
 *   2. It never changes once loaded; whoever works with one holds a reference.
 */
#pragma once
#include "base/yaml.h"
#include "tell/channel/channel.h"
#include "tell/notify/am_matchers.h"

#define ACTIONS_MAX           200
#define ACTION_ARGUMENTS_MAX  64
#define ACTION_ARGUMENT_BYTES 4096
#define ACTION_RUNS_MAX       100 /* in a rate limit's window */

struct action_piece { /* of an argument: a text, or a label's value */
    struct str text;
    bool is_label;
};

struct action_argument {
    struct action_piece *at;
    size_t n;
};

struct action {
    struct str name;
    struct am_matchers matchers;
    bool on_firing, on_resolved, is_dry;
    struct action_argument *command; /* NULL: a webhook */
    size_t n_command;
    void *webhook; /* of channel_kind("webhook_configs") */
    int64_t timeout_ms;
    uint64_t runs;
    int64_t window_ms;
};

struct action_conf {
    _Atomic int refs;
    struct arena arena;
    bool is_enabled;
    struct action *at;
    size_t n;
};

/* map: the section, or NULL. ERR_PARSE: "file:line: ...". */
int action_conf_read(struct yaml *map, const char *file, const struct outbound *, struct action_conf **out,
                     struct err *);
struct action_conf *action_conf_ref(struct action_conf *);
void action_conf_unref(struct action_conf *); /* NULL is fine */

/* The arguments for an alert, terminated, the list ended by NULL. ERR_RANGE: a label's value is no argument:
 * it is too long, holds a zero byte, or stands at the front and begins with '-', which could be an option
 * nobody meant. */
int action_arguments(const struct action *, struct labels, struct arena *, const char *const **out,
                     struct err *);
