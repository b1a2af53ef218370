/* api_loki_volume.c - how much there is: index stats, volumes, and the patterns of lines.
 *
 * Volumes are asked of LogQL itself (bytes_over_time): exact, where Loki estimates. */
#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/json.h"
#include "derive/log_pattern.h"
#include "query/logql/parse.h"
#include "tell/api_loki_impl.h"
#include "tell/loki_json.h"
#include "tell/prom_json.h"

#define VOLUMES        100
#define VOLUMES_MAX    5000
#define STEPS_MAX      2000
#define PATTERNS_TOLD  300
#define BUCKETS_MAX    500
#define PATTERN_LINES  2000000 /* looked at in one request */
#define PATTERN_MEMORY 4096    /* patterns kept meanwhile */

/* A duration that covers the window and that LogQL reads back: whole milliseconds. */
static long long window_ms(int64_t start_ns, int64_t end_ns)
{
    return MAX((end_ns - start_ns) / NS_PER_MS, 1);
}

static int query_selector(struct http_exchange *x, struct str *out, struct err *e)
{
    *out = http_param(x, "query");
    return out->n > 0 ? OK : err_set(e, ERR_PARSE, "parse error : syntax error: unexpected $end");
}

/* ---- index/stats ---- */

static int sum_of(const struct logs_api *api, struct http_exchange *x, const char *function,
                  struct str selector, int64_t start_ns, int64_t end_ns, double *sum, struct err *e)
{
    struct logql_result r = { 0 };
    struct logql_request q = { .end_ns = end_ns, .start_ns = end_ns, .cancelled = http_gone(x) };
    q.text = arena_printf(http_arena(x), "sum(%s(%.*s\n[%lldms]))", function, STR_ARG(selector),
                          window_ms(start_ns, end_ns));
    int rc = logql_query(api->logql, &q, &r, e);
    *sum = rc == OK && r.n_series > 0 && r.series[0].n > 0 ? r.series[0].points[0].value : 0;
    if (rc == OK) logql_result_release(&r);
    return rc;
}

static void run_stats(struct http_exchange *x, const struct logs_api *api)
{
    struct buf out = BUF_INIT(4096);
    struct log_streams s;
    struct str selector;
    struct err e = ERR_INIT;
    double entries = 0, bytes = 0;

    int rc = log_streams_open(&s, x, api, &e);
    if (rc == OK) rc = query_selector(x, &selector, &e);
    if (rc == OK) rc = log_streams_add(&s, selector, &e);
    if (rc == OK) rc = sum_of(api, x, "count_over_time", selector, s.start_ns, s.end_ns, &entries, &e);
    if (rc == OK) rc = sum_of(api, x, "bytes_over_time", selector, s.start_ns, s.end_ns, &bytes, &e);
    if (rc < 0) {
        loki_error(x, &e);
    } else {
        size_t streams = entries > 0 ? s.n : 0;
        buf_printf(&out, "{\"streams\":%zu,\"chunks\":%zu,\"bytes\":%.0f,\"entries\":%.0f}", streams, streams,
                   bytes, entries);
        loki_answer(x, &out);
    }
    log_streams_close(&s);
}

void handle_loki_stats(struct http_exchange *x, void *ctx)
{
    logs_post(x, ctx, run_stats);
}

/* ---- volume ---- */

struct volume_ask {
    struct str selector;
    int64_t start_ns, end_ns, step_ns; /* 0: one value */
    struct str names;                  /* of labels, comma separated */
    bool by_label;                     /* one volume a label, not a set of values */
    size_t limit;
};

/* Loki's default: the labels that the selector speaks of. */
static struct str selector_names(struct str selector, struct arena *a)
{
    struct arena scratch = ARENA_INIT((size_t)64 << 20);
    struct logql_query q;
    struct str names = STR("");
    if (logql_parse_selector(selector, &scratch, &q, NULL) == OK) {
        const struct log_expr *log = logql_bare(q.root)->log;
        for (size_t i = 0; i < log->n_matchers; i++)
            names = arena_printf(a, "%.*s%s%.*s", STR_ARG(names), i > 0 ? "," : "",
                                 STR_ARG(log->matchers[i].name));
        logql_query_release(&q);
    }
    arena_release(&scratch);
    return names;
}

