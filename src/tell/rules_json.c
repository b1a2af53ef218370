/* rules_json.c - see rules_json.h. */
#include "tell/rules_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/float.h"
#include "base/json.h"
#include "tell/prom_json.h"

static void put_key(struct buf *out, const char *key)
{
    if (out->n > 0 && out->p[out->n - 1] != '{') buf_char(out, ',');
    buf_printf(out, "\"%s\":", key);
}

static void put_text(struct buf *out, const char *key, struct str text)
{
    put_key(out, key);
    json_escape(out, text);
}

static void put_number(struct buf *out, const char *key, double v)
{
    char text[FLOAT_TEXT_MAX];
    put_key(out, key);
    buf_add(out, text, float_text(v, text));
}

static void put_time(struct buf *out, const char *key, int64_t ms)
{
    put_key(out, key);
    if (ms != 0 && ms != ALERT_NEVER)
        prom_put_rfc3339(out, ms);
    else
        buf_cs(out, "\"0001-01-01T00:00:00Z\""); /* how Go writes never */
}

static void put_texts(struct buf *out, const char *key, const struct rule_texts *t)
{
    put_key(out, key);
    buf_char(out, '{');
    for (size_t i = 0; i < t->n; i++) {
        if (i > 0) buf_char(out, ',');
        json_escape(out, t->at[i].name);
        buf_char(out, ':');
        json_escape(out, t->at[i].text);
    }
    buf_char(out, '}');
}

static void put_labels(struct buf *out, const char *key, struct labels l)
{
    put_key(out, key);
    prom_put_labels(out, l);
}

/* As Go's 'e' format: 1e+00, 1.25e-03, shortest digits. */
static void put_exponent(struct buf *out, double v)
{
    char text[40];
    int digits = 0;
    double back = 0;
    if (isnan(v) || isinf(v)) {
        buf_cs(out, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
        return;
    }
    do {
        snprintf(text, sizeof text, "%.*e", digits, v);
        back = strtod(text, NULL);
    } while (back != v && ++digits < 17);
    buf_cs(out, text);
}

void rules_json_alert(struct buf *out, const struct live_alert *a)
{
    buf_char(out, '{');
    put_labels(out, "labels", a->labels);
    put_labels(out, "annotations", a->annotations);
    put_text(out, "state", str_of(alert_phase_text(a->phase)));
    put_time(out, "activeAt", a->active_ms);
    if (a->kept_since_ms != ALERT_NEVER) put_time(out, "keepFiringSince", a->kept_since_ms);
    put_key(out, "value");
    buf_char(out, '"');
    put_exponent(out, a->value);
    buf_cs(out, "\"}");
}

static void put_alerts(struct buf *out, const struct rule *r, bool with_alerts)
{
    size_t n = 0;
    put_key(out, "alerts");
    buf_char(out, '[');
    for (size_t i = 0; with_alerts && i < r->alerts.n; i++) {
        if (r->alerts.at[i]->phase == ALERT_INACTIVE) continue;
        if (n++ > 0) buf_char(out, ',');
        rules_json_alert(out, r->alerts.at[i]);
    }
    buf_char(out, ']');
}

/* What only alerts have; a rule that was never judged has no state yet. */
static void put_alerting(struct buf *out, const struct rule *r, bool with_alerts)
{
    put_number(out, "duration", (double)r->spec->for_ms / 1000);
    put_number(out, "keepFiringFor", (double)r->spec->keep_firing_ms / 1000);
    put_texts(out, "labels", &r->spec->labels);
    put_texts(out, "annotations", &r->spec->annotations);
    put_alerts(out, r, with_alerts);
}

void rules_json_rule(struct buf *out, const struct rule *r, bool with_alerts)
{
    static const char *const health[] = { "unknown", "ok", "err" };
    bool is_alert = r->spec->is_alert;
    buf_char(out, '{');
    if (is_alert)
        put_text(out, "state",
                 str_of(r->eval_ms == 0 ? "unknown" : alert_phase_text(alert_states_phase(&r->alerts))));
    put_text(out, "name", r->spec->name);
    put_text(out, "query", r->spec->expr);
    if (is_alert)
        put_alerting(out, r, with_alerts);
    else if (r->spec->labels.n > 0)
        put_texts(out, "labels", &r->spec->labels);
    put_text(out, "health", str_of(health[r->health]));
    if (r->error != NULL) put_text(out, "lastError", str_of(r->error));
    put_number(out, "evaluationTime", r->eval_seconds);
    put_time(out, "lastEvaluation", r->eval_ms);
    put_text(out, "type", str_of(is_alert ? "alerting" : "recording"));
    buf_char(out, '}');
}

void rules_json_group_begin(struct buf *out, const struct rule_group *g)
{
    buf_char(out, '{');
    put_text(out, "name", g->spec->name);
    put_text(out, "file", g->file->name);
    put_key(out, "rules");
    buf_char(out, '[');
}

void rules_json_group_end(struct buf *out, const struct rule_group *g)
{
    buf_char(out, ']');
    put_number(out, "interval", (double)g->interval_ms / 1000);
    put_number(out, "limit", (double)g->spec->limit);
    put_number(out, "evaluationTime", g->eval_seconds);
    put_time(out, "lastEvaluation", g->eval_ms);
    buf_char(out, '}');
}
