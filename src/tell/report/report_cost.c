/* report_cost.c - see report_cost.h.
 *
 * Money comes from three sources that are shown apart and added up: model calls (stored spans at the prices
 * in force now, or with reprice=false the series at the prices of their day), requests of load balancers, and
 * records of MCP servers. Who sends the same call by two of these ways says which to count:
 * sources=models,load_balancer. */
#include "tell/report/report_cost.h"

#include <math.h>

#include "base/check.h"
#include "base/hash.h"
#include "query/traces/cost.h"
#include "tell/report/report_budgets.h"
#include "tell/spend_json.h"

/* ---- model calls ---- */

void model_spend_init(struct model_spend *m, struct report *r)
{
    *m = (struct model_spend){ .arena = r->arena, .agent_filter = report_filter(r, "agent_id") };
    tally_init(&m->models, r->arena);
    tally_init(&m->agents, r->arena);
    map_init(&m->counted, 256);
}

void model_spend_release(struct model_spend *m)
{
    tally_release(&m->models);
    tally_release(&m->agents);
    map_release(&m->counted);
}

static void add_call(struct tally_row *row, const struct span_spend *s)
{
    row->n++;
    row->bad += s->cost.source == COST_UNPRICED;
    row->tokens_in += genai_input_total(&s->usage);
    row->tokens_out += genai_output_total(&s->usage);
    row->cached += s->usage.tokens[TOKENS_CACHE_READ];
    row->usd_nano = money_add(row->usd_nano, s->cost.nano_usd);
    if (row->also.n == 0) row->also = s->provider;
}

static void keep_prompt(struct model_spend *m, const struct trace_span *span, const struct span_spend *s,
                        size_t model)
{
    if (m->n_prompts == PROMPTS_MAX || !s->node.has_usage) return;
    m->prompts = arena_grow(m->arena, m->prompts, m->n_prompts, &m->cap_prompts, sizeof *m->prompts);
    struct prompt *p = &m->prompts[m->n_prompts++];
    *p = (struct prompt){ .model = (uint32_t)model, .input = genai_input_total(&s->usage) };
    memcpy(p->trace_id, span->trace_id, 16);
}

static int take_span(void *ctx, const struct trace_span *span, const struct span_spend *s)
{
    struct model_spend *m = ctx;
    if (m->agent_filter.n > 0 && !str_eq(m->agent_filter, s->agent)) return OK;
    struct tally_row *model = tally_row(&m->models, s->model.n > 0 ? s->model : STR("unknown"));
    struct str provider = arena_str(m->arena, s->provider); /* the span's texts do not last */
    struct span_spend kept = *s;
    kept.provider = provider;
    add_call(model, &kept);
    keep_prompt(m, span, s, (size_t)(model - m->models.at));
    add_call(tally_row(&m->agents, s->agent.n > 0 ? s->agent : STR("none")), &kept);
    genai_usage_add(&m->usage, &s->usage);
    m->nano = money_add(m->nano, s->cost.nano_usd);
    m->calls++;
    m->unpriced += s->cost.source == COST_UNPRICED;
    m->unknown += s->cost.source == COST_NONE && !s->node.has_usage;
    map_add(&m->counted, hash64(span->id, 8) ^ hash64(span->trace_id, 16), 1);
    return OK;
}

/* Calls that were told by an event alone, outside of any span. */
static int take_events(void *ctx, const struct record_rows *rows)
{
    struct model_spend *m = ctx;
    static const uint8_t none[8];
    for (size_t i = 0; i < rows->n; i++) {
        struct genai_span g;
        const struct record *r = &rows->records[i];
        bool in_span = memcmp(r->span_id, none, 8) != 0 && str_starts(r->log.event_name, "gen_ai.");
        if (in_span || !genai_of_event(&g, r, m->arena) || g.part != PART_CALL) continue;
        struct price_book *book = price_book_current();
        struct trace_span span = { 0 };
        struct span_spend s = { .usage = g.usage,
                                .cost = price_book_cost(book, &g),
                                .provider = g.provider,
                                .model = g.model,
                                .agent = g.agent };
        s.node.has_usage = g.has_usage;
        memcpy(span.trace_id, r->trace_id, 16);
        take_span(m, &span, &s);
        price_book_unref(book);
    }
    return OK;
}

static int read_events(struct report *r, struct store_view *view, struct model_spend *m)
{
    const struct value names[] = { value_str(STR("claude_code.api_request")),
                                   value_str(STR("gen_ai.client.inference.operation.details")) };
    struct arena *a = r->arena;
    struct field by_attribute = field_attr(FIELD_ATTR, STR("event.name"));
    struct record_scan scan = { .table = TABLE_LOGS,
                                .from_ns = r->from_ms * 1000000 + 1,
                                .to_ns = r->to_ms * 1000000,
                                .where = predicate_or(a, predicate_in(a, field_in(IN_EVENT_NAME), names, 2),
                                                      predicate_in(a, by_attribute, names, 2)) };
    return view_records(view, &r->c.call, &scan, take_events, m, &r->err);
}

