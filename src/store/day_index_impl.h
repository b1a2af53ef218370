/* day_index_impl.h - the inside of a day's index file: its bytes, its directory in memory, its cached pages.
 *
 *     | header 16 | series pages | postings pages | pair pages | directory pages | footer 64 |
 *
 * Rows are the series in order of their keys; pairs are numbered in order of (name, value), so the
 * pairs of a name are a range and a row's pairs rise. Only footer and directory are read at open.
 * Bytes: docs/format-part.md.
 *
 * Always true of an opened index:
 *   1. Pages of the three kinds follow one another without gaps and fill the file up to the directory.
 *   2. Rows of the series pages add up to n_series, pairs of the pair pages and of the names to n_pairs.
 *   3. A decoded page has been checked: its numbers lie within the index, its rows and pairs rise.
 * Threads: immutable but for the cached pages, which the cache's lock guards (day_index_pages.c); a
 * pinned page stays until it is let go. */
#pragma once
#include "store/bytes.h"
#include "store/day_index.h"
#include "store/page.h"

#define DAY_INDEX_MAGIC        "VDTSIDX1"
#define DAY_INDEX_VERSION      1
#define DAY_INDEX_HEADER_BYTES 16
#define DAY_INDEX_FOOTER_BYTES 64

#define SERIES_PAGE_BYTES    (32u << 10) /* cut when the raw bytes reach this */
#define POSTINGS_PAGE_BYTES  (64u << 10) /* exactly, but for the last */
#define PAIR_PAGE_BYTES      (16u << 10)
#define DIRECTORY_PAGE_BYTES (1u << 20)
#define PAGE_BYTES_MAX       (512u << 10) /* raw, of all but the directory; a large value may overshoot */
#define FIRST_VALUE_BYTES    32           /* of a pair page's first value, kept in the directory */

enum index_page_kind { /* on disk */
                       INDEX_SERIES = PAGE_SERIES,
                       INDEX_POSTINGS,
                       INDEX_PAIRS,
                       INDEX_DIRECTORY,
};

struct index_name {
    struct str text;
    uint32_t first_pair, n_pairs;
};

struct index_page {           /* one line of the directory */
    uint64_t at;              /* offset in the file */
    uint32_t bytes;           /* head and body */
    uint32_t first, n;        /* rows or pairs; unused for postings */
    series_key first_key;     /* series pages */
    struct str first_value;   /* pair pages: cut to FIRST_VALUE_BYTES */
    uint32_t first_value_len; /* uncut */
};

/* ---- decoded pages ---- */

struct pair_entry {
    struct str value;
    uint64_t postings_at; /* in the stream of postings */
    uint32_t postings_bytes, count;
};

struct pair_line {                  /* a pair as a page keeps it; one more line at the end closes the last */
    uint32_t value_at, postings_at; /* in raw; after the page's first posting */
    uint32_t count;
};

struct cached_page {
    struct cached_page *next, *previous; /* in the cache's ring */
    struct cached_page **slot;           /* in its index */
    uint32_t refs;                       /* the cache's own is one of them */
    bool recent;
    size_t bytes;
    struct buf raw;
    /* series page */
    series_key *keys;
    uint32_t *starts, *pairs; /* pairs of row i of the page: [starts[i], starts[i + 1]) */
    /* pair page */
    struct pair_line *lines;
    uint64_t postings_at;
};

struct day_index {
    char *path;
    int fd;
    struct seal seal;
    uint32_t n_series, n_pairs, n_names;
    uint64_t postings_bytes; /* raw length of the stream */
    struct arena arena;      /* the directory's */
    struct index_name *names;
    struct index_page *pages; /* series, postings, pairs */
    uint32_t n_pages, n_series_pages, n_postings_pages, n_pair_pages;

    struct cached_page **cached; /* by page; the cache's lock */
};

/* The page, pinned: let it go. Decoded and checked when it was not in the cache. */
int day_index_pin(const struct day_index *, uint32_t page, struct cached_page **out, struct err *);
void day_index_unpin(struct cached_page *); /* NULL is fine */
void day_index_uncache(struct day_index *); /* all its pages; none is pinned */

/* ---- a reader: one thread, keeps the pages it looked at last ---- */

struct index_reader {
    const struct day_index *d;
    struct cached_page *series, *pairs;
    uint32_t series_no, pairs_no; /* page numbers of those */
    uint32_t unread;              /* the page that the last call failed on */
};

static inline void index_reader_init(struct index_reader *r, const struct day_index *d)
{
    *r = (struct index_reader){ .d = d };
}
void index_reader_release(struct index_reader *);

/* Borrowed until the next call for a row (pair) of another page. */
int index_reader_row(struct index_reader *, uint32_t row, series_key *key, const uint32_t **pairs,
                     uint32_t *n, struct err *);
int index_reader_pair(struct index_reader *, uint32_t pair, struct pair_entry *out, struct err *);
int index_reader_labels(struct index_reader *, uint32_t row, series_key *key, struct arena *,
                        struct labels *out, struct err *); /* copied */
int index_reader_find_key(struct index_reader *, series_key key, uint32_t *row,
                          struct err *); /* ERR_FIND when not here */
/* The first pair of the name whose value is >= value (first_pair + n_pairs when none). */
int index_reader_lower(struct index_reader *, const struct index_name *, struct str value, uint32_t *pair,
                       struct err *);
/* Rows of a pair, sorted, checked; room for entry->count. scratch holds bytes that span pages. */
int index_reader_postings(struct index_reader *, const struct pair_entry *, struct arena *scratch,
                          uint32_t *rows, struct err *);

/* ---- damaged pages (day_index_sound.c) ---- */

/* The call is told that a page cannot be read; rc is what reading it came to. NULL: rc stays. */
int day_index_leave_out(const struct day_index *, uint32_t page, const struct call *, int rc, struct err *);
/* Labels of rows as far as the sound pages tell them. */
struct index_sound {
    struct index_reader reader;
    const struct call *call; /* told of pages that cannot be read; NULL: then it fails */
    struct arena *arena;
    struct str *value;     /* of each pair; p NULL: on a damaged page */
    uint32_t row;          /* the next one */
    uint64_t unread_pages; /* met so far */
    uint64_t untold_rows;  /* passed over, those on damaged pages and those with labels there */
};
int index_sound_open(struct index_sound *, const struct day_index *, const struct call *, struct arena *,
                     struct err *);
void index_sound_close(struct index_sound *);
/* The next row that can be read: 1, or 0 at the end. Labels that cannot be told have an empty value, and then
 * *is_whole is false. labels: room for LABELS_MAX. pairs (may be NULL): borrowed until the next call. */
int index_sound_next(struct index_sound *, series_key *, struct label *labels, size_t *n, bool *is_whole,
                     const uint32_t **pairs, struct err *);
/* day_index_select by looking at every series. */
int index_sound_select(const struct day_index *, const struct matcher *, size_t n, struct call *,
                       series_key **out, size_t *n_out, struct err *);

const struct index_name *day_index_name(const struct day_index *, struct str name); /* NULL when absent */
const struct index_name *day_index_name_of(const struct day_index *, uint32_t pair);
