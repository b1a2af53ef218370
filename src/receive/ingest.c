/* ingest.c - one pushed request from body to answer.
 *
 * Always true:
 *   1. An answer of success is given after store_write has returned OK and its store_done has said OK,
 *      whichever comes last.
 *   2. Bad data is answered with 4xx: a sender would repeat a 5xx for ever. 5xx means that we failed,
 *      and nothing was kept.
 *   3. Every request is counted once by its status, every refused row once by its reason (the store
 *      counts its own). */
#include "receive/ingest.h"

#include <pthread.h>
#include <stdio.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

static const int codes[INGEST_CODES] = {
    200, 202, 204, 207, 400, 404, 413, 415, 429, 500, 503, 507, 0
}; /* 0: any other */

void ingest_init(struct ingest *in, const char *protocol, struct store *store, const struct limit *limit)
{
    char labels[64];
    *in = (struct ingest){ .store = store, .limit = *limit, .protocol = protocol };
    snprintf(labels, sizeof labels, "protocol=\"%s\"", protocol);
    in->samples =
        stat_counter("vedette_ingest_samples_total", "Samples and histograms accepted, by protocol.", labels);
    in->bytes = stat_counter("vedette_ingest_bytes_total",
                             "Bytes of request bodies as received, by protocol.", labels);
}

void ingest_count(struct ingest *in, int status)
{
    size_t i = 0;
    while (codes[i] != status && codes[i] != 0) i++;

    struct stat *s = atomic_load_explicit(&in->requests[i], memory_order_acquire);
    if (s == NULL) { /* asking twice gives the same one, so a race does no harm */
        char labels[80], code[8] = "other";
        if (codes[i] != 0) snprintf(code, sizeof code, "%d", codes[i]);
        snprintf(labels, sizeof labels, "protocol=\"%s\",code=\"%s\"", in->protocol, code);
        s = stat_counter("vedette_ingest_requests_total", "Ingest requests answered, by protocol and status.",
                         labels);
        atomic_store_explicit(&in->requests[i], s, memory_order_release);
    }
    stat_add(s, 1);
}

/* A whole request that came to nothing, by the kind of its error. */
static void count_failed(struct ingest *in, int rc)
{
    size_t i = (size_t)-rc < INGEST_ERRORS ? (size_t)-rc : 0;
    struct stat *s = atomic_load_explicit(&in->failed[i], memory_order_acquire);
    if (s == NULL) {
        char labels[80];
        snprintf(labels, sizeof labels, "protocol=\"%s\",reason=\"%s\"", in->protocol, err_name(rc));
        s = stat_counter("vedette_ingest_requests_refused_total",
                         "Ingest requests of which nothing was kept, by protocol and kind of error.", labels);
        atomic_store_explicit(&in->failed[i], s, memory_order_release);
    }
    stat_add(s, 1);
}

/* ---- memory for the next request ----
 * Fresh pages cost more than decoding into them, so a few arenas are kept, each as one chunk of the size that
 * its last request needed. Global, because memory is the process's: an idle arena carries nothing from one
 * door to another. */

#define IDLE_ARENAS    4
#define IDLE_BYTES_MAX (4u << 20)

static struct {
    pthread_mutex_t mu;
    struct arena at[IDLE_ARENAS]; /* mu */
    size_t n;                     /* mu */
} idle = { .mu = PTHREAD_MUTEX_INITIALIZER };

static struct arena arena_take(size_t budget)
{
    struct arena a = ARENA_INIT(0);
    pthread_mutex_lock(&idle.mu);
    if (idle.n > 0) a = idle.at[--idle.n];
    pthread_mutex_unlock(&idle.mu);
    a.budget = budget;
    return a;
}

/* Whatever chunks it has become one, so that the next request of this size fits without a new one. */
static void arena_to_one_chunk(struct arena *a)
{
    size_t used = a->used;
    arena_reset(a);
    if (a->used == used) return;
    arena_release(a);
    (void)arena_alloc(a, used);
    arena_reset(a);
}

static void arena_give(struct arena *a)
{
    arena_share_end(a);
    if (a->used > 0 && a->used <= IDLE_BYTES_MAX) {
        arena_to_one_chunk(a);
        pthread_mutex_lock(&idle.mu);
        if (idle.n < IDLE_ARENAS) {
            idle.at[idle.n++] = *a;
            *a = (struct arena)ARENA_INIT(0);
        }
        pthread_mutex_unlock(&idle.mu);
    }
    arena_release(a);
}

/* ---- a request ---- */

