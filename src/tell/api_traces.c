/* api_traces.c - the list of traces, one trace page by page, one span whole. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/map.h"
#include "decode/id_text.h"
#include "tell/alert_join.h"
#include "tell/api_traces_impl.h"
#include "tell/spend_json.h"

#define LIST_DEFAULT    20
#define PAGE_DEFAULT    1000
#define PAGE_MAX        20000
#define PAGE_BYTES      ((size_t)16 << 20) /* a page ends early when it is as large as this */
#define LOGS_DEFAULT    100
#define LOGS_MAX        10000
#define CURSOR_TEXT_MAX 64
#define CRITICAL_MAX    200 /* spans named in critical_path, those with most time */

/* ---- the list ---- */

static bool cursor_read(struct str text, struct trace_cursor *c)
{
    struct str id, time = str_cut(text, '-', &id);
    return str_to_i64(time, &c->time_ns) && c->time_ns > 0 && id.n == 32 && id_from_hex(id, 16, c->trace_id);
}

static void put_cursor(struct json_writer *w, const struct trace_cursor *c)
{
    char text[CURSOR_TEXT_MAX];
    size_t n = (size_t)snprintf(text, sizeof text, "%lld-", (long long)c->time_ns);
    for (size_t i = 0; i < 16; i++) n += (size_t)snprintf(text + n, sizeof text - n, "%02x", c->trace_id[i]);
    json_kv_string(w, "next_cursor", str_make(text, n));
}

static int take_status(struct http_exchange *x, enum trace_status *out, struct err *e)
{
    static const char *const names[] = { "any", "error", "ok", "running" };
    struct str s = http_param(x, "status");
    *out = TRACE_ANY;
    for (unsigned i = 0; s.n > 0 && i < COUNT(names); i++)
        if (str_is_nocase(s, names[i])) {
            *out = (enum trace_status)i;
            return OK;
        }
    return s.n == 0 ? OK : err_set(e, ERR_PARSE, "status must be error, ok, running or any");
}

static int take_search(struct http_exchange *x, struct trace_search *s, struct span_filter *f,
                       struct arena *a, struct err *e)
{
    struct str cursor = http_param(x, "cursor");
    int rc;

    if ((rc = take_span_filter(x, f, a, e)) < 0) return rc;
    if ((rc = take_window(x, 0, &s->from_ns, &s->to_ns, e)) < 0) return rc;
    if ((rc = take_trace_duration(x, "min_duration", &s->min_ns, e)) < 0) return rc;
    if ((rc = take_trace_duration(x, "max_duration", &s->max_ns, e)) < 0) return rc;
    if ((rc = take_status(x, &s->status, e)) < 0) return rc;
    if ((rc = take_count(x, "limit", LIST_DEFAULT, SEARCH_LIMIT_MAX, &s->limit, e)) < 0) return rc;
    if (s->limit == 0) s->limit = LIST_DEFAULT;
    if (cursor.n > 0 && !cursor_read(cursor, &s->after))
        return err_set(e, ERR_PARSE, "cursor is none that this server gave");
    s->where = f->where;
    return OK;
}

/* What each of them cost. */
static int price_list(struct trace_query *q, struct trace_found *found)
{
    uint8_t(*ids)[16] = arena_array(q->arena, found->n + 1, sizeof *ids);
    struct trace_spend *spend = arena_array(q->arena, found->n + 1, sizeof *spend);
    for (size_t i = 0; i < found->n; i++) memcpy(ids[i], found->at[i].id, 16);
    int rc =
        traces_spend(q->view, &q->c.call, q->prices, (const uint8_t(*)[16])ids, found->n, spend, &q->err);
    for (size_t i = 0; i < found->n && rc == OK; i++) found->at[i].spend = &spend[i];
    return rc;
}

static void answer_list(struct http_exchange *x, const struct trace_found *found)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;

    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_put_key(&w, STR("traces"));
    json_begin_array(&w);
    for (size_t i = 0; i < found->n; i++) trace_summary_json(&w, &found->at[i]);
    json_end_array(&w);
    if (found->more) put_cursor(&w, &found->next);
    json_end_object(&w);
    trace_answer(x, &out);
}

static void run_list(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct trace_search ask = { 0 };
    struct span_filter filter = { 0 };
    struct trace_found found;

    if (trace_query_open(&q, x, api)) {
        if (take_search(x, &ask, &filter, q.arena, &q.err) < 0 ||
            trace_search(q.view, &q.c.call, &ask, &found, &q.err) < 0 || price_list(&q, &found) < 0)
            respond_err(x, &q.err);
        else
            answer_list(x, &found);
    }
    span_filter_release(&filter);
    trace_query_release(&q);
}

