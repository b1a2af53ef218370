/* import_format.c - see import_format.h. A format is told by keys of the file's first object; what wants the
 * most particular keys is asked first. */
#include "decode/import_format.h"

#include "decode/otlp_logs.h"
#include "decode/otlp_traces.h"
#include "decode/zipkin.h"

enum {
    F_OTLP_SPANS,
    F_OTLP_LOGS,
    F_LANGFUSE,
    F_WHO_AND_WHEN,
    F_TAU_BENCH,
    F_ZIPKIN,
    F_SPAN_DICTS,
    F_RUN_ROWS,
    F_LOG_JSON,
    F_OTLP_SPANS_PROTO,
    F_OTLP_LOGS_PROTO,
};

const struct import_format import_formats[] = {
    [F_OTLP_SPANS] = { "OTLP JSON traces", "ExportTraceServiceRequest, one, an array, or one a line",
                       TABLE_SPANS, otlp_traces_json },
    [F_OTLP_LOGS] = { "OTLP JSON logs", "ExportLogsServiceRequest, one, an array, or one a line", TABLE_LOGS,
                      otlp_logs_json },
    [F_LANGFUSE] = { "Langfuse export", "a trace with its observations and scores", TABLE_SPANS,
                     import_langfuse },
    [F_WHO_AND_WHEN] = { "Who&When run", "a multi-agent conversation with its labelled mistake", TABLE_SPANS,
                         import_who_and_when },
    [F_TAU_BENCH] = { "tau-bench runs", "trajectories of OpenAI-style messages with rewards", TABLE_SPANS,
                      import_tau_bench },
    [F_ZIPKIN] = { "Zipkin v2 JSON", "an array of spans", TABLE_SPANS, zipkin_json },
    [F_SPAN_DICTS] = { "spans, one object each",
                       "as the SDKs print them: OpenTelemetry, OpenInference, smoltrace, TRAIL, JavaScript's "
                       "ReadableSpan",
                       TABLE_SPANS, import_span_dicts },
    [F_RUN_ROWS] = { "rows of a test run", "results, figures and summaries, a log event each", TABLE_LOGS,
                     import_run_rows },
    [F_LOG_JSON] = { "JSON log lines", "an object a line, or an array of them", TABLE_LOGS,
                     import_log_lines },
    [F_OTLP_SPANS_PROTO] = { "OTLP protobuf traces", "ExportTraceServiceRequest", TABLE_SPANS,
                             otlp_traces_proto },
    [F_OTLP_LOGS_PROTO] = { "OTLP protobuf logs", "ExportLogsServiceRequest", TABLE_LOGS, otlp_logs_proto },
};
const size_t import_n_formats = COUNT(import_formats);

/* ---- keys of the first object ---- */

/* One bit for each key that tells formats apart. */
static const char *const known[] = {
    "resourceSpans", "resource_spans",  "resourceLogs", "resource_logs", "observations", "trace",
    "history",       "mistake_agent",   "mistake_step", "question",      "traj",         "task_id",
    "localEndpoint", "span_id",         "spanId",       "spanContext",   "context",      "span_name",
    "spans",         "traceId",         "trace_id",     "start_time",    "startTime",    "data_points",
    "test_id",       "num_tests",       "num_traces",   "message",       "msg",          "level",
    "severity",      "service.name",    "service",      "body",          "log",          "timestamp",
    "child_spans",   "span_attributes", "id",           "duration",      "time",         "@timestamp",
    "severity_text", "end_time",
};

static uint64_t bit(const char *key)
{
    for (size_t i = 0; i < COUNT(known); i++)
        if (str_is(str_of(key), known[i])) return (uint64_t)1 << i;
    check(!"a key that is not in the table");
    return 0;
}

