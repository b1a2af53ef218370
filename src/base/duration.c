/* duration.c - one table of units serves reading and printing. A year is 365 days, as in Prometheus. */
#include "base/duration.h"

#include "base/check.h"

static const struct unit {
    const char *name;
    int64_t ms;
    bool exact_only; /* printed only when nothing is left over: 8d is not 1w1d */
} units[] = {
    { "y", 365 * 86400000ll, true },
    { "w", 7 * 86400000ll, true },
    { "d", 86400000, false },
    { "h", 3600000, false },
    { "m", 60000, false },
    { "s", 1000, false },
    { "ms", 1, false },
};

static bool take_digits(struct str *s, int64_t *out)
{
    size_t n = 0;
    int64_t v = 0;
    for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, s->p[n] - '0', &v)) return false;
    *s = (struct str){ s->p + n, s->n - n };
    *out = v;
    return n > 0;
}

/* The unit at the head of s, at or after units[from]; COUNT(units) when there is none. m is not ms. */
static size_t take_unit(struct str *s, size_t from)
{
    size_t n = 0;
    while (n < s->n && s->p[n] >= 'a' && s->p[n] <= 'z') n++;
    for (size_t i = from; i < COUNT(units); i++) {
        if (!str_is((struct str){ s->p, n }, units[i].name)) continue;
        *s = (struct str){ s->p + n, s->n - n };
        return i;
    }
    return COUNT(units);
}

bool duration_parse_ms(struct str s, int64_t *out_ms)
{
    int64_t total = 0, count, ms;

    if (str_is(s, "0")) {
        *out_ms = 0;
        return true;
    }
    if (s.n == 0) return false;
    for (size_t next = 0; s.n > 0; next++) {
        if (!take_digits(&s, &count)) return false;
        next = take_unit(&s, next);
        if (next == COUNT(units)) return false;
        if (__builtin_mul_overflow(count, units[next].ms, &ms) || __builtin_add_overflow(total, ms, &total))
            return false;
    }
    if (total > INT64_MAX / 1000000)
        return false; /* Prometheus counts in nanoseconds, and so ends at 292 years */
    *out_ms = total;
    return true;
}

void duration_print_ms(struct buf *out, int64_t ms)
{
    if (ms == 0) {
        buf_cs(out, "0s");
        return;
    }
    if (ms < 0) buf_char(out, '-');
    uint64_t rest = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    for (size_t i = 0; i < COUNT(units); i++) {
        uint64_t unit = (uint64_t)units[i].ms, n = rest / unit;
        if (n == 0 || (units[i].exact_only && rest % unit != 0)) continue;
        buf_u64(out, n);
        buf_cs(out, units[i].name);
        rest %= unit;
    }
}
