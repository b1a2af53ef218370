#include "decode/id_text.h"

#include "decode/base64.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* From the right, so that short ids get their zeros in front. */
bool id_from_hex(struct str text, size_t n, uint8_t *out)
{
    size_t at = 2 * n;
    memset(out, 0, n);
    for (size_t i = text.n; i-- > 0;) {
        int digit = hex_digit(text.p[i]);
        if (digit < 0 && text.p[i] == '-' && text.n == 36) continue;
        if (digit < 0 || at == 0) return false;
        at--;
        out[at / 2] |= (uint8_t)(at % 2 ? digit : digit << 4);
    }
    return at < 2 * n;
}

static bool from_base64(struct str text, size_t n, uint8_t *out)
{
    char bytes[20];
    size_t made;
    if (text.n > 24 || !base64_read(text, bytes, &made) || made != n) return false;
    memcpy(out, bytes, n);
    return true;
}

bool id_from_text(struct str text, size_t n, uint8_t *out)
{
    if (str_starts(text, "0x")) text.p += 2, text.n -= 2;
    if (text.n == 2 * n || (n == 16 && (text.n == n || text.n == 36)))
        if (id_from_hex(text, n, out)) return true;
    return from_base64(text, n, out);
}
