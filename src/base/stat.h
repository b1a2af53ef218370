/* stat.h - the server's own metrics: made once, counted from any thread, read by /metrics and the self
 * scrape.
 *
 *     static struct stat *s;  ->  better: a field of the module, filled at open:
 *     m->rejected = stat_counter("vedette_rejected_samples_total", "Samples refused at the door.",
 * "reason=\"future\""); stat_add(m->rejected, 1);
 *
 * Names follow Prometheus manners (_total, base units). A stat lives as long as the process; asking again for
 * the same name and labels returns the same one. At most STAT_MAX, later ones share one overflow stat (and it
 * says so). Threads: all functions from any thread; counting is one relaxed atomic add. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define STAT_MAX 4096

enum stat_type { STAT_COUNTER, STAT_GAUGE, STAT_HISTOGRAM };

struct stat;

/* labels: Prometheus text without braces (a="b",c="d"), or NULL. Strings are copied. */
struct stat *stat_counter(const char *name, const char *help, const char *labels);
struct stat *stat_gauge(const char *name, const char *help, const char *labels);
/* bounds: n ascending upper bounds, without +Inf; n <= 24. */
struct stat *stat_histogram(const char *name, const char *help, const char *labels, const double *bounds,
                            size_t n);
/* A gauge or counter whose value is asked for when read. fn must be quick and lock little. */
struct stat *stat_ask(enum stat_type, const char *name, const char *help, const char *labels,
                      double (*fn)(void *), void *ctx);
void stat_forget(struct stat *asked); /* before ctx dies */

void stat_add(struct stat *, uint64_t n);   /* counters */
void stat_add_f(struct stat *, double v);   /* counters of seconds */
void stat_set(struct stat *, double v);     /* gauges */
void stat_observe(struct stat *, double v); /* histograms */
double stat_value(const struct stat *);     /* counters and gauges */

/* Everything, grouped by name in name order. Histograms: counts[0..n] are NOT cumulative, the last is above
 * all bounds. */
struct stat_view {
    enum stat_type type;
    const char *name, *help, *labels; /* labels "" when none */
    double value;
    const double *bounds;
    const uint64_t *counts;
    size_t n_bounds;
    double sum;
};
void stat_each(void (*visit)(const struct stat_view *, void *ctx), void *ctx);
