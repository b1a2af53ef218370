/* page.c - bytes wrapped, measured and checked; see page.h for the picture.
 *
 * Always true:
 *   1. What page_put wrote, page_get gives back byte for byte.
 *   2. No byte of a page is believed before the checksum over head and body has matched; lengths
 *      that say where the body ends are only compared with what is there.
 *   3. Unwrapping never writes past raw_len, and raw_len never exceeds the caller's ceiling. */
#include "store/page.h"

#include <lz4.h>
#include <zstd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/crc32c.h"

enum wrap { WRAP_NONE, WRAP_LZ4, WRAP_ZSTD };

/* Compressing must save at least 1/32, else unwrapping is work for nothing. */
#define WORTH(raw, stored) ((stored) + (raw) / 32 < (raw))

struct page_head {
    uint8_t kind, wrap;
    uint32_t raw_len, stored_len, crc;
};

static void store_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t load_u32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

/* ---- making ---- */

struct page_packer {
    int level;
    ZSTD_CCtx *zstd;
    struct buf wrapped;
};

struct page_packer *page_packer_new(int level)
{
    struct page_packer *p = mem_alloc_zero(sizeof *p);
    p->level = level;
    p->wrapped = (struct buf)BUF_INIT(SIZE_MAX / 4);
    if (level > 0) {
        p->zstd = ZSTD_createCCtx();
        check(p->zstd != NULL);
    }
    return p;
}

void page_packer_free(struct page_packer *p)
{
    if (p == NULL) return;
    ZSTD_freeCCtx(p->zstd);
    buf_release(&p->wrapped);
    mem_free(p);
}

/* The body as it shall be stored; *wrap says how. Borrowed from p or raw itself. */
static struct str wrap_body(struct page_packer *p, struct str raw, enum wrap *wrap)
{
    *wrap = WRAP_NONE;
    if (p->level < 0 || raw.n < 32) return raw;

    size_t room = p->zstd ? ZSTD_compressBound(raw.n) : (size_t)LZ4_compressBound((int)raw.n), n = 0;
    buf_clear(&p->wrapped);
    char *to = buf_room(&p->wrapped, room);
    if (p->zstd) {
        n = ZSTD_compressCCtx(p->zstd, to, room, raw.p, raw.n, p->level);
        check(!ZSTD_isError(n));
    } else {
        n = (size_t)LZ4_compress_default(raw.p, to, (int)raw.n, (int)room);
        check(n > 0);
    }
    if (!WORTH(raw.n, n)) return raw;
    *wrap = p->zstd ? WRAP_ZSTD : WRAP_LZ4;
    return str_make(to, n);
}

void page_put(struct page_packer *p, struct buf *out, uint8_t kind, struct str raw)
{
    check(raw.n <= PAGE_RAW_MAX);
    enum wrap wrap;
    struct str body = wrap_body(p, raw, &wrap);

    unsigned char head[PAGE_HEAD_BYTES] = { kind, (unsigned char)wrap };
    store_u32(head + 4, (uint32_t)raw.n);
    store_u32(head + 8, (uint32_t)body.n);
    store_u32(head + 12, crc32c(crc32c(0, head, 12), body.p, body.n));
    buf_add(out, head, sizeof head);
    buf_add(out, body.p, body.n);
}

/* ---- reading ---- */

struct page_unpacker {
    ZSTD_DCtx *zstd;
    struct buf stored; /* of page_read */
};

struct page_unpacker *page_unpacker_new(void)
{
    struct page_unpacker *u = mem_alloc_zero(sizeof *u);
    u->stored = (struct buf)BUF_INIT(PAGE_RAW_MAX + PAGE_HEAD_BYTES);
    return u;
}

void page_unpacker_free(struct page_unpacker *u)
{
    if (u == NULL) return;
    ZSTD_freeDCtx(u->zstd);
    buf_release(&u->stored);
    mem_free(u);
}

uint64_t page_bytes(struct str in)
{
    return in.n < PAGE_HEAD_BYTES ? 0 : PAGE_HEAD_BYTES + (uint64_t)load_u32(in.p + 8);
}

/* Checks everything that can be checked without unwrapping; *in steps past the page, *body is its
 * body. */
