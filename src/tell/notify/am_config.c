/* am_config.c - see am_config.h: the sections of the file. Routes are in am_route.c, what is shown of the
 * file in am_config_print.c.
 *
 * Reading goes straight down: the first error sticks in the reader and later reads do nothing. */
#include "tell/notify/am_config_impl.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "tell/notify/cascade.h"

#define ARENA_MAX (64u << 20)

void am_fail(struct am_reader *r, int line, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    if (r->rc < 0) return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    r->rc = err_set(r->e, ERR_PARSE, "%s:%d: %s", r->load->name, line, text);
}

/* rc came from a reader that says only "line N". */
void am_took(struct am_reader *r, int rc, const char *what)
{
    if (r->rc < 0 || rc >= 0) return;
    err_where(r->e, "%s: %s", r->load->name, what);
    r->rc = rc;
}

struct yaml *am_list(struct am_reader *r, struct yaml *map, const char *key)
{
    static struct yaml none = { .kind = YAML_LIST };
    struct yaml *y = yaml_get(map, key);
    if (y == NULL) return &none;
    if (y->kind == YAML_LIST) return y;
    am_fail(r, y->line, "%s is a list", key);
    return &none;
}

void am_text(struct am_reader *r, struct yaml *map, const char *key, struct str *out)
{
    if (r->rc == OK) am_took(r, yaml_str(yaml_get(map, key), out, r->e), key);
}

void am_duration(struct am_reader *r, struct yaml *map, const char *key, int64_t *out)
{
    struct yaml *y = yaml_get(map, key);
    if (r->rc == OK) am_took(r, yaml_duration_ms(y, out, r->e), key);
    if (y != NULL && *out < 0) am_fail(r, y->line, "%s is below zero", key);
}

size_t am_texts(struct am_reader *r, struct yaml *map, const char *key, struct str **out)
{
    struct yaml *list = am_list(r, map, key);
    struct str *at = arena_zero(&r->conf->arena, (list->n + 1) * sizeof *at);
    for (size_t i = 0; i < list->n && r->rc == OK; i++)
        am_took(r, yaml_str(list->items[i], &at[i], r->e), key);
    *out = at;
    return list->n;
}

/* A list of texts; also one text, as many write it. */
void am_matcher_list(struct am_reader *r, struct yaml *map, const char *key, struct am_matchers *m)
{
    struct yaml *y = yaml_get(map, key);
    struct yaml *one[] = { y };
    if (y == NULL) return;
    bool is_list = y->kind == YAML_LIST;
    if (y->kind == YAML_MAP) am_fail(r, y->line, "%s is a list of texts like 'a=\"b\"'", key);
    for (size_t i = 0; r->rc == OK && i < (is_list ? y->n : 1); i++) {
        struct yaml *item = is_list ? y->items[i] : one[0];
        struct str text = STR("");
        struct err why = ERR_INIT;
        am_took(r, yaml_str(item, &text, r->e), key);
        if (r->rc == OK && am_matchers_parse(text, &r->conf->arena, m, &why) < 0)
            am_fail(r, item->line, "%s: %s", key, why.text);
    }
}

/* match: {a: b} and match_re: the old forms. */
void am_matcher_map(struct am_reader *r, struct yaml *map, const char *key, enum matcher_op op,
                    struct am_matchers *m)
{
    struct yaml *y = yaml_get(map, key);
    if (y == NULL) return;
    if (y->kind != YAML_MAP) am_fail(r, y->line, "%s is a map from label to value", key);
    for (size_t i = 0; r->rc == OK && i < y->n; i++) {
        struct str value = STR("");
        struct err why = ERR_INIT;
        am_took(r, yaml_str(yaml_only(y, i), &value, r->e), key);
        if (r->rc == OK && y->keys[i].n == 0) am_fail(r, y->key_lines[i], "%s: an empty label name", key);
        if (r->rc == OK && am_matchers_add(m, op, y->keys[i], value, &r->conf->arena, &why) < 0)
            am_fail(r, y->key_lines[i], "%s: %s", key, why.text);
    }
}

/* ---- receivers ---- */

static void accept_all(struct yaml *y)
{
    for (size_t i = 0; i < y->n; i++) accept_all(y->kind == YAML_MAP ? yaml_only(y, i) : y->items[i]);
}

