#include "decode/unpack.h"

#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/check.h"
#include "unit/test.h"

#define MIB ((size_t)1 << 20)

/* Resident memory at its highest, in bytes. */
static size_t peak_rss(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    size_t kb = 0;
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmHWM: %zu kB", &kb) == 1) break;
    if (f != NULL) fclose(f);
    return kb << 10;
}

/* zlib: window bits 31 = gzip, 15 = zlib, -15 = bare deflate. */
static void zip(struct buf *out, struct str in, int window_bits)
{
    z_stream z = { 0 };
    EXPECT(deflateInit2(&z, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t room = deflateBound(&z, in.n);
    z.next_in = (Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = (Bytef *)buf_room(out, room);
    z.avail_out = (uInt)room;
    EXPECT(deflate(&z, Z_FINISH) == Z_STREAM_END);
    buf_added(out, z.total_out);
    deflateEnd(&z);
}

static void zstd(struct buf *out, struct str in, bool with_size, int window_log)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, with_size);
    if (window_log) ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_log);
    size_t room = ZSTD_compressBound(in.n);
    size_t n = ZSTD_compress2(c, buf_room(out, room), room, in.p, in.n);
    EXPECT(!ZSTD_isError(n));
    buf_added(out, n);
    ZSTD_freeCCtx(c);
}

static void snappy(struct buf *out, struct str in)
{
    size_t n = snappy_max_compressed_length(in.n);
    EXPECT(snappy_compress(in.p, in.n, buf_room(out, n), &n) == SNAPPY_OK);
    buf_added(out, n);
}

static void pack(struct buf *out, enum unpack_coding c, struct str in)
{
    switch (c) {
    case UNPACK_IDENTITY: buf_str(out, in); break;
    case UNPACK_GZIP: zip(out, in, 31); break;
    case UNPACK_DEFLATE: zip(out, in, 15); break;
    case UNPACK_ZSTD: zstd(out, in, true, 0); break;
    case UNPACK_SNAPPY: snappy(out, in); break;
    }
}

/* Something like telemetry: words over and over, and numbers. */
static struct str sample_text(struct arena *a, size_t n)
{
    char *p = arena_alloc(a, n + 64);
    uint32_t x = 1;
    for (size_t at = 0; at < n;) {
        x = x * 1664525u + 1013904223u;
        at += (size_t)sprintf(p + at, "http_requests_total{code=\"%u\"} %u\n", 200 + (x >> 30), x >> 12);
    }
    return (struct str){ p, n };
}

TEST(unpack_knows_the_codings_by_name)
{
    enum unpack_coding c;
    struct err e = ERR_INIT;
    EXPECT(unpack_coding(STR(""), &c, &e) == OK && c == UNPACK_IDENTITY);
    EXPECT(unpack_coding(STR("Identity"), &c, &e) == OK && c == UNPACK_IDENTITY);
    EXPECT(unpack_coding(STR("GZIP"), &c, &e) == OK && c == UNPACK_GZIP);
    EXPECT(unpack_coding(STR(" snappy "), &c, &e) == OK && c == UNPACK_SNAPPY);
    EXPECT(unpack_coding(STR("zstd"), &c, &e) == OK && c == UNPACK_ZSTD);
    EXPECT(unpack_coding(STR("deflate"), &c, &e) == OK && c == UNPACK_DEFLATE);
    EXPECT(unpack_coding(STR("br"), &c, &e) == ERR_UNSUPPORTED && strstr(e.text, "\"br\"") != NULL);
    EXPECT(unpack_coding(STR("gzip, gzip"), &c, &e) == ERR_UNSUPPORTED);
}

