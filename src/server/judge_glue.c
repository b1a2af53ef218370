/* judge_glue.c - see judge_glue.h. */
#include "server/judge_glue.h"

#include <glob.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "judge/builtin.h"
#include "receive/relabel.h"

#define CONF_ARENA_MAX (64u << 20)
#define PLAN_CACHE_BYTES                                                                                     \
    ((size_t)256 << 20) /* what is not needed is not taken; rules are asked again and again */
#define RULE_QUERIES 8  /* at once */

struct judge_conf {
    struct arena arena;
    struct rules_settings settings;
    struct relabel relabel;
    struct rule_file **files; /* until they are the rules' */
    size_t n_files, cap_files;
};

void judge_conf_free(struct judge_conf *c)
{
    if (c == NULL) return;
    for (size_t i = 0; i < c->n_files; i++) rule_file_free(c->files[i]);
    mem_free(c->files);
    relabel_release(&c->relabel);
    arena_release(&c->arena);
    mem_free(c);
}

/* ---- files ---- */

static void keep_file(struct judge_conf *c, struct rule_file *f)
{
    c->files = mem_grow(c->files, c->n_files, &c->cap_files, sizeof(struct rule_file *));
    c->files[c->n_files++] = f;
}

static bool has_file(const struct judge_conf *c, const char *path)
{
    for (size_t i = 0; i < c->n_files; i++)
        if (str_is(c->files[i]->name, path)) return true;
    return false;
}

static int read_files(struct judge_conf *c, const char *pattern, enum rule_lang lang, struct err *e)
{
    glob_t found = { 0 };
    int rc = OK, status = glob(pattern, 0, NULL, &found);
    if (status == GLOB_NOMATCH) log_warn("rules", "no file has this name", "rule_files", pattern, NULL);
    if (status != 0 && status != GLOB_NOMATCH)
        rc = err_set(e, ERR_IO, "rule_files: %s cannot be read", pattern);
    for (size_t i = 0; rc == OK && status == 0 && i < found.gl_pathc; i++) {
        struct rule_file *f;
        if (has_file(c, found.gl_pathv[i])) continue;
        rc = rule_file_load(found.gl_pathv[i], lang, &f, e);
        if (rc == OK) keep_file(c, f);
    }
    globfree(&found);
    return rc;
}

/* Names are relative to the folder of the configuration. */
static int read_patterns(struct judge_conf *c, struct yaml *list, const char *file, enum rule_lang lang,
                         struct err *e)
{
    const char *slash = strrchr(file, '/');
    int folder = slash != NULL ? (int)(slash - file) + 1 : 0, rc = OK;
    if (list == NULL) return OK;
    if (list->kind != YAML_LIST)
        return err_set(e, ERR_PARSE, "%s:%d: rule_files: expected a list", file, list->line);
    for (size_t i = 0; rc == OK && i < list->n; i++) {
        struct str pattern = STR("");
        if (list->items[i]->kind != YAML_SCALAR || (pattern = list->items[i]->text).n == 0)
            return err_set(e, ERR_PARSE, "%s:%d: rule_files: expected the name of a file", file,
                           list->items[i]->line);
        if (pattern.p[0] != '/')
            pattern = arena_printf(&c->arena, "%.*s%.*s", folder, file, STR_ARG(pattern));
        rc = read_files(c, arena_str(&c->arena, pattern).p, lang, e);
    }
    return rc;
}

static int read_builtin(struct judge_conf *c, struct err *e)
{
    for (size_t i = 0; i < builtin_rules_count; i++) {
        struct rule_file *f;
        const struct builtin_rules *b = &builtin_rules[i];
        int rc =
            rule_file_parse(str_make(b->begin, (size_t)(b->end - b->begin)), b->name, RULE_PROMQL, &f, e);
        if (rc < 0) return rc;
        keep_file(c, f);
    }
    return OK;
}

/* ---- settings ---- */

static int read_external(struct judge_conf *c, struct yaml *map, const char *file, struct err *e)
{
    struct err why = ERR_INIT;
    if (map == NULL) return OK;
    if (map->kind != YAML_MAP)
        return err_set(e, ERR_PARSE, "%s:%d: external_labels: expected a map", file, map->line);
    struct label *at = arena_array(&c->arena, map->n + 1, sizeof *at);
    size_t n = 0;
    for (size_t i = 0; i < map->n; i++) {
        struct str value = STR("");
        if (yaml_str(map->items[i], &value, &why) < 0)
            return err_set(e, ERR_PARSE, "%s: external_labels: %s", file, why.text);
        at[n++] = (struct label){ arena_str(&c->arena, map->keys[i]), arena_str(&c->arena, value) };
    }
    if (n > 0 && labels_normalise(at, &n, &why) < 0 && n > 0)
        return err_set(e, ERR_PARSE, "%s:%d: external_labels: %s", file, map->line, why.text);
    c->settings.external = (struct labels){ at, n };
    return OK;
}

