/* report_advice.c - what could be saved, each with the figures it rests on: judge/insight.h has the
 * arithmetic. */
#include <math.h>
#include <stdio.h>

#include "base/check.h"
#include "base/hash.h"
#include "judge/insight.h"
#include "tell/report/report_cost.h"
#include "tell/spend_json.h"

#define PROMPTS_COMPARED 20000 /* the oldest of the window */
#define OUTLIERS_SHOWN   10

static void begin_saving(struct json_writer *w, const char *kind, struct str subject, int64_t saving_nano)
{
    json_begin_object(w);
    json_kv_cs(w, "kind", kind);
    json_kv_string(w, "subject", subject);
    json_kv_usd(w, "saving_usd", saving_nano);
}

static void end_saving(struct json_writer *w, const char *action)
{
    json_kv_cs(w, "action", action);
    json_end_object(w);
}

/* ---- a cheaper backend ---- */

static const struct report_column columns[] = {
    { "requests", COLUMN_COUNT, "load_balancer_requests_total", NULL, 0 },
    { "errors", COLUMN_COUNT, "load_balancer_errors_total", NULL, 0 },
    { "cost", COLUMN_USD, "load_balancer_total_cost_usd", NULL, 0 },
    { "quality", COLUMN_VALUE, "load_balancer_quality_score",
      "avg by (backend_id) (avg_over_time(load_balancer_quality_score[$w]))", 0 },
};
static const struct report_section of_backends = { "backends", "backend_id", columns, COUNT(columns) };

static void put_backend(struct json_writer *w, const char *key, const struct insight_backend *b)
{
    json_put_key(w, str_of(key));
    json_begin_object(w);
    json_kv_string(w, "backend_id", b->name);
    json_kv_i64(w, "requests", b->requests);
    json_kv_double(w, "cost_per_request_usd", money_double(b->nano_usd) / (double)b->requests);
    json_kv_double(w, "quality_score", b->quality);
    json_kv_double(w, "success_rate", b->success);
    json_end_object(w);
}

static struct insight_backend backend_of(const struct report_row *row)
{
    const struct report_cell *c = row->cell;
    double n = (double)c[0].whole;
    return (struct insight_backend){ .name = row->name,
                                     .requests = c[0].whole,
                                     .nano_usd = c[2].is_known ? c[2].whole : 0,
                                     .quality = c[3].is_known ? c[3].value : (double)NAN,
                                     .success = n > 0 ? 1 - (double)(c[1].is_known ? c[1].whole : 0) / n
                                                      : (double)NAN };
}

static void cheaper_backends(struct report *r)
{
    struct report_table t;
    report_table_read(r, &of_backends, &t);
    if (r->rc < 0 || t.n == 0) return;
    struct insight_backend *at = arena_array(r->arena, t.n, sizeof *at);
    struct insight_move *moves = arena_array(r->arena, t.n, sizeof *moves);
    for (size_t i = 0; i < t.n; i++) at[i] = backend_of(&t.at[i]);
    size_t n = insight_cheaper(at, t.n, moves);
    for (size_t i = 0; i < n; i++) {
        begin_saving(&r->w, "cheaper_backend", at[moves[i].from].name, moves[i].saving_nano);
        put_backend(&r->w, "from", &at[moves[i].from]);
        put_backend(&r->w, "to", &at[moves[i].to]);
        end_saving(&r->w, "send this load to the cheaper backend: its answers are as good");
    }
}

/* ---- long prompts ---- */

static double price_of_input(const struct price_book *book, const struct tally_row *model, int64_t at_ms,
                             enum price_kind kind)
{
    enum price_match how;
    const struct price_model *m = price_book_find(book, model->also, model->name, &how);
    const struct price_rates *rates =
        m != NULL ? price_rates_at(m, at_ms * 1000000, 0, CLASS_STANDARD) : NULL;
    return rates != NULL ? (double)rates->pico[kind] / 1000 : 0; /* nano-dollars a token */
}

