/* page_cache.c - shards of a hash table whose entries also stand in a ring for the hand of a clock.
 *
 * The hand goes round when room is needed: an entry asked for since it last came by is spared once, one in
 * use is passed, any other is let go. New ones stand behind the hand, unspared.
 *
 * Always true, with the shard's lock free:
 *   1. An entry in the table is in the ring and holds one reference of the shard's; entries outside both are
 *      held by readers only, and the last of them frees it.
 *   2. References are added under the lock alone. So one entry whose only reference is the shard's stays so
 *      while the lock is held, and may be freed.
 *   3. The bytes of a shard are those of its entries and never above its budget. */
#include "store/page_cache.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/stat.h"

#define SHARDS      16u
#define BUCKETS_MIN 64u

struct entry {
    struct cached_page page; /* first: what readers see */
    uint64_t file, at, hash;
    size_t bytes;                 /* of the allocation */
    struct entry *in_bucket;      /* the next one */
    struct entry *before, *after; /* in the ring */
    _Atomic uint32_t refs;
    bool spared; /* asked for since the hand came by */
    _Alignas(16) char data[];
};

struct shard {
    pthread_mutex_t mu; /* all below */
    struct entry **buckets, *hand;
    size_t mask, n, bytes, budget;
    uint64_t hits, misses, evictions, refused;
    bool is_counted; /* on the account of caches; constant */
};

struct page_cache {
    _Atomic uint64_t next_file;
    struct shard shards[SHARDS];
};

struct page_cache *page_cache_new(size_t budget_bytes)
{
    struct page_cache *c = mem_alloc_zero(sizeof *c);
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &c->shards[i];
        pthread_mutex_init(&s->mu, NULL);
        s->budget = budget_bytes / SHARDS;
        s->mask = BUCKETS_MIN - 1;
        s->buckets = mem_array(BUCKETS_MIN, sizeof *s->buckets);
    }
    return c;
}

uint64_t page_cache_file(struct page_cache *c)
{
    return atomic_fetch_add_explicit(&c->next_file, 1, memory_order_relaxed);
}

/* ---- entries ---- */

static struct entry *entry_new(uint64_t file, uint64_t at, uint64_t hash, struct str raw)
{
    struct entry *x = mem_alloc(sizeof *x + raw.n);
    *x = (struct entry){ .file = file, .at = at, .hash = hash, .bytes = sizeof *x + raw.n };
    x->page.raw = str_make(x->data, raw.n);
    if (raw.n > 0) memcpy(x->data, raw.p, raw.n);
    atomic_init(&x->refs, 1);
    return x;
}

static void entry_unref(struct entry *x)
{
    if (atomic_fetch_sub_explicit(&x->refs, 1, memory_order_acq_rel) == 1) mem_free(x);
}

void page_cache_unref(const struct cached_page *p)
{
    if (p != NULL) entry_unref((struct entry *)(uintptr_t)p);
}

static void entry_ref(struct entry *x)
{
    atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
}

/* ---- table and ring, under the lock ---- */

static struct shard *shard_of(struct page_cache *c, uint64_t hash)
{
    return &c->shards[hash >> 60 & (SHARDS - 1)];
}

static uint64_t hash_of(uint64_t file, uint64_t at)
{
    const uint64_t key[2] = { file, at };
    return hash64(key, sizeof key);
}

static struct entry *find(const struct shard *s, uint64_t file, uint64_t at, uint64_t hash)
{
    struct entry *x = s->buckets[hash & s->mask];
    while (x != NULL && (x->hash != hash || x->file != file || x->at != at)) x = x->in_bucket;
    return x;
}

static void widen(struct shard *s)
{
    size_t old = s->mask + 1;
    struct entry **before = s->buckets;
    s->mask = old * 2 - 1;
    s->buckets = mem_array(old * 2, sizeof *s->buckets);
    for (size_t i = 0; i < old; i++) {
        for (struct entry *x = before[i], *next; x != NULL; x = next) {
            next = x->in_bucket;
            x->in_bucket = s->buckets[x->hash & s->mask];
            s->buckets[x->hash & s->mask] = x;
        }
    }
    mem_free(before);
}

static void insert(struct shard *s, struct entry *x)
{
    if (s->n > s->mask) widen(s);
    x->in_bucket = s->buckets[x->hash & s->mask];
    s->buckets[x->hash & s->mask] = x;
    if (s->hand == NULL) {
        s->hand = x->before = x->after = x;
    } else { /* behind the hand: it comes there last */
        x->after = s->hand;
        x->before = s->hand->before;
        x->before->after = x->after->before = x;
    }
    s->n++;
    s->bytes += x->bytes;
    if (s->is_counted) budget_take(BUDGET_CACHES, x->bytes);
    entry_ref(x);
}

/* Readers may still hold it. */
static void take_out(struct shard *s, struct entry *x)
{
    struct entry **at = &s->buckets[x->hash & s->mask];
    while (*at != x) at = &(*at)->in_bucket;
    *at = x->in_bucket;
    if (s->hand == x) s->hand = x->after == x ? NULL : x->after;
    x->before->after = x->after;
    x->after->before = x->before;
    s->n--;
    s->bytes -= x->bytes;
    if (s->is_counted) budget_give(BUDGET_CACHES, x->bytes);
    entry_unref(x);
}

