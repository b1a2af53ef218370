/* day_index_merge.c - several index files of one day become one: the union of their series.
 *
 * Every source numbers its pairs in its own way; all are led into one pool, where equal pairs meet.
 * Then the rows are merged by key. A key that several sources have must have the same labels in all of
 * them: a series has one key for ever. */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/day_index_build.h"

struct source {
    struct index_reader reader;
    uint32_t *pool; /* pair of the source -> pair of the pool */
    uint32_t row;
    bool ended;
    series_key key;                /* of that row */
    uint32_t pairs[LABELS_MAX], n; /* in pool numbers, in order of names */
};

static int lead_pairs(struct index_build *b, struct source *s, struct err *e)
{
    const struct day_index *d = s->reader.d;
    s->pool = mem_array(d->n_pairs + 1u, sizeof *s->pool);
    for (uint32_t i = 0; i < d->n_names; i++)
        for (uint32_t k = 0; k < d->names[i].n_pairs; k++) {
            struct pair_entry entry;
            uint32_t pair = d->names[i].first_pair + k;
            int rc = index_reader_pair(&s->reader, pair, &entry, e);
            if (rc < 0) return rc;
            s->pool[pair] = label_pool_add(&b->pool, d->names[i].text, entry.value);
        }
    return OK;
}

/* Stand on s->row. */
static int look(struct source *s, struct err *e)
{
    const uint32_t *pairs;
    s->ended = s->row == s->reader.d->n_series;
    if (s->ended) return OK;
    int rc = index_reader_row(&s->reader, s->row, &s->key, &pairs, &s->n, e);
    for (uint32_t i = 0; i < s->n && rc == OK; i++) s->pairs[i] = s->pool[pairs[i]];
    return rc;
}

static int sources_open(struct source *all, struct day_index *const *sources, size_t n, struct index_build *b,
                        struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        index_reader_init(&all[i].reader, sources[i]);
        int rc = lead_pairs(b, &all[i], e);
        if (rc == OK) rc = look(&all[i], e);
        if (rc < 0) return rc;
    }
    return OK;
}

static struct source *least(struct source *all, size_t n)
{
    struct source *found = NULL;
    for (size_t i = 0; i < n; i++)
        if (!all[i].ended && (found == NULL || all[i].key < found->key)) found = &all[i];
    return found;
}

/* Step every source that stands on this key, once its labels are known to be the same. */
static int pass(struct source *all, size_t n, const struct source *one, struct err *e)
{
    struct source like = { .key = one->key, .n = one->n };
    memcpy(like.pairs, one->pairs, sizeof like.pairs);
    for (size_t i = 0; i < n; i++) {
        if (all[i].ended || all[i].key != like.key) continue;
        if (all[i].n != like.n || memcmp(all[i].pairs, like.pairs, like.n * sizeof *like.pairs) != 0)
            return err_set(e, ERR_CORRUPT, "series %016" PRIx64 " has different labels in two index files",
                           like.key);
        all[i].row++;
        int rc = look(&all[i], e);
        if (rc < 0) return rc;
    }
    return OK;
}

int day_index_merge(struct day_index *const *sources, size_t n, const char *path, uint64_t *bytes,
                    struct err *e)
{
    struct source *all = mem_array(n + 1, sizeof *all), *next;
    struct index_build b;
    index_build_init(&b);
    int rc = sources_open(all, sources, n, &b, e);
    while (rc == OK && (next = least(all, n)) != NULL) {
        rc = index_build_row(&b, next->key, next->pairs, next->n, e);
        if (rc == OK) rc = pass(all, n, next, e);
    }
    if (rc == OK) rc = index_build_write(&b, path, bytes, e);
    if (rc < 0) err_where(e, "merging index file %s", path);
    for (size_t i = 0; i < n; i++) {
        if (all[i].reader.d != NULL) index_reader_release(&all[i].reader);
        mem_free(all[i].pool);
    }
    mem_free(all);
    index_build_release(&b);
    return rc;
}
