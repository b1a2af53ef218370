#include "unit/test.h"

#include "net/grpc_wire.h"

TEST(heads_are_five_bytes_big_endian)
{
    struct grpc_head h;
    EXPECT(grpc_head_read("\x01\x00\x01\x02\x03", &h) && h.compressed && h.length == 0x10203);
    EXPECT(grpc_head_read("\x00\xff\xff\xff\xff", &h) && !h.compressed && h.length == UINT32_MAX);
    EXPECT(!grpc_head_read("\x02\x00\x00\x00\x00", &h));
    struct buf b = BUF_INIT(16);
    grpc_head_write(&b, 0x10203);
    EXPECT(str_eq(buf_view(&b), str_make("\x00\x00\x01\x02\x03", 5)));
    buf_release(&b);
}

TEST(timeouts_have_a_unit_and_at_most_eight_digits)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = { { "1H", 3600000 }, { "2M", 120000 }, { "3S", 3000 },
                 { "4m", 4 },       { "1u", 1 },      { "1001u", 2 },
                 { "1n", 1 },       { "0S", 0 },      { "99999999H", INT64_C(99999999) * 3600000 } };
    static const char *const bad[] = { "",   "1",          "S",    "-1S", "+1S", "1s",
                                       "1h", "100000000S", "1.5S", " 1S", "1SS" };
    int64_t ms;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        EXPECT(grpc_timeout_read(str_of(good[i].text), &ms) && ms == good[i].ms);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) EXPECT(!grpc_timeout_read(str_of(bad[i]), &ms));
}

TEST(texts_are_percent_encoded)
{
    struct buf b = BUF_INIT(256);
    grpc_text_write(&b, STR("50% of caf\xc3\xa9\n~"));
    EXPECT_STR(buf_cstr(&b), "50%25 of caf%C3%A9%0A~");
    buf_release(&b);
}

TEST(details_are_a_status_with_retry_info_in_base64)
{
    /* Status{code: 14, message: "busy", details: [Any{type.googleapis.com/google.rpc.RetryInfo, RetryInfo{1.5
     * s}}]}, put together by hand from the field numbers of google/rpc/status.proto and error_details.proto.
     */
    struct buf b = BUF_INIT(512);
    grpc_details_write(&b, GRPC_UNAVAILABLE, STR("busy"), 1500);
    EXPECT_STR(buf_cstr(&b),
               "CA4SBGJ1c3kaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIARCAyrXuAQ");
    buf_release(&b);
}

TEST(health_requests_name_a_service_or_none)
{
    struct str s;
    EXPECT(grpc_health_service(STR(""), &s) && s.n == 0);
    EXPECT(grpc_health_service(STR("\x0a\x03"
                                   "abc"),
                               &s) &&
           str_is(s, "abc"));
    EXPECT(!grpc_health_service(STR("\x0a\x04"
                                    "abc"),
                                &s));
    EXPECT(!grpc_health_service(STR("\x0a"), &s));
    EXPECT(!grpc_health_service(STR("\x12\x01"
                                    "a"),
                                &s));
}

TESTS(CASE(heads_are_five_bytes_big_endian), CASE(timeouts_have_a_unit_and_at_most_eight_digits),
      CASE(texts_are_percent_encoded), CASE(details_are_a_status_with_retry_info_in_base64),
      CASE(health_requests_name_a_service_or_none))
