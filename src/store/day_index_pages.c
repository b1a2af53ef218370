/* day_index_pages.c - pages of index files, decoded, checked, and kept while they are wanted.
 *
 * One cache for all open indexes, so that a query over a year of days is bounded like one over a day.
 * It lets the pages go that were not asked for since the clock hand last came by. A page in use is
 * never freed: every pin counts. Reading and decoding happen outside the lock; when two threads decode
 * the same page, the first to finish is kept. */
#include <inttypes.h>
#include <pthread.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/day_index_impl.h"

/* ---- decoding ---- */

static int broken(struct err *e, const char *what)
{
    return err_set(e, ERR_CORRUPT, "%s", what);
}

/* The pairs of one row: they rise, and there is at least one. */
static int row_decode(const struct day_index *d, struct bytes *in, uint32_t *last, uint32_t *pairs, size_t *n,
                      struct err *e)
{
    uint64_t count = bytes_varint(in);
    if (in->failed || count == 0 || count > LABELS_MAX || count > bytes_left(in))
        return broken(e, "a row has no labels, or too many");
    for (uint64_t i = 0; i < count; i++) {
        int64_t pair;
        if (__builtin_add_overflow((int64_t)last[i], unzigzag(bytes_varint(in)), &pair) || in->failed)
            return broken(e, "a row is cut");
        if (pair < 0 || pair >= d->n_pairs || (i > 0 && (uint32_t)pair <= last[i - 1]))
            return broken(e, "the pairs of a row do not rise");
        pairs[(*n)++] = last[i] = (uint32_t)pair;
    }
    return OK;
}

static int series_decode(const struct day_index *d, const struct index_page *at, struct cached_page *c,
                         struct err *e)
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
        if ((i == 0) != (step == 0) || __builtin_add_overflow(key, step, &key))
            return broken(e, "the keys do not rise");
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

static int lines_decode(const struct day_index *d, const struct index_page *at, struct bytes *in,
                        struct cached_page *c, struct err *e)
{
    uint64_t postings = 0, values = 0;
    c->postings_at = bytes_varint(in);
    if (c->postings_at > d->postings_bytes) return broken(e, "the page's postings lie outside");
    for (uint32_t i = 0; i < at->n; i++) {
        uint64_t len = bytes_varint(in), count = bytes_varint(in), bytes = bytes_varint(in);
        if (in->failed || len == 0 || len > LABEL_VALUE_MAX || count == 0 || count > d->n_series ||
            bytes == 0)
            return broken(e, "a pair is not well formed");
        c->lines[i] = (struct pair_line){ (uint32_t)values, (uint32_t)postings, (uint32_t)count };
        values += len;
        if (bytes > d->postings_bytes - c->postings_at - postings || (postings += bytes) > UINT32_MAX)
            return broken(e, "a pair's postings lie outside");
    }
    if (values != bytes_left(in)) return broken(e, "the values do not fill the page");
    c->lines[at->n] = (struct pair_line){ (uint32_t)values, (uint32_t)postings, 0 };
    for (uint32_t i = 0; i <= at->n; i++) c->lines[i].value_at += (uint32_t)(c->raw.n - values);
    return OK;
}

static struct str line_value(const struct cached_page *c, uint32_t i)
{
    return str_make(c->raw.p + c->lines[i].value_at, c->lines[i + 1].value_at - c->lines[i].value_at);
}

static int pairs_decode(const struct day_index *d, const struct index_page *at, struct cached_page *c,
                        struct err *e)
{
    struct bytes in = bytes_of(buf_view(&c->raw));
    if (at->n > c->raw.n / 4)
        return broken(e, "more pairs than bytes"); /* length, count, postings, a byte of value */
    c->lines = mem_array(at->n + 1u, sizeof *c->lines);
    c->bytes = c->raw.cap + at->n * sizeof *c->lines;

    int rc = lines_decode(d, at, &in, c, e);
    if (rc < 0) return rc;
    for (uint32_t i = 1; i < at->n; i++)
        if (str_cmp(line_value(c, i - 1), line_value(c, i)) >= 0 && !starts_name(d, at->first + i))
            return broken(e, "the values do not rise");
    struct str first = line_value(c, 0);
    if (first.n != at->first_value_len ||
        !str_eq(str_make(first.p, MIN(first.n, FIRST_VALUE_BYTES)), at->first_value))
        return broken(e, "the first value is not the directory's");
    return OK;
}

static int postings_decode(const struct day_index *d, uint32_t page, struct cached_page *c, struct err *e)
{
    uint64_t at = (uint64_t)(page - d->n_series_pages) * POSTINGS_PAGE_BYTES;
    c->bytes = c->raw.cap;
    return c->raw.n == MIN(d->postings_bytes - at, POSTINGS_PAGE_BYTES) ? OK
                                                                        : broken(e, "the page is not full");
}

static int decode(const struct day_index *d, uint32_t page, struct cached_page *c, struct err *e)
{
    if (page < d->n_series_pages) return series_decode(d, &d->pages[page], c, e);
    if (page < d->n_series_pages + d->n_postings_pages) return postings_decode(d, page, c, e);
    return pairs_decode(d, &d->pages[page], c, e);
}

