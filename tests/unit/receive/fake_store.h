/* fake_store.h - a store that remembers what it was given, and can be told to refuse, to be slow, or to fail
 * late. */
#pragma once
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "model/store.h"

struct fake_row {
    char series[256]; /* as labels_print has it */
    int64_t time_ms;
    double value;
    bool is_hist;
};

struct fake_store {
    struct store store;
    pthread_mutex_t mu;
    struct fake_row *rows;
    size_t n, cap, n_exemplars, n_metadata, writes;
    int refuse_with;      /* store_write fails with this; nothing kept */
    int late_rc;          /* what store_done says */
    bool late;            /* store_done from another thread, a little later */
    uint64_t reject_rows; /* that many of each write are said to be refused */
    enum store_ack last_ack;
};

struct fake_late {
    store_done *done;
    void *ctx;
    int rc;
};

static inline void *fake_late_thread(void *arg)
{
    struct fake_late l = *(struct fake_late *)arg;
    mem_free(arg);
    usleep(5000);
    l.done(l.ctx, l.rc);
    return NULL;
}

static inline void fake_keep(struct fake_store *f, const struct batch *b)
{
    struct arena a = ARENA_INIT(1 << 24);
    for (size_t i = 0; i < b->n_series; i++) {
        const struct batch_series *s = &b->series[i];
        struct labels l;
        struct buf name = BUF_INIT(255);
        if (labels_from(b->spelling, s->raw, &a, &l, NULL) == OK) labels_print(&name, l);
        for (size_t r = s->row; r < s->row + s->n_rows; r++) {
            f->rows = mem_grow(f->rows, f->n, &f->cap, sizeof *f->rows);
            struct fake_row *row = &f->rows[f->n++];
            *row = (struct fake_row){ .time_ms = b->time_ms[r],
                                      .value = b->value[r],
                                      .is_hist = b->hist != NULL && b->hist[r] != NULL };
            if (name.n > 0) memcpy(row->series, name.p, name.n);
        }
        buf_release(&name);
    }
    f->n_exemplars += b->n_exemplars;
    f->n_metadata += b->n_metadata;
    arena_release(&a);
}

static inline int fake_write(struct store *s, const struct batch *b, enum store_ack ack,
                             struct write_result *result, store_done *done, void *ctx, struct err *e)
{
    struct fake_store *f = (struct fake_store *)s;
    pthread_mutex_lock(&f->mu);
    f->last_ack = ack;
    f->writes++;
    int refused = f->refuse_with;
    if (refused == 0) fake_keep(f, b);
    pthread_mutex_unlock(&f->mu);
    if (refused != 0) return err_set(e, refused, "the fake store refuses");

    for (size_t r = 0; r < b->n_rows; r++)
        b->hist != NULL && b->hist[r] != NULL ? result->histograms++ : result->samples++;
    result->exemplars = b->n_exemplars;
    result->metadata = b->n_metadata;
    if (f->reject_rows > 0) {
        result->samples -= f->reject_rows;
        result->rejected_total = result->rejected[REJECT_series_limit] = f->reject_rows;
        snprintf(result->why, sizeof result->why, "the fake store has too many series");
    }
    if (done == NULL) return OK;
    if (!f->late) {
        done(ctx, f->late_rc);
        return OK;
    }
    struct fake_late *l = mem_alloc(sizeof *l);
    *l = (struct fake_late){ done, ctx, f->late_rc };
    pthread_t t;
    pthread_create(&t, NULL, fake_late_thread, l);
    pthread_detach(t);
    return OK;
}

static const struct store_ops fake_ops = { .write = fake_write };

static inline void fake_init(struct fake_store *f)
{
    *f = (struct fake_store){ .store.ops = &fake_ops };
    pthread_mutex_init(&f->mu, NULL);
}

static inline void fake_clear(struct fake_store *f)
{
    mem_free(f->rows);
    f->rows = NULL;
    f->n = f->cap = f->n_exemplars = f->n_metadata = f->writes = 0;
    f->refuse_with = f->late_rc = 0;
    f->late = false;
    f->reject_rows = 0;
}

/* The newest row of a series; NULL when it has none. */
static inline const struct fake_row *fake_row(const struct fake_store *f, const char *series)
{
    for (size_t i = f->n; i-- > 0;)
        if (strcmp(f->rows[i].series, series) == 0) return &f->rows[i];
    return NULL;
}
