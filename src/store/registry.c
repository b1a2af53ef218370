/* registry.c - the writing half of the registry: finding, making, marking and forgetting series.
 * Reading: registry_read.c.
 *
 * Always true (besides registry_impl.h):
 *   1. Numbers start at 1 and rise; a number is never given twice, not even after registry_collect.
 *   2. A spelling that is remembered means a series that is in the table.
 *   3. Remembered spellings are bounded by SPELLINGS_PER_SERIES for each series on average: a client
 *      that permutes its labels costs itself the slow path, not us the memory.
 */
#include "store/registry.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "store/series_table.h"

#define SPELLINGS_PER_SERIES 4
#define SPELLINGS_FREE       1024 /* a young registry may know a few more */
#define BYTES_COUNTED_EVERY  1024 /* new series: half a megabyte at most */
#define PACKED_MAX           ((size_t)LABELS_MAX * (LABEL_NAME_MAX + LABEL_VALUE_MAX + 8))

/* ---- life ---- */

struct registry *registry_new(uint64_t max_series)
{
    struct registry *r = mem_alloc_zero(sizeof *r);
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    /* Readers come in crowds and would keep the one writer waiting for ever. */
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    check(pthread_rwlock_init(&r->lock, &attr) == 0);
    pthread_rwlockattr_destroy(&attr);

    r->max_series = max_series;
    r->next_series_no = r->next_metric_no = 1;
    r->pack = (struct buf)BUF_INIT(PACKED_MAX);
    series_table_init(&r->t);
    return r;
}

static void day_free(struct presence *p)
{
    paged_release(&p->pages);
    mem_free(p);
}

void registry_free(struct registry *r)
{
    if (r == NULL) return;
    for (size_t i = 0; i < r->n_days; i++) day_free(r->days[i]);
    mem_free(r->days);
    spelling_release(&r->spellings);
    series_table_release(&r->t);
    buf_release(&r->pack);
    pthread_rwlock_destroy(&r->lock);
    mem_free(r);
}

/* ---- labels to a number ---- */

void registry_prefetch(const struct registry *r, struct hash128 spelling_key)
{
    spelling_prefetch(&r->spellings, spelling_key);
}

bool registry_find(const struct registry *r, struct hash128 spelling_key, series_key *out)
{
    return spelling_find(&r->spellings, spelling_key, out);
}

static void remember_spelling(struct registry *r, struct hash128 spelling_key, series_key key)
{
    series_key known;
    if (r->spellings.n >= (uint64_t)r->t.n_rows * SPELLINGS_PER_SERIES + SPELLINGS_FREE) return;
    if (!spelling_find(&r->spellings, spelling_key, &known)) spelling_add(&r->spellings, spelling_key, key);
}

/* ---- limits of new series ---- */

void registry_set_limits(struct registry *r, const struct registry_limits *limits)
{
    r->limits = *limits;
}

enum reject registry_refusal(const struct registry *r)
{
    return r->refusal;
}

static bool bytes_left(struct registry *r)
{
    if (r->limits.bytes == 0) return true;
    if (r->bytes_in-- == 0) { /* the count visits pages and segments: not for each series */
        struct registry_size size;
        registry_size(r, &size);
        r->bytes = size.bytes;
        r->bytes_in = BYTES_COUNTED_EVERY;
    }
    return r->bytes < r->limits.bytes;
}

static int room_for_series(struct registry *r, struct err *e)
{
    r->refusal = REJECT_series_limit;
    if (r->t.n_rows >= r->max_series)
        return err_set(e, ERR_LIMIT, "the limit of %" PRIu64 " active series is reached", r->max_series);
    if (r->next_series_no == UINT32_MAX || r->next_metric_no == UINT32_MAX || r->t.n_rows == PAIR_LAST)
        return err_set(e, ERR_LIMIT, "all series numbers are used up");
    if (bytes_left(r)) return OK;
    r->refusal = REJECT_series_memory;
    return err_set(e, ERR_LIMIT, "the %" PRIu64 " bytes that the memory limit leaves for series are used up",
                   r->limits.bytes);
}

static int room_in_metric(struct registry *r, struct str metric, struct err *e)
{
    uint32_t pair = label_pool_find_pair(&r->t.labels, STR(LABEL_NAME), metric);
    if (pair == ID_NONE || table_postings(&r->t, pair)->n < r->limits.series_per_metric) return OK;
    r->refusal = REJECT_metric_series_limit;
    return err_set(e, ERR_LIMIT, "the limit of %" PRIu64 " series of one metric is reached",
                   r->limits.series_per_metric);
}

static int room_for_value(struct registry *r, struct label l, struct err *e)
{
    uint32_t name = label_pool_name(&r->t.labels, l.name);
    if (name == ID_NONE || label_pool_name_at(&r->t.labels, name)->n_pairs < r->limits.values_per_label)
        return OK;
    if (label_pool_find(&r->t.labels, name, l.value) != ID_NONE) return OK;
    r->refusal = REJECT_label_values_limit;
    return err_set(e, ERR_LIMIT, "the limit of %" PRIu64 " values of one label is reached by %.*s",
                   r->limits.values_per_label, (int)MIN(l.name.n, 60u), l.name.p);
}

