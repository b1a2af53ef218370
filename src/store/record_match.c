/* record_match.c - which rows of a block match a predicate.
 *
 * A condition becomes a bitmap: of each distinct value once where the column is a dictionary, of each value
 * elsewhere; bitmaps are then joined by AND, OR and NOT. Only the columns named are decoded, and long texts
 * are read only for rows that are still in question (`among`): outside of it a bitmap may say anything.
 *
 * Same answers as predicate_matches on the records, row by row. */
#include <string.h>

#include "base/check.h"
#include "store/record_values.h"

#define WORDS (RECORD_BLOCK_ROWS / 64)

struct match {
    struct record_block *b;
    size_t words;
};

static int eval(struct match *m, const struct predicate *p, const uint64_t *among, uint64_t *bits,
                struct err *e);

static bool any_bit(const uint64_t *bits, size_t words)
{
    uint64_t any = 0;
    for (size_t i = 0; i < words; i++) any |= bits[i];
    return any != 0;
}

static void set_all(uint64_t *bits, size_t n)
{
    size_t words = (n + 63) / 64;
    memset(bits, 0xff, words * sizeof *bits);
    if (n % 64) bits[words - 1] = (UINT64_C(1) << n % 64) - 1;
}

/* ---- numbers ---- */

static bool is_int(struct value v)
{
    return v.type == VALUE_INT || v.type == VALUE_BOOL;
}

#define COMPARE(op)                                                                                          \
    for (size_t i = 0; i < n; i += 64) {                                                                     \
        uint64_t word = 0;                                                                                   \
        for (size_t k = 0, rows = MIN(n - i, (size_t)64); k < rows; k++)                                     \
            word |= (uint64_t)(v[i + k] op x) << k;                                                          \
        bits[i / 64] = word;                                                                                 \
    }                                                                                                        \
    return true

/* Integers against one integer: the common case, without a call a row. */
static bool compare_ints(const struct predicate *p, const int64_t *v, size_t n, uint64_t *bits)
{
    int64_t x = p->value.i;
    if (!is_int(p->value)) return false;
    switch ((int)p->op) {
    case PRED_EQ: COMPARE(==);
    case PRED_LT: COMPARE(<);
    case PRED_LE: COMPARE(<=);
    case PRED_GT: COMPARE(>);
    case PRED_GE: COMPARE(>=);
    default: return false;
    }
}

static void match_ints(const struct predicate *p, const int64_t *v, size_t n, uint64_t *bits)
{
    if (compare_ints(p, v, n, bits)) return;
    memset(bits, 0, (n + 63) / 64 * sizeof *bits);
    for (size_t i = 0; i < n; i++)
        if (value_matches(p, value_int(v[i]))) bit_set(bits, i);
}

static void match_doubles(const struct predicate *p, const double *v, size_t n, uint64_t *bits)
{
    memset(bits, 0, (n + 63) / 64 * sizeof *bits);
    for (size_t i = 0; i < n; i++)
        if (value_matches(p, value_double(v[i]))) bit_set(bits, i);
}

/* ---- texts ---- */

static struct value text_value(enum value_type type, struct str s)
{
    return (struct value){ .type = type, .text = s };
}

static bool same_text(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || (a.p[0] == b.p[0] && memcmp(a.p, b.p, a.n) == 0));
}

/* Equality with one text, the most frequent question, without a call a value. */
static bool is_text_equal(const struct predicate *p)
{
    return p->op == PRED_EQ && value_is_text(p->value.type);
}

static void match_dictionary(struct record_block *b, const struct predicate *p, enum value_type type,
                             const struct text_column *c, bool empty_is_absent, uint64_t *bits)
{
    uint8_t *hit = arena_array(&b->arena, c->n_dict + 1, 1);
    uint64_t any = 0;
    bool is_equal = is_text_equal(p);
    for (size_t i = 0; i < c->n_dict; i++) {
        if (is_equal && !same_text(c->value[i], p->value.text)) {
            hit[i] = 0;
            continue;
        }
        hit[i] = !(empty_is_absent && c->value[i].n == 0) && value_matches(p, text_value(type, c->value[i]));
        any |= hit[i];
    }
    for (size_t i = 0; any && i < c->n; i += 64) {
        uint64_t word = 0;
        for (size_t k = 0, n = MIN(c->n - i, (size_t)64); k < n; k++)
            word |= (uint64_t)hit[c->ids[i + k]] << k;
        bits[i / 64] = word;
    }
}

