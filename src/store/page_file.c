/* page_file.c - see page_file.h. */
#include "store/page_file.h"

#include <fcntl.h>

#include "base/file.h"
#include "base/mem.h"

#define WRITE_BYTES (256u << 10) /* collected before the disk is asked */

int page_file_open(struct page_file *f, const char *path, int zstd_level, struct str head, struct err *e)
{
    int fd = file_open(path, O_WRONLY | O_CREAT | O_EXCL, e);
    if (fd < 0) return fd;

    struct seal seal = seal_of(path);
    *f = (struct page_file){ .path = mem_strdup(path),
                             .fd = fd,
                             .head_bytes = head.n,
                             .packer = page_packer_new(zstd_level),
                             .out = BUF_INIT(SIZE_MAX / 4) };
    page_packer_seal(f->packer, &seal);
    buf_str(&f->out, head);
    return OK;
}

void page_file_release(struct page_file *f)
{
    page_packer_free(f->packer);
    buf_release(&f->out);
    mem_free(f->path);
}

void page_file_abandon(struct page_file *f)
{
    if (f->fd >= 0) file_close(f->fd, NULL);
    file_unlink(f->path, NULL);
    page_file_release(f);
}

uint64_t page_file_put(struct page_file *f, uint8_t kind, struct str raw)
{
    size_t before = f->out.n;
    page_put(f->packer, &f->out, kind, raw);
    return f->out.n - before;
}

int page_file_drain(struct page_file *f, struct err *e)
{
    size_t first = f->written == 0 ? f->head_bytes : 0;
    page_seal(f->packer, f->out.p + first, f->out.n - first, f->written + first);
    int rc = file_write(f->fd, f->out.p, f->out.n, e);
    if (rc < 0) return rc;
    f->written += f->out.n;
    buf_clear(&f->out);
    return OK;
}

int page_file_drain_much(struct page_file *f, struct err *e)
{
    return f->out.n >= WRITE_BYTES ? page_file_drain(f, e) : OK;
}

int page_file_seal_last(struct page_file *f, struct buf *last, struct err *e)
{
    int rc = page_file_drain(f, e);
    if (rc == OK) page_seal(f->packer, last->p, last->n, f->written);
    return rc;
}

int page_file_close(struct page_file *f, struct str last, struct err *e)
{
    int rc = file_write(f->fd, last.p, last.n, e);
    if (rc == OK) rc = file_sync(f->fd, e);
    if (rc < 0) return rc;
    f->written += last.n;
    rc = file_close(f->fd, e);
    f->fd = -1;
    return rc;
}
