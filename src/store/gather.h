/* gather.h - rows of one series and kind from several sources, joined into one rising run.
 *
 * Add pieces in the order in which they were written: of equal times the piece added last wins. Pieces that
 * follow one another in time, the usual case, are simply laid end to end. One thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gather {
    int64_t *time_ms, *time_spare;
    uint64_t *bits, *bits_spare;
    size_t n, cap;
    size_t *ends; /* of pieces */
    size_t n_pieces, cap_pieces;
};

void gather_release(struct gather *);
void gather_clear(struct gather *);
/* Times rise within a piece. bits: any 8-byte values, copied. */
void gather_add(struct gather *, const int64_t *time_ms, const void *bits, size_t n);
/* Afterwards time_ms[0, n) rises and bits belong to them. */
void gather_join(struct gather *);