static int head_get(struct str *in, uint8_t kind, struct page_head *h, struct str *body, struct err *e)
{
    if (in->n < PAGE_HEAD_BYTES)
        return err_set(e, ERR_CORRUPT, "page: %zu bytes are too few for a head", in->n);
    *h = (struct page_head){ (uint8_t)in->p[0], (uint8_t)in->p[1], load_u32(in->p + 4), load_u32(in->p + 8),
                             load_u32(in->p + 12) };
    if (h->stored_len > in->n - PAGE_HEAD_BYTES)
        return err_set(e, ERR_CORRUPT, "page: body of %u bytes where %zu are left", h->stored_len,
                       in->n - PAGE_HEAD_BYTES);
    *body = str_make(in->p + PAGE_HEAD_BYTES, h->stored_len);
    if (crc32c(crc32c(0, in->p, 12), body->p, body->n) != h->crc)
        return err_set(e, ERR_CORRUPT, "page: wrong checksum");
    if (h->kind != kind) return err_set(e, ERR_CORRUPT, "page: kind %u where %u belongs", h->kind, kind);
    if (in->p[2] != 0 || in->p[3] != 0) return err_set(e, ERR_CORRUPT, "page: reserved bytes are not zero");
    if (h->wrap > WRAP_ZSTD) return err_set(e, ERR_CORRUPT, "page: unknown compression %u", h->wrap);
    if (h->raw_len > PAGE_RAW_MAX)
        return err_set(e, ERR_CORRUPT, "page: %u raw bytes are too many", h->raw_len);
    if (h->wrap == WRAP_NONE && h->raw_len != h->stored_len)
        return err_set(e, ERR_CORRUPT, "page: lengths disagree");
    in->p += PAGE_HEAD_BYTES + body->n;
    in->n -= PAGE_HEAD_BYTES + body->n;
    return OK;
}

static bool unwrap(struct page_unpacker *u, enum wrap wrap, struct str body, char *to, size_t raw_len)
{
    switch (wrap) {
    case WRAP_NONE: memcpy(to, body.p, raw_len); return true;
    case WRAP_LZ4: return LZ4_decompress_safe(body.p, to, (int)body.n, (int)raw_len) == (int)raw_len;
    case WRAP_ZSTD:
        if (u->zstd == NULL) u->zstd = ZSTD_createDCtx();
        check(u->zstd != NULL);
        return ZSTD_decompressDCtx(u->zstd, to, raw_len, body.p, body.n) == raw_len;
    }
    return false;
}

int page_get(struct page_unpacker *u, struct str *in, uint8_t kind, struct buf *out, struct err *e)
{
    struct page_head h;
    struct str rest = *in, body;
    int rc = head_get(&rest, kind, &h, &body, e);
    if (rc < 0) return rc;

    buf_clear(out);
    if (h.raw_len > 0) {
        char *to = buf_room(out, h.raw_len);
        if (to == NULL)
            return err_set(e, ERR_LIMIT, "page: %u raw bytes are above the ceiling of %zu", h.raw_len,
                           out->max);
        if (!unwrap(u, h.wrap, body, to, h.raw_len))
            return err_set(e, ERR_CORRUPT, "page: body does not decompress");
        buf_added(out, h.raw_len);
    } else if (h.stored_len > 0) {
        return err_set(e, ERR_CORRUPT, "page: lengths disagree");
    }
    *in = rest;
    return OK;
}

int page_read(struct page_unpacker *u, int fd, uint64_t at, size_t n, uint8_t kind, struct buf *out,
              struct err *e)
{
    buf_clear(&u->stored);
    char *to = buf_room(&u->stored, n);
    if (to == NULL) return err_set(e, ERR_LIMIT, "page: %zu bytes are too many", n);

    int rc = file_read_at(fd, to, n, at, e);
    if (rc < 0) return rc;
    struct str in = str_make(to, n);
    if ((rc = page_get(u, &in, kind, out, e)) < 0) return rc;
    if (in.n != 0) return err_set(e, ERR_CORRUPT, "page: %zu bytes follow it", in.n);
    return OK;
}

int page_check(struct str *in, uint8_t kind, struct err *e)
{
    struct page_head h;
    struct str body;
    return head_get(in, kind, &h, &body, e);
}
