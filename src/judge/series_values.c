/* series_values.c - see series_values.h. */
#include "judge/series_values.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/float.h"
#include "query/promql/histogram_ops.h"
#include "query/promql/parse.h"

struct cursor {
    struct str whole, rest;
    struct arena *arena;
    struct err *e;
    int rc;
};

static int fail(struct cursor *c, const char *why)
{
    if (c->rc == OK) c->rc = err_set(c->e, ERR_PARSE, "column %zu: %s", c->whole.n - c->rest.n + 1, why);
    return c->rc;
}

static void advance(struct cursor *c, size_t n)
{
    c->rest = str_make(c->rest.p + n, c->rest.n - n);
}

static void skip_space(struct cursor *c)
{
    while (c->rest.n > 0 && isspace((unsigned char)c->rest.p[0])) advance(c, 1);
}

static bool take(struct cursor *c, const char *text)
{
    if (c->rc < 0 || !str_starts(c->rest, text)) return false;
    advance(c, strlen(text));
    return true;
}

/* ---- numbers ---- */

static size_t sign_length(struct str s)
{
    return s.n > 0 && (s.p[0] == '+' || s.p[0] == '-');
}

/* 1.5e-3, Inf, NaN, 0x1f is a number times `x`, as there: no hexadecimal. */
static size_t number_length(struct str s)
{
    size_t n = sign_length(s);
    if (n < s.n && isalpha((unsigned char)s.p[n]) && s.p[n] != 'x') {
        while (n < s.n && isalpha((unsigned char)s.p[n]) && s.p[n] != 'x') n++;
        return n;
    }
    for (; n < s.n; n++) {
        char ch = s.p[n], before = n > 0 ? s.p[n - 1] : 0;
        bool exponent_sign = (ch == '+' || ch == '-') && (before == 'e' || before == 'E');
        if (!isdigit((unsigned char)ch) && ch != '.' && ch != 'e' && ch != 'E' && !exponent_sign) break;
    }
    return n;
}

static double take_number(struct cursor *c)
{
    struct str text = { c->rest.p, number_length(c->rest) };
    double v = 0;
    if (c->rc < 0) return 0;
    if (!float_parse(text, &v)) return fail(c, "expected a number"), 0;
    advance(c, text.n);
    return v;
}

/* How often after the first time: x5, or nothing. */
static size_t take_times(struct cursor *c)
{
    size_t n = 0, v = 0;
    if (!take(c, "x")) return 0;
    for (; n < c->rest.n && isdigit((unsigned char)c->rest.p[n]) && v <= SERIES_VALUES_MAX; n++)
        v = v * 10 + (size_t)(c->rest.p[n] - '0');
    if (n == 0) return (size_t)fail(c, "expected a number of times after x");
    if (v > SERIES_VALUES_MAX) {
        if (c->rc == OK) c->rc = err_set(c->e, ERR_LIMIT, "more than %u values", SERIES_VALUES_MAX);
        return 0;
    }
    advance(c, n);
    return v;
}

static void put(struct cursor *c, struct series_values *out, struct series_value v)
{
    if (c->rc < 0) return;
    if (out->n == SERIES_VALUES_MAX) {
        c->rc = err_set(c->e, ERR_LIMIT, "more than %u values", SERIES_VALUES_MAX);
        return;
    }
    out->at = arena_grow(c->arena, out->at, out->n, &out->cap, sizeof *out->at);
    out->at[out->n++] = v;
}

/* ---- histograms ---- */

static size_t take_list(struct cursor *c, double **out)
{
    size_t n = 0, cap = 0;
    *out = NULL;
    if (!take(c, "[")) return (size_t)(fail(c, "expected ["), 0);
    for (skip_space(c); c->rc == OK && c->rest.n > 0 && c->rest.p[0] != ']'; skip_space(c)) {
        if (n == HISTOGRAM_BUCKETS_MAX) return (size_t)(fail(c, "too many buckets"), 0);
        *out = arena_grow(c->arena, *out, n, &cap, sizeof **out);
        (*out)[n++] = take_number(c);
    }
    if (!take(c, "]")) fail(c, "expected ]");
    return c->rc == OK ? n : 0;
}

static uint8_t take_hint(struct cursor *c)
{
    static const struct {
        const char *word;
        uint8_t hint;
    } hints[] = { { "gauge", HIST_GAUGE },
                  { "not_reset", HIST_RESET_NO },
                  { "reset", HIST_RESET_YES },
                  { "unknown", HIST_RESET_UNKNOWN } };
    for (size_t i = 0; i < COUNT(hints); i++)
        if (take(c, hints[i].word)) return hints[i].hint;
    fail(c, "expected unknown, reset, not_reset or gauge");
    return HIST_RESET_UNKNOWN;
}

