#include "store/page.h"

#include "unit/test.h"

static struct str story(size_t n, bool random)
{
    static char text[200000];
    uint32_t x = 7;
    for (size_t i = 0; i < n; i++)
        text[i] = random ? (char)((x = x * 1664525 + 1013904223) >> 24) : "monitoring "[i % 11];
    return str_make(text, n);
}

TEST(page_gives_back_what_was_put)
{
    struct page_unpacker *u = page_unpacker_new();
    for (int level = -1; level <= 3; level++) {
        struct page_packer *p = page_packer_new(level);
        for (size_t n = 0; n < 150000; n = n * 3 + 1)
            for (int random = 0; random < 2; random++) {
                struct buf file = BUF_INIT(1 << 20), back = BUF_INIT(1 << 20);
                struct str raw = story(n, random);
                page_put(p, &file, PAGE_VALUES, raw);
                page_put(p, &file, PAGE_TIMES, STR("next"));
                EXPECT(file.n <= raw.n + 4 + 2 * PAGE_HEAD_BYTES);
                EXPECT(page_bytes(buf_view(&file)) == file.n - 4 - PAGE_HEAD_BYTES);

                struct str in = buf_view(&file), again = in;
                EXPECT(page_get(u, &in, PAGE_VALUES, &back, NULL) == OK);
                EXPECT(str_eq(buf_view(&back), raw));
                EXPECT(page_get(u, &in, PAGE_TIMES, &back, NULL) == OK);
                EXPECT(str_eq(buf_view(&back), STR("next")));
                EXPECT(in.n == 0);
                EXPECT(page_check(&again, PAGE_VALUES, NULL) == OK &&
                       page_check(&again, PAGE_TIMES, NULL) == OK);
                buf_release(&file);
                buf_release(&back);
            }
        page_packer_free(p);
    }
    page_unpacker_free(u);
}

TEST(page_compresses_what_can_be_compressed)
{
    struct page_packer *p = page_packer_new(1);
    struct buf file = BUF_INIT(1 << 20);
    page_put(p, &file, PAGE_VALUES, story(100000, false));
    EXPECT(file.n < 1000);
    buf_release(&file);
    page_packer_free(p);
}

TEST(page_notices_every_flipped_bit_and_every_cut)
{
    struct page_packer *p = page_packer_new(1);
    struct page_unpacker *u = page_unpacker_new();
    struct buf file = BUF_INIT(1 << 20), back = BUF_INIT(1 << 20);
    page_put(p, &file, PAGE_INDEX, story(300, false));

    for (size_t bit = 0; bit < file.n * 8; bit++) {
        struct str in = buf_view(&file);
        file.p[bit / 8] ^= (char)(1 << (bit % 8));
        EXPECT(page_get(u, &in, PAGE_INDEX, &back, NULL) == ERR_CORRUPT);
        EXPECT(in.n == file.n); /* a refused page is not stepped over */
        file.p[bit / 8] ^= (char)(1 << (bit % 8));
    }
    for (size_t n = 0; n < file.n; n++) {
        struct str in = str_make(file.p, n);
        EXPECT(page_get(u, &in, PAGE_INDEX, &back, NULL) == ERR_CORRUPT);
    }
    buf_release(&file);
    buf_release(&back);
    page_packer_free(p);
    page_unpacker_free(u);
}

TEST(page_refuses_another_kind_and_more_than_the_ceiling)
{
    struct page_packer *p = page_packer_new(1);
    struct page_unpacker *u = page_unpacker_new();
    struct buf file = BUF_INIT(1 << 20), small = BUF_INIT(99999);
    page_put(p, &file, PAGE_INDEX, story(100000, false));

    struct str in = buf_view(&file);
    EXPECT(page_get(u, &in, PAGE_VALUES, &small, NULL) == ERR_CORRUPT);
    EXPECT(page_get(u, &in, PAGE_INDEX, &small, NULL) == ERR_LIMIT);
    buf_release(&file);
    buf_release(&small);
    page_packer_free(p);
    page_unpacker_free(u);
}

TESTS(CASE(page_gives_back_what_was_put), CASE(page_compresses_what_can_be_compressed),
      CASE(page_notices_every_flipped_bit_and_every_cut),
      CASE(page_refuses_another_kind_and_more_than_the_ceiling))
