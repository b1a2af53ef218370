/* recent.h - which spans have been counted lately: a set that forgets.
 *
 * About RECENT_SPANS ids are remembered, by 32 bits of their hash in lines of 15, the oldest of a line
 * leaving first. A span met again is told with certainty while it is remembered; a new one is taken for
 * an old one about once in 2^28. 4 MiB, touched only as it fills. One thread at a time. */
#pragma once
#include "model/record.h"

#define RECENT_SPANS (1u << 20) /* a little less: 15 of 16 */

struct recent;
struct recent *recent_new(void);
void recent_free(struct recent *);
/* True: it was here. Else it is now. Spans without ids are always new. */
bool recent_seen(struct recent *, const struct record *span);
/* It was here; nothing changes. */
bool recent_has(const struct recent *, const struct record *span);
/* recent_seen of this span is near: memory is told to get its line ready. */
void recent_soon(const struct recent *, const struct record *span);
