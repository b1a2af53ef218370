/* sampling_run.h - the thread that lets go of traces which nobody asked to keep (sampling.h).
 *
 * Every decision_wait it looks at spans that are older than it: those marked `trace` whose trace has no span
 * marked error, slow or running are deleted. So a decision is made on what is on disk, and may be made again:
 *
 *   1. A span that was acknowledged is there until its trace has been decided against; a crash at any moment
 *      loses no trace that is to be kept.
 *   2. In doubt a span stays: what comes later than two waits, traces with more keepers than can be told
 *      apart at once, a store that fails.
 *
 * How far it has come is in <data>/sampling.json, written after the deletion.
 *
 * Threads: its own; the calls below from the main one. */
#pragma once
#include "model/store.h"
#include "receive/sampling.h"

struct sampling_run;

/* data_dir is copied. */
struct sampling_run *sampling_run_new(const struct sampling *, struct store *, const char *data_dir);
void sampling_run_free(struct sampling_run *); /* NULL is fine */
/* Other rules: decisions wait as long as these say, from the next one on. Any thread. */
void sampling_run_set(struct sampling_run *, const struct sampling *);
void sampling_run_start(struct sampling_run *);
void sampling_run_stop(struct sampling_run *); /* NULL is fine */

/* One decision, as if it were now_ms; spans that left, or a negative code. What the thread does; tests call
 * it. */
int64_t sampling_run_once(struct sampling_run *, int64_t now_ms, struct err *);
