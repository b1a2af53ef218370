/* alert_store.h - the active alerts on disk, so that a restart neither forgets who fires nor believes that
 * all has resolved.
 *
 * Threads: any (the state file's lock). */
#pragma once
#include "state/state.h"
#include "tell/notify/held.h"

int alert_store_open(struct state *, struct err *);
/* As they were sent: ends_ms 0 is kept as such. One transaction. */
int alert_store_put(struct state *, const struct alert *, size_t n, struct err *);
/* Written now and then: the process was alive at this moment. */
void alert_store_alive(struct state *, int64_t now_ms);
/* Those that had not ended when the process was last alive come back without an end; the others with theirs.
 * resolve_timeout_ms: how long one lives whose end was not said. */
int alert_store_each(struct state *, int64_t resolve_timeout_ms, void (*visit)(const struct alert *, void *),
                     void *ctx, struct err *);
void alert_store_gc(struct state *, int64_t now_ms);
