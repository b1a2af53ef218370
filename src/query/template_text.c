/* template_text.c - functions on text. Sprig's take the text last, so that it can come from a pipe; the old
 * ones with capital letters are Go's strings package and take it first. */
#include "query/template_text.h"

#include "base/check.h"
#include "base/json.h"

struct str tf_arg(const struct template_call *c, size_t i)
{
    struct str s = tv_text(c->args[i], c->arena);
    return s.p ? s : STR("");
}

struct tvalue tf_made(struct template_call *c, struct buf *b)
{
    struct tvalue v = tv_str(arena_str(c->arena, buf_view(b)));
    buf_release(b);
    return v;
}

#define MADE BUF_INIT(TEMPLATE_MADE_MAX)

static struct str cut_front(struct str s, size_t n)
{
    return str_make(s.p + n, s.n - n);
}

static bool ends_with(struct str s, struct str end)
{
    return s.n >= end.n && memcmp(s.p + s.n - end.n, end.p, end.n) == 0;
}

static bool begins_with(struct str s, struct str begin)
{
    return s.n >= begin.n && memcmp(s.p, begin.p, begin.n) == 0;
}

/* ---- case ---- */

static int fn_case(struct template_call *c, struct tvalue *out)
{
    struct buf b = MADE;
    struct str s = tf_arg(c, 0);
    char last = c->name[strlen(c->name) - 1], first = c->name[0];
    bool upper = str_is_nocase(str_of(c->name), "upper") || str_is_nocase(str_of(c->name), "toupper");
    bool title = first == 't' && last == 'e', begins = true;
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        bool letter = (ch | 0x20) >= 'a' && (ch | 0x20) <= 'z';
        if (title ? begins && letter : letter && upper)
            ch = (char)(ch & ~0x20);
        else if (!title && letter)
            ch = (char)(ch | 0x20);
        begins = !letter && !(ch >= '0' && ch <= '9') && ch != '_' && ch != '\'' && (unsigned char)ch < 0x80;
        buf_char(&b, ch);
    }
    *out = tf_made(c, &b);
    return OK;
}

/* ---- replace ---- */

static struct tvalue replaced(struct template_call *c, struct str s, struct str from, struct str to,
                              int64_t most)
{
    struct buf b = MADE;
    for (size_t i = 0; i <= s.n && !b.full;) {
        bool here = most != 0 && begins_with(cut_front(s, i), from);
        if (here) {
            buf_str(&b, to);
            most--;
            i += from.n;
        }
        if (i == s.n) break;
        if (!here || from.n == 0) buf_char(&b, s.p[i++]);
    }
    return tf_made(c, &b);
}

static int fn_replace(struct template_call *c, struct tvalue *out) /* old new text */
{
    *out = replaced(c, tf_arg(c, 2), tf_arg(c, 0), tf_arg(c, 1), -1);
    return OK;
}

static int fn_old_replace(struct template_call *c, struct tvalue *out) /* text old new n */
{
    *out = replaced(c, tf_arg(c, 0), tf_arg(c, 1), tf_arg(c, 2), tv_cast_int(c->args[3]));
    return OK;
}

/* ---- trim ---- */

static struct str trimmed(struct str s, struct str set, bool left, bool right)
{
    while (left && s.n > 0 && memchr(set.p, s.p[0], set.n)) s = cut_front(s, 1);
    while (right && s.n > 0 && memchr(set.p, s.p[s.n - 1], set.n)) s.n--;
    return s;
}

static int fn_trim(struct template_call *c, struct tvalue *out)
{
    *out = tv_str(trimmed(tf_arg(c, 0), STR(" \t\n\v\f\r"), true, true));
    return OK;
}

static int fn_trim_all(struct template_call *c, struct tvalue *out) /* set text */
{
    *out = tv_str(trimmed(tf_arg(c, 1), tf_arg(c, 0), true, true));
    return OK;
}

static int fn_old_trim(struct template_call *c, struct tvalue *out) /* Trim, TrimLeft, TrimRight: text set */
{
    char side = c->name[4];
    *out = tv_str(trimmed(tf_arg(c, 0), tf_arg(c, 1), side != 'R', side != 'L'));
    return OK;
}

