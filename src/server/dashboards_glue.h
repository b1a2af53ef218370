/* dashboards_glue.h - dashboards plugged into the server: the key `dashboards: DIR` of the configuration
 * (relative to it), the state file, the routes.
 *
 * Threads: open, reload and close from one thread at a time. */
#pragma once
#include "base/yaml.h"
#include "tell/api_dashboards.h"

struct dashboards_glue {
    struct dashboards_api api;
};

int dashboards_glue_check(struct yaml *root, const char *path, struct err *);
/* Borrows the state and the pool. config: path of the configuration; "" none. */
int dashboards_glue_open(struct dashboards_glue *, struct yaml *root, const char *config, struct state *,
                         struct work_pool *, struct err *);
int dashboards_glue_reload(struct dashboards_glue *, struct yaml *root, const char *config, struct err *);
void dashboards_glue_close(struct dashboards_glue *); /* a glue of zeros is fine */
