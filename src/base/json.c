/* json.c - reading JSON by pulling at it.
 *
 * Always true of the reader:
 *   1. p only moves forward, never past end. After the first error nothing moves any more.
 *   2. Every value is read under the rules of RFC 8259: no comments, no trailing commas, no bare
 *      control characters in strings, no leading zeros, one value and then nothing. Strings are
 *      valid UTF-8, escapes included: a lone surrogate is an error, because it has no UTF-8 form.
 *   3. depth counts open containers. fresh[depth] says that the container has not delivered
 *      anything yet.
 *
 * Writing: json_write.c. */
#include "base/json.h"

#include <stdio.h>

#include "base/check.h"
#include "base/float.h"
#include "base/mem.h"

void json_open(struct json_reader *r, struct str text, struct arena *a)
{
    *r = (struct json_reader){ .arena = a };
    r->begin = r->p = text.p ? text.p : "";
    r->end = r->begin + text.n;
}

/* ---- errors ---- */

static bool fail_at(struct json_reader *r, const char *at, const char *why)
{
    if (!r->failed) {
        r->failed = true;
        r->failed_at = at;
        snprintf(r->why, sizeof r->why, "%s", why);
    }
    return false;
}

static bool fail(struct json_reader *r, const char *why)
{
    return fail_at(r, r->p, r->p == r->end ? "the text ends too early" : why);
}

void json_fail(struct json_reader *r, const char *why)
{
    fail_at(r, r->p, why);
}

/* ---- white space and punctuation ---- */

static void skip_space(struct json_reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r')) r->p++;
}

static bool at_char(struct json_reader *r, char c)
{
    return r->p < r->end && *r->p == c;
}

int json_close(struct json_reader *r, struct err *e)
{
    if (!r->failed) {
        skip_space(r);
        if (r->depth > 0)
            fail_at(r, r->p, "an array or object was not read to its end");
        else if (r->p < r->end)
            fail_at(r, r->p, "something follows the end of the value");
    }
    if (!r->failed) return OK;

    size_t line = 1, column = 1;
    for (const char *p = r->begin; p < r->failed_at; p++) {
        column = *p == '\n' ? 1 : column + 1;
        line += *p == '\n';
    }
    return err_set(e, ERR_PARSE, "line %zu, column %zu: %s", line, column, r->why);
}

enum json_kind json_peek(struct json_reader *r)
{
    if (r->failed) return JSON_NOTHING;
    skip_space(r);
    if (r->p == r->end) return JSON_NOTHING;
    switch (*r->p) {
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case '"': return JSON_STRING;
    case 't':
    case 'f': return JSON_BOOL;
    case 'n': return JSON_NULL;
    default: return *r->p == '-' || (*r->p >= '0' && *r->p <= '9') ? JSON_NUMBER : JSON_NOTHING;
    }
}

/* ---- containers ---- */

static bool enter(struct json_reader *r, char open, const char *why)
{
    if (r->failed) return false;
    skip_space(r);
    if (!at_char(r, open)) return fail(r, why);
    if (r->depth == JSON_DEPTH_MAX) return fail(r, "nested too deeply");
    r->p++;
    r->fresh[++r->depth] = true;
    return true;
}

/* Is there another item? Reads the comma before it, or the closing bracket. */
static bool another(struct json_reader *r, char close)
{
    if (r->failed) return false;
    check(r->depth > 0);
    skip_space(r);
    if (at_char(r, close)) {
        r->p++;
        r->depth--;
        return false;
    }
    if (!r->fresh[r->depth]) {
        if (!at_char(r, ',')) return fail(r, close == '}' ? "expected , or }" : "expected , or ]");
        r->p++;
        skip_space(r);
        if (at_char(r, close)) return fail(r, "nothing follows the comma");
    }
    r->fresh[r->depth] = false;
    return true;
}

bool json_object(struct json_reader *r)
{
    return enter(r, '{', "expected an object");
}

bool json_array(struct json_reader *r)
{
    return enter(r, '[', "expected an array");
}

bool json_next(struct json_reader *r)
{
    return another(r, ']');
}

bool json_key(struct json_reader *r, struct str *key)
{
    if (!another(r, '}')) return false;
    if (!at_char(r, '"')) return fail(r, "expected a key");
    if (!json_string(r, key)) return false;
    skip_space(r);
    if (!at_char(r, ':')) return fail(r, "expected :");
    r->p++;
    return true;
}

/* ---- strings ---- */

/* Four hex digits after \u at p. */
static bool take_hex4(struct json_reader *r, const char *p, uint32_t *out)
{
    if (r->end - p < 4) return fail_at(r, r->end, "the text ends too early");
    *out = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return fail_at(r, p + i, "expected four hexadecimal digits");
        *out = *out << 4 | digit;
    }
    return true;
}

