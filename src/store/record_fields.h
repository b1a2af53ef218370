/* record_fields.h - the fields of one part: every (scope, name, type) that occurs, how many rows have it, and
 * the number of its column.
 *
 * Attributes of records get columns first come, first served, up to RECORD_COLUMNS_MAX; later ones lie in the
 * rest column. Resource and scope attributes never have one: they lie with their origin. Beyond FIELDS_MAX
 * entries (or FIELDS_NAMES_MAX bytes of names) a part does not list further fields but says so. One thread
 * while growing; read-only afterwards. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "model/record.h"
#include "model/store.h"

#define FIELDS_MAX       (64u << 10)
#define FIELDS_NAMES_MAX (4u << 20)

struct record_field {
    enum field_scope scope; /* never FIELD_INTRINSIC */
    enum value_type type;
    struct str name;
    uint32_t column; /* COLUMN_ATTRS and above, or 0: none */
    uint64_t rows;
};

struct record_fields {
    struct record_field *at;
    size_t n, cap;
    uint32_t columns;   /* how many have one; field_of[] says which */
    uint32_t *field_of; /* field of column COLUMN_ATTRS + i */
    size_t columns_cap;
    bool is_partial; /* there are fields that are not listed */
    size_t names_bytes;
    struct arena arena; /* names */
    struct map map;
    uint32_t *recent; /* by where a name lies in memory: its field + 1; always verified */
};

void record_fields_init(struct record_fields *);
void record_fields_release(struct record_fields *);

#define FIELD_NONE UINT32_MAX
/* The field's number; FIELD_NONE when there is none. */
uint32_t record_fields_find(const struct record_fields *, enum field_scope, struct str name, enum value_type);
/* Likewise, adding it; FIELD_NONE when it is one too many. */
uint32_t record_fields_make(struct record_fields *, enum field_scope, struct str name, enum value_type);

void record_fields_put(struct buf *, const struct record_fields *);
int record_fields_get(struct str in, struct record_fields *, struct err *); /* of an initialised one */
/* By scope and name, types joined; arena. */
void record_fields_list(const struct record_fields *, struct arena *, struct field_info **, size_t *n);
