/* turns.h - of many threads that compute, only so many at a time.
 *
 * Fifty queries on two processors: as fifty threads that the system may run, whoever of them was put aside
 * with a lock in his hands (the allocator's, a queue's) comes back after forty-nine others, and a sender who
 * needs that lock waits as long. With two that may run and forty-eight that wait for their turn, he comes
 * back at once.
 *
 * A turn lasts some milliseconds. turns_yield ends it when others wait; who has just come goes before those
 * who have had a turn, so that what is short is answered soon.
 *
 * Nobody waits for ever: who keeps a turn for long without a yield (he sleeps, or reads a slow disk) loses it
 * to those who wait, and notices at his next yield.
 *
 * Threads: all functions from any; turns_begin to turns_end is of the thread that calls them. The others do
 * nothing in threads that take no turns. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct turns;

struct turns *turns_new(size_t at_once);
void turns_free(struct turns *); /* nobody takes part any more; NULL is fine */

/* Wait for a turn, and keep it till the end. is_new: before those who have had one. */
void turns_begin(struct turns *, bool is_new);
void turns_end(void);

/* Let others go first, when there are some and the turn has lasted. Often, and with no lock that anyone else
 * waits for: it may take as long as all others' turns. */
void turns_yield(void);
bool turns_wanted(void); /* does somebody wait? */

/* Around waiting for something else than a turn. */
void turns_leave(void);
void turns_back(void);
