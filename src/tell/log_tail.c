/* log_tail.c - see log_tail.h.
 *
 * Always true:
 *   1. The receiving thread takes `mu` for as long as it takes to hang a copied chunk into the queue; it
 * never waits for a query or a client.
 *   2. Only the hub thread puts lines into streams, so a follower sees them in the order they came.
 *   3. The queue holds at most queue_bytes; of more, the oldest chunks are dropped and their records counted
 * as lost for every follower.
 *
 * Threads: the hub's own. `mu`: queue, list of tails, stopping. `patterns_mu`: miner and names of services.
 */
#include "tell/log_tail.h"

#include <pthread.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/stat.h"
#include "tell/log_json.h"
#include "tell/loki_json.h"

#define QUEUE_BYTES   (32u << 20)
#define ROUND_BYTES   (512u << 10)
#define TICK_MS       500
#define IDLE_MS       15000 /* of silence, after which an event stream gets a comment */
#define FRAME_ENTRIES 5000
#define FRAME_BYTES   (1u << 20)
#define FRAME_MAX     (64u << 20) /* one huge line and what JSON makes of it */
#define SCRATCH       ((size_t)64 << 20)
#define SERVICES_MAX  1000 /* later ones go without a name, as number 0 */
#define LEARN_NS      (600 * 1000000000LL)
#define NEW_NS        (3600 * 1000000000LL)

struct waiting { /* a chunk of log records */
    struct waiting *next;
    size_t records, n;
    char bytes[];
};

struct log_tail {
    struct log_tail *next;
    struct http_stream *stream;
    struct log_tail_ask ask;
    struct logql_result *history; /* mu, until told */
    bool ready;                   /* mu; history is all that it will be */
    /* the hub thread's own: */
    bool waits;         /* for its history; lines are held back */
    struct arena arena; /* of the frame in the making */
    struct logql_stream *lines;
    size_t n_lines, cap_lines;
    struct buf events;
    size_t n_entries;
    uint64_t lost;
    int64_t sent_ms;
    struct map told; /* hashes of the history's lines */
};

struct log_tail_hub {
    struct log_tail_conf conf;
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t wake;
    struct waiting *first, *last;
    size_t queued_bytes;
    uint64_t lost; /* records dropped since the hub looked last */
    struct log_tail *tails;
    size_t n_tails;
    _Atomic size_t followers; /* n_tails, for a look without the lock */
    bool stopping;

    pthread_mutex_t patterns_mu;
    struct log_patterns *patterns; /* NULL: none are kept */
    char *services[SERVICES_MAX];
    size_t n_services;
    struct map service_of; /* hash of the name -> index; names are compared */
    int64_t started_ns;
    struct stat *lost_total, *new_total, *followers_now;
};

/* ---- on the receiving thread ---- */

static struct waiting *drop_excess(struct log_tail_hub *h, size_t coming)
{
    struct waiting *dropped = NULL;
    while (h->first != NULL && h->queued_bytes + coming > h->conf.queue_bytes) {
        struct waiting *w = h->first;
        h->first = w->next;
        if (h->first == NULL) h->last = NULL;
        h->queued_bytes -= w->n;
        h->lost += w->records;
        w->next = dropped;
        dropped = w;
    }
    return dropped;
}

static void free_all(struct waiting *w)
{
    for (struct waiting *next; w != NULL; w = next) {
        next = w->next;
        mem_free(w);
    }
}

static void hang(struct log_tail_hub *h, struct waiting *w)
{
    pthread_mutex_lock(&h->mu);
    struct waiting *dropped = drop_excess(h, w->n);
    if (h->last)
        h->last->next = w;
    else
        h->first = w;
    h->last = w;
    h->queued_bytes += w->n;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->mu);
    free_all(dropped);
}

static void on_records(void *ctx, const struct records *r)
{
    struct log_tail_hub *h = ctx;
    if (r->table != TABLE_LOGS) return;
    if (h->patterns == NULL && atomic_load_explicit(&h->followers, memory_order_relaxed) == 0) return;
    for (size_t i = 0; i < r->n_chunks; i++) {
        const struct record_chunk *c = &r->chunks[i];
        struct waiting *w = mem_alloc(sizeof *w + c->bytes.n);
        *w = (struct waiting){ .records = c->n, .n = c->bytes.n };
        memcpy(w->bytes, c->bytes.p, c->bytes.n);
        hang(h, w);
    }
}