TEST(unpack_gives_back_what_was_packed)
{
    static const size_t sizes[] = { 0, 1, 100, 65536, 300000, 3 * MIB };
    for (enum unpack_coding c = UNPACK_IDENTITY; c <= UNPACK_SNAPPY; c++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            struct arena a = ARENA_INIT(64 * MIB);
            struct buf packed = BUF_INIT(64 * MIB);
            struct str text = sample_text(&a, sizes[i]), out;
            struct err e = ERR_INIT;
            pack(&packed, c, text);
            EXPECT(unpack(c, buf_view(&packed), UNPACK_MAX, &a, &out, &e) == OK);
            EXPECT(str_eq(out, text));
            buf_release(&packed);
            arena_release(&a);
        }
    }
}

TEST(unpack_reads_several_gzip_members_and_zstd_frames)
{
    struct arena a = ARENA_INIT(64 * MIB);
    struct buf gz = BUF_INIT(MIB), zs = BUF_INIT(MIB);
    struct str text = sample_text(&a, 200000), out;
    struct err e = ERR_INIT;

    for (size_t at = 0; at < text.n; at += 50000) {
        zip(&gz, str_make(text.p + at, 50000), 31);
        zstd(&zs, str_make(text.p + at, 50000), at % 100000 == 0, 0);
    }
    EXPECT(unpack(UNPACK_GZIP, buf_view(&gz), UNPACK_MAX, &a, &out, &e) == OK && str_eq(out, text));
    EXPECT(unpack(UNPACK_ZSTD, buf_view(&zs), UNPACK_MAX, &a, &out, &e) == OK && str_eq(out, text));
    buf_release(&gz);
    buf_release(&zs);
    arena_release(&a);
}

TEST(unpack_reads_bare_deflate_and_zstd_without_a_size)
{
    struct arena a = ARENA_INIT(64 * MIB);
    struct buf df = BUF_INIT(MIB), zs = BUF_INIT(MIB);
    struct str text = sample_text(&a, 900000), out;
    struct err e = ERR_INIT;

    zip(&df, text, -15);
    EXPECT(unpack(UNPACK_DEFLATE, buf_view(&df), UNPACK_MAX, &a, &out, &e) == OK && str_eq(out, text));
    zstd(&zs, text, false, 0);
    EXPECT(unpack(UNPACK_ZSTD, buf_view(&zs), UNPACK_MAX, &a, &out, &e) == OK && str_eq(out, text));
    buf_release(&df);
    buf_release(&zs);
    arena_release(&a);
}

TEST(unpack_refuses_a_body_cut_off_anywhere_or_followed_by_more)
{
    for (enum unpack_coding c = UNPACK_GZIP; c <= UNPACK_SNAPPY; c++) {
        struct arena a = ARENA_INIT(64 * MIB), texts = ARENA_INIT(MIB);
        struct buf packed = BUF_INIT(MIB);
        struct str out;
        struct err e;
        pack(&packed, c, sample_text(&texts, 500));
        for (size_t n = 0; n < packed.n; n++) {
            /* exactly n bytes on the heap, so that a sanitizer sees a read too far */
            char *exact = malloc(n ? n : 1);
            memcpy(exact, packed.p, n);
            e = (struct err)ERR_INIT;
            int rc = unpack(c, str_make(exact, n), UNPACK_MAX, &a, &out, &e);
            EXPECT(rc == ERR_PARSE && e.text[0] != 0);
            free(exact);
            arena_release(&a); /* a gzip cut off has any size in its last four bytes */
        }
        buf_char(&packed, 'x');
        EXPECT(unpack(c, buf_view(&packed), UNPACK_MAX, &a, &out, &e) == ERR_PARSE);
        buf_release(&packed);
        arena_release(&texts);
        arena_release(&a);
    }
}

TEST(unpack_keeps_to_the_callers_limit_to_the_byte)
{
    for (enum unpack_coding c = UNPACK_IDENTITY; c <= UNPACK_SNAPPY; c++) {
        struct arena a = ARENA_INIT(64 * MIB);
        struct buf packed = BUF_INIT(MIB);
        struct str text = sample_text(&a, 100000), out;
        struct err e = ERR_INIT;
        pack(&packed, c, text);
        EXPECT(unpack(c, buf_view(&packed), 100000, &a, &out, &e) == OK && out.n == 100000);
        EXPECT(unpack(c, buf_view(&packed), 99999, &a, &out, &e) == ERR_LIMIT);
        EXPECT(strstr(e.text, "99999") != NULL);
        buf_release(&packed);
        arena_release(&a);
    }
}

