/* api_rules.c - rules and alerts. Until rules are judged here there are no groups; the shapes and the
 * refusals are those that Grafana expects. */
#include "tell/handlers.h"
#include "tell/params.h"
#include "tell/respond.h"

static bool is_bool(struct str s)
{
    static const char *const texts[] = { "1", "t", "true", "0", "f", "false" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (str_is_nocase(s, texts[i])) return true;
    return false;
}

static int check_rules_ask(struct http_exchange *x, struct err *e)
{
    struct str type = http_param(x, "type"), exclude = http_param(x, "exclude_alerts");
    struct str limit = http_param(x, "group_limit");
    int64_t v = 1;

    if (type.n > 0 && !str_is_nocase(type, "alert") && !str_is_nocase(type, "record"))
        return err_set(e, ERR_PARSE, "invalid parameter \"type\": not supported value \"%.*s\"",
                       STR_ARG(type));
    if (exclude.n > 0 && !is_bool(exclude))
        return err_set(e, ERR_PARSE,
                       "invalid parameter \"exclude_alerts\": \"%.*s\" is neither true nor false",
                       STR_ARG(exclude));
    if (limit.n == 0 && http_param(x, "group_next_token").n > 0)
        return err_set(
            e, ERR_PARSE,
            "invalid parameter \"group_next_token\": group_limit needs to be present in order to paginate "
            "over the groups");
    if (limit.n > 0 && !str_to_i64(limit, &v))
        return err_set(e, ERR_PARSE,
                       "invalid parameter \"group_limit\": group_limit needs to be a valid number");
    if (v <= 0)
        return err_set(e, ERR_PARSE,
                       "invalid parameter \"group_limit\": group_limit needs to be greater than 0");
    return OK;
}

void handle_rules(struct http_exchange *x, void *ctx)
{
    struct match_sets sets;
    struct err e = ERR_INIT;

    (void)ctx;
    if (check_rules_ask(x, &e) < 0 || take_matches(x, "match[]", http_arena(x), &sets, &e) < 0) {
        respond_err(x, &e);
        return;
    }
    match_sets_release(&sets);
    respond_json(x, STR("{\"groups\":[]}"));
}

void handle_alerts(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    respond_json(x, STR("{\"alerts\":[]}"));
}

/* Paths of Alertmanager's first API: clients should move to /api/v2. */
void handle_gone(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    respond_text(x, 410, "The Alertmanager v1 API is gone; use /api/v2.");
}
