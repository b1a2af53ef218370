/* config.c - see config.h. */
#include "server/config.h"

#include "base/check.h"
#include "base/log.h"
#include "receive/push_otlp_config.h"
#include "server/dashboards_glue.h"
#include "server/derive_glue.h"
#include "server/doors.h"
#include "server/notify_glue.h"
#include "server/options.h"
#include "server/report_glue.h"

static const char *const used[] = { "global",
                                    "scrape_configs",
                                    "otlp",
                                    "redaction",
                                    "sampling",
                                    "log_files",
                                    "span_metrics",
                                    "rule_files",
                                    "log_rule_files",
                                    "alerting",
                                    "alertmanager_config",
                                    "outbound" };
static const char *const unused[] = { "remote_write", "remote_read", "storage", "tracing",
                                      "scrape_config_files" };

static int otlp_check(struct yaml *file, const char *path, struct err *e)
{
    struct arena scratch = ARENA_INIT(1u << 20);
    struct otlp_options options;
    int rc = push_otlp_config(yaml_get(file, "otlp"), &scratch, &options, e);
    if (rc < 0) err_where(e, "%s", path);
    arena_release(&scratch);
    return rc;
}

static int unknown_check(const struct yaml *file, const char *path, struct err *e)
{
    for (size_t i = 0; i < file->n; i++)
        if (!file->asked[i])
            return err_set(e, ERR_PARSE, "%s:%d: unknown key \"%.*s\"", path, file->key_lines[i],
                           STR_ARG(file->keys[i]));
    return OK;
}

int config_check(struct yaml *file, const char *path, struct err *e)
{
    if (file == NULL || file->kind != YAML_MAP) return OK; /* an empty file */
    int rc = options_check_file(file, path, e);
    if (rc == OK) rc = otlp_check(file, path, e);
    if (rc == OK) rc = doors_check(file, path, e);
    if (rc == OK) rc = derive_glue_check(file, path, e);
    if (rc == OK) rc = notify_glue_check(file, path, e);
    if (rc == OK) rc = report_glue_check(file, path, e);
    if (rc == OK) rc = dashboards_glue_check(file, path, e);
    for (size_t i = 0; i < COUNT(used); i++) yaml_get(file, used[i]);
    for (size_t i = 0; i < COUNT(unused); i++) yaml_get(file, unused[i]);
    return rc < 0 ? rc : unknown_check(file, path, e);
}

void config_warn_unused(struct yaml *file)
{
    for (size_t i = 0; i < COUNT(unused); i++)
        if (yaml_get(file, unused[i]) != NULL)
            log_warn("server", "this section of the configuration is not used yet", "section", unused[i],
                     NULL);
}
