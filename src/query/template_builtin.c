/* template_builtin.c - values of templates, and the functions that Go itself gives every template. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/float.h"
#include "query/promql/lex.h"
#include "query/template_impl.h"
#include "query/template_time.h"

/* ---- values ---- */

struct tvalue tv_str(struct str s)
{
    return (struct tvalue){ .type = TV_STR, .s = s.p ? s : STR("") };
}
struct tvalue tv_int(int64_t i)
{
    return (struct tvalue){ .type = TV_INT, .i = i };
}
struct tvalue tv_float(double d)
{
    return (struct tvalue){ .type = TV_FLOAT, .d = d };
}
struct tvalue tv_bool(bool b)
{
    return (struct tvalue){ .type = TV_BOOL, .b = b };
}
struct tvalue tv_time(int64_t ns, int offset_s)
{
    return (struct tvalue){ .type = TV_TIME, .time = { ns, offset_s } };
}
struct tvalue tv_duration(int64_t ns)
{
    return (struct tvalue){ .type = TV_INT, .kind = TK_DURATION, .i = ns };
}

bool tv_true(struct tvalue v)
{
    switch (v.type) {
    case TV_NIL: return false;
    case TV_BOOL: return v.b;
    case TV_INT: return v.i != 0;
    case TV_FLOAT: return v.d != 0;
    case TV_STR: return v.s.n > 0;
    case TV_LIST: return v.list.n > 0;
    case TV_MAP: return v.map.n > 0;
    case TV_TIME:
    case TV_LOOKUP: return true;
    }
    return false;
}

/* Shortest digits; as Go, with an exponent from a million on. */
static void print_float(struct buf *out, double d)
{
    char text[FLOAT_TEXT_MAX];
    double size = fabs(d);
    int digits = 0;
    if (!(size >= 1e6 && size < 1e21)) {
        buf_add(out, text, float_text(d, text));
        return;
    }
    do snprintf(text, sizeof text, "%.*e", digits, d);
    while (strtod(text, NULL) != d && ++digits < 17);
    buf_cs(out, text);
}

static void print_list(struct buf *out, struct tvalue v, int depth);

static void print_at(struct buf *out, struct tvalue v, int depth)
{
    switch (v.type) {
    case TV_NIL: buf_cs(out, "<no value>"); break;
    case TV_BOOL: buf_cs(out, v.b ? "true" : "false"); break;
    case TV_INT:
        if (v.kind == TK_DURATION)
            tv_print_duration(out, v.i);
        else
            buf_i64(out, v.i);
        break;
    case TV_FLOAT: print_float(out, v.d); break;
    case TV_STR: buf_str(out, v.s); break;
    case TV_TIME:
        time_format(out, STR("2006-01-02 15:04:05.999999999 -0700 MST"), v.time.ns, v.time.offset_s);
        break;
    case TV_LIST:
    case TV_MAP:
        if (depth < TEMPLATE_DEPTH_MAX) print_list(out, v, depth + 1);
        break;
    case TV_LOOKUP: buf_cs(out, "map[]"); break;
    }
}

static void print_list(struct buf *out, struct tvalue v, int depth)
{
    bool is_map = v.type == TV_MAP;
    size_t n = is_map ? v.map.n : v.list.n;
    const struct tmethods *methods = is_map ? v.map.methods : v.list.methods;
    if (methods != NULL && methods->print != NULL) return methods->print(out, v);
    buf_cs(out, is_map ? "map[" : "[");
    for (size_t i = 0; i < n && !out->full; i++) {
        if (i > 0) buf_char(out, ' ');
        if (is_map) {
            buf_str(out, v.map.at[i].key);
            buf_char(out, ':');
        }
        print_at(out, is_map ? v.map.at[i].value : v.list.at[i], depth);
    }
    buf_char(out, ']');
}

void tv_print(struct buf *out, struct tvalue v)
{
    print_at(out, v, 0);
}

struct str tv_text(struct tvalue v, struct arena *a)
{
    if (v.type == TV_STR) return v.s;
    struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
    tv_print(&b, v);
    struct str s = arena_str(a, buf_view(&b));
    buf_release(&b);
    return s;
}

