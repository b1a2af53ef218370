/* genai_series.c - see genai_series.h.
 *
 * A chunk without any name that tells of models or agents is left at once; only when traces are followed are
 * its spans looked up, as some may lead from a model call to its agent. Names are looked up once a chunk, not
 * once a span: `want` gives each a place in what is picked, and picked values go straight into the parse. */
#include "derive/genai_series.h"

#include <pthread.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "derive/genai_tables.h"

#define GAUGES (2 * GENAI_TABLES + 1)

struct genai_series {
    struct store *store;
    struct genai_series_conf conf;
    struct span_metrics_conf times; /* which spans are too late */
    struct genai_tables tables;
    struct stat *asked[GAUGES];
    size_t n_asked;

    pthread_mutex_t open_mu;
    struct open_traces *open; /* open_mu */
    int64_t now_ms;           /* open_mu: of the chunk or tick at hand */

    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t wake;
    bool stopping; /* mu */
};

/* Holds open_mu. */
static void counted(void *ctx, const struct spent *spent)
{
    struct genai_series *s = ctx;
    genai_count_spent(&s->tables, spent, s->now_ms);
}

/* ---- a chunk of records ---- */

struct chunk {
    struct genai_series *s;
    struct price_book *prices;
    struct arena arena, scratch; /* scratch: of one record */
    struct record_walk walk;
    uint8_t *want;
    uint8_t name[GENAI_NAMES_MAX]; /* by place */
    bool tells[GENAI_NAMES_MAX];   /* by place */
    struct value *picked;
    size_t n_picked;
    bool any_tells;
};

static struct str service_of(const struct origin *o)
{
    for (size_t i = 0; i < o->resource.n; i++)
        if (str_is(o->resource.at[i].name, "service.name") && o->resource.at[i].value.type == VALUE_STR)
            return o->resource.at[i].value.text;
    return STR("unknown_service");
}

static void open_chunk(struct chunk *c, struct genai_series *s, const struct record_chunk *of)
{
    *c = (struct chunk){ .s = s, .arena = ARENA_INIT(SIZE_MAX / 2), .scratch = ARENA_INIT(SIZE_MAX / 2) };
    record_walk_open(&c->walk, of->bytes, &c->arena);
    const struct record_reader *r = &c->walk.reader;
    c->want = arena_zero(&c->arena, r->n_names + 1);
    for (size_t i = 0; i < r->n_names; i++) {
        uint8_t name = genai_name(r->names[i]);
        if (name == 0) continue;
        c->name[c->n_picked] = name;
        c->tells[c->n_picked] = genai_name_tells(name) || str_is(r->names[i], "event.name");
        c->any_tells = c->any_tells || c->tells[c->n_picked];
        c->want[i] = (uint8_t)++c->n_picked;
    }
    c->picked = arena_zero(&c->arena, (c->n_picked + 1) * sizeof *c->picked);
}

static void close_chunk(struct chunk *c)
{
    price_book_unref(c->prices);
    arena_release(&c->scratch);
    arena_release(&c->arena);
}

static bool next(struct chunk *c, struct record *r)
{
    memset(c->picked, 0, c->n_picked * sizeof *c->picked);
    arena_reset(&c->scratch);
    return record_walk_next(&c->walk, c->want, c->picked, r);
}

static bool parse(struct chunk *c, const struct record *r, enum table table, struct genai_span *g)
{
    struct genai_parse p;
    bool tells = table == TABLE_LOGS;
    for (size_t i = 0; i < c->n_picked; i++)
        tells = tells || (c->tells[i] && c->picked[i].type != VALUE_NONE);
    if (!tells) return false;
    genai_begin(&p, r->origin->scope_name, &c->scratch);
    for (size_t i = 0; i < c->n_picked; i++)
        if (c->picked[i].type != VALUE_NONE) genai_put(&p, c->name[i], c->picked[i]);
    return genai_end(&p, r, table, g);
}

