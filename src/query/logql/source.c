/* source.c - see source.h. */
#include "query/logql/source.h"

#include "base/check.h"

#define FIELDS_MAX  64 /* more are read as whole records */
#define IN_LIST_MAX 16 /* streams named one by one to the store */
#define BODY        1  /* where it is among the fields, when it is read; the origin is the first */

const char *level_name(uint8_t severity)
{
    static const char *const names[] = { "trace", "debug", "info", "warn", "error", "fatal" };
    return severity >= 1 && severity <= 24 ? names[(severity - 1) / 4] : "unknown";
}

/* ---- streams ---- */

struct same_id {
    const struct source *s;
    struct hash128 id;
};

static bool same_id(void *ctx, uint64_t i)
{
    const struct same_id *x = ctx;
    return hash128_eq(x->s->streams[i].id, x->id);
}

static struct log_stream *stream_of(const struct source *s, struct hash128 id)
{
    uint64_t *at = map_find(&s->by_id, id.lo, same_id, &(struct same_id){ s, id });
    return at ? &s->streams[*at] : NULL;
}

static int find_streams(struct source *s, const struct log_expr *log, const struct predicate **where,
                        struct err *e)
{
    struct origin *origins;
    size_t n;
    bool none;
    int rc = selector_predicate(log->matchers, log->n_matchers, s->view, s->call, where, &none, e);
    if (rc < 0 || none) return rc;
    if ((rc = view_origins(s->view, s->call, TABLE_LOGS, *where, 0, &origins, &n, e)) < 0) return rc;
    s->streams = arena_array(s->arena, n, sizeof *s->streams);
    map_init(&s->by_id, n);
    for (size_t i = 0; i < n && rc == OK; i++) {
        struct labels l = origin_labels(&origins[i], s->arena);
        if (i % 256 == 0) rc = call_check(s->call, e);
        if (!matchers_match(log->matchers, log->n_matchers, l)) continue;
        map_add(&s->by_id, origins[i].id.lo, s->n_streams);
        s->streams[s->n_streams++] = (struct log_stream){ .id = origins[i].id, .labels = l };
    }
    return rc;
}

/* Few streams are named; of many the selector's own condition is told. */
static const struct predicate *streams_predicate(const struct source *s, const struct predicate *selector)
{
    if (s->n_streams > IN_LIST_MAX) return selector;
    struct value *ids = arena_array(s->arena, s->n_streams, sizeof *ids);
    for (size_t i = 0; i < s->n_streams; i++)
        ids[i] = (struct value){ .type = VALUE_BYTES,
                                 .text = str_make(&s->streams[i].id, sizeof(struct hash128)) };
    return predicate_in(s->arena, field_in(IN_ORIGIN), ids, s->n_streams);
}

/* ---- what is needed ---- */

struct needing {
    struct needs n;
    struct str *names;
    size_t cap;
    struct arena *arena;
};

static void need_name(struct needing *x, struct str name)
{
    for (size_t i = 0; i < x->n.n; i++)
        if (str_eq(x->names[i], name)) return;
    x->names = arena_grow(x->arena, x->names, x->n.n, &x->cap, sizeof *x->names);
    x->names[x->n.n++] = name;
}

static void need_filter(struct needing *x, const struct label_filter *f)
{
    if (f->kind == FILTER_AND || f->kind == FILTER_OR) {
        need_filter(x, f->left);
        need_filter(x, f->right);
    } else {
        need_name(x, f->name);
    }
}

/* A parser must know of every label, so as not to take its name. */
static void need_stage(struct needing *x, const struct stage *s)
{
    switch (s->kind) {
    case STAGE_LINE_FILTER:
    case STAGE_DECOLORIZE: x->n.line = true; break;
    case STAGE_LABEL_FILTER: need_filter(x, s->filter); break;
    case STAGE_DROP:
    case STAGE_KEEP: break;
    case STAGE_LABEL_FORMAT:
        x->n.all = x->n.line = true; /* templates may ask for __line__ */
        break;
    default: x->n.all = x->n.line = true;
    }
}

static void add_wanted(struct source *s, struct wanted w, size_t *cap)
{
    s->wanted = arena_grow(s->arena, s->wanted, s->n_wanted, cap, sizeof *s->wanted);
    s->wanted[s->n_wanted++] = w;
}

static bool asked_for(const struct needs *n, struct str label)
{
    for (size_t i = 0; i < n->n; i++)
        if (str_eq(n->names[i], label)) return true;
    return false;
}

