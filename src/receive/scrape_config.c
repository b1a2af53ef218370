/* scrape_config.c - YAML to scrape jobs: keys, defaults and cross-checks. HTTP settings are in
 * scrape_config_http.c, discovery in scrape_config_discover.c, the way back to text in scrape_config_print.c.
 */
#include "receive/scrape_config.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "receive/scrape_config_impl.h"

#define CONF_MAX_BYTES (256u << 20)
#define JOBS_MAX       10000

static const struct {
    const char *name;
    enum scrape_protocol protocol;
} protocols[] = {
    { "PrometheusProto", SCRAPE_PROTO },        { "PrometheusText0.0.4", SCRAPE_TEXT_004 },
    { "PrometheusText1.0.0", SCRAPE_TEXT_100 }, { "OpenMetricsText0.0.1", SCRAPE_OM_001 },
    { "OpenMetricsText1.0.0", SCRAPE_OM_100 },
};

const char *scrape_protocol_name(enum scrape_protocol p)
{
    for (size_t i = 0; i < COUNT(protocols); i++)
        if (protocols[i].protocol == p) return protocols[i].name;
    return "";
}

static enum scrape_protocol protocol_find(struct reader *r, struct str name, int line)
{
    for (size_t i = 0; i < COUNT(protocols); i++)
        if (str_is(name, protocols[i].name)) return protocols[i].protocol;
    read_fail(r, line,
              "unknown scrape protocol \"%.*s\", supported: OpenMetricsText0.0.1, OpenMetricsText1.0.0, "
              "PrometheusProto, "
              "PrometheusText0.0.4, PrometheusText1.0.0",
              STR_ARG(name));
    return 0;
}

static void read_protocols(struct reader *r, struct yaml *map, struct scrape_job *job)
{
    struct yaml *list = read_list(r, map, "scrape_protocols");
    struct str *names;
    size_t n;
    if (list == NULL) return;
    if (list->n == 0 || list->n > SCRAPE_PROTOCOLS_MAX)
        return read_fail(r, list->line, "scrape_protocols: 1 to 5 of them");
    read_texts(r, list, &names, &n);
    job->n_protocols = 0;
    for (size_t i = 0; i < n && r->rc == OK; i++) {
        enum scrape_protocol p = protocol_find(r, names[i], list->items[i]->line);
        for (size_t k = 0; k < job->n_protocols; k++)
            if (job->protocols[k] == p)
                read_fail(r, list->items[i]->line, "scrape_protocols: %.*s is there twice",
                          STR_ARG(names[i]));
        job->protocols[job->n_protocols++] = p;
    }
}

/* What may stand in `global` and, for one job, in its own section. */
static void read_common(struct reader *r, struct yaml *map, struct scrape_job *job)
{
    read_bytes(r, map, "body_size_limit", &job->body_size_limit);
    read_count(r, map, "sample_limit", &job->sample_limit);
    read_count(r, map, "target_limit", &job->target_limit);
    read_count(r, map, "label_limit", &job->label_limit);
    read_count(r, map, "label_name_length_limit", &job->label_name_limit);
    read_count(r, map, "label_value_length_limit", &job->label_value_limit);
    read_count(r, map, "keep_dropped_targets", &job->keep_dropped_targets);
    read_flag(r, map, "extra_scrape_metrics", &job->extra_metrics);
    read_protocols(r, map, job);
    static const char *const accepted[] = {
        "metric_name_validation_scheme",      "metric_name_escaping_scheme",      "scrape_native_histograms",
        "convert_classic_histograms_to_nhcb", "always_scrape_classic_histograms", "scrape_failure_log_file",
    };
    for (size_t i = 0; i < COUNT(accepted); i++) read_accept(map, accepted[i]);
}

/* ---- global ---- */

static void read_external(struct reader *r, struct yaml *map, struct labels *out)
{
    if (map == NULL || r->rc < 0) return;
    struct label *l = arena_array(r->arena, map->n + 1, sizeof *l);
    struct err why = ERR_INIT;
    size_t n = map->n;
    for (size_t i = 0; i < n; i++) {
        const struct yaml *y = yaml_only(map, i);
        if (y->kind != YAML_SCALAR && y->kind != YAML_NULL)
            return read_fail(r, map->key_lines[i], "external_labels: values are text");
        if (str_is(map->keys[i], LABEL_NAME))
            return read_fail(r, map->key_lines[i], "external_labels: __name__ is not allowed");
        l[i] = (struct label){ arena_str(r->arena, map->keys[i]), arena_str(r->arena, y->text) };
    }
    if (n > 0 && labels_normalise(l, &n, &why) < 0)
        return read_fail(r, map->line, "external_labels: %s", why.text);
    *out = (struct labels){ l, n };
}

