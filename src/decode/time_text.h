/* time_text.h - times as logs and spans write them, to ns since 1970. Only times from 1970 to 2262 are. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* RFC 3339, and what is close to it: a blank or t for T, a comma before the fraction, +hhmm or +hh, no zone
 * (UTC). Digits beyond ns are dropped. */
bool time_from_rfc3339(struct str, int64_t *ns);

/* A number of seconds, ms, us or ns since 1970, told apart by its size: below 1e11 s (year 5138), below 1e14
 * ms, below 1e17 us, else ns. Integers are exact; seconds may have a fraction. */
bool time_from_number(struct str, int64_t *ns);

/* Whichever of the two it is. */
bool time_from_text(struct str, int64_t *ns);
