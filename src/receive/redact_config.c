/* redact_config.c - the section `redaction` of the configuration, and the key under which secrets are hashed.
 *
 * The key is read from hash_key_file (any 16 bytes or more), else from <data>/redaction.key, which is made of
 * random bytes, readable by its owner only, when a rule hashes for the first time. */
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "receive/redact_impl.h"

#define KEY_FILE_MIN 16
#define KEY_FILE_MAX (64u << 10)

/* ---- the key ---- */

static int key_make(const char *path, struct err *e)
{
    uint8_t fresh[REDACT_KEY_BYTES];
    if (gnutls_rnd(GNUTLS_RND_KEY, fresh, sizeof fresh) < 0)
        return err_set(e, ERR_IO, "no random bytes for %s", path);
    int rc = file_replace(path, str_make(fresh, sizeof fresh), e);
    gnutls_memset(fresh, 0, sizeof fresh);
    if (rc == OK && chmod(path, 0600) < 0) rc = err_errno(e, ERR_IO, "%s", path);
    return rc;
}

/* Whatever is in the file, made as long as a key is. */
static int key_read(struct redact *r, const char *path, struct err *e)
{
    struct buf text = BUF_INIT(KEY_FILE_MAX);
    int rc = file_slurp(path, &text, e);
    if (rc == OK && text.n < KEY_FILE_MIN)
        rc = err_set(e, ERR_RANGE, "%s: a key has %d bytes or more", path, KEY_FILE_MIN);
    if (rc == OK && gnutls_hash_fast(GNUTLS_DIG_SHA256, text.p, text.n, r->key) < 0)
        rc = err_set(e, ERR_IO, "%s: cannot be made a key", path);
    if (text.p != NULL) gnutls_memset(text.p, 0, text.n);
    buf_release(&text);
    return rc;
}

static bool hashes(const struct redact *r)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->rules[i].action == REDACT_HASH ||
            (r->rules[i].fields & REDACT_LABEL_NAMES) == REDACT_LABEL_NAMES)
            return true;
    return false;
}

static int key_open(struct redact *r, const struct yaml *given, const char *data_dir, struct err *e)
{
    char path[4096];
    struct str name = STR("");
    int rc = yaml_str(given, &name, e);
    if (rc < 0 || data_dir == NULL || !hashes(r)) return rc;
    if (name.n > 0) {
        snprintf(path, sizeof path, "%.*s", STR_ARG(name));
        return key_read(r, path, e);
    }
    snprintf(path, sizeof path, "%s/redaction.key", data_dir);
    if ((rc = file_mkdirs(data_dir, e)) < 0) return rc;
    if (!file_exists(path) && (rc = key_make(path, e)) < 0) return rc;
    return key_read(r, path, e);
}

/* ---- rules ---- */

struct word {
    const char *name;
    unsigned value;
};

static const struct word actions[] = { { "drop", REDACT_DROP },
                                       { "mask", REDACT_MASK },
                                       { "hash", REDACT_HASH },
                                       { "keep_numbers", REDACT_KEEP_NUMBERS },
                                       { NULL, 0 } };
static const struct word fields[] = { { "attributes", REDACT_ATTRIBUTES },
                                      { "resource", REDACT_RESOURCE },
                                      { "scope", REDACT_SCOPE },
                                      { "body", REDACT_BODY },
                                      { "name", REDACT_NAME },
                                      { "events", REDACT_EVENTS },
                                      { "links", REDACT_LINKS },
                                      { "status", REDACT_STATUS },
                                      { "labels", REDACT_LABELS },
                                      { "names", REDACT_NAMES },
                                      { NULL, 0 } };

static int read_word(const struct yaml *node, const struct word *words, const char *what, unsigned *out,
                     struct err *e)
{
    struct str text = STR("");
    struct buf all = BUF_INIT(512);
    int rc = yaml_str(node, &text, e);
    if (node == NULL || rc < 0) return rc;
    for (const struct word *w = words; w->name != NULL; w++) {
        if (str_is(text, w->name)) {
            *out = w->value;
            buf_release(&all);
            return OK;
        }
        buf_printf(&all, "%s%s", all.n > 0 ? ", " : "", w->name);
    }
    rc = err_set(e, ERR_RANGE, "line %d: %s \"%.*s\" is none of %s", node->line, what,
                 (int)MIN(text.n, (size_t)64), text.p, buf_cstr(&all));
    buf_release(&all);
    return rc;
}

