/* alert_join.c - see alert_join.h.
 *
 * Under the dispatcher's lock alerts are only compared and those that match are referenced; the history is
 * read from the state file without it. */
#include "tell/alert_join.h"

#include "base/check.h"
#include "base/clock.h"
#include "decode/id_text.h"
#include "tell/api_am_impl.h"

static const char *const trace_names[] = { "trace_id", "traceID", "traceId", "trace.id" };

struct change {
    int64_t at_ms;
    enum track_kind kind;
    struct str who, text;
};

struct joined {
    uint64_t fp;
    struct held *held; /* NULL: only the history knows it */
    struct labels labels;
    struct change changes[ALERT_CHANGES_MAX];
    size_t n_changes;
};

struct joining {
    const struct alert_join *ask;
    struct arena *arena;
    struct joined **at;
    size_t n, cap;
    bool truncated;
};

/* ---- what matches ---- */

static bool is_trace(const struct alert_join *ask, struct str value)
{
    uint8_t id[16];
    if (value.n != 32 || !id_from_hex(value, 16, id)) return false;
    for (size_t i = 0; i < ask->n_traces; i++)
        if (memcmp(id, ask->traces[i], sizeof id) == 0) return true;
    return false;
}

static bool pairs_match(const struct alert_join *ask, struct labels l)
{
    for (size_t i = 0; i < COUNT(trace_names) && ask->n_traces > 0; i++)
        if (is_trace(ask, labels_get(l, trace_names[i]))) return true;
    for (size_t i = 0; i < ask->n_names; i++)
        if (str_eq(labels_get(l, ask->names[i]), ask->value)) return true;
    return false;
}

/* ---- collecting ---- */

static struct joined *find(const struct joining *j, uint64_t fp)
{
    for (size_t i = 0; i < j->n; i++)
        if (j->at[i]->fp == fp) return j->at[i];
    return NULL;
}

static struct joined *add(struct joining *j, uint64_t fp)
{
    if (j->n == ALERT_JOIN_MAX) {
        j->truncated = true;
        return NULL;
    }
    j->at = arena_grow(j->arena, j->at, j->n, &j->cap, sizeof *j->at);
    struct joined *one = arena_zero(j->arena, sizeof *one);
    one->fp = fp;
    return j->at[j->n++] = one;
}

static void take_known(struct joining *j, struct notify *n)
{
    const struct dispatch *d = notify_lock(n);
    const struct held *h;
    for (size_t i = 0; !j->truncated && (h = fp_table_next(&d->alerts, &i)) != NULL;) {
        if (!pairs_match(j->ask, h->a.labels) && !pairs_match(j->ask, h->a.annotations)) continue;
        struct joined *one = add(j, h->fp);
        if (one == NULL) break;
        one->held = held_ref((struct held *)(uintptr_t)h);
        one->labels = h->a.labels;
    }
    notify_unlock(n);
}

static struct labels copied(struct labels l, struct arena *a)
{
    struct label *to = arena_array(a, l.n + 1, sizeof *to);
    for (size_t i = 0; i < l.n; i++)
        to[i] = (struct label){ arena_str(a, l.at[i].name), arena_str(a, l.at[i].value) };
    return (struct labels){ to, l.n };
}

static int take_change(const struct track_event *v, void *ctx)
{
    struct joining *j = ctx;
    struct joined *one = find(j, v->fp);
    if (one == NULL && pairs_match(j->ask, v->labels)) {
        one = add(j, v->fp);
        if (one != NULL) one->labels = copied(v->labels, j->arena);
    }
    if (one == NULL || one->n_changes == ALERT_CHANGES_MAX) return 0;
    one->changes[one->n_changes++] =
        (struct change){ v->at_ms, v->kind, arena_str(j->arena, v->who), arena_str(j->arena, v->text) };
    return 0;
}

static int take_history(struct joining *j, struct notify *n, struct err *e)
{
    const struct track_ask ask = { .from_ms = j->ask->from_ms,
                                   .to_ms = j->ask->to_ms,
                                   .limit = ALERT_HISTORY_MAX };
    track_flush(notify_track(n), clock_now_ms());
    return track_history(notify_track(n), &ask, take_change, j, e);
}

/* ---- writing ---- */

static void put_changes(struct json_writer *w, const struct joined *one)
{
    json_put_key(w, STR("history"));
    json_begin_array(w);
    for (size_t i = 0; i < one->n_changes; i++) {
        json_begin_object(w);
        am_kv_time(w, "at", one->changes[i].at_ms);
        json_kv_cs(w, "event", track_kind_text(one->changes[i].kind));
        json_kv_string(w, "by", one->changes[i].who);
        json_kv_string(w, "comment", one->changes[i].text);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_alert(struct json_writer *w, const struct joined *one, int64_t now_ms)
{
    const struct held *h = one->held;
    const bool is_firing = h != NULL && !held_resolved(h, now_ms);
    json_begin_object(w);
    am_kv_fingerprint(w, "fingerprint", one->fp);
    json_kv_string(w, "name", labels_get(one->labels, "alertname"));
    json_kv_cs(w, "status", is_firing ? "firing" : "resolved");
    am_kv_labels(w, "labels", one->labels);
    am_kv_labels(w, "annotations", h != NULL ? h->a.annotations : (struct labels){ NULL, 0 });
    if (h != NULL) am_kv_time(w, "starts_at", h->a.starts_ms);
    if (h != NULL && !is_firing) am_kv_time(w, "ends_at", h->a.ends_ms);
    put_changes(w, one);
    json_end_object(w);
}

int alert_join_json(struct json_writer *w, struct notify *n, const struct alert_join *ask, struct arena *a,
                    bool *truncated, struct err *e)
{
    struct joining j = { .ask = ask, .arena = a };
    const int64_t now_ms = clock_now_ms();
    int rc = OK;

    if (n != NULL) {
        take_known(&j, n);
        rc = take_history(&j, n, e);
    }
    json_put_key(w, STR("alerts"));
    json_begin_array(w);
    for (size_t i = 0; i < j.n; i++) {
        put_alert(w, j.at[i], now_ms);
        held_unref(j.at[i]->held);
    }
    json_end_array(w);
    *truncated |= j.truncated;
    return rc;
}
