/* report_views.h - the reports and dashboards that are made of sections, and what the server says of itself.
 */
#pragma once
#include "tell/report/report.h"

struct report_budgets;

/* report_performance.c */
void report_performance(struct report *);
void report_algorithms(struct report *);
/* Of n with `good` good ones: where the true share lies with 95 % (Wilson's interval). */
void report_interval(int64_t good, int64_t n, double *low, double *high);

/* report_dashboards.c */
void dashboard_enterprise(struct report *, struct report_budgets *);
void dashboard_comprehensive(struct report *, struct report_budgets *);
void dashboard_business(struct report *);
void dashboard_mcp(struct report *);
void report_insights(struct report *); /* "insights": [...] */

/* report_health.c */
void dashboard_health(struct report *);
void report_system_health(struct report *); /* status, score and its parts, recommendations */
void report_stats(struct report *);
void report_status(struct report *);
void report_coverage(struct report *);
