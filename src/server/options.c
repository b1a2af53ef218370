/* options.c - the table of settings and the four places they come from. */
#include "server/options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/str.h"

#define CONFIG_MAX_BYTES (4u << 20)

enum kind { TEXT, SWITCH, DURATION, BYTES, NUMBER };

struct option {
    const char *name; /* as a flag, without the dashes */
    enum kind kind;
    size_t at; /* offset in struct options */
    const char *start, *argument, *help;
    uint64_t least, most; /* of numbers, bytes and milliseconds; most 0: any. "forever" is exempt */
};

#define AT(field) offsetof(struct options, field)
#define KIB       1024ull
#define GIB       (1ull << 30)
#define HOUR      3600000ull
#define YEAR      (8766 * HOUR)

#define ROLLUP_AUTO_MS (15 * 24 * (int64_t)HOUR)

static const struct option table[] = {
    { "config", TEXT, AT(config), "", "FILE",
      "configuration file (YAML); Prometheus' own sections mean what they mean there" },
    { "data", TEXT, AT(data), "data", "DIR", "where everything is stored" },
    { "encryption-key-file", TEXT, AT(encryption_key_file), "", "FILE",
      "encrypt what is stored with this key: 32 bytes or 64 hexadecimal digits; for a new data directory" },
    { "listen", TEXT, AT(listen), "127.0.0.1:8090", "HOST:PORT", "API, pages and ingest over HTTP" },
    { "listen-otlp", TEXT, AT(listen_otlp), "", "HOST:PORT|none",
      "OTLP over HTTP [port 4318 beside --listen]" },
    { "listen-grpc", TEXT, AT(listen_grpc), "", "HOST:PORT|none",
      "OTLP over gRPC [port 4317 beside --listen]" },
    { "listen-syslog", TEXT, AT(listen_syslog), "none", "HOST:PORT|none",
      "syslog (RFC 5424, 3164) over TCP" },
    { "listen-syslog-udp", TEXT, AT(listen_syslog_udp), "none", "HOST:PORT|none",
      "the same over UDP, a message a datagram" },
    { "allow-insecure-listen", SWITCH, AT(allow_insecure_listen), "no", "",
      "listen on other than loopback addresses without authentication" },
    { "tls-cert-file", TEXT, AT(tls_cert_file), "", "FILE", "serve TLS with this certificate (PEM)" },
    { "tls-key-file", TEXT, AT(tls_key_file), "", "FILE", "and this key" },
    { "retention", DURATION, AT(retention_ms), "30d", "TIME|forever",
      "how long samples are kept, and logs and traces if nothing else is said", 1000, 1000 * YEAR },
    { "retention-logs", DURATION, AT(retention_logs_ms), "", "TIME|forever",
      "how long logs are kept [as --retention]", 1000, 1000 * YEAR },
    { "retention-traces", DURATION, AT(retention_traces_ms), "", "TIME|forever",
      "how long traces are kept [as --retention]", 1000, 1000 * YEAR },
    { "retention-rollups", DURATION, AT(retention_rollups_ms), "180d", "TIME|forever",
      "how long summaries of samples are kept, when the samples themselves have gone", 1000, 1000 * YEAR },
    { "rollup-1h", TEXT, AT(rollup_1h), "auto", "yes|no|auto",
      "sum up closed days by hours; auto: when samples are kept for more than 15 days" },
    { "rollup-5m", SWITCH, AT(rollup_5m), "no", "",
      "and by 5 minutes: worth it when samples come every few seconds" },
    { "retention-size", BYTES, AT(retention_bytes), "0", "SIZE",
      "how many bytes are kept at most, of all together; 0 is no limit" },
    { "retention-size-metrics", BYTES, AT(retention_metrics_bytes), "0", "SIZE", "and of metrics" },
    { "retention-size-logs", BYTES, AT(retention_logs_bytes), "0", "SIZE", "and of logs" },
    { "retention-size-traces", BYTES, AT(retention_traces_bytes), "0", "SIZE", "and of traces" },
    { "max-series", NUMBER, AT(max_series), "10000000", "N",
      "active series beyond which new ones are refused", 1, UINT32_MAX },
    { "max-series-per-metric", NUMBER, AT(max_series_per_metric), "1000000", "N",
      "and of one metric; 0 is no limit", 0, UINT32_MAX },
    { "max-label-values", NUMBER, AT(max_label_values), "1000000", "N",
      "different values of one label beyond which series with new ones are refused; 0 is no limit", 0,
      UINT32_MAX },
    { "memory-limit", TEXT, AT(memory_limit), "auto", "SIZE|PERCENT|auto|none",
      "memory of the whole process; auto is 80% of what the control group allows, if one does" },
    { "min-free-space", BYTES, AT(min_free_bytes), "64MiB", "SIZE",
      "disk space below which writes are refused", 1, 1024 * GIB },
    { "head-bytes", BYTES, AT(head_bytes), "32MiB", "SIZE",
      "newest rows held in memory before a part is written", 1024 * KIB, 64 * GIB },
    { "head-age", DURATION, AT(head_age_ms), "5m", "TIME", "and for how long at most", 1000, 24 * HOUR },
    { "sync-interval", DURATION, AT(sync_interval_ms), "1s", "TIME",
      "how often own scrapes reach the disk; pushes are synced before they are answered", 1, HOUR },
    { "query-timeout", DURATION, AT(query_timeout_ms), "2m", "TIME", "longest a query may run", 1,
      24 * HOUR },
    { "query-lookback", DURATION, AT(query_lookback_ms), "5m", "TIME",
      "how old a sample an instant selector still takes", 1, YEAR },
    { "query-max-samples", NUMBER, AT(query_max_samples), "50000000", "N",
      "samples one query may hold in memory", 1, UINT32_MAX },
    { "query-memory", BYTES, AT(query_memory_bytes), "512MiB", "SIZE", "memory one query may use", 1024 * KIB,
      1024 * GIB },
    { "query-total-memory", BYTES, AT(query_total_memory_bytes), "1GiB", "SIZE",
      "memory of all queries under way together", 16 * 1024 * KIB, 1024 * GIB },
    { "query-cache", BYTES, AT(query_cache_bytes), "64MiB", "SIZE",
      "finished answers of range queries kept to be continued; 0 keeps none", 0, 1024 * GIB },
    { "query-concurrency", NUMBER, AT(query_concurrency), "20", "N", "queries that run at once; more wait", 1,
      1024 },
    { "max-body", BYTES, AT(max_body_bytes), "64MiB", "SIZE", "largest request body", KIB, 4 * GIB },
    { "max-inflight", BYTES, AT(max_inflight_bytes), "256MiB", "SIZE",
      "all requests under way together: bodies (at most half) and what is made of them", KIB, 1024 * GIB },
    { "max-connections", NUMBER, AT(max_connections), "4096", "N", "connections at once", 1, 1000000 },
    { "http-threads", NUMBER, AT(http_threads), "0", "N", "threads that serve HTTP; 0 is one a processor", 0,
      1024 },
    { "external-url", TEXT, AT(external_url), "", "URL",
      "where people reach this server: links in alerts begin with it [http://LISTEN]" },
    { "builtin-rules", SWITCH, AT(builtin_rules), "yes", "", "judge the rules that come with the program" },
    { "self-metrics", SWITCH, AT(self_metrics), "yes", "", "store our own metrics" },
    { "host-metrics", SWITCH, AT(host_metrics), "yes", "", "store this host's metrics (node_*)" },
    { "self-interval", DURATION, AT(self_interval_ms), "5s", "TIME", "how often both are taken", 100, HOUR },
    { "demo", SWITCH, AT(demo), "no", "", "a marked demo workload until real telemetry arrives" },
    { "admin-api", SWITCH, AT(admin_api), "no", "", "allow snapshots and deletion over HTTP" },
    { "log-level", TEXT, AT(log_level), "info", "LEVEL", "debug, info, warn or error" },
    { "log-format", TEXT, AT(log_format), "auto", "FORMAT", "json, text, or auto: text on a terminal" },
};

