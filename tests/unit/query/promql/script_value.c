/* script_value.c - what a script line holds: a series, and the values after it.
 *
 *     metric{label="x"} 1 2+3x4 _ _x2 stale {{schema:0 count:4 buckets:[1 2 1]}}+{{...}}x3
 *     metric{label="x"}@st _ -30s-1mx2         start times, as offsets from the samples
 */
#include "script_value.h"

#include <ctype.h>
#include <math.h>

#include "base/check.h"
#include "base/duration.h"
#include "base/float.h"
#include "query/promql/histogram_ops.h"

static void skip_space(struct str *s)
{
    while (s->n && (*s->p == ' ' || *s->p == '\t')) s->p++, s->n--;
}

static bool take_char(struct str *s, char c)
{
    if (s->n == 0 || *s->p != c) return false;
    s->p++, s->n--;
    return true;
}

static bool take_text(struct str *s, const char *text)
{
    if (!str_starts(*s, text)) return false;
    s->p += strlen(text), s->n -= strlen(text);
    return true;
}

static struct str take_word(struct str *s, const char *stop)
{
    struct str w = { s->p, 0 };
    while (w.n < s->n && !strchr(stop, s->p[w.n])) w.n++;
    s->p += w.n, s->n -= w.n;
    return w;
}

/* "..." or '...', with \ before what is special. */
static struct str take_quoted(struct str *s, struct arena *a)
{
    char quote = *s->p, *out = arena_alloc(a, s->n);
    size_t n = 0, i = 1;
    for (; i < s->n && s->p[i] != quote; i++) {
        if (s->p[i] == '\\' && i + 1 < s->n) i++;
        out[n++] = s->p[i];
    }
    s->p += i + 1, s->n -= MIN(i + 1, s->n);
    return (struct str){ out, n };
}

static struct str take_name(struct str *s, struct arena *a)
{
    skip_space(s);
    return s->n && (*s->p == '"' || *s->p == '\'') ? take_quoted(s, a) : take_word(s, " \t={},");
}

bool script_labels(struct str *line, struct arena *a, struct labels *out)
{
    struct label *at = arena_array(a, 64, sizeof *at);
    size_t n = 0;
    struct str name = take_word(line, " \t{@");

    if (name.n) at[n++] = (struct label){ STR(LABEL_NAME), name };
    if (take_char(line, '{')) {
        for (skip_space(line); line->n && *line->p != '}'; skip_space(line)) {
            struct str key = take_name(line, a), value;
            skip_space(line);
            if (take_char(line, '=')) {
                skip_space(line);
                value = take_quoted(line, a);
            } else {
                value = key;
                key = STR(LABEL_NAME);
            }
            if (n < 64) at[n++] = (struct label){ key, value };
            skip_space(line);
            take_char(line, ',');
        }
        if (!take_char(line, '}')) return false;
    }
    *out = (struct labels){ at, n };
    if (n == 0) return true;
    if (labels_normalise(at, &out->n, NULL) < 0) return out->n == 0;
    return true;
}

/* ---- histograms ---- */

static double number_of(struct str s)
{
    char text[64];
    size_t n = 0;
    double v = NAN;
    for (size_t i = 0; i < s.n && n < sizeof text; i++)
        if (s.p[i] != '_') text[n++] = s.p[i];
    check(float_parse(str_make(text, n), &v));
    return v;
}

static size_t take_numbers(struct str *s, struct arena *a, double **out)
{
    size_t n = 0;
    *out = arena_array(a, s->n, sizeof **out);
    take_char(s, '[');
    for (skip_space(s); s->n && *s->p != ']'; skip_space(s)) (*out)[n++] = number_of(take_word(s, " \t]"));
    take_char(s, ']');
    return n;
}

static void set_side(struct arena *a, struct hist_span **spans, uint32_t *n_spans, double **to,
                     uint32_t *n_to, int32_t offset, double *v, size_t n)
{
    if (n == 0) return;
    *spans = arena_array(a, 1, sizeof **spans);
    **spans = (struct hist_span){ offset, (uint32_t)n };
    *n_spans = 1;
    *to = v;
    *n_to = (uint32_t)n;
}

static uint8_t hint_of(struct str s)
{
    return str_is(s, "gauge")       ? HIST_GAUGE
           : str_is(s, "reset")     ? HIST_RESET_YES
           : str_is(s, "not_reset") ? HIST_RESET_NO
                                    : HIST_RESET_UNKNOWN;
}

static struct histogram *take_histogram(struct str *s, struct arena *a)
{
    struct histogram *h = arena_zero(a, sizeof *h);
    double *pos = NULL, *neg = NULL, *custom = NULL;
    size_t n_pos = 0, n_neg = 0, n_custom = 0;
    int32_t offset = 0, n_offset = 0;

    for (skip_space(s); s->n && *s->p != '}'; skip_space(s)) {
        if (take_text(s, "custom_values:"))
            n_custom = take_numbers(s, a, &custom);
        else if (take_text(s, "n_buckets:"))
            n_neg = take_numbers(s, a, &neg);
        else if (take_text(s, "buckets:"))
            n_pos = take_numbers(s, a, &pos);
        else if (take_text(s, "counter_reset_hint:"))
            h->reset = hint_of(take_word(s, " \t}"));
        else if (take_text(s, "n_offset:"))
            n_offset = (int32_t)number_of(take_word(s, " \t}"));
        else if (take_text(s, "offset:"))
            offset = (int32_t)number_of(take_word(s, " \t}"));
        else if (take_text(s, "schema:"))
            h->schema = (int32_t)number_of(take_word(s, " \t}"));
        else if (take_text(s, "sum:"))
            h->sum = number_of(take_word(s, " \t}"));
        else if (take_text(s, "count:"))
            h->count = number_of(take_word(s, " \t}"));
        else if (take_text(s, "z_bucket_w:"))
            h->zero_threshold = number_of(take_word(s, " \t}"));
        else if (take_text(s, "z_bucket:"))
            h->zero_count = number_of(take_word(s, " \t}"));
        else
            return NULL;
    }
    take_text(s, "}}");
    set_side(a, &h->pos_spans, &h->n_pos_spans, &h->pos, &h->n_pos, offset, pos, n_pos);
    set_side(a, &h->neg_spans, &h->n_neg_spans, &h->neg, &h->n_neg, n_offset, neg, n_neg);
    h->custom = custom;
    h->n_custom = (uint32_t)n_custom;
    return h;
}

