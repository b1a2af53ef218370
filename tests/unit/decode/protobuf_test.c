#include "decode/protobuf.h"

#include "unit/test.h"

static struct pb open_bytes(const void *p, size_t n)
{
    return pb_open(str_make(p, n));
}

TEST(protobuf_reads_the_example_of_its_documentation)
{
    /* 08 96 01: field 1, varint 150 */
    struct pb r = open_bytes("\x08\x96\x01", 3);
    struct pb_field f;
    EXPECT(pb_next(&r, &f) && f.tag == PB_VARINT(1) && f.u == 150);
    EXPECT(!pb_next(&r, &f) && r.why == NULL);
    EXPECT(pb_error(&r, NULL) == OK);
}

TEST(protobuf_reads_every_wire_type)
{
    static const char bytes[] = "\x12\x07testing"                      /* 2: "testing" */
                                "\x19\x00\x00\x00\x00\x00\x00\xf0\x3f" /* 3: fixed64 1.0 */
                                "\x25\x78\x56\x34\x12";                /* 4: fixed32 0x12345678 */
    struct pb r = open_bytes(bytes, sizeof bytes - 1);
    struct pb_field f;
    EXPECT(pb_next(&r, &f) && f.tag == PB_LEN(2) && str_is(f.bytes, "testing"));
    EXPECT(pb_next(&r, &f) && f.tag == PB_I64(3) && pb_double(f.u) == 1.0);
    EXPECT(pb_next(&r, &f) && f.tag == PB_I32(4) && f.u == 0x12345678);
    EXPECT(!pb_next(&r, &f) && r.why == NULL);
}

