/* lb_state.c - see lb_state.h. Scores are worked out at each tick from the sums of windows:
 *
 *     distribution    1 - D / Dmax: D is half the sum of |share of the requests - share of the weights| over
 *                     backends, Dmax what D is when the backend with the smallest weight gets them all
 *     cost efficiency worth of a dollar (worth: quality of successes, 1 when unrated) over that of the best
 *     effectiveness   weighed mean of: share of successes; min(1, limit / mean duration); min(1, target /
 * mean cost); mean quality. Parts that are not known are left out, weights of the others grow */
#include "derive/lb_state.h"

#include <time.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/stat.h"
#include "model/event_kinds.h"
#include "model/price.h"

#define OPEN_MAX    100000
#define OPEN_MAX_MS 3600000

static struct str text(struct value v)
{
    return v.type == VALUE_STR ? v.text : STR("");
}

/* ---- backends ---- */

struct looked_for {
    const struct lb_state *s;
    struct str id;
};

static bool same_id(void *ctx, uint64_t i)
{
    const struct looked_for *l = ctx;
    return str_eq(l->s->backends[i].id, l->id);
}

static struct lb_backend *find(const struct lb_state *s, struct str id)
{
    struct looked_for l = { s, id };
    const uint64_t *i = map_find(&s->by_id, hash64(id.p, id.n), same_id, &l);
    return i != NULL ? &s->backends[*i] : NULL;
}

/* NULL: there are too many. */
static struct lb_backend *backend(struct lb_state *s, struct str id, int64_t time_ms)
{
    struct lb_backend *b = find(s, id);
    if (b == NULL && s->n <= s->conf.max_rows) {
        if (s->n == s->cap) s->backends = mem_grow(s->backends, s->n, &s->cap, sizeof *s->backends);
        b = &s->backends[s->n];
        *b = (struct lb_backend){ .id = str_make(mem_copy(id.p, id.n), id.n), .weight = (double)NAN };
        b->budget_usd[LB_DAY] = b->budget_usd[LB_MONTH] = (double)NAN;
        map_add(&s->by_id, hash64(id.p, id.n), s->n++);
    }
    if (b != NULL) b->used_ms = MAX(b->used_ms, time_ms);
    return b;
}

/* The index is made anew: it cannot lose single ones. The first, all together, stays. */
static void forget_idle(struct lb_state *s, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct lb_backend *b = &s->backends[i];
        const bool has_budget = !isnan(b->budget_usd[LB_DAY]) || !isnan(b->budget_usd[LB_MONTH]);
        if (i > 0 && now_ms - b->used_ms > s->conf.idle_ms && !has_budget)
            mem_free((void *)b->id.p);
        else
            s->backends[kept++] = *b;
    }
    if (kept == s->n) return;
    s->n = kept;
    map_release(&s->by_id);
    map_init(&s->by_id, kept + 16);
    for (size_t i = 0; i < kept; i++) map_add(&s->by_id, hash64(s->backends[i].id.p, s->backends[i].id.n), i);
}

/* ---- the life of a request ---- */

static void left(struct lb_state *s, const struct event_opened *was, int64_t now_ms)
{
    const struct str labels[] = { was->text[0], was->text[1] };
    event_put(s->series, s->in_flight, labels, -1, now_ms);
}

static void lost(void *ctx, const struct event_opened *was)
{
    left(ctx, was, was->time_ms);
}

static uint64_t request_hash(const struct event_seen *e, size_t id)
{
    return hash64(text(e->v[id]).p, text(e->v[id]).n);
}

void lb_state_started(struct lb_state *s, const struct event_seen *e)
{
    struct event_opened o = { e->time_ms,
                              { text(e->v[LBS_BACKEND_ID]), text(e->v[LBS_BACKEND_TYPE]),
                                text(e->v[LBS_ALGORITHM]), text(e->v[LBS_METHOD]) } };
    if (!event_open_begin(s->requests, request_hash(e, LBS_REQUEST_ID), &o))
        left(s, &o, e->now_ms); /* begun already: the table counts it once more */
}

static void fill(struct value *v, struct str said)
{
    if (v->type == VALUE_NONE && said.n > 0) *v = value_str(said);
}

