/* otlp_names.c - names put into the Prometheus alphabet, with the suffixes its users expect.
 *
 * With escaping, a metric's name is cut into tokens at everything that is not a letter, a digit or a colon,
 * and joined again with single underscores; so runs and ends of odd characters vanish. A unit is added unless
 * it is a token of the name already. "total" and "ratio" move to the end. Labels are not cut: each odd
 * character becomes one underscore.
 *
 * Always true: a result is at most as long as name and unit together plus SUFFIX_ROOM. */
#include "decode/otlp_names.h"

#include "base/check.h"

enum { SUFFIX_ROOM = 48, SHOWN_MAX = 80 };

/* ---- characters ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

static bool is_token_char(char c)
{
    return is_word(c) || c == ':';
}

static bool only_underscores(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '_') return false;
    return true;
}

/* ---- writing ---- */

struct text {
    char *p;
    size_t n;
};

static struct text text_in(struct arena *a, struct str name, struct str unit)
{
    return (struct text){ arena_alloc(a, name.n + 2 * unit.n + SUFFIX_ROOM), 0 };
}

static void put(struct text *t, struct str s)
{
    if (s.n > 0) memcpy(t->p + t->n, s.p, s.n);
    t->n += s.n;
}

static void put_char(struct text *t, char c)
{
    t->p[t->n++] = c;
}

static void put_token(struct text *t, struct str token)
{
    if (token.n == 0) return;
    if (t->n > 0) put_char(t, '_');
    put(t, token);
}

static struct str view(const struct text *t)
{
    return (struct str){ t->p, t->n };
}

/* ---- units ---- */

struct unit_name {
    const char *otlp, *name;
};

/* Of UCUM, what telemetry uses; others keep their own spelling. */
static const struct unit_name units[] = {
    { "d", "days" },
    { "h", "hours" },
    { "min", "minutes" },
    { "s", "seconds" },
    { "ms", "milliseconds" },
    { "us", "microseconds" },
    { "ns", "nanoseconds" },
    { "By", "bytes" },
    { "KiBy", "kibibytes" },
    { "MiBy", "mebibytes" },
    { "GiBy", "gibibytes" },
    { "TiBy", "tibibytes" },
    { "KBy", "kilobytes" },
    { "MBy", "megabytes" },
    { "GBy", "gigabytes" },
    { "TBy", "terabytes" },
    { "m", "meters" },
    { "V", "volts" },
    { "A", "amperes" },
    { "J", "joules" },
    { "W", "watts" },
    { "g", "grams" },
    { "Cel", "celsius" },
    { "Hz", "hertz" },
    { "1", "" },
    { "%", "percent" },
};

static const struct unit_name per_units[] = {
    { "s", "second" }, { "m", "minute" }, { "h", "hour" }, { "d", "day" },
    { "w", "week" },   { "mo", "month" }, { "y", "year" },
};

static struct str unit_lookup(const struct unit_name *table, size_t n, struct str unit)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(unit, table[i].otlp)) return str_of(table[i].name);
    return unit;
}

/* "{request}" counts things and says nothing about scale. */
static bool is_annotation(struct str unit)
{
    return unit.n > 0 && (memchr(unit.p, '{', unit.n) != NULL || memchr(unit.p, '}', unit.n) != NULL);
}

/* a/b: the words for a, and for b (without "per_"). */
static void unit_words(struct str unit, struct str *main, struct str *per)
{
    struct str after, before = str_trim(str_cut(unit, '/', &after));
    after = str_trim(after);
    *main = is_annotation(before) ? STR("") : unit_lookup(units, COUNT(units), before);
    *per = is_annotation(after) ? STR("") : unit_lookup(per_units, COUNT(per_units), after);
}

/* Odd characters of a unit to underscores, single ones, none at the ends. */
static struct str unit_clean(struct str unit, struct arena *a)
{
    struct text t = { arena_alloc(a, unit.n + 1), 0 };
    for (size_t i = 0; i < unit.n; i++) {
        if (is_token_char(unit.p[i]))
            put_char(&t, unit.p[i]);
        else if (t.n > 0 && t.p[t.n - 1] != '_')
            put_char(&t, '_');
    }
    while (t.n > 0 && t.p[t.n - 1] == '_') t.n--;
    return view(&t);
}

/* ---- metric names ---- */

static bool next_token(struct str *rest, struct str *token)
{
    size_t from = 0, to;
    while (from < rest->n && !is_token_char(rest->p[from])) from++;
    for (to = from; to < rest->n && is_token_char(rest->p[to]);) to++;
    if (from == to) return false;
    *token = (struct str){ rest->p + from, to - from };
    *rest = (struct str){ rest->p + to, rest->n - to };
    return true;
}

static bool has_token(struct str name, struct str wanted)
{
    struct str token;
    while (next_token(&name, &token))
        if (str_eq(token, wanted)) return true;
    return false;
}

/* The word that must come last, or empty. */
static struct str last_word(struct str unit, enum otlp_name_kind kind)
{
    if (kind == OTLP_NAME_COUNTER) return STR("total");
    if (kind == OTLP_NAME_GAUGE && str_is(unit, "1")) return STR("ratio");
    return STR("");
}

static void put_token_unless(struct text *t, struct str token, struct str unwanted)
{
    if (!str_eq(token, unwanted)) put_token(t, token);
}

static struct str escaped_with_suffixes(struct str name, struct str unit, enum otlp_name_kind kind,
                                        struct arena *a)
{
    struct str main, per, token, rest = name, last = last_word(unit, kind);
    struct text t = text_in(a, name, unit);

