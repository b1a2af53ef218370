/* script_value.h - series and values as scripts write them. */
#pragma once
#include "model/histogram.h"
#include "model/labels.h"

struct script_value {
    bool omitted;
    double v;
    const struct histogram *h;
    int64_t start_ms; /* of start times: offset from the sample */
};

struct script_values {
    struct script_value *at;
    size_t n, cap;
};

bool script_labels(struct str *line, struct arena *, struct labels *out); /* moves past them */
bool script_values(struct str line, struct arena *, struct script_values *out);
bool script_starts(struct str line, struct arena *, struct script_values *out);
