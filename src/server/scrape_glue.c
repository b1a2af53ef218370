/* scrape_glue.c - see scrape_glue.h. */
#include "server/scrape_glue.h"

struct relay { /* one visitor handed on to another */
    void (*visit)(const struct target_view *, void *);
    void *arg;
};

static void hand_on(const struct scrape_target_view *t, void *arg)
{
    const struct relay *r = arg;
    struct target_view v = {
        .discovered = t->discovered,
        .labels = t->labels,
        .pool = t->pool,
        .url = t->url,
        .last_error = t->last_error,
        .health = t->health,
        .last_scrape_ms = t->last_scrape_ms,
        .last_seconds = t->last_seconds,
        .interval_ms = t->interval_ms,
        .timeout_ms = t->timeout_ms,
        .dropped = t->dropped,
    };
    r->visit(&v, r->arg);
}

static void each_target(void *ctx, void (*visit)(const struct target_view *, void *), void *arg)
{
    struct scrape_glue *g = ctx;
    struct relay relay = { visit, arg };
    if (g->manager != NULL) scrape_manager_targets(g->manager, hand_on, &relay);
}

static void each_pool(void *ctx, void (*visit)(struct str name, void *), void *arg)
{
    struct scrape_glue *g = ctx;
    if (g->manager != NULL) scrape_manager_pools(g->manager, visit, arg);
}

/* conf is taken over. */
static int put_in_force(struct scrape_glue *g, struct scrape_conf *conf, struct prometheus_api *api,
                        struct err *e)
{
    if (g->manager != NULL) {
        scrape_manager_reload(g->manager, conf);
    } else if (conf->n_jobs > 0) {
        g->manager = scrape_manager_start(conf, g->store, e);
        if (g->manager == NULL) {
            scrape_conf_free(conf);
            return e->code;
        }
    }
    scrape_conf_free(g->past);
    g->past = g->conf;
    g->conf = conf;
    api->external_labels = conf->external.at;
    api->n_external_labels = conf->external.n;
    return OK;
}

int scrape_glue_open(struct scrape_glue *g, struct yaml *root, const char *file, struct store *store,
                     struct prometheus_api *api, struct err *e)
{
    *g = (struct scrape_glue){ .store = store, .source = { g, each_target, each_pool } };
    api->scrape = &g->source;
    return scrape_glue_reload(g, root, file, api, e);
}

int scrape_glue_reload(struct scrape_glue *g, struct yaml *root, const char *file, struct prometheus_api *api,
                       struct err *e)
{
    struct scrape_conf *conf;
    int rc = scrape_conf_parse(root, file, &conf, e);
    return rc < 0 ? rc : put_in_force(g, conf, api, e);
}

void scrape_glue_print(const struct scrape_glue *g, struct buf *out)
{
    if (g->conf != NULL) scrape_conf_print(g->conf, out);
}

void scrape_glue_close(struct scrape_glue *g)
{
    scrape_manager_stop(g->manager);
    scrape_conf_free(g->conf);
    scrape_conf_free(g->past);
    *g = (struct scrape_glue){ 0 };
}