static struct cost cost_of(struct chunk *c, const struct genai_span *g)
{
    if (c->prices == NULL) c->prices = price_book_current();
    return price_book_cost(c->prices, g);
}

/* ---- spans ---- */

static void take_span(struct chunk *c, const struct record *r)
{
    struct genai_series *s = c->s;
    struct genai_span g;
    if (parse(c, r, TABLE_SPANS, &g)) {
        struct str service = service_of(r->origin);
        struct cost cost = cost_of(c, &g);
        if (!open_traces_add(s->open, r, &g, &cost, service, s->now_ms)) return; /* sent again */
        genai_count_run(&s->tables, &g, r, service, s->now_ms);
        genai_count_score(&s->tables, &g, service, s->now_ms);
    } else if (open_traces_follow(s->open, r->trace_id)) {
        open_traces_add(s->open, r, NULL, NULL, STR(""), s->now_ms);
    }
}

static void take_spans(struct chunk *c)
{
    struct genai_series *s = c->s;
    struct record r;
    pthread_mutex_lock(&s->open_mu);
    s->now_ms = clock_now_ms();
    while ((c->any_tells || open_traces_spans(s->open) > 0) && next(c, &r))
        if (span_metrics_skip(&s->times, &r, s->now_ms) == NULL) take_span(c, &r);
    pthread_mutex_unlock(&s->open_mu);
}

/* ---- events ---- */

static struct str or_else(struct str a, struct str b)
{
    return a.n > 0 ? a : b;
}

/* An event stands for itself: no trace is waited for. */
static void count_event(struct chunk *c, const struct genai_span *g, struct str service, int64_t now_ms)
{
    struct spent spent = { .usage = g->usage,
                           .cost = cost_of(c, g),
                           .has_usage = g->has_usage,
                           .seconds = g->seconds,
                           .first_token_seconds = g->first_token_seconds,
                           .text = { [SPENT_PROVIDER] = g->provider,
                                     [SPENT_MODEL] = g->model,
                                     [SPENT_REQUEST_MODEL] = or_else(g->request_model, g->model),
                                     [SPENT_OPERATION] = g->operation,
                                     [SPENT_SERVICE] = service,
                                     [SPENT_AGENT] = g->agent,
                                     [SPENT_WORKFLOW] = g->workflow,
                                     [SPENT_MCP_SERVER] = g->mcp_server,
                                     [SPENT_TOOL] = g->tool,
                                     [SPENT_ERROR] = g->error_type } };
    genai_count_spent(&c->s->tables, &spent, now_ms);
}

static bool is_of_now(const struct genai_series *s, int64_t time_ns, int64_t now_ms)
{
    int64_t ago_ms = now_ms - time_ns / 1000000;
    return s->times.late_ms == 0 || (ago_ms <= s->times.late_ms && ago_ms >= -s->times.late_ms);
}

static void take_events(struct chunk *c)
{
    int64_t now_ms = clock_now_ms();
    struct genai_span g;
    struct record r;
    while (c->any_tells && next(c, &r)) {
        if (!is_of_now(c->s, r.time_ns, now_ms) || !parse(c, &r, TABLE_LOGS, &g)) continue;
        struct str service = service_of(r.origin);
        if (g.part == PART_CALL) count_event(c, &g, service, now_ms);
        if (g.kind == GENAI_TOOL) genai_count_run(&c->s->tables, &g, NULL, service, now_ms);
        genai_count_score(&c->s->tables, &g, service, now_ms);
    }
}

static void seen(void *ctx, const struct records *records)
{
    for (size_t i = 0; i < records->n_chunks; i++) {
        struct chunk c;
        open_chunk(&c, ctx, &records->chunks[i]);
        if (records->table == TABLE_SPANS)
            take_spans(&c);
        else
            take_events(&c);
        close_chunk(&c);
    }
}

struct record_tap genai_series_tap(struct genai_series *s)
{
    return (struct record_tap){ seen, s };
}

/* ---- writing ---- */

