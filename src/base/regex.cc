/* regex.cc - RE2 behind C, and the patterns that need no RE2.
 *
 * What dashboards and scrape configurations write is mostly not a regular expression at all: a literal, a
 * list of literals, or text with .* or .+ at its ends, perhaps the whole in one pair of parentheses. Those
 * are taken apart here and answered by comparing bytes. Everything else is compiled by RE2.
 *
 * Always true:
 *   1. A recognised form answers as RE2 would for every text that is valid UTF-8.
 *   2. RE2 sees a pattern as it was written. The anchors are RE2's ANCHOR_BOTH and dot_nl an
 *      option, so no pattern can escape from them by its own parentheses or alternation.
 *   3. Matching changes nothing visible: a struct regex may be used by many threads at once.
 *
 * ^ at the head and $ at the end of a branch say nothing under both anchors and are dropped. */
#include <algorithm>
#include <cstring>
#include <new>

#include <re2/re2.h>

extern "C" {
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
}
#include "base/regex.h"

namespace
{

constexpr int64_t program_max_bytes = 4 << 20;
constexpr size_t repeats_max = 5'000;       /* of a{n} and a{1,n}, added up */
constexpr size_t simple_text_max = 1 << 20; /* lists of literals may be long: comparing them costs little */
constexpr size_t linear_max = 8;            /* up to here a list is searched from the front */

enum wild { NONE, STAR, PLUS }; /* nothing, .*, .+ */
enum kind { LITERALS, WILD, PROGRAM };

} // namespace

struct regex {
    struct str text; /* ours */
    enum kind kind;
    bool wrapped; /* LITERALS, WILD: the whole pattern is one capturing group */
    bool search;  /* not anchored */

    char *bytes;          /* ours: of all literals and the middle */
    struct str *literals; /* LITERALS: sorted, unique */
    size_t n_literals;

    struct str middle; /* WILD: before middle after */
    enum wild before, after;

    re2::RE2 *program; /* PROGRAM */
    struct str prefix;
};

