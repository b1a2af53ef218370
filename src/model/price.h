/* price.h - what tokens cost: a dated table of prices, and money in integer nano-dollars.
 *
 *     struct price_book *book = price_book_builtin();
 *     struct cost cost = price_book_cost(book, &span);     span: genai.h
 *     price_book_unref(book);
 *
 * A price is exact: whole pico-dollars a token (USD per million tokens with up to 6 decimals). What one call
 * costs is summed exactly and rounded once, half up, to a nano-dollar; sums of calls are sums of integers.
 *
 * Which price: that of the model (exactly, by an alias, by an id without date, version, region or router in
 * front: price_book_find) at the time the call began, in its class of service, at the tier its whole input
 * reaches. docs/money.md has the rules and the format of files.
 *
 * Always true: a book never changes after it was made, so any thread may read it. A call that has tokens and
 * no price is COST_UNPRICED, never free. */
#pragma once
#include "model/genai.h"

#define NANO_USD INT64_C(1000000000)

enum price_kind {
    PRICE_INPUT,
    PRICE_CACHE_READ,
    PRICE_CACHE_WRITE,
    PRICE_CACHE_WRITE_1H,
    PRICE_OUTPUT,
    PRICE_REASONING,
    PRICE_AUDIO_INPUT,
    PRICE_AUDIO_OUTPUT,
    PRICE_KINDS
};
const char *price_kind_name(enum price_kind); /* as files have it: "input", "cache_write_1h", ... */

struct price_rates {
    int64_t pico[PRICE_KINDS]; /* a token; PRICE_ABSENT as read, never in a book: fallbacks are filled in */
};
#define PRICE_ABSENT (-1)

struct price_tier {
    int64_t above_input; /* tokens, cached ones included; 0: from the first */
    struct price_rates rates[CLASSES];
};

/* Prices of a model while a condition holds; a later one that holds wins. */
struct price_period {
    int64_t from_ns; /* 0: ever since */
    int32_t day_from,
        day_to; /* seconds of the day, UTC; 0 to 86400: all of it. day_from > day_to: over midnight */
    const struct price_tier *tiers;
    size_t n_tiers; /* ascending; the first has above_input 0 */
};

struct price_model {
    struct str provider, model, mode, source;
    const struct str *aliases;
    size_t n_aliases;
    const struct price_period *periods;
    size_t n_periods;
    int64_t request_nano; /* for each call, beside its tokens */
    bool is_override;
};

struct price_book;

/* The table this program was built with. Yours. */
struct price_book *price_book_builtin(void);
/* A file in front of the built-in table: an entry replaces the built-in one of its provider and model whole.
 * `where` names it in errors. */
int price_book_read(struct str text, const char *where, struct price_book **out, struct err *);
struct price_book *price_book_ref(struct price_book *);
void price_book_unref(struct price_book *); /* NULL is fine */

/* The one this process prices by, yours to give back: built in until another was set. One for all, so that
 * series, traces and reports never differ. Any thread. */
struct price_book *price_book_current(void);
void price_book_use(struct price_book *); /* takes over a reference */

struct str price_book_version(const struct price_book *); /* "2026-08-21", or that and what the file says */
size_t price_book_size(const struct price_book *);
const struct price_model *price_book_at(const struct price_book *, size_t i);

enum price_match { MATCH_NONE, MATCH_EXACT, MATCH_ALIAS, MATCH_PREFIX, MATCH_DATED, MATCH_ROUTED };
const char *price_match_name(enum price_match);
/* provider may be empty. */
const struct price_model *price_book_find(const struct price_book *, struct str provider, struct str model,
                                          enum price_match *how);
/* Of a model at a time for an input of so many tokens. */
const struct price_rates *price_rates_at(const struct price_model *, int64_t time_ns, int64_t input_tokens,
                                         enum genai_class);

/* ---- cost ---- */

enum cost_source {
    COST_NONE,     /* nothing to pay for: no call, or one that gives no tokens and no cost */
    COST_LIST,     /* tokens x prices */
    COST_REPORTED, /* as the emitter says: there is no price, or it is who sends the bill */
    COST_UNPRICED  /* tokens, but no price and no report: nano_usd is 0 and means nothing */
};
const char *cost_source_name(enum cost_source); /* "none", "list", "reported", "unpriced" */

struct cost {
    enum cost_source source;
    int64_t nano_usd;
    int64_t part[TOKEN_BUCKETS];     /* COST_LIST: they add up to nano_usd, but for request_nano */
    const struct price_model *model; /* COST_LIST */
    enum price_match match;
};
/* Of the span by itself: whether it counts is genai_owner.h's to say. */
struct cost price_book_cost(const struct price_book *, const struct genai_span *);

/* nano-dollars as text: "0.00125175", no zeros at the end, no exponent; and the nearest double. */
#define MONEY_TEXT_MAX 24
size_t money_text(int64_t nano_usd, char out[MONEY_TEXT_MAX]);
double money_double(int64_t nano_usd);
int64_t money_add(int64_t a, int64_t b); /* stays at INT64_MAX and INT64_MIN */
/* "1.25", "0.000001": USD with up to 9 decimals, not negative, exactly; false otherwise. */
bool money_read(struct str, int64_t *nano_usd);