static void read_global(struct reader *r, struct yaml *root, struct scrape_conf *conf,
                        struct scrape_job *defaults)
{
    struct yaml *global = read_map(r, root, "global");
    static const char *const others[] = { "evaluation_interval", "rule_query_offset", "query_log_file",
                                          "runtime" };
    if (global == NULL) return;
    read_duration(r, global, "scrape_interval", &conf->interval_ms);
    bool given = yaml_get(global, "scrape_timeout") != NULL;
    read_duration(r, global, "scrape_timeout", &conf->timeout_ms);
    if (given && conf->timeout_ms > conf->interval_ms)
        read_fail(r, global->line, "global scrape timeout greater than scrape interval");
    conf->timeout_ms = MIN(conf->timeout_ms, conf->interval_ms);
    read_external(r, read_map(r, global, "external_labels"), &conf->external);
    read_common(r, global, defaults);
    for (size_t i = 0; i < COUNT(others); i++) read_accept(global, others[i]);
    if (r->rc == OK) r->rc = yaml_unknown(global, r->file, r->e);
}

/* ---- jobs ---- */

static int param_cmp(const void *a, const void *b)
{
    return str_cmp(((const struct scrape_param *)a)->name, ((const struct scrape_param *)b)->name);
}

static void read_params(struct reader *r, struct yaml *map, struct scrape_job *job)
{
    if (map == NULL || r->rc < 0) return;
    job->params = arena_zero(r->arena, (map->n + 1) * sizeof *job->params);
    for (size_t i = 0; i < map->n && r->rc == OK; i++) {
        struct yaml *values = yaml_only(map, i);
        struct scrape_param *p = &job->params[job->n_params++];
        p->name = arena_str(r->arena, map->keys[i]);
        if (values->kind != YAML_LIST)
            return read_fail(r, map->key_lines[i], "params: %.*s: expected a list", STR_ARG(p->name));
        read_texts(r, values, &p->values, &p->n_values);
    }
    qsort(job->params, job->n_params, sizeof *job->params, param_cmp);
}

static void read_times(struct reader *r, struct yaml *map, const struct scrape_conf *conf,
                       struct scrape_job *job)
{
    job->interval_ms = conf->interval_ms;
    read_duration(r, map, "scrape_interval", &job->interval_ms);
    job->timeout_ms = MIN(conf->timeout_ms, job->interval_ms);
    read_duration(r, map, "scrape_timeout", &job->timeout_ms);
    if (job->timeout_ms > job->interval_ms)
        read_fail(r, map->line,
                  "scrape timeout greater than scrape interval for scrape config with job name \"%.*s\"",
                  STR_ARG(job->name));
}

static void read_relabel(struct reader *r, struct yaml *map, const char *key, struct relabel *out)
{
    struct yaml *list = read_list(r, map, key);
    if (r->rc == OK) r->rc = relabel_parse(list, r->file, r->arena, out, r->e);
}

static void read_job(struct reader *r, struct yaml *map, const struct scrape_conf *conf,
                     struct scrape_job *job)
{
    if (map->kind != YAML_MAP) return read_fail(r, map->line, "a scrape config is a map");
    read_text(r, map, "job_name", &job->name);
    if (r->rc == OK && job->name.n == 0) read_fail(r, map->line, "job_name is empty");
    read_times(r, map, conf, job);
    read_text(r, map, "metrics_path", &job->metrics_path);
    read_text(r, map, "scheme", &job->scheme);
    if (!str_is(job->scheme, "http") && !str_is(job->scheme, "https"))
        read_fail(r, yaml_get(map, "scheme")->line, "scheme: http or https, not \"%.*s\"",
                  STR_ARG(job->scheme));
    read_params(r, read_map(r, map, "params"), job);
    read_flag(r, map, "honor_labels", &job->honor_labels);
    read_flag(r, map, "honor_timestamps", &job->honor_timestamps);
    read_flag(r, map, "track_timestamps_staleness", &job->track_timestamps_staleness);
    read_flag(r, map, "enable_compression", &job->compression);
    read_common(r, map, job);
    struct str fallback = { NULL, 0 };
    read_text(r, map, "fallback_scrape_protocol", &fallback);
    if (fallback.n > 0)
        job->fallback = protocol_find(r, fallback, yaml_get(map, "fallback_scrape_protocol")->line);
    static const char *const accepted[] = { "native_histogram_bucket_limit",
                                            "native_histogram_min_bucket_factor",
                                            "scrape_classic_histograms" };
    for (size_t i = 0; i < COUNT(accepted); i++) read_accept(map, accepted[i]);
    http_conf_read(r, map, &job->http);
    read_relabel(r, map, "relabel_configs", &job->relabel);
    read_relabel(r, map, "metric_relabel_configs", &job->metric_relabel);
    discover_read(r, map, job);
    if (r->rc == OK) r->rc = yaml_unknown(map, r->file, r->e);
}

