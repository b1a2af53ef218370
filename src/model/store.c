/* store.c - the waist's thin side: every wrapper hands its call to the engine behind it. */
#include "model/store.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"

#define CALL_SMALL ((size_t)1 << 20) /* who has less is not stopped for others' sake */

int call_check(const struct call *c, struct err *e)
{
    if (c->cancelled != NULL && atomic_load_explicit(c->cancelled, memory_order_relaxed))
        return err_set(e, ERR_CANCEL, "the query was cancelled");
    if (c->arena != NULL && arena_over(c->arena))
        return err_set(e, ERR_LIMIT, "the query needs more than its memory limit of %zu bytes",
                       c->arena->budget);
    if (c->arena != NULL && c->arena->used > CALL_SMALL && budget_admit_query(0, e) < 0) return ERR_LIMIT;
    if (c->deadline_ns != 0 && clock_mono_ns() >= c->deadline_ns)
        return err_set(e, ERR_TIMEOUT, "the query took longer than its time limit");
    return OK;
}

/* ---- notes ---- */

void call_notes_init(struct call_notes *n)
{
    n->n = n->n_seen = 0;
    pthread_mutex_init(&n->mu, NULL);
}

void call_notes_release(struct call_notes *n)
{
    pthread_mutex_destroy(&n->mu);
}

void call_notes_clear(struct call_notes *n)
{
    pthread_mutex_lock(&n->mu);
    n->n = n->n_seen = 0;
    pthread_mutex_unlock(&n->mu);
}

bool call_notes_any(struct call_notes *n)
{
    pthread_mutex_lock(&n->mu);
    bool any = n->n_seen > 0;
    pthread_mutex_unlock(&n->mu);
    return any;
}

static bool was_seen(struct call_notes *n, uint64_t hash)
{
    for (size_t i = 0; i < n->n_seen; i++)
        if (n->seen[i] == hash) return true;
    if (n->n_seen == CALL_NOTES_KEPT) return true;
    n->seen[n->n_seen++] = hash;
    return false;
}

bool call_note(const struct call *c, const char *fmt, ...)
{
    char text[sizeof c->notes->text[0]];
    va_list ap;
    if (c->notes == NULL) return false;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);

    struct call_notes *n = c->notes;
    pthread_mutex_lock(&n->mu);
    if (!was_seen(n, hash64(text, strlen(text))) && n->n < CALL_NOTES_SHOWN)
        memcpy(n->text[n->n++], text, sizeof text);
    pthread_mutex_unlock(&n->mu);
    return true;
}

size_t call_notes_list(struct call_notes *n, struct arena *a, struct str **out)
{
    struct str *at = *out = arena_array(a, CALL_NOTES_SHOWN + 1, sizeof *at);
    pthread_mutex_lock(&n->mu);
    size_t listed = n->n, more = n->n_seen - n->n;
    for (size_t i = 0; i < n->n; i++) at[i] = arena_str(a, str_of(n->text[i]));
    if (more > 0)
        at[listed++] =
            arena_printf(a, "%s%zu more like these", n->n_seen == CALL_NOTES_KEPT ? "at least " : "", more);
    pthread_mutex_unlock(&n->mu);
    return listed;
}

/* ---- the engine's ---- */

void store_close(struct store *s)
{
    if (s != NULL) s->ops->close(s);
}

int store_write(struct store *s, const struct batch *b, enum store_ack ack, struct write_result *result,
                store_done *done, void *ctx, struct err *e)
{
    return s->ops->write(s, b, ack, result, done, ctx, e);
}

int store_view_open(struct store *s, int64_t from_ms, int64_t to_ms, struct store_view **out, struct err *e)
{
    return s->ops->view_open(s, from_ms, to_ms, out, e);
}

void store_view_close(struct store_view *v)
{
    if (v != NULL) v->store->ops->view_close(v);
}

int view_series(struct store_view *v, struct call *c, const struct matcher *m, size_t n, size_t limit,
                struct series_set *out, struct err *e)
{
    return v->store->ops->series(v, c, m, n, limit, out, e);
}

int view_scan(struct store_view *v, struct call *c, const struct series_ref *refs, size_t n, int64_t from_ms,
              int64_t to_ms, series_sink *sink, void *ctx, struct err *e)
{
    return v->store->ops->scan(v, c, refs, n, from_ms, to_ms, sink, ctx, e);
}

struct folding {
    const struct summary_grid *grid;
    struct summary *at;
    summary_sink *sink;
    void *ctx;
};

