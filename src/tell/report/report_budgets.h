/* report_budgets.h - budgets as the API shows them. */
#pragma once
#include "judge/budget.h"
#include "tell/report/report.h"

/* The configured ones, as the server keeps them; they may be replaced by a reload, hence the lock. */
struct report_budgets {
    pthread_mutex_t mu; /* all below */
    const struct budget *at;
    size_t n;
};

/* "budgets": [...], as of now, whatever the window. NULL: none. */
void report_budgets_json(struct report *, struct report_budgets *);
