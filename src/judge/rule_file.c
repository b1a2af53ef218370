/* rule_file.c - see rule_file.h. From YAML to checked groups; whatever is wrong is told with its place. */
#include "judge/rule_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "judge/rule_template.h"
#include "query/logql/logql.h"
#include "query/promql/parse.h"

#define FILE_ARENA_MAX ((size_t)512 << 20)
#define EXPR_TEXT_MAX  (4u * PROMQL_TEXT_MAX) /* printed */

struct reader {
    struct rule_file *file;
    const char *name;
    struct err *e;
    size_t group, rule; /* where we are; rule SIZE_MAX: at the group itself */
    enum rule_lang lang;
    struct map templates; /* hash of a text to the index of its template */
};

static int fail(struct reader *r, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(struct reader *r, int line, const char *fmt, ...)
{
    char why[640], place[64];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    if (r->rule == SIZE_MAX)
        snprintf(place, sizeof place, "groups[%zu]", r->group);
    else
        snprintf(place, sizeof place, "groups[%zu].rules[%zu]", r->group, r->rule);
    return err_set(r->e, ERR_PARSE, "%s:%d: %s: %s", r->name, line, place, why);
}

/* A typed scalar was refused: its own words, without the line they begin with. */
static int fail_value(struct reader *r, const struct yaml *y, const char *key, const struct err *why)
{
    const char *text = why->text, *colon = strstr(text, ": ");
    if (strncmp(text, "line ", 5) == 0 && colon != NULL) text = colon + 2;
    return fail(r, y->line, "%s: %s", key, text);
}

static int take_text(struct reader *r, struct yaml *map, const char *key, struct str *out)
{
    struct yaml *y = yaml_get(map, key);
    struct err why = ERR_INIT;
    if (y == NULL || yaml_str(y, out, &why) == OK) return OK;
    return fail_value(r, y, key, &why);
}

static int take_duration(struct reader *r, struct yaml *map, const char *key, int64_t *out)
{
    struct yaml *y = yaml_get(map, key);
    struct err why = ERR_INIT;
    if (y == NULL || yaml_duration_ms(y, out, &why) == OK) return OK;
    return fail_value(r, y, key, &why);
}

static int line_of(const struct yaml *map, const char *key)
{
    for (size_t i = 0; map->kind == YAML_MAP && i < map->n; i++)
        if (str_is(map->keys[i], key)) return map->key_lines[i];
    return map->line;
}

static int take_lang(struct reader *r, struct yaml *map, enum rule_lang *lang)
{
    static const struct {
        const char *word;
        enum rule_lang lang;
    } words[] = { { "prometheus", RULE_PROMQL }, { "promql", RULE_PROMQL }, { "metric", RULE_PROMQL },
                  { "log", RULE_LOGQL },         { "logql", RULE_LOGQL },   { "loki", RULE_LOGQL } };
    struct str text = { 0 };
    int rc = take_text(r, map, "type", &text);
    if (rc < 0 || text.n == 0) return rc;
    for (size_t i = 0; i < COUNT(words); i++) {
        if (!str_is(text, words[i].word)) continue;
        *lang = words[i].lang;
        return OK;
    }
    return fail(r, line_of(map, "type"), "type: \"%.*s\" is neither prometheus nor log", STR_ARG(text));
}

/* ---- labels and annotations ---- */

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct rule_text *)a)->name, ((const struct rule_text *)b)->name);
}

static int check_name(struct reader *r, int line, const char *key, struct str name)
{
    if (name.n == 0 || !str_utf8_valid(name))
        return fail(r, line, "%s: invalid name \"%.*s\"", key, STR_ARG(name));
    if (str_is(name, LABEL_NAME)) return fail(r, line, "%s: %s is not allowed", key, LABEL_NAME);
    return OK;
}

