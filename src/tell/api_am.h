/* api_am.h - Alertmanager's v2 API over struct notify, and what goes beyond it.
 *
 *     /api/v2/{status,receivers,silences,silence/{id},alerts,alerts/groups}    also below /am
 *     /api/v1/alerts/{fingerprint}/{ack,resolve,comment}, /api/v1/alerts/{history,noise,cascades,route-test}
 *     /api/v1/actions/audit
 *
 * Register the routes with a struct am_api as their context. Long answers are made on the pool. */
#pragma once
#include "base/work.h"
#include "net/http_server.h"
#include "tell/notify/notify.h"

struct actions; /* tell/notify/actions.h */

struct am_api {
    struct notify *notify;
    struct work_pool *pool;
    const char *version, *api_version; /* our own; the Alertmanager whose API is matched */
    int64_t started_ms;
    struct actions *actions;
};

extern const struct http_route am_routes[], am_beyond_routes[];
extern const size_t am_n_routes, am_n_beyond_routes; /* am_routes again below a prefix, if wanted */
