/* record_check.h - any bytes through a decoder of logs or spans: what comes out is well formed whatever went
 * in, and every record is accounted for. */
#pragma once
#include "base/check.h"
#include "decode/record_sink.h"

static inline void record_check_text(struct str s)
{
    check(str_utf8_valid(s));
}

static inline void record_check_attrs(const struct attrs *l)
{
    for (size_t i = 0; i < l->n; i++) {
        check(l->at[i].name.n > 0 && l->at[i].value.type != VALUE_NONE);
        record_check_text(l->at[i].name);
        if (l->at[i].value.type == VALUE_STR) record_check_text(l->at[i].value.text);
    }
}

static inline void record_check_json(struct str json, struct arena *a)
{
    struct json_reader r;
    if (json.n == 0) return;
    json_open(&r, json, a);
    json_skip(&r);
    check(json_close(&r, NULL) == OK);
}

static inline void record_check_one(const struct record *r, enum table t, struct arena *a)
{
    record_check_attrs(&r->attrs);
    record_check_attrs(&r->origin->resource);
    record_check_attrs(&r->origin->scope);
    check(r->time_ns >= 0);
    for (size_t i = 0; i < r->attrs.n; i++)
        if (r->attrs.at[i].value.type == VALUE_JSON) record_check_json(r->attrs.at[i].value.text, a);
    if (t == TABLE_SPANS) {
        record_check_text(r->span.name);
        record_check_json(r->span.events, a);
        record_check_json(r->span.links, a);
        check(r->span.duration_ns >= SPAN_UNFINISHED && r->span.kind <= SPAN_CONSUMER && r->span.status <= 2);
        return;
    }
    check(r->log.severity <= 24);
    record_check_text(r->log.severity_text);
    if (r->log.body.type == VALUE_STR) record_check_text(r->log.body.text);
    if (r->log.body.type == VALUE_JSON) record_check_json(r->log.body.text, a);
}

static inline void record_check_all(const struct records *out, struct arena *a)
{
    size_t n = 0;
    for (size_t c = 0; c < out->n_chunks; c++) {
        struct record_reader reader;
        check(record_chunk_open(&reader, out->chunks[c].bytes, a, NULL) == OK);
        for (size_t i = 0; i < reader.n; i++, n++) {
            struct record r;
            record_chunk_get(&reader, i, a, &r);
            record_check_one(&r, out->table, a);
        }
    }
    check(n == out->n);
}

static inline int record_check(record_decoder *decode, enum table t, const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT(64 << 20);
    const struct record_options options = { .now_ns = 1700000000000000000 };
    struct record_report report = { 0 };
    struct records out;
    struct err e = ERR_INIT;
    uint64_t sum = 0;

    records_init(&out, &a, t);
    int rc = decode(str_make(data, size), &options, &out, &report, &e);
    records_end(&out);
    check(rc == OK || ((rc == ERR_PARSE || rc == ERR_LIMIT) && e.text[0] != 0));
    check(report.accepted == out.n && report.altered <= report.accepted);
    for (size_t i = 0; i < REJECT_COUNT; i++) sum += report.rejected[i];
    check(sum == report.rejected_total && (sum == 0 || report.n_first > 0));
    record_check_all(&out, &a);
    arena_release(&a);
    return 0;
}