struct record_tap log_tail_tap(struct log_tail_hub *h)
{
    return (struct record_tap){ on_records, h };
}

/* ---- patterns ---- */

struct service_lookup {
    const struct log_tail_hub *h;
    struct str name;
};

static bool same_service(void *ctx, uint64_t i)
{
    const struct service_lookup *l = ctx;
    return str_is(l->name, l->h->services[i]);
}

static uint32_t service_number(struct log_tail_hub *h, const struct record *r)
{
    struct value v = record_value(r, TABLE_LOGS, field_attr(FIELD_RESOURCE, STR("service.name")));
    struct str name = v.type == VALUE_STR ? v.text : STR("");
    uint64_t hash = hash64(name.p, name.n);
    struct service_lookup look = { h, name };
    uint64_t *known = map_find(&h->service_of, hash, same_service, &look);
    if (known != NULL) return (uint32_t)*known;
    if (h->n_services == SERVICES_MAX) return 0;
    map_add(&h->service_of, hash, h->n_services);
    h->services[h->n_services] = str_dup(name);
    return (uint32_t)h->n_services++;
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Times of arrival count: a sender's clock says nothing about when something was new. */
static void mine(struct log_tail_hub *h, const struct record *r, int64_t now)
{
    if (r->log.body.type != VALUE_STR && r->log.body.type != VALUE_JSON) return;
    bool is_new;
    log_patterns_add(h->patterns, service_number(h, r), r->log.body.text, now, &is_new);
    if (is_new && now - h->started_ns > LEARN_NS) stat_add(h->new_total, 1);
}

/* ---- frames ---- */

static void put_dropped(struct buf *out, uint64_t lost)
{
    buf_printf(out,
               ",\"dropped_entries\":[{\"timestamp\":\"%lld\",\"labels\":{\"vedette_dropped\":\"%llu\"}}]",
               (long long)now_ns(), (unsigned long long)lost);
}

static void send_streams(struct log_tail *t, const struct logql_stream *lines, size_t n_lines,
                         size_t n_entries, uint64_t lost)
{
    bool categorised = t->ask.form == LOG_TAIL_CATEGORISED;
    struct buf out = BUF_INIT(FRAME_MAX);
    buf_cs(&out, "{\"streams\":");
    loki_put_streams(&out, lines, n_lines, categorised, true, &t->arena);
    if (categorised) buf_cs(&out, ",\"encodingFlags\":[\"categorize-labels\"]");
    if (lost > 0) put_dropped(&out, lost);
    buf_char(&out, '}');
    if (!out.full) http_stream_put(t->stream, buf_view(&out), n_entries);
    buf_release(&out);
}

static void send_events(struct log_tail *t, uint64_t lost)
{
    if (lost > 0)
        buf_printf(&t->events, "event: dropped\ndata: {\"dropped\":%llu}\n\n", (unsigned long long)lost);
    if (!t->events.full) http_stream_put(t->stream, buf_view(&t->events), t->n_entries);
}

static void flush(struct log_tail *t, int64_t now_ms)
{
    if (t->waits) return;
    uint64_t lost = t->lost + http_stream_dropped(t->stream);
    if (t->n_entries > 0 || lost > 0) {
        if (t->ask.form == LOG_TAIL_EVENTS)
            send_events(t, lost);
        else
            send_streams(t, t->lines, t->n_lines, t->n_entries, lost);
        t->sent_ms = now_ms;
    } else if (t->ask.form == LOG_TAIL_EVENTS && now_ms - t->sent_ms > IDLE_MS) {
        http_stream_put(t->stream, STR(": nothing new\n\n"), 0);
        t->sent_ms = now_ms;
    }
    t->lost = 0;
    t->n_entries = t->n_lines = t->cap_lines = 0;
    t->lines = NULL;
    buf_clear(&t->events);
    t->events.full = false;
    arena_reset(&t->arena);
}

static uint64_t line_hash(int64_t time_ns, struct str line)
{
    return hash64(line.p, line.n) ^ (uint64_t)time_ns * 0x9e3779b97f4a7c15u;
}

static bool was_told(struct log_tail *t, int64_t time_ns, struct str line)
{
    return t->told.n > 0 && map_find(&t->told, line_hash(time_ns, line), NULL, NULL) != NULL;
}

static void add_line(struct log_tail *t, struct labels stream, const struct logql_entry *e)
{
    struct logql_entry *copy = arena_alloc(&t->arena, sizeof *copy);
    *copy = *e;
    t->lines = arena_grow(&t->arena, t->lines, t->n_lines, &t->cap_lines, sizeof *t->lines);
    t->lines[t->n_lines++] = (struct logql_stream){ stream, copy, 1 };
    t->n_entries++;
}

static void add_event(struct log_tail *t, const struct record *r, struct str line)
{
    buf_cs(&t->events, "data: ");
    log_put_record(&t->events, r, line);
    buf_cs(&t->events, "\n\n");
    t->n_entries++;
}

static bool is_full(const struct log_tail *t)
{
    return t->n_entries >= FRAME_ENTRIES || t->events.n >= FRAME_BYTES || t->arena.used >= SCRATCH / 2;
}

static void try(struct log_tail *t, const struct record *r)
{
    struct labels stream;
    struct logql_entry entry = { .line = { NULL, 0 } };
    const struct log_filter *f = t->ask.filter;
    if (t->waits && is_full(t)) {
        t->lost++;
        return;
    }
    if (f != NULL && !predicate_matches(f->where, r, TABLE_LOGS)) return;
    if (t->ask.query != NULL && !logql_tail_try(t->ask.query, r, &t->arena, &stream, &entry)) return;
    if (t->ask.query != NULL && was_told(t, entry.time_ns, entry.line)) return;
    if (t->ask.form == LOG_TAIL_EVENTS)
        add_event(t, r, entry.line);
    else
        add_line(t, stream, &entry);
    if (is_full(t)) flush(t, clock_mono_ns() / 1000000);
}

/* ---- the hub thread ---- */

static void history_free(struct logql_result *r)
{
    if (r != NULL) logql_result_release(r);
    mem_free(r);
}

static void tail_free(struct log_tail *t)
{
    history_free(t->history);
    http_stream_end(t->stream);
    logql_tail_free(t->ask.query);
    if (t->ask.filter) log_filter_release(t->ask.filter);
    mem_free(t->ask.filter);
    arena_release(&t->arena);
    buf_release(&t->events);
    map_release(&t->told);
    mem_free(t);
}

static void look_at(struct log_tail_hub *h, struct waiting *w, struct log_tail **tails, size_t n)
{
    struct arena a = ARENA_INIT(SCRATCH);
    struct record_reader reader;
    int64_t now = now_ns();
    check(record_chunk_open(&reader, str_make(w->bytes, w->n), &a, NULL) == OK); /* ours, and just accepted */
    if (h->patterns) pthread_mutex_lock(&h->patterns_mu);
    for (size_t i = 0; i < reader.n; i++) {
        struct record r;
        record_chunk_get(&reader, i, &a, &r);
        if (h->patterns) mine(h, &r, now);
        for (size_t k = 0; k < n; k++) try(tails[k], &r);
    }
    if (h->patterns) pthread_mutex_unlock(&h->patterns_mu);
    arena_release(&a);
}

/* All into the array, but those whose client has gone: they leave the list. One that is not ready yet is
 * still in its handler's hands. */
static size_t gather_tails(struct log_tail_hub *h, struct log_tail **out, struct log_tail **gone)
{
    size_t n = 0;
    for (struct log_tail **at = &h->tails, *t; (t = *at) != NULL;) {
        if (t->ready && !http_stream_is_open(t->stream)) {
            *at = t->next;
            t->next = *gone;
            *gone = t;
            h->n_tails--;
            continue;
        }
        out[n++] = t;
        at = &t->next;
    }
    atomic_store_explicit(&h->followers, h->n_tails, memory_order_relaxed);
    return n;
}

/* The history of those that have it now; what was held back meanwhile follows, without what it told. */
static void tell_history(struct log_tail *t, const struct logql_result *r)
{
    size_t kept = 0, n = 0;
    for (size_t i = 0; i < r->n_streams; i++)
        for (size_t k = 0; k < r->streams[i].n; k++, n++) {
            const struct logql_entry *e = &r->streams[i].entries[k];
            map_add(&t->told, line_hash(e->time_ns, e->line), 1);
        }
    for (size_t i = 0; i < t->n_lines; i++)
        if (!was_told(t, t->lines[i].entries->time_ns, t->lines[i].entries->line))
            t->lines[kept++] = t->lines[i];
    t->n_lines = t->n_entries = kept;
    if (n > 0) send_streams(t, r->streams, r->n_streams, n, 0);
}

static void begin_ready(struct log_tail_hub *h, struct log_tail *const *tails, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct log_tail *t = tails[i];
        if (!t->waits) continue;
        pthread_mutex_lock(&h->mu);
        bool ready = t->ready;
        struct logql_result *history = t->history;
        t->history = NULL;
        pthread_mutex_unlock(&h->mu);
        if (!ready) continue;
        t->waits = false;
        if (history != NULL) tell_history(t, history);
        history_free(history);
    }
}

