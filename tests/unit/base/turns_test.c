#include "base/turns.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/work.h"
#include "unit/test.h"

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

struct crowd {
    struct turns *turns;
    atomic_int now, most, rounds;
    int wanted_rounds;
};

static void *compute(void *arg)
{
    struct crowd *c = arg;
    turns_begin(c->turns, true);
    for (int i = 0; i < c->wanted_rounds; i++) {
        int now = atomic_fetch_add(&c->now, 1) + 1, most = atomic_load(&c->most);
        while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now)) continue;
        sleep_ms(1);
        atomic_fetch_sub(&c->now, 1);
        atomic_fetch_add(&c->rounds, 1);
        turns_yield();
    }
    turns_end();
    return NULL;
}

TEST(turns_are_had_by_so_many_at_a_time_and_by_all_in_the_end)
{
    struct crowd c = { .turns = turns_new(2), .wanted_rounds = 30 };
    pthread_t threads[8];
    int64_t began = clock_mono_ns();
    for (size_t i = 0; i < 8; i++) pthread_create(&threads[i], NULL, compute, &c);
    for (size_t i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    EXPECT_INT(atomic_load(&c.rounds), 8 * 30);
    /* More than two only when this machine put someone aside for a quarter of a second. */
    if (clock_mono_ns() - began < 250000000) EXPECT(atomic_load(&c.most) <= 2);
    turns_free(c.turns);
}

struct two {
    struct turns *turns;
    atomic_bool is_in, may_go, other_had;
};

static void *sleep_in_turn(void *arg)
{
    struct two *w = arg;
    turns_begin(w->turns, false);
    atomic_store(&w->is_in, true);
    while (!atomic_load(&w->may_go)) sleep_ms(1); /* and never yields */
    turns_yield();                                /* finds that the turn was lost, and waits for another */
    turns_end();
    return NULL;
}

static void *want_turn(void *arg)
{
    struct two *w = arg;
    turns_begin(w->turns, true);
    atomic_store(&w->other_had, true);
    turns_end();
    return NULL;
}

TEST(turns_of_those_who_sleep_are_taken_away)
{
    struct two w = { .turns = turns_new(1) };
    pthread_t sleeper, other;
    pthread_create(&sleeper, NULL, sleep_in_turn, &w);
    while (!atomic_load(&w.is_in)) sleep_ms(1);
    pthread_create(&other, NULL, want_turn, &w);
    pthread_join(other, NULL); /* else this hangs */
    EXPECT(atomic_load(&w.other_had));
    atomic_store(&w.may_go, true);
    pthread_join(sleeper, NULL);
    turns_free(w.turns);
}

static void oversleep(int sig)
{
    (void)sig;
    sleep_ms(800);
}

TEST(turns_that_were_lost_before_their_owner_woke_are_waited_for_again)
{
    struct two w = { .turns = turns_new(1) }, x = { .turns = w.turns };
    pthread_t sleeper, other;
    signal(SIGUSR1, oversleep);
    turns_begin(w.turns, true);
    pthread_create(&sleeper, NULL, want_turn, &w);
    sleep_ms(20); /* it waits by now */
    pthread_kill(sleeper, SIGUSR1);
    sleep_ms(20); /* and now it would not notice */
    pthread_create(&other, NULL, want_turn, &x);
    sleep_ms(20);
    turns_end(); /* the sleeper is called, and robbed by the other */
    pthread_join(other, NULL);
    pthread_join(sleeper, NULL); /* else this hangs */
    EXPECT(atomic_load(&w.other_had) && atomic_load(&x.other_had));
    turns_free(w.turns);
}

struct line {
    struct turns *turns;
    pthread_mutex_t mu;
    char order[8];
    size_t n;
    atomic_int waiting;
};

struct one {
    struct line *line;
    char name;
    bool is_new;
};

static void *queue_up(void *arg)
{
    struct one *o = arg;
    atomic_fetch_add(&o->line->waiting, 1);
    turns_begin(o->line->turns, o->is_new);
    pthread_mutex_lock(&o->line->mu);
    o->line->order[o->line->n++] = o->name;
    pthread_mutex_unlock(&o->line->mu);
    turns_end();
    return NULL;
}

TEST(turns_come_first_to_the_new_but_every_fourth_to_the_others)
{
    struct line l = { .turns = turns_new(1), .mu = PTHREAD_MUTEX_INITIALIZER };
    struct one all[] = { { &l, 'o', false }, { &l, 'p', false }, { &l, 'a', true },
                         { &l, 'b', true },  { &l, 'c', true },  { &l, 'd', true } };
    pthread_t threads[COUNT(all)];
    turns_begin(l.turns, true);
    /* Each has come when the next one comes; if this thread is put aside for long its turn is taken away, and
     * the order says nothing. */
    int64_t began = clock_mono_ns();
    for (size_t i = 0; i < COUNT(all); i++) {
        pthread_create(&threads[i], NULL, queue_up, &all[i]);
        while (atomic_load(&l.waiting) <= (int)i) sleep_ms(1);
        sleep_ms(5);
    }
    turns_end();
    bool is_telling = clock_mono_ns() - began < 200000000;
    for (size_t i = 0; i < COUNT(all); i++) pthread_join(threads[i], NULL);
    EXPECT_INT(l.n, COUNT(all));
    if (is_telling) EXPECT(memcmp(l.order, "abcodp", 6) == 0);
    turns_free(l.turns);
}

struct nested {
    struct work_pool *helpers;
    atomic_int done;
};

static void part(void *ctx, size_t i)
{
    struct nested *n = ctx;
    (void)i;
    sleep_ms(1);
    turns_yield();
    atomic_fetch_add(&n->done, 1);
}

static void whole(void *arg)
{
    struct nested *n = arg;
    work_parallel(n->helpers, 10, part, n);
}

TEST(turns_let_the_parts_of_a_job_finish_while_it_waits_for_them)
{
    struct turns *t = turns_new(1);
    struct nested n = { .helpers = work_start("helper", 2, 64) };
    struct work_pool *jobs = work_start("job", 6, 64);
    work_take_turns(n.helpers, t, false);
    work_take_turns(jobs, t, true);
    for (int i = 0; i < 20; i++) EXPECT(work_post(jobs, whole, &n));
    work_stop(jobs);
    work_stop(n.helpers);
    EXPECT_INT(atomic_load(&n.done), 200);
    turns_free(t);
}

TEST(turns_are_nothing_to_threads_that_take_none)
{
    turns_yield();
    turns_leave();
    turns_back();
    turns_end();
    turns_begin(NULL, true);
    EXPECT(!turns_wanted());
    turns_free(NULL);
}

TESTS(CASE(turns_are_had_by_so_many_at_a_time_and_by_all_in_the_end),
      CASE(turns_of_those_who_sleep_are_taken_away),
      CASE(turns_come_first_to_the_new_but_every_fourth_to_the_others),
      CASE(turns_let_the_parts_of_a_job_finish_while_it_waits_for_them),
      CASE(turns_that_were_lost_before_their_owner_woke_are_waited_for_again),
      CASE(turns_are_nothing_to_threads_that_take_none))
