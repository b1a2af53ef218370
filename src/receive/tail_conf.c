#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "receive/tail_impl.h"

#define ENTRIES_MAX 256

static int text_of(struct yaml *node, const char *key, struct arena *a, struct str *out, struct err *e)
{
    struct str text = STR("");
    int rc = yaml_str(yaml_get(node, key), &text, e);
    *out = arena_str(a, text);
    return rc;
}

static int texts_of(struct yaml *node, const char *key, struct arena *a, struct str **out, size_t *n,
                    struct err *e)
{
    struct yaml *list = yaml_get(node, key);
    if (list == NULL) return OK;
    if (list->kind != YAML_LIST)
        return err_set(e, ERR_PARSE, "line %d: %s: expected a list", list->line, key);
    *out = arena_array(a, list->n + 1, sizeof **out);
    for (*n = 0; *n < list->n; ++*n) {
        struct str text = STR("");
        int rc = yaml_str(list->items[*n], &text, e);
        if (rc < 0) return rc;
        (*out)[*n] = arena_str(a, text);
    }
    return OK;
}

static int read_resource(struct yaml *node, struct arena *a, struct tail_entry *t, struct err *e)
{
    struct yaml *map = yaml_get(node, "resource");
    if (map == NULL) return OK;
    if (map->kind != YAML_MAP) return err_set(e, ERR_PARSE, "line %d: resource: expected a map", map->line);
    t->resource = arena_array(a, map->n + 1, sizeof *t->resource);
    for (size_t i = 0; i < map->n; i++) {
        struct str value = STR("");
        int rc = yaml_str(yaml_only(map, i), &value, e);
        if (rc < 0) return rc;
        map->asked[i] = true;
        t->resource[t->n_resource++] = (struct attr){ arena_printf(a, "resource.%.*s", STR_ARG(map->keys[i])),
                                                      value_str(arena_str(a, value)) };
    }
    return OK;
}

static int read_format(struct yaml *node, struct tail_entry *t, struct err *e)
{
    static const char *const names[] = { "auto", "json", "plain" }; /* as enum tail_format */
    struct yaml *given = yaml_get(node, "format");
    struct str text = STR("auto");
    int rc = yaml_str(given, &text, e);
    if (rc < 0) return rc;
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_is(text, names[i])) return t->format = (enum tail_format)i, OK;
    return err_set(e, ERR_RANGE, "line %d: format is auto, json or plain", given->line);
}

static int read_from(struct yaml *node, struct tail_entry *t, struct err *e)
{
    struct yaml *given = yaml_get(node, "from");
    struct str text = STR("end");
    int rc = yaml_str(given, &text, e);
    if (rc < 0) return rc;
    t->from_end = str_is(text, "end");
    if (t->from_end || str_is(text, "beginning")) return OK;
    return err_set(e, ERR_RANGE, "line %d: from is beginning or end", given->line);
}

static int read_start(struct yaml *node, struct tail_entry *t, struct err *e)
{
    struct yaml *given = yaml_get(node, "multiline_start");
    struct str text = STR("");
    int rc = yaml_str(given, &text, e);
    if (rc < 0 || given == NULL) return rc;
    if ((rc = regex_new_search(text, &t->start, e)) < 0)
        err_where(e, "line %d: multiline_start", given->line);
    return rc;
}

static void count_lines(struct tail_entry *t)
{
    char labels[160];
    snprintf(labels, sizeof labels, "files=\"%.*s\"", (int)MIN(t->name.n, (size_t)100), t->name.p);
    t->lines = stat_counter("vedette_tail_lines_total", "Records read from followed files.", labels);
    t->cut = stat_counter("vedette_tail_lines_cut_total", "Lines that were too long, and cut.", labels);
    t->truncated =
        stat_counter("vedette_tail_files_truncated_total", "Files that began anew under their name.", labels);
}

static bool is_plain_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] == '"' || s.p[i] == '\\') return false;
    return true;
}

static int read_entry(struct yaml *node, struct arena *a, struct tail_entry *t, struct err *e)
{
    int rc;
    if (node->kind != YAML_MAP)
        return err_set(e, ERR_PARSE, "line %d: expected a map with paths", node->line);
    if ((rc = texts_of(node, "paths", a, &t->paths, &t->n_paths, e)) < 0) return rc;
    if (t->n_paths == 0) return err_set(e, ERR_PARSE, "line %d: an entry of log_files has paths", node->line);
    if ((rc = texts_of(node, "exclude", a, &t->exclude, &t->n_exclude, e)) < 0) return rc;
    if ((rc = text_of(node, "name", a, &t->name, e)) < 0) return rc;
    if ((rc = text_of(node, "service", a, &t->service, e)) < 0) return rc;
    if ((rc = read_resource(node, a, t, e)) < 0) return rc;
    if ((rc = read_format(node, t, e)) < 0) return rc;
    if ((rc = read_from(node, t, e)) < 0) return rc;
    if ((rc = read_start(node, t, e)) < 0) return rc;
    if (t->start != NULL && t->format == TAIL_JSON)
        return err_set(e, ERR_RANGE, "line %d: lines of JSON are not joined", node->line);
    if (t->name.n == 0) t->name = t->paths[0];
    if (!is_plain_name(t->name))
        return err_set(e, ERR_RANGE, "line %d: a name has no quotes, backslashes or controls", node->line);
    count_lines(t);
    return OK;
}

int tail_conf_new(struct yaml *section, struct tail_conf **out, struct err *e)
{
    int rc = OK;
    *out = NULL;
    if (section == NULL || (section->kind == YAML_LIST && section->n == 0)) return OK;
    if (section->kind != YAML_LIST)
        return err_set(e, ERR_PARSE, "line %d: log_files: expected a list", section->line);
    if (section->n > ENTRIES_MAX)
        return err_set(e, ERR_LIMIT, "line %d: more than %d entries", section->line, ENTRIES_MAX);
    struct tail_conf *c = mem_alloc_zero(sizeof *c);
    c->arena = (struct arena)ARENA_INIT(16u << 20);
    c->at = arena_zero(&c->arena, section->n * sizeof *c->at);
    for (; rc == OK && c->n < section->n; c->n++)
        rc = read_entry(section->items[c->n], &c->arena, &c->at[c->n], e);
    if (rc == OK) {
        *out = c;
        return OK;
    }
    tail_conf_free(c);
    return rc;
}

void tail_conf_free(struct tail_conf *c)
{
    if (c == NULL) return;
    for (size_t i = 0; i < c->n; i++) regex_free(c->at[i].start);
    arena_release(&c->arena);
    mem_free(c);
}