static int32_t take_i32(struct cursor *c)
{
    double v = take_number(c);
    if (v >= -1e6 && v <= 1e6) return (int32_t)v;
    return fail(c, "out of range"), 0;
}

static void set_side(struct arena *a, struct hist_span **spans, uint32_t *n_spans, double **to,
                     uint32_t *n_to, int32_t offset, double *v, size_t n)
{
    if (n == 0) return;
    *spans = arena_alloc(a, sizeof **spans);
    **spans = (struct hist_span){ offset, (uint32_t)n };
    *n_spans = 1;
    *to = v;
    *n_to = (uint32_t)n;
}

struct sides {
    double *pos, *neg, *custom;
    size_t n_pos, n_neg, n_custom;
    int32_t offset, n_offset;
};

static void take_part(struct cursor *c, struct histogram *h, struct sides *s)
{
    if (take(c, "custom_values:"))
        s->n_custom = take_list(c, &s->custom);
    else if (take(c, "n_buckets:"))
        s->n_neg = take_list(c, &s->neg);
    else if (take(c, "buckets:"))
        s->n_pos = take_list(c, &s->pos);
    else if (take(c, "counter_reset_hint:"))
        h->reset = take_hint(c);
    else if (take(c, "n_offset:"))
        s->n_offset = take_i32(c);
    else if (take(c, "offset:"))
        s->offset = take_i32(c);
    else if (take(c, "schema:"))
        h->schema = take_i32(c);
    else if (take(c, "sum:"))
        h->sum = take_number(c);
    else if (take(c, "count:"))
        h->count = take_number(c);
    else if (take(c, "z_bucket_w:"))
        h->zero_threshold = take_number(c);
    else if (take(c, "z_bucket:"))
        h->zero_count = take_number(c);
    else
        fail(c, "not a part of a histogram");
}

/* After the braces that open it. */
static const struct histogram *take_histogram(struct cursor *c)
{
    struct histogram *h = arena_zero(c->arena, sizeof *h);
    struct sides s = { 0 };
    for (skip_space(c); c->rc == OK && c->rest.n > 0 && c->rest.p[0] != '}'; skip_space(c))
        take_part(c, h, &s);
    if (!take(c, "}}")) fail(c, "expected }}");
    if (c->rc < 0) return h;
    set_side(c->arena, &h->pos_spans, &h->n_pos_spans, &h->pos, &h->n_pos, s.offset, s.pos, s.n_pos);
    set_side(c->arena, &h->neg_spans, &h->n_neg_spans, &h->neg, &h->n_neg, s.n_offset, s.neg, s.n_neg);
    h->custom = s.custom;
    h->n_custom = (uint32_t)s.n_custom;
    struct err why = ERR_INIT;
    if (histogram_check(h, &why) < 0) fail(c, why.text);
    return h;
}

static const struct histogram *plus(struct cursor *c, const struct histogram *h, const struct histogram *step,
                                    double sign)
{
    struct hwork w;
    struct arena scratch = ARENA_INIT((size_t)64 << 20);
    hwork_init(&w, &scratch, h);
    if (hwork_add(&w, step, sign) & HWORK_INCOMPATIBLE) {
        fail(c, "these histograms cannot be added");
        arena_release(&scratch);
        return h;
    }
    struct histogram *sum = hwork_done(&w, c->arena);
    sum->reset = step->reset;
    arena_release(&scratch);
    return sum;
}

static void take_histograms(struct cursor *c, struct series_values *out)
{
    const struct histogram *h = take_histogram(c), *step = NULL;
    double sign = str_starts(c->rest, "-{{") ? -1 : 1;
    if (take(c, "+{{") || take(c, "-{{")) step = take_histogram(c);
    size_t times = take_times(c);
    put(c, out, (struct series_value){ .hist = h });
    for (size_t i = 0; c->rc == OK && i < times; i++) {
        if (step != NULL) h = plus(c, h, step, sign);
        if (arena_over(c->arena)) c->rc = err_set(c->e, ERR_LIMIT, "too many histograms");
        put(c, out, (struct series_value){ .hist = h });
    }
}

/* ---- sequences ---- */

static void take_omitted(struct cursor *c, struct series_values *out)
{
    size_t times = take_times(c);
    for (size_t i = 0; c->rc == OK && i < MAX(times, (size_t)1); i++)
        put(c, out, (struct series_value){ .omitted = true });
}

static void take_floats(struct cursor *c, struct series_values *out)
{
    double v = take_number(c), step = 0;
    if (sign_length(c->rest) > 0) step = take_number(c);
    size_t times = take_times(c);
    for (size_t i = 0; c->rc == OK && i <= times; i++, v += step)
        put(c, out, (struct series_value){ .value = v });
}

