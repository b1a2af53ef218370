/* money.c - nano-dollars as text and back, exactly. */
#include <stdio.h>

#include "base/check.h"
#include "model/price_impl.h"

size_t money_text(int64_t nano, char out[MONEY_TEXT_MAX])
{
    bool is_negative = nano < 0;
    uint64_t n = is_negative ? 0 - (uint64_t)nano : (uint64_t)nano;
    int len =
        snprintf(out, MONEY_TEXT_MAX, "%s%llu.%09llu", is_negative ? "-" : "",
                 (unsigned long long)(n / (uint64_t)NANO_USD), (unsigned long long)(n % (uint64_t)NANO_USD));
    while (out[len - 1] == '0') len--;
    if (out[len - 1] == '.') len--;
    return (size_t)len;
}

/* The nearest double of nano / 10^9: one division of two exact numbers while nano is below 2^53 (nine million
 * dollars), so that it reads 0.00125175 and not 0.0012517500000000001. */
double money_double(int64_t nano)
{
    return (double)nano / 1e9;
}

int64_t money_add(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum)) return b > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

/* Digits with at most `decimals` of them after the point, scaled by ten to that power. */
static bool read_decimal(struct str s, int decimals, int64_t *out)
{
    int64_t v = 0;
    int after = -1, digits = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '.' && after < 0) {
            after = 0;
            continue;
        }
        if (c < '0' || c > '9') return false;
        if (after >= decimals) {
            if (c != '0') return false;
            continue;
        }
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, c - '0', &v)) return false;
        digits++;
        after += after >= 0;
    }
    for (int i = MAX(after, 0); i < decimals; i++)
        if (__builtin_mul_overflow(v, 10, &v)) return false;
    *out = v;
    return digits > 0;
}

bool money_read(struct str s, int64_t *nano)
{
    return read_decimal(s, 9, nano);
}

bool price_read(struct str s, int64_t *pico)
{
    return read_decimal(s, 6, pico);
}
