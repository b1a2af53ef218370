/* Loki's push in both encodings; the message numbers are those of push.proto, the rules those of loki_push.h.
 */
#include "decode/loki_push.h"
#include "unit/decode/record_lines.h"
#include "unit/decode/wire.h"

static struct lines lines;

static void put_entry(struct wire *stream, int64_t seconds, int nanos, const char *line, const char *name,
                      const char *value)
{
    struct wire entry = { 0 }, time = { 0 }, pair = { 0 };
    wire_varint(&time, 1, (uint64_t)seconds);
    wire_varint(&time, 2, (uint64_t)nanos);
    wire_message(&entry, 1, &time);
    wire_text(&entry, 2, line);
    if (name != NULL) {
        wire_text(&pair, 1, name);
        wire_text(&pair, 2, value);
        wire_message(&entry, 3, &pair);
    }
    wire_message(stream, 2, &entry);
}

static const char *decoded(struct wire *streams, size_t n)
{
    struct wire request = { 0 };
    for (size_t i = 0; i < n; i++) wire_message(&request, 1, &streams[i]);
    const char *text = lines_decode(&lines, loki_push_proto, TABLE_LOGS, wire_str(&request));
    wire_free(&request);
    return text;
}

static const char *labelled(const char *labels)
{
    struct wire stream = { 0 };
    wire_text(&stream, 1, labels);
    put_entry(&stream, 1, 5, "x", NULL, NULL);
    return decoded(&stream, 1);
}

