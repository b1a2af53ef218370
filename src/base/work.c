/* work.c - a ring of jobs, one lock, threads that start when they are needed and sleep when they are not.
 *
 * Always true:
 *   1. Queued jobs are at most queue_max; a job that was accepted runs, even when work_stop was
 *      called in between.
 *   2. work_parallel needs no pool thread to finish: indices are handed out by an atomic counter,
 *      and the caller takes them until there are none. Helpers that come too late find no index
 *      left and only give back their reference.
 *
 * Threads: `mu` guards everything in struct work_pool but its constants. */
#include "base/work.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/turns.h"

struct job {
    void (*run)(void *);
    void *arg;
};

struct work_pool {
    char name[12]; /* a thread's name has 15 bytes; its number needs some */
    size_t n_threads, queue_max;
    int niceness;
    struct turns *turns; /* NULL: none are taken; set before the first job */
    bool is_new;
    pthread_t *threads;
    pthread_mutex_t mu;
    pthread_cond_t more; /* a job was queued, or stopping was set */
    struct job *ring;    /* queue_max slots */
    size_t first, n;
    size_t n_started, n_idle; /* threads so far; those that wait for a job */
    bool stopping;
};

/* ---- the pool ---- */

static bool take_job(struct work_pool *p, struct job *out)
{
    pthread_mutex_lock(&p->mu);
    p->n_idle++;
    while (p->n == 0 && !p->stopping) pthread_cond_wait(&p->more, &p->mu);
    p->n_idle--;
    bool any = p->n > 0;
    if (any) {
        *out = p->ring[p->first];
        p->first = (p->first + 1) % p->queue_max;
        p->n--;
    }
    pthread_mutex_unlock(&p->mu);
    return any;
}

static void *thread_main(void *arg)
{
    struct work_pool *p = arg;
    struct job j;
    if (p->niceness > 0) setpriority(PRIO_PROCESS, 0, p->niceness); /* of this thread, on Linux */
    while (take_job(p, &j)) {
        turns_begin(p->turns, p->is_new);
        j.run(j.arg);
        turns_end();
    }
    return NULL;
}

struct work_pool *work_start(const char *name, size_t threads, size_t queue_max)
{
    return work_start_nice(name, threads, queue_max, 0);
}

struct work_pool *work_start_nice(const char *name, size_t threads, size_t queue_max, int niceness)
{
    check(threads > 0 && queue_max > 0);

    struct work_pool *p = mem_alloc_zero(sizeof *p);
    snprintf(p->name, sizeof p->name, "%s", name);
    p->n_threads = threads;
    p->queue_max = queue_max;
    p->niceness = niceness;
    p->ring = mem_array(queue_max, sizeof *p->ring);
    p->threads = mem_array(threads, sizeof *p->threads);
    pthread_mutex_init(&p->mu, NULL);
    pthread_cond_init(&p->more, NULL);
    return p;
}

void work_take_turns(struct work_pool *p, struct turns *t, bool is_new)
{
    p->turns = t;
    p->is_new = is_new;
}

void work_stop(struct work_pool *p)
{
    if (p == NULL) return;

    pthread_mutex_lock(&p->mu);
    p->stopping = true;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->mu);
    for (size_t i = 0; i < p->n_started; i++) pthread_join(p->threads[i], NULL); /* none starts any more */

    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->mu);
    mem_free(p->threads);
    mem_free(p->ring);
    mem_free(p);
}

/* A thread's stack is memory even while it sleeps, so there are only as many as were ever needed at once. */
static void start_thread(struct work_pool *p)
{
    char name[16];
    size_t i = p->n_started++;
    check(pthread_create(&p->threads[i], NULL, thread_main, p) == 0); /* like having no memory */
    snprintf(name, sizeof name, "%s%u", p->name, (unsigned)(i % 1000));
    pthread_setname_np(p->threads[i], name);
}

bool work_post(struct work_pool *p, void (*run)(void *), void *arg)
{
    pthread_mutex_lock(&p->mu);
    bool room = p->n < p->queue_max && !p->stopping;
    if (room) {
        p->ring[(p->first + p->n) % p->queue_max] = (struct job){ run, arg };
        p->n++;
        if (p->n > p->n_idle && p->n_started < p->n_threads) start_thread(p);
        pthread_cond_signal(&p->more);
    }
    pthread_mutex_unlock(&p->mu);
    return room;
}

size_t work_threads(const struct work_pool *p)
{
    return p ? p->n_threads : 0;
}

size_t work_queued(const struct work_pool *p)
{
    if (p == NULL) return 0;
    struct work_pool *q = (struct work_pool *)p; /* const for the caller; the lock must still be taken */
    pthread_mutex_lock(&q->mu);
    size_t n = q->n;
    pthread_mutex_unlock(&q->mu);
    return n;
}

/* ---- work_parallel ---- */

/* Shared by the caller and its helpers; the last one to let go frees it. ctx is the caller's and is touched
 * only for an index that was taken, so never after the caller has returned. */
struct parallel {
    void (*job)(void *ctx, size_t i);
    void *ctx;
    size_t n;
    atomic_size_t next;
    pthread_mutex_t mu; /* guards the two below */
    pthread_cond_t all_done;
    size_t done;
    size_t refs;
};

static void unref(struct parallel *p)
{
    pthread_mutex_lock(&p->mu);
    bool last = --p->refs == 0;
    pthread_mutex_unlock(&p->mu);
    if (!last) return;
    pthread_cond_destroy(&p->all_done);
    pthread_mutex_destroy(&p->mu);
    mem_free(p);
}

/* Do what is left to do; one visit to the lock for all of it. */
static void take_part(struct parallel *p)
{
    size_t did = 0;
    for (size_t i; (i = atomic_fetch_add(&p->next, 1)) < p->n; did++) {
        p->job(p->ctx, i);
        turns_yield();
    }
    if (did == 0) return;

    pthread_mutex_lock(&p->mu);
    p->done += did;
    if (p->done == p->n) pthread_cond_signal(&p->all_done);
    pthread_mutex_unlock(&p->mu);
}

static void help(void *arg)
{
    take_part(arg);
    unref(arg);
}

static struct parallel *parallel_new(size_t n, void (*job)(void *ctx, size_t i), void *ctx)
{
    struct parallel *p = mem_alloc_zero(sizeof *p);
    p->job = job;
    p->ctx = ctx;
    p->n = n;
    p->refs = 1;
    pthread_mutex_init(&p->mu, NULL);
    pthread_cond_init(&p->all_done, NULL);
    return p;
}

/* They need turns to finish. */
static void wait_for_helpers(struct parallel *p)
{
    bool waits = false;
    pthread_mutex_lock(&p->mu);
    if (p->done < p->n) {
        waits = true;
        turns_leave();
    }
    while (p->done < p->n) pthread_cond_wait(&p->all_done, &p->mu);
    pthread_mutex_unlock(&p->mu);
    if (waits) turns_back();
}

void work_parallel(struct work_pool *pool, size_t n, void (*job)(void *ctx, size_t i), void *ctx)
{
    if (pool == NULL || n < 2) {
        for (size_t i = 0; i < n; i++) job(ctx, i);
        return;
    }

    struct parallel *p = parallel_new(n, job, ctx);
    size_t helpers = MIN(pool->n_threads, n - 1);
    p->refs += helpers;
    size_t posted = 0;
    while (posted < helpers && work_post(pool, help, p)) posted++;

    pthread_mutex_lock(&p->mu);
    p->refs -= helpers - posted;
    pthread_mutex_unlock(&p->mu);
    take_part(p);

    wait_for_helpers(p);
    unref(p);
}
