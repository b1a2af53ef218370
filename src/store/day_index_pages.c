/* day_index_pages.c - pages of an index file, decoded, checked, and kept while they are wanted.
 *
 * The cache holds decoded pages up to CACHE_BYTES and lets the least recently asked for go (a clock hand over the page
 * numbers). A page in use is never freed: every pin counts. Reading and decoding happen outside the lock; when two
 * threads decode the same page, the first to finish is kept. */
#include <inttypes.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/day_index_impl.h"

#define CACHE_BYTES (4u << 20)

/* ---- decoding ---- */

static int broken(struct err *e, const char *what)
{
    return err_set(e, ERR_CORRUPT, "%s", what);
}

/* The pairs of one row: they rise, and there is at least one. */
static int row_decode(const struct day_index *d, struct bytes *in, uint32_t *last, uint32_t *pairs, size_t *n, struct err *e)
{
    uint64_t count = bytes_varint(in);
    if (in->failed || count == 0 || count > LABELS_MAX || count > bytes_left(in)) return broken(e, "a row has no labels, or too many");
    for (uint64_t i = 0; i < count; i++) {
        int64_t pair;
        if (__builtin_add_overflow((int64_t)last[i], unzigzag(bytes_varint(in)), &pair) || in->failed) return broken(e, "a row is cut");
        if (pair < 0 || pair >= d->n_pairs || (i > 0 && (uint32_t)pair <= last[i - 1])) return broken(e, "the pairs of a row do not rise");
        pairs[(*n)++] = last[i] = (uint32_t)pair;
    }
    return OK;
}

static int series_decode(const struct day_index *d, const struct index_page *at, struct cached_page *c, struct err *e)
{
    struct bytes in = bytes_of(buf_view(&c->raw));
    uint32_t last[LABELS_MAX] = { 0 };
    series_key key = at->first_key;
    size_t n = 0;
    if (at->n > c->raw.n / 3) return broken(e, "more rows than bytes"); /* key, count, a pair */

    c->keys = mem_array(at->n, sizeof *c->keys);
    c->starts = mem_array(at->n + 1u, sizeof *c->starts);
    c->pairs = mem_array(c->raw.n, sizeof *c->pairs); /* a pair takes a byte at least */
    for (uint32_t i = 0; i < at->n; i++) {
        uint64_t step = bytes_varint(&in);
        if ((i == 0) != (step == 0) || __builtin_add_overflow(key, step, &key)) return broken(e, "the keys do not rise");
        c->keys[i] = key;
        int rc = row_decode(d, &in, last, c->pairs, &n, e);
        if (rc < 0) return rc;
        c->starts[i + 1] = (uint32_t)n;
    }
    if (bytes_left(&in) != 0) return broken(e, "bytes follow the rows");
    c->pairs = mem_realloc(c->pairs, (n + 1) * sizeof *c->pairs);
    c->bytes = at->n * (sizeof *c->keys + sizeof *c->starts) + n * sizeof *c->pairs;
    buf_release(&c->raw);
    return OK;
}

static bool starts_name(const struct day_index *d, uint32_t pair)
{
    return day_index_name_of(d, pair)->first_pair == pair;
}

static int entries_decode(const struct day_index *d, const struct index_page *at, struct bytes *in, struct cached_page *c, struct err *e)
{
    uint64_t postings_at = bytes_varint(in);
    for (uint32_t i = 0; i < at->n; i++) {
        uint64_t len = bytes_varint(in), count = bytes_varint(in), bytes = bytes_varint(in);
        if (in->failed || len == 0 || len > LABEL_VALUE_MAX || count == 0 || count > d->n_series || bytes == 0 || bytes > UINT32_MAX)
            return broken(e, "a pair is not well formed");
        if (postings_at > d->postings_bytes || bytes > d->postings_bytes - postings_at) return broken(e, "a pair's postings lie outside");
        c->entries[i] = (struct pair_entry){ { NULL, len }, postings_at, (uint32_t)bytes, (uint32_t)count };
        postings_at += bytes;
    }
    for (uint32_t i = 0; i < at->n; i++) {
        struct pair_entry *p = &c->entries[i];
        p->value = bytes_take(in, p->value.n);
        if (in->failed) return broken(e, "the values are cut");
        if (i > 0 && !starts_name(d, at->first + i) && str_cmp(c->entries[i - 1].value, p->value) >= 0)
            return broken(e, "the values do not rise");
    }
    return bytes_left(in) == 0 ? OK : broken(e, "bytes follow the values");
}

static int pairs_decode(const struct day_index *d, const struct index_page *at, struct cached_page *c, struct err *e)
{
    struct bytes in = bytes_of(buf_view(&c->raw));
    if (at->n > c->raw.n / 4) return broken(e, "more pairs than bytes"); /* length, count, postings, a byte of value */
    c->entries = mem_array(at->n, sizeof *c->entries);
    c->bytes = c->raw.cap + at->n * sizeof *c->entries;

    int rc = entries_decode(d, at, &in, c, e);
    if (rc < 0) return rc;
    struct str first = c->entries[0].value;
    if (first.n != at->first_value_len || !str_eq(str_make(first.p, MIN(first.n, FIRST_VALUE_BYTES)), at->first_value))
        return broken(e, "the first value is not the directory's");
    return OK;
}

