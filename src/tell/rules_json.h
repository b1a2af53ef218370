/* rules_json.h - groups, rules and alerts in the shape of Prometheus' API. */
#pragma once
#include "base/buf.h"
#include "judge/rule_group.h"

/* {"state":...} of one rule, alerts that are pending or firing among it unless left out. */
void rules_json_rule(struct buf *out, const struct rule *, bool with_alerts);
/* Begins a group's object, up to and with "rules":[ ; and ends it. */
void rules_json_group_begin(struct buf *out, const struct rule_group *);
void rules_json_group_end(struct buf *out, const struct rule_group *);
void rules_json_alert(struct buf *out, const struct live_alert *);
