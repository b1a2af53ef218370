/* rule_alert.h - one evaluation of an alerting rule: inside of rule_group.c. */
#pragma once
#include "judge/rule_group.h"

/* Templates, states, sending, ALERTS and ALERTS_FOR_STATE (at asked_ms). */
int rule_alert_judge(struct rule_group *, struct rule *, const struct rule_answer *, int64_t at_ms,
                     int64_t asked_ms, struct err *);
void rule_alert_restore(struct rule_group *, struct rule *, int64_t now_ms);
