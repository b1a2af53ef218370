#include "server/doors.h"

#include <string.h>
#include <unistd.h>

#include "base/check.h"
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
    struct yaml *section = file != NULL ? yaml_get(file, "span_metrics") : NULL;
    if (section != NULL) (void)yaml_duration_ms(yaml_get(section, "late"), &late_ms, NULL);
    return late_ms;
}

static int open_policy(struct doors *d, const struct options *o, struct store *store, struct err *e)
{
    bool has = false;
    int rc = redact_new(yaml_get(o->file, "redaction"), o->data, &d->redact, e);
    if (rc == OK) rc = sampling_config(yaml_get(o->file, "sampling"), &d->sampling, &has, e);
    if (rc < 0) return rc;
    d->policy = (struct policy){ d->redact, has ? &d->sampling : NULL, late_ms_of(o->file) };
    if (has) d->sampling_run = sampling_run_new(&d->sampling, store, o->data);
    return OK;
}

static void share(struct ingest *in, const struct policy *policy, const struct record_taps *taps)
{
    in->policy = policy;
    in->taps = taps;
}

int doors_open(struct doors *d, const struct options *o, struct store *store, const struct limit *limit,
               struct push_otlp *otlp, const struct record_taps *taps, struct err *e)
{
    struct tail_conf *files = NULL;
    *d = (struct doors){ 0 };
    int rc = open_policy(d, o, store, e);
    if (rc == OK) rc = tail_conf_new(yaml_get(o->file, "log_files"), &files, e);
    if (rc == OK && strcmp(o->listen_syslog, "none") != 0)
        rc = syslog_listener_new(o->listen_syslog, store, limit, &d->syslog, e);
    if (rc < 0) {
        tail_conf_free(files);
        doors_close(d);
        return rc;
    }
    push_records_init(&d->records, store, limit);
    push_elastic_init(&d->elastic, store, limit);
    if (files != NULL) d->tail = tail_new(files, o->data, store, limit);

    struct ingest *const all[] = { &otlp->http,         &otlp->grpc,
                                   &d->records.zipkin,  &d->records.jaeger,
                                   &d->records.loki,    &d->records.json,
                                   &d->elastic.in,      syslog_listener_ingest(d->syslog),
                                   tail_ingest(d->tail) };
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
}

int doors_start(struct doors *d, struct err *e)
{
    int rc = d->syslog != NULL ? syslog_listener_start(d->syslog, e) : OK;
    if (rc == OK && d->tail != NULL) rc = tail_start(d->tail, e);
    if (rc == OK && d->sampling_run != NULL) sampling_run_start(d->sampling_run);
    return rc;
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
    redact_free(d->redact);
    *d = (struct doors){ 0 };
}
