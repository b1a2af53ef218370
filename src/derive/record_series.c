#include "derive/record_series.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "decode/severity.h"
#include "derive/agent_graph.h"
#include "derive/late_series.h"
#include "derive/recent.h"

#define PICKED_MAX   (SPAN_FIELDS_COUNT + SPAN_DIMENSIONS_MAX)
#define LATE_WORK_MS 10000 /* at a tick; what is left is for the next */

enum { ASKED = 10 }; /* gauges */
enum skipped { SKIP_RUNNING, SKIP_LATE, SKIP_FUTURE, SKIP_REPEATED, SKIPS };
static const char *const skip_names[SKIPS] = { "running", "late", "future", "repeated" };

struct record_series {
    struct store *store;
    struct record_series_conf conf;
    char labels[SPAN_DIMENSIONS_MAX][SPAN_LABEL_MAX]; /* of the dimensions */
    size_t dimension_at[SPAN_DIMENSIONS_MAX];         /* in what is picked */
    struct stat *skipped[SKIPS], *asked[ASKED];
    struct series_out *spans, *logs;
    struct service_graph *services;
    struct agent_graph *agents;
    struct late_series *late;

    pthread_mutex_t recent_mu;
    struct recent *recent; /* recent_mu */

    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t wake;
    bool stopping; /* mu */
};

/* ---- a chunk of records ---- */

/* Always in this order, after recent_mu. The writer holds one at a time. */
static void lock_outs(struct record_series *s)
{
    series_out_lock(s->spans);
    series_out_lock(service_graph_out(s->services));
    series_out_lock(agent_graph_out(s->agents));
}

static void unlock_outs(struct record_series *s)
{
    series_out_unlock(agent_graph_out(s->agents));
    series_out_unlock(service_graph_out(s->services));
    series_out_unlock(s->spans);
}

struct chunk {
    struct record_series *s;
    struct arena arena;
    struct record_walk walk;
    uint8_t *want;
    struct str *services; /* of the origins */
    int64_t now_ms;
    const struct value *picked; /* of the span at hand */
};

static struct str service_of(const struct origin *o)
{
    static const char *const keys[] = { "service.name", "service_name", "service", "job", "app" };
    for (size_t k = 0; k < COUNT(keys); k++)
        for (size_t i = 0; i < o->resource.n; i++) {
            const struct attr *a = &o->resource.at[i];
            if (str_is(a->name, keys[k]) && a->value.type == VALUE_STR && a->value.text.n > 0)
                return a->value.text;
        }
    return STR("unknown_service");
}

static const char *picked_name(const struct record_series *s, size_t i)
{
    static const char *const fields[] = {
#define X(id, name) name,
        SPAN_FIELDS(X)
#undef X
    };
    return i < COUNT(fields) ? fields[i] : s->conf.spans.dimensions[i - COUNT(fields)];
}

static void open_chunk(struct chunk *c, struct record_series *s, const struct record_chunk *of)
{
    *c = (struct chunk){ .s = s, .arena = ARENA_INIT(SIZE_MAX / 2), .now_ms = clock_now_ms() };
    record_walk_open(&c->walk, of->bytes, &c->arena);
    const struct record_reader *r = &c->walk.reader;
    c->want = arena_zero(&c->arena, r->n_names + 1);
    c->services = arena_array(&c->arena, r->n_origins + 1, sizeof *c->services);
    for (size_t i = 0; i < r->n_origins; i++) c->services[i] = service_of(&r->origins[i]);
    if (r->table != TABLE_SPANS) return;
    for (size_t p = 0; p < SPAN_FIELDS_COUNT + s->conf.spans.n_dimensions; p++) {
        struct str name = str_of(picked_name(s, p));
        for (size_t i = 0; i < r->n_names; i++) {
            if (c->want[i] == 0 && str_eq(r->names[i], name)) c->want[i] = (uint8_t)(p + 1);
        }
    }
}

static void skip(struct record_series *s, const char *why)
{
    for (size_t i = 0; i < SKIPS; i++)
        if (strcmp(why, skip_names[i]) == 0) stat_add(s->skipped[i], 1);
}

/* ---- what is made of them ---- */

