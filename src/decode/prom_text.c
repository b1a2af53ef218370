/* prom_text.c - the line iterator.
 *
 * The end of a series' text is found from the right: after the labels' closing brace a line holds numbers
 * only, so the last brace of the line is it. Only a line with '#' in an OpenMetrics text may have an
 * exemplar, with a brace of its own, and is read from the left. A malformed line may be split in a wrong
 * place, but then its series text does not parse either: nothing wrong is ever accepted. */
#include "decode/prom_text.h"

#include <math.h>

#include "base/check.h"
#include "base/float.h"
#include "model/histogram.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct str skip_blanks(struct str s)
{
    while (s.n > 0 && is_blank(*s.p)) s.p++, s.n--;
    return s;
}

/* The piece up to the next blank; *rest starts at what follows the blanks. */
static struct str token(struct str s, struct str *rest)
{
    size_t n = 0;
    while (n < s.n && !is_blank(s.p[n])) n++;
    *rest = skip_blanks((struct str){ s.p + n, s.n - n });
    return (struct str){ s.p, n };
}

/* ---- numbers ---- */

static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

/* Digits with an optional point and exponent. With at most 2^53 in the digits and 10^22 in the exponent both
 * factors are exact doubles, so that one operation rounds right (Clinger). Everything else is left to
 * float_parse. */
static bool plain_number(const char *p, const char *end, double *out)
{
    uint64_t digits = 0;
    int n = 0, exponent = 0;
    bool negative = p < end && *p == '-';

    p += negative;
    for (; p < end && (unsigned)(*p - '0') < 10; p++, n++) digits = digits * 10 + (unsigned)(*p - '0');
    if (p < end && *p == '.')
        for (p++; p < end && (unsigned)(*p - '0') < 10; p++, n++, exponent--)
            digits = digits * 10 + (unsigned)(*p - '0');
    if (n == 0 || n > 18 || digits > (uint64_t)1 << 53) return false;

    if (p < end && (*p == 'e' || *p == 'E')) {
        bool down = ++p < end && *p == '-';
        int e = 0;
        if (p < end && (*p == '-' || *p == '+')) p++;
        if (end - p < 1 || end - p > 3) return false;
        for (; p < end && (unsigned)(*p - '0') < 10; p++) e = e * 10 + (*p - '0');
        exponent += down ? -e : e;
    }
    if (p != end || exponent < -22 || exponent > 22) return false;
    double v = exponent < 0 ? (double)digits / powers[-exponent] : (double)digits * powers[exponent];
    *out = negative ? -v : v;
    return true;
}

bool prom_text_number(struct str s, double *out)
{
    if (LIKELY(plain_number(s.p, s.p + s.n, out))) return true;
    if (!float_parse(s, out)) return false;
    if (isnan(*out)) *out = double_of(NAN_BITS);
    return true;
}

/* Milliseconds, or (OpenMetrics) seconds with a fraction. */
static bool time_of(struct str s, enum prom_text_form form, int64_t *out)
{
    double seconds;
    if (form == PROM_TEXT_PLAIN) return str_to_i64(s, out);
    if (!prom_text_number(s, &seconds) || !(fabs(seconds) < 9e15)) return false;
    *out = (int64_t)llround(seconds * 1000);
    return true;
}

/* ---- lines ---- */

static enum prom_text_kind bad(struct prom_line *l, const char *why, struct str piece)
{
    l->why = why;
    l->text = piece;
    return PROM_TEXT_BAD;
}

int prom_text_bad(const struct prom_line *l, struct err *e)
{
    return err_set(e, ERR_PARSE, "line %zu: %s: \"%.*s\"", l->line, l->why, (int)MIN(l->text.n, (size_t)80),
                   l->text.p);
}

/* Length of the series text, read from the left: a brace within quotes does not count. */
static size_t series_length(struct str s)
{
    bool quoted = false, braced = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == '{') {
            braced = true;
        } else if (!quoted && c == '}') {
            return i + 1;
        } else if (!quoted && !braced && is_blank(c)) {
            size_t after = i; /* name {labels} may have blanks between */
            while (after < s.n && is_blank(s.p[after])) after++;
            if (after == s.n || s.p[after] != '{') return i;
            i = after - 1;
        }
    }
    return s.n;
}

static size_t series_length_fast(struct str s)
{
    const char *brace = memrchr(s.p, '}', s.n);
    if (LIKELY(brace != NULL)) return (size_t)(brace + 1 - s.p);
    size_t n = 0;
    while (n < s.n && !is_blank(s.p[n])) n++;
    return n;
}

static enum prom_text_kind sample(const struct prom_text *t, struct prom_line *l, struct str line)
{
    bool from_left = t->form == PROM_TEXT_OPENMETRICS && memchr(line.p, '#', line.n) != NULL;
    size_t n = UNLIKELY(from_left) ? series_length(line) : series_length_fast(line);
    struct str rest = skip_blanks((struct str){ line.p + n, line.n - n }), value;

