/* scrape_config_discover.c - where a job's targets come from: static_configs, file_sd_configs,
 * http_sd_configs, dns_sd_configs. */
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "receive/scrape_config_impl.h"

static const char *const unsupported[] = {
    "aws_sd_configs",      "azure_sd_configs",       "consul_sd_configs",    "digitalocean_sd_configs",
    "docker_sd_configs",   "dockerswarm_sd_configs", "ec2_sd_configs",       "eureka_sd_configs",
    "gce_sd_configs",      "hetzner_sd_configs",     "ionos_sd_configs",     "kubernetes_sd_configs",
    "kuma_sd_configs",     "lightsail_sd_configs",   "linode_sd_configs",    "marathon_sd_configs",
    "nerve_sd_configs",    "nomad_sd_configs",       "openstack_sd_configs", "outscale_sd_configs",
    "ovhcloud_sd_configs", "puppetdb_sd_configs",    "scaleway_sd_configs",  "serverset_sd_configs",
    "stackit_sd_configs",  "triton_sd_configs",      "uyuni_sd_configs",     "vultr_sd_configs",
};

static void read_labels(struct reader *r, struct yaml *map, struct label **out, size_t *n)
{
    *n = 0;
    if (map == NULL || r->rc < 0) return;
    *out = arena_array(r->arena, map->n + 1, sizeof **out);
    for (size_t i = 0; i < map->n; i++) {
        const struct yaml *y = yaml_only(map, i);
        if (y->kind != YAML_SCALAR && y->kind != YAML_NULL)
            return read_fail(r, map->key_lines[i], "labels: values are text");
        if (map->keys[i].n == 0 || !str_utf8_valid(map->keys[i]))
            return read_fail(r, map->key_lines[i], "\"%.*s\" is not a valid label name",
                             STR_ARG(map->keys[i]));
        (*out)[(*n)++] = (struct label){ arena_str(r->arena, map->keys[i]), arena_str(r->arena, y->text) };
    }
}

static void read_group(struct reader *r, struct yaml *map, struct discover_group *g)
{
    struct yaml *targets = read_list(r, map, "targets");
    if (map->kind != YAML_MAP) return read_fail(r, map->line, "expected a map with targets and labels");
    read_texts(r, targets, &g->targets, &g->n_targets);
    for (size_t i = 0; i < g->n_targets && r->rc == OK; i++)
        if (memchr(g->targets[i].p, '/', g->targets[i].n) != NULL)
            read_fail(r, targets->items[i]->line, "\"%.*s\" is not a valid hostname", STR_ARG(g->targets[i]));
    read_labels(r, read_map(r, map, "labels"), &g->labels, &g->n_labels);
}

static void read_static(struct reader *r, struct yaml *list, struct discover_conf *d)
{
    d->groups = arena_zero(r->arena, (list->n + 1) * sizeof *d->groups);
    for (size_t i = 0; i < list->n && r->rc == OK; i++)
        read_group(r, list->items[i], &d->groups[d->n_groups++]);
}

/* At most one * in the last segment, and an ending that tells the format. */
static bool file_pattern_is_valid(struct str s)
{
    static const char *const endings[] = { ".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML" };
    const char *star = memchr(s.p, '*', s.n);
    if (star != NULL) {
        struct str rest = str_make(star + 1, (size_t)(s.p + s.n - star - 1));
        if (memchr(rest.p, '*', rest.n) != NULL || memchr(rest.p, '/', rest.n) != NULL) return false;
    }
    for (size_t i = 0; i < COUNT(endings); i++)
        if (str_ends(s, endings[i])) return true;
    return false;
}

static void read_file(struct reader *r, struct yaml *map, struct discover_conf *d)
{
    struct yaml *files = read_list(r, map, "files");
    struct str *names = NULL;
    size_t n;
    d->refresh_ms = 5 * 60000;
    read_duration(r, map, "refresh_interval", &d->refresh_ms);
    read_texts(r, files, &names, &n);
    if (n == 0)
        return read_fail(r, map->line, "file service discovery config must contain at least one path name");
    d->names = arena_zero(r->arena, (n + 1) * sizeof *d->names);
    for (size_t i = 0; i < n; i++) {
        if (!file_pattern_is_valid(names[i]))
            read_fail(r, files->items[i]->line, "path name \"%.*s\" is not valid for file discovery",
                      STR_ARG(names[i]));
        d->names[d->n_names++] = read_resolve(r, names[i]);
    }
}

