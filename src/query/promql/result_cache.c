/* result_cache.c - see result_cache.h. A hash table of chains over a list by last use. */
#include "query/promql/result_cache.h"

#include <pthread.h>

#include "base/check.h"
#include "base/mem.h"
#include "query/promql/eval.h"

#define BUCKETS 1024 /* a power of two */

struct result_cache {
    pthread_mutex_t mu; /* all below but max_bytes */
    struct kept *bucket[BUCKETS];
    struct kept *newest, *oldest;
    size_t bytes, max_bytes;
};

struct result_cache *result_cache_new(size_t max_bytes)
{
    struct result_cache *c = mem_alloc_zero(sizeof *c);
    c->max_bytes = max_bytes;
    pthread_mutex_init(&c->mu, NULL);
    return c;
}

void kept_unref(struct kept *k)
{
    if (k == NULL || atomic_fetch_sub(&k->refs, 1) != 1) return;
    arena_release(&k->arena);
    mem_free(k);
}

/* ---- the table and the list; mu held ---- */

static uint64_t key_hash(const struct kept_key *k)
{
    uint64_t h = hash64(k->text.p, k->text.n);
    int64_t numbers[] = { k->step_ms, k->phase_ms, k->lookback_ms };
    return h ^ hash64(numbers, sizeof numbers);
}

static bool key_eq(const struct kept_key *a, const struct kept_key *b)
{
    return a->step_ms == b->step_ms && a->phase_ms == b->phase_ms && a->lookback_ms == b->lookback_ms &&
           str_eq(a->text, b->text);
}

static struct kept **place_of(struct result_cache *c, uint64_t hash, const struct kept_key *key)
{
    struct kept **at = &c->bucket[hash & (BUCKETS - 1)];
    while (*at != NULL && !((*at)->hash == hash && key_eq(&(*at)->key, key))) at = &(*at)->next;
    return at;
}

static void list_add(struct result_cache *c, struct kept *k)
{
    k->newer = NULL;
    k->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = k;
    c->newest = k;
}

static void list_take(struct result_cache *c, struct kept *k)
{
    *(k->newer ? &k->newer->older : &c->newest) = k->older;
    *(k->older ? &k->older->newer : &c->oldest) = k->newer;
}

static void drop_at(struct result_cache *c, struct kept **place)
{
    struct kept *k = *place;
    if (k == NULL) return;
    *place = k->next;
    list_take(c, k);
    c->bytes -= k->bytes;
    kept_unref(k);
}

/* ---- from any thread ---- */

void result_cache_empty(struct result_cache *c)
{
    pthread_mutex_lock(&c->mu);
    while (c->oldest != NULL) drop_at(c, place_of(c, c->oldest->hash, &c->oldest->key));
    pthread_mutex_unlock(&c->mu);
}

void result_cache_free(struct result_cache *c)
{
    if (c == NULL) return;
    result_cache_empty(c);
    pthread_mutex_destroy(&c->mu);
    mem_free(c);
}

struct kept *result_cache_get(struct result_cache *c, const struct kept_key *key)
{
    pthread_mutex_lock(&c->mu);
    struct kept *k = *place_of(c, key_hash(key), key);
    if (k != NULL) {
        list_take(c, k);
        list_add(c, k);
        atomic_fetch_add(&k->refs, 1);
    }
    pthread_mutex_unlock(&c->mu);
    return k;
}

void result_cache_put(struct result_cache *c, struct kept *k)
{
    k->hash = key_hash(&k->key);
    if (k->bytes > result_cache_room(c)) {
        kept_unref(k);
        return;
    }
    pthread_mutex_lock(&c->mu);
    drop_at(c, place_of(c, k->hash, &k->key));
    struct kept **bucket = &c->bucket[k->hash & (BUCKETS - 1)];
    k->next = *bucket;
    *bucket = k;
    list_add(c, k);
    c->bytes += k->bytes;
    while (c->bytes > c->max_bytes) drop_at(c, place_of(c, c->oldest->hash, &c->oldest->key));
    pthread_mutex_unlock(&c->mu);
}

void result_cache_drop(struct result_cache *c, const struct kept_key *key)
{
    pthread_mutex_lock(&c->mu);
    drop_at(c, place_of(c, key_hash(key), key));
    pthread_mutex_unlock(&c->mu);
}

size_t result_cache_bytes(struct result_cache *c)
{
    pthread_mutex_lock(&c->mu);
    size_t bytes = c->bytes;
    pthread_mutex_unlock(&c->mu);
    return bytes;
}

size_t result_cache_room(const struct result_cache *c)
{
    return c->max_bytes / 2;
}
