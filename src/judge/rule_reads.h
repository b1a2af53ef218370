/* rule_reads.h - which rules of a group read what rules before them in the group write. Inside of
 * rule_group.c. */
#pragma once
#include "judge/rule_file.h"

/* reads[i]: rule i may see series of a rule before it. True when it cannot be told. */
void rule_reads_earlier(const struct rule_group_spec *, bool *reads);
