/* covers.c - see covers.h. */
#include "store/covers.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"

static bool same_day(const struct cover *a, const struct cover *b)
{
    return a->table == b->table && a->day == b->day;
}

static bool are_known(const struct cover *a, const struct cover *b)
{
    return a->last > 0 && b->last > 0 && same_day(a, b);
}

bool cover_holds(const struct cover *a, const struct cover *b)
{
    return are_known(a, b) && a->after <= b->after && b->last <= a->last;
}

bool cover_overlaps(const struct cover *a, const struct cover *b)
{
    return are_known(a, b) && a->after < b->last && b->after < a->last;
}

void covers_add(struct covers *c, const struct cover *x)
{
    if (x->last == 0) return;
    c->at = mem_grow(c->at, c->n, &c->cap, sizeof c->at[0]);
    c->at[c->n++] = *x;
    c->last = MAX(c->last, x->last);
}

static int by_place(const void *a, const void *b)
{
    const struct cover *x = a, *y = b;
    if (x->table != y->table) return x->table < y->table ? -1 : 1;
    if (x->day != y->day) return x->day < y->day ? -1 : 1;
    return x->after < y->after ? -1 : x->after > y->after;
}

void covers_seal(struct covers *c)
{
    size_t kept = 0;
    if (c->n == 0) return;
    qsort(c->at, c->n, sizeof c->at[0], by_place);
    for (size_t i = 1; i < c->n; i++) {
        struct cover *before = &c->at[kept], *x = &c->at[i];
        if (same_day(before, x) && x->after <= before->last)
            before->last = MAX(before->last, x->last);
        else
            c->at[++kept] = *x;
    }
    c->n = kept + 1;
}

bool covers_have(const struct covers *c, enum table table, uint32_t day, uint64_t write)
{
    if (write == 0 || write > c->last) return false;
    struct cover key = { table, day, write, 0 };
    size_t low = 0, high = c->n; /* the first that begins at the write or behind it */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (by_place(&c->at[mid], &key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low > 0 && same_day(&c->at[low - 1], &key) && write <= c->at[low - 1].last;
}

void covers_release(struct covers *c)
{
    mem_free(c->at);
    *c = (struct covers){ 0 };
}
