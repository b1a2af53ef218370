/* relabel.c - the rules, and what each action does to a set of labels.
 *
 * Always true:
 *   1. Names in a set are unique, and no value is empty, after every label_set_put.
 *   2. A rule that gets this far is complete: relabel_parse has checked what its action needs. */
#include "receive/relabel.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <locale.h>
#include <pthread.h>
#include <wctype.h>

#include "base/check.h"
#include "base/json.h"
#include "base/regex.h"
#include "base/yaml_read.h"

#define TEXT_MAX (1u << 20) /* of a replacement with its captures filled in */

struct relabel_rule {
    const struct action *action;
    struct str *sources;
    size_t n_sources;
    struct str separator, pattern, target, replacement;
    uint64_t modulus;
    struct regex *regex;
    bool pattern_given, separator_given, replacement_given;
};

/* False: the set is dropped. value: the source labels joined. */
typedef bool action_fn(const struct relabel_rule *, struct label_set *, struct str value);

/* What an action needs and what it must not have. */
enum { TARGET = 1, MODULUS = 2, PATTERN_ONLY = 4, NO_PATTERN = 8 };

struct action {
    const char *name;
    action_fn *apply;
    unsigned needs;
};

/* ---- sets ---- */

struct str label_set_get(const struct label_set *s, struct str name)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_eq(s->at[i].name, name)) return s->at[i].value;
    return STR("");
}

void label_set_put(struct label_set *s, struct str name, struct str value)
{
    size_t i = 0;
    while (i < s->n && !str_eq(s->at[i].name, name)) i++;
    if (i < s->n && value.n > 0) {
        s->at[i].value = value;
    } else if (i < s->n) {
        s->at[i] = s->at[--s->n];
    } else if (value.n > 0) {
        s->at = arena_grow(s->arena, s->at, s->n, &s->cap, sizeof *s->at);
        s->at[s->n++] = (struct label){ name, value };
    }
}

static void label_set_remove(struct label_set *s, size_t i)
{
    s->at[i] = s->at[--s->n];
}

/* ---- actions ---- */

static struct str expand(const struct relabel_rule *r, struct arena *a, struct str text,
                         const struct str *groups, size_t n, struct str pattern)
{
    if (pattern.n == 0 || memchr(pattern.p, '$', pattern.n) == NULL) return pattern;
    struct buf out = BUF_INIT(TEXT_MAX);
    regex_expand(r->regex, text, groups, n, pattern, &out);
    struct str result = out.full ? STR("") : arena_str(a, buf_view(&out));
    buf_release(&out);
    return result;
}

static bool act_replace(const struct relabel_rule *r, struct label_set *s, struct str value)
{
    struct str groups[REGEX_CAPTURES_MAX];
    size_t n = MIN(regex_groups(r->regex) + 1, (size_t)REGEX_CAPTURES_MAX);
    if (!regex_capture(r->regex, value, groups, n)) return true;
    struct str target = expand(r, s->arena, value, groups, n, r->target);
    if (target.n == 0 || !str_utf8_valid(target)) return true;
    label_set_put(s, target, expand(r, s->arena, value, groups, n, r->replacement));
    return true;
}

static bool act_keep(const struct relabel_rule *r, struct label_set *s, struct str value)
{
    (void)s;
    return regex_match(r->regex, value);
}

static bool act_drop(const struct relabel_rule *r, struct label_set *s, struct str value)
{
    (void)s;
    return !regex_match(r->regex, value);
}

static bool act_keepequal(const struct relabel_rule *r, struct label_set *s, struct str value)
{
    return str_eq(label_set_get(s, r->target), value);
}

static bool act_dropequal(const struct relabel_rule *r, struct label_set *s, struct str value)
{
    return !str_eq(label_set_get(s, r->target), value);
}

/* The low half of the MD5, as a big-endian number. */
static bool act_hashmod(const struct relabel_rule *r, struct label_set *s, struct str value)
{
    uint8_t digest[16];
    uint64_t low = 0;
    check(gnutls_hash_fast(GNUTLS_DIG_MD5, value.p ? value.p : "", value.n, digest) == 0);
    for (size_t i = 8; i < 16; i++) low = low << 8 | digest[i];
    label_set_put(s, r->target, arena_printf(s->arena, "%llu", (unsigned long long)(low % r->modulus)));
    return true;
}

static bool act_labelmap(const struct relabel_rule *r, struct label_set *s, struct str value)
{
    (void)value;
    struct str groups[REGEX_CAPTURES_MAX];
    size_t n_groups = MIN(regex_groups(r->regex) + 1, (size_t)REGEX_CAPTURES_MAX), n = s->n;
    struct label *before = arena_array(s->arena, n + 1, sizeof *before);
    if (n > 0) memcpy(before, s->at, n * sizeof *before);
    for (size_t i = 0; i < n; i++) {
        if (!regex_capture(r->regex, before[i].name, groups, n_groups)) continue;
        struct str name = expand(r, s->arena, before[i].name, groups, n_groups, r->replacement);
        if (name.n > 0) label_set_put(s, name, before[i].value);
    }
    return true;
}

