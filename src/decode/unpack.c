/* unpack.c - gzip and deflate by libdeflate, zstd and snappy by their own libraries.
 *
 * Always true:
 *   1. No output buffer is larger than ceiling(): the caller's limit, or the ratio's, whichever is less.
 *   2. A buffer is as large as the body says it will be, when that passes 1, else it starts small and
 *      grows fourfold. Memory that a lying body never fills is never touched.
 *   3. Bytes after the end of the packed data are an error: they were meant to be something.
 *
 * libdeflate wants the whole output in one piece and starts over when it does not fit; growing fourfold, that
 * costs at most a third more than once. It is still faster than zlib's stream, and with gzip the size is in
 * the trailer. */
#include "decode/unpack.h"

#include <libdeflate.h>
#include <snappy-c.h>
#include <string.h>
#include <sys/mman.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/check.h"

#define FIRST_GUESS      (64u << 10)
#define ZSTD_WINDOW_LOG  23 /* 8 MiB: what RFC 9659 lets a receiver insist on */
#define SNAPPY_RATIO_MAX 22 /* three bytes of copy make at most 64 */

int unpack_coding(struct str content_encoding, enum unpack_coding *out, struct err *e)
{
    static const struct {
        const char *name;
        enum unpack_coding coding;
    } known[] = {
        { "", UNPACK_IDENTITY },       { "identity", UNPACK_IDENTITY }, { "snappy", UNPACK_SNAPPY },
        { "gzip", UNPACK_GZIP },       { "x-gzip", UNPACK_GZIP },       { "zstd", UNPACK_ZSTD },
        { "deflate", UNPACK_DEFLATE }, { "zlib", UNPACK_DEFLATE },
    };
    struct str name = str_trim(content_encoding);
    for (size_t i = 0; i < COUNT(known); i++) {
        if (!str_is_nocase(name, known[i].name)) continue;
        *out = known[i].coding;
        return OK;
    }
    return err_set(e, ERR_UNSUPPORTED,
                   "Content-Encoding \"%.*s\" is not supported: use gzip, deflate, zstd, snappy or identity",
                   (int)MIN(name.n, (size_t)64), name.p);
}

static size_t ceiling(size_t packed, size_t max_bytes)
{
    packed = MIN(packed, SIZE_MAX / UNPACK_RATIO);
    size_t most = MAX((size_t)UNPACK_FREE, MIN(packed * UNPACK_RATIO, (size_t)UNPACK_STEEP));
    return MIN(max_bytes, MAX(most, packed * UNPACK_RATIO_LARGE));
}

/* The growing output: libraries write at p + n. */
struct room {
    char *p;
    size_t n, cap, max;
    struct arena *arena;
};

static int too_large(const struct room *r, struct err *e)
{
    return err_set(e, ERR_LIMIT, "unpacked body is larger than the limit of %zu bytes", r->max);
}

/* The arena keeps a room that was outgrown until the end of the request; its pages can go at once. */
static void give_back_pages(char *p, size_t n)
{
    const uintptr_t page = 4096;
    uintptr_t from = ((uintptr_t)p + page - 1) & ~(page - 1), to = ((uintptr_t)p + n) & ~(page - 1);
    if (to > from) madvise((void *)from, to - from, MADV_DONTNEED); /* advice: failing does no harm */
}

static int room_take(struct room *r, size_t cap, struct err *e)
{
    cap = MIN(cap, r->max);
    if (!arena_fits(r->arena, cap))
        return err_set(e, ERR_LIMIT, "unpacked body does not fit the memory of this request");
    char *bigger = arena_alloc(r->arena, cap);
    if (r->n > 0) memcpy(bigger, r->p, r->n);
    if (r->p != NULL) give_back_pages(r->p, r->cap);
    r->p = bigger;
    r->cap = cap;
    return OK;
}

static int room_grow(struct room *r, struct err *e)
{
    if (r->cap >= r->max) return too_large(r, e);
    return room_take(r, r->cap > r->max / 4 ? r->max : r->cap * 4, e);
}

/* ---- gzip, deflate ---- */

typedef enum libdeflate_result inflate_fn(struct libdeflate_decompressor *, const void *in, size_t in_n,
                                          void *out, size_t out_n, size_t *in_used, size_t *out_used);

/* One member, grown until it fits; *in moves past it. */
static int inflate_member(inflate_fn *inflate, struct libdeflate_decompressor *d, struct str *in,
                          struct room *r, struct err *e)
{
    for (;;) {
        size_t used = 0, made = 0;
        switch (inflate(d, in->p, in->n, r->p + r->n, r->cap - r->n, &used, &made)) {
        case LIBDEFLATE_SUCCESS:
            r->n += made;
            in->p += used;
            in->n -= used;
            return OK;
        case LIBDEFLATE_INSUFFICIENT_SPACE: {
            int rc = room_grow(r, e);
            if (rc < 0) return rc;
            break;
        }
        default: return ERR_PARSE;
        }
    }
}

static int inflate_gzip(struct libdeflate_decompressor *d, struct str in, struct room *r, struct err *e)
{
    do {
        int rc = inflate_member(libdeflate_gzip_decompress_ex, d, &in, r, e);
        if (rc == ERR_PARSE) return err_set(e, ERR_PARSE, "gzip body is damaged or cut off");
        if (rc < 0) return rc;
    } while (in.n > 0); /* members simply follow one another */
    return OK;
}

