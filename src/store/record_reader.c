/* record_reader.c - opening a record part, and what it knows without reading a row.
 *
 * Opening reads the header, the footer, the top page, the fields and the places of the content pages. Indexes
 * of groups are read when first needed and stay; filters: record_filter.c.
 *
 * Always true:
 *   1. header, top page and footer match the footer's hash before any of them is believed; every other page
 *      has its checksum.
 *   2. An index holds the blocks and rows that the top page says, in key order. */
#include <fcntl.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/record_impl.h"

/* ---- opening ---- */

static int read_ends(struct record_part *p, char head[RECORD_HEAD_BYTES], char foot[RECORD_FOOT_BYTES],
                     struct err *e)
{
    int64_t size = file_size(p->fd, e);
    if (size < 0) return (int)size;
    if (size < RECORD_HEAD_BYTES + RECORD_FOOT_BYTES)
        return err_set(e, ERR_CORRUPT, "%lld bytes are too few for a record part", (long long)size);
    p->info.bytes = (uint64_t)size;

    int rc;
    uint64_t end = p->info.bytes - RECORD_FOOT_BYTES;
    if ((rc = file_read_at(p->fd, head, RECORD_HEAD_BYTES, 0, e)) < 0) return rc;
    if ((rc = file_read_at(p->fd, foot, RECORD_FOOT_BYTES, end, e)) < 0) return rc;
    if ((rc = record_head_get(head, &p->head, e)) < 0) return rc;
    if ((rc = record_foot_get(foot, &p->foot, e)) < 0) return rc;
    const struct record_part_foot *f = &p->foot;
    uint64_t tail = (uint64_t)f->fields_bytes + f->contents_bytes + f->origins_bytes + f->top_bytes;
    if (f->tail_at < RECORD_HEAD_BYTES || f->tail_at > end || tail != end - f->tail_at)
        return err_set(e, ERR_CORRUPT, "footer: lengths do not add up to the file");
    if (p->head.table != (uint32_t)p->layout->table)
        return err_set(e, ERR_CORRUPT, "header: table %u where %u belongs", p->head.table, p->layout->table);
    if (f->sequence != p->head.sequence || f->level != p->head.level)
        return err_set(e, ERR_CORRUPT, "header and footer disagree");
    return OK;
}

static int top_check(struct record_part *p, struct err *e)
{
    uint64_t rows = 0, blocks = 0;
    p->first_block = mem_array(p->top.n + 1, sizeof *p->first_block);
    for (size_t i = 0; i < p->top.n; i++) {
        p->first_block[i] = blocks;
        blocks += p->top.group[i].blocks;
        rows += p->top.group[i].rows;
    }
    p->first_block[p->top.n] = blocks;
    if (rows != p->foot.rows)
        return err_set(e, ERR_CORRUPT, "top page: %llu rows, footer says %llu", (unsigned long long)rows,
                       (unsigned long long)p->foot.rows);
    p->info.rows = rows;
    p->info.blocks = blocks;
    p->info.content_bytes = p->top.content_bytes;
    p->info.min_ns = p->top.min_ns;
    p->info.max_ns = p->top.max_ns;
    p->info.first = p->top.first;
    p->info.last = p->top.last;
    p->info.level = p->foot.level;
    p->info.sequence = p->foot.sequence;
    p->info.after_write = p->head.after_write;
    p->info.last_write = p->head.last_write;
    return OK;
}

static int read_top(struct record_part *p, struct page_unpacker *u, const char head[RECORD_HEAD_BYTES],
                    const char foot[RECORD_FOOT_BYTES], struct buf *raw, struct err *e)
{
    size_t n = p->foot.top_bytes;
    char *top = mem_alloc(n + 1);
    struct str in = str_make(top, n);
    int rc = file_read_at(p->fd, top, n, p->info.bytes - RECORD_FOOT_BYTES - n, e);
    if (rc == OK && record_hash(head, in, foot) != p->foot.hash)
        rc = err_set(e, ERR_CORRUPT, "footer: wrong hash");
    if (rc == OK) rc = page_get_at(u, &in, p->info.bytes - RECORD_FOOT_BYTES - n, PAGE_RECORD_TOP, raw, e);
    if (rc == OK && in.n > 0) rc = err_set(e, ERR_CORRUPT, "top page: %zu bytes too many", in.n);
    if (rc == OK) rc = record_top_get(buf_view(raw), p->foot.tail_at, &p->top, e);
    mem_free(top);
    return rc == OK ? top_check(p, e) : rc;
}