static const struct histogram *hist_plus(const struct histogram *h, const struct histogram *step, double sign,
                                         struct arena *a)
{
    struct hwork w;
    struct arena scratch = ARENA_INIT(SIZE_MAX);
    hwork_init(&w, &scratch, h);
    check(!(hwork_add(&w, step, sign) & HWORK_INCOMPATIBLE));
    struct histogram *sum = hwork_done(&w, a);
    sum->reset = step->reset;
    arena_release(&scratch);
    return sum;
}

/* ---- sequences ---- */

static void push(struct script_values *v, struct arena *a, struct script_value one)
{
    v->at = arena_grow(a, v->at, v->n, &v->cap, sizeof *v->at);
    v->at[v->n++] = one;
}

static size_t take_times(struct str *s)
{
    if (!take_char(s, 'x')) return 0;
    return (size_t)number_of(take_word(s, " \t"));
}

static bool take_histograms(struct str *s, struct arena *a, struct script_values *out)
{
    const struct histogram *h = take_histogram(s, a), *step = NULL;
    double sign = 1;
    if (h == NULL) return false;
    if (str_starts(*s, "+{{") || str_starts(*s, "-{{")) {
        sign = *s->p == '+' ? 1 : -1;
        s->p += 3, s->n -= 3;
        if ((step = take_histogram(s, a)) == NULL) return false;
    }
    size_t times = take_times(s);
    push(out, a, (struct script_value){ .h = h });
    for (size_t i = 0; i < times; i++) {
        if (step) h = hist_plus(h, step, sign, a);
        push(out, a, (struct script_value){ .h = h });
    }
    return true;
}

/* 1.5e3, then perhaps a signed step. */
static struct str take_number_text(struct str *s)
{
    size_t n = 0;
    if (n < s->n && (s->p[n] == '+' || s->p[n] == '-')) n++;
    if (n < s->n && isalpha((unsigned char)s->p[n]) && s->p[n] != 'x') {
        while (n < s->n && isalpha((unsigned char)s->p[n])) n++;
    } else {
        while (n < s->n &&
               (isdigit((unsigned char)s->p[n]) || strchr("._eE", s->p[n]) ||
                ((s->p[n] == '+' || s->p[n] == '-') && n > 0 && (s->p[n - 1] == 'e' || s->p[n - 1] == 'E'))))
            n++;
    }
    struct str t = { s->p, n };
    s->p += n, s->n -= n;
    return t;
}

static bool take_floats(struct str *s, struct arena *a, struct script_values *out)
{
    struct str text = take_number_text(s);
    if (text.n == 0) return false;
    double v = number_of(text), step = 0;
    if (s->n && (*s->p == '+' || *s->p == '-')) step = number_of(take_number_text(s));
    size_t times = take_times(s);
    for (size_t i = 0; i <= times; i++, v += step) push(out, a, (struct script_value){ .v = v });
    return true;
}

bool script_values(struct str line, struct arena *a, struct script_values *out)
{
    for (skip_space(&line); line.n; skip_space(&line)) {
        if (take_text(&line, "{{")) {
            if (!take_histograms(&line, a, out)) return false;
        } else if (take_char(&line, '_')) {
            size_t times = take_times(&line);
            for (size_t i = 0; i < MAX(times, (size_t)1); i++)
                push(out, a, (struct script_value){ .omitted = true });
        } else if (take_text(&line, "stale")) {
            push(out, a, (struct script_value){ .v = double_of(STALE_BITS) });
        } else if (!take_floats(&line, a, out)) {
            return false;
        }
    }
    return true;
}

/* A signed duration: -1m, 0, +5s. */
static int64_t take_offset(struct str *s)
{
    bool minus = *s->p == '-';
    int64_t ms = 0;
    if (*s->p == '-' || *s->p == '+') s->p++, s->n--;
    size_t n = 0;
    while (n < s->n && (isdigit((unsigned char)s->p[n]) || (strchr("mshd", s->p[n]) && s->p[n]))) n++;
    struct str text = { s->p, n };
    s->p += n, s->n -= n;
    duration_parse_ms(text, &ms); /* what is none is 0 */
    return minus ? -ms : ms;
}

bool script_starts(struct str line, struct arena *a, struct script_values *out)
{
    for (skip_space(&line); line.n; skip_space(&line)) {
        if (take_char(&line, '_')) {
            size_t times = take_times(&line);
            for (size_t i = 0; i < MAX(times, (size_t)1); i++)
                push(out, a, (struct script_value){ .omitted = true });
            continue;
        }
        int64_t v = take_offset(&line), step = 0;
        if (line.n && (*line.p == '-' || *line.p == '+')) step = take_offset(&line);
        size_t times = take_times(&line);
        for (size_t i = 0; i <= times; i++, v += step) push(out, a, (struct script_value){ .start_ms = v });
    }
    return true;
}