/* false: what is in use leaves too little. Each entry is passed at most twice. */
static bool make_room(struct shard *s, size_t bytes)
{
    if (bytes > s->budget / 4) return false;
    for (size_t steps = 2 * s->n; s->bytes + bytes > s->budget; steps--) {
        if (steps == 0) return false;
        struct entry *x = s->hand;
        if (x->spared || atomic_load_explicit(&x->refs, memory_order_acquire) > 1) {
            x->spared = false;
            s->hand = x->after;
        } else {
            take_out(s, x);
            s->evictions++;
        }
    }
    return true;
}

/* ---- for readers ---- */

const struct cached_page *page_cache_find(struct page_cache *c, uint64_t file, uint64_t at)
{
    uint64_t hash = hash_of(file, at);
    struct shard *s = shard_of(c, hash);
    pthread_mutex_lock(&s->mu);
    struct entry *x = find(s, file, at, hash);
    if (x != NULL) {
        entry_ref(x);
        x->spared = true;
        s->hits++;
    } else {
        s->misses++;
    }
    pthread_mutex_unlock(&s->mu);
    return x ? &x->page : NULL;
}

const struct cached_page *page_cache_add(struct page_cache *c, uint64_t file, uint64_t at, struct str raw)
{
    uint64_t hash = hash_of(file, at);
    struct shard *s = shard_of(c, hash);
    struct entry *x = entry_new(file, at, hash, raw); /* copied outside the lock */
    pthread_mutex_lock(&s->mu);
    struct entry *there = find(s, file, at, hash);
    if (there != NULL)
        entry_ref(there);
    else if (make_room(s, x->bytes))
        insert(s, x);
    else
        s->refused++;
    pthread_mutex_unlock(&s->mu);
    if (there == NULL) return &x->page;
    entry_unref(x);
    return &there->page;
}

/* ---- forgetting ---- */

static void drop_from(struct shard *s, uint64_t file, bool all)
{
    pthread_mutex_lock(&s->mu);
    for (size_t i = 0; i <= s->mask; i++) {
        for (struct entry *x = s->buckets[i], *next; x != NULL; x = next) {
            next = x->in_bucket;
            if (all || x->file == file) take_out(s, x);
        }
    }
    pthread_mutex_unlock(&s->mu);
}

void page_cache_drop(struct page_cache *c, uint64_t file)
{
    for (size_t i = 0; i < SHARDS; i++) drop_from(&c->shards[i], file, false);
}

void page_cache_free(struct page_cache *c)
{
    if (c == NULL) return;
    for (size_t i = 0; i < SHARDS; i++) {
        drop_from(&c->shards[i], 0, true);
        mem_free(c->shards[i].buckets);
        pthread_mutex_destroy(&c->shards[i].mu);
    }
    mem_free(c);
}

/* ---- the shared one ---- */

void page_cache_empty(struct page_cache *c)
{
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &c->shards[i];
        pthread_mutex_lock(&s->mu);
        for (size_t k = 0; k <= s->mask; k++) {
            for (struct entry *x = s->buckets[k], *next; x != NULL; x = next) {
                next = x->in_bucket;
                if (atomic_load_explicit(&x->refs, memory_order_acquire) == 1) take_out(s, x);
            }
        }
        pthread_mutex_unlock(&s->mu);
    }
}

void page_cache_limit(struct page_cache *c, size_t budget_bytes)
{
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &c->shards[i];
        pthread_mutex_lock(&s->mu);
        s->budget = budget_bytes / SHARDS;
        make_room(s, 0);
        pthread_mutex_unlock(&s->mu);
    }
}

#define SHARED_BYTES ((size_t)16 << 20) /* until told otherwise */

/* Global: what it may take is one number for all files. */
static struct page_cache *shared;
static pthread_once_t shared_once = PTHREAD_ONCE_INIT;

static void empty_shared(void *c)
{
    page_cache_empty(c);
}

#define ASK(field)                                                                                           \
    static double ask_##field(void *c)                                                                       \
    {                                                                                                        \
        struct page_cache_stats now;                                                                         \
        page_cache_stats(c, &now);                                                                           \
        return (double)now.field;                                                                            \
    }
ASK(hits)
ASK(misses)
ASK(evictions)
ASK(bytes)

static void make_shared(void)
{
    shared = page_cache_new(SHARED_BYTES);
    for (size_t i = 0; i < SHARDS; i++) shared->shards[i].is_counted = true;
    budget_on_tight(empty_shared, shared);
    stat_ask(STAT_COUNTER, "vedette_page_cache_hits_total", "Pages found unwrapped.", NULL, ask_hits, shared);
    stat_ask(STAT_COUNTER, "vedette_page_cache_misses_total", "Pages read and unwrapped.", NULL, ask_misses,
             shared);
    stat_ask(STAT_COUNTER, "vedette_page_cache_evictions_total", "Pages let go for others.", NULL,
             ask_evictions, shared);
    stat_ask(STAT_GAUGE, "vedette_page_cache_bytes", "Memory of unwrapped pages.", NULL, ask_bytes, shared);
}

struct page_cache *page_cache_shared(void)
{
    pthread_once(&shared_once, make_shared);
    return shared;
}

void page_cache_stats(struct page_cache *c, struct page_cache_stats *out)
{
    *out = (struct page_cache_stats){ 0 };
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &c->shards[i];
        pthread_mutex_lock(&s->mu);
        out->hits += s->hits;
        out->misses += s->misses;
        out->evictions += s->evictions;
        out->refused += s->refused;
        out->pages += s->n;
        out->bytes += s->bytes;
        out->budget += s->budget;
        pthread_mutex_unlock(&s->mu);
    }
}
