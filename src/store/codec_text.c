/* codec_text.c - see codec_text.h for the bytes.
 *
 * Always true:
 *   1. Decoding takes at most 3 bytes of the arena for each byte read, or 20 for each value, whatever the
 *      bytes say: sizes are held against what is left before anything is allocated.
 *   2. text_form_of and the encoders agree: what is recognised is encoded without looking again. */
#include "store/codec_text.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/codec_bitpack.h"
#include "store/column.h"

#define UUID_TEXT     36
#define UUID_BYTES    16
#define DECIMAL_TEXT  20 /* "-9223372036854775808" */
#define DECIMAL_BYTES 3  /* a guess for choosing: of neighbouring numbers */

/* ---- hexadecimal, eight digits at a time ---- */

static const char digits[] = "0123456789abcdef";

#define EACH(byte) (0x0101010101010101ull * (byte))

static uint64_t load_le(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

/* Adding what lacks to 0x80 sets the top bit of the bytes that are at least so much; bytes from 0x80 on are
 * none of ours, and without them no sum carries. */
static inline bool eight_hex(uint64_t x)
{
    const uint64_t top = EACH(0x80);
    uint64_t digit = (x + EACH(0x80 - '0')) & ~(x + EACH(0x80 - '9' - 1));
    uint64_t letter = (x + EACH(0x80 - 'a')) & ~(x + EACH(0x80 - 'f' - 1));
    return (x & top) == 0 && ((digit | letter) & top) == top;
}

static inline bool is_hex(char c)
{
    return (unsigned)(unsigned char)c - '0' < 10 || (unsigned)(unsigned char)c - 'a' < 6;
}

static bool all_hex(const char *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8)
        if (!eight_hex(load_le(p))) return false;
    for (; n > 0; p++, n--)
        if (!is_hex(*p)) return false;
    return true;
}

/* Letters have bit 6, digits do not; 'a' is 0x61. */
static inline uint64_t nibbles(uint64_t x)
{
    return (x & EACH(0x0f)) + 9 * (x >> 6 & EACH(0x01));
}

static char *hex_pack(char *to, const char *p, size_t n)
{
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t x = nibbles(load_le(p));
        x = (x << 4 | x >> 8) & 0x00ff00ff00ff00ffull;
        x = (x | x >> 8) & 0x0000ffff0000ffffull;
        x |= x >> 16;
        for (int i = 0; i < 4; i++) *to++ = (char)(x >> 8 * i);
    }
    for (; n > 0; p += 2, n -= 2)
        *to++ = (char)(nibbles((unsigned char)p[0]) << 4 | nibbles((unsigned char)p[1]));
    return to;
}

static char *hex_print(char *to, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *to++ = digits[(unsigned char)p[i] >> 4];
        *to++ = digits[(unsigned char)p[i] & 15];
    }
    return to;
}

/* ---- UUIDs: groups of hex digits with a dash between them ---- */

static const uint8_t uuid_groups[] = { 8, 4, 4, 4, 12 };

static bool is_uuid(struct str s)
{
    if (s.n != UUID_TEXT) return false;
    const char *p = s.p;
    for (size_t g = 0; g < COUNT(uuid_groups); p += uuid_groups[g++] + 1) {
        if (!all_hex(p, uuid_groups[g])) return false;
        if (g + 1 < COUNT(uuid_groups) && p[uuid_groups[g]] != '-') return false;
    }
    return true;
}

static void uuid_pack(char *to, const char *p)
{
    for (size_t g = 0; g < COUNT(uuid_groups); p += uuid_groups[g++] + 1)
        to = hex_pack(to, p, uuid_groups[g]);
}

static void uuid_print(char *to, const char *p)
{
    for (size_t g = 0; g < COUNT(uuid_groups); p += uuid_groups[g++] / 2) {
        to = hex_print(to, p, uuid_groups[g] / 2u);
        if (g + 1 < COUNT(uuid_groups)) *to++ = '-';
    }
}

/* ---- decimal integers ---- */

/* Only what decimal_print prints: one spelling for each number. */
static bool decimal_read(struct str s, int64_t *out)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    size_t i = negative, left = s.n - i;
    if (left == 0 || left > 19 || (s.p[i] == '0' && s.n > 1)) return false;
    uint64_t v = 0; /* 19 digits fit */
    for (; i < s.n; i++) {
        unsigned digit = (unsigned)(unsigned char)s.p[i] - '0';
        if (digit > 9) return false;
        v = v * 10 + digit;
    }
    if (v > (uint64_t)INT64_MAX + negative) return false;
    *out = (int64_t)(negative ? 0 - v : v);
    return true;
}

