/* delta.c - the table of streams, and what a new point means to its stream.
 *
 * Always true:
 *   1. A stream is in one chain of its shard's table and in the shard's list of ages, newest first.
 *   2. A point is counted once: only a time beyond the stream's last adds to its sum.
 *   3. A refused point changes nothing.
 *
 * Threads: each shard has a lock around all that is in it; no function holds two. */
#include "derive/delta.h"

#include <pthread.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "derive/histogram_add.h"

enum { SHARDS = 16, SHARDED_FROM = 4096, SLOTS_FIRST = 64, FORGET_AT_ONCE = 4 };

struct stream {
    struct hash128 id;
    struct stream *next;          /* in its chain */
    struct stream *newer, *older; /* in the list of ages */
    int64_t seen_ms;
    uint64_t start_ns, time_ns;
    double value; /* of a sum */
    char *packed; /* of a histogram: histogram_pack of its sum; NULL: a sum */
    size_t n_packed;
};

struct shard {
    pthread_mutex_t mu;
    struct stream **slots; /* a power of two of them; chained */
    size_t n_slots, n, bytes;
    struct stream *newest, *oldest;
};

struct delta {
    struct delta_conf conf;
    size_t n_shards;
    struct shard shard[SHARDS];
};

struct delta *delta_new(const struct delta_conf *conf)
{
    struct delta *d = mem_alloc_zero(sizeof *d);
    d->conf = *conf;
    d->n_shards = conf->max_streams >= SHARDED_FROM ? SHARDS : 1;
    for (size_t i = 0; i < d->n_shards; i++) {
        pthread_mutex_init(&d->shard[i].mu, NULL);
        d->shard[i].n_slots = SLOTS_FIRST;
        d->shard[i].slots = mem_array(SLOTS_FIRST, sizeof *d->shard[i].slots);
    }
    return d;
}

static void stream_free(struct stream *s)
{
    mem_free(s->packed);
    mem_free(s);
}

void delta_free(struct delta *d)
{
    if (d == NULL) return;
    for (size_t i = 0; i < d->n_shards; i++) {
        struct shard *h = &d->shard[i];
        for (struct stream *s = h->newest, *older; s != NULL; s = older) {
            older = s->older;
            stream_free(s);
        }
        mem_free(h->slots);
        pthread_mutex_destroy(&h->mu);
    }
    mem_free(d);
}

size_t delta_streams(struct delta *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n_shards; i++) {
        pthread_mutex_lock(&d->shard[i].mu);
        n += d->shard[i].n;
        pthread_mutex_unlock(&d->shard[i].mu);
    }
    return n;
}

/* ---- the list of ages ---- */

static void age_remove(struct shard *h, struct stream *s)
{
    *(s->newer != NULL ? &s->newer->older : &h->newest) = s->older;
    *(s->older != NULL ? &s->older->newer : &h->oldest) = s->newer;
}

static void age_add(struct shard *h, struct stream *s, int64_t now_ms)
{
    s->seen_ms = now_ms;
    s->newer = NULL;
    s->older = h->newest;
    *(s->older != NULL ? &s->older->newer : &h->oldest) = s;
    h->newest = s;
}

/* ---- the table ---- */

static struct stream **slot_of(const struct shard *h, struct hash128 id)
{
    return &h->slots[id.lo >> 8 & (h->n_slots - 1)]; /* the low bits chose the shard */
}

static struct stream *find(const struct shard *h, struct hash128 id)
{
    struct stream *s = *slot_of(h, id);
    while (s != NULL && !hash128_eq(s->id, id)) s = s->next;
    return s;
}

static void grow(struct shard *h)
{
    struct shard bigger = *h;
    bigger.n_slots = h->n_slots * 2;
    bigger.slots = mem_array(bigger.n_slots, sizeof *bigger.slots);
    for (struct stream *s = h->newest; s != NULL; s = s->older) {
        struct stream **at = slot_of(&bigger, s->id);
        s->next = *at;
        *at = s;
    }
    mem_free(h->slots);
    *h = bigger;
}

static void forget(struct shard *h, struct stream *s)
{
    struct stream **at = slot_of(h, s->id);
    while (*at != s) at = &(*at)->next;
    *at = s->next;
    age_remove(h, s);
    h->n--;
    h->bytes -= s->n_packed;
    stream_free(s);
}

static void forget_idle(struct delta *d, struct shard *h, int64_t now_ms)
{
    for (int i = 0; i < FORGET_AT_ONCE && h->oldest != NULL && now_ms - h->oldest->seen_ms > d->conf.idle_ms;
         i++)
        forget(h, h->oldest);
}

static int table_full(const struct delta *d, struct err *e)
{
    return err_set(e, ERR_LIMIT, "no room for another delta stream: %zu streams or %zu bytes are in use",
                   d->conf.max_streams, d->conf.max_bytes);
}

static struct stream *add(struct shard *h, struct hash128 id, int64_t now_ms)
{
    if (h->n >= h->n_slots) grow(h);
    struct stream *s = mem_alloc_zero(sizeof *s), **at = slot_of(h, id);
    s->id = id;
    s->next = *at;
    *at = s;
    h->n++;
    age_add(h, s, now_ms);
    return s;
}

