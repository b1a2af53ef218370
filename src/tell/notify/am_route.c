/* am_route.c - the tree of routes: read, and walked by an alert.
 *
 * An alert goes down from the root. Among siblings the first that matches takes it, unless that one
 * continues; where no child takes it, the route itself does. What a route does not say it has from its
 * parent. */
#include <stdlib.h>

#include "base/check.h"
#include "tell/notify/am_config_impl.h"

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void read_group_by(struct am_reader *r, struct yaml *map, struct am_route *to)
{
    struct str *names;
    if (yaml_get(map, "group_by") == NULL) return;
    size_t n = am_texts(r, map, "group_by", &names);
    if (n == 0) return; /* an empty list says nothing: Alertmanager takes the parent's, too */
    int line = yaml_get(map, "group_by")->line;
    to->group_by_all = false;
    for (size_t i = 0; i < n && r->rc == OK; i++) {
        if (names[i].n == 0) am_fail(r, line, "group_by: an empty label name");
        to->group_by_all |= str_is(names[i], "...");
    }
    if (to->group_by_all && n > 1) am_fail(r, line, "group_by: '...' stands alone");
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 1; i < n; i++)
        if (str_eq(names[i - 1], names[i]))
            am_fail(r, line, "group_by: \"%.*s\" comes twice", STR_ARG(names[i]));
    to->group_by = names;
    to->n_group_by = to->group_by_all ? 0 : n;
}

static const struct am_receiver *named(struct am_reader *r, struct yaml *map)
{
    struct str name = STR("");
    struct yaml *y = yaml_get(map, "receiver");
    am_text(r, map, "receiver", &name);
    const struct am_receiver *to = am_config_receiver(r->conf, name);
    if (to == NULL && r->rc == OK)
        am_fail(r, y ? y->line : map->line, "undefined receiver \"%.*s\"", STR_ARG(name));
    return to;
}

static void read_waits(struct am_reader *r, struct yaml *map, struct am_route *to)
{
    am_duration(r, map, "group_wait", &to->group_wait_ms);
    am_duration(r, map, "group_interval", &to->group_interval_ms);
    am_duration(r, map, "repeat_interval", &to->repeat_interval_ms);
    if (to->group_interval_ms == 0) am_fail(r, map->line, "group_interval cannot be zero");
    if (to->repeat_interval_ms == 0) am_fail(r, map->line, "repeat_interval cannot be zero");
}

static void read_labels(struct am_reader *r, struct yaml *map, struct am_route *to)
{
    struct yaml *y = yaml_get(map, "labels");
    if (y == NULL) return;
    if (y->kind != YAML_MAP) am_fail(r, y->line, "labels is a map");
    if (r->rc < 0) return;
    struct label *at = arena_zero(&r->conf->arena, (y->n + 1) * sizeof *at);
    size_t n = y->n;
    for (size_t i = 0; i < n && r->rc == OK; i++) {
        at[i].name = y->keys[i];
        am_took(r, yaml_str(yaml_only(y, i), &at[i].value, r->e), "labels");
    }
    if (r->rc == OK && n > 0) am_took(r, labels_normalise(at, &n, r->e), "labels");
    to->labels = (struct labels){ at, n };
}

static void read_escalations(struct am_reader *r, struct yaml *map, struct am_route *to)
{
    struct yaml *list = am_list(r, map, "escalations");
    if (list->n == 0) return;
    struct am_escalation *at = arena_zero(&r->conf->arena, list->n * sizeof *at);
    for (size_t i = 0; i < list->n && r->rc == OK; i++) {
        am_duration(r, list->items[i], "delay", &at[i].delay_ms);
        at[i].receiver = named(r, list->items[i]);
        if (r->rc == OK && (at[i].delay_ms <= 0 || (i > 0 && at[i].delay_ms <= at[i - 1].delay_ms)))
            am_fail(r, list->items[i]->line, "escalations: delays rise from step to step, above zero");
    }
    to->escalations = at;
    to->n_escalations = list->n;
}

static void read_cascade(struct am_reader *r, struct yaml *map, struct am_route *to)
{
    struct yaml *y = yaml_get(map, "cascade");
    struct str what = STR("");
    if (y == NULL) return;
    am_took(r, yaml_str(y, &what, r->e), "cascade");
    if (r->rc == OK && !str_is(what, "mark") && !str_is(what, "suppress"))
        am_fail(r, y->line, "cascade is mark or suppress, not \"%.*s\"", STR_ARG(what));
    to->cascade_suppresses = str_is(what, "suppress");
}

