/* toy_store.c - see toy_store.h. */
#include "unit/toy_store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "unit/toy_records.h"

#define TOY_DAY_MS      86400000ll
#define TOY_TIME_MS_MAX 253402300799999ll /* the year 9999 */

struct toy_series {
    struct labels labels;
    size_t n, cap, cap_v, cap_h, cap_s;
    int64_t *time_ms;
    double *value;
    struct histogram **hist;
    int64_t *start_ms;
    bool has_hists;
};

struct toy_state { /* changes only while nobody has pinned it */
    size_t pins;   /* toy.mu */
    struct toy_series *series;
    size_t n, cap;
    struct exemplar *exemplars;
    size_t n_exemplars, cap_exemplars;
    struct toy_records records[TABLE_COUNT];
};

struct toy {
    struct store store;
    pthread_mutex_t mu; /* all below; a pinned state is read without it */
    struct arena arena;
    struct toy_state *now;
    struct metadata *metadata;
    size_t n_metadata, cap_metadata;
    struct hash128 *ids; /* of batches */
    size_t n_ids, cap_ids;
    uint64_t ingested[TABLE_COUNT];
    int64_t *changed; /* time of each row written; after i of them the generation is i + 1 */
    size_t n_changed, cap_changed;
};

struct toy_view {
    struct store_view view;
    struct toy_state *state;
    int64_t from_ms, to_ms;
};

static struct toy *toy_of(struct store *s)
{
    return (struct toy *)s;
}

static const struct toy_view *toy_view_of(const struct store_view *v)
{
    return (const struct toy_view *)v;
}

/* ---- states ---- */

static void *toy_copy(struct arena *a, const void *at, size_t n, size_t size)
{
    void *copy = arena_array(a, n, size);
    if (n) memcpy(copy, at, n * size);
    return copy;
}

static struct toy_series toy_copy_series(const struct toy_series *s, struct arena *a)
{
    struct toy_series copy = *s;
    copy.time_ms = toy_copy(a, s->time_ms, s->n, sizeof *s->time_ms);
    copy.value = toy_copy(a, s->value, s->n, sizeof *s->value);
    copy.hist = toy_copy(a, s->hist, s->n, sizeof *s->hist);
    copy.start_ms = toy_copy(a, s->start_ms, s->n, sizeof *s->start_ms);
    copy.cap = copy.cap_v = copy.cap_h = copy.cap_s = s->n;
    return copy;
}

/* The state to write to. Under mu. */
static struct toy_state *toy_unpinned(struct toy *t)
{
    const struct toy_state *was = t->now;
    if (was->pins == 0) return t->now;

    struct toy_state *copy = toy_copy(&t->arena, was, 1, sizeof *was);
    copy->pins = 0;
    copy->series = arena_array(&t->arena, was->n, sizeof *was->series);
    for (size_t i = 0; i < was->n; i++) copy->series[i] = toy_copy_series(&was->series[i], &t->arena);
    copy->cap = was->n;
    copy->exemplars = toy_copy(&t->arena, was->exemplars, was->n_exemplars, sizeof *was->exemplars);
    copy->cap_exemplars = was->n_exemplars;
    for (int i = 0; i < TABLE_COUNT; i++) {
        const struct toy_records *r = &was->records[i];
        copy->records[i] =
            (struct toy_records){ toy_copy(&t->arena, r->at, r->n, sizeof *r->at), r->n, r->n };
    }
    return t->now = copy;
}

/* ---- samples ---- */

static struct labels toy_copy_labels(struct labels l, struct arena *a)
{
    struct label *at = arena_array(a, l.n, sizeof *at);
    for (size_t i = 0; i < l.n; i++)
        at[i] = (struct label){ arena_str(a, l.at[i].name), arena_str(a, l.at[i].value) };
    return (struct labels){ at, l.n };
}

static struct toy_series *toy_series_of(struct toy *t, struct labels l)
{
    struct toy_state *now = t->now;
    for (size_t i = 0; i < now->n; i++)
        if (labels_eq(now->series[i].labels, l)) return &now->series[i];
    now->series = arena_grow(&t->arena, now->series, now->n, &now->cap, sizeof *now->series);
    struct toy_series *s = &now->series[now->n++];
    *s = (struct toy_series){ .labels = toy_copy_labels(l, &t->arena) };
    return s;
}

