/* work.h - what the fault tests write, and how they judge what a store gives back.
 *
 * A run is a series of numbered batches. What batch b holds follows from the run's seed and b alone, and each
 * row carries b inside its value: so a row that is found says who wrote it, and whoever knows which batches
 * were acknowledged can judge a store without having kept anything.
 *
 * Another table of the store joins the tests by a line in work_tables (work.c): how to put its rows into a
 * batch, and how to look at them afterwards.
 *
 *     judged: every row that is there was written, by a batch that had begun, and is equal to the last bit;
 *             none is there twice; none of an acknowledged batch is missing or older than that batch.
 *
 * Threads: writing in one thread, acknowledgements in the committer's. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/store.h"
#include "store/embedded.h"

#define WORK_BATCHES     1600 /* of a run, over all its lives */
#define WORK_DAYS        3
#define WORK_INTERVAL_MS 50 /* sync interval of ACK_MEMORY */

enum work_state {
    WORK_NONE,
    WORK_BEGUN,   /* may be there or not */
    WORK_TAKEN,   /* acknowledged, not yet durable: lost at most with the interval */
    WORK_DURABLE, /* acknowledged as durable */
    WORK_REFUSED, /* store_write said no: nothing may be there */
    WORK_FAILED,  /* seen, then the disk refused: may be there or not */
};

/* One run: shared between processes (mmap), or private. */
struct work {
    uint64_t seed;
    int64_t day0_ms;
    atomic_uint state[WORK_BATCHES]; /* enum work_state */
    _Atomic int64_t taken_ns[WORK_BATCHES];
    struct store *watched;     /* NULL, or: when it fails a waiter it must say so in its status */
    atomic_uint silent, count; /* failures that it kept to itself; of all */
};

void work_init(struct work *, uint64_t seed);

/* A note in the trace: batch b came to this state. */
struct work_mark {
    uint32_t batch, state;
};
void work_reach(struct work *, uint32_t b, enum work_state);

/* Write batch b. OK or what store_write said; the state moves on by itself. */
int work_write(struct work *, struct store *, uint32_t b, enum store_ack, struct err *);
/* Wait until no more than `most` of the batches [from, to) wait for the disk. */
void work_wait(const struct work *, uint32_t from, uint32_t to, uint32_t most);
bool work_is_pending(const struct work *, uint32_t b);

/* Batches that must be there: those durable, and with a time (0: none of them) those taken before it. */
struct work_verdict {
    uint64_t rows, cells; /* found; promised */
    uint64_t partial;     /* batches never acknowledged of which a part is there */
    int64_t oldest_lost_ns;
    char wrong[512]; /* empty: all is well */
};
/* Judge what s answers. An error of the scan is `wrong` unless may_fail, and then its code is returned. */
int work_judge(const struct work *, struct store *, int64_t taken_before_ns, bool may_fail,
               struct work_verdict *);

/* How the tests open stores: tiny heads and segments, so that all parts of the engine are busy. */
struct embedded_conf work_conf(const char *dir);
/* The wall clock of a run, fixed: before and after the day that ends in it. */
void work_clock(const struct work *, bool is_late);
