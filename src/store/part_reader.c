/* part_reader.c - opening a part and walking its runs.
 *
 * Opening reads the header, the footer and the top page; an index page is read when a cursor first
 * needs it, and stays. A cursor reads a block's pages with one call, decodes the run directory, and
 * then only the runs that are asked for.
 *
 * Always true:
 *   1. header, top page and footer match the footer's hash before any of them is believed; every
 *      other page has its checksum.
 *   2. block[] of an index page spans exactly what its entry in the top page says, so a search in
 *      the one is right for the other.
 *   3. Nothing of a part changes once it is open, but for index pages appearing (part_format.h).
 *      Threads: many cursors. */
#include <fcntl.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/part_block.h"
#include "store/part_cursor.h"
#include "store/part_format.h"

/* ---- opening ---- */

static int read_ends(struct part *p, char head[PART_HEAD_BYTES], char foot[PART_FOOT_BYTES], struct err *e)
{
    int64_t size = file_size(p->fd, e);
    if (size < 0) return (int)size;
    if (size < PART_HEAD_BYTES + PART_FOOT_BYTES)
        return err_set(e, ERR_CORRUPT, "%lld bytes are too few for a part", (long long)size);
    p->info.bytes = (uint64_t)size;

    int rc;
    if ((rc = file_read_at(p->fd, head, PART_HEAD_BYTES, 0, e)) < 0) return rc;
    if ((rc = file_read_at(p->fd, foot, PART_FOOT_BYTES, p->info.bytes - PART_FOOT_BYTES, e)) < 0) return rc;
    if ((rc = part_head_get(head, &p->head, e)) < 0) return rc;
    if ((rc = part_foot_get(foot, &p->foot, e)) < 0) return rc;
    uint64_t end = p->info.bytes - PART_FOOT_BYTES;
    if (p->foot.index_at < PART_HEAD_BYTES || p->foot.top_bytes > end ||
        p->foot.index_at > end - p->foot.top_bytes || p->foot.top_bytes > PAGE_RAW_MAX)
        return err_set(e, ERR_CORRUPT, "footer: the index is outside of the file");
    return OK;
}

static void count_top(struct part *p)
{
    const struct part_place *last = &p->top[p->n_index - 1];
    p->info.min_key = p->top[0].first_key;
    p->info.max_key = last->last_key;
    for (size_t i = 0; i < p->n_index; i++) {
        p->info.rows += p->top[i].rows;
        p->info.runs += p->top[i].runs;
        p->info.blocks += p->top[i].blocks;
    }
}

/* The top page describes index pages that fill exactly the space between blocks and top page. */
static int top_check(const struct part *p, struct err *e)
{
    const struct part_place *last = p->n_index ? &p->top[p->n_index - 1] : NULL;
    uint64_t top_at = p->info.bytes - PART_FOOT_BYTES - p->foot.top_bytes;
    if (p->foot.sequence != p->head.sequence || p->foot.level != p->head.level)
        return err_set(e, ERR_CORRUPT, "header and footer disagree");
    if (last ? p->top[0].at != p->foot.index_at || last->at + last->bytes != top_at
             : p->foot.index_at != top_at)
        return err_set(e, ERR_CORRUPT, "top page: index pages are not where they belong");
    if (p->info.rows != p->foot.rows)
        return err_set(e, ERR_CORRUPT, "top page: %llu rows, footer says %llu",
                       (unsigned long long)p->info.rows, (unsigned long long)p->foot.rows);
    return OK;
}

