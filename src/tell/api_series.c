/* api_series.c - what there is: series, label names, label values, metadata. */
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "query/promql/lex.h"
#include "tell/api_job.h"
#include "tell/handlers.h"
#include "tell/prom_json.h"

/* A request for things between two times that match; limit 0 = all. */
struct look {
    int64_t from_ms, to_ms;
    size_t limit;
    struct match_sets sets;
    struct store_view *view;
    struct api_call c;
    struct str *names; /* gathered, perhaps with doubles */
    size_t n_names, cap_names;
};

static int look_open(struct look *l, struct http_exchange *x, const struct prometheus_api *api, struct err *e)
{
    int rc;

    if ((rc = take_limit(x, "limit", &l->limit, e)) < 0) return rc;
    if ((rc = take_time(x, "start", API_TIME_MIN, &l->from_ms, e)) < 0) return rc;
    if ((rc = take_time(x, "end", API_TIME_MAX, &l->to_ms, e)) < 0) return rc;
    if ((rc = take_matches(x, "match[]", &l->c.arena, &l->sets, e)) < 0) return rc;
    if (l->to_ms < l->from_ms) return OK; /* no time, no view, nothing there */
    return store_view_open(api->store, l->from_ms, l->to_ms, &l->view, e);
}

static void look_close(struct look *l)
{
    match_sets_release(&l->sets);
    store_view_close(l->view);
    api_call_release(&l->c);
}

/* How many to ask the store for: one more than wanted tells that there are more. */
static size_t ask_for(const struct look *l)
{
    return l->limit > 0 ? l->limit + 1 : 0;
}

/* ---- series ---- */

static int by_labels(const void *a, const void *b)
{
    return labels_cmp(((const struct series_ref *)a)->labels, ((const struct series_ref *)b)->labels);
}

static int gather_series(struct look *l, struct series_ref **out, size_t *n, struct err *e)
{
    size_t cap = 0, distinct = 0;

    for (size_t i = 0; i < l->sets.n && l->view; i++) {
        struct series_set found;
        int rc = view_series(l->view, &l->c.call, l->sets.at[i].at, l->sets.at[i].n, ask_for(l), &found, e);
        if (rc < 0) return rc;
        for (size_t k = 0; k < found.n; k++) {
            *out = arena_grow(&l->c.arena, *out, *n, &cap, sizeof **out);
            (*out)[(*n)++] = found.at[k];
        }
    }
    if (*n > 1) qsort(*out, *n, sizeof **out, by_labels);
    for (size_t i = 0; i < *n; i++)
        if (i == 0 || !labels_eq((*out)[distinct - 1].labels, (*out)[i].labels))
            (*out)[distinct++] = (*out)[i];
    *n = distinct;
    return OK;
}

static void answer_series(struct http_exchange *x, struct look *l)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct series_ref *refs = NULL;
    struct err e = ERR_INIT;
    size_t n = 0;

    if (gather_series(l, &refs, &n, &e) < 0) {
        respond_err(x, &e);
        return;
    }
    bool truncated = l->limit > 0 && n > l->limit;
    if (truncated) n = l->limit;
    respond_begin(&out);
    buf_char(&out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0) buf_char(&out, ',');
        prom_put_labels(&out, refs[i].labels);
    }
    buf_char(&out, ']');
    respond_truncated(x, &out, truncated);
}

static void run_series(struct http_exchange *x, const struct prometheus_api *api)
{
    struct look l = { 0 };
    struct err e = ERR_INIT;

    api_call_init(&l.c, x, api);
    if (!http_has_param(x, "match[]"))
        respond_error(x, API_BAD_DATA, "no match[] parameter provided");
    else if (look_open(&l, x, api, &e) < 0)
        respond_err(x, &e);
    else
        answer_series(x, &l);
    look_close(&l);
}

void handle_series(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_series);
}

/* ---- label names and values ---- */

static int by_bytes(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* name NULL: label names; else the values of that label. */
static int gather_set(struct look *l, const struct str *name, const struct match_set *set, struct err *e)
{
    struct str *found = NULL;
    size_t n = 0;
    int rc = name ? view_label_values(l->view, &l->c.call, *name, set->at, set->n, ask_for(l), &found, &n, e)
                  : view_label_names(l->view, &l->c.call, set->at, set->n, ask_for(l), &found, &n, e);

    for (size_t i = 0; i < n && rc == OK; i++) {
        l->names = arena_grow(&l->c.arena, l->names, l->n_names, &l->cap_names, sizeof *l->names);
        l->names[l->n_names++] = found[i];
    }
    return rc;
}

static int gather_names(struct look *l, const struct str *name, struct err *e)
{
    const struct match_set everything = { 0 };
    size_t distinct = 0;
    int rc = OK;

    if (!l->view) return OK;
    if (l->sets.n == 0) rc = gather_set(l, name, &everything, e);
    for (size_t i = 0; i < l->sets.n && rc == OK; i++) rc = gather_set(l, name, &l->sets.at[i], e);
    if (rc < 0) return rc;
    if (l->sets.n > 1 && l->n_names > 1) qsort(l->names, l->n_names, sizeof *l->names, by_bytes);
    for (size_t i = 0; i < l->n_names; i++)
        if (i == 0 || !str_eq(l->names[distinct - 1], l->names[i])) l->names[distinct++] = l->names[i];
    l->n_names = distinct;
    return OK;
}

static void answer_names(struct http_exchange *x, const struct prometheus_api *api, const struct str *name)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct look l = { 0 };
    struct err e = ERR_INIT;

    api_call_init(&l.c, x, api);
    if (look_open(&l, x, api, &e) < 0 || gather_names(&l, name, &e) < 0) {
        respond_err(x, &e);
    } else {
        bool truncated = l.limit > 0 && l.n_names > l.limit;
        size_t n = truncated ? l.limit : l.n_names;
        respond_begin(&out);
        buf_char(&out, '[');
        for (size_t i = 0; i < n; i++) {
            if (i > 0) buf_char(&out, ',');
            json_escape(&out, l.names[i]);
        }
        buf_char(&out, ']');
        respond_truncated(x, &out, truncated);
    }
    look_close(&l);
}

