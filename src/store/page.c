/* page.c - bytes wrapped, measured and checked; see page.h for the picture.
 *
 * Always true:
 *   1. What page_put wrote, page_get gives back byte for byte.
 *   2. No byte of a page is believed before the checksum over head and body has matched; lengths
 *      that say where the body ends are only compared with what is there.
 *   3. A sealed page is unwrapped only when its seal was right; in a sealed file every page must be sealed.
 *   4. Unwrapping never writes past raw_len, and raw_len never exceeds the caller's ceiling. */
#include "store/page.h"

#include <lz4.h>
#include <string.h>
#include <zstd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/crc32c.h"

enum wrap { WRAP_NONE, WRAP_LZ4, WRAP_ZSTD };
#define SEALED 0x80u /* beside it */
#define NONCE  12u   /* room before a body to be sealed; the rest of CIPHER_OVERHEAD follows it */

/* Compressing must save at least 1/32, else unwrapping is work for nothing. */
#define WORTH(raw, stored) ((stored) + (raw) / 32 < (raw))

struct page_head {
    uint8_t kind, wrap;
    bool is_sealed;
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
    struct buf wrapped, sealed;
    struct cipher_user *user; /* NULL: not sealed */
    struct seal seal;
};

/* A user of the seal's cipher instead of what there was. */
static void user_change(struct cipher_user **user, struct seal *had, const struct seal *now)
{
    if (had->cipher != now->cipher) {
        cipher_user_free(*user);
        *user = now->cipher ? cipher_user_new(now->cipher) : NULL;
    }
    *had = *now;
}

struct page_packer *page_packer_new(int level)
{
    struct page_packer *p = mem_alloc_zero(sizeof *p);
    p->level = level;
    p->wrapped = p->sealed = (struct buf)BUF_INIT(SIZE_MAX / 4);
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
    buf_release(&p->sealed);
    cipher_user_free(p->user);
    mem_free(p);
}

