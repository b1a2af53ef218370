/* result_kept.c - one kept answer: made of a finished one, sliced, continued. See result_cache.h. */
#include "base/check.h"
#include "base/mem.h"
#include "query/promql/eval.h"
#include "query/promql/result_cache.h"

/* ---- making ---- */

static struct kept *kept_new(const struct kept_key *key, int64_t start_ms, size_t n, size_t max_series)
{
    struct kept *k = mem_alloc_zero(sizeof *k);
    atomic_init(&k->refs, 1);
    k->arena.budget = SIZE_MAX;
    k->key = *key;
    k->key.text = arena_str(&k->arena, key->text);
    k->start_ms = start_ms;
    k->n = n;
    k->series = arena_array(&k->arena, max_series, sizeof *k->series);
    return k;
}

static struct kept_series *kept_add(struct kept *k, struct labels l)
{
    struct arena *a = &k->arena;
    struct kept_series *s = &k->series[k->n_series++];
    struct label *at = arena_array(a, l.n, sizeof *at);
    for (size_t i = 0; i < l.n; i++)
        at[i] = (struct label){ arena_str(a, l.at[i].name), arena_str(a, l.at[i].value) };
    *s = (struct kept_series){ { at, l.n }, row_new(a, k->n), NULL };
    return s;
}

static void kept_hist(struct kept *k, struct kept_series *s, size_t step, const struct histogram *h)
{
    if (s->h == NULL) s->h = arena_zero(&k->arena, k->n * sizeof *s->h);
    s->h[step] = h;
}

/* Of result and kept series at once, both sorted by labels: which come next, -1 the first, 1 the second, 0
 * both. */
static int next_of(const struct kept *k, size_t i, const struct query_result *r, size_t j)
{
    if (i == k->n_series || j == r->n) return i == k->n_series ? 1 : -1;
    int c = labels_cmp(k->series[i].labels, r->series[j].labels);
    return (c > 0) - (c < 0);
}

static size_t step_of(const struct kept *k, int64_t time_ms)
{
    return (size_t)((time_ms - k->start_ms) / k->key.step_ms);
}

static void take_points(struct kept *k, struct kept_series *s, const struct result_series *from)
{
    const struct histogram *last = NULL, *copy = NULL; /* the same one often stands at several steps */
    for (size_t i = 0; i < from->n; i++) {
        const struct result_point *p = &from->points[i];
        size_t step = step_of(k, p->time_ms);
        if (p->hist == NULL) {
            s->v[step] = p->value;
            continue;
        }
        if (p->hist != last) copy = histogram_copy(last = p->hist, &k->arena);
        kept_hist(k, s, step, copy);
    }
}

static void take_steps(struct kept *k, struct kept_series *s, const struct kept *from_kept,
                       const struct kept_series *from, size_t n)
{
    size_t skip = step_of(from_kept, k->start_ms);
    memcpy(s->v, from->v + skip, n * sizeof *s->v);
    for (size_t i = 0; from->h && i < n; i++)
        if (from->h[skip + i]) kept_hist(k, s, i, histogram_copy(from->h[skip + i], &k->arena));
}

static bool has_steps(const struct kept *k, const struct kept_series *s, int64_t from_ms, size_t n)
{
    size_t skip = step_of(k, from_ms);
    for (size_t i = skip; i < skip + n; i++)
        if (!is_stale(s->v[i]) || (s->h && s->h[i])) return true;
    return false;
}

struct kept *kept_make(const struct kept_key *key, const struct query_result *r, int64_t start_ms, size_t n,
                       const struct kept *before, int64_t from_ms, size_t most)
{
    static const struct kept none;
    size_t n_before = before ? (size_t)((start_ms - from_ms) / key->step_ms) : 0;
    if (n_before == 0) before = NULL;
    struct kept *k =
        kept_new(key, before ? from_ms : start_ms, n_before + n, r->n + (before ? before->n_series : 0));
    const struct kept *old = before ? before : &none;
    for (size_t i = 0, j = 0; (i < old->n_series || j < r->n) && k->arena.used <= most;) {
        int which = next_of(old, i, r, j);
        bool has_old = which <= 0 && has_steps(old, &old->series[i], from_ms, n_before);
        if (has_old || which >= 0) {
            struct kept_series *s = kept_add(k, which >= 0 ? r->series[j].labels : old->series[i].labels);
            if (has_old) take_steps(k, s, old, &old->series[i], n_before);
            if (which >= 0) take_points(k, s, &r->series[j]);
        }
        i += which <= 0;
        j += which >= 0;
    }
    k->bytes = sizeof *k + k->arena.used;
    if (k->bytes <= most) return k;
    kept_unref(k);
    return NULL;
}