static int take_one(struct reader *r, struct yaml *map, size_t i, const char *key, struct rule_text *out)
{
    struct yaml *value = yaml_only(map, i);
    struct err why = ERR_INIT;
    int line = map->key_lines[i];
    *out = (struct rule_text){ .name = map->keys[i], .text = STR("") };
    int rc = check_name(r, line, key, out->name);
    if (rc < 0) return rc;
    if (value != NULL && value->kind != YAML_NULL && yaml_str(value, &out->text, &why) < 0)
        return fail_value(r, value, key, &why);
    if (!str_utf8_valid(out->text))
        return fail(r, line, "%s: the value of %.*s is not UTF-8", key, STR_ARG(out->name));
    return OK;
}

/* Into a fresh list that begins with a copy of `base`, whose entries those of the map replace. */
static int take_texts(struct reader *r, struct yaml *map, const char *key, struct rule_texts base,
                      struct rule_texts *out)
{
    struct yaml *list = yaml_get(map, key);
    size_t n_own = list != NULL && list->kind == YAML_MAP ? list->n : 0;
    if (list != NULL && list->kind != YAML_MAP)
        return fail(r, list->line, "%s: expected a map of names to texts", key);
    if (n_own > LABELS_MAX) return fail(r, list->line, "%s: more than %d", key, LABELS_MAX);

    struct rule_text *at = arena_array(&r->file->arena, base.n + n_own + 1, sizeof *at);
    size_t n = base.n;
    if (n > 0) memcpy(at, base.at, n * sizeof *at);
    for (size_t i = 0; i < n_own; i++) {
        struct rule_text one;
        int rc = take_one(r, list, i, key, &one);
        if (rc < 0) return rc;
        size_t k = 0;
        while (k < base.n && !str_eq(at[k].name, one.name)) k++;
        if (k == base.n) k = n++;
        at[k] = one;
    }
    qsort(at, n, sizeof *at, by_name);
    *out = (struct rule_texts){ at, n };
    return OK;
}

/* Thousands of rules have a few dozen texts among them: each is read once. Equal 64-bit hashes of different
 * texts of one file are not expected in the life of this program. */
static int template_of(struct reader *r, struct str text, const struct template **out, struct err *e)
{
    struct rule_file *f = r->file;
    uint64_t hash = hash64(text.p, text.n), *known = map_find(&r->templates, hash, NULL, NULL);
    struct template *fresh;
    *out = known ? f->templates[*known] : NULL;
    if (known != NULL) return OK;
    int rc = rule_template_new(text, &fresh, e);
    if (rc < 0 || fresh == NULL) return rc;
    f->templates = mem_grow(f->templates, f->n_templates, &f->cap_templates, sizeof(struct template *));
    map_add(&r->templates, hash, f->n_templates);
    *out = f->templates[f->n_templates++] = fresh;
    return OK;
}

/* Templates of alerts; of recording rules the labels are plain text. */
static int compile(struct reader *r, int line, const char *key, struct rule_texts *texts)
{
    for (size_t i = 0; i < texts->n; i++) {
        struct err why = ERR_INIT;
        if (template_of(r, texts->at[i].text, &texts->at[i].filled, &why) < 0)
            return fail(r, line, "%s %.*s: %s", key, STR_ARG(texts->at[i].name), why.text);
    }
    return OK;
}

/* ---- expressions ---- */

static int print_promql(struct str text, struct buf *out, struct err *e)
{
    struct arena scratch = ARENA_INIT((size_t)64 << 20);
    struct node *root;
    int rc = promql_parse(text, &scratch, &root, e);
    if (rc == OK) {
        if (root->type != PROMQL_VECTOR && root->type != PROMQL_SCALAR)
            rc = err_set(e, ERR_PARSE, "a rule wants a vector or a scalar, not a %s",
                         root->type == PROMQL_STRING ? "string" : "range vector");
        promql_print(out, root);
        promql_release(root);
    }
    arena_release(&scratch);
    return rc;
}

