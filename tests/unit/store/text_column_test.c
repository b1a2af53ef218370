#include "store/text_column.h"

#include "base/arena.h"
#include "base/check.h"
#include "store/column.h"
#include "unit/store/shape.h"
#include "unit/test.h"

static const size_t lengths[] = { 1, 2, 3, 64, 127, 128, 129, 1000, 1024, 1025, 5000 };

/* ---- values of every character ---- */

static struct str hex_text(struct arena *a, struct dice *d, size_t n)
{
    char *p = arena_alloc(a, n + 1);
    for (size_t i = 0; i < n; i++) p[i] = "0123456789abcdef"[roll_below(d, 16)];
    return str_make(p, n);
}

static struct str uuid_text(struct arena *a, struct dice *d)
{
    struct str s = hex_text(a, d, 36);
    char *p = (char *)(uintptr_t)s.p;
    p[8] = p[13] = p[18] = p[23] = '-';
    return s;
}

static struct str any_bytes(struct arena *a, struct dice *d, size_t most)
{
    size_t n = roll_below(d, most + 1);
    char *p = arena_alloc(a, n + 1);
    for (size_t i = 0; i < n; i++) p[i] = (char)roll(d);
    return str_make(p, n);
}

static struct str number_text(struct arena *a, struct dice *d)
{
    static const int64_t edges[] = { 0, 1, -1, 9, 10, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1 };
    int64_t v =
        roll_below(d, 4) == 0 ? edges[roll_below(d, COUNT(edges))] : (int64_t)(roll(d) >> roll_below(d, 64));
    return arena_printf(a, "%lld", (long long)v);
}

enum { SHAPES = 12 };

static struct str value_of_shape(struct arena *a, struct dice *d, unsigned shape, const struct str *before)
{
    static const char *const odd[] = { "01",
                                       "-0",
                                       "+1",
                                       "--1",
                                       "-",
                                       "",
                                       "9223372036854775808",
                                       "-9223372036854775809",
                                       "18446744073709551616",
                                       "1 ",
                                       "0x1",
                                       "00" };
    switch (shape) {
    case 0: return STR("GET");
    case 1: return arena_printf(a, "GET /%llu", (unsigned long long)roll_below(d, 5));
    case 2: return hex_text(a, d, 32);
    case 3: return hex_text(a, d, 2 * roll_below(d, 9));
    case 4: return hex_text(a, d, roll_below(d, 9)); /* odd lengths too */
    case 5: return uuid_text(a, d);
    case 6: return number_text(a, d);
    case 7: return str_of(odd[roll_below(d, COUNT(odd))]);
    case 8: return any_bytes(a, d, 40);
    case 9: return before && roll_below(d, 50) ? *before : any_bytes(a, d, 20); /* runs */
    case 10: return arena_printf(a, "user-%05llu@example.org", (unsigned long long)roll_below(d, 700));
    default: return roll_below(d, 100) ? hex_text(a, d, 16) : STR("0123456789abcdeF");
    }
}

static struct str *values_of_shape(struct arena *a, struct dice *d, unsigned shape, size_t n)
{
    struct str *v = arena_array(a, n, sizeof *v);
    for (size_t i = 0; i < n; i++) v[i] = value_of_shape(a, d, shape, i ? &v[i - 1] : NULL);
    return v;
}

/* ---- there and back ---- */

static size_t expect_back(const struct str *v, size_t n)
{
    struct buf b = BUF_INIT(64 << 20);
    struct arena a = ARENA_INIT(64 << 20);
    struct text_column c;
    text_column_put(&b, v, n);
    size_t bytes = b.n;
    buf_char(&b, '!');
    struct str in = buf_view(&b);
    EXPECT(text_column_get(&in, n, &a, &c, NULL) == OK);
    EXPECT(in.n == 1 && c.n == n);
    for (size_t i = 0; i < n; i++) EXPECT(str_eq(text_column_at(&c, i), v[i]));
    for (size_t i = 0; c.ids && i < n; i++) EXPECT(c.ids[i] < c.n_dict);
    for (size_t i = 1; c.ids && i < c.n_dict; i++) EXPECT(str_cmp(c.value[i - 1], c.value[i]) < 0);
    arena_release(&a);
    buf_release(&b);
    return bytes;
}

