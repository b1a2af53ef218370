/* part_verify.c - every byte of a part read and every promise of the format held against it.
 *
 * What cannot be opened is one finding. What can is walked block by block: pages, directories,
 * times and values are decoded, order is checked across blocks, and what is there is counted and
 * compared with what index and footer say. A damaged block is reported and the walk goes on behind
 * it. */
#include <stdio.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/part_block.h"
#include "store/part_format.h"

struct verify {
    const struct part *part;
    struct page_unpacker *unpacker;
    struct block_view view;
    struct buf stored;
    struct arena arena;
    void (*report)(void *ctx, const char *text);
    void *ctx;
    int64_t found;
    uint64_t next_at; /* where the next block must begin */
    uint64_t rows;
    int64_t min_ms, max_ms;
    bool any;
    struct run_head last;
};

static void finding(struct verify *v, struct err *e, const char *where, uint64_t at)
{
    char text[1024];
    snprintf(text, sizeof text, "%s: %s at %llu: %s", v->part->path, where, (unsigned long long)at, e->text);
    v->report(v->ctx, text);
    v->found++;
}

static int order_check(struct verify *v, const struct run_head *h, struct err *e)
{
    const struct run_head *l = &v->last;
    bool ok = !v->any || h->key > l->key || (h->key == l->key && h->kind > l->kind) ||
              (h->key == l->key && h->kind == l->kind && h->first_ms > l->last_ms);
    v->any = true;
    v->last = *h;
    v->rows += h->n;
    v->min_ms = MIN(v->min_ms, h->first_ms);
    v->max_ms = MAX(v->max_ms, h->last_ms);
    return ok ? OK : err_set(e, ERR_CORRUPT, "series %llx: out of order", (unsigned long long)h->key);
}

/* All of it is asked for, so all of it must be there; and nothing beyond the runs may lie in the
 * pages. */
static int runs_check(struct verify *v, struct err *e)
{
    uint64_t values = 0, times = 0;
    for (size_t i = 0; i < v->view.n_runs; i++) {
        struct run r;
        int rc = order_check(v, &v->view.run[i].head, e);
        if (rc == OK) rc = block_view_read(&v->view, v->unpacker, i, INT64_MIN, INT64_MAX, &v->arena, &r, e);
        arena_reset(&v->arena);
        if (rc < 0) return rc;
        for (size_t k = 1; k < r.n; k++)
            if (r.time_ms[k] <= r.time_ms[k - 1]) return err_set(e, ERR_CORRUPT, "times do not rise");
        values += v->view.run[i].values_bytes;
    }
    for (size_t i = 0; i < v->view.n_vectors; i++) times += v->view.vector[i].bytes;
    if (values != v->view.values.n || (times != 0 && times != v->view.times.n))
        return err_set(e, ERR_CORRUPT, "pages hold bytes of no run");
    return OK;
}

static int block_check(struct verify *v, const struct part_place *place, struct err *e)
{
    if (place->at != v->next_at)
        return err_set(e, ERR_CORRUPT, "the block before ends at %llu", (unsigned long long)v->next_at);
    buf_clear(&v->stored);
    char *to = buf_room(&v->stored, place->bytes);
    if (to == NULL)
        return err_set(e, ERR_CORRUPT, "%llu bytes are too many", (unsigned long long)place->bytes);
    int rc = file_read_at(v->part->fd, to, place->bytes, place->at, e);
    if (rc < 0) return rc;
    if ((rc = block_view_open(&v->view, v->unpacker, str_make(to, place->bytes), place->at, e)) < 0)
        return rc;
    if ((rc = block_view_check(&v->view, place, e)) < 0) return rc;
    return runs_check(v, e);
}

static void index_walk(struct verify *v, size_t i)
{
    struct err e = ERR_INIT;
    const struct part_index *x;
    if (part_index(v->part, v->unpacker, i, &x, &e) < 0) {
        finding(v, &e, "index page", v->part->top[i].at);
        return;
    }
    for (size_t k = 0; k < x->n; k++) {
        if (block_check(v, &x->block[k], &e) < 0) finding(v, &e, "block", x->block[k].at);
        v->next_at = x->block[k].at + x->block[k].bytes;
    }
}

static void totals_check(struct verify *v)
{
    struct err e = ERR_INIT;
    const struct part_foot *f = &v->part->foot;
    if (v->found > 0) return; /* the sums are wrong for a reason already told */
    if (v->rows != f->rows || v->min_ms != f->min_time_ms || v->max_ms != f->max_time_ms)
        err_set(&e, ERR_CORRUPT, "rows or times are not what it says");
    else if (v->next_at != f->index_at)
        err_set(&e, ERR_CORRUPT, "the blocks end at %llu", (unsigned long long)v->next_at);
    if (e.code != OK) finding(v, &e, "footer", f->index_at);
}

int64_t part_verify(const char *path, void (*report)(void *ctx, const char *text), void *ctx, struct err *e)
{
    struct part *p;
    struct err why = ERR_INIT;
    int rc = part_open(path, &p, &why);
    if (rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED) {
        report(ctx, why.text);
        return 1;
    }
    if (rc < 0) return err_set(e, rc, "%s", why.text);

    struct verify v = { .part = p,
                        .report = report,
                        .ctx = ctx,
                        .next_at = PART_HEAD_BYTES,
                        .min_ms = INT64_MAX,
                        .max_ms = INT64_MIN };
    v.unpacker = page_unpacker_new();
    page_unpacker_seal(v.unpacker, &p->seal);
    v.stored = (struct buf)BUF_INIT(4 * PART_BLOCK_RAW_MAX);
    v.arena = (struct arena)ARENA_INIT(256u << 20);
    block_view_init(&v.view);
    for (size_t i = 0; i < p->n_index; i++) index_walk(&v, i);
    totals_check(&v);

    block_view_release(&v.view);
    buf_release(&v.stored);
    arena_release(&v.arena);
    page_unpacker_free(v.unpacker);
    part_close(p);
    return v.found;
}
