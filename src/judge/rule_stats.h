/* rule_stats.h - what rules tell of themselves, under Prometheus' names with our prefix
 * (vedette_rule_evaluations_total, ...).
 *
 * Each group has a set of its own, told apart by rule_group="FILE;GROUP", up to RULE_STATS_GROUPS of them in
 * the life of the process; groups beyond share rule_group="others". */
#pragma once
#include "judge/rule_group.h"

#define RULE_STATS_GROUPS 200

/* Lives as long as the process; the same group gets the same set again. */
struct rule_group_stats *rule_stats_of(const struct rule_group *);

void rule_stats_rule(struct rule_group_stats *, bool failed, double seconds); /* NULL: nothing is counted */
void rule_stats_partial(void); /* an answer lacked what damage hides */
void rule_stats_group(struct rule_group_stats *, const struct rule_group *);
void rule_stats_iterations(struct rule_group_stats *, uint64_t due, uint64_t missed);
void rule_stats_gone(struct rule_group_stats *); /* no rules any more */