namespace
{

/* ---- taking simple patterns apart ---- */

struct piece {
    const char *p, *end;
};

bool is_meta(char c)
{
    return c == 0 || strchr("\\.+*?()|[]{}^$", c) != nullptr;
}

/* The next literal byte, or -1 at anything with a meaning. \ before ASCII punctuation is that character. */
int next_literal(piece *s)
{
    if (s->p == s->end) return -1;
    char c = *s->p;
    if (!is_meta(c)) return s->p++, (unsigned char)c;
    if (c != '\\' || s->end - s->p < 2) return -1;

    unsigned char escaped = (unsigned char)s->p[1];
    bool word = (escaped >= '0' && escaped <= '9') || (escaped | 0x20) - 'a' + 0u < 26 || escaped == '_';
    if (escaped <= ' ' || escaped >= 0x7f || word) return -1;
    s->p += 2;
    return escaped;
}

/* Literal bytes up to the first that is none, appended at *to. The callers give up when anything unforeseen
 * follows, so a repetition sign after a literal byte is never lost. */
struct str take_literal(piece *s, char **to)
{
    struct str out = { *to, 0 };
    for (int c; (c = next_literal(s)) >= 0;) *(*to)++ = (char)c;
    out.n = (size_t)(*to - out.p);
    return out;
}

wild take_wild(piece *s)
{
    if (s->end - s->p < 2 || s->p[0] != '.' || (s->p[1] != '*' && s->p[1] != '+')) return NONE;
    wild w = s->p[1] == '*' ? STAR : PLUS;
    s->p += 2;
    return w;
}

void drop_anchors(piece *s)
{
    if (s->p < s->end && *s->p == '^') s->p++;
    if (s->p == s->end || s->end[-1] != '$') return;
    const char *backslash = s->end - 1;
    while (backslash > s->p && backslash[-1] == '\\') backslash--;
    if ((s->end - 1 - backslash) % 2 == 0) s->end--;
}

/* Without the one group around everything, when there is one: (x) or (?:x). */
piece unwrap(piece s, bool *captures)
{
    *captures = false;
    if (s.end - s.p < 2 || s.p[0] != '(' || s.end[-1] != ')') return s;

    piece inner = { s.p + 1, s.end - 1 };
    bool plain = inner.end - inner.p >= 2 && inner.p[0] == '?' && inner.p[1] == ':';
    if (plain) inner.p += 2;
    for (const char *p = inner.p; p < inner.end; p++) {
        if (*p == '\\')
            p++; /* if that steps over the end, the closing parenthesis was escaped */
        else if (*p == '(' || *p == ')')
            return s;
        if (p >= inner.end) return s;
    }
    *captures = !plain;
    return inner;
}

bool take_wild_form(struct regex *r, piece s)
{
    char *to = r->bytes;
    r->before = take_wild(&s);
    r->middle = take_literal(&s, &to);
    r->after = take_wild(&s);
    if (s.p != s.end || (r->before == NONE && r->after == NONE)) return false;
    if (r->middle.n == 0 && r->after != NONE) return false; /* .+.+ would have to count characters */
    r->kind = WILD;
    if (r->before == NONE) r->prefix = r->middle;
    return true;
}

bool less(const struct str &a, const struct str &b)
{
    return str_cmp(a, b) < 0;
}

bool same(const struct str &a, const struct str &b)
{
    return str_eq(a, b);
}

struct str common_prefix(struct str a, struct str b)
{
    size_t n = 0;
    while (n < a.n && n < b.n && a.p[n] == b.p[n]) n++;
    return { a.p, n };
}

bool take_literal_list(struct regex *r, piece s)
{
    size_t branches = 1 + (size_t)std::count(s.p, s.end, '|'), n = 0;
    r->literals = (struct str *)mem_array(branches, sizeof *r->literals);

    char *to = r->bytes;
    for (const char *branch = s.p;; branch = s.p + 1) {
        const char *stop = branch;
        while (stop < s.end && *stop != '|') stop += (*stop == '\\' && stop + 1 < s.end) ? 2 : 1;
        piece one = { branch, stop };
        drop_anchors(&one);
        r->literals[n++] = take_literal(&one, &to);
        if (one.p != one.end) return false;
        if (stop == s.end) break;
        s.p = stop;
    }
    std::sort(r->literals, r->literals + n, less);
    r->n_literals = (size_t)(std::unique(r->literals, r->literals + n, same) - r->literals);
    r->kind = LITERALS;
    r->prefix = common_prefix(r->literals[0], r->literals[r->n_literals - 1]);
    return true;
}

bool recognise(struct regex *r)
{
    r->bytes = (char *)mem_alloc(r->text.n);
    piece s = { r->text.p, r->text.p + r->text.n };
    drop_anchors(&s);
    s = unwrap(s, &r->wrapped);
    if (take_literal_list(r, s)) return true;
    mem_free(r->literals);
    r->literals = nullptr;
    drop_anchors(&s);
    if (take_wild_form(r, s)) return true;
    mem_free(r->bytes);
    r->bytes = nullptr;
    return false;
}

/* Plain text that is searched for is .*text.* */
bool recognise_text(struct regex *r)
{
    r->bytes = (char *)mem_alloc(r->text.n);
    char *to = r->bytes;
    piece s = { r->text.p, r->text.p + r->text.n };
    r->middle = take_literal(&s, &to);
    r->kind = WILD;
    r->before = r->after = STAR;
    if (s.p == s.end) return true;
    mem_free(r->bytes);
    r->bytes = nullptr;
    return false;
}

/* ---- RE2 ---- */

re2::RE2::Options options()
{
    re2::RE2::Options o;
    o.set_dot_nl(true);
    o.set_log_errors(false);
    o.set_max_mem(program_max_bytes);
    return o;
}

/* What the counted repeats a{1,n} of a pattern add up to. Compiling takes time in proportion: 50,000 take
 * seconds. RE2 itself bounds what they multiply to. */
size_t counted_repeats(struct str s)
{
    size_t sum = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\') {
            i++; /* an escaped brace opens nothing */
        } else if (s.p[i] == '{') {
            size_t count = 0, most = 0;
            while (++i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == ',')) {
                size_t longer = count * 10 + (size_t)(s.p[i] - '0');
                count = s.p[i] == ',' ? 0 : std::min(longer, repeats_max + 1);
                most = std::max(most, count);
            }
            if (i < s.n && s.p[i] == '}') sum += most;
        }
    }
    return sum;
}