static struct str as_text(struct arena *a, struct value v)
{
    struct buf text = BUF_INIT(2 * OUT_VALUE_BYTES);
    if (v.type == VALUE_NONE || v.type == VALUE_STR || v.type == VALUE_JSON)
        return v.type == VALUE_NONE ? STR("") : v.text;
    value_print(&text, v);
    struct str kept = arena_str(a, buf_view(&text));
    buf_release(&text);
    return kept;
}

/* Of the span, else of its resource. */
static struct str dimension(struct chunk *c, const struct record *r, size_t i)
{
    struct value v = c->picked[c->s->dimension_at[i]];
    const struct attrs *resource = &r->origin->resource;
    for (size_t k = 0; v.type == VALUE_NONE && k < resource->n; k++)
        if (str_is(resource->at[k].name, c->s->conf.spans.dimensions[i])) v = resource->at[k].value;
    return as_text(&c->arena, v);
}

/* A span of the store, whole: what late_series.h wants to know. */
static void late_span_labels(void *ctx, const struct record *r, struct arena *a, struct str *service,
                             struct str values[SPAN_DIMENSIONS_MAX])
{
    const struct record_series *s = ctx;
    *service = service_of(r->origin);
    for (size_t d = 0; d < s->conf.spans.n_dimensions; d++) {
        const struct str name = str_of(s->conf.spans.dimensions[d]);
        struct value v = record_value(r, TABLE_SPANS, field_attr(FIELD_ATTR, name));
        if (v.type == VALUE_NONE) v = record_value(r, TABLE_SPANS, field_attr(FIELD_RESOURCE, name));
        values[d] = as_text(a, v);
    }
}

static bool was_counted(void *ctx, const struct record *r)
{
    struct record_series *s = ctx;
    pthread_mutex_lock(&s->recent_mu);
    bool was = recent_has(s->recent, r);
    pthread_mutex_unlock(&s->recent_mu);
    return was;
}

static void count_span(struct chunk *c, const struct record *r, struct str service)
{
    struct record_series *s = c->s;
    struct str values[SPAN_DIMENSIONS_MAX];
    for (size_t d = 0; d < s->conf.spans.n_dimensions; d++) values[d] = dimension(c, r, d);
    span_metrics_seen(s->spans, &s->conf.spans, &(struct seen_span){ r, service, values }, c->now_ms);
    service_graph_seen(s->services, r, service, c->picked, c->now_ms);
    agent_graph_seen(s->agents, r, c->picked, c->now_ms);
}

/* Those that are over, of now, and new; late ones are for later. */
static void take_span(struct chunk *c, const struct record *r)
{
    struct record_series *s = c->s;
    if ((r->flags & RECORD_LATE) && late_series_note(s->late, r->time_ns, c->now_ms)) return;
    const char *why = span_metrics_skip(&s->conf.spans, r, c->now_ms);
    if (why == NULL && recent_seen(s->recent, r)) why = skip_names[SKIP_REPEATED];
    if (why != NULL)
        skip(s, why);
    else
        count_span(c, r, c->services[r->origin - c->walk.reader.origins]);
}

/* One span ahead, so that what is looked up of it is in the cache when its turn comes. */
static void count_spans(struct chunk *c)
{
    struct record_series *s = c->s;
    struct record r[2];
    struct value *picked[2] = { arena_zero(&c->arena, sizeof(struct value[PICKED_MAX])),
                                arena_zero(&c->arena, sizeof(struct value[PICKED_MAX])) };
    pthread_mutex_lock(&s->recent_mu);
    lock_outs(s);
    bool more = record_walk_next(&c->walk, c->want, picked[0], &r[0]);
    for (unsigned i = 0; more; i ^= 1) {
        memset(picked[i ^ 1], 0, sizeof(struct value[PICKED_MAX]));
        more = record_walk_next(&c->walk, c->want, picked[i ^ 1], &r[i ^ 1]);
        if (more) recent_soon(s->recent, &r[i ^ 1]);
        c->picked = picked[i];
        take_span(c, &r[i]);
    }
    unlock_outs(s);
    pthread_mutex_unlock(&s->recent_mu);
}

static void count_logs(struct chunk *c)
{
    struct series_out *o = c->s->logs;
    struct record r;
    series_out_lock(o);
    while (record_walk_next(&c->walk, c->want, NULL, &r)) {
        const struct str values[] = { c->services[r.origin - c->walk.reader.origins],
                                      str_of(severity_level(r.log.severity)) };
        series_out_count(o, series_out_row(o, values, c->now_ms), 0, 1);
    }
    series_out_unlock(o);
}

