/* yaml_read.h - reading a configuration's YAML straight down: the first error sticks and later reads do
 * nothing.
 *
 *     read_duration(r, map, "scrape_interval", &job->interval_ms);    absent: *out stays as it was
 *     read_flag(r, map, "honor_labels", &job->honor_labels);
 *     if (r->rc < 0) ...             "prometheus.yml:12: scrape_interval: expected a duration..."
 *
 * Texts are copied into the arena, terminated: the tree may be freed. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/yaml.h"

struct reader {
    const char *file; /* goes into error texts; NULL: they begin with "line 12: " instead */
    const char *dir;  /* where relative paths start; NULL: in the file's folder */
    struct arena *arena;
    struct err *e;
    int rc;
};

void read_fail(struct reader *, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

struct yaml *read_list(struct reader *, struct yaml *map, const char *key); /* NULL when absent */
struct yaml *read_map(struct reader *, struct yaml *map, const char *key);
void read_text(struct reader *, struct yaml *map, const char *key, struct str *out);
void read_cstr(struct reader *, struct yaml *map, const char *key, const char **out);
void read_path(struct reader *, struct yaml *map, const char *key, const char **out);
void read_flag(struct reader *, struct yaml *map, const char *key, bool *out);
void read_duration(struct reader *, struct yaml *map, const char *key, int64_t *out_ms); /* above 0 */
void read_bytes(struct reader *, struct yaml *map, const char *key, uint64_t *out);
void read_count(struct reader *, struct yaml *map, const char *key, uint64_t *out);
void read_texts(struct reader *, struct yaml *list, struct str **out, size_t *n); /* all scalars of a list */
const char *read_resolve(struct reader *, struct str path); /* relative to the file's folder */

/* For keys that are known and of no effect here: neither they nor what is below count as unknown. */
void read_accept(struct yaml *map, const char *key);
void read_accept_all(struct yaml *node);