static int read_settings(struct judge_conf *c, struct yaml *root, const char *file, struct err *e)
{
    struct yaml *global = yaml_get(root, "global"), *alerting = yaml_get(root, "alerting");
    struct err why = ERR_INIT;
    c->settings.interval_ms = 60000;
    if (yaml_duration_ms(yaml_get(global, "evaluation_interval"), &c->settings.interval_ms, &why) < 0 ||
        yaml_duration_ms(yaml_get(global, "rule_query_offset"), &c->settings.offset_ms, &why) < 0)
        return err_set(e, ERR_PARSE, "%s: global: %s", file, why.text);
    if (c->settings.interval_ms <= 0)
        return err_set(e, ERR_RANGE, "%s: global: evaluation_interval is 0", file);
    int rc = read_external(c, yaml_get(global, "external_labels"), file, e);
    if (rc < 0 || alerting == NULL) return rc;
    return relabel_parse(yaml_get(alerting, "alert_relabel_configs"), file, &c->arena, &c->relabel, e);
}

int judge_conf_read(struct yaml *root, const char *file, bool builtin, const char *external_url,
                    struct judge_conf **out, struct err *e)
{
    struct judge_conf *c = mem_alloc_zero(sizeof *c);
    struct str url = str_of(external_url);
    c->arena = (struct arena)ARENA_INIT(CONF_ARENA_MAX);
    while (url.n > 0 && url.p[url.n - 1] == '/') url.n--;
    c->settings.external_url = arena_str(&c->arena, url);
    int rc = read_settings(c, root, file, e);
    if (rc == OK) rc = read_patterns(c, yaml_get(root, "rule_files"), file, RULE_PROMQL, e);
    if (rc == OK) rc = read_patterns(c, yaml_get(root, "log_rule_files"), file, RULE_LOGQL, e);
    if (rc == OK && builtin) rc = read_builtin(c, e);
    if (rc == OK)
        *out = c;
    else
        judge_conf_free(c);
    return rc;
}

/* ---- the way of an alert ---- */

/* False: alert_relabel_configs drop it. */
static bool dress(const struct judge_conf *c, struct alert *a, struct arena *arena)
{
    struct labels ext = c->settings.external;
    struct label_set set = { .cap = a->labels.n + ext.n + 1, .arena = arena };
    set.at = arena_array(arena, set.cap, sizeof *set.at);
    for (size_t i = 0; i < a->labels.n; i++) set.at[set.n++] = a->labels.at[i];
    for (size_t i = 0; i < ext.n; i++)
        if (labels_get_str(a->labels, ext.at[i].name).n == 0) set.at[set.n++] = ext.at[i];
    if (!relabel_apply(&c->relabel, &set) || labels_normalise(set.at, &set.n, NULL) < 0) return false;
    a->labels = (struct labels){ set.at, set.n };
    return true;
}

static void send_on(void *ctx, const struct alert *alerts, size_t n)
{
    struct judge_glue *g = ctx;
    struct arena arena = ARENA_INIT((size_t)256 << 20);
    struct alert *dressed = arena_array(&arena, n, sizeof *dressed);
    size_t n_dressed = 0;
    pthread_mutex_lock(&g->mu);
    for (size_t i = 0; i < n; i++) {
        struct alert a = alerts[i];
        if (dress(g->conf, &a, &arena)) dressed[n_dressed++] = a;
    }
    if (n_dressed > 0 && g->next.send != NULL) g->next.send(g->next.ctx, dressed, n_dressed);
    pthread_mutex_unlock(&g->mu); /* the external labels are the configuration's until here */
    arena_release(&arena);
}

/* ---- life ---- */

static void load(struct judge_glue *g, struct judge_conf *c)
{
    rules_load(g->rules, c->files, c->n_files, &c->settings);
    c->n_files = 0;
}

void judge_glue_open(struct judge_glue *g, struct judge_conf *conf, struct work_pool *pool,
                     struct prometheus_api *api, struct alert_sink next)
{
    *g = (struct judge_glue){ .conf = conf, .next = next };
    pthread_mutex_init(&g->mu, NULL);
    g->engine = engine_new(api->store, pool,
                           &(struct engine_conf){ .lookback_ms = api->lookback_ms,
                                                  .timeout_ms = api->timeout_ms,
                                                  .max_memory_bytes = api->memory_bytes,
                                                  .max_concurrent = RULE_QUERIES,
                                                  .no_result_cache = true,
                                                  .plan_cache_bytes = PLAN_CACHE_BYTES });
    g->logql = logql_new(api->store, pool,
                         &(struct logql_conf){ .timeout_ms = api->timeout_ms,
                                               .max_memory_bytes = api->memory_bytes,
                                               .max_concurrent = RULE_QUERIES });
    g->rules = rules_start(&(struct rules_conf){
        .store = api->store, .query = { g->engine, g->logql, NULL }, .sink = { send_on, g } });
    load(g, conf);
    api->rules = g->rules;
}

void judge_glue_reload(struct judge_glue *g, struct judge_conf *conf)
{
    pthread_mutex_lock(&g->mu);
    struct judge_conf *old = g->conf;
    g->conf = conf;
    pthread_mutex_unlock(&g->mu);
    judge_conf_free(old);
    load(g, conf);
}

void judge_glue_close(struct judge_glue *g)
{
    if (g->rules == NULL) return;
    rules_stop(g->rules);
    logql_free(g->logql);
    engine_free(g->engine);
    judge_conf_free(g->conf);
    pthread_mutex_destroy(&g->mu);
    *g = (struct judge_glue){ 0 };
}
