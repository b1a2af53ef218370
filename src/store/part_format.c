/* part_format.c - header, footer and index of a part: fixed fields little-endian, lists as integer
 * columns. */
#include "store/part_format.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/codec_bitpack.h"
#include "store/column.h"

static const char head_magic[8] = { 'V', 'D', 'T', 'P', 'A', 'R', 'T', '\n' };
static const char foot_magic[8] = { 'v', 'd', 't', 'p', 'e', 'n', 'd', '\n' };

/* ---- fixed fields ---- */

static void put32(char *to, uint32_t v)
{
    for (int i = 0; i < 4; i++) to[i] = (char)(v >> (8 * i));
}

static void put64(char *to, uint64_t v)
{
    for (int i = 0; i < 8; i++) to[i] = (char)(v >> (8 * i));
}

static uint32_t get32(const char *from)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) v |= (uint32_t)(unsigned char)from[i] << (8 * i);
    return v;
}

static uint64_t get64(const char *from)
{
    return get32(from) | (uint64_t)get32(from + 4) << 32;
}

void part_head_put(char to[PART_HEAD_BYTES], const struct part_head *h)
{
    memset(to, 0, PART_HEAD_BYTES);
    memcpy(to, head_magic, 8);
    put32(to + 8, PART_VERSION);
    put32(to + 12, h->level);
    put64(to + 16, h->sequence);
    put32(to + 24, (uint32_t)h->wrap_level);
}

int part_head_get(const char from[PART_HEAD_BYTES], struct part_head *h, struct err *e)
{
    if (memcmp(from, head_magic, 8) != 0) return err_set(e, ERR_CORRUPT, "header: not a part file");
    if (get32(from + 8) != PART_VERSION)
        return err_set(e, ERR_UNSUPPORTED, "header: format version %u, this program reads %u",
                       get32(from + 8), PART_VERSION);
    *h = (struct part_head){ get32(from + 12), (int32_t)get32(from + 24), get64(from + 16) };
    return OK;
}

uint64_t part_hash(const char head[PART_HEAD_BYTES], struct str top, const char foot[PART_FOOT_BYTES])
{
    XXH3_state_t s;
    XXH3_64bits_reset(&s);
    XXH3_64bits_update(&s, head, PART_HEAD_BYTES);
    XXH3_64bits_update(&s, top.p, top.n);
    XXH3_64bits_update(&s, foot, PART_FOOT_BYTES - 16);
    return XXH3_64bits_digest(&s);
}

void part_foot_put(char to[PART_FOOT_BYTES], const struct part_foot *f, const char head[PART_HEAD_BYTES],
                   struct str top)
{
    put64(to, f->rows);
    put64(to + 8, (uint64_t)f->min_time_ms);
    put64(to + 16, (uint64_t)f->max_time_ms);
    put64(to + 24, f->index_at);
    put64(to + 32, f->sequence);
    put32(to + 40, f->level);
    put32(to + 44, f->top_bytes);
    put64(to + 48, part_hash(head, top, to));
    memcpy(to + 56, foot_magic, 8);
}

int part_foot_get(const char from[PART_FOOT_BYTES], struct part_foot *f, struct err *e)
{
    if (memcmp(from + 56, foot_magic, 8) != 0)
        return err_set(e, ERR_CORRUPT, "footer: missing; the file was never finished");
    *f = (struct part_foot){ get64(from),      (int64_t)get64(from + 8), (int64_t)get64(from + 16),
                             get64(from + 24), get64(from + 32),         get32(from + 40),
                             get32(from + 44), get64(from + 48) };
    return OK;
}

/* ---- places: one integer column per field ---- */

static const size_t place_fields[] = {
    offsetof(struct part_place, first_key), offsetof(struct part_place, last_key),
    offsetof(struct part_place, min_ms),    offsetof(struct part_place, max_ms),
    offsetof(struct part_place, bytes),     offsetof(struct part_place, rows),
    offsetof(struct part_place, runs),      offsetof(struct part_place, blocks),
};

void part_places_put(struct buf *out, const struct part_place *place, size_t n)
{
    check(n > 0 && n <= COLUMN_ROWS_MAX);
    int64_t *column = mem_array(n, sizeof *column);
    buf_varint(out, n);
    buf_varint(out, place[0].at);
    for (size_t f = 0; f < COUNT(place_fields); f++) {
        for (size_t i = 0; i < n; i++) memcpy(&column[i], (const char *)&place[i] + place_fields[f], 8);
        column_put_ints(out, column, n);
    }
    mem_free(column);
}

static int places_check(struct part_place *p, size_t n, uint64_t at, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        p[i].at = at;
        if (p[i].first_key > p[i].last_key || (i > 0 && p[i].first_key < p[i - 1].last_key))
            return err_set(e, ERR_CORRUPT, "index entry %zu: keys out of order", i);
        if (p[i].min_ms > p[i].max_ms)
            return err_set(e, ERR_CORRUPT, "index entry %zu: times out of order", i);
        if (p[i].bytes < PAGE_HEAD_BYTES || p[i].bytes > 2 * PAGE_RAW_MAX)
            return err_set(e, ERR_CORRUPT, "index entry %zu: impossible length", i);
        if (p[i].runs == 0 || p[i].runs > p[i].rows || p[i].blocks == 0 || p[i].blocks > PART_INDEX_BLOCKS ||
            p[i].rows > p[i].blocks * PART_BLOCK_ROWS)
            return err_set(e, ERR_CORRUPT, "index entry %zu: impossible counts", i);
        at += p[i].bytes;
    }
    return OK;
}

int part_places_get(struct str in, struct part_place **out, size_t *n_out, struct err *e)
{
    uint64_t n, at;
    if (!varint_get(&in, &n) || n == 0 || n > COLUMN_ROWS_MAX || !varint_get(&in, &at) || at > INT64_MAX)
        return err_set(e, ERR_CORRUPT, "index: impossible length");

    struct part_place *place = mem_array(n, sizeof *place);
    int64_t *column = mem_array(n + MINIBLOCK, sizeof *column);
    int rc = OK;
    for (size_t f = 0; f < COUNT(place_fields) && rc == OK; f++) {
        rc = column_get_ints(&in, column, n, e);
        for (size_t i = 0; i < n && rc == OK; i++) memcpy((char *)&place[i] + place_fields[f], &column[i], 8);
    }
    mem_free(column);
    if (rc == OK && in.n != 0) rc = err_set(e, ERR_CORRUPT, "index: %zu bytes too many", in.n);
    if (rc == OK) rc = places_check(place, n, at, e);
    if (rc < 0) {
        mem_free(place);
        return rc;
    }
    *out = place;
    *n_out = n;
    return OK;
}
