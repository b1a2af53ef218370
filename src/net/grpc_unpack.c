/* grpc_unpack.c - see grpc_unpack.h.
 *
 * Every packing tells before anything is unpacked how much will come out at most: gzip in its last four
 * bytes, snappy chunk by chunk, zstd in its frames' heads, or by the number of their blocks. So there is one
 * buffer, taken once, and a lying message never gets beyond it.
 *
 * A snappy stream:  | kind u8 | length u24, little-endian | ... | :
 *     0xff "sNaPpY"     begins a stream; the first chunk, and may come again
 *     0x00, 0x01        checksum u32, then a snappy block, or bytes as they are; at most 65,536 of them
 *     0x80 - 0xfe       to be skipped;  0x02 - 0x7f: not to be skipped, so an error
 * Its checksums are not looked at: TLS has better ones, and what is damaged does not decode. */
#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_decompressBound; Debian's library has it */
#include "net/grpc_unpack.h"

#include <libdeflate.h>
#include <snappy-c.h>
#include <string.h>
#include <zstd.h>

#include "base/check.h"

#define DEFLATE_RATIO_MAX 1032       /* a deflate stream cannot expand more: 258 bytes from 2 bits */
#define UNPACK_FREE       (8u << 20) /* below, any ratio will do */
#define UNPACK_RATIO_MAX  100        /* above: telemetry packs well, but not better */
#define SNAPPY_CHUNK_MAX  65536

static const char *const names[] = { "identity", "gzip", "zstd", "snappy" };

bool grpc_packing_find(struct str encoding, enum grpc_packing *out)
{
    *out = GRPC_PLAIN;
    if (encoding.n == 0) return true;
    for (size_t i = 0; i < COUNT(names); i++) {
        if (!str_is(encoding, names[i])) continue;
        *out = (enum grpc_packing)i;
        return true;
    }
    return false;
}

/* ---- gzip ---- */

static int64_t gzip_size(struct str in, struct err *e)
{
    if (in.n < 18) return err_set(e, ERR_PARSE, "gzip message too short"); /* 10 of head, 8 of tail */
    if (memcmp(in.p, "\x1f\x8b", 2) != 0) return err_set(e, ERR_PARSE, "message is not gzip");
    const unsigned char *tail = (const unsigned char *)in.p + in.n - 4;
    uint32_t n = (uint32_t)tail[3] << 24 | (uint32_t)tail[2] << 16 | (uint32_t)tail[1] << 8 | tail[0];
    if (n / DEFLATE_RATIO_MAX > in.n) return err_set(e, ERR_PARSE, "gzip message with a false length");
    return n;
}

static int64_t gunzip(struct str in, char *out, size_t n)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    check(d != NULL);
    size_t used, got;
    enum libdeflate_result rc = libdeflate_gzip_decompress_ex(d, in.p, in.n, out, n, &used, &got);
    libdeflate_free_decompressor(d);
    return rc != LIBDEFLATE_SUCCESS || used != in.n || got != n ? ERR_PARSE : (int64_t)n;
}

/* ---- zstd ---- */

static int64_t zstd_size(struct str in, struct err *e)
{
    unsigned long long n = ZSTD_decompressBound(in.p, in.n);
    if (in.n == 0 || n == ZSTD_CONTENTSIZE_ERROR) return err_set(e, ERR_PARSE, "damaged zstd message");
    return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static int64_t unzstd(struct str in, char *out, size_t n)
{
    size_t got = ZSTD_decompress(out, n, in.p, in.n);
    return ZSTD_isError(got) ? ERR_PARSE : (int64_t)got;
}

/* ---- snappy ---- */

struct chunk {
    uint8_t kind;
    struct str body;
};

static bool take_chunk(struct str *in, struct chunk *c)
{
    if (in->n < 4) return false;
    const uint8_t *p = (const uint8_t *)in->p;
    size_t n = p[1] | (size_t)p[2] << 8 | (size_t)p[3] << 16;
    if (n > in->n - 4) return false;
    *c = (struct chunk){ p[0], str_make(in->p + 4, n) };
    *in = str_make(in->p + 4 + n, in->n - 4 - n);
    return true;
}

/* What a chunk of data unpacks to, past its checksum. */
static int64_t chunk_size(struct chunk *c)
{
    size_t n = 0;
    if (c->body.n < 4) return ERR_PARSE;
    c->body = str_make(c->body.p + 4, c->body.n - 4);
    if (c->kind == 1)
        n = c->body.n;
    else if (snappy_uncompressed_length(c->body.p, c->body.n, &n) != SNAPPY_OK)
        return ERR_PARSE;
    return n > SNAPPY_CHUNK_MAX ? ERR_PARSE : (int64_t)n;
}

/* Unpacks to out, or with NULL only counts. Room for what was counted is room enough. */
static int64_t snappy_stream(struct str in, char *out, size_t room)
{
    struct chunk c;
    size_t total = 0;
    if (in.n < 4 || (uint8_t)in.p[0] != 0xff) return ERR_PARSE;
    while (in.n > 0) {
        if (!take_chunk(&in, &c)) return ERR_PARSE;
        if (c.kind == 0xff && !str_is(c.body, "sNaPpY")) return ERR_PARSE;
        if (c.kind >= 0x80) continue;
        int64_t n = c.kind > 1 ? ERR_PARSE : chunk_size(&c);
        if (n < 0) return n;
        size_t got = out == NULL ? 0 : room - total;
        if (out != NULL && (size_t)n > got) return ERR_PARSE;
        if (out != NULL && c.kind == 1) memcpy(out + total, c.body.p, (size_t)n);
        if (out != NULL && c.kind == 0 &&
            snappy_uncompress(c.body.p, c.body.n, out + total, &got) != SNAPPY_OK)
            return ERR_PARSE;
        total += (size_t)n;
    }
    return (int64_t)total;
}

/* ---- any ---- */

int64_t grpc_packed_size(enum grpc_packing packing, struct str in, size_t max, struct err *e)
{
    int64_t n = packing == GRPC_GZIP   ? gzip_size(in, e)
                : packing == GRPC_ZSTD ? zstd_size(in, e)
                                       : snappy_stream(in, NULL, 0);
    if (n < 0 && packing == GRPC_SNAPPY) err_set(e, ERR_PARSE, "message is no snappy stream");
    if (n < 0) return n;
    if ((uint64_t)n > max)
        return err_set(e, ERR_LIMIT, "%s message unpacks to %lld bytes, limit %zu", names[packing],
                       (long long)n, max);
    if (n > UNPACK_FREE && (size_t)n / UNPACK_RATIO_MAX > in.n)
        return err_set(e, ERR_LIMIT, "%s message unpacks to more than %d times its size", names[packing],
                       UNPACK_RATIO_MAX);
    return n;
}

int64_t grpc_unpack(enum grpc_packing packing, struct str in, char *out, size_t n, struct err *e)
{
    int64_t got = packing == GRPC_GZIP   ? gunzip(in, out, n)
                  : packing == GRPC_ZSTD ? unzstd(in, out, n)
                                         : snappy_stream(in, out, n);
    return got < 0 ? err_set(e, ERR_PARSE, "damaged %s message", names[packing]) : got;
}
