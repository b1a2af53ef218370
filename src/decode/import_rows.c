/* import_rows.c - files of rows that become log records: log lines in JSON (log_document.h has their fields),
 * and what a run of tests says about itself beside its traces: an event for each object, with every key an
 * attribute (objects within down to three names) and the trace it speaks of.
 *
 *     {"model", "test_id", "success", "steps", "enhanced_trace_info": "{\"trace_id\": ...}"}     results
 *     {"name", "type", "data_points": [{"value": {"value"}, "attributes"}]}                      figures
 *     {"model", "num_tests", "success_rate", "total_tokens", ...}                                a summary */
#include <stdio.h>

#include "base/check.h"
#include "decode/import_run.h"
#include "decode/log_document.h"
#include "decode/time_text.h"

/* 20251022_205434 */
static bool compact_time(struct str t, int64_t *ns)
{
    char text[32];
    if (t.n != 15 || t.p[8] != '_') return false;
    snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", t.p, t.p + 4, t.p + 6, t.p + 9, t.p + 11,
             t.p + 13);
    return time_from_rfc3339(str_of(text), ns);
}

static void read_time(struct json_reader *r, struct record *to)
{
    struct json_reader again = *r;
    struct str text;
    int64_t ns;
    if (import_time(r, &ns) ||
        (json_peek(&again) == JSON_STRING && json_string(&again, &text) && compact_time(text, &ns)))
        to->time_ns = ns;
}

static void read_trace_id(struct str text, struct record_sink *s)
{
    import_put_id(s, text, sizeof s->record.trace_id, s->record.trace_id, "vedette.import.trace_id");
}

/* JSON within a text: its trace id is the one the row is about. */
static void read_trace_info(struct json_reader *r, struct record_sink *s)
{
    struct json_reader in;
    struct str key, text;
    if (!json_string(r, &text)) return;
    json_open(&in, text, s->at);
    if (json_peek(&in) != JSON_OBJECT || !json_object(&in)) return;
    while (import_field(&in, &key)) {
        if (str_is(key, "trace_id") && json_peek(&in) == JSON_STRING && json_string(&in, &text))
            read_trace_id(text, s);
        else
            json_skip(&in);
    }
}

static const char *kind_of_row(struct json_reader r)
{
    struct str key;
    const char *kind = "test_run.summary";
    json_object(&r);
    while (json_key(&r, &key)) {
        if (str_is(key, "test_id")) kind = "test_run.result";
        if (str_is(key, "data_points")) kind = "test_run.metric";
        json_skip(&r);
    }
    return kind;
}

static int row(struct import_run *q, struct json_reader *r)
{
    static const struct attr service = { { "service.name", 12 },
                                         { .type = VALUE_STR, .text = { "test_run", 8 } } };
    struct record_sink *s = &q->sink;
    struct json_reader at;
    struct str key, text;
    record_begin(s);
    r->arena = s->at;
    s->record.log.event_name = str_of(kind_of_row(*r));
    s->record.time_ns = s->options->now_ns;
    json_object(r);
    while (import_field(r, &key)) {
        at = *r;
        if (str_is(key, "evaluation_date") || str_is(key, "timestamp"))
            read_time(&at, &s->record);
        else if (str_is(key, "trace_id") && json_peek(&at) == JSON_STRING && json_string(&at, &text))
            read_trace_id(text, s);
        else if (str_is(key, "enhanced_trace_info") && json_peek(&at) == JSON_STRING)
            read_trace_info(&at, s);
        json_flatten(r, s, &s->attrs, key, 3);
    }
    if (r->failed) return OK;
    s->record.log.severity = 9;
    record_origin_of(s, &service, 1, STR(""), STR(""));
    return record_add(s, q->err);
}

int import_run_rows(struct str body, const struct record_options *options, struct records *out,
                    struct record_report *report, struct err *e)
{
    check(out->table == TABLE_LOGS);
    return import_each(body, options, out, report, e, row);
}

/* ---- JSON log lines ---- */

static int log_line(struct import_run *q, struct json_reader *r)
{
    struct log_document d;
    record_begin(&q->sink);
    r->arena = q->sink.at;
    log_document_read(r, &q->sink, 3, &d);
    return r->failed ? OK : log_document_add(&q->sink, &d, STR("unknown_service"), q->err);
}

int import_log_lines(struct str body, const struct record_options *options, struct records *out,
                     struct record_report *report, struct err *e)
{
    check(out->table == TABLE_LOGS);
    return import_each(body, options, out, report, e, log_line);
}
