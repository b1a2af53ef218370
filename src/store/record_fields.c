/* record_fields.c - a small table from (scope, name, type) to a number.
 *
 * Names of records that follow each other mostly lie at the same place in memory, since a chunk holds each
 * name once: `recent` remembers by address and is believed only after the name itself was compared. */
#include "store/record_fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/bytes.h"
#include "store/record_format.h"

#define RECENT 1024u

void record_fields_init(struct record_fields *f)
{
    *f = (struct record_fields){ .arena = ARENA_INIT(SIZE_MAX) };
    map_init(&f->map, 64);
    f->recent = mem_array(RECENT, sizeof *f->recent);
}

void record_fields_release(struct record_fields *f)
{
    mem_free(f->at);
    mem_free(f->field_of);
    mem_free(f->recent);
    map_release(&f->map);
    arena_release(&f->arena);
}

/* ---- finding ---- */

struct wanted {
    const struct record_fields *fields;
    enum field_scope scope;
    enum value_type type;
    struct str name;
};

static bool is_field(const struct record_field *f, const struct wanted *w)
{
    return f->type == w->type && f->scope == w->scope && str_eq(f->name, w->name);
}

static bool same_field(void *ctx, uint64_t i)
{
    const struct wanted *w = ctx;
    return is_field(&w->fields->at[i], w);
}

static uint64_t field_hash(const struct wanted *w)
{
    return XXH3_64bits_withSeed(w->name.p, w->name.n, (uint64_t)w->scope << 8 | w->type);
}

uint32_t record_fields_find(const struct record_fields *f, enum field_scope scope, struct str name,
                            enum value_type type)
{
    struct wanted w = { f, scope, type, name };
    const uint64_t *i = map_find(&f->map, field_hash(&w), same_field, &w);
    return i ? (uint32_t)*i : FIELD_NONE;
}

static void field_add(struct record_fields *f, const struct wanted *w, bool has_column)
{
    struct record_field *new;
    f->at = mem_grow(f->at, f->n, &f->cap, sizeof *f->at);
    new = &f->at[f->n];
    *new = (struct record_field){ w->scope, w->type, arena_str(&f->arena, w->name), 0, 0 };
    if (has_column) {
        f->field_of = mem_grow(f->field_of, f->columns, &f->columns_cap, sizeof *f->field_of);
        f->field_of[f->columns] = (uint32_t)f->n;
        new->column = COLUMN_ATTRS + f->columns++;
    }
    map_add(&f->map, field_hash(w), f->n++);
    f->names_bytes += w->name.n;
}

static uint32_t make(struct record_fields *f, const struct wanted *w)
{
    uint32_t i = record_fields_find(f, w->scope, w->name, w->type);
    if (i != FIELD_NONE) return i;
    if (f->n >= FIELDS_MAX || w->name.n > FIELDS_NAMES_MAX - f->names_bytes) {
        f->is_partial = true;
        return FIELD_NONE;
    }
    field_add(f, w, w->scope == FIELD_ATTR && f->columns < RECORD_COLUMNS_MAX);
    return (uint32_t)f->n - 1;
}

uint32_t record_fields_make(struct record_fields *f, enum field_scope scope, struct str name,
                            enum value_type type)
{
    struct wanted w = { f, scope, type, name };
    size_t slot =
        (((uintptr_t)name.p * UINT64_C(0x9E3779B97F4A7C15)) >> 48 ^ name.n ^ (size_t)type * 37) % RECENT;
    uint32_t i = f->recent[slot];
    if (i != 0 && is_field(&f->at[i - 1], &w)) return i - 1;
    i = make(f, &w);
    if (i != FIELD_NONE) f->recent[slot] = i + 1;
    return i;
}

/* ---- as bytes ---- */

void record_fields_put(struct buf *out, const struct record_fields *f)
{
    buf_varint(out, f->n);
    buf_u8(out, f->is_partial);
    for (size_t i = 0; i < f->n; i++) {
        const struct record_field *x = &f->at[i];
        buf_u8(out, (uint8_t)x->scope);
        buf_u8(out, (uint8_t)x->type);
        buf_u8(out, x->column != 0);
        buf_varint(out, x->rows);
        buf_varint(out, x->name.n);
        buf_str(out, x->name);
    }
}

static int field_read(struct bytes *b, struct record_fields *f, struct err *e)
{
    struct wanted w = { .fields = f };
    w.scope = (enum field_scope)bytes_u8(b);
    w.type = (enum value_type)bytes_u8(b);
    uint8_t has_column = bytes_u8(b);
    uint64_t rows = bytes_varint(b);
    w.name = bytes_str(b);
    if (b->failed) return err_set(e, ERR_CORRUPT, "fields: too short");
    if (w.scope == FIELD_INTRINSIC || w.scope > FIELD_ATTR || w.type >= VALUE_TYPES || has_column > 1 ||
        (has_column && (w.scope != FIELD_ATTR || f->columns >= RECORD_COLUMNS_MAX)))
        return err_set(e, ERR_CORRUPT, "fields: field %zu is impossible", f->n);
    if (record_fields_find(f, w.scope, w.name, w.type) != FIELD_NONE)
        return err_set(e, ERR_CORRUPT, "fields: field %zu is there twice", f->n);
    field_add(f, &w, has_column);
    f->at[f->n - 1].rows = rows;
    return OK;
}

int record_fields_get(struct str in, struct record_fields *f, struct err *e)
{
    struct bytes b = bytes_of(in);
    uint64_t n = bytes_varint(&b);
    uint8_t partial = bytes_u8(&b);
    if (b.failed || n > FIELDS_MAX || partial > 1)
        return err_set(e, ERR_CORRUPT, "fields: impossible length");
    f->is_partial = partial;
    int rc = OK;
    for (size_t i = 0; i < n && rc == OK; i++) rc = field_read(&b, f, e);
    if (rc == OK && bytes_left(&b) > 0) rc = err_set(e, ERR_CORRUPT, "fields: wrong length");
    return rc;
}

/* ---- as a list ---- */

static int by_name(const void *a, const void *b)
{
    const struct field_info *x = a, *y = b;
    if (x->field.scope != y->field.scope) return x->field.scope < y->field.scope ? -1 : 1;
    return str_cmp(x->field.name, y->field.name);
}

void record_fields_list(const struct record_fields *f, struct arena *a, struct field_info **out,
                        size_t *n_out)
{
    struct field_info *info = arena_array(a, f->n, sizeof *info);
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++)
        if (f->at[i].rows > 0)
            info[n++] = (struct field_info){ field_attr(f->at[i].scope, arena_str(a, f->at[i].name)),
                                             UINT32_C(1) << f->at[i].type, f->at[i].rows };
    if (n > 0) qsort(info, n, sizeof *info, by_name);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && by_name(&info[kept - 1], &info[i]) == 0) {
            info[kept - 1].types |= info[i].types;
            info[kept - 1].rows += info[i].rows;
        } else {
            info[kept++] = info[i];
        }
    }
    *out = info;
    *n_out = kept;
}
