/* exemplar_store.c - slots that are filled one after the other, then over again, and hash chains that
 * lead to them by series.
 *
 * Always true:
 *   1. A slot in use is in exactly one chain: that of its key. Free slots have no labels pointer.
 *   2. A series has at most EXEMPLARS_PER_SERIES slots, no two with equal time and labels.
 */
#include "store/exemplar_store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/bytes.h"
#include "store/record_file.h"

#define LIMIT_DEFAULT 100000
#define NONE          UINT32_MAX
#define MAGIC         "VDTEXMP1"

struct slot {
    series_key key;
    int64_t time_ms;
    double value;
    char *labels; /* packed; never NULL when in use */
    uint32_t n_labels, next;
};

struct exemplar_store {
    pthread_mutex_t mu; /* all below */
    struct slot *slots;
    size_t n, cap, limit; /* slots ever used; allocated; allowed */
    size_t turn;          /* when all are in use: the next to go */
    uint32_t *chains;
    size_t mask;
    struct exemplar_stats stats;
    bool dirty;
};

struct exemplar_store *exemplar_store_new(size_t limit)
{
    struct exemplar_store *s = mem_alloc_zero(sizeof *s);
    s->limit = limit ? limit : LIMIT_DEFAULT;
    check(s->limit < NONE);
    size_t chains = 16;
    while (chains < s->limit / 4) chains *= 2;
    s->chains = mem_alloc(chains * sizeof *s->chains);
    memset(s->chains, 0xff, chains * sizeof *s->chains);
    s->mask = chains - 1;
    check(pthread_mutex_init(&s->mu, NULL) == 0);
    return s;
}

void exemplar_store_free(struct exemplar_store *s)
{
    if (s == NULL) return;
    for (size_t i = 0; i < s->n; i++) mem_free(s->slots[i].labels);
    mem_free(s->slots);
    mem_free(s->chains);
    pthread_mutex_destroy(&s->mu);
    mem_free(s);
}

/* ---- chains ---- */

static uint32_t *chain_of(const struct exemplar_store *s, series_key key)
{
    return &s->chains[hash64(&key, sizeof key) & s->mask];
}

static void link_slot(struct exemplar_store *s, uint32_t i)
{
    uint32_t *chain = chain_of(s, s->slots[i].key);
    s->slots[i].next = *chain;
    *chain = i;
    s->stats.kept++;
}

static void free_slot(struct exemplar_store *s, uint32_t i)
{
    uint32_t *at = chain_of(s, s->slots[i].key);
    while (*at != i) at = &s->slots[*at].next;
    *at = s->slots[i].next;
    mem_free(s->slots[i].labels);
    s->slots[i] = (struct slot){ 0 };
    s->stats.kept--;
}

/* ---- adding ---- */

struct kin { /* what the store has of one series */
    uint32_t n, oldest;
    bool known; /* the very exemplar */
};

static struct kin find_kin(const struct exemplar_store *s, series_key key, int64_t time_ms, struct str labels)
{
    struct kin kin = { 0, NONE, false };
    for (uint32_t i = *chain_of(s, key); i != NONE; i = s->slots[i].next) {
        const struct slot *at = &s->slots[i];
        if (at->key != key) continue;
        kin.n++;
        if (kin.oldest == NONE || at->time_ms < s->slots[kin.oldest].time_ms) kin.oldest = i;
        if (at->time_ms == time_ms && str_eq(str_make(at->labels, at->n_labels), labels)) kin.known = true;
    }
    return kin;
}

/* A slot to write to: never used, or freed, or whose turn it is. */
static uint32_t slot_take(struct exemplar_store *s)
{
    if (s->n < s->limit) {
        s->slots = mem_grow(s->slots, s->n, &s->cap, sizeof *s->slots);
        s->slots[s->n] = (struct slot){ 0 };
        return (uint32_t)s->n++;
    }
    uint32_t i = (uint32_t)s->turn;
    s->turn = s->turn + 1 == s->limit ? 0 : s->turn + 1;
    if (s->slots[i].labels != NULL) {
        free_slot(s, i);
        s->stats.evicted++;
    }
    return i;
}

static int add_locked(struct exemplar_store *s, const struct slot *fresh)
{
    struct kin kin = find_kin(s, fresh->key, fresh->time_ms, str_make(fresh->labels, fresh->n_labels));
    uint32_t i;
    if (kin.known) {
        s->stats.duplicates++;
        return 0;
    }
    if (kin.n < EXEMPLARS_PER_SERIES) {
        i = slot_take(s);
    } else if (fresh->time_ms < s->slots[kin.oldest].time_ms) {
        s->stats.too_old++;
        return 0;
    } else {
        i = kin.oldest;
        free_slot(s, i);
        s->stats.replaced++;
    }
    s->slots[i] = *fresh;
    link_slot(s, i);
    s->stats.added++;
    s->dirty = true;
    return 1;
}

static int labels_check(struct str labels, struct err *e)
{
    struct arena a = ARENA_INIT(64 << 10);
    struct labels l;
    if (labels.n > EXEMPLAR_LABELS_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "exemplar labels of %zu bytes are too long", labels.n);
    int rc = labels.n == 0 ? OK : labels_unpack_checked(labels, &a, &l, e);
    arena_release(&a);
    return rc < 0 ? err_set(e, ERR_RANGE, "exemplar labels are not well formed") : OK;
}

int exemplar_store_add(struct exemplar_store *s, series_key key, int64_t time_ms, double value,
                       struct str labels, struct err *e)
{
    int rc = labels_check(labels, e);
    if (rc < 0) return rc;
    struct slot fresh = { key, time_ms, value, mem_alloc(labels.n + 1), (uint32_t)labels.n, NONE };
    if (labels.n > 0) memcpy(fresh.labels, labels.p, labels.n);