/* The oldest chunks, as many as are looked at in one go: followers are served between them. */
static struct waiting *take_some(struct log_tail_hub *h)
{
    struct waiting *all = h->first, *last = NULL;
    for (size_t bytes = 0; h->first != NULL && bytes < ROUND_BYTES; h->first = h->first->next) {
        last = h->first;
        bytes += last->n;
        h->queued_bytes -= last->n;
    }
    if (last != NULL) last->next = NULL;
    if (h->first == NULL) h->last = NULL;
    return all;
}

/* What is there; waits for a tick when there is nothing. */
static struct waiting *wait_for_work(struct log_tail_hub *h, uint64_t *lost, bool *stopping)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    int rc = 0;
    while (h->first == NULL && !h->stopping && rc == 0) rc = pthread_cond_timedwait(&h->wake, &h->mu, &until);
    struct waiting *all = take_some(h);
    *lost = h->lost;
    h->lost = 0;
    *stopping = h->stopping;
    return all;
}

static void *run(void *arg)
{
    struct log_tail_hub *h = arg;
    struct log_tail *tails[LOG_TAILS_MAX];
    for (bool stopping = false; !stopping;) {
        struct log_tail *gone = NULL;
        uint64_t lost;
        pthread_mutex_lock(&h->mu);
        struct waiting *all = wait_for_work(h, &lost, &stopping);
        size_t n = gather_tails(h, tails, &gone);
        pthread_mutex_unlock(&h->mu);

        begin_ready(h, tails, n);
        for (struct waiting *w = all; w != NULL; w = w->next) look_at(h, w, tails, n);
        for (size_t i = 0; i < n; i++) {
            tails[i]->lost += lost;
            flush(tails[i], clock_mono_ns() / 1000000);
        }
        stat_add(h->lost_total, lost);
        free_all(all);
        for (struct log_tail *next; gone != NULL; gone = next) {
            next = gone->next;
            tail_free(gone);
        }
    }
    return NULL;
}

