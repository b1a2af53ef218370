/* spans.c - see spans.h. */
#include "query/traces/spans.h"

#include <stdlib.h>

#include "base/check.h"

/* ---- texts ---- */

void texts_init(struct texts *t, struct arena *a)
{
    *t = (struct texts){ .arena = a };
    map_init(&t->map, 256);
}

void texts_release(struct texts *t)
{
    map_release(&t->map);
}

struct wanted_text {
    const struct texts *in;
    struct str text;
};

static bool is_wanted(void *ctx, uint64_t i)
{
    const struct wanted_text *w = ctx;
    return str_eq(w->in->at[i], w->text);
}

uint32_t texts_number(struct texts *t, struct str text)
{
    uint64_t hash = hash64(text.p, text.n);
    const uint64_t *known = map_find(&t->map, hash, is_wanted, &(struct wanted_text){ t, text });
    if (known != NULL) return (uint32_t)*known;

    t->at = arena_grow(t->arena, t->at, t->n, &t->cap, sizeof *t->at);
    t->at[t->n] = arena_str(t->arena, text);
    map_add(&t->map, hash, t->n);
    return (uint32_t)t->n++;
}

struct str texts_keep(struct texts *t, struct str text)
{
    if (text.n == 0) return text;
    uint32_t number = texts_number(t, text); /* may move t->at */
    return t->at[number];
}

/* ---- columns ---- */

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

const struct field span_fields[SPAN_COLUMNS] = {
    [COL_TRACE_ID] = IN(IN_TRACE_ID),
    [COL_SPAN_ID] = IN(IN_SPAN_ID),
    [COL_PARENT_ID] = IN(IN_PARENT_ID),
    [COL_DURATION] = IN(IN_DURATION),
    [COL_NAME] = IN(IN_NAME),
    [COL_KIND] = IN(IN_KIND),
    [COL_STATUS] = IN(IN_STATUS),
    [COL_ORIGIN] = IN(IN_ORIGIN),
    [COL_SERVICE] = { FIELD_RESOURCE, (enum intrinsic)0, { "service.name", 12 } },
    [COL_AGENT] = ATTR("gen_ai.agent.name"),
    [COL_AGENT + 1] = ATTR("agent.name"),
    [COL_AGENT + 2] = ATTR("gen_ai.agent.id"),
    [COL_AGENT + 3] = ATTR("agent_id"),
    [COL_OPERATION] = ATTR("gen_ai.operation.name"),
    [COL_OPERATION_2] = ATTR("openinference.span.kind"),
    [COL_TOOL] = ATTR("gen_ai.tool.name"),
    [COL_TOOL_2] = ATTR("tool.name"),
    [COL_MODEL] = ATTR("gen_ai.request.model"),
    [COL_MODEL_2] = ATTR("llm.model_name"),
};

static bool is_text(struct value v)
{
    return v.type == VALUE_STR && v.text.n > 0;
}

struct str service_or_unknown(struct value v)
{
    return is_text(v) ? v.text : STR(UNKNOWN_SERVICE);
}

static void copy_id(uint8_t *to, size_t n, struct value v)
{
    memset(to, 0, n);
    if (v.type == VALUE_BYTES && v.text.n == n) memcpy(to, v.text.p, n);
}

static struct str first_text(const struct record_rows *rows, size_t row, size_t from, size_t to)
{
    for (size_t c = from; c < to; c++)
        if (is_text(rows->values[c][row])) return rows->values[c][row].text;
    return STR("");
}

static struct str keep(struct texts *texts, struct str s)
{
    return texts == NULL ? s : texts_keep(texts, s);
}

void span_of_row(struct trace_span *s, const struct record_rows *rows, size_t row, struct texts *texts)
{
    const struct value *const *v = rows->values;

    *s = (struct trace_span){ .start_ns = rows->time_ns[row],
                              .duration_ns = v[COL_DURATION][row].i,
                              .kind = (uint8_t)v[COL_KIND][row].i,
                              .status = (uint8_t)v[COL_STATUS][row].i };
    copy_id(s->trace_id, 16, v[COL_TRACE_ID][row]);
    copy_id(s->id, 8, v[COL_SPAN_ID][row]);
    copy_id(s->parent_id, 8, v[COL_PARENT_ID][row]);
    if (v[COL_ORIGIN][row].type == VALUE_BYTES)
        memcpy(&s->process, v[COL_ORIGIN][row].text.p, MIN(v[COL_ORIGIN][row].text.n, sizeof s->process));
    if (is_text(v[COL_NAME][row])) s->name = keep(texts, v[COL_NAME][row].text);
    s->service = keep(texts, service_or_unknown(v[COL_SERVICE][row]));
    s->agent = keep(texts, first_text(rows, row, COL_AGENT, COL_AGENT_END));
    s->operation = keep(texts, first_text(rows, row, COL_OPERATION, COL_OPERATION_2 + 1));
    s->tool = keep(texts, first_text(rows, row, COL_TOOL, COL_TOOL_2 + 1));
    s->model = keep(texts, first_text(rows, row, COL_MODEL, COL_MODEL_2 + 1));
}