int genai_series_write(struct genai_series *s, int64_t tick_ms, int64_t step_ms, bool all, struct err *e)
{
    int rc = OK;
    pthread_mutex_lock(&s->open_mu);
    s->now_ms = clock_now_ms();
    open_traces_settle(s->open, s->now_ms, all);
    pthread_mutex_unlock(&s->open_mu);
    for (size_t i = 0; i < GENAI_TABLES; i++) {
        int one = series_out_write(s->tables.at[i], s->store, tick_ms, step_ms, e);
        if (rc == OK) rc = one;
    }
    return rc;
}

static void write_logged(struct genai_series *s, int64_t tick_ms, bool all)
{
    struct err e = ERR_INIT;
    if (genai_series_write(s, tick_ms, s->conf.interval_ms, all, &e) < 0)
        log_warn("derive", "series of model calls not stored", "error", e.text, NULL);
}

static bool wait_until(struct genai_series *s, int64_t t_ms)
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
    struct genai_series *s = arg;
    const int64_t step = s->conf.interval_ms;
    int64_t t = (clock_now_ms() / step + 1) * step;
    while (wait_until(s, t)) {
        write_logged(s, t, false);
        t = MAX(t + step, clock_now_ms() / step * step);
    }
    write_logged(s, t, true); /* the tick that would have come next: what came last is not lost */
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

static double ask_spans(void *ctx)
{
    struct genai_series *s = ctx;
    pthread_mutex_lock(&s->open_mu);
    double n = (double)open_traces_spans(s->open);
    pthread_mutex_unlock(&s->open_mu);
    return n;
}

static void add_gauges(struct genai_series *s)
{
    static const char *const labels[GENAI_TABLES] = {
        "of=\"genai_calls\"", "of=\"genai_tokens\"", "of=\"genai_usage\"", "of=\"genai_duration\"",
        "of=\"genai_first\"", "of=\"genai_runs\"",   "of=\"mcp\"",         "of=\"genai_scores\"",
    };
    for (size_t i = 0; i < GENAI_TABLES; i++) {
        s->asked[s->n_asked++] =
            stat_ask(STAT_GAUGE, "vedette_derived_rows", "Label sets of series made out of records.",
                     labels[i], ask_rows, s->tables.at[i]);
        s->asked[s->n_asked++] =
            stat_ask(STAT_COUNTER, "vedette_derived_overflow_total",
                     "Records counted under __overflow__, as there were too many label sets.", labels[i],
                     ask_overflowed, s->tables.at[i]);
    }
    s->asked[s->n_asked++] =
        stat_ask(STAT_GAUGE, "vedette_genai_open_spans",
                 "Spans kept until it is known whose model calls they are.", NULL, ask_spans, s);
    check(s->n_asked == GAUGES);
}

/* ---- life ---- */

struct genai_series *genai_series_start(struct store *store, const struct genai_series_conf *conf)
{
    struct genai_series *s = mem_alloc_zero(sizeof *s);
    s->store = store;
    s->conf = *conf;
    s->times.late_ms = conf->late_ms;
    genai_tables_init(&s->tables, conf->max_rows, conf->idle_ms);
    s->open = open_traces_new(conf->wait_ms, counted, s);
    pthread_mutex_init(&s->open_mu, NULL);
    pthread_mutex_init(&s->mu, NULL);
    pthread_cond_init(&s->wake, NULL);
    add_gauges(s);
    if (conf->interval_ms > 0) check(pthread_create(&s->thread, NULL, write_main, s) == 0);
    return s;
}

void genai_series_stop(struct genai_series *s)
{
    if (s == NULL) return;
    pthread_mutex_lock(&s->mu);
    s->stopping = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->mu);
    if (s->conf.interval_ms > 0) pthread_join(s->thread, NULL);
    for (size_t i = 0; i < s->n_asked; i++) stat_forget(s->asked[i]);
    open_traces_free(s->open);
    genai_tables_release(&s->tables);
    pthread_mutex_destroy(&s->open_mu);
    pthread_mutex_destroy(&s->mu);
    pthread_cond_destroy(&s->wake);
    mem_free(s);
}
