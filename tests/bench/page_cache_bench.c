/* page_cache_bench.c - what a page from the cache costs beside unwrapping it again.
 *
 * Pages of 64 KiB of bit-packed-like bytes, zstd level 1. ns of a hit, alone and from two threads at once; ns
 * of add with its eviction; us of checksum and zstd for the same page. */
#include <pthread.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/page.h"
#include "store/page_cache.h"
#include "unit/store/shape.h"

enum { BYTES = 64 << 10, PAGES = 1000, HITS = 2000000, UNWRAPS = 2000 };

static struct page_cache *cache;

static void *hit_many(void *ctx)
{
    struct dice d = { (uint64_t)(uintptr_t)ctx };
    size_t sum = 0;
    for (int i = 0; i < HITS; i++) {
        const struct cached_page *p = page_cache_find(cache, 1, roll_below(&d, PAGES));
        sum += p->raw.n;
        page_cache_unref(p);
    }
    check(sum == (size_t)HITS * BYTES);
    return NULL;
}

static void fill(struct dice *d, char *p)
{
    for (size_t i = 0; i < BYTES; i++) p[i] = (char)(roll(d) & roll(d) & 0x3f);
}

static double unwrap_us(struct str raw)
{
    struct page_packer *packer = page_packer_new(1);
    struct page_unpacker *unpacker = page_unpacker_new();
    struct buf page = BUF_INIT(1 << 20), back = BUF_INIT(1 << 20);
    page_put(packer, &page, PAGE_VALUES, raw);
    int64_t begin = clock_mono_ns();
    for (int i = 0; i < UNWRAPS; i++) {
        struct str in = buf_view(&page);
        check(page_get(unpacker, &in, PAGE_VALUES, &back, NULL) == OK);
    }
    double us = (double)(clock_mono_ns() - begin) / UNWRAPS / 1e3;
    page_packer_free(packer);
    page_unpacker_free(unpacker);
    buf_release(&page);
    buf_release(&back);
    return us;
}

int main(void)
{
    static char bytes[BYTES];
    struct dice d = { 1 };
    pthread_t t[2];
    fill(&d, bytes);
    cache = page_cache_new((size_t)PAGES * BYTES * 3 / 2);
    for (uint64_t at = 0; at < PAGES; at++)
        page_cache_unref(page_cache_add(cache, 1, at, str_make(bytes, BYTES)));

    int64_t begin = clock_mono_ns();
    hit_many(NULL);
    double one = (double)(clock_mono_ns() - begin) / HITS;
    begin = clock_mono_ns();
    for (size_t i = 0; i < 2; i++) check(pthread_create(&t[i], NULL, hit_many, (void *)(i + 1)) == 0);
    for (size_t i = 0; i < 2; i++) pthread_join(t[i], NULL);
    double two = (double)(clock_mono_ns() - begin) / HITS;
    begin = clock_mono_ns();
    for (uint64_t at = 0; at < 20 * PAGES; at++)
        page_cache_unref(page_cache_add(cache, 2, at, str_make(bytes, BYTES)));
    double add = (double)(clock_mono_ns() - begin) / (20 * PAGES);

    printf("hit, one thread %.0f ns; two threads %.0f ns each; add and evict %.1f us; unwrap again %.1f us\n",
           one, two, add / 1e3, unwrap_us(str_make(bytes, BYTES)));
    page_cache_free(cache);
    return 0;
}
