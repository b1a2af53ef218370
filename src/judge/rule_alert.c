/* rule_alert.c - from the series an expression found to alerts, their notice and their own series.
 *
 *     ALERTS{alertname, alertstate, ...} 1              while pending or firing
 *     ALERTS_FOR_STATE{alertname, ...} seconds          since when it is active: read again after a restart
 */
#include "judge/rule_alert.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "judge/rule_template.h"

/* ---- what was found ---- */

static struct str filled(const struct rule_text *t, const struct rule_template_data *d, struct arena *a)
{
    return t->filled != NULL ? rule_template_run(t->filled, d, a) : t->text;
}

static bool is_label_of(const struct rule_spec *spec, struct str name)
{
    for (size_t i = 0; i < spec->labels.n; i++)
        if (str_eq(spec->labels.at[i].name, name)) return true;
    return false;
}

static int alert_labels(const struct rule_spec *spec, const struct rule_template_data *d, struct arena *a,
                        struct labels *out, struct err *e)
{
    struct label *at = arena_array(a, d->labels.n + spec->labels.n + 1, sizeof *at);
    size_t n = 0;
    at[n++] = (struct label){ STR("alertname"), spec->name };
    for (size_t i = 0; i < spec->labels.n; i++)
        if (!str_is(spec->labels.at[i].name, "alertname"))
            at[n++] = (struct label){ spec->labels.at[i].name, filled(&spec->labels.at[i], d, a) };
    for (size_t i = 0; i < d->labels.n; i++)
        if (!str_is(d->labels.at[i].name, LABEL_NAME) && !str_is(d->labels.at[i].name, "alertname") &&
            !is_label_of(spec, d->labels.at[i].name))
            at[n++] = d->labels.at[i];
    int rc = labels_normalise(at, &n, e);
    *out = (struct labels){ at, n };
    return rc;
}

static struct labels alert_annotations(const struct rule_spec *spec, const struct rule_template_data *d,
                                       struct arena *a)
{
    struct label *at = arena_array(a, spec->annotations.n + 1, sizeof *at);
    for (size_t i = 0; i < spec->annotations.n; i++)
        at[i] = (struct label){ spec->annotations.at[i].name, filled(&spec->annotations.at[i], d, a) };
    return (struct labels){ at, spec->annotations.n };
}

static int see_all(struct rule_group *g, const struct rule *r, const struct rule_answer *answer,
                   int64_t at_ms, struct alert_seen **out, struct err *e)
{
    struct alert_seen *seen = *out = arena_array(&g->scratch, answer->n + 1, sizeof *seen);
    struct rule_template_data d = { .external = g->env->external,
                                    .external_url = g->env->external_url,
                                    .query = &g->env->query,
                                    .at_ms = at_ms };
    for (size_t i = 0; i < answer->n; i++) {
        d.labels = answer->series[i].labels;
        d.value = seen[i].value = answer->series[i].points[0].value;
        int rc = alert_labels(r->spec, &d, &g->scratch, &seen[i].labels, e);
        if (rc < 0) return rc;
        seen[i].annotations = alert_annotations(r->spec, &d, &g->scratch);
        seen[i].id = labels_id(seen[i].labels);
        if (arena_over(&g->scratch)) return err_set(e, ERR_LIMIT, "too many alerts for one rule");
    }
    return OK;
}

/* ---- telling ---- */

static struct alert notice_of(const struct live_alert *a, int64_t at_ms, struct str url)
{
    return (struct alert){ .labels = a->labels,
                           .annotations = a->annotations,
                           .starts_ms = a->fired_ms,
                           .ends_ms = a->resolved_ms != ALERT_NEVER ? a->resolved_ms : a->valid_until_ms,
                           .updated_ms = at_ms,
                           .generator_url = url };
}

static struct str link_to(struct rule_group *g, struct str expr)
{
    struct buf b = BUF_INIT(1u << 20);
    buf_str(&b, g->env->external_url);
    rule_link(&b, expr, true);
    struct str url = arena_str(&g->scratch, buf_view(&b));
    buf_release(&b);
    return url;
}

