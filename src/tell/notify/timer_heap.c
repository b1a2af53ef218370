/* timer_heap.c - see timer_heap.h. */
#include "tell/notify/timer_heap.h"

#include "base/mem.h"

static void put(struct timer_heap *h, size_t i, struct timer *t)
{
    h->at[i] = t;
    t->place = i + 1;
}

static void up(struct timer_heap *h, size_t i)
{
    struct timer *t = h->at[i];
    for (; i > 0 && h->at[(i - 1) / 2]->at_ms > t->at_ms; i = (i - 1) / 2) put(h, i, h->at[(i - 1) / 2]);
    put(h, i, t);
}

static void down(struct timer_heap *h, size_t i)
{
    struct timer *t = h->at[i];
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->at[child + 1]->at_ms < h->at[child]->at_ms) child++;
        if (h->at[child]->at_ms >= t->at_ms) break;
        put(h, i, h->at[child]);
    }
    put(h, i, t);
}

void timer_heap_release(struct timer_heap *h)
{
    mem_free(h->at);
    *h = (struct timer_heap){ 0 };
}

void timer_set(struct timer_heap *h, struct timer *t, int64_t at_ms)
{
    if (t->place == 0) {
        h->at = mem_grow(h->at, h->n, &h->cap, sizeof(struct timer *));
        put(h, h->n++, t);
    }
    t->at_ms = at_ms;
    up(h, t->place - 1);
    down(h, t->place - 1);
}

void timer_clear(struct timer_heap *h, struct timer *t)
{
    if (t->place == 0) return;
    size_t i = t->place - 1;
    struct timer *last = h->at[--h->n];
    t->place = 0;
    if (last == t) return;
    put(h, i, last);
    up(h, i);
    down(h, last->place - 1);
}

struct timer *timer_due(struct timer_heap *h, int64_t now_ms)
{
    if (h->n == 0 || h->at[0]->at_ms > now_ms) return NULL;
    struct timer *t = h->at[0];
    timer_clear(h, t);
    return t;
}

int64_t timer_next_ms(const struct timer_heap *h)
{
    return h->n > 0 ? h->at[0]->at_ms : INT64_MAX;
}