static void make_key(struct am_reader *r, struct am_route *to)
{
    struct buf key = BUF_INIT(AM_CONFIG_BYTES_MAX);
    if (to->parent != NULL) {
        buf_str(&key, to->parent->key);
        buf_char(&key, '/');
    }
    am_matchers_print(&key, &to->matchers);
    to->key = arena_str(&r->conf->arena, buf_view(&key));
    buf_release(&key);
}

static void read_matchers(struct am_reader *r, struct yaml *map, struct am_route *to)
{
    am_matcher_map(r, map, "match", MATCH_EQ, &to->matchers);
    am_matcher_map(r, map, "match_re", MATCH_RE, &to->matchers);
    am_matcher_list(r, map, "matchers", &to->matchers);
    am_matchers_sort(&to->matchers);
    if (to->parent == NULL && to->matchers.n > 0)
        am_fail(r, map->line, "root route must not have any matchers");
}

static struct am_route *new_route(struct am_reader *r, const struct am_route *parent, size_t *cap)
{
    struct am_config *c = r->conf;
    struct am_route *to = arena_zero(&c->arena, sizeof *to);
    if (parent != NULL) *to = *parent;
    to->parent = parent;
    to->children = NULL;
    to->n_children = to->n_mute = to->n_active = 0;
    to->matchers = (struct am_matchers){ 0 };
    to->continues = false;
    to->index = c->n_routes;
    c->routes = arena_grow(&c->arena, c->routes, c->n_routes, cap, sizeof *c->routes);
    c->routes[c->n_routes++] = to;
    return to;
}

static struct am_route *read_route(struct am_reader *r, struct yaml *map, const struct am_route *parent,
                                   size_t *cap)
{
    if (map->kind != YAML_MAP) am_fail(r, map->line, "a route is a map");
    if (r->conf->n_routes == AM_ROUTES_MAX) am_fail(r, map->line, "more than %d routes", AM_ROUTES_MAX);
    if (r->rc < 0) return NULL;

    struct am_route *to = new_route(r, parent, cap);
    if (parent == NULL) {
        to->group_wait_ms = 30000;
        to->group_interval_ms = 5 * 60000;
        to->repeat_interval_ms = 4 * 3600000;
    }
    if (parent == NULL && yaml_get(map, "receiver") == NULL)
        am_fail(r, map->line, "root route must specify a default receiver");
    if (yaml_get(map, "receiver") != NULL) to->receiver = named(r, map);
    read_matchers(r, map, to);
    read_group_by(r, map, to);
    read_waits(r, map, to);
    am_took(r, yaml_bool(yaml_get(map, "continue"), &to->continues, r->e), "continue");
    to->n_mute = am_interval_list(r, map, "mute_time_intervals", &to->mute);
    to->n_active = am_interval_list(r, map, "active_time_intervals", &to->active);
    if (parent == NULL && to->n_mute + to->n_active > 0)
        am_fail(r, map->line, "root route must not have any time intervals");
    if (parent == NULL && to->continues) am_fail(r, map->line, "cannot have continue in root route");
    read_labels(r, map, to);
    read_escalations(r, map, to);
    read_cascade(r, map, to);
    make_key(r, to);

    struct yaml *list = am_list(r, map, "routes");
    to->children = arena_zero(&r->conf->arena, (list->n + 1) * sizeof *to->children);
    for (size_t i = 0; i < list->n && r->rc == OK; i++)
        to->children[to->n_children++] = read_route(r, list->items[i], to, cap);
    return to;
}

void am_routes_read(struct am_reader *r, struct yaml *root)
{
    size_t cap = 0;
    struct yaml *map = yaml_get(root, "route");
    if (map == NULL) am_fail(r, root->line, "no route provided in config");
    if (r->rc == OK) r->conf->root = read_route(r, map, NULL, &cap);
}

/* ---- walking ---- */

struct walk {
    struct labels labels;
    const struct am_route **out;
    size_t n, max;
};

/* False: this route is not for it. */
static bool walk(const struct am_route *at, struct walk *w)
{
    if (!am_matchers_match(&at->matchers, w->labels)) return false;
    bool taken = false;
    for (size_t i = 0; i < at->n_children; i++) {
        if (!walk(at->children[i], w)) continue;
        taken = true;
        if (!at->children[i]->continues) break;
    }
    if (taken) return true;
    if (w->n < w->max) w->out[w->n] = at;
    w->n++;
    return true;
}

size_t am_route_walk(const struct am_config *c, struct labels l, const struct am_route **out, size_t max)
{
    struct walk w = { l, out, 0, max };
    walk(c->root, &w);
    return w.n;
}