static void key_of(const struct option *o, char *out, size_t cap) /* as a file key */
{
    snprintf(out, cap, "%s", o->name);
    for (char *c = out; *c; c++)
        if (*c == '-') *c = '_';
}

static bool switch_value(struct str s, bool *out)
{
    static const char *const yes[] = { "", "yes", "true", "on", "1" }, *const no[] = { "no", "false", "off",
                                                                                       "0" };
    for (size_t i = 0; i < COUNT(yes); i++)
        if (str_is_nocase(s, yes[i])) return *out = true, true;
    for (size_t i = 0; i < COUNT(no); i++)
        if (str_is_nocase(s, no[i])) return *out = false, true;
    return false;
}

static int number_set(uint64_t *at, const struct option *o, struct str value, const char *from, struct err *e)
{
    static const char *const wants[] = {
        [DURATION] = "a duration like 15s or 30d", [BYTES] = "a size like 64MiB", [NUMBER] = "a whole number"
    };
    struct yaml scalar = { .kind = YAML_SCALAR, .text = value };
    int64_t ms = 0;
    bool read;
    if (o->kind == DURATION) {
        if (str_is(value, "forever") && strstr(o->argument, "forever") != NULL) return *at = 0, OK;
        read = duration_parse_ms(value, &ms) && ms >= 0;
        *at = read ? (uint64_t)ms : 0;
    } else {
        read = o->kind == BYTES ? yaml_bytes(&scalar, at, NULL) == OK : str_to_u64(value, at);
    }
    if (!read)
        return err_set(e, ERR_PARSE, "%s: %s is %s, not \"%.*s\"", from, o->name, wants[o->kind],
                       STR_ARG(value));
    if (o->most > 0 && (*at < o->least || *at > o->most))
        return err_set(e, ERR_RANGE, "%s: %s is too %s: \"%.*s\"", from, o->name,
                       *at < o->least ? "small" : "large", STR_ARG(value));
    return OK;
}