void handle_traces(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_list);
}

/* ---- a page of one trace ---- */

struct page {
    struct trace_query *q;
    struct trace t;
    struct record_parts parts;
    bool whole_records;      /* anything of them is wanted */
    size_t offset, n;        /* spans of the page */
    struct record **records; /* by place on the page; NULL: gone since */
    size_t logs;
    struct record_list found_logs;
};

struct page_ids {
    const struct page *p;
    const struct record *r;
};

static bool is_span(void *ctx, uint64_t i)
{
    const struct page_ids *w = ctx;
    const struct trace_span *s = &w->p->t.at[w->p->offset + i];
    return memcmp(s->id, w->r->span_id, 8) == 0 && s->kind == w->r->span.kind;
}

static const struct predicate *where_page(const struct page *p)
{
    struct arena *a = p->q->arena;
    const uint8_t(*id)[16] = (const uint8_t(*)[16])p->t.at[0].trace_id;
    struct value *ids = arena_array(a, p->n, sizeof *ids);

    if (p->n == p->t.n || p->n > 64) return where_traces(a, id, 1);
    for (size_t i = 0; i < p->n; i++)
        ids[i] = (struct value){ .type = VALUE_BYTES, .text = str_make(p->t.at[p->offset + i].id, 8) };
    return predicate_and(a, where_traces(a, id, 1), predicate_in(a, field_in(IN_SPAN_ID), ids, p->n));
}

/* Records of the page's spans, beside them. What else began between them is read, too, and left. */
static int load_records(struct page *p)
{
    struct record_list list;
    struct map by_id;
    int64_t from = INT64_MAX, to = 0;

    p->records = arena_zero(p->q->arena, (p->n + 1) * sizeof *p->records);
    if (p->n == 0 || !p->whole_records) return OK;
    map_init(&by_id, p->n);
    for (size_t i = 0; i < p->n; i++) {
        const struct trace_span *s = &p->t.at[p->offset + i];
        from = MIN(from, s->start_ns);
        to = MAX(to, s->start_ns);
        map_add(&by_id, hash64(s->id, 8), i);
    }
    int rc = records_load(p->q, TABLE_SPANS, from, to, where_page(p), ORDER_ANY, 0, &list);
    for (size_t i = 0; i < list.n && rc == OK; i++) {
        const uint64_t *at =
            map_find(&by_id, hash64(list.at[i].span_id, 8), is_span, &(struct page_ids){ p, &list.at[i] });
        if (at != NULL) p->records[*at] = &list.at[i];
    }
    map_release(&by_id);
    return rc;
}

static int load_logs(struct page *p)
{
    if (p->logs == 0) return OK;
    const uint8_t(*id)[16] = (const uint8_t(*)[16])p->t.at[0].trace_id;
    return records_load(p->q, TABLE_LOGS, 0, TRACE_TIME_MAX, where_traces(p->q->arena, id, 1), ORDER_TIME,
                        p->logs, &p->found_logs);
}

static int take_page(struct http_exchange *x, struct page *p, size_t *limit, struct err *e)
{
    int rc;
    if ((rc = take_parts(x, &p->parts, e)) < 0) return rc;
    if ((rc = take_count(x, "offset", 0, TRACE_SPANS_MAX, &p->offset, e)) < 0) return rc;
    if ((rc = take_count(x, "limit", PAGE_DEFAULT, PAGE_MAX, limit, e)) < 0) return rc;
    rc = take_count(x, "logs", p->offset == 0 ? LOGS_DEFAULT : 0, LOGS_MAX, &p->logs, e);
    p->whole_records = p->parts.attributes || p->parts.resource || p->parts.events || p->parts.links;
    return rc;
}

/* ---- its answer ---- */

struct service_row {
    size_t spans, errors;
};