TEST(texts_of_every_shape_and_length_come_back_to_the_byte)
{
    struct dice d = { 1 };
    for (unsigned shape = 0; shape < SHAPES; shape++)
        for (size_t l = 0; l < COUNT(lengths); l++)
            for (int again = 0; again < 3; again++) {
                struct arena a = ARENA_INIT(64 << 20);
                expect_back(values_of_shape(&a, &d, shape, lengths[l]), lengths[l]);
                arena_release(&a);
            }
}

TEST(a_constant_takes_its_bytes_once_and_is_one_value)
{
    struct str v[5000];
    for (size_t i = 0; i < COUNT(v); i++) v[i] = STR("gpt-4o-mini");
    EXPECT(expect_back(v, COUNT(v)) <= 11 + 3);

    struct buf b = BUF_INIT(1 << 20);
    struct arena a = ARENA_INIT(1 << 20);
    struct text_column c;
    text_column_put(&b, v, COUNT(v));
    struct str in = buf_view(&b);
    EXPECT(text_column_get(&in, COUNT(v), &a, &c, NULL) == OK);
    EXPECT(c.ids != NULL && c.n_dict == 1 && str_is(c.value[0], "gpt-4o-mini"));
    arena_release(&a);
    buf_release(&b);
}

/* 4096 values, one page: what the entropy of ids alone takes, plus a little for the head. */
TEST(ids_of_few_values_and_texts_that_are_numbers_take_what_they_must)
{
    enum { N = 4096 };
    struct dice d = { 2 };
    struct arena a = ARENA_INIT(64 << 20);
    struct str *v = values_of_shape(&a, &d, 5, N);
    EXPECT(expect_back(v, N) <= N * 16 + 8);
    v = values_of_shape(&a, &d, 2, N);
    EXPECT(expect_back(v, N) <= N * 16 + 8);
    for (size_t i = 0; i < N; i++) v[i] = arena_printf(&a, "%zu", 100000 + i);
    EXPECT(expect_back(v, N) <= 64);
    for (size_t i = 0; i < N; i++) v[i] = arena_printf(&a, "host-%zu", i / 512);
    EXPECT(expect_back(v, N) <= 128);
    for (size_t i = 0; i < N; i++)
        v[i] = arena_printf(&a, "a rather long name of a thing, number %llu",
                            (unsigned long long)roll_below(&d, 300));
    EXPECT(expect_back(v, N) <= 300 * 44 + N * 9 / 8 + 600);
    arena_release(&a);
}

TEST(no_rows_take_no_bytes)
{
    struct buf b = BUF_INIT(100);
    struct arena a = ARENA_INIT(1000);
    struct text_column c;
    text_column_put(&b, NULL, 0);
    text_column_put_fixed(&b, NULL, 8, 0);
    presence_put(&b, NULL, 0);
    EXPECT(b.n == 0);
    struct str in = STR("x");
    EXPECT(text_column_get(&in, 0, &a, &c, NULL) == OK && c.n == 0);
    EXPECT(text_column_get_fixed(&in, NULL, 8, 0, NULL) == OK);
    EXPECT(presence_get(&in, NULL, 0, NULL) == OK);
    EXPECT(in.n == 1);
}

TEST(the_largest_column_comes_back)
{
    struct arena a = ARENA_INIT(64 << 20);
    struct str *v = arena_array(&a, COLUMN_ROWS_MAX, sizeof *v);
    for (size_t i = 0; i < COLUMN_ROWS_MAX; i++)
        v[i] = arena_printf(&a, "x%zu", i * 7919 % COLUMN_ROWS_MAX / 2);
    expect_back(v, COLUMN_ROWS_MAX);
    for (size_t i = 0; i < COLUMN_ROWS_MAX; i++) v[i] = arena_printf(&a, "y%zu", i);
    expect_back(v, COLUMN_ROWS_MAX);
    arena_release(&a);
}