static void toy_make_room(struct toy *t, struct toy_series *s)
{
    struct arena *a = &t->arena;
    s->time_ms = arena_grow(a, s->time_ms, s->n, &s->cap, sizeof *s->time_ms);
    s->value = arena_grow(a, s->value, s->n, &s->cap_v, sizeof *s->value);
    s->hist = arena_grow(a, s->hist, s->n, &s->cap_h, sizeof *s->hist);
    s->start_ms = arena_grow(a, s->start_ms, s->n, &s->cap_s, sizeof *s->start_ms);
}

static void toy_add_row(struct toy *t, struct toy_series *s, int64_t time_ms, double value,
                        const struct histogram *h, int64_t start_ms)
{
    t->changed = mem_grow(t->changed, t->n_changed, &t->cap_changed, sizeof *t->changed);
    t->changed[t->n_changed++] = time_ms;
    size_t at = s->n;
    while (at > 0 && s->time_ms[at - 1] >= time_ms) at--;
    if (at == s->n || s->time_ms[at] != time_ms) {
        toy_make_room(t, s);
        for (size_t i = s->n++; i > at; i--) {
            s->time_ms[i] = s->time_ms[i - 1];
            s->value[i] = s->value[i - 1];
            s->hist[i] = s->hist[i - 1];
            s->start_ms[i] = s->start_ms[i - 1];
        }
    }
    s->time_ms[at] = time_ms;
    s->value[at] = h ? h->sum : value;
    s->hist[at] = h ? histogram_copy(h, &t->arena) : NULL;
    s->start_ms[at] = start_ms;
    s->has_hists |= h != NULL;
}

void toy_store_add(struct store *store, struct labels l, int64_t time_ms, double value,
                   const struct histogram *h, int64_t start_ms)
{
    struct toy *t = toy_of(store);
    pthread_mutex_lock(&t->mu);
    toy_unpinned(t);
    toy_add_row(t, toy_series_of(t, l), time_ms, value, h, start_ms);
    pthread_mutex_unlock(&t->mu);
}

/* ---- writing ---- */

static void toy_refuse(struct write_result *r, enum reject why, uint64_t rows)
{
    if (r->rejected_total == 0) snprintf(r->why, sizeof r->why, "%s", reject_text(why));
    r->rejected[why] += rows;
    r->rejected_total += rows;
}

static void toy_write_series(struct toy *t, const struct batch *b, const struct batch_series *bs,
                             struct labels l, struct write_result *result)
{
    for (size_t r = bs->row; r < bs->row + bs->n_rows; r++) {
        struct histogram *h = b->hist ? b->hist[r] : NULL;
        int64_t time_ms = b->time_ms[r];
        if (time_ms < 0 || time_ms > TOY_TIME_MS_MAX) {
            toy_refuse(result, time_ms < 0 ? REJECT_too_old : REJECT_future, 1);
            continue;
        }
        toy_add_row(t, toy_series_of(t, l), time_ms, b->value[r], h, b->start_ms ? b->start_ms[r] : 0);
        *(h ? &result->histograms : &result->samples) += 1;
    }
}

static void toy_write_exemplar(struct toy *t, struct labels series, const struct batch_exemplar *x,
                               struct write_result *result)
{
    struct toy_state *now = t->now;
    struct labels own = { NULL, 0 };
    if (x->labels.n && labels_unpack_checked(arena_str(&t->arena, x->labels), &t->arena, &own, NULL) < 0) {
        toy_refuse(result, REJECT_exemplar, 1);
        return;
    }
    result->exemplars++;
    for (size_t i = 0; i < now->n_exemplars; i++) {
        const struct exemplar *k = &now->exemplars[i];
        if (k->time_ms == x->time_ms && labels_eq(k->series, series) && labels_eq(k->labels, own)) return;
    }
    now->exemplars =
        arena_grow(&t->arena, now->exemplars, now->n_exemplars, &now->cap_exemplars, sizeof *now->exemplars);
    now->exemplars[now->n_exemplars++] =
        (struct exemplar){ toy_copy_labels(series, &t->arena), own, x->time_ms, x->value };
}