static int read_top(struct part *p, const char head[PART_HEAD_BYTES], const char foot[PART_FOOT_BYTES],
                    struct err *e)
{
    struct buf raw = BUF_INIT(PAGE_RAW_MAX);
    char *top = mem_alloc(p->foot.top_bytes);
    struct str in = str_make(top, p->foot.top_bytes);
    struct page_unpacker *u = page_unpacker_new();
    page_unpacker_seal(u, &p->seal);
    int rc = file_read_at(p->fd, top, in.n, p->info.bytes - PART_FOOT_BYTES - in.n, e);
    if (rc == OK && part_hash(head, in, foot) != p->foot.hash)
        rc = err_set(e, ERR_CORRUPT, "footer: wrong hash");
    if (rc == OK && in.n > 0) {
        rc = page_get_at(u, &in, p->info.bytes - PART_FOOT_BYTES - in.n, PAGE_TOP, &raw, e);
        if (rc == OK && in.n > 0) rc = err_set(e, ERR_CORRUPT, "top page: %zu bytes too many", in.n);
        if (rc == OK) rc = part_places_get(buf_view(&raw), &p->top, &p->n_index, e);
        if (rc < 0) err_where(e, "top page");
    }
    page_unpacker_free(u);
    mem_free(top);
    buf_release(&raw);
    return rc;
}

int part_open(const char *path, struct part **out, struct err *e)
{
    char head[PART_HEAD_BYTES], foot[PART_FOOT_BYTES];
    int fd = file_open(path, O_RDONLY, e), rc;
    if (fd < 0) return fd;

    struct part *p = mem_alloc_zero(sizeof *p);
    p->fd = fd;
    p->path = mem_strdup(path);
    p->seal = seal_of(path);
    if ((rc = read_ends(p, head, foot, e)) < 0) goto fail;
    if ((rc = read_top(p, head, foot, e)) < 0) goto fail;
    p->info.min_time_ms = p->foot.min_time_ms;
    p->info.max_time_ms = p->foot.max_time_ms;
    p->info.level = p->foot.level;
    p->info.sequence = p->foot.sequence;
    p->info.min_key = UINT64_MAX;
    if (p->n_index > 0) count_top(p);
    if ((rc = top_check(p, e)) < 0) goto fail;
    p->index = mem_array(p->n_index, sizeof *p->index);
    *out = p;
    return OK;
fail:
    err_where(e, "part %s", path);
    part_close(p);
    return rc;
}

static void index_free(struct part_index *x)
{
    if (x == NULL) return;
    mem_free(x->block);
    mem_free(x);
}

void part_close(struct part *p)
{
    if (p == NULL) return;
    for (size_t i = 0; p->index && i < p->n_index; i++) index_free(atomic_load(&p->index[i]));
    mem_free((void *)p->index);
    mem_free(p->top);
    mem_free(p->path);
    file_close(p->fd, NULL);
    mem_free(p);
}

const struct part_info *part_info(const struct part *p)
{
    return &p->info;
}

/* ---- index pages ---- */

static int index_check(const struct part *p, size_t i, const struct part_index *x, struct err *e)
{
    const struct part_place *page = &p->top[i], *last = &x->block[x->n - 1];
    uint64_t rows = 0, runs = 0;
    for (size_t k = 0; k < x->n; k++) {
        if (x->block[k].blocks != 1) return err_set(e, ERR_CORRUPT, "entry %zu is not a block", k);
        if (x->block[k].min_ms < page->min_ms || x->block[k].max_ms > page->max_ms)
            return err_set(e, ERR_CORRUPT, "entry %zu is outside of the page's time range", k);
        rows += x->block[k].rows;
        runs += x->block[k].runs;
    }
    if (x->n != page->blocks || rows != page->rows || runs != page->runs ||
        x->block[0].first_key != page->first_key || last->last_key != page->last_key ||
        x->block[0].at < PART_HEAD_BYTES || last->at + last->bytes > p->foot.index_at)
        return err_set(e, ERR_CORRUPT, "it is not what the top page says");
    return OK;
}

static int index_load(const struct part *p, struct page_unpacker *u, size_t i, struct part_index **out,
                      struct err *e)
{
    struct buf raw = BUF_INIT(PAGE_RAW_MAX);
    struct part_index *x = mem_alloc_zero(sizeof *x);
    int rc = page_read(u, p->fd, p->top[i].at, p->top[i].bytes, PAGE_INDEX, &raw, e);
    if (rc == OK) rc = part_places_get(buf_view(&raw), &x->block, &x->n, e);
    if (rc == OK) rc = index_check(p, i, x, e);
    buf_release(&raw);
    if (rc < 0) {
        err_where(e, "part %s: index page %zu", p->path, i);
        index_free(x);
        return rc;
    }
    *out = x;
    return OK;
}

