/* log_pattern_bench.c - the pattern miner at work.
 *
 *     log_pattern_bench                      lines a second, patterns, memory; of made up lines
 *     log_pattern_bench --time < lines       the same of those given
 *     log_pattern_bench --patterns < lines   for each line the number and text of its pattern, once all were
 * seen
 *
 * tests/bench/log_pattern_accuracy.py runs the first against collections with known templates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "derive/log_pattern.h"

#define ROUNDS 50

static struct str *lines;
static size_t n_lines, cap_lines;

static void read_lines(void)
{
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t n; (n = getline(&line, &cap, stdin)) >= 0;) {
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r')) n--;
        lines = mem_grow(lines, n_lines, &cap_lines, sizeof *lines);
        lines[n_lines++] = str_of(str_dup(str_make(line, (size_t)n)));
    }
    free(line);
}

static void make_lines(void)
{
    static const char *const verbs[] = { "started", "finished", "failed", "was cancelled",
                                         "waits for a tool" };
    char line[200];
    for (unsigned i = 0; i < 5000; i++) {
        unsigned r = i * 2654435761u;
        snprintf(line, sizeof line, "agent %s-%u: task %08x %s after %u ms (model=%s, tokens=%u)",
                 i % 3 ? "planner" : "critic", r % 17, r, verbs[r / 7 % 5], r % 9000,
                 i % 2 ? "small" : "large", r % 8192);
        lines = mem_grow(lines, n_lines, &cap_lines, sizeof *lines);
        lines[n_lines++] = str_of(mem_strdup(line));
    }
}

struct texts {
    const char **of;
};

static void keep_text(void *ctx, const struct log_pattern *p)
{
    ((struct texts *)ctx)->of[p->number] = p->text.p;
}

static void print_patterns(void)
{
    struct log_patterns *m = log_patterns_new(&(struct log_patterns_conf){ .max_patterns = 100000 });
    uint32_t *number = mem_array(n_lines, sizeof *number), most = 0;
    for (size_t i = 0; i < n_lines; i++) {
        number[i] = log_patterns_add(m, 0, lines[i], (int64_t)i, NULL);
        if (number[i] > most) most = number[i];
    }
    struct texts t = { mem_array((size_t)most + 1, sizeof *t.of) };
    log_patterns_each(m, keep_text, &t);
    for (size_t i = 0; i < n_lines; i++) {
        uint32_t now = log_patterns_now(m, number[i]);
        printf("%u\t%s\n", now, t.of[now]);
    }
}

static void print_time(void)
{
    struct log_patterns *m = log_patterns_new(&(struct log_patterns_conf){ 0 });
    int64_t begun = clock_cpu_ns();
    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < n_lines; i++) log_patterns_add(m, 0, lines[i], (int64_t)i, NULL);
    double s = (double)(clock_cpu_ns() - begun) / 1e9;
    printf("%zu lines, %.0f thousand lines/s, %zu patterns, %zu bytes\n", n_lines,
           (double)(n_lines * ROUNDS) / s / 1e3, log_patterns_count(m), log_patterns_bytes(m));
    log_patterns_free(m);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        read_lines();
    else
        make_lines();
    if (argc > 1 && strcmp(argv[1], "--patterns") == 0)
        print_patterns();
    else
        print_time();
    return 0;
}
