#include "server/doors.h"

#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "derive/span_metrics.h"

#define DECODE_QUEUE 256 /* large gRPC messages that wait; beyond, UNAVAILABLE */

/* ---- sections ---- */

static int check_section(struct yaml *file, const char *name,
                         int (*check_one)(struct yaml *section, struct err *), struct err *e)
{
    struct yaml *section = yaml_get(file, name);
    struct err unknown = ERR_INIT;
    int rc = check_one(section, e);
    if (rc < 0 || section == NULL || yaml_unknown(section, "", &unknown) == OK) return rc;
    const char *text = unknown.text[0] == ':' ? unknown.text + 1 : unknown.text;
    return err_set(e, ERR_PARSE, "line %.*s", (int)strcspn(text, "\n"), text);
}

static int check_redaction(struct yaml *section, struct err *e)
{
    struct redact *r = NULL;
    int rc = redact_new(section, NULL, &r, e);
    redact_free(r);
    return rc;
}

static int check_sampling(struct yaml *section, struct err *e)
{
    struct sampling s;
    bool has;
    return sampling_config(section, &s, &has, e);
}

static int check_tail(struct yaml *section, struct err *e)
{
    struct tail_conf *conf = NULL;
    int rc = tail_conf_new(section, &conf, e);
    tail_conf_free(conf);
    return rc;
}

int doors_check(struct yaml *file, const char *path, struct err *e)
{
    int rc = check_section(file, "redaction", check_redaction, e);
    if (rc == OK) rc = check_section(file, "sampling", check_sampling, e);
    if (rc == OK) rc = check_section(file, "log_files", check_tail, e);
    if (rc < 0) err_where(e, "%s", path);
    return rc;
}

/* ---- life ---- */

/* As span metrics see it (derive_glue.c, which has checked the section). */
static int64_t late_ms_of(struct yaml *file)
{
    int64_t late_ms = ((const struct span_metrics_conf)SPAN_METRICS_DEFAULT).late_ms;
    (void)yaml_duration_ms(yaml_get(yaml_get(file, "span_metrics"), "late"), &late_ms, NULL);
    return late_ms;
}

struct door_rules {
    struct redact *redact;
    struct sampling sampling;
    bool has_sampling;
    struct door_rules *past;
};

static void rules_free(struct door_rules *r)
{
    while (r != NULL) {
        struct door_rules *past = r->past;
        redact_free(r->redact);
        mem_free(r);
        r = past;
    }
}

static int rules_read(struct yaml *file, const char *data_dir, struct door_rules **out, struct err *e)
{
    struct door_rules *r = mem_alloc_zero(sizeof *r);
    int rc = redact_new(yaml_get(file, "redaction"), data_dir, &r->redact, e);
    if (rc == OK) rc = sampling_config(yaml_get(file, "sampling"), &r->sampling, &r->has_sampling, e);
    if (rc == OK)
        *out = r;
    else
        rules_free(r);
    return rc;
}

/* r is taken. Spans that were marked by rules of before are still decided about. */
static void rules_put_in_force(struct doors *d, struct door_rules *r)
{
    r->past = d->rules;
    d->rules = r;
    d->policy.redact = r->redact;
    d->policy.sampling = r->has_sampling ? &r->sampling : NULL;
    if (r->has_sampling && d->sampling_run != NULL) sampling_run_set(d->sampling_run, &r->sampling);
}

static void share(struct ingest *in, const struct policy *policy, const struct record_taps *taps)
{
    in->policy = policy;
    in->taps = taps;
}

static struct tail *new_tail(struct doors *d, struct tail_conf *files)
{
    if (files == NULL) return NULL;
    struct tail *t = tail_new(files, d->data_dir, d->store, &d->limit);
    share(tail_ingest(t), &d->policy, d->taps);
    return t;
}