static void read_integration(struct am_reader *r, struct am_receiver *to, struct str key, struct yaml *map,
                             size_t index)
{
    struct am_integration *in = &to->at[to->n++];
    const struct channel_kind *k = r->load->kind(key);
    struct str name = k ? str_of(k->name) : str_make(key.p, key.n - (str_ends(key, "_configs") ? 8 : 0));
    struct arena *a = &r->conf->arena;
    *in = (struct am_integration){ .kind = k, .index = index, .receiver = to, .kind_name = name };
    in->key = arena_printf(a, "%.*s/%.*s/%zu", STR_ARG(to->name), STR_ARG(name), index);
    if (k == NULL) {
        r->conf->n_foreign++;
        log_warn("notify", "this kind of receiver is not served here and stays silent", "receiver",
                 to->name.p, "kind", arena_str(a, name).p, NULL);
        accept_all(map);
        return;
    }
    in->send_resolved = k->sends_resolved;
    am_took(r, yaml_bool(yaml_get(map, "send_resolved"), &in->send_resolved, r->e), "send_resolved");
    struct channel_defaults d = { r->global, str_of(r->load->base_dir), r->load->outbound };
    if (r->rc == OK) am_took(r, k->read(map, &d, a, &in->conf, r->e), to->name.p);
}

static bool is_integration(const struct am_reader *r, struct str key)
{
    return r->load->kind(key) != NULL || r->load->is_foreign(key);
}

static size_t count_integrations(struct am_reader *r, struct yaml *map)
{
    size_t n = 0;
    for (size_t i = 0; i < map->n; i++) {
        if (!is_integration(r, map->keys[i])) continue;
        if (map->items[i]->kind != YAML_LIST && map->items[i]->kind != YAML_NULL)
            am_fail(r, map->items[i]->line, "%.*s is a list", STR_ARG(map->keys[i]));
        n += map->items[i]->n;
    }
    return n;
}

static void read_receiver(struct am_reader *r, struct yaml *map, struct am_receiver *to)
{
    am_text(r, map, "name", &to->name);
    if (r->rc == OK && to->name.n == 0) am_fail(r, map->line, "a receiver needs a name");
    if (r->rc < 0) return;
    to->name = arena_str(&r->conf->arena, to->name);
    for (size_t i = 0; i + 1 < r->conf->n_receivers; i++)
        if (str_eq(r->conf->receivers[i].name, to->name))
            am_fail(r, map->line, "two receivers are named \"%.*s\"", STR_ARG(to->name));
    to->at = arena_zero(&r->conf->arena, count_integrations(r, map) * sizeof *to->at);
    for (size_t i = 0; i < map->n && r->rc == OK; i++) {
        if (!is_integration(r, map->keys[i])) continue;
        struct yaml *list = yaml_only(map, i);
        for (size_t k = 0; k < list->n && r->rc == OK; k++) {
            if (list->items[k]->kind != YAML_MAP)
                am_fail(r, list->items[k]->line, "%.*s[%zu] is a map", STR_ARG(map->keys[i]), k);
            else
                read_integration(r, to, map->keys[i], list->items[k], k);
        }
    }
}

static void read_receivers(struct am_reader *r, struct yaml *root)
{
    struct yaml *list = am_list(r, root, "receivers");
    r->conf->receivers = arena_zero(&r->conf->arena, list->n * sizeof *r->conf->receivers);
    for (size_t i = 0; i < list->n && r->rc == OK; i++)
        read_receiver(r, list->items[i], &r->conf->receivers[r->conf->n_receivers++]);
}

/* ---- the rest ---- */

static void read_inhibit(struct am_reader *r, struct yaml *root)
{
    struct yaml *list = am_list(r, root, "inhibit_rules");
    r->conf->inhibit = arena_zero(&r->conf->arena, list->n * sizeof *r->conf->inhibit);
    for (size_t i = 0; i < list->n && r->rc == OK; i++) {
        struct yaml *map = list->items[i];
        struct am_inhibit_rule *rule = &r->conf->inhibit[r->conf->n_inhibit++];
        if (map->kind != YAML_MAP) am_fail(r, map->line, "an inhibition rule is a map");
        am_text(r, map, "name", &rule->name);
        am_matcher_map(r, map, "source_match", MATCH_EQ, &rule->source);
        am_matcher_map(r, map, "source_match_re", MATCH_RE, &rule->source);
        am_matcher_list(r, map, "source_matchers", &rule->source);
        am_matcher_map(r, map, "target_match", MATCH_EQ, &rule->target);
        am_matcher_map(r, map, "target_match_re", MATCH_RE, &rule->target);
        am_matcher_list(r, map, "target_matchers", &rule->target);
        rule->n_equal = am_texts(r, map, "equal", &rule->equal);
    }
}