static void seen(void *ctx, const struct records *records)
{
    for (size_t i = 0; i < records->n_chunks; i++) {
        struct chunk c;
        open_chunk(&c, ctx, &records->chunks[i]);
        if (records->table == TABLE_SPANS)
            count_spans(&c);
        else
            count_logs(&c);
        arena_release(&c.arena);
    }
}

struct record_tap record_series_tap(struct record_series *s)
{
    return (struct record_tap){ seen, s };
}

/* ---- writing ---- */

static int write_live(struct record_series *s, int64_t tick_ms, int64_t step_ms, struct err *e)
{
    struct series_out *const all[] = { s->spans, s->logs, service_graph_out(s->services),
                                       agent_graph_out(s->agents) };
    int rc = OK;
    series_out_lock(all[2]);
    service_graph_expire(s->services, clock_now_ms());
    series_out_unlock(all[2]);
    series_out_lock(all[3]);
    agent_graph_expire(s->agents, clock_now_ms());
    series_out_unlock(all[3]);
    for (size_t i = 0; i < COUNT(all); i++) {
        int one = series_out_write(all[i], s->store, tick_ms, step_ms, e);
        if (rc == OK) rc = one;
    }
    return rc;
}

int record_series_write(struct record_series *s, int64_t tick_ms, int64_t step_ms, struct err *e)
{
    int rc = write_live(s, tick_ms, step_ms, e);
    int late = late_series_write(s->late, clock_now_ms(), s->conf.interval_ms, LATE_WORK_MS, e);
    return rc < 0 ? rc : late;
}

static void write_logged(struct record_series *s, int64_t tick_ms, int64_t quiet_ms)
{
    struct err e = ERR_INIT;
    if (write_live(s, tick_ms, s->conf.interval_ms, &e) < 0 ||
        late_series_write(s->late, clock_now_ms(), quiet_ms, LATE_WORK_MS, &e) < 0)
        log_warn("derive", "series of records not stored", "error", e.text, NULL);
}

static bool wait_until(struct record_series *s, int64_t t_ms)
{
    struct timespec until = { t_ms / 1000, t_ms % 1000 * 1000000 };
    pthread_mutex_lock(&s->mu);
    while (!s->stopping && clock_now_ms() < t_ms) pthread_cond_timedwait(&s->wake, &s->mu, &until);
    bool on = !s->stopping;
    pthread_mutex_unlock(&s->mu);
    return on;
}

/* Ticks are multiples of the interval and never repeat, whatever the clock does. */
static void *write_main(void *arg)
{
    struct record_series *s = arg;
    const int64_t step = s->conf.interval_ms;
    int64_t t = (clock_now_ms() / step + 1) * step;
    while (wait_until(s, t)) {
        write_logged(s, t, step);
        t = MAX(t + step, clock_now_ms() / step * step);
    }
    write_logged(s, t, 0); /* the tick that would have come next: what came last is not lost */
    return NULL;
}

/* ---- gauges ---- */

static double ask_rows(void *out)
{
    return (double)series_out_status(out).rows;
}

static double ask_overflowed(void *out)
{
    return (double)series_out_status(out).overflowed;
}

static double ask_services_unpaired(void *ctx)
{
    struct record_series *s = ctx;
    series_out_lock(service_graph_out(s->services));
    double n = (double)service_graph_unpaired(s->services);
    series_out_unlock(service_graph_out(s->services));
    return n;
}

static double ask_agents_unpaired(void *ctx)
{
    struct record_series *s = ctx;
    series_out_lock(agent_graph_out(s->agents));
    double n = (double)agent_graph_unpaired(s->agents);
    series_out_unlock(agent_graph_out(s->agents));
    return n;
}

