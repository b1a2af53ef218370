/* log_filter.h - conditions on log records as our own API takes them: parameters, all of which must hold. */
#pragma once
#include "model/predicate.h"
#include "net/http_server.h"

#define LOG_FILTER_TERMS_MAX 32

struct log_filter {
    struct arena arena;
    const struct predicate *where; /* NULL: all */
    struct regex *re[LOG_FILTER_TERMS_MAX];
    size_t n_re, n_terms;
};

/* service, severity (a word, "error" or "error,fatal"; "warn+" for that and worse), text, regex, trace_id,
 * span_id, task_id, correlation_id, event, and any number of field= with NAME OP VALUE, OP one of = != =~ !~
 * > >= < <=. Everything is copied: it outlives the exchange. On error it is released. */
int log_filter_take(struct log_filter *, struct http_exchange *, struct err *);
void log_filter_release(struct log_filter *);
