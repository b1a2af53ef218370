/* loki_labels.h - the labels of a Loki stream as text: {job="api", env="prod"}. */
#pragma once
#include "decode/record_sink.h"

/* The labels into the list as text attributes. Strict: names are [A-Za-z_][A-Za-z0-9_]*, each once, at least
 * one; values quoted with Go's escapes, or raw in back quotes. ERR_PARSE with the place. */
int loki_labels(struct str text, struct record_sink *, struct attr_list *, struct err *);

bool loki_is_name(struct str);

/* What Loki calls service_name is our service.name: the label of that name is stored under it; when there is
 * none, it is added from the label that Loki would take it from (service, app, container, job, ...). */
void loki_service(struct record_sink *, struct attr_list *);
