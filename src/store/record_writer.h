/* record_writer.h - what the merge asks of a writer beside rows: a block of another part as it lies. */
#pragma once
#include "store/record_impl.h"

/* True when the block's fields can have columns here and it stands behind all that was written; the block
 * then went over whole. 0 = it did not, 1 = it did. */
int record_writer_copy(struct record_writer *, struct record_block *, size_t block, struct err *);
/* Rows of the block that is being filled. */
size_t record_writer_pending(const struct record_writer *);