void model_spend_read(struct report *r, struct model_spend *m, const struct price_book *book)
{
    struct store_view *view;
    if (r->rc < 0) return;
    r->rc = store_view_open(r->api->store, 0, INT64_MAX / 1000000, &view, &r->err);
    if (r->rc < 0) return;
    r->rc = window_spend(view, &r->c.call, book, r->from_ms * 1000000 + 1, r->to_ms * 1000000, take_span, m,
                         &r->err);
    if (r->rc == OK) r->rc = read_events(r, view, m);
    store_view_close(view);
}

/* ---- the same from series: prices of their day ---- */

#define OF_MODELS "vedette_genai_cost_usd_total"

static void from_series(struct report *r, struct model_spend *m)
{
    static const struct {
        const char *by;
        size_t tally;
    } groups[] = { { "model", offsetof(struct model_spend, models) },
                   { "agent", offsetof(struct model_spend, agents) } };
    struct label kept = r->n_filter > 0 ? r->filter[0] : (struct label){ STR(""), STR("") };
    struct counter_growth g;
    if (r->n_filter > 0) r->filter[0].name = STR("agent"); /* as these series call it */
    for (size_t i = 0; i < COUNT(groups) && r->rc == OK; i++) {
        struct tally *t = (struct tally *)((char *)m + groups[i].tally);
        if (report_growth(r, "vedette_genai_requests_total", groups[i].by, 1, &g))
            for (size_t k = 0; k < g.n; k++) tally_row(t, g.at[k].value)->n = g.at[k].grew;
        if (i == 0) m->calls = g.total;
        if (report_growth(r, OF_MODELS, groups[i].by, (double)NANO_USD, &g))
            for (size_t k = 0; k < g.n; k++) tally_row(t, g.at[k].value)->usd_nano = g.at[k].grew;
        if (i == 0) m->nano = g.total;
    }
    if (report_growth(r, "vedette_genai_tokens_total", "token_type", 1, &g))
        for (size_t k = 0; k < g.n; k++)
            for (unsigned b = 0; b < TOKEN_BUCKETS; b++)
                if (str_is(g.at[k].value, genai_bucket_name((enum genai_bucket)b)))
                    m->usage.tokens[b] = g.at[k].grew;
    if (report_growth(r, "vedette_genai_unpriced_requests_total", NULL, 1, &g)) m->unpriced = g.total;
    if (r->n_filter > 0) r->filter[0] = kept;
}

/* ---- writing ---- */

static void put_models(struct json_writer *w, const char *key, const char *name, struct tally *t, bool spans)
{
    tally_sort_money(t);
    json_put_key(w, str_of(key));
    json_begin_array(w);
    for (size_t i = 0; i < t->n; i++) {
        const struct tally_row *row = &t->at[i];
        json_begin_object(w);
        json_kv_string(w, name, row->name);
        if (spans && strcmp(name, "model") == 0) json_kv_string(w, "provider", row->also);
        json_kv_i64(w, "calls", row->n);
        json_kv_usd(w, "total_cost_usd", row->usd_nano);
        if (spans) {
            json_kv_i64(w, "input_tokens", row->tokens_in);
            json_kv_i64(w, "cached_tokens", row->cached);
            json_kv_i64(w, "output_tokens", row->tokens_out);
            json_kv_i64(w, "unpriced_calls", row->bad);
        }
        json_end_object(w);
    }
    json_end_array(w);
}

static const struct report_column backend_columns[] = {
    { "total_cost_usd", COLUMN_USD, "load_balancer_total_cost_usd", NULL, 0 },
    { "requests", COLUMN_COUNT, "load_balancer_requests_total", NULL, 0 },
    { "cost_per_request_usd", COLUMN_RATIO, NULL, "total_cost_usd/requests", 0 },
    { "quality_score", COLUMN_VALUE, "load_balancer_quality_score",
      "avg by (backend_id) (avg_over_time(load_balancer_quality_score{$f}[$w]))", 0 },
    { "cost_efficiency_score", COLUMN_VALUE, "load_balancer_cost_efficiency_score",
      "avg by (backend_id) (avg_over_time(load_balancer_cost_efficiency_score{$f}[$w]))", 0 },
};
static const struct report_section backends = { "backends", "backend_id", backend_columns,
                                                COUNT(backend_columns) };

