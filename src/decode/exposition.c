/* exposition.c - the two text forms, and the family at hand. */
#include "decode/exposition.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/float.h"
#include "decode/exposition_proto.h"

#define FAMILY_MAX (64u << 20) /* of one family's protobuf bytes */

void exposition_begin(struct exposition *w, const struct exposition_format *format, struct buf *out)
{
    *w = (struct exposition){ .out = out, .format = *format };
    w->family = w->metric = w->parts = w->key = (struct buf)BUF_INIT(FAMILY_MAX);
}

static bool is_openmetrics(const struct exposition *w)
{
    return w->format.form == EXPOSITION_OPENMETRICS;
}

static bool is_type(const struct exposition *w, const char *type)
{
    return str_is(w->type, type);
}

/* ---- heads ---- */

static struct str without(struct str s, const char *suffix)
{
    size_t n = strlen(suffix);
    return s.n > n && str_ends(s, suffix) ? (struct str){ s.p, s.n - n } : s;
}

/* OpenMetrics names the family of foo_total and foo_info just foo. */
static struct str family_name(const struct exposition *w)
{
    if (is_openmetrics(w) && is_type(w, "counter")) return without(w->name, "_total");
    if (is_openmetrics(w) && is_type(w, "info")) return without(w->name, "_info");
    return w->name;
}

/* Types that 0.0.4 does not have are said as what their samples look like. */
static const char *type_name(const struct exposition *w)
{
    static const struct {
        const char *type, *text, *openmetrics;
    } names[] = {
        { "counter", "counter", "counter" },       { "gauge", "gauge", "gauge" },
        { "histogram", "histogram", "histogram" }, { "gaugehistogram", "histogram", "gaugehistogram" },
        { "summary", "summary", "summary" },       { "info", "gauge", "info" },
        { "stateset", "gauge", "stateset" },
    };
    for (size_t i = 0; i < COUNT(names); i++)
        if (is_type(w, names[i].type)) return is_openmetrics(w) ? names[i].openmetrics : names[i].text;
    return is_openmetrics(w) ? "unknown" : "untyped";
}

static void put_escaped(struct buf *out, struct str s, bool quotes_too)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\n')
            buf_cs(out, "\\n");
        else if (c == '\\')
            buf_cs(out, "\\\\");
        else if (c == '"' && quotes_too)
            buf_cs(out, "\\\"");
        else
            buf_char(out, c);
    }
}

static bool must_quote(const struct exposition *w, struct str name, bool is_metric)
{
    return w->format.escaping == ESCAPING_ALLOW_UTF8 &&
           !(is_metric ? metric_name_is_plain(name) : label_name_is_plain(name));
}

static void put_quoted(struct buf *out, struct str s)
{
    buf_char(out, '"');
    put_escaped(out, s, true);
    buf_char(out, '"');
}

static void put_name(struct exposition *w, struct str name, bool is_metric)
{
    if (must_quote(w, name, is_metric))
        put_quoted(w->out, name);
    else
        exposition_escape_name(w->out, name, w->format.escaping, is_metric);
}

static void head_line(struct exposition *w, const char *keyword, struct str text, bool is_help)
{
    buf_cs(w->out, keyword);
    put_name(w, family_name(w), true);
    buf_char(w->out, ' ');
    if (is_help)
        put_escaped(w->out, text, is_openmetrics(w));
    else
        buf_str(w->out, text);
    buf_char(w->out, '\n');
}

/* OpenMetrics: a family with a unit has it at the end of its name; any other unit may not be said. */
static bool unit_fits(const struct exposition *w)
{
    struct str name = family_name(w), unit = w->unit;
    if (unit.n == 0 || name.n <= unit.n) return false;
    return name.p[name.n - unit.n - 1] == '_' && memcmp(name.p + name.n - unit.n, unit.p, unit.n) == 0;
}

static void head(struct exposition *w)
{
    if (w->help.n > 0) head_line(w, "# HELP ", w->help, true);
    head_line(w, "# TYPE ", str_of(type_name(w)), false);
    if (is_openmetrics(w) && unit_fits(w)) head_line(w, "# UNIT ", w->unit, false);
}