static int names_check(struct str names, struct err *e)
{
    while (names.n > 0) {
        struct str name = str_trim(str_cut(names, ',', &names));
        if (!label_name_is_plain(name))
            return err_set(e, ERR_PARSE, "targetLabels: \"%.*s\" is no label name", STR_ARG(name));
    }
    return OK;
}

static int take_volume(struct http_exchange *x, struct volume_ask *v, struct err *e)
{
    struct str by = http_param(x, "aggregateBy");
    int rc;

    if ((rc = query_selector(x, &v->selector, e)) < 0) return rc;
    if ((rc = take_loki_window(x, &v->start_ns, &v->end_ns, e)) < 0) return rc;
    if ((rc = take_loki_limit(x, "limit", VOLUMES, VOLUMES_MAX, &v->limit, e)) < 0) return rc;
    if (by.n > 0 && !str_is(by, "series") && !str_is(by, "labels"))
        return err_set(e, ERR_PARSE, "invalid aggregation option");
    v->by_label = str_is(by, "labels");
    v->names = http_param(x, "targetLabels");
    if (v->names.n == 0) v->names = selector_names(v->selector, http_arena(x));
    return names_check(v->names, e);
}

/* Each value is of the time up to its step. */
static int64_t first_step_ns(const struct volume_ask *v)
{
    return v->step_ns > 0 ? MIN(v->start_ns + v->step_ns, v->end_ns) : v->end_ns;
}

static int ask_volume(const struct logs_api *api, struct http_exchange *x, const struct volume_ask *v,
                      struct str names, struct logql_result *r, struct err *e)
{
    long long range_ms = v->step_ns > 0 ? MAX(v->step_ns / NS_PER_MS, 1) : window_ms(v->start_ns, v->end_ns);
    struct logql_request q = {
        .start_ns = first_step_ns(v), .end_ns = v->end_ns, .step_ns = v->step_ns, .cancelled = http_gone(x)
    };
    q.text = arena_printf(http_arena(x), "sum by (%.*s) (bytes_over_time(%.*s\n[%lldms]))", STR_ARG(names),
                          STR_ARG(v->selector), range_ms);
    return logql_query(api->logql, &q, r, e);
}

struct volume { /* of a set of values, or of a label: then its value is empty */
    struct labels labels;
    double bytes, *of_step; /* NaN: nothing */
};

struct volumes {
    struct arena *arena;
    int64_t first_ms, step_ms; /* of the steps */
    size_t n_steps;
    struct volume *at;
    size_t n, cap;
};

static struct volume *volume_new(struct volumes *all, struct labels l)
{
    all->at = arena_grow(all->arena, all->at, all->n, &all->cap, sizeof *all->at);
    struct volume *v = &all->at[all->n++];
    *v = (struct volume){ .labels = l, .of_step = arena_array(all->arena, all->n_steps, sizeof(double)) };
    for (size_t i = 0; i < all->n_steps; i++) v->of_step[i] = NAN;
    return v;
}

static void volume_add(const struct volumes *all, struct volume *v, const struct result_series *s)
{
    for (size_t i = 0; i < s->n; i++) {
        size_t step = all->step_ms > 0 ? (size_t)((s->points[i].time_ms - all->first_ms) / all->step_ms) : 0;
        if (step >= all->n_steps) continue;
        v->of_step[step] =
            isnan(v->of_step[step]) ? s->points[i].value : v->of_step[step] + s->points[i].value;
        v->bytes += s->points[i].value;
    }
}

static struct labels labels_copied(struct labels l, struct arena *a)
{
    struct label *at = arena_array(a, l.n + 1, sizeof *at);
    for (size_t i = 0; i < l.n; i++)
        at[i] = (struct label){ arena_str(a, l.at[i].name), arena_str(a, l.at[i].value) };
    return (struct labels){ at, l.n };
}

