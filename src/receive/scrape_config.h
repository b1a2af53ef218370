/* scrape_config.h - `global` and `scrape_configs` of a Prometheus configuration, checked, with Prometheus'
 * defaults.
 *
 * A key that Prometheus does not know is an error naming its line. What Prometheus knows and we do not do
 * (other ways of discovery, OAuth) is a warning in the log, once, and the rest works. Files named are
 * relative to the configuration's folder. Read-only once parsed, and shared by reference: a scrape under way
 * keeps its configuration alive over a reload. */
#pragma once
#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/yaml.h"
#include "model/labels.h"
#include "net/http_conf.h"
#include "receive/relabel.h"

enum scrape_protocol { /* bits; the order of preference is kept beside them */
                       SCRAPE_PROTO = 1,
                       SCRAPE_TEXT_004 = 2,
                       SCRAPE_TEXT_100 = 4,
                       SCRAPE_OM_001 = 8,
                       SCRAPE_OM_100 = 16,
};
#define SCRAPE_PROTOCOLS_MAX 5

enum discover_kind { DISCOVER_STATIC, DISCOVER_FILE, DISCOVER_HTTP, DISCOVER_DNS };

struct discover_group { /* targets that share labels */
    struct str *targets;
    size_t n_targets;
    struct label *labels;
    size_t n_labels;
};

struct discover_conf {
    enum discover_kind kind;
    int64_t refresh_ms;
    const char **names; /* file: patterns; dns: names */
    size_t n_names;
    const char *dns_type; /* A AAAA SRV MX NS */
    int dns_port;
    const char *url;
    struct http_client_conf http;
    struct discover_group *groups; /* static */
    size_t n_groups;
};

struct scrape_param {
    struct str name;
    struct str *values;
    size_t n_values;
};

struct scrape_job {
    struct str name;
    int64_t interval_ms, timeout_ms;
    struct str metrics_path, scheme;
    struct scrape_param *params; /* sorted by name */
    size_t n_params;
    bool honor_labels, honor_timestamps, track_timestamps_staleness, compression, extra_metrics;
    uint64_t body_size_limit, sample_limit, label_limit, label_name_limit, label_value_limit,
        target_limit;                                     /* 0 = none */
    uint64_t keep_dropped_targets;                        /* 0 = all */
    enum scrape_protocol protocols[SCRAPE_PROTOCOLS_MAX]; /* best first */
    size_t n_protocols;
    enum scrape_protocol fallback; /* 0 = none */
    struct relabel relabel, metric_relabel;
    struct http_client_conf http;
    struct discover_conf *discover;
    size_t n_discover;
    struct hash128 identity;        /* of everything above: equal means unchanged */
    struct hash128 series_identity; /* of what turns a line into a series: metric_relabel_configs,
                                       honor_labels, limits on labels */
};

struct scrape_conf {
    struct arena arena;
    atomic_int refs;
    const char *file;
    int64_t interval_ms, timeout_ms;
    struct labels external; /* global.external_labels */
    struct scrape_job *jobs;
    size_t n_jobs;
};

/* root NULL: no scrapes. `file` is the configuration's path. Asks yaml_get for global and scrape_configs;
 * whoever owns the other sections reports unknown keys at the top. */
int scrape_conf_parse(struct yaml *root, const char *file, struct scrape_conf **out, struct err *);
struct scrape_conf *scrape_conf_ref(struct scrape_conf *);
void scrape_conf_free(struct scrape_conf *); /* gives one reference back; NULL is fine */
void scrape_conf_print(const struct scrape_conf *, struct buf *out); /* YAML; secrets are <secret> */
