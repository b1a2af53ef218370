/* action_conf.c - see action_conf.h. */
#include "tell/notify/action_conf.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/yaml_read.h"

#define CONF_BYTES_MAX (8u << 20)
#define TIMEOUT_MS     10000
#define TIMEOUT_MS_MAX (10ll * 60000)
#define RUNS           10
#define WINDOW_MS      3600000

struct conf_reader {
    struct reader r;
    struct action_conf *conf;
    const struct outbound *outbound;
    struct str *allowed;
    size_t n_allowed;
};

/* ---- arguments ---- */

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* "{{ .Labels.NAME }}" at the front of s: the name, and what follows. Empty: it is none. */
static struct str label_of(struct str s, struct str *rest)
{
    size_t at = 2;
    while (at < s.n && s.p[at] == ' ') at++;
    struct str inner = str_make(s.p + at, s.n - at);
    if (!str_starts(inner, ".Labels.") && !str_starts(inner, "$labels.")) return STR("");
    struct str name = str_make(inner.p + 8, 0); /* both are as long */
    for (at += 8; at < s.n && is_name_char(s.p[at]); at++) name.n++;
    while (at < s.n && s.p[at] == ' ') at++;
    if (name.n == 0 || at + 2 > s.n || s.p[at] != '}' || s.p[at + 1] != '}') return STR("");
    *rest = str_make(s.p + at + 2, s.n - at - 2);
    return name;
}

static void read_argument(struct conf_reader *c, struct str text, int line, struct action_argument *out)
{
    struct arena *a = c->r.arena;
    size_t cap = 0;
    while (text.n > 0 && c->r.rc == OK) {
        const char *open = memmem(text.p, text.n, "{{", 2);
        size_t plain = open != NULL ? (size_t)(open - text.p) : text.n;
        struct action_piece piece = { arena_str(a, str_make(text.p, plain)), false };
        struct str rest = str_make(text.p + plain, text.n - plain);
        if (plain == 0) {
            piece = (struct action_piece){ label_of(text, &rest), true };
            if (piece.text.n == 0)
                read_fail(&c->r, line, "an argument takes labels only, as {{ .Labels.name }}: %.*s",
                          STR_ARG(text));
            piece.text = arena_str(a, piece.text);
        }
        out->at = arena_grow(a, out->at, out->n, &cap, sizeof *out->at);
        out->at[out->n++] = piece;
        text = rest;
    }
}

static void read_command(struct conf_reader *c, struct yaml *map, struct action *to)
{
    struct yaml *list = read_list(&c->r, map, "command");
    struct str *texts = NULL;
    size_t n = 0;
    if (list == NULL || c->r.rc < 0) return;
    read_texts(&c->r, list, &texts, &n);
    if (c->r.rc == OK && (n == 0 || n > ACTION_ARGUMENTS_MAX))
        read_fail(&c->r, list->line, "a command has 1 to %d words", ACTION_ARGUMENTS_MAX);
    if (c->r.rc < 0) return;
    bool is_allowed = false;
    for (size_t i = 0; i < c->n_allowed; i++) is_allowed |= str_eq(c->allowed[i], texts[0]);
    if (!is_allowed)
        read_fail(&c->r, list->line, "command \"%.*s\" is not among actions.allow_commands",
                  STR_ARG(texts[0]));
    to->command = arena_zero(c->r.arena, n * sizeof *to->command);
    to->n_command = n;
    for (size_t i = 0; i < n && c->r.rc == OK; i++) {
        if (texts[i].n > ACTION_ARGUMENT_BYTES || memchr(texts[i].p, 0, texts[i].n) != NULL)
            read_fail(&c->r, list->items[i]->line, "an argument has at most %d bytes", ACTION_ARGUMENT_BYTES);
        read_argument(c, texts[i], list->items[i]->line, &to->command[i]);
    }
}

/* ---- one rule ---- */

