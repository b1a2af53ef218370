/* duration.h - Prometheus durations as text: 1y2w3d4h5m6s7ms, units in falling order, each at most once; "0".
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

bool duration_parse_ms(struct str s, int64_t *out_ms);
void duration_print_ms(struct buf *out, int64_t ms); /* 90s -> 1m30s, as Prometheus prints */
