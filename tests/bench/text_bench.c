/* text_bench.c - what a text costs in a record part: bytes of a value in its column, the same after zstd-1,
 * ns to write and to read it.
 *
 *     text_bench [FILE ...]
 *
 * Of a log file: its lines, and the words at each place of a line as a column of their own. Of a JSON file:
 * its strings, those of 512 bytes and more apart (prompts). Without files, generated columns of spans,
 * seeded. Columns are cut into blocks of at most 8192 values or 1 MiB. Figures are means over all blocks,
 * each of them written and read ROUNDS times; reading includes nothing but the codec. */
#include <stdio.h>
#include <stdlib.h>

#include <zstd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/text_column.h"
#include "unit/store/shape.h"

enum { BLOCK_ROWS = 8192, BLOCK_BYTES = 1 << 20, ROUNDS = 5, PLACES = 12, CONTENT = 512 };

struct texts {
    struct str *v;
    size_t n, cap;
};

static void texts_add(struct texts *t, struct str s)
{
    t->v = mem_grow(t->v, t->n, &t->cap, sizeof *t->v);
    t->v[t->n++] = s;
}

/* ---- one column ---- */

struct cost {
    size_t values, raw, bytes, packed;
    int64_t put_ns, get_ns;
    unsigned shapes[16];
};

static void block_cost(struct cost *c, const struct str *v, size_t n)
{
    static char packed[16 << 20];
    struct buf b = BUF_INIT(16 << 20);
    struct arena a = ARENA_INIT(64 << 20);
    struct text_column back;
    int64_t at = clock_mono_ns();
    for (int i = 0; i < ROUNDS; i++) {
        buf_clear(&b);
        text_column_put(&b, v, n);
    }
    c->put_ns += clock_mono_ns() - at;
    at = clock_mono_ns();
    for (int i = 0; i < ROUNDS; i++) {
        struct str in = buf_view(&b);
        arena_reset(&a);
        check(text_column_get(&in, n, &a, &back, NULL) == OK);
    }
    c->get_ns += clock_mono_ns() - at;
    for (size_t i = 0; i < n; i++) check(str_eq(text_column_at(&back, i), v[i]));

    c->values += n;
    for (size_t i = 0; i < n; i++) c->raw += v[i].n;
    c->bytes += b.n;
    c->packed += ZSTD_compress(packed, sizeof packed, b.p, b.n, 1);
    c->shapes[b.p[0] & 15]++;
    arena_release(&a);
    buf_release(&b);
}

static void print_cost(const char *name, const struct cost *c)
{
    static const char *const shapes[] = { "same", "plain", "packed", "bytes", "runs" };
    unsigned most = 0;
    for (unsigned s = 1; s < COUNT(shapes); s++)
        if (c->shapes[s] > c->shapes[most]) most = s;
    double n = (double)c->values;
    printf("%-34.34s %8zu %9.2f %8.2f %8.2f %8.1f %8.1f  %s\n", name, c->values, (double)c->raw / n,
           (double)c->bytes / n, (double)c->packed / n, (double)c->put_ns / n / ROUNDS,
           (double)c->get_ns / n / ROUNDS, shapes[most]);
}

static void column_cost(const char *name, const struct texts *t, struct cost *sum)
{
    struct cost c = { 0 };
    for (size_t at = 0, n; at < t->n; at += n) {
        size_t bytes = 0;
        for (n = 0; at + n < t->n && n < BLOCK_ROWS && (n == 0 || bytes < BLOCK_BYTES); n++)
            bytes += t->v[at + n].n;
        block_cost(&c, t->v + at, n);
    }
    if (c.values == 0) return;
    print_cost(name, &c);
    sum->raw += c.raw;
    sum->bytes += c.bytes;
    sum->packed += c.packed;
}

/* ---- files ---- */

static void split_lines(struct str text, struct texts *lines, struct texts *places)
{
    while (text.n > 0) {
        struct str line = str_trim(str_cut(text, '\n', &text));
        if (line.n == 0) continue;
        texts_add(lines, line);
        for (size_t p = 0; p < PLACES; p++) texts_add(&places[p], str_cut(line, ' ', &line));
    }
}

/* Strings as they are written, escapes and all: near enough for sizes. */
static void split_strings(struct str text, struct texts *small, struct texts *large)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '"') continue;
        size_t from = ++i;
        for (; i < text.n && text.p[i] != '"'; i++) i += text.p[i] == '\\';
        if (i >= text.n) return;
        struct str s = str_make(text.p + from, i - from);
        texts_add(s.n >= CONTENT ? large : small, s);
    }
}