int doors_begin(struct doors *d, const struct options *o, struct store *store, struct err *e)
{
    struct door_rules *rules = NULL;
    *d = (struct doors){ .store = store, .data_dir = o->data };
    int rc = doors_check(o->file, o->config, e);
    if (rc == OK) rc = rules_read(o->file, o->data, &rules, e);
    if (rc < 0) return rc;
    d->policy.late_ms = late_ms_of(o->file);
    if (rules->has_sampling) d->sampling_run = sampling_run_new(&rules->sampling, store, o->data);
    rules_put_in_force(d, rules);
    policy_in_force(&d->policy);
    return OK;
}

int doors_open(struct doors *d, const struct options *o, const struct limit *limit, struct push_otlp *otlp,
               const struct record_taps *taps, struct err *e)
{
    struct store *store = d->store;
    struct tail_conf *files = NULL;
    d->limit = *limit;
    d->taps = taps;
    int rc = tail_conf_new(yaml_get(o->file, "log_files"), &files, e);
    const struct syslog_conf syslog = { o->listen_syslog, o->listen_syslog_udp };
    if (rc == OK) rc = syslog_listener_new(&syslog, store, limit, &d->syslog, e);
    if (rc < 0) {
        tail_conf_free(files);
        return rc;
    }
    push_records_init(&d->records, store, limit);
    push_elastic_init(&d->elastic, store, limit);
    push_events_init(&d->events, store, limit);
    d->tail = new_tail(d, files);

    struct ingest *const all[] = { &otlp->http,        &otlp->grpc,
                                   &d->records.zipkin, &d->records.jaeger,
                                   &d->records.loki,   &d->records.json,
                                   &d->elastic.in,     syslog_listener_ingest(d->syslog),
                                   &d->events.in };
    for (size_t i = 0; i < COUNT(all); i++)
        if (all[i] != NULL) share(all[i], &d->policy, taps);
    d->decoders = work_start("decode", (size_t)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1), DECODE_QUEUE);
    otlp->pool = d->decoders;
    return OK;
}

void doors_routes(struct doors *d, struct http_server *http)
{
    http_server_routes(http, push_records_routes, push_records_n_routes, &d->records);
    http_server_routes(http, push_elastic_routes, push_elastic_n_routes, &d->elastic);
    push_events_routes(&d->events, http);
}

int doors_start(struct doors *d, struct err *e)
{
    int rc = d->syslog != NULL ? syslog_listener_start(d->syslog, e) : OK;
    if (rc == OK && d->tail != NULL) rc = tail_start(d->tail, e);
    if (rc == OK && d->sampling_run != NULL) sampling_run_start(d->sampling_run);
    return rc;
}

/* Where files were read up to is on disk when tail_stop returns, so the new one goes on there. */
static int reload_tail(struct doors *d, struct tail_conf *files, struct err *e)
{
    tail_stop(d->tail);
    tail_free(d->tail);
    d->tail = new_tail(d, files);
    return d->tail != NULL ? tail_start(d->tail, e) : OK;
}

int doors_reload(struct doors *d, struct yaml *file, struct err *e)
{
    struct tail_conf *files = NULL;
    struct door_rules *rules = NULL;
    int rc = rules_read(file, d->data_dir, &rules, e);
    if (rc == OK && (rc = tail_conf_new(yaml_get(file, "log_files"), &files, e)) < 0) rules_free(rules);
    if (rc < 0) return rc;

    bool is_first = rules->has_sampling && d->sampling_run == NULL;
    if (is_first) d->sampling_run = sampling_run_new(&rules->sampling, d->store, d->data_dir);
    rules_put_in_force(d, rules);
    if (is_first) sampling_run_start(d->sampling_run);
    return reload_tail(d, files, e);
}

void doors_stop(struct doors *d)
{
    sampling_run_stop(d->sampling_run);
    tail_stop(d->tail);
    syslog_listener_stop(d->syslog);
    work_stop(d->decoders);
    d->decoders = NULL;
}

void doors_close(struct doors *d)
{
    sampling_run_free(d->sampling_run);
    tail_free(d->tail);
    syslog_listener_free(d->syslog);
    push_events_release(&d->events);
    policy_in_force(NULL);
    rules_free(d->rules);
    *d = (struct doors){ .store = NULL };
}
