/* record_format.c - header, footer, index and top of a record part: fixed fields little-endian, lists as
 * columns of integers. */
#include "store/record_format.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/column.h"
#include "store/text_column.h"

static const char head_magic[8] = { 'V', 'D', 'T', 'R', 'E', 'C', 'S', '\n' };
static const char foot_magic[8] = { 'v', 'd', 't', 'r', 'e', 'n', 'd', '\n' };

/* ---- header and footer ---- */

void record_head_put(char to[RECORD_HEAD_BYTES], const struct record_part_head *h)
{
    struct buf b = BUF_INIT(RECORD_HEAD_BYTES);
    buf_add(&b, head_magic, 8);
    buf_u32le(&b, RECORD_VERSION);
    buf_u32le(&b, h->level);
    buf_u64le(&b, h->sequence);
    buf_u32le(&b, (uint32_t)h->wrap_level);
    buf_u32le(&b, h->table);
    buf_u64le(&b, h->after_write);
    buf_u64le(&b, h->last_write);
    memset(to, 0, RECORD_HEAD_BYTES);
    memcpy(to, b.p, b.n);
    buf_release(&b);
}

int record_head_get(const char from[RECORD_HEAD_BYTES], struct record_part_head *h, struct err *e)
{
    struct bytes b = bytes_of(str_make(from + 8, RECORD_HEAD_BYTES - 8));
    if (memcmp(from, head_magic, 8) != 0) return err_set(e, ERR_CORRUPT, "header: not a record part");
    uint32_t version = bytes_u32(&b);
    if (version != RECORD_VERSION)
        return err_set(e, ERR_UNSUPPORTED, "header: format version %u, this program reads %u", version,
                       RECORD_VERSION);
    h->level = bytes_u32(&b);
    h->sequence = bytes_u64(&b);
    h->wrap_level = (int32_t)bytes_u32(&b);
    h->table = bytes_u32(&b);
    h->after_write = bytes_u64(&b);
    h->last_write = bytes_u64(&b);
    if (h->last_write == 0 ? h->after_write > 0 : h->after_write >= h->last_write)
        return err_set(e, ERR_CORRUPT, "header: the first of its writes is not before the last");
    return OK;
}

uint64_t record_hash(const char head[RECORD_HEAD_BYTES], struct str top, const char foot[RECORD_FOOT_BYTES])
{
    XXH3_state_t s;
    XXH3_64bits_reset(&s);
    XXH3_64bits_update(&s, head, RECORD_HEAD_BYTES);
    XXH3_64bits_update(&s, top.p, top.n);
    XXH3_64bits_update(&s, foot, RECORD_FOOT_BYTES - 16);
    return XXH3_64bits_digest(&s);
}

void record_foot_put(char to[RECORD_FOOT_BYTES], const struct record_part_foot *f,
                     const char head[RECORD_HEAD_BYTES], struct str top)
{
    struct buf b = BUF_INIT(RECORD_FOOT_BYTES);
    buf_u64le(&b, f->rows);
    buf_u64le(&b, f->tail_at);
    buf_u32le(&b, f->fields_bytes);
    buf_u32le(&b, f->contents_bytes);
    buf_u32le(&b, f->origins_bytes);
    buf_u32le(&b, f->top_bytes);
    buf_u64le(&b, f->sequence);
    buf_u32le(&b, f->level);
    buf_u32le(&b, 0);
    memset(to, 0, RECORD_FOOT_BYTES);
    memcpy(to, b.p, b.n);
    buf_clear(&b);
    buf_u64le(&b, record_hash(head, top, to));
    memcpy(to + RECORD_FOOT_BYTES - 16, b.p, 8);
    memcpy(to + RECORD_FOOT_BYTES - 8, foot_magic, 8);
    buf_release(&b);
}