TEST(labels_are_read_strictly)
{
    EXPECT_STR(labelled("{a=\"b\"}"), "log 1000000005 \"x\" resource{a=\"b\"}\n");
    EXPECT_STR(labelled(" { a = \"b\" , c_1=`r\\w` , } "),
               "log 1000000005 \"x\" resource{a=\"b\",c_1=\"r\\w\"}\n");
    EXPECT_STR(labelled("{a=\"q\\\"\\\\\\n\\u00e4\\x41\\101\"}"),
               "log 1000000005 \"x\" resource{a=\"q\"\\\n\xc3\xa4"
               "AA\"}\n");
    static const struct {
        const char *labels, *why;
    } bad[] = {
        { "", "streams[0].values[0]: labels, byte 0: expected {" },
        { "{}", "streams[0].values[0]: labels, byte 1: expected the name of a label" },
        { "{a=b}", "streams[0].values[0]: labels, byte 3: expected a quoted value" },
        { "{a=\"b\"", "streams[0].values[0]: labels, byte 6: expected , or }" },
        { "{a=\"b}", "streams[0].values[0]: labels, byte 6: the value has no closing quote" },
        { "{a=\"b\"}x", "streams[0].values[0]: labels, byte 7: something follows the labels" },
        { "{a=\"b\",a=\"c\"}", "streams[0].values[0]: labels, byte 8: a label given twice" },
        { "{1a=\"b\"}", "streams[0].values[0]: labels, byte 1: expected the name of a label" },
        { "{a=\"\\q\"}", "streams[0].values[0]: labels, byte 5: no such escape" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT_STR(labelled(bad[i].labels), "");
        EXPECT_INT(lines.report.rejected[REJECT_labels], 1);
        EXPECT_STR(lines_fault(&lines, 0), bad[i].why);
    }
}

TEST(the_service_comes_from_where_loki_takes_it)
{
    EXPECT_STR(labelled("{service_name=\"s\",job=\"j\"}"),
               "log 1000000005 \"x\" resource{job=\"j\",service.name=\"s\"}\n");
    EXPECT_STR(labelled("{job=\"j\",app=\"a\"}"),
               "log 1000000005 \"x\" resource{app=\"a\",job=\"j\",service.name=\"a\"}\n");
}

TEST(one_bad_stream_never_costs_the_others)
{
    struct wire s[2] = { { 0 }, { 0 } };
    wire_text(&s[0], 1, "nonsense");
    put_entry(&s[0], 1, 0, "x", NULL, NULL), put_entry(&s[0], 2, 0, "y", NULL, NULL);
    put_entry(&s[1], 1, 1000000000, "bad time", NULL, NULL);
    put_entry(&s[1], -1, 0, "before 1970", NULL, NULL);
    put_entry(&s[1], 3, 0, "z", NULL, NULL);
    wire_text(&s[1], 1, "{a=\"b\"}"); /* after its entries: fields come in any order */
    EXPECT_STR(decoded(s, 2), "log 3000000000 \"z\" resource{a=\"b\"}\n");
    EXPECT_INT(lines.report.rejected[REJECT_labels], 2);
    EXPECT_INT(lines.report.rejected[REJECT_record_time], 2);
}

TEST(metadata_are_attributes_or_fields)
{
    struct wire s = { 0 };
    wire_text(&s, 1, "{a=\"b\"}");
    put_entry(&s, 1, 0, "x", "user", "u1");
    put_entry(&s, 2, 0, "x", "trace_id", "0af7651916cd43dd8448eb211c80319c");
    put_entry(&s, 3, 0, "x", "trace_id", "not one");
    put_entry(&s, 4, 0, "x", "span_id", "b7ad6b7169203331");
    put_entry(&s, 5, 0, "x", "severity_number", "17");
    put_entry(&s, 6, 0, "x", "severity_text", "WARN");
    put_entry(&s, 7, 0, "x", "level", "debug");
    EXPECT_STR(decoded(&s, 1),
               "log 1000000000 \"x\" attrs{user=\"u1\"} resource{a=\"b\"}\n"
               "log 2000000000 \"x\" trace=0af7651916cd43dd8448eb211c80319c resource{a=\"b\"}\n"
               "log 3000000000 \"x\" attrs{trace_id=\"not one\"} resource{a=\"b\"}\n"
               "log 4000000000 \"x\" span=b7ad6b7169203331 resource{a=\"b\"}\n"
               "log 5000000000 sev=17 \"x\" resource{a=\"b\"}\n"
               "log 6000000000 sev=13 sevtext=WARN \"x\" resource{a=\"b\"}\n"
               "log 7000000000 sev=5 \"x\" attrs{level=\"debug\"} resource{a=\"b\"}\n");
}

TEST(the_level_of_the_stream_then_of_the_line)
{
    struct wire s[2] = { { 0 }, { 0 } };
    wire_text(&s[0], 1, "{level=\"error\"}");
    put_entry(&s[0], 1, 0, "info: fine", NULL, NULL);
    wire_text(&s[1], 1, "{a=\"b\"}");
    put_entry(&s[1], 2, 0, "level=warn msg=x", NULL, NULL);
    put_entry(&s[1], 3, 0, "{\"level\":\"fatal\"}", NULL, NULL);
    EXPECT_STR(decoded(s, 2), "log 1000000000 sev=17 \"info: fine\" resource{level=\"error\"}\n"
                              "log 2000000000 sev=13 \"level=warn msg=x\" resource{a=\"b\"}\n"
                              "log 3000000000 sev=21 \"{\"level\":\"fatal\"}\" resource{a=\"b\"}\n");
}

static const char *json(const char *text)
{
    return lines_decode(&lines, loki_push_json, TABLE_LOGS, str_of(text));
}

TEST(json_streams)
{
    EXPECT_STR(
        json(
            "{\"streams\":[{\"values\":[[\"1570818238000000000\",\"fizz\"],[\"1570818238000000001\",\"buzz\","
            "{\"user\":\"u\",\"n\":5}]],\"stream\":{\"foo\":\"bar\"}}]}"),
        "log 1570818238000000000 \"fizz\" resource{foo=\"bar\"}\n"
        "log 1570818238000000001 \"buzz\" attrs{user=\"u\",n=\"5\"} resource{foo=\"bar\"}\n");
    EXPECT_STR(json("{\"streams\":[]}"), "");
    EXPECT_STR(json("{}"), "");
}

TEST(json_one_bad_entry_or_stream_never_costs_the_others)
{
    EXPECT_STR(
        json("{\"streams\":[{\"stream\":{},\"values\":[[\"1\",\"a\"],[\"2\",\"b\"]]},"
             "{\"stream\":{\"bad-name\":\"x\"},\"values\":[[\"1\",\"a\"]]},"
             "{\"stream\":{\"k\":\"v\"},\"values\":[[\"soon\",\"c\"],[\"3\",4],7,[\"5\",\"good\"]]}]}"),
        "log 5 \"good\" resource{k=\"v\"}\n");
    EXPECT_INT(lines.report.rejected[REJECT_labels], 3);
    EXPECT_INT(lines.report.rejected[REJECT_record_time], 1);
    EXPECT_INT(lines.report.rejected[REJECT_record_field], 2);
    EXPECT_STR(lines_fault(&lines, 2), "streams[2].values[0]: time missing or out of range");
    EXPECT_STR(json("{\"streams\":[{]}"), "parse: line 1, column 14: expected a key");
}

TESTS(CASE(labels_are_read_strictly), CASE(the_service_comes_from_where_loki_takes_it),
      CASE(one_bad_stream_never_costs_the_others), CASE(metadata_are_attributes_or_fields),
      CASE(the_level_of_the_stream_then_of_the_line), CASE(json_streams),
      CASE(json_one_bad_entry_or_stream_never_costs_the_others))
