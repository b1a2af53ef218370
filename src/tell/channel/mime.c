/* mime.c - see mime.h. */
#include "tell/channel/mime.h"

#include <string.h>

#include "base/check.h"

#define LINE_MAX_BYTES 76
#define WORD_MAX_BYTES 75 /* an encoded word with its marks, RFC 2047, 2 */
#define WORD_BEGIN     "=?utf-8?q?"
#define WORD_END       "?="

/* ---- headers ---- */

bool mime_is_header_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == ':') return false;
    return s.n > 0 && s.n <= 60;
}

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < ' ' && s.p[i] != '\t') || (unsigned char)s.p[i] >= 0x7f) return false;
    return memmem(s.p, s.n, "=?", 2) == NULL; /* would be read as an encoded word */
}

static char blank_if_control(char c)
{
    return (unsigned char)c < ' ' || c == 0x7f ? ' ' : c;
}

/* Folds at a blank when the line would be too long; *at is where it stands. */
static void put_plain(struct buf *out, struct str s, size_t *at)
{
    for (size_t i = 0; i < s.n;) {
        size_t n = 1;
        while (i + n < s.n && blank_if_control(s.p[i + n]) != ' ') n++;
        bool folds = *at > 1 && *at + n > LINE_MAX_BYTES && blank_if_control(s.p[i]) == ' ';
        if (folds) {
            buf_cs(out, "\r\n");
            *at = 0;
        }
        for (size_t k = 0; k < n; k++) buf_char(out, blank_if_control(s.p[i + k]));
        *at += n;
        i += n;
    }
}

static size_t character_at(struct str s, size_t i)
{
    size_t n = 1;
    while (i + n < s.n && ((unsigned char)s.p[i + n] & 0xc0) == 0x80 && n < 4) n++;
    return n;
}

static bool is_word_letter(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c && strchr("!*+-/", c));
}

static void put_word_letter(struct buf *out, char c)
{
    if (blank_if_control(c) == ' ')
        buf_char(out, '_');
    else if (is_word_letter(c))
        buf_char(out, c);
    else
        buf_printf(out, "=%02X", (unsigned char)c);
}

/* Encoded words of whole characters, a line each. */
static void put_encoded(struct buf *out, struct str s, size_t *at)
{
    size_t used = WORD_MAX_BYTES; /* of the word; none is open yet */
    bool open = false;
    for (size_t i = 0, n; i < s.n; i += n) {
        n = character_at(s, i);
        size_t needs = 0;
        for (size_t k = 0; k < n; k++)
            needs += is_word_letter(s.p[i + k]) || blank_if_control(s.p[i + k]) == ' ' ? 1 : 3;
        if (used + needs > WORD_MAX_BYTES - strlen(WORD_END) || (open && *at + needs > LINE_MAX_BYTES - 2)) {
            if (open) buf_cs(out, WORD_END "\r\n ");
            if (open) *at = 1;
            buf_cs(out, WORD_BEGIN);
            used = strlen(WORD_BEGIN);
            *at += used;
            open = true;
        }
        for (size_t k = 0; k < n; k++) put_word_letter(out, s.p[i + k]);
        used += needs;
        *at += needs;
    }
    if (open) buf_cs(out, WORD_END);
    if (open) *at += strlen(WORD_END);
}

static void put_value(struct buf *out, struct str s, size_t *at)
{
    if (is_plain(s))
        put_plain(out, s, at);
    else
        put_encoded(out, s, at);
}

void mime_header(struct buf *out, const char *name, struct str value)
{
    size_t at = strlen(name) + 2;
    buf_printf(out, "%s: ", name);
    put_value(out, str_trim(value), &at);
    buf_cs(out, "\r\n");
}

/* ---- addresses ---- */