/* 48 MiB of zeros pack to some KB; only UNPACK_FREE bytes of them may ever be made. */
TEST(unpack_stops_bombs_early)
{
    struct buf bombs[4] = { BUF_INIT(64 * MIB), BUF_INIT(64 * MIB), BUF_INIT(64 * MIB), BUF_INIT(64 * MIB) };
    char *zeros = calloc(1, 48 * MIB);
    zip(&bombs[0], str_make(zeros, 48 * MIB), 31);
    zip(&bombs[1], str_make(zeros, 48 * MIB), 15);
    zstd(&bombs[2], str_make(zeros, 48 * MIB), true, 0);
    zstd(&bombs[3], str_make(zeros, 48 * MIB), false, 0);
    free(zeros);

    static const enum unpack_coding codings[] = { UNPACK_GZIP, UNPACK_DEFLATE, UNPACK_ZSTD, UNPACK_ZSTD };
    size_t before = peak_rss();
    for (size_t i = 0; i < COUNT(bombs); i++) {
        struct arena a = ARENA_INIT(128 * MIB);
        struct str out;
        struct err e = ERR_INIT;
        EXPECT(unpack(codings[i], buf_view(&bombs[i]), UNPACK_MAX, &a, &out, &e) == ERR_LIMIT);
        EXPECT(a.used <= 16 * MIB);
        arena_release(&a);
        buf_release(&bombs[i]);
    }
    size_t grown = peak_rss() - before;
#ifdef __SANITIZE_ADDRESS__
    grown = 0; /* what is freed stays resident in the sanitizer's quarantine */
#endif
    EXPECT(grown < 40 * MIB);
}

/* As many bytes of noise as given, the rest zeros: packs to little more than the noise. */
static void noise_and_zeros(struct buf *packed, size_t noise, size_t size)
{
    char *bytes = calloc(1, size);
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < noise; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        bytes[i] = (char)x;
    }
    zstd(packed, str_make(bytes, size), true, 0);
    EXPECT(packed->n >= noise && packed->n < noise + noise / 8 + 4096);
    free(bytes);
}

/* The ceilings of unpack.h, from both sides. */
TEST(unpack_allows_less_packing_the_larger_the_body)
{
    static const struct {
        size_t noise, size;
        int rc;
    } bodies[] = {
        { 1000, 7 * MIB, OK }, /* 7000 times: it is small */
        { 24 * MIB / 80, 24 * MIB, OK }, { 24 * MIB / 120, 24 * MIB, ERR_LIMIT },
        { 48 * MIB / 25, 48 * MIB, OK }, { 48 * MIB / 40, 48 * MIB, ERR_LIMIT },
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct arena a = ARENA_INIT(128 * MIB);
        struct buf packed = BUF_INIT(64 * MIB);
        struct str out;
        struct err e = ERR_INIT;
        noise_and_zeros(&packed, bodies[i].noise, bodies[i].size);
        EXPECT(unpack(UNPACK_ZSTD, buf_view(&packed), UNPACK_MAX, &a, &out, &e) == bodies[i].rc);
        if (bodies[i].rc == OK) EXPECT(out.n == bodies[i].size);
        buf_release(&packed);
        arena_release(&a);
    }
}

