/* record_samples.h - random records, logs and spans, and a comparison that forgives nothing. */
#pragma once
#include "model/record.h"
#include "unit/test.h"

struct dice {
    uint64_t at;
};

static inline uint64_t roll(struct dice *d)
{
    d->at += 0x9e3779b97f4a7c15ull;
    uint64_t z = d->at;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static inline uint64_t roll_below(struct dice *d, uint64_t n)
{
    return roll(d) % n;
}

static inline struct str sample_text(struct dice *d, struct arena *a, size_t longest)
{
    size_t n = roll_below(d, longest + 1);
    char *p = arena_alloc(a, n + 1);
    for (size_t i = 0; i < n; i++) p[i] = (char)roll(d);
    return str_make(p, n);
}

static inline int64_t sample_int(struct dice *d)
{
    static const int64_t edge[] = { 0, 1, -1, INT64_MIN, INT64_MAX, 63, 64, -64, -65, 1ll << 53 };
    uint64_t k = roll_below(d, 2 * sizeof edge / sizeof *edge);
    return k < sizeof edge / sizeof *edge ? edge[k] : (int64_t)(roll(d) >> roll_below(d, 64));
}

static inline struct value sample_value(struct dice *d, struct arena *a)
{
    struct value v = { .type = (enum value_type)(1 + roll_below(d, VALUE_TYPES - 1)) };
    switch (v.type) {
    case VALUE_INT: v.i = sample_int(d); break;
    case VALUE_BOOL: v.i = (int64_t)roll_below(d, 2); break;
    case VALUE_DOUBLE: {
        uint64_t bits = roll(d);
        memcpy(&v.d, &bits, 8);
        break;
    }
    default: v.text = sample_text(d, a, roll_below(d, 50) ? 30 : 3000);
    }
    return v;
}

/* n attributes; of the same 40 names now and then, and never a name twice. */
static inline struct attrs sample_attrs(struct dice *d, struct arena *a, size_t n)
{
    struct attr *at = arena_array(a, n, sizeof *at);
    uint64_t first = roll_below(d, 40);
    for (size_t i = 0; i < n; i++) {
        at[i].name = arena_printf(a, "attribute.%d", (int)((first + i * 7) % (n > 40 ? 7001 : 41)));
        at[i].value = sample_value(d, a);
    }
    return (struct attrs){ at, n };
}

static inline void sample_id(struct dice *d, uint8_t *id, size_t n)
{
    bool is_zero = roll_below(d, 8) == 0;
    for (size_t i = 0; i < n; i++) id[i] = is_zero ? 0 : (uint8_t)roll(d);
}

static inline struct origin *sample_origin(struct dice *d, struct arena *a)
{
    struct origin *o = arena_zero(a, sizeof *o);
    o->resource = sample_attrs(d, a, roll_below(d, 8));
    o->scope = sample_attrs(d, a, roll_below(d, 3));
    o->scope_name = sample_text(d, a, 20);
    o->scope_version = sample_text(d, a, 5);
    return o;
}

static inline void sample_record(struct dice *d, struct arena *a, enum table t, struct record *r)
{
    memset(r, 0, sizeof *r);
    r->time_ns = sample_int(d);
    sample_id(d, r->trace_id, 16);
    sample_id(d, r->span_id, 8);
    r->flags = roll_below(d, 2) ? 0 : (uint32_t)roll(d);
    r->dropped = roll_below(d, 4) ? 0 : (uint32_t)roll_below(d, 300);
    r->attrs = sample_attrs(d, a, roll_below(d, 30) ? roll_below(d, 12) : roll_below(d, 300));
    if (t == TABLE_SPANS) {
        r->span.duration_ns = roll_below(d, 5) ? (int64_t)(roll(d) >> 1) : SPAN_UNFINISHED;
        sample_id(d, r->span.parent_id, 8);
        r->span.kind = (uint8_t)roll_below(d, 6);
        r->span.status = (uint8_t)roll_below(d, 3);
        r->span.name = sample_text(d, a, 20);
        r->span.status_message = sample_text(d, a, roll_below(d, 3) ? 0 : 40);
        r->span.trace_state = sample_text(d, a, roll_below(d, 3) ? 0 : 40);
        r->span.events = sample_text(d, a, roll_below(d, 3) ? 0 : 400);
        r->span.links = sample_text(d, a, roll_below(d, 3) ? 0 : 100);
    } else {
        r->log.observed_ns = sample_int(d);
        r->log.severity = (uint8_t)roll_below(d, 25);
        r->log.severity_text = sample_text(d, a, 8);
        r->log.event_name = sample_text(d, a, roll_below(d, 3) ? 0 : 20);
        if (roll_below(d, 5)) r->log.body = sample_value(d, a);
    }
}

static inline bool same_attrs(const struct attrs *a, const struct attrs *b)
{
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (!str_eq(a->at[i].name, b->at[i].name) || !value_same(a->at[i].value, b->at[i].value))
            return false;
    return true;
}

static inline bool same_log(const struct record *a, const struct record *b)
{
    return a->log.observed_ns == b->log.observed_ns && a->log.severity == b->log.severity &&
           str_eq(a->log.severity_text, b->log.severity_text) &&
           str_eq(a->log.event_name, b->log.event_name) && value_same(a->log.body, b->log.body);
}

static inline bool same_span(const struct record *a, const struct record *b)
{
    return a->span.duration_ns == b->span.duration_ns &&
           memcmp(a->span.parent_id, b->span.parent_id, 8) == 0 && a->span.kind == b->span.kind &&
           a->span.status == b->span.status && str_eq(a->span.name, b->span.name) &&
           str_eq(a->span.status_message, b->span.status_message) &&
           str_eq(a->span.trace_state, b->span.trace_state) && str_eq(a->span.events, b->span.events) &&
           str_eq(a->span.links, b->span.links);
}

/* All but the origin. */
static inline bool same_record(const struct record *a, const struct record *b, enum table t)
{
    return a->time_ns == b->time_ns && memcmp(a->trace_id, b->trace_id, 16) == 0 &&
           memcmp(a->span_id, b->span_id, 8) == 0 && a->flags == b->flags && a->dropped == b->dropped &&
           same_attrs(&a->attrs, &b->attrs) && (t == TABLE_SPANS ? same_span(a, b) : same_log(a, b));
}

/* Resource and scope by content, whatever the order of their attributes. */
static inline bool same_set(const struct attrs *a, const struct attrs *b)
{
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        size_t k = 0;
        while (k < b->n && !str_eq(a->at[i].name, b->at[k].name)) k++;
        if (k == b->n || !value_same(a->at[i].value, b->at[k].value)) return false;
    }
    return true;
}

static inline bool same_origin(const struct origin *a, const struct origin *b)
{
    return same_set(&a->resource, &b->resource) && same_set(&a->scope, &b->scope) &&
           str_eq(a->scope_name, b->scope_name) && str_eq(a->scope_version, b->scope_version);
}
