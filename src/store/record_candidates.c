/* record_candidates.c - which blocks may hold what a predicate asks for, by zone maps and filters.
 *
 * A condition becomes a bitmap over the blocks of a group: a block's bit is cleared only when no row of it
 * can match. AND and OR join them; NOT says nothing, since a block that may match may also not. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/record_hashes.h"
#include "store/record_values.h"

#define WORDS (FILTER_GROUP / 64)

struct asking {
    struct record_part *part;
    struct page_unpacker *unpacker;
    size_t group;
    const struct record_index *index;
    struct err *e;
    int rc; /* of loading a filter */
};

/* A damaged filter rules nothing out. What it has cleared before it failed is right. */
static void probe(struct asking *q, enum filter_class c, uint64_t hash, uint64_t bits[WORDS])
{
    struct err why = ERR_INIT;
    if (q->rc < 0) return;
    q->rc = record_part_probe(q->part, q->unpacker, q->group, c, hash, bits, &why);
    if (q->rc == ERR_CORRUPT || q->rc == ERR_IO) {
        struct damage d = { .kind = DAMAGE_FILTER,
                            .path = q->part->path,
                            .at = q->part->top.group[q->group].filter_at[c],
                            .from_ms = 1 };
        damage_found(&d, why.text);
        q->rc = OK;
    } else if (q->rc < 0 && q->e) {
        *q->e = why;
    }
}

static void none(uint64_t bits[WORDS])
{
    memset(bits, 0, WORDS * sizeof *bits);
}

static void join(uint64_t to[WORDS], const uint64_t from[WORDS])
{
    for (size_t i = 0; i < WORDS; i++) to[i] |= from[i];
}

/* ---- zone maps ---- */

/* Can a number in [min, max] stand in this relation to v? */
static bool may_compare(enum predicate_op op, struct value v, int64_t min, int64_t max)
{
    struct predicate at_least = { .op = PRED_GE, .value = v }, at_most = { .op = PRED_LE, .value = v };
    struct predicate same = { .op = op, .value = v };
    if (v.type != VALUE_INT && v.type != VALUE_BOOL && v.type != VALUE_DOUBLE) return false;
    switch (op) {
    case PRED_EQ: return value_matches(&at_most, value_int(min)) && value_matches(&at_least, value_int(max));
    case PRED_LT:
    case PRED_LE: return value_matches(&same, value_int(min));
    case PRED_GT:
    case PRED_GE: return value_matches(&same, value_int(max));
    default: return true;
    }
}

static bool zone_of(const struct record_place *p, enum intrinsic in, int64_t *min, int64_t *max)
{
    switch ((int)in) {
    case IN_TIME: *min = p->min_ns, *max = p->max_ns; return true;
    case IN_DURATION: *min = p->min_duration, *max = p->max_duration; return true;
    case IN_SEVERITY: *min = 0, *max = p->max_severity; return true;
    case IN_STATUS: *min = 0, *max = p->max_status; return true;
    default: return false;
    }
}

static bool zone_allows(const struct predicate *p, int64_t min, int64_t max)
{
    if (p->op != PRED_IN) return may_compare(p->op, p->value, min, max);
    for (size_t i = 0; i < p->n_values; i++)
        if (may_compare(PRED_EQ, p->values[i], min, max)) return true;
    return false;
}

static void ask_zones(const struct asking *q, const struct predicate *p, uint64_t bits[WORDS])
{
    bool is_compare = p->op >= PRED_EQ && p->op <= PRED_IN;
    for (size_t i = 0; i < q->index->n && is_compare; i++) {
        int64_t min, max;
        if (!zone_of(&q->index->place[i], p->field.intrinsic, &min, &max)) return;
        if (!zone_allows(p, min, max)) bits[i / 64] &= ~(UINT64_C(1) << i % 64);
    }
}

/* ---- ids ---- */

/* Spans lie by trace id within a bucket. */
static bool key_allows(const struct asking *q, const struct record_place *p, const uint8_t id[16])
{
    if (q->part->layout->table != TABLE_SPANS || p->first.bucket != p->last.bucket) return true;
    return memcmp(p->first.id, id, 16) <= 0 && memcmp(p->last.id, id, 16) >= 0;
}

static void ask_one_trace(struct asking *q, struct value v, uint64_t bits[WORDS])
{
    if (!value_is_text(v.type) || v.text.n != 16) {
        none(bits);
        return;
    }
    const uint8_t *id = (const uint8_t *)v.text.p;
    for (size_t i = 0; i < q->index->n; i++)
        if (!key_allows(q, &q->index->place[i], id)) bits[i / 64] &= ~(UINT64_C(1) << i % 64);
    if (q->part->layout->has_id_filter) probe(q, FILTER_IDS, hash_of_id(id), bits);
}

/* ---- values ---- */

static void ask_value(struct asking *q, struct field f, struct value v, uint64_t bits[WORDS])
{
    uint64_t hash;
    if (f.scope == FIELD_INTRINSIC && f.intrinsic == IN_TRACE_ID) {
        ask_one_trace(q, v, bits);
        return;
    }
    if (!hash_is_told(f)) return;
    bool is_text = value_is_text(v.type);
    if (hash_of_value(f, v, &hash))
        probe(q, FILTER_WORDS, hash, bits);
    else if (is_text)
        probe(q, FILTER_WORDS, hash_of_long(f), bits);
}

static void ask_any(struct asking *q, struct field f, const struct value *v, size_t n, uint64_t bits[WORDS])
{
    uint64_t sum[WORDS] = { 0 }, one[WORDS];
    for (size_t i = 0; i < n; i++) {
        memcpy(one, bits, sizeof one);
        ask_value(q, f, v[i], one);
        join(sum, one);
    }
    memcpy(bits, sum, sizeof sum);
}

