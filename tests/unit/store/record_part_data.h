/* record_part_data.h - random logs and spans for the tests of record parts: odd types, empty and huge texts,
 * repeats, names without number, unfinished spans, zero ids. Everything from a seed. */
#pragma once
#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/record_part.h"

struct dice {
    uint64_t state;
};

static inline uint64_t roll(struct dice *d)
{
    d->state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = d->state;
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}
static inline uint64_t below(struct dice *d, uint64_t n)
{
    return roll(d) % n;
}

static inline struct str words_of(struct dice *d, struct arena *a, size_t most)
{
    static const char *const words[] = { "error",     "timeout", "GET",    "/api/v1/items",
                                         "user=42",   "ok",      "Zürich", "retry:",
                                         "tool_call", "a",       "gpt-4o", "{\"x\":1}" };
    struct str s = { (char *)arena_alloc(a, most + 32), 0 };
    char *p = (char *)s.p;
    while (s.n < most) {
        const char *w = words[below(d, 12)];
        size_t n = strlen(w);
        memcpy(p + s.n, w, n);
        s.n += n;
        p[s.n++] = ' ';
    }
    s.n = below(d, s.n + 1);
    return s;
}

static inline struct str random_text(struct dice *d, struct arena *a)
{
    switch (below(d, 12)) {
    case 0: return (struct str){ "", 0 };
    case 1: return words_of(d, a, 5000);
    case 2: return words_of(d, a, 600);
    case 3: return arena_printf(a, "%016llx", (unsigned long long)roll(d));
    case 4: return arena_printf(a, "id-%llu", (unsigned long long)below(d, 100));
    case 5: return words_of(d, a, 150);
    case 6: {
        struct str s = arena_str(a, STR("0123456789"));
        for (size_t i = 0; i < s.n; i++) ((char *)s.p)[i] = (char)roll(d);
        return s;
    }
    default: return arena_printf(a, "value %llu", (unsigned long long)below(d, 5));
    }
}

static inline struct value random_value(struct dice *d, struct arena *a)
{
    static const double doubles[] = { 0, -0.0, 1, 2.5, 1e300, -7, 0x1p53, 3, 42, 0.1 };
    switch (below(d, 9)) {
    case 0: return value_int((int64_t)roll(d));
    case 1: return value_int((int64_t)below(d, 50));
    case 2: return value_double(doubles[below(d, 10)]);
    case 3: return value_bool(below(d, 2));
    case 4: return (struct value){ .type = VALUE_BYTES, .text = random_text(d, a) };
    case 5: return (struct value){ .type = VALUE_JSON, .text = random_text(d, a) };
    case 6: return value_double((double)roll(d) / 3);
    default: return value_str(random_text(d, a));
    }
}

/* Names: a few that all have, and one of `names` others. Unique in a record. */
static inline struct attrs random_attrs(struct dice *d, struct arena *a, size_t names)
{
    struct attr *at = arena_array(a, 16, sizeof *at);
    size_t n = 0, count = below(d, 10);
    for (size_t i = 0; i < count; i++) {
        uint64_t no = below(d, 3) ? below(d, 8) : below(d, names);
        struct str name = arena_printf(a, "attr.%llu", (unsigned long long)no);
        bool again = false;
        for (size_t k = 0; k < n; k++) again |= str_eq(at[k].name, name);
        if (!again) at[n++] = (struct attr){ name, random_value(d, a) };
    }
    return (struct attrs){ at, n };
}

static inline struct origin *random_origin(struct dice *d, struct arena *a, uint64_t which)
{
    struct origin *o = arena_zero(a, sizeof *o);
    struct attr *at = arena_array(a, 3, sizeof *at);
    at[0] = (struct attr){ STR("service.name"),
                           value_str(arena_printf(a, "service-%llu", (unsigned long long)which)) };
    at[1] = (struct attr){ STR("pid"), value_int((int64_t)which * 100) };
    at[2] = (struct attr){ STR("odd"), value_double(which % 3 ? 1.5 : 2.0) };
    o->resource = (struct attrs){ at, which % 4 == 3 ? 2 : 3 };
    o->id = hash128(&which, sizeof which);
    if (below(d, 2)) o->scope_name = STR("lib.openai");
    if (below(d, 2)) o->scope_version = STR("1.2.3");
    if (below(d, 4) == 0) {
        struct attr *s = arena_array(a, 1, sizeof *s);
        s[0] = (struct attr){ STR("scope.kind"), value_str(STR("auto")) };
        o->scope = (struct attrs){ s, 1 };
    }
    return o;
}

#define TEST_START_NS INT64_C(1700000000000000000)

struct data_plan {
    enum table table;
    size_t n, names, origins;
    int64_t span_ns; /* of time */
    uint64_t traces;
};