static size_t decimal_print(char *to, int64_t v)
{
    char text[DECIMAL_TEXT];
    size_t at = sizeof text;
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do text[--at] = (char)('0' + left % 10);
    while ((left /= 10) != 0);
    if (v < 0) text[--at] = '-';
    memcpy(to, text + at, sizeof text - at);
    return sizeof text - at;
}

/* ---- which form ---- */

static bool has_form(enum text_form form, struct str s)
{
    int64_t number;
    switch (form) {
    case TEXT_HEX: return s.n % 2 == 0 && all_hex(s.p, s.n);
    case TEXT_UUID: return is_uuid(s);
    case TEXT_DECIMAL: return decimal_read(s, &number);
    default: return true;
    }
}

static bool all_have_form(enum text_form form, const struct str *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!has_form(form, v[i])) return false;
    return true;
}

/* Values of one column are alike: the first decides what is worth a look at the others. */
enum text_form text_form_of(const struct str *v, size_t n)
{
    static const enum text_form narrowest_first[] = { TEXT_DECIMAL, TEXT_UUID, TEXT_HEX };
    for (size_t f = 0; f < COUNT(narrowest_first); f++)
        if (all_have_form(narrowest_first[f], v, n)) return narrowest_first[f];
    return TEXT_RAW;
}

size_t text_bytes(enum text_form form, size_t n, size_t bytes)
{
    switch (form) {
    case TEXT_HEX: return n / 8 + bytes / 2;
    case TEXT_UUID: return n * UUID_BYTES;
    case TEXT_DECIMAL: return n * DECIMAL_BYTES;
    default: return n / 2 + bytes;
    }
}

/* ---- small numbers ---- */

void packed_put(struct buf *out, const uint32_t *v, size_t n)
{
    uint64_t wide[MINIBLOCK];
    for (size_t i = 0; i < n; i += MINIBLOCK) {
        size_t m = MIN(n - i, (size_t)MINIBLOCK);
        for (size_t j = 0; j < m; j++) wide[j] = v[i + j];
        bitpack_put(out, wide, m, bitpack_plan(wide, m));
    }
}

bool packed_get(struct str *in, uint32_t *v, size_t n)
{
    uint64_t wide[MINIBLOCK], any = 0;
    for (size_t i = 0; i < n; i += MINIBLOCK) {
        size_t m = MIN(n - i, (size_t)MINIBLOCK);
        if (!bitpack_get(in, wide, m)) return false;
        for (size_t j = 0; j < m; j++) {
            any |= wide[j];
            v[i + j] = (uint32_t)wide[j];
        }
    }
    return any <= UINT32_MAX;
}

/* ---- sizes ---- */

/* Of each value, divided by `unit`. */
static void sizes_put(struct buf *out, const struct str *v, size_t n, size_t unit)
{
    size_t least = SIZE_MAX, most = 0;
    for (size_t i = 0; i < n; i++) {
        least = MIN(least, v[i].n);
        most = MAX(most, v[i].n);
    }
    check(most <= UINT32_MAX);
    buf_varint(out, (uint64_t)(least / unit) << 1 | (least != most));
    if (least == most) return;

    uint32_t *above = mem_alloc(n * sizeof *above);
    for (size_t i = 0; i < n; i++) above[i] = (uint32_t)((v[i].n - least) / unit);
    packed_put(out, above, n);
    mem_free(above);
}

/* Into v[i].n; the sum is at most what is left of *in then. */
static bool sizes_get(struct str *in, struct str *v, size_t n, size_t *sum)
{
    uint64_t head, wide[MINIBLOCK], total = 0;
    if (!varint_get(in, &head)) return false;
    const uint64_t least = head >> 1;
    if (least > UINT32_MAX) return false;
    for (size_t i = 0; i < n; i += MINIBLOCK) {
        size_t m = MIN(n - i, (size_t)MINIBLOCK);
        if (!(head & 1))
            memset(wide, 0, m * sizeof wide[0]);
        else if (!bitpack_get(in, wide, m))
            return false;
        for (size_t j = 0; j < m; j++) {
            if (wide[j] > UINT32_MAX) return false;
            v[i + j].n = (size_t)(least + wide[j]);
            total += v[i + j].n;
        }
    }
    *sum = (size_t)total;
    return total <= in->n;
}