/* Literals of the pattern stand for it. */
static void ask_regex(struct asking *q, const struct predicate *p, uint64_t bits[WORDS])
{
    size_t n;
    const struct str *literal = regex_literals(p->re, &n);
    uint64_t sum[WORDS] = { 0 }, one[WORDS];
    for (size_t i = 0; i < n && literal; i++) {
        memcpy(one, bits, sizeof one);
        ask_value(q, p->field, value_str(literal[i]), one);
        join(sum, one);
    }
    if (literal) memcpy(bits, sum, sizeof sum);
}

/* A text that contains the needle contains its inner words; long texts of attributes are not told word by
 * word, only that there is one. */
static void ask_words(struct asking *q, const struct predicate *p, uint64_t bits[WORDS])
{
    bool is_body = p->field.scope == FIELD_INTRINSIC && p->field.intrinsic == IN_BODY;
    if (!value_is_text(p->value.type) || (!is_body && !hash_is_told(p->field))) return;
    uint64_t *word = NULL, words[WORDS], longs[WORDS];
    size_t n = 0, cap = 0;
    filter_needle_words(p->value.text, &word, &n, &cap);
    if (n > 0) {
        memcpy(words, bits, sizeof words);
        memcpy(longs, bits, sizeof longs);
        for (size_t i = 0; i < n; i++) probe(q, FILTER_WORDS, word[i], words);
        if (is_body)
            none(longs);
        else
            probe(q, FILTER_WORDS, hash_of_long(p->field), longs);
        join(words, longs);
        memcpy(bits, words, sizeof words);
    }
    mem_free(word);
}

/* ---- fields ---- */

/* A field that no row of the part has. Intrinsics are always possible. */
static bool is_unknown(const struct record_part *part, struct field f)
{
    if (f.scope == FIELD_INTRINSIC || part->fields.is_partial) return false;
    for (int t = 1; t < VALUE_TYPES; t++)
        if (record_fields_find(&part->fields, f.scope, f.name, (enum value_type)t) != FIELD_NONE)
            return false;
    return true;
}

static void ask_leaf(struct asking *q, const struct predicate *p, uint64_t bits[WORDS])
{
    if (is_unknown(q->part, p->field)) {
        none(bits);
        return;
    }
    if (p->field.scope == FIELD_INTRINSIC)
        ask_zones(q, p, bits);
    else
        probe(q, FILTER_WORDS, hash_of_field(p->field), bits);
    switch (p->op) {
    case PRED_EQ: ask_value(q, p->field, p->value, bits); break;
    case PRED_IN: ask_any(q, p->field, p->values, p->n_values, bits); break;
    case PRED_REGEX: ask_regex(q, p, bits); break;
    case PRED_CONTAINS: ask_words(q, p, bits); break;
    default: break;
    }
}

static void ask(struct asking *q, const struct predicate *p, uint64_t bits[WORDS])
{
    uint64_t sum[WORDS] = { 0 }, one[WORDS];
    switch (p->op) {
    case PRED_ALL:
    case PRED_NOT: return;
    case PRED_AND:
        for (size_t i = 0; i < p->n_children; i++) ask(q, p->child[i], bits);
        return;
    case PRED_OR:
        for (size_t i = 0; i < p->n_children; i++) {
            memcpy(one, bits, sizeof one);
            ask(q, p->child[i], one);
            join(sum, one);
        }
        memcpy(bits, sum, sizeof sum);
        return;
    default: ask_leaf(q, p, bits);
    }
}

/* ---- a part ---- */

static int ask_group(struct asking *q, const struct predicate *where, int64_t from_ns, int64_t to_ns,
                     uint64_t bits[WORDS])
{
    none(bits);
    const struct record_group *g = &q->part->top.group[q->group];
    if (g->min_ns > to_ns || g->max_ns < from_ns) return OK;
    int rc = record_part_index(q->part, q->unpacker, q->group, &q->index, q->e);
    if (rc == ERR_CORRUPT || rc == ERR_IO) {
        for (size_t i = 0; i < g->blocks; i++) bits[i / 64] |= UINT64_C(1) << i % 64;
        return OK;
    }
    if (rc < 0) return rc;
    uint64_t any = 0;
    for (size_t i = 0; i < q->index->n; i++) {
        const struct record_place *p = &q->index->place[i];
        uint64_t hit = p->min_ns <= to_ns && p->max_ns >= from_ns;
        bits[i / 64] |= hit << i % 64;
        any |= hit;
    }
    if (where && any) ask(q, where, bits);
    return q->rc;
}

int record_part_candidates(struct record_part *part, const struct predicate *where, int64_t from_ns,
                           int64_t to_ns, struct arena *a, uint64_t **out, size_t *n_blocks, struct err *e)
{
    struct asking q = { .part = part, .unpacker = page_unpacker_new(), .e = e };
    uint64_t group[WORDS], *bits = arena_zero(a, (part->info.blocks + 63) / 64 * sizeof *bits + sizeof *bits);
    int rc = OK;
    page_unpacker_seal(q.unpacker, &part->seal);
    for (q.group = 0; q.group < part->top.n && rc == OK; q.group++) {
        rc = ask_group(&q, where, from_ns, to_ns, group);
        size_t first = part->first_block[q.group], n = part->first_block[q.group + 1] - first;
        for (size_t i = 0; rc == OK && i < n; i++)
            if (bit_get(group, i)) bit_set(bits, first + i);
    }
    page_unpacker_free(q.unpacker);
    *out = bits;
    *n_blocks = part->info.blocks;
    return rc;
}
