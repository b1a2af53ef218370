/* day_index_build.c - see day_index_build.h. Adding rows, and bringing pairs into the order of the
 * file. Writing: day_index_write.c. */
#include "store/day_index_build.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

void index_build_init(struct index_build *b)
{
    *b = (struct index_build){ 0 };
    label_pool_init(&b->pool);
    paged_init(&b->keys, sizeof(series_key), 12);
    paged_init(&b->lists, sizeof(uint32_t), 14);
}

void index_build_release(struct index_build *b)
{
    label_pool_release(&b->pool);
    paged_release(&b->keys);
    paged_release(&b->lists);
}

int index_build_row(struct index_build *b, series_key key, const uint32_t *pairs, size_t n, struct err *e)
{
    check(n > 0);
    if (b->n_rows == INDEX_PAIR_LAST || b->pool.n_pairs >= INDEX_PAIR_LAST)
        return err_set(e, ERR_LIMIT, "too many series for one index file");
    *(series_key *)paged_make(&b->keys, b->n_rows++) = key;
    for (size_t i = 0; i < n; i++)
        *(uint32_t *)paged_make(&b->lists, b->n_lists++) = pairs[i] | (i + 1 == n ? INDEX_PAIR_LAST : 0);
    return OK;
}

static int add_packed(struct index_build *b, series_key key, struct str packed, struct arena *a,
                      struct err *e)
{
    struct labels l;
    uint32_t pairs[LABELS_MAX];
    int rc = labels_unpack_checked(packed, a, &l, e);
    if (rc < 0 || l.n == 0 || l.n > LABELS_MAX)
        return err_set(e, ERR_CORRUPT, "labels of series %016llx are not well formed",
                       (unsigned long long)key);
    for (size_t i = 0; i < l.n; i++) pairs[i] = label_pool_add(&b->pool, l.at[i].name, l.at[i].value);
    return index_build_row(b, key, pairs, l.n, e);
}

int day_index_write(const char *path, const series_key *keys, size_t n,
                    struct str (*packed)(void *ctx, series_key), void *ctx, uint64_t *bytes, struct err *e)
{
    struct index_build b;
    struct arena a = ARENA_INIT(SIZE_MAX);
    int rc = OK;

    index_build_init(&b);
    for (size_t i = 0; i < n && rc == OK; i++) {
        check(i == 0 || keys[i - 1] < keys[i]);
        rc = add_packed(&b, keys[i], packed(ctx, keys[i]), &a, e);
        arena_reset(&a);
    }
    if (rc == OK) rc = index_build_write(&b, path, bytes, e);
    if (rc < 0) err_where(e, "index file %s", path);
    arena_release(&a);
    index_build_release(&b);
    return rc;
}
