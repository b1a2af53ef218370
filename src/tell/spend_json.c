#include "tell/spend_json.h"

void json_kv_usd(struct json_writer *w, const char *key, int64_t nano_usd)
{
    char text[MONEY_TEXT_MAX];
    json_put_key(w, str_of(key));
    json_put_raw(w, str_make(text, money_text(nano_usd, text)));
}

void json_kv_tokens(struct json_writer *w, const char *key, const struct genai_usage *u)
{
    json_put_key(w, str_of(key));
    json_begin_object(w);
    for (unsigned b = 0; b < TOKEN_BUCKETS; b++)
        json_kv_i64(w, genai_bucket_name((enum genai_bucket)b), u->tokens[b]);
    json_kv_i64(w, "total", genai_input_total(u) + genai_output_total(u));
    json_end_object(w);
}

void trace_spend_json(struct json_writer *w, const struct trace_spend *t)
{
    json_kv_usd(w, "total_cost_usd", t->nano_usd);
    json_kv_i64(w, "model_calls", t->calls);
    json_kv_i64(w, "unpriced_calls", t->unpriced);
    json_kv_i64(w, "calls_without_usage", t->unknown);
    json_kv_bool(w, "is_partial_cost", t->unpriced > 0 || t->unknown > 0);
    json_kv_tokens(w, "tokens", &t->usage);
}

static void put_price(struct json_writer *w, const struct cost *c)
{
    json_kv_cs(w, "cost_source", cost_source_name(c->source));
    json_kv_bool(w, "unpriced", c->source == COST_UNPRICED);
    if (c->source != COST_NONE && c->source != COST_UNPRICED) json_kv_usd(w, "cost_usd", c->nano_usd);
    if (c->model == NULL) return;
    json_kv_string(w, "price_provider", c->model->provider);
    json_kv_string(w, "price_model", c->model->model);
    json_kv_cs(w, "price_match", price_match_name(c->match));
}

void span_spend_json(struct json_writer *w, const struct span_spend *s)
{
    static const char *const parts[] = { "none", "call", "wrapper", "server" };
    if (s->node.kind == GENAI_NONE && s->node.part == PART_NONE) return;
    json_put_key(w, STR("genai"));
    json_begin_object(w);
    json_kv_cs(w, "kind", genai_kind_name(s->node.kind));
    if (s->provider.n > 0) json_kv_string(w, "provider", s->provider);
    if (s->model.n > 0) json_kv_string(w, "model", s->model);
    if (s->agent.n > 0) json_kv_string(w, "agent", s->agent);
    if (s->node.part != PART_NONE) {
        json_kv_cs(w, "part", parts[s->node.part]);
        json_kv_bool(w, "counts",
                     s->node.counts); /* false: another span of the trace tells the same tokens */
        json_kv_bool(w, "has_usage", s->node.has_usage);
        json_kv_tokens(w, "tokens", &s->usage);
        put_price(w, &s->cost);
    }
    if (s->is_odd) json_kv_bool(w, "odd_values", true);
    json_end_object(w);
}
