/* filter_build.c - a group of blocks on its way into a filter.
 *
 * Each block gets a bitmap of its own at once, of a power of two bits; only the group's end knows the
 * largest, and smaller ones are repeated up to it while 64 blocks by 64 rows are turned over at a time.
 *
 * The power of two is the least that gives four fifths of the bits a hash should have: rounded up it would be
 * 38 % too large on average, so 15 %; a word at worst then has 11 bits and passes wrongly 1 time in 190, at
 * best 22 bits and 1 in 10 000.
 *
 * Always true:
 *   1. A bitmap has every bit of every hash added. Nothing is ever cleared.
 *   2. Repeating a bitmap changes no answer: positions are taken modulo its size.
 *   3. A full block has no bitmap; it is a candidate whatever is asked. */
#include <string.h>

#include "base/mem.h"
#include "store/filter_impl.h"

struct column {
    uint64_t *bits; /* NULL: full */
    uint8_t log2_bits;
};

struct filter_builder {
    enum filter_class class;
    size_t n;
    struct column column[FILTER_GROUP];
    struct {
        uint64_t *slots; /* 0 is free; kept from block to block */
        size_t cap;
    } seen;
};

struct filter_builder *filter_builder_new(enum filter_class class)
{
    check(class < FILTER_CLASSES);
    struct filter_builder *b = mem_alloc_zero(sizeof *b);
    b->class = class;
    return b;
}

static void forget_blocks(struct filter_builder *b)
{
    for (size_t i = 0; i < b->n; i++) mem_free(b->column[i].bits);
    b->n = 0;
}

void filter_builder_free(struct filter_builder *b)
{
    if (b == NULL) return;
    forget_blocks(b);
    mem_free(b->seen.slots);
    mem_free(b);
}

size_t filter_blocks(const struct filter_builder *b)
{
    return b->n;
}

/* ---- hashes, each once ---- */

#define SLOTS_MIN 4096

static bool seen_add(uint64_t *slots, size_t mask, uint64_t hash)
{
    size_t at = hash & mask;
    for (; slots[at] != 0; at = (at + 1) & mask)
        if (slots[at] == hash) return false;
    slots[at] = hash;
    return true;
}

/* Empty, with room for twice as many as the n known ones, which are put back. */
static size_t seen_reset(struct filter_builder *b, const uint64_t *hashes, size_t n, size_t slots)
{
    if (slots > b->seen.cap) {
        mem_free(b->seen.slots);
        b->seen.slots = mem_alloc(slots * sizeof *b->seen.slots);
        b->seen.cap = slots;
    }
    memset(b->seen.slots, 0, slots * sizeof *b->seen.slots);
    for (size_t i = 0; i < n; i++)
        if (hashes[i] != 0) seen_add(b->seen.slots, slots - 1, hashes[i]);
    return slots;
}

/* How many distinct ones now lie at the front; stops at one too many. */
static size_t unique(struct filter_builder *b, uint64_t *hashes, size_t n)
{
    size_t slots = seen_reset(b, NULL, 0, SLOTS_MIN), kept = 0;
    bool zero = false;
    for (size_t i = 0; i < n && kept <= FILTER_HASHES_MAX; i++) {
        uint64_t hash = hashes[i];
        bool is_new = hash != 0 ? seen_add(b->seen.slots, slots - 1, hash) : !zero;
        zero |= hash == 0;
        if (!is_new) continue;
        hashes[kept++] = hash;
        if (kept * 2 > slots) slots = seen_reset(b, hashes, kept, slots * 4);
    }
    return kept;
}

/* ---- blocks ---- */

static unsigned log2_bits_for(enum filter_class class, size_t hashes)
{
    const uint64_t least = (uint64_t)hashes * filter_kinds[class].bits * 4 / 5;
    unsigned log2_bits = FILTER_LOG2_MIN;
    while ((uint64_t)1 << log2_bits < least) log2_bits++;
    check(log2_bits <= FILTER_LOG2_MAX);
    return log2_bits;
}

static struct column *next_column(struct filter_builder *b)
{
    check(b->n < FILTER_GROUP);
    struct column *c = &b->column[b->n++];
    *c = (struct column){ NULL, FILTER_LOG2_MIN };
    return c;
}

static uint64_t *bitmap_new(unsigned log2_bits)
{
    return mem_array((size_t)1 << (log2_bits - 6), sizeof(uint64_t));
}

