/* print.c - a TraceQL tree as text. Parentheses around every inner operator: whoever reads it sees what was
 * understood. */
#include "base/buf.h"
#include "base/check.h"
#include "base/float.h"
#include "query/traceql/parse.h"

/* ---- values and attributes ---- */

static void put_quoted(struct buf *out, struct str s)
{
    buf_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\x%02x", c);
        else
            buf_char(out, (char)c);
    }
    buf_char(out, '"');
}

static void put_duration(struct buf *out, int64_t ns)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = { { "h", 3600000000000 }, { "m", 60000000000 }, { "s", 1000000000 },
                  { "ms", 1000000 },      { "us", 1000 },       { "ns", 1 } };
    size_t u = 0;
    while (ns % units[u].ns != 0) u++;
    buf_printf(out, "%lld%s", (long long)(ns / units[u].ns), ns == 0 ? "s" : units[u].name);
}

static void put_float(struct buf *out, double d)
{
    char text[FLOAT_TEXT_MAX];
    struct str s = { text, float_text(d, text) };
    buf_str(out, s);
    if (memchr(s.p, '.', s.n) == NULL && memchr(s.p, 'e', s.n) == NULL) buf_cs(out, ".0");
}

void static_print(struct buf *out, struct static_value v)
{
    static const char *const status[] = { "unset", "ok", "error" };
    static const char *const kind[] = {
        "unspecified", "internal", "server", "client", "producer", "consumer"
    };

    switch (v.type) {
    case STATIC_BOOL: buf_cs(out, v.i ? "true" : "false"); break;
    case STATIC_INT: buf_i64(out, v.i); break;
    case STATIC_FLOAT: put_float(out, v.d); break;
    case STATIC_DURATION: put_duration(out, v.i); break;
    case STATIC_STRING:
    case STATIC_BYTES: put_quoted(out, v.s); break;
    case STATIC_STATUS: buf_cs(out, (uint64_t)v.i < COUNT(status) ? status[v.i] : "unset"); break;
    case STATIC_KIND: buf_cs(out, (uint64_t)v.i < COUNT(kind) ? kind[v.i] : "unspecified"); break;
    case STATIC_NIL:
    case STATIC_LIST:
    case STATIC_ANY: buf_cs(out, "nil"); break;
    }
}

/* A name is bare when the lexer would read it so, and as no intrinsic's. */
static void put_name(struct buf *out, struct str name, bool may_be_bare)
{
    bool is_bare = may_be_bare && name.n > 0;
    for (size_t i = 0; i < name.n && is_bare; i++) {
        char c = name.p[i];
        is_bare = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-' ||
                  c == '/' || (i > 0 && c >= '0' && c <= '9');
    }
    if (is_bare)
        buf_str(out, name);
    else
        put_quoted(out, name);
}

void attr_ref_print(struct buf *out, const struct attr_ref *a)
{
    static const char *const scopes[] = { "", "span", "resource", "instrumentation", "event", "link", "" };
    if (a->of_parent) buf_cs(out, "parent.");
    if (a->scope == SCOPE_INTRINSIC) {
        buf_cs(out, intrinsic_text(a->intrinsic));
        return;
    }
    buf_cs(out, scopes[a->scope]);
    if (a->scope != SCOPE_ANY || !a->of_parent) buf_char(out, '.');
    put_name(out, a->name, true);
}

/* ---- trees ---- */

static void put_field(struct buf *out, const struct traceql_query *q, const struct field_expr *x)
{
    switch (x->kind) {
    case EXPR_STATIC: static_print(out, x->value); break;
    case EXPR_REF:
        if (q->attrs[x->attr].scope == SCOPE_INTRINSIC && q->attrs[x->attr].intrinsic == SPAN_IS_ROOT)
            buf_cs(out, "(nestedSetParent < 0)");
        else
            attr_ref_print(out, &q->attrs[x->attr]);
        break;
    case EXPR_UNARY:
        buf_cs(out, tq_op_text(x->op));
        buf_char(out, '(');
        put_field(out, q, x->left);
        buf_char(out, ')');
        break;
    case EXPR_BINARY:
        buf_char(out, '(');
        put_field(out, q, x->left);
        buf_printf(out, " %s ", tq_op_text(x->op));
        put_field(out, q, x->right);
        buf_char(out, ')');
        break;
    }
}

static void put_scalar(struct buf *, const struct traceql_query *, const struct scalar_expr *, int level);

/* Only the parentheses needed: a stage that begins with one is a pipeline. */
static void put_scalar_binary(struct buf *out, const struct traceql_query *q, const struct scalar_expr *s,
                              int level)
{
    int own = s->op == TQ_POW ? 3 : s->op == TQ_ADD || s->op == TQ_SUB ? 1 : 2;
    if (own < level) buf_char(out, '(');
    put_scalar(out, q, s->left, own);
    buf_printf(out, " %s ", tq_op_text(s->op));
    put_scalar(out, q, s->right, own + 1);
    if (own < level) buf_char(out, ')');
}