int record_foot_get(const char from[RECORD_FOOT_BYTES], struct record_part_foot *f, struct err *e)
{
    if (memcmp(from + RECORD_FOOT_BYTES - 8, foot_magic, 8) != 0)
        return err_set(e, ERR_CORRUPT, "footer: missing; the file was never finished");
    struct bytes b = bytes_of(str_make(from, RECORD_FOOT_BYTES));
    f->rows = bytes_u64(&b);
    f->tail_at = bytes_u64(&b);
    f->fields_bytes = bytes_u32(&b);
    f->contents_bytes = bytes_u32(&b);
    f->origins_bytes = bytes_u32(&b);
    f->top_bytes = bytes_u32(&b);
    f->sequence = bytes_u64(&b);
    f->level = bytes_u32(&b);
    bytes_u32(&b);
    f->hash = bytes_u64(&b);
    return OK;
}

/* ---- columns within other bytes ---- */

static struct str rest_of(const struct bytes *b)
{
    return str_make(b->p, bytes_left(b));
}

int bytes_ints(struct bytes *b, int64_t *v, size_t n, struct err *e)
{
    struct str in = rest_of(b);
    int rc = column_get_ints(&in, v, n, e);
    if (rc == OK) b->p = (const unsigned char *)in.p;
    return rc;
}

int bytes_fixed_texts(struct bytes *b, uint8_t *v, size_t width, size_t n, struct err *e)
{
    struct str in = rest_of(b);
    int rc = text_column_get_fixed(&in, v, width, n, e);
    if (rc == OK) b->p = (const unsigned char *)in.p;
    return rc;
}

/* A field of 8 bytes of each of n structs as a column, and back. */
static void field_put(struct buf *out, const void *at, size_t stride, size_t n)
{
    int64_t v[FILTER_GROUP];
    for (size_t i = 0; i < n; i++) memcpy(&v[i], (const char *)at + i * stride, 8);
    column_put_ints(out, v, n);
}

static int field_get(struct bytes *b, void *at, size_t stride, size_t n, struct err *e)
{
    int64_t v[FILTER_GROUP + RECORD_ROOM];
    int rc = bytes_ints(b, v, n, e);
    for (size_t i = 0; rc == OK && i < n; i++) memcpy((char *)at + i * stride, &v[i], 8);
    return rc;
}

/* ---- the blocks of a group ---- */

static const size_t place_fields[] = {
    offsetof(struct record_place, first.bucket),
    offsetof(struct record_place, first.time_ns),
    offsetof(struct record_place, last.bucket),
    offsetof(struct record_place, last.time_ns),
    offsetof(struct record_place, min_ns),
    offsetof(struct record_place, max_ns),
    offsetof(struct record_place, min_duration),
    offsetof(struct record_place, max_duration),
    offsetof(struct record_place, max_severity),
    offsetof(struct record_place, max_status),
    offsetof(struct record_place, at),
    offsetof(struct record_place, bytes),
    offsetof(struct record_place, head_bytes),
    offsetof(struct record_place, rows),
    offsetof(struct record_place, content_first),
    offsetof(struct record_place, content_pages),
    offsetof(struct record_place, repeats),
};

void record_places_put(struct buf *out, const struct record_place *p, size_t n)
{
    check(n > 0 && n <= FILTER_GROUP);
    buf_varint(out, n);
    for (size_t f = 0; f < COUNT(place_fields); f++)
        field_put(out, (const char *)p + place_fields[f], sizeof *p, n);
    for (size_t i = 0; i < n; i++) buf_add(out, p[i].first.id, sizeof p[i].first.id);
    for (size_t i = 0; i < n; i++) buf_add(out, p[i].last.id, sizeof p[i].last.id);
}

static int place_check(const struct record_place *p, size_t i, uint64_t end, struct err *e)
{
    const struct record_place *q = &p[i];
    if (record_key_cmp(&q->first, &q->last) > 0 || (i > 0 && record_key_cmp(&p[i - 1].last, &q->first) > 0))
        return err_set(e, ERR_CORRUPT, "index entry %zu: keys out of order", i);
    if (q->min_ns > q->max_ns || q->min_duration > q->max_duration)
        return err_set(e, ERR_CORRUPT, "index entry %zu: bounds out of order", i);
    if (q->rows == 0 || q->rows > RECORD_BLOCK_ROWS || q->repeats > 1)
        return err_set(e, ERR_CORRUPT, "index entry %zu: impossible counts", i);
    if (q->at < RECORD_HEAD_BYTES || q->at > end || q->bytes > end - q->at || q->head_bytes > q->bytes ||
        q->head_bytes < PAGE_HEAD_BYTES || q->head_bytes > RECORD_PAGE_MAX ||
        (i > 0 && q->at < p[i - 1].at + p[i - 1].bytes))
        return err_set(e, ERR_CORRUPT, "index entry %zu: impossible place", i);
    return OK;
}