/* ---- forms as bytes ---- */

static void raw_put(struct buf *out, const struct str *v, size_t n)
{
    sizes_put(out, v, n, 1);
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += v[i].n;
    char *to = buf_room(out, sum);
    if (to == NULL) return;
    for (size_t i = 0; i < n; i++) {
        if (v[i].n > 0) memcpy(to, v[i].p, v[i].n);
        to += v[i].n;
    }
    buf_added(out, sum);
}

static bool raw_get(struct str *in, struct str *v, size_t n)
{
    size_t sum;
    if (!sizes_get(in, v, n, &sum)) return false;
    const char *p = in->p;
    for (size_t i = 0; i < n; p += v[i++].n) v[i].p = p;
    *in = str_make(p, in->n - sum);
    return true;
}

static void hex_put(struct buf *out, const struct str *v, size_t n)
{
    sizes_put(out, v, n, 2);
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += v[i].n / 2;
    char *to = buf_room(out, sum);
    if (to == NULL) return;
    for (size_t i = 0; i < n; i++) to = hex_pack(to, v[i].p, v[i].n);
    buf_added(out, sum);
}

static bool hex_get(struct str *in, struct str *v, size_t n, struct arena *a)
{
    size_t sum;
    if (!sizes_get(in, v, n, &sum)) return false;
    const char *p = in->p;
    char *to = arena_array(a, MAX(sum, 1u), 2);
    for (size_t i = 0; i < n; i++) {
        v[i].p = to;
        to = hex_print(to, p, v[i].n);
        p += v[i].n;
        v[i].n *= 2;
    }
    *in = str_make(p, in->n - sum);
    return true;
}

static void uuid_put(struct buf *out, const struct str *v, size_t n)
{
    char *to = buf_room(out, n * UUID_BYTES);
    if (to == NULL) return;
    for (size_t i = 0; i < n; i++) uuid_pack(to + i * UUID_BYTES, v[i].p);
    buf_added(out, n * UUID_BYTES);
}

static bool uuid_get(struct str *in, struct str *v, size_t n, struct arena *a)
{
    if (in->n / UUID_BYTES < n) return false;
    char *to = arena_array(a, n, UUID_TEXT);
    for (size_t i = 0; i < n; i++, to += UUID_TEXT) {
        uuid_print(to, in->p + i * UUID_BYTES);
        v[i] = str_make(to, UUID_TEXT);
    }
    *in = str_make(in->p + n * UUID_BYTES, in->n - n * UUID_BYTES);
    return true;
}

static void decimal_put_text(struct buf *out, const struct str *v, size_t n)
{
    int64_t *number = mem_alloc(n * sizeof *number);
    for (size_t i = 0; i < n; i++) check(decimal_read(v[i], &number[i]));
    column_put_ints(out, number, n);
    mem_free(number);
}

static bool decimal_get_text(struct str *in, struct str *v, size_t n, struct arena *a)
{
    int64_t *number = mem_alloc((n + MINIBLOCK) * sizeof *number);
    bool ok = column_get_ints(in, number, n, NULL) == OK;
    if (ok) {
        char *to = arena_array(a, n, DECIMAL_TEXT);
        for (size_t i = 0; i < n; i++) {
            v[i] = str_make(to, decimal_print(to, number[i]));
            to += v[i].n;
        }
    }
    mem_free(number);
    return ok;
}

void text_put(struct buf *out, enum text_form form, const struct str *v, size_t n)
{
    switch (form) {
    case TEXT_HEX: hex_put(out, v, n); return;
    case TEXT_UUID: uuid_put(out, v, n); return;
    case TEXT_DECIMAL: decimal_put_text(out, v, n); return;
    default: raw_put(out, v, n); return;
    }
}

bool text_get(struct str *in, enum text_form form, struct str *v, size_t n, struct arena *a)
{
    switch (form) {
    case TEXT_RAW: return raw_get(in, v, n);
    case TEXT_HEX: return hex_get(in, v, n, a);
    case TEXT_UUID: return uuid_get(in, v, n, a);
    case TEXT_DECIMAL: return decimal_get_text(in, v, n, a);
    default: return false;
    }
}
