/* api_job.c - see api_job.h. */
#include "tell/api_job.h"

#include "base/clock.h"
#include "tell/missing.h"

struct job {
    struct http_exchange *x;
    const struct prometheus_api *api;
    api_job_fn *run;
};

static void run_job(void *arg)
{
    struct job job = *(struct job *)arg; /* it lives in the exchange, which is gone once answered */
    job.run(job.x, job.api);
}

void api_post(struct http_exchange *x, const struct prometheus_api *api, api_job_fn *run)
{
    struct job *job = arena_alloc(http_arena(x), sizeof *job);

    *job = (struct job){ x, api, run };
    if (!work_post(api->pool, run_job, job))
        respond_error(x, API_BUSY, "too many requests are waiting; try again in a moment");
}

void api_call_init(struct api_call *c, struct http_exchange *x, const struct prometheus_api *api)
{
    int64_t timeout_ms = api->timeout_ms > 0 ? api->timeout_ms : 120000;

    c->arena = (struct arena)ARENA_INIT(api->memory_bytes > 0 ? api->memory_bytes : (size_t)512 << 20);
    c->call = (struct call){
        .deadline_ns = clock_mono_ns() + timeout_ms * 1000000,
        .cancelled = http_gone(x),
        .arena = &c->arena,
        .notes = missing_notes(x),
        .pool = api->pool,
    };
}

void api_call_release(struct api_call *c)
{
    arena_release(&c->arena);
}
