/* The account of a decoder, as the sender reads it. */
#include "decode/otlp_traces.h"
#include "decode/record_report.h"
#include "unit/decode/record_lines.h"
#include "unit/decode/wire.h"

TEST(nothing_to_say_when_all_is_well)
{
    struct record_report report = { .accepted = 5 };
    struct write_result refused = { 0 };
    struct buf text = BUF_INIT(4096);
    record_report_text(&report, &text);
    record_report_add(&refused, &report);
    EXPECT_INT(text.n, 0);
    EXPECT_INT(refused.rejected_total, 0);
}

TEST(refusals_by_reason_and_the_first_places)
{
    struct record_report report = { .accepted = 5, .altered = 1, .rejected_total = 3, .n_first = 2 };
    struct write_result refused = { .rejected_total = 1 };
    struct buf text = BUF_INIT(4096);
    report.rejected[REJECT_record_id] = 2;
    report.rejected[REJECT_record_time] = 1;
    report.first[0] = (struct record_fault){ REJECT_COUNT, "spans[0]: parent id left out" };
    report.first[1] = (struct record_fault){ REJECT_record_id, "spans[1]: trace id is all zeros" };
    record_report_text(&report, &text);
    EXPECT_STR(buf_cstr(&text),
               "3 refused (2: trace or span id missing, all zeros or of the wrong length; 1: time of a log "
               "record or "
               "span missing or out of range), 1 kept with something cut, left out or put right: "
               "spans[0]: parent id left out; spans[1]: trace id is all zeros");
    record_report_add(&refused, &report);
    EXPECT_INT(refused.rejected_total, 4);
    EXPECT_INT(refused.rejected[REJECT_record_id], 2);
    EXPECT_STR(refused.why, "spans[1]: trace id is all zeros");
    buf_release(&text);
}

static struct lines lines;

/* A resource of a megabyte, and a thousand scopes of one small span each under it. */
TEST(resources_repeated_for_many_scopes_have_a_ceiling)
{
    struct wire request = { 0 }, resource_spans = { 0 }, resource = { 0 }, kv = { 0 }, any = { 0 },
                scope = { 0 }, span = { 0 };
    const uint64_t time = 5;
    char *big = malloc((1 << 20) + 1);
    memset(big, 'x', 1 << 20);
    big[1 << 20] = 0;
    wire_text(&any, 1, big), wire_text(&kv, 1, "k"), wire_message(&kv, 2, &any),
        wire_message(&resource, 1, &kv);
    wire_message(&resource_spans, 1, &resource);
    for (int i = 0; i < 1000; i++) {
        wire_bytes(&span, 1, "0123456789abcdef", 16), wire_bytes(&span, 2, "01234567", 8);
        wire_num(&span, 7 * 8 + 1), wire_raw(&span, &time, 8);
        wire_message(&scope, 2, &span);
        wire_message(&resource_spans, 2, &scope);
    }
    wire_message(&request, 1, &resource_spans);
    const char *text = lines_decode(&lines, otlp_traces_proto, TABLE_SPANS, wire_str(&request));
    EXPECT_INT(lines.rc, ERR_LIMIT);
    EXPECT(strstr(text, "resources and scopes of the request") != NULL);
    wire_free(&request);
    free(big);
}

TESTS(CASE(nothing_to_say_when_all_is_well), CASE(refusals_by_reason_and_the_first_places),
      CASE(resources_repeated_for_many_scopes_have_a_ceiling))
