/* price.c - see price.h: which price a call has, and what it comes to. */
#include "model/price.h"

#include <pthread.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "model/price_impl.h"

#define PICO_PER_NANO 1000

const char *price_match_name(enum price_match m)
{
    static const char *const names[] = { "none", "exact", "alias", "prefix", "dated", "routed" };
    return m < COUNT(names) ? names[m] : names[0];
}

const char *cost_source_name(enum cost_source s)
{
    static const char *const names[] = { "none", "list", "reported", "unpriced" };
    return s < COUNT(names) ? names[s] : names[0];
}

/* ---- life ---- */

struct price_book *price_book_new(void)
{
    struct price_book *b = mem_alloc_zero(sizeof *b);
    b->arena = (struct arena)ARENA_INIT((size_t)64 << 20);
    map_init(&b->by_text, 256);
    atomic_init(&b->refs, 1);
    return b;
}

struct price_book *price_book_ref(struct price_book *b)
{
    atomic_fetch_add(&b->refs, 1);
    return b;
}

void price_book_unref(struct price_book *b)
{
    if (b == NULL || atomic_fetch_sub(&b->refs, 1) != 1) return;
    map_release(&b->by_text);
    arena_release(&b->arena);
    mem_free(b);
}

struct price_book *price_book_builtin(void)
{
    struct price_book *b = price_book_new();
    struct err e = ERR_INIT;
    bool unused = true;
    check(price_file_read(b, str_of(price_builtin_yaml), "built-in prices", false, &unused, &e) == OK);
    price_book_index(b);
    return b;
}

int price_book_read(struct str text, const char *where, struct price_book **out, struct err *e)
{
    struct price_book *b = price_book_new();
    struct err ours = ERR_INIT;
    bool with_builtin = true, unused = true;
    int rc = price_file_read(b, text, where, true, &with_builtin, e);
    if (rc < 0) {
        price_book_unref(b);
        return rc;
    }
    if (with_builtin)
        check(price_file_read(b, str_of(price_builtin_yaml), "built-in prices", false, &unused, &ours) == OK);
    price_book_index(b);
    *out = b;
    return OK;
}

static pthread_mutex_t current_mu = PTHREAD_MUTEX_INITIALIZER;
static struct price_book *current; /* current_mu */

struct price_book *price_book_current(void)
{
    pthread_mutex_lock(&current_mu);
    if (current == NULL) current = price_book_builtin();
    struct price_book *b = price_book_ref(current);
    pthread_mutex_unlock(&current_mu);
    return b;
}

void price_book_use(struct price_book *b)
{
    pthread_mutex_lock(&current_mu);
    struct price_book *was = current;
    current = b;
    pthread_mutex_unlock(&current_mu);
    price_book_unref(was);
}

struct str price_book_version(const struct price_book *b)
{
    return b->version;
}

size_t price_book_size(const struct price_book *b)
{
    return b->n_models;
}

const struct price_model *price_book_at(const struct price_book *b, size_t i)
{
    check(i < b->n_models);
    return &b->models[i];
}

/* ---- names of models ---- */

struct wanted_key {
    const struct price_book *book;
    struct str text;
};

static bool is_wanted(void *ctx, uint64_t i)
{
    const struct wanted_key *w = ctx;
    return str_eq(w->book->keys[i].text, w->text);
}

static uint64_t *first_key(const struct price_book *b, struct str text)
{
    return map_find(&b->by_text, hash64(text.p, text.n), is_wanted, &(struct wanted_key){ b, text });
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static struct str lower_copy(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++) p[i] = lower(s.p[i]);
    return str_make(p, s.n);
}

/* Behind those of the same text: earlier models win. */
static void add_key(struct price_book *b, uint32_t model, struct str text, bool is_alias)
{
    bool is_prefix = str_ends(text, "*");
    struct price_key key = { .text = lower_copy(&b->arena, str_make(text.p, text.n - is_prefix)),
                             .provider = b->models[model].provider,
                             .model = model,
                             .next = PRICE_KEY_NONE,
                             .is_alias = is_alias,
                             .is_prefix = is_prefix };
    b->keys = arena_grow(&b->arena, b->keys, b->n_keys, &b->cap_keys, sizeof *b->keys);
    uint64_t *first = is_prefix ? NULL : first_key(b, key.text);
    uint32_t number = (uint32_t)b->n_keys;
    b->keys[b->n_keys++] = key;
    if (is_prefix) return;
    if (first == NULL) {
        map_add(&b->by_text, hash64(key.text.p, key.text.n), number);
        return;
    }
    uint32_t k = (uint32_t)*first;
    while (b->keys[k].next != PRICE_KEY_NONE) k = b->keys[k].next;
    b->keys[k].next = number;
}

void price_book_index(struct price_book *b)
{
    for (uint32_t i = 0; i < b->n_models; i++) {
        add_key(b, i, b->models[i].model, false);
        for (size_t k = 0; k < b->models[i].n_aliases; k++) add_key(b, i, b->models[i].aliases[k], true);
    }
}

