/* record_verify.c - every byte of a record part read and every promise of the format held against it.
 *
 * What cannot be opened is one finding. What can is walked: content pages, filters and indexes are checked,
 * blocks decoded to records, and the records taken apart again by the writer's own first half
 * (record_columns.c), whose zone maps and hashes must be those of the file. A damaged block is reported and
 * the walk goes on behind it. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/record_columns.h"
#include "store/record_impl.h"

struct verify {
    struct record_part *part;
    struct record_block *block;
    struct page_unpacker *unpacker;
    void (*report)(void *ctx, const char *text);
    void *ctx;
    int64_t found;

    struct arena arena; /* of a block's records */
    struct record_columns again;
    struct record_fields fields;
    struct record_content content;
    struct record_origins origins;
    struct page_packer *packer;
    struct buf out; /* content pages nobody wants */
    uint64_t nothing;

    bool any;
    struct record_key last;
    int64_t min_ns, max_ns;
};

static void finding(struct verify *v, const char *where, size_t i, struct err *e)
{
    char text[1024];
    snprintf(text, sizeof text, "%s: %s %zu: %s", v->part->path, where, i, e->text);
    v->report(v->ctx, text);
    v->found++;
    *e = (struct err)ERR_INIT;
}

/* ---- pages that hold no rows ---- */

static void contents_check(struct verify *v)
{
    struct buf raw = BUF_INIT(RECORD_PAGE_MAX);
    struct err e = ERR_INIT;
    uint64_t bytes = 0;
    for (size_t i = 0; i < v->part->n_contents; i++) {
        const struct record_content_place *c = &v->part->contents[i];
        bytes += c->bytes;
        if (page_read(v->unpacker, v->part->fd, c->at, c->bytes, PAGE_RECORD_CONTENT, &raw, &e) < 0)
            finding(v, "content page", i, &e);
    }
    if (bytes != v->part->info.content_bytes) {
        err_set(&e, ERR_CORRUPT, "content pages of %llu bytes, %llu said", (unsigned long long)bytes,
                (unsigned long long)v->part->info.content_bytes);
        finding(v, "top page", 0, &e);
    }
    buf_release(&raw);
}

static void origins_check(struct verify *v)
{
    struct origin *o;
    size_t n;
    struct err e = ERR_INIT;
    struct arena a = ARENA_INIT(SIZE_MAX);
    if (record_part_origins(v->part, NULL, &a, &o, &n, &e) < 0) finding(v, "origins page", 0, &e);
    arena_release(&a);
}

/* ---- a block ---- */

static int order_check(struct verify *v, const struct record *r, struct record_key *key, struct err *e)
{
    record_key_of(v->part->layout, r, key);
    if (v->any && record_key_cmp(&v->last, key) > 0) return err_set(e, ERR_CORRUPT, "keys out of order");
    v->any = true;
    v->last = *key;
    v->min_ns = MIN(v->min_ns, r->time_ns);
    v->max_ns = MAX(v->max_ns, r->time_ns);
    return OK;
}

static int zones_check(const struct record_place *said, const struct record_place *is, struct err *e)
{
    if (record_key_cmp(&said->first, &is->first) != 0 || record_key_cmp(&said->last, &is->last) != 0)
        return err_set(e, ERR_CORRUPT, "its keys are not those of the index");
    if (said->min_ns != is->min_ns || said->max_ns != is->max_ns || said->min_duration != is->min_duration ||
        said->max_duration != is->max_duration || said->max_severity != is->max_severity ||
        said->max_status != is->max_status)
        return err_set(e, ERR_CORRUPT, "its zone maps are not those of the index");
    return OK;
}

static int filters_check(struct verify *v, size_t g, size_t at, struct err *e)
{
    for (int c = 0; c < FILTER_CLASSES; c++) {
        const struct filter *f;
        int rc = record_part_filter(v->part, v->unpacker, g, (enum filter_class)c, &f, e);
        if (rc < 0) return rc;
        for (size_t i = 0; f && i < v->again.hashes.n[c]; i++) {
            uint64_t bits[FILTER_GROUP / 64] = { 0 };
            bit_set(bits, at);
            filter_probe(f, v->again.hashes.at[c][i], bits);
            if (!bit_get(bits, at)) return err_set(e, ERR_CORRUPT, "a hash of its rows is not in the filter");
        }
    }
    return OK;
}