/* "deflate" means the zlib form; some senders leave its wrapping off. */
static int inflate_deflate(struct libdeflate_decompressor *d, struct str in, struct room *r, struct err *e)
{
    struct str rest = in;
    int rc = inflate_member(libdeflate_zlib_decompress_ex, d, &rest, r, e);
    if (rc == ERR_PARSE) {
        rest = in;
        rc = inflate_member(libdeflate_deflate_decompress_ex, d, &rest, r, e);
    }
    if (rc == ERR_PARSE || (rc == OK && rest.n > 0))
        return err_set(e, ERR_PARSE, "deflate body is damaged or cut off");
    return rc;
}

/* The size in a gzip trailer, of the last member and modulo 2^32: a guess, no more. */
static size_t gzip_guess(struct str in)
{
    if (in.n < 18) return FIRST_GUESS;
    const unsigned char *t = (const unsigned char *)in.p + in.n - 4;
    size_t size = (size_t)t[0] | (size_t)t[1] << 8 | (size_t)t[2] << 16 | (size_t)t[3] << 24;
    return MAX(size, 1);
}

static int unpack_inflate(enum unpack_coding coding, struct str in, struct room *r, struct err *e)
{
    int rc = room_take(r, coding == UNPACK_GZIP ? gzip_guess(in) : MAX(in.n * 4, (size_t)FIRST_GUESS), e);
    if (rc < 0) return rc;

    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    check(d != NULL);
    rc = coding == UNPACK_GZIP ? inflate_gzip(d, in, r, e) : inflate_deflate(d, in, r, e);
    libdeflate_free_decompressor(d);
    return rc;
}

/* ---- zstd ---- */

static int zstd_damaged(size_t code, struct err *e)
{
    if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge)
        return err_set(e, ERR_LIMIT, "zstd body wants a window of more than %u MiB",
                       (1u << ZSTD_WINDOW_LOG) >> 20);
    return err_set(e, ERR_PARSE, "zstd body is damaged or cut off: %s", ZSTD_getErrorName(code));
}

/* Frames that do not say their size come from streaming senders. */
static int zstd_stream(ZSTD_DCtx *d, struct str packed, struct room *r, struct err *e)
{
    ZSTD_inBuffer in = { packed.p, packed.n, 0 };
    size_t more = 1;
    while (in.pos < in.size || more > 0) {
        ZSTD_outBuffer out = { r->p, r->cap, r->n };
        size_t in_before = in.pos;
        more = ZSTD_decompressStream(d, &out, &in);
        if (ZSTD_isError(more)) return zstd_damaged(more, e);
        if (in.pos == in_before && out.pos == r->n) { /* stuck: for want of room, or of input */
            if (r->n < r->cap) return err_set(e, ERR_PARSE, "zstd body is cut off");
            int rc = room_grow(r, e);
            if (rc < 0) return rc;
        }
        r->n = out.pos;
    }
    return OK;
}

static int unpack_zstd(struct str packed, struct room *r, struct err *e)
{
    /* The first frame's word for its size is enough to start with; more frames make it grow. */
    unsigned long long declared = ZSTD_getFrameContentSize(packed.p, packed.n);
    if (declared == ZSTD_CONTENTSIZE_ERROR) return err_set(e, ERR_PARSE, "body is not zstd");
    if (declared != ZSTD_CONTENTSIZE_UNKNOWN && declared > r->max) return too_large(r, e);

    int rc = room_take(
        r, declared == ZSTD_CONTENTSIZE_UNKNOWN ? MAX(packed.n * 4, (size_t)FIRST_GUESS) : MAX(declared, 1),
        e);
    if (rc < 0) return rc;

    ZSTD_DCtx *d = ZSTD_createDCtx();
    check(d != NULL);
    ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
    rc = zstd_stream(d, packed, r, e);
    ZSTD_freeDCtx(d);
    return rc;
}

/* ---- snappy ---- */

static int unpack_snappy(struct str packed, struct room *r, struct err *e)
{
    size_t declared;
    if (snappy_uncompressed_length(packed.p, packed.n, &declared) != SNAPPY_OK)
        return err_set(e, ERR_PARSE, "body is not snappy (block format)");
    if (declared > r->max) return too_large(r, e);
    if (declared / SNAPPY_RATIO_MAX > packed.n)
        return err_set(e, ERR_PARSE, "snappy body claims %zu bytes, which its %zu cannot make", declared,
                       packed.n);

    int rc = room_take(r, MAX(declared, 1), e);
    if (rc < 0) return rc;
    if (snappy_uncompress(packed.p, packed.n, r->p, &declared) != SNAPPY_OK)
        return err_set(e, ERR_PARSE, "snappy body is damaged or cut off");
    r->n = declared;
    return OK;
}

int unpack(enum unpack_coding coding, struct str packed, size_t max_bytes, struct arena *arena,
           struct str *out, struct err *e)
{
    if (coding == UNPACK_SNAPPY) max_bytes = MIN(max_bytes, (size_t)UNPACK_SNAPPY_MAX);
    struct room r = { .max = ceiling(packed.n, max_bytes), .arena = arena };
    int rc = OK;

    switch (coding) {
    case UNPACK_IDENTITY:
        r.max = max_bytes;
        if (packed.n > max_bytes) return too_large(&r, e);
        *out = packed;
        return OK;
    case UNPACK_GZIP:
    case UNPACK_DEFLATE: rc = unpack_inflate(coding, packed, &r, e); break;
    case UNPACK_ZSTD: rc = unpack_zstd(packed, &r, e); break;
    case UNPACK_SNAPPY: rc = unpack_snappy(packed, &r, e); break;
    }
    if (rc < 0) return rc;
    *out = (struct str){ r.p, r.n };
    return OK;
}
