/* log_pattern_token.c - see log_pattern_token.h. Pure. */
#include "derive/log_pattern_token.h"

#include "base/check.h"
#include "base/hash.h"

#define HEX_LEAST 8 /* letters only: "deadbeef" is a value, "facade" a word */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return ((c | 32) >= 'a' && (c | 32) <= 'z') || (unsigned char)c >= 0x80;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word_char(char c)
{
    return is_alpha(c) || is_digit(c) || (c != 0 && strchr("_-/@$#%&*+~\\", c) != NULL);
}

static bool ends_path(char c)
{
    return is_space(c) || (c != 0 && strchr("\"<>()[]{},;", c) != NULL);
}

/* ---- pieces ---- */

/* Does a path or URL begin here? */
static bool path_begins(const char *p, const char *end)
{
    if (*p == '/') return p + 1 < end && !ends_path(p[1]);
    const char *q = p;
    while (q < end && *q >= 'a' && *q <= 'z') q++;
    return q > p && end - q > 3 && memcmp(q, "://", 3) == 0;
}

static const char *path_end(const char *p, const char *end)
{
    const char *begin = p;
    while (p < end && !ends_path(*p)) p++;
    while (p > begin + 1 && (p[-1] == '.' || p[-1] == ':')) p--; /* of the sentence, not of the path */
    return p;
}

static const char *word_end(const char *p, const char *end)
{
    const char *begin = p;
    for (; p < end; p++) {
        bool lone_dot = *p == '.' && (p + 1 == end || p[1] != '.');
        if (!is_word_char(*p) && !lone_dot) break;
    }
    while (p > begin + 1 && p[-1] == '.') p--;
    return p;
}

static const char *dots_end(const char *p, const char *end)
{
    while (p < end && *p == '.') p++;
    return p;
}

static const char *piece_end(const char *p, const char *end)
{
    if (path_begins(p, end)) return path_end(p, end);
    if (*p == '.' && p + 1 < end && p[1] == '.') return dots_end(p, end);
    if (is_word_char(*p) || *p == '.') return word_end(p, end);
    return p + 1;
}

/* ---- what a piece is ---- */

static bool is_one_of(struct str word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(word, words[i])) return true;
    return false;
}

static bool is_date_word(struct str w)
{
    static const char *const words[] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Jan", "Feb", "Mar",
                                         "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
    return w.n == 3 && is_one_of(w, words, COUNT(words));
}

static bool is_unit(struct str w)
{
    static const char *const words[] = { "B",  "KB", "MB", "GB",  "TB",   "KiB", "MiB", "GiB", "ms",
                                         "us", "ns", "s",  "sec", "secs", "min", "kb",  "mb" };
    return w.n <= 4 && is_one_of(w, words, COUNT(words));
}

/* What follows these is a name that somebody chose. */
static bool names_value(struct str w)
{
    static const char *const words[] = { "user", "username", "host", "hostname", "id",
                                         "ID",   "uid",      "pid",  "ruser",    "logname" };
    return w.n <= 8 && is_one_of(w, words, COUNT(words));
}

static bool is_hex_word(struct str w)
{
    for (size_t i = 0; i < w.n; i++)
        if (w.p[i] < 'a' || w.p[i] > 'f') return false;
    return w.n >= HEX_LEAST;
}

static bool has_inner_dot(struct str w)
{
    size_t from = 0, to = w.n;
    while (from < to && w.p[from] == '.') from++;
    while (to > from && w.p[to - 1] == '.') to--;
    return memchr(w.p + from, '.', to - from) != NULL;
}

static bool is_value(struct str w)
{
    for (size_t i = 0; i < w.n; i++)
        if (is_digit(w.p[i]) || (w.n > 1 && (w.p[i] == '/' || w.p[i] == '@'))) return true;
    return has_inner_dot(w) || is_date_word(w) || is_hex_word(w);
}

static bool is_byte_in_hex(struct str w)
{
    if (w.n != 2) return false;
    for (size_t i = 0; i < 2; i++)
        if (!is_digit(w.p[i]) && (w.p[i] < 'A' || w.p[i] > 'F')) return false;
    return true;
}