/* ---- conditions ---- */

const struct predicate *where_service(struct arena *a, struct str service)
{
    struct field f = span_fields[COL_SERVICE];
    const struct predicate *p = predicate_cmp(a, PRED_EQ, f, value_str(service));
    if (!str_is(service, UNKNOWN_SERVICE)) return p;
    p = predicate_or(a, p, predicate_cmp(a, PRED_EQ, f, value_str(STR(""))));
    return predicate_or(a, p, predicate_not(a, predicate_exists(a, f)));
}

const struct predicate *where_agent(struct arena *a, struct str agent)
{
    const struct predicate *p = predicate_cmp(a, PRED_EQ, span_fields[COL_AGENT], value_str(agent));
    for (size_t c = COL_AGENT + 1; c < COL_AGENT_END; c++)
        p = predicate_or(a, p, predicate_cmp(a, PRED_EQ, span_fields[c], value_str(agent)));
    return p;
}

const struct predicate *where_traces(struct arena *a, const uint8_t (*ids)[16], size_t n)
{
    struct value *v = arena_array(a, n, sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = (struct value){ .type = VALUE_BYTES, .text = arena_str(a, str_make(ids[i], 16)) };
    if (n == 1) return predicate_cmp(a, PRED_EQ, field_in(IN_TRACE_ID), v[0]);
    return predicate_in(a, field_in(IN_TRACE_ID), v, n);
}

/* ---- loading ---- */

struct loader {
    struct span_list *list;
    struct texts texts;
    struct err *err;
};

static int take_rows(void *ctx, const struct record_rows *rows)
{
    struct loader *l = ctx;
    struct span_list *list = l->list;

    if (list->n + rows->n > TRACE_SPANS_MAX)
        return err_set(l->err, ERR_LIMIT, "more than %u spans in one answer; ask for fewer traces",
                       TRACE_SPANS_MAX);
    for (size_t i = 0; i < rows->n; i++) {
        list->at = arena_grow(l->texts.arena, list->at, list->n, &list->cap, sizeof *list->at);
        span_of_row(&list->at[list->n++], rows, i, &l->texts);
    }
    if (arena_over(l->texts.arena))
        return err_set(l->err, ERR_LIMIT, "the spans of these traces need more memory than a query may take");
    return OK;
}

static int by_trace(const void *x, const void *y)
{
    const struct trace_span *a = x, *b = y;
    return memcmp(a->trace_id, b->trace_id, 16);
}

int spans_load(struct store_view *view, struct call *call, const uint8_t (*ids)[16], size_t n,
               struct span_list *list, struct err *e)
{
    struct record_scan scan = { .table = TABLE_SPANS,
                                .to_ns = INT64_MAX,
                                .where = where_traces(call->arena, ids, n),
                                .fields = span_fields,
                                .n_fields = SPAN_COLUMNS };
    struct loader l = { .list = list, .err = e };

    *list = (struct span_list){ 0 };
    if (n == 0) return OK;
    texts_init(&l.texts, call->arena);
    int rc = view_records(view, call, &scan, take_rows, &l, e);
    texts_release(&l.texts);
    if (rc == OK && n > 1 && list->n > 1) qsort(list->at, list->n, sizeof *list->at, by_trace);
    return rc;
}

int trace_load(struct store_view *view, struct call *call, const uint8_t id[16], struct trace *t,
               struct err *e)
{
    struct span_list list;
    uint8_t ids[1][16];

    memcpy(ids[0], id, 16);
    int rc = spans_load(view, call, (const uint8_t(*)[16])ids, 1, &list, e);
    if (rc < 0) return rc;
    if (list.n == 0) return err_set(e, ERR_FIND, "trace not found");
    trace_build(t, list.at, list.n, call->arena);
    return OK;
}