/* ---- finding ---- */

/* Many doors to the same models: the price list knows them by the house. */
static struct str house_of(struct str provider)
{
    if (str_starts(provider, "azure.")) return STR("openai");
    if (str_starts(provider, "gcp.") || str_is(provider, "vertex_ai") || str_is(provider, "gemini"))
        return STR("google");
    return provider;
}

/* An entry of this provider, else the first there is; those of an override stand before the built-in ones. */
static const struct price_key *choose(const struct price_book *b, uint32_t first, struct str provider)
{
    for (uint32_t k = first; k != PRICE_KEY_NONE; k = b->keys[k].next)
        if (provider.n == 0 || str_eq(b->keys[k].provider, provider)) return &b->keys[k];
    return &b->keys[first];
}

static const struct price_key *look_up(const struct price_book *b, struct str id, struct str provider)
{
    const uint64_t *first = first_key(b, id);
    return first == NULL ? NULL : choose(b, (uint32_t)*first, provider);
}

/* The longest prefix that fits. */
static const struct price_key *look_up_prefix(const struct price_book *b, struct str id, struct str provider)
{
    const struct price_key *best = NULL;
    for (size_t i = 0; i < b->n_keys; i++) {
        const struct price_key *k = &b->keys[i];
        if (!k->is_prefix || k->text.n > id.n || memcmp(k->text.p, id.p, k->text.n) != 0) continue;
        bool is_longer = best == NULL || k->text.n > best->text.n;
        bool is_nearer = best != NULL && k->text.n == best->text.n && str_eq(k->provider, provider) &&
                         !str_eq(best->provider, provider);
        if (is_longer || is_nearer) best = k;
    }
    return best;
}

static bool drop_start(struct str *id, const char *start)
{
    if (!str_starts(*id, start)) return false;
    *id = str_make(id->p + strlen(start), id->n - strlen(start));
    return true;
}

/* us.anthropic.claude-...-v1:0 of Bedrock is claude-... of Anthropic. */
static bool drop_bedrock(struct str *id)
{
    static const char *const regions[] = { "us.", "eu.", "apac.", "global.", "us-gov.", "jp.", "au." };
    static const char *const makers[] = { "anthropic.", "amazon.", "meta.",    "mistral.",
                                          "cohere.",    "openai.", "deepseek." };
    struct str was = *id;
    for (size_t i = 0; i < COUNT(regions); i++)
        if (drop_start(id, regions[i])) break;
    for (size_t i = 0; i < COUNT(makers); i++)
        if (drop_start(id, makers[i])) break;
    const char *v = id->p + id->n - 5; /* -v1:0 */
    if (id->n > 5 && v[0] == '-' && v[1] == 'v' && v[3] == ':') id->n -= 5;
    return id->n != was.n && id->n > 0;
}

static size_t digits_at_end(struct str s)
{
    size_t n = 0;
    while (n < s.n && s.p[s.n - 1 - n] >= '0' && s.p[s.n - 1 - n] <= '9') n++;
    return n;
}

/* -20250929, @20250929, -2025-09-29, -latest. */
static bool drop_date(struct str *id)
{
    size_t n = digits_at_end(*id);
    if (str_ends(*id, "-latest") && id->n > 7) {
        id->n -= 7;
        return true;
    }
    if (n == 8 && id->n > 9 && (id->p[id->n - 9] == '-' || id->p[id->n - 9] == '@')) {
        id->n -= 9;
        return true;
    }
    if (n != 2 || id->n < 12) return false;
    const char *p = id->p + id->n - 11; /* -2025-09-29 */
    if (p[0] != '-' || p[5] != '-' || p[8] != '-' || digits_at_end(str_make(id->p, id->n - 3)) != 2 ||
        digits_at_end(str_make(id->p, id->n - 6)) != 4)
        return false;
    id->n -= 11;
    return true;
}

struct search {
    const struct price_book *book;
    struct str provider;
    enum price_match how;
};

static const struct price_key *try_id(struct search *s, struct str id, enum price_match how)
{
    const struct price_key *k = look_up(s->book, id, s->provider);
    s->how = how != MATCH_EXACT ? how : k != NULL && k->is_alias ? MATCH_ALIAS : MATCH_EXACT;
    return k;
}

/* As it is, without what Bedrock adds, without its date. */
static const struct price_key *try_forms(struct search *s, struct str id, enum price_match how)
{
    const struct price_key *k = try_id(s, id, how);
    struct str plain = id;
    if (k == NULL && drop_bedrock(&plain)) k = try_id(s, plain, MATCH_ROUTED);
    if (k == NULL && drop_date(&plain)) k = try_id(s, plain, how == MATCH_EXACT ? MATCH_DATED : how);
    if (k == NULL && (k = look_up_prefix(s->book, id, s->provider)) != NULL)
        s->how = how == MATCH_EXACT ? MATCH_PREFIX : how;
    return k;
}

