/* record_content.h - long texts, kept apart from the rows: collected into pages of about CONTENT_PAGE bytes,
 * read one page at a time when somebody asks.
 *
 * Texts come in key order, so the messages that a conversation repeats lie side by side and compress away;
 * the same text within a page is kept once. Pages are numbered from 0; a block's pages follow each other. */
#pragma once
#include "base/map.h"
#include "store/record_attrs.h"
#include "store/record_format.h"

struct record_content { /* writing */
    struct page_packer *packer;
    struct buf *out;         /* the file's bytes not yet written ... */
    const uint64_t *written; /* ... and how many are */
    struct buf raw;          /* the open page: number n */
    struct map same;         /* texts of it by hash: offset */
    struct record_content_place *at;
    size_t n, cap;
    uint64_t bytes; /* stored */
};
void record_content_init(struct record_content *, struct page_packer *, struct buf *out,
                         const uint64_t *written);
void record_content_release(struct record_content *);
/* ref->page is the number in the part. */
void record_content_add(struct record_content *, struct str text, struct content_ref *ref);
void record_content_close(struct record_content *); /* the open page, if any, is full */
/* A page of another part as it is, read from `at` of the unpacker's file; the open page is closed before. */
int record_content_copy(struct record_content *, struct page_unpacker *, struct str stored, uint64_t at,
                        struct err *);

/* ---- reading ---- */

struct content_reader { /* one thread */
    struct {
        struct buf raw;
        uint64_t page; /* + 1; 0: none */
    } slot[2];
    unsigned newest;
};
void content_reader_init(struct content_reader *);
void content_reader_release(struct content_reader *);
/* Page as numbered in the part. *text is good until the next call but one. */
int content_read(struct content_reader *, const struct record_part *, struct page_unpacker *, uint64_t page,
                 const struct content_ref *, struct str *text, struct err *);