static size_t put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static bool at_low_surrogate(struct json_reader *r, const char *p, uint32_t *low)
{
    if (r->end - p < 2 || p[0] != '\\' || p[1] != 'u') return false;
    return take_hex4(r, p + 2, low) && *low >= 0xdc00 && *low <= 0xdfff;
}

/* \uXXXX at *p (which stands on the u), two of them for a character beyond U+FFFF. */
static bool take_unicode(struct json_reader *r, const char **p, char **to)
{
    uint32_t c, low;
    const char *at = *p - 1;
    if (!take_hex4(r, *p + 1, &c)) return false;
    *p += 5;
    if (c >= 0xd800 && c <= 0xdbff && at_low_surrogate(r, *p, &low)) {
        *p += 6;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xd800 && c <= 0xdfff) {
        if (!r->repair)
            return fail_at(r, at,
                           c < 0xdc00 ? "a high surrogate without its low one"
                                      : "a low surrogate without its high one");
        c = 0xfffd;
    }
    *to += put_utf8(*to, c);
    return !r->failed;
}

static bool take_escape(struct json_reader *r, const char **p, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    if (*p == r->end) return fail_at(r, *p, "the text ends too early");
    if (**p == 'u') return take_unicode(r, p, to);
    const char *known = **p ? strchr(from, **p) : NULL;
    if (known == NULL) return fail_at(r, *p - 1, "no such escape");
    *(*to)++ = into[known - from];
    ++*p;
    return true;
}

/* The end of the string's text: the closing quote. *escaped: there is a backslash on the way. */
static const char *find_quote(struct json_reader *r, bool *escaped)
{
    *escaped = false;
    for (const char *p = r->p; p < r->end; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"') return p;
        if (c < 0x20) {
            fail_at(r, p, "a control character in a string");
            return NULL;
        }
        if (c != '\\') continue;
        *escaped = true;
        if (++p == r->end) break;
    }
    fail_at(r, r->end, "the text ends too early");
    return NULL;
}

/* Never longer than what stands there: the shortest escape for n bytes of UTF-8 is longer than n. */
static bool unescape(struct json_reader *r, const char *stop, struct str *out)
{
    char *text = arena_alloc(r->arena, (size_t)(stop - r->p) + 1), *to = text;
    for (const char *p = r->p; p < stop;) {
        const char *backslash = memchr(p, '\\', (size_t)(stop - p));
        size_t plain = (size_t)((backslash ? backslash : stop) - p);
        memcpy(to, p, plain);
        to += plain;
        p += plain;
        if (backslash == NULL) break;
        p++;
        if (!take_escape(r, &p, &to)) return false;
    }
    *to = 0;
    *out = str_make(text, (size_t)(to - text));
    return true;
}

bool json_string(struct json_reader *r, struct str *out)
{
    bool escaped;
    if (r->failed) return false;
    skip_space(r);
    if (!at_char(r, '"')) return fail(r, "expected a string");
    const char *quote = r->p++;

    const char *stop = find_quote(r, &escaped);
    if (stop == NULL) return false;
    struct str raw = str_make(r->p, (size_t)(stop - r->p));
    if (!str_utf8_valid(raw)) return fail_at(r, quote, "a string that is not valid UTF-8");
    if (!escaped)
        *out = raw;
    else if (!unescape(r, stop, out))
        return false;
    r->p = stop + 1;
    return true;
}

/* ---- words and numbers ---- */

static bool take_word(struct json_reader *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0) return false;
    r->p += n;
    return true;
}

bool json_bool(struct json_reader *r, bool *out)
{
    if (r->failed) return false;
    skip_space(r);
    if (take_word(r, "true"))
        *out = true;
    else if (take_word(r, "false"))
        *out = false;
    else
        return fail(r, "expected true or false");
    return true;
}

bool json_null(struct json_reader *r)
{
    if (r->failed) return false;
    skip_space(r);
    return take_word(r, "null") || fail(r, "expected null");
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') p++;
    return p;
}

bool json_number_text(struct json_reader *r, struct str *out)
{
    if (r->failed) return false;
    skip_space(r);
    const char *from = r->p, *p = from + at_char(r, '-'), *stop = skip_digits(p, r->end);

    if (stop == p) return fail(r, "expected a number");
    if (*p == '0' && stop > p + 1) return fail_at(r, p, "a number with a leading zero");
    if (stop < r->end && *stop == '.') {
        p = stop + 1;
        if ((stop = skip_digits(p, r->end)) == p) return fail_at(r, p, "expected digits after the point");
    }
    if (stop < r->end && (*stop | 0x20) == 'e') {
        p = stop + 1;
        if (p < r->end && (*p == '+' || *p == '-')) p++;
        if ((stop = skip_digits(p, r->end)) == p) return fail_at(r, p, "expected digits in the exponent");
    }
    r->p = stop;
    *out = str_make(from, (size_t)(stop - from));
    return true;
}

