#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "net/grpc_unpack.h"
#include "unit/test.h"

TEST(packings_have_names)
{
    enum grpc_packing p;
    EXPECT(grpc_packing_find(STR(""), &p) && p == GRPC_PLAIN);
    EXPECT(grpc_packing_find(STR("identity"), &p) && p == GRPC_PLAIN);
    EXPECT(grpc_packing_find(STR("zstd"), &p) && p == GRPC_ZSTD);
    EXPECT(grpc_packing_find(STR("snappy"), &p) && p == GRPC_SNAPPY);
    EXPECT(!grpc_packing_find(STR("br"), &p));
}

static struct buf gzip(struct str in)
{
    struct buf out = BUF_INIT(1 << 26);
    z_stream z = { 0 };
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&z, in.n);
    z.next_in = (unsigned char *)(uintptr_t)in.p, z.avail_in = (unsigned)in.n;
    z.next_out = (unsigned char *)buf_room(&out, room), z.avail_out = (unsigned)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_added(&out, z.total_out);
    deflateEnd(&z);
    return out;
}

TEST(gzip_messages_unpack_within_their_ceiling)
{
    static char zeros[1 << 20], back[1 << 20];
    struct err e = ERR_INIT;
    struct buf b = gzip(str_make(zeros, sizeof zeros));
    EXPECT_INT(grpc_packed_size(GRPC_GZIP, buf_view(&b), sizeof zeros, &e), sizeof zeros);
    EXPECT_INT(grpc_packed_size(GRPC_GZIP, buf_view(&b), sizeof zeros - 1, &e), ERR_LIMIT);
    EXPECT_INT(grpc_unpack(GRPC_GZIP, buf_view(&b), back, sizeof back, &e), sizeof back);

    for (size_t cut = 0; cut < b.n; cut++) { /* no cut passes */
        struct str part = { b.p, cut };
        int64_t n = grpc_packed_size(GRPC_GZIP, part, sizeof back, &e);
        if (n >= 0) EXPECT(grpc_unpack(GRPC_GZIP, part, back, (size_t)n, &e) == ERR_PARSE);
    }
    memcpy(b.p + b.n - 4, "\xff\xff\xff\x00",
           4); /* says 16 MB: more than deflate could make of so few bytes */
    EXPECT_INT(grpc_packed_size(GRPC_GZIP, buf_view(&b), 1 << 26, &e), ERR_PARSE);
    memcpy(b.p + b.n - 4, "\x00\x00\x01\x00", 4); /* says less than there is: a bomb with a false label */
    EXPECT_INT(grpc_unpack(GRPC_GZIP, buf_view(&b), back, 65536, &e), ERR_PARSE);
    EXPECT_INT(grpc_packed_size(GRPC_GZIP, STR("this is no gzip at all"), 1 << 26, &e), ERR_PARSE);
    buf_release(&b);

    char *more = calloc(1, 16 << 20); /* a thousand times its packed size, and much of it */
    b = gzip(str_make(more, 16 << 20));
    EXPECT_INT(grpc_packed_size(GRPC_GZIP, buf_view(&b), 1 << 26, &e), ERR_LIMIT);
    buf_release(&b);
    free(more);
}

