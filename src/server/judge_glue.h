/* judge_glue.h - rules plugged into the server: the sections of the configuration that concern them, an
 * engine of their own, and the way of their alerts to those who route them.
 *
 *     rule_files: [rules.yml]                PromQL, as Prometheus reads them
 *     log_rule_files: [log_rules.yml]        LogQL, as Loki's ruler does
 *     global: evaluation_interval, rule_query_offset, external_labels
 *     alerting: alert_relabel_configs
 *
 * Alerts get the external labels and go through alert_relabel_configs before anyone sees them. Threads: open,
 * reload and close from one thread at a time. */
#pragma once
#include "base/yaml.h"
#include "judge/rules.h"
#include "tell/api_prometheus.h"

struct judge_conf; /* read and checked, not yet in force */

/* root NULL: only the built-in rules, if they are wanted. */
int judge_conf_read(struct yaml *root, const char *file, bool builtin, const char *external_url,
                    struct judge_conf **out, struct err *);
void judge_conf_free(struct judge_conf *); /* NULL is fine */

struct judge_glue {
    struct engine *engine;
    struct logql *logql;
    struct rules *rules;
    struct judge_conf *conf; /* mu: the one in force; its files are the rules' */
    pthread_mutex_t mu;
    struct alert_sink next; /* whom the alerts go to; set before the first evaluation, send may be NULL */
};

/* Sets api->rules. conf is taken over. pool: where parts of queries run. */
void judge_glue_open(struct judge_glue *, struct judge_conf *conf, struct work_pool *,
                     struct prometheus_api *, struct alert_sink next);
void judge_glue_reload(struct judge_glue *, struct judge_conf *conf); /* taken over */
void judge_glue_close(struct judge_glue *);                           /* a glue of zeros is fine */