static void put_services(struct json_writer *w, const struct trace *t, struct arena *a)
{
    struct service_row *row = NULL;
    struct texts names;
    size_t cap = 0;

    texts_init(&names, a);
    for (size_t i = 0; i < t->n; i++) {
        size_t known = names.n;
        uint32_t k = texts_number(&names, t->at[i].service);
        if (k == known) {
            row = arena_grow(a, row, k, &cap, sizeof *row);
            row[k] = (struct service_row){ 0 };
        }
        row[k].spans++;
        row[k].errors += t->at[i].status == STATUS_ERROR;
    }
    json_put_key(w, STR("services"));
    json_begin_array(w);
    for (size_t i = 0; i < names.n; i++) {
        json_begin_object(w);
        json_kv_string(w, "name", names.at[i]);
        json_kv_i64(w, "span_count", (int64_t)row[i].spans);
        json_kv_i64(w, "error_count", (int64_t)row[i].errors);
        json_end_object(w);
    }
    json_end_array(w);
    texts_release(&names);
}

static int most_critical_first(const void *x, const void *y)
{
    const struct trace_span *a = *(const struct trace_span *const *)x,
                            *b = *(const struct trace_span *const *)y;
    if (a->critical_ns != b->critical_ns) return a->critical_ns > b->critical_ns ? -1 : 1;
    return (a > b) - (a < b);
}

static void put_critical_path(struct json_writer *w, const struct trace *t, struct arena *a)
{
    const struct trace_span **on = arena_array(a, t->n, sizeof *on);
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->at[i].critical_ns > 0) on[n++] = &t->at[i];
    if (n > 1) qsort(on, n, sizeof *on, most_critical_first);
    json_put_key(w, STR("critical_path"));
    json_begin_array(w);
    for (size_t i = 0; i < MIN(n, (size_t)CRITICAL_MAX); i++) {
        json_begin_object(w);
        json_kv_hex(w, "span_id", on[i]->id, 8);
        json_kv_string(w, "service", on[i]->service);
        json_kv_string(w, "name", on[i]->name);
        json_kv_ms(w, "critical_ms", on[i]->critical_ns);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_trace_head(struct json_writer *w, const struct page *p)
{
    const struct trace *t = &p->t;
    json_kv_hex(w, "trace_id", t->at[0].trace_id, 16);
    json_kv_string(w, "root_name", t->at[0].name);
    json_kv_string(w, "service", t->at[0].service);
    json_kv_time(w, "start", t->start_ns);
    json_kv_ms(w, "duration_ms", t->end_ns - t->start_ns);
    json_kv_ms(w, "idle_ms", t->idle_ns);
    json_kv_i64(w, "span_count", (int64_t)t->n);
    json_kv_i64(w, "error_count", t->errors);
    json_kv_i64(w, "running_count", t->running);
    json_kv_i64(w, "root_count", t->roots);
    json_kv_i64(w, "orphan_count", t->orphans);
    json_kv_i64(w, "cycle_count", t->cycles);
    json_kv_i64(w, "depth", t->depth);
    json_kv_cs(w, "status", t->errors > 0 ? "error" : t->running > 0 ? "running" : "ok");
    trace_spend_json(w, t->total);
    json_kv_string(w, "price_version", price_book_version(p->q->prices));
    if (p->offset > 0) return; /* told on the first page */
    put_services(w, t, p->q->arena);
    put_critical_path(w, t, p->q->arena);
}

static void put_logs(struct json_writer *w, const struct page *p)
{
    json_put_key(w, STR("logs"));
    json_begin_array(w);
    for (size_t i = 0; i < p->found_logs.n; i++) log_record_json(w, &p->found_logs.at[i], &p->parts);
    json_end_array(w);
    if (p->found_logs.truncated) json_kv_bool(w, "logs_truncated", true);
}

/* Those that name this trace, whenever that was; on the first page. */
static int put_alerts(struct json_writer *w, const struct page *p, struct notify *notify, struct err *e)
{
    bool truncated = false;
    const struct alert_join ask = { .traces = (const uint8_t(*)[16])p->t.at[0].trace_id,
                                    .n_traces = 1,
                                    .to_ms = INT64_MAX };
    int rc = alert_join_json(w, p->offset == 0 ? notify : NULL, &ask, p->q->arena, &truncated, e);
    if (truncated) json_kv_bool(w, "alerts_truncated", true);
    return rc;
}

static void answer_page(struct http_exchange *x, const struct page *p, struct notify *notify)
{
    struct err e = ERR_INIT;
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    int64_t now_ns = clock_now_ms() * 1000000;
    size_t i = 0;

    json_writer_init(&w, &out);
    json_begin_object(&w);
    put_trace_head(&w, p);
    json_kv_i64(&w, "offset", (int64_t)p->offset);
    json_put_key(&w, STR("spans"));
    json_begin_array(&w);
    for (; i < p->n && (i == 0 || out.n < PAGE_BYTES); i++)
        trace_span_json(&w, &p->t, p->offset + i, p->records[i], &p->parts, now_ns);
    json_end_array(&w);
    if (p->offset + i < p->t.n) json_kv_i64(&w, "next_offset", (int64_t)(p->offset + i));
    put_logs(&w, p);
    int rc = put_alerts(&w, p, notify, &e);
    json_end_object(&w);
    if (rc == OK) {
        trace_answer(x, &out);
        return;
    }
    buf_release(&out);
    respond_err(x, &e);
}

static int load_page(struct http_exchange *x, struct page *p)
{
    struct err *e = &p->q->err;
    struct str text = http_path_param(x, "id");
    uint8_t id[16];
    size_t limit = 0;
    int rc;

    if (!trace_id_read(text, id))
        return err_set(e, ERR_PARSE, "%.*s is no trace id", (int)MIN(text.n, (size_t)80), text.p);
    if ((rc = take_page(x, p, &limit, e)) < 0) return rc;
    if ((rc = trace_load_priced(p->q->view, &p->q->c.call, p->q->prices, id, &p->t, e)) < 0) return rc;
    p->n = p->offset < p->t.n ? MIN(limit, p->t.n - p->offset) : 0;
    if ((rc = load_records(p)) < 0) return rc;
    return load_logs(p);
}

static void run_trace(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct page p = { .q = &q };

    if (trace_query_open(&q, x, api)) {
        if (load_page(x, &p) < 0)
            respond_err(x, &q.err);
        else
            answer_page(x, &p, api->notify);
    }
    trace_query_release(&q);
}

void handle_trace(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_trace);
}