static int trim_end(struct str s, struct str end, bool prefix, struct tvalue *out)
{
    if (prefix && begins_with(s, end))
        s = cut_front(s, end.n);
    else if (!prefix && ends_with(s, end))
        s.n -= end.n;
    *out = tv_str(s);
    return OK;
}

static int fn_trim_end(struct template_call *c, struct tvalue *out) /* trimPrefix, trimSuffix: end text */
{
    return trim_end(tf_arg(c, 1), tf_arg(c, 0), c->name[4] == 'P', out);
}

static int fn_old_trim_end(struct template_call *c, struct tvalue *out) /* text end */
{
    return trim_end(tf_arg(c, 0), tf_arg(c, 1), c->name[4] == 'P', out);
}

/* ---- parts ---- */

static int fn_trunc(struct template_call *c, struct tvalue *out) /* n text; below 0: the last n */
{
    int64_t n = tv_cast_int(c->args[0]);
    struct str s = tf_arg(c, 1);
    if (n >= 0 && (uint64_t)n < s.n) s.n = (size_t)n;
    if (n < 0 && n > -(int64_t)s.n) s = cut_front(s, s.n - (size_t)-n);
    *out = tv_str(s);
    return OK;
}

static int fn_substr(struct template_call *c, struct tvalue *out) /* start end text */
{
    int64_t start = tv_cast_int(c->args[0]), end = tv_cast_int(c->args[1]);
    struct str s = tf_arg(c, 2);
    if (end < 0 || (uint64_t)end > s.n) end = (int64_t)s.n;
    if (start < 0) start = 0;
    if (start > end) start = end;
    *out = tv_str(str_make(s.p + start, (size_t)(end - start)));
    return OK;
}

static int fn_contains(struct template_call *c, struct tvalue *out) /* what text */
{
    struct str what = tf_arg(c, 0), s = tf_arg(c, 1);
    *out = tv_bool(memmem(s.p, s.n, what.p, what.n) != NULL);
    return OK;
}

static int fn_has_end(struct template_call *c, struct tvalue *out) /* hasPrefix, hasSuffix: end text */
{
    struct str end = tf_arg(c, 0), s = tf_arg(c, 1);
    *out = tv_bool(c->name[3] == 'P' ? begins_with(s, end) : ends_with(s, end));
    return OK;
}

/* ---- layout ---- */

static int fn_repeat(struct template_call *c, struct tvalue *out) /* n text */
{
    struct buf b = MADE;
    struct str s = tf_arg(c, 1);
    int64_t n = tv_cast_int(c->args[0]);
    for (int64_t i = 0; i < n && s.n > 0 && !b.full; i++) buf_str(&b, s);
    if (b.full) {
        buf_release(&b);
        return tf_fail(c, "the result is too long");
    }
    *out = tf_made(c, &b);
    return OK;
}

static int fn_indent(struct template_call *c, struct tvalue *out) /* indent, nindent: n text */
{
    struct buf b = MADE;
    struct str s = tf_arg(c, 1);
    int64_t n = MAX(0, MIN(tv_cast_int(c->args[0]), 1000));
    if (c->name[0] == 'n') buf_char(&b, '\n');
    for (size_t i = 0; i <= s.n; i++) {
        bool line = i == 0 || s.p[i - 1] == '\n';
        for (int64_t k = 0; line && k < n; k++) buf_char(&b, ' ');
        if (i < s.n) buf_char(&b, s.p[i]);
    }
    *out = tf_made(c, &b);
    return OK;
}

static size_t rune_count(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static size_t rune_at(struct str s, size_t nth) /* the byte where rune nth begins */
{
    size_t i = 0;
    for (size_t n = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] & 0xc0) != 0x80 && n++ == nth) break;
    return i;
}

static int fn_align(struct template_call *c, struct tvalue *out) /* alignLeft, alignRight: n text */
{
    struct buf b = MADE;
    struct str s = tf_arg(c, 1);
    bool left = c->name[5] == 'L';
    int64_t asked = tv_cast_int(c->args[0]);
    size_t n = rune_count(s), want = asked < 0 ? 0 : (size_t)MIN(asked, 100000);
    if (asked < 0)
        buf_str(&b, s);
    else if (n >= want)
        buf_str(&b, left ? str_make(s.p, rune_at(s, want)) : cut_front(s, rune_at(s, n - want)));
    for (size_t i = n; !left && i < want; i++) buf_char(&b, ' ');
    if (asked >= 0 && n < want) buf_str(&b, s);
    for (size_t i = n; left && i < want; i++) buf_char(&b, ' ');
    *out = tf_made(c, &b);
    return OK;
}