/* mu is held. Those that are due, marked as told. An alert is believed for four times the pace it is repeated
 * at: two lost messages do not end it. */
static size_t take_due(struct rule_group *g, struct rule *r, int64_t at_ms, struct alert **out)
{
    int64_t resend_ms = g->env->resend_ms > 0 ? g->env->resend_ms : 60000;
    size_t n = 0;
    for (size_t i = 0; i < r->alerts.n; i++) {
        struct live_alert *a = r->alerts.at[i];
        if (!live_alert_is_due(a, at_ms, resend_ms)) continue;
        if (n == 0) *out = arena_array(&g->scratch, r->alerts.n - i, sizeof **out);
        a->sent_ms = at_ms;
        a->valid_until_ms = at_ms + 4 * MAX(resend_ms, g->interval_ms);
        (*out)[n] = notice_of(a, at_ms, n > 0 ? (*out)[0].generator_url : link_to(g, r->spec->expr));
        n++;
    }
    return n;
}

/* ---- its own series ---- */

static struct labels named(const struct live_alert *a, const char *name, const char *phase,
                           struct arena *arena)
{
    struct label *at = arena_array(arena, a->labels.n + 2, sizeof *at);
    size_t n = 0;
    for (size_t i = 0; i < a->labels.n; i++)
        if (phase == NULL || !str_is(a->labels.at[i].name, "alertstate")) at[n++] = a->labels.at[i];
    if (phase != NULL) at[n++] = (struct label){ STR("alertstate"), str_of(phase) };
    at[n++] = (struct label){ STR(LABEL_NAME), str_of(name) };
    check(labels_normalise(at, &n, NULL) == OK); /* they were good, and these two are */
    return (struct labels){ at, n };
}

static void put_series(struct rule_group *g, struct rule *r, int64_t asked_ms)
{
    struct rule_rows rows;
    rule_rows_init(&rows, &g->scratch, asked_ms);
    for (size_t i = 0; r->is_restored && i < r->alerts.n; i++) {
        const struct live_alert *a = r->alerts.at[i];
        if (a->phase == ALERT_INACTIVE) continue;
        rule_rows_add(&rows, named(a, "ALERTS", alert_phase_text(a->phase), &g->scratch), 1, NULL);
        rule_rows_add(&rows, named(a, "ALERTS_FOR_STATE", NULL, &g->scratch),
                      floor((double)a->active_ms / 1000), NULL);
    }
    g->samples += rows.batch.n_series;
    r->rows = rows;
    r->is_waiting = true;
}

int rule_alert_judge(struct rule_group *g, struct rule *r, const struct rule_answer *answer, int64_t at_ms,
                     int64_t asked_ms, struct err *e)
{
    struct alert_terms terms = { r->spec->for_ms, r->spec->keep_firing_ms, g->spec->limit,
                                 answer->is_partial };
    struct alert_seen *seen;
    struct alert *due = NULL;
    size_t n_due = 0;
    int rc = see_all(g, r, answer, at_ms, &seen, e);
    if (rc < 0) return rc;
    pthread_mutex_lock(&g->mu);
    rc = alert_states_step(&r->alerts, &terms, seen, answer->n, at_ms, e);
    if (rc == OK) n_due = take_due(g, r, at_ms, &due);
    pthread_mutex_unlock(&g->mu);
    /* The alerts are ours alone to change: what is sent may point to them. */
    if (n_due > 0 && g->env->sink.send != NULL) g->env->sink.send(g->env->sink.ctx, due, n_due);
    if (rc == OK) put_series(g, r, asked_ms);
    return rc;
}

/* ---- after a restart ---- */

struct past { /* the last sample of each series of ALERTS_FOR_STATE */
    const struct series_set *set;
    int64_t *time_ms;
    double *since_s;
};

