/* event_ids.h - which events were here before: the ids of the last ones, so that a sender may send again what
 * it is not sure of.
 *
 * An id is claimed by the door that read it, before anything is written; given back when the write fails; and
 * settled when the event is counted. Events that came by a door that claims nothing (OTLP) are settled at
 * once.
 *
 * Always true:
 *   1. Of claims of one id without a release between them exactly one says yes.
 *   2. Between EVENT_IDS_HALF and twice as many ids are remembered, the latest; after that an id counts as
 *      new. Memory grows with what is remembered, up to 32 bytes an id.
 *
 * Threads: any; one lock. Ids are 64-bit hashes of kind and id: of a million, two are taken for one another
 * with a chance of 1 in 40 million. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define EVENT_IDS_HALF 250000

struct event_ids;
struct event_ids *event_ids_new(size_t half); /* 0: EVENT_IDS_HALF */
struct event_ids *event_ids_ref(struct event_ids *);
void event_ids_unref(struct event_ids *); /* NULL is fine */

uint64_t event_id_hash(const char *kind, struct str id);
bool event_ids_claim(struct event_ids *, uint64_t hash); /* false: it was here */
void event_ids_release(struct event_ids *, uint64_t hash);
bool event_ids_settle(struct event_ids *, uint64_t hash); /* false: it was settled before */
size_t event_ids_count(struct event_ids *);
