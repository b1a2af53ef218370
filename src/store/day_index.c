/* day_index.c - opening a day's index file: footer, then directory, checked against each other;
 * nothing else is read yet. */
#include "store/day_index_impl.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/crc32c.h"

#define DIRECTORY_MAX (1u << 30)

struct footer {
    uint64_t directory_at, directory_bytes, directory_raw, n_series, n_pairs, n_names;
};

/* ---- footer ---- */

static int footer_parse(const char *p, uint64_t file_bytes, struct footer *f, struct err *e)
{
    struct bytes in = bytes_of(str_make(p, DAY_INDEX_FOOTER_BYTES));
    *f = (struct footer){ .directory_at = bytes_u64(&in) };
    f->directory_bytes = bytes_u64(&in);
    f->directory_raw = bytes_u64(&in);
    f->n_series = bytes_u64(&in);
    f->n_pairs = bytes_u64(&in);
    f->n_names = bytes_u64(&in);
    uint32_t version = bytes_u32(&in), crc = bytes_u32(&in);

    if (memcmp(p + 56, DAY_INDEX_MAGIC, 8) != 0)
        return err_set(e, ERR_CORRUPT, "no footer: not an index file, or cut short");
    if (crc != crc32c(0, p, 48)) return err_set(e, ERR_CORRUPT, "footer: wrong checksum");
    if (version != DAY_INDEX_VERSION)
        return err_set(e, ERR_CORRUPT, "footer: unknown version %" PRIu32, version);
    if (f->directory_at < DAY_INDEX_HEADER_BYTES ||
        f->directory_bytes > file_bytes - DAY_INDEX_FOOTER_BYTES ||
        f->directory_at != file_bytes - DAY_INDEX_FOOTER_BYTES - f->directory_bytes)
        return err_set(e, ERR_CORRUPT, "footer: the directory is not where it must be");
    if (f->directory_raw > DIRECTORY_MAX || f->n_series > INT32_MAX || f->n_pairs > INT32_MAX ||
        f->n_names > f->n_pairs)
        return err_set(e, ERR_CORRUPT, "footer: counts are out of range");
    return OK;
}

static int footer_read(struct day_index *d, struct footer *f, struct err *e)
{
    static const char header[DAY_INDEX_HEADER_BYTES] = { 'V', 'D', 'T',
                                                         'S', 'I', 'D',
                                                         'X', '1', DAY_INDEX_VERSION };
    char head[DAY_INDEX_HEADER_BYTES], foot[DAY_INDEX_FOOTER_BYTES];
    int64_t size = file_size(d->fd, e);
    int rc;
    if (size < 0) return (int)size;
    if (size < DAY_INDEX_HEADER_BYTES + DAY_INDEX_FOOTER_BYTES)
        return err_set(e, ERR_CORRUPT, "too short for an index file");
    if ((rc = file_read_at(d->fd, head, sizeof head, 0, e)) < 0) return rc;
    if (memcmp(head, header, sizeof head) != 0)
        return err_set(e, ERR_CORRUPT, "header: not an index file of this version");
    if ((rc = file_read_at(d->fd, foot, sizeof foot, (uint64_t)size - sizeof foot, e)) < 0) return rc;
    return footer_parse(foot, (uint64_t)size, f, e);
}

/* ---- directory ---- */

static int directory_read(struct day_index *d, const struct footer *f, struct buf *out, struct err *e)
{
    struct buf stored = BUF_INIT(SIZE_MAX / 4), page = BUF_INIT(DIRECTORY_PAGE_BYTES);
    struct page_unpacker *unpacker = page_unpacker_new();
    page_unpacker_seal(unpacker, &d->seal);
    char *to = buf_room(&stored, f->directory_bytes + 1);
    int rc = file_read_at(d->fd, to, f->directory_bytes, f->directory_at, e);
    struct str left = str_make(to, f->directory_bytes);
    while (rc == OK && left.n > 0) {
        rc = page_get_at(unpacker, &left, f->directory_at + f->directory_bytes - left.n, INDEX_DIRECTORY,
                         &page, e);
        if (rc == OK && out->n + page.n > f->directory_raw)
            rc = err_set(e, ERR_CORRUPT, "longer than the footer says");
        if (rc == OK) buf_str(out, buf_view(&page));
    }
    if (rc == OK && out->n != f->directory_raw) rc = err_set(e, ERR_CORRUPT, "shorter than the footer says");
    page_unpacker_free(unpacker);
    buf_release(&stored);
    buf_release(&page);
    return rc;
}