void lb_state_completed(struct lb_state *s, struct event_seen *e)
{
    struct event_opened was;
    if (!event_open_end(s->requests, request_hash(e, LBR_REQUEST_ID), &was)) return;
    for (size_t i = 0; i < EVENT_OPEN_TEXTS; i++) was.text[i] = arena_str(e->arena, was.text[i]);
    fill(&e->v[LBR_BACKEND_ID], was.text[0]);
    fill(&e->v[LBR_BACKEND_TYPE], was.text[1]);
    fill(&e->v[LBR_ALGORITHM], was.text[2]);
    fill(&e->v[LBR_METHOD], was.text[3]);
    if (e->v[LBR_START_TIME].type == VALUE_NONE) e->v[LBR_START_TIME] = value_int(was.time_ms * 1000000);
    if (e->v[LBR_END_TIME].type == VALUE_NONE) e->v[LBR_END_TIME] = value_int(e->time_ms * 1000000);
    left(s, &was, e->now_ms);
}

/* ---- health and breakers ---- */

void lb_state_health(struct lb_state *s, struct str id, bool up, int64_t time_ms)
{
    struct lb_backend *b = backend(s, id, time_ms);
    if (b == NULL) return;
    if (!up) b->up_since_ms = 0;
    if (up && b->up_since_ms == 0) b->up_since_ms = MAX(time_ms, 1);
}

void lb_state_breaker(struct lb_state *s, struct event_seen *e)
{
    struct lb_backend *b = backend(s, text(e->v[LBB_BACKEND_ID]), e->time_ms);
    const bool is_open = str_is(text(e->v[LBB_STATE]), "open");
    if (b == NULL) return;
    const bool was_open = b->opened_ms > 0 || str_is(text(e->v[LBB_FROM_STATE]), "open");
    if (is_open && !was_open) e->v[LBB_TRIPPED] = value_double(1);
    if (is_open && b->opened_ms == 0) b->opened_ms = MAX(e->time_ms, 1);
    if (!str_is(text(e->v[LBB_STATE]), "closed")) return;
    if (b->opened_ms > 0) e->v[LBB_RECOVERY] = value_double((double)MAX(e->time_ms - b->opened_ms, 0) / 1000);
    b->opened_ms = 0;
}

void lb_state_weight(struct lb_state *s, struct str id, double weight, int64_t time_ms)
{
    struct lb_backend *b = backend(s, id, time_ms);
    if (b != NULL) b->weight = weight;
}

/* ---- money ---- */

static int64_t period_of(enum lb_period p, int64_t time_ms)
{
    struct tm t;
    time_t at = (time_t)(time_ms / 1000);
    if (p == LB_DAY) return time_ms / 86400000;
    gmtime_r(&at, &t);
    return (int64_t)t.tm_year * 12 + t.tm_mon;
}

/* A new period begins at zero; what belongs to one that is over is not counted any more. */
static void spend(struct lb_backend *b, int64_t nano, int64_t time_ms)
{
    for (int p = 0; b != NULL && p < LB_PERIODS; p++) {
        int64_t period = period_of((enum lb_period)p, time_ms);
        if (period > b->period[p]) b->period[p] = period, b->spent_nano[p] = 0, b->is_over[p] = false;
        if (period == b->period[p]) b->spent_nano[p] = money_add(b->spent_nano[p], nano);
    }
}

void lb_state_spent(struct lb_state *s, struct str id, double usd, int64_t time_ms)
{
    if (!(usd >= 0) || usd > 9e9) return;
    int64_t nano = (int64_t)(usd * (double)NANO_USD + 0.5);
    spend(backend(s, id, time_ms), nano, time_ms);
    if (id.n > 0) spend(&s->backends[0], nano, time_ms);
}

void lb_state_budget(struct lb_state *s, const struct event_seen *e)
{
    struct lb_backend *b = backend(s, text(e->v[LBU_BACKEND_ID]), e->time_ms);
    double daily = event_number(e->v[LBU_DAILY]), monthly = event_number(e->v[LBU_MONTHLY]);
    if (b == NULL) return;
    if (!isnan(daily)) b->budget_usd[LB_DAY] = daily;
    if (!isnan(monthly)) b->budget_usd[LB_MONTH] = monthly;
}