TEST(unpack_does_not_believe_a_declared_size)
{
    /* snappy: a length of 4 GiB - 1, of 31 MiB, and one of a bit more than the copies can make, each with few
     * bytes after */
    static const struct {
        const char *bytes;
        size_t n;
        int rc;
    } snappy_lies[] = {
        { "\xff\xff\xff\xff\x0f\x00\x61", 7, ERR_LIMIT },
        { "\x80\x80\xc0\x0f\x00\x61", 6, ERR_LIMIT }, /* 32505856: beyond UNPACK_FREE with six bytes */
        { "\x80\x80\x80\x02\x00\x61", 6, ERR_PARSE }, /* 4 MiB out of six bytes */
        { "\xff\xff\xff\xff\xff\xff\x00\x61", 8, ERR_PARSE },
        { "\x05\x00\x61", 3, ERR_PARSE },
    };
    for (size_t i = 0; i < COUNT(snappy_lies); i++) {
        struct arena a = ARENA_INIT(128 * MIB);
        struct str out;
        struct err e = ERR_INIT;
        EXPECT(unpack(UNPACK_SNAPPY, str_make(snappy_lies[i].bytes, snappy_lies[i].n), UNPACK_MAX, &a, &out,
                      &e) == snappy_lies[i].rc);
        EXPECT(a.used <= MIB);
        arena_release(&a);
    }

    /* gzip: the trailer says 4 GiB - 1, the body is one letter: the checksum of sizes decides, not the guess
     */
    struct arena a = ARENA_INIT(128 * MIB);
    struct buf gz = BUF_INIT(MIB);
    struct str out;
    struct err e = ERR_INIT;
    zip(&gz, STR("a"), 31);
    memset(gz.p + gz.n - 4, 0xff, 4);
    EXPECT(unpack(UNPACK_GZIP, buf_view(&gz), UNPACK_MAX, &a, &out, &e) == ERR_PARSE);
    EXPECT(a.used <= 9 * MIB); /* UNPACK_FREE, never touched */
    buf_release(&gz);
    arena_release(&a);
}

TEST(unpack_refuses_a_large_zstd_window)
{
    struct arena a = ARENA_INIT(128 * MIB);
    struct buf zs = BUF_INIT(64 * MIB);
    size_t n = 30 * MIB;
    char *noise = malloc(n);
    uint32_t x = 7;
    for (size_t i = 0; i < n; i++) noise[i] = (char)((x = x * 1664525u + 1013904223u) >> 24);
    struct str out;
    struct err e = ERR_INIT;

    zstd(&zs, str_make(noise, n), false, 27);
    EXPECT(unpack(UNPACK_ZSTD, buf_view(&zs), UNPACK_MAX, &a, &out, &e) == ERR_LIMIT);
    EXPECT(strstr(e.text, "window") != NULL);
    free(noise);
    buf_release(&zs);
    arena_release(&a);
}

TEST(unpack_asks_the_arena_first)
{
    struct arena a = ARENA_INIT(MIB);
    struct buf packed = BUF_INIT(8 * MIB);
    struct arena texts = ARENA_INIT(8 * MIB);
    struct str out;
    struct err e = ERR_INIT;
    zstd(&packed, sample_text(&texts, 3 * MIB), true, 0);
    EXPECT(unpack(UNPACK_ZSTD, buf_view(&packed), UNPACK_MAX, &a, &out, &e) == ERR_LIMIT);
    EXPECT(a.used == 0);
    buf_release(&packed);
    arena_release(&texts);
    arena_release(&a);
}

TESTS(CASE(unpack_knows_the_codings_by_name), CASE(unpack_gives_back_what_was_packed),
      CASE(unpack_reads_several_gzip_members_and_zstd_frames),
      CASE(unpack_reads_bare_deflate_and_zstd_without_a_size),
      CASE(unpack_refuses_a_body_cut_off_anywhere_or_followed_by_more),
      CASE(unpack_keeps_to_the_callers_limit_to_the_byte), CASE(unpack_stops_bombs_early),
      CASE(unpack_allows_less_packing_the_larger_the_body), CASE(unpack_does_not_believe_a_declared_size),
      CASE(unpack_refuses_a_large_zstd_window), CASE(unpack_asks_the_arena_first))
