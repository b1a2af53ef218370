/* ingest_wait.h - for doors that nobody waits behind: a batch that is written by a thread of the door's own,
 * which goes on when it is durable. */
#pragma once
#include "receive/ingest.h"

/* Writes and waits for durability; as long as the store says to come back later (behind, full, failing), asks
 * again every retry_ms, until `stopping` is set. OK: durable. Negative: refused, by the store's last word, or
 * not made durable. The request is gone afterwards, counted like any other. */
int ingest_write_waiting(struct ingest_request *, const atomic_bool *stopping, int64_t retry_ms);
