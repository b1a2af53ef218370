/* logs.h - a toy store with a few log lines, and answers as text. */
#pragma once
#include "query/logql/logql.h"
#include "unit/test.h"
#include "unit/toy_store.c"

#define SECOND 1000000000LL

struct line {
    const char *app, *env; /* the stream */
    int64_t t;             /* seconds */
    const char *text;
    const char *trace; /* first byte of the trace id, or NULL */
    int severity;
    const char *user; /* an attribute "user.id", or NULL */
};

static struct arena test_arena = ARENA_INIT(1 << 30);

static void logs_write(struct store *s, const struct line *at, size_t n)
{
    struct records r;
    struct write_result result = { 0 };
    struct err e = ERR_INIT;
    records_init(&r, &test_arena, TABLE_LOGS);
    for (size_t i = 0; i < n; i++) {
        struct attr resource[] = { { STR("service.app"), value_str(str_of(at[i].app)) },
                                   { STR("env"), value_str(str_of(at[i].env)) } };
        struct attr attr = { STR("user.id"), value_str(str_of(at[i].user)) };
        struct origin o = { .resource = { resource, 2 } };
        struct record rec = { .time_ns = at[i].t * SECOND };
        bool is_json = at[i].text[0] == '{';
        rec.log.body = (struct value){ .type = is_json ? VALUE_JSON : VALUE_STR, .text = str_of(at[i].text) };
        rec.log.severity = (uint8_t)at[i].severity;
        if (at[i].trace) memset(rec.trace_id, at[i].trace[0], 16);
        if (at[i].user) rec.attrs = (struct attrs){ &attr, 1 };
        records_origin(&r, &o);
        EXPECT(records_add(&r, &rec, &e) == OK);
    }
    records_end(&r);
    struct batch b = { .logs = &r };
    EXPECT(store_write(s, &b, ACK_MEMORY, &result, NULL, NULL, &e) == OK);
}

static void put_labels(struct buf *out, struct labels l)
{
    for (size_t i = 0; i < l.n; i++)
        buf_printf(out, "%s%.*s=%.*s", i ? "," : "", STR_ARG(l.at[i].name), STR_ARG(l.at[i].value));
}

static void put_answer(struct buf *out, const struct logql_result *r)
{
    for (size_t i = 0; i < r->n_streams; i++)
        for (size_t k = 0; k < r->streams[i].n; k++) {
            const struct logql_entry *x = &r->streams[i].entries[k];
            buf_char(out, '{');
            put_labels(out, r->streams[i].labels);
            buf_char(out, '|');
            put_labels(out, x->structured);
            buf_char(out, '|');
            put_labels(out, x->parsed);
            buf_printf(out, "} %lld %.*s\n", (long long)(x->time_ns / SECOND), STR_ARG(x->line));
        }
    for (size_t i = 0; i < r->n_series; i++) {
        buf_char(out, '{');
        put_labels(out, r->series[i].labels);
        buf_char(out, '}');
        for (size_t k = 0; k < r->series[i].n; k++)
            buf_printf(out, " %lld:%.6g", (long long)(r->series[i].points[k].time_ms / 1000),
                       r->series[i].points[k].value);
        buf_char(out, '\n');
    }
}

/* Log queries over [0, 1000 s), oldest first; instant queries at `end`; with a step range queries. */
static const char *ask(struct logql *lq, const char *text, int64_t start, int64_t end, int64_t step)
{
    static struct buf out = BUF_INIT(16 << 20);
    struct logql_request q = { .text = str_of(text),
                               .start_ns = start * SECOND,
                               .end_ns = end * SECOND,
                               .step_ns = step * SECOND,
                               .limit = 1000,
                               .forward = true };
    struct logql_result r;
    struct err e = ERR_INIT;
    buf_clear(&out);
    if (logql_query(lq, &q, &r, &e) == OK) {
        put_answer(&out, &r);
        logql_result_release(&r);
    } else {
        buf_printf(&out, "error %s: %s", err_name(e.code), e.text);
    }
    return buf_cstr(&out);
}
