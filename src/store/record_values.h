/* record_values.h - how single values lie in a block; shared by reading and matching. */
#pragma once
#include "store/record_impl.h"

enum intrinsic_lie {
    LIES_NOWHERE, /* not a field of this table */
    LIES_INT,     /* absent when zero */
    LIES_INT_ALWAYS,
    LIES_TEXT, /* absent when empty */
    LIES_JSON,
    LIES_BODY,
    LIES_TRACE,
    LIES_SPAN,
    LIES_PARENT,
    LIES_ORIGIN, /* of the origin */
};
enum intrinsic_lie intrinsic_lie(enum table, enum intrinsic);

/* Value i of an attribute's column; texts are in the arena, or in the block when it is the block's own. */
int block_value_at(struct record_block *, uint32_t number, enum value_type, size_t i, struct arena *,
                   struct value *, struct err *);
/* The columns this block has of an attribute, one a type: how many. */
size_t block_attr_columns(const struct record_block *, struct field, uint32_t number[VALUE_TYPES],
                          enum value_type type[VALUE_TYPES]);
/* A field of the resource, the scope, or the scope's names. */
struct value origin_value(const struct origin *, struct field);
