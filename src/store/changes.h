/* changes.h - since when what is stored has changed: the promise behind store_changed_since.
 *
 * A list of (generation, oldest time) of which only those are kept that can still be an answer: a later
 * change of older rows hides an earlier one of newer rows, so both columns rise. When the list is full the
 * older half is joined two by two, which makes its answers earlier, never later.
 *
 * Whoever changes rows notes it twice, before a view can see the change and after every view opened from now
 * on must: then neither a reader whose view came too early nor one whose generation did can miss it.
 *
 * Threads: any. `mu` is held for a few instructions. */
#pragma once
#include <pthread.h>
#include <stdint.h>

#define CHANGES_MAX 1024

struct changes {
    pthread_mutex_t mu; /* all below */
    uint64_t now;       /* the generation; 1 to begin with */
    uint32_t n;
    struct change {
        uint64_t generation;
        int64_t oldest_ms;
    } at[CHANGES_MAX];
};

void changes_init(struct changes *);
void changes_release(struct changes *);

/* Rows at oldest_ms and perhaps later change. INT64_MAX: none did, nothing is noted. */
void changes_note(struct changes *, int64_t oldest_ms);

/* The oldest time noted after `generation`; INT64_MAX: nothing was. *now: the generation of this moment. */
int64_t changes_since(struct changes *, uint64_t generation, uint64_t *now);
