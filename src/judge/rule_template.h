/* rule_template.h - the texts of an alert: Go templates with the variables and functions of Prometheus'
 * rules.
 *
 * $labels, $value, $externalLabels and $externalURL (and .Labels, .Value, ...), humanize and its sisters,
 * query with first, label, value, sortByLabel, and the small helpers on text. A label that is missing is
 * empty. Threads: a template never changes; each run has a host and an arena of its own. */
#pragma once
#include "judge/rule_query.h"
#include "query/template.h"

/* *out stays NULL when the text holds no action: it is then used as it stands. ERR_PARSE. */
int rule_template_new(struct str text, struct template **out, struct err *);

struct rule_template_data {
    struct labels labels;
    double value;
    struct labels external;
    struct str external_url;
    const struct rule_query *query; /* NULL: the function query finds nothing to ask */
    int64_t at_ms;
};

/* The text in the arena; what went wrong stands in it, as `<error expanding template: ...>`. */
struct str rule_template_run(const struct template *, const struct rule_template_data *, struct arena *);

/* Places of a web page that shows the expression, behind the external URL. */
void rule_link(struct buf *out, struct str expr, bool table);
