/* Columns of texts both ways: any bytes decode or are refused; any texts come back to the byte, and so does
 * what was decoded. */
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "store/text_column.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS = 1000 };

static void texts_round(const struct str *v, size_t n)
{
    struct buf b = BUF_INIT(64 << 20);
    struct arena a = ARENA_INIT(64 << 20);
    struct text_column c;
    text_column_put(&b, v, n);
    struct str in = buf_view(&b);
    check(text_column_get(&in, n, &a, &c, NULL) == OK && in.n == 0);
    for (size_t i = 0; i < n; i++) check(str_eq(text_column_at(&c, i), v[i]));
    arena_release(&a);
    buf_release(&b);
}

static void texts_read(struct str in, size_t n)
{
    static struct str v[ROWS];
    struct arena a = ARENA_INIT(64 << 20);
    struct text_column c;
    if (text_column_get(&in, n, &a, &c, NULL) == OK) {
        for (size_t i = 0; i < n; i++) v[i] = text_column_at(&c, i);
        texts_round(v, n);
    }
    arena_release(&a);
}

/* Lines of the input. */
static void texts_written(struct str in)
{
    struct str v[ROWS];
    size_t n = 0;
    while (in.n > 0 && n < ROWS) v[n++] = str_cut(in, '\n', &in);
    texts_round(v, n);
}

static void fixed_round(struct str in, size_t width, size_t n)
{
    static uint8_t v[ROWS * TEXT_FIXED_MAX], back[ROWS * TEXT_FIXED_MAX];
    if (text_column_get_fixed(&in, v, width, n, NULL) != OK) return;
    struct buf b = BUF_INIT(1 << 20);
    text_column_put_fixed(&b, v, width, n);
    struct str again = buf_view(&b);
    check(text_column_get_fixed(&again, back, width, n, NULL) == OK && again.n == 0);
    check(memcmp(v, back, n * width) == 0);
    buf_release(&b);
}

static void presence_round(struct str in, size_t n)
{
    uint64_t bits[(ROWS + 63) / 64], back[(ROWS + 63) / 64];
    if (presence_get(&in, bits, n, NULL) != OK) return;
    struct buf b = BUF_INIT(1 << 20);
    presence_put(&b, bits, n);
    struct str again = buf_view(&b);
    check(presence_get(&again, back, n, NULL) == OK && again.n == 0);
    check(memcmp(bits, back, (n + 63) / 64 * 8) == 0);
    buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) return 0;
    size_t n = 1 + (data[1] | (size_t)data[2] << 8) % ROWS;
    struct str in = str_make(data + 3, size - 3);
    switch (data[0] % 4) {
    case 0: texts_read(in, n); break;
    case 1: texts_written(in); break;
    case 2: fixed_round(in, 1 + data[0] / 4 % TEXT_FIXED_MAX, n); break;
    default: presence_round(in, n); break;
    }
    return 0;
}
