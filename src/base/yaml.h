/* yaml.h - a YAML document as a tree that remembers its lines. libyaml reads; duplicate keys, more than 100
 * 000 nodes, depth beyond 64 and alias expansion beyond 10 000 nodes are errors. Merge keys (<<) are
 * resolved.
 *
 * Strict use: look keys up with yaml_get, then yaml_unknown names the first key nobody asked for:
 *     "prometheus.yml:12: scrape_configs[0]: unknown key "scrap_interval""  */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum yaml_kind { YAML_NULL, YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
    enum yaml_kind kind;
    int line;            /* from 1 */
    struct str text;     /* scalar */
    bool quoted;         /* a quoted scalar is never null, bool or number */
    struct yaml **items; /* list items; map values */
    struct str *keys;    /* map */
    int *key_lines;      /* map: where each key stands */
    bool *asked;         /* map: yaml_get has seen this key */
    size_t n;
};

/* Tree lives in the arena. An empty document is YAML_NULL. name goes into error texts. */
int yaml_parse(struct str text, const char *name, struct arena *, struct yaml **out, struct err *);

struct yaml *yaml_get(struct yaml *map, const char *key); /* NULL when absent, null or not a map */
struct yaml *yaml_only(struct yaml *map, size_t i);       /* i-th value; for maps used as lists */

/* First key that no yaml_get asked for, anywhere below: ERR_PARSE with line and path. */
int yaml_unknown(struct yaml *root, const char *name, struct err *);

/* Typed scalars; NULL node leaves *out as it was (the default) and returns OK. Wrong kind: ERR_PARSE with the
 * line. */
int yaml_str(const struct yaml *, struct str *out, struct err *);
int yaml_bool(const struct yaml *, bool *out, struct err *); /* true false yes no on off */
int yaml_i64(const struct yaml *, int64_t *out, struct err *);
int yaml_double(const struct yaml *, double *out, struct err *);
int yaml_duration_ms(const struct yaml *, int64_t *out, struct err *); /* Prometheus durations: 15s, 1h30m */
int yaml_bytes(const struct yaml *, uint64_t *out, struct err *);      /* 10MB, 64KiB, plain numbers */
