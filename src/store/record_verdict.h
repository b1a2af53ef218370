/* record_verdict.h - what a condition comes to for all records of one sender in one chunk of the head, from
 * the chunk's names and origins alone: often that says all, and no record need be unpacked.
 *
 * One scan, one thread; everything in the scan's arena. */
#pragma once
#include "model/predicate.h"
#include "model/store.h"

enum verdict { VERDICT_OPEN, VERDICT_NONE, VERDICT_ALL }; /* OPEN: each record must be asked */

struct record_verdicts;
struct record_verdicts *record_verdicts_new(struct arena *, const struct record_scan *, size_t n_chunks);
/* Of one record; reads no more of it than is needed. */
enum verdict record_verdict(struct record_verdicts *, size_t chunk, const struct record_reader *, size_t row);
