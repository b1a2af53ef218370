/* manifest_fuzz.c - a manifest made of any bytes. Checksums of records are put right first, or few inputs
 * would get past them. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/crc32c.h"
#include "store/manifest.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest_state s = { .next_sequence = 1 };
    if (size == 0) return 0;
    char *copy = mem_copy(data + 1, size - 1);
    if (data[0] & 1) put_right(copy, size - 1);
    manifest_parse(str_make(copy, size - 1), &s);
    check(s.bytes <= size);
    for (size_t i = 1; i < s.n; i++) check(file_id_cmp(&s.files[i - 1], &s.files[i]) < 0);
    manifest_state_release(&s);
    mem_free(copy);
    return 0;
}
