/* Columns both ways: any bytes decode or are refused; any numbers come back to the bit, and so does
 * what was decoded. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "store/column.h"
#include "store/hist_column.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS = 1000 };

static void doubles_round(const double *v, size_t n)
{
    static double back[ROWS + 128];
    struct buf b = BUF_INIT(1 << 20);
    column_put_doubles(&b, v, n);
    struct str in = buf_view(&b);
    check(column_get_doubles(&in, back, n, NULL) == OK && in.n == 0 && memcmp(v, back, n * sizeof *v) == 0);
    buf_release(&b);
}

static void ints_round(const int64_t *v, size_t n)
{
    static int64_t back[ROWS + 128];
    struct buf b = BUF_INIT(1 << 20);
    column_put_ints(&b, v, n);
    struct str in = buf_view(&b);
    check(column_get_ints(&in, back, n, NULL) == OK && in.n == 0 && memcmp(v, back, n * sizeof *v) == 0);
    buf_release(&b);
}

static void histograms_round(struct histogram **h, size_t n, struct arena *a)
{
    struct histogram *back[ROWS];
    struct buf b = BUF_INIT(64 << 20), one = BUF_INIT(8 << 20), two = BUF_INIT(8 << 20);
    hist_column_put(&b, h, n);
    struct str in = buf_view(&b);
    int rc = hist_column_get(&in, back, n, 1 << 16, a, NULL);
    /* Stretches that were apart may have joined beyond the limits. */
    check(rc == OK || rc == ERR_LIMIT || rc == ERR_CORRUPT);
    for (size_t i = 0; rc == OK && i < n; i++) {
        buf_clear(&one);
        buf_clear(&two);
        histogram_pack(&one, h[i]);
        histogram_pack(&two, back[i]);
        check(str_eq(buf_view(&one), buf_view(&two)));
    }
    buf_release(&b);
    buf_release(&one);
    buf_release(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static double v[ROWS + 128];
    static int64_t t[ROWS + 128];
    if (size < 3) return 0;
    uint8_t what = data[0] % 5;
    size_t n = 1 + (data[1] | (size_t)data[2] << 8) % ROWS;
    struct str in = str_make(data + 3, size - 3);
    struct arena a = ARENA_INIT(16 << 20);
    struct histogram *h[ROWS];

    switch (what) {
    case 0:
        if (column_get_doubles(&in, v, n, NULL) == OK) doubles_round(v, n);
        break;
    case 1:
        if (column_get_ints(&in, t, n, NULL) == OK) ints_round(t, n);
        break;
    case 2:
        if (hist_column_get(&in, h, n, 1 << 14, &a, NULL) == OK) histograms_round(h, n, &a);
        break;
    case 3:
        memcpy(v, in.p, MIN(in.n, ROWS * sizeof *v));
        doubles_round(v, MIN(in.n / sizeof *v, (size_t)ROWS));
        break;
    default:
        memcpy(t, in.p, MIN(in.n, ROWS * sizeof *t));
        ints_round(t, MIN(in.n / sizeof *t, (size_t)ROWS));
        break;
    }
    arena_release(&a);
    return 0;
}
