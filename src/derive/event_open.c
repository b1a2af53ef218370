/* event_open.c - entries in the order in which they began (a doubly linked list through an array), found by
 * chains of equal buckets. */
#include "derive/event_open.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define NONE UINT32_MAX

struct entry {
    uint64_t hash;
    int64_t time_ms;
    uint32_t chain, older, newer; /* older: also the list of free ones */
    uint8_t n[EVENT_OPEN_TEXTS];
    char *text;
};

struct event_open {
    size_t max;
    int64_t max_ms;
    void (*lost)(void *, const struct event_opened *);
    void *ctx;
    struct entry *at;
    uint32_t *bucket;
    size_t n, used, cap, buckets;
    uint32_t oldest, newest, free;
    char *given; /* texts of the last one that ended */
};

struct event_open *event_open_new(size_t max, int64_t max_ms,
                                  void (*lost)(void *, const struct event_opened *), void *ctx)
{
    check(max > 0 && max < NONE);
    struct event_open *o = mem_alloc_zero(sizeof *o);
    *o = (struct event_open){ .max = max, .max_ms = max_ms, .lost = lost, .ctx = ctx };
    o->oldest = o->newest = o->free = NONE;
    return o;
}

void event_open_free(struct event_open *o)
{
    if (o == NULL) return;
    for (size_t i = 0; i < o->used; i++) mem_free(o->at[i].text);
    mem_free(o->given);
    mem_free(o->at);
    mem_free(o->bucket);
    mem_free(o);
}

static uint32_t *bucket_of(const struct event_open *o, uint64_t hash)
{
    return &o->bucket[(hash >> 16) & (o->buckets - 1)];
}

static void rehash(struct event_open *o)
{
    mem_free(o->bucket);
    o->buckets = o->buckets > 0 ? 2 * o->buckets : 64;
    o->bucket = mem_array(o->buckets, sizeof *o->bucket);
    memset(o->bucket, 0xff, o->buckets * sizeof *o->bucket);
    for (uint32_t i = o->oldest; i != NONE; i = o->at[i].newer) {
        uint32_t *b = bucket_of(o, o->at[i].hash);
        o->at[i].chain = *b;
        *b = i;
    }
}

static uint32_t find(const struct event_open *o, uint64_t hash)
{
    uint32_t i = o->buckets > 0 ? *bucket_of(o, hash) : NONE;
    while (i != NONE && o->at[i].hash != hash) i = o->at[i].chain;
    return i;
}

static void read_entry(const struct entry *e, struct event_opened *out)
{
    const char *p = e->text;
    out->time_ms = e->time_ms;
    for (size_t i = 0; i < EVENT_OPEN_TEXTS; i++) {
        out->text[i] = str_make(p, e->n[i]);
        p += e->n[i];
    }
}

static void take_out(struct event_open *o, uint32_t i)
{
    struct entry *e = &o->at[i];
    uint32_t *from = bucket_of(o, e->hash);
    while (*from != i) from = &o->at[*from].chain;
    *from = e->chain;
    if (e->older != NONE) o->at[e->older].newer = e->newer;
    if (e->newer != NONE) o->at[e->newer].older = e->older;
    if (o->oldest == i) o->oldest = e->newer;
    if (o->newest == i) o->newest = e->older;
    mem_free(o->given);
    o->given = e->text;
    e->text = NULL;
    e->older = o->free;
    o->free = i;
    o->n--;
}

static void lose_oldest(struct event_open *o)
{
    struct event_opened was;
    uint32_t i = o->oldest;
    read_entry(&o->at[i], &was);
    take_out(o, i);
    if (o->lost != NULL) o->lost(o->ctx, &was);
}

static uint32_t new_entry(struct event_open *o)
{
    uint32_t i = o->free;
    if (i != NONE) {
        o->free = o->at[i].older;
        return i;
    }
    if (o->used == o->cap) o->at = mem_grow(o->at, o->used, &o->cap, sizeof *o->at);
    return (uint32_t)o->used++;
}

static char *keep_texts(struct entry *e, const struct event_opened *what)
{
    size_t n = 0;
    for (size_t i = 0; i < EVENT_OPEN_TEXTS; i++)
        n += e->n[i] = (uint8_t)MIN(what->text[i].n, EVENT_OPEN_TEXT);
    char *text = mem_alloc_zero(n + 1), *p = text;
    for (size_t i = 0; i < EVENT_OPEN_TEXTS; i++) {
        if (e->n[i] > 0) memcpy(p, what->text[i].p, e->n[i]);
        p += e->n[i];
    }
    return text;
}

bool event_open_begin(struct event_open *o, uint64_t hash, const struct event_opened *what)
{
    if (find(o, hash) != NONE) return false;
    if (o->n == o->max) lose_oldest(o);
    if (o->n >= o->buckets) rehash(o);
    uint32_t i = new_entry(o), *b = bucket_of(o, hash);
    struct entry *e = &o->at[i];
    *e = (struct entry){
        .hash = hash, .time_ms = what->time_ms, .chain = *b, .older = o->newest, .newer = NONE
    };
    e->text = keep_texts(e, what);
    *b = i;
    if (o->newest != NONE) o->at[o->newest].newer = i;
    o->newest = i;
    if (o->oldest == NONE) o->oldest = i;
    o->n++;
    return true;
}

bool event_open_end(struct event_open *o, uint64_t hash, struct event_opened *was)
{
    uint32_t i = find(o, hash);
    if (i == NONE) return false;
    read_entry(&o->at[i], was);
    take_out(o, i);
    return true;
}

void event_open_expire(struct event_open *o, int64_t now_ms)
{
    while (o->oldest != NONE && now_ms - o->at[o->oldest].time_ms > o->max_ms) lose_oldest(o);
}

size_t event_open_count(const struct event_open *o)
{
    return o->n;
}