/* ---- samples ---- */

/* What a counter's and an info's samples must be called in OpenMetrics. */
static const char *wanted_suffix(const struct exposition *w)
{
    if (!is_openmetrics(w)) return "";
    return is_type(w, "counter") ? "_total" : is_type(w, "info") ? "_info" : "";
}

static void sample_name(struct exposition *w, const struct exposition_sample *s, struct buf *out)
{
    buf_str(out, s->suffix.n > 0 ? w->name : family_name(w));
    if (s->suffix.n > 0)
        buf_str(out, s->suffix);
    else
        buf_cs(out, wanted_suffix(w));
}

static void put_labels(struct exposition *w, struct labels l, bool comma)
{
    for (size_t i = 0; i < l.n; i++) {
        if (str_is(l.at[i].name, LABEL_NAME)) continue;
        if (comma) buf_char(w->out, ',');
        comma = true;
        put_name(w, l.at[i].name, false);
        buf_char(w->out, '=');
        put_quoted(w->out, l.at[i].value);
    }
}

static bool has_labels(struct labels l)
{
    return l.n > 1 || (l.n == 1 && !str_is(l.at[0].name, LABEL_NAME));
}

static void put_value(struct exposition *w, double v)
{
    char text[FLOAT_TEXT_MAX];
    buf_add(w->out, text, float_text(v, text));
}

static void put_time(struct exposition *w, int64_t ms)
{
    if (!is_openmetrics(w)) {
        buf_i64(w->out, ms);
        return;
    }
    uint64_t abs = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    buf_printf(w->out, "%s%" PRIu64 ".%03u", ms < 0 ? "-" : "", abs / 1000, (unsigned)(abs % 1000));
}

static void put_exemplar(struct exposition *w, const struct exposition_exemplar *x)
{
    buf_cs(w->out, " # {");
    put_labels(w, x->labels, false);
    buf_cs(w->out, "} ");
    put_value(w, x->value);
    if (x->time_ms == 0) return;
    buf_char(w->out, ' ');
    put_time(w, x->time_ms);
}

static void text_sample(struct exposition *w, const struct exposition_sample *s)
{
    struct buf name = BUF_INIT(64 << 10);
    sample_name(w, s, &name);
    bool quoted = must_quote(w, buf_view(&name), true), braces = quoted || has_labels(s->labels);

    if (quoted) buf_char(w->out, '{');
    put_name(w, buf_view(&name), true);
    if (braces && !quoted) buf_char(w->out, '{');
    put_labels(w, s->labels, quoted);
    buf_cs(w->out, braces ? "} " : " ");
    put_value(w, s->value);
    if (s->has_time) {
        buf_char(w->out, ' ');
        put_time(w, s->time_ms);
    }
    if (s->exemplar != NULL && is_openmetrics(w)) put_exemplar(w, s->exemplar);
    buf_char(w->out, '\n');
    buf_release(&name);
}

/* ---- the stream ---- */

static void family_end(struct exposition *w)
{
    if (w->is_open && w->format.form == EXPOSITION_PROTOBUF) exposition_proto_family_end(w);
    w->is_open = false;
}

void exposition_family(struct exposition *w, struct str name, struct str type, struct str help,
                       struct str unit)
{
    family_end(w);
    w->name = name;
    w->type = type;
    w->help = help;
    w->unit = unit;
}

void exposition_sample(struct exposition *w, const struct exposition_sample *s)
{
    bool opens = !w->is_open;
    if (w->format.form != EXPOSITION_PROTOBUF && s->hist != NULL) return;
    w->is_open = true;
    if (w->format.form == EXPOSITION_PROTOBUF) {
        exposition_proto_sample(w, s);
        return;
    }
    if (opens) head(w);
    text_sample(w, s);
}

void exposition_end(struct exposition *w)
{
    family_end(w);
    if (is_openmetrics(w)) buf_cs(w->out, "# EOF\n");
    buf_release(&w->family);
    buf_release(&w->metric);
    buf_release(&w->parts);
    buf_release(&w->key);
}
