/* api_rules.c - rules and alerts, as Grafana and others ask for them. */
#include <stdio.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/json.h"
#include "judge/rules.h"
#include "judge/runbooks.h"
#include "tell/api_job.h"
#include "tell/handlers.h"
#include "tell/rules_json.h"

/* ---- what is asked for ---- */

struct names { /* one of these, or any when there are none */
    struct str *at[2];
    size_t n[2];
};

struct ask {
    bool alerts, records, with_alerts;
    struct names rules, groups, files;
    struct match_sets matches;
    size_t limit;
    struct str from; /* group_next_token */
};

static struct names take_names(struct http_exchange *x, const char *plain, const char *with_brackets)
{
    struct names s = { 0 };
    s.n[0] = http_params(x, plain, &s.at[0]);
    s.n[1] = http_params(x, with_brackets, &s.at[1]);
    return s;
}

static bool is_wanted(const struct names *s, struct str name)
{
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < s->n[k]; i++)
            if (str_eq(s->at[k][i], name)) return true;
    return s->n[0] + s->n[1] == 0;
}

static int take_bool(struct http_exchange *x, const char *name, bool *out, struct err *e)
{
    static const char *const yes[] = { "1", "t", "true" }, *const no[] = { "", "0", "f", "false" };
    struct str s = http_param(x, name);
    for (size_t i = 0; i < COUNT(yes); i++)
        if (str_is_nocase(s, yes[i])) return *out = true, OK;
    for (size_t i = 0; i < COUNT(no); i++)
        if (str_is_nocase(s, no[i])) return *out = false, OK;
    return err_set(e, ERR_PARSE, "invalid parameter \"%s\": \"%.*s\" is neither true nor false", name,
                   STR_ARG(s));
}

static int take_type(struct http_exchange *x, struct ask *a, struct err *e)
{
    struct str type = http_param(x, "type");
    a->alerts = type.n == 0 || str_is_nocase(type, "alert");
    a->records = type.n == 0 || str_is_nocase(type, "record");
    if (a->alerts || a->records) return OK;
    return err_set(e, ERR_PARSE, "invalid parameter \"type\": not supported value \"%.*s\"", STR_ARG(type));
}

static int take_page(struct http_exchange *x, struct ask *a, struct err *e)
{
    struct str limit = http_param(x, "group_limit");
    int64_t v = 0;
    a->from = http_param(x, "group_next_token");
    if (limit.n == 0 && a->from.n > 0)
        return err_set(e, ERR_PARSE,
                       "invalid parameter \"group_next_token\": group_limit needs to be present in order to "
                       "paginate over the groups");
    if (limit.n > 0 && !str_to_i64(limit, &v))
        return err_set(e, ERR_PARSE,
                       "invalid parameter \"group_limit\": group_limit needs to be a valid number");
    if (limit.n > 0 && v <= 0)
        return err_set(e, ERR_PARSE,
                       "invalid parameter \"group_limit\": group_limit needs to be greater than 0");
    a->limit = (size_t)v;
    return OK;
}

static int take_ask(struct http_exchange *x, struct arena *arena, struct ask *a, struct err *e)
{
    bool exclude = false;
    int rc;
    *a = (struct ask){ .rules = take_names(x, "rule_name", "rule_name[]"),
                       .groups = take_names(x, "rule_group", "rule_group[]"),
                       .files = take_names(x, "file", "file[]") };
    if ((rc = take_type(x, a, e)) < 0) return rc;
    if ((rc = take_bool(x, "exclude_alerts", &exclude, e)) < 0) return rc;
    a->with_alerts = !exclude;
    if ((rc = take_page(x, a, e)) < 0) return rc;
    return take_matches(x, "match[]", arena, &a->matches, e);
}

/* ---- the list ---- */

struct listing {
    struct buf *out;
    const struct ask *ask;
    size_t n_groups;
    bool begun;    /* the group that the token names has come */
    char next[33]; /* the token of the first group left out; empty: none was */
};

static void token_of(const struct rule_group *g, char out[33])
{
    struct hash128 h =
        hash128_seed(g->spec->name.p, g->spec->name.n, hash64(g->file->name.p, g->file->name.n));
    snprintf(out, 33, "%016llx%016llx", (unsigned long long)h.hi, (unsigned long long)h.lo);
}