static void tick_budget(struct lb_state *s, struct lb_backend *b, enum lb_period p, int64_t now_ms)
{
    static const char *const names[] = { "daily", "monthly" };
    const struct str labels[] = { str_of(names[p]), b->id };
    if (isnan(b->budget_usd[p])) return;
    spend(b, 0, now_ms);
    double spent = money_double(b->spent_nano[p]), of = b->budget_usd[p];
    event_put(s->series, s->usage[p], &b->id, of > 0 ? 100 * spent / of : spent > 0 ? 100 : 0, now_ms);
    if (spent > of && !b->is_over[p]) event_put(s->series, s->exceeded, labels, 1, now_ms);
    b->is_over[p] = spent > of;
}

/* ---- scores ---- */

static void count_requests(struct lb_state *s, int64_t now_ms)
{
    for (size_t i = 0; i < s->n; i++) s->backends[i].requests = 0;
    for (size_t i = 0; i < event_rows(s->series, s->rates); i++) {
        const struct event_row *row = event_row_at(s->series, s->rates, i);
        struct str id = event_row_label(row, 0);
        double n = event_row_sums(s->series, row, s->rates, now_ms).weight;
        struct lb_backend *b = n > 0 && id.n > 0 ? backend(s, id, now_ms) : NULL;
        if (b != NULL) b->requests += n;
    }
}

/* Backends that got requests or were given a weight take part; without a weight, 1. */
static void tick_distribution(struct lb_state *s, int64_t now_ms)
{
    double requests = 0, weights = 0, least = INFINITY, away = 0;
    if (event_rows(s->series, s->distribution) == 0) return;
    for (size_t i = 1; i < s->n; i++) {
        const struct lb_backend *b = &s->backends[i];
        if (b->requests == 0 && isnan(b->weight)) continue;
        double weight = isnan(b->weight) ? 1 : b->weight;
        requests += b->requests;
        weights += weight;
        least = MIN(least, weight);
    }
    for (size_t i = 1; i < s->n && requests > 0 && weights > 0; i++) {
        const struct lb_backend *b = &s->backends[i];
        double weight = !isnan(b->weight) ? b->weight : b->requests > 0 ? 1 : 0;
        away += fabs(b->requests / requests - weight / weights) / 2;
    }
    double most = 1 - least / weights;
    double score = requests == 0 || weights == 0 ? (double)NAN : most > 0 ? MAX(1 - away / most, 0.0) : 1;
    event_row_put(s->series, event_row_at(s->series, s->distribution, 0), s->distribution, score, now_ms);
}

static double worth_of(struct lb_state *s, const struct event_row *row, int64_t now_ms)
{
    struct event_sums sums = event_row_sums(s->series, row, s->spend, now_ms);
    return sums.value > 0 ? sums.weight / sums.value : (double)NAN;
}

static void tick_efficiency(struct lb_state *s, int64_t now_ms)
{
    const size_t n = event_rows(s->series, s->spend);
    double best = 0;
    for (size_t i = 0; i < n; i++)
        best = fmax(best, worth_of(s, event_row_at(s->series, s->spend, i), now_ms));
    for (size_t i = 0; i < n; i++) {
        struct event_row *row = event_row_at(s->series, s->spend, i);
        event_row_put(s->series, row, s->efficiency,
                      worth_of(s, row, now_ms) / (best > 0 ? best : (double)NAN), now_ms);
    }
}

static double share_of(double target, double mean)
{
    return isnan(mean) ? mean : mean <= target ? 1 : target / mean;
}

static void tick_effectiveness(struct lb_state *s, int64_t now_ms)
{
    const struct event_series_conf *c = &s->conf;
    const double weights[] = { c->weight_success, c->weight_latency, c->weight_cost, c->weight_quality };
    for (size_t i = 0; i < event_rows(s->series, s->ok); i++) {
        struct event_row *row = event_row_at(s->series, s->ok, i);
        const double parts[] = {
            event_row_value(s->series, row, s->ok, now_ms),
            share_of(c->sla_response_ms, event_row_value(s->series, row, s->ms, now_ms)),
            share_of(c->target_cost_usd, event_row_value(s->series, row, s->usd, now_ms)),
            event_row_value(s->series, row, s->quality, now_ms),
        };
        double sum = 0, of = 0;
        for (size_t p = 0; p < COUNT(parts); p++)
            if (!isnan(parts[p])) sum += weights[p] * parts[p], of += weights[p];
        event_row_put(s->series, row, s->effectiveness, of > 0 ? sum / of : (double)NAN, now_ms);
    }
}