/* The next of a list: what is before the comma that stands in no quotes. */
static struct str next_address(struct str *rest)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < rest->n && (quoted || rest->p[i] != ','); i++)
        if (rest->p[i] == '\\' && quoted && i + 1 < rest->n)
            i++;
        else if (rest->p[i] == '"')
            quoted = !quoted;
    i = MIN(i, rest->n);
    struct str one = str_trim(str_make(rest->p, i));
    *rest = i < rest->n ? str_make(rest->p + i + 1, rest->n - i - 1) : str_make(rest->p + i, 0);
    return one;
}

/* Name <address>: both; only an address: no name. */
static void split_address(struct str one, struct str *name, struct str *address)
{
    const char *open = one.n ? memrchr(one.p, '<', one.n) : NULL;
    *name = STR("");
    *address = one;
    if (open == NULL || one.p[one.n - 1] != '>') return;
    *name = str_trim(str_make(one.p, (size_t)(open - one.p)));
    *address = str_trim(str_make(open + 1, (size_t)(one.p + one.n - 1 - (open + 1))));
}

static bool is_address(struct str s)
{
    const char *at = s.n ? memrchr(s.p, '@', s.n) : NULL;
    if (at == NULL || at == s.p || at == s.p + s.n - 1 || s.n > 320) return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || strchr("<>(),;\"", s.p[i])) return false;
    return true;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (blank_if_control(s.p[i]) == ' ' && s.p[i] != ' ') return true;
    return false;
}

int mime_addresses(struct str list, struct arena *a, const char ***out, size_t *n, struct err *e)
{
    size_t cap = 0;
    *out = NULL;
    *n = 0;
    while (list.n > 0) {
        struct str name, address, one = next_address(&list);
        if (one.n == 0) continue;
        split_address(one, &name, &address);
        if (!is_address(address) || has_control(one))
            return err_set(e, ERR_PARSE, "\"%.*s\" is no mail address", STR_ARG(one));
        *out = arena_grow(a, *out, *n, &cap, sizeof **out);
        (*out)[(*n)++] = arena_str(a, address).p;
    }
    return *n > 0 ? OK : err_set(e, ERR_PARSE, "there is no mail address");
}

static void put_address(struct buf *out, struct str one, size_t *at)
{
    struct str name, address;
    split_address(one, &name, &address);
    if (name.n > 0) {
        bool quoted = name.n >= 2 && name.p[0] == '"' && name.p[name.n - 1] == '"';
        struct str bare = quoted && !is_plain(name) ? str_make(name.p + 1, name.n - 2) : name;
        put_value(out, bare, at);
        buf_cs(out, " <");
    }
    for (size_t i = 0; i < address.n; i++) buf_char(out, blank_if_control(address.p[i]));
    if (name.n > 0) buf_char(out, '>');
    *at += address.n + 3;
}

void mime_address_header(struct buf *out, const char *header, struct str list)
{
    size_t at = strlen(header) + 2, n = 0;
    buf_printf(out, "%s: ", header);
    while (list.n > 0) {
        struct str one = next_address(&list);
        if (one.n == 0) continue;
        if (n++ > 0) {
            buf_cs(out, at + one.n > LINE_MAX_BYTES ? ",\r\n " : ", ");
            at = at + one.n > LINE_MAX_BYTES ? 1 : at + 2;
        }
        put_address(out, one, &at);
    }
    buf_cs(out, "\r\n");
}

/* ---- bodies ---- */

void mime_quoted(struct buf *out, struct str s)
{
    size_t at = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n') continue;
        if (c == '\n') {
            buf_cs(out, "\r\n");
            at = 0;
            continue;
        }
        bool last = i + 1 == s.n || s.p[i + 1] == '\n' || s.p[i + 1] == '\r';
        bool plain = (c > ' ' && c < 0x7f && c != '=') || ((c == ' ' || c == '\t') && !last);
        size_t needs = plain ? 1 : 3;
        if (at + needs > LINE_MAX_BYTES - 1) { /* one is left for the soft break */
            buf_cs(out, "=\r\n");
            at = 0;
        }
        if (plain)
            buf_char(out, (char)c);
        else
            buf_printf(out, "=%02X", c);
        at += needs;
    }
}