/* What is decoded has a ceiling together with all bodies (budget.h); who is alone is not refused. */
static bool share_take(const struct arena *a, size_t more)
{
    const char *q = (const char *)a - offsetof(struct ingest_request, arena);
    return budget_request_take(more, a->used + ((const struct ingest_request *)q)->body_bytes);
}

static const struct arena_share in_flight = { share_take, budget_request_give };

/* What a request may take grows with what its sender has sent, packed: rows of few bytes that repeat pack to
 * next to nothing and would else take all of limit.memory_bytes. Real telemetry, unpacked, with its columns
 * and the slack of their growing, takes up to some 100 times its packed size; small requests take little
 * anyway. */
#define MEMORY_FREE   (32u << 20)
#define MEMORY_RATIO  128
#define MEMORY_LIKELY 8 /* of most senders */

static size_t memory_for(const struct ingest *in, size_t packed)
{
    packed = MIN(packed, (SIZE_MAX - MEMORY_FREE) / MEMORY_RATIO);
    return MIN(in->limit.memory_bytes, MEMORY_FREE + packed * MEMORY_RATIO);
}

struct ingest_request *ingest_begin(struct ingest *in, struct http_exchange *x)
{
    struct ingest_request *q = mem_alloc_zero(sizeof *q);
    q->in = in;
    q->x = x;
    q->arena = arena_take(x ? memory_for(in, http_body(x).n) : in->limit.memory_bytes);
    atomic_init(&q->open, 1);
    if (x != NULL) stat_add(in->bytes, http_body(x).n);
    if (x != NULL) ingest_in_flight(q, http_body(x).n);
    return q;
}

void ingest_in_flight(struct ingest_request *q, size_t body_bytes)
{
    q->body_bytes = body_bytes;
    arena_share_begin(&q->arena, &in_flight);
}

static void end(struct ingest_request *q)
{
    arena_give(&q->arena);
    mem_free(q);
}

int ingest_body(struct ingest_request *q, enum unpack_coding absent, struct str *body, struct err *e)
{
    enum unpack_coding coding = absent;
    struct str header = http_header(q->x, "Content-Encoding");
    int rc = budget_admit_ingest(http_body(q->x).n * MEMORY_LIKELY, e);
    if (rc < 0) return rc;
    if (header.n > 0) {
        rc = unpack_coding(header, &coding, e);
        if (rc < 0) return rc;
    }
    return unpack(coding, http_body(q->x), q->in->limit.body_bytes, &q->arena, body, e);
}

/* ---- writing ---- */

/* Too much for now is not too much for ever: the sender shall come again. */
static int crowded(struct err *e)
{
    return err_set(e, ERR_BUSY, "too much telemetry is being decoded: try again in a moment");
}

static void settle(struct ingest_request *q)
{
    if (atomic_fetch_sub_explicit(&q->open, 1, memory_order_acq_rel) > 1) return;
    if (q->rc == ERR_LIMIT && q->is_crowded) q->rc = crowded(&q->err);
    if (q->rc < 0) count_failed(q->in, q->rc);
    q->answer(q);
    end(q);
}

static void on_durable(void *ctx, int rc)
{
    struct ingest_request *q = ctx;
    if (rc < 0) {
        q->rc = rc;
        err_set(&q->err, rc, "the telemetry could not be written to disk");
    }
    settle(q);
}

static void count_refused(const struct write_result *refused)
{
    for (int i = 0; i < REJECT_COUNT; i++)
        if (refused->rejected[i] > 0) reject_count((enum reject)i, refused->rejected[i]);
}

struct records *ingest_records(struct ingest_request *q, enum table table)
{
    struct records *r = table == TABLE_LOGS ? &q->logs : &q->spans;
    if (r->arena == NULL) records_init(r, &q->arena, table);
    return r;
}

void ingest_identify(struct ingest_request *q, struct str body)
{
    q->batch.id = hash128(body.p, body.n);
}

const struct record_options *ingest_options(struct ingest_request *q, enum table table)
{
    const int64_t now_ms = clock_now_ms();
    policy_begin(&q->run, q->in->policy, table, now_ms * 1000000,
                 (now_ms + q->in->limit.future_ms) * 1000000);
    return &q->run.options;
}

/* Records that did not say when are never taken for a repetition: the same line may be said twice. */
void ingest_decoded(struct ingest_request *q, struct str body)
{
    record_report_add(&q->refused, &q->report);
    if (body.n > 0 && !q->run.is_timeless) ingest_identify(q, body);
}

int ingest_decode(struct ingest_request *q, enum table table, record_decoder *decode, struct str body,
                  struct err *e)
{
    int rc = decode(body, ingest_options(q, table), ingest_records(q, table), &q->report, e);
    ingest_decoded(q, body);
    return rc;
}