static uint64_t keys_of(struct str text)
{
    struct arena a = ARENA_INIT(1u << 20);
    struct json_reader r;
    struct str key;
    uint64_t keys = 0;
    json_open(&r, text, &a);
    if (json_peek(&r) == JSON_ARRAY) {
        json_array(&r);
        json_next(&r);
    }
    if (json_peek(&r) == JSON_OBJECT) {
        json_object(&r);
        while (json_key(&r, &key)) {
            for (size_t i = 0; i < COUNT(known); i++)
                if (str_is(key, known[i])) keys |= (uint64_t)1 << i;
            json_skip(&r);
        }
    }
    arena_release(&a);
    return keys;
}

/* All of `all`, and one of `any` (none: not asked for). */
static const struct rule {
    const char *all[3], *any[8];
    int format;
} rules[] = {
    { { NULL }, { "resourceSpans", "resource_spans" }, F_OTLP_SPANS },
    { { NULL }, { "resourceLogs", "resource_logs" }, F_OTLP_LOGS },
    { { "observations" }, { NULL }, F_LANGFUSE },
    { { "trace" }, { "observations" }, F_LANGFUSE },
    { { "history" }, { "mistake_agent", "mistake_step", "question" }, F_WHO_AND_WHEN },
    { { "traj" }, { NULL }, F_TAU_BENCH },
    { { "traceId", "id" }, { "localEndpoint", "duration", "timestamp" }, F_ZIPKIN },
    { { "spans" }, { NULL }, F_SPAN_DICTS },
    { { NULL }, { "child_spans", "span_attributes", "span_name", "spanContext" }, F_SPAN_DICTS },
    { { NULL }, { "data_points", "test_id", "num_tests", "num_traces" }, F_RUN_ROWS },
    { { "context" }, { "start_time", "startTime" }, F_SPAN_DICTS },
    { { "span_id" }, { "start_time", "startTime", "end_time" }, F_SPAN_DICTS },
    { { "spanId" }, { "start_time", "startTime", "end_time" }, F_SPAN_DICTS },
    { { NULL },
      { "message", "msg", "level", "severity", "body", "log", "severity_text", "@timestamp" },
      F_LOG_JSON },
};

static bool follows(const struct rule *rule, uint64_t keys)
{
    bool any = rule->any[0] == NULL;
    for (size_t i = 0; i < COUNT(rule->all) && rule->all[i] != NULL; i++)
        if (!(keys & bit(rule->all[i]))) return false;
    for (size_t i = 0; i < COUNT(rule->any) && rule->any[i] != NULL; i++)
        any |= (keys & bit(rule->any[i])) != 0;
    return any;
}

/* ---- protobuf ---- */

/* A request of either kind begins with field 1, and only its own decoder takes its records. */
static bool decodes(struct str bytes, const struct import_format *f)
{
    struct arena a = ARENA_INIT((size_t)1 << 30);
    const struct record_options options = { .now_ns = 1 };
    struct record_report report = { 0 };
    struct records out;
    records_init(&out, &a, f->table);
    int rc = f->decode(bytes, &options, &out, &report, NULL);
    arena_release(&a);
    return rc == OK && report.accepted > 0 && report.rejected_total == 0;
}

const struct import_format *import_recognise(struct str bytes)
{
    if (bytes.n > 2 && bytes.p[0] == '\n' && !(bytes.p[1] == '{' && bytes.p[2] == '"')) {
        if (decodes(bytes, &import_formats[F_OTLP_SPANS_PROTO])) return &import_formats[F_OTLP_SPANS_PROTO];
        if (decodes(bytes, &import_formats[F_OTLP_LOGS_PROTO])) return &import_formats[F_OTLP_LOGS_PROTO];
    }
    if (bytes.n >= 3 && memcmp(bytes.p, "\xef\xbb\xbf", 3) == 0) bytes.p += 3, bytes.n -= 3;
    uint64_t keys = keys_of(bytes);
    for (size_t i = 0; i < COUNT(rules); i++)
        if (follows(&rules[i], keys)) return &import_formats[rules[i].format];
    return NULL;
}