const struct price_model *price_book_find(const struct price_book *b, struct str provider, struct str model,
                                          enum price_match *how)
{
    char text[PRICE_ID_MAX];
    struct search s = { b, house_of(provider), MATCH_NONE };
    struct str id = { text, model.n }, rest;
    *how = MATCH_NONE;
    if (model.n == 0 || model.n > sizeof text) return NULL;
    for (size_t i = 0; i < model.n; i++) text[i] = lower(model.p[i]);

    const struct price_key *k = try_forms(&s, id, MATCH_EXACT);
    while (k == NULL && memchr(id.p, '/', id.n) != NULL) { /* openrouter/anthropic/claude-... */
        str_cut(id, '/', &rest);
        id = rest;
        if (id.n == 0) break;
        k = try_forms(&s, id, MATCH_ROUTED);
    }
    if (k == NULL) return NULL;
    *how = s.how;
    return &b->models[k->model];
}

/* ---- rates ---- */

static bool holds(const struct price_period *p, int64_t time_ns)
{
    if (time_ns < p->from_ns) return false;
    int64_t second = time_ns / 1000000000 % 86400;
    if (second < 0) second += 86400;
    return p->day_from < p->day_to ? second >= p->day_from && second < p->day_to
                                   : second >= p->day_from || second < p->day_to;
}

const struct price_rates *price_rates_at(const struct price_model *m, int64_t time_ns, int64_t input_tokens,
                                         enum genai_class c)
{
    size_t i = m->n_periods;
    while (i > 0 && !holds(&m->periods[i - 1], time_ns)) i--;
    if (i == 0) return NULL;
    const struct price_period *p = &m->periods[i - 1];
    size_t t = p->n_tiers - 1;
    while (t > 0 && input_tokens <= p->tiers[t].above_input) t--;
    return &p->tiers[t].rates[c < CLASSES ? c : CLASS_STANDARD];
}

/* ---- cost ---- */

/* Half up. */
static int64_t to_nano(__int128 units)
{
    __int128 nano = (units + PICO_PER_NANO / 2) / PICO_PER_NANO;
    return nano > INT64_MAX ? INT64_MAX : (int64_t)nano;
}

static __int128 times(int64_t tokens, int64_t rate)
{
    return (__int128)tokens * rate;
}

static void bill(struct cost *cost, const struct price_rates *r, const struct genai_usage *u)
{
    const int64_t *t = u->tokens;
    const __int128 units[TOKEN_BUCKETS] = {
        [TOKENS_INPUT] = times(t[TOKENS_INPUT] - u->audio_input, r->pico[PRICE_INPUT]) +
                         times(u->audio_input, r->pico[PRICE_AUDIO_INPUT]),
        [TOKENS_CACHE_READ] = times(t[TOKENS_CACHE_READ], r->pico[PRICE_CACHE_READ]),
        [TOKENS_CACHE_WRITE] = times(t[TOKENS_CACHE_WRITE] - u->cache_write_1h, r->pico[PRICE_CACHE_WRITE]) +
                               times(u->cache_write_1h, r->pico[PRICE_CACHE_WRITE_1H]),
        [TOKENS_OUTPUT] = times(t[TOKENS_OUTPUT] - u->audio_output, r->pico[PRICE_OUTPUT]) +
                          times(u->audio_output, r->pico[PRICE_AUDIO_OUTPUT]),
        [TOKENS_REASONING] = times(t[TOKENS_REASONING], r->pico[PRICE_REASONING]),
    };
    __int128 sum = 0;
    int64_t before = 0;
    for (size_t i = 0; i < TOKEN_BUCKETS; i++) { /* parts are differences of rounded sums: they add up */
        sum += units[i];
        cost->part[i] = to_nano(sum) - before;
        before += cost->part[i];
    }
    cost->nano_usd = before;
}

static bool has_tokens(const struct genai_usage *u)
{
    return genai_input_total(u) + genai_output_total(u) > 0;
}

static struct cost reported(const struct genai_span *g)
{
    return (struct cost){ .source = COST_REPORTED, .nano_usd = g->reported_nano_usd };
}

struct cost price_book_cost(const struct price_book *b, const struct genai_span *g)
{
    struct cost cost = { .source = COST_NONE };
    const struct price_rates *rates = NULL;
    if (g->has_reported_cost && g->is_billed) return reported(g);
    if (g->part == PART_NONE) return g->has_reported_cost ? reported(g) : cost;
    const struct price_model *m = price_book_find(b, g->provider, g->model, &cost.match);
    if (m != NULL) rates = price_rates_at(m, g->time_ns, genai_input_total(&g->usage), g->price_class);
    if (rates != NULL && (g->has_usage || m->request_nano > 0)) {
        cost.source = COST_LIST;
        cost.model = m;
        bill(&cost, rates, &g->usage);
        cost.nano_usd = money_add(cost.nano_usd, m->request_nano);
        return cost;
    }
    if (g->has_reported_cost) return reported(g);
    cost.match = MATCH_NONE;
    if (has_tokens(&g->usage)) cost.source = COST_UNPRICED;
    return cost;
}
