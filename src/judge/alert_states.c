/* alert_states.c - see alert_states.h. */
#include "judge/alert_states.h"

#include "base/mem.h"
#include "judge/kept_labels.h"

static void live_free(struct live_alert *a)
{
    kept_labels_free(a->labels);
    kept_labels_free(a->annotations);
    mem_free(a);
}

void alert_states_release(struct alert_states *s)
{
    for (size_t i = 0; i < s->n; i++) live_free(s->at[i]);
    mem_free(s->at);
    map_release(&s->by_id);
    *s = (struct alert_states){ 0 };
}

/* ---- finding ---- */

struct sought {
    const struct alert_states *s;
    const struct hash128 *id;
};

static bool is_sought(void *ctx, uint64_t at)
{
    const struct sought *k = ctx;
    return hash128_eq(k->s->at[at]->id, *k->id);
}

static void index_all(struct alert_states *s)
{
    if (s->is_indexed) return;
    map_release(&s->by_id);
    map_init(&s->by_id, s->n + 16);
    for (size_t i = 0; i < s->n; i++) map_add(&s->by_id, s->at[i]->id.lo, i);
    s->is_indexed = true;
}

static uint64_t *place_of(const struct alert_states *s, const struct hash128 *id)
{
    return map_find(&s->by_id, id->lo, is_sought, &(struct sought){ s, id });
}

static void put_in(struct alert_states *s, struct live_alert *a)
{
    s->at = mem_grow(s->at, s->n, &s->cap, sizeof *s->at);
    map_add(&s->by_id, a->id.lo, s->n);
    s->at[s->n++] = a;
}

/* ---- a step ---- */

struct seen_key {
    const struct alert_seen *all;
    const struct hash128 *id;
};

static bool is_same_seen(void *ctx, uint64_t at)
{
    const struct seen_key *k = ctx;
    return hash128_eq(k->all[at].id, *k->id);
}

static int check_distinct(const struct alert_seen *seen, size_t n, struct err *e)
{
    struct map ids;
    int rc = OK;
    if (n < 2) return OK;
    map_init(&ids, n);
    for (size_t i = 0; rc == OK && i < n; i++) {
        if (map_find(&ids, seen[i].id.lo, is_same_seen, &(struct seen_key){ seen, &seen[i].id }) != NULL)
            rc = err_set(e, ERR_EXEC,
                         "vector contains metrics with the same labelset after applying alert labels");
        map_add(&ids, seen[i].id.lo, i);
    }
    map_release(&ids);
    return rc;
}

static struct live_alert *begin(const struct alert_seen *seen, int64_t at_ms)
{
    struct live_alert *a = mem_alloc_zero(sizeof *a);
    *a = (struct live_alert){ .id = seen->id,
                              .labels = kept_labels(seen->labels),
                              .annotations = kept_labels(seen->annotations),
                              .value = seen->value,
                              .phase = ALERT_PENDING,
                              .active_ms = at_ms,
                              .fired_ms = ALERT_NEVER,
                              .resolved_ms = ALERT_NEVER,
                              .kept_since_ms = ALERT_NEVER,
                              .sent_ms = ALERT_NEVER,
                              .valid_until_ms = ALERT_NEVER,
                              .seen = true };
    return a;
}

static void see(struct alert_states *s, const struct alert_seen *seen, int64_t at_ms)
{
    uint64_t *place = place_of(s, &seen->id);
    if (place == NULL) {
        put_in(s, begin(seen, at_ms));
        return;
    }
    struct live_alert *a = s->at[*place];
    if (a->phase == ALERT_INACTIVE) {
        s->at[*place] = begin(seen, at_ms);
        live_free(a);
        return;
    }
    a->seen = true;
    a->value = seen->value;
    if (labels_eq(a->annotations, seen->annotations)) return;
    kept_labels_free(a->annotations);
    a->annotations = kept_labels(seen->annotations);
}

/* The end of what was not seen. False: forget it. */
static bool end(struct live_alert *a, const struct alert_terms *t, int64_t at_ms)
{
    if (t->is_partial && a->phase != ALERT_INACTIVE) return true;
    if (a->phase == ALERT_FIRING && t->keep_firing_ms > 0) {
        if (a->kept_since_ms == ALERT_NEVER) a->kept_since_ms = at_ms;
        if (at_ms - a->kept_since_ms < t->keep_firing_ms) return true;
    }
    if (a->phase == ALERT_PENDING) return false;
    if (a->resolved_ms != ALERT_NEVER && at_ms - a->resolved_ms > ALERT_RESOLVED_MS) return false;
    if (a->phase == ALERT_INACTIVE) return true;
    a->phase = ALERT_INACTIVE;
    a->resolved_ms = at_ms;
    return true;
}

static void ripen(struct live_alert *a, const struct alert_terms *t, int64_t at_ms)
{
    if (a->phase != ALERT_PENDING || at_ms - a->active_ms < t->for_ms) return;
    a->phase = ALERT_FIRING;
    a->fired_ms = at_ms;
}

int alert_states_step(struct alert_states *s, const struct alert_terms *t, const struct alert_seen *seen,
                      size_t n, int64_t at_ms, struct err *e)
{
    int rc = check_distinct(seen, n, e);
    if (rc < 0 || (n == 0 && s->n == 0)) return rc;

    index_all(s);
    for (size_t i = 0; i < s->n; i++) s->at[i]->seen = false;
    for (size_t i = 0; i < n; i++) see(s, &seen[i], at_ms);

    size_t kept = 0, active = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct live_alert *a = s->at[i];
        if (a->seen) {
            a->kept_since_ms = ALERT_NEVER;
        } else if (!end(a, t, at_ms)) {
            live_free(a);
            s->is_indexed = false;
            continue;
        }
        if (a->seen || !t->is_partial) ripen(a, t, at_ms);
        active += a->phase != ALERT_INACTIVE;
        s->at[kept++] = a;
    }
    s->n = kept;
    if (t->limit == 0 || active <= t->limit) return OK;
    alert_states_release(s);
    return err_set(e, ERR_LIMIT, "exceeded limit of %llu with %zu alerts", (unsigned long long)t->limit,
                   active);
}

/* ---- the rest of a life ---- */

bool live_alert_is_due(const struct live_alert *a, int64_t at_ms, int64_t resend_ms)
{
    if (a->phase == ALERT_PENDING) return false;
    if (a->sent_ms == ALERT_NEVER || a->resolved_ms > a->sent_ms) return true;
    return a->sent_ms + resend_ms < at_ms;
}

void alert_states_take_over(struct alert_states *to, struct alert_states *from)
{
    index_all(to);
    for (size_t i = 0; i < from->n; i++) {
        if (place_of(to, &from->at[i]->id) == NULL)
            put_in(to, from->at[i]);
        else
            live_free(from->at[i]);
    }
    from->n = 0;
    alert_states_release(from);
}

enum alert_phase alert_states_phase(const struct alert_states *s)
{
    enum alert_phase most = ALERT_INACTIVE;
    for (size_t i = 0; i < s->n; i++)
        if (s->at[i]->phase > most) most = s->at[i]->phase;
    return most;
}

const char *alert_phase_text(enum alert_phase p)
{
    static const char *const texts[] = { "inactive", "pending", "firing" };
    return texts[p];
}