/* All well up to the limit; beyond, what is left of the room between limit and 100 percent. */
static void tick_errors(struct lb_state *s, int64_t now_ms)
{
    const double limit = s->conf.sla_error_percent;
    for (size_t i = 0; i < event_rows(s->series, s->errors); i++) {
        struct event_row *row = event_row_at(s->series, s->errors, i);
        double rate = 100 * event_row_value(s->series, row, s->errors, now_ms);
        double compliance = isnan(rate) ? rate : rate <= limit ? 100 : 100 * (100 - rate) / (100 - limit);
        event_row_put(s->series, row, s->error_compliance, compliance, now_ms);
        struct str id = event_row_label(row, 0);
        struct lb_backend *b = find(s, id);
        if (b == NULL) continue;
        if (rate > limit && !b->is_failing) {
            event_put(s->series, s->error_violations, &id, 1, now_ms);
            event_put(s->series, s->error_total, &id, 1, now_ms);
        }
        b->is_failing = rate > limit;
    }
}

void lb_state_tick(void *state, int64_t now_ms)
{
    struct lb_state *s = state;
    event_open_expire(s->requests, now_ms);
    count_requests(s, now_ms);
    tick_distribution(s, now_ms);
    tick_efficiency(s, now_ms);
    tick_effectiveness(s, now_ms);
    tick_errors(s, now_ms);
    for (size_t i = 0; i < s->n; i++) {
        struct lb_backend *b = &s->backends[i];
        tick_budget(s, b, LB_DAY, now_ms);
        tick_budget(s, b, LB_MONTH, now_ms);
        if (b->up_since_ms > 0 && now_ms - b->used_ms <= s->conf.idle_ms) /* steps of 36 s */
            event_put(s->series, s->uptime, &b->id, floor((double)(now_ms - b->up_since_ms) / 36000) / 100,
                      now_ms);
    }
    forget_idle(s, now_ms);
}

/* ---- life ---- */

void *lb_state_open(struct event_series *series, const struct event_series_conf *conf)
{
    struct lb_state *s = mem_alloc_zero(sizeof *s);
    s->series = series;
    s->conf = *conf;
    s->unpriced = stat_counter("vedette_lb_unpriced_requests_total",
                               "Requests with tokens and neither a cost nor a known price.", NULL);
    map_init(&s->by_id, 64);
    backend(s, STR(""), 0);
    s->requests = event_open_new(OPEN_MAX, OPEN_MAX_MS, lost, s);
    s->in_flight = event_family_at(series, "load_balancer_requests_in_flight");
    s->spend = event_family_at(series, "@spend");
    s->efficiency = event_family_at(series, "load_balancer_cost_efficiency_score");
    s->ok = event_family_at(series, "@algorithm_ok");
    s->ms = event_family_at(series, "@algorithm_ms");
    s->usd = event_family_at(series, "@algorithm_usd");
    s->quality = event_family_at(series, "@algorithm_quality");
    s->effectiveness = event_family_at(series, "load_balancer_algorithm_effectiveness_score");
    s->distribution = event_family_at(series, "load_balancer_load_distribution_score");
    s->rates = event_family_at(series, "load_balancer_success_rate_percent");
    s->uptime = event_family_at(series, "load_balancer_backend_uptime_hours");
    s->errors = event_family_at(series, "@sla_errors");
    s->error_compliance = s->errors + 1;
    s->error_violations = event_family_at(series, "load_balancer_sla_response_time_violations_total") - 1;
    s->error_total = event_family_at(series, "load_balancer_sla_error_rate_violations_total");
    s->usage[LB_DAY] = event_family_at(series, "load_balancer_daily_budget_usage_percent");
    s->usage[LB_MONTH] = event_family_at(series, "load_balancer_monthly_budget_usage_percent");
    s->exceeded = event_family_at(series, "load_balancer_budget_exceeded_total");
    return s;
}

void lb_state_close(void *state)
{
    struct lb_state *s = state;
    for (size_t i = 0; i < s->n; i++) mem_free((void *)s->backends[i].id.p);
    mem_free(s->backends);
    map_release(&s->by_id);
    event_open_free(s->requests);
    mem_free(s);
}
