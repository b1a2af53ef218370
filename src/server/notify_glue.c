/* notify_glue.c - see notify_glue.h. */
#include "server/notify_glue.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "receive/relabel.h"
#include "tell/channel/template.h"

#define AM_API_VERSION "0.28.1" /* the Alertmanager whose API is matched */

/* ---- sections ---- */

static int read_outbound(struct yaml *root, const char *path, struct arena *a, struct outbound **out,
                         struct err *e)
{
    struct reader r = { .file = path, .arena = a, .e = e };
    struct yaml *map = read_map(&r, root, "outbound"), *list;
    bool allow_private = false;
    struct str *networks = NULL;
    size_t n = 0;
    *out = NULL;
    if (map != NULL) {
        read_flag(&r, map, "allow_private", &allow_private);
        list = read_list(&r, map, "allow_networks");
        if (list != NULL) read_texts(&r, list, &networks, &n);
        if (r.rc == OK) r.rc = yaml_unknown(map, path, e);
    }
    if (r.rc == OK && (r.rc = outbound_new(allow_private, networks, n, out, e)) < 0)
        err_where(e, "%s: outbound", path);
    return r.rc;
}

int notify_glue_check(struct yaml *root, const char *path, struct err *e)
{
    struct arena scratch = ARENA_INIT(1u << 20);
    struct outbound *out = NULL;
    struct yaml *am = yaml_get(root, "alertmanager_config");
    int rc = read_outbound(root, path, &scratch, &out, e);
    struct action_conf *actions = NULL;
    if (rc == OK) rc = action_conf_read(yaml_get(root, "actions"), path, out, &actions, e);
    action_conf_unref(actions);
    outbound_free(out);
    arena_release(&scratch);
    if (rc == OK && am != NULL && am->kind != YAML_SCALAR && am->kind != YAML_MAP)
        rc = err_set(e, ERR_PARSE, "%s:%d: alertmanager_config is the name of a file, or its text as a map",
                     path, am->line);
    return rc;
}

/* Where the Alertmanager's configuration comes from; the texts are the glue's. */
static struct notify_glue_source source_of(const struct notify_glue *g, struct yaml *root, struct str text)
{
    struct yaml *am = yaml_get(root, "alertmanager_config");
    const char *slash = strrchr(g->file, '/');
    struct buf path = BUF_INIT(4096);
    struct notify_glue_source from = { 0 };
    if (am == NULL) return from;
    if (am->kind == YAML_MAP) {
        from.in_line = str_dup(text);
        return from;
    }
    bool is_relative = am->text.n > 0 && am->text.p[0] != '/' && slash != NULL;
    if (is_relative) buf_str(&path, str_make(g->file, (size_t)(slash - g->file) + 1));
    buf_str(&path, am->text);
    from.file = str_dup(buf_view(&path));
    buf_release(&path);
    return from;
}

static void source_release(struct notify_glue_source *s)
{
    mem_free(s->file);
    mem_free(s->in_line);
    *s = (struct notify_glue_source){ 0 };
}

/* ---- the Alertmanager's configuration ---- */

static int load_templates(struct am_config *c, struct err *e)
{
    int rc = notify_templates_load(c->template_files, c->n_template_files, &c->templates, e);
    if (rc == OK) c->free_templates = notify_templates_free;
    return rc;
}

static int read_config(void *ctx, struct am_config **out, struct err *e)
{
    struct notify_glue *g = ctx;
    const char *path = g->from.file ? g->from.file : g->file, *slash = strrchr(path, '/');
    struct str dir = slash ? str_make(path, (size_t)(slash - path)) : STR("");
    char *base_dir = str_dup(dir);
    struct buf text = BUF_INIT(AM_CONFIG_BYTES_MAX);
    struct am_load load = { path,        base_dir,     g->from.file ? NULL : "alertmanager_config",
                            g->outbound, channel_kind, channel_is_foreign };
    int rc = OK;
    if (g->from.file != NULL && (rc = file_slurp(g->from.file, &text, e)) == OK)
        rc = am_config_parse(buf_view(&text), &load, out, e);
    else if (rc == OK && g->from.in_line != NULL)
        rc = am_config_parse(str_of(g->from.in_line), &load, out, e);
    else if (rc == OK)
        *out = am_config_empty();
    if (rc == OK && (rc = load_templates(*out, e)) < 0) am_config_unref(*out);
    buf_release(&text);
    mem_free(base_dir);
    return rc;
}

static void forget_outbound(struct notify_glue *g)
{
    if (g->outbound == NULL) return;
    if (g->n_past == COUNT(g->past)) { /* sixty-three reloads ago: no message lives that long */
        outbound_free(g->past[0]);
        memmove(g->past, g->past + 1, --g->n_past * sizeof *g->past);
    }
    g->past[g->n_past++] = g->outbound;
    g->outbound = NULL;
}

static int read_calls(void *ctx, int64_t now_ms, struct call_graph **out, struct err *e)
{
    return call_graph_read(ctx, now_ms, out, e);
}

/* ---- Alertmanagers outside ---- */

static void each_outside(void *ctx, void (*visit)(const char *url, void *), void *visit_ctx)
{
    struct notify_glue *g = ctx;
    pthread_mutex_lock(&g->mu);
    if (g->forward != NULL) forward_each(g->forward, visit, visit_ctx);
    pthread_mutex_unlock(&g->mu);
}

static int relabel_read(struct yaml *list, const char *file, struct arena *a, void **out, struct err *e)
{
    struct relabel *r = arena_zero(a, sizeof *r);
    *out = r;
    return relabel_parse(list, file, a, r, e);
}

