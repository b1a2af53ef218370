/* Log queries: what each stage does to lines and labels, by the documentation's own examples. */
#include "unit/query/logql/logs.h"

static const struct line lines[] = {
    { "web", "prod", 10, "level=info msg=\"hello world\" took=12ms size=5KB", "1", 9, "u1" },
    { "web", "prod", 20, "level=error msg=boom took=1.5s size=2MB addr=10.0.0.7", NULL, 17, NULL },
    { "web", "dev", 30, "plain text from 192.168.4.5:80", NULL, 0, NULL },
    { "api", "prod", 40,
      "{\"a.b\":{\"c\":\"d\"},\"e\":\"f\",\"n\":5,\"t\":true,\"z\":null,\"list\":[1,{\"x\":\"y\"}],\"env\":"
      "\"inner\",\"e\":\"twice\"}",
      NULL, 0, NULL },
    { "api", "prod", 50, "0.191.12.2 - - [10/Jun/2021:09:14:29] \"GET /x HTTP/1.1\" 200 2", NULL, 0, NULL },
    { "api", "prod", 60, "\x1b[31mred\x1b[0m", NULL, 0, NULL },
    { "pack", "prod", 70, "{\"pod\":\"p1\",\"_entry\":\"inner line\"}", NULL, 0, NULL },
};

static struct logql *lq;

static const char *logs(const char *text)
{
    if (lq == NULL) {
        struct store *s = toy_store_new();
        logs_write(s, lines, sizeof lines / sizeof *lines);
        lq = logql_new(s, NULL, NULL);
    }
    return ask(lq, text, 0, 1000, 0);
}

TEST(a_selector_means_resources_by_sanitised_names)
{
    EXPECT_STR(logs("{service_app=\"web\", env=~\"d.*\"}"),
               "{env=dev,service_app=web|detected_level=unknown|} 30 plain text from 192.168.4.5:80\n");
    EXPECT_STR(logs("{env=\"prod\", service_app!~\"api|pack\"} |= \"boom\""),
               "{env=prod,service_app=web|detected_level=error|} 20 level=error msg=boom took=1.5s size=2MB "
               "addr=10.0.0.7\n");
    EXPECT_STR(logs("{nosuch=\"x\"}"), "");
    EXPECT_STR(logs("{env=\"prod\", nosuch=\"\"} |= \"hello\" | keep user_id, trace_id"),
               "{|trace_id=31313131313131313131313131313131,user_id=u1|} 10 level=info msg=\"hello world\" "
               "took=12ms size=5KB\n");
}

TEST(line_filters)
{
    EXPECT_STR(logs("{env=~\".+\"} |= \"hello\" or \"plain\" | line_format \"x\" | keep none"),
               "{||} 10 x\n{||} 30 x\n");
    EXPECT_STR(logs("{env=~\".+\"} != \"level\" or \"a\" | line_format \"x\" | keep none"),
               "{||} 50 x\n{||} 60 x\n{||} 70 x\n");
    EXPECT_STR(logs("{env=~\".+\"} |~ \"^level=\\\\w+ msg=b\" | line_format \"x\" | keep none"),
               "{||} 20 x\n");
    EXPECT_STR(logs("{env=~\".+\"} |~ \"(?i)HELLO\" | line_format \"x\" | keep none"), "{||} 10 x\n");
    EXPECT_STR(logs("{env=~\".+\"} |= ip(\"192.168.4.0/24\") | line_format \"x\" | keep none"),
               "{||} 30 x\n");
    EXPECT_STR(logs("{env=~\".+\"} |> \"level=<_> msg=<_> took=<_>\" !> `<_>boom<_>` | line_format \"x\" | "
                    "keep none"),
               "{||} 10 x\n");
    EXPECT_STR(logs("{env=\"dev\"} |= \"\""),
               "{env=dev,service_app=web|detected_level=unknown|} 30 plain text from 192.168.4.5:80\n");
}

TEST(metadata_can_be_filtered_and_found_by_the_store)
{
    EXPECT_STR(logs("{env=\"prod\"} | user_id=\"u1\" | line_format \"x\" | keep none"), "{||} 10 x\n");
    EXPECT_STR(
        logs(
            "{env=\"prod\"} | trace_id=\"31313131313131313131313131313131\" | line_format \"x\" | keep none"),
        "{||} 10 x\n");
    EXPECT_STR(logs("{env=\"prod\"} | detected_level=\"error\" | line_format \"x\" | keep none"),
               "{||} 20 x\n");
    EXPECT_STR(
        logs("{env=\"prod\"} | detected_level=\"error\" or user_id=~\"u.\" | line_format \"x\" | keep none"),
        "{||} 10 x\n{||} 20 x\n");
    EXPECT_STR(logs("{env=\"prod\"} | severity_number >= 17 | line_format \"x\" | keep none"), "{||} 20 x\n");
}

TEST(logfmt_and_label_filters)
{
    EXPECT_STR(logs("{service_app=\"web\"} | logfmt | took > 1s | keep level, took"),
               "{||level=error,took=1.5s} 20 level=error msg=boom took=1.5s size=2MB addr=10.0.0.7\n");
    EXPECT_STR(logs("{service_app=\"web\"} | logfmt | size <= 20KB and level=\"info\" | line_format "
                    "\"{{.msg}}\" | keep none"),
               "{||} 10 hello world\n");
    EXPECT_STR(
        logs("{service_app=\"web\"} | logfmt | addr = ip(\"10.0.0.0/8\") | line_format \"x\" | keep none"),
        "{||} 20 x\n");
    EXPECT_STR(logs("{service_app=\"web\"} | logfmt lvl=\"level\", msg | lvl=\"info\" | keep lvl, msg"),
               "{||lvl=info,msg=hello world} 10 level=info msg=\"hello world\" took=12ms size=5KB\n");
    /* what cannot be compared passes, marked */
    EXPECT_STR(logs("{service_app=\"web\"} |= \"boom\" | logfmt | msg > 5 | line_format \"x\" | drop "
                    "__error_details__ | keep level"),
               "{||__error__=LabelFilterErr,level=error} 20 x\n");
    EXPECT_STR(logs("{service_app=\"web\"} |= \"boom\" | logfmt | msg > 5 | __error__=\"\""), "");
}