static int names_parse(struct day_index *d, struct bytes *in, struct err *e)
{
    uint64_t first = 0;
    if (d->n_names > bytes_left(in)) return err_set(e, ERR_CORRUPT, "more names than bytes");
    d->names = arena_array(&d->arena, d->n_names + 1u, sizeof *d->names);
    for (uint32_t i = 0; i < d->n_names; i++) {
        struct str text = bytes_str(in);
        uint64_t n = bytes_varint(in);
        if (in->failed || text.n == 0 || text.n > LABEL_NAME_MAX || n == 0 || n > d->n_pairs - first)
            return err_set(e, ERR_CORRUPT, "label name %" PRIu32 " is not well formed", i);
        if (i > 0 && str_cmp(d->names[i - 1].text, text) >= 0)
            return err_set(e, ERR_CORRUPT, "label names do not rise");
        d->names[i] = (struct index_name){ arena_str(&d->arena, text), (uint32_t)first, (uint32_t)n };
        first += n;
    }
    return first == d->n_pairs ? OK : err_set(e, ERR_CORRUPT, "the names' pairs do not add up");
}

/* Where the next page is, how long, and (but for postings) how many things it holds. */
static int page_parse(struct bytes *in, struct index_page *p, uint64_t *at, uint64_t end, uint32_t *first,
                      uint32_t limit, struct err *e)
{
    uint64_t bytes = bytes_varint(in), n = limit ? bytes_varint(in) : 0;
    if (in->failed || bytes < PAGE_HEAD_BYTES || bytes > end - *at || bytes > UINT32_MAX)
        return err_set(e, ERR_CORRUPT, "a page lies outside of its place");
    if (limit && (n == 0 || n > limit - *first))
        return err_set(e, ERR_CORRUPT, "the pages' rows or pairs do not add up");
    *p = (struct index_page){ .at = *at, .bytes = (uint32_t)bytes, .first = *first, .n = (uint32_t)n };
    *at += bytes;
    *first += (uint32_t)n;
    return OK;
}

static int series_page_parse(struct bytes *in, struct index_page *p, series_key *previous, struct err *e)
{
    uint64_t step = bytes_varint(in);
    if (in->failed || (p->first > 0 && step == 0) || __builtin_add_overflow(*previous, step, previous))
        return err_set(e, ERR_CORRUPT, "series pages do not rise");
    p->first_key = *previous;
    return OK;
}

static int pair_page_parse(struct day_index *d, struct bytes *in, struct index_page *p, struct err *e)
{
    uint64_t len = bytes_varint(in);
    struct str cut = bytes_take(in, MIN(len, FIRST_VALUE_BYTES));
    if (in->failed || len > LABEL_VALUE_MAX)
        return err_set(e, ERR_CORRUPT, "the first value of a page is not well formed");
    p->first_value = arena_str(&d->arena, cut);
    p->first_value_len = (uint32_t)len;
    return OK;
}

/* One of the three lists of pages, onto the end of d->pages. limit 0: postings. */
static int pages_parse(struct day_index *d, struct bytes *in, enum index_page_kind kind, uint32_t limit,
                       uint64_t *at, uint64_t end, size_t *cap, uint32_t *n_out, struct err *e)
{
    uint64_t n = bytes_varint(in);
    uint32_t first = 0;
    series_key previous = 0;
    if (in->failed || n > bytes_left(in)) return err_set(e, ERR_CORRUPT, "more pages than bytes");
    for (uint64_t i = 0; i < n; i++) {
        d->pages = mem_grow(d->pages, d->n_pages, cap, sizeof *d->pages);
        struct index_page *p = &d->pages[d->n_pages];
        int rc = page_parse(in, p, at, end, &first, limit, e);
        if (rc == OK && kind == INDEX_SERIES) rc = series_page_parse(in, p, &previous, e);
        if (rc == OK && kind == INDEX_PAIRS) rc = pair_page_parse(d, in, p, e);
        if (rc < 0) return rc;
        d->n_pages++;
    }
    *n_out = (uint32_t)n;
    return limit == 0 || first == limit ? OK
                                        : err_set(e, ERR_CORRUPT, "the pages' rows or pairs do not add up");
}