static void read_http(struct reader *r, struct yaml *map, struct discover_conf *d)
{
    d->refresh_ms = 60000;
    read_duration(r, map, "refresh_interval", &d->refresh_ms);
    read_cstr(r, map, "url", &d->url);
    http_conf_read(r, map, &d->http);
    if (r->rc < 0) return;
    if (d->url == NULL || *d->url == 0) return read_fail(r, map->line, "URL is missing");
    if (!str_starts(str_of(d->url), "http://") && !str_starts(str_of(d->url), "https://"))
        read_fail(r, map->line, "URL scheme must be 'http' or 'https'");
}

static void read_dns(struct reader *r, struct yaml *map, struct discover_conf *d)
{
    static const char *const types[] = { "SRV", "A", "AAAA", "MX", "NS" };
    struct str *names = NULL, type = STR("SRV");
    uint64_t port = 0;
    size_t n, t = 0;
    d->refresh_ms = 30000;
    read_duration(r, map, "refresh_interval", &d->refresh_ms);
    read_texts(r, read_list(r, map, "names"), &names, &n);
    read_text(r, map, "type", &type);
    read_count(r, map, "port", &port);
    while (t < COUNT(types) && !str_is_nocase(type, types[t])) t++;
    if (n == 0) return read_fail(r, map->line, "DNS-SD config must contain at least one SRV record name");
    if (t == COUNT(types)) return read_fail(r, map->line, "invalid DNS-SD records type %.*s", STR_ARG(type));
    if (t > 0 && port == 0)
        return read_fail(r, map->line,
                         "a port is required in DNS-SD configs for all record types except SRV");
    if (port > 65535) return read_fail(r, map->line, "port: not above 65535");
    d->dns_type = types[t];
    d->dns_port = (int)port;
    d->names = arena_zero(r->arena, (n + 1) * sizeof *d->names);
    for (size_t i = 0; i < n; i++) d->names[d->n_names++] = names[i].p;
}

static void read_each(struct reader *r, struct yaml *job_map, const char *key, enum discover_kind kind,
                      struct scrape_job *job)
{
    struct yaml *list = read_list(r, job_map, key);
    for (size_t i = 0; list != NULL && i < list->n && r->rc == OK; i++) {
        struct discover_conf *d = &job->discover[job->n_discover++];
        struct yaml *map = list->items[i];
        d->kind = kind;
        if (map->kind != YAML_MAP) return read_fail(r, map->line, "%s: expected a map", key);
        if (kind == DISCOVER_FILE)
            read_file(r, map, d);
        else if (kind == DISCOVER_HTTP)
            read_http(r, map, d);
        else
            read_dns(r, map, d);
    }
}

static void warn_unsupported(struct reader *r, struct yaml *job_map, const struct scrape_job *job)
{
    for (size_t i = 0; i < COUNT(unsupported); i++) {
        const struct yaml *y = yaml_get(job_map, unsupported[i]);
        if (y == NULL) continue;
        log_warn("scrape", "this way of discovery is not supported and finds no targets", "kind",
                 unsupported[i], "file", r->file, "line", log_num(y->line), "job", job->name.p, NULL);
        read_accept(job_map, unsupported[i]);
    }
}

void discover_read(struct reader *r, struct yaml *job_map, struct scrape_job *job)
{
    static const char *const keys[] = { "static_configs", "file_sd_configs", "http_sd_configs",
                                        "dns_sd_configs" };
    size_t n = 0;
    for (size_t i = 0; i < COUNT(keys); i++) {
        const struct yaml *list = read_list(r, job_map, keys[i]);
        n += list ? list->n : 0;
    }
    job->discover = arena_zero(r->arena, (n + 1) * sizeof *job->discover);
    struct yaml *fixed = read_list(r, job_map, keys[0]);
    if (fixed != NULL && fixed->n > 0) {
        job->discover[0].kind = DISCOVER_STATIC;
        read_static(r, fixed, &job->discover[job->n_discover++]);
    }
    read_each(r, job_map, keys[1], DISCOVER_FILE, job);
    read_each(r, job_map, keys[2], DISCOVER_HTTP, job);
    read_each(r, job_map, keys[3], DISCOVER_DNS, job);
    if (r->rc == OK) warn_unsupported(r, job_map, job);
}
