/* work_tables.h - what a table of the store brings to the fault tests: its rows of a batch, and a judge of
 * what is found. The list of them is work_tables in work.c. */
#pragma once
#include "fault/common/work.h"

/* Of a batch that must be there with all its rows. */
bool work_is_promised(const struct work *, uint32_t b, int64_t taken_before_ns);
/* The first complaint stays. ERR_CANCEL, for a sink to return. */
int work_complain(struct work_verdict *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int64_t work_time_ms(const struct work *, unsigned slot); /* one of 512 instants, spread over the days */

/* work_records.c */
void logs_put(const struct work *, uint32_t b, struct batch *);
void spans_put(const struct work *, uint32_t b, struct batch *);
int logs_judge(const struct work *, struct store_view *, int64_t taken_before_ns, struct work_verdict *,
               struct err *);
int spans_judge(const struct work *, struct store_view *, int64_t taken_before_ns, struct work_verdict *,
                struct err *);