/* Texts whose length says that they differ need not be read. */
static bool may_equal(const struct predicate *p, uint32_t length)
{
    if (p->op == PRED_EQ) return value_is_text(p->value.type) && p->value.text.n == length;
    if (p->op == PRED_CONTAINS) return p->value.text.n <= length;
    if (p->op != PRED_IN) return true;
    for (size_t i = 0; i < p->n_values; i++)
        if (value_is_text(p->values[i].type) && p->values[i].text.n == length) return true;
    return false;
}

static int match_content(struct record_block *b, const struct predicate *p, enum value_type type,
                         const struct block_text *t, const uint64_t *among, uint64_t *bits, struct err *e)
{
    size_t ref = 0;
    for (size_t i = 0; i < t->column.n; i++) {
        if (!bit_get(t->in_content, i)) continue;
        const struct content_ref *r = &t->ref[ref++];
        struct str s;
        bits[i / 64] &= ~(UINT64_C(1) << i % 64);
        if ((among && !bit_get(among, i)) || !may_equal(p, r->length)) continue;
        if (p->op != PRED_EXISTS) {
            int rc = block_content(b, r, &s, e);
            if (rc < 0) return rc;
            if (!value_matches(p, text_value(type, s))) continue;
        }
        bit_set(bits, i);
    }
    return OK;
}

/* A bit for each value of the column; among likewise, or NULL. */
static int match_texts(struct record_block *b, const struct predicate *p, enum value_type type,
                       const struct block_text *t, bool empty_is_absent, const uint64_t *among,
                       uint64_t *bits, struct err *e)
{
    const struct text_column *c = &t->column;
    memset(bits, 0, (c->n + 63) / 64 * sizeof *bits);
    if (c->ids) {
        match_dictionary(b, p, type, c, empty_is_absent, bits);
    } else if (is_text_equal(p) && !(empty_is_absent && p->value.text.n == 0)) {
        for (size_t i = 0; i < c->n; i++)
            bits[i / 64] |= (uint64_t)same_text(c->value[i], p->value.text) << i % 64;
    } else {
        for (size_t i = 0; i < c->n; i++) {
            if ((among && !bit_get(among, i)) || (empty_is_absent && c->value[i].n == 0)) continue;
            if (value_matches(p, text_value(type, c->value[i]))) bit_set(bits, i);
        }
    }
    return t->n_refs > 0 ? match_content(b, p, type, t, among, bits, e) : OK;
}

/* ---- attributes: a bit a value becomes a bit a row ---- */

/* The bits of `from` at the places that are set in `by`, side by side. */
static void compress_bits(const uint64_t *from, const uint64_t *by, size_t words, uint64_t *to)
{
    size_t at = 0;
    memset(to, 0, words * sizeof *to);
    for (size_t i = 0; i < words; i++)
        for (uint64_t w = by[i]; w != 0; w &= w - 1, at++)
            if (from[i] >> __builtin_ctzll(w) & 1) bit_set(to, at);
}

/* The reverse; added to what is set. */
static void expand_bits(const uint64_t *from, const uint64_t *by, size_t words, uint64_t *to)
{
    size_t at = 0;
    for (size_t i = 0; i < words; i++)
        for (uint64_t w = by[i]; w != 0; w &= w - 1, at++)
            if (bit_get(from, at)) to[i] |= w & (0 - w);
}

