/* wal_frame.h - the envelope of everything in a WAL segment: length, checksum, number, LZ4.
 *
 *     | magic u32 | length u32 | crc32c u32 | raw length u32 | lsn u64 | body, `length` bytes | little-endian
 *
 * The checksum covers all that follows it. length < raw length: the body is one LZ4 block. The top bit of raw
 * length: the body is sealed after that, and CIPHER_OVERHEAD longer; its place is the lsn. lsn counts frames
 * since the store was made; a reader skips frames whose number it has passed (copies made after a failed
 * sync, a recycled file). Bytes: docs/format-wal.md. Pure functions. */
#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "store/cipher.h"

#define WAL_FRAME_HEAD    24
#define WAL_FRAME_RAW_MAX (128u << 20)

/* Append one frame holding raw to out; sealed when there is a user. */
void wal_frame_put(struct buf *out, uint64_t lsn, struct str raw, struct cipher_user *);

enum wal_found {
    WAL_FRAME, /* here is one */
    WAL_END,   /* nothing but zeros from here on, or the end of the file */
    WAL_TORN,  /* bytes that are no frame, and no valid frame after them: a write that a crash cut off */
    WAL_HOLE,  /* bytes that are no frame; *at is moved to the valid frame that follows: damage */
};

/* Look at `at` in the segment's bytes. WAL_FRAME: lsn and raw are set (raw borrowed from the segment or from
 * scratch, until the next call) and *at stands behind it. In a hole or torn tail, *skipped says how many
 * bytes are not readable. Frames with lsn < least do not count as valid ones after damage. Where there is a
 * user, every frame must be sealed. */
enum wal_found wal_frame_next(struct str segment, size_t *at, uint64_t least, struct cipher_user *,
                              struct buf *scratch, uint64_t *lsn, struct str *raw, uint64_t *skipped);

/* From *at on, frames whose checksums are right, opened or not: WAL_END, WAL_TORN, or WAL_HOLE at the first
 * place that is damaged, with *skipped bytes that are no frames. */
enum wal_found wal_frame_check(struct str segment, size_t *at, uint64_t *skipped);