/* ---- fixed width ---- */

TEST(fixed_ids_come_back_and_runs_of_them_are_stored_once)
{
    struct dice d = { 3 };
    for (size_t width = 1; width <= TEXT_FIXED_MAX; width = width < 16 ? width + 1 : width * 2) {
        for (size_t l = 0; l < COUNT(lengths); l++) {
            size_t n = lengths[l];
            uint8_t *v = malloc(n * width), *back = malloc(n * width);
            unsigned run = (unsigned)roll_below(&d, 20);
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < width; j++)
                    v[i * width + j] =
                        i > 0 && roll_below(&d, 20) < run ? v[(i - 1) * width + j] : (uint8_t)roll(&d);
            struct buf b = BUF_INIT(1 << 24);
            text_column_put_fixed(&b, v, width, n);
            buf_char(&b, '!');
            struct str in = buf_view(&b);
            EXPECT(text_column_get_fixed(&in, back, width, n, NULL) == OK && in.n == 1);
            EXPECT(memcmp(v, back, n * width) == 0);
            EXPECT(b.n <= 2 + n * width);
            buf_release(&b);
            free(v);
            free(back);
        }
    }
}

TEST(trace_ids_of_twelve_spans_each_take_little_more_than_a_twelfth)
{
    enum { N = 6000 };
    struct dice d = { 4 };
    uint8_t *v = malloc(N * 16);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < 16; j++) v[i * 16 + j] = i % 12 ? v[(i - 1) * 16 + j] : (uint8_t)roll(&d);
    struct buf b = BUF_INIT(1 << 20);
    text_column_put_fixed(&b, v, 16, N);
    EXPECT(b.n <= N / 12 * 17);
    buf_release(&b);
    free(v);
}

/* ---- presence ---- */

static size_t expect_presence(const uint64_t *bits, size_t n)
{
    struct buf b = BUF_INIT(1 << 20);
    uint64_t back[COLUMN_ROWS_MAX / 64];
    memset(back, 0xa5, sizeof back);
    presence_put(&b, bits, n);
    buf_char(&b, '!');
    struct str in = buf_view(&b);
    EXPECT(presence_get(&in, back, n, NULL) == OK && in.n == 1);
    for (size_t i = 0; i < n; i++) EXPECT((back[i / 64] >> i % 64 & 1) == (bits[i / 64] >> i % 64 & 1));
    if (n % 64) EXPECT(back[n / 64] >> n % 64 == 0);
    size_t bytes = b.n - 1;
    buf_release(&b);
    return bytes;
}

TEST(presence_comes_back_and_nothing_beyond_the_last_row)
{
    struct dice d = { 5 };
    uint64_t bits[COLUMN_ROWS_MAX / 64];
    for (size_t n = 1; n <= COLUMN_ROWS_MAX; n = n < 200 ? n + 1 : n * 2 - 3) {
        size_t bitmap = 1 + (n + 7) / 8;
        memset(bits, 0, sizeof bits);
        EXPECT(expect_presence(bits, n) == 1);
        memset(bits, 0xff, sizeof bits);
        EXPECT(expect_presence(bits, n) == 1);
        for (size_t i = 0; i < COUNT(bits); i++) bits[i] = roll(&d);
        EXPECT(expect_presence(bits, n) <= bitmap);
        for (size_t i = 0; i < COUNT(bits); i++)
            bits[i] = roll_below(&d, 9) ? 0 : (uint64_t)1 << roll_below(&d, 64);
        EXPECT(expect_presence(bits, n) <= bitmap);
        for (size_t i = 0; i < COUNT(bits); i++) bits[i] = i > COUNT(bits) / 3 ? UINT64_MAX : 0;
        EXPECT(expect_presence(bits, n) <= 10);
    }
}

