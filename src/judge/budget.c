/* budget.c - see budget.h. */
#include "judge/budget.h"

#include <math.h>
#include <time.h>

#include "base/check.h"
#include "judge/budget_counter.h"
#include "model/price.h"
#include "query/traces/cost.h"

static const char *const scopes[BUDGET_SCOPES] = { "overall", "agent", "mcp",   "model",
                                                   "backend", "user",  "tenant" };
static const char *const periods[BUDGET_PERIODS] = { "daily", "monthly" };

const char *budget_scope_name(enum budget_scope s)
{
    return scopes[s];
}

const char *budget_period_name(enum budget_period p)
{
    return periods[p];
}

/* ---- configuration ---- */

static int read_usd(struct yaml *map, const char *key, int64_t *nano, struct err *e)
{
    struct yaml *y = yaml_get(map, key);
    if (y == NULL) return OK;
    if (y->kind != YAML_SCALAR || !money_read(y->text, nano) || *nano == 0)
        return err_set(e, ERR_PARSE, "line %d: %s: expected USD above 0, with at most 9 decimals", y->line,
                       key);
    return OK;
}

static int read_scope(struct yaml *map, struct arena *a, struct budget *b, struct err *e)
{
    struct str scope = STR("overall");
    int rc = yaml_str(yaml_get(map, "scope"), &scope, e);
    if (rc == OK) rc = yaml_str(yaml_get(map, "of"), &b->of, e);
    if (rc < 0) return rc;
    b->of = arena_str(a, b->of);
    b->scope = BUDGET_SCOPES;
    for (unsigned i = 0; i < BUDGET_SCOPES; i++)
        if (str_is(scope, scopes[i])) b->scope = (enum budget_scope)i;
    if (b->scope == BUDGET_SCOPES)
        return err_set(e, ERR_PARSE,
                       "line %d: scope: expected overall, agent, mcp, model, backend, user or tenant",
                       map->line);
    if ((b->scope == BUDGET_OF_ALL) != (b->of.n == 0))
        return err_set(e, ERR_PARSE,
                       b->of.n == 0 ? "line %d: of: the scope %s wants a name"
                                    : "line %d: of: the scope %s has none",
                       map->line, scopes[b->scope]);
    return OK;
}

static int read_sources(struct yaml *map, struct budget *b, struct err *e)
{
    static const char *const names[] = { "models", "load_balancer", "mcp" };
    struct yaml *list = yaml_get(map, "sources");
    b->sources = SPENT_ON_MODELS | SPENT_ON_BACKENDS | SPENT_ON_MCP;
    if (list == NULL) return OK;
    b->sources = 0;
    for (size_t i = 0; list->kind == YAML_LIST && i < list->n; i++)
        for (unsigned k = 0; k < COUNT(names); k++)
            if (str_is(list->items[i]->text, names[k])) b->sources |= 1u << k;
    if (b->sources == 0 || b->scope != BUDGET_OF_ALL || list->kind != YAML_LIST)
        return err_set(
            e, ERR_PARSE,
            "line %d: sources: expected a list of models, load_balancer, mcp, of the scope overall",
            list->line);
    return OK;
}

static int read_budget(struct yaml *map, struct arena *a, struct budget *b, struct err *e)
{
    *b = (struct budget){ .name = STR(""), .of = STR("") };
    if (map->kind != YAML_MAP) return err_set(e, ERR_PARSE, "line %d: expected a map", map->line);
    int rc = yaml_str(yaml_get(map, "name"), &b->name, e);
    if (rc < 0) return rc;
    if (b->name.n == 0 || b->name.n > 200)
        return err_set(e, ERR_PARSE, "line %d: name: a budget needs one, of at most 200 bytes", map->line);
    b->name = arena_str(a, b->name);
    if ((rc = read_scope(map, a, b, e)) < 0 || (rc = read_sources(map, b, e)) < 0) return rc;
    if ((rc = read_usd(map, "daily", &b->limit_nano[BUDGET_DAILY], e)) < 0) return rc;
    if ((rc = read_usd(map, "monthly", &b->limit_nano[BUDGET_MONTHLY], e)) < 0) return rc;
    if (b->limit_nano[BUDGET_DAILY] == 0 && b->limit_nano[BUDGET_MONTHLY] == 0)
        return err_set(e, ERR_PARSE, "line %d: daily, monthly: one of them is needed", map->line);
    return yaml_unknown(map, "budgets", e);
}

int budgets_read(struct yaml *section, struct arena *a, struct budget **out, size_t *n, struct err *e)
{
    int rc = OK;
    *out = NULL;
    *n = 0;
    if (section == NULL) return OK;
    if (section->kind != YAML_LIST || section->n > BUDGETS_MAX)
        return err_set(e, ERR_PARSE, "line %d: budgets: expected a list of at most %d", section->line,
                       BUDGETS_MAX);
    *out = arena_array(a, section->n + 1, sizeof **out);
    for (size_t i = 0; i < section->n && rc == OK; i++) {
        rc = read_budget(section->items[i], a, &(*out)[i], e);
        for (size_t k = 0; k < i && rc == OK; k++)
            if (str_eq((*out)[k].name, (*out)[i].name))
                rc = err_set(e, ERR_PARSE, "line %d: two budgets are called %.*s", section->items[i]->line,
                             STR_ARG((*out)[i].name));
    }
    if (rc < 0) err_where(e, "budgets");
    *n = rc == OK ? section->n : 0;
    return rc;
}

