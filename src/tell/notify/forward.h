/* forward.h - our rules' alerts to Alertmanagers outside, as Prometheus sends them:
 *
 *     alerting:
 *       alertmanagers:
 *       - {scheme: http, path_prefix: /, timeout: 10s, static_configs: [{targets: ['am:9093']}], ...}
 *
 * Each Alertmanager has a queue and a thread of its own: one that hangs delays no other. A queue holds
 * FORWARD_QUEUE alerts; the oldest go when it is full. A batch that is refused is dropped, since rules send
 * what fires again and again. Drops are counted.
 *
 * Threads: forward_sink's send from any. */
#pragma once
#include "base/yaml_read.h"
#include "model/alert.h"

#define FORWARD_QUEUE       10000
#define FORWARD_BATCH       256
#define FORWARD_TARGETS_MAX 64

struct forward;

/* What the host lends, for alert_relabel_configs of a set: relabelling lies where this part cannot reach. */
struct forward_relabel {
    /* The list is a key's value. What is made lives until release. */
    int (*read)(struct yaml *list, const char *file, struct arena *, void **out, struct err *);
    bool (*apply)(const void *, struct alert *, struct arena *); /* false: the alert is dropped */
    void (*release)(void *);
};

/* alerting: the section, or NULL. The relabelling is borrowed. *out NULL: no Alertmanagers are named. What it
 * reads stays in memory of its own. */
int forward_start(struct yaml *alerting, const char *file, const struct forward_relabel *,
                  struct forward **out, struct err *);
void forward_stop(struct forward *); /* NULL is fine. What is queued is tried once more */

struct alert_sink forward_sink(struct forward *);
void forward_each(const struct forward *, void (*visit)(const char *url, void *), void *ctx);
