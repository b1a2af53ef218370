/* Jaeger batches, written by hand in both of Thrift's protocols as their specifications have them; the field
 * numbers are those of jaeger.thrift. */
#include <endian.h>

#include "decode/jaeger_thrift.h"
#include "unit/decode/record_lines.h"
#include "unit/decode/wire.h"

static struct lines lines;
static bool compact;
static int last[8], depth; /* compact: the field before, in each struct */

enum { BOOL = 2, DOUBLE = 4, I32 = 8, I64 = 10, STRING = 11, STRUCT = 12, LIST = 15 };

static int compact_of(int type, bool truth)
{
    switch (type) {
    case BOOL: return truth ? 1 : 2;
    case DOUBLE: return 7;
    case I32: return 5;
    case I64: return 6;
    case STRING: return 8;
    case STRUCT: return 12;
    default: return 9;
    }
}

static void byte(struct wire *w, int v)
{
    unsigned char c = (unsigned char)v;
    wire_raw(w, &c, 1);
}

static void field(struct wire *w, int id, int type, bool truth)
{
    if (compact) {
        byte(w, (id - last[depth]) << 4 | compact_of(type, truth));
        last[depth] = id;
    } else {
        byte(w, type);
        byte(w, 0);
        byte(w, id);
    }
}

static void number(struct wire *w, int bytes, int64_t v)
{
    if (compact) {
        wire_num(w, v < 0 ? (uint64_t)(-(v + 1)) * 2 + 1 : (uint64_t)v * 2);
        return;
    }
    for (int i = bytes - 1; i >= 0; i--) byte(w, (int)((uint64_t)v >> (8 * i) & 255));
}

static void begin(void)
{
    last[++depth] = 0;
}

static void end(struct wire *w)
{
    byte(w, 0);
    depth--;
}

static void list(struct wire *w, int n)
{
    if (compact) {
        if (n < 15)
            byte(w, n << 4 | 12);
        else
            byte(w, 0xfc), wire_num(w, (uint64_t)n);
    } else {
        byte(w, STRUCT);
        number(w, 4, n);
    }
}

static void put_i64(struct wire *w, int id, int64_t v)
{
    field(w, id, I64, false);
    number(w, 8, v);
}

static void put_i32(struct wire *w, int id, int v)
{
    field(w, id, I32, false);
    number(w, 4, v);
}

static void put_string(struct wire *w, int id, const char *s)
{
    field(w, id, STRING, false);
    if (compact)
        wire_num(w, strlen(s));
    else
        number(w, 4, (int64_t)strlen(s));
    wire_raw(w, s, strlen(s));
}

static void put_double(struct wire *w, int id, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, 8);
    field(w, id, DOUBLE, false);
    if (!compact) bits = htobe64(bits);
    wire_raw(w, &bits, 8);
}

static void put_bool(struct wire *w, int id, bool v)
{
    field(w, id, BOOL, v);
    if (!compact) byte(w, v);
}

static void text_tag(struct wire *w, const char *key, const char *text)
{
    begin();
    put_string(w, 1, key), put_i32(w, 2, 0), put_string(w, 3, text);
    end(w);
}

static void process(struct wire *w)
{
    field(w, 1, STRUCT, false);
    begin();
    put_string(w, 1, "shop");
    field(w, 2, LIST, false), list(w, 1);
    text_tag(w, "hostname", "box");
    end(w);
}

static void ids(struct wire *w, int64_t span, int64_t parent)
{
    put_i64(w, 1, 0x448eb211c80319c), put_i64(w, 2, 0x0af7651916cd43dd);
    put_i64(w, 3, span), put_i64(w, 4, parent);
}