/* Frames that say their size, frames that do not, and several of them. */
TEST(zstd_messages_unpack_within_their_ceiling)
{
    static char text[300000], back[400000];
    struct buf b = BUF_INIT(1 << 20);
    struct err e = ERR_INIT;
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(i * i >> 3);
    for (int says = 0; says < 2; says++) {
        ZSTD_CCtx *z = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, says);
        size_t room = ZSTD_compressBound(sizeof text);
        size_t n = ZSTD_compress2(z, buf_room(&b, room), room, text, sizeof text);
        assert_false(ZSTD_isError(n));
        buf_added(&b, n);
        ZSTD_freeCCtx(z);
        int64_t most = grpc_packed_size(GRPC_ZSTD, buf_view(&b), sizeof back * 4, &e);
        EXPECT(most >= (int64_t)sizeof text && (!says || most > (int64_t)sizeof text));
        if (says) break; /* both frames, one after the other */
        EXPECT_INT(grpc_unpack(GRPC_ZSTD, buf_view(&b), back, sizeof back, &e), sizeof text);
        EXPECT(memcmp(back, text, sizeof text) == 0);
        EXPECT_INT(grpc_unpack(GRPC_ZSTD, buf_view(&b), back, sizeof text - 1, &e), ERR_PARSE);
        for (size_t cut = 0; cut < b.n; cut += 97)
            EXPECT(grpc_packed_size(GRPC_ZSTD, str_make(b.p, cut), sizeof back * 4, &e) < 0 ||
                   grpc_unpack(GRPC_ZSTD, str_make(b.p, cut), back, sizeof back, &e) < 0);
    }
    EXPECT_INT(grpc_packed_size(GRPC_ZSTD, buf_view(&b), 1000, &e), ERR_LIMIT);
    EXPECT_INT(grpc_packed_size(GRPC_ZSTD, STR("no zstd"), 1000, &e), ERR_PARSE);
    EXPECT_INT(grpc_packed_size(GRPC_ZSTD, STR(""), 1000, &e), ERR_PARSE);
    buf_release(&b);
}

static void chunk(struct buf *b, char kind, const char *bytes, size_t n)
{
    const char head[] = { kind, (char)n, (char)(n >> 8), (char)(n >> 16) };
    buf_add(b, head, 4);
    buf_add(b, bytes, n);
}

TEST(snappy_messages_are_streams_of_chunks)
{
    static char text[60000], packed[4 + 80000], back[200000];
    struct buf b = BUF_INIT(1 << 20);
    struct err e = ERR_INIT;
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(i >> 5);
    chunk(&b, (char)0xff, "sNaPpY", 6);
    size_t n = sizeof packed - 4;
    assert_int_equal(snappy_compress(text, sizeof text, packed + 4, &n), SNAPPY_OK);
    chunk(&b, 0, packed, n + 4);
    chunk(&b, (char)0xfe, "padding", 7);
    chunk(&b, 1, "....plain", 9); /* checksums are not looked at */
    EXPECT_INT(grpc_packed_size(GRPC_SNAPPY, buf_view(&b), sizeof back, &e), sizeof text + 5);
    EXPECT_INT(grpc_unpack(GRPC_SNAPPY, buf_view(&b), back, sizeof back, &e), sizeof text + 5);
    EXPECT(memcmp(back, text, sizeof text) == 0 && memcmp(back + sizeof text, "plain", 5) == 0);
    EXPECT_INT(grpc_unpack(GRPC_SNAPPY, buf_view(&b), back, sizeof text + 4, &e), ERR_PARSE);
    EXPECT_INT(grpc_packed_size(GRPC_SNAPPY, buf_view(&b), sizeof text, &e), ERR_LIMIT);
    const size_t ends[] = { 0, 10, 10 + 4 + n + 4, 10 + 8 + n + 11 };
    for (size_t cut = 0; cut < b.n; cut++) {
        bool whole = cut == ends[1] || cut == ends[2] || cut == ends[3];
        EXPECT((grpc_packed_size(GRPC_SNAPPY, str_make(b.p, cut), sizeof back, &e) >= 0) == whole);
    }
    chunk(&b, 2, "", 0); /* not to be skipped */
    EXPECT_INT(grpc_packed_size(GRPC_SNAPPY, buf_view(&b), sizeof back, &e), ERR_PARSE);
    EXPECT_INT(grpc_packed_size(GRPC_SNAPPY, STR("one block, as over HTTP"), sizeof back, &e), ERR_PARSE);
    buf_release(&b);
}

TESTS(CASE(packings_have_names), CASE(gzip_messages_unpack_within_their_ceiling),
      CASE(zstd_messages_unpack_within_their_ceiling), CASE(snappy_messages_are_streams_of_chunks))
