/* Remote read requests, unpacked. */
#include "base/check.h"
#include "decode/prom_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct prom_read r;
    struct err e = { 0 };
    int rc = prom_read_decode(str_make(data, n), &a, &r, &e);
    if (rc < 0) check(e.text[0] != 0);
    for (size_t i = 0; rc == OK && i < r.n; i++)
        for (size_t k = 0; k < r.queries[i].n_matchers; k++)
            (void)matcher_matches(&r.queries[i].matchers[k], STR("value"));
    prom_read_release(&r);
    arena_release(&a);
    return 0;
}
