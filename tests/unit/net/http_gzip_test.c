#include "unit/test.h"

#include <zlib.h>

#include "net/http_gzip.h"

TEST(accept_encoding_is_read_with_its_weights)
{
    EXPECT(http_gzip_accepted(STR("gzip")));
    EXPECT(http_gzip_accepted(STR("deflate, GZIP;q=0.5, br")));
    EXPECT(http_gzip_accepted(STR("*")));
    EXPECT(!http_gzip_accepted(STR("")));
    EXPECT(!http_gzip_accepted(STR("identity")));
    EXPECT(!http_gzip_accepted(STR("gzip;q=0")));
    EXPECT(!http_gzip_accepted(STR("gzip; q=0.000, *")));
    EXPECT(!http_gzip_accepted(STR("*;q=0")));
}

TEST(only_text_and_json_are_worth_it)
{
    EXPECT(http_gzip_type("application/json"));
    EXPECT(http_gzip_type("text/html; charset=utf-8"));
    EXPECT(http_gzip_type("application/openmetrics-text; version=1.0.0"));
    EXPECT(!http_gzip_type("application/x-protobuf"));
    EXPECT(!http_gzip_type("image/png"));
}

TEST(what_is_packed_unpacks_to_the_same)
{
    char text[20000], back[20000];
    for (size_t i = 0; i < sizeof text; i++) text[i] = "the quick brown fox "[i % 20];
    struct buf out = BUF_INIT(0);
    EXPECT(http_gzip(str_make(text, sizeof text), &out));
    EXPECT(out.n < sizeof text / 10);

    z_stream z = { .next_in = (unsigned char *)out.p,
                   .avail_in = (unsigned)out.n,
                   .next_out = (unsigned char *)back,
                   .avail_out = sizeof back };
    EXPECT(inflateInit2(&z, 15 + 16) == Z_OK);
    EXPECT(inflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out == sizeof text);
    inflateEnd(&z);
    EXPECT(memcmp(text, back, sizeof text) == 0);
    buf_release(&out);
}

TEST(what_does_not_shrink_is_left_alone)
{
    unsigned char noise[2048];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
    struct buf out = BUF_INIT(0);
    EXPECT(!http_gzip(str_make(noise, sizeof noise), &out));
    EXPECT(out.p == NULL);
}

TESTS(CASE(accept_encoding_is_read_with_its_weights), CASE(only_text_and_json_are_worth_it),
      CASE(what_is_packed_unpacks_to_the_same), CASE(what_does_not_shrink_is_left_alone))
