/* event_open.h - what has begun and not ended yet: requests, tasks, workflows, conflicts, sessions. An end
 * finds what its start said.
 *
 *     event_open_begin(o, hash, time_ms, texts)
 *     if (event_open_end(o, hash, &was)) ...          once; was is good until the next call
 *
 * Always true: at most `max` things are open, and none longer than max_ms: the oldest go first, and `lost` is
 * told of each. Not for two threads. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define EVENT_OPEN_TEXTS 5
#define EVENT_OPEN_TEXT  128 /* bytes of a text; longer ones are cut */

struct event_opened {
    int64_t time_ms;
    struct str text[EVENT_OPEN_TEXTS];
};

struct event_open;
struct event_open *event_open_new(size_t max, int64_t max_ms,
                                  void (*lost)(void *ctx, const struct event_opened *), void *ctx);
void event_open_free(struct event_open *);

/* False: it was open already, and stays as it was. */
bool event_open_begin(struct event_open *, uint64_t hash, const struct event_opened *);
bool event_open_end(struct event_open *, uint64_t hash, struct event_opened *was);
void event_open_expire(struct event_open *, int64_t now_ms);
size_t event_open_count(const struct event_open *);
