/* options.h - every setting of the server, once: flag, environment variable, file key, default, help.
 *
 * `--listen-otlp X`, `VEDETTE_LISTEN_OTLP=X` and `listen_otlp: X` in the file mean the same; a flag beats the
 * environment, which beats the file, which beats the default. `vedette serve --help` prints the table. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/yaml.h"

struct options {
    const char *config, *data, *encryption_key_file;
    const char *listen, *listen_otlp, *listen_grpc, *listen_syslog,
        *listen_syslog_udp; /* "HOST:PORT" or "none" */
    bool allow_insecure_listen;
    const char *tls_cert_file, *tls_key_file;

    int64_t retention_ms, retention_logs_ms, retention_traces_ms; /* 0 = for ever */
    int64_t retention_rollups_ms;
    const char *rollup_1h; /* yes, no or auto; options_load has checked it */
    bool rollup_5m;
    uint64_t retention_bytes, retention_metrics_bytes, retention_logs_bytes, retention_traces_bytes;
    uint64_t max_series, max_series_per_metric, max_label_values, min_free_bytes;
    const char *memory_limit; /* budget_parse */
    int64_t head_age_ms, sync_interval_ms;
    uint64_t head_bytes;

    int64_t query_timeout_ms, query_lookback_ms;
    uint64_t query_max_samples, query_memory_bytes, query_total_memory_bytes, query_cache_bytes,
        query_concurrency;

    uint64_t max_body_bytes, max_inflight_bytes, http_threads, max_connections;

    const char *external_url; /* where people reach us; "": --listen */
    bool builtin_rules;

    bool self_metrics, host_metrics, demo, admin_api;
    int64_t self_interval_ms;
    const char *log_level, *log_format;

    struct arena arena; /* holds every string and the tree */
    struct yaml *file;  /* the whole configuration file, for its sections (global, scrape_configs, otlp, ...);
                           or NULL */
    struct str file_text;
};

/* argv after the subcommand. ERR_FIND with an empty text: help was asked for and printed. */
int options_load(struct options *, int argc, char **argv, struct err *);
bool options_rollup_1h(const struct options *); /* are days summed up by hours? */
void options_release(struct options *);

/* Read the file again and check it; what may change at run time is the caller's to take from it. */
int options_read_file(const char *path, struct arena *, struct yaml **out, struct str *text, struct err *);

/* The settings in a file, checked without taking them: what a reload and the doctor want to know. */
int options_check_file(struct yaml *file, const char *path, struct err *);

void options_help(struct buf *out);
void options_each(const struct options *, void (*visit)(const char *name, const char *value, void *ctx),
                  void *ctx);