static void toy_say(struct str *known, struct str said, struct arena *a)
{
    if (said.n > 0) *known = arena_str(a, said);
}

/* The latest wins, field by field; an empty one says nothing. */
static void toy_write_metadata(struct toy *t, const struct batch_metadata *m)
{
    size_t i = 0;
    while (i < t->n_metadata && !str_eq(t->metadata[i].family, m->family)) i++;
    if (i == t->n_metadata) {
        t->metadata =
            arena_grow(&t->arena, t->metadata, t->n_metadata, &t->cap_metadata, sizeof *t->metadata);
        t->metadata[t->n_metadata++] = (struct metadata){ .family = arena_str(&t->arena, m->family) };
    }
    toy_say(&t->metadata[i].type, m->type, &t->arena);
    toy_say(&t->metadata[i].help, m->help, &t->arena);
    toy_say(&t->metadata[i].unit, m->unit, &t->arena);
}

static void toy_write_metrics(struct toy *t, const struct batch *b, struct write_result *result)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct labels *l = arena_zero(&a, b->n_series * sizeof *l);
    for (size_t i = 0; i < b->n_series; i++) {
        if (labels_from(b->spelling, b->series[i].raw, &a, &l[i], NULL) == OK) {
            toy_write_series(t, b, &b->series[i], l[i], result);
        } else {
            l[i].n = 0;
            toy_refuse(result, labels_reject(b->spelling, b->series[i].raw), b->series[i].n_rows);
        }
    }
    for (size_t i = 0; i < b->n_exemplars; i++)
        if (l[b->exemplars[i].series].n > 0)
            toy_write_exemplar(t, l[b->exemplars[i].series], &b->exemplars[i], result);
    for (size_t i = 0; i < b->n_metadata; i++) toy_write_metadata(t, &b->metadata[i]);
    result->metadata = b->n_metadata;
    arena_release(&a);
}

static bool toy_is_repeat(struct toy *t, struct hash128 id)
{
    if (id.lo == 0 && id.hi == 0) return false;
    for (size_t i = 0; i < t->n_ids; i++)
        if (hash128_eq(t->ids[i], id)) return true;
    t->ids = arena_grow(&t->arena, t->ids, t->n_ids, &t->cap_ids, sizeof *t->ids);
    t->ids[t->n_ids++] = id;
    return false;
}

static void toy_write_signals(struct toy *t, const struct batch *b, struct write_result *result)
{
    if (b->logs == NULL && b->spans == NULL) return;
    if ((result->is_repeat = toy_is_repeat(t, b->id))) {
        result->logs = b->logs ? b->logs->n : 0;
        result->spans = b->spans ? b->spans->n : 0;
        return;
    }
    toy_write_records(t->now->records, b->logs, &t->arena, result);
    toy_write_records(t->now->records, b->spans, &t->arena, result);
    t->ingested[TABLE_LOGS] += result->logs;
    t->ingested[TABLE_SPANS] += result->spans;
}

static int toy_write(struct store *s, const struct batch *b, enum store_ack ack, struct write_result *result,
                     store_done *done, void *ctx, struct err *e)
{
    struct toy *t = toy_of(s);
    (void)ack, (void)e;
    *result = (struct write_result){ 0 };
    pthread_mutex_lock(&t->mu);
    toy_unpinned(t);
    toy_write_metrics(t, b, result);
    toy_write_signals(t, b, result);
    t->ingested[TABLE_METRICS] += result->samples + result->histograms;
    pthread_mutex_unlock(&t->mu);
    if (done) done(ctx, OK);
    return OK;
}

/* ---- views ---- */