int part_index(const struct part *p, struct page_unpacker *u, size_t i, const struct part_index **out,
               struct err *e)
{
    struct part_index *x = atomic_load_explicit(&p->index[i], memory_order_acquire), *none = NULL;
    if (x == NULL) {
        int rc = index_load(p, u, i, &x, e);
        if (rc < 0) return rc;
        if (!atomic_compare_exchange_strong(&p->index[i], &none, x)) {
            index_free(x);
            x = none;
        }
    }
    *out = x;
    return OK;
}

const char *part_path(const struct part *p)
{
    return p->path;
}

/* ---- the cursor ---- */

enum unread { NOTHING, INDEX_PAGE, BLOCK, RUN };

struct part_cursor {
    const struct part *part;
    struct page_unpacker *unpacker;
    size_t page, block, run;        /* where it is: block of index page, run of block */
    const struct part_index *index; /* of `page`, NULL when not looked up yet */
    bool is_open;                   /* view holds this block */
    enum unread unread;             /* what the last call failed on */
    struct buf stored;
    struct block_view view;
};

struct part_cursor *part_cursor_new(const struct part *p)
{
    struct part_cursor *c = mem_alloc_zero(sizeof *c);
    c->part = p;
    c->unpacker = page_unpacker_new();
    page_unpacker_seal(c->unpacker, &p->seal);
    c->stored = (struct buf)BUF_INIT(4 * PART_BLOCK_RAW_MAX);
    block_view_init(&c->view);
    return c;
}

void part_cursor_free(struct part_cursor *c)
{
    if (c == NULL) return;
    page_unpacker_free(c->unpacker);
    buf_release(&c->stored);
    block_view_release(&c->view);
    mem_free(c);
}

