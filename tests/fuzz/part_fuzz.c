/* A whole part file of any bytes. Checksums and the footer's hash are put right first, as an
 * attacker would, so that what lies behind them is reached: it is read or refused, and verify never
 * misses what the reader stumbles over. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/crc32c.h"
#include "store/part_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put32(char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (char)(v >> (8 * i));
}

static void put_checksums(char *file, size_t size)
{
    if (size < PART_HEAD_BYTES + PART_FOOT_BYTES) return;
    struct str rest = str_make(file + PART_HEAD_BYTES, size - PART_HEAD_BYTES - PART_FOOT_BYTES);
    for (uint64_t n; (n = page_bytes(rest)) != 0 && n <= rest.n; rest = str_make(rest.p + n, rest.n - n)) {
        char *page = file + (rest.p - file);
        put32(page + 12, crc32c(crc32c(0, page, 12), page + PAGE_HEAD_BYTES, n - PAGE_HEAD_BYTES));
    }
    char *foot = file + size - PART_FOOT_BYTES;
    uint32_t top = (unsigned char)foot[44] | (uint32_t)(unsigned char)foot[45] << 8;
    if (foot[46] || foot[47] || top > size - PART_HEAD_BYTES - PART_FOOT_BYTES) return;
    uint64_t hash = part_hash(file, str_make(foot - top, top), foot);
    put32(foot + 48, (uint32_t)hash);
    put32(foot + 52, (uint32_t)(hash >> 32));
}

static void ignore(void *ctx, const char *text)
{
    check(text[0] != 0);
    ++*(int *)ctx;
}

static int read_all(const char *path, series_key seek)
{
    struct part *p;
    struct err e = ERR_INIT;
    int rc = part_open(path, &p, &e);
    if (rc < 0) return rc;
    struct part_cursor *c = part_cursor_new(p);
    struct arena a = ARENA_INIT(8 << 20);
    struct run_head head;
    struct run r;
    if (part_cursor_seek(c, seek, &e) == OK && part_cursor_peek(c, &head, &e) == 1) check(head.key >= seek);
    part_cursor_free(c);

    c = part_cursor_new(p);
    while ((rc = part_cursor_peek(c, &head, &e)) == 1 &&
           (rc = part_cursor_read(c, INT64_MIN, INT64_MAX, &a, &r, &e)) == OK)
        arena_reset(&a);
    part_cursor_free(c);
    part_close(p);
    arena_release(&a);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        fd = memfd_create("part", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    char *file = mem_copy(data, size);
    put_checksums(file, size);
    check(ftruncate(fd, 0) == 0 && pwrite(fd, file, size, 0) == (ssize_t)size);
    int told = 0, rc = read_all(path, size > 70 ? (series_key)data[69] << 32 : 0);
    check(rc == OK || rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED || rc == ERR_LIMIT);
    int64_t found = part_verify(path, ignore, &told, NULL);
    check(found == told && (rc == OK || rc == ERR_LIMIT || found > 0));
    mem_free(file);
    return 0;
}
