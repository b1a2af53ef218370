/* yaml_read.c - see yaml_read.h. */
#include "base/yaml_read.h"

#include <stdarg.h>
#include <stdio.h>

void read_fail(struct reader *r, int line, const char *fmt, ...)
{
    if (r->rc < 0) return;
    char why[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    r->rc = r->file ? err_set(r->e, ERR_PARSE, "%s:%d: %s", r->file, line, why)
                    : err_set(r->e, ERR_PARSE, "line %d: %s", line, why);
}

/* base/yaml says "line 12: expected ..."; the reader of the message also wants the file and the key. */
static void settle(struct reader *r, const struct yaml *y, const char *key, int rc, const struct err *why)
{
    if (rc == OK) return;
    const char *text = strstr(why->text, ": ");
    read_fail(r, y->line, "%s: %s", key, text ? text + 2 : why->text);
}

static struct yaml *get_kind(struct reader *r, struct yaml *map, const char *key, enum yaml_kind kind,
                             const char *what)
{
    struct yaml *y = r->rc < 0 ? NULL : yaml_get(map, key);
    if (y == NULL || y->kind == kind) return y;
    read_fail(r, y->line, "%s: expected %s", key, what);
    return NULL;
}

struct yaml *read_list(struct reader *r, struct yaml *map, const char *key)
{
    return get_kind(r, map, key, YAML_LIST, "a list");
}

struct yaml *read_map(struct reader *r, struct yaml *map, const char *key)
{
    return get_kind(r, map, key, YAML_MAP, "a map");
}

void read_text(struct reader *r, struct yaml *map, const char *key, struct str *out)
{
    struct err why = ERR_INIT;
    struct str text = { NULL, 0 };
    const struct yaml *y = r->rc < 0 ? NULL : yaml_get(map, key);
    settle(r, y, key, yaml_str(y, &text, &why), &why);
    if (text.p != NULL) *out = arena_str(r->arena, text);
}

void read_cstr(struct reader *r, struct yaml *map, const char *key, const char **out)
{
    struct str text = { NULL, 0 };
    read_text(r, map, key, &text);
    if (text.p != NULL) *out = text.p; /* terminated by arena_str */
}

const char *read_resolve(struct reader *r, struct str path)
{
    const char *slash = r->file ? strrchr(r->file, '/') : NULL;
    bool absolute = path.n == 0 || path.p[0] == '/';
    if (!absolute && r->dir && *r->dir) return arena_printf(r->arena, "%s/%.*s", r->dir, STR_ARG(path)).p;
    if (absolute || r->dir || slash == NULL) return arena_str(r->arena, path).p;
    return arena_printf(r->arena, "%.*s/%.*s", (int)(slash - r->file), r->file, STR_ARG(path)).p;
}

void read_path(struct reader *r, struct yaml *map, const char *key, const char **out)
{
    struct str text = { NULL, 0 };
    read_text(r, map, key, &text);
    if (text.n > 0) *out = read_resolve(r, text);
}

void read_flag(struct reader *r, struct yaml *map, const char *key, bool *out)
{
    struct err why = ERR_INIT;
    const struct yaml *y = r->rc < 0 ? NULL : yaml_get(map, key);
    settle(r, y, key, yaml_bool(y, out, &why), &why);
}

void read_duration(struct reader *r, struct yaml *map, const char *key, int64_t *out_ms)
{
    struct err why = ERR_INIT;
    const struct yaml *y = r->rc < 0 ? NULL : yaml_get(map, key);
    settle(r, y, key, yaml_duration_ms(y, out_ms, &why), &why);
    if (y != NULL && *out_ms <= 0) read_fail(r, y->line, "%s: must be longer than 0", key);
}

void read_bytes(struct reader *r, struct yaml *map, const char *key, uint64_t *out)
{
    struct err why = ERR_INIT;
    const struct yaml *y = r->rc < 0 ? NULL : yaml_get(map, key);
    settle(r, y, key, yaml_bytes(y, out, &why), &why);
}

void read_count(struct reader *r, struct yaml *map, const char *key, uint64_t *out)
{
    struct err why = ERR_INIT;
    int64_t n = 0;
    const struct yaml *y = r->rc < 0 ? NULL : yaml_get(map, key);
    if (y == NULL) return;
    settle(r, y, key, yaml_i64(y, &n, &why), &why);
    if (n < 0) read_fail(r, y->line, "%s: must not be negative", key);
    *out = (uint64_t)n;
}

void read_texts(struct reader *r, struct yaml *list, struct str **out, size_t *n)
{
    *n = 0;
    if (list == NULL || r->rc < 0) return;
    *out = arena_array(r->arena, list->n + 1, sizeof **out);
    for (size_t i = 0; i < list->n; i++) {
        const struct yaml *y = list->items[i];
        if (y->kind != YAML_SCALAR && y->kind != YAML_NULL) return read_fail(r, y->line, "expected text");
        (*out)[(*n)++] = arena_str(r->arena, y->text);
    }
}

void read_accept_all(struct yaml *node)
{
    if (node == NULL) return;
    for (size_t i = 0; i < node->n; i++) {
        if (node->kind == YAML_MAP) node->asked[i] = true;
        read_accept_all(node->items[i]);
    }
}

void read_accept(struct yaml *map, const char *key)
{
    read_accept_all(yaml_get(map, key));
}