/* ---- arithmetic ---- */

#define DAY_MS (INT64_C(24) * 3600000)

void budget_period_at(enum budget_period p, int64_t now_ms, int64_t *start_ms, int64_t *end_ms)
{
    time_t now = (time_t)(now_ms / 1000);
    struct tm t;
    *start_ms = now_ms / DAY_MS * DAY_MS;
    *end_ms = *start_ms + DAY_MS;
    if (p == BUDGET_DAILY || gmtime_r(&now, &t) == NULL) return;
    struct tm first = { .tm_year = t.tm_year, .tm_mon = t.tm_mon, .tm_mday = 1 };
    *start_ms = (int64_t)timegm(&first) * 1000;
    first = (struct tm){ .tm_year = t.tm_year + t.tm_mon / 11, .tm_mon = (t.tm_mon + 1) % 12, .tm_mday = 1 };
    *end_ms = (int64_t)timegm(&first) * 1000;
}

int64_t budget_recent_ms(enum budget_period p)
{
    return p == BUDGET_DAILY ? DAY_MS / 24 : DAY_MS;
}

struct budget_state budget_judge(enum budget_period p, int64_t limit_nano, int64_t used_nano,
                                 int64_t recent_nano, int64_t now_ms)
{
    struct budget_state s = { .limit_nano = limit_nano, .used_nano = used_nano };
    budget_period_at(p, now_ms, &s.start_ms, &s.end_ms);
    double hours_left = (double)(s.end_ms - now_ms) / 3600000;
    s.burn_usd_per_hour = money_double(recent_nano) / ((double)budget_recent_ms(p) / 3600000);
    s.projected_usd = money_double(used_nano) + s.burn_usd_per_hour * hours_left;
    if (limit_nano <= 0) return s;
    s.usage_percent = 100 * money_double(used_nano) / money_double(limit_nano);
    s.is_exceeded = used_nano > limit_nano;
    if (used_nano >= limit_nano)
        s.exhausted_ms = now_ms;
    else if (s.burn_usd_per_hour > 0) {
        double hours = (money_double(limit_nano) - money_double(used_nano)) / s.burn_usd_per_hour;
        if (hours < hours_left) s.exhausted_ms = now_ms + (int64_t)(hours * 3600000);
    }
    return s;
}

/* ---- what was spent ---- */

#define OF_MODELS   "vedette_genai_cost_usd_total"
#define OF_BACKENDS "load_balancer_total_cost_usd"
#define OF_MCP      "mcp_cost_usd_total"

static const struct {
    enum budget_scope scope;
    enum budget_source source;
    const char *series, *label;
} counters[] = {
    { BUDGET_OF_ALL, SPENT_ON_MODELS, OF_MODELS, NULL },
    { BUDGET_OF_ALL, SPENT_ON_BACKENDS, OF_BACKENDS, NULL },
    { BUDGET_OF_ALL, SPENT_ON_MCP, OF_MCP, NULL },
    { BUDGET_OF_AGENT, SPENT_ON_MODELS, OF_MODELS, "agent" },
    { BUDGET_OF_MCP, SPENT_ON_MODELS, OF_MODELS, "mcp_server" },
    { BUDGET_OF_MCP, SPENT_ON_MCP, OF_MCP, "mcp_id" },
    { BUDGET_OF_MODEL, SPENT_ON_MODELS, OF_MODELS, "model" },
    { BUDGET_OF_BACKEND, SPENT_ON_BACKENDS, OF_BACKENDS, "backend_id" },
};

struct of_whom {
    const struct budget *b;
    int64_t nano;
};

static int add_span(void *ctx, const struct trace_span *span, const struct span_spend *s)
{
    struct of_whom *w = ctx;
    (void)span;
    if (str_eq(w->b->scope == BUDGET_OF_USER ? s->user : s->tenant, w->b->of))
        w->nano = money_add(w->nano, s->cost.nano_usd);
    return OK;
}

static int spent_in_spans(struct store *store, struct call *call, const struct budget *b, int64_t from_ms,
                          int64_t to_ms, int64_t *nano, struct err *e)
{
    struct of_whom w = { .b = b };
    struct store_view *view;
    int rc = store_view_open(store, 0, INT64_MAX / 1000000, &view, e);
    if (rc < 0) return rc;
    struct price_book *prices = price_book_current();
    rc = window_spend(view, call, prices, from_ms * 1000000 + 1, to_ms * 1000000, add_span, &w, e);
    price_book_unref(prices);
    store_view_close(view);
    *nano = w.nano;
    return rc;
}