TEST(protobuf_reads_the_largest_number_and_refuses_a_larger_one)
{
    struct pb r = open_bytes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
    uint64_t v;
    EXPECT(pb_varint(&r, &v) && v == UINT64_MAX);

    r = open_bytes("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
    EXPECT(!pb_varint(&r, &v) && r.why != NULL);
    r = open_bytes("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11);
    EXPECT(!pb_varint(&r, &v));
    r = open_bytes("\x81\x80\x00", 3); /* padded, and legal */
    EXPECT(pb_varint(&r, &v) && v == 1);
}

TEST(protobuf_unfolds_zigzag)
{
    EXPECT(pb_zigzag(0) == 0 && pb_zigzag(1) == -1 && pb_zigzag(2) == 1 && pb_zigzag(3) == -2);
    EXPECT(pb_zigzag(0xfffffffeu) == 0x7fffffff && pb_zigzag(0xffffffffu) == -2147483648ll);
    EXPECT(pb_zigzag(UINT64_MAX) == INT64_MIN);
}

static void refused(const void *p, size_t n, const char *text)
{
    struct pb r = open_bytes(p, n);
    struct pb_field f;
    struct err e = ERR_INIT;
    while (pb_next(&r, &f)) {
    }
    EXPECT(pb_error(&r, &e) == ERR_PARSE);
    EXPECT_STR(e.text, text);
}

TEST(protobuf_names_the_place_of_an_error)
{
    refused("\x08\x01\x0b", 3, "byte 3: group or unknown wire type");
    refused("\x0c", 1, "byte 1: group or unknown wire type");
    refused("\x08\x01\x0e", 3, "byte 3: group or unknown wire type");
    refused("\x00\x01", 2, "byte 1: no such field number");
    refused("\x08\x01\x12\x05zzz", 7, "byte 4: length passes the end of the message");
    refused("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01zz", 13,
            "byte 11: length passes the end of the message");
    refused("\x08\x80", 2, "byte 1: number cut off");
    refused("\x19zzzzzzz", 8, "byte 1: 8 bytes wanted, message ends");
    refused("\x1dzzz", 4, "byte 1: 4 bytes wanted, message ends");
    refused("\x80\x80\x80\x80\x80\x01", 6, "byte 6: no such field number");
}

TEST(protobuf_counts_places_from_the_outermost_message)
{
    struct pb r = open_bytes("\x08\x01\x0a\x02\x08\x80", 6);
    struct pb_field f;
    struct err e = ERR_INIT;
    EXPECT(pb_next(&r, &f) && pb_next(&r, &f) && f.tag == PB_LEN(1));

    struct pb sub = pb_sub(&r, f.bytes);
    EXPECT(!pb_next(&sub, &f));
    EXPECT(!pb_join(&r, &sub));
    EXPECT(!pb_next(&r, &f));
    EXPECT(pb_error(&r, &e) == ERR_PARSE);
    EXPECT_STR(e.text, "byte 5: number cut off");
}

TEST(protobuf_refuses_bottomless_nesting)
{
    struct pb r = open_bytes("\x0a\x00", 2);
    for (int i = 0; i < PB_DEPTH_MAX; i++) {
        r = pb_sub(&r, str_make(r.p, 2));
        EXPECT(r.why == NULL);
    }
    r = pb_sub(&r, str_make(r.p, 2));
    EXPECT(r.why != NULL && !pb_more(&r));
}

TEST(protobuf_tells_a_wrong_wire_type_from_an_unknown_field)
{
    struct pb r = open_bytes("\x08\x01", 2);
    struct pb_field f;
    EXPECT(pb_next(&r, &f));
    pb_other(&r, &f, PB_KNOWN(2));
    EXPECT(r.why == NULL);
    pb_other(&r, &f, PB_KNOWN(1));
    EXPECT(r.why != NULL);
}

TEST(protobuf_writes_what_it_reads)
{
    struct buf b = BUF_INIT(1 << 20);
    char text[300];
    memset(text, 'x', sizeof text);

    pb_put_varint(&b, 1, UINT64_MAX);
    pb_put_sint(&b, 2, -3);
    pb_put_double(&b, 3, -0.5);
    size_t outer = pb_put_begin(&b, 1000);
    pb_put_bytes(&b, 1, str_make(text, sizeof text)); /* makes the length two bytes */
    size_t inner = pb_put_begin(&b, 2);
    pb_put_end(&b, inner);
    pb_put_end(&b, outer);
    pb_put_i32(&b, 4, 7);
    pb_put_i64(&b, 5, 8);

    struct pb r = pb_open(buf_view(&b));
    struct pb_field f;
    EXPECT(pb_next(&r, &f) && f.tag == PB_VARINT(1) && f.u == UINT64_MAX);
    EXPECT(pb_next(&r, &f) && f.tag == PB_VARINT(2) && pb_zigzag(f.u) == -3);
    EXPECT(pb_next(&r, &f) && f.tag == PB_I64(3) && pb_double(f.u) == -0.5);
    EXPECT(pb_next(&r, &f) && f.tag == PB_LEN(1000));
    struct pb sub = pb_sub(&r, f.bytes);
    EXPECT(pb_next(&sub, &f) && f.tag == PB_LEN(1) && f.bytes.n == sizeof text);
    EXPECT(pb_next(&sub, &f) && f.tag == PB_LEN(2) && f.bytes.n == 0);
    EXPECT(!pb_next(&sub, &f) && pb_join(&r, &sub));
    EXPECT(pb_next(&r, &f) && f.tag == PB_I32(4) && f.u == 7);
    EXPECT(pb_next(&r, &f) && f.tag == PB_I64(5) && f.u == 8);
    EXPECT(!pb_next(&r, &f) && r.why == NULL);
    buf_release(&b);
}

TEST(protobuf_writer_stays_within_the_ceiling)
{
    for (size_t max = 0; max < 140; max++) {
        struct buf b = BUF_INIT(max);
        size_t at = pb_put_begin(&b, 1);
        for (int i = 0; i < 130; i++) buf_char(&b, 'x');
        pb_put_end(&b, at);
        EXPECT(b.n <= max && b.full == (max < 133));
        buf_release(&b);
    }
}

TEST(protobuf_counts_packed_numbers)
{
    EXPECT(pb_count_varints(str_make("", 0)) == 0);
    EXPECT(pb_count_varints(str_make("\x01\x80\x01\x7f", 4)) == 3);
}

TESTS(CASE(protobuf_reads_the_example_of_its_documentation), CASE(protobuf_reads_every_wire_type),
      CASE(protobuf_reads_the_largest_number_and_refuses_a_larger_one), CASE(protobuf_unfolds_zigzag),
      CASE(protobuf_names_the_place_of_an_error), CASE(protobuf_counts_places_from_the_outermost_message),
      CASE(protobuf_refuses_bottomless_nesting), CASE(protobuf_tells_a_wrong_wire_type_from_an_unknown_field),
      CASE(protobuf_writes_what_it_reads), CASE(protobuf_writer_stays_within_the_ceiling),
      CASE(protobuf_counts_packed_numbers))