static void plan_fields(struct source *s, const struct needs *n, const struct field_info *f, size_t n_fields)
{
    static const struct {
        const char *label;
        enum intrinsic in;
    } fixed[] = { { "trace_id", IN_TRACE_ID },           { "span_id", IN_SPAN_ID },
                  { "severity_text", IN_SEVERITY_TEXT }, { "severity_number", IN_SEVERITY },
                  { "detected_level", IN_SEVERITY },     { "scope_name", IN_SCOPE_NAME },
                  { "scope_version", IN_SCOPE_VERSION }, { "event_name", IN_EVENT_NAME } };
    size_t cap = 0;
    for (size_t i = 0; i < COUNT(fixed); i++) {
        struct str label = str_of(fixed[i].label);
        bool by_name = asked_for(n, label);
        if (!n->all && !by_name) continue;
        add_wanted(s,
                   (struct wanted){ field_in(fixed[i].in), label, str_is(label, "detected_level"),
                                    str_is(label, "severity_number"), by_name },
                   &cap);
    }
    for (size_t i = 0; i < n_fields; i++) {
        if (f[i].field.scope == FIELD_RESOURCE) continue;
        struct str label = label_sanitised(f[i].field.name, s->arena);
        if (n->all || asked_for(n, label))
            add_wanted(s, (struct wanted){ .field = f[i].field, .label = label }, &cap);
    }
    s->whole = s->n_wanted > FIELDS_MAX;
}

int source_open(struct source *s, struct store_view *view, struct call *call, const struct log_expr *log,
                struct needs needs, struct err *e)
{
    struct needing x = { .n = needs, .arena = call->arena };
    const struct predicate *selector = NULL;
    struct field_info *fields;
    size_t n_fields;
    *s = (struct source){ .view = view, .call = call, .arena = call->arena };
    int rc = find_streams(s, log, &selector, e);
    if (rc < 0 || s->n_streams == 0) return rc;
    if ((rc = view_fields(view, call, TABLE_LOGS, 0, &fields, &n_fields, e)) < 0) return rc;
    const struct predicate *lines = pushdown(log, s, fields, n_fields, &s->exact);
    if (predicate_check(predicate_and(s->arena, predicate_not(s->arena, NULL), lines), NULL) < 0) {
        lines = NULL; /* too much for the store; the pipeline decides alone */
        s->exact = false;
    }
    x.n.n = 0;
    for (size_t i = 0; i < needs.n; i++) need_name(&x, needs.names[i]);
    for (const struct stage *st = log->stages; st != NULL && !s->exact; st = st->next) need_stage(&x, st);
    x.n.names = x.names;
    s->has_lines = x.n.line;
    plan_fields(s, &x.n, fields, n_fields);
    s->where = predicate_and(s->arena, streams_predicate(s, selector), lines);
    return OK;
}

void source_release(struct source *s)
{
    if (s->by_id.slots) map_release(&s->by_id);
}

/* ---- the scan ---- */

static size_t first_wanted(const struct source *s)
{
    return s->has_lines ? BODY + 1 : BODY;
}

struct source_cursor {
    struct source *s;
    const struct record_rows *rows;
    size_t i;
    source_sink *sink;
    void *ctx;
    const char *last_id; /* of the row before: texts of a call often share their bytes */
    struct log_stream *last;
};

static struct str hex_of(struct str bytes, struct arena *a)
{
    char *p = arena_alloc(a, 2 * bytes.n);
    for (size_t i = 0; i < bytes.n; i++) {
        p[2 * i] = "0123456789abcdef"[(unsigned char)bytes.p[i] >> 4];
        p[2 * i + 1] = "0123456789abcdef"[(unsigned char)bytes.p[i] & 15];
    }
    return str_make(p, 2 * bytes.n);
}

static struct str text_of(struct value v, struct arena *a)
{
    struct buf b = BUF_INIT(RECORD_BYTES_MAX * 2);
    if (v.type == VALUE_NONE) return (struct str){ NULL, 0 };
    if (v.type == VALUE_STR || v.type == VALUE_JSON) return v.text;
    if (v.type == VALUE_BYTES && v.text.n <= 16) return hex_of(v.text, a);
    if (v.type == VALUE_INT) return arena_printf(a, "%lld", (long long)v.i);
    value_print(&b, v);
    struct str s = arena_str(a, buf_view(&b));
    buf_release(&b);
    return s;
}

struct str record_line(const struct record *r, struct arena *a)
{
    return text_of(r->log.body, a);
}

static void add_attrs(const struct attrs *attrs, struct lset *out, struct arena *a)
{
    for (size_t i = 0; i < attrs->n; i++)
        lset_add_structured(out, label_sanitised(attrs->at[i].name, a), text_of(attrs->at[i].value, a));
}

static void add_id(struct lset *out, struct str name, const uint8_t *id, size_t n, struct arena *a)
{
    static const uint8_t none[16];
    if (memcmp(id, none, n) != 0)
        lset_add_structured(out, name,
                            text_of((struct value){ .type = VALUE_BYTES, .text = str_make(id, n) }, a));
}

static void add_text(struct lset *out, struct str name, struct str value)
{
    if (value.n > 0) lset_add_structured(out, name, value);
}

