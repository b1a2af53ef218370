/* wal_frame.c - see wal_frame.h. A frame is believed only when magic, lengths, checksum and LZ4 all agree. */
#include "store/wal_frame.h"

#include <lz4.h>
#include <string.h>

#include "base/check.h"
#include "store/bytes.h"
#include "store/crc32c.h"

#define MAGIC     0x314c4157u /* "WAL1" */
#define SEALED    0x80000000u /* of raw length */
#define LZ4_LEAST 64          /* below, the LZ4 call costs more than it can save */

static void put32(char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (char)(v >> (8 * i));
}

/* raw at `to`, as LZ4 when that is shorter; how long. */
static size_t squeeze(char *to, int bound, struct str raw)
{
    size_t n = raw.n >= LZ4_LEAST ? (size_t)LZ4_compress_default(raw.p, to, (int)raw.n, bound) : 0;
    if (n > 0 && n < raw.n) return n;
    memcpy(to, raw.p, raw.n);
    return raw.n;
}

static struct cipher_place place_of(uint64_t lsn)
{
    return (struct cipher_place){ .what = CIPHER_WAL_FRAME, .at = lsn };
}

void wal_frame_put(struct buf *out, uint64_t lsn, struct str raw, struct cipher_user *user)
{
    check(raw.n > 0 && raw.n <= WAL_FRAME_RAW_MAX);

    int bound = LZ4_compressBound((int)raw.n);
    size_t room = WAL_FRAME_HEAD + (size_t)bound, before = out->n;
    char *p = buf_room(out, user ? room + CIPHER_OVERHEAD + (size_t)bound : room);
    check(p != NULL); /* the committer's buffer has no ceiling below what one frame may need */

    char *body = user ? p + room + CIPHER_OVERHEAD : p + WAL_FRAME_HEAD; /* sealed from behind to its place */
    size_t n = squeeze(body, bound, raw);
    buf_added(out, WAL_FRAME_HEAD + (user ? 0 : n));
    if (user) {
        struct cipher_place place = place_of(lsn);
        cipher_seal(user, &place, str_make(body, n), out);
        n += CIPHER_OVERHEAD;
    }
    p = out->p + before;
    put32(p, MAGIC);
    put32(p + 4, (uint32_t)n);
    put32(p + 12, (uint32_t)raw.n | (user ? SEALED : 0));
    put32(p + 16, (uint32_t)lsn);
    put32(p + 20, (uint32_t)(lsn >> 32));
    put32(p + 8, crc32c(0, p + 12, WAL_FRAME_HEAD - 12 + n));
}

struct frame {
    uint64_t lsn;
    struct str body;
    uint32_t raw_n;
    bool is_sealed;
};

static bool frame_at(struct str segment, size_t at, struct frame *f)
{
    struct bytes b = bytes_of(str_make(segment.p + at, segment.n - at));
    uint32_t magic = bytes_u32(&b), n = bytes_u32(&b), crc = bytes_u32(&b);
    const unsigned char *covered = b.p;
    uint32_t raw_n = bytes_u32(&b);
    f->raw_n = raw_n & ~SEALED;
    f->is_sealed = raw_n & SEALED;
    f->lsn = bytes_u64(&b);
    f->body = bytes_take(&b, n);
    uint32_t overhead = f->is_sealed ? CIPHER_OVERHEAD : 0;
    if (b.failed || magic != MAGIC || n <= overhead || f->raw_n < n - overhead ||
        f->raw_n > WAL_FRAME_RAW_MAX)
        return false;
    return crc32c(0, covered, WAL_FRAME_HEAD - 12 + (size_t)n) == crc;
}

/* LZ4 undone behind what scratch holds. */
static bool unsqueeze(struct str body, uint32_t raw_n, struct buf *scratch, struct str *raw)
{
    *raw = body;
    if (body.n == raw_n) return true;
    char *to = raw_n / 255 <= body.n ? buf_room(scratch, raw_n) : NULL; /* LZ4 cannot do better than 1:255 */
    if (to == NULL) return false;
    if (scratch->n > 0) body.p = scratch->p; /* it may have moved */
    *raw = str_make(to, raw_n);
    return LZ4_decompress_safe(body.p, to, (int)body.n, (int)raw_n) == (int)raw_n;
}

static bool frame_open(const struct frame *f, struct cipher_user *user, struct buf *scratch, struct str *raw)
{
    struct str body = f->body;
    struct cipher_place place = place_of(f->lsn);
    buf_clear(scratch);
    if (f->is_sealed != (user != NULL)) return false;
    if (user != NULL) {
        if (cipher_unseal(user, &place, body, scratch, NULL) < 0) return false;
        body = buf_view(scratch);
    }
    return unsqueeze(body, f->raw_n, scratch, raw);
}

static bool all_zero(const char *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* The next offset after `at` where a valid frame numbered `least` or later begins; segment.n when there is
 * none. */
static size_t resync(struct str segment, size_t at, uint64_t least)
{
    static const char magic[4] = { 'W', 'A', 'L', '1' };
    while (at < segment.n) {
        const char *hit = memmem(segment.p + at, segment.n - at, magic, sizeof magic);
        if (hit == NULL) break;
        at = (size_t)(hit - segment.p);

        struct frame f;
        if (frame_at(segment, at, &f) && f.lsn >= least) return at;
        at++;
    }
    return segment.n;
}

/* Bytes at *at that are no frame: *at moves to the next one. */
static enum wal_found no_frame(struct str segment, size_t *at, uint64_t least, uint64_t *skipped)
{
    if (all_zero(segment.p + *at, segment.n - *at)) return WAL_END;
    size_t next = resync(segment, *at + 1, least);
    *skipped = next - *at;
    *at = next;
    return next < segment.n ? WAL_HOLE : WAL_TORN;
}

enum wal_found wal_frame_next(struct str segment, size_t *at, uint64_t least, struct cipher_user *user,
                              struct buf *scratch, uint64_t *lsn, struct str *raw, uint64_t *skipped)
{
    struct frame f;
    *skipped = 0;
    if (*at >= segment.n) return WAL_END;
    if (frame_at(segment, *at, &f) && frame_open(&f, user, scratch, raw)) {
        *lsn = f.lsn;
        *at += WAL_FRAME_HEAD + f.body.n;
        return WAL_FRAME;
    }
    return no_frame(segment, at, least, skipped);
}

enum wal_found wal_frame_check(struct str segment, size_t *at, uint64_t *skipped)
{
    struct frame f;
    *skipped = 0;
    while (*at < segment.n && frame_at(segment, *at, &f)) *at += WAL_FRAME_HEAD + f.body.n;
    return *at >= segment.n ? WAL_END : no_frame(segment, at, 0, skipped);
}
