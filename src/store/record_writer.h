/* record_writer.h - what the merge asks of a writer beside rows: a block of another part as it lies, and the
 * writes that its sources cover. */
#pragma once
#include "store/record_impl.h"

/* b stands at the block, which lies behind all that was written. 1 = it went over whole, 0 = it cannot (some
 * of its attributes have no column here) and nothing happened. */
int record_writer_copy(struct record_writer *, struct record_block *b, size_t block, struct err *);
/* Rows of the block that is being filled. */
size_t record_writer_pending(const struct record_writer *);
/* Before the first row: what the sources of a merge cover between them. They are neighbours in sequence, so
 * what lies between two of them brought their day nothing. */
void record_writer_covers_all(struct record_writer *, struct record_part *const *sources, size_t n);