static int match_values(struct match *m, const struct predicate *p, uint32_t number, enum value_type type,
                        const uint64_t *among, uint64_t *bits, struct err *e)
{
    struct record_block *b = m->b;
    struct block_text *t;
    const int64_t *v;
    const double *d;
    size_t n = block_column(b, number)->n;
    int rc;
    switch (type) {
    case VALUE_INT:
    case VALUE_BOOL:
        if ((rc = block_ints(b, number, &v, e)) == OK) match_ints(p, v, n, bits);
        return rc;
    case VALUE_DOUBLE:
        if ((rc = block_doubles(b, number, &d, e)) == OK) match_doubles(p, d, n, bits);
        return rc;
    default:
        rc = block_text(b, number, &t, e);
        return rc == OK ? match_texts(b, p, type, t, false, among, bits, e) : rc;
    }
}

static int match_column(struct match *m, const struct predicate *p, uint32_t number, enum value_type type,
                        const uint64_t *among, uint64_t *bits, struct err *e)
{
    uint64_t present[WORDS], left[WORDS], hit[WORDS];
    size_t n = block_column(m->b, number)->n;
    bool is_full = n == m->b->rows;
    if (is_full)
        set_all(present, n);
    else
        block_presence(m->b, number, present);
    if (p->op == PRED_EXISTS) {
        for (size_t i = 0; i < m->words; i++) bits[i] |= present[i];
        return OK;
    }
    if (is_full)
        memcpy(left, among, m->words * sizeof *left);
    else
        compress_bits(among, present, m->words, left);
    int rc = match_values(m, p, number, type, left, hit, e);
    if (rc < 0) return rc;
    if (is_full)
        for (size_t i = 0; i < m->words; i++) bits[i] |= hit[i];
    else
        expand_bits(hit, present, m->words, bits);
    return OK;
}

static bool may_be_in_rest(const struct record_block *b, struct str name)
{
    const struct record_fields *f = &b->part->fields;
    if (block_column(b, COLUMN_REST) == NULL) return false;
    for (int t = 1; t < VALUE_TYPES; t++) {
        uint32_t i = record_fields_find(f, FIELD_ATTR, name, (enum value_type)t);
        if (i != FIELD_NONE && f->at[i].column == 0) return true;
    }
    return f->is_partial;
}

static int match_rest(struct match *m, const struct predicate *p, const uint64_t *among, uint64_t *bits,
                      struct err *e)
{
    struct record_block *b = m->b;
    int rc = block_rest(b, e);
    for (size_t row = 0; rc == OK && row < b->rows; row++) {
        if (!bit_get(among, row)) continue;
        for (uint32_t k = b->rest->first[row]; k < b->rest->first[row + 1] && rc == OK; k++) {
            struct value v = b->rest->attr[k].value;
            if (!str_eq(b->rest->attr[k].name, p->field.name)) continue;
            if (b->rest->ref[k].length != UINT32_MAX) rc = block_content(b, &b->rest->ref[k], &v.text, e);
            if (rc == OK && value_matches(p, v)) bit_set(bits, row);
        }
    }
    return rc;
}

static int match_attr(struct match *m, const struct predicate *p, const uint64_t *among, uint64_t *bits,
                      struct err *e)
{
    uint32_t number[VALUE_TYPES];
    enum value_type type[VALUE_TYPES];
    memset(bits, 0, m->words * sizeof *bits);
    size_t n = block_attr_columns(m->b, p->field, number, type);
    int rc = n > 0 ? block_shapes(m->b, e) : OK;
    for (size_t i = 0; i < n && rc == OK; i++) rc = match_column(m, p, number[i], type[i], among, bits, e);
    if (rc == OK && may_be_in_rest(m->b, p->field.name)) rc = match_rest(m, p, among, bits, e);
    return rc;
}

/* ---- origins, ids ---- */

static int match_origins(struct match *m, const struct predicate *p, uint64_t *bits, struct err *e)
{
    struct record_block *b = m->b;
    int rc = block_origins(b, e);
    if (rc < 0) return rc;
    uint8_t *hit = arena_array(&b->arena, b->n_origins, 1);
    for (size_t i = 0; i < b->n_origins; i++) {
        struct value v = origin_value(&b->origin[i], p->field);
        hit[i] = v.type != VALUE_NONE && value_matches(p, v);
    }
    memset(bits, 0, m->words * sizeof *bits);
    for (size_t i = 0; i < b->rows; i++) bits[i / 64] |= (uint64_t)hit[b->origin_of_row[i]] << i % 64;
    return OK;
}