static int take_last(void *ctx, const struct series_rows *rows)
{
    struct past *p = ctx;
    if (rows->n == 0) return OK;
    p->time_ms[rows->series] = rows->time_ms[rows->n - 1];
    p->since_s[rows->series] = rows->value[rows->n - 1];
    return OK;
}

static int read_past(struct rule_group *g, const struct rule *r, int64_t from_ms, int64_t to_ms,
                     struct series_set *set, struct past *past, struct err *e)
{
    struct matcher m[2];
    struct store_view *view;
    struct call call = { .arena = &g->scratch, .deadline_ns = clock_mono_ns() + 120 * (int64_t)1000000000 };
    int rc = store_view_open(g->env->store, from_ms, to_ms, &view, e);
    if (rc < 0) return rc;
    matcher_init(&m[0], MATCH_EQ, STR(LABEL_NAME), STR("ALERTS_FOR_STATE"), NULL);
    matcher_init(&m[1], MATCH_EQ, STR("alertname"), r->spec->name, NULL);
    rc = view_series(view, &call, m, 2, 0, set, e);
    if (rc == OK) {
        *past = (struct past){ set, arena_zero(&g->scratch, (set->n + 1) * sizeof(int64_t)),
                               arena_array(&g->scratch, set->n + 1, sizeof(double)) };
        for (size_t i = 0; i < set->n; i++) past->since_s[i] = double_of(STALE_BITS);
        rc = view_scan(view, &call, set->at, set->n, from_ms, to_ms, take_last, past, e);
    }
    store_view_close(view);
    return rc;
}

static bool is_of(const struct live_alert *a, struct labels for_state)
{
    size_t k = 0;
    for (size_t i = 0; i < for_state.n; i++) {
        if (str_is(for_state.at[i].name, LABEL_NAME)) continue;
        if (k == a->labels.n || !str_eq(a->labels.at[k].name, for_state.at[i].name) ||
            !str_eq(a->labels.at[k].value, for_state.at[i].value))
            return false;
        k++;
    }
    return k == a->labels.n;
}

/* The time we were away does not count as waited; and whoever comes back gets the grace period to show that
 * all is well, before an alert fires. */
static int64_t restored_begin(int64_t for_ms, int64_t since_ms, int64_t down_ms, int64_t now_ms,
                              int64_t grace_ms)
{
    int64_t left_ms = for_ms - (down_ms - since_ms);
    if (left_ms <= 0) return since_ms; /* it was firing */
    if (left_ms < grace_ms) return now_ms + grace_ms - for_ms;
    return since_ms + (now_ms - down_ms);
}

static void restore_one(struct live_alert *a, const struct past *past, int64_t for_ms, int64_t now_ms,
                        int64_t grace_ms)
{
    for (size_t i = 0; i < past->set->n; i++) {
        if (is_stale(past->since_s[i]) || !is_of(a, past->set->at[i].labels)) continue;
        a->active_ms =
            restored_begin(for_ms, (int64_t)past->since_s[i] * 1000, past->time_ms[i], now_ms, grace_ms);
        return;
    }
}

void rule_alert_restore(struct rule_group *g, struct rule *r, int64_t now_ms)
{
    int64_t outage_ms = g->env->outage_ms > 0 ? g->env->outage_ms : 3600000;
    int64_t grace_ms = g->env->grace_ms > 0 ? g->env->grace_ms : 600000;
    struct series_set set = { 0 };
    struct past past;
    struct err why = ERR_INIT;
    if (r->spec->for_ms < grace_ms || r->alerts.n == 0) return;
    if (read_past(g, r, now_ms - outage_ms, now_ms, &set, &past, &why) < 0) {
        log_warn("rules", "since when alerts are active could not be read again", "error", why.text, NULL);
        return;
    }
    pthread_mutex_lock(&g->mu);
    for (size_t i = 0; i < r->alerts.n; i++)
        if (r->alerts.at[i]->phase != ALERT_INACTIVE)
            restore_one(r->alerts.at[i], &past, r->spec->for_ms, now_ms, grace_ms);
    pthread_mutex_unlock(&g->mu);
}