/* ---- life ---- */

static double ask_followers(void *ctx)
{
    return (double)atomic_load(&((struct log_tail_hub *)ctx)->followers);
}

struct log_tail_hub *log_tail_start(const struct log_tail_conf *conf)
{
    struct log_tail_hub *h = mem_alloc_zero(sizeof *h);
    pthread_condattr_t attr;
    h->conf = *conf;
    if (h->conf.queue_bytes == 0) h->conf.queue_bytes = QUEUE_BYTES;
    if (!conf->no_patterns)
        h->patterns = log_patterns_new(&(struct log_patterns_conf){ .max_patterns = conf->max_patterns });
    h->started_ns = now_ns();
    h->services[h->n_services++] = mem_strdup("");
    map_add(&h->service_of, hash64("", 0), 0);
    h->lost_total =
        stat_counter("vedette_log_tail_lost_total",
                     "Log records that live tails and patterns did not see, for want of room.", NULL);
    h->new_total = stat_counter("vedette_log_patterns_new_total",
                                "Log patterns seen for the first time, after ten minutes of learning.", NULL);
    h->followers_now = stat_ask(STAT_GAUGE, "vedette_log_tail_followers", "Open live tails of logs.", NULL,
                                ask_followers, h);
    pthread_mutex_init(&h->mu, NULL);
    pthread_mutex_init(&h->patterns_mu, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&h->wake, &attr);
    pthread_condattr_destroy(&attr);
    check(pthread_create(&h->thread, NULL, run, h) == 0);
    return h;
}

