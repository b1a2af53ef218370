#include "decode/base64.h"

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    if (c == '/' || c == '_') return 63;
    return -1;
}

bool base64_read(struct str text, char *to, size_t *n)
{
    uint32_t bits = 0;
    unsigned have = 0;
    *n = 0;
    while (text.n > 0 && text.p[text.n - 1] == '=') text.n--;
    for (size_t i = 0; i < text.n; i++) {
        int digit = digit_of(text.p[i]);
        if (digit < 0) return false;
        bits = bits << 6 | (uint32_t)digit;
        if ((have += 6) < 8) continue;
        have -= 8;
        to[(*n)++] = (char)(bits >> have);
    }
    return text.n % 4 != 1;
}