/* ---- encodings ---- */

static int fn_b64enc(struct template_call *c, struct tvalue *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buf b = MADE;
    struct str s = tf_arg(c, 0);
    for (size_t i = 0; i < s.n; i += 3) {
        size_t left = MIN(s.n - i, (size_t)3);
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++) bits = bits << 8 | (k < left ? (unsigned char)s.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++) buf_char(&b, k <= left ? digits[bits >> (18 - 6 * k) & 63] : '=');
    }
    *out = tf_made(c, &b);
    return OK;
}

static int base64_digit(char ch)
{
    if (ch >= 'A' && ch <= 'Z') return ch - 'A';
    if (ch >= 'a' && ch <= 'z') return ch - 'a' + 26;
    if (ch >= '0' && ch <= '9') return ch - '0' + 52;
    return ch == '+' ? 62 : ch == '/' ? 63 : -1;
}

static int fn_b64dec(struct template_call *c, struct tvalue *out)
{
    struct buf b = MADE;
    struct str s = tf_arg(c, 0);
    uint32_t bits = 0;
    size_t n = 0;
    bool good = s.n % 4 == 0;
    for (size_t pads = 0; pads < 2 && s.n > 0 && s.p[s.n - 1] == '='; pads++) s.n--;
    for (; n < s.n && good; n++) {
        int digit = base64_digit(s.p[n]);
        good = digit >= 0;
        bits = bits << 6 | (uint32_t)(digit & 63);
        if (n % 4 > 0) buf_char(&b, (char)(bits >> (6 - 2 * (n % 4))));
    }
    if (!good) {
        buf_release(&b);
        return tf_fail(c, "illegal base64 data at input byte %zu", n);
    }
    *out = tf_made(c, &b);
    return OK;
}

static int fn_urlencode(struct template_call *c, struct tvalue *out)
{
    struct buf b = MADE;
    struct str s = tf_arg(c, 0);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        bool plain = (ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z') ||
                     (ch && strchr("-_.~", ch));
        if (plain || ch == ' ')
            buf_char(&b, plain ? (char)ch : '+');
        else
            buf_printf(&b, "%%%02X", ch);
    }
    *out = tf_made(c, &b);
    return OK;
}

static int hex_of(char ch)
{
    if (ch >= '0' && ch <= '9') return ch - '0';
    return (ch | 0x20) >= 'a' && (ch | 0x20) <= 'f' ? (ch | 0x20) - 'a' + 10 : -1;
}

static int fn_urldecode(struct template_call *c, struct tvalue *out)
{
    struct buf b = MADE;
    struct str s = tf_arg(c, 0);
    for (size_t i = 0; i < s.n; i++) {
        bool escape = s.p[i] == '%';
        int high = escape && i + 2 < s.n ? hex_of(s.p[i + 1]) : -1, low = high >= 0 ? hex_of(s.p[i + 2]) : -1;
        if (escape && low < 0) {
            buf_release(&b);
            return tf_fail(c, "invalid URL escape");
        }
        if (escape)
            buf_char(&b, (char)(high << 4 | low));
        else
            buf_char(&b, s.p[i] == '+' ? ' ' : s.p[i]);
        i += escape ? 2 : 0;
    }
    *out = tf_made(c, &b);
    return OK;
}

/* ---- JSON ---- */

#define FROM_JSON_ITEMS 10000

static struct tvalue from_json(struct json_reader *r, struct arena *a, size_t *items);

static struct tvalue json_map(struct json_reader *r, struct arena *a, size_t *items)
{
    struct tvalue v = { .type = TV_MAP };
    struct tentry *at = NULL;
    size_t cap = 0;
    struct str key;
    for (json_object(r); json_key(r, &key) && ++*items < FROM_JSON_ITEMS; v.map.n++) {
        struct tvalue value = from_json(r, a, items);
        size_t i = v.map.n;
        at = arena_grow(a, at, v.map.n, &cap, sizeof *at);
        for (; i > 0 && str_cmp(at[i - 1].key, key) > 0; i--) at[i] = at[i - 1]; /* maps are walked by key */
        at[i] = (struct tentry){ key, value };
    }
    v.map.at = at;
    return v;
}

