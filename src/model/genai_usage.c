/* genai_usage.c - the tokens of a call taken apart into disjoint buckets, and what it cost by its own words.
 *
 * Emitters differ in what "input" is. By OpenTelemetry it is all of it, cached tokens included; those that
 * pass on what Anthropic's and Bedrock's APIs say mean what was not cached. In this order:
 *
 *   1. a figure that says what it is (noCacheTokens, textTokens, Langfuse's maps) is taken as it is;
 *   2. what the caller knows to be exclusive (by framework and model) is;
 *   3. cache_read + cache_write > input: it cannot be inclusive, so it is exclusive;
 *   4. else it is inclusive, and the cached tokens are taken off.
 *
 * Reasoning is a part of output and cannot be more. */
#include <math.h>

#include "base/check.h"
#include "base/float.h"
#include "base/json.h"
#include "model/genai_names.h"

/* ---- one number ---- */

/* {"intValue":"12"}, as some exporters leave it. */
static bool wrapped_number(struct str text, struct arena *a, double *out)
{
    struct json_reader r;
    struct str key, inner = STR("");
    json_open(&r, text, a);
    if (json_peek(&r) != JSON_OBJECT) return false;
    json_object(&r);
    while (json_key(&r, &key)) {
        bool is_number = json_peek(&r) == JSON_NUMBER;
        if (!str_is(key, "intValue") && !str_is(key, "doubleValue") && !str_is(key, "stringValue"))
            json_skip(&r);
        else if (is_number)
            json_number_text(&r, &inner);
        else
            json_string(&r, &inner);
    }
    return json_close(&r, NULL) == OK && inner.n > 0 && float_parse(inner, out);
}

bool genai_value_number(struct value v, struct arena *a, double *out)
{
    switch (v.type) {
    case VALUE_INT: *out = (double)v.i; return true;
    case VALUE_DOUBLE: *out = v.d; return true;
    case VALUE_STR:
    case VALUE_JSON: {
        struct str text = str_trim(v.text);
        if (text.n == 0 || text.n > 256) return false;
        return text.p[0] == '{' ? wrapped_number(text, a, out) : float_parse(text, out);
    }
    default: return false;
    }
}

bool genai_number(const struct genai_parse *p, enum meaning m, double *out)
{
    return p->best[m].name != 0 && genai_value_number(p->best[m].value, p->arena, out) && isfinite(*out);
}

/* A count: whole, not negative, not absurd. */
static bool as_count(double v, int64_t *out)
{
    if (!(v >= 0 && v <= (double)GENAI_TOKENS_MAX) || v != floor(v)) return false;
    *out = (int64_t)v;
    return true;
}

static bool read_count(const struct genai_parse *p, enum meaning m, int64_t *out, struct genai_span *g)
{
    double v;
    if (p->best[m].name == 0) return false;
    if (genai_number(p, m, &v) && as_count(v, out)) return true;
    g->is_odd = true;
    return false;
}

/* ---- figures ---- */

/* As they were given; -1: not. */
struct figures {
    int64_t input, uncached, cache_read, cache_write, cache_write_1h, audio_input;
    int64_t output, text, reasoning, audio_output;
};

static void take_figures(const struct genai_parse *p, struct figures *f, struct genai_span *g)
{
    const struct {
        enum meaning meaning;
        int64_t *to;
    } all[] = { { M_INPUT, &f->input },
                { M_UNCACHED, &f->uncached },
                { M_CACHE_READ, &f->cache_read },
                { M_CACHE_WRITE, &f->cache_write },
                { M_OUTPUT, &f->output },
                { M_TEXT_OUTPUT, &f->text },
                { M_REASONING, &f->reasoning },
                { M_AUDIO_INPUT, &f->audio_input },
                { M_AUDIO_OUTPUT, &f->audio_output } };
    for (size_t i = 0; i < COUNT(all); i++) {
        *all[i].to = -1;
        if (read_count(p, all[i].meaning, all[i].to, g)) g->has_usage = true;
    }
    f->cache_write_1h = -1;
}

static int64_t given(int64_t figure)
{
    return figure < 0 ? 0 : figure;
}

