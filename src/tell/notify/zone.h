/* zone.h - a region's clock: how far it is from UTC at a moment, from the system's time zone files (RFC
 * 8536).
 *
 * Threads: never changes once loaded. */
#pragma once
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct zone;

/* "Europe/Berlin", "UTC", "Local" (TZ or /etc/localtime). ERR_FIND for a name that is none. */
int zone_load(struct str name, struct zone **out, struct err *);
void zone_free(struct zone *);                          /* NULL is fine */
int zone_offset_s(const struct zone *, int64_t unix_s); /* NULL: UTC */