static int fold_rows(void *ctx, const struct series_rows *r)
{
    struct folding *f = ctx;
    for (size_t i = 0; i < f->grid->n; i++) f->at[i] = (struct summary){ 0 };
    summary_fold(f->at, f->grid, r->n, r->time_ms, r->value, r->hist, r->start_ms);
    return f->sink(f->ctx, r->series, f->at);
}

int view_summarize(struct store_view *v, struct call *c, const struct series_ref *refs, size_t n,
                   const struct summary_grid *g, uint32_t fields, summary_sink *sink, void *ctx,
                   struct err *e)
{
    int64_t reach, end;
    if (g->width_ms <= 0 || g->n > INT64_MAX || __builtin_mul_overflow((int64_t)g->n, g->width_ms, &reach) ||
        __builtin_add_overflow(g->start_ms, reach, &end))
        return err_set(e, ERR_RANGE, "summaries of %zu buckets of %lld ms", g->n, (long long)g->width_ms);
    if (v->store->ops->summarize) return v->store->ops->summarize(v, c, refs, n, g, fields, sink, ctx, e);
    struct folding f = { g, arena_array(c->arena, g->n, sizeof(struct summary)), sink, ctx };
    int rc = call_check(c, e);
    return rc < 0 ? rc : view_scan(v, c, refs, n, g->start_ms + 1, end, fold_rows, &f, e);
}

void view_cover(struct store_view *v, int64_t from_ms, int64_t to_ms, int64_t width_ms,
                struct summary_cover *out)
{
    *out = (struct summary_cover){ .rows_from_ms = INT64_MIN };
    if (v->store->ops->cover) v->store->ops->cover(v, from_ms, to_ms, width_ms, out);
}

int view_label_names(struct store_view *v, struct call *c, const struct matcher *m, size_t n, size_t limit,
                     struct str **out, size_t *n_out, struct err *e)
{
    return v->store->ops->label_names(v, c, m, n, limit, out, n_out, e);
}

int view_label_values(struct store_view *v, struct call *c, struct str name, const struct matcher *m,
                      size_t n, size_t limit, struct str **out, size_t *n_out, struct err *e)
{
    return v->store->ops->label_values(v, c, name, m, n, limit, out, n_out, e);
}

int view_exemplars(struct store_view *v, struct call *c, const struct matcher *m, size_t n,
                   struct exemplar **out, size_t *n_out, struct err *e)
{
    return v->store->ops->exemplars(v, c, m, n, out, n_out, e);
}

static int no_records(struct err *e)
{
    return err_set(e, ERR_UNSUPPORTED, "this store has no logs and spans");
}

int view_records(struct store_view *v, struct call *c, const struct record_scan *scan, record_sink *sink,
                 void *ctx, struct err *e)
{
    return v->store->ops->records ? v->store->ops->records(v, c, scan, sink, ctx, e) : no_records(e);
}

int view_fields(struct store_view *v, struct call *c, enum table t, size_t limit, struct field_info **out,
                size_t *n_out, struct err *e)
{
    return v->store->ops->fields ? v->store->ops->fields(v, c, t, limit, out, n_out, e) : no_records(e);
}

int view_field_values(struct store_view *v, struct call *c, enum table t, struct field f,
                      const struct predicate *where, size_t limit, struct value_count **out, size_t *n_out,
                      struct err *e)
{
    if (v->store->ops->field_values == NULL) return no_records(e);
    return v->store->ops->field_values(v, c, t, f, where, limit, out, n_out, e);
}

int view_origins(struct store_view *v, struct call *c, enum table t, const struct predicate *where,
                 size_t limit, struct origin **out, size_t *n_out, struct err *e)
{
    if (v->store->ops->origins == NULL) return no_records(e);
    return v->store->ops->origins(v, c, t, where, limit, out, n_out, e);
}

int store_metadata(struct store *s, struct call *c, struct str family, size_t limit, struct metadata **out,
                   size_t *n_out, struct err *e)
{
    return s->ops->metadata(s, c, family, limit, out, n_out, e);
}

void store_status(struct store *s, struct store_status *out)
{
    s->ops->status(s, out);
}

int store_top(struct store *s, struct call *c, const char *what, size_t limit, struct name_count **out,
              size_t *n_out, struct err *e)
{
    return s->ops->top(s, c, what, limit, out, n_out, e);
}

int store_admin(struct store *s, enum store_admin what, const void *arg, struct err *e)
{
    return s->ops->admin(s, what, arg, e);
}

int64_t store_changed_since(struct store *s, uint64_t generation, uint64_t *now)
{
    if (s->ops->changed_since != NULL) return s->ops->changed_since(s, generation, now);
    *now = 1;
    return INT64_MIN;
}
