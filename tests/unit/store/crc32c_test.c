#include "store/crc32c.h"

#include "unit/test.h"

/* RFC 3720, B.4 */
TEST(crc32c_answers_as_the_standard_says)
{
    unsigned char b[32];
    memset(b, 0, sizeof b);
    EXPECT(crc32c(0, b, 32) == 0x8a9136aau);
    memset(b, 0xff, sizeof b);
    EXPECT(crc32c(0, b, 32) == 0x62a8ab43u);
    for (int i = 0; i < 32; i++) b[i] = (unsigned char)i;
    EXPECT(crc32c(0, b, 32) == 0x46dd794eu);
    for (int i = 0; i < 32; i++) b[i] = (unsigned char)(31 - i);
    EXPECT(crc32c(0, b, 32) == 0x113fdb5cu);
    EXPECT(crc32c(0, "123456789", 9) == 0xe3069283u);
}

TEST(crc32c_of_nothing_is_zero_and_changes_nothing)
{
    EXPECT(crc32c(0, NULL, 0) == 0);
    EXPECT(crc32c(0x12345678, "", 0) == 0x12345678);
}

TEST(crc32c_by_table_by_instruction_and_in_pieces_agree)
{
    unsigned char b[257];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof b; i++) b[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
    for (size_t from = 0; from < 9; from++)
        for (size_t n = 0; n + from <= sizeof b; n += 7) {
            uint32_t whole = crc32c(0, b + from, n);
            EXPECT(whole == crc32c_table(0, b + from, n));
            EXPECT(whole == crc32c(crc32c(0, b + from, n / 3), b + from + n / 3, n - n / 3));
        }
}

TESTS(CASE(crc32c_answers_as_the_standard_says), CASE(crc32c_of_nothing_is_zero_and_changes_nothing),
      CASE(crc32c_by_table_by_instruction_and_in_pieces_agree))