static int add_series(struct volumes *all, const struct logs_api *api, struct http_exchange *x,
                      const struct volume_ask *ask, struct err *e)
{
    struct logql_result r = { 0 };
    int rc = ask_volume(api, x, ask, ask->names, &r, e);
    for (size_t i = 0; i < r.n_series && rc == OK; i++)
        volume_add(all, volume_new(all, labels_copied(r.series[i].labels, all->arena)), &r.series[i]);
    if (rc == OK) logql_result_release(&r);
    return rc;
}

/* Of streams that have the label, whatever its value is. */
static int add_label(struct volumes *all, const struct logs_api *api, struct http_exchange *x,
                     const struct volume_ask *ask, struct str name, struct err *e)
{
    struct logql_result r = { 0 };
    struct label *l = arena_alloc(all->arena, sizeof *l);
    *l = (struct label){ name, STR("") };
    int rc = ask_volume(api, x, ask, name, &r, e);
    if (rc < 0) return rc;
    struct volume *v = volume_new(all, (struct labels){ l, 1 });
    for (size_t i = 0; i < r.n_series; i++)
        if (labels_get_str(r.series[i].labels, name).n > 0) volume_add(all, v, &r.series[i]);
    logql_result_release(&r);
    return OK;
}

static int gather_volumes(struct volumes *all, const struct logs_api *api, struct http_exchange *x,
                          const struct volume_ask *ask, struct err *e)
{
    struct str names = ask->names;
    int rc = OK;
    if (!ask->by_label) return add_series(all, api, x, ask, e);
    while (names.n > 0 && rc == OK)
        rc = add_label(all, api, x, ask, str_trim(str_cut(names, ',', &names)), e);
    return rc;
}

static int by_size(const void *a, const void *b)
{
    const struct volume *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return labels_cmp(x->labels, y->labels);
}

static void put_steps(struct buf *out, const struct volumes *all, const struct volume *v)
{
    buf_cs(out, "{\"metric\":");
    prom_put_labels(out, v->labels);
    buf_cs(out, ",\"values\":[");
    for (size_t i = 0, put = 0; i < all->n_steps; i++) {
        if (isnan(v->of_step[i])) continue;
        if (put++ > 0) buf_char(out, ',');
        prom_put_point(out, all->first_ms + (int64_t)i * all->step_ms, v->of_step[i]);
    }
    buf_cs(out, "]}");
}

static void put_volumes(struct buf *out, const struct volume_ask *ask, struct volumes *all)
{
    bool matrix = ask->step_ns > 0;
    buf_printf(out, "{\"status\":\"success\",\"data\":{\"resultType\":\"%s\",\"result\":[",
               matrix ? "matrix" : "vector");
    if (all->n > 1) qsort(all->at, all->n, sizeof *all->at, by_size);
    for (size_t i = 0, put = 0; i < all->n && put < ask->limit; i++) {
        if (all->at[i].bytes <= 0) continue;
        if (put++ > 0) buf_char(out, ',');
        if (matrix)
            put_steps(out, all, &all->at[i]);
        else
            loki_put_sample(out, all->at[i].labels, ask->end_ns / NS_PER_MS, all->at[i].bytes);
    }
    buf_cs(out, "]}}");
}

static void answer_volume(struct http_exchange *x, const struct logs_api *api, const struct volume_ask *ask)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct err e = ERR_INIT;
    struct volumes all = { .arena = http_arena(x),
                           .first_ms = first_step_ns(ask) / NS_PER_MS,
                           .step_ms = ask->step_ns / NS_PER_MS,
                           .n_steps = 1 };
    if (ask->step_ns > 0) all.n_steps = (size_t)((ask->end_ns - first_step_ns(ask)) / ask->step_ns) + 1;
    if (gather_volumes(&all, api, x, ask, &e) < 0) {
        loki_error(x, &e);
        return;
    }
    put_volumes(&out, ask, &all);
    loki_answer(x, &out);
}

