/* lb_state.h - what is remembered of backends from record to record, and the scores that compare them: inside
 * of lb_series.c and lb_state.c only.
 *
 * At most max_rows backends are remembered; of later ones records still count, but they have no budget, no
 * uptime and no part in the scores. All within the lock of event_series. */
#pragma once
#include "base/map.h"
#include "derive/event_open.h"
#include "derive/event_series.h"

/* The order of event_kinds_lb. */
enum lb_kind {
    LB_REQUEST,
    LB_START,
    LB_COMPLETE,
    LB_HEALTH,
    LB_BREAKER,
    LB_POOL,
    LB_CACHE,
    LB_BUDGET,
    LB_BACKEND
};

enum lb_period { LB_DAY, LB_MONTH, LB_PERIODS };

struct lb_backend {
    struct str id;
    int64_t used_ms;
    int64_t up_since_ms; /* 0: not up */
    int64_t opened_ms;   /* its breaker; 0: not open */
    double weight;       /* NAN: not told */
    double budget_usd[LB_PERIODS];
    int64_t spent_nano[LB_PERIODS], period[LB_PERIODS]; /* period: number of the day, of the month */
    bool is_over[LB_PERIODS], is_failing;
    double requests; /* of the window: scratch of a tick */
};

struct lb_state {
    struct event_series *series;
    struct event_series_conf conf;
    struct stat *unpriced;
    struct lb_backend *backends; /* the first is all of them together */
    size_t n, cap;
    struct map by_id;
    struct event_open *requests;
    size_t in_flight, spend, efficiency, ok, ms, usd, quality, effectiveness, distribution, rates, uptime,
        errors, error_compliance, error_violations, error_total, usage[LB_PERIODS], exceeded; /* families */
};

void *lb_state_open(struct event_series *, const struct event_series_conf *);
void lb_state_close(void *state);
void lb_state_tick(void *state, int64_t now_ms);

void lb_state_started(struct lb_state *, const struct event_seen *);
void lb_state_completed(struct lb_state *, struct event_seen *); /* fills in what the start said */
void lb_state_health(struct lb_state *, struct str backend, bool up, int64_t time_ms);
void lb_state_breaker(struct lb_state *, struct event_seen *);
void lb_state_budget(struct lb_state *, const struct event_seen *);
void lb_state_weight(struct lb_state *, struct str backend, double weight, int64_t time_ms);
void lb_state_spent(struct lb_state *, struct str backend, double usd, int64_t time_ms); /* NAN: unknown */