    unit_words(unit, &main, &per);
    main = unit_clean(main, a);
    per = unit_clean(per, a);
    if (per.n > 0) per = arena_printf(a, "per_%.*s", STR_ARG(per)); /* two tokens, so no name has it as one */

    while (next_token(&rest, &token)) put_token_unless(&t, token, last);
    if (!has_token(name, main)) put_token_unless(&t, main, last);
    put_token(&t, per);
    put_token(&t, last);
    return view(&t);
}

static struct str escaped(struct str name, struct arena *a)
{
    struct text t = text_in(a, name, STR(""));
    bool gap = false;
    for (size_t i = 0; i < name.n; i++) {
        if (!is_token_char(name.p[i]) && name.p[i] != '_') {
            gap = true;
            continue;
        }
        if (gap && t.n > 0) put_char(&t, '_');
        gap = false;
        put_char(&t, name.p[i]);
    }
    return view(&t);
}

/* Without the suffix and the character before it, when something remains. */
static struct str without(struct str name, struct str suffix)
{
    if (suffix.n == 0 || name.n <= suffix.n + 1) return name;
    if (memcmp(name.p + name.n - suffix.n, suffix.p, suffix.n) != 0) return name;
    return (struct str){ name.p, name.n - suffix.n - 1 };
}

static bool ends_with(struct str name, struct str suffix)
{
    return name.n >= suffix.n && memcmp(name.p + name.n - suffix.n, suffix.p, suffix.n) == 0;
}

static struct str suffixed(struct str name, struct str unit, enum otlp_name_kind kind, struct arena *a)
{
    struct str main, per, last = last_word(unit, kind);
    struct text t = text_in(a, name, unit);

    unit_words(unit, &main, &per);
    if (per.n > 0) per = arena_printf(a, "per_%.*s", STR_ARG(per));
    name = without(without(name, last), per);
    put(&t, name);
    if (main.n > 0 && !ends_with(name, main)) put_token(&t, main);
    put_token(&t, per);
    put_token(&t, last);
    return view(&t);
}

static struct str leading_digit_escaped(struct str name, struct arena *a)
{
    return name.n > 0 && is_digit(name.p[0]) ? arena_printf(a, "_%.*s", STR_ARG(name)) : name;
}

int otlp_metric_name(enum otlp_strategy strategy, struct str name, struct str unit, enum otlp_name_kind kind,
                     struct arena *a, struct str *out, struct err *e)
{
    if (unit.n == 0) unit = STR("");
    switch (strategy) {
    case OTLP_UNDERSCORE_WITH_SUFFIXES:
        *out = leading_digit_escaped(escaped_with_suffixes(name, unit, kind, a), a);
        break;
    case OTLP_UNDERSCORE_ONLY: *out = leading_digit_escaped(escaped(name, a), a); break;
    case OTLP_UTF8_WITH_SUFFIXES: *out = name.n > 0 ? suffixed(name, unit, kind, a) : name; break;
    case OTLP_NO_TRANSLATION: *out = name; break;
    }
    if (name.n == 0) return err_set(e, ERR_RANGE, "a metric without a name");
    if (out->n > 0 && (str_eq(*out, name) || !only_underscores(*out))) return OK;
    return err_set(e, ERR_RANGE, "nothing usable remains of the metric name \"%.*s\"",
                   (int)MIN(name.n, (size_t)SHOWN_MAX), name.p);
}

/* ---- labels ---- */

static struct str label_escaped(struct str key, struct arena *a)
{
    struct text t = text_in(a, key, STR(""));
    if (is_digit(key.p[0])) put(&t, STR("key_"));
    for (size_t i = 0; i < key.n; i++) {
        if (((unsigned char)key.p[i] & 0xc0) == 0x80)
            continue; /* the rest of a character that has its underscore */
        put_char(&t, is_word(key.p[i]) ? key.p[i] : '_');
    }
    /* One underscore in front is for private use; two are reserved for the system and stay as they are. */
    if (t.n > 0 && t.p[0] == '_' && !(t.n > 1 && t.p[1] == '_'))
        return arena_printf(a, "key%.*s", STR_ARG(view(&t)));
    return view(&t);
}

int otlp_label_name(enum otlp_strategy strategy, struct str key, struct arena *a, struct str *out,
                    struct err *e)
{
    bool keep = strategy == OTLP_UTF8_WITH_SUFFIXES || strategy == OTLP_NO_TRANSLATION;
    if (key.n == 0) return err_set(e, ERR_RANGE, "an attribute without a name");
    *out = keep ? key : label_escaped(key, a);
    if (!only_underscores(*out)) return OK;
    return err_set(e, ERR_RANGE, "nothing usable remains of the attribute name \"%.*s\"",
                   (int)MIN(key.n, (size_t)SHOWN_MAX), key.p);
}

bool otlp_strategy_by_name(struct str name, enum otlp_strategy *out)
{
    static const struct {
        const char *name;
        enum otlp_strategy strategy;
    } known[] = {
        { "UnderscoreEscapingWithSuffixes", OTLP_UNDERSCORE_WITH_SUFFIXES },
        { "UnderscoreEscapingWithoutSuffixes", OTLP_UNDERSCORE_ONLY },
        { "NoUTF8EscapingWithSuffixes", OTLP_UTF8_WITH_SUFFIXES },
        { "NoTranslation", OTLP_NO_TRANSLATION },
    };
    for (size_t i = 0; i < COUNT(known); i++) {
        if (!str_is(name, known[i].name)) continue;
        *out = known[i].strategy;
        return true;
    }
    return false;
}
