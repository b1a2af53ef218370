/* report_budgets.c - see report_budgets.h. */
#include "tell/report/report_budgets.h"

#include "base/check.h"
#include "base/clock.h"
#include "tell/prom_json.h"
#include "tell/spend_json.h"

static void put_time(struct json_writer *w, const char *key, int64_t ms)
{
    struct buf text = BUF_INIT(128);
    json_put_key(w, str_of(key));
    if (ms == 0) {
        json_put_null(w);
        return;
    }
    prom_put_rfc3339(&text, ms);
    json_put_raw(w, buf_view(&text));
    buf_release(&text);
}

static void put_state(struct json_writer *w, const char *period, const struct budget_state *s)
{
    json_put_key(w, str_of(period));
    json_begin_object(w);
    json_kv_usd(w, "limit_usd", s->limit_nano);
    json_kv_usd(w, "used_usd", s->used_nano);
    json_kv_usd(w, "left_usd", MAX(s->limit_nano - s->used_nano, 0));
    json_kv_double(w, "usage_percent", s->usage_percent);
    json_kv_double(w, "burn_usd_per_hour", s->burn_usd_per_hour);
    json_kv_double(w, "projected_usd", s->projected_usd);
    json_kv_bool(w, "exceeded", s->is_exceeded);
    put_time(w, "exhausted_at", s->exhausted_ms);
    put_time(w, "period_start", s->start_ms);
    put_time(w, "period_end", s->end_ms);
    json_end_object(w);
}

static void put_budget(struct report *r, const struct budget *b, int64_t now_ms)
{
    struct json_writer *w = &r->w;
    json_begin_object(w);
    json_kv_string(w, "name", b->name);
    json_kv_cs(w, "scope", budget_scope_name(b->scope));
    json_kv_string(w, "of", b->of);
    for (unsigned p = 0; p < BUDGET_PERIODS && r->rc == OK; p++) {
        struct budget_state s;
        if (b->limit_nano[p] == 0) continue;
        r->rc = budget_now(r->api->store, &r->c.call, b, (enum budget_period)p, now_ms, &s, &r->err);
        if (r->rc == OK) put_state(w, budget_period_name((enum budget_period)p), &s);
    }
    json_end_object(w);
}

/* Copied under the lock: what is asked of the store takes time. */
static struct budget *copy_of(struct report *r, struct report_budgets *all, size_t *n)
{
    struct budget *copy = NULL;
    *n = 0;
    if (all == NULL) return NULL;
    pthread_mutex_lock(&all->mu);
    copy = arena_array(r->arena, all->n + 1, sizeof *copy);
    for (; *n < all->n; ++*n) {
        copy[*n] = all->at[*n];
        copy[*n].name = arena_str(r->arena, all->at[*n].name);
        copy[*n].of = arena_str(r->arena, all->at[*n].of);
    }
    pthread_mutex_unlock(&all->mu);
    return copy;
}

void report_budgets_json(struct report *r, struct report_budgets *all)
{
    size_t n;
    const struct budget *copy = copy_of(r, all, &n);
    int64_t now_ms = clock_now_ms();
    json_put_key(&r->w, STR("budgets"));
    json_begin_array(&r->w);
    for (size_t i = 0; i < n && r->rc == OK; i++) put_budget(r, &copy[i], now_ms);
    json_end_array(&r->w);
}
