/* span_claim.c - see span_claim.h. */
#include "store/span_claim.h"

#include <stdlib.h>

static int by_number(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_span_then_best(const void *va, const void *vb)
{
    const struct span_claim *a = va, *b = vb;
    int c = by_number(a->span_id, b->span_id);
    if (c == 0) c = by_number(a->kind, b->kind);
    if (c == 0) c = by_number(b->is_finished, a->is_finished);
    if (c == 0) c = by_number(b->sequence, a->sequence);
    if (c == 0) c = by_number(b->place, a->place);
    return c != 0 ? c : by_number(b->tag, a->tag);
}

void span_claims_sort(struct span_claim *c, size_t n)
{
    qsort(c, n, sizeof *c, by_span_then_best);
}

bool span_claim_wins(const struct span_claim *c, size_t i)
{
    return i == 0 || c[i].span_id == 0 || c[i - 1].span_id != c[i].span_id || c[i - 1].kind != c[i].kind;
}
