/* record_part_fuzz - any bytes as a record part: opened, asked, read whole, checked. Damage must be told,
 * never crash. Checksums would stop nearly every input at the door, so the bytes are first made to look
 * sound: page checksums and the footer's hash are mended. Input that does not begin as a part does is taken
 * for changes to a sound part of a sealed store (place u16, byte), of which the same must hold. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/crc32c.h"
#include "store/record_format.h"

#define INPUT_MAX (64u << 10)

static uint32_t get32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> (8 * i));
}

/* Pages lie end to end from behind the header to the footer. */
static void mend(unsigned char *p, size_t n)
{
    size_t at = RECORD_HEAD_BYTES, end = n - RECORD_FOOT_BYTES;
    while (end - at >= PAGE_HEAD_BYTES) {
        uint32_t stored = get32(p + at + 8);
        if (stored > end - at - PAGE_HEAD_BYTES) break;
        put32(p + at + 12, crc32c(crc32c(0, p + at, 12), p + at + PAGE_HEAD_BYTES, stored));
        at += PAGE_HEAD_BYTES + stored;
    }
    uint32_t top = get32(p + end + 28);
    if (top > end - RECORD_HEAD_BYTES) return;
    uint64_t hash = record_hash((const char *)p, str_make(p + end - top, top), (const char *)p + end);
    put32(p + end + 48, (uint32_t)hash);
    put32(p + end + 52, (uint32_t)(hash >> 32));
}

static void ignore(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

static void read_block(struct record_block *b)
{
    struct err e = ERR_INIT;
    struct arena a = ARENA_INIT(SIZE_MAX);
    size_t n = record_block_rows(b);
    uint32_t *rows = arena_array(&a, n, sizeof *rows);
    struct value *v = arena_array(&a, n, sizeof *v);
    struct record *r = arena_array(&a, n, sizeof *r);
    for (size_t i = 0; i < n; i++) rows[i] = (uint32_t)i;
    record_block_values(b, field_attr(FIELD_ATTR, STR("attr.1")), rows, n, v, &e);
    record_block_records(b, rows, n, &a, r, &e);
    arena_release(&a);
}

static void read_part(const char *path, enum table table)
{
    struct err e = ERR_INIT;
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct record_part *p;
    struct predicate kids[] = {
        { .op = PRED_EQ, .field = field_attr(FIELD_ATTR, STR("attr.1")), .value = value_str(STR("value 1")) },
        { .op = PRED_CONTAINS, .field = field_in(IN_BODY), .value = value_str(STR("a timeout b")) },
        { .op = PRED_GE, .field = field_in(IN_DURATION), .value = value_int(5) }
    };
    const struct predicate *list[] = { &kids[0], &kids[1], &kids[2] };
    struct predicate any = { .op = PRED_OR, .child = list, .n_children = 3 };
    if (record_part_open(path, record_layout(table), &p, &e) < 0) return;
    uint64_t *may, bits[RECORD_BLOCK_ROWS / 64];
    size_t n, n_fields, n_origins;
    struct field_info *f;
    struct origin *o;
    record_part_fields(p, &a, &f, &n_fields, &e);
    record_part_origins(p, NULL, &a, &o, &n_origins, &e);
    record_part_candidates(p, &any, 0, INT64_MAX, &a, &may, &n, &e);
    struct record_block *b = record_block_new(p);
    for (size_t i = 0; i < record_part_info(p)->blocks && i < 64; i++) {
        if (record_block_seek(b, i, &e) < 0) continue;
        record_block_match(b, &any, 0, INT64_MAX, bits, &e);
        read_block(b);
    }
    record_block_free(b);
    record_part_close(p);
    arena_release(&a);
    record_part_verify(path, record_layout(table), ignore, NULL, &e);
}

/* ---- a sealed store ---- */

static char sealed_dir[64];

static void forget_store(void)
{
    char command[100];
    seal_close(sealed_dir);
    snprintf(command, sizeof command, "rm -rf %s", sealed_dir);
    check(system(command) == 0);
}

static void write_file(const char *path, const void *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check(fd >= 0 && write(fd, p, n) == (ssize_t)n && close(fd) == 0);
}

static void open_store(void)
{
    char key[100];
    snprintf(sealed_dir, sizeof sealed_dir, "/tmp/record_part_fuzz.XXXXXX");
    check(mkdtemp(sealed_dir) != NULL);
    snprintf(key, sizeof key, "%s/key", sealed_dir);
    write_file(key, "0123456789abcdef0123456789ABCDEF", CIPHER_KEY_BYTES);
    check(seal_open(sealed_dir, key, true, NULL) == OK);
    atexit(forget_store);
}

static void write_part(const char *path)
{
    struct record_writer *w;
    struct attr attrs[] = { { STR("attr.1"), value_str(STR("value 1")) }, { STR("n"), value_int(5) } };
    struct origin origin = { .scope_name = STR("fuzz") };
    struct record r = { .attrs = { attrs, COUNT(attrs) }, .origin = &origin };
    r.log.body = value_str(STR("a timeout b"));
    check(record_writer_open(path, record_layout(TABLE_LOGS), 0, 3, 1, &w, NULL) == OK);
    record_writer_covers(w, 7, 9);
    for (int i = 0; i < 100; i++) {
        r.time_ns = 1000 + i;
        check(record_writer_add(w, &r, 8, NULL) == OK);
    }
    check(record_writer_finish(w, NULL, NULL) == OK);
}

static void read_changed(const uint8_t *data, size_t size)
{
    static struct buf sound;
    char path[100];
    if (sealed_dir[0] == 0) open_store();
    snprintf(path, sizeof path, "%s/logs.part", sealed_dir);
    if (sound.n == 0) {
        sound = (struct buf)BUF_INIT(1 << 20);
        write_part(path);
        check(file_slurp(path, &sound, NULL) == OK);
    }
    unsigned char *p = mem_copy(sound.p, sound.n);
    for (size_t i = 0; i + 3 <= size; i += 3) p[(data[i] | data[i + 1] << 8) % sound.n] = data[i + 2];
    mend(p, sound.n);
    write_file(path, p, sound.n);
    read_part(path, TABLE_LOGS);
    mem_free(p);
}

/* ---- any bytes ---- */

static void read_bytes(const uint8_t *data, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/record_part_fuzz.%d", (int)getpid());
    unsigned char *p = mem_copy(data, size);
    mend(p, size);
    write_file(path, p, size);
    read_part(path, TABLE_LOGS);
    read_part(path, TABLE_SPANS);
    unlink(path);
    mem_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX) return 0;
    if (size < RECORD_HEAD_BYTES + RECORD_FOOT_BYTES || memcmp(data, "VDTR", 4) != 0)
        read_changed(data, size);
    else
        read_bytes(data, size);
    return 0;
}