static int room_for(struct registry *r, struct labels l, struct err *e)
{
    int rc = room_for_series(r, e);
    for (size_t i = 0; i < l.n && rc == OK; i++) {
        if (r->limits.series_per_metric > 0 && str_is(l.at[i].name, LABEL_NAME))
            rc = room_in_metric(r, l.at[i].value, e);
        if (rc == OK && r->limits.values_per_label > 0) rc = room_for_value(r, l.at[i], e);
    }
    return rc;
}

/* ---- new series ---- */

static series_key add_series(struct registry *r, struct labels l)
{
    uint32_t pairs[LABELS_MAX];

    pthread_rwlock_wrlock(&r->lock);
    series_table_make_pairs(&r->t, l, pairs);
    uint32_t metric_no = series_table_metric(&r->t, pairs);
    if (metric_no == 0) metric_no = r->next_metric_no++;
    series_key key = (series_key)metric_no << 32 | r->next_series_no++;
    series_table_add(&r->t, pairs, key);
    registry_unlock(r);
    return key;
}

static struct str pack_into(struct registry *r, struct labels l, struct arena *scratch)
{
    buf_clear(&r->pack);
    labels_pack(&r->pack, l);
    check(!r->pack.full);
    return arena_str(scratch, buf_view(&r->pack));
}

int registry_resolve(struct registry *r, struct hash128 spelling_key, enum labels_spelling spelling,
                     struct str raw, struct arena *scratch, series_key *out, enum registry_added *added,
                     struct str *packed, struct err *e)
{
    struct labels l;
    uint32_t pairs[LABELS_MAX], row = ID_NONE;
    int rc = labels_from(spelling, raw, scratch, &l, e);
    if (rc < 0) return rc;
    check(l.n > 0 && l.n <= LABELS_MAX);

    if (series_table_known_pairs(&r->t, l, pairs)) row = series_table_find(&r->t, pairs);
    if (row != ID_NONE) {
        *added = REGISTRY_KNOWN;
        *out = row_key(table_row(&r->t, row));
    } else {
        if ((rc = room_for(r, l, e)) < 0) return rc;
        *added = REGISTRY_NEW;
        *out = add_series(r, l);
        *packed = pack_into(r, l, scratch);
    }
    remember_spelling(r, spelling_key, *out);
    return OK;
}

/* ---- recovery ---- */

void registry_reserve(struct registry *r, uint32_t next_series_no, uint32_t next_metric_no)
{
    pthread_rwlock_wrlock(&r->lock);
    r->next_series_no = MAX(r->next_series_no, next_series_no);
    r->next_metric_no = MAX(r->next_metric_no, next_metric_no);
    registry_unlock(r);
}

static bool same_labels(const struct registry *r, uint32_t row, struct labels l, struct arena *a)
{
    return labels_eq(series_table_labels(&r->t, row, a), l);
}

static int restore(struct registry *r, series_key key, struct labels l, struct arena *a, struct err *e)
{
    uint32_t series_no = (uint32_t)key, metric_no = (uint32_t)(key >> 32), pairs[LABELS_MAX];
    if (series_no == 0 || metric_no == 0 || series_no == UINT32_MAX || metric_no == UINT32_MAX)
        return err_set(e, ERR_CORRUPT, "series key %016" PRIx64 " is not one of ours", key);

    const uint32_t *taken = paged_find(&r->t.row_of, series_no);
    if (taken != NULL && *taken != 0) {
        if (row_key(table_row(&r->t, *taken - 1)) == key && same_labels(r, *taken - 1, l, a)) return OK;
        return err_set(e, ERR_CORRUPT, "series number %" PRIu32 " is taken by two series", series_no);
    }
    if (r->t.n_rows == PAIR_LAST) return err_set(e, ERR_LIMIT, "too many series");

    pthread_rwlock_wrlock(&r->lock);
    series_table_make_pairs(&r->t, l, pairs);
    series_table_add(&r->t, pairs, key);
    r->next_series_no = MAX(r->next_series_no, series_no + 1);
    r->next_metric_no = MAX(r->next_metric_no, metric_no + 1);
    registry_unlock(r);
    return OK;
}

int registry_restore(struct registry *r, series_key key, struct str packed, struct err *e)
{
    struct arena a = ARENA_INIT(PACKED_MAX);
    struct labels l;
    int rc = labels_unpack_checked(packed, &a, &l, e);
    if (rc < 0)
        rc = err_set(e, ERR_CORRUPT, "labels of series %016" PRIx64 " are not well formed", key);
    else if (l.n == 0 || l.n > LABELS_MAX)
        rc = err_set(e, ERR_CORRUPT, "series %016" PRIx64 " has no labels, or too many", key);
    else
        rc = restore(r, key, l, &a, e);
    arena_release(&a);
    return rc;
}

/* ---- presence ---- */

