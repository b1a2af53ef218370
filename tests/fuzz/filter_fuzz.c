/* Filters: any bytes open or are refused, and what opens can be asked and copied, the copy answering alike;
 * of any text the words do not depend on where it is cut off, and those of a needle are among them. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void probe(const struct filter *f, uint64_t hash, uint64_t c[FILTER_GROUP / 64])
{
    memset(c, 0xff, FILTER_GROUP / 8);
    filter_probe(f, hash, c);
}

static void group_copied(struct str in)
{
    struct filter f, copy;
    if (filter_open(&f, in, NULL) != OK) return;
    struct filter_builder *b = filter_builder_new(f.class);
    struct buf out = BUF_INIT(256 << 20);
    for (size_t i = 0; i < f.n_blocks; i++) filter_copy_block(b, &f, i);
    filter_finish(b, &out);
    check(filter_open(&copy, buf_view(&out), NULL) == OK && copy.n_blocks == f.n_blocks);
    for (uint64_t hash = 0; hash < 8; hash++) {
        uint64_t before[FILTER_GROUP / 64], after[FILTER_GROUP / 64];
        probe(&f, hash, before);
        probe(&copy, hash, after);
        check(memcmp(before, after, sizeof before) == 0);
    }
    filter_builder_free(b);
    buf_release(&out);
}

struct hashes {
    uint64_t *at;
    size_t n, cap;
};

static void words_of(struct str text, size_t from, size_t to)
{
    struct hashes all = { 0 }, needle = { 0 };
    filter_words(text, &all.at, &all.n, &all.cap);
    filter_needle_words(str_make(text.p + from, to - from), &needle.at, &needle.n, &needle.cap);
    size_t at = 0; /* they follow each other in the text as in the needle */
    for (size_t i = 0; i < needle.n; i++, at++) {
        while (at < all.n && all.at[at] != needle.at[i]) at++;
        check(at < all.n);
    }
    if (all.n > 0) {
        struct filter_builder *b = filter_builder_new(FILTER_WORDS);
        struct buf out = BUF_INIT(64 << 20);
        struct filter f;
        filter_add_block(b, all.at, all.n);
        filter_finish(b, &out);
        check(filter_open(&f, buf_view(&out), NULL) == OK);
        for (size_t i = 0; i < needle.n; i++) {
            uint64_t c[FILTER_GROUP / 64];
            probe(&f, needle.at[i], c);
            check(c[0] == 1);
        }
        buf_release(&out);
        filter_builder_free(b);
    }
    mem_free(all.at);
    mem_free(needle.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) return 0;
    struct str in = str_make(data + 3, size - 3);
    if (data[0] % 2 == 0) {
        group_copied(in);
    } else {
        size_t from = in.n * data[1] / 256;
        words_of(in, from, from + (in.n - from) * data[2] / 255);
    }
    return 0;
}