static void check_names(struct reader *r, const struct scrape_conf *conf, struct yaml *list)
{
    const struct scrape_job *last = &conf->jobs[conf->n_jobs - 1];
    for (size_t i = 0; i + 1 < conf->n_jobs; i++)
        if (str_eq(conf->jobs[i].name, last->name))
            read_fail(r, list->items[conf->n_jobs - 1]->line,
                      "found multiple scrape configs with job name \"%.*s\"", STR_ARG(last->name));
}

static void identify(struct scrape_job *job)
{
    struct buf text = BUF_INIT(CONF_MAX_BYTES);
    scrape_job_print(job, true, &text);
    job->identity = hash128(text.p, text.n);
    buf_clear(&text);
    relabel_print(&job->metric_relabel, "", &text);
    buf_printf(&text, "%d %llu %llu %llu", job->honor_labels, (unsigned long long)job->label_limit,
               (unsigned long long)job->label_name_limit, (unsigned long long)job->label_value_limit);
    job->series_identity = hash128(text.p, text.n);
    buf_release(&text);
}

static void read_jobs(struct reader *r, struct yaml *root, struct scrape_conf *conf,
                      const struct scrape_job *defaults)
{
    struct yaml *list = read_list(r, root, "scrape_configs");
    if (list == NULL) return;
    if (list->n > JOBS_MAX) return read_fail(r, list->line, "more than 10000 scrape configs");
    conf->jobs = arena_zero(r->arena, (list->n + 1) * sizeof *conf->jobs);
    for (size_t i = 0; i < list->n && r->rc == OK; i++) {
        conf->jobs[i] = *defaults;
        conf->n_jobs++; /* before reading: what a half-read job holds is freed too */
        read_job(r, list->items[i], conf, &conf->jobs[i]);
        if (r->rc == OK) check_names(r, conf, list);
        if (r->rc == OK) identify(&conf->jobs[i]);
    }
}

/* ---- the whole ---- */

static const struct scrape_job job_defaults = {
    .metrics_path = { "/metrics", 8 },
    .scheme = { "http", 4 },
    .honor_timestamps = true,
    .compression = true,
    .protocols = { SCRAPE_OM_100, SCRAPE_OM_001, SCRAPE_TEXT_100, SCRAPE_TEXT_004 },
    .n_protocols = 4,
};

int scrape_conf_parse(struct yaml *root, const char *file, struct scrape_conf **out, struct err *e)
{
    struct scrape_conf *conf = mem_alloc_zero(sizeof *conf);
    struct err own = ERR_INIT;
    conf->arena = (struct arena)ARENA_INIT(CONF_MAX_BYTES);
    atomic_init(&conf->refs, 1);
    conf->interval_ms = 60000;
    conf->timeout_ms = 10000;
    conf->file = arena_str(&conf->arena, str_of(file ? file : "")).p;
    struct reader r = { .file = conf->file, .arena = &conf->arena, .e = e ? e : &own };
    struct scrape_job defaults = job_defaults;

    read_global(&r, root, conf, &defaults);
    read_jobs(&r, root, conf, &defaults);
    if (r.rc == OK && arena_over(&conf->arena))
        r.rc = err_set(r.e, ERR_LIMIT, "%s: the configuration needs too much memory", conf->file);
    if (r.rc < 0) {
        scrape_conf_free(conf);
        return r.rc;
    }
    *out = conf;
    return OK;
}

struct scrape_conf *scrape_conf_ref(struct scrape_conf *conf)
{
    atomic_fetch_add(&conf->refs, 1);
    return conf;
}

void scrape_conf_free(struct scrape_conf *conf)
{
    if (conf == NULL || atomic_fetch_sub(&conf->refs, 1) > 1) return;
    for (size_t i = 0; i < conf->n_jobs; i++) {
        relabel_release(&conf->jobs[i].relabel);
        relabel_release(&conf->jobs[i].metric_relabel);
    }
    arena_release(&conf->arena);
    mem_free(conf);
}