static void each_gauge(struct record_series *s, struct stat *asked[ASKED])
{
    static const char rows[] = "vedette_derived_rows",
                      rows_help[] = "Label sets of series made out of records.";
    static const char over[] = "vedette_derived_overflow_total",
                      over_help[] = "Records counted under __overflow__, as there were too many label sets.";
    static const char alone[] = "vedette_graph_unpaired_total",
                      alone_help[] = "Halves of edges whose other half did not come in time.";
    struct {
        struct series_out *out;
        const char *labels;
    } of[] = {
        { s->spans, "of=\"spans\"" },
        { s->logs, "of=\"logs\"" },
        { service_graph_out(s->services), "of=\"services\"" },
        { agent_graph_out(s->agents), "of=\"agents\"" },
    };
    size_t n = 0;
    for (size_t i = 0; i < COUNT(of); i++) {
        asked[n++] = stat_ask(STAT_GAUGE, rows, rows_help, of[i].labels, ask_rows, of[i].out);
        asked[n++] = stat_ask(STAT_COUNTER, over, over_help, of[i].labels, ask_overflowed, of[i].out);
    }
    asked[n++] = stat_ask(STAT_COUNTER, alone, alone_help, of[2].labels, ask_services_unpaired, s);
    asked[n++] = stat_ask(STAT_COUNTER, alone, alone_help, of[3].labels, ask_agents_unpaired, s);
    check(n == ASKED);
}

/* ---- life ---- */

void span_dimension_label(char out[SPAN_LABEL_MAX], struct str attribute)
{
    size_t n = 0;
    for (; n < attribute.n && n < SPAN_LABEL_MAX - 1; n++) {
        char c = attribute.p[n];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9' && n > 0);
        out[n] = plain ? c : '_';
    }
    out[n] = 0;
}

/* And those of late ones, which have the same labels. */
static struct series_out *new_spans(struct record_series *s)
{
    struct span_metrics_conf named = s->conf.spans;
    for (size_t i = 0; i < named.n_dimensions; i++) {
        size_t p = 0;
        while (strcmp(picked_name(s, p), named.dimensions[i]) != 0) p++;
        s->dimension_at[i] = p;
        span_dimension_label(s->labels[i], str_of(named.dimensions[i]));
        named.dimensions[i] = s->labels[i];
    }
    s->late = late_series_new(s->store, &named, late_span_labels, was_counted, s);
    return span_metrics_new(&named);
}

static struct series_out *new_logs(const struct record_series_conf *conf)
{
    static const struct out_shape shape = {
        .labels = { "service", "severity" },
        .n_labels = 2,
        .overflow = "service",
        .families = { { "vedette_log_records_total", "Log records accepted.", OUT_COUNTER, 0, 1, false } },
        .n_families = 1,
        .n_counts = 1,
    };
    return series_out_new(&shape, conf->max_log_rows, conf->spans.idle_ms);
}

struct record_series *record_series_start(struct store *store, const struct record_series_conf *conf)
{
    struct record_series *s = mem_alloc_zero(sizeof *s);
    s->store = store;
    s->conf = *conf;
    for (size_t i = 0; i < SKIPS; i++) {
        char labels[48];
        snprintf(labels, sizeof labels, "reason=\"%s\"", skip_names[i]);
        s->skipped[i] = stat_counter("vedette_span_metrics_skipped_total",
                                     "Spans that span metrics and graphs did not count.", labels);
    }
    s->spans = new_spans(s);
    s->logs = new_logs(conf);
    s->services = service_graph_new(&conf->graph);
    s->agents = agent_graph_new(&conf->graph);
    s->recent = recent_new();
    pthread_mutex_init(&s->recent_mu, NULL);
    pthread_mutex_init(&s->mu, NULL);
    pthread_cond_init(&s->wake, NULL);
    each_gauge(s, s->asked);
    if (conf->interval_ms > 0) check(pthread_create(&s->thread, NULL, write_main, s) == 0);
    return s;
}

void record_series_stop(struct record_series *s)
{
    if (s == NULL) return;
    pthread_mutex_lock(&s->mu);
    s->stopping = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->mu);
    if (s->conf.interval_ms > 0) pthread_join(s->thread, NULL);
    for (size_t i = 0; i < ASKED; i++) stat_forget(s->asked[i]);
    series_out_free(s->spans);
    series_out_free(s->logs);
    service_graph_free(s->services);
    agent_graph_free(s->agents);
    late_series_free(s->late);
    recent_free(s->recent);
    pthread_mutex_destroy(&s->recent_mu);
    pthread_mutex_destroy(&s->mu);
    pthread_cond_destroy(&s->wake);
    mem_free(s);
}
