/* report_glue.h - reports plugged in: budgets and scheduled exports, by the configuration.
 *
 *     budgets: [...]                    judge/budget.h; series of them every budget_interval
 *     budget_interval: 15s
 *     enable_csv_export: true           written every export_interval_hours, of the hours since the last
 *     enable_json_export: false
 *     export_interval_hours: 24
 *     export_dir: exports               below the data directory when relative; default "exports"
 *
 * An export is of whole UTC intervals, one file each, "hours-20260301T00.csv": those that are missing of the
 * last EXPORT_CATCH_UP intervals are made at the next chance, so that a night without a server leaves no
 * hole.
 *
 * One thread of its own. Opened after the engine, closed before it. */
#pragma once
#include <pthread.h>

#include "base/yaml.h"
#include "tell/api_reports.h"

#define EXPORT_CATCH_UP 7

struct report_conf;

struct report_glue {
    struct reports_api api;
    struct report_conf *conf; /* api.budgets.mu */
    const char *data_dir;
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t wake;
    bool is_open, stopping; /* stopping: mu */
};

int report_glue_check(struct yaml *file, const char *path, struct err *);
int report_glue_open(struct report_glue *, struct yaml *file, struct prometheus_api *, const char *data_dir,
                     struct err *);
int report_glue_reload(struct report_glue *, struct yaml *file,
                       struct err *); /* on failure all is as it was */
void report_glue_close(struct report_glue *);
