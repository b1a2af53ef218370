/* otlp_records.h - what the readers of OTLP's spans and logs have in common. Requests of both have the same
 * shape: resources that hold scopes that hold records; only the names in JSON differ. */
#pragma once
#include "base/json.h"
#include "decode/protobuf.h"
#include "decode/record_sink.h"

struct otlp_records {
    struct record_sink sink;
    enum table table;
    size_t request_no, resource_no, scope_no, item_no; /* where we are, for texts */
    bool many;                                         /* several requests in one body */
    struct err *err;
    char place[112];
};

void otlp_records_init(struct otlp_records *, struct str body, struct records *out,
                       const struct record_options *, struct record_report *, struct err *);

/* "resource_spans[0].scope_spans[1].spans[3]"; in place[]. */
const char *otlp_place(void *reader);

/* ---- what the encodings have in common of one record ---- */

struct otlp_span {
    struct str trace_id, span_id, parent_id; /* bytes */
    uint64_t start_ns, end_ns, kind, status;
    uint64_t dropped_events, dropped_links;
};

/* By the rules of otlp_traces.h: added or refused. */
int otlp_span_end(struct otlp_records *, const struct otlp_span *);

struct otlp_log {
    struct str trace_id, span_id; /* bytes */
    uint64_t time_ns, observed_ns, severity;
};

/* By the rules of otlp_logs.h. */
int otlp_log_end(struct otlp_records *, const struct otlp_log *);

/* Stands for an id in text that is neither hex nor base64 of the right length. */
extern const struct str OTLP_NO_ID;

/* An id as bytes; false: neither none (empty) nor n bytes, or all zero. */
bool otlp_id(struct str bytes, size_t n, uint8_t *out);

/* ---- protobuf ---- */

int otlp_span_proto(struct otlp_records *, const struct pb *scope, struct str message);
int otlp_log_proto(struct otlp_records *, const struct pb *scope, struct str message);

/* A KeyValue into a list of the sink. A value that is broken is left out, and r goes on. */
void otlp_attr_proto(struct pb *r, struct str message, struct record_sink *, struct attr_list *);
/* One AnyValue: false when it cannot be kept. */
bool otlp_value_proto(struct pb *r, struct str message, struct record_sink *, struct value *out);
/* A KeyValue as a member of a JSON object. */
void otlp_member_proto(struct pb *r, struct str message, struct record_sink *, struct json_writer *);

int otlp_records_proto(struct str body, const struct record_options *, struct records *out,
                       struct record_report *, struct err *);

/* ---- JSON ---- */

int otlp_span_json(struct otlp_records *, struct json_reader *);
int otlp_log_json(struct otlp_records *, struct json_reader *);
int otlp_records_json(struct str body, const struct record_options *, struct records *out,
                      struct record_report *, struct err *);
