/* timer_heap.h - who is next: a heap of timers that lie inside what they wake. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
    int64_t at_ms;
    size_t place; /* in the heap, from 1; 0: not in it */
};

struct timer_heap {
    struct timer **at;
    size_t n, cap;
};

void timer_heap_release(struct timer_heap *);
void timer_set(struct timer_heap *, struct timer *, int64_t at_ms); /* put in, or moved */
void timer_clear(struct timer_heap *, struct timer *);              /* taken out, if it was in */
struct timer *timer_due(struct timer_heap *, int64_t now_ms);       /* taken out; NULL when none is due */
int64_t timer_next_ms(const struct timer_heap *);                   /* INT64_MAX when empty */