static int list_of(const struct yaml *node, const char *what, struct err *e)
{
    if (node == NULL || node->kind == YAML_LIST) return OK;
    return err_set(e, ERR_PARSE, "line %d: %s: expected a list", node->line, what);
}

static int read_fields(const struct yaml *list, unsigned *out, struct err *e)
{
    int rc = list_of(list, "fields", e);
    if (list == NULL || rc < 0) return rc;
    *out = 0;
    for (size_t i = 0; rc == OK && i < list->n; i++) {
        unsigned one = 0;
        rc = read_word(list->items[i], fields, "field", &one, e);
        *out |= one;
    }
    return rc;
}

static int read_keys(struct redact *r, const struct yaml *list, struct redact_rule *rule, struct err *e)
{
    int rc = list_of(list, "keys", e);
    if (list == NULL || rc < 0) return rc;
    rule->keys = arena_array(&r->arena, list->n + 1, sizeof *rule->keys);
    for (rule->n_keys = 0; rc == OK && rule->n_keys < list->n; rule->n_keys++) {
        struct str key = STR("");
        rc = yaml_str(list->items[rule->n_keys], &key, e);
        rule->keys[rule->n_keys] = arena_str(&r->arena, key);
    }
    return rc;
}

static int set_builtin(struct redact_rule *rule, const struct yaml *node, struct err *e)
{
    struct str name = STR("");
    int rc = yaml_str(node, &name, e);
    if (node == NULL || rc < 0) return rc;
    const struct redact_builtin *b = redact_builtin(name);
    if (b == NULL)
        return err_set(e, ERR_RANGE, "line %d: \"%.*s\" is no built-in pattern: %s", node->line,
                       (int)MIN(name.n, (size_t)64), name.p, redact_builtin_names);
    if (rule->name.n == 0) rule->name = str_of(b->name);
    rule->find = b->find;
    rule->must_have = b->must_have;
    return b->pattern != NULL ? regex_new_search(str_of(b->pattern), &rule->pattern, e) : OK;
}

static int set_pattern(struct redact_rule *rule, const struct yaml *node, struct err *e)
{
    struct str text = STR("");
    int rc = yaml_str(node, &text, e);
    if (node == NULL || rc < 0) return rc;
    if ((rc = regex_new_search(text, &rule->pattern, e)) < 0) err_where(e, "line %d: pattern", node->line);
    return rc;
}

static int one_of_three(const struct redact_rule *rule, struct yaml *node, struct err *e)
{
    int n = (yaml_get(node, "keys") != NULL) + (yaml_get(node, "pattern") != NULL) +
            (yaml_get(node, "builtin") != NULL);
    if (n != 1)
        return err_set(e, ERR_PARSE, "line %d: a rule has one of keys, pattern and builtin", node->line);
    if (rule->n_keys == 0 && rule->pattern == NULL && rule->find == NULL)
        return err_set(e, ERR_PARSE, "line %d: this rule hits nothing", node->line);
    return OK;
}

static void count_hits(struct redact_rule *rule)
{
    char labels[200];
    snprintf(labels, sizeof labels, "rule=\"%.*s\",mode=\"%s\"", (int)MIN(rule->name.n, (size_t)64),
             rule->name.p, rule->dry_run ? "dry_run" : "applied");
    rule->hits =
        stat_counter("vedette_redacted_values_total",
                     "Values that a redaction rule hit; in a dry run they were left as they are.", labels);
}

/* The name is a label's value, and a word for people: letters, digits and what joins them. */
static int check_name(const struct redact_rule *rule, int line, struct err *e)
{
    for (size_t i = 0; i < rule->name.n; i++)
        if (rule->name.p[i] < ' ' || strchr("\"\\\x7f", rule->name.p[i]) != NULL)
            return err_set(e, ERR_RANGE, "line %d: a rule's name has no quotes, backslashes or controls",
                           line);
    return OK;
}

/* A name that is nothing but a mask would be every name's. */
static int check_names(const struct redact_rule *rule, int line, struct err *e)
{
    bool is_lost = rule->action == REDACT_DROP || rule->action == REDACT_HASH;
    if (rule->n_keys == 0 || !(rule->fields & REDACT_NAMES) || is_lost) return OK;
    return err_set(e, ERR_RANGE, "line %d: keys with the field names want the action drop or hash", line);
}