/* ---- points ---- */

struct point {
    uint64_t start_ns, time_ns;
};

enum meaning { POINT_FIRST, POINT_NEXT, POINT_AGAIN };

static int order_check(const struct stream *s, struct point p, enum meaning *out, struct err *e)
{
    *out = p.time_ns == s->time_ns ? POINT_AGAIN : POINT_NEXT;
    if (p.time_ns < s->time_ns)
        return err_set(e, ERR_ORDER, "a delta point older than the last one of its stream");
    if (*out == POINT_NEXT && p.start_ns != 0 && p.start_ns < s->start_ns)
        return err_set(e, ERR_ORDER, "a delta point that starts before its stream does");
    return OK;
}

static struct shard *lock(struct delta *d, struct hash128 id, int64_t now_ms)
{
    struct shard *h = &d->shard[id.lo % d->n_shards];
    pthread_mutex_lock(&h->mu);
    forget_idle(d, h, now_ms);
    return h;
}

/* The stream of this point, made when it is new or was of another kind. NULL: refused, *rc says why. */
static struct stream *stream_for(struct delta *d, struct shard *h, struct hash128 id, struct point p,
                                 bool is_sum, enum meaning *out, int64_t now_ms, int *rc, struct err *e)
{
    struct stream *s = find(h, id);
    if (s != NULL && (s->packed == NULL) != is_sum) {
        forget(h, s);
        s = NULL;
    }
    if (s != NULL) {
        *rc = order_check(s, p, out, e);
        return *rc < 0 ? NULL : s;
    }
    *out = POINT_FIRST;
    *rc = h->n < d->conf.max_streams / d->n_shards ? OK : table_full(d, e);
    if (*rc < 0) return NULL;
    s = add(h, id, now_ms);
    s->start_ns = p.start_ns;
    return s;
}

static void seen(struct shard *h, struct stream *s, struct point p, int64_t now_ms)
{
    s->time_ns = p.time_ns;
    age_remove(h, s);
    age_add(h, s, now_ms);
}

int delta_sum(struct delta *d, struct hash128 id, uint64_t *start_ns, uint64_t time_ns, double *value,
              struct err *e)
{
    int64_t now_ms = clock_now_ms();
    struct point p = { *start_ns, time_ns };
    struct shard *h = lock(d, id, now_ms);
    enum meaning m = POINT_FIRST;
    int rc;
    struct stream *s = stream_for(d, h, id, p, true, &m, now_ms, &rc, e);

    if (s != NULL) {
        if (m != POINT_AGAIN) s->value += *value;
        *value = s->value;
        *start_ns = s->start_ns;
        seen(h, s, p, now_ms);
    }
    pthread_mutex_unlock(&h->mu);
    return rc;
}

/* ---- histograms ---- */

/* What the stream amounts to with this point, in the arena. */
static int accumulate(struct stream *s, enum meaning m, struct point p, struct histogram *h, struct arena *a,
                      struct err *e)
{
    struct histogram *before;
    if (m == POINT_FIRST) return OK;
    int rc = histogram_unpack((struct str){ s->packed, s->n_packed }, a, &before, e);
    if (rc < 0) return rc;
    if (m == POINT_AGAIN) {
        *h = *before;
        return OK;
    }
    if (histogram_add(h, before, a)) return OK;
    s->start_ns = p.start_ns; /* other bounds: nothing to add to */
    return OK;
}

static int keep(struct delta *d, struct shard *h, struct stream *s, const struct histogram *sum,
                struct err *e)
{
    struct buf packed = BUF_INIT(4u << 20);
    histogram_pack(&packed, sum);
    if (packed.full || h->bytes - s->n_packed + packed.n > d->conf.max_bytes / d->n_shards) {
        buf_release(&packed);
        return table_full(d, e);
    }
    h->bytes += packed.n - s->n_packed;
    mem_free(s->packed);
    s->packed = mem_realloc(packed.p, packed.n); /* no more than it needs: there may be very many */
    s->n_packed = packed.n;
    return OK;
}

int delta_histogram(struct delta *d, struct hash128 id, uint64_t *start_ns, uint64_t time_ns,
                    struct histogram *hist, struct arena *a, struct err *e)
{
    int64_t now_ms = clock_now_ms();
    struct point p = { *start_ns, time_ns };
    struct shard *h = lock(d, id, now_ms);
    enum meaning m = POINT_FIRST;
    int rc;
    struct stream *s = stream_for(d, h, id, p, false, &m, now_ms, &rc, e);

    if (s != NULL) {
        uint64_t start_before = s->start_ns;
        rc = accumulate(s, m, p, hist, a, e);
        if (rc == OK && m != POINT_AGAIN) rc = keep(d, h, s, hist, e);
        if (rc == OK) {
            *start_ns = s->start_ns;
            seen(h, s, p, now_ms);
        } else {
            s->start_ns = start_before;
            if (m == POINT_FIRST) forget(h, s);
        }
    }
    pthread_mutex_unlock(&h->mu);
    return rc;
}