TEST(json_as_documented)
{
    EXPECT_STR(logs("{service_app=\"api\"} |= \"a.b\" | json | drop detected_level | line_format \"x\""),
               "{env=prod,service_app=api||a_b_c=d,e=f,env_extracted=inner,n=5,t=true} 40 x\n");
    EXPECT_STR(logs("{service_app=\"api\"} |= \"a.b\" | json first=\"list[1].x\", ab=\"[\\\"a.b\\\"]\", "
                    "none=\"list[7]\" | drop detected_level | line_format \"x\""),
               "{env=prod,service_app=api||ab={\"c\":\"d\"},first=y} 40 x\n");
    EXPECT_STR(logs("{env=\"dev\"} | json | line_format \"{{.__error__}}\" | drop __error__, "
                    "__error_details__, detected_level"),
               "{env=dev,service_app=web||} 30 JSONParserErr\n");
}

TEST(pattern_regexp_unpack_decolorize)
{
    EXPECT_STR(logs("{service_app=\"api\"} |= \"GET\" | pattern `<ip> - - <_> \"<method> <uri> <_>\" "
                    "<status> <size>` | keep ip, method, uri, status, size | line_format \"x\""),
               "{||ip=0.191.12.2,method=GET,size=2,status=200,uri=/x} 50 x\n");
    EXPECT_STR(logs("{service_app=\"api\"} |= \"GET\" | regexp `\"(?P<method>\\w+) (?<path>[^ ]+)` | keep "
                    "method, path | line_format \"x\""),
               "{||method=GET,path=/x} 50 x\n");
    EXPECT_STR(logs("{service_app=\"pack\"} | unpack | keep pod"), "{||pod=p1} 70 inner line\n");
    EXPECT_STR(logs("{service_app=\"api\"} |= \"red\" | decolorize | keep none"), "{||} 60 red\n");
}

TEST(formats_rename_and_compute)
{
    EXPECT_STR(
        logs("{env=\"dev\"} | label_format app=service_app, up=`{{.env | ToUpper}}` | drop detected_level | "
             "line_format `{{.app}} {{.up}} {{__timestamp__ | unixEpoch}} {{.missing}}|{{len __line__}}`"),
        "{app=web,env=dev||up=DEV} 30 web DEV 30 |30\n");
    EXPECT_STR(logs("{env=\"dev\"} | line_format `{{div 1 0}}` | keep env | drop __error_details__"),
               "{env=dev||__error__=TemplateFormatErr} 30 plain text from 192.168.4.5:80\n");
}

TEST(limits_directions_intervals)
{
    struct logql_request q = { .text = STR("{env=~\".+\"}"), .end_ns = 1000 * SECOND, .limit = 2 };
    struct logql_result r;
    struct err e = ERR_INIT;
    logs("{env=\"x\"}");
    EXPECT(logql_query(lq, &q, &r, &e) == OK);
    EXPECT_INT(r.n_streams, 2); /* newest first: pack at 70, api at 60 */
    EXPECT(r.streams[0].entries[0].time_ns == 70 * SECOND && r.streams[1].entries[0].time_ns == 60 * SECOND);
    logql_result_release(&r);
    q.text = STR("{service_app=\"api\"}");
    q.interval_ns = 15 * SECOND;
    q.forward = true;
    EXPECT(logql_query(lq, &q, &r, &e) == OK);
    EXPECT(r.n_streams == 1 && r.streams[0].n == 2 && r.streams[0].entries[1].time_ns == 60 * SECOND);
    logql_result_release(&r);
    q.start_ns = 40 * SECOND;
    q.end_ns = 60 * SECOND; /* the end is not part of it */
    q.interval_ns = 0;
    EXPECT(logql_query(lq, &q, &r, &e) == OK);
    EXPECT_INT(r.streams[0].n, 2);
    logql_result_release(&r);
}

TEST(tails_and_selectors)
{
    struct logql_tail *t;
    struct err e = ERR_INIT;
    struct attr res = { STR("service.name"), value_str(STR("x")) };
    struct origin o = { .resource = { &res, 1 } };
    struct record rec = { .time_ns = 5, .origin = &o };
    struct labels stream;
    struct logql_entry x;
    rec.log.body = value_str(STR("a=1"));
    EXPECT(logql_tail_new(STR("{service_name=\"x\"} | logfmt | a=\"1\""), &t, &e) == OK);
    EXPECT(logql_tail_try(t, &rec, &test_arena, &stream, &x));
    EXPECT(stream.n == 1 && x.parsed.n == 1 && str_is(x.line, "a=1"));
    rec.log.body = value_str(STR("a=2"));
    EXPECT(!logql_tail_try(t, &rec, &test_arena, &stream, &x));
    logql_tail_free(t);
    EXPECT(logql_tail_new(STR("rate({a=\"b\"}[1m])"), &t, &e) == ERR_PARSE);
}

TESTS(CASE(a_selector_means_resources_by_sanitised_names), CASE(line_filters),
      CASE(metadata_can_be_filtered_and_found_by_the_store), CASE(logfmt_and_label_filters),
      CASE(json_as_documented), CASE(pattern_regexp_unpack_decolorize), CASE(formats_rename_and_compute),
      CASE(limits_directions_intervals), CASE(tails_and_selectors))
