/* log_run.c - lines for a log query: scanned in the order asked for, until there are enough. */
#include "base/check.h"
#include "query/logql/run.h"

#define STOP (-1000) /* enough: no error */

struct answered { /* a stream of the answer while it grows */
    struct labels labels;
    struct logql_entry *entries;
    size_t n, cap;
    int64_t last_ns;
};

struct reading {
    struct logql_run *run;
    const struct log_expr *log;
    struct source src;
    struct pipeline pipe;
    struct arena *out; /* of the answer */
    struct answered *streams;
    size_t n, cap, entries, limit;
    struct map by_labels;
    struct err *err;
};

struct same_ctx {
    const struct reading *r;
    struct labels labels;
};

static bool is_same(void *ctx, uint64_t i)
{
    const struct same_ctx *x = ctx;
    return labels_eq(x->r->streams[i].labels, x->labels);
}

static struct labels copied(struct arena *a, struct labels l)
{
    struct label *at = arena_array(a, l.n, sizeof *at);
    for (size_t i = 0; i < l.n; i++)
        at[i] = (struct label){ arena_str(a, l.at[i].name), arena_str(a, l.at[i].value) };
    return (struct labels){ at, l.n };
}

static struct answered *stream_of(struct reading *r, struct labels l)
{
    uint64_t hash = labels_hash(l),
             *found = map_find(&r->by_labels, hash, is_same, &(struct same_ctx){ r, l });
    if (found) return &r->streams[*found];
    r->streams = arena_grow(r->out, r->streams, r->n, &r->cap, sizeof *r->streams);
    r->streams[r->n] = (struct answered){ .labels = copied(r->out, l) };
    map_add(&r->by_labels, hash, r->n);
    return &r->streams[r->n++];
}

/* At most one entry an interval and stream. */
static bool too_soon(const struct reading *r, const struct answered *s, int64_t t)
{
    int64_t interval = r->run->req->interval_ns;
    if (interval <= 0 || s->n == 0) return false;
    return r->run->req->forward ? t - s->last_ns < interval : s->last_ns - t < interval;
}

static int take_line(void *ctx, struct source_cursor *cur, const struct source_row *row)
{
    struct reading *r = ctx;
    struct pipeline *p = &r->pipe;
    pipeline_next(p, row->stream->labels, row->line, row->time_ns);
    source_labels(cur, &p->labels, &p->scratch);
    if (!r->src.exact && !pipeline_run(p, r->log->stages)) return OK;
    struct answered *s = stream_of(r, lset_labels(&p->labels, LABEL_STREAM, &p->scratch, false));
    if (too_soon(r, s, row->time_ns)) return OK;
    s->entries = arena_grow(r->out, s->entries, s->n, &s->cap, sizeof *s->entries);
    s->entries[s->n++] =
        (struct logql_entry){ .time_ns = row->time_ns,
                              .line = arena_str(r->out, p->line),
                              .structured = lset_labels(&p->labels, LABEL_STRUCTURED, r->out, true),
                              .parsed = lset_labels(&p->labels, LABEL_PARSED, r->out, true) };
    s->last_ns = row->time_ns;
    if (arena_over(r->out))
        return err_set(r->err, ERR_LIMIT,
                       "the answer needs more than the memory limit of %zu bytes; ask for less",
                       r->out->budget);
    return ++r->entries >= r->limit ? STOP : OK;
}

static void give(struct reading *r, struct logql_result *out)
{
    out->streams = arena_array(r->out, r->n, sizeof *out->streams);
    for (size_t i = 0; i < r->n; i++) {
        if (r->streams[i].n == 0) continue;
        out->streams[out->n_streams++] =
            (struct logql_stream){ r->streams[i].labels, r->streams[i].entries, r->streams[i].n };
    }
}

int logql_run_log(struct logql_run *run, const struct log_expr *log, struct logql_result *out, struct err *e)
{
    const struct logql_request *q = run->req;
    struct reading r = { .run = run,
                         .log = log,
                         .out = &out->arena,
                         .err = e,
                         .limit = MIN(q->limit ? q->limit : 100, run->conf->max_entries) };
    struct needs needs = { .line = true, .all = true };
    pipeline_init(&r.pipe);
    map_init(&r.by_labels, 16);
    int rc = source_open(&r.src, run->view, &run->call, log, needs, e);
    if (rc == OK)
        rc =
            source_scan(&r.src, MAX(q->start_ns, 0), q->end_ns - 1, q->forward ? ORDER_TIME : ORDER_TIME_DESC,
                        q->interval_ns > 0 ? 0 : r.limit, take_line, &r, e);
    if (rc == STOP) rc = OK;
    if (rc == OK) give(&r, out);
    out->type = LOGQL_STREAMS;
    run->stats->lines += r.src.lines;
    run->stats->bytes += r.src.bytes;
    run->stats->matched += r.entries;
    source_release(&r.src);
    map_release(&r.by_labels);
    pipeline_release(&r.pipe);
    return rc;
}
