/* day_index_fuzz.c - any bytes as an index file: opening, asking, walking, merging and verifying
 * refuse them or answer.
 *
 * Checksums are put right first, else nothing behind them would ever be reached; the seeds' pages are
 * not compressed. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "store/crc32c.h"
#include "store/day_index_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void store_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static void mend_checksums(uint8_t *p, size_t n)
{
    if (n < DAY_INDEX_HEADER_BYTES + DAY_INDEX_FOOTER_BYTES) return;
    size_t end = n - DAY_INDEX_FOOTER_BYTES;
    store_u32(p + end + 52, crc32c(0, p + end, 48));
    for (size_t at = DAY_INDEX_HEADER_BYTES; at < end;) {
        uint64_t bytes = page_bytes(str_make(p + at, end - at));
        if (bytes == 0 || bytes > end - at) return;
        store_u32(p + at + 12,
                  crc32c(crc32c(0, p + at, 12), p + at + PAGE_HEAD_BYTES, bytes - PAGE_HEAD_BYTES));
        at += bytes;
    }
}

static int see_row(void *ctx, series_key key, struct str packed)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct labels l;
    (void)key, (void)ctx;
    check(packed.n > 0);
    (void)labels_unpack_checked(packed, &a, &l, NULL); /* names and values may be anything: not UTF-8, say */
    arena_release(&a);
    return OK;
}

static void see_finding(void *ctx, const char *text)
{
    (void)ctx;
    check(strlen(text) > 0);
}

static void ask(const struct day_index *d, enum matcher_op op, const char *name, const char *value)
{
    struct arena a = ARENA_INIT(8 << 20);
    struct call call = { .arena = &a };
    struct err e = ERR_INIT;
    struct matcher m;
    series_key *keys;
    size_t n;
    check(matcher_init(&m, op, str_of(name), str_of(value), &e) == OK);
    if (day_index_select(d, &m, 1, &call, &keys, &n, &e) == OK)
        for (size_t i = 0; i < n && i < 10; i++) {
            struct labels l;
            int rc = day_index_labels(d, keys[i], &a, &l, &e);
            check(rc == OK || rc == ERR_CORRUPT ||
                  rc == ERR_FIND); /* keys of two pages may not rise: verify's to find */
        }
    matcher_release(&m);
    arena_release(&a);
}

static void use(struct day_index *d)
{
    struct arena a = ARENA_INIT(8 << 20);
    struct call call = { .arena = &a };
    struct str *names;
    size_t n;
    if (day_index_label_names(d, &call, &names, &n, NULL) == OK)
        for (size_t i = 0; i < n && i < 10; i++) {
            struct str *values;
            size_t n_values;
            (void)day_index_label_values(d, names[i], &call, &values, &n_values, NULL);
        }
    ask(d, MATCH_EQ, LABEL_NAME, "up");
    ask(d, MATCH_RE, "job", "a.*");
    ask(d, MATCH_NEQ, "job", "b");
    (void)day_index_each(d, see_row, NULL, NULL);
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64], merged[64];
    struct day_index *d;
    uint64_t bytes;
    if (size > 1 << 20) return 0;
    int fd = memfd_create("index", 0);
    check(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    snprintf(merged, sizeof merged, "/dev/shm/day_index_fuzz.%d", (int)getpid());
    if (size > 0) {
        uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        check(p != MAP_FAILED);
        memcpy(p, data, size);
        mend_checksums(p, size);
        munmap(p, size);
    }
    if (day_index_open(path, &d, NULL) == OK) {
        use(d);
        (void)day_index_merge((struct day_index *const[]){ d, d }, 2, merged, &bytes, NULL);
        unlink(merged);
        day_index_close(d);
    }
    (void)day_index_verify(path, see_finding, NULL, NULL);
    close(fd);
    return 0;
}