static int toy_view_open(struct store *s, int64_t from_ms, int64_t to_ms, struct store_view **out,
                         struct err *e)
{
    struct toy *t = toy_of(s);
    struct toy_view *v = mem_alloc_zero(sizeof *v);
    (void)e;
    *v = (struct toy_view){ { s }, NULL, from_ms, to_ms };
    pthread_mutex_lock(&t->mu);
    v->state = t->now;
    v->state->pins++;
    pthread_mutex_unlock(&t->mu);
    *out = &v->view;
    return OK;
}

static void toy_view_close(struct store_view *v)
{
    struct toy *t = toy_of(v->store);
    pthread_mutex_lock(&t->mu);
    ((struct toy_view *)v)->state->pins--;
    pthread_mutex_unlock(&t->mu);
    mem_free(v);
}

/* Has it a row in the view's days? */
static bool toy_is_in_view(const struct toy_view *v, const struct toy_series *s)
{
    int64_t from = v->from_ms < 0 ? 0 : v->from_ms / TOY_DAY_MS;
    for (size_t i = 0; i < s->n; i++)
        if (s->time_ms[i] / TOY_DAY_MS >= from && s->time_ms[i] / TOY_DAY_MS <= v->to_ms / TOY_DAY_MS)
            return true;
    return false;
}

static int toy_select(struct store_view *view, struct call *c, const struct matcher *m, size_t n,
                      size_t limit, struct series_set *out, struct err *e)
{
    const struct toy_view *v = toy_view_of(view);
    const struct toy_state *now = v->state;
    int rc = call_check(c, e);
    *out = (struct series_set){ arena_array(c->arena, now->n, sizeof *out->at), 0, false };
    for (size_t i = 0; i < now->n && rc == OK; i++) {
        rc = call_check(c, e);
        if (!matchers_match(m, n, now->series[i].labels) || !toy_is_in_view(v, &now->series[i])) continue;
        if (limit != 0 && out->n == limit) {
            out->truncated = true;
            break;
        }
        out->at[out->n++] = (struct series_ref){ i, now->series[i].labels };
    }
    return rc;
}

static int toy_scan(struct store_view *view, struct call *c, const struct series_ref *refs, size_t n,
                    int64_t from_ms, int64_t to_ms, series_sink *sink, void *ctx, struct err *e)
{
    const struct toy_state *now = toy_view_of(view)->state;
    int rc = call_check(c, e);
    for (size_t i = 0; i < n && rc == OK; i++) {
        const struct toy_series *s = &now->series[refs[i].id];
        size_t lo = 0, hi = s->n;
        while (lo < s->n && s->time_ms[lo] < from_ms) lo++;
        while (hi > lo && s->time_ms[hi - 1] > to_ms) hi--;
        struct series_rows rows = {
            i, hi - lo, s->time_ms + lo, s->value + lo, s->has_hists ? s->hist + lo : NULL, s->start_ms + lo
        };
        if ((rc = sink(ctx, &rows)) == OK) rc = call_check(c, e);
    }
    return rc;
}