static void read_intervals(struct am_reader *r, struct yaml *root)
{
    struct yaml *lists[] = { am_list(r, root, "time_intervals"), am_list(r, root, "mute_time_intervals") };
    struct am_config *c = r->conf;
    c->intervals = arena_zero(&c->arena, (lists[0]->n + lists[1]->n) * sizeof *c->intervals);
    for (size_t l = 0; l < COUNT(lists); l++)
        for (size_t i = 0; i < lists[l]->n && r->rc == OK; i++) {
            struct time_interval *t = &c->intervals[c->n_intervals++];
            am_took(r, time_interval_read(lists[l]->items[i], &c->arena, t, r->e), "time_intervals");
            for (size_t k = 0; k + 1 < c->n_intervals && r->rc == OK; k++)
                if (str_eq(c->intervals[k].name, t->name))
                    am_fail(r, lists[l]->items[i]->line, "two time intervals are named \"%.*s\"",
                            STR_ARG(t->name));
        }
}

size_t am_interval_list(struct am_reader *r, struct yaml *map, const char *key,
                        const struct time_interval ***out)
{
    struct yaml *list = am_list(r, map, key);
    struct str *names;
    size_t n = am_texts(r, map, key, &names);
    *out = arena_zero(&r->conf->arena, (n + 1) * sizeof **out);
    for (size_t i = 0; i < n && r->rc == OK; i++) {
        for (size_t k = 0; k < r->conf->n_intervals; k++)
            if (str_eq(r->conf->intervals[k].name, names[i])) (*out)[i] = &r->conf->intervals[k];
        if ((*out)[i] == NULL)
            am_fail(r, list->items[i]->line, "undefined time interval \"%.*s\"", STR_ARG(names[i]));
    }
    return n;
}

static void read_maintenance(struct am_reader *r, struct yaml *root)
{
    struct yaml *list = am_list(r, root, "maintenance_windows");
    struct am_config *c = r->conf;
    c->maintenance = arena_zero(&c->arena, list->n * sizeof *c->maintenance);
    for (size_t i = 0; i < list->n && r->rc == OK; i++) {
        struct am_maintenance *m = &c->maintenance[c->n_maintenance++];
        am_text(r, list->items[i], "name", &m->name);
        am_matcher_list(r, list->items[i], "matchers", &m->matchers);
        m->n_when = am_interval_list(r, list->items[i], "time_intervals", &m->when);
        if (r->rc == OK && (m->name.n == 0 || m->n_when == 0))
            am_fail(r, list->items[i]->line, "a maintenance window needs a name and time_intervals");
    }
}

static void read_cascade(struct am_reader *r, struct yaml *root)
{
    struct yaml *map = yaml_get(root, "cascade_detection");
    int64_t hops = CASCADE_HOPS;
    r->conf->cascade_window_ms = CASCADE_WINDOW_MS;
    if (map != NULL && map->kind != YAML_MAP) am_fail(r, map->line, "cascade_detection is a map");
    if (map != NULL) am_took(r, yaml_i64(yaml_get(map, "hops"), &hops, r->e), "cascade_detection.hops");
    if (map != NULL) am_duration(r, map, "window", &r->conf->cascade_window_ms);
    if (r->rc == OK && (hops < 1 || hops > CASCADE_HOPS_MAX))
        am_fail(r, map->line, "cascade_detection.hops is from 1 to %d", CASCADE_HOPS_MAX);
    r->conf->cascade_hops = (unsigned)hops;
}

static void read_beyond(struct am_reader *r, struct yaml *root)
{
    struct yaml *flap = yaml_get(root, "flap_damping");
    int64_t changes = 0;
    if (flap != NULL) {
        r->conf->flap_window_ms = 10 * 60000;
        am_took(r, yaml_i64(yaml_get(flap, "changes"), &changes, r->e), "flap_damping.changes");
        am_duration(r, flap, "window", &r->conf->flap_window_ms);
        if (r->rc == OK && (changes < 2 || changes > 1000 || r->conf->flap_window_ms < 1))
            am_fail(r, flap->line, "flap_damping wants changes from 2 to 1000, and a window");
        r->conf->flap_changes = (uint64_t)changes;
    }
    read_cascade(r, root);
    read_maintenance(r, root);
}

static void read_templates(struct am_reader *r, struct yaml *root)
{
    struct am_config *c = r->conf;
    c->n_template_files = am_texts(r, root, "templates", &c->template_files);
    for (size_t i = 0; i < c->n_template_files; i++) {
        struct str *f = &c->template_files[i];
        bool is_relative = f->n > 0 && f->p[0] != '/' && r->load->base_dir[0] != 0;
        *f = is_relative ? arena_printf(&c->arena, "%s/%.*s", r->load->base_dir, STR_ARG(*f))
                         : arena_str(&c->arena, *f);
    }
}

