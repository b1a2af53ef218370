/* cost.h - what traces cost: tokens and money of every span, and of the trace without counting anything
 * twice.
 *
 *     struct trace t;
 *     trace_load_priced(view, &call, book, id, &t, &err)       t.spend[i] belongs to t.at[i], t.total to all
 *
 * Prices are those of `book` at the time each call began: history is priced anew whenever it is asked about,
 * while series keep what they were given (docs/money.md).
 *
 * Threads: as the store's views. Memory: the call's arena. */
#pragma once
#include "model/genai_owner.h"
#include "model/price.h"
#include "query/traces/search.h"

/* Of one span. */
struct span_spend {
    struct genai_node node; /* kind, part and whether it counts; parent is that of the tree */
    struct genai_usage usage;
    struct cost cost;
    struct str provider, model; /* billed */
    struct str agent;           /* its own, else that of the nearest agent above */
    struct str user, tenant;    /* its own */
    bool is_odd;                /* figures were left out or clamped */
};

/* Of what counts. */
struct trace_spend {
    struct genai_usage usage;
    int64_t nano_usd;
    uint32_t calls;    /* of models, or what stands for them */
    uint32_t unpriced; /* of these: tokens, but no price; the total is too small by them */
    uint32_t unknown;  /* of these: neither tokens nor cost are known */
    uint32_t odd;
};

/* trace_load and its money. */
int trace_load_priced(struct store_view *, struct call *, const struct price_book *, const uint8_t id[16],
                      struct trace *, struct err *);
/* Totals of these traces, in the given order; of one that is not there: zeros. */
int traces_spend(struct store_view *, struct call *, const struct price_book *, const uint8_t (*ids)[16],
                 size_t n, struct trace_spend *out, struct err *);

/* Each span of a stretch of time that counts, with the trace it is in looked at whole: what is in no span
 * twice is in no sum twice. Traces come one by one; what the sink is given is borrowed until it returns. It
 * returns negative to stop. ERR_LIMIT beyond WINDOW_TRACES_MAX traces that have to do with models. */
#define WINDOW_TRACES_MAX (2u << 20)
typedef int spend_sink(void *ctx, const struct trace_span *, const struct span_spend *);
int window_spend(struct store_view *, struct call *, const struct price_book *, int64_t from_ns,
                 int64_t to_ns, spend_sink *, void *ctx, struct err *);