static int toy_by_bytes(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Label names of the series that match, or (name given) values of one label. */
static int toy_labels(struct store_view *v, struct call *c, const struct str *name, const struct matcher *m,
                      size_t n, size_t limit, struct str **out, size_t *n_out, struct err *e)
{
    struct series_set set;
    struct str *at = NULL;
    size_t found = 0, cap = 0, kept = 0;
    int rc = toy_select(v, c, m, n, 0, &set, e);
    if (rc < 0) return rc;
    for (size_t i = 0; i < set.n; i++)
        for (size_t k = 0; k < set.at[i].labels.n; k++) {
            const struct label *l = &set.at[i].labels.at[k];
            if (name != NULL && !str_eq(l->name, *name)) continue;
            at = arena_grow(c->arena, at, found, &cap, sizeof *at);
            at[found++] = name ? l->value : l->name;
        }
    if (found > 0) qsort(at, found, sizeof *at, toy_by_bytes);
    for (size_t i = 0; i < found; i++)
        if (kept == 0 || !str_eq(at[kept - 1], at[i])) at[kept++] = at[i];
    *out = at;
    *n_out = limit != 0 && kept > limit ? limit : kept;
    return OK;
}

static int toy_label_names(struct store_view *v, struct call *c, const struct matcher *m, size_t n,
                           size_t limit, struct str **out, size_t *n_out, struct err *e)
{
    return toy_labels(v, c, NULL, m, n, limit, out, n_out, e);
}

static int toy_label_values(struct store_view *v, struct call *c, struct str name, const struct matcher *m,
                            size_t n, size_t limit, struct str **out, size_t *n_out, struct err *e)
{
    return toy_labels(v, c, &name, m, n, limit, out, n_out, e);
}

static int toy_exemplars(struct store_view *view, struct call *c, const struct matcher *m, size_t n,
                         struct exemplar **out, size_t *n_out, struct err *e)
{
    const struct toy_view *v = toy_view_of(view);
    size_t kept = 0;
    *out = arena_array(c->arena, v->state->n_exemplars, sizeof **out);
    for (size_t i = 0; i < v->state->n_exemplars; i++) {
        const struct exemplar *x = &v->state->exemplars[i];
        if (x->time_ms >= v->from_ms && x->time_ms <= v->to_ms && matchers_match(m, n, x->series))
            (*out)[kept++] = *x;
    }
    *n_out = kept;
    return call_check(c, e);
}

/* ---- logs and spans: toy_records.h ---- */

static int64_t toy_ns(int64_t ms)
{
    return ms > INT64_MAX / 1000000 ? INT64_MAX : ms < 0 ? 0 : ms * 1000000;
}

static int64_t toy_last_ns(int64_t ms)
{
    return toy_ns(ms) > INT64_MAX - 999999 ? INT64_MAX : toy_ns(ms) + 999999;
}

static int toy_records(struct store_view *view, struct call *c, const struct record_scan *scan,
                       record_sink *sink, void *ctx, struct err *e)
{
    return toy_view_records(&toy_view_of(view)->state->records[scan->table], c, scan, sink, ctx, e);
}

static int toy_fields(struct store_view *view, struct call *c, enum table t, size_t limit,
                      struct field_info **out, size_t *n_out, struct err *e)
{
    const struct toy_view *v = toy_view_of(view);
    return toy_view_fields(&v->state->records[t], c, toy_ns(v->from_ms), toy_last_ns(v->to_ms), limit, out,
                           n_out, e);
}

static int toy_field_values(struct store_view *view, struct call *c, enum table t, struct field f,
                            const struct predicate *where, size_t limit, struct value_count **out,
                            size_t *n_out, struct err *e)
{
    const struct toy_view *v = toy_view_of(view);
    return toy_view_field_values(&v->state->records[t], c, t, f, where, toy_ns(v->from_ms),
                                 toy_last_ns(v->to_ms), limit, out, n_out, e);
}

static int toy_origins(struct store_view *view, struct call *c, enum table t, const struct predicate *where,
                       size_t limit, struct origin **out, size_t *n_out, struct err *e)
{
    const struct toy_view *v = toy_view_of(view);
    return toy_view_origins(&v->state->records[t], c, t, where, toy_ns(v->from_ms), toy_last_ns(v->to_ms),
                            limit, out, n_out, e);
}

/* ---- the store as a whole ---- */

static int toy_by_family(const void *a, const void *b)
{
    return str_cmp(((const struct metadata *)a)->family, ((const struct metadata *)b)->family);
}

static int toy_metadata(struct store *s, struct call *c, struct str family, size_t limit,
                        struct metadata **out, size_t *n_out, struct err *e)
{
    struct toy *t = toy_of(s);
    size_t n = 0;
    pthread_mutex_lock(&t->mu);
    *out = arena_array(c->arena, t->n_metadata, sizeof **out);
    for (size_t i = 0; i < t->n_metadata; i++)
        if (family.n == 0 || str_eq(family, t->metadata[i].family)) (*out)[n++] = t->metadata[i];
    pthread_mutex_unlock(&t->mu);
    qsort(*out, n, sizeof **out, toy_by_family);
    *n_out = limit != 0 && n > limit ? limit : n;
    return call_check(c, e);
}

static void toy_note_time(struct store_status *out, enum table t, int64_t time_ms)
{
    struct table_status *s = &out->table[t];
    s->head_rows++;
    s->min_time_ms = MIN(s->min_time_ms, time_ms);
    s->max_time_ms = MAX(s->max_time_ms, time_ms);
}

static void toy_status(struct store *s, struct store_status *out)
{
    struct toy *t = toy_of(s);
    *out = (struct store_status){ 0 };
    pthread_mutex_lock(&t->mu);
    for (int i = 0; i < TABLE_COUNT; i++) {
        const struct toy_records *r = &t->now->records[i];
        out->table[i] = (struct table_status){ .ingested = t->ingested[i],
                                               .min_time_ms = INT64_MAX,
                                               .max_time_ms = INT64_MIN };
        for (size_t k = 0; k < r->n; k++) toy_note_time(out, (enum table)i, r->at[k]->time_ns / 1000000);
    }
    for (size_t i = 0; i < t->now->n; i++)
        for (size_t k = 0; k < t->now->series[i].n; k++)
            toy_note_time(out, TABLE_METRICS, t->now->series[i].time_ms[k]);
    out->series_active = t->now->n;
    out->samples_ingested = t->ingested[TABLE_METRICS];
    out->head_rows = out->table[TABLE_METRICS].head_rows;
    out->min_time_ms = out->table[TABLE_METRICS].min_time_ms;
    out->max_time_ms = out->table[TABLE_METRICS].max_time_ms;
    pthread_mutex_unlock(&t->mu);
}

static int toy_admin(struct store *s, enum store_admin what, const void *arg, struct err *e)
{
    (void)s, (void)arg;
    return what == STORE_SNAPSHOT ? err_set(e, ERR_UNSUPPORTED, "a toy has no files") : OK;
}

static uint64_t toy_caps(struct store *s)
{
    (void)s;
    return STORE_HAS_EXEMPLARS;
}

static void toy_close(struct store *s)
{
    struct toy *t = toy_of(s);
    arena_release(&t->arena);
    pthread_mutex_destroy(&t->mu);
    mem_free(t->changed);
    mem_free(t);
}

static int64_t toy_changed_since(struct store *s, uint64_t generation, uint64_t *now)
{
    struct toy *t = toy_of(s);
    int64_t oldest = INT64_MAX;
    pthread_mutex_lock(&t->mu);
    *now = t->n_changed + 1;
    for (size_t i = generation ? generation - 1 : 0; i < t->n_changed; i++)
        oldest = MIN(oldest, t->changed[i]);
    pthread_mutex_unlock(&t->mu);
    return oldest;
}

static const struct store_ops toy_ops = {
    .caps = toy_caps,
    .close = toy_close,
    .write = toy_write,
    .view_open = toy_view_open,
    .view_close = toy_view_close,
    .series = toy_select,
    .scan = toy_scan,
    .label_names = toy_label_names,
    .label_values = toy_label_values,
    .exemplars = toy_exemplars,
    .records = toy_records,
    .fields = toy_fields,
    .field_values = toy_field_values,
    .origins = toy_origins,
    .metadata = toy_metadata,
    .status = toy_status,
    .admin = toy_admin,
    .changed_since = toy_changed_since,
};

void toy_store_clear(struct store *s)
{
    struct toy *t = toy_of(s);
    t->changed = mem_grow(t->changed, t->n_changed, &t->cap_changed, sizeof *t->changed);
    t->changed[t->n_changed++] = INT64_MIN;
    arena_release(&t->arena);
    t->now = arena_zero(&t->arena, sizeof *t->now);
    t->metadata = NULL;
    t->ids = NULL;
    t->n_metadata = t->cap_metadata = t->n_ids = t->cap_ids = 0;
    memset(t->ingested, 0, sizeof t->ingested);
}

struct store *toy_store_new(void)
{
    struct toy *t = mem_alloc_zero(sizeof *t);
    t->store.ops = &toy_ops;
    t->arena.budget = SIZE_MAX;
    check(pthread_mutex_init(&t->mu, NULL) == 0);
    t->now = arena_zero(&t->arena, sizeof *t->now);
    return &t->store;
}
