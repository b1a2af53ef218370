/* float.cc - doubles to text and back, by C++17 <charconv>: shortest digits, correctly rounded, no locale.
 *
 * Writing asks for the shortest scientific form and lays its digits out anew, because neither Go layout we
 * need is one of charconv's. Reading takes short plain decimals by one exact division (both operands are
 * below 2^53 resp. 10^22, so both are exact and IEEE division rounds once) and leaves the rest to from_chars.
 */
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <system_error>

#include "base/float.h"

namespace
{

/* The NaN that Prometheus stores for an ordinary "not a number"; model/histogram.h calls it NAN_BITS. */
constexpr uint64_t plain_nan_bits = 0x7ff8000000000001ull;

struct digits {
    char at[24]; /* significant decimal digits, the first not 0 (but for zero itself) */
    int n;
    int exponent; /* of the first digit: value = d.ddd * 10^exponent */
    bool negative;
};

digits digits_of(double v)
{
    digits d = {};
    char text[40];
    auto end = std::to_chars(text, text + sizeof text, v, std::chars_format::scientific).ptr;

    const char *p = text;
    if (*p == '-') d.negative = true, p++;
    for (; p < end && *p != 'e'; p++)
        if (*p != '.') d.at[d.n++] = *p;
    bool below = p[1] == '-';
    for (p += 2; p < end; p++) d.exponent = d.exponent * 10 + (*p - '0');
    if (below) d.exponent = -d.exponent;
    return d;
}

size_t put(char *out, const char *text)
{
    size_t n = strlen(text);
    memcpy(out, text, n);
    return n;
}

/* 0: not special. */
size_t put_special(double v, char *out)
{
    if (std::isnan(v)) return put(out, "NaN");
    if (std::isinf(v)) return put(out, v > 0 ? "+Inf" : "-Inf");
    return 0;
}

size_t put_plain(const digits &d, char *out)
{
    char *p = out;
    if (d.negative) *p++ = '-';
    if (d.exponent < 0) {
        p += put(p, "0.");
        for (int i = -1; i > d.exponent; i--) *p++ = '0';
        memcpy(p, d.at, d.n);
        return (size_t)(p + d.n - out);
    }
    for (int i = 0; i < d.n || i <= d.exponent; i++) {
        if (i == d.exponent + 1) *p++ = '.';
        *p++ = i < d.n ? d.at[i] : '0';
    }
    return (size_t)(p - out);
}

size_t put_exponent(const digits &d, char *out)
{
    char *p = out;
    if (d.negative) *p++ = '-';
    *p++ = d.at[0];
    if (d.n > 1) {
        *p++ = '.';
        memcpy(p, d.at + 1, d.n - 1);
        p += d.n - 1;
    }
    *p++ = 'e';
    *p++ = d.exponent < 0 ? '-' : '+';
    int e = d.exponent < 0 ? -d.exponent : d.exponent;
    if (e >= 100) *p++ = (char)('0' + e / 100);
    *p++ = (char)('0' + e / 10 % 10);
    *p++ = (char)('0' + e % 10);
    return (size_t)(p - out);
}

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* digits [. digits], at most 15 of them: exact in a double. */
bool parse_short(const char *p, const char *end, double *out)
{
    static const double power[] = { 1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    if (end - p > 16) return false;

    uint64_t mantissa = 0;
    int n = 0, fraction = 0;
    for (; p < end && is_digit(*p); p++, n++) mantissa = mantissa * 10 + (uint64_t)(*p - '0');
    if (p < end && *p == '.') {
        p++;
        for (; p < end && is_digit(*p); p++, n++, fraction++) mantissa = mantissa * 10 + (uint64_t)(*p - '0');
    }
    if (p < end || n == 0 || n > 15) return false;
    *out = fraction ? (double)mantissa / power[fraction] : (double)mantissa;
    return true;
}

bool is_word(struct str s, const char *lower)
{
    if (s.n != strlen(lower)) return false;
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] | 0x20) != lower[i]) return false;
    return true;
}

/* from_chars says "out of range" for both ends; too small is 0 here, too large is refused. The number
 * overflows when its first significant digit stands high: position counted from the point, plus the exponent.
 */
bool is_tiny(const char *p, const char *end, bool hex)
{
    long place = 0, exponent = 0;
    bool seen_point = false, seen_digit = false;
    char mark = hex ? 'p' : 'e';
    for (; p < end && (*p | 0x20) != mark; p++) {
        if (*p == '.')
            seen_point = true;
        else if (*p != '0')
            seen_digit = true;
        if (*p != '.' && !seen_point && seen_digit) place++;
        if (*p == '0' && seen_point && !seen_digit) place--;
    }
    if (p < end) {
        bool below = p[1] == '-';
        for (p += 1 + (p[1] == '-' || p[1] == '+'); p < end; p++)
            if (exponent < 1000000000) exponent = exponent * 10 + (*p - '0');
        if (below) exponent = -exponent;
    }
    return (hex ? 4 * place : place) + exponent < 0;
}

bool parse_general(const char *p, const char *end, bool hex, double *out)
{
    auto format = hex ? std::chars_format::hex : std::chars_format::general;
    auto [stop, code] = std::from_chars(p, end, *out, format);
    if (stop != end) return false;
    if (code == std::errc()) return true;
    if (code != std::errc::result_out_of_range || !is_tiny(p, end, hex)) return false;
    *out = 0;
    return true;
}

bool parse_unsigned(const char *p, const char *end, double *out)
{
    if (p == end) return false;
    if (end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x') {
        bool has_exponent = memchr(p, 'p', end - p) || memchr(p, 'P', end - p);
        return has_exponent && p[2] != '-' && parse_general(p + 2, end, true, out);
    }
    if (!is_digit(*p) && *p != '.') { /* no second sign, and none of from_chars' own words */
        struct str word = { p, (size_t)(end - p) };
        if (!is_word(word, "inf") && !is_word(word, "infinity")) return false;
        *out = INFINITY;
        return true;
    }
    return parse_general(p, end, false, out);
}

} // namespace

extern "C" size_t float_text(double v, char out[FLOAT_TEXT_MAX])
{
    size_t n = put_special(v, out);
    if (n > 0) return n;
    digits d = digits_of(v);
    return d.exponent < -4 || d.exponent >= 21 ? put_exponent(d, out) : put_plain(d, out);
}

extern "C" size_t float_text_plain(double v, char *out, size_t cap)
{
    char text[400]; /* 1 sign, "0.", 323 zeros, 17 digits */
    size_t n = put_special(v, text);
    if (n == 0) n = put_plain(digits_of(v), text);
    if (n > cap) n = cap;
    memcpy(out, text, n);
    return n;
}

extern "C" bool float_parse(struct str s, double *out)
{
    const char *p = s.p, *end = s.p + s.n;
    if (s.n == 0) return false;

    double v;
    bool negative = *p == '-';
    if (negative || *p == '+') p++;
    if (!parse_short(p, end, &v) && !parse_unsigned(p, end, &v)) {
        if (!is_word(s, "nan")) return false;
        memcpy(&v, &plain_nan_bits, sizeof v);
    }
    *out = negative ? -v : v;
    return true;
}
