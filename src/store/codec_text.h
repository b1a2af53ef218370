/* codec_text.h - n strings side by side, in the form that fits what they are (text_column.c decides whether
 * they are all values of a column or those of its dictionary).
 *
 *     raw        sizes, bytes
 *     hex        lower-case hexadecimal of even length: sizes, half as many bytes
 *     uuid       8-4-4-4-12 in lower case: 16 bytes each
 *     decimal    int64 without plus, leading zeros or "-0": a column of integers
 *     sizes      | least << 1 | they differ varint | bit-packed miniblocks of size - least, if so |
 *
 * Lossless: a value is of a form only when printing what is stored gives the same bytes back. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

enum text_form { TEXT_RAW, TEXT_HEX, TEXT_UUID, TEXT_DECIMAL, TEXT_FORMS }; /* on disk: never renumber */

/* The narrowest form that all n > 0 values have; stops looking as soon as only raw is left. */
enum text_form text_form_of(const struct str *v, size_t n);
/* About what text_put will append, of values that are so many bytes together. */
size_t text_bytes(enum text_form, size_t n, size_t bytes);

void text_put(struct buf *, enum text_form, const struct str *v, size_t n);
/* Values borrow from *in or lie in the arena. false when the bytes are not ours. */
bool text_get(struct str *in, enum text_form, struct str *v, size_t n, struct arena *);

/* Small numbers in bit-packed miniblocks, nothing else; what sizes, ids and runs are made of. */
void packed_put(struct buf *, const uint32_t *v, size_t n);
bool packed_get(struct str *in, uint32_t *v, size_t n);