static void put_longest(struct report *r, const struct model_spend *m, size_t model, double limit)
{
    size_t shown = 0;
    json_put_key(&r->w, STR("traces"));
    json_begin_array(&r->w);
    for (size_t i = 0; i < m->n_prompts && shown < OUTLIERS_SHOWN; i++) {
        char id[33];
        if (m->prompts[i].model != model || !((double)m->prompts[i].input > limit)) continue;
        for (size_t k = 0; k < 16; k++) snprintf(id + 2 * k, 3, "%02x", m->prompts[i].trace_id[k]);
        json_begin_object(&r->w);
        json_kv_cs(&r->w, "trace_id", id);
        json_kv_i64(&r->w, "input_tokens", m->prompts[i].input);
        json_end_object(&r->w);
        shown++;
    }
    json_end_array(&r->w);
}

static void long_prompts(struct report *r, const struct model_spend *m, const struct price_book *book,
                         size_t model)
{
    double *tokens = arena_array(r->arena, m->n_prompts + 1, sizeof *tokens);
    struct insight_outliers o;
    size_t n = 0;
    for (size_t i = 0; i < m->n_prompts; i++)
        if (m->prompts[i].model == model) tokens[n++] = (double)m->prompts[i].input;
    if (!insight_outliers(tokens, n, &o) || o.n == 0) return;
    const struct tally_row *row = &m->models.at[model];
    begin_saving(&r->w, "long_prompts", row->name,
                 llround(o.excess * price_of_input(book, row, r->to_ms, PRICE_INPUT)));
    json_kv_i64(&r->w, "prompts", (int64_t)n);
    json_kv_i64(&r->w, "outliers", (int64_t)o.n);
    json_kv_double(&r->w, "median_input_tokens", o.median);
    json_kv_double(&r->w, "limit_input_tokens", o.limit);
    json_kv_double(&r->w, "excess_input_tokens", o.excess);
    put_longest(r, m, model, o.limit);
    end_saving(&r->w, "look at these prompts: shorten the context, or summarise what is old");
}

/* ---- prefixes ---- */

static const char *const prompt_fields[] = { "hash_ids",      "gen_ai.input.messages",
                                             "gen_ai.prompt", "ai.prompt.messages",
                                             "ai.prompt",     "input.value" };
#define PROMPT_FIELDS COUNT(prompt_fields)
static const char *const model_fields[] = { "gen_ai.response.model", "gen_ai.request.model",
                                            "llm.model_name" };
enum { P_TRACE = PROMPT_FIELDS, P_SPAN, P_MODEL };
#define P_FIELDS (P_MODEL + COUNT(model_fields))

struct prefixes {
    const struct model_spend *m;
    struct insight_prefixes *of; /* by model */
    struct arena *arena;
    size_t n;
};

static size_t model_at(const struct model_spend *m, const struct record_rows *rows, size_t row)
{
    for (size_t f = P_MODEL; f < P_FIELDS; f++) {
        struct str name = event_text(rows->values[f][row]);
        for (size_t i = 0; name.n > 0 && i < m->models.n; i++)
            if (str_eq(m->models.at[i].name, name)) return i;
    }
    return SIZE_MAX;
}

static void take_ids(struct prefixes *p, struct insight_prefixes *of, struct str json)
{
    struct json_reader j;
    int64_t *ids = NULL, id;
    size_t n = 0, cap = 0;
    json_open(&j, json, p->arena);
    if (!json_array(&j)) return;
    while (json_next(&j) && json_i64(&j, &id)) {
        ids = arena_grow(p->arena, ids, n, &cap, sizeof *ids);
        ids[n++] = id;
    }
    insight_prefix_ids(of, ids, n);
}

static int take_prompts(void *ctx, const struct record_rows *rows)
{
    struct prefixes *p = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        struct str trace = rows->values[P_TRACE][i].text, span = rows->values[P_SPAN][i].text;
        if (rows->values[P_TRACE][i].type != VALUE_BYTES || rows->values[P_SPAN][i].type != VALUE_BYTES)
            continue;
        if (map_find(&p->m->counted, hash64(span.p, span.n) ^ hash64(trace.p, trace.n), NULL, NULL) == NULL)
            continue;
        size_t model = model_at(p->m, rows, i), f = 0;
        while (f < PROMPT_FIELDS && rows->values[f][i].type == VALUE_NONE) f++;
        if (model == SIZE_MAX || f == PROMPT_FIELDS) continue;
        if (f == 0)
            take_ids(p, &p->of[model], event_text(rows->values[0][i]));
        else
            insight_prefix_text(&p->of[model], event_text(rows->values[f][i]));
        p->n++;
    }
    return OK;
}

