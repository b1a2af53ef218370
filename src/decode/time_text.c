#include "decode/time_text.h"

#include "base/check.h"
#include "base/float.h"

#define SECOND INT64_C(1000000000)

/* ---- calendar ---- */

static bool take_digits(struct str *s, int n, int *out)
{
    *out = 0;
    if (s->n < (size_t)n) return false;
    for (int i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') return false;
        *out = *out * 10 + s->p[i] - '0';
    }
    s->p += n, s->n -= (size_t)n;
    return true;
}

static bool take(struct str *s, const char *any_of)
{
    if (s->n == 0 || s->p[0] == 0 || strchr(any_of, s->p[0]) == NULL) return false;
    s->p++, s->n--;
    return true;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_since_1970(int year, int month, int day)
{
    static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    int y = year - 1;
    int64_t days = y * INT64_C(365) + y / 4 - y / 100 + y / 400 - 719162; /* 719162: of 1969 years */
    return days + before[month - 1] + (month > 2 && is_leap(year)) + day - 1;
}

static bool date(struct str *s, int64_t *days)
{
    static const int longest[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year, month, day;
    if (!take_digits(s, 4, &year) || !take(s, "-/") || !take_digits(s, 2, &month) || !take(s, "-/") ||
        !take_digits(s, 2, &day))
        return false;
    if (year < 1969 || month < 1 || month > 12) return false;
    if (day < 1 || day > longest[month - 1] + (month == 2 && is_leap(year))) return false;
    *days = days_since_1970(year, month, day);
    return true;
}

static bool clock_time(struct str *s, int64_t *ns)
{
    int h, m, sec;
    if (!take_digits(s, 2, &h) || !take(s, ":") || !take_digits(s, 2, &m) || !take(s, ":") ||
        !take_digits(s, 2, &sec))
        return false;
    if (h > 23 || m > 59 || sec > 60) return false; /* 60: a leap second, read as the next one */
    *ns = (h * INT64_C(3600) + m * 60 + sec) * SECOND;
    return true;
}

static bool fraction(struct str *s, int64_t *ns)
{
    int64_t unit = SECOND / 10;
    if (!take(s, ".,")) return true;
    if (s->n == 0 || s->p[0] < '0' || s->p[0] > '9') return false;
    for (; s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9'; s->p++, s->n--, unit /= 10)
        *ns += (s->p[0] - '0') * unit;
    return true;
}

static bool zone(struct str *s, int64_t *ns)
{
    int h, m = 0;
    if (s->n == 0 || take(s, "Zz")) return true;
    bool west = s->p[0] == '-';
    if (!take(s, "+-") || !take_digits(s, 2, &h)) return false;
    take(s, ":");
    if (s->n > 0 && !take_digits(s, 2, &m)) return false;
    if (h > 23 || m > 59) return false;
    *ns = (h * INT64_C(60) + m) * 60 * SECOND;
    if (!west) *ns = -*ns;
    return true;
}

bool time_from_rfc3339(struct str s, int64_t *ns)
{
    int64_t days = 0, clock = 0, shift = 0;
    if (!date(&s, &days) || !take(&s, "Tt ") || !clock_time(&s, &clock)) return false;
    if (!fraction(&s, &clock) || !zone(&s, &shift) || s.n > 0) return false;
    if (__builtin_mul_overflow(days, 86400 * SECOND, ns) || __builtin_add_overflow(*ns, clock + shift, ns))
        return false;
    return *ns >= 0;
}

/* ---- numbers ---- */

static int64_t unit_of(double v)
{
    return v < 1e11 ? SECOND : v < 1e14 ? SECOND / 1000 : v < 1e17 ? 1000 : 1;
}

bool time_from_number(struct str s, int64_t *ns)
{
    uint64_t whole;
    double v;
    if (str_to_u64(s, &whole)) {
        if (whole > INT64_MAX) return false;
        return !__builtin_mul_overflow((int64_t)whole, unit_of((double)whole), ns);
    }
    if (!float_parse(s, &v) || !(v >= 0) || v > 9.2e18) return false;
    struct str rest, head = str_cut(s, '.', &rest);
    int64_t sub = 0;
    if (unit_of(v) == SECOND && str_to_u64(head, &whole) && rest.n > 0) { /* 1700000000.123456789 exactly */
        struct str digits = str_make(rest.p - 1, rest.n + 1);
        if (fraction(&digits, &sub) && digits.n == 0) {
            return !__builtin_mul_overflow(whole, (uint64_t)SECOND, ns) &&
                   !__builtin_add_overflow(*ns, sub, ns);
        }
    }
    v *= (double)unit_of(v);
    if (v >= 9.2e18) return false;
    *ns = (int64_t)v;
    return true;
}

bool time_from_text(struct str s, int64_t *ns)
{
    return time_from_number(s, ns) || time_from_rfc3339(s, ns);
}
