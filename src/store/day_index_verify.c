/* day_index_verify.c - every checksum and every promise of an index file.
 *
 * Opening and decoding check most of it. What is left: that postings and rows say the same. Each pair
 * has a count of its rows and a sum of their hashes; both must come out equal from either side. */
#include <inttypes.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/day_index_impl.h"

struct tally {
    uint64_t sum;
    uint32_t n;
};

struct verify {
    const struct day_index *d;
    void (*report)(void *ctx, const char *text);
    void *ctx;
    int64_t found;
    struct tally *by_rows; /* by pair */
    struct arena arena;
};

static void say(struct verify *v, const struct err *e)
{
    v->found++;
    v->report(v->ctx, e->text);
}

static uint64_t row_hash(uint32_t row)
{
    return hash64(&row, sizeof row);
}

/* Every page on its own; true when all are sound. */
static bool verify_pages(struct verify *v)
{
    int64_t before = v->found;
    for (uint32_t i = 0; i < v->d->n_pages; i++) {
        struct cached_page *page;
        struct err e = ERR_INIT;
        if (day_index_pin(v->d, i, &page, &e) < 0)
            say(v, &e);
        else
            day_index_unpin(page);
    }
    return v->found == before;
}

static int verify_row(struct verify *v, struct index_reader *r, uint32_t row, series_key *last, struct err *e)
{
    const uint32_t *pairs;
    series_key key;
    uint32_t n;
    int rc = index_reader_row(r, row, &key, &pairs, &n, e);
    if (rc < 0) return rc;
    if (row > 0 && key <= *last) return err_set(e, ERR_CORRUPT, "the keys of two pages do not rise");
    *last = key;
    for (uint32_t i = 0; i < n; i++) {
        v->by_rows[pairs[i]].sum += row_hash(row);
        v->by_rows[pairs[i]].n++;
        if (i > 0 && day_index_name_of(v->d, pairs[i]) == day_index_name_of(v->d, pairs[i - 1]))
            return err_set(e, ERR_CORRUPT, "series %016" PRIx64 " has two values of one label", key);
    }
    return OK;
}

static int verify_pair(struct verify *v, struct index_reader *r, uint32_t pair, uint64_t *postings_at,
                       struct err *e)
{
    struct pair_entry entry;
    int rc = index_reader_pair(r, pair, &entry, e);
    if (rc < 0) return rc;
    if (entry.postings_at != *postings_at)
        return err_set(e, ERR_CORRUPT, "postings of pair %" PRIu32 " leave a gap", pair);
    *postings_at += entry.postings_bytes;

    uint32_t *rows = arena_array(&v->arena, entry.count, sizeof *rows);
    if ((rc = index_reader_postings(r, &entry, &v->arena, rows, e)) < 0) return rc;
    struct tally t = { 0, entry.count };
    for (uint32_t i = 0; i < entry.count; i++) t.sum += row_hash(rows[i]);
    arena_reset(&v->arena);
    if (t.n != v->by_rows[pair].n || t.sum != v->by_rows[pair].sum)
        return err_set(e, ERR_CORRUPT, "postings of pair %" PRIu32 " are not the rows that have it", pair);
    return OK;
}

/* The values of a name rise from page to page, too. */
static int verify_order(struct verify *v, struct index_reader *r, uint32_t pair, struct buf *last,
                        struct err *e)
{
    struct pair_entry entry;
    int rc = index_reader_pair(r, pair, &entry, e);
    if (rc < 0) return rc;
    if (pair > 0 && day_index_name_of(v->d, pair)->first_pair != pair &&
        str_cmp(buf_view(last), entry.value) >= 0)
        return err_set(e, ERR_CORRUPT, "the values of two pages do not rise");
    buf_clear(last);
    buf_str(last, entry.value);
    return OK;
}

static void verify_promises(struct verify *v)
{
    struct index_reader r;
    struct buf last = BUF_INIT(LABEL_VALUE_MAX);
    struct err e = ERR_INIT;
    uint64_t postings_at = 0;
    series_key key = 0;
    int rc = OK;
    index_reader_init(&r, v->d);
    for (uint32_t i = 0; i < v->d->n_series && rc == OK; i++) rc = verify_row(v, &r, i, &key, &e);
    for (uint32_t i = 0; i < v->d->n_pairs && rc == OK; i++) {
        rc = verify_pair(v, &r, i, &postings_at, &e);
        if (rc == OK) rc = verify_order(v, &r, i, &last, &e);
    }
    if (rc == OK && postings_at != v->d->postings_bytes)
        rc = err_set(&e, ERR_CORRUPT, "bytes follow the postings");
    if (rc < 0) say(v, &e);
    buf_release(&last);
    index_reader_release(&r);
}

int64_t day_index_verify(const char *path, void (*report)(void *ctx, const char *text), void *ctx,
                         struct err *e)
{
    struct verify v = { .report = report, .ctx = ctx, .arena = ARENA_INIT(SIZE_MAX) };
    struct day_index *d;
    struct err mine = ERR_INIT;
    int rc = day_index_open(path, &d, &mine);
    if (rc == ERR_CORRUPT) {
        say(&v, &mine);
        return v.found;
    }
    if (rc < 0) {
        if (e != NULL) *e = mine;
        return rc;
    }
    v.d = d;
    v.by_rows = mem_array(d->n_pairs + 1u, sizeof *v.by_rows);
    if (verify_pages(&v)) verify_promises(&v);
    mem_free(v.by_rows);
    arena_release(&v.arena);
    day_index_close(d);
    return v.found;
}