int series_values_parse(struct str text, struct arena *a, struct series_values *out, struct err *e)
{
    struct cursor c = { .whole = text, .rest = text, .arena = a, .e = e };
    *out = (struct series_values){ 0 };
    for (skip_space(&c); c.rc == OK && c.rest.n > 0; skip_space(&c)) {
        if (take(&c, "{{"))
            take_histograms(&c, out);
        else if (take(&c, "_"))
            take_omitted(&c, out);
        else if (take(&c, "stale"))
            put(&c, out, (struct series_value){ .value = double_of(STALE_BITS) });
        else
            take_floats(&c, out);
        if (c.rc == OK && c.rest.n > 0 && !isspace((unsigned char)c.rest.p[0])) fail(&c, "expected a space");
    }
    return c.rc;
}

int series_histogram_parse(struct str text, struct arena *a, const struct histogram **out, struct err *e)
{
    struct cursor c = { .whole = text, .rest = text, .arena = a, .e = e };
    skip_space(&c);
    if (!take(&c, "{{")) return fail(&c, "expected {{");
    *out = take_histogram(&c);
    skip_space(&c);
    return c.rc == OK && c.rest.n > 0 ? fail(&c, "text after the histogram") : c.rc;
}

/* ---- names ---- */

static int labels_of(const struct matcher *m, size_t n, struct arena *a, struct labels *out, struct err *e)
{
    struct label *at = arena_array(a, n + 1, sizeof *at);
    for (size_t i = 0; i < n; i++) {
        if (m[i].op != MATCH_EQ) return err_set(e, ERR_PARSE, "labels of a series are set with =");
        at[i] = (struct label){ arena_str(a, m[i].name), arena_str(a, m[i].value) };
    }
    *out = (struct labels){ at, n };
    return n > 0 ? labels_normalise(at, &out->n, e) : OK;
}

static bool is_bare_braces(struct str s)
{
    s = str_trim(s);
    return s.n >= 2 && s.p[0] == '{' && s.p[s.n - 1] == '}' && str_trim(str_make(s.p + 1, s.n - 2)).n == 0;
}

int series_labels_parse(struct str text, struct arena *a, struct labels *out, struct err *e)
{
    struct matcher *m;
    size_t n;
    *out = (struct labels){ 0 };
    if (text.n == 0 || is_bare_braces(text)) return OK;
    int rc = promql_parse_selector(text, a, &m, &n, e);
    if (rc < 0) return rc;
    rc = labels_of(m, n, a, out, e);
    matchers_release(m, n);
    return rc;
}

/* ---- and back ---- */

static void print_number(struct buf *out, const char *key, double v, bool always)
{
    char text[FLOAT_TEXT_MAX];
    if (v == 0 && !always) return;
    if (out->n > 0 && out->p[out->n - 1] != '{') buf_char(out, ' ');
    buf_cs(out, key);
    buf_add(out, text, float_text(v, text));
}

/* Spans laid out one after the other, gaps as zeros. */
static void print_side(struct buf *out, const char *key, const char *offset_key,
                       const struct hist_span *spans, uint32_t n_spans, const double *v)
{
    char text[FLOAT_TEXT_MAX];
    size_t at = 0;
    if (n_spans == 0) return;
    print_number(out, offset_key, spans[0].offset, false);
    buf_printf(out, " %s[", key);
    for (uint32_t i = 0; i < n_spans; i++) {
        for (int32_t gap = 0; i > 0 && gap < spans[i].offset && !out->full; gap++) buf_cs(out, " 0");
        for (uint32_t k = 0; k < spans[i].length; k++, at++) {
            if (at > 0) buf_char(out, ' ');
            buf_add(out, text, float_text(v[at], text));
        }
    }
    buf_char(out, ']');
}

void series_histogram_print(struct buf *out, const struct histogram *h)
{
    char text[FLOAT_TEXT_MAX];
    static const char *const hints[] = { "", "reset", "not_reset", "gauge" };
    buf_cs(out, "{{");
    print_number(out, "schema:", h->schema, true);
    print_number(out, "count:", h->count, true);
    print_number(out, "sum:", h->sum, true);
    if (h->reset != HIST_RESET_UNKNOWN) buf_printf(out, " counter_reset_hint:%s", hints[h->reset]);
    print_number(out, "z_bucket:", h->zero_count, false);
    print_number(out, "z_bucket_w:", h->zero_threshold, false);
    if (h->n_custom > 0) {
        buf_cs(out, " custom_values:[");
        for (uint32_t i = 0; i < h->n_custom; i++) {
            if (i > 0) buf_char(out, ' ');
            buf_add(out, text, float_text(h->custom[i], text));
        }
        buf_char(out, ']');
    }
    print_side(out, "buckets:", "offset:", h->pos_spans, h->n_pos_spans, h->pos);
    print_side(out, "n_buckets:", "n_offset:", h->neg_spans, h->n_neg_spans, h->neg);
    buf_cs(out, "}}");
}
