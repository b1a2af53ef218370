#include "query/traces/fingerprint.h"

#include <ctype.h>

#include "base/check.h"

/* ---- messages ---- */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool is_hex(char c)
{
    return isxdigit((unsigned char)c) != 0;
}

/* How long the run of characters at s.p[i] is that `in` takes. */
static size_t run(struct str s, size_t i, bool (*in)(char))
{
    size_t n = 0;
    while (i + n < s.n && in(s.p[i + n])) n++;
    return n;
}

static bool is_id_part(char c)
{
    return is_hex(c) || c == '-';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_url_part(char c)
{
    return (unsigned char)c > ' ' && strchr("\"'<>()[]{},", c) == NULL;
}

/* Hex of at least 8 digits, one of them a digit, dashes allowed: ids, hashes, UUIDs, addresses. */
static size_t id_at(struct str s, size_t i)
{
    if (s.n - i > 2 && s.p[i] == '0' && (s.p[i + 1] | 0x20) == 'x') {
        size_t n = run(s, i + 2, is_hex);
        return n > 0 ? n + 2 : 0;
    }
    size_t n = run(s, i, is_id_part), digits = 0, hex = 0;
    for (size_t k = i; k < i + n; k++) digits += is_digit(s.p[k]), hex += is_hex(s.p[k]);
    while (n > 0 && s.p[i + n - 1] == '-') n--;
    if (i + n < s.n && is_word(s.p[i + n])) return 0;
    return hex >= 8 && digits > 0 && digits < hex ? n : 0;
}

static size_t number_at(struct str s, size_t i)
{
    size_t n = run(s, i, is_digit);
    while (n > 0 && i + n + 1 < s.n && (s.p[i + n] == '.' || s.p[i + n] == ',') && is_digit(s.p[i + n + 1]))
        n += 1 + run(s, i + n + 1, is_digit);
    return n;
}

static size_t quoted_at(struct str s, size_t i)
{
    char quote = s.p[i];
    if (quote != '"' && quote != '\'' && quote != '`') return 0;
    if (i > 0 && is_word(s.p[i - 1])) return 0; /* don't */
    for (size_t n = 1; i + n < s.n && n < 200; n++)
        if (s.p[i + n] == quote) return n + 1;
    return 0;
}

static size_t url_at(struct str s, size_t i)
{
    size_t n = run(s, i, is_url_part);
    struct str word = str_make(s.p + i, n);
    const char *mark = n > 3 ? memmem(word.p, word.n, "://", 3) : NULL;
    return mark != NULL && mark > word.p ? n : 0;
}

static size_t path_at(struct str s, size_t i)
{
    if (s.p[i] != '/' || (i > 0 && is_word(s.p[i - 1]))) return 0;
    size_t n = run(s, i, is_url_part);
    return n > 1 && memchr(s.p + i + 1, '/', n - 1) != NULL ? n : 0;
}

void error_normalise(struct str s, struct buf *out)
{
    static const struct {
        size_t (*at)(struct str, size_t);
        const char *as;
        bool starts_word; /* only where a word begins */
    } kinds[] = { { url_at, "<url>", true },
                  { path_at, "<path>", false },
                  { quoted_at, "<s>", false },
                  { id_at, "<id>", true },
                  { number_at, "<n>", false } };
    bool space = false;

    for (size_t i = 0; i < s.n && out->n < FINGERPRINT_MESSAGE_MAX;) {
        size_t n = 0, k = 0;
        for (; k < COUNT(kinds) && n == 0; k++)
            if (!kinds[k].starts_word || i == 0 || !is_word(s.p[i - 1])) n = kinds[k].at(s, i);
        if (n > 0) {
            buf_cs(out, kinds[k - 1].as);
            space = false;
            i += n;
            continue;
        }
        bool blank = isspace((unsigned char)s.p[i]) != 0;
        if (!blank || !space) buf_char(out, blank ? ' ' : s.p[i]);
        space = blank;
        i++;
    }
}

/* ---- stacks ---- */

/* "at f (file:1:2)" of JavaScript, Java and .NET, and "File "x", line 1, in f" of Python. */
static bool is_frame(struct str line)
{
    return str_starts(line, "at ") || str_starts(line, "File \"");
}

/* Without digits after a colon or after "line ", and without addresses. */
static void put_frame(struct buf *out, struct str line)
{
    for (size_t i = 0; i < line.n && i < 300; i++) {
        size_t digits = run(line, i, is_digit);
        bool number = digits > 0 && i > 0 && (line.p[i - 1] == ':' || line.p[i - 1] == ' ');
        if (number)
            i += digits - 1;
        else
            buf_char(out, line.p[i]);
    }
    buf_char(out, '\n');
}

void error_frames(struct str stack, struct buf *out)
{
    struct str frame[FINGERPRINT_FRAMES];
    size_t n = 0;
    bool last_ones = false;

    while (stack.n > 0) {
        struct str line = str_trim(str_cut(stack, '\n', &stack));
        if (!is_frame(line)) continue;
        last_ones |= line.p[0] == 'F';
        if (n >= FINGERPRINT_FRAMES && !last_ones) break;
        frame[n++ % FINGERPRINT_FRAMES] = line;
    }
    for (size_t i = n > FINGERPRINT_FRAMES ? n - FINGERPRINT_FRAMES : 0; i < n; i++)
        put_frame(out, frame[i % FINGERPRINT_FRAMES]);
}

struct hash128 error_fingerprint(const struct error_text *e)
{
    struct buf text = BUF_INIT(64 << 10);
    buf_str(&text, e->type);
    buf_char(&text, '\n');
    struct buf message = BUF_INIT(8 << 10);
    error_normalise(e->message, &message);
    buf_str(&text, buf_view(&message));
    buf_char(&text, '\n');
    error_frames(e->stack, &text);
    struct hash128 h = hash128(text.p, text.n);
    buf_release(&message);
    buf_release(&text);
    return h;
}