static inline void fill_span_record(struct dice *d, struct arena *a, struct record *r)
{
    r->span.duration_ns = below(d, 10) ? (int64_t)below(d, 1000000000) : SPAN_UNFINISHED;
    r->span.kind = (uint8_t)below(d, 6);
    r->span.status = (uint8_t)below(d, 3);
    r->span.name =
        below(d, 20) ? arena_printf(a, "chat gpt-%llu", (unsigned long long)below(d, 6)) : random_text(d, a);
    if (below(d, 3) == 0) {
        r->span.status_message = random_text(d, a);
        r->span.events = random_text(d, a);
    }
    if (below(d, 9) == 0) r->span.links = random_text(d, a);
    if (below(d, 9) == 0) r->span.trace_state = STR("vendor=1");
    uint64_t parent = below(d, 4) ? 1 + below(d, 30) : 0;
    if (below(d, 9) == 0) parent = roll(d);
    memcpy(r->span.parent_id, &parent, 8);
}

static inline void fill_log_record(struct dice *d, struct arena *a, struct record *r)
{
    if (below(d, 2)) r->log.observed_ns = r->time_ns + (int64_t)below(d, 1000);
    r->log.severity = (uint8_t)below(d, 25);
    if (below(d, 2)) r->log.severity_text = STR("WARN");
    if (below(d, 5) == 0) r->log.event_name = random_text(d, a);
    r->log.body = below(d, 8) ? value_str(random_text(d, a)) : random_value(d, a);
    if (below(d, 40) == 0) r->log.body = (struct value){ .type = VALUE_NONE };
}

/* Records in no order. */
static inline struct record *random_records(struct dice *d, struct arena *a, const struct data_plan *plan)
{
    struct record *r = arena_zero(a, plan->n * sizeof *r);
    struct origin **origin = arena_array(a, plan->origins, sizeof *origin);
    for (size_t i = 0; i < plan->origins; i++) origin[i] = random_origin(d, a, i / 2);
    for (size_t i = 0; i < plan->n; i++) {
        r[i].time_ns = TEST_START_NS + (int64_t)below(d, (uint64_t)plan->span_ns);
        uint64_t trace = below(d, plan->traces), span = 1 + below(d, 30);
        if (below(d, 8)) memcpy(r[i].trace_id + 4, &trace, 8);
        if (below(d, 8)) memcpy(r[i].span_id, &span, 8);
        r[i].flags = (uint32_t)below(d, 2);
        r[i].dropped = below(d, 50) ? 0 : 7;
        r[i].origin = origin[below(d, plan->origins)];
        r[i].attrs = random_attrs(d, a, plan->names);
        if (plan->table == TABLE_SPANS)
            fill_span_record(d, a, &r[i]);
        else
            fill_log_record(d, a, &r[i]);
    }
    return r;
}

/* ---- in key order ---- */

struct keyed {
    struct record_key key;
    const struct record *r;
    uint64_t sequence;
};

static inline int keyed_cmp(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    int order = record_key_cmp(&x->key, &y->key);
    return order ? order : (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static inline struct keyed *keyed_of(struct arena *a, enum table table, const struct record *r, size_t n)
{
    struct keyed *k = arena_array(a, n, sizeof *k);
    for (size_t i = 0; i < n; i++) {
        record_key_of(record_layout(table), &r[i], &k[i].key);
        k[i].r = &r[i];
        k[i].sequence = i;
    }
    qsort(k, n, sizeof *k, keyed_cmp);
    return k;
}

/* ---- comparing ---- */

static inline bool same_attrs(const struct attrs *a, const struct attrs *b)
{
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (!str_eq(a->at[i].name, b->at[i].name) || !value_same(a->at[i].value, b->at[i].value))
            return false;
    return true;
}

static inline bool same_origins(const struct origin *a, const struct origin *b)
{
    return hash128_eq(a->id, b->id) && same_attrs(&a->resource, &b->resource) &&
           same_attrs(&a->scope, &b->scope) && str_eq(a->scope_name, b->scope_name) &&
           str_eq(a->scope_version, b->scope_version);
}

static inline bool same_record(const struct record *a, const struct record *b, enum table t)
{
    bool same = a->time_ns == b->time_ns && memcmp(a->trace_id, b->trace_id, 16) == 0 &&
                memcmp(a->span_id, b->span_id, 8) == 0 && a->flags == b->flags && a->dropped == b->dropped &&
                same_origins(a->origin, b->origin) && same_attrs(&a->attrs, &b->attrs);
    if (t == TABLE_LOGS)
        return same && a->log.observed_ns == b->log.observed_ns && a->log.severity == b->log.severity &&
               str_eq(a->log.severity_text, b->log.severity_text) && value_same(a->log.body, b->log.body) &&
               str_eq(a->log.event_name, b->log.event_name);
    return same && a->span.duration_ns == b->span.duration_ns && a->span.kind == b->span.kind &&
           a->span.status == b->span.status && memcmp(a->span.parent_id, b->span.parent_id, 8) == 0 &&
           str_eq(a->span.name, b->span.name) && str_eq(a->span.status_message, b->span.status_message) &&
           str_eq(a->span.trace_state, b->span.trace_state) && str_eq(a->span.events, b->span.events) &&
           str_eq(a->span.links, b->span.links);
}