    l->series = (struct str){ line.p, n };
    l->exemplar = STR("");
    l->has_time = false;
    if (UNLIKELY(rest.n == 0)) return bad(l, "no value after the series", line);
    value = token(rest, &rest);
    if (UNLIKELY(!prom_text_number(value, &l->value))) return bad(l, "value is not a number", value);
    if (LIKELY(rest.n == 0)) return PROM_TEXT_SAMPLE;

    if (*rest.p != '#') {
        struct str time = token(rest, &rest);
        if (!time_of(time, t->form, &l->time_ms)) return bad(l, "timestamp is not valid", time);
        l->has_time = true;
    }
    if (rest.n == 0) return PROM_TEXT_SAMPLE;
    if (!from_left || *rest.p != '#') return bad(l, "unexpected text after the value", rest);
    l->exemplar = skip_blanks((struct str){ rest.p + 1, rest.n - 1 });
    return l->exemplar.n > 0 ? PROM_TEXT_SAMPLE : bad(l, "nothing after the exemplar sign", rest);
}

static const char *type_name(struct str s)
{
    static const char *const names[] = { "counter", "gauge", "histogram", "gaugehistogram",
                                         "summary", "info",  "stateset",  "unknown" };
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_is_nocase(s, names[i])) return names[i];
    return str_is_nocase(s, "untyped") ? "unknown" : NULL;
}

/* A family name; quoted when it is not plain. */
static bool family_name(struct str s, struct prom_line *l, struct str *rest)
{
    if (s.n == 0 || *s.p != '"') {
        l->family = token(s, rest);
        return metric_name_is_plain(l->family);
    }
    size_t n = 1;
    while (n < s.n && s.p[n] != '"') n += s.p[n] == '\\' ? 2 : 1;
    if (n >= s.n) return false;
    l->family = (struct str){ s.p + 1, n - 1 };
    *rest = skip_blanks((struct str){ s.p + n + 1, s.n - n - 1 });
    return l->family.n > 0;
}

/* # HELP family text, # TYPE family type, # UNIT family unit, # EOF; PROM_TEXT_END for a mere remark. */
static enum prom_text_kind comment(struct prom_text *t, struct prom_line *l, struct str line)
{
    struct str rest, word = token(skip_blanks((struct str){ line.p + 1, line.n - 1 }), &rest);
    enum prom_text_kind kind;
    const char *type;

    if (str_is(word, "HELP"))
        kind = PROM_TEXT_HELP;
    else if (str_is(word, "TYPE"))
        kind = PROM_TEXT_TYPE;
    else if (str_is(word, "UNIT") && t->form == PROM_TEXT_OPENMETRICS)
        kind = PROM_TEXT_UNIT;
    else {
        if (str_is(word, "EOF") && t->form == PROM_TEXT_OPENMETRICS) t->has_eof = true;
        return PROM_TEXT_END;
    }
    if (!family_name(rest, l, &rest)) return bad(l, "no metric family name", line);
    l->text = rest;
    if (kind != PROM_TEXT_TYPE) return kind;
    if ((type = type_name(str_trim(rest))) == NULL) return bad(l, "no such metric type", rest);
    l->text = str_of(type);
    return kind;
}

void prom_text_open(struct prom_text *t, struct str text, enum prom_text_form form)
{
    *t = (struct prom_text){ .p = text.p, .end = text.p + text.n, .form = form };
}

enum prom_text_kind prom_text_next(struct prom_text *t, struct prom_line *l)
{
    while (t->p < t->end) {
        const char *newline = memchr(t->p, '\n', (size_t)(t->end - t->p));
        const char *stop = newline ? newline : t->end;
        struct str line = { t->p, (size_t)(stop - t->p) };

        t->p = newline ? newline + 1 : t->end;
        l->line = ++t->line;
        if (line.n > 0 && line.p[line.n - 1] == '\r') line.n--;
        line = skip_blanks(line);
        if (line.n == 0) continue;
        if (UNLIKELY(t->has_eof)) return bad(l, "text after # EOF", line);
        if (*line.p != '#') return sample(t, l, line);

        enum prom_text_kind kind = comment(t, l, line);
        if (kind != PROM_TEXT_END) return kind;
    }
    return PROM_TEXT_END;
}

bool prom_text_form(struct str content_type, enum prom_text_form *out)
{
    struct str rest, type = str_trim(str_cut(content_type, ';', &rest));
    if (str_is_nocase(type, "application/openmetrics-text"))
        *out = PROM_TEXT_OPENMETRICS;
    else if (type.n == 0 || str_is_nocase(type, "text/plain"))
        *out = PROM_TEXT_PLAIN;
    else
        return false;
    return true;
}
