/* builtin.h - the rules that come with the program: rule files like any other, compiled in. */
#pragma once
#include "base/str.h"

struct builtin_rules {
    const char *name; /* "builtin/core.yml" */
    const char *begin, *end;
};

extern const struct builtin_rules builtin_rules[];
extern const size_t builtin_rules_count;
