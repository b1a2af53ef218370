/* template.h - the templates of notifications: Alertmanager's names, data and functions.
 *
 * Under the defaults lie the names that users override ("__subject", "slack.default.title", ...); the user's
 * files are read after them, and a later definition replaces an earlier one. Texts of a receiver's
 * configuration are templates too and may call all of them.
 *
 * .Receiver .Status .Alerts (.Firing .Resolved) .GroupLabels .CommonLabels .CommonAnnotations .RouteLabels
 * .ExternalURL .NotificationReason; of an alert .Status .Labels .Annotations .StartsAt .EndsAt .GeneratorURL
 * .Fingerprint; of a set of labels .SortedPairs .Names .Values .Remove.
 *
 * Threads: a set of templates never changes once loaded. */
#pragma once
#include "model/alert.h"
#include "query/template.h"

struct notification;
struct notify_templates;

/* The files that the patterns match, in their order; a pattern that matches nothing is fine. ERR_PARSE names
 * file and line; ERR_IO, ERR_LIMIT. */
int notify_templates_load(const struct str *patterns, size_t n, struct notify_templates **out, struct err *);
void notify_templates_free(struct notify_templates *);         /* NULL is fine */
const struct notify_templates *notify_templates_default(void); /* ours alone; never freed */

/* What templates see; points into the notification and the arena. max_alerts 0: all. */
struct tvalue notify_template_data(const struct notification *, uint64_t max_alerts, struct arena *);

/* Is this text a template that can be read? What it calls is looked for only when it runs. ERR_PARSE. */
int notify_template_check(struct str text, struct err *);

/* Appends. ERR_PARSE, ERR_EXEC, ERR_LIMIT. html: values are escaped by where in the page they stand. */
int notify_template_run(const struct notify_templates *, struct str text, struct tvalue data, int64_t now_ms,
                        bool html, struct arena *, struct buf *out, struct err *);
