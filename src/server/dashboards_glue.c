/* dashboards_glue.c - see dashboards_glue.h. */
#include "server/dashboards_glue.h"

#include <string.h>

#include "base/check.h"

int dashboards_glue_check(struct yaml *root, const char *path, struct err *e)
{
    struct str dir = STR("");
    int rc = yaml_str(yaml_get(root, "dashboards"), &dir, e);
    if (rc < 0) err_where(e, "%s: dashboards", path);
    return rc;
}

static int load(struct dashboards_glue *g, struct yaml *root, const char *config, struct err *e)
{
    struct str dir = STR("");
    const char *slash = strrchr(config, '/');
    struct buf path = BUF_INIT(8192);
    int rc = yaml_str(root != NULL ? yaml_get(root, "dashboards") : NULL, &dir, e);
    if (dir.n > 0 && dir.p[0] != '/' && slash != NULL) buf_add(&path, config, (size_t)(slash - config) + 1);
    buf_str(&path, dir);
    if (rc == OK) rc = dashboards_folder(g->api.all, dir.n > 0 ? buf_cstr(&path) : NULL, e);
    if (rc < 0) err_where(e, "%s: dashboards", config);
    buf_release(&path);
    return rc;
}

int dashboards_glue_open(struct dashboards_glue *g, struct yaml *root, const char *config,
                         struct state *state, struct work_pool *pool, struct err *e)
{
    *g = (struct dashboards_glue){ .api = { .pool = pool } };
    int rc = dashboards_open(state, &g->api.all, e);
    return rc < 0 ? rc : load(g, root, config, e);
}

int dashboards_glue_reload(struct dashboards_glue *g, struct yaml *root, const char *config, struct err *e)
{
    return load(g, root, config, e);
}

void dashboards_glue_close(struct dashboards_glue *g)
{
    dashboards_close(g->api.all);
    *g = (struct dashboards_glue){ 0 };
}
