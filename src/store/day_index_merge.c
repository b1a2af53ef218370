/* day_index_merge.c - several index files of one day become one: the union of their series.
 *
 * Every source numbers its pairs in its own way; all are led into one pool, where equal pairs meet.
 * Then the rows are merged by key. A key that several sources have must have the same labels in all of
 * them: a series has one key for ever.
 *
 * With damaged pages (day_index_join) the series that can be told go over. Then pairs are led into the pool
 * when a row needs them, since a pair without rows has no place in an index. */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/damage.h"
#include "store/day_index_build.h"

struct source {
    struct index_reader reader;
    uint32_t *pool; /* pair of the source -> pair of the pool */
    uint32_t row;
    bool ended;
    series_key key;                /* of that row */
    uint32_t pairs[LABELS_MAX], n; /* in pool numbers, in order of names */
    size_t number;                 /* as the caller counts */

    struct str *value; /* of each pair, when some may be hidden; p NULL: on a damaged page. NULL: none is */
    struct arena arena;
};

#define UNLED UINT32_MAX /* a pair that no row needed yet */

/* OK: the page cannot be read, and may be passed over. losses NULL: it may not. */
static int lose(struct source *s, struct merge_losses *losses, int rc, struct err *e)
{
    const struct day_index *d = s->reader.d;
    struct damage at = { .kind = DAMAGE_SERIES, .path = d->path, .at = d->pages[s->reader.unread].at };
    if (losses == NULL || rc != ERR_CORRUPT) return rc;
    damage_found(&at, e ? e->text : NULL);
    losses->damaged |= UINT32_C(1) << s->number;
    return OK;
}

static uint32_t behind_unread(const struct source *s)
{
    const struct index_page *page = &s->reader.d->pages[s->reader.unread];
    return page->first + page->n;
}

static int lead_pairs(struct index_build *b, struct source *s, struct err *e)
{
    const struct day_index *d = s->reader.d;
    s->pool = mem_array(d->n_pairs + 1u, sizeof *s->pool);
    for (uint32_t pair = 0; pair < d->n_pairs; pair++) {
        struct pair_entry entry;
        int rc = index_reader_pair(&s->reader, pair, &entry, e);
        if (rc < 0) return rc;
        s->pool[pair] = label_pool_add(&b->pool, day_index_name_of(d, pair)->text, entry.value);
    }
    return OK;
}

/* Those that can be read, to be led when needed. */
static int read_pairs(struct source *s, struct merge_losses *losses, struct err *e)
{
    const struct day_index *d = s->reader.d;
    s->pool = mem_array(d->n_pairs + 1u, sizeof *s->pool);
    s->value = arena_zero(&s->arena, (d->n_pairs + 1u) * sizeof *s->value);
    for (uint32_t pair = 0, next; pair < d->n_pairs; pair = next) {
        struct pair_entry entry;
        int rc = index_reader_pair(&s->reader, pair, &entry, e);
        next = pair + 1;
        if (rc == OK)
            s->value[pair] = arena_str(&s->arena, entry.value);
        else if ((rc = lose(s, losses, rc, e)) == OK)
            next = behind_unread(s);
        if (rc < 0) return rc;
    }
    memset(s->pool, 0xff, d->n_pairs * sizeof *s->pool);
    return OK;
}

/* false: a label is hidden. */
static bool lead_row(struct index_build *b, struct source *s, const uint32_t *pairs)
{
    for (uint32_t i = 0; s->value && i < s->n; i++)
        if (s->value[pairs[i]].p == NULL) return false;
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t *no = &s->pool[pairs[i]];
        if (*no == UNLED)
            *no =
                label_pool_add(&b->pool, day_index_name_of(s->reader.d, pairs[i])->text, s->value[pairs[i]]);
        s->pairs[i] = *no;
    }
    return true;
}

/* Stand on s->row, or on the first one behind it that can be told. */
static int look(struct index_build *b, struct source *s, struct merge_losses *losses, struct err *e)
{
    for (;; s->row++) {
        const uint32_t *pairs;
        s->ended = s->row >= s->reader.d->n_series;
        if (s->ended) return OK;
        int rc = index_reader_row(&s->reader, s->row, &s->key, &pairs, &s->n, e);
        if (rc == OK && lead_row(b, s, pairs)) return OK;
        if (rc == OK) {
            losses->rows++;
            continue;
        }
        if ((rc = lose(s, losses, rc, e)) < 0) return rc;
        losses->rows += behind_unread(s) - s->row;
        s->row = behind_unread(s) - 1;
    }
}

static int sources_open(struct source *all, struct day_index *const *sources, size_t n, struct index_build *b,
                        struct merge_losses *losses, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        index_reader_init(&all[i].reader, sources[i]);
        all[i].number = i;
        all[i].arena = (struct arena)ARENA_INIT(SIZE_MAX);
        int rc = losses ? read_pairs(&all[i], losses, e) : lead_pairs(b, &all[i], e);
        if (rc == OK) rc = look(b, &all[i], losses, e);
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
static int pass(struct index_build *b, struct source *all, size_t n, const struct source *one,
                struct merge_losses *losses, struct err *e)
{
    struct source like = { .key = one->key, .n = one->n };
    memcpy(like.pairs, one->pairs, sizeof like.pairs);
    for (size_t i = 0; i < n; i++) {
        if (all[i].ended || all[i].key != like.key) continue;
        if (all[i].n != like.n || memcmp(all[i].pairs, like.pairs, like.n * sizeof *like.pairs) != 0)
            return err_set(e, ERR_CORRUPT, "series %016" PRIx64 " has different labels in two index files",
                           like.key);
        all[i].row++;
        int rc = look(b, &all[i], losses, e);
        if (rc < 0) return rc;
    }
    return OK;
}

static int merge(struct day_index *const *sources, size_t n, const char *path, uint64_t *bytes,
                 struct merge_losses *losses, struct err *e)
{
    struct source *all = mem_array(n + 1, sizeof *all), *next;
    struct index_build b;
    index_build_init(&b);
    int rc = sources_open(all, sources, n, &b, losses, e);
    while (rc == OK && (next = least(all, n)) != NULL) {
        rc = index_build_row(&b, next->key, next->pairs, next->n, e);
        if (rc == OK) rc = pass(&b, all, n, next, losses, e);
    }
    if (rc == OK) rc = index_build_write(&b, path, bytes, e);
    if (rc < 0) err_where(e, "merging index file %s", path);
    for (size_t i = 0; i < n; i++) {
        if (all[i].reader.d != NULL) index_reader_release(&all[i].reader);
        mem_free(all[i].pool);
        arena_release(&all[i].arena);
    }
    mem_free(all);
    index_build_release(&b);
    return rc;
}

int day_index_merge(struct day_index *const *sources, size_t n, const char *path, uint64_t *bytes,
                    struct err *e)
{
    return merge(sources, n, path, bytes, NULL, e);
}

int day_index_join(struct day_index *const *sources, size_t n, const char *path, uint64_t *bytes,
                   struct merge_losses *losses, struct err *e)
{
    *losses = (struct merge_losses){ 0 };
    check(n <= 32);
    int rc = merge(sources, n, path, bytes, NULL, e);
    return rc == ERR_CORRUPT ? merge(sources, n, path, bytes, losses, e) : rc;
}