static int places_read(struct bytes *b, struct record_place *p, size_t n, struct err *e)
{
    for (size_t f = 0; f < COUNT(place_fields); f++) {
        int rc = field_get(b, (char *)p + place_fields[f], sizeof *p, n, e);
        if (rc < 0) return rc;
    }
    for (size_t i = 0; i < 2 * n; i++) {
        struct str id = bytes_take(b, 16);
        if (b->failed) return err_set(e, ERR_CORRUPT, "index: too short");
        memcpy(i < n ? p[i].first.id : p[i - n].last.id, id.p, 16);
    }
    return bytes_left(b) ? err_set(e, ERR_CORRUPT, "index: %zu bytes too many", bytes_left(b)) : OK;
}

int record_places_get(struct str in, uint64_t end, struct record_place **out, size_t *n_out, struct err *e)
{
    struct bytes b = bytes_of(in);
    uint64_t n = bytes_varint(&b);
    if (b.failed || n == 0 || n > FILTER_GROUP) return err_set(e, ERR_CORRUPT, "index: impossible length");

    struct record_place *p = mem_array(n, sizeof *p);
    int rc = places_read(&b, p, n, e);
    for (size_t i = 0; rc == OK && i < n; i++) rc = place_check(p, i, end, e);
    if (rc < 0) {
        mem_free(p);
        return rc;
    }
    *out = p;
    *n_out = n;
    return OK;
}

/* ---- the groups ---- */

#define GROUPS_MAX (1u << 20)

static void key_put(struct buf *out, const struct record_key *k)
{
    buf_u64le(out, k->bucket);
    buf_add(out, k->id, sizeof k->id);
    buf_u64le(out, (uint64_t)k->time_ns);
}

static void key_get(struct bytes *b, struct record_key *k)
{
    k->bucket = bytes_u64(b);
    struct str id = bytes_take(b, sizeof k->id);
    if (id.n == sizeof k->id) memcpy(k->id, id.p, id.n);
    k->time_ns = (int64_t)bytes_u64(b);
}

void record_top_put(struct buf *out, const struct record_top *t)
{
    buf_varint(out, t->n);
    buf_varint(out, t->content_bytes);
    key_put(out, &t->first);
    key_put(out, &t->last);
    buf_u64le(out, (uint64_t)t->min_ns);
    buf_u64le(out, (uint64_t)t->max_ns);
    for (size_t i = 0; i < t->n; i++) {
        const struct record_group *g = &t->group[i];
        buf_varint(out, g->index_at);
        buf_varint(out, g->index_bytes);
        buf_varint(out, g->blocks);
        buf_varint(out, g->rows);
        for (size_t c = 0; c < FILTER_CLASSES; c++) {
            buf_varint(out, g->filter_at[c]);
            buf_varint(out, g->filter_bytes[c]);
        }
        buf_varint(out, zigzag(g->min_ns));
        buf_varint(out, zigzag(g->max_ns));
    }
}

static void group_read(struct bytes *b, struct record_group *g)
{
    g->index_at = bytes_varint(b);
    g->index_bytes = bytes_varint(b);
    g->blocks = bytes_varint(b);
    g->rows = bytes_varint(b);
    for (size_t c = 0; c < FILTER_CLASSES; c++) {
        g->filter_at[c] = bytes_varint(b);
        g->filter_bytes[c] = bytes_varint(b);
    }
    g->min_ns = unzigzag(bytes_varint(b));
    g->max_ns = unzigzag(bytes_varint(b));
}