/* ---- putting them together ---- */

static const struct log_token *last(const struct log_tokens *t, size_t back)
{
    return t->n > back ? &t->at[t->n - 1 - back] : NULL;
}

static bool is_mark(const struct log_token *k, const char *mark)
{
    return k != NULL && k->kind != TOKEN_VALUE && str_is(k->text, mark);
}

static bool is_kind(const struct log_token *k, enum log_token_kind kind)
{
    return k != NULL && k->kind == kind;
}

static void add(struct log_tokens *t, enum log_token_kind kind, struct str text, bool spaced)
{
    if (t->n == LOG_PATTERN_TOKENS_MAX) return;
    if (kind == TOKEN_VALUE) text = (struct str){ NULL, 0 };
    uint64_t hash = hash64(text.p, text.n) ^ (kind == TOKEN_VALUE ? 0x9e3779b97f4a7c15u : 0);
    t->at[t->n++] = (struct log_token){ kind, spaced, text, hash };
}

static bool joins_values(const struct log_token *k)
{
    return k != NULL && k->kind != TOKEN_VALUE && k->text.n == 1 && strchr(":,|-.", k->text.p[0]) != NULL;
}

static void add_value(struct log_tokens *t, bool spaced)
{
    if (is_kind(last(t, 0), TOKEN_VALUE)) return;
    if (joins_values(last(t, 0)) && is_kind(last(t, 1), TOKEN_VALUE)) {
        t->n--;
        return;
    }
    add(t, TOKEN_VALUE, (struct str){ NULL, 0 }, spaced);
}

static bool is_empty_pair(const struct log_token *open, struct str close)
{
    static const char *const pairs[] = { "()", "[]", "{}", "\"\"" };
    if (open == NULL || open->kind == TOKEN_VALUE || open->text.n != 1 || close.n != 1) return false;
    for (size_t i = 0; i < COUNT(pairs); i++)
        if (open->text.p[0] == pairs[i][0] && close.p[0] == pairs[i][1]) return true;
    return false;
}

static bool may_begin_value(struct str text)
{
    return is_alpha(text.p[0]) || is_digit(text.p[0]) || strchr("\"'([{<", text.p[0]) != NULL;
}

static void add_piece(struct log_tokens *t, struct str text, bool spaced)
{
    const struct log_token *before = last(t, 0);
    bool word = is_word_char(text.p[0]) || is_alpha(text.p[0]), named = is_alpha(text.p[0]);

    if (is_value(text) ||
        (word && named && spaced && is_kind(before, TOKEN_WORD) && names_value(before->text)) ||
        (is_mark(before, ":") && is_kind(last(t, 1), TOKEN_VALUE) && is_byte_in_hex(text))) {
        add_value(t, spaced);
        return;
    }
    if (is_kind(before, TOKEN_VALUE) && is_unit(text)) return;
    if (is_empty_pair(before, text) || (is_mark(before, "=") && !may_begin_value(text))) add_value(t, false);
    add(t, named ? TOKEN_WORD : TOKEN_MARK, text, spaced);
}

/* Where we stop to look: a long line is cut between words. */
static const char *look_end(struct str line)
{
    if (line.n <= LOG_PATTERN_LINE_MAX) return line.p + line.n;
    const char *end = line.p + LOG_PATTERN_LINE_MAX;
    while (end > line.p && !is_space(*end)) end--;
    return end > line.p ? end : line.p + LOG_PATTERN_LINE_MAX;
}

void log_tokens_of(struct str line, struct log_tokens *t)
{
    const char *p = line.p, *end = look_end(line);
    bool spaced = false;

    t->n = 0;
    while (p < end && is_space(*p)) p++;
    while (p < end && *p != '\n' && t->n < LOG_PATTERN_TOKENS_MAX) {
        if (is_space(*p)) {
            spaced = true;
            p++;
            continue;
        }
        const char *next = piece_end(p, end);
        add_piece(t, str_make(p, (size_t)(next - p)), spaced);
        spaced = false;
        p = next;
    }
    if (is_mark(last(t, 0), "=")) add_value(t, false);
}
