/* dispatch_queue.c - deliveries between the flush that made them and the thread that sends them.
 *
 * Each integration has a lane, first in first out, with few under way at once: a receiver that hangs holds
 * DISPATCH_LANE_MAX threads and no more. What failed for now waits in a heap of its own, half to one and a
 * half times its back-off, which grows from 0.5 s to a minute; until the deadline of its flush. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stat.h"
#include "tell/notify/dispatch_impl.h"

#define BACK_OFF_MS_MAX 60000
#define LOG_KEPT_MS     (120ll * 3600000)

static struct delivery *of_timer(struct timer *t)
{
    return (struct delivery *)((char *)t - offsetof(struct delivery, retry));
}

static struct lane *lane_of(struct dispatch *d, const struct am_integration *in)
{
    uint64_t key = hash64(in->key.p, in->key.n);
    struct lane *l = fp_table_get(&d->lanes, key);
    if (l != NULL) return l;
    l = mem_alloc_zero(sizeof *l);
    fp_table_put(&d->lanes, key, l);
    return l;
}

void queue_push(struct dispatch *d, struct delivery *m)
{
    struct lane *l = lane_of(d, m->in);
    m->next = NULL;
    if (l->last != NULL)
        l->last->next = m;
    else
        l->first = m;
    l->last = m;
}

struct delivery *dispatch_take(struct dispatch *d)
{
    struct lane *l;
    for (size_t i = 0; (l = fp_table_next(&d->lanes, &i)) != NULL;) {
        struct delivery *m = l->first;
        if (m == NULL || l->in_flight >= DISPATCH_LANE_MAX) continue;
        l->first = m->next;
        if (l->first == NULL) l->last = NULL;
        l->in_flight++;
        return m;
    }
    return NULL;
}

static struct stat *counter(const struct delivery *m, const char *name, const char *help)
{
    char labels[128];
    snprintf(labels, sizeof labels, "integration=\"%.*s\"", STR_ARG(m->in->kind_name));
    return stat_counter(name, help, labels);
}

void dispatch_log(struct dispatch *d, struct delivery *m, int64_t now_ms)
{
    struct err e = ERR_INIT;
    m->log.at_ms = now_ms;
    m->log.expires_ms = now_ms + MIN(2 * m->route->repeat_interval_ms, LOG_KEPT_MS);
    if (nflog_put(d->nflog, m->log_key, &m->log, &e) < 0)
        log_error("notify", "what was told is not on disk: after a crash it is told again", "error", e.text,
                  NULL);
}

static void finish(struct dispatch *d, struct delivery *m, bool ok, int64_t now_ms)
{
    struct am_group *g = fp_table_get(&d->groups_by_id, m->group_id);
    d->n_deliveries--;
    delivery_free(m);
    if (g != NULL) group_told(d, g, ok, now_ms); /* else a reload took its route away */
}

static void give_up(struct dispatch *d, struct delivery *m, const struct channel_result *r, int64_t now_ms)
{
    stat_add(counter(m, "vedette_notifications_failed_total", "Notifications given up."), 1);
    log_warn("notify", "notification given up", "receiver", m->in->key.p, "attempts", log_num(m->attempts),
             "status", log_num(r->status), "error", r->error, NULL);
    finish(d, m, false, now_ms);
}

static void try_later(struct dispatch *d, struct delivery *m, const struct channel_result *r, int64_t now_ms)
{
    int64_t wait = m->back_off_ms / 2 + (int64_t)((uint64_t)random() % (uint64_t)m->back_off_ms);
    wait = MAX(wait, r->retry_after_ms);
    m->back_off_ms = MIN(m->back_off_ms + m->back_off_ms / 2, BACK_OFF_MS_MAX);
    if (now_ms + wait >= m->deadline_ms) {
        give_up(d, m, r, now_ms);
        return;
    }
    if (m->attempts == 1)
        log_info("notify", "notification not taken, trying again", "receiver", m->in->key.p, "status",
                 log_num(r->status), "error", r->error, NULL);
    timer_set(&d->retries, &m->retry, now_ms + wait);
}

static void note_escalation(struct dispatch *d, const struct delivery *m, int64_t now_ms)
{
    if (strcmp(m->reason, "escalation") != 0) return;
    for (size_t i = 0; i < m->n_firing; i++)
        track_note(d->track, TRACK_ESCALATED, m->alerts[i]->fp, m->alerts[i]->a.labels, m->in->receiver->name,
                   STR(""), now_ms, NULL);
}

void dispatch_done(struct dispatch *d, struct delivery *m, const struct channel_result *r, int64_t now_ms)
{
    lane_of(d, m->in)->in_flight--;
    m->attempts++;
    stat_add(counter(m, "vedette_notification_requests_total", "Attempts to notify."), 1);
    if (r->outcome == CHANNEL_SENT) {
        stat_add(counter(m, "vedette_notifications_total", "Notifications told."), 1);
        note_escalation(d, m, now_ms);
        finish(d, m, true, now_ms);
        return;
    }
    stat_add(counter(m, "vedette_notification_requests_failed_total", "Attempts that failed."), 1);
    if (r->outcome == CHANNEL_FAILED)
        give_up(d, m, r, now_ms);
    else
        try_later(d, m, r, now_ms);
}

void queue_retry_due(struct dispatch *d, int64_t now_ms)
{
    for (struct timer *t; (t = timer_due(&d->retries, now_ms)) != NULL;) queue_push(d, of_timer(t));
}

void queue_release(struct dispatch *d)
{
    struct lane *l;
    for (struct timer *t; (t = timer_due(&d->retries, INT64_MAX)) != NULL;) delivery_free(of_timer(t));
    timer_heap_release(&d->retries);
    for (size_t i = 0; (l = fp_table_next(&d->lanes, &i)) != NULL;) {
        while (l->first != NULL) {
            struct delivery *m = l->first;
            l->first = m->next;
            delivery_free(m);
        }
        mem_free(l);
    }
    fp_table_release(&d->lanes);
}
