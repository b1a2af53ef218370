/* Packed bodies of every coding, chosen by the first byte. Ceilings are low enough to be met. */
#include "base/check.h"
#include "decode/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena a = ARENA_INIT(8 << 20);
    struct str out;
    struct err e = { 0 };
    if (n == 0) return 0;

    int rc = unpack((enum unpack_coding)(data[0] % 5), str_make(data + 1, n - 1), 1 << 20, &a, &out, &e);
    check(rc == OK || rc == ERR_PARSE || rc == ERR_LIMIT);
    if (rc == OK) {
        check(out.n <= 1 << 20);
        volatile char sum = 0;
        for (size_t i = 0; i < out.n; i++) sum = (char)(sum + out.p[i]); /* all of it is there */
    } else {
        check(e.text[0] != 0);
    }
    arena_release(&a);
    return 0;
}
