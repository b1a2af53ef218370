/* manifest_fuzz.c - a manifest made of any bytes. The first byte chooses: bit 0: checksums of records are put
 * right first, or few inputs would get past them. Bit 1: as records of a sealed store's manifest, that are
 * sealed here; with bit 2 the last of them for another place, so that it must not count. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/crc32c.h"
#include "store/manifest.h"
#include "store/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_right(char *p, size_t n)
{
    if (n >= 8) memcpy(p, "VDMANIF1", 8);
    for (size_t at = 8; at + 8 < n;) {
        uint32_t length;
        memcpy(&length, p + at, 4);
        length %= 256;
        if (length > n - at - 8) length = (uint32_t)(n - at - 8);
        uint32_t crc = crc32c(0, p + at + 8, length);
        memcpy(p + at, &length, 4);
        memcpy(p + at + 4, &crc, 4);
        at += 8 + (size_t)length;
    }
}

static void write_file(const char *dir, const char *name, const void *p, size_t n)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check(fd >= 0 && write(fd, p, n) == (ssize_t)n && close(fd) == 0);
}

static char sealed_dir[64];

static void forget_store(void)
{
    char command[100];
    seal_close(sealed_dir);
    snprintf(command, sizeof command, "rm -rf %s", sealed_dir);
    check(system(command) == 0);
}

static const char *sealed_store(void)
{
    char key[100];
    if (sealed_dir[0] != 0) return sealed_dir;
    snprintf(sealed_dir, sizeof sealed_dir, "/tmp/manifest_fuzz.XXXXXX");
    check(mkdtemp(sealed_dir) != NULL);
    write_file(sealed_dir, "key", "0123456789abcdef0123456789ABCDEF", CIPHER_KEY_BYTES);
    snprintf(key, sizeof key, "%s/key", sealed_dir);
    check(seal_open(sealed_dir, key, true, NULL) == OK);
    atexit(forget_store);
    return sealed_dir;
}

/* Records of `length u8, ops`. How many. */
static size_t seal_records(const char *dir, struct str in, bool spoil_last, struct buf *out)
{
    char path[100];
    snprintf(path, sizeof path, "%s/MANIFEST", dir);
    struct cipher_user *user = seal_user(path);
    size_t n = 0;
    buf_add(out, "VDMANIF1", 8);
    for (size_t at = 0, next; at + 1 < in.n; at = next, n++) {
        size_t ops = MIN((size_t)(uint8_t)in.p[at] + 1, in.n - at - 1);
        struct buf sealed = BUF_INIT(4096);
        next = at + 1 + ops;
        bool is_last = next + 1 >= in.n;
        struct cipher_place place = { .what = CIPHER_MANIFEST, .at = out->n + (spoil_last && is_last) };
        cipher_seal(user, &place, str_make(in.p + at + 1, ops), &sealed);
        buf_u32le(out, (uint32_t)sealed.n | 0x80000000u);
        buf_u32le(out, crc32c(0, sealed.p, sealed.n));
        buf_str(out, buf_view(&sealed));
        buf_release(&sealed);
    }
    cipher_user_free(user);
    return n;
}

static void check_state(const struct manifest_state *s)
{
    for (size_t i = 1; i < s->n; i++) check(file_id_cmp(&s->files[i - 1], &s->files[i]) < 0);
}

static void load_sealed(struct str in, bool spoil_last)
{
    const char *dir = sealed_store();
    struct manifest_state s;
    struct buf out = BUF_INIT(16u << 20);
    size_t n = seal_records(dir, in, spoil_last, &out);
    write_file(dir, "MANIFEST", out.p, out.n);
    check(manifest_load(dir, &s, NULL) == OK);
    if (n > 0 && spoil_last) check(s.is_damaged && s.bytes < out.n);
    check_state(&s);
    manifest_state_release(&s);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest_state s = { .next_sequence = 1 };
    if (size == 0) return 0;
    char *copy = mem_copy(data + 1, size - 1);
    if (data[0] & 2) {
        load_sealed(str_make(copy, size - 1), data[0] & 4);
        mem_free(copy);
        return 0;
    }
    if (data[0] & 1) put_right(copy, size - 1);
    manifest_parse(str_make(copy, size - 1), &s);
    check(s.bytes <= size);
    check_state(&s);
    manifest_state_release(&s);
    mem_free(copy);
    return 0;
}