static int read_tail(struct record_part *p, struct page_unpacker *u, struct buf *raw, struct err *e)
{
    const struct record_part_foot *f = &p->foot;
    int rc = page_read(u, p->fd, f->tail_at, f->fields_bytes, PAGE_RECORD_FIELDS, raw, e);
    if (rc == OK) rc = record_fields_get(buf_view(raw), &p->fields, e);
    if (rc < 0) {
        err_where(e, "fields page");
        return rc;
    }
    p->info.columns = p->fields.columns;
    rc = page_read(u, p->fd, f->tail_at + f->fields_bytes, f->contents_bytes, PAGE_RECORD_CONTENTS, raw, e);
    if (rc == OK) rc = record_contents_get(buf_view(raw), f->tail_at, &p->contents, &p->n_contents, e);
    if (rc < 0) err_where(e, "contents page");
    return rc;
}

int record_part_open(const char *path, const struct record_layout *layout, struct record_part **out,
                     struct err *e)
{
    char head[RECORD_HEAD_BYTES], foot[RECORD_FOOT_BYTES];
    int fd = file_open(path, O_RDONLY, e);
    if (fd < 0) return fd;

    struct record_part *p = mem_alloc_zero(sizeof *p);
    struct page_unpacker *u = page_unpacker_new();
    struct buf raw = BUF_INIT(RECORD_PAGE_MAX);
    p->fd = fd;
    p->path = mem_strdup(path);
    p->seal = seal_of(path);
    page_unpacker_seal(u, &p->seal);
    p->layout = layout;
    record_fields_init(&p->fields);
    int rc = read_ends(p, head, foot, e);
    if (rc == OK) rc = read_top(p, u, head, foot, &raw, e);
    if (rc == OK) rc = read_tail(p, u, &raw, e);
    if (rc == OK) {
        p->index = mem_array(p->top.n, sizeof *p->index);
        record_filters_init(p);
        *out = p;
    } else {
        err_where(e, "part %s", path);
        record_part_close(p);
    }
    page_unpacker_free(u);
    buf_release(&raw);
    return rc;
}

static void index_free(struct record_index *x)
{
    if (x == NULL) return;
    mem_free(x->place);
    mem_free(x);
}

void record_part_close(struct record_part *p)
{
    if (p == NULL) return;
    for (size_t i = 0; p->index && i < p->top.n; i++) index_free(atomic_load(&p->index[i]));
    record_filters_release(p);
    mem_free((void *)p->index);
    mem_free(p->top.group);
    mem_free(p->first_block);
    mem_free(p->contents);
    mem_free(p->path);
    record_fields_release(&p->fields);
    file_close(p->fd, NULL);
    mem_free(p);
}

const struct record_part_info *record_part_info(const struct record_part *p)
{
    return &p->info;
}

/* ---- groups ---- */

size_t record_part_group(const struct record_part *p, size_t block)
{
    size_t lo = 0, hi = p->top.n;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (p->first_block[mid] <= block)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static int index_check(const struct record_group *g, const struct record_index *x, struct err *e)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < x->n; i++) {
        rows += x->place[i].rows;
        if (x->place[i].min_ns < g->min_ns || x->place[i].max_ns > g->max_ns)
            return err_set(e, ERR_CORRUPT, "block %zu is outside of the group's times", i);
    }
    if (x->n != g->blocks || rows != g->rows)
        return err_set(e, ERR_CORRUPT, "it is not what the top page says");
    return OK;
}

static int index_load(const struct record_part *p, struct page_unpacker *u, size_t g,
                      struct record_index **out, struct err *e)
{
    struct buf raw = BUF_INIT(RECORD_PAGE_MAX);
    struct record_index *x = mem_alloc_zero(sizeof *x);
    const struct record_group *group = &p->top.group[g];
    int rc = page_read(u, p->fd, group->index_at, group->index_bytes, PAGE_RECORD_INDEX, &raw, e);
    if (rc == OK) rc = record_places_get(buf_view(&raw), p->foot.tail_at, &x->place, &x->n, e);
    if (rc == OK) rc = index_check(group, x, e);
    buf_release(&raw);
    if (rc < 0) {
        err_where(e, "part %s: index of group %zu", p->path, g);
        index_free(x);
        return rc;
    }
    *out = x;
    return OK;
}

int record_part_index(struct record_part *p, struct page_unpacker *u, size_t g,
                      const struct record_index **out, struct err *e)
{
    struct record_index *x = atomic_load_explicit(&p->index[g], memory_order_acquire), *none = NULL;
    if (x == NULL) {
        int rc = index_load(p, u, g, &x, e);
        if (rc < 0) return rc;
        if (!atomic_compare_exchange_strong(&p->index[g], &none, x)) {
            index_free(x);
            x = none;
        }
    }
    *out = x;
    return OK;
}