static void scan_prompts(struct report *r, struct prefixes *p)
{
    struct field fields[P_FIELDS];
    const struct predicate *any = NULL;
    struct store_view *view;
    for (size_t i = 0; i < PROMPT_FIELDS; i++) {
        fields[i] = field_attr(FIELD_ATTR, str_of(prompt_fields[i]));
        const struct predicate *has = predicate_exists(r->arena, fields[i]);
        any = any == NULL ? has : predicate_or(r->arena, any, has);
    }
    fields[P_TRACE] = field_in(IN_TRACE_ID);
    fields[P_SPAN] = field_in(IN_SPAN_ID);
    for (size_t i = 0; i < COUNT(model_fields); i++)
        fields[P_MODEL + i] = field_attr(FIELD_ATTR, str_of(model_fields[i]));
    struct record_scan scan = { .table = TABLE_SPANS,
                                .from_ns = r->from_ms * 1000000 + 1,
                                .to_ns = r->to_ms * 1000000,
                                .where = any,
                                .fields = fields,
                                .n_fields = P_FIELDS,
                                .order = ORDER_TIME,
                                .limit = PROMPTS_COMPARED };
    r->rc = store_view_open(r->api->store, r->from_ms, r->to_ms, &view, &r->err);
    if (r->rc < 0) return;
    r->rc = view_records(view, &r->c.call, &scan, take_prompts, p, &r->err);
    store_view_close(view);
}

static void put_prefixes(struct report *r, const struct tally_row *row, const struct insight_prefixes *p,
                         const struct price_book *book)
{
    double share = insight_prefix_share(p),
           used = row->tokens_in > 0 ? (double)row->cached / (double)row->tokens_in : 0;
    double cheaper = price_of_input(book, row, r->to_ms, PRICE_INPUT) -
                     price_of_input(book, row, r->to_ms, PRICE_CACHE_READ);
    double more = fmax(share - used, 0) * (double)row->tokens_in;
    if (p->blocks == 0) return;
    begin_saving(&r->w, "prompt_cache", row->name, llround(more * fmax(cheaper, 0)));
    json_kv_i64(&r->w, "prompts", (int64_t)p->prompts);
    json_kv_i64(&r->w, "blocks", (int64_t)p->blocks);
    json_kv_i64(&r->w, "repeated_blocks", (int64_t)p->repeated);
    json_kv_double(&r->w, "cacheable_share", share);
    json_kv_double(&r->w, "cached_share", used);
    json_kv_i64(&r->w, "input_tokens", row->tokens_in);
    end_saving(&r->w,
               "let the provider cache prompts: put what repeats first, and keep it byte by byte the same");
}

static void prompt_prefixes(struct report *r, const struct model_spend *m, const struct price_book *book)
{
    struct prefixes p = { m, arena_array(r->arena, m->models.n + 1, sizeof *p.of), r->arena, 0 };
    if (r->rc < 0) return;
    for (size_t i = 0; i < m->models.n; i++) insight_prefixes_init(&p.of[i]);
    scan_prompts(r, &p);
    for (size_t i = 0; i < m->models.n; i++) {
        if (r->rc == OK) put_prefixes(r, &m->models.at[i], &p.of[i], book);
        insight_prefixes_release(&p.of[i]);
    }
}

void report_savings(struct report *r, const struct model_spend *m, const struct price_book *book)
{
    json_put_key(&r->w, STR("savings"));
    json_begin_array(&r->w);
    cheaper_backends(r);
    for (size_t i = 0; i < m->models.n && r->rc == OK; i++) long_prompts(r, m, book, i);
    if (m->calls > 0) prompt_prefixes(r, m, book);
    json_end_array(&r->w);
}
