/* base64.h - reading base64: standard or URL-safe letters, padded or not. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* At most text.n * 3 / 4 + 1 bytes go to `to`. False when it is not base64. */
bool base64_read(struct str text, char *to, size_t *n);
