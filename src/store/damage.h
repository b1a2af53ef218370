/* damage.h - bytes of a file that cannot be read, and the scan that goes on without them.
 *
 * What lies in a damaged place is mostly known: an index says of each block which keys, which times and how
 * many rows it has. So a scan steps over it, and whoever asked is told what the answer lacks (call.notes). A
 * call without notes cannot be told, and fails. Each place is counted once
 * (vedette_store_damaged_blocks_total) and said once in the log, however often it is met.
 *
 * Threads: all functions from any. */
#pragma once
#include <stdint.h>

#include "model/store.h"

enum damage_kind {
    DAMAGE_BLOCK,   /* rows */
    DAMAGE_FILTER,  /* costs time only: what it could have ruled out is read */
    DAMAGE_INDEX,   /* where a file's blocks are */
    DAMAGE_SERIES,  /* labels of series */
    DAMAGE_SUMMARY, /* rows of summaries */
    DAMAGE_KINDS
};

struct damage {
    enum damage_kind kind;
    const char *path;
    uint64_t at;            /* where in the file; what tells one place from another */
    uint64_t rows;          /* at most so many are lost; 0: not known */
    int64_t from_ms, to_ms; /* between these times; from > to: not known */
};

void damage_init(void); /* the counters are there from the start on */

/* Count it and say it, when it is news. why may be NULL. */
void damage_found(const struct damage *, const char *why);

/* rc is what reading that place came to. OK: it is damage, and the one who asked has been told; e is clear.
 * Else rc. */
int damage_leave_out(const struct call *, const struct damage *, int rc, struct err *e);
/* Likewise of damage that was found before: ERR_CORRUPT when the call cannot be told. */
int damage_known(const struct call *, const struct damage *, struct err *e);
