/* log_pattern_fuzz.c - any bytes are lines: nothing crashes, counts add up, patterns are bounded. */
#include "base/check.h"
#include "derive/log_pattern.h"

#define PATTERNS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct sums {
    uint64_t lines, buckets;
};

static void add_up(void *ctx, const struct log_pattern *p)
{
    struct sums *s = ctx;
    check(p->lines > 0 && p->first_ns <= p->last_ns);
    s->lines += p->lines;
    for (size_t i = 0; p->buckets != NULL && i < 4; i++) s->buckets += p->buckets[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct log_patterns_conf conf = { .max_patterns = PATTERNS, .step_ns = 64, .n_buckets = 4 };
    struct log_patterns *m = log_patterns_new(&conf);
    struct str rest = str_make(data, n);
    uint64_t lines = 0;
    for (; rest.n > 0 && lines < 256; lines++) {
        struct str line = str_cut(rest, '\n', &rest);
        uint32_t number = log_patterns_add(m, line.n % 2, line, (int64_t)lines, NULL);
        check(log_patterns_now(m, number) == number);
        check(log_patterns_count(m) <= PATTERNS);
    }
    struct sums s = { 0 };
    log_patterns_each(m, add_up, &s);
    check(s.lines == s.buckets && s.lines <= lines);
    check(log_patterns_forgotten(m) > 0 || s.lines == lines);
    log_patterns_free(m);
    return 0;
}
