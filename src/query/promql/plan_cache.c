/* plan_cache.c - see plan_cache.h. A hash table of chains over a list by last use. */
#include "query/promql/plan_cache.h"

#include <pthread.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "query/promql/parse.h"
#include "query/promql/reusable.h"

#define SMALL   2048 /* bytes: most queries fit */
#define BUCKETS 1024 /* a power of two */

/* What a compiled program takes is known to RE2 alone, and it grows while matching (regex.cc has the ceiling,
 * 4 MiB); most take less than this. */
#define PROGRAM_BYTES ((size_t)128 << 10)

struct plan_cache {
    pthread_mutex_t mu; /* all below */
    struct plan *bucket[BUCKETS];
    struct plan *newest, *oldest;
    struct plan_cache_size size;
    size_t max_entries, max_bytes;
};

struct plan_cache *plan_cache_new(size_t max_entries, size_t max_bytes)
{
    struct plan_cache *c = mem_alloc_zero(sizeof *c);
    c->max_entries = max_entries;
    c->max_bytes = max_bytes;
    pthread_mutex_init(&c->mu, NULL);
    return c;
}

void plan_unref(struct plan *p)
{
    if (p == NULL || atomic_fetch_sub(&p->refs, 1) != 1) return;
    promql_release(p->root);
    arena_release(&p->arena);
    mem_free(p);
}

/* ---- the list and the table; mu held ---- */

static struct plan **place_of(struct plan_cache *c, uint64_t hash, struct str text)
{
    struct plan **at = &c->bucket[hash & (BUCKETS - 1)];
    while (*at != NULL && !((*at)->hash == hash && str_eq((*at)->text, text))) at = &(*at)->next;
    return at;
}

static void list_add(struct plan_cache *c, struct plan *p)
{
    p->newer = NULL;
    p->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = p;
    c->newest = p;
}

static void list_take(struct plan_cache *c, struct plan *p)
{
    *(p->newer ? &p->newer->older : &c->newest) = p->older;
    *(p->older ? &p->older->newer : &c->oldest) = p->newer;
}

static void drop(struct plan_cache *c, struct plan *p)
{
    *place_of(c, p->hash, p->text) = p->next;
    list_take(c, p);
    c->size.entries--;
    c->size.bytes -= p->bytes;
    plan_unref(p);
}

static void add(struct plan_cache *c, struct plan *p)
{
    struct plan **bucket = &c->bucket[p->hash & (BUCKETS - 1)];
    if (p->bytes > c->max_bytes / 4) return; /* one giant must not drive out all others */
    p->next = *bucket;
    *bucket = p;
    list_add(c, p);
    atomic_fetch_add(&p->refs, 1);
    c->size.entries++;
    c->size.bytes += p->bytes;
    while (c->size.entries > c->max_entries || c->size.bytes > c->max_bytes) drop(c, c->oldest);
}

void plan_cache_free(struct plan_cache *c)
{
    if (c == NULL) return;
    while (c->oldest != NULL) drop(c, c->oldest);
    pthread_mutex_destroy(&c->mu);
    mem_free(c);
}

/* ---- making one ---- */

static size_t regex_bytes(const struct node *n)
{
    size_t bytes = 0, literals;
    if (n == NULL) return 0;
    for (size_t i = 0; i < n->n_matchers; i++) {
        const struct matcher *m = &n->matchers[i];
        if (m->re == NULL) continue;
        bytes += regex_literals(m->re, &literals) ? 4 * m->value.n + 256 : PROGRAM_BYTES;
    }
    bytes += regex_bytes(n->child) + regex_bytes(n->left) + regex_bytes(n->right) + regex_bytes(n->param);
    for (size_t i = 0; i < n->n_args; i++) bytes += regex_bytes(n->args[i]);
    return bytes;
}

static int plan_make(struct str text, uint64_t hash, size_t budget, struct plan **out, struct err *e)
{
    struct plan *p = mem_alloc_zero(sizeof *p);
    atomic_init(&p->refs, 1);
    p->arena.budget = budget;
    arena_begin(&p->arena, SMALL); /* rules keep thousands of plans */
    int rc = promql_parse(text, &p->arena, &p->root, e);
    if (rc < 0) {
        p->root = NULL;
        plan_unref(p);
        return rc;
    }
    p->text = arena_str(&p->arena, text);
    p->hash = hash;
    p->not_reusable = reuse_refused(p->root);
    p->bytes = sizeof *p + p->arena.used + regex_bytes(p->root);
    *out = p;
    return OK;
}

static struct plan *find(struct plan_cache *c, uint64_t hash, struct str text)
{
    struct plan *p = *place_of(c, hash, text);
    if (p == NULL) return NULL;
    list_take(c, p);
    list_add(c, p);
    atomic_fetch_add(&p->refs, 1);
    return p;
}

int plan_cache_get(struct plan_cache *c, struct str text, size_t budget, struct plan **out, bool *was_cached,
                   struct err *e)
{
    uint64_t hash = hash64(text.p, text.n);
    pthread_mutex_lock(&c->mu);
    *out = find(c, hash, text);
    pthread_mutex_unlock(&c->mu);
    *was_cached = *out != NULL;
    if (*out != NULL) return OK;

    int rc = plan_make(text, hash, budget, out, e);
    if (rc < 0) return rc;
    pthread_mutex_lock(&c->mu);
    if (*place_of(c, hash, text) == NULL) add(c, *out); /* else another thread was quicker */
    pthread_mutex_unlock(&c->mu);
    return OK;
}

struct plan_cache_size plan_cache_size(struct plan_cache *c)
{
    pthread_mutex_lock(&c->mu);
    struct plan_cache_size size = c->size;
    pthread_mutex_unlock(&c->mu);
    return size;
}