int compile(struct regex *r, struct err *e)
{
    if (r->text.n > REGEX_TEXT_MAX)
        return err_set(e, ERR_LIMIT, "regular expression of %zu bytes; at most %d are allowed", r->text.n,
                       REGEX_TEXT_MAX);
    if (counted_repeats(r->text) > repeats_max)
        return err_set(
            e, ERR_LIMIT, "regular expression \"%.*s\" repeats %zu times in all; at most %zu are allowed",
            (int)std::min<size_t>(r->text.n, 200), r->text.p, counted_repeats(r->text), repeats_max);

    r->kind = PROGRAM;
    r->program = new (std::nothrow) re2::RE2(re2::StringPiece(r->text.p, r->text.n), options());
    check(r->program != nullptr);
    if (!r->program->ok()) {
        bool large = r->program->error_code() == re2::RE2::ErrorPatternTooLarge;
        return err_set(e, large ? ERR_LIMIT : ERR_PARSE, "invalid regular expression \"%.*s\": %s",
                       (int)std::min<size_t>(r->text.n, 200), r->text.p, r->program->error().c_str());
    }

    /* Every match lies between these two, so it starts with what they have in common. */
    std::string low, high;
    if (r->search) return OK; /* what it is found in may start with anything */
    if (!r->program->PossibleMatchRange(&low, &high, 64)) return OK;
    struct str common = common_prefix({ low.data(), low.size() }, { high.data(), high.size() });
    r->bytes = (char *)mem_copy(common.p, common.n);
    r->prefix = { r->bytes, common.n };
    return OK;
}

/* ---- matching simple patterns ---- */

bool literals_match(const struct regex *r, struct str text)
{
    if (r->n_literals > linear_max)
        return std::binary_search(r->literals, r->literals + r->n_literals, text, less);
    for (size_t i = 0; i < r->n_literals; i++)
        if (str_eq(r->literals[i], text)) return true;
    return false;
}

/* The middle must lie within [low, high); a .+ keeps one byte at its end, which in UTF-8 can only be a whole
 * character. */
bool wild_match(const struct regex *r, struct str text)
{
    size_t low = r->before == PLUS, high = text.n - (r->after == PLUS);
    struct str m = r->middle;
    if (text.n < low + (r->after == PLUS) || high - low < m.n) return false;
    if (m.n == 0) return true;
    if (r->before == NONE) return memcmp(text.p, m.p, m.n) == 0;
    if (r->after == NONE) return memcmp(text.p + text.n - m.n, m.p, m.n) == 0;
    return memmem(text.p + low, high - low, m.p, m.n) != nullptr;
}

re2::StringPiece piece_of(struct str text)
{
    return re2::StringPiece(text.p ? text.p : "", text.n);
}

re2::RE2::Anchor anchor_of(const struct regex *r)
{
    return r->search ? re2::RE2::UNANCHORED : re2::RE2::ANCHOR_BOTH;
}

/* ---- replacement ---- */

bool is_word_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

void expand_name(const struct regex *r, const struct str *groups, size_t n, struct str name, struct buf *out)
{
    uint64_t index;
    int named;
    bool leading_zero = name.n > 1 && name.p[0] == '0'; /* no number to Go */
    if (leading_zero || !str_to_u64(name, &index)) {
        if ((named = regex_group_named(r, name)) < 0) return;
        index = (uint64_t)named;
    }
    if (index < n && groups[index].p != nullptr) buf_str(out, groups[index]);
}

/* The reference at p (after the $): fills name and returns where it ends, or NULL when it is none. */
const char *take_reference(const char *p, const char *end, struct str *name)
{
    bool braced = p < end && *p == '{';
    const char *from = p + braced, *stop = from;
    while (stop < end && is_word_char(*stop)) stop++;
    if (stop == from) return nullptr;
    if (braced && (stop == end || *stop != '}')) return nullptr;
    *name = { from, (size_t)(stop - from) };
    return stop + braced;
}

} // namespace

static int regex_make(struct str pattern, bool search, struct regex **out, struct err *e)
{
    if (pattern.n > simple_text_max)
        return err_set(e, ERR_LIMIT, "regular expression of %zu bytes", pattern.n);
    if (!str_utf8_valid(pattern)) return err_set(e, ERR_PARSE, "regular expression is not valid UTF-8");

    struct regex *r = (struct regex *)mem_alloc_zero(sizeof *r);
    r->text = { str_dup(pattern), pattern.n };
    r->search = search;
    bool simple = search ? recognise_text(r) : recognise(r);
    int rc = simple ? OK : compile(r, e);
    if (rc < 0) {
        regex_free(r);
        return rc;
    }
    *out = r;
    return OK;
}