static int rows_check(struct verify *v, struct err *e)
{
    size_t n = record_block_rows(v->block);
    uint32_t *rows = arena_array(&v->arena, n, sizeof *rows);
    struct record *r = arena_array(&v->arena, n, sizeof *r);
    uint64_t *sequence = arena_array(&v->arena, n, sizeof *sequence);
    for (size_t i = 0; i < n; i++) rows[i] = (uint32_t)i;
    int rc = record_block_records(v->block, rows, n, &v->arena, r, e);
    if (rc == OK) rc = record_block_sequences(v->block, rows, n, sequence, e);
    for (size_t i = 0; i < n && rc == OK; i++) {
        struct record_key key;
        rc = order_check(v, &r[i], &key, e);
        if (rc == OK) record_columns_add(&v->again, &r[i], &key, sequence[i]);
        buf_clear(&v->out);
    }
    return rc;
}

static void block_check(struct verify *v, size_t g, size_t at)
{
    struct err e = ERR_INIT;
    size_t i = v->part->first_block[g] + at;
    int rc = record_block_seek(v->block, i, &e);
    if (rc == OK) rc = rows_check(v, &e);
    if (rc == OK) rc = zones_check(&v->block->place, &v->again.place, &e);
    if (rc == OK) rc = filters_check(v, g, at, &e);
    if (rc < 0) finding(v, "block", i, &e);
    if (v->again.rows > 0) {
        struct record_place place;
        record_columns_finish(&v->again, v->packer, &v->out, &place);
    }
    buf_clear(&v->out);
    arena_reset(&v->arena);
}

static void group_check(struct verify *v, size_t g)
{
    const struct record_index *x;
    struct err e = ERR_INIT;
    if (record_part_index(v->part, v->unpacker, g, &x, &e) < 0) {
        finding(v, "index", g, &e);
        return;
    }
    for (size_t i = 0; i < x->n; i++) block_check(v, g, i);
}

/* ---- the part ---- */

static void totals_check(struct verify *v)
{
    struct err e = ERR_INIT;
    const struct record_part_info *info = &v->part->info;
    if (v->found > 0 || info->rows == 0) return; /* the sums are wrong for a reason already told */
    if (v->min_ns != info->min_ns || v->max_ns != info->max_ns ||
        record_key_cmp(&v->last, &info->last) != 0) {
        err_set(&e, ERR_CORRUPT, "keys or times are not what it says");
        finding(v, "top page", 0, &e);
    }
}

static void verify_init(struct verify *v)
{
    v->block = record_block_new(v->part);
    v->unpacker = page_unpacker_new();
    page_unpacker_seal(v->unpacker, &v->part->seal);
    v->packer = page_packer_new(-1);
    v->arena = (struct arena)ARENA_INIT(SIZE_MAX);
    v->out = (struct buf)BUF_INIT(SIZE_MAX / 4);
    v->min_ns = INT64_MAX;
    v->max_ns = INT64_MIN;
    record_fields_init(&v->fields);
    record_origins_init(&v->origins);
    record_content_init(&v->content, v->packer, &v->out, &v->nothing);
    record_columns_init(&v->again, v->part->layout, &v->fields, &v->content, &v->origins);
}

static void verify_release(struct verify *v)
{
    record_columns_release(&v->again);
    record_content_release(&v->content);
    record_origins_release(&v->origins);
    record_fields_release(&v->fields);
    buf_release(&v->out);
    arena_release(&v->arena);
    page_packer_free(v->packer);
    page_unpacker_free(v->unpacker);
    record_block_free(v->block);
}

int64_t record_part_verify(const char *path, const struct record_layout *layout,
                           void (*report)(void *ctx, const char *text), void *ctx, struct err *e)
{
    struct verify v = { .report = report, .ctx = ctx };
    struct err why = ERR_INIT;
    int rc = record_part_open(path, layout, &v.part, &why);
    if (rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED) {
        report(ctx, why.text);
        return 1;
    }
    if (rc < 0) return err_set(e, rc, "%s", why.text);

    verify_init(&v);
    contents_check(&v);
    origins_check(&v);
    for (size_t g = 0; g < v.part->top.n; g++) group_check(&v, g);
    totals_check(&v);
    verify_release(&v);
    record_part_close(v.part);
    return v.found;
}