void page_packer_seal(struct page_packer *p, const struct seal *seal)
{
    user_change(&p->user, &p->seal, seal);
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

static void head_put(unsigned char head[PAGE_HEAD_BYTES], const struct page_head *h)
{
    head[0] = h->kind;
    head[1] = (unsigned char)(h->wrap | (h->is_sealed ? SEALED : 0));
    head[2] = head[3] = 0;
    store_u32(head + 4, h->raw_len);
    store_u32(head + 8, h->stored_len);
}

/* Sealed or to be sealed, when the packer's file is. */
static void body_put(struct page_packer *p, struct buf *out, struct page_head h, struct str body)
{
    static const char room[CIPHER_OVERHEAD];
    unsigned char head[PAGE_HEAD_BYTES] = { 0 };
    h.is_sealed = p->user != NULL;
    h.stored_len = (uint32_t)body.n + (h.is_sealed ? CIPHER_OVERHEAD : 0);
    head_put(head, &h);
    if (!h.is_sealed) store_u32(head + 12, crc32c(crc32c(0, head, 12), body.p, body.n));
    buf_add(out, head, sizeof head);
    if (h.is_sealed) buf_add(out, room, NONCE);
    buf_add(out, body.p, body.n);
    if (h.is_sealed) buf_add(out, room, CIPHER_OVERHEAD - NONCE);
}

void page_put(struct page_packer *p, struct buf *out, uint8_t kind, struct str raw)
{
    check(raw.n <= PAGE_RAW_MAX);
    enum wrap wrap;
    struct str body = wrap_body(p, raw, &wrap);
    body_put(p, out, (struct page_head){ .kind = kind, .wrap = (uint8_t)wrap, .raw_len = (uint32_t)raw.n },
             body);
}

static struct cipher_place place_of(const struct page_head *h, const struct seal *seal, uint64_t at)
{
    return (struct cipher_place){ .what = CIPHER_PAGE,
                                  .kind = h->kind,
                                  .form = h->wrap,
                                  .length = h->raw_len,
                                  .file = seal->file,
                                  .at = at };
}

/* The page at `page`; its bytes on disk. */
static size_t seal_one(struct page_packer *p, char *page, uint64_t at)
{
    struct page_head h = { .kind = (uint8_t)page[0],
                           .wrap = (uint8_t)page[1] & (uint8_t)~SEALED,
                           .raw_len = load_u32(page + 4),
                           .stored_len = load_u32(page + 8) };
    char *body = page + PAGE_HEAD_BYTES;
    struct cipher_place place = place_of(&h, &p->seal, at);
    buf_clear(&p->sealed);
    cipher_seal(p->user, &place, str_make(body + NONCE, h.stored_len - CIPHER_OVERHEAD), &p->sealed);
    check(p->sealed.n == h.stored_len);
    memcpy(body, p->sealed.p, h.stored_len);
    store_u32((unsigned char *)page + 12, crc32c(crc32c(0, page, 12), body, h.stored_len));
    return PAGE_HEAD_BYTES + (size_t)h.stored_len;
}

void page_seal(struct page_packer *p, char *pages, size_t n, uint64_t at)
{
    if (p->user == NULL) return;
    for (size_t i = 0; i < n; i += seal_one(p, pages + i, at + i))
        check(n - i >= PAGE_OVERHEAD && ((unsigned char)pages[i + 1] & SEALED));
}

/* ---- reading ---- */

struct page_unpacker {
    ZSTD_DCtx *zstd;
    struct buf stored, opened; /* of page_read; a body whose seal was right */
    struct cipher_user *user;  /* NULL: not sealed */
    struct seal seal;
};

struct page_unpacker *page_unpacker_new(void)
{
    struct page_unpacker *u = mem_alloc_zero(sizeof *u);
    u->stored = u->opened = (struct buf)BUF_INIT(PAGE_RAW_MAX + PAGE_OVERHEAD);
    return u;
}

void page_unpacker_free(struct page_unpacker *u)
{
    if (u == NULL) return;
    ZSTD_freeDCtx(u->zstd);
    buf_release(&u->stored);
    buf_release(&u->opened);
    cipher_user_free(u->user);
    mem_free(u);
}

void page_unpacker_seal(struct page_unpacker *u, const struct seal *seal)
{
    user_change(&u->user, &u->seal, seal);
}

uint64_t page_bytes(struct str in)
{
    return in.n < PAGE_HEAD_BYTES ? 0 : PAGE_HEAD_BYTES + (uint64_t)load_u32(in.p + 8);
}

/* Checks everything that can be checked without unwrapping; *in steps past the page, *body is its
 * body. */
static int head_get(struct str *in, struct page_head *h, struct str *body, struct err *e)
{
    if (in->n < PAGE_HEAD_BYTES)
        return err_set(e, ERR_CORRUPT, "page: %zu bytes are too few for a head", in->n);
    unsigned wrap = (unsigned char)in->p[1];
    *h = (struct page_head){ .kind = (uint8_t)in->p[0],
                             .wrap = (uint8_t)(wrap & ~SEALED),
                             .is_sealed = wrap & SEALED,
                             .raw_len = load_u32(in->p + 4),
                             .stored_len = load_u32(in->p + 8),
                             .crc = load_u32(in->p + 12) };
    if (h->stored_len > in->n - PAGE_HEAD_BYTES)
        return err_set(e, ERR_CORRUPT, "page: body of %u bytes where %zu are left", h->stored_len,
                       in->n - PAGE_HEAD_BYTES);
    *body = str_make(in->p + PAGE_HEAD_BYTES, h->stored_len);
    if (crc32c(crc32c(0, in->p, 12), body->p, body->n) != h->crc)
        return err_set(e, ERR_CORRUPT, "page: wrong checksum");
    if (in->p[2] != 0 || in->p[3] != 0) return err_set(e, ERR_CORRUPT, "page: reserved bytes are not zero");
    if (h->wrap > WRAP_ZSTD) return err_set(e, ERR_CORRUPT, "page: unknown compression %u", h->wrap);
    if (h->raw_len > PAGE_RAW_MAX)
        return err_set(e, ERR_CORRUPT, "page: %u raw bytes are too many", h->raw_len);
    uint32_t overhead = h->is_sealed ? CIPHER_OVERHEAD : 0;
    if (h->stored_len < overhead || (h->wrap == WRAP_NONE && h->raw_len != h->stored_len - overhead))
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

/* The body as the packer compressed it. */
static int body_open(struct page_unpacker *u, const struct page_head *h, uint64_t at, struct str *body,
                     struct err *e)
{
    if (!h->is_sealed && u->user == NULL) return OK;
    if (!h->is_sealed) return err_set(e, ERR_CORRUPT, "page: not sealed, in a store that is");
    if (u->user == NULL) return err_set(e, ERR_UNSUPPORTED, "page: sealed, and the key is not here");
    struct cipher_place place = place_of(h, &u->seal, at);
    buf_clear(&u->opened);
    int rc = cipher_unseal(u->user, &place, *body, &u->opened, e);
    *body = str_make(u->opened.p, u->opened.n);
    return rc;
}

static int unwrap_to(struct page_unpacker *u, const struct page_head *h, struct str body, struct buf *out,
                     struct err *e)
{
    buf_clear(out);
    if (h->raw_len == 0) return body.n > 0 ? err_set(e, ERR_CORRUPT, "page: lengths disagree") : OK;
    char *to = buf_room(out, h->raw_len);
    if (to == NULL)
        return err_set(e, ERR_LIMIT, "page: %u raw bytes are above the ceiling of %zu", h->raw_len, out->max);
    if (!unwrap(u, h->wrap, body, to, h->raw_len))
        return err_set(e, ERR_CORRUPT, "page: body does not decompress");
    buf_added(out, h->raw_len);
    return OK;
}

static int kind_check(const struct page_head *h, uint8_t kind, struct err *e)
{
    return h->kind == kind ? OK : err_set(e, ERR_CORRUPT, "page: kind %u where %u belongs", h->kind, kind);
}

int page_get_at(struct page_unpacker *u, struct str *in, uint64_t at, uint8_t kind, struct buf *out,
                struct err *e)
{
    struct page_head h;
    struct str rest = *in, body;
    int rc = head_get(&rest, &h, &body, e);
    if (rc == OK) rc = kind_check(&h, kind, e);
    if (rc == OK) rc = body_open(u, &h, at, &body, e);
    if (rc == OK) rc = unwrap_to(u, &h, body, out, e);
    if (rc == OK) *in = rest;
    return rc;
}

int page_get(struct page_unpacker *u, struct str *in, uint8_t kind, struct buf *out, struct err *e)
{
    return page_get_at(u, in, 0, kind, out, e);
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
    if ((rc = page_get_at(u, &in, at, kind, out, e)) < 0) return rc;
    if (in.n != 0) return err_set(e, ERR_CORRUPT, "page: %zu bytes follow it", in.n);
    return OK;
}

int page_check_any(struct str *in, struct err *e)
{
    struct page_head h;
    struct str body;
    return head_get(in, &h, &body, e);
}

int page_check(struct str *in, uint8_t kind, struct err *e)
{
    struct page_head h;
    struct str rest = *in, body;
    int rc = head_get(&rest, &h, &body, e);
    if (rc == OK) rc = kind_check(&h, kind, e);
    if (rc == OK) *in = rest;
    return rc;
}

int page_copy(struct page_packer *p, struct page_unpacker *u, struct str pages, uint64_t at, struct buf *out,
              struct err *e)
{
    for (struct str in = pages; in.n > 0;) {
        struct page_head h;
        struct str body;
        uint64_t here = at + (pages.n - in.n);
        int rc = head_get(&in, &h, &body, e);
        if (rc == OK) rc = body_open(u, &h, here, &body, e);
        if (rc < 0) return rc;
        body_put(p, out, h, body);
    }
    return OK;
}