static struct tvalue made(struct template_call *c, struct buf *b)
{
    struct tvalue v = tv_str(arena_str(c->arena, buf_view(b)));
    buf_release(b);
    return v;
}

/* ---- comparisons ---- */

static bool is_number(struct tvalue v)
{
    return v.type == TV_INT || v.type == TV_FLOAT;
}

int tv_compare(struct template_call *c, struct tvalue x, struct tvalue y, int *out)
{
    if (x.type == TV_INT && y.type == TV_INT)
        *out = (x.i > y.i) - (x.i < y.i);
    else if (is_number(x) && is_number(y)) {
        double a = x.type == TV_INT ? (double)x.i : x.d, b = y.type == TV_INT ? (double)y.i : y.d;
        *out = isnan(a) || isnan(b) ? 2 : (a > b) - (a < b);
    } else if (x.type != y.type || x.type > TV_TIME)
        return x.type == TV_NIL || y.type == TV_NIL ? (*out = 2, OK)
                                                    : tf_fail(c, "incompatible types for comparison");
    else if (x.type == TV_STR)
        *out = str_cmp(x.s, y.s);
    else if (x.type == TV_BOOL)
        *out = x.b - y.b;
    else
        *out = x.type == TV_TIME ? (x.time.ns > y.time.ns) - (x.time.ns < y.time.ns) : 0;
    return OK;
}

/* eq: equal to any of the others. */
static int fn_eq(struct template_call *c, struct tvalue *out)
{
    *out = tv_bool(false);
    for (size_t i = 1; i < c->n && !out->b; i++) {
        int cmp, rc = tv_compare(c, c->args[0], c->args[i], &cmp);
        if (rc < 0) return rc;
        out->b = cmp == 0;
    }
    return OK;
}

static int fn_ne(struct template_call *c, struct tvalue *out)
{
    int rc = fn_eq(c, out);
    out->b = !out->b;
    return rc;
}

static int fn_order(struct template_call *c, struct tvalue *out)
{
    int cmp, rc = tv_compare(c, c->args[0], c->args[1], &cmp);
    if (rc < 0) return rc;
    bool less = c->name[0] == 'l', or_equal = c->name[1] == 'e';
    /* gt is not le, and ge not lt: so it is with numbers that are none, too. */
    bool below = cmp != 2 && (cmp < 0 || (cmp == 0 && less == or_equal));
    bool missing = c->args[0].type == TV_NIL || c->args[1].type == TV_NIL;
    *out = tv_bool(!missing && (less ? below : !below));
    return OK;
}

static int fn_not(struct template_call *c, struct tvalue *out)
{
    *out = tv_bool(!tv_true(c->args[0]));
    return OK;
}

/* Never called: the interpreter looks at them itself. */
static int fn_shortcut(struct template_call *c, struct tvalue *out)
{
    *out = c->args[c->n - 1];
    return OK;
}

/* ---- len, index, slice ---- */

static int fn_len(struct template_call *c, struct tvalue *out)
{
    struct tvalue v = c->args[0];
    if (v.type == TV_LOOKUP && v.lookup->list != NULL) {
        struct tentry *entries;
        v.lookup->list(v.lookup->ctx, c->arena, &entries, &v.map.n);
        return *out = tv_int((int64_t)v.map.n), OK;
    }
    if (v.type != TV_STR && v.type != TV_LIST && v.type != TV_MAP)
        return tf_fail(c, "len of what has no length");
    *out = tv_int((int64_t)(v.type == TV_STR ? v.s.n : v.type == TV_LIST ? v.list.n : v.map.n));
    return OK;
}

