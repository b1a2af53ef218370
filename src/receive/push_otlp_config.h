/* push_otlp_config.h - the `otlp:` section of the configuration file; its keys mean what they mean to
 * Prometheus.
 *
 *     otlp:
 *       translation_strategy: UnderscoreEscapingWithSuffixes
 *       promote_resource_attributes: [k8s.cluster.name]      # or promote_all_resource_attributes: true
 *       ignore_resource_attributes: [process.pid]            # and all but these
 *       keep_identifying_resource_attributes: false
 *       promote_scope_metadata: true                         # preset here; Prometheus' is false
 *
 * Keys for what we do one way only (delta conversion is always on, labels keep their underscores, no
 * custom-bucket native histograms) are taken when they ask for just that, and refused by name otherwise. */
#pragma once
#include "base/yaml.h"
#include "decode/otlp_metrics.h"

/* section may be NULL: presets. Texts are borrowed from the tree, lists from the arena. ERR_PARSE or
 * ERR_RANGE with the line. */
int push_otlp_config(struct yaml *section, struct arena *, struct otlp_options *out, struct err *);
