/* event_ids.c - two tables of open addressing; when the newer one is full it becomes the older one and the
 * one before that is forgotten. The lowest bit of a slot says that its id is settled; a slot of 0 is free,
 * one of GONE was released. */
#include "derive/event_ids.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/hash.h"
#include "base/mem.h"

#define GONE    UINT64_C(2) /* hashes are made larger */
#define SETTLED UINT64_C(1)
#define LEAST   1024 /* slots */

struct ids {
    uint64_t *at;
    size_t slots, n, used; /* used: n and the gone ones */
};

struct event_ids {
    size_t half;
    atomic_int users;
    pthread_mutex_t mu;
    struct ids new, old; /* mu */
};

struct event_ids *event_ids_new(size_t half)
{
    struct event_ids *s = mem_alloc_zero(sizeof *s);
    s->half = half > 0 ? half : EVENT_IDS_HALF;
    atomic_init(&s->users, 1);
    pthread_mutex_init(&s->mu, NULL);
    return s;
}

struct event_ids *event_ids_ref(struct event_ids *s)
{
    atomic_fetch_add(&s->users, 1);
    return s;
}

void event_ids_unref(struct event_ids *s)
{
    if (s == NULL || atomic_fetch_sub(&s->users, 1) > 1) return;
    mem_free(s->new.at);
    mem_free(s->old.at);
    pthread_mutex_destroy(&s->mu);
    mem_free(s);
}

uint64_t event_id_hash(const char *kind, struct str id)
{
    uint64_t h = hash64(id.p, id.n) * UINT64_C(0x9e3779b97f4a7c15) ^ hash64(kind, strlen(kind));
    h &= ~SETTLED;
    return h > GONE ? h : h + 2 * GONE + 2;
}

/* ---- a table ---- */

static uint64_t *find(const struct ids *t, uint64_t hash)
{
    if (t->slots == 0) return NULL;
    for (size_t i = (size_t)(hash >> 20);; i++) {
        uint64_t *slot = &t->at[i & (t->slots - 1)];
        if (*slot == 0) return NULL;
        if ((*slot & ~SETTLED) == hash) return slot;
    }
}

static void place(struct ids *t, uint64_t word)
{
    size_t i = (size_t)((word & ~SETTLED) >> 20);
    while (t->at[i & (t->slots - 1)] != 0) i++;
    t->at[i & (t->slots - 1)] = word;
    t->n++;
    t->used++;
}

/* At most half full: also the gone ones, which make searches longer. */
static void grow(struct ids *t)
{
    struct ids next = { .slots = LEAST };
    while (next.slots < 4 * (t->n + 1)) next.slots *= 2;
    next.at = mem_alloc_zero(next.slots * sizeof *next.at);
    for (size_t i = 0; i < t->slots; i++)
        if (t->at[i] != 0 && t->at[i] != GONE) place(&next, t->at[i]);
    mem_free(t->at);
    *t = next;
}

/* ---- locked ---- */

static uint64_t *find_any(struct event_ids *s, uint64_t hash)
{
    uint64_t *slot = find(&s->new, hash);
    return slot != NULL ? slot : find(&s->old, hash);
}

static void add(struct event_ids *s, uint64_t word)
{
    if (s->new.n >= s->half) {
        mem_free(s->old.at);
        s->old = s->new;
        s->new = (struct ids){ 0 };
    }
    if (2 * (s->new.used + 1) > s->new.slots) grow(&s->new);
    place(&s->new, word);
}

/* ---- from outside ---- */

bool event_ids_claim(struct event_ids *s, uint64_t hash)
{
    pthread_mutex_lock(&s->mu);
    bool is_new = find_any(s, hash) == NULL;
    if (is_new) add(s, hash);
    pthread_mutex_unlock(&s->mu);
    return is_new;
}

void event_ids_release(struct event_ids *s, uint64_t hash)
{
    pthread_mutex_lock(&s->mu);
    uint64_t *slot = find(&s->new, hash);
    struct ids *of = slot != NULL ? &s->new : &s->old;
    if (slot == NULL) slot = find(&s->old, hash);
    if (slot != NULL && !(*slot & SETTLED)) {
        *slot = GONE;
        of->n--;
    }
    pthread_mutex_unlock(&s->mu);
}

bool event_ids_settle(struct event_ids *s, uint64_t hash)
{
    pthread_mutex_lock(&s->mu);
    uint64_t *slot = find_any(s, hash);
    bool is_new = slot == NULL || !(*slot & SETTLED);
    if (slot == NULL)
        add(s, hash | SETTLED);
    else
        *slot |= SETTLED;
    pthread_mutex_unlock(&s->mu);
    return is_new;
}

size_t event_ids_count(struct event_ids *s)
{
    pthread_mutex_lock(&s->mu);
    size_t n = s->new.n + s->old.n;
    pthread_mutex_unlock(&s->mu);
    return n;
}
