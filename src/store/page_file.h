/* page_file.h - a file of pages while it is written from front to back: a header, pages, at the end a top
 * page and a footer. What the pages say is the writers' affair (part_writer.c, record_writer.c,
 * day_index_write.c).
 *
 * Always true: until page_file_close has answered OK the file is not to be listed anywhere; one that is
 * abandoned is removed. Threads: one. */
#pragma once
#include "store/page.h"

struct page_file {
    char *path;
    int fd; /* < 0: closed */
    size_t head_bytes;
    struct page_packer *packer;
    struct buf out;   /* bytes that follow: */
    uint64_t written; /* those handed to the disk */
};

/* A new file that begins with the header, which is no page. */
int page_file_open(struct page_file *, const char *path, int zstd_level, struct str head, struct err *);
void page_file_release(struct page_file *); /* after page_file_close */
void page_file_abandon(struct page_file *); /* and instead of it */

static inline uint64_t page_file_here(const struct page_file *f)
{
    return f->written + f->out.n;
}

/* Appends a page; how many bytes it takes. */
uint64_t page_file_put(struct page_file *, uint8_t kind, struct str raw);
/* All that has gathered goes to the disk; or only when that is much. */
int page_file_drain(struct page_file *, struct err *);
int page_file_drain_much(struct page_file *, struct err *);
/* Drains; pages that lie in `last` are then made what they must be right behind. */
int page_file_seal_last(struct page_file *, struct buf *last, struct err *);
/* Writes the last bytes, syncs, closes. */
int page_file_close(struct page_file *, struct str last, struct err *);