static int64_t cut(int64_t part, int64_t whole, struct genai_span *g)
{
    if (part <= whole) return part;
    g->is_odd = true;
    return whole;
}

static void put_input(const struct figures *f, bool is_exclusive, struct genai_span *g)
{
    int64_t *t = g->usage.tokens;
    int64_t cached = given(f->cache_read) + given(f->cache_write);
    t[TOKENS_CACHE_READ] = given(f->cache_read);
    t[TOKENS_CACHE_WRITE] = given(f->cache_write);
    if (f->uncached >= 0)
        t[TOKENS_INPUT] = f->uncached;
    else if (is_exclusive || cached > given(f->input))
        t[TOKENS_INPUT] = given(f->input);
    else
        t[TOKENS_INPUT] = given(f->input) - cached;
    g->usage.cache_write_1h = cut(given(f->cache_write_1h), t[TOKENS_CACHE_WRITE], g);
    g->usage.audio_input = cut(given(f->audio_input), t[TOKENS_INPUT], g);
}

static void put_output(const struct figures *f, struct genai_span *g)
{
    int64_t *t = g->usage.tokens;
    int64_t whole = f->output >= 0 ? f->output : given(f->text) + given(f->reasoning);
    t[TOKENS_REASONING] = cut(given(f->reasoning), whole, g);
    t[TOKENS_OUTPUT] =
        f->text >= 0 ? cut(f->text, whole - t[TOKENS_REASONING], g) : whole - t[TOKENS_REASONING];
    g->usage.audio_output = cut(given(f->audio_output), t[TOKENS_OUTPUT], g);
}

/* ---- Langfuse's maps ---- */

/* Keys beside "input" and "output". inclusive: a part of those whatever the total says, as they are the names
 * of another convention that Langfuse keeps. */
static const struct usage_key {
    const char *text;
    size_t at; /* of struct figures */
    bool is_inclusive;
} usage_keys[] = {
    { "input_cached_tokens", offsetof(struct figures, cache_read), false },
    { "input_cache_read", offsetof(struct figures, cache_read), false },
    { "cache_read_input_tokens", offsetof(struct figures, cache_read), false },
    { "prompt_details.cache_read", offsetof(struct figures, cache_read), true },
    { "input_cache_creation", offsetof(struct figures, cache_write), false },
    { "input_cache_creation_5m", offsetof(struct figures, cache_write), false },
    { "input_cache_creation_1h", offsetof(struct figures, cache_write_1h), false },
    { "cache_creation_input_tokens", offsetof(struct figures, cache_write), false },
    { "prompt_details.cache_write", offsetof(struct figures, cache_write), true },
    { "input_audio", offsetof(struct figures, audio_input), false },
    { "input_audio_tokens", offsetof(struct figures, audio_input), false },
    { "prompt_details.audio", offsetof(struct figures, audio_input), true },
    { "output_reasoning", offsetof(struct figures, reasoning), false },
    { "output_reasoning_tokens", offsetof(struct figures, reasoning), false },
    { "completion_details.reasoning", offsetof(struct figures, reasoning), true },
    { "output_audio", offsetof(struct figures, audio_output), false },
    { "output_audio_tokens", offsetof(struct figures, audio_output), false },
    { "completion_details.audio", offsetof(struct figures, audio_output), true },
};

struct usage_map {
    struct figures f;
    int64_t total;
    bool is_inclusive; /* by the names of its keys */
};

static bool json_count(struct json_reader *r, int64_t *out)
{
    double v = -1;
    struct str text;
    switch (json_peek(r)) {
    case JSON_NUMBER: json_double(r, &v); break;
    case JSON_STRING:
        if (json_string(r, &text)) float_parse(text, &v);
        break;
    default: json_skip(r);
    }
    return as_count(v, out);
}