static int take_expr(struct reader *r, struct yaml *map, struct rule_spec *rule)
{
    struct str text = { 0 };
    struct buf printed = BUF_INIT(EXPR_TEXT_MAX);
    struct err why = ERR_INIT;
    int line = line_of(map, "expr"), rc = take_text(r, map, "expr", &text);
    if (rc < 0) return rc;
    if (str_trim(text).n == 0) return fail(r, map->line, "field 'expr' must be set in rule");
    rc = rule->lang == RULE_LOGQL ? logql_format(text, &printed, &why) : print_promql(text, &printed, &why);
    if (rc == OK && rule->lang == RULE_LOGQL && printed.n > 0 && printed.p[0] == '{')
        rc = err_set(&why, ERR_PARSE, "a rule counts or measures lines, as in count_over_time(%s[5m]) > 0",
                     buf_cstr(&printed));
    if (rc < 0)
        fail(r, line, "could not parse expression: %s", why.text);
    else
        rule->expr = arena_str(&r->file->arena, buf_view(&printed));
    buf_release(&printed);
    return rc;
}

/* ---- rules ---- */

static int check_record(struct reader *r, struct yaml *map, struct rule_spec *rule)
{
    static const char *const of_alerts[] = { "annotations", "for", "keep_firing_for" };
    for (size_t i = 0; i < COUNT(of_alerts); i++)
        if (yaml_get(map, of_alerts[i]) != NULL)
            return fail(r, line_of(map, of_alerts[i]), "invalid field '%s' in recording rule", of_alerts[i]);
    if (!str_utf8_valid(rule->name) || memchr(rule->name.p, '{', rule->name.n) != NULL ||
        memchr(rule->name.p, '}', rule->name.n) != NULL)
        return fail(r, line_of(map, "record"), "invalid recording rule name: %.*s", STR_ARG(rule->name));
    return OK;
}

static int take_alert(struct reader *r, struct yaml *map, struct rule_spec *rule)
{
    int rc;
    if ((rc = take_duration(r, map, "for", &rule->for_ms)) < 0) return rc;
    if ((rc = take_duration(r, map, "keep_firing_for", &rule->keep_firing_ms)) < 0) return rc;
    if ((rc = take_texts(r, map, "annotations", (struct rule_texts){ 0 }, &rule->annotations)) < 0) return rc;
    if ((rc = compile(r, line_of(map, "labels"), "label", &rule->labels)) < 0) return rc;
    return compile(r, line_of(map, "annotations"), "annotation", &rule->annotations);
}

static int take_rule(struct reader *r, struct yaml *map, struct rule_texts group_labels,
                     struct rule_spec *rule)
{
    struct str record = { 0 }, alert = { 0 };
    int rc;
    if (map->kind != YAML_MAP)
        return fail(r, map->line, "expected a rule: a map with record or alert, and expr");
    *rule = (struct rule_spec){ .lang = r->lang, .line = map->line };
    if ((rc = take_text(r, map, "record", &record)) < 0) return rc;
    if ((rc = take_text(r, map, "alert", &alert)) < 0) return rc;
    if (record.n > 0 && alert.n > 0)
        return fail(r, map->line, "only one of 'record' and 'alert' must be set");
    if (record.n + alert.n == 0) return fail(r, map->line, "one of 'record' or 'alert' must be set");
    rule->is_alert = alert.n > 0;
    rule->name = rule->is_alert ? alert : record;
    if (!str_utf8_valid(rule->name)) return fail(r, map->line, "the name is not UTF-8");
    if ((rc = take_lang(r, map, &rule->lang)) < 0) return rc;
    if ((rc = take_expr(r, map, rule)) < 0) return rc;
    if ((rc = take_texts(r, map, "labels", group_labels, &rule->labels)) < 0) return rc;
    return rule->is_alert ? take_alert(r, map, rule) : check_record(r, map, rule);
}

/* ---- groups ---- */