void filter_add_block(struct filter_builder *b, uint64_t *hashes, size_t n)
{
    struct column *c = next_column(b);
    n = unique(b, hashes, n);
    if (n > FILTER_HASHES_MAX) return;
    c->log2_bits = (uint8_t)log2_bits_for(b->class, n);
    c->bits = bitmap_new(c->log2_bits);

    const unsigned probes = filter_kinds[b->class].probes;
    uint32_t at[FILTER_ROOM];
    for (size_t i = 0; i < n; i++) {
        filter_positions(hashes[i], probes, 1u << c->log2_bits, at);
        for (unsigned p = 0; p < probes; p++) c->bits[at[p] / 64] |= (uint64_t)1 << at[p] % 64;
    }
}

static bool bit_of(const struct filter *f, size_t row, size_t block)
{
    size_t bit = row * f->row_bits + block;
    return f->rows[bit / 8] >> bit % 8 & 1;
}

void filter_copy_block(struct filter_builder *b, const struct filter *f, size_t block)
{
    check(f->class == b->class && block < f->n_blocks);
    struct column *c = next_column(b);
    if (f->full[block / 64] >> block % 64 & 1) return;
    c->log2_bits = (uint8_t)__builtin_ctz(f->bits);
    c->bits = bitmap_new(c->log2_bits);
    for (size_t row = 0; row < f->bits; row += 64) {
        uint64_t word = 0;
        for (size_t i = 0; i < 64; i++) word |= (uint64_t)bit_of(f, row + i, block) << i;
        c->bits[row / 64] = word;
    }
}

/* ---- the group ---- */

static unsigned most_log2_bits(const struct filter_builder *b)
{
    unsigned most = FILTER_LOG2_MIN;
    for (size_t i = 0; i < b->n; i++) most = MAX(most, b->column[i].log2_bits);
    return most;
}

size_t filter_bytes(const struct filter_builder *b)
{
    return filter_group_bytes((uint32_t)b->n, most_log2_bits(b));
}

/* Bit j of a[i] and bit i of a[j] change places: halves, then quarters, down to single bits. */
static void transpose(uint64_t a[64])
{
    uint64_t mask = 0x00000000ffffffffull;
    for (unsigned step = 32; step != 0; step >>= 1, mask ^= mask << step) {
        for (unsigned i = 0; i < 64; i = ((i | step) + 1) & ~step) {
            uint64_t swap = (a[i] >> step ^ a[i | step]) & mask;
            a[i] ^= swap << step;
            a[i | step] ^= swap;
        }
    }
}

static void put_row(uint8_t *rows, uint32_t row_bits, size_t row, size_t first_block, uint64_t bits)
{
    if (row_bits < 8) {
        rows[row * row_bits / 8] |= (uint8_t)(bits << row * row_bits % 8);
        return;
    }
    uint8_t *to = rows + row * (row_bits / 8) + first_block / 8;
    size_t bytes = MIN((row_bits - first_block) / 8, (size_t)8);
    for (size_t i = 0; i < bytes; i++) to[i] = (uint8_t)(bits >> 8 * i);
}

/* 64 rows of 64 blocks. */
static void put_square(const struct filter_builder *b, uint8_t *rows, size_t first_row, size_t first_block)
{
    const uint32_t row_bits = filter_row_bits((uint32_t)b->n);
    uint64_t square[64] = { 0 };
    size_t blocks = MIN(b->n - first_block, (size_t)64);
    for (size_t i = 0; i < blocks; i++) {
        const struct column *c = &b->column[first_block + i];
        size_t words = (size_t)1 << (c->log2_bits - 6);
        if (c->bits != NULL) square[i] = c->bits[first_row / 64 & (words - 1)];
    }
    transpose(square);
    for (size_t i = 0; i < 64; i++) put_row(rows, row_bits, first_row + i, first_block, square[i]);
}

static void put_full(const struct filter_builder *b, struct buf *out)
{
    for (size_t first = 0; first < b->n; first += 64) {
        uint64_t word = 0;
        for (size_t i = first; i < MIN(b->n, first + 64); i++)
            word |= (uint64_t)(b->column[i].bits == NULL) << i % 64;
        buf_u64le(out, word);
    }
}

void filter_finish(struct filter_builder *b, struct buf *out)
{
    check(b->n > 0);
    const unsigned log2_bits = most_log2_bits(b);
    size_t bytes = ((size_t)filter_row_bits((uint32_t)b->n) << log2_bits) / 8;
    char *rows = buf_room(out, bytes);
    if (rows != NULL) {
        memset(rows, 0, bytes);
        for (size_t row = 0; row < (size_t)1 << log2_bits; row += 64)
            for (size_t block = 0; block < b->n; block += 64) put_square(b, (uint8_t *)rows, row, block);
        buf_added(out, bytes);
    }
    put_full(b, out);
    buf_u8(out, (uint8_t)b->class);
    buf_u8(out, (uint8_t)log2_bits);
    buf_u16le(out, (uint16_t)b->n);
    buf_u32le(out, 0);
    forget_blocks(b);
}