/* ---- answering ---- */

static struct labels labels_copied(struct arena *a, struct labels l)
{
    struct label *at = arena_array(a, l.n, sizeof *at);
    for (size_t i = 0; i < l.n; i++)
        at[i] = (struct label){ arena_str(a, l.at[i].name), arena_str(a, l.at[i].value) };
    return (struct labels){ at, l.n };
}

/* Points of steps [from, to) at the end of out's. */
static void put_steps(const struct kept *k, const struct kept_series *s, size_t from, size_t to,
                      struct result_series *out, struct arena *a)
{
    const struct histogram *last = NULL, *copy = NULL;
    for (size_t i = from; i < to; i++) {
        const struct histogram *h = s->h ? s->h[i] : NULL;
        if (h == NULL && is_stale(s->v[i])) continue;
        if (h && h != last) copy = histogram_copy(last = h, a);
        int64_t t = k->start_ms + (int64_t)i * k->key.step_ms;
        out->points[out->n++] = (struct result_point){ t, h ? h->sum : s->v[i], h ? copy : NULL };
    }
}

void kept_slice(const struct kept *k, int64_t start_ms, int64_t end_ms, struct query_result *out)
{
    size_t from = step_of(k, start_ms), to = step_of(k, end_ms) + 1;
    out->type = PROMQL_MATRIX;
    out->series = arena_array(&out->arena, k->n_series, sizeof *out->series);
    out->n = 0;
    for (size_t i = 0; i < k->n_series; i++) {
        const struct kept_series *s = &k->series[i];
        if (!has_steps(k, s, start_ms, to - from)) continue;
        struct result_series *to_series = &out->series[out->n++];
        to_series->labels = labels_copied(&out->arena, s->labels);
        to_series->points = arena_array(&out->arena, to - from, sizeof *to_series->points);
        to_series->n = 0;
        put_steps(k, s, from, to, to_series, &out->arena);
    }
}

/* At from_ms both were computed: by what reusable.h says the same must have come out. */
static bool agree(const struct kept *k, const struct kept_series *s, const struct result_series *r,
                  int64_t from_ms)
{
    size_t step = step_of(k, from_ms);
    const struct result_point *p = r && r->n > 0 && r->points[0].time_ms == from_ms ? &r->points[0] : NULL;
    bool had = s && (!is_stale(s->v[step]) || (s->h && s->h[step]));
    if (!had || p == NULL) return !had && p == NULL;
    bool had_hist = s->h && s->h[step];
    if (had_hist != (p->hist != NULL)) return false;
    return had_hist || double_bits(s->v[step]) == double_bits(p->value);
}

static void join_series(const struct kept *k, const struct kept_series *s, const struct result_series *r,
                        int64_t start_ms, int64_t from_ms, struct query_result *out)
{
    size_t from = step_of(k, start_ms), to = step_of(k, from_ms), more = r ? r->n : 0;
    struct result_series *made = &out->series[out->n];
    bool has_old = s && to > from && has_steps(k, s, start_ms, to - from);
    if (!has_old && more == 0) return;
    made->labels = labels_copied(&out->arena, s ? s->labels : r->labels);
    made->points = arena_array(&out->arena, to - from + more, sizeof *made->points);
    made->n = 0;
    if (has_old) put_steps(k, s, from, to, made, &out->arena);
    for (size_t i = 0; i < more; i++) {
        struct result_point p = r->points[i];
        if (p.hist) p.hist = histogram_copy(p.hist, &out->arena);
        made->points[made->n++] = p;
    }
    out->n++;
}

bool kept_continue(const struct kept *k, const struct query_result *tail, int64_t start_ms, int64_t from_ms,
                   struct query_result *out)
{
    out->type = PROMQL_MATRIX;
    out->series = arena_array(&out->arena, k->n_series + tail->n, sizeof *out->series);
    out->n = 0;
    for (size_t i = 0, j = 0; i < k->n_series || j < tail->n;) {
        int which = next_of(k, i, tail, j);
        const struct kept_series *s = which <= 0 ? &k->series[i++] : NULL;
        const struct result_series *r = which >= 0 ? &tail->series[j++] : NULL;
        if (!agree(k, s, r, from_ms)) {
            out->n = 0;
            return false;
        }
        join_series(k, s, r, start_ms, from_ms, out);
    }
    return true;
}
