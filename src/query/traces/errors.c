/* errors.c - see errors.h. */
#include "query/traces/errors.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "base/map.h"
#include "query/traces/spans.h"

#define SEVERITY_ERROR 17
#define TEXT_MAX       2000 /* kept of a message */

const char *const correlation_names[3] = { "correlation_id", "correlation.id", "correlationId" };
const char *const task_names[3] = { "task_id", "task.id", "taskId" };

enum {
    F_TRACE,
    F_SERVICE,
    F_NAME,
    F_MESSAGE,
    F_SEVERITY,
    F_EVENTS,
    F_TYPE,
    F_EX_TYPE,
    F_EX_MESSAGE,
    F_EX_STACK,
    F_CORRELATION,
    F_TASK,
    FIELDS
};

#define IN(i)                                                                                                \
    {                                                                                                        \
        FIELD_INTRINSIC, i,                                                                                  \
        {                                                                                                    \
            NULL, 0                                                                                          \
        }                                                                                                    \
    }
#define ATTR(s)                                                                                              \
    {                                                                                                        \
        FIELD_ATTR, (enum intrinsic)0,                                                                       \
        {                                                                                                    \
            s, sizeof(s) - 1                                                                                 \
        }                                                                                                    \
    }
#define SHARED                                                                                               \
    [F_TRACE] = IN(IN_TRACE_ID),                                                                             \
    [F_SERVICE] = { FIELD_RESOURCE, (enum intrinsic)0, { "service.name", 12 } },                             \
    [F_TYPE] = ATTR("error.type"), [F_EX_TYPE] = ATTR("exception.type"),                                     \
    [F_EX_MESSAGE] = ATTR("exception.message"), [F_EX_STACK] = ATTR("exception.stacktrace"),                 \
    [F_CORRELATION] = ATTR("correlation_id"), [F_TASK] = ATTR("task_id")

static const struct field span_error_fields[FIELDS] = {
    SHARED,
    [F_NAME] = IN(IN_NAME),
    [F_MESSAGE] = IN(IN_STATUS_MESSAGE),
    [F_SEVERITY] = IN(IN_STATUS),
    [F_EVENTS] = IN(IN_EVENTS),
};
static const struct field log_error_fields[FIELDS] = {
    SHARED,
    [F_NAME] = IN(IN_EVENT_NAME),
    [F_MESSAGE] = IN(IN_BODY),
    [F_SEVERITY] = IN(IN_SEVERITY),
    [F_EVENTS] = IN(IN_SPAN_ID), /* logs have no events; not looked at */
};

const struct predicate *where_named(struct arena *a, const char *const *names, size_t n, struct str value)
{
    const struct predicate *p = NULL;
    for (size_t i = 0; i < 2 * n; i++) {
        struct field f = field_attr(i % 2 == 0 ? FIELD_ATTR : FIELD_RESOURCE, str_of(names[i / 2]));
        const struct predicate *one = predicate_cmp(a, PRED_EQ, f, value_str(value));
        p = p == NULL ? one : predicate_or(a, p, one);
    }
    return p;
}

struct grouping {
    const struct error_ask *ask;
    struct error_report *out;
    struct call *call;
    struct err *err;
    enum table table;
    struct map by_print;
    struct texts texts;
    struct arena scratch;
    size_t cap, rows;
};

/* ---- one error ---- */

static struct str text_of(const struct record_rows *rows, size_t f, size_t row)
{
    struct value v = rows->values[f][row];
    return v.type == VALUE_STR || v.type == VALUE_JSON ? v.text : STR("");
}

static void read_exception(struct json_reader *r, struct error_text *e)
{
    struct str key, text;
    if (!json_object(r)) return;
    while (json_key(r, &key)) {
        struct str *to = str_is(key, "exception.type")         ? &e->type
                         : str_is(key, "exception.message")    ? &e->message
                         : str_is(key, "exception.stacktrace") ? &e->stack
                                                               : NULL;
        if (to != NULL && json_peek(r) == JSON_STRING && json_string(r, &text))
            *to = text;
        else
            json_skip(r);
    }
}