static void run_volume(struct http_exchange *x, const struct logs_api *api)
{
    struct volume_ask ask = { 0 };
    struct err e = ERR_INIT;

    if (take_volume(x, &ask, &e) < 0)
        loki_error(x, &e);
    else
        answer_volume(x, api, &ask);
}

static int take_step(struct http_exchange *x, int64_t start_ns, int64_t end_ns, size_t steps_max,
                     int64_t *step_ns, struct err *e)
{
    int64_t span = end_ns - start_ns;
    int rc = take_loki_duration(x, "step", MAX(span / 250 / NS_PER_S, 1) * NS_PER_S, step_ns, e);
    if (rc < 0) return rc;
    if (*step_ns < NS_PER_MS) return err_set(e, ERR_PARSE, "step: at least a millisecond is needed");
    *step_ns -= *step_ns % NS_PER_MS;
    return span / *step_ns < (int64_t)steps_max
               ? OK
               : err_set(e, ERR_PARSE, "step: more than %zu steps; try a longer one", steps_max);
}

static void run_volume_range(struct http_exchange *x, const struct logs_api *api)
{
    struct volume_ask ask = { 0 };
    struct err e = ERR_INIT;

    if (take_volume(x, &ask, &e) < 0 ||
        take_step(x, ask.start_ns, ask.end_ns, STEPS_MAX, &ask.step_ns, &e) < 0)
        loki_error(x, &e);
    else
        answer_volume(x, api, &ask);
}

void handle_loki_volume(struct http_exchange *x, void *ctx)
{
    logs_post(x, ctx, run_volume);
}

void handle_loki_volume_range(struct http_exchange *x, void *ctx)
{
    logs_post(x, ctx, run_volume_range);
}

/* ---- patterns ---- */

struct mining {
    struct log_patterns *patterns;
    struct logql_tail *filter; /* the query itself, when it has more than a selector */
    struct arena scratch;
    uint64_t lines;
    bool cut;
};

static void mine_line(struct mining *m, struct str line, int64_t time_ns)
{
    log_patterns_add(m->patterns, 0, line, time_ns, NULL);
    m->lines++;
}

static int on_bodies(void *ctx, const struct record_rows *rows)
{
    struct mining *m = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        struct value v = rows->values[0][i];
        if (v.type == VALUE_STR || v.type == VALUE_JSON) mine_line(m, v.text, rows->time_ns[i]);
    }
    m->cut = m->lines >= PATTERN_LINES;
    return m->cut ? ERR_LIMIT : OK;
}

static int on_records(void *ctx, const struct record_rows *rows)
{
    struct mining *m = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        struct labels stream;
        struct logql_entry entry;
        if (logql_tail_try(m->filter, &rows->records[i], &m->scratch, &stream, &entry))
            mine_line(m, entry.line, entry.time_ns);
        arena_reset(&m->scratch);
    }
    m->cut = m->lines >= PATTERN_LINES;
    return m->cut ? ERR_LIMIT : OK;
}

static int filter_new(struct mining *m, struct str text, struct err *e)
{
    struct arena a = ARENA_INIT((size_t)64 << 20);
    struct logql_query q;
    int rc = logql_parse(text, &a, &q, e);
    if (rc == OK) {
        if (!logql_is_log(q.root))
            rc = err_set(e, ERR_PARSE, "only log queries have patterns");
        else if (logql_bare(q.root)->log->n_stages > 0)
            rc = logql_tail_new(text, &m->filter, e);
        logql_query_release(&q);
    }
    arena_release(&a);
    return rc;
}