#define NOT_SAID (-1) /* a duration whose default is another setting's value */

static int option_set(struct options *all, const struct option *o, struct str value, const char *from,
                      struct err *e)
{
    void *at = (char *)all + o->at;
    switch (o->kind) {
    case TEXT: *(const char **)at = arena_str(&all->arena, value).p; return OK;
    case SWITCH:
        if (switch_value(value, at)) return OK;
        return err_set(e, ERR_PARSE, "%s: %s is yes or no, not \"%.*s\"", from, o->name, STR_ARG(value));
    case DURATION:
    case BYTES:
    case NUMBER: return number_set(at, o, value, from, e);
    }
    return OK;
}

static int option_default(struct options *all, const struct option *o, struct err *e)
{
    if (o->kind != DURATION || o->start[0] != 0) return option_set(all, o, str_of(o->start), "default", e);
    *(int64_t *)(void *)((char *)all + o->at) = NOT_SAID;
    return OK;
}

static const struct option *option_find(struct str name)
{
    for (size_t i = 0; i < COUNT(table); i++)
        if (str_is(name, table[i].name)) return &table[i];
    return NULL;
}

/* One "--name value", "--name=value" or "--switch"; *i is moved past it. */
static int take_flag(struct options *all, int argc, char **argv, int *i, struct err *e)
{
    struct str arg = str_of(argv[*i]), value;
    if (!str_starts(arg, "--")) return err_set(e, ERR_PARSE, "unexpected argument %s", argv[*i]);
    bool joined = memchr(arg.p, '=', arg.n) != NULL;
    struct str name = str_cut(str_make(arg.p + 2, arg.n - 2), '=', &value);
    const struct option *o = option_find(name);
    if (o == NULL) return err_set(e, ERR_PARSE, "unknown flag %s (see --help)", argv[*i]);
    if (!joined && o->kind != SWITCH) {
        if (*i + 1 >= argc) return err_set(e, ERR_PARSE, "--%s wants a value: %s", o->name, o->argument);
        value = str_of(argv[++*i]);
    }
    return option_set(all, o, value, "command line", e);
}

static int from_flags(struct options *all, int argc, char **argv, struct err *e)
{
    for (int i = 0; i < argc; i++) {
        int rc = take_flag(all, argc, argv, &i, e);
        if (rc < 0) return rc;
    }
    return OK;
}

static int from_environment(struct options *all, struct err *e)
{
    for (size_t i = 0; i < COUNT(table); i++) {
        char name[64] = "VEDETTE_";
        key_of(&table[i], name + 8, sizeof name - 8);
        for (char *c = name; *c; c++)
            if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 'a' + 'A');
        const char *value = getenv(name);
        if (value == NULL) continue;
        int rc = option_set(all, &table[i], str_of(value), name, e);
        if (rc < 0) return rc;
    }
    return OK;
}

static int from_file(struct options *all, struct err *e)
{
    for (size_t i = 0; i < COUNT(table); i++) {
        char key[64], where[512];
        key_of(&table[i], key, sizeof key);
        struct yaml *node = yaml_get(all->file, key);
        if (node == NULL) continue;
        struct str value;
        int rc = yaml_str(node, &value, e);
        if (rc < 0) err_where(e, "%s", all->config);
        snprintf(where, sizeof where, "%s:%d", all->config, node->line);
        if (rc == OK) rc = option_set(all, &table[i], value, where, e);
        if (rc < 0) return rc;
    }
    return OK;
}