extern "C" int regex_new(struct str pattern, struct regex **out, struct err *e)
{
    return regex_make(pattern, false, out, e);
}

extern "C" int regex_new_search(struct str pattern, struct regex **out, struct err *e)
{
    return regex_make(pattern, true, out, e);
}

extern "C" void regex_free(struct regex *r)
{
    if (r == nullptr) return;
    delete r->program;
    mem_free(r->literals);
    mem_free(r->bytes);
    mem_free((void *)r->text.p);
    mem_free(r);
}

extern "C" bool regex_match(const struct regex *r, struct str text)
{
    switch (r->kind) {
    case LITERALS: return literals_match(r, text);
    case WILD: return wild_match(r, text);
    case PROGRAM: break;
    }
    return r->program->Match(piece_of(text), 0, text.n, anchor_of(r), nullptr, 0);
}

extern "C" bool regex_find(const struct regex *r, struct str text, size_t from, struct str *groups, size_t n)
{
    for (size_t i = 0; i < n; i++) groups[i] = { nullptr, 0 };
    check(r->search);
    if (from > text.n) return false;
    if (text.p == nullptr) text.p = "";
    if (r->kind == WILD) {
        const void *at = memmem(text.p + from, text.n - from, r->middle.p, r->middle.n);
        if (at != nullptr && n > 0) groups[0] = { (const char *)at, r->middle.n };
        return at != nullptr;
    }
    re2::StringPiece found[REGEX_CAPTURES_MAX];
    int want = (int)std::min<size_t>({ n, REGEX_CAPTURES_MAX, regex_groups(r) + 1 });
    if (!r->program->Match(piece_of(text), from, text.n, re2::RE2::UNANCHORED, found, want)) return false;
    for (int i = 0; i < want; i++) groups[i] = { found[i].data(), found[i].size() };
    return true;
}

extern "C" bool regex_capture(const struct regex *r, struct str text, struct str *groups, size_t n)
{
    for (size_t i = 0; i < n; i++) groups[i] = { nullptr, 0 };
    if (text.p == nullptr) text.p = "";
    if (r->kind != PROGRAM) {
        if (!regex_match(r, text)) return false;
        for (size_t i = 0; i < n && i <= regex_groups(r); i++) groups[i] = text;
        return true;
    }

    re2::StringPiece found[REGEX_CAPTURES_MAX];
    int want = (int)std::min<size_t>({ n, REGEX_CAPTURES_MAX, regex_groups(r) + 1 });
    if (!r->program->Match(piece_of(text), 0, text.n, anchor_of(r), found, want)) return false;
    for (int i = 0; i < want; i++) groups[i] = { found[i].data(), found[i].size() };
    return true;
}

extern "C" size_t regex_groups(const struct regex *r)
{
    return r->program ? (size_t)r->program->NumberOfCapturingGroups() : r->wrapped;
}

extern "C" int regex_group_named(const struct regex *r, struct str name)
{
    if (r->program == nullptr) return -1;
    const auto &names = r->program->NamedCapturingGroups();
    auto at = names.find(std::string(name.p ? name.p : "", name.n));
    return at == names.end() ? -1 : at->second;
}

extern "C" void regex_expand(const struct regex *r, struct str text, const struct str *groups, size_t n,
                             struct str replacement, struct buf *out)
{
    (void)text; /* the groups point into it */
    const char *p = replacement.p, *end = replacement.p + replacement.n;
    while (p < end) {
        const char *dollar = (const char *)memchr(p, '$', (size_t)(end - p));
        buf_add(out, p, (size_t)((dollar ? dollar : end) - p));
        if (dollar == nullptr) return;

        struct str name;
        const char *after;
        p = dollar + 1;
        if (p < end && *p == '$') {
            buf_char(out, '$');
            p++;
        } else if ((after = take_reference(p, end, &name)) != nullptr) {
            expand_name(r, groups, n, name, out);
            p = after;
        } else {
            buf_char(out, '$'); /* not a reference: stands for itself */
        }
    }
}

extern "C" const struct str *regex_literals(const struct regex *r, size_t *n)
{
    *n = r->n_literals;
    return r->kind == LITERALS ? r->literals : nullptr;
}

extern "C" struct str regex_prefix(const struct regex *r)
{
    return r->prefix;
}

extern "C" struct str regex_text(const struct regex *r)
{
    return r->text;
}
