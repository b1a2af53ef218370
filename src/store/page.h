/* page.h - a stretch of bytes on disk that knows its kind, its length and its checksum.
 *
 *     | kind u8 | wrap u8 | zero u16 | raw_len u32 | stored_len u32 | crc32c u32 | body |
 *
 * Little-endian. The checksum covers the first 12 bytes and the body, so a flipped bit anywhere is
 * noticed. `wrap` says how the body is compressed; a page that would not shrink is stored as it is.
 * Readers trust nothing: every length is checked against what is there and against the caller's
 * ceiling before memory is taken.
 *
 * In a store with a cipher pages are sealed: bit 0x80 of wrap, stored_len is CIPHER_OVERHEAD more, and the
 * checksum covers what is sealed, so that damage is found without the key. A page's place is bound into its
 * seal (seal.h), so it can be sealed only when that is known: page_put leaves room, page_seal fills it right
 * before the bytes are written. Bytes: docs/format-part.md. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/seal.h"

#define PAGE_HEAD_BYTES 16
#define PAGE_RAW_MAX    (64u << 20)                         /* no page of ours is larger */
#define PAGE_OVERHEAD   (PAGE_HEAD_BYTES + CIPHER_OVERHEAD) /* at most, beyond the raw bytes */

/* On disk: never renumber. */
enum page_kind {
    PAGE_RUNS = 1,    /* part: run directory of a block */
    PAGE_TIMES = 2,   /* part: time vectors of a block */
    PAGE_VALUES = 3,  /* part: values of a block */
    PAGE_INDEX = 4,   /* part: block index */
    PAGE_TOP = 5,     /* part: the index of the index pages */
    PAGE_SERIES = 16, /* 16..31 belong to the series index file (day_index.c) */

    PAGE_RECORD_BLOCK = 32,    /* 32..47: record parts; what a block's columns are */
    PAGE_RECORD_COLUMN = 33,   /* one column of a block */
    PAGE_RECORD_CONTENT = 34,  /* long texts, end to end */
    PAGE_RECORD_FILTER = 35,   /* a piece of a group's filter */
    PAGE_RECORD_INDEX = 36,    /* the blocks of a group */
    PAGE_RECORD_FIELDS = 37,   /* fields of the part and which column they have */
    PAGE_RECORD_CONTENTS = 38, /* where the content pages are */
    PAGE_RECORD_ORIGINS = 39,  /* distinct resources of the part */
    PAGE_RECORD_TOP = 40,      /* the groups */
};

/* ---- making ---- */

struct page_packer; /* compression state and scratch, reused from page to page; one thread each */
/* level: below 0 stores as is, 0 is LZ4, 1..19 is zstd. */
struct page_packer *page_packer_new(int level);
void page_packer_free(struct page_packer *);
/* Pages put from now on are for this file, and to be sealed when it is. */
void page_packer_seal(struct page_packer *, const struct seal *);

/* Append raw to out as one page. raw.n <= PAGE_RAW_MAX. (out->full tells when out's ceiling was
 * hit.) */
void page_put(struct page_packer *, struct buf *out, uint8_t kind, struct str raw);

/* Seal pages that lie end to end and are about to be written at `at` of the packer's file; nothing to do when
 * that is not sealed. Once only. */
void page_seal(struct page_packer *, char *pages, size_t n, uint64_t at);

/* ---- reading ---- */

struct page_unpacker; /* likewise; one thread each */
struct page_unpacker *page_unpacker_new(void);
void page_unpacker_free(struct page_unpacker *);
/* Pages read from now on are of this file. */
void page_unpacker_seal(struct page_unpacker *, const struct seal *);

/* Bytes of the page that starts `in` (head and body), by its head alone; 0 when in is too short for
 * a head. */
uint64_t page_bytes(struct str in);

/* The page at the start of *in, checked and unwrapped into out (cleared first; out->max is the
 * ceiling for raw bytes). *in steps past the page. ERR_CORRUPT for anything that is not a whole,
 * sound page of this kind, ERR_LIMIT above the ceiling. */
int page_get(struct page_unpacker *, struct str *in, uint8_t kind, struct buf *out, struct err *);
/* The same of bytes that were read from `at` of the unpacker's file, which may be sealed. */
int page_get_at(struct page_unpacker *, struct str *in, uint64_t at, uint8_t kind, struct buf *out,
                struct err *);

/* Like page_get for a page of exactly n bytes (head and body) at offset `at` of a file. */
int page_read(struct page_unpacker *, int fd, uint64_t at, size_t n, uint8_t kind, struct buf *out,
              struct err *);

/* Checksum and head only, nothing unwrapped; *in steps past the page. */
int page_check(struct str *in, uint8_t kind, struct err *);
/* Likewise, of whatever kind. */
int page_check_any(struct str *in, struct err *);

/* Append pages that lie end to end at `at` of the unpacker's file as page_put would have: compressed as they
 * are, to be sealed for the packer's file. */
int page_copy(struct page_packer *, struct page_unpacker *, struct str pages, uint64_t at, struct buf *out,
              struct err *);