int options_read_file(const char *path, struct arena *arena, struct yaml **out, struct str *text,
                      struct err *e)
{
    struct buf bytes = BUF_INIT(CONFIG_MAX_BYTES);
    int rc = file_slurp(path, &bytes, e);
    if (rc == OK) {
        *text = arena_str(arena, buf_view(&bytes));
        rc = yaml_parse(*text, path, arena, out, e);
    }
    if (rc == OK && *out != NULL && (*out)->kind != YAML_MAP && (*out)->kind != YAML_NULL)
        rc = err_set(e, ERR_PARSE, "%s:%d: expected keys with values, like `retention: 30d`", path,
                     (*out)->line);
    buf_release(&bytes);
    return rc;
}

int options_check_file(struct yaml *file, const char *path, struct err *e)
{
    struct options scratch = { .config = path, .file = file, .arena = ARENA_INIT(1u << 20) };
    int rc = from_file(&scratch, e);
    arena_release(&scratch.arena);
    return rc;
}

/* OTLP listens beside the main listener: same host, its own port, unless told otherwise. */
static const char *beside(struct options *all, const char *listen, const char *port)
{
    const char *colon = strrchr(listen, ':');
    int host = colon ? (int)(colon - listen) : (int)strlen(listen);
    return arena_printf(&all->arena, "%.*s:%s", host, listen, port).p;
}

static int rollup_check(const struct options *all, struct err *e)
{
    bool yes;
    if (str_is(str_of(all->rollup_1h), "auto") || switch_value(str_of(all->rollup_1h), &yes)) return OK;
    return err_set(e, ERR_PARSE, "rollup-1h is yes, no or auto, not \"%s\"", all->rollup_1h);
}

int options_load(struct options *all, int argc, char **argv, struct err *e)
{
    *all = (struct options){ .arena = ARENA_INIT(64u << 20) };
    int rc = OK;
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return err_set(e, ERR_FIND, "%s", "");
    for (size_t i = 0; i < COUNT(table) && rc == OK; i++) rc = option_default(all, &table[i], e);

    /* Flags first, only to learn the file's name; then from the weakest to the strongest. */
    if (rc == OK) rc = from_environment(all, e);
    if (rc == OK) rc = from_flags(all, argc, argv, e);
    if (rc == OK && all->config[0] != 0) {
        rc = options_read_file(all->config, &all->arena, &all->file, &all->file_text, e);
        if (rc == OK) rc = from_file(all, e);
        if (rc == OK) rc = from_environment(all, e);
        if (rc == OK) rc = from_flags(all, argc, argv, e);
    }
    if (all->retention_logs_ms == NOT_SAID) all->retention_logs_ms = all->retention_ms;
    if (all->retention_traces_ms == NOT_SAID) all->retention_traces_ms = all->retention_ms;
    if (rc == OK && all->listen_otlp[0] == 0) all->listen_otlp = beside(all, all->listen, "4318");
    if (rc == OK && all->listen_grpc[0] == 0) all->listen_grpc = beside(all, all->listen, "4317");
    return rc == OK ? rollup_check(all, e) : rc;
}

bool options_rollup_1h(const struct options *o)
{
    bool yes;
    if (switch_value(str_of(o->rollup_1h), &yes)) return yes;
    return o->retention_ms == 0 || o->retention_ms > ROLLUP_AUTO_MS;
}

void options_release(struct options *all)
{
    arena_release(&all->arena);
}

void options_help(struct buf *out)
{
    for (size_t i = 0; i < COUNT(table); i++) {
        const struct option *o = &table[i];
        char left[64];
        snprintf(left, sizeof left, "--%s %s", o->name, o->argument);
        buf_printf(out, "  %-34s %s", left, o->help);
        if (o->start[0] != 0) buf_printf(out, " [%s]", o->start);
        buf_char(out, '\n');
    }
}

void options_each(const struct options *all, void (*visit)(const char *name, const char *value, void *ctx),
                  void *ctx)
{
    for (size_t i = 0; i < COUNT(table); i++) {
        const void *at = (const char *)all + table[i].at;
        struct buf text = BUF_INIT(4096);
        switch (table[i].kind) {
        case TEXT: buf_cs(&text, *(const char *const *)at); break;
        case SWITCH: buf_cs(&text, *(const bool *)at ? "true" : "false"); break;
        case DURATION: duration_print_ms(&text, *(const int64_t *)at); break;
        case BYTES:
        case NUMBER: buf_u64(&text, *(const uint64_t *)at); break;
        }
        visit(table[i].name, buf_cstr(&text), ctx);
        buf_release(&text);
    }
}