/* The last exception among the events: what ended the span. */
static void read_events(struct str json, struct error_text *e, struct arena *scratch)
{
    struct json_reader r, attributes;
    struct str key, name, raw;

    if (memmem(json.p, json.n, "exception", 9) == NULL) return;
    json_open(&r, json, scratch);
    if (!json_array(&r)) return;
    while (json_next(&r) && json_object(&r)) {
        name = raw = STR("");
        while (json_key(&r, &key))
            if (str_is(key, "name"))
                json_string(&r, &name);
            else if (str_is(key, "attributes"))
                json_raw(&r, &raw);
            else
                json_skip(&r);
        if (!str_is(name, "exception") || raw.n == 0) continue;
        json_open(&attributes, raw, scratch);
        read_exception(&attributes, e);
    }
}

static struct error_text error_of(struct grouping *g, const struct record_rows *rows, size_t i)
{
    struct error_text e = { text_of(rows, F_EX_TYPE, i), text_of(rows, F_EX_MESSAGE, i),
                            text_of(rows, F_EX_STACK, i) };
    if (g->table == TABLE_SPANS) read_events(text_of(rows, F_EVENTS, i), &e, &g->scratch);
    if (e.type.n == 0) e.type = text_of(rows, F_TYPE, i);
    if (e.message.n == 0) e.message = text_of(rows, F_MESSAGE, i);
    if (e.message.n == 0 && e.type.n == 0) e.message = text_of(rows, F_NAME, i);
    if (e.message.n > TEXT_MAX) {
        e.message.n = TEXT_MAX;
        while (e.message.n > 0 && ((unsigned char)e.message.p[e.message.n] & 0xc0) == 0x80) e.message.n--;
    }
    return e;
}

/* ---- groups ---- */

static struct error_group *new_group(struct grouping *g, struct hash128 print, const struct error_text *e)
{
    struct error_report *out = g->out;
    struct error_group *group = arena_zero(g->call->arena, sizeof *group);
    struct buf text = BUF_INIT(64 << 10);

    group->fingerprint = print;
    group->type = texts_keep(&g->texts, e->type);
    group->message = texts_keep(&g->texts, e->message);
    error_normalise(e->message, &text);
    group->pattern = texts_keep(&g->texts, buf_view(&text));
    buf_clear(&text);
    error_frames(e->stack, &text);
    group->frames = texts_keep(&g->texts, buf_view(&text));
    buf_release(&text);
    group->first_ns = INT64_MAX;
    map_add(&g->by_print, print.lo, out->n);
    out->at = arena_grow(g->call->arena, out->at, out->n, &g->cap, sizeof *out->at);
    return out->at[out->n++] = group;
}

static struct error_group *group_of(struct grouping *g, const struct error_text *e)
{
    struct hash128 print = error_fingerprint(e);
    const uint64_t *known = map_find(&g->by_print, print.lo, NULL, NULL);
    if (known != NULL) return g->out->at[*known];
    return g->out->n < ERROR_GROUPS_MAX ? new_group(g, print, e) : NULL;
}

static void add_sample(struct str *list, size_t *n, struct str text)
{
    for (size_t i = 0; i < *n; i++)
        if (str_eq(list[i], text)) return;
    if (text.n > 0 && *n < ERROR_SAMPLES_MAX) list[(*n)++] = text;
}

static void add_trace(struct error_group *group, struct value id)
{
    if (id.type != VALUE_BYTES || id.text.n != 16 || group->n_traces == ERROR_SAMPLES_MAX) return;
    for (size_t i = 0; i < group->n_traces; i++)
        if (memcmp(group->traces[i], id.text.p, 16) == 0) return;
    memcpy(group->traces[group->n_traces++], id.text.p, 16);
}

static void count_over_time(const struct grouping *g, struct error_group *group, int64_t time_ns)
{
    double width = (double)g->ask->to_ns - (double)g->ask->from_ns + 1;
    int bucket = (int)(((double)time_ns - (double)g->ask->from_ns) / width * ERROR_BUCKETS);
    group->over_time[MIN(MAX(bucket, 0), ERROR_BUCKETS - 1)]++;
}