int budget_spent(struct store *store, struct call *call, const struct budget *b, int64_t from_ms,
                 int64_t to_ms, int64_t *nano, struct err *e)
{
    int rc = OK;
    *nano = 0;
    if (b->scope == BUDGET_OF_USER || b->scope == BUDGET_OF_TENANT)
        return spent_in_spans(store, call, b, from_ms, to_ms, nano, e);
    for (size_t i = 0; i < COUNT(counters) && rc == OK; i++) {
        struct counter_growth grew;
        if (counters[i].scope != b->scope || (b->sources & counters[i].source) == 0) continue;
        struct counter_ask ask = {
            .name = counters[i].series, .from_ms = from_ms, .to_ms = to_ms, .scale = (double)NANO_USD
        };
        if (counters[i].label != NULL)
            ask.match[ask.n_match++] = (struct label){ str_of(counters[i].label), b->of };
        rc = counter_growth(store, call, &ask, &grew, e);
        if (rc == OK) *nano = money_add(*nano, grew.total);
    }
    return rc;
}

int budget_now(struct store *store, struct call *call, const struct budget *b, enum budget_period p,
               int64_t now_ms, struct budget_state *s, struct err *e)
{
    int64_t start_ms, end_ms, used = 0, recent = 0;
    budget_period_at(p, now_ms, &start_ms, &end_ms);
    int rc = budget_spent(store, call, b, start_ms - 1, now_ms, &used, e);
    if (rc == OK) rc = budget_spent(store, call, b, now_ms - budget_recent_ms(p), now_ms, &recent, e);
    if (rc == OK) *s = budget_judge(p, b->limit_nano[p], used, recent, now_ms);
    return rc;
}

/* ---- series ---- */

struct row {
    struct batch *batch;
    const struct budget *b;
    enum budget_period p;
    int64_t now_ms;
};

static void put(const struct row *r, const char *name, double value)
{
    struct label l[] = { { STR(LABEL_NAME), str_of(name) },
                         { STR("budget"), r->b->name },
                         { STR("of"), r->b->of },
                         { STR("period"), str_of(periods[r->p]) },
                         { STR("scope"), str_of(scopes[r->b->scope]) } };
    size_t n = COUNT(l);
    if (labels_normalise(l, &n, NULL) < 0) return;
    batch_series_labels(r->batch, (struct labels){ l, n });
    batch_sample(r->batch, r->now_ms, value);
}

static void put_balancer(const struct row *r, const char *what, double value)
{
    struct label l[] = { { STR(LABEL_NAME),
                           arena_printf(r->batch->arena, "load_balancer_%s_budget_%s", periods[r->p], what) },
                         { STR("backend_id"), r->b->of },
                         { STR("budget"), r->b->name } };
    size_t n = COUNT(l);
    if (labels_normalise(l, &n, NULL) < 0) return;
    batch_series_labels(r->batch, (struct labels){ l, n });
    batch_sample(r->batch, r->now_ms, value);
}

void budget_rows(struct batch *batch, const struct budget *b, enum budget_period p,
                 const struct budget_state *s, int64_t now_ms)
{
    struct row r = { batch, b, p, now_ms };
    if (s->limit_nano == 0) return;
    put(&r, "vedette_budget_limit_usd", money_double(s->limit_nano));
    put(&r, "vedette_budget_used_usd", money_double(s->used_nano));
    put(&r, "vedette_budget_usage_percent", s->usage_percent);
    put(&r, "vedette_budget_burn_usd_per_hour", s->burn_usd_per_hour);
    put(&r, "vedette_budget_projected_usd", s->projected_usd);
    put(&r, "vedette_budget_exhausted_timestamp_seconds", (double)s->exhausted_ms / 1000);
    if (b->scope != BUDGET_OF_ALL && b->scope != BUDGET_OF_BACKEND) return;
    put_balancer(&r, "usd", money_double(s->limit_nano));
    put_balancer(&r, "usage_percent", s->usage_percent);
}

void budget_metadata(struct batch *b)
{
    static const struct {
        const char *family, *help;
    } all[] = {
        { "vedette_budget_limit_usd", "What may be spent in the period." },
        { "vedette_budget_used_usd", "What was spent since the period began." },
        { "vedette_budget_usage_percent", "Used of the limit, 0 to 100 and beyond." },
        { "vedette_budget_burn_usd_per_hour",
          "What the last hour (daily) or day (monthly) cost by the hour." },
        { "vedette_budget_projected_usd", "What will be used at the end of the period at this rate." },
        { "vedette_budget_exhausted_timestamp_seconds",
          "When the budget is gone at this rate; 0: not in this period." },
        { "load_balancer_daily_budget_usd", "What may be spent today." },
        { "load_balancer_monthly_budget_usd", "What may be spent this month." },
        { "load_balancer_daily_budget_usage_percent", "Used of today's budget, 0 to 100 and beyond." },
        { "load_balancer_monthly_budget_usage_percent", "Used of this month's budget, 0 to 100 and beyond." },
    };
    for (size_t i = 0; i < COUNT(all); i++)
        batch_metadata(b, str_of(all[i].family), STR("gauge"), str_of(all[i].help), STR(""));
}
