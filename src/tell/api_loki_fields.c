/* api_loki_fields.c - detected fields: what could be filtered by, found in the newest lines.
 *
 * The query is run twice, with `| json` and with `| logfmt` behind it: what a parser makes of a line is what
 * LogQL itself would make of it. */
#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "query/logql/parse.h"
#include "tell/api_loki_impl.h"

#define FIELDS_MAX 1000
#define LINES      1000
#define VALUES_MAX 1000 /* told of one field */

enum parser { PARSER_JSON = 1, PARSER_LOGFMT = 2 }; /* bits */
static const char *const parser_names[] = { "json", "logfmt" };

/* Of one value; of a field, what all its values are. */
enum value_kind { KIND_INT, KIND_FLOAT, KIND_BOOLEAN, KIND_DURATION, KIND_BYTES, KIND_STRING };
static const char *const kind_names[] = { "int", "float", "boolean", "duration", "bytes", "string" };

static bool is_float(struct str s)
{
    char text[64], *end;
    if (s.n == 0 || s.n >= sizeof text) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    double v = strtod(text, &end);
    return *end == 0 && isfinite(v) && strpbrk(text, "xX ") == NULL;
}

static enum value_kind kind_of(struct str s)
{
    int64_t i;
    double d;
    if (str_to_i64(s, &i)) return KIND_INT;
    if (is_float(s)) return KIND_FLOAT;
    if (str_is(s, "true") || str_is(s, "false")) return KIND_BOOLEAN;
    if (logql_duration(s, &i)) return KIND_DURATION;
    return logql_bytes(s, &d) ? KIND_BYTES : KIND_STRING;
}

static enum value_kind kind_join(enum value_kind a, enum value_kind b)
{
    if (a == b) return a;
    return MAX(a, b) == KIND_FLOAT ? KIND_FLOAT : KIND_STRING; /* int and float */
}

/* ---- gathering ---- */

struct field_found {
    struct str name;
    unsigned parsers;
    enum value_kind kind;
    struct name_set values;
};

struct gathering {
    struct arena *arena;
    struct str only; /* a field's name; empty: all */
    size_t fields_max;
    struct field_found *at;
    size_t n, cap;
};

static struct field_found *field_of(struct gathering *g, struct str name)
{
    for (size_t i = 0; i < g->n; i++)
        if (str_eq(g->at[i].name, name)) return &g->at[i];
    if (g->n >= g->fields_max) return NULL;
    g->at = arena_grow(g->arena, g->at, g->n, &g->cap, sizeof *g->at);
    struct field_found *f = &g->at[g->n++];
    *f = (struct field_found){ .name = arena_str(g->arena, name), .kind = KIND_STRING };
    name_set_init(&f->values, g->arena);
    return f;
}

static void add_labels(struct gathering *g, struct labels l, unsigned parser)
{
    for (size_t i = 0; i < l.n; i++) {
        if (str_starts(l.at[i].name, "__")) continue;
        if (g->only.n > 0 && !str_eq(g->only, l.at[i].name)) continue;
        struct field_found *f = field_of(g, l.at[i].name);
        if (f == NULL) continue;
        enum value_kind kind = kind_of(l.at[i].value);
        f->kind = f->values.n == 0 ? kind : kind_join(f->kind, kind);
        f->parsers |= parser;
        name_set_add(&f->values, l.at[i].value, 1);
    }
}

static bool parsed_well(const struct logql_entry *e, enum parser parser)
{
    bool looks_like_json = str_starts(str_trim(e->line), "{");
    return labels_get(e->parsed, "__error__").n == 0 && looks_like_json == (parser == PARSER_JSON);
}

static void add_entries(struct gathering *g, const struct logql_result *r, enum parser parser)
{
    for (size_t i = 0; i < r->n_streams; i++)
        for (size_t k = 0; k < r->streams[i].n; k++) {
            const struct logql_entry *e = &r->streams[i].entries[k];
            if (parser == PARSER_JSON) add_labels(g, e->structured, 0); /* once of the two times */
            if (parsed_well(e, parser)) add_labels(g, e->parsed, parser);
        }
}

static int gather_with(struct gathering *g, const struct logs_api *api, struct logql_request q,
                       enum parser parser, struct err *e)
{
    struct logql_result r = { 0 };
    q.text = arena_printf(g->arena, "%.*s\n| %s", STR_ARG(q.text), parser_names[parser - 1]);
    int rc = logql_query(api->logql, &q, &r, e);
    if (rc < 0) return rc;
    if (r.type == LOGQL_STREAMS)
        add_entries(g, &r, parser);
    else
        rc = err_set(e, ERR_PARSE, "only log queries have fields");
    logql_result_release(&r);
    return rc;
}

