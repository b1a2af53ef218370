/* record_content.c - pages of long texts. */
#include "store/record_content.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/record_impl.h"

/* ---- writing ---- */

void record_content_init(struct record_content *c, struct page_packer *packer, struct buf *out,
                         const uint64_t *written)
{
    *c = (struct record_content){
        .packer = packer, .out = out, .written = written, .raw = BUF_INIT(PAGE_RAW_MAX)
    };
    map_init(&c->same, 64);
}

void record_content_release(struct record_content *c)
{
    buf_release(&c->raw);
    map_release(&c->same);
    mem_free(c->at);
}

static void place_add(struct record_content *c, size_t before)
{
    c->at = mem_grow(c->at, c->n, &c->cap, sizeof *c->at);
    c->at[c->n++] = (struct record_content_place){ *c->written + before, c->out->n - before };
    c->bytes += c->out->n - before;
}

void record_content_close(struct record_content *c)
{
    if (c->raw.n == 0) return;
    size_t before = c->out->n;
    page_put(c->packer, c->out, PAGE_RECORD_CONTENT, buf_view(&c->raw));
    place_add(c, before);
    buf_clear(&c->raw);
    map_clear(&c->same);
}

struct same_text {
    const struct record_content *content;
    struct str text;
};

static bool same_text(void *ctx, uint64_t offset)
{
    const struct same_text *s = ctx;
    const struct buf *raw = &s->content->raw;
    return offset + s->text.n <= raw->n && memcmp(raw->p + offset, s->text.p, s->text.n) == 0;
}

void record_content_add(struct record_content *c, struct str text, struct content_ref *ref)
{
    if (c->raw.n > 0 && c->raw.n + text.n > CONTENT_PAGE) record_content_close(c);
    uint64_t hash = hash64(text.p, text.n);
    struct same_text s = { c, text };
    const uint64_t *at = map_find(&c->same, hash, same_text, &s);
    *ref = (struct content_ref){ (uint32_t)c->n, at ? (uint32_t)*at : (uint32_t)c->raw.n, (uint32_t)text.n };
    if (at) return;
    map_add(&c->same, hash, c->raw.n);
    buf_str(&c->raw, text);
    check(!c->raw.full);
}

int record_content_copy(struct record_content *c, struct page_unpacker *u, struct str stored, uint64_t at,
                        struct err *e)
{
    record_content_close(c);
    size_t before = c->out->n;
    int rc = page_copy(c->packer, u, stored, at, c->out, e);
    if (rc == OK) place_add(c, before);
    return rc;
}

/* ---- reading ---- */

void content_reader_init(struct content_reader *r)
{
    *r = (struct content_reader){ 0 };
    for (size_t i = 0; i < COUNT(r->slot); i++) r->slot[i].raw = (struct buf)BUF_INIT(RECORD_PAGE_MAX);
}

void content_reader_release(struct content_reader *r)
{
    for (size_t i = 0; i < COUNT(r->slot); i++) buf_release(&r->slot[i].raw);
}

static int load(struct content_reader *r, const struct record_part *p, struct page_unpacker *u, uint64_t page,
                struct err *e)
{
    if (page >= p->n_contents)
        return err_set(e, ERR_CORRUPT, "content page %llu of %zu", (unsigned long long)page, p->n_contents);
    r->newest = !r->newest;
    r->slot[r->newest].page = 0;
    int rc = page_read(u, p->fd, p->contents[page].at, p->contents[page].bytes, PAGE_RECORD_CONTENT,
                       &r->slot[r->newest].raw, e);
    if (rc < 0) {
        err_where(e, "content page %llu", (unsigned long long)page);
        return rc;
    }
    r->slot[r->newest].page = page + 1;
    return OK;
}

int content_read(struct content_reader *r, const struct record_part *p, struct page_unpacker *u,
                 uint64_t page, const struct content_ref *ref, struct str *text, struct err *e)
{
    if (r->slot[!r->newest].page == page + 1) r->newest = !r->newest;
    if (r->slot[r->newest].page != page + 1) {
        int rc = load(r, p, u, page, e);
        if (rc < 0) return rc;
    }
    const struct buf *raw = &r->slot[r->newest].raw;
    if (ref->offset > raw->n || ref->length > raw->n - ref->offset)
        return err_set(e, ERR_CORRUPT, "content page %llu: a text lies outside", (unsigned long long)page);
    *text = str_make(raw->p + ref->offset, ref->length);
    return OK;
}
