#include "decode/otlp_value.h"

#include <stdio.h>

#include "base/float.h"

struct str otlp_bool_text(bool v)
{
    return v ? STR("true") : STR("false");
}

struct str otlp_int_text(int64_t v, struct arena *a)
{
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (v < 0) digits[--at] = '-';
    return arena_str(a, str_make(digits + at, sizeof digits - at));
}

struct str otlp_double_text(double v, struct arena *a)
{
    char text[FLOAT_TEXT_MAX];
    return arena_str(a, str_make(text, float_text(v, text)));
}

struct str otlp_base64(struct str bytes, struct arena *a)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = (const unsigned char *)bytes.p;
    char *out = arena_alloc(a, bytes.n / 3 * 4 + 5), *to = out;

    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t left = bytes.n - i;
        unsigned v =
            (unsigned)in[i] << 16 | (left > 1 ? (unsigned)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0);
        *to++ = digit[v >> 18];
        *to++ = digit[v >> 12 & 63];
        *to++ = left > 1 ? digit[v >> 6 & 63] : '=';
        *to++ = left > 2 ? digit[v & 63] : '=';
    }
    return str_make(out, (size_t)(to - out));
}

static bool all_zero(struct str hex)
{
    for (size_t i = 0; i < hex.n; i++)
        if (hex.p[i] != '0') return false;
    return true;
}

struct str otlp_id_hex(struct str bytes, struct arena *a)
{
    static const char digit[] = "0123456789abcdef";
    char *out = arena_alloc(a, 2 * bytes.n + 1);
    for (size_t i = 0; i < bytes.n; i++) {
        out[2 * i] = digit[(unsigned char)bytes.p[i] >> 4];
        out[2 * i + 1] = digit[(unsigned char)bytes.p[i] & 15];
    }
    struct str hex = { out, 2 * bytes.n };
    return all_zero(hex) ? STR("") : hex;
}

bool otlp_id_from_hex(struct str hex, struct arena *a, struct str *out)
{
    *out = STR("");
    if (hex.n == 0) return true;
    if (hex.n != 16 && hex.n != 32) return false;

    char *lower = arena_alloc(a, hex.n);
    for (size_t i = 0; i < hex.n; i++) {
        char c = hex.p[i];
        if (c >= 'A' && c <= 'F') c = (char)(c - 'A' + 'a');
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
        lower[i] = c;
    }
    struct str made = { lower, hex.n };
    if (!all_zero(made)) *out = made;
    return true;
}