void record_labels(const struct record *r, struct lset *out, struct arena *a)
{
    add_id(out, STR("trace_id"), r->trace_id, 16, a);
    add_id(out, STR("span_id"), r->span_id, 8, a);
    add_text(out, STR("severity_text"), r->log.severity_text);
    if (r->log.severity > 0 && r->log.severity_text.n > 0)
        add_text(out, STR("severity_number"), arena_printf(a, "%d", r->log.severity));
    add_text(out, STR("detected_level"), str_of(level_name(r->log.severity)));
    add_text(out, STR("scope_name"), r->origin->scope_name);
    add_text(out, STR("scope_version"), r->origin->scope_version);
    add_text(out, STR("event_name"), r->log.event_name);
    add_attrs(&r->attrs, out, a);
    add_attrs(&r->origin->scope, out, a);
}

void source_labels(struct source_cursor *c, struct lset *out, struct arena *a)
{
    const struct source *s = c->s;
    if (s->whole) {
        record_labels(&c->rows->records[c->i], out, a);
        return;
    }
    bool has_severity_text = false;
    for (size_t f = 0; f < s->n_wanted; f++) {
        const struct wanted *w = &s->wanted[f];
        struct value v = c->rows->values[first_wanted(s) + f][c->i];
        if (w->field.intrinsic == IN_SEVERITY_TEXT && v.type == VALUE_STR && v.text.n > 0)
            has_severity_text = true;
        if (w->is_level) {
            uint8_t severity = v.type == VALUE_INT ? (uint8_t)v.i : 0;
            lset_add_structured(out, w->label, str_of(level_name(severity)));
        } else if (v.type != VALUE_NONE && (!w->is_number || w->by_name || has_severity_text)) {
            lset_add_structured(out, w->label, text_of(v, a));
        }
    }
}

static bool same_value(const struct value *v, size_t i)
{
    struct value a = v[i - 1], b = v[i];
    if (a.type != b.type) return false;
    if (a.type == VALUE_NONE) return true;
    if (a.type == VALUE_STR || a.type == VALUE_BYTES || a.type == VALUE_JSON)
        return a.text.p == b.text.p && a.text.n == b.text.n;
    return a.i == b.i;
}

static bool same_labels(const struct source *s, const struct record_rows *r, size_t i)
{
    if (s->whole || i == 0) return false;
    for (size_t f = 0; f < s->n_wanted; f++)
        if (!same_value(r->values[first_wanted(s) + f], i)) return false;
    return true;
}

static struct log_stream *stream_at(struct source_cursor *c, size_t i)
{
    struct hash128 id;
    if (c->s->whole) {
        id = c->rows->records[i].origin->id;
    } else {
        struct value v = c->rows->values[0][i];
        if (v.text.p == c->last_id) return c->last;
        c->last_id = v.text.p;
        memcpy(&id, v.text.p, sizeof id);
    }
    return c->last = stream_of(c->s, id);
}

static int take_rows(void *ctx, const struct record_rows *rows)
{
    struct source_cursor *c = ctx;
    struct source *s = c->s;
    struct log_stream *before = NULL;
    struct arena scratch = ARENA_INIT(64u << 20); /* only for bodies that are neither text nor JSON */
    int rc = OK;
    c->rows = rows;
    c->last_id = NULL; /* bytes may be others' by now */
    s->lines += rows->n;
    for (size_t i = 0; i < rows->n && rc == OK; i++) {
        struct source_row row = { .stream = stream_at(c, i), .time_ns = rows->time_ns[i] };
        if (row.stream == NULL) {
            before = NULL;
            continue;
        }
        if (s->has_lines)
            row.line = s->whole ? record_line(&rows->records[i], &scratch)
                                : text_of(rows->values[BODY][i], &scratch);
        row.same_labels = before == row.stream && same_labels(s, rows, i);
        before = row.stream;
        s->bytes += row.line.n;
        c->i = i;
        rc = c->sink(c->ctx, c, &row);
    }
    arena_release(&scratch);
    return rc;
}

int source_scan(struct source *s, int64_t from_ns, int64_t to_ns, enum record_order order, size_t limit,
                source_sink *sink, void *ctx, struct err *e)
{
    struct source_cursor c = { .s = s, .sink = sink, .ctx = ctx };
    struct field *fields = arena_array(s->arena, s->n_wanted + 2, sizeof *fields);
    struct record_scan scan = { .table = TABLE_LOGS,
                                .from_ns = from_ns,
                                .to_ns = to_ns,
                                .where = s->where,
                                .order = order,
                                .limit = s->exact ? limit : 0 };
    if (s->n_streams == 0 || from_ns > to_ns) return OK;
    fields[0] = field_in(IN_ORIGIN);
    if (s->has_lines) fields[BODY] = field_in(IN_BODY);
    for (size_t i = 0; i < s->n_wanted; i++) fields[first_wanted(s) + i] = s->wanted[i].field;
    if (!s->whole) {
        scan.fields = fields;
        scan.n_fields = first_wanted(s) + s->n_wanted;
    }
    return view_records(s->view, s->call, &scan, take_rows, &c, e);
}