static int read_rule(struct redact *r, struct yaml *node, bool dry_run, struct err *e)
{
    struct redact_rule *rule = &r->rules[r->n];
    unsigned action = REDACT_MASK;
    struct str name = STR("");
    int rc;

    if (node->kind != YAML_MAP) return err_set(e, ERR_PARSE, "line %d: expected a rule: a map", node->line);
    *rule = (struct redact_rule){ .fields = REDACT_PRESET, .dry_run = dry_run };
    r->n++; /* from here on redact_free frees it */
    if ((rc = yaml_str(yaml_get(node, "name"), &name, e)) < 0) return rc;
    rule->name = arena_str(&r->arena, name);
    if ((rc = read_keys(r, yaml_get(node, "keys"), rule, e)) < 0) return rc;
    if ((rc = set_pattern(rule, yaml_get(node, "pattern"), e)) < 0) return rc;
    if ((rc = set_builtin(rule, yaml_get(node, "builtin"), e)) < 0) return rc;
    if ((rc = one_of_three(rule, node, e)) < 0) return rc;
    if ((rc = read_fields(yaml_get(node, "fields"), &rule->fields, e)) < 0) return rc;
    if ((rc = read_word(yaml_get(node, "action"), actions, "action", &action, e)) < 0) return rc;
    if ((rc = yaml_bool(yaml_get(node, "dry_run"), &rule->dry_run, e)) < 0) return rc;
    rule->action = (enum redact_action)action;
    if ((rc = check_names(rule, node->line, e)) < 0) return rc;
    if (rule->name.n == 0) rule->name = arena_printf(&r->arena, "rule %zu", r->n);
    if ((rc = check_name(rule, node->line, e)) < 0) return rc;
    count_hits(rule);
    return OK;
}

static int read_builtin(struct redact *r, const struct yaml *list, bool dry_run, struct err *e)
{
    int rc = list_of(list, "builtin", e);
    for (size_t i = 0; rc == OK && list != NULL && i < list->n; i++) {
        struct redact_rule *rule = &r->rules[r->n++];
        *rule = (struct redact_rule){ .fields = REDACT_BUILTIN, .dry_run = dry_run, .action = REDACT_MASK };
        rc = set_builtin(rule, list->items[i], e);
        if (rc == OK) count_hits(rule);
    }
    return rc;
}

static int read_rules(struct redact *r, struct yaml *section, struct err *e)
{
    struct yaml *rules = yaml_get(section, "rules"), *builtin = yaml_get(section, "builtin");
    bool dry_run = false;
    int rc = yaml_bool(yaml_get(section, "dry_run"), &dry_run, e);
    if (rc < 0 || (rc = list_of(rules, "rules", e)) < 0 || (rc = list_of(builtin, "builtin", e)) < 0)
        return rc;
    size_t n = (rules ? rules->n : 0) + (builtin ? builtin->n : 0);
    if (n > REDACT_RULES_MAX)
        return err_set(e, ERR_LIMIT, "line %d: more than %d rules", section->line, REDACT_RULES_MAX);
    r->rules = arena_zero(&r->arena, (n + 1) * sizeof *r->rules);
    for (size_t i = 0; rules != NULL && i < rules->n; i++)
        if ((rc = read_rule(r, rules->items[i], dry_run, e)) < 0) return rc;
    return read_builtin(r, builtin, dry_run, e);
}

/* ---- life ---- */

int redact_new(struct yaml *section, const char *data_dir, struct redact **out, struct err *e)
{
    *out = NULL;
    if (section == NULL) return OK;
    if (section->kind != YAML_MAP)
        return err_set(e, ERR_PARSE, "line %d: redaction: expected a map", section->line);
    struct redact *r = mem_alloc_zero(sizeof *r);
    r->arena = (struct arena)ARENA_INIT(16u << 20);
    int rc = read_rules(r, section, e);
    if (rc == OK) rc = key_open(r, yaml_get(section, "hash_key_file"), data_dir, e);
    for (size_t i = 0; i < r->n; i++) {
        r->has_keys |= r->rules[i].n_keys > 0;
        r->fields |= r->rules[i].fields;
    }
    if (rc == OK && r->n > 0) {
        *out = r;
        return OK;
    }
    redact_free(r);
    return rc;
}

void redact_free(struct redact *r)
{
    if (r == NULL) return;
    for (size_t i = 0; i < r->n; i++) regex_free(r->rules[i].pattern);
    gnutls_memset(r->key, 0, sizeof r->key);
    arena_release(&r->arena);
    mem_free(r);
}
