/* discover.c - the life of a source, and the list of groups that files and HTTP servers answer with. */
#include "receive/discover_impl.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

struct discover_found *discover_found_new(void)
{
    struct discover_found *f = mem_alloc_zero(sizeof *f);
    f->arena = (struct arena)ARENA_INIT(DISCOVER_MEMORY);
    return f;
}

void discover_found_free(struct discover_found *f)
{
    if (f == NULL) return;
    arena_release(&f->arena);
    mem_free(f);
}

struct discover_group *discover_found_add(struct discover_found *f)
{
    f->groups = arena_grow(&f->arena, f->groups, f->n, &f->cap, sizeof *f->groups);
    f->groups[f->n] = (struct discover_group){ 0 };
    return &f->groups[f->n++];
}

/* ---- life ---- */

struct discover_source *discover_source_new(struct scrape_conf *holder, const struct discover_conf *conf,
                                            const struct discover_env *env)
{
    struct discover_source *s = mem_alloc_zero(sizeof *s);
    s->conf = conf;
    s->holder = scrape_conf_ref(holder);
    s->env = *env;
    atomic_init(&s->refs, 1);
    pthread_mutex_init(&s->mu, NULL);
    if (conf->kind == DISCOVER_STATIC) s->known = s->changed = true;
    return s;
}