static bool act_labeldrop(const struct relabel_rule *r, struct label_set *s, struct str value)
{
    (void)value;
    for (size_t i = s->n; i-- > 0;)
        if (regex_match(r->regex, s->at[i].name)) label_set_remove(s, i);
    return true;
}

static bool act_labelkeep(const struct relabel_rule *r, struct label_set *s, struct str value)
{
    (void)value;
    for (size_t i = s->n; i-- > 0;)
        if (!regex_match(r->regex, s->at[i].name)) label_set_remove(s, i);
    return true;
}

/* ---- letters: simple case mapping of all of Unicode, whatever the process' locale ---- */

static locale_t letters;
static pthread_once_t letters_once = PTHREAD_ONCE_INIT;

static void letters_open(void)
{
    letters = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static size_t utf8_read(const unsigned char *p, uint32_t *out) /* of valid UTF-8 */
{
    if (p[0] < 0x80) return *out = p[0], 1;
    if (p[0] < 0xe0) return *out = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu), 2;
    if (p[0] < 0xf0) return *out = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu), 3;
    return *out = (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu), 4;
}

static size_t utf8_write(char *p, uint32_t c)
{
    if (c < 0x80) return p[0] = (char)c, 1;
    if (c < 0x800) return p[0] = (char)(0xc0 | c >> 6), p[1] = (char)(0x80 | (c & 0x3f)), 2;
    if (c < 0x10000)
        return p[0] = (char)(0xe0 | c >> 12), p[1] = (char)(0x80 | (c >> 6 & 0x3f)),
               p[2] = (char)(0x80 | (c & 0x3f)), 3;
    p[0] = (char)(0xf0 | c >> 18), p[1] = (char)(0x80 | (c >> 12 & 0x3f)),
    p[2] = (char)(0x80 | (c >> 6 & 0x3f)), p[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static uint32_t map_letter(uint32_t c, bool upper)
{
    if (c < 0x80 || letters == (locale_t)0) {
        if (upper) return c >= 'a' && c <= 'z' ? c - 32 : c;
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    }
    return (uint32_t)(upper ? towupper_l((wint_t)c, letters) : towlower_l((wint_t)c, letters));
}

static struct str map_letters(struct arena *a, struct str s, bool upper)
{
    pthread_once(&letters_once, letters_open);
    if (!str_utf8_valid(s)) return s;
    char *out = arena_alloc(a, s.n * 4 + 1); /* a letter may map to a longer one */
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        uint32_t c;
        i += utf8_read((const unsigned char *)s.p + i, &c);
        n += utf8_write(out + n, map_letter(c, upper));
    }
    return str_make(out, n);
}

static bool act_lowercase(const struct relabel_rule *r, struct label_set *s, struct str value)
{
    label_set_put(s, r->target, map_letters(s->arena, value, false));
    return true;
}

static bool act_uppercase(const struct relabel_rule *r, struct label_set *s, struct str value)
{
    label_set_put(s, r->target, map_letters(s->arena, value, true));
    return true;
}

static const struct action actions[] = {
    { "replace", act_replace, TARGET },
    { "keep", act_keep, 0 },
    { "drop", act_drop, 0 },
    { "keepequal", act_keepequal, TARGET | NO_PATTERN },
    { "dropequal", act_dropequal, TARGET | NO_PATTERN },
    { "hashmod", act_hashmod, TARGET | MODULUS },
    { "labelmap", act_labelmap, 0 },
    { "labeldrop", act_labeldrop, PATTERN_ONLY },
    { "labelkeep", act_labelkeep, PATTERN_ONLY },
    { "lowercase", act_lowercase, TARGET },
    { "uppercase", act_uppercase, TARGET },
};

/* ---- applying ---- */

static struct str join_sources(const struct relabel_rule *r, const struct label_set *s)
{
    if (r->n_sources == 0) return STR("");
    if (r->n_sources == 1) return label_set_get(s, r->sources[0]);
    size_t n = 0;
    for (size_t i = 0; i < r->n_sources; i++) n += label_set_get(s, r->sources[i]).n + r->separator.n;
    char *out = arena_alloc(s->arena, n + 1), *p = out;
    for (size_t i = 0; i < r->n_sources; i++) {
        struct str value = label_set_get(s, r->sources[i]);
        if (i > 0 && r->separator.n > 0)
            p = (char *)memcpy(p, r->separator.p, r->separator.n) + r->separator.n;
        if (value.n > 0) p = (char *)memcpy(p, value.p, value.n) + value.n;
    }
    return str_make(out, (size_t)(p - out));
}

bool relabel_apply(const struct relabel *rules, struct label_set *s)
{
    for (size_t i = 0; i < rules->n; i++) {
        const struct relabel_rule *r = &rules->rules[i];
        if (!r->action->apply(r, s, join_sources(r, s))) return false;
    }
    return true;
}

/* ---- reading ---- */

static const struct action *action_find(struct str name)
{
    for (size_t i = 0; i < COUNT(actions); i++)
        if (str_is_nocase(name, actions[i].name)) return &actions[i];
    return NULL;
}

static void check_needs(struct reader *in, const struct relabel_rule *r, int line)
{
    unsigned needs = r->action->needs;
    const char *name = r->action->name;
    if ((needs & TARGET) && r->target.n == 0)
        read_fail(in, line, "relabel configuration for %s action requires 'target_label' value", name);
    if ((needs & MODULUS) && r->modulus == 0)
        read_fail(in, line, "relabel configuration for hashmod requires non-zero modulus");
    if (!(needs & MODULUS) && r->modulus != 0)
        read_fail(in, line, "modulus belongs to hashmod, not to %s", name);
    if ((needs & PATTERN_ONLY) && (r->n_sources > 0 || r->target.n > 0 || r->modulus != 0 ||
                                   r->separator_given || r->replacement_given))
        read_fail(in, line, "%s action requires only 'regex', and no other fields", name);
    if ((needs & NO_PATTERN) && (r->pattern_given || r->separator_given || r->replacement_given))
        read_fail(in, line, "%s action requires only 'source_labels' and `target_label`, and no other fields",
                  name);
    if (r->target.n > 0 && !str_utf8_valid(r->target)) read_fail(in, line, "target_label is not UTF-8");
}

static void read_rule(struct reader *in, struct yaml *y, struct relabel_rule *r)
{
    struct str action = STR("replace");
    if (y->kind != YAML_MAP) return read_fail(in, y->line, "a relabelling rule is a map");
    *r = (struct relabel_rule){ .separator = STR(";"), .pattern = STR("(.*)"), .replacement = STR("$1") };
    r->separator_given = yaml_get(y, "separator") != NULL;
    r->pattern_given = yaml_get(y, "regex") != NULL;
    r->replacement_given = yaml_get(y, "replacement") != NULL;
    read_texts(in, read_list(in, y, "source_labels"), &r->sources, &r->n_sources);
    read_text(in, y, "separator", &r->separator);
    read_text(in, y, "regex", &r->pattern);
    read_text(in, y, "target_label", &r->target);
    read_text(in, y, "replacement", &r->replacement);
    read_text(in, y, "action", &action);
    read_count(in, y, "modulus", &r->modulus);
    r->action = action_find(action);
    if (r->action == NULL) return read_fail(in, y->line, "unknown relabel action \"%.*s\"", STR_ARG(action));
    check_needs(in, r, y->line);

    struct err why = ERR_INIT;
    if (in->rc == OK && regex_new(r->pattern, &r->regex, &why) < 0)
        read_fail(in, y->line, "regex: %s", why.text);
}

int relabel_parse(struct yaml *list, const char *file, struct arena *a, struct relabel *out, struct err *e)
{
    struct reader in = { .file = file, .arena = a, .e = e };
    *out = (struct relabel){ 0 };
    if (list == NULL) return OK;
    if (list->kind != YAML_LIST)
        return err_set(e, ERR_PARSE, "%s:%d: relabelling rules are a list", file, list->line);
    out->rules = arena_zero(a, (list->n + 1) * sizeof *out->rules);
    while (out->n < list->n && in.rc == OK) {
        read_rule(&in, list->items[out->n], &out->rules[out->n]);
        out->n++;
    }
    if (in.rc < 0) relabel_release(out);
    return in.rc;
}

void relabel_release(struct relabel *r)
{
    for (size_t i = 0; i < r->n; i++) regex_free(r->rules[i].regex);
    *r = (struct relabel){ 0 };
}

/* ---- printing ---- */

static void put_key(struct buf *out, const char *indent, bool *first, const char *key)
{
    buf_printf(out, "%s%s%s: ", indent, *first ? "- " : "  ", key);
    *first = false;
}

static void put_text(struct buf *out, const char *indent, bool *first, const char *key, struct str text)
{
    put_key(out, indent, first, key);
    json_escape(out, text);
    buf_char(out, '\n');
}

void relabel_print(const struct relabel *rules, const char *indent, struct buf *out)
{
    for (size_t i = 0; i < rules->n; i++) {
        const struct relabel_rule *r = &rules->rules[i];
        bool first = true;
        if (r->n_sources > 0) {
            put_key(out, indent, &first, "source_labels");
            for (size_t k = 0; k < r->n_sources; k++) {
                buf_cs(out, k > 0 ? ", " : "[");
                json_escape(out, r->sources[k]);
            }
            buf_cs(out, "]\n");
        }
        bool plain = !(r->action->needs & (PATTERN_ONLY | NO_PATTERN));
        if (plain) put_text(out, indent, &first, "separator", r->separator);
        if (!(r->action->needs & NO_PATTERN)) put_text(out, indent, &first, "regex", r->pattern);
        if (r->modulus > 0) {
            put_key(out, indent, &first, "modulus");
            buf_printf(out, "%llu\n", (unsigned long long)r->modulus);
        }
        if (r->target.n > 0) put_text(out, indent, &first, "target_label", r->target);
        if (plain) put_text(out, indent, &first, "replacement", r->replacement);
        put_key(out, indent, &first, "action");
        buf_printf(out, "%s\n", r->action->name);
    }
}
