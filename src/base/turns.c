/* turns.c - see turns.h.
 *
 * Always true:
 *   1. n_free + the seats in `holders` = at_once. A turn goes from hand to hand: who gives it up gives it to
 * the next who waits, and it is free only when nobody does.
 *   2. A seat is in one list at most: holders, or one of the two that wait.
 *   3. Of those who wait, every NEW_IN_A_ROW + 1st turn goes to one who has had a turn: new ones can make the
 *      others slow, but not stop them.
 *
 * Threads: `mu` guards everything but n_waiting, which is read without it. */
#include "base/turns.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

#define TURN_NS      10000000ll  /* a hundred changes a second cost nothing */
#define STALE_NS     250000000ll /* no yield for so long: asleep, or in something that has none */
#define LOOK_NS      50000000ll
#define NEW_IN_A_ROW 3

enum place { AWAY, HOLDS, WAITS_NEW, WAITS, PLACES };

/* One thread's. */
struct seat {
    struct turns *in; /* its thread's alone; NULL: takes no turns */
    struct seat *prev, *next;
    enum place place;
    int64_t since_ns; /* of HOLDS */
    pthread_cond_t called;
};

struct turns {
    pthread_mutex_t mu;
    struct seat *first[PLACES], *last[PLACES];
    size_t n_free, n_new_in_a_row;
    _Atomic size_t n_waiting;
};

static _Thread_local struct seat seat; /* a thread takes part in one thing at a time */

struct turns *turns_new(size_t at_once)
{
    check(at_once > 0);
    struct turns *t = mem_alloc_zero(sizeof *t);
    pthread_mutex_init(&t->mu, NULL);
    t->n_free = at_once;
    return t;
}

void turns_free(struct turns *t)
{
    if (t == NULL) return;
    check(t->first[HOLDS] == NULL && t->n_waiting == 0);
    pthread_mutex_destroy(&t->mu);
    mem_free(t);
}

/* ---- lists; mu is held ---- */

static void take_out(struct turns *t, struct seat *s)
{
    if (s->place == AWAY) return;
    *(s->prev ? &s->prev->next : &t->first[s->place]) = s->next;
    *(s->next ? &s->next->prev : &t->last[s->place]) = s->prev;
    if (s->place != HOLDS) atomic_fetch_sub_explicit(&t->n_waiting, 1, memory_order_relaxed);
    s->place = AWAY;
}

static void put_in(struct turns *t, struct seat *s, enum place place)
{
    s->place = place;
    s->next = NULL;
    s->prev = t->last[place];
    *(s->prev ? &s->prev->next : &t->first[place]) = s;
    t->last[place] = s;
    if (place != HOLDS) atomic_fetch_add_explicit(&t->n_waiting, 1, memory_order_relaxed);
}

static struct seat *next_of(struct turns *t)
{
    bool new_first =
        t->first[WAITS_NEW] != NULL && (t->n_new_in_a_row < NEW_IN_A_ROW || t->first[WAITS] == NULL);
    t->n_new_in_a_row = new_first ? t->n_new_in_a_row + 1 : 0;
    return t->first[new_first ? WAITS_NEW : WAITS];
}

static void hold(struct turns *t, struct seat *s)
{
    take_out(t, s);
    put_in(t, s, HOLDS);
    s->since_ns = clock_mono_ns();
}

static void pass_on(struct turns *t)
{
    struct seat *s = next_of(t);
    if (s == NULL) {
        t->n_free++;
        return;
    }
    hold(t, s);
    pthread_cond_signal(&s->called);
}

static void give_up(struct turns *t, struct seat *s)
{
    bool held = s->place == HOLDS; /* else it was taken away */
    take_out(t, s);
    if (held) pass_on(t);
}

/* From a holder who has not been heard of, to the first who waits. */
static void take_away(struct turns *t)
{
    struct seat *oldest = t->first[HOLDS]; /* they come in the order of their times */
    if (oldest == NULL || clock_mono_ns() - oldest->since_ns < STALE_NS) return;
    take_out(t, oldest);
    pass_on(t);
}

static bool take_free(struct turns *t, struct seat *s)
{
    if (t->n_free == 0) return false;
    t->n_free--;
    hold(t, s);
    return true;
}

/* Who is called and does not wake for long loses the turn before he knows of it, and waits again. */
static void wait_for_turn(struct turns *t, struct seat *s, enum place place)
{
    while (s->place != HOLDS) {
        if (s->place == AWAY && take_free(t, s)) return;
        if (s->place == AWAY) put_in(t, s, place);
        int64_t until = clock_mono_ns() + LOOK_NS;
        struct timespec ts = { until / 1000000000, until % 1000000000 };
        pthread_cond_timedwait(&s->called, &t->mu, &ts);
        if (s->place == place) take_away(t);
    }
}

/* ---- a thread's part ---- */

void turns_begin(struct turns *t, bool is_new)
{
    pthread_condattr_t mono;
    struct seat *s = &seat;
    if (t == NULL) return;
    check(s->in == NULL);
    s->in = t;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(&s->called, &mono);
    pthread_condattr_destroy(&mono);
    pthread_mutex_lock(&t->mu);
    wait_for_turn(t, s, is_new ? WAITS_NEW : WAITS);
    pthread_mutex_unlock(&t->mu);
}

void turns_end(void)
{
    struct seat *s = &seat;
    if (s->in == NULL) return;
    turns_leave();
    pthread_cond_destroy(&s->called);
    s->in = NULL;
}

bool turns_wanted(void)
{
    return seat.in != NULL && atomic_load_explicit(&seat.in->n_waiting, memory_order_relaxed) > 0;
}

void turns_yield(void)
{
    struct seat *s = &seat;
    if (!turns_wanted()) return;
    struct turns *t = s->in;
    pthread_mutex_lock(&t->mu);
    bool is_over = s->place != HOLDS || clock_mono_ns() - s->since_ns >= TURN_NS;
    if (is_over) {
        give_up(t, s);
        wait_for_turn(t, s, WAITS);
    }
    pthread_mutex_unlock(&t->mu);
}

void turns_leave(void)
{
    struct seat *s = &seat;
    if (s->in == NULL) return;
    pthread_mutex_lock(&s->in->mu);
    give_up(s->in, s);
    pthread_mutex_unlock(&s->in->mu);
}

void turns_back(void)
{
    struct seat *s = &seat;
    if (s->in == NULL) return;
    pthread_mutex_lock(&s->in->mu);
    if (s->place == AWAY) wait_for_turn(s->in, s, WAITS);
    pthread_mutex_unlock(&s->in->mu);
}