struct presence *registry_day(const struct registry *r, uint32_t day)
{
    for (size_t i = 0; i < r->n_days; i++)
        if (r->days[i]->day == day) return r->days[i];
    return NULL;
}

static struct presence *open_day(struct registry *r, uint32_t day)
{
    if (r->last != NULL && r->last->day == day) return r->last;

    struct presence *p = registry_day(r, day);
    if (p == NULL) {
        p = mem_alloc_zero(sizeof *p);
        p->day = day;
        paged_init(&p->pages, sizeof(struct presence_page), 0);
        pthread_rwlock_wrlock(&r->lock);
        r->days = mem_grow(r->days, r->n_days, &r->cap_days, sizeof *r->days);
        r->days[r->n_days++] = p;
        registry_unlock(r);
    }
    return r->last = p;
}

static struct presence_page *open_page(struct registry *r, struct presence *p, uint32_t series_no)
{
    struct presence_page *page = presence_page(p, series_no);
    if (LIKELY(page != NULL)) return page;

    pthread_rwlock_wrlock(&r->lock);
    page = paged_make(&p->pages, series_no / (PRESENCE_WORDS * 64));
    registry_unlock(r);
    return page;
}

bool registry_mark(struct registry *r, uint32_t day, series_key key)
{
    struct presence *p = open_day(r, day);
    return presence_set(open_page(r, p, (uint32_t)key), (uint32_t)key);
}

void registry_mark_indexed(struct registry *r, uint32_t day, series_key key)
{
    struct presence_page *page = open_page(r, open_day(r, day), (uint32_t)key);
    presence_set(page, (uint32_t)key);
    presence_set_indexed(page, (uint32_t)key);
}

struct key_list {
    series_key *at;
    size_t n, cap;
};

static void collect_word(const struct registry *r, struct key_list *out, size_t first_no, uint64_t bits)
{
    for (; bits != 0; bits &= bits - 1) {
        const uint32_t *row = paged_find(&r->t.row_of, first_no + (size_t)__builtin_ctzll(bits));
        if (row == NULL || *row == 0)
            continue; /* marked, but not a series of ours: the caller's slip, not the index's */
        out->at = mem_grow(out->at, out->n, &out->cap, sizeof *out->at);
        out->at[out->n++] = row_key(table_row(&r->t, *row - 1));
    }
}

size_t registry_fresh(struct registry *r, uint32_t day, series_key **out, bool commit)
{
    struct key_list list = { 0 };
    struct presence *p = registry_day(r, day);
    for (size_t i = 0; p != NULL && i < p->pages.n_pages; i++) {
        struct presence_page *page = paged_find(&p->pages, i);
        for (size_t w = 0; page != NULL && w < PRESENCE_WORDS; w++) {
            uint64_t seen = atomic_load_explicit(&page->seen[w], memory_order_relaxed);
            collect_word(r, &list, (i * PRESENCE_WORDS + w) * 64, seen & ~page->indexed[w]);
            if (commit) page->indexed[w] |= seen;
        }
    }
    series_key *scratch = mem_array(list.n + 1, sizeof *scratch);
    keys_sort(list.at, list.n, scratch);
    mem_free(scratch);
    *out = list.at;
    return list.n;
}

void registry_forget_day(struct registry *r, uint32_t day)
{
    for (size_t i = 0; i < r->n_days; i++) {
        if (r->days[i]->day != day) continue;
        struct presence *gone = r->days[i];
        pthread_rwlock_wrlock(&r->lock);
        r->days[i] = r->days[--r->n_days];
        if (r->last == gone) r->last = NULL;
        registry_unlock(r);
        day_free(gone);
        return;
    }
}

/* ---- collecting ---- */

static bool is_present(void *ctx, series_key key)
{
    const struct registry *r = ctx;
    for (size_t i = 0; i < r->n_days; i++)
        if (presence_has(r->days[i], (uint32_t)key)) return true;
    return false;
}

static bool all_present(struct registry *r)
{
    for (uint32_t row = 0; row < r->t.n_rows; row++)
        if (!is_present(r, row_key(table_row(&r->t, row)))) return false;
    return true;
}

/* Survivors move into a fresh table, so that nothing of the dead stays, not even a pair. */
static void copy_present(struct registry *r, struct series_table *fresh)
{
    struct arena a = ARENA_INIT(PACKED_MAX);
    for (uint32_t row = 0; row < r->t.n_rows; row++) {
        series_key key = row_key(table_row(&r->t, row));
        if (!is_present(r, key)) continue;
        uint32_t pairs[LABELS_MAX];
        series_table_make_pairs(fresh, series_table_labels(&r->t, row, &a), pairs);
        series_table_add(fresh, pairs, key);
        arena_reset(&a);
    }
    arena_release(&a);
}

void registry_collect(struct registry *r)
{
    if (all_present(r)) return;

    struct series_table fresh, old = r->t;
    series_table_init(&fresh);
    copy_present(r, &fresh);
    spelling_keep(&r->spellings, is_present, r);

    pthread_rwlock_wrlock(&r->lock);
    r->t = fresh;
    registry_unlock(r);
    series_table_release(&old);
}
