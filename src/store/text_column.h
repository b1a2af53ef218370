/* text_column.h - columns of strings as bytes and back; the companion of column.h for text.
 *
 *     constant     one value
 *     dictionary   up to 64 Ki distinct values, sorted; ids bit-packed or run-length
 *     plain        lengths and bytes; hex ids, UUIDs and decimal numbers are recognised and stored as raw
 * bytes or integers when all values of the column agree
 *
 * The cheapest by size is chosen; compression comes afterwards, by page. Lossless to the byte. Decoders trust
 * nothing: ERR_CORRUPT for bytes that are not ours. Pure, any thread. Bytes: docs/format-record.md. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define TEXT_FIXED_MAX 64u /* bytes of a value of fixed width */

/* At most COLUMN_ROWS_MAX rows, here and below. A column of no rows takes no bytes. */
void text_column_put(struct buf *, const struct str *v, size_t n);

struct text_column { /* decoded: dictionary form when ids != NULL; a constant has one value and ids of 0 */
    size_t n;
    const struct str *value; /* plain: n values; dictionary: n_dict values, strictly rising */
    const uint32_t *ids;     /* n ids, or NULL */
    size_t n_dict;
};
/* Everything in the arena or in the bytes read, which must outlive the column. *in steps past the column. */
int text_column_get(struct str *in, size_t n, struct arena *, struct text_column *, struct err *);

static inline struct str text_column_at(const struct text_column *c, size_t i)
{
    return c->ids ? c->value[c->ids[i]] : c->value[i];
}

/* n values of exactly `width` bytes, back to back (trace ids, span ids). */
void text_column_put_fixed(struct buf *, const uint8_t *v, size_t width, size_t n);
int text_column_get_fixed(struct str *in, uint8_t *v, size_t width, size_t n, struct err *);

/* Which rows have a value: all, none, or a bitmap, run-length when that is smaller. bits: n bits,
 * little-endian, room for (n + 63) / 64 words. */
void presence_put(struct buf *, const uint64_t *bits, size_t n);
int presence_get(struct str *in, uint64_t *bits, size_t n, struct err *);
