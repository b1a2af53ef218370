/* Spans and events of any attributes through the normaliser, the owners of a trace and the price list; and
 * any bytes as a file of prices. What comes out keeps the promises of genai.h, genai_owner.h and price.h. */
#include <math.h>

#include "base/check.h"
#include "model/genai_owner.h"
#include "model/price.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NODES_MAX 64

struct input {
    const uint8_t *p, *end;
};

static uint8_t byte(struct input *in)
{
    return in->p < in->end ? *in->p++ : 0;
}

static struct str text(struct input *in)
{
    size_t asked = byte(in), n = MIN(asked, (size_t)(in->end - in->p));
    struct str s = str_make(in->p, n);
    in->p += n;
    return s;
}

static struct value value(struct input *in)
{
    int64_t i = 0;
    switch (byte(in) % 6) {
    case 0: return value_int((int64_t)(int8_t)byte(in));
    case 1:
        for (int k = 0; k < 8; k++) i = (int64_t)((uint64_t)i << 8 | byte(in));
        return value_int(i);
    case 2: {
        double d;
        for (int k = 0; k < 8; k++) i = (int64_t)((uint64_t)i << 8 | byte(in));
        memcpy(&d, &i, 8);
        return value_double(d);
    }
    case 3: return (struct value){ .type = VALUE_JSON, .text = text(in) };
    case 4: return value_bool(byte(in) & 1);
    default: return value_str(text(in));
    }
}

static struct attrs attrs(struct input *in, struct arena *a)
{
    size_t n = byte(in) % 24;
    struct attr *at = arena_array(a, n + 1, sizeof *at);
    for (size_t i = 0; i < n; i++) {
        struct str name = genai_name_text(byte(in));
        at[i] = (struct attr){ name.n > 0 ? name : text(in), value(in) };
    }
    return (struct attrs){ at, n };
}

static void check_usage(const struct genai_usage *u)
{
    int64_t cache_write = u->tokens[TOKENS_CACHE_WRITE], input = u->tokens[TOKENS_INPUT];
    for (size_t b = 0; b < TOKEN_BUCKETS; b++)
        check(u->tokens[b] >= 0 && u->tokens[b] <= 2 * GENAI_TOKENS_MAX);
    check(u->cache_write_1h >= 0 && u->cache_write_1h <= cache_write);
    check(u->audio_input >= 0 && u->audio_input <= input);
    check(u->audio_output >= 0 && u->audio_output <= u->tokens[TOKENS_OUTPUT]);
}

static void check_cost(const struct price_book *book, const struct genai_span *g)
{
    struct cost c = price_book_cost(book, g);
    int64_t parts = 0;
    check(c.nano_usd >= 0);
    for (size_t b = 0; b < TOKEN_BUCKETS; b++) {
        check(c.part[b] >= 0);
        parts += c.part[b];
    }
    if (c.source == COST_LIST) check(c.model != NULL && c.nano_usd == parts + c.model->request_nano);
    if (c.source == COST_UNPRICED) check(c.nano_usd == 0 && g->has_usage);
}

static void check_owners(const struct genai_node *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        check(at[i].part != PART_NONE || !at[i].counts);
        check(at[i].part == PART_NONE || at[i].is_settled);
        if (!at[i].counts || !at[i].has_usage) continue;
        for (uint32_t up = at[i].parent; up != GENAI_NO_PARENT; up = at[up].parent)
            check(at[up].part == PART_CALL || !at[up].counts); /* no wrapper above what counts */
    }
}

static void one_trace(struct input *in, const struct price_book *book, struct arena *a)
{
    struct genai_node nodes[NODES_MAX];
    uint8_t marks[NODES_MAX];
    size_t n = 0;
    while (in->p < in->end && n < NODES_MAX) {
        struct origin o = { .scope_name = text(in), .resource = attrs(in, a) };
        struct record r = { .time_ns = (int64_t)byte(in) << 53, .origin = &o, .attrs = attrs(in, a) };
        struct genai_span g;
        uint8_t how = byte(in), up = byte(in);
        bool is_span = how & 1, known;
        if (is_span) {
            r.span.kind = how >> 1 & 3;
            r.span.status = how >> 3 & 1;
            r.span.name = text(in);
            r.span.events = text(in);
            known = genai_of_span(&g, &r, a);
        } else {
            r.log.event_name = text(in);
            r.log.body = value(in);
            known = genai_of_event(&g, &r, a);
        }
        if (!known) continue;
        check(g.kind < GENAI_KINDS && g.part <= PART_SERVER && g.reported_nano_usd >= 0);
        check(!isnan(g.seconds) && !isnan(g.first_token_seconds));
        check_usage(&g.usage);
        check_cost(book, &g);
        nodes[n] = genai_node_of(&g);
        nodes[n].parent = n > 0 && up < 200 ? (uint32_t)(up % n) : GENAI_NO_PARENT;
        nodes[n].is_orphan = up > 240;
        n++;
    }
    if (n % 2) genai_owners(nodes, n / 2, false, marks); /* a trace that grows */
    genai_owners(nodes, n, true, marks);
    check_owners(nodes, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct price_book *builtin;
    struct arena a = ARENA_INIT((size_t)256 << 20);
    struct input in = { data, data + size };
    struct price_book *book = NULL;
    struct err e = ERR_INIT;
    if (builtin == NULL) builtin = price_book_builtin();
    if (size > 0 && data[0] == 'v') { /* version: a file of prices */
        int rc = price_book_read(str_make(data, size), "fuzz", &book, &e);
        check(rc == OK || e.text[0] != 0);
    }
    one_trace(&in, book != NULL ? book : builtin, &a);
    price_book_unref(book);
    arena_release(&a);
    return 0;
}