struct discover_source *discover_ref(struct discover_source *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void discover_unref(struct discover_source *s)
{
    if (atomic_fetch_sub(&s->refs, 1) > 1) return;
    discover_found_free(s->found);
    scrape_conf_free(s->holder);
    pthread_mutex_destroy(&s->mu);
    mem_free(s);
}

void discover_source_drop(struct discover_source *s)
{
    if (s == NULL) return;
    pthread_mutex_lock(&s->mu);
    s->dropped = true;
    pthread_mutex_unlock(&s->mu);
    discover_unref(s);
}

/* ---- answers ---- */

static bool settle(struct discover_source *s, struct discover_found *found, bool bad)
{
    pthread_mutex_lock(&s->mu);
    bool first_failure = bad && !s->failing;
    if (found != NULL) {
        discover_found_free(s->found);
        s->found = found;
    }
    s->changed |= found != NULL || !s->known;
    s->known = true;
    s->failing = bad;
    s->running = false;
    bool tell = !s->dropped;
    pthread_mutex_unlock(&s->mu);
    if (tell) s->env.changed(s->env.ctx);
    return first_failure && tell;
}

void discover_good(struct discover_source *s, struct discover_found *found)
{
    settle(s, found, false);
}

void discover_bad(struct discover_source *s, const char *what, const char *why)
{
    if (settle(s, NULL, true))
        log_warn("discover", "no answer; the last good targets stay", "of", what, "error", why, NULL);
}

bool discover_is_known(struct discover_source *s)
{
    pthread_mutex_lock(&s->mu);
    bool known = s->known;
    pthread_mutex_unlock(&s->mu);
    return known;
}

bool discover_take_changed(struct discover_source *s)
{
    pthread_mutex_lock(&s->mu);
    bool changed = s->changed;
    s->changed = false;
    pthread_mutex_unlock(&s->mu);
    return changed;
}

void discover_each(struct discover_source *s, void (*visit)(const struct discover_group *, void *), void *ctx)
{
    for (size_t i = 0; i < s->conf->n_groups; i++) visit(&s->conf->groups[i], ctx);
    pthread_mutex_lock(&s->mu);
    for (size_t i = 0; s->found != NULL && i < s->found->n; i++) visit(&s->found->groups[i], ctx);
    pthread_mutex_unlock(&s->mu);
}

/* ---- time ---- */

int64_t discover_tick(struct discover_source *s, int64_t now_ms)
{
    if (s->conf->kind == DISCOVER_STATIC) return INT64_MAX;
    if (s->conf->kind == DISCOVER_FILE) return discover_file_tick(s, now_ms);
    if (now_ms < s->due_ms) return s->due_ms;
    pthread_mutex_lock(&s->mu);
    bool start = !s->running;
    s->running = true;
    int64_t refresh_ms = s->refresh_ms > 0 ? s->refresh_ms : s->conf->refresh_ms;
    pthread_mutex_unlock(&s->mu);
    s->due_ms = now_ms + refresh_ms;
    if (!start) return s->due_ms;
    if (s->conf->kind == DISCOVER_HTTP) {
        discover_http_ask(discover_ref(s));
    } else if (!work_post(s->env.pool, discover_dns_ask, discover_ref(s))) {
        discover_bad(s, s->conf->names[0], "too many look-ups are waiting");
        discover_unref(s);
    }
    return s->due_ms;
}

/* ---- lists of groups ---- */

static void group_add_label(struct discover_found *f, struct discover_group *g, size_t *cap, struct str name,
                            struct str value)
{
    g->labels = arena_grow(&f->arena, g->labels, g->n_labels, cap, sizeof *g->labels);
    g->labels[g->n_labels++] = (struct label){ arena_str(&f->arena, name), arena_str(&f->arena, value) };
}

static void group_add_target(struct discover_found *f, struct discover_group *g, size_t *cap,
                             struct str target)
{
    g->targets = arena_grow(&f->arena, g->targets, g->n_targets, cap, sizeof *g->targets);
    g->targets[g->n_targets++] = arena_str(&f->arena, target);
}

static int check_size(const struct discover_found *f, struct err *e)
{
    return arena_over(&f->arena) ? err_set(e, ERR_LIMIT, "more targets than fit into 64 MiB") : OK;
}

static void json_group(struct json_reader *r, struct discover_found *f, const struct label *also)
{
    struct discover_group *g = discover_found_add(f);
    size_t cap_targets = 0, cap_labels = 0;
    struct str key, value, name;
    if (!json_object(r)) return;
    while (json_key(r, &key)) {
        if (str_is(key, "targets")) {
            if (!json_array(r)) return;
            while (json_next(r) && json_string(r, &value)) group_add_target(f, g, &cap_targets, value);
        } else if (str_is(key, "labels") && json_peek(r) == JSON_NULL) {
            json_skip(r);
        } else if (str_is(key, "labels")) {
            if (!json_object(r)) return;
            while (json_key(r, &name) && json_string(r, &value))
                group_add_label(f, g, &cap_labels, name, value);
        } else {
            json_skip(r);
        }
    }
    group_add_label(f, g, &cap_labels, also->name, also->value);
}

int discover_parse_json(struct str text, const struct label *also, struct discover_found *f, struct err *e)
{
    struct json_reader r;
    json_open(&r, text, &f->arena);
    if (json_array(&r))
        while (json_next(&r) && !arena_over(&f->arena)) json_group(&r, f, also);
    int rc = check_size(f, e);
    return rc < 0 ? rc : json_close(&r, e);
}

static int yaml_group(struct yaml *map, const char *path, struct discover_found *f, const struct label *also,
                      struct err *e)
{
    struct discover_group *g = discover_found_add(f);
    size_t cap_targets = 0, cap_labels = 0;
    struct yaml *targets = yaml_get(map, "targets"), *labels = yaml_get(map, "labels");
    if (map->kind != YAML_MAP)
        return err_set(e, ERR_PARSE, "%s:%d: expected a map with targets and labels", path, map->line);
    if (targets != NULL && targets->kind != YAML_LIST)
        return err_set(e, ERR_PARSE, "%s:%d: targets: expected a list", path, targets->line);
    if (labels != NULL && labels->kind != YAML_MAP)
        return err_set(e, ERR_PARSE, "%s:%d: labels: expected a map", path, labels->line);
    for (size_t i = 0; targets != NULL && i < targets->n; i++)
        group_add_target(f, g, &cap_targets, targets->items[i]->text);
    for (size_t i = 0; labels != NULL && i < labels->n; i++)
        group_add_label(f, g, &cap_labels, labels->keys[i], yaml_only(labels, i)->text);
    group_add_label(f, g, &cap_labels, also->name, also->value);
    return yaml_unknown(map, path, e);
}

int discover_parse_yaml(struct str text, const char *path, const struct label *also, struct discover_found *f,
                        struct err *e)
{
    struct yaml *root;
    int rc = yaml_parse(text, path, &f->arena, &root, e);
    if (rc < 0 || root->kind == YAML_NULL) return rc;
    if (root->kind != YAML_LIST)
        return err_set(e, ERR_PARSE, "%s:%d: expected a list of targets", path, root->line);
    for (size_t i = 0; i < root->n && rc == OK; i++) rc = yaml_group(root->items[i], path, f, also, e);
    return rc < 0 ? rc : check_size(f, e);
}