void log_tail_stop(struct log_tail_hub *h)
{
    if (h == NULL) return;
    pthread_mutex_lock(&h->mu);
    h->stopping = true;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->mu);
    pthread_join(h->thread, NULL);
    stat_forget(h->followers_now);
    for (struct log_tail *next; h->tails != NULL; h->tails = next) {
        next = h->tails->next;
        tail_free(h->tails);
    }
    free_all(h->first);
    log_patterns_free(h->patterns);
    for (size_t i = 0; i < h->n_services; i++) mem_free(h->services[i]);
    map_release(&h->service_of);
    pthread_cond_destroy(&h->wake);
    pthread_mutex_destroy(&h->patterns_mu);
    pthread_mutex_destroy(&h->mu);
    mem_free(h);
}

/* ---- following ---- */

int log_tail_follow(struct log_tail_hub *h, const struct log_tail_ask *ask, struct http_stream *stream,
                    struct log_tail **out, struct err *e)
{
    struct log_tail *t = mem_alloc_zero(sizeof *t);
    t->stream = stream;
    t->ask = *ask;
    t->waits = out != NULL;
    t->ready = !t->waits;
    t->arena = (struct arena)ARENA_INIT(SCRATCH);
    t->events = (struct buf)BUF_INIT(FRAME_MAX);
    t->sent_ms = clock_mono_ns() / 1000000;

    pthread_mutex_lock(&h->mu);
    bool room = h->n_tails < LOG_TAILS_MAX && !h->stopping;
    if (room) {
        t->next = h->tails;
        h->tails = t;
        atomic_store_explicit(&h->followers, ++h->n_tails, memory_order_relaxed);
    }
    pthread_mutex_unlock(&h->mu);
    if (room && out != NULL) *out = t;
    if (room) return OK;
    tail_free(t);
    return err_set(e, ERR_BUSY, "max concurrent tail requests limit exceeded, count > limit (%d > %d)",
                   LOG_TAILS_MAX + 1, LOG_TAILS_MAX);
}

void log_tail_begin(struct log_tail_hub *h, struct log_tail *t, struct logql_result *history)
{
    pthread_mutex_lock(&h->mu);
    t->history = history;
    t->ready = true;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->mu);
}

/* ---- live patterns ---- */

struct pattern_visit {
    const struct log_tail_hub *h;
    void (*visit)(void *ctx, const struct live_pattern *);
    void *ctx;
    int64_t now_ns;
};

static void visit_pattern(void *ctx, const struct log_pattern *p)
{
    const struct pattern_visit *v = ctx;
    bool is_new = p->first_ns > v->h->started_ns + LEARN_NS && p->first_ns > v->now_ns - NEW_NS;
    struct live_pattern live = { *p, str_of(v->h->services[p->scope]), is_new };
    v->visit(v->ctx, &live);
}

bool log_tail_patterns(struct log_tail_hub *h, void (*visit)(void *, const struct live_pattern *), void *ctx)
{
    if (h->patterns == NULL) return false;
    struct pattern_visit v = { h, visit, ctx, now_ns() };
    pthread_mutex_lock(&h->patterns_mu);
    log_patterns_each(h->patterns, visit_pattern, &v);
    pthread_mutex_unlock(&h->patterns_mu);
    return true;
}
