/* work.h - a pool of threads with a bounded queue; a thread starts when a job finds none idle, up to a
 * number.
 *
 * Threads: every function from any thread. A job must not wait for another job of the same pool, except by
 * work_parallel, whose caller takes part in the work itself and so cannot deadlock. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct turns;
struct work_pool;

struct work_pool *work_start(const char *name, size_t threads, size_t queue_max); /* yours */
/* The same with threads of a niceness of nice(2), 0..19: queries stand back behind what senders wait for. */
struct work_pool *work_start_nice(const char *name, size_t threads, size_t queue_max, int niceness);
/* Its jobs run in turns with those of all pools that take them from t; before the first job. is_new: a job's
 * first turn comes before others' second. */
void work_take_turns(struct work_pool *, struct turns *t, bool is_new);
void work_stop(struct work_pool *); /* runs what is queued, then joins; NULL is fine */

/* false when the queue is full: the caller answers "try again later". */
bool work_post(struct work_pool *, void (*job)(void *), void *arg);

/* job(ctx, i) for i in [0, n), on the caller's thread and on whatever pool threads are free; returns when all
 * are done. pool NULL: all on the caller's thread. */
void work_parallel(struct work_pool *, size_t n, void (*job)(void *ctx, size_t i), void *ctx);

size_t work_threads(const struct work_pool *);
size_t work_queued(const struct work_pool *);
