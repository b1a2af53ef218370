/* rule_check.h - what is allowed in a rule file and still looks like a mistake. */
#pragma once
#include "base/buf.h"
#include "judge/rule_file.h"

size_t rule_check_count(const struct rule_file *); /* rules in all groups */

/* Rules of one name with equal labels: the second of each is described. How many there are. */
size_t rule_check_duplicates(const struct rule_file *, struct buf *out);