static void count_error(struct grouping *g, struct error_group *group, const struct record_rows *rows,
                        size_t i)
{
    int64_t time_ns = rows->time_ns[i];
    struct str service = texts_keep(&g->texts, service_or_unknown(rows->values[F_SERVICE][i]));
    unsigned severity = g->table == TABLE_LOGS ? (unsigned)rows->values[F_SEVERITY][i].i : SEVERITY_ERROR;

    if (time_ns > group->last_ns) {
        group->last_ns = time_ns;
        group->service = service;
        group->operation = texts_keep(&g->texts, text_of(rows, F_NAME, i));
    }
    group->first_ns = MIN(group->first_ns, time_ns);
    group->severity = MAX(group->severity, severity);
    *(g->table == TABLE_SPANS ? &group->spans : &group->logs) += 1;
    add_sample(group->services, &group->n_services, service);
    add_sample(group->correlations, &group->n_correlations,
               texts_keep(&g->texts, text_of(rows, F_CORRELATION, i)));
    add_sample(group->tasks, &group->n_tasks, texts_keep(&g->texts, text_of(rows, F_TASK, i)));
    add_trace(group, rows->values[F_TRACE][i]);
    count_over_time(g, group, time_ns);
}

static int take_rows(void *ctx, const struct record_rows *rows)
{
    struct grouping *g = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        if (g->rows++ == ERROR_ROWS_MAX) {
            g->out->truncated = true;
            return OK;
        }
        struct error_text e = error_of(g, rows, i);
        struct error_group *group = group_of(g, &e);
        *(g->table == TABLE_SPANS ? &g->out->spans : &g->out->logs) += 1;
        if (group == NULL)
            g->out->not_grouped++;
        else
            count_error(g, group, rows, i);
        arena_reset(&g->scratch);
    }
    return call_check(g->call, g->err);
}

/* ---- both tables ---- */

static const struct predicate *where_error(const struct error_ask *ask, enum table table, struct arena *a)
{
    unsigned severity = ask->min_severity > 0 ? ask->min_severity : SEVERITY_ERROR;
    const struct predicate *p = table == TABLE_SPANS
                                    ? predicate_cmp(a, PRED_EQ, field_in(IN_STATUS), value_int(STATUS_ERROR))
                                    : predicate_cmp(a, PRED_GE, field_in(IN_SEVERITY), value_int(severity));
    if (ask->service.n > 0) p = predicate_and(a, p, where_service(a, ask->service));
    if (ask->correlation.n > 0)
        p = predicate_and(a, p,
                          where_named(a, correlation_names, COUNT(correlation_names), ask->correlation));
    return p;
}

static int scan_table(struct grouping *g, struct store_view *view, enum table table)
{
    struct record_scan scan = { .table = table,
                                .from_ns = g->ask->from_ns,
                                .to_ns = g->ask->to_ns,
                                .where = where_error(g->ask, table, g->call->arena),
                                .fields = table == TABLE_SPANS ? span_error_fields : log_error_fields,
                                .n_fields = FIELDS,
                                .order = ORDER_TIME_DESC,
                                .limit = ERROR_ROWS_MAX + 1 };
    g->table = table;
    g->rows = 0;
    return view_records(view, g->call, &scan, take_rows, g, g->err);
}

static int most_first(const void *x, const void *y)
{
    const struct error_group *a = *(struct error_group *const *)x, *b = *(struct error_group *const *)y;
    uint64_t na = a->spans + a->logs, nb = b->spans + b->logs;
    if (na != nb) return na > nb ? -1 : 1;
    return (a->last_ns < b->last_ns) - (a->last_ns > b->last_ns);
}

int error_groups(struct store_view *view, struct call *call, const struct error_ask *ask,
                 struct error_report *out, struct err *e)
{
    struct grouping g = { .ask = ask, .out = out, .call = call, .err = e, .scratch = ARENA_INIT(64 << 20) };
    int rc = OK;

    *out = (struct error_report){ 0 };
    map_init(&g.by_print, 64);
    texts_init(&g.texts, call->arena);
    if (!ask->no_spans) rc = scan_table(&g, view, TABLE_SPANS);
    if (rc == OK && !ask->no_logs) rc = scan_table(&g, view, TABLE_LOGS);
    texts_release(&g.texts);
    map_release(&g.by_print);
    arena_release(&g.scratch);
    if (out->n > 1) qsort(out->at, out->n, sizeof *out->at, most_first);
    return rc;
}
