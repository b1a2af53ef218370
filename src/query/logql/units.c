/* units.c - durations and sizes as people write them. */
#include <math.h>

#include "base/check.h"
#include "base/float.h"
#include "query/logql/parse.h"

struct unit {
    const char *name;
    double factor;
};

/* The unit whose name begins s, the longest one; NULL: none. */
static const struct unit *unit_at(const struct unit *units, size_t n, struct str s)
{
    const struct unit *best = NULL;
    for (size_t i = 0; i < n; i++)
        if (str_starts(s, units[i].name) && (best == NULL || strlen(units[i].name) > strlen(best->name)))
            best = &units[i];
    return best;
}

/* Digits with at most one dot, at the front of s. */
static bool take_decimal(struct str *s, double *out)
{
    size_t n = 0;
    bool digits = false, dot = false;
    for (; n < s->n; n++) {
        if (s->p[n] >= '0' && s->p[n] <= '9')
            digits = true;
        else if (s->p[n] == '.' && !dot)
            dot = true;
        else
            break;
    }
    if (!digits || n > 64 || !float_parse(str_make(s->p, n), out)) return false;
    *s = str_make(s->p + n, s->n - n);
    return true;
}

bool logql_duration(struct str s, int64_t *ns)
{
    static const struct unit units[] = {
        { "ns", 1 },      { "us", 1e3 },        { "\xc2\xb5s", 1e3 },   { "\xce\xbcs", 1e3 },
        { "ms", 1e6 },    { "s", 1e9 },         { "m", 60e9 },          { "h", 3600e9 },
        { "d", 86400e9 }, { "w", 7 * 86400e9 }, { "y", 365 * 86400e9 },
    };
    double sum = 0, number;
    bool negative = s.n > 0 && s.p[0] == '-';
    if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+')) s = str_make(s.p + 1, s.n - 1);
    if (str_is(s, "0")) {
        *ns = 0;
        return true;
    }
    if (s.n == 0) return false;
    while (s.n > 0) {
        if (!take_decimal(&s, &number)) return false;
        const struct unit *u = unit_at(units, COUNT(units), s);
        if (u == NULL) return false;
        s = str_make(s.p + strlen(u->name), s.n - strlen(u->name));
        sum += number * u->factor;
    }
    if (!(sum < 9.2e18)) return false;
    *ns = (int64_t)llround(negative ? -sum : sum);
    return true;
}

bool logql_bytes(struct str s, double *out)
{
    static const struct {
        const char *name;
        double factor;
    } units[] = {
        { "", 1 },         { "b", 1 },        { "k", 1e3 },      { "kb", 1e3 },     { "ki", 1024 },
        { "kib", 1024 },   { "m", 1e6 },      { "mb", 1e6 },     { "mi", 0x1p20 },  { "mib", 0x1p20 },
        { "g", 1e9 },      { "gb", 1e9 },     { "gi", 0x1p30 },  { "gib", 0x1p30 }, { "t", 1e12 },
        { "tb", 1e12 },    { "ti", 0x1p40 },  { "tib", 0x1p40 }, { "p", 1e15 },     { "pb", 1e15 },
        { "pi", 0x1p50 },  { "pib", 0x1p50 }, { "e", 1e18 },     { "eb", 1e18 },    { "ei", 0x1p60 },
        { "eib", 0x1p60 },
    };
    double number;
    if (!take_decimal(&s, &number)) return false;
    s = str_trim(s);
    for (size_t i = 0; i < COUNT(units); i++) {
        if (!str_is_nocase(s, units[i].name)) continue;
        *out = trunc(number * units[i].factor);
        return true;
    }
    return false;
}
