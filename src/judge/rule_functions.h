/* rule_functions.h - the functions that templates of rules know: inside of rule_template.c. */
#pragma once
#include "judge/rule_template.h"

#define RULE_HOST_ANSWERS 16

struct rule_host { /* of one template run */
    const struct rule_template_data *data;
    struct arena *arena;
    struct rule_answer answers[RULE_HOST_ANSWERS]; /* of the function query: values point into them */
    size_t n_answers;
};

const struct template_functions *rule_functions(void);
void rule_host_release(struct rule_host *);
struct tvalue rule_labels_value(struct labels, struct arena *);

/* rule_humanize.c: numbers for people */
template_fn fn_humanize, fn_humanize1024, fn_humanize_duration, fn_humanize_percentage, fn_humanize_timestamp,
    fn_to_time, fn_to_duration, fn_parse_duration;
/* Numbers, integers and texts that are one; ERR_EXEC otherwise. */
int rule_number(struct template_call *, const struct tvalue *, double *out);
