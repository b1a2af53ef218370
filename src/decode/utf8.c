#include "decode/utf8.h"

#include "base/check.h"

size_t utf8_floor(struct str t, size_t n)
{
    if (n >= t.n) return t.n;
    size_t at = n;
    while (at > 0 && n - at < 4 && ((uint8_t)t.p[at] & 0xc0) == 0x80) at--;
    return ((uint8_t)t.p[at] & 0xc0) == 0x80 ? n : at; /* four in a row: no UTF-8 anyway */
}

/* Bytes of the character at p, negative: of the broken beginning of one. Table 3-7 of the Unicode standard.
 */
static int sequence(const uint8_t *p, size_t n)
{
    uint8_t c = p[0], low = 0x80, high = 0xbf;
    if (c < 0x80) return 1;
    if (c < 0xc2 || c > 0xf4) return -1;
    int want = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (c == 0xe0) low = 0xa0;
    if (c == 0xed) high = 0x9f;
    if (c == 0xf0) low = 0x90;
    if (c == 0xf4) high = 0x8f;
    for (int i = 1; i < want; i++) {
        if ((size_t)i >= n || p[i] < low || p[i] > high) return -i;
        low = 0x80;
        high = 0xbf;
    }
    return want;
}

struct str utf8_repaired(struct str t, struct arena *a)
{
    if (str_utf8_valid(t)) return t;

    const uint8_t *p = (const uint8_t *)t.p;
    char *text = arena_array(a, t.n, 3), *to = text;
    for (size_t i = 0; i < t.n;) {
        int n = sequence(p + i, t.n - i);
        memcpy(to, n > 0 ? (const char *)p + i : "\xef\xbf\xbd", n > 0 ? (size_t)n : 3);
        to += n > 0 ? n : 3;
        i += (size_t)(n > 0 ? n : -n);
    }
    return str_make(text, (size_t)(to - text));
}

size_t utf8_put(char *to, uint32_t v)
{
    if (v < 0x80) {
        to[0] = (char)v;
        return 1;
    }
    if (v < 0x800) {
        to[0] = (char)(0xc0 | v >> 6);
        to[1] = (char)(0x80 | (v & 0x3f));
        return 2;
    }
    if (v < 0x10000) {
        to[0] = (char)(0xe0 | v >> 12);
        to[1] = (char)(0x80 | (v >> 6 & 0x3f));
        to[2] = (char)(0x80 | (v & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | v >> 18);
    to[1] = (char)(0x80 | (v >> 12 & 0x3f));
    to[2] = (char)(0x80 | (v >> 6 & 0x3f));
    to[3] = (char)(0x80 | (v & 0x3f));
    return 4;
}
