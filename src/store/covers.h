/* covers.h - which writes of logs and spans the record parts hold: ranges of write numbers of a table and a
 * day.
 *
 * A part that covers (after, last] has every row of its table and day that came with a write of those numbers
 * and was not deleted since. docs/decisions/0012 says what that is good for. Plain data, one thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/record.h"

struct cover {
    enum table table;
    uint32_t day;
    uint64_t after, last; /* last 0: not known */
};
/* Everything that b covers, a does, too. False when either is not known. */
bool cover_holds(const struct cover *a, const struct cover *b);
bool cover_overlaps(const struct cover *a, const struct cover *b);

struct covers {
    struct cover *at; /* once sealed: sorted, those of a table and day disjoint */
    size_t n, cap;
    uint64_t last; /* the highest of all; 0: there are none */
};
void covers_add(struct covers *, const struct cover *);
void covers_seal(struct covers *); /* no more are added; before covers_have */
bool covers_have(const struct covers *, enum table, uint32_t day, uint64_t write);
void covers_release(struct covers *);
