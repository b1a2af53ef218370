/* external_labels.h - the labels that name this server to others: added to what leaves by /federate and
 * remote read. */
#pragma once
#include "tell/api_prometheus.h"

/* The series' own labels win. In the arena, or `own` itself when there are none to add. */
struct labels external_labels_add(const struct prometheus_api *, struct labels own, struct arena *);
bool external_labels_have(const struct prometheus_api *, struct str name, struct str value);
