/* scrape_config_print.c - the configuration in force as YAML. With secrets it is also what a job's identity
 * is made of, so everything that matters must be printed. */
#include "base/duration.h"
#include "base/json.h"
#include "receive/scrape_config_impl.h"

static void put_text(struct buf *out, const char *indent, const char *key, struct str value)
{
    buf_printf(out, "%s%s: ", indent, key);
    json_escape(out, value);
    buf_char(out, '\n');
}

static void put_flag(struct buf *out, const char *indent, const char *key, bool value)
{
    buf_printf(out, "%s%s: %s\n", indent, key, value ? "true" : "false");
}

static void put_duration(struct buf *out, const char *indent, const char *key, int64_t ms)
{
    buf_printf(out, "%s%s: ", indent, key);
    duration_print_ms(out, ms);
    buf_char(out, '\n');
}

static void put_limit(struct buf *out, const char *indent, const char *key, uint64_t n)
{
    if (n > 0) buf_printf(out, "%s%s: %llu\n", indent, key, (unsigned long long)n);
}

static void put_values(struct buf *out, const struct str *texts, size_t n)
{
    buf_cs(out, ": [");
    for (size_t i = 0; i < n; i++) {
        if (i > 0) buf_cs(out, ", ");
        json_escape(out, texts[i]);
    }
    buf_cs(out, "]\n");
}

static void put_list(struct buf *out, const char *indent, const char *key, const struct str *texts, size_t n)
{
    buf_printf(out, "%s%s", indent, key);
    put_values(out, texts, n);
}

static void put_labels(struct buf *out, const char *indent, const char *key, const struct label *l, size_t n)
{
    if (n == 0) return;
    buf_printf(out, "%s%s:\n", indent, key);
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "%s  ", indent);
        json_escape(out, l[i].name);
        buf_cs(out, ": ");
        json_escape(out, l[i].value);
        buf_char(out, '\n');
    }
}

static void print_static(const struct discover_conf *d, struct buf *out)
{
    buf_cs(out, "    static_configs:\n");
    for (size_t i = 0; i < d->n_groups; i++) {
        put_list(out, "    - ", "targets", d->groups[i].targets, d->groups[i].n_targets);
        put_labels(out, "      ", "labels", d->groups[i].labels, d->groups[i].n_labels);
    }
}

static void print_names(const struct discover_conf *d, const char *key, struct buf *out)
{
    buf_printf(out, "    - %s:\n", key);
    for (size_t i = 0; i < d->n_names; i++) {
        buf_cs(out, "      - ");
        json_escape(out, str_of(d->names[i]));
        buf_char(out, '\n');
    }
    put_duration(out, "      ", "refresh_interval", d->refresh_ms);
}

static void print_discover(const struct discover_conf *d, bool first, bool secrets, struct buf *out)
{
    static const char *const keys[] = { "static_configs", "file_sd_configs", "http_sd_configs",
                                        "dns_sd_configs" };
    if (d->kind == DISCOVER_STATIC) return print_static(d, out);
    if (first) buf_printf(out, "    %s:\n", keys[d->kind]);
    if (d->kind == DISCOVER_FILE) {
        print_names(d, "files", out);
    } else if (d->kind == DISCOVER_DNS) {
        print_names(d, "names", out);
        buf_printf(out, "      type: %s\n", d->dns_type);
        put_limit(out, "      ", "port", (uint64_t)d->dns_port);
    } else {
        put_text(out, "    - ", "url", str_of(d->url));
        put_duration(out, "      ", "refresh_interval", d->refresh_ms);
        http_conf_print(&d->http, "      ", secrets, out);
    }
}

static void print_params(const struct scrape_job *j, struct buf *out)
{
    if (j->n_params > 0) buf_cs(out, "    params:\n");
    for (size_t i = 0; i < j->n_params; i++) {
        buf_cs(out, "      ");
        json_escape(out, j->params[i].name);
        put_values(out, j->params[i].values, j->params[i].n_values);
    }
}

static void print_limits(const struct scrape_job *j, struct buf *out)
{
    put_limit(out, "    ", "body_size_limit", j->body_size_limit);
    put_limit(out, "    ", "sample_limit", j->sample_limit);
    put_limit(out, "    ", "target_limit", j->target_limit);
    put_limit(out, "    ", "label_limit", j->label_limit);
    put_limit(out, "    ", "label_name_length_limit", j->label_name_limit);
    put_limit(out, "    ", "label_value_length_limit", j->label_value_limit);
    put_limit(out, "    ", "keep_dropped_targets", j->keep_dropped_targets);
}

void scrape_job_print(const struct scrape_job *j, bool secrets, struct buf *out)
{
    put_text(out, "  - ", "job_name", j->name);
    put_flag(out, "    ", "honor_labels", j->honor_labels);
    put_flag(out, "    ", "honor_timestamps", j->honor_timestamps);
    put_flag(out, "    ", "track_timestamps_staleness", j->track_timestamps_staleness);
    print_params(j, out);
    put_duration(out, "    ", "scrape_interval", j->interval_ms);
    put_duration(out, "    ", "scrape_timeout", j->timeout_ms);
    buf_cs(out, "    scrape_protocols: [");
    for (size_t i = 0; i < j->n_protocols; i++)
        buf_printf(out, "%s%s", i > 0 ? ", " : "", scrape_protocol_name(j->protocols[i]));
    buf_cs(out, "]\n");
    if (j->fallback != 0)
        buf_printf(out, "    fallback_scrape_protocol: %s\n", scrape_protocol_name(j->fallback));
    put_text(out, "    ", "metrics_path", j->metrics_path);
    put_text(out, "    ", "scheme", j->scheme);
    put_flag(out, "    ", "enable_compression", j->compression);
    put_flag(out, "    ", "extra_scrape_metrics", j->extra_metrics);
    print_limits(j, out);
    http_conf_print(&j->http, "    ", secrets, out);
    if (j->relabel.n > 0) buf_cs(out, "    relabel_configs:\n");
    relabel_print(&j->relabel, "    ", out);
    if (j->metric_relabel.n > 0) buf_cs(out, "    metric_relabel_configs:\n");
    relabel_print(&j->metric_relabel, "    ", out);
    for (size_t i = 0; i < j->n_discover; i++)
        print_discover(&j->discover[i], i == 0 || j->discover[i].kind != j->discover[i - 1].kind, secrets,
                       out);
}

void scrape_conf_print(const struct scrape_conf *conf, struct buf *out)
{
    buf_cs(out, "global:\n");
    put_duration(out, "  ", "scrape_interval", conf->interval_ms);
    put_duration(out, "  ", "scrape_timeout", conf->timeout_ms);
    put_labels(out, "  ", "external_labels", conf->external.at, conf->external.n);
    if (conf->n_jobs > 0) buf_cs(out, "scrape_configs:\n");
    for (size_t i = 0; i < conf->n_jobs; i++) scrape_job_print(&conf->jobs[i], false, out);
}