/* ---- damage ---- */

static void expect_no_harm(struct str bytes, size_t n)
{
    struct arena a = ARENA_INIT(64 << 20);
    struct text_column c;
    struct str in = bytes;
    struct err e = ERR_INIT;
    int rc = text_column_get(&in, n, &a, &c, &e);
    EXPECT(rc == OK || (rc == ERR_CORRUPT && in.p == bytes.p && strstr(e.text, "texts")));
    for (size_t i = 0; rc == OK && i < n; i++) EXPECT(text_column_at(&c, i).n <= 1 << 20);
    arena_release(&a);
}

TEST(cut_and_flipped_bytes_are_refused_or_harmless)
{
    enum { N = 300 };
    struct dice d = { 6 };
    for (unsigned shape = 0; shape < SHAPES; shape++) {
        struct arena a = ARENA_INIT(64 << 20);
        struct buf b = BUF_INIT(1 << 20);
        text_column_put(&b, values_of_shape(&a, &d, shape, N), N);
        for (size_t cut = 0; cut < b.n; cut += 1 + b.n / 200) {
            char *copy = malloc(cut + 1); /* of its own, so that a read beyond it is seen */
            memcpy(copy, b.p, cut);
            expect_no_harm(str_make(copy, cut), N);
            free(copy);
        }
        for (int i = 0; i < 500; i++) {
            size_t at = roll_below(&d, b.n);
            char before = b.p[at];
            b.p[at] = (char)(before ^ 1 << roll_below(&d, 8));
            expect_no_harm(buf_view(&b), N);
            b.p[at] = before;
        }
        buf_release(&b);
        arena_release(&a);
    }
}

/* Bytes written by hand from the format. */
TEST(what_no_writer_writes_is_refused)
{
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {
        { "", 0 },
        { "\x05", 1 },     /* no such shape */
        { "\x40\x00", 2 }, /* no such form */
        { "\x03\x01\x02"
          "aa"
          "\0\0\0\0",
          9 }, /* a dictionary of equal values */
        { "\x03\x01\x02"
          "ba"
          "\0\0\0\0",
          9 }, /* or falling ones */
        { "\x03\x01\x02"
          "ab"
          "\0\2\0\0",
          9 }, /* an id that is none */
        { "\x03\x04\x02"
          "abcde"
          "\0\0\0\0",
          12 }, /* more values than rows */
        { "\x04\x01\x02"
          "ab"
          "\x01\0\0",
          8 },                                 /* runs that do not make four rows */
        { "\x01\x80\x80\x80\x80\x80\x01", 7 }, /* a size beyond everything */
    };
    struct arena a = ARENA_INIT(1 << 20);
    struct text_column c;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct str in = str_make(bad[i].bytes, bad[i].n);
        EXPECT(text_column_get(&in, 4, &a, &c, NULL) == ERR_CORRUPT);
    }
    struct str good = str_make("\x03\x01\x02"
                               "ab"
                               "\0\1\0\0",
                               9);
    EXPECT(text_column_get(&good, 4, &a, &c, NULL) == OK && good.n == 0);
    EXPECT(str_is(text_column_at(&c, 0), "a") && str_is(text_column_at(&c, 1), "b"));
    arena_release(&a);
}

TESTS(CASE(texts_of_every_shape_and_length_come_back_to_the_byte),
      CASE(a_constant_takes_its_bytes_once_and_is_one_value),
      CASE(ids_of_few_values_and_texts_that_are_numbers_take_what_they_must), CASE(no_rows_take_no_bytes),
      CASE(the_largest_column_comes_back), CASE(fixed_ids_come_back_and_runs_of_them_are_stored_once),
      CASE(trace_ids_of_twelve_spans_each_take_little_more_than_a_twelfth),
      CASE(presence_comes_back_and_nothing_beyond_the_last_row),
      CASE(cut_and_flipped_bytes_are_refused_or_harmless), CASE(what_no_writer_writes_is_refused))
