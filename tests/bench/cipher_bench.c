/* cipher_bench.c - what encryption at rest costs: GB/s of sealing and unsealing by size of page, one thread.
 */
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "store/cipher.h"

enum { BYTES = 512 << 20 };

static double speed(size_t n, size_t rounds, int64_t ns)
{
    return (double)n * (double)rounds / (double)ns;
}

int main(void)
{
    static const size_t sizes[] = { 64, 1024, 16 << 10, 64 << 10, 1 << 20 };
    const uint8_t key[CIPHER_KEY_BYTES] = { 1 };
    struct buf head = BUF_INIT(1000), sealed = BUF_INIT(2 << 20), plain = BUF_INIT(2 << 20);
    struct cipher *c = NULL;
    check(cipher_create(key, &head, &c, NULL) == OK);
    struct cipher_user *u = cipher_user_new(c);
    char *bytes = mem_alloc_zero(1 << 20);
    const struct cipher_place place = { CIPHER_PAGE, 1, 2, 3 };

    printf("%10s %12s %12s\n", "bytes", "seal GB/s", "unseal GB/s");
    for (size_t s = 0; s < COUNT(sizes); s++) {
        size_t n = sizes[s], rounds = BYTES / 4 / (n + 1000);
        int64_t begin = clock_mono_ns();
        for (size_t i = 0; i < rounds; i++) {
            buf_clear(&sealed);
            cipher_seal(u, &place, str_make(bytes, n), &sealed);
        }
        int64_t between = clock_mono_ns();
        for (size_t i = 0; i < rounds; i++) {
            buf_clear(&plain);
            check(cipher_unseal(u, &place, buf_view(&sealed), &plain, NULL) == OK);
        }
        printf("%10zu %12.2f %12.2f\n", n, speed(n, rounds, between - begin),
               speed(n, rounds, clock_mono_ns() - between));
    }
    mem_free(bytes);
    cipher_user_free(u);
    cipher_free(c);
    buf_release(&head);
    buf_release(&sealed);
    buf_release(&plain);
    return 0;
}
