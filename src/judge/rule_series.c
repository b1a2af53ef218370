/* rule_series.c - see rule_series.h. Most evaluations write the series of the last one, in the same order:
 * then nothing is kept anew and nothing is searched. */
#include "judge/rule_series.h"

#include "base/map.h"
#include "base/mem.h"

void rule_series_release(struct rule_series *s)
{
    mem_free(s->ids);
    mem_free(s->packed);
    mem_free(s->bytes);
    *s = (struct rule_series){ 0 };
}

void rule_rows_init(struct rule_rows *r, struct arena *a, int64_t at_ms)
{
    batch_init(&r->batch, a, LABELS_PACKED);
    r->at_ms = at_ms;
}

void rule_rows_add(struct rule_rows *r, struct labels labels, double value, const struct histogram *hist)
{
    batch_series_labels(&r->batch, labels);
    if (hist != NULL)
        batch_histogram(&r->batch, r->at_ms, histogram_copy(hist, r->batch.arena));
    else
        batch_sample(&r->batch, r->at_ms, value);
}

void rule_rows_add_packed(struct rule_rows *r, struct str packed, double value)
{
    batch_series(&r->batch, packed);
    batch_sample(&r->batch, r->at_ms, value);
}

/* ---- sets of series ---- */

struct key_of {
    const struct batch_series *all;
    struct hash128 key;
};

static bool is_key(void *ctx, uint64_t at)
{
    const struct key_of *k = ctx;
    return hash128_eq(k->all[at].key, k->key);
}

static bool has_series(const struct map *m, const struct batch_series *all, struct hash128 key)
{
    return map_find(m, key.lo, is_key, &(struct key_of){ all, key }) != NULL;
}

bool rule_rows_are_distinct(const struct rule_rows *r)
{
    const struct batch *b = &r->batch;
    struct map m;
    bool distinct = true;
    map_init(&m, b->n_series + 1);
    for (size_t i = 0; distinct && i < b->n_series; i++) {
        distinct = !has_series(&m, b->series, b->series[i].key);
        map_add(&m, b->series[i].key.lo, i);
    }
    map_release(&m);
    return distinct;
}

static bool is_as_before(const struct batch *b, const struct rule_series *last)
{
    if (b->n_series != last->n) return false;
    for (size_t i = 0; i < last->n; i++)
        if (!hash128_eq(b->series[i].key, last->ids[i])) return false;
    return true;
}

static void add_markers(struct rule_rows *r, const struct rule_series *last)
{
    size_t n = r->batch.n_series;
    struct map now;
    map_init(&now, n + 1);
    for (size_t i = 0; i < n; i++) map_add(&now, r->batch.series[i].key.lo, i);
    for (size_t i = 0; i < last->n; i++) {
        if (has_series(&now, r->batch.series, last->ids[i])) continue;
        batch_series_known(&r->batch, arena_str(r->batch.arena, last->packed[i]), last->ids[i]);
        batch_sample(&r->batch, r->at_ms, double_of(STALE_BITS));
    }
    map_release(&now);
}

static void keep(struct rule_series *last, const struct batch *b, size_t n)
{
    struct rule_series fresh = { .ids = mem_array(n + 1, sizeof *fresh.ids),
                                 .packed = mem_array(n + 1, sizeof *fresh.packed),
                                 .n = n };
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) bytes += b->series[i].raw.n;
    char *to = fresh.bytes = mem_alloc(bytes + 1);
    for (size_t i = 0; i < n; i++) {
        fresh.ids[i] = b->series[i].key;
        memcpy(to, b->series[i].raw.p, b->series[i].raw.n);
        fresh.packed[i] = str_make(to, b->series[i].raw.n);
        to += b->series[i].raw.n;
    }
    rule_series_release(last);
    *last = fresh;
}

void rule_series_keep(struct rule_series *kept, const struct rule_rows *r)
{
    keep(kept, &r->batch, r->batch.n_series);
}

int rule_rows_write(struct rule_rows *r, struct rule_series *last, struct store *store, struct err *e)
{
    struct write_result result = { 0 };
    size_t n = r->batch.n_series;
    bool same = is_as_before(&r->batch, last);
    if (n == 0 && same) return OK;
    if (!same) add_markers(r, last);
    int rc = store_write(store, &r->batch, ACK_MEMORY, &result, NULL, NULL, e);
    if (rc < 0) return rc;
    if (!same) keep(last, &r->batch, n);
    if (result.rejected_total > 0)
        return err_set(e, ERR_EXEC, "%llu samples were refused: %s",
                       (unsigned long long)result.rejected_total, result.why);
    return OK;
}
