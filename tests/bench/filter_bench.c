/* filter_bench.c - what filters cost: MB/s of splitting texts into words, ns to build, to ask, to copy.
 *
 *     filter_bench [LOG ...]
 *
 * Words: the files' bytes one after the other, line by line, until 256 MB have been looked at; without files
 * a generated log. Asking: GROUPS groups of 512 blocks (1 MiB of raw text each, so 65 536 blocks are 64 GiB),
 * one absent hash after another through all groups; their rows exceed every cache. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/filter.h"
#include "unit/store/shape.h"

enum { GROUPS = 128, DISTINCT = 11000, ASKED = 200, LOOKED_AT = 256 << 20 };

static void generate(struct buf *b)
{
    struct dice d = { 1 };
    while (b->n < 4 << 20)
        buf_printf(
            b,
            "2026-11-21T%02u:%02u:%02u INFO agent.worker-%u request %08x finished in %u ms, model=gpt-4o\n",
            (unsigned)roll_below(&d, 24), (unsigned)roll_below(&d, 60), (unsigned)roll_below(&d, 60),
            (unsigned)roll_below(&d, 40), (unsigned)roll(&d), (unsigned)roll_below(&d, 5000));
}

static void words_speed(struct str all)
{
    uint64_t *at = NULL;
    size_t n = 0, cap = 0, words = 0, bytes = 0;
    int64_t begin = clock_mono_ns();
    while (bytes < LOOKED_AT) {
        for (struct str text = all; text.n > 0;) {
            n = 0;
            filter_words(str_cut(text, '\n', &text), &at, &n, &cap);
            words += n;
        }
        bytes += all.n;
    }
    double s = (double)(clock_mono_ns() - begin) / 1e9;
    printf("words of lines          %8.0f MB/s %8.1f M words/s, %.1f bytes a word\n", (double)bytes / s / 1e6,
           (double)words / s / 1e6, (double)bytes / (double)words);
    mem_free(at);
}

/* As a writer does: blocks of about 1 MiB. */
static void build_speed(struct str all)
{
    struct filter_builder *b = filter_builder_new(FILTER_WORDS);
    struct buf out = BUF_INIT(256 << 20);
    uint64_t *at = NULL;
    size_t n = 0, cap = 0, hashes = 0, raw = 0;
    int64_t add_ns = 0;
    struct str text = all;
    while (filter_blocks(b) < 256) {
        size_t block = 0;
        for (n = 0; block < 1 << 20;) {
            if (text.n == 0) text = all;
            struct str line = str_cut(text, '\n', &text);
            block += line.n + 1;
            filter_words(line, &at, &n, &cap);
        }
        int64_t begin = clock_mono_ns();
        filter_add_block(b, at, n);
        add_ns += clock_mono_ns() - begin;
        hashes += n;
        raw += block;
    }
    int64_t begin = clock_mono_ns();
    filter_finish(b, &out);
    double finish_ns = (double)(clock_mono_ns() - begin);
    printf("add_block               %8.0f MB/s of raw, %.1f ns a hash\n", (double)raw * 1e3 / (double)add_ns,
           (double)add_ns / (double)hashes);
    printf("finish, 256 blocks      %8.1f ms, %zu bytes: %.2f %% of raw\n", finish_ns / 1e6, out.n,
           100.0 * (double)out.n / (double)raw);
    mem_free(at);
    buf_release(&out);
    filter_builder_free(b);
}

static void ask_speed(void)
{
    static struct filter f[GROUPS];
    struct filter_builder *b = filter_builder_new(FILTER_WORDS);
    struct buf all = BUF_INIT((size_t)8 << 30), one = BUF_INIT(64 << 20);
    struct dice d = { 2 };
    uint64_t *h = mem_array(DISTINCT, sizeof *h);
    for (size_t block = 0; block < FILTER_GROUP; block++) {
        for (size_t i = 0; i < DISTINCT; i++) h[i] = roll(&d);
        filter_add_block(b, h, DISTINCT);
    }
    filter_finish(b, &one);
    /* Copies: what is in the rows does not change how long they take to come. */
    const size_t groups = one.n * GROUPS > (size_t)3 << 30 ? ((size_t)3 << 30) / one.n : GROUPS;
    for (size_t g = 0; g < groups; g++) buf_add(&all, one.p, one.n);
    for (size_t g = 0; g < groups; g++)
        check(filter_open(&f[g], str_make(all.p + g * one.n, one.n), NULL) == OK);

    uint64_t left = 0, wrong = 0;
    int64_t begin = clock_mono_ns();
    for (int i = 0; i < ASKED; i++) {
        uint64_t hash = roll(&d);
        for (size_t g = 0; g < groups; g++) {
            uint64_t c[FILTER_GROUP / 64];
            memset(c, 0xff, sizeof c);
            filter_probe(&f[g], hash, c);
            for (size_t w = 0; w < COUNT(c); w++) left += (uint64_t)__builtin_popcountll(c[w]);
        }
    }
    double ns = (double)(clock_mono_ns() - begin) / ASKED;
    wrong = left;
    printf(
        "ask %zu groups          %8.1f us a hash, %.2f ns a block; %.4f %% of blocks wrong; %zu MB of rows\n",
        groups, ns / 1e3, ns / (double)(groups * FILTER_GROUP),
        100.0 * (double)wrong / ((double)groups * FILTER_GROUP * ASKED), all.n >> 20);

    begin = clock_mono_ns();
    for (size_t i = 0; i < 64; i++) filter_copy_block(b, &f[i % groups], i * 8);
    printf("copy_block              %8.1f us\n", (double)(clock_mono_ns() - begin) / 64e3);
    mem_free(h);
    buf_release(&one);
    buf_release(&all);
    filter_builder_free(b);
}

int main(int argc, char **argv)
{
    struct buf text = BUF_INIT(64 << 20);
    struct err e = ERR_INIT;
    for (int i = 1; i < argc; i++) {
        struct buf one = BUF_INIT(64 << 20);
        if (file_slurp(argv[i], &one, &e) < 0) {
            fprintf(stderr, "filter_bench: %s\n", e.text);
            return 1;
        }
        buf_str(&text, buf_view(&one));
        buf_release(&one);
    }
    if (argc < 2) generate(&text);
    words_speed(buf_view(&text));
    build_speed(buf_view(&text));
    ask_speed();
    buf_release(&text);
    return 0;
}