/* ---- reading ---- */

static void page_free(struct cached_page *c)
{
    buf_release(&c->raw);
    mem_free(c->keys);
    mem_free(c->starts);
    mem_free(c->pairs);
    mem_free(c->lines);
    mem_free(c);
}

static enum index_page_kind kind_of(const struct day_index *d, uint32_t page)
{
    if (page < d->n_series_pages) return INDEX_SERIES;
    return page < d->n_series_pages + d->n_postings_pages ? INDEX_POSTINGS : INDEX_PAIRS;
}

static int load(const struct day_index *d, uint32_t page, struct page_unpacker *unpacker,
                struct cached_page **out, struct err *e)
{
    const struct index_page *at = &d->pages[page];
    struct cached_page *c = mem_alloc_zero(sizeof *c);
    c->refs = 1;
    c->raw = (struct buf)BUF_INIT(PAGE_BYTES_MAX);
    int rc = page_read(unpacker, d->fd, at->at, at->bytes, kind_of(d, page), &c->raw, e);
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

/* ---- the cache ---- */

static struct cache { /* global: its limit is one for all indexes */
    pthread_mutex_t mu;
    struct cached_page *hand; /* of the clock; the ring's only entrance */
    size_t n, bytes, limit;
    struct page_unpacker *idle[4];
    size_t n_idle;
} cache = { .mu = PTHREAD_MUTEX_INITIALIZER, .limit = 16u << 20 };

/* These four under mu. */
static void ring_add(struct cached_page *c)
{
    if (cache.hand == NULL) cache.hand = c->next = c->previous = c;
    c->next = cache.hand; /* just behind the hand: the last it will reach */
    c->previous = cache.hand->previous;
    c->previous->next = c->next->previous = c;
    cache.bytes += c->bytes;
    cache.n++;
}

static void ring_remove(struct cached_page *c)
{
    if (cache.hand == c) cache.hand = c->next == c ? NULL : c->next;
    c->previous->next = c->next;
    c->next->previous = c->previous;
    cache.bytes -= c->bytes;
    cache.n--;
    *c->slot = NULL;
}

static void evict(void)
{
    size_t kept = 0; /* in a row; after two rounds all that is left is pinned */
    while (cache.bytes > cache.limit && cache.n > 0 && kept < 2 * cache.n) {
        struct cached_page *c = cache.hand;
        if (c->refs > 1 || c->recent) {
            c->recent = false;
            cache.hand = c->next;
            kept++;
            continue;
        }
        ring_remove(c);
        page_free(c);
        kept = 0;
    }
}

static struct cached_page *keep(struct day_index *d, uint32_t page, struct cached_page *mine)
{
    struct cached_page *c = d->cached[page];
    if (c == NULL) {
        d->cached[page] = c = mine;
        c->slot = &d->cached[page];
        ring_add(c);
    } else {
        page_free(mine); /* somebody was quicker */
    }
    c->refs++;
    evict();
    return c;
}

int day_index_pin(const struct day_index *index, uint32_t page, struct cached_page **out, struct err *e)
{
    struct day_index *d = (struct day_index *)index; /* what is cached is not part of what an index says */
    struct cached_page *c;
    check(page < d->n_pages);

    pthread_mutex_lock(&cache.mu);
    if ((c = d->cached[page]) != NULL) {
        c->refs++;
        c->recent = true;
        pthread_mutex_unlock(&cache.mu);
        *out = c;
        return OK;
    }
    struct page_unpacker *unpacker = cache.n_idle > 0 ? cache.idle[--cache.n_idle] : NULL;
    pthread_mutex_unlock(&cache.mu);

    if (unpacker == NULL) unpacker = page_unpacker_new();
    page_unpacker_seal(unpacker, &d->seal);
    int rc = load(d, page, unpacker, &c, e);

    pthread_mutex_lock(&cache.mu);
    if (cache.n_idle < COUNT(cache.idle)) cache.idle[cache.n_idle++] = unpacker, unpacker = NULL;
    if (rc == OK) *out = keep(d, page, c);
    pthread_mutex_unlock(&cache.mu);
    page_unpacker_free(unpacker);
    return rc;
}

void day_index_unpin(struct cached_page *c)
{
    if (c == NULL) return;
    pthread_mutex_lock(&cache.mu);
    check(c->refs > 1);
    c->refs--;
    pthread_mutex_unlock(&cache.mu);
}

void day_index_uncache(struct day_index *d)
{
    pthread_mutex_lock(&cache.mu);
    for (uint32_t i = 0; i < d->n_pages; i++) {
        struct cached_page *c = d->cached[i];
        if (c == NULL) continue;
        check(c->refs == 1);
        ring_remove(c);
        page_free(c);
    }
    pthread_mutex_unlock(&cache.mu);
}

void day_index_cache_limit(size_t bytes)
{
    pthread_mutex_lock(&cache.mu);
    cache.limit = bytes;
    evict();
    pthread_mutex_unlock(&cache.mu);
}