static int directory_parse(struct day_index *d, const struct footer *f, struct str raw, struct err *e)
{
    struct bytes in = bytes_of(raw);
    uint64_t at = DAY_INDEX_HEADER_BYTES, end = f->directory_at;
    size_t cap = 0;
    int rc = names_parse(d, &in, e);
    if (rc < 0) return rc;
    d->postings_bytes = bytes_varint(&in);
    if ((rc = pages_parse(d, &in, INDEX_SERIES, d->n_series, &at, end, &cap, &d->n_series_pages, e)) < 0)
        return rc;
    if ((rc = pages_parse(d, &in, INDEX_POSTINGS, 0, &at, end, &cap, &d->n_postings_pages, e)) < 0) return rc;
    if ((rc = pages_parse(d, &in, INDEX_PAIRS, d->n_pairs, &at, end, &cap, &d->n_pair_pages, e)) < 0)
        return rc;
    if (in.failed || bytes_left(&in) != 0) return err_set(e, ERR_CORRUPT, "bytes follow the directory");
    if (at != end) return err_set(e, ERR_CORRUPT, "the pages do not fill the file");
    if (d->postings_bytes > (uint64_t)d->n_postings_pages * POSTINGS_PAGE_BYTES ||
        (d->postings_bytes + POSTINGS_PAGE_BYTES - 1) / POSTINGS_PAGE_BYTES != d->n_postings_pages)
        return err_set(e, ERR_CORRUPT, "the postings do not fill their pages");
    return OK;
}

/* An index of no series has no pages; the zero limit then means none, not "postings". */
static int directory_load(struct day_index *d, const struct footer *f, struct err *e)
{
    struct buf raw = BUF_INIT(DIRECTORY_MAX);
    d->n_series = (uint32_t)f->n_series;
    d->n_pairs = (uint32_t)f->n_pairs;
    d->n_names = (uint32_t)f->n_names;
    int rc = directory_read(d, f, &raw, e);
    if (rc == OK) rc = directory_parse(d, f, buf_view(&raw), e);
    if (rc == OK && d->n_series == 0 && d->n_pages > 0) rc = err_set(e, ERR_CORRUPT, "pages without series");
    if (rc == OK && (d->n_series == 0) != (d->n_pairs == 0))
        rc = err_set(e, ERR_CORRUPT, "series without labels");
    if (rc < 0) err_where(e, "directory");
    buf_release(&raw);
    return rc;
}

/* ---- life ---- */

int day_index_open(const char *path, struct day_index **out, struct err *e)
{
    struct footer f = { 0 };
    int fd = file_open(path, O_RDONLY, e);
    if (fd < 0) return fd;

    struct day_index *d = mem_alloc_zero(sizeof *d);
    d->fd = fd;
    d->path = mem_strdup(path);
    d->seal = seal_of(path);
    d->arena = (struct arena)ARENA_INIT(SIZE_MAX);
    int rc = footer_read(d, &f, e);
    if (rc == OK) rc = directory_load(d, &f, e);
    if (rc < 0) {
        err_where(e, "index file %s", path);
        day_index_close(d);
        return rc;
    }
    d->cached = mem_array(d->n_pages + 1u, sizeof *d->cached);
    *out = d;
    return OK;
}

void day_index_close(struct day_index *d)
{
    if (d == NULL) return;
    if (d->cached != NULL) day_index_uncache(d);
    file_close(d->fd, NULL);
    arena_release(&d->arena);
    mem_free(d->cached);
    mem_free(d->path);
    mem_free(d->pages);
    mem_free(d);
}

uint64_t day_index_series(const struct day_index *d)
{
    return d->n_series;
}
