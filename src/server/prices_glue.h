/* prices_glue.h - `prices: FILE` of the configuration: a price list in front of the built-in one
 * (docs/money.md). A relative path is one beside the configuration file. */
#pragma once
#include "base/yaml.h"

int prices_glue_check(struct yaml *file, const char *config, struct err *);
/* At the start and at each reload: read, and used from now on. After an error the list stays as it was. */
int prices_glue_apply(struct yaml *file, const char *config, struct err *);
