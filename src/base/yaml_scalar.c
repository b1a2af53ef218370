/* yaml_scalar.c - values out of a YAML tree: typed scalars, and the search for keys that nobody asked for. */
#include "base/buf.h"
#include "base/check.h"
#include "base/duration.h"
#include "base/float.h"
#include "base/yaml.h"

/* ---- typed scalars ---- */

enum { SHOWN_MAX = 100 };

static int wrong(const struct yaml *y, const char *expected, struct err *e)
{
    static const char *const kinds[] = { "nothing", "a word", "a list", "a map" };
    if (y->kind != YAML_SCALAR)
        return err_set(e, ERR_PARSE, "line %d: expected %s, not %s", y->line, expected, kinds[y->kind]);
    return err_set(e, ERR_PARSE, "line %d: expected %s, not %s\"%.*s\"", y->line, expected,
                   y->quoted ? "the quoted " : "", (int)MIN(y->text.n, (size_t)SHOWN_MAX), y->text.p);
}

static bool is_absent(const struct yaml *y)
{
    return y == NULL || y->kind == YAML_NULL;
}

static bool is_bare(const struct yaml *y)
{
    return y->kind == YAML_SCALAR && !y->quoted;
}

int yaml_str(const struct yaml *y, struct str *out, struct err *e)
{
    if (is_absent(y)) return OK;
    if (y->kind != YAML_SCALAR) return wrong(y, "text", e);
    *out = y->text;
    return OK;
}

int yaml_bool(const struct yaml *y, bool *out, struct err *e)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = { { "true", true }, { "false", false }, { "yes", true },
                  { "no", false },  { "on", true },     { "off", false } };

    if (is_absent(y)) return OK;
    for (size_t i = 0; is_bare(y) && i < COUNT(words); i++) {
        if (!str_is_nocase(y->text, words[i].word)) continue;
        *out = words[i].value;
        return OK;
    }
    return wrong(y, "true or false", e);
}

int yaml_i64(const struct yaml *y, int64_t *out, struct err *e)
{
    if (is_absent(y)) return OK;
    return is_bare(y) && str_to_i64(y->text, out) ? OK : wrong(y, "an integer", e);
}

int yaml_double(const struct yaml *y, double *out, struct err *e)
{
    if (is_absent(y)) return OK;
    return is_bare(y) && float_parse(y->text, out) ? OK : wrong(y, "a number", e);
}

int yaml_duration_ms(const struct yaml *y, int64_t *out, struct err *e)
{
    if (is_absent(y)) return OK;
    return y->kind == YAML_SCALAR && duration_parse_ms(y->text, out)
               ? OK
               : wrong(y, "a duration such as 30s or 1h30m", e);
}

/* KB is KiB here: that is how Prometheus reads its own size options. */
static bool parse_bytes(struct str s, uint64_t *out)
{
    static const char letters[] = "KMGTPE";
    uint64_t unit = 1;
    double v;

    if (s.n > 0 && s.p[s.n - 1] == 'B') s.n--;
    bool binary = s.n > 1 && s.p[s.n - 1] == 'i';
    if (binary) s.n--;
    const char *letter = s.n > 0 && s.p[s.n - 1] ? strchr(letters, s.p[s.n - 1]) : NULL;
    if (letter != NULL) {
        unit <<= 10 * (letter - letters + 1);
        s.n--;
    } else if (binary) {
        return false;
    }
    if (str_to_u64(s, out)) return !__builtin_mul_overflow(*out, unit, out);
    if (s.n == 0 || s.p[0] < '0' || s.p[0] > '9' || !float_parse(s, &v) || v * (double)unit >= 0x1p63)
        return false;
    *out = (uint64_t)(v * (double)unit);
    return true;
}

int yaml_bytes(const struct yaml *y, uint64_t *out, struct err *e)
{
    if (is_absent(y)) return OK;
    uint64_t bytes;
    if (y->kind != YAML_SCALAR || !parse_bytes(y->text, &bytes))
        return wrong(y, "a size such as 64KB or 10MB", e);
    *out = bytes;
    return OK;
}

/* ---- keys nobody asked for ---- */

/* The way from the root to a node, as a list through the callers' stack frames. */
struct step {
    const struct step *up;
    struct str key; /* of a map, or */
    size_t index;   /* of a list */
};

static void put_path(struct buf *out, const struct step *s)
{
    if (s == NULL) return;
    put_path(out, s->up);
    if (s->key.p != NULL)
        buf_printf(out, "%s%.*s", out->n ? "." : "", (int)MIN(s->key.n, (size_t)SHOWN_MAX), s->key.p);
    else
        buf_printf(out, "[%zu]", s->index);
}

static int unknown_key(const struct yaml *map, size_t i, const struct step *at, const char *name,
                       struct err *e)
{
    struct buf path = BUF_INIT(64 << 10);
    put_path(&path, at);
    int rc =
        err_set(e, ERR_PARSE, "%s:%d: %s%sunknown key \"%.*s\"", name, map->key_lines[i], buf_cstr(&path),
                path.n ? ": " : "", (int)MIN(map->keys[i].n, (size_t)SHOWN_MAX), map->keys[i].p);
    buf_release(&path);
    return rc;
}

/* The depth of a tree is bounded by yaml_parse, and so is this recursion. */
static int find_unknown(const struct yaml *y, const struct step *at, const char *name, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; i < y->n && rc == OK; i++) {
        if (y->kind == YAML_MAP && !y->asked[i]) return unknown_key(y, i, at, name, e);
        struct step down = { at, y->kind == YAML_MAP ? y->keys[i] : (struct str){ NULL, 0 }, i };
        rc = find_unknown(y->items[i], &down, name, e);
    }
    return rc;
}

int yaml_unknown(struct yaml *root, const char *name, struct err *e)
{
    return root ? find_unknown(root, NULL, name, e) : OK;
}