static void run_labels(struct http_exchange *x, const struct prometheus_api *api)
{
    answer_names(x, api, NULL);
}

static void run_label_values(struct http_exchange *x, const struct prometheus_api *api)
{
    struct str name = param_label_name(http_path_param(x, "name"), http_arena(x));

    if (name.n > 0 && str_utf8_valid(name)) {
        answer_names(x, api, &name);
        return;
    }
    struct buf quoted = BUF_INIT(1000);
    lex_quote(&quoted, name, 100);
    respond_error(x, API_BAD_DATA, "invalid label name: %s", buf_cstr(&quoted));
    buf_release(&quoted);
}

void handle_labels(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_labels);
}

void handle_label_values(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_label_values);
}

/* ---- metadata ---- */

static int by_family(const void *a, const void *b)
{
    return str_cmp(((const struct metadata *)a)->family, ((const struct metadata *)b)->family);
}

static bool same_metadata(const struct metadata *a, const struct metadata *b)
{
    return str_eq(a->type, b->type) && str_eq(a->help, b->help) && str_eq(a->unit, b->unit);
}

static void put_metadata(struct buf *out, const struct metadata *m)
{
    buf_cs(out, "{\"type\":");
    json_escape(out, m->type.n > 0 ? m->type : STR("unknown"));
    buf_cs(out, ",\"unit\":");
    json_escape(out, m->unit);
    buf_cs(out, ",\"help\":");
    json_escape(out, m->help);
    buf_char(out, '}');
}

/* One family: those of m that belong to it, without doubles, at most `most` (0 = all). Returns how many it
 * consumed. */
static size_t put_family(struct buf *out, const struct metadata *m, size_t n, size_t most)
{
    size_t i = 0, put = 0;

    json_escape(out, m[0].family);
    buf_cs(out, ":[");
    for (; i < n && str_eq(m[i].family, m[0].family); i++) {
        bool seen = false;
        for (size_t k = 0; k < i && !seen; k++) seen = same_metadata(&m[k], &m[i]);
        if (seen || (most > 0 && put >= most)) continue;
        if (put++ > 0) buf_char(out, ',');
        put_metadata(out, &m[i]);
    }
    buf_char(out, ']');
    return i;
}

struct metadata_ask {
    int64_t limit, per_metric; /* -1 = all */
    struct str metric;
};

static int take_metadata_ask(struct http_exchange *x, struct metadata_ask *a, struct err *e)
{
    struct str limit = http_param(x, "limit"), per_metric = http_param(x, "limit_per_metric");

    *a = (struct metadata_ask){ -1, -1, http_param(x, "metric") };
    if (limit.n > 0 && !str_to_i64(limit, &a->limit)) return err_set(e, ERR_PARSE, "limit must be a number");
    if (per_metric.n > 0 && !str_to_i64(per_metric, &a->per_metric))
        return err_set(e, ERR_PARSE, "limit_per_metric must be a number");
    return OK;
}

static void answer_metadata(struct http_exchange *x, const struct metadata_ask *a, struct metadata *m,
                            size_t n)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    int64_t families = 0;

    if (n > 1) qsort(m, n, sizeof *m, by_family);
    respond_begin(&out);
    buf_char(&out, '{');
    for (size_t i = 0; i < n && (a->limit < 0 || families < a->limit); families++) {
        if (families > 0) buf_char(&out, ',');
        i += put_family(&out, m + i, n - i, a->per_metric > 0 ? (size_t)a->per_metric : 0);
    }
    buf_char(&out, '}');
    respond_data(x, &out);
}

static void run_metadata(struct http_exchange *x, const struct prometheus_api *api)
{
    struct metadata_ask ask;
    struct metadata *found = NULL;
    struct api_call c;
    struct err e = ERR_INIT;
    size_t n = 0;

    api_call_init(&c, x, api);
    if (take_metadata_ask(x, &ask, &e) < 0 ||
        store_metadata(api->store, &c.call, ask.metric, 0, &found, &n, &e) < 0)
        respond_err(x, &e);
    else
        answer_metadata(x, &ask, found, n);
    api_call_release(&c);
}

void handle_metadata(struct http_exchange *x, void *ctx)
{
    api_post(x, ctx, run_metadata);
}
