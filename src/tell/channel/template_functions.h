/* template_functions.h - the functions that templates of notifications know beside Go's own: inside of
 * template.c. */
#pragma once
#include "model/labels.h"
#include "query/template.h"

struct template_host { /* of one run */
    int64_t now_ms;
};

const struct template_functions *notify_functions(void);
/* Sets of labels and lists of alerts, with what can be called on them. */
struct tvalue notify_labels_value(struct labels, struct arena *);
struct tvalue notify_alerts_value(const struct tvalue *alerts, size_t n);
struct tvalue notify_struct_value(const struct tentry *, size_t n); /* a name that it has not is an error */
bool notify_is_struct(struct tvalue);                               /* its names are in lower case as JSON */
