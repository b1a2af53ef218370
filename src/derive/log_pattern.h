/* log_pattern.h - which lines are the same message with other values in it.
 *
 *     connection from 10.0.0.7 port 3345          connection from <_> port <_>      2 lines
 *     connection from 10.0.0.9 port 80      ->
 *
 * Lines come one by one; each belongs to a pattern at once. Patterns are joined later when lines show that
 * what told them apart was a value (log_pattern.c). Memory is bounded: of too many patterns those that were
 * seen longest ago are forgotten, a quarter at a time.
 *
 * Lines of different scopes never share a pattern; a scope is a number of the caller's (a service, a stream).
 *
 * One thread at a time. Accuracy, rules and cost: docs/log-patterns.md. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define LOG_PATTERN_LINE_MAX   2048 /* bytes of a line that are looked at; only its first line of text */
#define LOG_PATTERN_TOKENS_MAX 128  /* likewise */

struct log_patterns;

struct log_patterns_conf {
    size_t max_patterns; /* 0 = 4096 */
    /* Lines counted by time, for charts: n_buckets of step_ns from start_ns on. 0 buckets: none. */
    int64_t start_ns, step_ns;
    size_t n_buckets;
};

struct log_patterns *log_patterns_new(const struct log_patterns_conf *);
void log_patterns_free(struct log_patterns *);

/* Take a line in. Its pattern's number, good until patterns are forgotten; *is_new: nothing like it was
 * known. */
uint32_t log_patterns_add(struct log_patterns *, uint32_t scope, struct str line, int64_t time_ns,
                          bool *is_new);

struct log_pattern {
    uint32_t number, scope;
    struct str text; /* with <_> for values; may be used with LogQL's |> */
    uint64_t lines;
    int64_t first_ns, last_ns;
    double per_s;            /* lines, over about the last five minutes before last_ns */
    const uint32_t *buckets; /* NULL: not counted */
};

/* In order of appearance. What is visited is borrowed until the next add. */
void log_patterns_each(struct log_patterns *, void (*visit)(void *ctx, const struct log_pattern *),
                       void *ctx);
/* The number by which a line's pattern goes now: patterns may have been joined since. */
uint32_t log_patterns_now(struct log_patterns *, uint32_t number);
size_t log_patterns_count(const struct log_patterns *);
uint64_t log_patterns_forgotten(const struct log_patterns *);
size_t log_patterns_bytes(const struct log_patterns *); /* about what they take */