static void read_matchers(struct conf_reader *c, struct yaml *map, struct action *to)
{
    struct yaml *list = read_list(&c->r, map, "matchers");
    struct str *texts = NULL;
    struct err why = ERR_INIT;
    size_t n = 0;
    if (list != NULL) read_texts(&c->r, list, &texts, &n);
    for (size_t i = 0; i < n && c->r.rc == OK; i++)
        if (am_matchers_parse(texts[i], c->r.arena, &to->matchers, &why) < 0)
            read_fail(&c->r, list->items[i]->line, "matchers: %s", why.text);
    if (c->r.rc == OK && to->matchers.n == 0)
        read_fail(&c->r, map->line, "an action needs matchers: which alerts is it for?");
}

static void read_when(struct conf_reader *c, struct yaml *map, struct action *to)
{
    const char *when = "firing";
    read_cstr(&c->r, map, "on", &when);
    to->on_firing = strcmp(when, "firing") == 0 || strcmp(when, "both") == 0;
    to->on_resolved = strcmp(when, "resolved") == 0 || strcmp(when, "both") == 0;
    if (!to->on_firing && !to->on_resolved)
        read_fail(&c->r, map->line, "on is firing, resolved or both, not \"%s\"", when);
}

static void read_rate(struct conf_reader *c, struct yaml *map, struct action *to)
{
    struct yaml *rate = read_map(&c->r, map, "rate_limit");
    to->runs = RUNS;
    to->window_ms = WINDOW_MS;
    if (rate == NULL) return;
    read_count(&c->r, rate, "runs", &to->runs);
    read_duration(&c->r, rate, "window", &to->window_ms);
    if (c->r.rc == OK && (to->runs == 0 || to->runs > ACTION_RUNS_MAX))
        read_fail(&c->r, rate->line, "rate_limit.runs is from 1 to %d", ACTION_RUNS_MAX);
}

static void read_webhook(struct conf_reader *c, struct yaml *map, struct action *to)
{
    struct yaml *hook = read_map(&c->r, map, "webhook");
    struct str dir = STR("");
    const char *slash = strrchr(c->r.file, '/');
    if (hook == NULL || c->r.rc < 0) return;
    if (slash != NULL) dir = str_make(c->r.file, (size_t)(slash - c->r.file));
    struct channel_defaults d = { NULL, arena_str(c->r.arena, dir), c->outbound };
    c->r.rc = channel_kind(STR("webhook_configs"))->read(hook, &d, c->r.arena, &to->webhook, c->r.e);
    if (c->r.rc < 0) err_where(c->r.e, "%s: actions: webhook", c->r.file);
}

static void read_rule(struct conf_reader *c, struct yaml *map, struct action *to)
{
    to->is_dry = true;
    to->timeout_ms = TIMEOUT_MS;
    read_text(&c->r, map, "name", &to->name);
    if (c->r.rc == OK && to->name.n == 0) read_fail(&c->r, map->line, "an action needs a name");
    for (struct action *other = c->conf->at; other < to && c->r.rc == OK; other++)
        if (str_eq(other->name, to->name))
            read_fail(&c->r, map->line, "two actions are named \"%.*s\"", STR_ARG(to->name));
    read_matchers(c, map, to);
    read_when(c, map, to);
    read_flag(&c->r, map, "dry_run", &to->is_dry);
    read_duration(&c->r, map, "timeout", &to->timeout_ms);
    if (c->r.rc == OK && to->timeout_ms > TIMEOUT_MS_MAX)
        read_fail(&c->r, map->line, "timeout is at most 10m");
    read_rate(c, map, to);
    read_command(c, map, to);
    read_webhook(c, map, to);
    if (c->r.rc == OK && (to->command != NULL) == (to->webhook != NULL))
        read_fail(&c->r, map->line, "an action has a command or a webhook, one of the two");
}

/* ---- the section ---- */