/* Into the batch, when there are any. */
static struct records *ended(struct records *r)
{
    if (r->arena == NULL) return NULL;
    records_end(r);
    return r->n > 0 ? r : NULL;
}

static void count_records(struct ingest *in, enum table table, uint64_t n)
{
    struct stat *s = atomic_load_explicit(&in->records[table], memory_order_acquire);
    if (s == NULL) { /* asking twice gives the same one */
        char labels[80];
        snprintf(labels, sizeof labels, "protocol=\"%s\",table=\"%s\"", in->protocol, table_name(table));
        s = stat_counter("vedette_ingest_records_total",
                         "Log records and spans accepted, by protocol and table.", labels);
        atomic_store_explicit(&in->records[table], s, memory_order_release);
    }
    stat_add(s, n);
}

/* A repetition was counted and seen when it came first. */
static void records_accepted(struct ingest_request *q)
{
    struct records *const tables[] = { q->batch.logs, q->batch.spans };
    for (size_t i = 0; i < COUNT(tables) && !q->kept.is_repeat; i++) {
        if (tables[i] == NULL) continue;
        enum table table = tables[i]->table;
        count_records(q->in, table, table == TABLE_LOGS ? q->kept.logs : q->kept.spans);
        record_taps_seen(q->in->taps, tables[i]);
    }
}

/* The batch as it stands. */
static int hand_over(struct ingest_request *q)
{
    struct err e = ERR_INIT;
    atomic_store_explicit(&q->open, 2, memory_order_relaxed);
    int rc = store_write(q->in->store, &q->batch, ACK_DURABLE, &q->kept, on_durable, q, &e);
    if (rc < 0) { /* then on_durable is never called: q is ours alone */
        atomic_store_explicit(&q->open, 1, memory_order_relaxed);
        q->rc = rc;
        q->err = e;
        return rc;
    }
    stat_add(q->in->samples, q->kept.samples + q->kept.histograms);
    records_accepted(q);
    return OK;
}

int ingest_write(struct ingest_request *q)
{
    struct batch *b = &q->batch;
    limit_times(b, &q->in->limit, clock_now_ms(), &q->refused);
    if (q->in->policy != NULL) redact_batch(q->in->policy->redact, b);
    count_refused(&q->refused);
    b->logs = ended(&q->logs);
    b->spans = ended(&q->spans);
    if (b->n_series == 0 && b->n_metadata == 0 && b->logs == NULL && b->spans == NULL) return q->rc;
    return hand_over(q);
}

int ingest_write_again(struct ingest_request *q)
{
    check(q->rc < 0);
    q->rc = OK;
    q->err = (struct err)ERR_INIT;
    return hand_over(q);
}

void ingest_finish(struct ingest_request *q, void (*answer)(struct ingest_request *))
{
    q->answer = answer; /* on_durable may have run, but it settles only when we have: open counts us too */
    q->is_crowded = q->arena.is_refused;
    arena_give(&q->arena);
    if (q->x != NULL) http_body_drop(q->x);
    settle(q);
}

/* ---- answering ---- */

uint64_t ingest_refused(const struct ingest_request *q)
{
    return q->refused.rejected_total + q->kept.rejected_total;
}

const char *ingest_why(const struct ingest_request *q)
{
    return q->refused.why[0] != 0 ? q->refused.why : q->kept.why;
}

int ingest_status(int rc)
{
    switch (rc) {
    case ERR_LIMIT: return 413;
    case ERR_UNSUPPORTED: return 415;
    case ERR_BUSY:
    case ERR_TIMEOUT: return 429;
    case ERR_FULL: return 507;
    case ERR_IO:
    case ERR_CORRUPT: return 500;
    default: return 400;
    }
}

void ingest_answer(struct ingest_request *q, int status, const char *content_type, struct str body)
{
    ingest_count(q->in, status);
    if (status == 429) http_answer_header(q->x, "Retry-After", STR("1"));
    if (status == 503 || status == 507) http_answer_header(q->x, "Retry-After", STR("10"));
    http_answer(q->x, status, content_type, body);
}

void ingest_answer_text(struct ingest_request *q, int status, const char *text)
{
    char line[sizeof q->err.text + 2];
    int n = snprintf(line, sizeof line, "%s\n", text);
    ingest_answer(q, status, "text/plain; charset=utf-8", str_make(line, (size_t)n));
}

void ingest_refuse(struct ingest_request *q, const struct err *e)
{
    q->err = *e;
    if (e->code == ERR_LIMIT && q->arena.is_refused) crowded(&q->err);
    count_refused(&q->refused);
    count_failed(q->in, q->err.code);
    ingest_answer_text(q, ingest_status(q->err.code), q->err.text);
    end(q);
}