static int mine(struct mining *m, struct http_exchange *x, const struct logs_api *api, int64_t start_ns,
                int64_t end_ns, struct err *e)
{
    const struct field body = field_in(IN_BODY);
    struct record_scan scan = { .table = TABLE_LOGS, .from_ns = start_ns, .to_ns = end_ns - 1 };
    struct store_view *view = NULL;
    struct api_call c;
    struct str selector;

    api_call_init(&c, x, api->base);
    int rc = query_selector(x, &selector, e);
    if (rc == OK) rc = filter_new(m, selector, e);
    if (rc == OK) rc = store_view_open(api->base->store, start_ns / NS_PER_MS, end_ns / NS_PER_MS, &view, e);
    if (rc == OK) rc = logql_selector(selector, view, &c.call, &scan.where, e);
    if (m->filter == NULL) {
        scan.fields = &body;
        scan.n_fields = 1;
    }
    if (rc == OK) rc = view_records(view, &c.call, &scan, m->filter ? on_records : on_bodies, m, e);
    store_view_close(view);
    api_call_release(&c);
    return m->cut ? OK : rc;
}

/* Those with the most lines. */
struct told {
    struct buf *out;
    uint64_t least;
    size_t put, n_buckets;
    int64_t start_s, step_s;
};

static void put_pattern(void *ctx, const struct log_pattern *p)
{
    struct told *t = ctx;
    if (p->lines < t->least || p->buckets == NULL || t->put >= PATTERNS_TOLD) return;
    buf_cs(t->out, t->put++ > 0 ? ",{\"pattern\":" : "{\"pattern\":");
    json_escape(t->out, p->text);
    buf_cs(t->out, ",\"samples\":[");
    for (size_t i = 0, put = 0; i < t->n_buckets; i++) {
        if (p->buckets[i] == 0) continue;
        buf_printf(t->out, "%s[%lld,%u]", put++ ? "," : "", (long long)(t->start_s + (int64_t)i * t->step_s),
                   p->buckets[i]);
    }
    buf_cs(t->out, "]}");
}

struct counts {
    uint64_t *at;
    size_t n;
};

static void keep_count(void *ctx, const struct log_pattern *p)
{
    struct counts *c = ctx;
    c->at[c->n++] = p->lines;
}

static int largest_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x < y) - (x > y);
}

static uint64_t least_told(struct log_patterns *m, struct arena *a)
{
    struct counts c = { .at = arena_array(a, log_patterns_count(m) + 1, sizeof *c.at) };
    log_patterns_each(m, keep_count, &c);
    qsort(c.at, c.n, sizeof *c.at, largest_first);
    return c.n > PATTERNS_TOLD ? c.at[PATTERNS_TOLD - 1] : 0;
}

/* Samples lie on whole steps, as Loki's do. */
static void run_patterns(struct http_exchange *x, const struct logs_api *api)
{
    struct mining m = { .scratch = ARENA_INIT((size_t)64 << 20) };
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct err e = ERR_INIT;
    int64_t start_ns, end_ns, step_ns;

    int rc = take_loki_window(x, &start_ns, &end_ns, &e);
    if (rc == OK) rc = take_step(x, start_ns, end_ns, BUCKETS_MAX, &step_ns, &e);
    if (rc < 0) {
        loki_error(x, &e);
        return;
    }
    step_ns = MAX(step_ns / NS_PER_S, 1) * NS_PER_S;
    int64_t first_ns = start_ns - (start_ns % step_ns + step_ns) % step_ns;
    size_t n = (size_t)((end_ns - first_ns) / step_ns) + 1;
    m.patterns = log_patterns_new(&(struct log_patterns_conf){ PATTERN_MEMORY, first_ns, step_ns, n });
    if ((rc = mine(&m, x, api, start_ns, end_ns, &e)) == OK) {
        struct told t = {
            &out, least_told(m.patterns, http_arena(x)), 0, n, first_ns / NS_PER_S, step_ns / NS_PER_S
        };
        buf_cs(&out, "{\"status\":\"success\",\"data\":[");
        log_patterns_each(m.patterns, put_pattern, &t);
        buf_cs(&out, "]}");
    }
    log_patterns_free(m.patterns);
    logql_tail_free(m.filter);
    arena_release(&m.scratch);
    if (rc < 0)
        loki_error(x, &e);
    else
        loki_answer(x, &out);
}

void handle_loki_patterns(struct http_exchange *x, void *ctx)
{
    logs_post(x, ctx, run_patterns);
}