static void full_span(struct wire *w)
{
    begin();
    ids(w, 0x77, 0);
    put_string(w, 5, "op");
    field(w, 6, LIST, false), list(w, 2);
    begin();
    put_i32(w, 1, 0), put_i64(w, 2, 0x448eb211c80319c), put_i64(w, 3, 0x0af7651916cd43dd),
        put_i64(w, 4, 0x66);
    end(w);
    begin();
    put_i32(w, 1, 1), put_i64(w, 2, 1), put_i64(w, 3, 0), put_i64(w, 4, -1);
    end(w);
    put_i32(w, 7, 3);
    put_i64(w, 8, 1500), put_i64(w, 9, 20);
    field(w, 10, LIST, false), list(w, 7);
    text_tag(w, "k", "v");
    begin(), put_string(w, 1, "d"), put_i32(w, 2, 1), put_double(w, 4, 0.5), end(w);
    begin(), put_string(w, 1, "error"), put_i32(w, 2, 2), put_bool(w, 5, true), end(w);
    begin(), put_string(w, 1, "n"), put_i32(w, 2, 3), put_i64(w, 6, -7), end(w);
    begin(), put_string(w, 1, "raw"), put_i32(w, 2, 4), put_string(w, 7, "\x01\x02"), end(w);
    text_tag(w, "span.kind", "client");
    text_tag(w, "otel.library.name", "lib");
    field(w, 11, LIST, false), list(w, 1);
    begin();
    put_i64(w, 1, 1510);
    field(w, 2, LIST, false), list(w, 2);
    text_tag(w, "event", "retry");
    begin(), put_string(w, 1, "n"), put_i32(w, 2, 3), put_i64(w, 6, 2), end(w);
    end(w);
    end(w);
}

static void small_span(struct wire *w, int64_t id, int64_t start, int64_t duration)
{
    begin();
    ids(w, id, 0);
    put_i64(w, 8, start), put_i64(w, 9, duration);
    end(w);
}

static const char *decoded(struct wire *w)
{
    const char *text = lines_decode(&lines, jaeger_thrift, TABLE_SPANS, wire_str(w));
    wire_free(w);
    return text;
}

#define TRACE "span 0af7651916cd43dd0448eb211c80319c/"
#define SHOP  "resource{hostname=\"box\",service.name=\"shop\"}"

static void every_field(bool is_compact)
{
    struct wire w = { 0 };
    compact = is_compact;
    begin();
    process(&w);
    field(&w, 2, LIST, false), list(&w, 1);
    full_span(&w);
    end(&w);
    EXPECT_STR(decoded(&w), TRACE
               "0000000000000077 parent=0000000000000066 \"op\" client 1500000+20000 error"
               " events=[{\"name\":\"retry\",\"time_ns\":\"1510000\",\"attributes\":{\"n\":2}}]"
               " links=[{\"trace_id\":\"00000000000000000000000000000001\",\"span_id\":\"ffffffffffffffff\","
               "\"attributes\":{\"opentracing.ref_type\":\"follows_from\"}}] flags=1"
               " attrs{k=\"v\",d=0.5d,error=true,n=-7i,raw=x:0102} " SHOP " scope=lib\n");
}

TEST(every_field_in_the_binary_protocol)
{
    every_field(false);
}

TEST(every_field_in_the_compact_protocol)
{
    every_field(true);
}

TEST(spans_before_their_process_and_bad_ones_among_good_ones)
{
    struct wire w = { 0 };
    compact = false;
    begin();
    field(&w, 2, LIST, false), list(&w, 4);
    small_span(&w, 1, 10, 1);
    small_span(&w, 0, 10, 1);
    small_span(&w, 2, -10, 1);
    small_span(&w, 3, 10, -4);
    process(&w);
    end(&w);
    EXPECT_STR(decoded(&w), TRACE
               "0000000000000001 \"\" unspecified 10000+1000 " SHOP "\n" TRACE
               "0000000000000003 \"\" unspecified 10000+0 attrs{vedette.clock_skew_ns=4000i} " SHOP "\n");
    EXPECT_INT(lines.report.rejected[REJECT_record_id], 1);
    EXPECT_INT(lines.report.rejected[REJECT_record_time], 1);
    EXPECT_STR(lines_fault(&lines, 0), "spans[1]: span id is zero");
}

TEST(broken_batches)
{
    EXPECT_STR(lines_decode(&lines, jaeger_thrift, TABLE_SPANS, STR("")),
               "parse: spans[0]: byte 0: the message ends too early");
    EXPECT_STR(lines_decode(&lines, jaeger_thrift, TABLE_SPANS, STR("\x0f\x00\x02\x0c\x7f\xff\xff\xff")),
               "parse: spans[0]: byte 8: size passes the end of the message");
    EXPECT_STR(lines_decode(&lines, jaeger_thrift, TABLE_SPANS, STR("\x07\x00\x02")),
               "parse: spans[0]: byte 3: no such type");
}

TESTS(CASE(every_field_in_the_binary_protocol), CASE(every_field_in_the_compact_protocol),
      CASE(spans_before_their_process_and_bad_ones_among_good_ones), CASE(broken_batches))