size_t record_part_loss(struct record_part *p, size_t i, struct damage *out)
{
    size_t g = record_part_group(p, i);
    const struct record_group *group = &p->top.group[g];
    const struct record_index *x;
    struct page_unpacker *u = page_unpacker_new();
    page_unpacker_seal(u, &p->seal);
    bool is_group = record_part_index(p, u, g, &x, NULL) < 0;
    page_unpacker_free(u);
    if (is_group) {
        *out = (struct damage){
            DAMAGE_INDEX,           p->path, group->index_at, group->rows, group->min_ns / 1000000,
            group->max_ns / 1000000
        };
        return p->first_block[g + 1];
    }
    const struct record_place *b = &x->place[i - p->first_block[g]];
    *out = (struct damage){ DAMAGE_BLOCK, p->path, b->at, b->rows, b->min_ns / 1000000, b->max_ns / 1000000 };
    return i + 1;
}

/* ---- what the part knows ---- */

int record_part_fields(struct record_part *p, struct arena *a, struct field_info **out, size_t *n,
                       struct err *e)
{
    (void)e;
    record_fields_list(&p->fields, a, out, n);
    return OK;
}

struct resources {
    struct arena *arena;
    struct map seen;
    struct origin *at;
    size_t n, cap;
};

static struct attrs attrs_keep(struct arena *a, struct attrs from)
{
    struct attr *at = arena_array(a, from.n, sizeof *at);
    for (size_t i = 0; i < from.n; i++) {
        at[i] = from.at[i];
        at[i].name = arena_str(a, at[i].name);
        if (value_is_text(at[i].value.type)) at[i].value.text = arena_str(a, at[i].value.text);
    }
    return (struct attrs){ at, from.n };
}

static void resource_add(struct resources *r, const struct origin *o)
{
    if (map_find(&r->seen, o->id.lo ^ o->id.hi, NULL, NULL) != NULL) return;
    map_add(&r->seen, o->id.lo ^ o->id.hi, 0);
    r->at = arena_grow(r->arena, r->at, r->n, &r->cap, sizeof *r->at);
    r->at[r->n++] = (struct origin){ .resource = attrs_keep(r->arena, o->resource), .id = o->id };
}

/* More resources than the part lists, or the list is damaged: each block names its own. */
static int walk_origins(struct record_part *p, const struct call *call, struct resources *r, struct err *e)
{
    struct record_block *b = record_block_new(p);
    int rc = OK;
    for (size_t i = 0, next; i < p->info.blocks && rc == OK; i = next) {
        next = i + 1;
        rc = record_block_seek(b, i, e);
        if (rc == OK) rc = block_origins(b, e);
        if (rc < 0) {
            struct damage d;
            next = record_part_loss(p, i, &d);
            rc = damage_leave_out(call, &d, rc, e);
            continue;
        }
        for (size_t k = 0; rc == OK && k < b->n_origins; k++) resource_add(r, &b->origin[k]);
        if (rc == OK && arena_over(r->arena))
            rc = err_set(e, ERR_LIMIT, "too many resources for the memory allowed");
    }
    record_block_free(b);
    return rc;
}

/* The blocks know them as well. */
static void list_is_damaged(const struct record_part *p, uint64_t at, struct err *e)
{
    struct damage d = { .kind = DAMAGE_INDEX, .path = p->path, .at = at, .from_ms = 1 };
    damage_found(&d, e ? e->text : NULL);
    if (e) *e = (struct err)ERR_INIT;
}

int record_part_origins(struct record_part *p, const struct call *call, struct arena *a, struct origin **out,
                        size_t *n, struct err *e)
{
    struct resources r = { .arena = a };
    struct buf raw = BUF_INIT(RECORD_PAGE_MAX);
    struct page_unpacker *u = page_unpacker_new();
    struct arena scratch = ARENA_INIT(SIZE_MAX);
    struct origin *listed;
    size_t n_listed;
    bool is_partial = false;
    uint64_t at = p->foot.tail_at + p->foot.fields_bytes + p->foot.contents_bytes;
    map_init(&r.seen, 16);
    page_unpacker_seal(u, &p->seal);
    int rc = page_read(u, p->fd, at, p->foot.origins_bytes, PAGE_RECORD_ORIGINS, &raw, e);
    if (rc == OK) rc = record_origins_get(buf_view(&raw), &scratch, &listed, &n_listed, &is_partial, e);
    if (rc == ERR_CORRUPT && call != NULL) {
        list_is_damaged(p, at, e);
        is_partial = true;
        rc = OK;
    }
    for (size_t i = 0; rc == OK && !is_partial && i < n_listed; i++) resource_add(&r, &listed[i]);
    if (rc == OK && is_partial) rc = walk_origins(p, call, &r, e);
    if (rc < 0) err_where(e, "part %s: origins", p->path);
    *out = r.at;
    *n = r.n;
    arena_release(&scratch);
    map_release(&r.seen);
    page_unpacker_free(u);
    buf_release(&raw);
    return rc;
}