static bool is_inside(uint64_t at, uint64_t n, uint64_t end, uint64_t most)
{
    return at >= RECORD_HEAD_BYTES && at <= end && n <= end - at && n <= most;
}

static int group_check(const struct record_group *g, uint64_t end, struct err *e)
{
    bool ok = is_inside(g->index_at, g->index_bytes, end, RECORD_PAGE_MAX) && g->blocks > 0 &&
              g->blocks <= FILTER_GROUP && g->rows >= g->blocks && g->rows <= g->blocks * RECORD_BLOCK_ROWS &&
              g->min_ns <= g->max_ns;
    for (size_t c = 0; c < FILTER_CLASSES; c++)
        ok = ok && (g->filter_bytes[c] == 0 ||
                    is_inside(g->filter_at[c], g->filter_bytes[c], end, 4 * (uint64_t)RECORD_PAGE_MAX));
    return ok ? OK : err_set(e, ERR_CORRUPT, "top page: impossible group");
}

int record_top_get(struct str in, uint64_t end, struct record_top *t, struct err *e)
{
    struct bytes b = bytes_of(in);
    uint64_t n = bytes_varint(&b);
    if (b.failed || n > GROUPS_MAX || n > in.n) return err_set(e, ERR_CORRUPT, "top page: impossible length");
    *t = (struct record_top){ .n = n, .content_bytes = bytes_varint(&b) };
    key_get(&b, &t->first);
    key_get(&b, &t->last);
    t->min_ns = (int64_t)bytes_u64(&b);
    t->max_ns = (int64_t)bytes_u64(&b);
    t->group = mem_array(n, sizeof *t->group);
    int rc = OK;
    for (size_t i = 0; i < n && rc == OK; i++) {
        group_read(&b, &t->group[i]);
        rc = group_check(&t->group[i], end, e);
    }
    if (rc == OK && (b.failed || bytes_left(&b) > 0)) rc = err_set(e, ERR_CORRUPT, "top page: wrong length");
    if (rc < 0) {
        mem_free(t->group);
        t->group = NULL;
    }
    return rc;
}

/* ---- content pages ---- */

#define CONTENTS_MAX (8u << 20) /* pages of CONTENT_PAGE: 4 TB */

void record_contents_put(struct buf *out, const struct record_content_place *p, size_t n)
{
    buf_varint(out, n);
    for (size_t i = 0; i < n; i += FILTER_GROUP) {
        size_t m = MIN(n - i, (size_t)FILTER_GROUP);
        field_put(out, &p[i].at, sizeof *p, m);
        field_put(out, &p[i].bytes, sizeof *p, m);
    }
}

int record_contents_get(struct str in, uint64_t end, struct record_content_place **out, size_t *n_out,
                        struct err *e)
{
    struct bytes b = bytes_of(in);
    uint64_t n = bytes_varint(&b);
    /* a run of FILTER_GROUP places takes 4 bytes at least */
    if (b.failed || n > CONTENTS_MAX || n / FILTER_GROUP > in.n)
        return err_set(e, ERR_CORRUPT, "contents page: impossible length");
    struct record_content_place *p = mem_array(n, sizeof *p);
    int rc = OK;
    for (size_t i = 0; i < n && rc == OK; i += FILTER_GROUP) {
        size_t m = MIN(n - i, (size_t)FILTER_GROUP);
        rc = field_get(&b, &p[i].at, sizeof *p, m, e);
        if (rc == OK) rc = field_get(&b, &p[i].bytes, sizeof *p, m, e);
    }
    for (size_t i = 0; i < n && rc == OK; i++)
        if (!is_inside(p[i].at, p[i].bytes, end, RECORD_PAGE_MAX + PAGE_OVERHEAD))
            rc = err_set(e, ERR_CORRUPT, "contents page: page %zu is outside of the file", i);
    if (rc == OK && bytes_left(&b) > 0) rc = err_set(e, ERR_CORRUPT, "contents page: wrong length");
    if (rc < 0) {
        mem_free(p);
        return rc;
    }
    *out = p;
    *n_out = n;
    return OK;
}