static const struct report_column mcp_columns[] = {
    { "total_cost_usd", COLUMN_USD, "mcp_cost_usd_total", NULL, 0 },
    { "cost_per_request_usd", COLUMN_VALUE, "mcp_cost_per_request_usd",
      "avg by (mcp_id) (avg_over_time(mcp_cost_per_request_usd{$f}[$w]))", 0 },
};
static const struct report_section mcps = { "mcps", "mcp_id", mcp_columns, COUNT(mcp_columns) };

static int64_t sum_of(const struct report_table *t, size_t column)
{
    int64_t sum = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->at[i].cell[column].is_known) sum = money_add(sum, t->at[i].cell[column].whole);
    return sum;
}

struct sources {
    bool models, backends, mcps;
};

static bool has_word(struct str list, const char *word)
{
    for (struct str rest = list, one; rest.n > 0;) {
        one = str_trim(str_cut(rest, ',', &rest));
        if (str_is(one, word)) return true;
    }
    return false;
}

/* A filter speaks of one source only. */
static struct sources which(struct report *r)
{
    struct str list = http_param(r->x, "sources");
    struct sources s = { true, true, true };
    if (list.n > 0)
        s = (struct sources){ has_word(list, "models"), has_word(list, "load_balancer"),
                              has_word(list, "mcp") };
    if (report_filter(r, "backend_id").n > 0) s.models = s.mcps = false;
    if (report_filter(r, "mcp_id").n > 0) s.models = s.backends = false;
    if (report_filter(r, "agent_id").n > 0) s.backends = s.mcps = false;
    return s;
}

struct spending {
    struct sources of;
    bool priced_now;
    struct price_book *book;
    struct model_spend models;
    struct report_table backends, mcps;
    int64_t nano;
};

static void spending_read(struct report *r, struct spending *s)
{
    *s = (struct spending){ .of = which(r), .priced_now = !str_is(http_param(r->x, "reprice"), "false") };
    s->book = price_book_current();
    model_spend_init(&s->models, r);
    if (s->of.models && s->priced_now)
        model_spend_read(r, &s->models, s->book);
    else if (s->of.models)
        from_series(r, &s->models);
    if (s->of.backends) report_table_read(r, &backends, &s->backends);
    if (s->of.mcps) report_table_read(r, &mcps, &s->mcps);
    s->nano = money_add(s->models.nano, money_add(sum_of(&s->backends, 0), sum_of(&s->mcps, 0)));
}

static void spending_release(struct spending *s)
{
    model_spend_release(&s->models);
    price_book_unref(s->book);
}

static void put_source(struct json_writer *w, const char *key, bool used, int64_t nano)
{
    json_put_key(w, str_of(key));
    if (!used) {
        json_put_null(w);
        return;
    }
    json_begin_object(w);
    json_kv_usd(w, "total_cost_usd", nano);
    json_end_object(w);
}

static void put_totals(struct report *r, const struct spending *s)
{
    struct json_writer *w = &r->w;
    double hours = (double)(r->to_ms - r->from_ms) / (double)HOUR_MS;
    json_kv_usd(w, "total_cost_usd", s->nano);
    json_kv_double(w, "cost_usd_per_hour", money_double(s->nano) / hours);
    json_kv_i64(w, "model_calls", s->models.calls);
    json_kv_i64(w, "unpriced_calls", s->models.unpriced);
    json_kv_i64(w, "calls_without_usage", s->models.unknown);
    json_kv_bool(w, "is_partial_cost", s->models.unpriced > 0 || s->models.unknown > 0);
    json_kv_tokens(w, "tokens", &s->models.usage);
    json_kv_bool(w, "repriced", s->priced_now);
    json_kv_string(w, "price_version", price_book_version(s->book));
    json_put_key(w, STR("sources"));
    json_begin_object(w);
    put_source(w, "models", s->of.models, s->models.nano);
    put_source(w, "load_balancer", s->of.backends, sum_of(&s->backends, 0));
    put_source(w, "mcp", s->of.mcps, sum_of(&s->mcps, 0));
    json_end_object(w);
}

void report_cost_totals(struct report *r)
{
    struct spending s;
    spending_read(r, &s);
    if (r->rc == OK) {
        json_put_key(&r->w, STR("cost"));
        json_begin_object(&r->w);
        put_totals(r, &s);
        json_end_object(&r->w);
    }
    spending_release(&s);
}

void report_cost(struct report *r, struct report_budgets *budgets)
{
    struct spending s;
    spending_read(r, &s);
    if (r->rc == OK) {
        put_totals(r, &s);
        if (!str_is(http_param(r->x, "advice"), "false")) report_savings(r, &s.models, s.book);
        put_models(&r->w, "models", "model", &s.models.models, s.priced_now);
        put_models(&r->w, "agents", "agent_id", &s.models.agents, s.priced_now);
        report_table_json(r, &backends, &s.backends);
        report_table_json(r, &mcps, &s.mcps);
        report_budgets_json(r, budgets);
    }
    spending_release(&s);
}
