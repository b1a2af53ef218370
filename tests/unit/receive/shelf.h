/* shelf.h - a store that keeps logs and spans as lines of text (unit/decode/record_lines.h) and as the bytes
 * that would go to the log; can be told to refuse. */
#pragma once
#include <pthread.h>
#include <unistd.h>

#include "model/store.h"
#include "unit/decode/record_lines.h"

struct shelf {
    struct store store;
    pthread_mutex_t mu;
    struct buf text, bytes;
    size_t logs, spans, writes;
    int refuse_with, refuse_times, late_rc;
    struct hash128 last_id;
};

static inline void shelf_keep(struct shelf *s, const struct records *r)
{
    struct arena a = ARENA_INIT(256 << 20);
    for (size_t c = 0; r != NULL && c < r->n_chunks; c++) {
        struct record_reader reader;
        EXPECT(record_chunk_open(&reader, r->chunks[c].bytes, &a, NULL) == OK);
        buf_str(&s->bytes, r->chunks[c].bytes);
        for (size_t i = 0; i < reader.n; i++) {
            struct record one;
            record_chunk_get(&reader, i, &a, &one);
            lines_record(&s->text, &one, r->table);
        }
        *(r->table == TABLE_LOGS ? &s->logs : &s->spans) += reader.n;
    }
    arena_release(&a);
}

static inline int shelf_write(struct store *store, const struct batch *b, enum store_ack ack,
                              struct write_result *result, store_done *done, void *ctx, struct err *e)
{
    struct shelf *s = (struct shelf *)store;
    (void)ack;
    pthread_mutex_lock(&s->mu);
    s->writes++;
    int rc = s->refuse_with;
    if (rc < 0 && s->refuse_times > 0 && --s->refuse_times == 0) s->refuse_with = 0;
    if (rc == OK) {
        shelf_keep(s, b->logs);
        shelf_keep(s, b->spans);
        s->last_id = b->id;
        result->logs = b->logs ? b->logs->n : 0;
        result->spans = b->spans ? b->spans->n : 0;
    }
    pthread_mutex_unlock(&s->mu);
    if (rc < 0) return err_set(e, rc, "the shelf refuses");
    if (done != NULL) done(ctx, s->late_rc);
    return OK;
}

static const struct store_ops shelf_ops = { .write = shelf_write };

static inline void shelf_init(struct shelf *s)
{
    *s = (struct shelf){ .store.ops = &shelf_ops, .text = BUF_INIT(256 << 20), .bytes = BUF_INIT(256 << 20) };
    pthread_mutex_init(&s->mu, NULL);
}

static inline void shelf_clear(struct shelf *s)
{
    pthread_mutex_lock(&s->mu);
    buf_clear(&s->text);
    buf_clear(&s->bytes);
    s->logs = s->spans = s->writes = 0;
    s->refuse_with = s->refuse_times = s->late_rc = 0;
    pthread_mutex_unlock(&s->mu);
}

/* From now on, `times` writes; 0: all, until told otherwise. */
static inline void shelf_refuse(struct shelf *s, int rc, int times)
{
    pthread_mutex_lock(&s->mu);
    s->refuse_with = rc;
    s->refuse_times = times;
    pthread_mutex_unlock(&s->mu);
}

static inline void shelf_release(struct shelf *s)
{
    buf_release(&s->text);
    buf_release(&s->bytes);
    pthread_mutex_destroy(&s->mu);
}

static inline bool shelf_has(struct shelf *s, const char *piece)
{
    pthread_mutex_lock(&s->mu);
    bool has = strstr(buf_cstr(&s->text), piece) != NULL;
    pthread_mutex_unlock(&s->mu);
    return has;
}

static inline void shelf_expect(struct shelf *s, const char *piece)
{
    if (!shelf_has(s, piece)) fail_msg("%s\nis not in\n%s", piece, buf_cstr(&s->text));
}

/* Within eight seconds, for doors with a thread of their own. */
static inline bool shelf_waits_for(struct shelf *s, size_t logs)
{
    for (int i = 0; i < 800; i++) {
        pthread_mutex_lock(&s->mu);
        bool there = s->logs >= logs;
        pthread_mutex_unlock(&s->mu);
        if (there) return true;
        usleep(10000);
    }
    return false;
}