static void put_scalar(struct buf *out, const struct traceql_query *q, const struct scalar_expr *s, int level)
{
    static const char *const names[] = { "count", "avg", "min", "max", "sum" };
    switch (s->kind) {
    case SCALAR_STATIC: static_print(out, s->value); break;
    case SCALAR_AGGREGATE:
        buf_printf(out, "%s(", names[s->agg]);
        if (s->of != NULL) put_field(out, q, s->of);
        buf_char(out, ')');
        break;
    case SCALAR_BINARY: put_scalar_binary(out, q, s, level); break;
    }
}

static void put_pipeline(struct buf *, const struct traceql_query *, const struct pipeline *);

static void put_spanset(struct buf *out, const struct traceql_query *q, const struct spanset_expr *s)
{
    static const char *const relations[][3] = {
        { "&&", "", "" },       { "||", "", "" },       { ">", "!>", "&>" }, { "<", "!<", "&<" },
        { ">>", "!>>", "&>>" }, { "<<", "!<<", "&<<" }, { "~", "!~", "&~" },
    };
    switch (s->kind) {
    case SPANSET_FILTER:
        buf_cs(out, "{ ");
        if (s->filter != NULL) put_field(out, q, s->filter);
        buf_cs(out, " }");
        break;
    case SPANSET_RELATION:
        buf_char(out, '(');
        put_spanset(out, q, s->left);
        buf_printf(out, " %s ", relations[s->relation][s->mode]);
        put_spanset(out, q, s->right);
        buf_char(out, ')');
        break;
    case SPANSET_PIPELINE:
        buf_char(out, '(');
        put_pipeline(out, q, s->pipeline);
        buf_char(out, ')');
        break;
    }
}

static void put_attrs(struct buf *out, const struct traceql_query *q, const uint32_t *at, size_t n)
{
    buf_char(out, '(');
    for (size_t i = 0; i < n; i++) {
        if (i > 0) buf_cs(out, ", ");
        attr_ref_print(out, &q->attrs[at[i]]);
    }
    buf_char(out, ')');
}

static void put_stage(struct buf *out, const struct traceql_query *q, const struct stage *s)
{
    switch (s->kind) {
    case STAGE_SPANSET: put_spanset(out, q, s->spanset); break;
    case STAGE_SCALAR:
        put_scalar(out, q, s->left, 0);
        buf_printf(out, " %s ", tq_op_text(s->op));
        put_scalar(out, q, s->right, 0);
        break;
    case STAGE_BY:
        buf_cs(out, "by(");
        put_field(out, q, s->by);
        buf_char(out, ')');
        break;
    case STAGE_COALESCE: buf_cs(out, "coalesce()"); break;
    case STAGE_SELECT:
        buf_cs(out, "select");
        put_attrs(out, q, s->select, s->n_select);
        break;
    }
}

static void put_pipeline(struct buf *out, const struct traceql_query *q, const struct pipeline *p)
{
    for (const struct stage *s = p->first; s != NULL; s = s->next) {
        if (s != p->first) buf_cs(out, " | ");
        put_stage(out, q, s);
    }
}

static void put_metrics(struct buf *out, const struct traceql_query *q)
{
    static const char *const names[] = { "",
                                         "rate",
                                         "count_over_time",
                                         "min_over_time",
                                         "max_over_time",
                                         "avg_over_time",
                                         "sum_over_time",
                                         "quantile_over_time",
                                         "histogram_over_time",
                                         "compare" };
    const struct metrics *m = &q->metrics;

    buf_printf(out, " | %s(", names[m->kind]);
    if (m->kind == METRIC_COMPARE) {
        buf_cs(out, "{ ");
        if (m->selection != NULL) put_field(out, q, m->selection);
        buf_printf(out, " }, %lld", (long long)m->top);
        if (m->from_ns != 0 || m->to_ns != 0)
            buf_printf(out, ", %lld, %lld", (long long)m->from_ns, (long long)m->to_ns);
    } else if (m->kind >= METRIC_MIN) {
        attr_ref_print(out, &q->attrs[m->attr]);
        for (size_t i = 0; i < m->n_quantiles; i++) {
            buf_cs(out, ", ");
            put_float(out, m->quantile[i]);
        }
    }
    buf_char(out, ')');
    if (m->n_by > 0) {
        buf_cs(out, " by ");
        put_attrs(out, q, m->by, m->n_by);
    }
    for (const struct second_stage *s = m->second; s != NULL; s = s->next) {
        if (s->kind == SECOND_COMPARE) {
            buf_printf(out, " %s ", tq_op_text(s->op));
            put_float(out, s->value);
        } else {
            buf_printf(out, " | %s(%lld)", s->kind == SECOND_TOPK ? "topk" : "bottomk", (long long)s->n);
        }
    }
}

void traceql_print(struct buf *out, const struct traceql_query *q)
{
    put_pipeline(out, q, &q->pipeline);
    if (q->metrics.kind != METRIC_NONE) put_metrics(out, q);
    for (const struct hint *h = q->hints; h != NULL; h = h->next) {
        buf_cs(out, h == q->hints ? " with (" : ", ");
        buf_printf(out, "%.*s=%.*s", STR_ARG(h->name), STR_ARG(h->value));
        if (h->next == NULL) buf_char(out, ')');
    }
}
