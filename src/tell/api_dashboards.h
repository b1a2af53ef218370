/* api_dashboards.h - dashboards over HTTP.
 *
 *     GET    /api/v1/dashboards                      the list, ours
 *     GET    /api/v1/dashboards/{name}               the JSON as it is kept
 *     POST   /api/v1/dashboards[?name=]              take one; its name: the parameter, else its uid, else
 *                                                    made of its title
 *     DELETE /api/v1/dashboards/{name}
 *     GET    /api/v1/grafana/dashboards              the list again, with the addresses of the files
 *     GET    /api/v1/grafana/dashboards/{name}.json  a file to import into Grafana
 *
 * Shapes and status codes: docs/dashboards.md. */
#pragma once
#include "base/work.h"
#include "net/http_server.h"
#include "tell/dashboards.h"

struct dashboards_api {
    struct dashboards *all;
    struct work_pool *pool;
};

extern const struct http_route dashboards_routes[]; /* ctx: a struct dashboards_api */
extern const size_t dashboards_n_routes;