static struct tvalue json_list(struct json_reader *r, struct arena *a, size_t *items)
{
    struct tvalue v = { .type = TV_LIST };
    struct tvalue *at = NULL;
    size_t cap = 0;
    for (json_array(r); json_next(r) && ++*items < FROM_JSON_ITEMS;) {
        struct tvalue value = from_json(r, a, items);
        at = arena_grow(a, at, v.list.n, &cap, sizeof *at);
        at[v.list.n++] = value;
    }
    v.list.at = at;
    return v;
}

static struct tvalue from_json(struct json_reader *r, struct arena *a, size_t *items)
{
    struct tvalue v = { 0 };
    if (*items >= FROM_JSON_ITEMS) json_fail(r, "too many values");
    switch (json_peek(r)) {
    case JSON_OBJECT: return json_map(r, a, items);
    case JSON_ARRAY: return json_list(r, a, items);
    case JSON_STRING:
        v.type = TV_STR;
        json_string(r, &v.s);
        break;
    case JSON_NUMBER:
        v.type = TV_FLOAT;
        json_double(r, &v.d);
        break;
    case JSON_BOOL:
        v.type = TV_BOOL;
        json_bool(r, &v.b);
        break;
    case JSON_NULL: json_null(r); break;
    case JSON_NOTHING: break;
    }
    return v;
}

static int fn_from_json(struct template_call *c, struct tvalue *out)
{
    struct json_reader r;
    struct err why = ERR_INIT;
    size_t items = 0;
    json_open(&r, tf_arg(c, 0), c->arena);
    *out = from_json(&r, c->arena, &items);
    if (json_close(&r, &why) < 0) *out = (struct tvalue){ 0 }; /* Sprig: nothing, and no error */
    return OK;
}

static int fn_default(struct template_call *c, struct tvalue *out) /* default value */
{
    *out = c->n == 2 && tv_true(c->args[1]) ? c->args[1] : c->args[0];
    return OK;
}

static const struct template_function all[] = {
    { "lower", 1, 1, fn_case },
    { "upper", 1, 1, fn_case },
    { "title", 1, 1, fn_case },
    { "ToLower", 1, 1, fn_case },
    { "ToUpper", 1, 1, fn_case },
    { "replace", 3, 3, fn_replace },
    { "Replace", 4, 4, fn_old_replace },
    { "trim", 1, 1, fn_trim },
    { "TrimSpace", 1, 1, fn_trim },
    { "trimAll", 2, 2, fn_trim_all },
    { "Trim", 2, 2, fn_old_trim },
    { "TrimLeft", 2, 2, fn_old_trim },
    { "TrimRight", 2, 2, fn_old_trim },
    { "trimPrefix", 2, 2, fn_trim_end },
    { "trimSuffix", 2, 2, fn_trim_end },
    { "TrimPrefix", 2, 2, fn_old_trim_end },
    { "TrimSuffix", 2, 2, fn_old_trim_end },
    { "trunc", 2, 2, fn_trunc },
    { "substr", 3, 3, fn_substr },
    { "contains", 2, 2, fn_contains },
    { "hasPrefix", 2, 2, fn_has_end },
    { "hasSuffix", 2, 2, fn_has_end },
    { "repeat", 2, 2, fn_repeat },
    { "indent", 2, 2, fn_indent },
    { "nindent", 2, 2, fn_indent },
    { "alignLeft", 2, 2, fn_align },
    { "alignRight", 2, 2, fn_align },
    { "b64enc", 1, 1, fn_b64enc },
    { "b64dec", 1, 1, fn_b64dec },
    { "urlencode", 1, 1, fn_urlencode },
    { "urldecode", 1, 1, fn_urldecode },
    { "fromJson", 1, 1, fn_from_json },
    { "default", 1, 2, fn_default },
};

const struct template_functions template_texts = { all, COUNT(all), &template_numbers };