bool json_double(struct json_reader *r, double *out)
{
    struct str digits;
    if (!json_number_text(r, &digits)) return false;
    return float_parse(digits, out) || fail_at(r, digits.p, "a number too large for a double");
}

bool json_i64(struct json_reader *r, int64_t *out)
{
    struct str digits;
    double v;
    if (!json_number_text(r, &digits)) return false;
    if (str_to_i64(digits, out)) return true;

    /* 1e3 and 5.0 are integers too. Up to 2^53 a double holds them exactly. */
    if (!float_parse(digits, &v) || v < -9007199254740992.0 || v > 9007199254740992.0 ||
        v != (double)(int64_t)v)
        return fail_at(r, digits.p, "expected an integer of 64 bits");
    *out = (int64_t)v;
    return true;
}

/* ---- whole values ---- */

static bool skip_scalar(struct json_reader *r)
{
    struct str text;
    bool truth;
    switch (json_peek(r)) {
    case JSON_NULL: return json_null(r);
    case JSON_BOOL: return json_bool(r, &truth);
    case JSON_NUMBER: return json_number_text(r, &text);
    case JSON_STRING: return json_string(r, &text);
    default: return !r->failed && fail(r, "expected a value");
    }
}

/* ---- skipping what is nested beyond what readers may enter: a bit a level instead of recursion ---- */

struct levels {
    uint8_t *is_object; /* bits, outermost first */
    size_t n, cap;      /* cap: bytes */
};

static bool top_is_object(const struct levels *l)
{
    return l->is_object[(l->n - 1) / 8] >> (l->n - 1) % 8 & 1;
}

static bool level_down(struct json_reader *r, struct levels *l, bool is_object)
{
    if (l->n == JSON_SKIP_DEPTH_MAX) return fail(r, "nested too deeply");
    l->is_object = mem_grow(l->is_object, l->n / 8, &l->cap, 1);
    uint8_t bit = (uint8_t)(1u << l->n % 8), *byte = &l->is_object[l->n / 8];
    *byte = (uint8_t)(is_object ? *byte | bit : *byte & ~bit);
    l->n++;
    r->p++;
    return true;
}

static bool skip_key(struct json_reader *r)
{
    struct str key;
    skip_space(r);
    if (!at_char(r, '"')) return fail(r, "expected a key");
    if (!json_string(r, &key)) return false;
    skip_space(r);
    if (!at_char(r, ':')) return fail(r, "expected :");
    r->p++;
    return true;
}

/* Closing brackets and the comma before the next value; true when there is a next one. */
static bool skip_ends(struct json_reader *r, struct levels *l)
{
    while (l->n > 0) {
        bool is_object = top_is_object(l);
        skip_space(r);
        if (at_char(r, ',')) {
            r->p++;
            return is_object ? skip_key(r) : true;
        }
        if (!at_char(r, is_object ? '}' : ']'))
            return fail(r, is_object ? "expected , or }" : "expected , or ]");
        r->p++;
        l->n--;
    }
    return false;
}

/* One value, or the opening of one that has another within. */
static bool skip_piece(struct json_reader *r, struct levels *l)
{
    enum json_kind kind = json_peek(r);
    if (kind != JSON_OBJECT && kind != JSON_ARRAY) return skip_scalar(r) && skip_ends(r, l);
    bool is_object = kind == JSON_OBJECT;
    if (!level_down(r, l, is_object)) return false;
    skip_space(r);
    if (at_char(r, is_object ? '}' : ']')) return skip_ends(r, l);
    return is_object ? skip_key(r) : true;
}

static bool skip_deep(struct json_reader *r)
{
    struct levels l = { 0 };
    while (skip_piece(r, &l)) continue;
    mem_free(l.is_object);
    return !r->failed;
}

/* Depth is bounded by enter(), so this recursion is too. */
bool json_skip(struct json_reader *r)
{
    struct str key;
    if (r->depth == JSON_DEPTH_MAX) return !r->failed && skip_deep(r);
    switch (json_peek(r)) {
    case JSON_OBJECT:
        json_object(r);
        while (json_key(r, &key)) json_skip(r);
        return !r->failed;
    case JSON_ARRAY:
        json_array(r);
        while (json_next(r)) json_skip(r);
        return !r->failed;
    default: return skip_scalar(r);
    }
}

bool json_raw(struct json_reader *r, struct str *out)
{
    if (r->failed) return false;
    skip_space(r);
    const char *from = r->p;
    if (!json_skip(r)) return false;
    *out = str_make(from, (size_t)(r->p - from));
    return true;
}