static bool relabel_alert(const void *relabel, struct alert *a, struct arena *arena)
{
    struct label_set set = { .cap = a->labels.n + 1, .arena = arena };
    set.at = arena_array(arena, set.cap, sizeof *set.at);
    for (size_t i = 0; i < a->labels.n; i++) set.at[set.n++] = a->labels.at[i];
    if (!relabel_apply(relabel, &set) || labels_normalise(set.at, &set.n, NULL) < 0) return false;
    a->labels = (struct labels){ set.at, set.n };
    return set.n > 0;
}

static void relabel_end(void *relabel)
{
    relabel_release(relabel);
}

static const struct forward_relabel relabelling = { relabel_read, relabel_alert, relabel_end };

/* ---- life ---- */

static int open_state(struct notify_glue *g, const char *dir, struct err *e)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/state.db", dir);
    return state_open(path, &g->state, e);
}

int notify_glue_open(struct notify_glue *g, const struct notify_glue_conf *c, struct err *e)
{
    *g = (struct notify_glue){ .arena = ARENA_INIT(64u << 20) };
    pthread_mutex_init(&g->mu, NULL);
    g->file = c->config[0] ? arena_str(&g->arena, str_of(c->config)).p : "";
    g->from = source_of(g, c->root, c->text);
    int rc = read_outbound(c->root, g->file, &g->arena, &g->outbound, e);
    if (rc == OK) rc = open_state(g, c->data_dir, e);
    struct notify_conf conf = {
        .source = { read_config, g },
        .state = g->state,
        .external_url = arena_str(&g->arena, str_of(c->external_url)).p,
        .calls = { read_calls, c->store },
        .outside = { each_outside, g },
    };
    struct action_conf *does = NULL;
    if (rc == OK) rc = actions_open(g->state, &g->actions, e);
    if (rc == OK) rc = action_conf_read(yaml_get(c->root, "actions"), g->file, g->outbound, &does, e);
    if (rc == OK) actions_load(g->actions, does);
    conf.changed = (struct dispatch_changed){ actions_see, g->actions };
    if (rc == OK) rc = notify_start(&conf, &g->notify, e);
    if (rc == OK) actions_attach(g->actions, g->notify, str_of(conf.external_url));
    if (rc == OK) rc = forward_start(yaml_get(c->root, "alerting"), g->file, &relabelling, &g->forward, e);
    g->api = (struct am_api){ g->notify, c->pool, c->version, AM_API_VERSION, c->started_ms, g->actions };
    return rc;
}

/* Grafana wants 404 below /alertmanager; the same API again is below /am. */
void notify_glue_routes(struct notify_glue *g, struct http_server *http, struct arena *names)
{
    http_server_routes(http, am_routes, am_n_routes, &g->api);
    http_server_routes(http, am_beyond_routes, am_n_beyond_routes, &g->api);
    g->below_am = mem_array(am_n_routes, sizeof *g->below_am);
    for (size_t i = 0; i < am_n_routes; i++) {
        g->below_am[i] = am_routes[i];
        g->below_am[i].path = arena_printf(names, "/am%s", am_routes[i].path).p;
    }
    http_server_routes(http, g->below_am, am_n_routes, &g->api);
}

int notify_glue_reload(struct notify_glue *g, struct yaml *root, struct str text, struct err *e)
{
    struct outbound *fresh = NULL, *old_outbound = g->outbound;
    struct forward *forward = NULL;
    struct action_conf *does = NULL;
    struct notify_glue_source old_source = g->from, source = { 0 };
    int rc = read_outbound(root, g->file, &g->arena, &fresh, e);
    if (rc == OK) rc = forward_start(yaml_get(root, "alerting"), g->file, &relabelling, &forward, e);
    if (rc == OK) rc = action_conf_read(yaml_get(root, "actions"), g->file, fresh, &does, e);
    if (rc == OK) {
        g->outbound = fresh;
        g->from = source = source_of(g, root, text);
        rc = notify_reload(g->notify, e);
    }
    if (rc < 0) {
        g->outbound = old_outbound;
        g->from = old_source;
        source_release(&source);
        action_conf_unref(does);
        outbound_free(fresh);
        forward_stop(forward);
        return rc;
    }
    actions_load(g->actions, does);
    source_release(&old_source);
    g->outbound = old_outbound;
    forget_outbound(g);
    g->outbound = fresh;
    pthread_mutex_lock(&g->mu);
    struct forward *past = g->forward;
    g->forward = forward;
    pthread_mutex_unlock(&g->mu);
    forward_stop(past);
    return OK;
}

static void send_both(void *ctx, const struct alert *a, size_t n)
{
    struct notify_glue *g = ctx;
    struct alert_sink inside = notify_sink(g->notify);
    inside.send(inside.ctx, a, n);
    pthread_mutex_lock(&g->mu);
    if (g->forward != NULL) {
        struct alert_sink outside = forward_sink(g->forward);
        outside.send(outside.ctx, a, n);
    }
    pthread_mutex_unlock(&g->mu);
}

struct alert_sink notify_glue_sink(struct notify_glue *g)
{
    return (struct alert_sink){ send_both, g };
}

void notify_glue_close(struct notify_glue *g)
{
    if (g->file == NULL) return;
    actions_stop(g->actions); /* its threads ask notify */
    notify_stop(g->notify);
    actions_close(g->actions);
    forward_stop(g->forward);
    state_close(g->state);
    outbound_free(g->outbound);
    for (size_t i = 0; i < g->n_past; i++) outbound_free(g->past[i]);
    mem_free(g->below_am);
    source_release(&g->from);
    pthread_mutex_destroy(&g->mu);
    arena_release(&g->arena);
    *g = (struct notify_glue){ 0 };
}
