/* _bulk bodies; the shape of the answer is Elasticsearch's. */
#include "decode/elastic_bulk.h"
#include "unit/decode/record_lines.h"

static struct lines lines;
static struct elastic_items items;
static struct buf answer = BUF_INIT(1 << 20);

static int run(struct str body, const struct record_options *o, struct records *out,
               struct record_report *report, struct err *e)
{
    items = (struct elastic_items){ .arena = out->arena, .index = items.index };
    int rc = elastic_bulk(body, o, &items, out, report, e);
    buf_clear(&answer);
    elastic_answer(&items, 3, &answer);
    return rc;
}

static const char *decoded(const char *body)
{
    return lines_decode(&lines, run, TABLE_LOGS, str_of(body));
}

TEST(actions_and_sources_in_turn)
{
    EXPECT_STR(
        decoded("{\"create\":{\"_index\":\"logs\",\"_id\":\"7\"}}\n"
                "{\"@timestamp\":\"2024-05-01T12:00:00Z\",\"message\":\"a\",\"log\":{\"level\":\"warn\"},"
                "\"service\":{\"name\":\"s\"},\"kubernetes\":{\"pod\":{\"name\":\"p\"}},\"trace\":{\"id\":"
                "\"0af7651916cd43dd8448eb211c80319c\"}}\n"
                "{\"index\":{}}\r\n"
                "{\"log\":\"line\"}\r\n"),
        "log 1714564800000000000 sev=13 sevtext=warn \"a\" trace=0af7651916cd43dd8448eb211c80319c"
        " attrs{kubernetes.pod.name=\"p\"} resource{service.name=\"s\"}\n"
        "log 1700000000000000000 \"line\"\n");
    EXPECT_STR(buf_cstr(&answer), "{\"took\":3,\"errors\":false,\"items\":[{\"create\":{\"_index\":\"logs\","
                                  "\"_id\":\"7\",\"status\":201,"
                                  "\"result\":\"created\",\"_version\":1}},{\"index\":{\"_index\":\"\","
                                  "\"status\":201,\"result\":\"created\","
                                  "\"_version\":1}}]}");
}

TEST(the_index_stands_in_for_a_service)
{
    items.index = STR("nginx");
    EXPECT_STR(decoded("{\"index\":{}}\n{\"message\":\"m\"}\n"),
               "log 1700000000000000000 \"m\" resource{service.name=\"nginx\"}\n");
    items.index = STR("");
}

TEST(bad_items_answer_for_themselves)
{
    EXPECT_STR(decoded("{\"delete\":{\"_index\":\"i\",\"_id\":\"1\"}}\n"
                       "{\"update\":{\"_index\":\"i\",\"_id\":\"1\"}}\n{\"doc\":{}}\n"
                       "{\"index\":{\"_index\":\"i\"}}\nnot json\n"
                       "{\"index\":{\"_index\":\"i\"}}\n{\"@timestamp\":\"never\"}\n"
                       "{\"index\":{\"_index\":\"i\"}}\n{\"message\":\"good\"}"),
               "log 1700000000000000000 \"good\" resource{service.name=\"i\"}\n");
    EXPECT_INT(items.n, 5);
    for (size_t i = 0; i < 4; i++) EXPECT_INT(items.at[i].status, 400);
    EXPECT_INT(items.at[4].status, 201);
    EXPECT_STR(lines_fault(&lines, 3), "line 7: @timestamp: expected RFC 3339 or a number since 1970");
    EXPECT(strstr(buf_cstr(&answer), "\"errors\":true") != NULL);
    EXPECT(strstr(buf_cstr(&answer), "\"type\":\"document_parsing_exception\"") != NULL);
}

TEST(a_line_that_is_no_action_ends_the_request)
{
    EXPECT_STR(decoded("{\"index\":{}}\n{\"message\":\"m\"}\n{\"message\":\"m\"}\n"),
               "parse: action in line 3: line 1, column 12: expected an object");
    EXPECT_STR(decoded("{\"index\":{}}\n"), "parse: line 1: the source of the last action is missing");
    EXPECT_STR(decoded("{\"drop\":{}}\n{}\n"),
               "parse: action in line 1: expected create, index, update or delete");
}

TEST(what_the_store_found_too_old_are_the_oldest_items)
{
    decoded("{\"index\":{}}\n{\"@timestamp\":3000}\n{\"index\":{}}\n{\"@timestamp\":1000}\n"
            "{\"index\":{}}\nnot json\n{\"index\":{}}\n{\"@timestamp\":2000}\n");
    elastic_items_too_old(&items, 2);
    EXPECT_INT(items.at[0].status, 201);
    EXPECT_INT(items.at[1].status, 400);
    EXPECT(!str_is(items.at[2].why, "older than the retention"));
    EXPECT(str_is(items.at[3].why, "older than the retention"));
    elastic_items_too_old(&items, 9);
    EXPECT_INT(items.at[0].status, 400);
}

TESTS(CASE(what_the_store_found_too_old_are_the_oldest_items), CASE(actions_and_sources_in_turn),
      CASE(the_index_stands_in_for_a_service), CASE(bad_items_answer_for_themselves),
      CASE(a_line_that_is_no_action_ends_the_request))