static int take_limit(struct reader *r, struct yaml *map, struct rule_group_spec *g)
{
    struct yaml *y = yaml_get(map, "limit");
    struct err why = ERR_INIT;
    int64_t v = 0;
    if (y != NULL && yaml_i64(y, &v, &why) < 0) return fail_value(r, y, "limit", &why);
    g->limit = v > 0 ? (uint64_t)v : 0;
    return OK;
}

static int take_group_keys(struct reader *r, struct yaml *map, struct rule_group_spec *g,
                           struct rule_texts *labels)
{
    int rc;
    if (map->kind != YAML_MAP) return fail(r, map->line, "expected a group: a map with name and rules");
    *g = (struct rule_group_spec){ .line = map->line };
    if ((rc = take_text(r, map, "name", &g->name)) < 0) return rc;
    if (g->name.n == 0) return fail(r, map->line, "Groupname must not be empty");
    if (!str_utf8_valid(g->name)) return fail(r, map->line, "the name is not UTF-8");
    if ((rc = take_duration(r, map, "interval", &g->interval_ms)) < 0) return rc;
    g->has_offset = yaml_get(map, "query_offset") != NULL;
    if ((rc = take_duration(r, map, "query_offset", &g->offset_ms)) < 0) return rc;
    if ((rc = take_limit(r, map, g)) < 0) return rc;
    if ((rc = take_lang(r, map, &r->lang)) < 0) return rc;
    return take_texts(r, map, "labels", (struct rule_texts){ 0 }, labels);
}

static int take_group(struct reader *r, struct yaml *map, struct rule_group_spec *g)
{
    struct rule_texts labels;
    enum rule_lang of_file = r->lang;
    int rc = take_group_keys(r, map, g, &labels);
    if (rc < 0) return rc;
    struct yaml *rules = yaml_get(map, "rules");
    if (rules != NULL && rules->kind != YAML_LIST) return fail(r, rules->line, "rules: expected a list");
    size_t n = rules ? rules->n : 0;
    if (n > RULES_IN_GROUP_MAX) return fail(r, rules->line, "more than %d rules", RULES_IN_GROUP_MAX);
    g->rules = arena_zero(&r->file->arena, (n + 1) * sizeof *g->rules);
    for (r->rule = 0; rc == OK && r->rule < n; r->rule++) {
        if ((rc = take_rule(r, rules->items[r->rule], labels, &g->rules[r->rule])) < 0) return rc;
        g->n_rules++;
    }
    r->rule = SIZE_MAX;
    r->lang = of_file;
    return rc;
}

/* ---- what tells one version of a group from the next ---- */

static void put(struct buf *b, struct str s)
{
    buf_varint(b, s.n);
    buf_str(b, s);
}

static void put_texts(struct buf *b, const struct rule_texts *t)
{
    buf_varint(b, t->n);
    for (size_t i = 0; i < t->n; i++) put(b, t->at[i].name), put(b, t->at[i].text);
}

static struct hash128 identity_of(const struct rule_group_spec *g)
{
    struct buf b = BUF_INIT(FILE_ARENA_MAX);
    put(&b, g->name);
    buf_i64(&b, g->interval_ms), buf_char(&b, ' ');
    buf_u64(&b, g->limit), buf_char(&b, g->has_offset ? 'o' : ' ');
    buf_i64(&b, g->offset_ms);
    for (size_t i = 0; i < g->n_rules; i++) {
        const struct rule_spec *r = &g->rules[i];
        buf_printf(&b, "|%d %d %lld %lld ", r->is_alert, r->lang, (long long)r->for_ms,
                   (long long)r->keep_firing_ms);
        put(&b, r->name), put(&b, r->expr);
        put_texts(&b, &r->labels), put_texts(&b, &r->annotations);
    }
    struct hash128 id = hash128(b.p, b.n);
    buf_release(&b);
    return id;
}

/* ---- the file ---- */

