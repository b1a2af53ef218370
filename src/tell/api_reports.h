/* api_reports.h - reports, dashboards' data, budgets, insights, status and export over HTTP. docs/reports.md
 * has what each answers. */
#pragma once
#include "tell/api_prometheus.h"
#include "tell/report/report_budgets.h"

struct reports_api {
    struct prometheus_api *base;
    struct report_budgets budgets;
};

/* To be registered before prometheus_routes, which says of /api/v1/status that it is gone. */
extern const struct http_route reports_routes[]; /* context: struct reports_api */
extern const size_t reports_n_routes;

http_handler handle_export; /* api_export.c */