/* First of n places whose last key is not below key. */
static size_t place_from(const struct part_place *place, size_t n, series_key key)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (place[mid].last_key < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static size_t run_from(const struct block_view *v, series_key key)
{
    size_t lo = 0, hi = v->n_runs;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (v->run[mid].head.key < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static const struct part_place *place_of(const struct part_cursor *c)
{
    return &c->index->block[c->block];
}

static void go_to(struct part_cursor *c, size_t page, size_t block)
{
    if (c->is_open && c->page == page && c->block == block) return;
    if (c->page != page) c->index = NULL;
    c->page = page;
    c->block = block;
    c->is_open = false;
}

static int load_index(struct part_cursor *c, struct err *e)
{
    int rc = c->index ? OK : part_index(c->part, c->unpacker, c->page, &c->index, e);
    c->unread = rc < 0 ? INDEX_PAGE : NOTHING;
    return rc;
}

static int open_block(struct part_cursor *c, struct err *e)
{
    int rc = load_index(c, e);
    if (rc < 0 || c->is_open) return rc;
    c->unread = BLOCK;
    const struct part_place *place = place_of(c);
    buf_clear(&c->stored);
    char *to = buf_room(&c->stored, place->bytes);
    if (to == NULL) {
        rc = err_set(e, ERR_CORRUPT, "%llu bytes are too many for a block", (unsigned long long)place->bytes);
    } else {
        rc = file_read_at(c->part->fd, to, place->bytes, place->at, e);
        buf_added(&c->stored, place->bytes);
    }
    if (rc == OK) rc = block_view_open(&c->view, c->unpacker, buf_view(&c->stored), place->at, e);
    if (rc == OK) rc = block_view_check(&c->view, place, e);
    if (rc < 0) {
        err_where(e, "part %s: block at %llu", c->part->path, (unsigned long long)place->at);
        return rc;
    }
    c->is_open = true;
    c->unread = NOTHING;
    return OK;
}

int part_cursor_seek(struct part_cursor *c, series_key key, struct err *e)
{
    if (c->is_open && key > place_of(c)->first_key && key <= place_of(c)->last_key) {
        c->run = run_from(&c->view, key);
        return OK;
    }
    size_t page = place_from(c->part->top, c->part->n_index, key);
    if (page != c->page) go_to(c, page, 0);
    if (page == c->part->n_index) return OK;
    int rc = load_index(c, e);
    if (rc < 0) return rc;
    go_to(c, page, place_from(c->index->block, c->index->n, key));
    c->run = 0;
    if ((rc = open_block(c, e)) < 0) return rc;
    c->run = run_from(&c->view, key);
    return OK;
}

static void next_block(struct part_cursor *c)
{
    c->run = 0;
    if (c->block + 1 < c->index->n)
        go_to(c, c->page, c->block + 1);
    else
        go_to(c, c->page + 1, 0);
}

/* 1 = a run is under the cursor and its block open, 0 = the end. */
static int settle(struct part_cursor *c, struct err *e)
{
    while (c->page < c->part->n_index) {
        int rc = open_block(c, e);
        if (rc < 0) return rc;
        if (c->run < c->view.n_runs) return 1;
        next_block(c);
    }
    return 0;
}

int part_cursor_peek(struct part_cursor *c, struct run_head *out, struct err *e)
{
    int rc = settle(c, e);
    if (rc > 0) *out = c->view.run[c->run].head;
    return rc;
}

int part_cursor_read(struct part_cursor *c, int64_t from_ms, int64_t to_ms, struct arena *a, struct run *out,
                     struct err *e)
{
    int rc = settle(c, e);
    if (rc < 0) return rc;
    *out = (struct run){ 0 };
    if (rc == 0) return err_set(e, ERR_RANGE, "part %s: read past the end", c->part->path);
    rc = block_view_read(&c->view, c->unpacker, c->run, from_ms, to_ms, a, out, e);
    if (rc < 0) {
        c->unread = RUN;
        err_where(e, "part %s: block at %llu", c->part->path, (unsigned long long)place_of(c)->at);
        return rc;
    }
    c->run++;
    return OK;
}

int part_cursor_skip(struct part_cursor *c, struct err *e)
{
    int rc = settle(c, e);
    if (rc > 0) c->run++;
    return MIN(rc, 0);
}

/* ---- stepping over damage ---- */

static struct part_loss loss_of(const struct part_place *p, bool is_index)
{
    return (struct part_loss){ .at = p->at,
                               .bytes = p->bytes,
                               .is_index = is_index,
                               .first_key = p->first_key,
                               .last_key = p->last_key,
                               .min_ms = p->min_ms,
                               .max_ms = p->max_ms,
                               .rows = p->rows,
                               .place = { p->min_ms, p->max_ms, p->rows } };
}

static struct part_loss loss_of_run(const struct part_place *p, const struct run_head *h)
{
    struct part_loss l = loss_of(p, false);
    l.first_key = l.last_key = h->key;
    l.min_ms = h->first_ms;
    l.max_ms = h->last_ms;
    l.rows = h->n;
    return l;
}

bool part_cursor_pass(struct part_cursor *c, struct part_loss *out)
{
    enum unread what = c->unread;
    c->unread = NOTHING;
    switch (what) {
    case NOTHING: return false;
    case INDEX_PAGE:
        *out = loss_of(&c->part->top[c->page], true);
        c->run = 0;
        go_to(c, c->page + 1, 0);
        return true;
    case BLOCK:
        *out = loss_of(place_of(c), false);
        next_block(c);
        return true;
    case RUN:
        *out = loss_of_run(place_of(c), &c->view.run[c->run].head);
        c->run++;
        return true;
    }
    return false;
}

/* ---- for the merge (part_cursor.h) ---- */

const struct part_place *part_cursor_block(struct part_cursor *c, struct str *stored, struct run_head *last)
{
    if (!c->is_open || c->run != 0) return NULL;
    *stored = buf_view(&c->stored);
    *last = c->view.run[c->view.n_runs - 1].head;
    return place_of(c);
}

struct page_unpacker *part_cursor_unpacker(struct part_cursor *c)
{
    return c->unpacker;
}

bool part_cursor_any(const struct part_cursor *c, bool (*claim)(void *ctx, series_key), void *ctx)
{
    for (size_t i = 0; i < c->view.n_runs; i++)
        if (claim(ctx, c->view.run[i].head.key)) return true;
    return false;
}

void part_cursor_skip_block(struct part_cursor *c)
{
    c->run = c->view.n_runs;
}
