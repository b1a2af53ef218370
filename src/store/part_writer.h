/* part_writer.h - what the merge needs of a writer beyond part.h: blocks copied as they are.
 * Private to part_*.c. */
#pragma once
#include "store/part_format.h"

size_t part_writer_pending(const struct part_writer *); /* rows of the block not yet written */
/* Append a whole block, flushing what is pending. place and stored are its place and bytes in the file that
 * the unpacker reads. Its runs must follow all before; last is its last run. */
int part_writer_copy(struct part_writer *, struct page_unpacker *, struct str stored,
                     const struct part_place *place, const struct run_head *last, struct err *);
