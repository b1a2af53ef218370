/* otlp_names.h - OTLP's names for metrics, units and attributes -> names of metrics and labels.
 *
 *     http.server.duration, unit ms, histogram   ->  http_server_duration_milliseconds
 *     jobs.total, unit {job}, monotonic          ->  jobs_total
 *     service.name                               ->  service_name
 *
 * The rules are those of OpenTelemetry's Prometheus compatibility document as Prometheus applies them, in its
 * four translation strategies. Pure functions: results live in the arena. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum otlp_strategy {
    OTLP_UNDERSCORE_WITH_SUFFIXES, /* UnderscoreEscapingWithSuffixes, the preset */
    OTLP_UNDERSCORE_ONLY,          /* UnderscoreEscapingWithoutSuffixes */
    OTLP_UTF8_WITH_SUFFIXES,       /* NoUTF8EscapingWithSuffixes */
    OTLP_NO_TRANSLATION,           /* NoTranslation */
};

/* By its name in a configuration file; false when there is none such. */
bool otlp_strategy_by_name(struct str name, enum otlp_strategy *out);

enum otlp_name_kind {
    OTLP_NAME_PLAIN,
    OTLP_NAME_COUNTER /* _total */,
    OTLP_NAME_GAUGE /* _ratio for unit 1 */
};

/* ERR_RANGE: nothing usable would remain. */
int otlp_metric_name(enum otlp_strategy, struct str name, struct str unit, enum otlp_name_kind,
                     struct arena *, struct str *out, struct err *);
int otlp_label_name(enum otlp_strategy, struct str key, struct arena *, struct str *out, struct err *);