/* ---- one span, whole ---- */

static int load_span(struct http_exchange *x, struct trace_query *q, struct record_list *list)
{
    struct str trace = http_path_param(x, "id"), span = http_path_param(x, "span");
    uint8_t id[1][16], span_id[8];

    if (!trace_id_read(trace, id[0]) || !id_from_hex(span, 8, span_id))
        return err_set(&q->err, ERR_PARSE, "no trace id, or no span id, in the path");
    struct value v = { .type = VALUE_BYTES, .text = arena_str(q->arena, str_make(span_id, 8)) };
    const struct predicate *p = predicate_and(q->arena, where_traces(q->arena, (const uint8_t(*)[16])id, 1),
                                              predicate_cmp(q->arena, PRED_EQ, field_in(IN_SPAN_ID), v));
    int rc = records_load(q, TABLE_SPANS, 0, TRACE_TIME_MAX, p, ORDER_TIME, 16, list);
    return rc < 0 || list->n > 0 ? rc : err_set(&q->err, ERR_FIND, "span not found");
}

static void answer_span(struct http_exchange *x, const struct record_list *list)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct json_writer w;
    const struct record_parts whole = { true, true, true, true, true };

    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_put_key(&w, STR("spans"));
    json_begin_array(&w);
    for (size_t i = 0; i < list->n; i++) span_record_json(&w, &list->at[i], &whole, clock_now_ms() * 1000000);
    json_end_array(&w);
    json_end_object(&w);
    trace_answer(x, &out);
}

static void run_span(struct http_exchange *x, const struct prometheus_api *api)
{
    struct trace_query q;
    struct record_list list;

    if (trace_query_open(&q, x, api)) {
        if (load_span(x, &q, &list) < 0)
            respond_err(x, &q.err);
        else
            answer_span(x, &list);
    }
    trace_query_release(&q);
}

void handle_trace_span(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_span);
}

/* ---- routes; a fixed word comes before {id} ---- */

const struct http_route traces_routes[] = {
    { "GET", "/api/v1/traces", handle_traces },
    { "GET", "/api/v1/traces/stats", handle_traces_stats },
    { "GET", "/api/v1/traces/analysis", handle_traces_analysis },
    { "GET", "/api/v1/traces/difference", handle_traces_difference },
    { "GET", "/api/v1/traces/{id}", handle_trace },
    { "GET", "/api/v1/traces/{id}/spans/{span}", handle_trace_span },
    { "GET", "/api/v1/services", handle_services },
    { "GET", "/api/v1/services/map", handle_services_map },
    { "GET", "/api/v1/errors", handle_errors },
    { "GET", "/api/v1/correlate", handle_correlate },
};
const size_t traces_routes_count = COUNT(traces_routes);