/* What our channels do not read of it is of no effect here and no mistake. */
static void read_global(struct am_reader *r, struct yaml *root)
{
    r->conf->resolve_timeout_ms = 5 * 60000;
    r->global = yaml_get(root, "global");
    if (r->global == NULL) return;
    if (r->global->kind != YAML_MAP) am_fail(r, r->global->line, "global is a map");
    am_duration(r, r->global, "resolve_timeout", &r->conf->resolve_timeout_ms);
    for (size_t i = 0; r->rc == OK && i < r->global->n; i++)
        if (!am_global_is_known(r->global->keys[i]))
            am_fail(r, r->global->key_lines[i], "global: unknown key \"%.*s\"", STR_ARG(r->global->keys[i]));
    accept_all(r->global);
}

static void read_all(struct am_reader *r, struct yaml *root)
{
    if (root->kind != YAML_MAP) am_fail(r, root->line, "no route provided in config");
    read_global(r, root);
    read_intervals(r, root);
    read_receivers(r, root);
    if (r->rc == OK) am_routes_read(r, root);
    read_inhibit(r, root);
    read_templates(r, root);
    read_beyond(r, root);
    yaml_get(root, "tracing");
    yaml_get(root, "event_recorder");
    for (size_t i = 0; r->rc == OK && i < root->n; i++)
        if (str_is(root->keys[i], "tracing") || str_is(root->keys[i], "event_recorder"))
            accept_all(root->items[i]);
    if (r->rc == OK) r->rc = yaml_unknown(root, r->load->name, r->e);
    if (r->rc == OK) r->conf->original = am_config_print(root, &r->conf->arena);
}

int am_config_parse(struct str text, const struct am_load *load, struct am_config **out, struct err *e)
{
    struct am_config *c = mem_alloc_zero(sizeof *c);
    struct yaml *root;
    c->refs = 1;
    c->arena = (struct arena)ARENA_INIT(ARENA_MAX);
    struct am_reader r = { .load = load, .conf = c, .e = e };
    r.rc = yaml_parse(arena_str(&c->arena, text), load->name, &c->arena, &root, e);
    if (r.rc == OK && load->section != NULL && (root = yaml_get(root, load->section)) == NULL)
        r.rc = err_set(e, ERR_FIND, "%s: no section %s", load->name, load->section);
    if (r.rc == OK) read_all(&r, root);
    if (r.rc == OK && arena_over(&c->arena))
        r.rc = err_set(e, ERR_LIMIT, "%s: needs too much memory", load->name);
    if (r.rc < 0) {
        am_config_unref(c);
        return r.rc;
    }
    *out = c;
    return OK;
}

static const struct channel_kind *no_kind(struct str key)
{
    (void)key;
    return NULL;
}

static bool none_foreign(struct str key)
{
    (void)key;
    return false;
}

struct am_config *am_config_empty(void)
{
    struct am_config *c = NULL;
    struct am_load load = { "built in", "", NULL, NULL, no_kind, none_foreign };
    int rc =
        am_config_parse(STR("route:\n  receiver: nobody\nreceivers:\n- name: nobody\n"), &load, &c, NULL);
    check(rc == OK);
    return c;
}

struct am_config *am_config_ref(struct am_config *c)
{
    c->refs++;
    return c;
}

void am_config_unref(struct am_config *c)
{
    if (c == NULL || --c->refs > 0) return;
    for (size_t i = 0; i < c->n_routes; i++) am_matchers_release(&c->routes[i]->matchers);
    for (size_t i = 0; i < c->n_inhibit; i++) {
        am_matchers_release(&c->inhibit[i].source);
        am_matchers_release(&c->inhibit[i].target);
    }
    for (size_t i = 0; i < c->n_maintenance; i++) am_matchers_release(&c->maintenance[i].matchers);
    for (size_t i = 0; i < c->n_intervals; i++) time_interval_release(&c->intervals[i]);
    if (c->free_templates != NULL) c->free_templates(c->templates);
    arena_release(&c->arena);
    mem_free(c);
}

const struct am_receiver *am_config_receiver(const struct am_config *c, struct str name)
{
    for (size_t i = 0; i < c->n_receivers; i++)
        if (str_eq(c->receivers[i].name, name)) return &c->receivers[i];
    return NULL;
}