static int postings_decode(const struct day_index *d, uint32_t page, struct cached_page *c, struct err *e)
{
    uint64_t at = (uint64_t)(page - d->n_series_pages) * POSTINGS_PAGE_BYTES;
    c->bytes = c->raw.cap;
    return c->raw.n == MIN(d->postings_bytes - at, POSTINGS_PAGE_BYTES) ? OK : broken(e, "the page is not full");
}

static int decode(const struct day_index *d, uint32_t page, struct cached_page *c, struct err *e)
{
    if (page < d->n_series_pages) return series_decode(d, &d->pages[page], c, e);
    if (page < d->n_series_pages + d->n_postings_pages) return postings_decode(d, page, c, e);
    return pairs_decode(d, &d->pages[page], c, e);
}

/* ---- the cache ---- */

static void page_free(struct cached_page *c)
{
    buf_release(&c->raw);
    mem_free(c->keys);
    mem_free(c->starts);
    mem_free(c->pairs);
    mem_free(c->entries);
    mem_free(c);
}

static int load(const struct day_index *d, uint32_t page, struct page_unpacker *unpacker, struct cached_page **out, struct err *e)
{
    const struct index_page *at = &d->pages[page];
    enum index_page_kind kind = page < d->n_series_pages                          ? INDEX_SERIES
                                : page < d->n_series_pages + d->n_postings_pages ? INDEX_POSTINGS
                                                                                 : INDEX_PAIRS;
    struct cached_page *c = mem_alloc_zero(sizeof *c);
    c->refs = 1;
    c->raw = (struct buf)BUF_INIT(PAGE_BYTES_MAX);
    int rc = page_read(unpacker, d->fd, at->at, at->bytes, kind, &c->raw, e);
    if (rc == OK) rc = decode(d, page, c, e);
    if (rc < 0) {
        err_where(e, "index page %" PRIu32 " at %" PRIu64, page, at->at);
        page_free(c);
        return rc == ERR_LIMIT ? ERR_CORRUPT : rc; /* a page of ours is below the ceiling */
    }
    c->bytes += sizeof *c;
    *out = c;
    return OK;
}

/* Under mu. */
static void evict(struct day_index *d)
{
    for (uint32_t looked = 0; d->cached_bytes > CACHE_BYTES && looked < 2 * d->n_pages; looked++) {
        struct cached_page **slot = &d->cached[d->hand];
        d->hand = d->hand + 1 == d->n_pages ? 0 : d->hand + 1;
        if (*slot == NULL || (*slot)->refs > 1) continue;
        if ((*slot)->recent) {
            (*slot)->recent = false;
            continue;
        }
        d->cached_bytes -= (*slot)->bytes;
        page_free(*slot);
        *slot = NULL;
    }
}

/* Under mu. */
static struct cached_page *keep(struct day_index *d, uint32_t page, struct cached_page *mine)
{
    struct cached_page *c = d->cached[page];
    if (c == NULL) {
        d->cached[page] = c = mine;
        d->cached_bytes += mine->bytes;
    } else {
        page_free(mine); /* somebody was quicker */
    }
    c->refs++;
    evict(d);
    return c;
}

int day_index_pin(const struct day_index *index, uint32_t page, struct cached_page **out, struct err *e)
{
    struct day_index *d = (struct day_index *)index; /* the cache is not part of what an index says */
    struct cached_page *c;
    check(page < d->n_pages);

    pthread_mutex_lock(&d->mu);
    if ((c = d->cached[page]) != NULL) {
        c->refs++;
        c->recent = true;
        pthread_mutex_unlock(&d->mu);
        *out = c;
        return OK;
    }
    struct page_unpacker *unpacker = d->n_idle > 0 ? d->idle[--d->n_idle] : NULL;
    pthread_mutex_unlock(&d->mu);

    if (unpacker == NULL) unpacker = page_unpacker_new();
    int rc = load(d, page, unpacker, &c, e);

    pthread_mutex_lock(&d->mu);
    if (d->n_idle < COUNT(d->idle)) d->idle[d->n_idle++] = unpacker, unpacker = NULL;
    if (rc == OK) *out = keep(d, page, c);
    pthread_mutex_unlock(&d->mu);
    page_unpacker_free(unpacker);
    return rc;
}

void day_index_unpin(const struct day_index *index, struct cached_page *c)
{
    struct day_index *d = (struct day_index *)index;
    if (c == NULL) return;
    pthread_mutex_lock(&d->mu);
    bool last = --c->refs == 0;
    pthread_mutex_unlock(&d->mu);
    if (last) page_free(c);
}
