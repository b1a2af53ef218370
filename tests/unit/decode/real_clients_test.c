/* Bodies as real clients sent them to a socket that only listened: jaeger-client 3.19.0, zipkin 0.22.0 with
 * its HTTP transport, OpenTelemetry JS exporters 2.0 and 0.202, winston-loki and pino-loki. What is expected
 * is what the programs that made them asked for. Paths in stack traces were changed to others of the same
 * length. */
#include "decode/jaeger_thrift.h"
#include "decode/loki_push.h"
#include "decode/otlp_logs.h"
#include "decode/otlp_traces.h"
#include "decode/unpack.h"
#include "decode/zipkin.h"
#include "unit/decode/record_lines.h"

static struct lines lines;

static const char *decoded(record_decoder *decode, enum table t, const char *name)
{
    char path[128];
    struct arena a = ARENA_INIT(1 << 20);
    snprintf(path, sizeof path, "tests/unit/decode/data/%s", name);
    struct str file = lines_file(path), body = file;
    if (file.p == NULL) fail_msg("%s is not here: run from the root of the project", path);
    if (str_ends(str_of(name), ".snappy"))
        EXPECT(unpack(UNPACK_SNAPPY, file, 1 << 20, &a, &body, NULL) == OK);
    const char *text = lines_decode(&lines, decode, t, body);
    EXPECT_INT(lines.rc, OK);
    EXPECT_INT(lines.report.rejected_total, 0);
    arena_release(&a);
    free((void *)file.p);
    return text;
}

static void has(const char *text, const char *piece)
{
    if (strstr(text, piece) == NULL) fail_msg("%s\nis not in\n%s", piece, text);
}

static size_t count(const char *text, const char *piece)
{
    size_t n = 0;
    for (; (text = strstr(text, piece)) != NULL; text++) n++;
    return n;
}

/* What the two spans of the OpenTelemetry program have in whatever they travel. */
static void has_the_agent(const char *text)
{
    EXPECT_INT(lines.report.accepted, 2);
    EXPECT_INT(count(text, "span 934e5abc73acfeb5baa922b4acaf5acb/"), 2);
    has(text, "/b051994ccd95c3a2 parent=776e3ca8ba716b23 \"chat gpt\" client ");
    has(text, "/776e3ca8ba716b23 \"invoke_agent planner\" server ");
    has(text, " error message=timed out");
    has(text, " ok ");
    has(text, "{\"name\":\"retry\",\"time_ns\":\"17952487103250");
    has(text, "gen_ai.agent.name=\"planner\"");
    has(text, "service.name=\"agents\"");
}

TEST(opentelemetry_spans_in_protobuf_and_json)
{
    static const char *const bodies[] = { "otel_spans.pb", "otel_spans.json" };
    for (size_t i = 0; i < 2; i++) {
        const char *text = decoded(i ? otlp_traces_json : otlp_traces_proto, TABLE_SPANS, bodies[i]);
        has_the_agent(text);
        has(text, "n=1i,ratio=0.25d,ok=true,list=[\"a\",\"b\"],nums=[1,2]");
        has(text,
            "links=[{\"trace_id\":\"934e5abc73acfeb5baa922b4acaf5acb\",\"span_id\":\"776e3ca8ba716b23\","
            "\"attributes\":{\"why\":\"test\"}}]");
        has(text, "\"exception.type\":\"TypeError\"");
        has(text, "\"exception.message\":\"bad \xef\xbf\xbd"); /* it held half a surrogate pair */
        has(text,
            "resource{deployment.environment.name=\"test\",host.cpus=8i,service.name=\"agents\"} scope=lab "
            "version=1.0\n");
    }
}

TEST(opentelemetry_spans_to_zipkin_and_jaeger)
{
    has_the_agent(decoded(zipkin_json, TABLE_SPANS, "otel_zipkin.json"));
    const char *text = decoded(jaeger_thrift, TABLE_SPANS, "otel_jaeger.thrift");
    has_the_agent(text);
    has(text, "\"attributes\":{\"attempt\":2}");
    has(text, " scope=lab version=1.0\n");
}

TEST(opentelemetry_logs_in_protobuf_and_json)
{
    static const char *const bodies[] = { "otel_logs.pb", "otel_logs.json" };
    for (size_t i = 0; i < 2; i++) {
        const char *text = decoded(i ? otlp_logs_json : otlp_logs_proto, TABLE_LOGS, bodies[i]);
        EXPECT_INT(lines.report.accepted, 2);
        has(text,
            " sev=13 sevtext=WARN \"slow tool\" trace=934e5abc73acfeb5baa922b4acaf5acb span=776e3ca8ba716b23 "
            "flags=1 attrs{tool=\"search\",ms=1234.5d,nested={\"a\":[1,null,\"x\"]}}");
        has(text, " {\"k\":\"v\",\"list\":[1,2]} ");
    }
}

TEST(jaeger_client)
{
    const char *text = decoded(jaeger_thrift, TABLE_SPANS, "jaeger_client.thrift");
    EXPECT_INT(lines.report.accepted, 3);
    has(text, "/c9b860b5d0bed277 \"agent run\" server ");
    has(text, "user=\"u1\",n=42d,ratio=0.5d,ok=true");
    has(text, "/d42daee3b835f6cf parent=c9b860b5d0bed277 \"call model\" unspecified ");
    has(text, " error events=[{\"name\":\"retry\",");
    has(text, "\"attributes\":{\"attempt\":2,\"message\":\"timeout\"}}]");
    has(text, "\"after\" unspecified ");
    has(text, "{\"opentracing.ref_type\":\"follows_from\"}");
    EXPECT_INT(count(text, "app.version=\"1.2\""), 3);
    EXPECT_INT(count(text, "service.name=\"checkout\""), 3);
}

TEST(zipkin_js)
{
    const char *text = decoded(zipkin_json, TABLE_SPANS, "zipkin_js.json");
    EXPECT_INT(lines.report.accepted, 2);
    has(text, "/db960c243d84e879 parent=e16ec4f22f37a37d \"get\" client ");
    has(text, " error message=boom events=[{\"name\":\"retry\",");
    has(text, "network.peer.port=8080i,peer.service=\"backend\"");
    has(text, "/e16ec4f22f37a37d \"plan\" internal ");
    has(text, "attrs{task=\"t-7\"} resource{service.name=\"frontend\"}\n");
}

TEST(winston_and_pino_to_loki)
{
    static const char *const bodies[] = { "winston_loki.pb.snappy", "winston_loki.json" };
    for (size_t i = 0; i < 2; i++) {
        const char *text = decoded(i ? loki_push_json : loki_push_proto, TABLE_LOGS, bodies[i]);
        EXPECT_INT(lines.report.accepted, 2);
        has(text, " sev=9 \"{\"id\":7,\"level\":\"info\",\"message\":\"order placed\"}\"");
        has(text, " sev=17 \"{\"labels\":{\"module\":\"pay\"},");
        has(text, "env=\"t\",job=\"shop\",level=\"error\",module=\"pay\"");
    }
    const char *text = decoded(loki_push_json, TABLE_LOGS, "pino_loki.json");
    EXPECT_INT(lines.report.accepted, 1);
    has(text, "log 1795248714004000000 sev=13 ");
    has(text, "attrs{trace=\"x\"} resource{app=\"pinoapp\",");
}

TESTS(CASE(opentelemetry_spans_in_protobuf_and_json), CASE(opentelemetry_spans_to_zipkin_and_jaeger),
      CASE(opentelemetry_logs_in_protobuf_and_json), CASE(jaeger_client), CASE(zipkin_js),
      CASE(winston_and_pino_to_loki))
