/* script.h - runs PromQL scripts (load, eval, clear: the form of Prometheus' promqltest) against a store.
 *
 * A test includes script.c, for the reason given in toy_store.h. */
#pragma once
#include "query/promql/engine.h"

struct script_result {
    size_t passed, failed;
};

/* Runs a file. Each failure is printed to stderr when loud. ERR_* when the file itself cannot be read. */
int script_run(const char *path, bool loud, struct script_result *out, struct err *e);