static int index_one(struct template_call *c, struct tvalue v, struct tvalue by, struct tvalue *out)
{
    *out = (struct tvalue){ 0 };
    if (v.type == TV_MAP && by.type == TV_STR) {
        if (v.map.methods != NULL && v.map.methods->missing_is_empty) *out = tv_str(STR(""));
        for (size_t i = 0; i < v.map.n; i++)
            if (str_eq(v.map.at[i].key, by.s)) *out = v.map.at[i].value;
        return OK;
    }
    if (v.type == TV_LOOKUP && by.type == TV_STR) {
        *out = v.lookup->get(v.lookup->ctx, by.s, c->arena);
        if (out->type == TV_NIL && v.lookup->missing_is_empty) *out = tv_str(STR(""));
        return OK;
    }
    size_t n = v.type == TV_LIST ? v.list.n : v.type == TV_STR ? v.s.n : 0;
    if (by.type != TV_INT || (v.type != TV_LIST && v.type != TV_STR)) return tf_fail(c, "cannot index this");
    if (by.i < 0 || (uint64_t)by.i >= n) return tf_fail(c, "index out of range: %lld", (long long)by.i);
    *out = v.type == TV_LIST ? v.list.at[by.i] : tv_int((unsigned char)v.s.p[by.i]);
    return OK;
}

static int fn_index(struct template_call *c, struct tvalue *out)
{
    *out = c->args[0];
    for (size_t i = 1; i < c->n; i++) {
        struct tvalue v = *out;
        int rc = index_one(c, v, c->args[i], out);
        if (rc < 0) return rc;
    }
    return OK;
}

static int fn_slice(struct template_call *c, struct tvalue *out)
{
    struct tvalue v = c->args[0];
    if (v.type != TV_LIST && v.type != TV_STR) return tf_fail(c, "cannot slice this");
    size_t n = v.type == TV_LIST ? v.list.n : v.s.n, bound[2] = { 0, n };
    for (size_t i = 1; i < c->n; i++) {
        if (c->args[i].type != TV_INT || c->args[i].i < 0 || (uint64_t)c->args[i].i > n)
            return tf_fail(c, "index out of range");
        bound[i - 1] = (size_t)c->args[i].i;
    }
    if (bound[0] > bound[1]) return tf_fail(c, "invalid slice index: %zu > %zu", bound[0], bound[1]);
    *out = v;
    if (v.type == TV_STR)
        out->s = str_make(v.s.p + bound[0], bound[1] - bound[0]);
    else {
        out->list.at = v.list.at + bound[0];
        out->list.n = bound[1] - bound[0];
    }
    return OK;
}

/* ---- printing ---- */

/* Go's Print: a space between two that are both no texts. Println: always, and a new line. */
static int fn_print(struct template_call *c, struct tvalue *out)
{
    struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
    bool line = str_is(str_of(c->name), "println");
    for (size_t i = 0; i < c->n; i++) {
        if (i > 0 && (line || (c->args[i].type != TV_STR && c->args[i - 1].type != TV_STR)))
            buf_char(&b, ' ');
        tv_print(&b, c->args[i]);
    }
    if (line) buf_char(&b, '\n');
    *out = made(c, &b);
    return OK;
}

struct verb { /* %[flags][width][.precision]c */
    bool minus, plus, zero, space, sharp;
    int width, precision; /* precision -1: none */
    char c;
};

