/* api_job.h - work of a request on the pool, and what every reading handler needs there. */
#pragma once
#include "tell/api_prometheus.h"
#include "tell/params.h"
#include "tell/respond.h"

typedef void api_job_fn(struct http_exchange *, const struct prometheus_api *);

/* Run job on the pool; it answers. A full queue answers 503. */
void api_post(struct http_exchange *, const struct prometheus_api *, api_job_fn *job);

/* For the reading calls of a store: deadline, memory budget, cancelled when the client has gone; what damage
 * hides is said by the answer (missing.h). */
struct api_call {
    struct arena arena;
    struct call call;
};
void api_call_init(struct api_call *, struct http_exchange *, const struct prometheus_api *);
void api_call_release(struct api_call *);