/* Equal neighbours are tested once. */
static void match_ids(const struct predicate *p, const uint8_t *id, size_t width, size_t n, uint64_t *bits)
{
    static const uint8_t none[16];
    bool hit = false;
    for (size_t i = 0; i < n; i++, id += width) {
        if (i == 0 || memcmp(id, id - width, width) != 0)
            hit = memcmp(id, none, width) != 0 &&
                  value_matches(p, text_value(VALUE_BYTES, str_make(id, width)));
        if (hit) bit_set(bits, i);
    }
}

/* ---- intrinsics ---- */

static int match_int_field(struct match *m, const struct predicate *p, bool always, uint64_t *bits,
                           struct err *e)
{
    const int64_t *v;
    int rc = block_ints(m->b, p->field.intrinsic, &v, e);
    if (rc < 0) return rc;
    if (v == NULL) {
        if (always && value_matches(p, value_int(0))) set_all(bits, m->b->rows);
        return OK;
    }
    match_ints(p, v, m->b->rows, bits);
    for (size_t i = 0; !always && i < m->b->rows; i++)
        if (v[i] == 0) bits[i / 64] &= ~(UINT64_C(1) << i % 64);
    return OK;
}

static int match_text_field(struct match *m, const struct predicate *p, enum value_type type,
                            bool empty_is_absent, const uint64_t *among, uint64_t *bits, struct err *e)
{
    struct block_text *t;
    int rc = block_text(m->b, p->field.intrinsic, &t, e);
    return rc == OK && t ? match_texts(m->b, p, type, t, empty_is_absent, among, bits, e) : rc;
}

/* Bodies are mostly of one type; the others go the slow way. */
static int match_body(struct match *m, const struct predicate *p, const uint64_t *among, uint64_t *bits,
                      struct err *e)
{
    struct record_block *b = m->b;
    const int64_t *types;
    int rc = block_ints(b, COLUMN_BODY_TYPE, &types, e);
    if (rc < 0 || types == NULL) return rc;
    bool is_one = types[0] == VALUE_STR || types[0] == VALUE_JSON;
    for (size_t i = 1; i < b->rows && is_one; i++) is_one = types[i] == types[0];
    if (is_one && block_column(b, IN_BODY))
        return match_text_field(m, p, (enum value_type)types[0], types[0] == VALUE_STR, among, bits, e);

    for (uint32_t row = 0; row < b->rows && rc == OK; row++) {
        struct value v;
        if (!bit_get(among, row)) continue;
        rc = record_block_values(b, p->field, &row, 1, &v, e);
        if (rc == OK && v.type != VALUE_NONE && value_matches(p, v)) bit_set(bits, row);
    }
    return rc;
}

static int match_intrinsic(struct match *m, const struct predicate *p, const uint64_t *among, uint64_t *bits,
                           struct err *e)
{
    struct record_block *b = m->b;
    enum intrinsic_lie how = intrinsic_lie(b->part->layout->table, p->field.intrinsic);
    int rc = OK;
    memset(bits, 0, m->words * sizeof *bits);
    switch (how) {
    case LIES_NOWHERE: return OK;
    case LIES_INT:
    case LIES_INT_ALWAYS: return match_int_field(m, p, how == LIES_INT_ALWAYS, bits, e);
    case LIES_TEXT: return match_text_field(m, p, VALUE_STR, true, among, bits, e);
    case LIES_JSON: return match_text_field(m, p, VALUE_JSON, true, among, bits, e);
    case LIES_BODY: return match_body(m, p, among, bits, e);
    case LIES_ORIGIN: return match_origins(m, p, bits, e);
    case LIES_TRACE:
        if ((rc = block_traces(b, e)) == OK) match_ids(p, b->trace[0], 16, b->rows, bits);
        return rc;
    case LIES_SPAN:
        if ((rc = block_spans(b, e)) == OK) match_ids(p, b->span[0], 8, b->rows, bits);
        return rc;
    case LIES_PARENT:
        if ((rc = block_parents(b, e)) == OK) match_ids(p, b->parent[0], 8, b->rows, bits);
        return rc;
    }
    return rc;
}

