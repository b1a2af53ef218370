/* level_detect.h - how bad is a log line whose sender did not say? Looks at the line as JSON, as logfmt, then
 * for words. Costs at most a look at the line's first LEVEL_LOOK_BYTES. */
#pragma once
#include "base/arena.h"

#define LEVEL_LOOK_BYTES 4096

/* Severity number, 0: cannot tell. */
uint8_t level_detect(struct str line, struct arena *scratch);

/* Is this a name under which senders put the level? level, severity, lvl, log.level, ... */
bool level_is_key(struct str name);