/* Labels that are templates have no value before an alert has. */
static bool matches_labels(const struct ask *a, const struct rule_spec *spec)
{
    struct label at[LABELS_MAX];
    struct labels l = { at, 0 };
    for (size_t i = 0; i < spec->labels.n && l.n < LABELS_MAX; i++)
        if (spec->labels.at[i].filled == NULL)
            at[l.n++] = (struct label){ spec->labels.at[i].name, spec->labels.at[i].text };
    for (size_t i = 0; i < a->matches.n; i++)
        if (matchers_match(a->matches.at[i].at, a->matches.at[i].n, l)) return true;
    return a->matches.n == 0;
}

static bool is_asked_for(const struct ask *a, const struct rule_spec *spec)
{
    return (spec->is_alert ? a->alerts : a->records) && is_wanted(&a->rules, spec->name) &&
           matches_labels(a, spec);
}

static void list_group(const struct rule_group *g, void *ctx)
{
    struct listing *l = ctx;
    char token[33];
    size_t n = 0, before = l->out->n;
    token_of(g, token);
    if (!l->begun) l->begun = str_is(l->ask->from, token);
    if (!l->begun || l->next[0] != 0) return;
    if (!is_wanted(&l->ask->groups, g->spec->name) || !is_wanted(&l->ask->files, g->file->name)) return;
    if (l->n_groups > 0) buf_char(l->out, ',');
    rules_json_group_begin(l->out, g);
    for (size_t i = 0; i < g->spec->n_rules; i++) {
        if (!is_asked_for(l->ask, g->rules[i].spec)) continue;
        if (n++ > 0) buf_char(l->out, ',');
        rules_json_rule(l->out, &g->rules[i], l->ask->with_alerts);
    }
    rules_json_group_end(l->out, g);
    if (n > 0 && (l->ask->limit == 0 || l->n_groups < l->ask->limit)) {
        l->n_groups++;
        return;
    }
    l->out->n = before; /* nothing of it was asked for, or the page is full */
    if (n > 0) memcpy(l->next, token, sizeof token);
}

static void list_rules(struct http_exchange *x, const struct prometheus_api *api)
{
    struct arena arena = ARENA_INIT(1u << 20);
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct err e = ERR_INIT;
    struct ask ask;
    int rc = take_ask(x, &arena, &ask, &e);
    if (rc == OK) {
        struct listing l = { .out = &out, .ask = &ask, .begun = ask.from.n == 0 };
        respond_begin(&out);
        buf_cs(&out, "{\"groups\":[");
        if (api->rules != NULL) rules_each_group(api->rules, list_group, &l);
        buf_char(&out, ']');
        if (l.next[0] != 0) buf_printf(&out, ",\"groupNextToken\":\"%s\"", l.next);
        buf_char(&out, '}');
        if (!l.begun)
            rc = err_set(
                &e, ERR_PARSE,
                "invalid parameter \"group_next_token\": '%.*s' names no group: were rule groups changed?",
                STR_ARG(ask.from));
        match_sets_release(&ask.matches);
    }
    if (rc == OK)
        respond_data(x, &out);
    else
        respond_err(x, &e);
    buf_release(&out);
    arena_release(&arena);
}

/* ---- alerts ---- */

static void list_alerts_of(const struct rule_group *g, void *ctx)
{
    struct buf *out = ctx;
    for (size_t i = 0; i < g->spec->n_rules; i++)
        for (size_t k = 0; k < g->rules[i].alerts.n; k++) {
            const struct live_alert *a = g->rules[i].alerts.at[k];
            if (a->phase == ALERT_INACTIVE) continue;
            if (out->p[out->n - 1] != '[') buf_char(out, ',');
            rules_json_alert(out, a);
        }
}

static void list_alerts(struct http_exchange *x, const struct prometheus_api *api)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    respond_begin(&out);
    buf_cs(&out, "{\"alerts\":[");
    if (api->rules != NULL) rules_each_group(api->rules, list_alerts_of, &out);
    buf_cs(&out, "]}");
    respond_data(x, &out);
    buf_release(&out);
}

void handle_rules(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, list_rules);
}

void handle_alerts(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, list_alerts);
}

/* What the runbook_url of a built-in rule shows. */
void handle_runbook(struct http_exchange *x, void *ctx)
{
    struct str alert = http_path_param(x, "alert"), page = runbook_of(alert);
    (void)ctx;
    if (page.n == 0)
        respond_text(x, 404, "There is no runbook for %.*s.", (int)MIN(alert.n, (size_t)200), alert.p);
    else
        http_answer(x, 200, "text/markdown; charset=utf-8", page);
}

/* Paths of Alertmanager's first API: clients should move to /api/v2. */
void handle_gone(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    respond_text(x, 410, "The Alertmanager v1 API is gone; use /api/v2.");
}