static int take_groups(struct reader *r, struct yaml *root)
{
    struct yaml *groups = yaml_get(root, "groups");
    int rc = take_lang(r, root, &r->lang);
    if (rc < 0) return rc;
    if (r->lang == RULE_LOGQL) yaml_get(root, "namespace"); /* where Loki's tool would put them */
    if (groups != NULL && groups->kind != YAML_LIST)
        return err_set(r->e, ERR_PARSE, "%s:%d: groups: expected a list", r->name, groups->line);
    size_t n = groups ? groups->n : 0;
    if (n > RULE_GROUPS_MAX)
        return err_set(r->e, ERR_LIMIT, "%s: more than %d groups", r->name, RULE_GROUPS_MAX);
    r->file->groups = arena_zero(&r->file->arena, (n + 1) * sizeof *r->file->groups);
    for (r->group = 0; r->group < n; r->group++) {
        struct rule_group_spec *g = &r->file->groups[r->group];
        r->file->n_groups++;
        if ((rc = take_group(r, groups->items[r->group], g)) < 0) return rc;
        g->identity = identity_of(g);
    }
    return OK;
}

static int by_group_name(const void *a, const void *b)
{
    return str_cmp((*(struct rule_group_spec *const *)a)->name, (*(struct rule_group_spec *const *)b)->name);
}

static int check_unique(struct reader *r)
{
    size_t n = r->file->n_groups;
    struct rule_group_spec **all = arena_array(&r->file->arena, n + 1, sizeof *all);
    for (size_t i = 0; i < n; i++) all[i] = &r->file->groups[i];
    qsort(all, n, sizeof *all, by_group_name);
    for (size_t i = 1; i < n; i++)
        if (str_eq(all[i]->name, all[i - 1]->name))
            return err_set(r->e, ERR_PARSE,
                           "%s:%d: groups[%zu]: groupname: \"%.*s\" is repeated in the same file", r->name,
                           MAX(all[i]->line, all[i - 1]->line),
                           (size_t)(MAX(all[i], all[i - 1]) - r->file->groups), STR_ARG(all[i]->name));
    return OK;
}

int rule_file_parse(struct str text, const char *name, enum rule_lang lang, struct rule_file **out,
                    struct err *e)
{
    struct rule_file *f = mem_alloc_zero(sizeof *f);
    struct yaml *root = NULL;
    *f = (struct rule_file){ .arena = ARENA_INIT(FILE_ARENA_MAX), .refs = 1 };
    f->name = arena_str(&f->arena, str_of(name));
    struct reader r = { .file = f, .name = name, .e = e, .rule = SIZE_MAX, .lang = lang };
    map_init(&r.templates, 64);

    int rc = yaml_parse(arena_str(&f->arena, text), name, &f->arena, &root, e);
    if (rc == OK && root->kind != YAML_MAP && root->kind != YAML_NULL)
        rc = err_set(e, ERR_PARSE, "%s:%d: expected a map with groups", name, root->line);
    if (rc == OK && root->kind == YAML_MAP) rc = take_groups(&r, root);
    if (rc == OK && root->kind == YAML_MAP) rc = yaml_unknown(root, name, e);
    if (rc == OK) rc = check_unique(&r);
    map_release(&r.templates);
    if (rc == OK)
        *out = f;
    else
        rule_file_free(f);
    return rc;
}

int rule_file_load(const char *path, enum rule_lang lang, struct rule_file **out, struct err *e)
{
    struct buf text = BUF_INIT(RULE_FILE_BYTES_MAX);
    int rc = file_slurp(path, &text, e);
    if (rc == OK) rc = rule_file_parse(buf_view(&text), path, lang, out, e);
    buf_release(&text);
    return rc;
}

struct rule_file *rule_file_ref(struct rule_file *f)
{
    f->refs++;
    return f;
}

void rule_file_free(struct rule_file *f)
{
    if (f == NULL || --f->refs > 0) return;
    for (size_t i = 0; i < f->n_templates; i++) template_free(f->templates[i]);
    mem_free(f->templates);
    arena_release(&f->arena);
    mem_free(f);
}
