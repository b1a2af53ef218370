/* template_time.h - times by Go's layouts: the reference time Mon Jan 2 15:04:05 MST 2006 shows the form. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

void time_format(struct buf *out, struct str layout, int64_t ns, int offset_s);
/* What the layout does not name is that of 0000-01-01 00:00:00 (year 1970 when it has no year). */
bool time_parse(struct str layout, struct str text, int zone_offset_s, int64_t *ns);
/* UTC, GMT, Local (which is UTC here), "" and +hh:mm; false for names of regions. */
bool time_zone_offset(struct str name, int *offset_s);