static void take_key(struct usage_map *m, struct str key, int64_t n)
{
    if (str_is(key, "input")) m->f.input = n;
    if (str_is(key, "output")) m->f.output = n;
    if (str_is(key, "total")) m->total = n;
    for (size_t i = 0; i < COUNT(usage_keys); i++) {
        if (!str_is(key, usage_keys[i].text)) continue;
        int64_t *to = (int64_t *)(void *)((char *)&m->f + usage_keys[i].at);
        *to = given(*to) + n;
        if (n > 0 && usage_keys[i].is_inclusive) m->is_inclusive = true;
    }
}

static bool read_map(const struct genai_parse *p, struct usage_map *m, struct genai_span *g)
{
    struct value v = p->best[M_USAGE_MAP].value;
    struct json_reader r;
    struct str key;
    bool any = false;
    int64_t n;
    *m = (struct usage_map){ { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 }, -1, false };
    if (p->best[M_USAGE_MAP].name == 0 || (v.type != VALUE_JSON && v.type != VALUE_STR)) return false;
    json_open(&r, v.text, p->arena);
    if (json_peek(&r) != JSON_OBJECT) return false;
    json_object(&r);
    while (json_key(&r, &key)) {
        if (json_count(&r, &n)) {
            take_key(m, key, n);
            any = true;
        } else {
            g->is_odd = true;
        }
    }
    return json_close(&r, NULL) == OK && any;
}

/* Their sum is the total when they are disjoint; input + output is when details are parts of these. */
static void use_map(struct usage_map *m, struct genai_span *g)
{
    struct figures *f = &m->f;
    bool adds_up = m->total >= 0 && m->total == given(f->input) + given(f->output);
    bool is_inclusive = m->is_inclusive || adds_up;
    if (f->cache_write_1h > 0) f->cache_write = given(f->cache_write) + f->cache_write_1h;
    if (!is_inclusive && f->output >= 0) f->output += given(f->reasoning);
    g->has_usage = true;
    put_input(f, !is_inclusive, g);
    put_output(f, g);
}

/* ---- the whole ---- */

void genai_read_usage(struct genai_parse *p, bool is_exclusive, struct genai_span *g)
{
    struct figures f;
    struct usage_map map;
    bool is_langfuse = p->scope == GENAI_LANGFUSE;
    take_figures(p, &f, g);
    if ((is_langfuse || !g->has_usage) && read_map(p, &map, g)) {
        use_map(&map, g);
        return;
    }
    put_input(&f, is_exclusive, g);
    put_output(&f, g);
}

/* ---- cost ---- */

static bool as_money(double usd, int64_t *nano)
{
    if (!(usd >= 0 && usd <= 1e9)) return false;
    *nano = (int64_t)llround(usd * 1e9);
    return true;
}

static bool is_usd(const struct genai_parse *p)
{
    struct str currency = genai_text(p, M_COST_CURRENCY);
    return currency.n == 0 || str_is_nocase(currency, "usd");
}

static bool map_total(const struct genai_parse *p, double *usd)
{
    struct value v = p->best[M_COST_MAP].value;
    struct json_reader r;
    struct str key;
    bool found = false;
    if (p->best[M_COST_MAP].name == 0 || (v.type != VALUE_JSON && v.type != VALUE_STR)) return false;
    json_open(&r, v.text, p->arena);
    if (json_peek(&r) != JSON_OBJECT) return false;
    json_object(&r);
    while (json_key(&r, &key))
        if (str_is(key, "total") && json_peek(&r) == JSON_NUMBER)
            found = json_double(&r, usd);
        else
            json_skip(&r);
    return json_close(&r, NULL) == OK && found;
}

void genai_read_cost(struct genai_parse *p, struct genai_span *g)
{
    double usd;
    bool billed = p->best[M_COST_BILLED].name != 0;
    bool told = billed || p->best[M_COST].name != 0;
    if (!told && !map_total(p, &usd)) return;
    if (told && !genai_number(p, billed ? M_COST_BILLED : M_COST, &usd)) {
        g->is_odd = true;
        return;
    }
    if (!is_usd(p) || !as_money(usd, &g->reported_nano_usd)) {
        g->is_odd = true;
        return;
    }
    g->has_reported_cost = true;
    g->is_billed = billed || str_is_nocase(genai_text(p, M_COST_SOURCE), "provider");
}