static void read_allowed(struct conf_reader *c, struct yaml *map)
{
    struct yaml *list = read_list(&c->r, map, "allow_commands");
    if (list != NULL) read_texts(&c->r, list, &c->allowed, &c->n_allowed);
    for (size_t i = 0; i < c->n_allowed && c->r.rc == OK; i++)
        if (c->allowed[i].n == 0 || c->allowed[i].p[0] != '/' ||
            memmem(c->allowed[i].p, c->allowed[i].n, "/../", 4) != NULL ||
            memmem(c->allowed[i].p, c->allowed[i].n, "{{", 2) != NULL)
            read_fail(&c->r, list->items[i]->line, "allow_commands: \"%.*s\" is no absolute path",
                      STR_ARG(c->allowed[i]));
}

static void read_section(struct conf_reader *c, struct yaml *map)
{
    read_flag(&c->r, map, "enabled", &c->conf->is_enabled);
    read_allowed(c, map);
    struct yaml *list = read_list(&c->r, map, "rules");
    if (list != NULL && list->n > ACTIONS_MAX)
        read_fail(&c->r, list->line, "more than %d actions", ACTIONS_MAX);
    if (list == NULL || c->r.rc < 0) return;
    c->conf->at = arena_zero(c->r.arena, list->n * sizeof *c->conf->at);
    for (size_t i = 0; i < list->n && c->r.rc == OK; i++) {
        if (list->items[i]->kind != YAML_MAP)
            read_fail(&c->r, list->items[i]->line, "actions.rules[%zu] is a map", i);
        else
            read_rule(c, list->items[i], &c->conf->at[c->conf->n++]);
    }
}

int action_conf_read(struct yaml *map, const char *file, const struct outbound *outbound,
                     struct action_conf **out, struct err *e)
{
    struct action_conf *conf = mem_alloc_zero(sizeof *conf);
    conf->refs = 1;
    conf->arena = (struct arena)ARENA_INIT(CONF_BYTES_MAX);
    struct conf_reader c = { { .file = file, .arena = &conf->arena, .e = e }, conf, outbound, NULL, 0 };
    if (map != NULL && map->kind != YAML_MAP) read_fail(&c.r, map->line, "actions is a map");
    if (map != NULL && c.r.rc == OK) read_section(&c, map);
    if (map != NULL && c.r.rc == OK) c.r.rc = yaml_unknown(map, file, e);
    if (c.r.rc < 0) {
        action_conf_unref(conf);
        return c.r.rc;
    }
    *out = conf;
    return OK;
}

struct action_conf *action_conf_ref(struct action_conf *c)
{
    c->refs++;
    return c;
}

void action_conf_unref(struct action_conf *c)
{
    if (c == NULL || --c->refs > 0) return;
    for (size_t i = 0; i < c->n; i++) am_matchers_release(&c->at[i].matchers);
    arena_release(&c->arena);
    mem_free(c);
}

/* ---- for one alert ---- */

static int fill(const struct action_argument *arg, struct labels l, struct arena *a, const char **out,
                struct err *e)
{
    struct buf text = BUF_INIT(ACTION_ARGUMENT_BYTES);
    for (size_t i = 0; i < arg->n; i++)
        buf_str(&text, arg->at[i].is_label ? labels_get_str(l, arg->at[i].text) : arg->at[i].text);
    struct str all = buf_view(&text);
    bool is_option = all.n > 0 && all.p[0] == '-' && arg->at[0].is_label;
    bool is_bad = text.full || (all.n > 0 && memchr(all.p, 0, all.n) != NULL);
    *out = arena_str(a, all).p;
    buf_release(&text);
    if (is_option)
        return err_set(e, ERR_RANGE, "a label's value begins with '-': it could be taken for an option");
    return is_bad ? err_set(e, ERR_RANGE, "a label's value is no argument: too long, or with a zero byte")
                  : OK;
}

int action_arguments(const struct action *x, struct labels l, struct arena *a, const char *const **out,
                     struct err *e)
{
    const char **argv = arena_zero(a, (x->n_command + 1) * sizeof *argv);
    int rc = OK;
    for (size_t i = 0; i < x->n_command && rc == OK; i++) rc = fill(&x->command[i], l, a, &argv[i], e);
    *out = argv;
    return rc;
}
