#include "base/work.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "unit/test.h"

static void add_one(void *arg)
{
    atomic_fetch_add((atomic_size_t *)arg, 1);
}

TEST(work_stop_runs_what_is_queued)
{
    atomic_size_t ran = 0;
    struct work_pool *p = work_start("test", 2, 1000);
    EXPECT(work_threads(p) == 2);
    for (int i = 0; i < 500; i++) EXPECT(work_post(p, add_one, &ran));
    work_stop(p);
    EXPECT(atomic_load(&ran) == 500);
    work_stop(NULL);
    EXPECT(work_threads(NULL) == 0 && work_queued(NULL) == 0);
}

struct gate {
    pthread_mutex_t mu;
    atomic_bool inside;
};

static void wait_at_gate(void *arg)
{
    struct gate *g = arg;
    atomic_store(&g->inside, true);
    pthread_mutex_lock(&g->mu);
    pthread_mutex_unlock(&g->mu);
}

TEST(work_post_refuses_when_the_queue_is_full)
{
    struct gate g = { .mu = PTHREAD_MUTEX_INITIALIZER };
    atomic_size_t ran = 0;
    struct work_pool *p = work_start("test", 1, 3);

    pthread_mutex_lock(&g.mu);
    EXPECT(work_post(p, wait_at_gate, &g));
    while (!atomic_load(&g.inside)) usleep(100);
    for (int i = 0; i < 3; i++) EXPECT(work_post(p, add_one, &ran));
    EXPECT(!work_post(p, add_one, &ran));
    EXPECT(work_queued(p) == 3);
    pthread_mutex_unlock(&g.mu);

    work_stop(p);
    EXPECT(atomic_load(&ran) == 3);
}

struct sum {
    atomic_size_t total;
    atomic_uchar seen[10000];
    struct work_pool *pool;
};

static void add_index(void *ctx, size_t i)
{
    struct sum *s = ctx;
    atomic_fetch_add(&s->total, i);
    atomic_fetch_add(&s->seen[i], 1);
}

static void expect_sum(struct work_pool *p, size_t n)
{
    static struct sum s;
    memset(&s, 0, sizeof s);
    work_parallel(p, n, add_index, &s);
    EXPECT(atomic_load(&s.total) == (n ? n * (n - 1) / 2 : 0));
    for (size_t i = 0; i < n; i++) EXPECT(atomic_load(&s.seen[i]) == 1);
}

TEST(work_parallel_does_each_index_once)
{
    struct work_pool *p = work_start("test", 3, 4);
    for (size_t n = 0; n < 20; n++) expect_sum(p, n);
    for (int i = 0; i < 50; i++) expect_sum(p, 10000);
    expect_sum(NULL, 100);
    work_stop(p);
}

static void nested(void *ctx, size_t i)
{
    struct sum *s = ctx;
    (void)i;
    work_parallel(s->pool, 100, add_index, s);
}

TEST(work_parallel_within_itself_does_not_deadlock)
{
    static struct sum s;
    s.pool = work_start("test", 2, 2); /* a queue too small for all helpers */
    work_parallel(s.pool, 40, nested, &s);
    EXPECT(atomic_load(&s.total) == 40 * (100 * 99 / 2));
    work_stop(s.pool);
}

TEST(work_parallel_goes_on_alone_when_every_thread_is_busy)
{
    struct gate g = { .mu = PTHREAD_MUTEX_INITIALIZER };
    struct work_pool *p = work_start("test", 1, 4);
    pthread_mutex_lock(&g.mu);
    EXPECT(work_post(p, wait_at_gate, &g));
    expect_sum(p, 1000);
    pthread_mutex_unlock(&g.mu);
    work_stop(p); /* the helper that came too late gives back its reference */
}

TESTS(CASE(work_stop_runs_what_is_queued), CASE(work_post_refuses_when_the_queue_is_full),
      CASE(work_parallel_does_each_index_once), CASE(work_parallel_within_itself_does_not_deadlock),
      CASE(work_parallel_goes_on_alone_when_every_thread_is_busy))