static int take_digits(struct str *s, int most)
{
    int n = 0;
    for (; s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9'; *s = str_make(s->p + 1, s->n - 1))
        if (n < most) n = n * 10 + (s->p[0] - '0');
    return n < most ? n : most;
}

static bool take_verb(struct str *s, struct verb *v)
{
    *v = (struct verb){ .precision = -1 };
    for (; s->n > 0 && strchr("-+0 #", s->p[0]) && s->p[0]; *s = str_make(s->p + 1, s->n - 1)) {
        v->minus |= s->p[0] == '-';
        v->plus |= s->p[0] == '+';
        v->zero |= s->p[0] == '0';
        v->space |= s->p[0] == ' ';
        v->sharp |= s->p[0] == '#';
    }
    v->width = take_digits(s, 1000);
    if (s->n > 0 && s->p[0] == '.') {
        *s = str_make(s->p + 1, s->n - 1);
        v->precision = take_digits(s, 500);
    }
    if (s->n == 0) return false;
    v->c = s->p[0];
    *s = str_make(s->p + 1, s->n - 1);
    return true;
}

static size_t runes(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void pad(struct buf *out, const struct verb *v, struct str s, bool number)
{
    size_t n = runes(s), missing = (size_t)v->width > n ? (size_t)v->width - n : 0;
    bool zeros = v->zero && number && !v->minus;
    if (zeros && s.n > 0 && (s.p[0] == '-' || s.p[0] == '+')) {
        buf_char(out, s.p[0]);
        s = str_make(s.p + 1, s.n - 1);
    }
    for (size_t i = 0; !v->minus && i < missing; i++) buf_char(out, zeros ? '0' : ' ');
    buf_str(out, s);
    for (size_t i = 0; v->minus && i < missing; i++) buf_char(out, ' ');
}

static struct str first_runes(struct str s, size_t most)
{
    size_t at = 0, n = 0;
    for (; at < s.n; at++)
        if (((unsigned char)s.p[at] & 0xc0) != 0x80 && n++ == most) break;
    return str_make(s.p, at);
}

static void print_hex(struct buf *out, struct str s, bool upper)
{
    for (size_t i = 0; i < s.n; i++) buf_printf(out, upper ? "%02X" : "%02x", (unsigned char)s.p[i]);
}

static bool is_verb(char c, const char *of)
{
    return c != 0 && strchr(of, c) != NULL; /* strchr finds the end of a string, too */
}

static bool format_number(struct buf *b, const struct verb *v, struct tvalue a)
{
    char spec[32];
    if (a.type == TV_INT && is_verb(v->c, "dxXoc")) {
        if (v->plus && v->c == 'd' && a.i >= 0) buf_char(b, '+');
        if (v->c == 'd')
            buf_i64(b, a.i);
        else if (v->c == 'c')
            buf_char(b, a.i < 0 || a.i > 0x7f ? '?' : (char)a.i);
        else
            buf_printf(b, v->c == 'x' ? "%llx" : v->c == 'X' ? "%llX" : "%llo", (unsigned long long)a.i);
        return true;
    }
    if (a.type != TV_FLOAT || !is_verb(v->c, "feEgG")) return false;
    if (v->precision < 0 && (v->c == 'g' || v->c == 'G')) {
        print_float(b, a.d);
        return true;
    }
    snprintf(spec, sizeof spec, "%%%s.%d%c", v->plus ? "+" : "", v->precision < 0 ? 6 : v->precision, v->c);
    char text[900];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int n = snprintf(text, sizeof text, spec, a.d);
    if (isnan(a.d)) n = snprintf(text, sizeof text, "%s", v->plus ? "+NaN" : "NaN");
    if (isinf(a.d)) n = snprintf(text, sizeof text, "%s", a.d > 0 ? "+Inf" : "-Inf");
#pragma GCC diagnostic pop
    buf_add(b, text, n > 0 && (size_t)n < sizeof text ? (size_t)n : 0);
    return true;
}

static bool format_text(struct buf *b, const struct verb *v, struct tvalue a)
{
    if (a.type == TV_STR && v->c == 's')
        buf_str(b, v->precision >= 0 ? first_runes(a.s, (size_t)v->precision) : a.s);
    else if (a.type == TV_STR && v->c == 'q')
        lex_quote(b, a.s, 0);
    else if (a.type == TV_STR && (v->c == 'x' || v->c == 'X'))
        print_hex(b, a.s, v->c == 'X');
    else if ((a.type == TV_BOOL && v->c == 't') || v->c == 'v' ||
             (v->c == 's' && (a.type == TV_LIST || a.type == TV_MAP || a.type == TV_TIME)))
        tv_print(b, a);
    else
        return false;
    return true;
}

static const char *type_name(struct tvalue v)
{
    static const char *const names[] = { "<nil>",
                                         "bool",
                                         "int",
                                         "float64",
                                         "string",
                                         "time.Time",
                                         "[]interface {}",
                                         "map[string]interface {}",
                                         "map[string]string" };
    return names[v.type];
}

static void format_one(struct buf *out, const struct verb *v, struct tvalue a)
{
    struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
    if (v->c == 'T') {
        buf_cs(&b, type_name(a));
    } else if (!format_number(&b, v, a) && !format_text(&b, v, a)) {
        buf_printf(&b, "%%!%c(%s=", v->c, type_name(a));
        tv_print(&b, a);
        buf_char(&b, ')');
    }
    pad(out, v, buf_view(&b), a.type == TV_INT || a.type == TV_FLOAT);
    buf_release(&b);
}

static int fn_printf(struct template_call *c, struct tvalue *out)
{
    struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
    size_t next = 1;
    if (c->args[0].type != TV_STR) return tf_fail(c, "the format must be a string");
    for (struct str s = c->args[0].s; s.n > 0 && !b.full;) {
        struct verb v;
        char ch = s.p[0];
        s = str_make(s.p + 1, s.n - 1);
        if (ch != '%')
            buf_char(&b, ch);
        else if (!take_verb(&s, &v))
            buf_cs(&b, "%!(NOVERB)");
        else if (v.c == '%')
            buf_char(&b, '%');
        else if (next >= c->n)
            buf_printf(&b, "%%!%c(MISSING)", v.c);
        else
            format_one(&b, &v, c->args[next++]);
    }
    if (next < c->n) {
        buf_cs(&b, "%!(EXTRA ");
        for (size_t i = next; i < c->n; i++) {
            buf_printf(&b, "%s%s=", i > next ? ", " : "", type_name(c->args[i]));
            tv_print(&b, c->args[i]);
        }
        buf_char(&b, ')');
    }
    *out = made(c, &b);
    return OK;
}

/* ---- escaping ---- */

static void put_escaped(struct buf *b, struct str s, const char *which, const char *const *as)
{
    for (size_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] ? strchr(which, s.p[i]) : NULL;
        if (at)
            buf_cs(b, as[at - which]);
        else
            buf_char(b, s.p[i]);
    }
}

static int fn_escape(struct template_call *c, struct tvalue *out)
{
    static const char *const html[] = { "&lt;", "&gt;", "&amp;", "&#34;", "&#39;" };
    static const char *const js[] = { "\\u003C", "\\u003E", "\\u0026", "\\\"",   "\\'",
                                      "\\\\",    "\\n",     "\\r",     "\\u003D" };
    struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
    for (size_t i = 0; i < c->n; i++) {
        struct str s = tv_text(c->args[i], c->arena);
        if (c->name[0] == 'h')
            put_escaped(&b, s, "<>&\"'", html);
        else
            put_escaped(&b, s, "<>&\"'\\\n\r=", js);
    }
    *out = made(c, &b);
    return OK;
}

static int fn_urlquery(struct template_call *c, struct tvalue *out)
{
    struct buf b = BUF_INIT(TEMPLATE_MADE_MAX);
    for (size_t k = 0; k < c->n; k++) {
        struct str s = tv_text(c->args[k], c->arena);
        for (size_t i = 0; i < s.n; i++) {
            unsigned char ch = (unsigned char)s.p[i];
            bool plain = (ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z') ||
                         (ch && strchr("-_.~", ch));
            if (plain || ch == ' ')
                buf_char(&b, ch == ' ' ? '+' : (char)ch);
            else
                buf_printf(&b, "%%%02X", ch);
        }
    }
    *out = made(c, &b);
    return OK;
}

const struct template_functions *template_builtin(void)
{
    static const struct template_function all[] = {
        { "and", 1, -1, fn_shortcut }, { "or", 1, -1, fn_shortcut },   { "not", 1, 1, fn_not },
        { "eq", 2, -1, fn_eq },        { "ne", 2, 2, fn_ne },          { "lt", 2, 2, fn_order },
        { "le", 2, 2, fn_order },      { "gt", 2, 2, fn_order },       { "ge", 2, 2, fn_order },
        { "len", 1, 1, fn_len },       { "index", 1, -1, fn_index },   { "slice", 1, 3, fn_slice },
        { "print", 0, -1, fn_print },  { "println", 0, -1, fn_print }, { "printf", 1, -1, fn_printf },
        { "html", 1, -1, fn_escape },  { "js", 1, -1, fn_escape },     { "urlquery", 1, -1, fn_urlquery },
    };
    static const struct template_functions table = { all, COUNT(all), NULL };
    return &table;
}