/* ---- trees ---- */

static int eval_and(struct match *m, const struct predicate *p, const uint64_t *among, uint64_t *bits,
                    struct err *e)
{
    uint64_t one[WORDS];
    int rc = OK;
    memcpy(bits, among, m->words * sizeof *bits);
    for (size_t i = 0; i < p->n_children && rc == OK && any_bit(bits, m->words); i++) {
        rc = eval(m, p->child[i], bits, one, e);
        for (size_t k = 0; k < m->words; k++) bits[k] &= one[k];
    }
    return rc;
}

static int eval_or(struct match *m, const struct predicate *p, const uint64_t *among, uint64_t *bits,
                   struct err *e)
{
    uint64_t one[WORDS], left[WORDS];
    int rc = OK;
    memset(bits, 0, m->words * sizeof *bits);
    for (size_t i = 0; i < p->n_children && rc == OK; i++) {
        for (size_t k = 0; k < m->words; k++) left[k] = among[k] & ~bits[k];
        if (!any_bit(left, m->words)) break;
        rc = eval(m, p->child[i], left, one, e);
        for (size_t k = 0; k < m->words; k++) bits[k] |= one[k] & left[k];
    }
    return rc;
}

/* bits mean something at the rows of among only. */
static int eval(struct match *m, const struct predicate *p, const uint64_t *among, uint64_t *bits,
                struct err *e)
{
    int rc;
    switch (p->op) {
    case PRED_ALL: set_all(bits, m->b->rows); return OK;
    case PRED_AND: return eval_and(m, p, among, bits, e);
    case PRED_OR: return eval_or(m, p, among, bits, e);
    case PRED_NOT:
        rc = eval(m, p->child[0], among, bits, e);
        for (size_t i = 0; i < m->words; i++) bits[i] = ~bits[i];
        return rc;
    default: break;
    }
    switch (p->field.scope) {
    case FIELD_INTRINSIC: return match_intrinsic(m, p, among, bits, e);
    case FIELD_ATTR: return match_attr(m, p, among, bits, e);
    case FIELD_RESOURCE:
    case FIELD_SCOPE: return match_origins(m, p, bits, e);
    }
    return err_set(e, ERR_RANGE, "condition on an unknown kind of field");
}

static int match_times(struct record_block *b, int64_t from_ns, int64_t to_ns, uint64_t *bits, struct err *e)
{
    set_all(bits, b->rows);
    if (from_ns <= b->place.min_ns && b->place.max_ns <= to_ns) return OK;
    const int64_t *t = record_block_times(b, e);
    if (t == NULL) return e ? e->code : ERR_CORRUPT;
    for (size_t i = 0; i < b->rows; i += 64) {
        uint64_t word = 0;
        for (size_t k = 0, n = MIN(b->rows - i, (size_t)64); k < n; k++)
            word |= (uint64_t)(t[i + k] >= from_ns && t[i + k] <= to_ns) << k;
        bits[i / 64] = word;
    }
    return OK;
}

int record_block_match(struct record_block *b, const struct predicate *where, int64_t from_ns, int64_t to_ns,
                       uint64_t *bits, struct err *e)
{
    struct match m = { b, (b->rows + 63) / 64 };
    uint64_t hit[WORDS], among[WORDS];
    int rc = match_times(b, from_ns, to_ns, bits, e);
    if (rc < 0 || where == NULL || !any_bit(bits, m.words)) return rc;
    memcpy(among, bits, m.words * sizeof *among);
    rc = eval(&m, where, among, hit, e);
    for (size_t i = 0; i < m.words; i++) bits[i] = among[i] & hit[i];
    return rc;
}
