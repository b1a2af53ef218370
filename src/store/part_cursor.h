/* part_cursor.h - what the merge needs of a cursor beyond part.h: the block as it lies in the file.
 * Private to part_*.c. */
#pragma once
#include "store/part_format.h"

/* The block whose first run is under the cursor (after a peek), its bytes and its last run; NULL in
 * the middle of a block. */
const struct part_place *part_cursor_block(struct part_cursor *, struct str *stored, struct run_head *last);
struct page_unpacker *part_cursor_unpacker(struct part_cursor *);
/* Whether claim() holds for any key of that block. */
bool part_cursor_any(const struct part_cursor *, bool (*claim)(void *ctx, series_key), void *ctx);
void part_cursor_skip_block(struct part_cursor *);