/* A query that is wrong in itself is told as it is, without what we put behind it. */
static int query_check(struct str text, struct err *e)
{
    struct arena a = ARENA_INIT((size_t)64 << 20);
    struct logql_query q;
    int rc = logql_parse(text, &a, &q, e);
    if (rc == OK && !logql_is_log(q.root)) rc = err_set(e, ERR_PARSE, "only log queries have fields");
    if (rc == OK) logql_query_release(&q);
    arena_release(&a);
    return rc;
}

static int gather(struct gathering *g, struct http_exchange *x, const struct logs_api *api, struct err *e)
{
    struct logql_request q = { .text = http_param(x, "query"), .cancelled = http_gone(x) };
    int rc;

    if (q.text.n == 0) q.text = STR("{}");
    if ((rc = take_loki_window(x, &q.start_ns, &q.end_ns, e)) < 0) return rc;
    if ((rc = take_loki_limit(x, "line_limit", LINES, LOKI_ENTRIES_MAX, &q.limit, e)) < 0) return rc;
    if ((rc = query_check(q.text, e)) < 0) return rc;
    if ((rc = gather_with(g, api, q, PARSER_JSON, e)) < 0) return rc;
    return gather_with(g, api, q, PARSER_LOGFMT, e);
}

static void release(struct gathering *g)
{
    for (size_t i = 0; i < g->n; i++) name_set_release(&g->at[i].values);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct field_found *)a)->name, ((const struct field_found *)b)->name);
}

/* ---- answers ---- */

static void put_field(struct buf *out, const struct field_found *f)
{
    buf_cs(out, "{\"label\":");
    json_escape(out, f->name);
    buf_printf(out, ",\"type\":\"%s\",\"cardinality\":%zu,\"parsers\":[", kind_names[f->kind], f->values.n);
    for (unsigned p = PARSER_JSON, put = 0; p <= PARSER_LOGFMT; p <<= 1)
        if (f->parsers & p) buf_printf(out, "%s\"%s\"", put++ ? "," : "", parser_names[p - 1]);
    buf_cs(out, "]}");
}

static void run_fields(struct http_exchange *x, const struct logs_api *api)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct gathering g = { .arena = http_arena(x) };
    struct err e = ERR_INIT;

    if (take_loki_limit(x, "limit", FIELDS_MAX, FIELDS_MAX, &g.fields_max, &e) < 0 ||
        gather(&g, x, api, &e) < 0) {
        release(&g);
        loki_error(x, &e);
        return;
    }
    if (g.n > 1) qsort(g.at, g.n, sizeof *g.at, by_name);
    buf_cs(&out, "{\"fields\":[");
    for (size_t i = 0; i < g.n; i++) {
        if (i > 0) buf_char(&out, ',');
        put_field(&out, &g.at[i]);
    }
    buf_printf(&out, "],\"limit\":%zu}", g.fields_max);
    release(&g);
    loki_answer(x, &out);
}

static void run_values(struct http_exchange *x, const struct logs_api *api)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct gathering g = { .arena = http_arena(x), .only = http_path_param(x, "name"), .fields_max = 1 };
    struct err e = ERR_INIT;
    size_t limit;

    if (take_loki_limit(x, "limit", VALUES_MAX, VALUES_MAX, &limit, &e) < 0 || gather(&g, x, api, &e) < 0) {
        release(&g);
        loki_error(x, &e);
        return;
    }
    buf_cs(&out, "{\"values\":[");
    if (g.n > 0) name_set_sort(&g.at[0].values);
    for (size_t i = 0; g.n > 0 && i < MIN(g.at[0].values.n, limit); i++) {
        if (i > 0) buf_char(&out, ',');
        json_escape(&out, g.at[0].values.at[i].name);
    }
    buf_printf(&out, "],\"limit\":%zu}", limit);
    release(&g);
    loki_answer(x, &out);
}

void handle_loki_detected_fields(struct http_exchange *x, void *ctx)
{
    logs_post(x, ctx, run_fields);
}

void handle_loki_detected_field_values(struct http_exchange *x, void *ctx)
{
    logs_post(x, ctx, run_values);
}