static void file_cost(const char *path, struct cost *sum)
{
    struct buf text = BUF_INIT(64 << 20);
    struct err e = ERR_INIT;
    if (file_slurp(path, &text, &e) < 0) {
        fprintf(stderr, "text_bench: %s\n", e.text);
        exit(1);
    }
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    struct texts column[PLACES + 2] = { 0 };
    char name[300];
    if (text.n > 0 && (text.p[0] == '[' || text.p[0] == '{')) {
        split_strings(buf_view(&text), &column[0], &column[1]);
        snprintf(name, sizeof name, "%s strings", base);
        column_cost(name, &column[0], sum);
        snprintf(name, sizeof name, "%s content", base);
        column_cost(name, &column[1], sum);
    } else {
        split_lines(buf_view(&text), &column[0], column + 1);
        snprintf(name, sizeof name, "%s lines", base);
        column_cost(name, &column[0], sum);
        for (size_t p = 0; p < PLACES; p++) {
            snprintf(name, sizeof name, "%s word %zu", base, p + 1);
            column_cost(name, &column[p + 1], sum);
        }
    }
    for (size_t i = 0; i < COUNT(column); i++) mem_free(column[i].v);
    buf_release(&text);
}

/* ---- generated columns of spans ---- */

/* A few values often, many seldom. */
static uint64_t roll_skewed(struct dice *d, uint64_t n)
{
    double u = roll_unit(d);
    return (uint64_t)((double)n * u * u * u * u);
}

static struct str span_text(struct arena *a, struct dice *d, unsigned kind, size_t row)
{
    static const char *const models[] = { "gpt-4o-mini", "gpt-4o", "claude-3-5-sonnet", "llama-3.1-70b" };
    switch (kind) {
    case 0: return STR("openai");
    case 1: return str_of(models[roll_skewed(d, COUNT(models))]);
    case 2: return arena_printf(a, "tool.call.%u", (unsigned)roll_skewed(d, 30));
    case 3: return arena_printf(a, "agent-worker-%03u.prod.example.com", (unsigned)(row / 300 % 40));
    case 4: return arena_printf(a, "user-%04u", (unsigned)roll_skewed(d, 900));
    case 5: return arena_printf(a, "conv-%08u", (unsigned)roll_skewed(d, 1000000));
    case 6: return arena_printf(a, "chatcmpl-%016llx%08x", (unsigned long long)roll(d), (unsigned)roll(d));
    case 7:
        return arena_printf(a, "%016llx%016llx", (unsigned long long)roll(d), (unsigned long long)roll(d));
    case 8:
        return arena_printf(a, "%08x-%04x-4%03x-a%03x-%012llx", (unsigned)roll(d),
                            (unsigned)roll_below(d, 65536), (unsigned)roll_below(d, 4096),
                            (unsigned)roll_below(d, 4096), (unsigned long long)(roll(d) >> 16));
    case 9: return arena_printf(a, "%u", (unsigned)roll_skewed(d, 100000));
    default: return arena_printf(a, "%zu", 1700000000000 + row * 37 + roll_below(d, 30));
    }
}

static void generated_costs(struct cost *sum)
{
    static const char *const names[] = { "constant",          "4 models, skewed",  "30 names, skewed",
                                         "host, runs of 300", "900 users, skewed", "conversations",
                                         "response id",       "32 hex digits",     "uuid",
                                         "numbers, skewed",   "clock, ms" };
    struct dice d = { 1 };
    for (unsigned kind = 0; kind < COUNT(names); kind++) {
        struct arena a = ARENA_INIT(256 << 20);
        struct texts t = { 0 };
        for (size_t row = 0; row < 8 * BLOCK_ROWS; row++) texts_add(&t, span_text(&a, &d, kind, row));
        column_cost(names[kind], &t, sum);
        mem_free(t.v);
        arena_release(&a);
    }
}

int main(int argc, char **argv)
{
    struct cost sum = { 0 };
    printf("%-34s %8s %9s %8s %8s %8s %8s\n", "", "values", "raw B", "column B", "zstd-1 B", "put ns",
           "get ns");
    if (argc < 2) generated_costs(&sum);
    for (int i = 1; i < argc; i++) file_cost(argv[i], &sum);
    printf("all: %zu bytes raw, %zu in columns, %zu after zstd-1\n", sum.raw, sum.bytes, sum.packed);
    return 0;
}
