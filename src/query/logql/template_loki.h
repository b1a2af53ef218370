/* template_loki.h - the functions that templates of line_format and label_format know. */
#pragma once
#include "base/regex.h"
#include "query/template.h"

const struct template_functions *template_loki(void);

/* Regular expressions of the last few patterns, so that they are not compiled for each line. One thread. */
struct kept_regexes {
    struct regex *at[16];
    size_t n, next;
    int64_t cpu_ns; /* spent on compiling; when too much, functions refuse */
};
void kept_regexes_release(struct kept_regexes *);

/* What __line__, __timestamp__ and the regex functions look at: the `host` of template_run. */
struct template_line {
    struct str line;
    int64_t time_ns;
    struct kept_regexes *regexes;
};
