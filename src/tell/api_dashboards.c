/* api_dashboards.c - see api_dashboards.h. */
#include "tell/api_dashboards.h"

#include <stdio.h>

#include "base/check.h"
#include "base/json.h"
#include "tell/respond.h"

#define LIST_BYTES_MAX (8u << 20)

typedef void job_fn(struct http_exchange *, const struct dashboards_api *);

struct job {
    struct http_exchange *x;
    const struct dashboards_api *api;
    job_fn *run;
};

static void run_job(void *arg)
{
    struct job j = *(struct job *)arg; /* it lives in the exchange */
    j.run(j.x, j.api);
}

static void post(struct http_exchange *x, const struct dashboards_api *api, job_fn *run)
{
    struct job *j = arena_alloc(http_arena(x), sizeof *j);
    *j = (struct job){ x, api, run };
    if (!work_post(api->pool, run_job, j))
        respond_error(x, API_BUSY, "too many requests are waiting; try again in a moment");
}

static void answer_err(struct http_exchange *x, const struct err *e)
{
    bool ours = e->code == ERR_IO || e->code == ERR_FULL || e->code == ERR_BUSY || e->code == ERR_CORRUPT;
    respond_error(x, e->code == ERR_FIND ? API_NOT_FOUND : ours ? API_INTERNAL : API_BAD_DATA, "%s", e->text);
}

/* ---- lists ---- */

struct listing {
    struct json_writer w;
    bool for_grafana;
};

static void list_one(const struct dashboard *d, void *ctx)
{
    struct listing *l = ctx;
    struct json_writer *w = &l->w;
    json_begin_object(w);
    json_kv_string(w, "name", d->name);
    json_kv_string(w, "title", d->title);
    json_kv_string(w, "description", d->about);
    json_put_key(w, STR("tags"));
    json_put_raw(w, d->tags);
    json_kv_i64(w, "panels", d->panels);
    json_kv_string(w, "refresh", d->refresh);
    json_kv_cs(w, "origin", dashboard_from_word(d->from));
    if (d->updated_ms > 0) json_kv_i64(w, "updated_ms", d->updated_ms);
    if (l->for_grafana) {
        char url[128];
        snprintf(url, sizeof url, "/api/v1/grafana/dashboards/%.*s.json", STR_ARG(d->name));
        json_kv_cs(w, "url", url);
    }
    json_end_object(w);
}

static void answer_list(struct http_exchange *x, const struct dashboards_api *api, bool for_grafana)
{
    struct buf out = BUF_INIT(LIST_BYTES_MAX);
    struct listing l = { .for_grafana = for_grafana };
    struct err e = ERR_INIT;
    json_writer_init(&l.w, &out);
    json_begin_object(&l.w);
    json_put_key(&l.w, STR("dashboards"));
    json_begin_array(&l.w);
    if (dashboards_each(api->all, list_one, &l, &e) < 0 || out.full) {
        buf_release(&out);
        if (e.text[0] == 0) err_set(&e, ERR_LIMIT, "the list is too long");
        answer_err(x, &e);
        return;
    }
    json_end_array(&l.w);
    json_end_object(&l.w);
    http_answer_buf(x, 200, "application/json", &out);
}

static void run_list(struct http_exchange *x, const struct dashboards_api *api)
{
    answer_list(x, api, false);
}

static void run_grafana_list(struct http_exchange *x, const struct dashboards_api *api)
{
    answer_list(x, api, true);
}

/* ---- one ---- */

static void answer_one(struct http_exchange *x, const struct dashboards_api *api, struct str name)
{
    struct err e = ERR_INIT;
    struct str json;
    if (dashboards_get(api->all, name, http_arena(x), &json, &e) < 0) {
        answer_err(x, &e);
        return;
    }
    http_answer_header(x, "Cache-Control", STR("no-cache"));
    http_answer(x, 200, "application/json", json);
}

static void run_get(struct http_exchange *x, const struct dashboards_api *api)
{
    answer_one(x, api, http_path_param(x, "name"));
}

static void run_grafana_get(struct http_exchange *x, const struct dashboards_api *api)
{
    struct str file = http_path_param(x, "file");
    if (!str_ends(file, ".json")) {
        respond_error(x, API_NOT_FOUND, "files end in .json");
        return;
    }
    file.n -= 5;
    if (dashboard_name_ok(file))
        http_answer_header(x, "Content-Disposition",
                           arena_printf(http_arena(x), "attachment; filename=\"%.*s.json\"", STR_ARG(file)));
    answer_one(x, api, file);
}

/* ---- changes ---- */

static struct str name_of(struct http_exchange *x, const struct dashboard_facts *f)
{
    struct str wanted = http_param(x, "name");
    if (wanted.n > 0) return wanted;
    return dashboard_name_ok(f->uid) ? f->uid : dashboard_slug(f->title, http_arena(x));
}

static void answer_taken(struct http_exchange *x, struct str name, const struct dashboard_facts *f,
                         bool is_new)
{
    struct buf out = BUF_INIT(256u << 10);
    struct json_writer w;
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_kv_string(&w, "name", name);
    json_kv_string(&w, "title", f->title);
    json_kv_i64(&w, "panels", (int64_t)f->panels);
    json_put_key(&w, STR("warnings"));
    json_begin_array(&w);
    for (size_t i = 0; i < f->n_notes; i++) json_put_string(&w, f->notes[i]);
    json_end_array(&w);
    json_end_object(&w);
    http_answer_buf(x, is_new ? 201 : 200, "application/json", &out);
}

static void run_post(struct http_exchange *x, const struct dashboards_api *api)
{
    struct dashboard_facts f;
    struct err e = ERR_INIT;
    bool is_new = false;
    int rc = dashboard_read(http_body(x), http_arena(x), &f, &e);
    struct str name = rc == OK ? name_of(x, &f) : STR("");
    if (rc == OK) rc = dashboards_put(api->all, name, &f, &is_new, &e);
    if (rc < 0)
        answer_err(x, &e);
    else
        answer_taken(x, name, &f, is_new);
}

static void run_delete(struct http_exchange *x, const struct dashboards_api *api)
{
    struct err e = ERR_INIT;
    if (dashboards_delete(api->all, http_path_param(x, "name"), &e) < 0)
        answer_err(x, &e);
    else
        http_answer(x, 204, "application/json", STR(""));
}

/* ---- routes ---- */

#define HANDLER(name)                                                                                        \
    static void handle_##name(struct http_exchange *x, void *ctx)                                            \
    {                                                                                                        \
        post(x, ctx, run_##name);                                                                            \
    }
HANDLER(list)
HANDLER(get)
HANDLER(post)
HANDLER(delete)
HANDLER(grafana_list)
HANDLER(grafana_get)

const struct http_route dashboards_routes[] = {
    { "GET", "/api/v1/dashboards", handle_list },
    { "POST", "/api/v1/dashboards", handle_post },
    { "GET", "/api/v1/dashboards/{name}", handle_get },
    { "DELETE", "/api/v1/dashboards/{name}", handle_delete },
    { "GET", "/api/v1/grafana/dashboards", handle_grafana_list },
    { "GET", "/api/v1/grafana/dashboards/{file}", handle_grafana_get },
};
const size_t dashboards_n_routes = COUNT(dashboards_routes);