    pthread_mutex_lock(&s->mu);
    rc = add_locked(s, &fresh);
    pthread_mutex_unlock(&s->mu);
    if (rc == 0) mem_free(fresh.labels);
    return rc;
}

void exemplar_store_drop_before(struct exemplar_store *s, int64_t time_ms)
{
    pthread_mutex_lock(&s->mu);
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->slots[i].labels == NULL || s->slots[i].time_ms >= time_ms) continue;
        free_slot(s, i);
        s->dirty = true;
    }
    pthread_mutex_unlock(&s->mu);
}

/* ---- asking ---- */

static int by_key_and_time(const void *left, const void *right)
{
    const struct slot *a = left, *b = right;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    if (a->time_ms != b->time_ms) return a->time_ms < b->time_ms ? -1 : 1;
    return str_cmp(str_make(a->labels, a->n_labels), str_make(b->labels, b->n_labels));
}

/* Copies of the slots in the range, sorted: what follows needs no lock. */
static int copy_range(struct exemplar_store *s, int64_t from_ms, int64_t to_ms, struct call *call,
                      struct slot **out, size_t *n_out, struct err *e)
{
    size_t n = 0;
    int rc = OK;
    pthread_mutex_lock(&s->mu);
    struct slot *at = NULL;
    if (arena_fits(call->arena, s->n * sizeof *at))
        at = arena_array(call->arena, s->n + 1, sizeof *at);
    else
        rc = err_set(e, ERR_LIMIT, "the exemplars exceed this query's memory limit");
    for (size_t i = 0; i < s->n && rc == OK; i++) {
        const struct slot *slot = &s->slots[i];
        if (slot->labels == NULL || slot->time_ms < from_ms || slot->time_ms > to_ms) continue;
        at[n] = *slot;
        at[n++].labels = (char *)arena_str(call->arena, str_make(slot->labels, slot->n_labels)).p;
        if (n % 1024 == 0) rc = call_check(call, e);
    }
    pthread_mutex_unlock(&s->mu);
    if (rc == OK) qsort(at, n, sizeof *at, by_key_and_time);
    *out = at;
    *n_out = n;
    return rc;
}

int exemplar_store_query(struct exemplar_store *s,
                         struct labels (*labels)(void *ctx, series_key, struct arena *), void *ctx,
                         const struct matcher *m, size_t n, int64_t from_ms, int64_t to_ms, struct call *call,
                         struct exemplar **out, size_t *n_out, struct err *e)
{
    struct slot *at;
    size_t n_at, kept = 0;
    struct labels series = { NULL, 0 };
    bool wanted = false;
    *n_out = 0;
    int rc = copy_range(s, from_ms, to_ms, call, &at, &n_at, e);
    if (rc < 0) return rc;

    *out = arena_array(call->arena, n_at + 1, sizeof **out);
    for (size_t i = 0; i < n_at; i++) {
        if (i == 0 || at[i].key != at[i - 1].key) { /* once a series */
            if ((rc = call_check(call, e)) < 0) return rc;
            series = labels(ctx, at[i].key, call->arena);
            wanted = series.n > 0 && matchers_match(m, n, series);
        }
        if (!wanted) continue;
        struct labels own = { NULL, 0 };
        if (at[i].n_labels > 0) own = labels_unpack(str_make(at[i].labels, at[i].n_labels), call->arena);
        (*out)[kept++] = (struct exemplar){ series, own, at[i].time_ms, at[i].value };
    }
    *n_out = kept;
    return OK;
}

void exemplar_store_stats(struct exemplar_store *s, struct exemplar_stats *out)
{
    pthread_mutex_lock(&s->mu);
    *out = s->stats;
    pthread_mutex_unlock(&s->mu);
}

/* ---- on disk: key u64, time i64, value f64, then the labels ---- */

static void put_slot(struct buf *file, struct buf *record, const struct slot *slot)
{
    uint64_t bits;
    memcpy(&bits, &slot->value, sizeof bits);
    buf_clear(record);
    buf_u64le(record, slot->key);
    buf_u64le(record, (uint64_t)slot->time_ms);
    buf_u64le(record, bits);
    buf_add(record, slot->labels, slot->n_labels);
    record_file_add(file, buf_view(record));
}

static void put_slots(void *ctx, struct buf *file, struct buf *scratch)
{
    struct exemplar_store *s = ctx;
    for (size_t i = 0; i < s->n; i++) /* in order of arrival: as good as it needs to be */
        if (s->slots[i].labels != NULL) put_slot(file, scratch, &s->slots[i]);
}

static int load_record(void *ctx, struct str payload, struct err *e)
{
    struct bytes in = bytes_of(payload);
    series_key key = bytes_u64(&in);
    int64_t time_ms = (int64_t)bytes_u64(&in);
    uint64_t bits = bytes_u64(&in);
    double value;
    memcpy(&value, &bits, sizeof value);
    if (in.failed) return err_set(e, ERR_CORRUPT, "an exemplar is cut");
    int rc = exemplar_store_add(ctx, key, time_ms, value, bytes_take(&in, bytes_left(&in)), e);
    return rc < 0 ? err_set(e, ERR_CORRUPT, "an exemplar's labels are not well formed") : OK;
}

static struct record_file file_of(struct exemplar_store *s)
{
    return (struct record_file){ MAGIC, &s->mu, &s->dirty, put_slots, load_record, s };
}

int exemplar_store_save(struct exemplar_store *s, const char *path, struct err *e)
{
    struct record_file f = file_of(s);
    return record_file_save(path, &f, e);
}

int exemplar_store_load(struct exemplar_store *s, const char *path, struct err *e)
{
    struct record_file f = file_of(s);
    return record_file_load(path, &f, e);
}
