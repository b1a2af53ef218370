#include "base/buf.h"

#include "unit/test.h"

TEST(buf_stops_at_its_ceiling_and_remembers)
{
    struct buf b = BUF_INIT(10);
    buf_cs(&b, "12345");
    buf_cs(&b, "67890");
    EXPECT(!b.full && b.n == 10);

    buf_char(&b, 'x');
    EXPECT(b.full && b.n == 10);
    buf_clear(&b);
    EXPECT(!b.full && b.n == 0);

    buf_cs(&b, "123456");
    buf_cs(&b, "78901"); /* does not fit */
    buf_cs(&b, "7");     /* would, but a gap must not close unseen */
    EXPECT(b.full && str_is(buf_view(&b), "123456"));
    buf_release(&b);
    EXPECT(b.p == NULL && b.max == 10);
}

TEST(buf_cstr_terminates_even_a_full_buf)
{
    struct buf b = BUF_INIT(64);
    EXPECT_STR(buf_cstr(&b), "");
    for (int i = 0; i < 64; i++) buf_char(&b, 'x');
    EXPECT(!b.full && strlen(buf_cstr(&b)) == 64);
    buf_char(&b, 'y');
    EXPECT(b.full && b.n == 64);
    buf_release(&b);
}

TEST(buf_printf_fills_to_the_last_byte)
{
    char text[301];
    struct buf b = BUF_INIT(300);
    memset(text, 'x', 300);
    text[300] = 0;
    buf_printf(&b, "%s", text); /* longer than its own small buffer */
    EXPECT(!b.full && b.n == 300);
    buf_release(&b);
}

TEST(buf_writes_integers_of_all_sizes)
{
    struct buf b = BUF_INIT(1000);
    buf_i64(&b, INT64_MIN);
    buf_char(&b, ' ');
    buf_u64(&b, UINT64_MAX);
    buf_char(&b, ' ');
    buf_i64(&b, 0);
    EXPECT_STR(buf_cstr(&b), "-9223372036854775808 18446744073709551615 0");
    buf_release(&b);
}

TEST(buf_writes_little_endian_and_leb128)
{
    struct buf b = BUF_INIT(1000);
    buf_u16le(&b, 0x0102);
    buf_u32le(&b, 0x03040506);
    buf_u64le(&b, 0x0708090a0b0c0d0e);
    buf_varint(&b, 0);
    buf_varint(&b, 300); /* the example of the protobuf documentation: ac 02 */
    buf_varint(&b, UINT64_MAX);
    EXPECT(str_eq(buf_view(&b), STR("\x02\x01\x06\x05\x04\x03\x0e\x0d\x0c\x0b\x0a\x09\x08\x07\x00\xac\x02"
                                    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")));
    buf_release(&b);
}

TESTS(CASE(buf_stops_at_its_ceiling_and_remembers), CASE(buf_cstr_terminates_even_a_full_buf),
      CASE(buf_printf_fills_to_the_last_byte), CASE(buf_writes_integers_of_all_sizes),
      CASE(buf_writes_little_endian_and_leb128))
