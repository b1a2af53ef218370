#include "receive/ingest_wait.h"

#include <pthread.h>
#include <time.h>

#include "base/log.h"

struct waiter {
    pthread_mutex_t mu;
    pthread_cond_t settled;
    bool is_settled; /* mu */
    int rc;          /* mu */
};

static void on_settled(struct ingest_request *q)
{
    struct waiter *w = q->door;
    pthread_mutex_lock(&w->mu);
    w->rc = q->rc;
    w->is_settled = true;
    ingest_count(q->in, q->rc == OK ? 200 : ingest_status(q->rc));
    pthread_cond_signal(&w->settled);
    pthread_mutex_unlock(&w->mu);
}

static int wait_for(struct waiter *w)
{
    pthread_mutex_lock(&w->mu);
    while (!w->is_settled) pthread_cond_wait(&w->settled, &w->mu);
    pthread_mutex_unlock(&w->mu);
    return w->rc;
}

static bool comes_back(int rc)
{
    return rc == ERR_BUSY || rc == ERR_TIMEOUT || rc == ERR_FULL || rc == ERR_IO;
}

int ingest_write_waiting(struct ingest_request *q, const atomic_bool *stopping, int64_t retry_ms)
{
    struct waiter w = { .mu = PTHREAD_MUTEX_INITIALIZER, .settled = PTHREAD_COND_INITIALIZER };
    const struct timespec pause = { retry_ms / 1000, (retry_ms % 1000) * 1000000 };
    q->door = &w;
    int rc = ingest_write(q);
    while (comes_back(rc) && !atomic_load(stopping)) {
        log_warn("ingest", "the store does not take it now, asking again", "protocol", q->in->protocol,
                 "error", q->err.text, NULL);
        nanosleep(&pause, NULL);
        rc = ingest_write_again(q);
    }
    ingest_finish(q, on_settled);
    return wait_for(&w);
}
