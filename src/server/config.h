/* config.h - the configuration file as a whole: which sections there are, and that nothing in it is a slip of
 * the pen. Pure but for the log; main thread. */
#pragma once
#include "base/err.h"
#include "base/yaml.h"

/* Every key at the top is a setting with a good value, a section we read, or one of Prometheus' sections we
 * do not use yet. Errors name file and line. What global and scrape_configs hold is left to
 * scrape_conf_parse. NULL file: fine. */
int config_check(struct yaml *file, const char *path, struct err *);

/* Prometheus' sections that are taken, so that a file works as it is, and have no effect yet: one line of log
 * each. */
void config_warn_unused(struct yaml *file);
