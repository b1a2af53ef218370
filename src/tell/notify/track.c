/* track.c - see track.h. */
#include "tell/notify/track.h"

#include <pthread.h>
#include <stdio.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "tell/notify/fp_table.h"

#define PENDING_MAX                                                                                          \
    100000 /* events that wait for the disk; beyond, the oldest stay unwritten and are counted */
#define LIVES_GC_MS (6ll * 3600000)

struct life {
    uint64_t fp;
    bool is_firing;
    int64_t changed[TRACK_CHANGES]; /* a ring of the newest changes */
    size_t n_changed;
    struct track_ack ack;
};

struct event {
    struct track_event e;
    struct buf packed, text;
    char who[TRACK_NAME_MAX];
};

struct track {
    struct state *state;
    pthread_mutex_t mu;
    struct fp_table lives; /* under mu */
    struct event *pending;
    size_t n_pending, cap_pending;
    uint64_t n_lost;
};

static const char *const steps[] = {
    "CREATE TABLE alert_events (at_ms INTEGER, fp INTEGER, kind INTEGER, labels BLOB, who TEXT, text TEXT);"
    "CREATE INDEX alert_events_at ON alert_events (at_ms);"
    "CREATE INDEX alert_events_fp ON alert_events (fp, at_ms);"
    "CREATE TABLE alert_acks (fp INTEGER PRIMARY KEY, at_ms INTEGER, who TEXT);",
};

const char *track_kind_text(enum track_kind k)
{
    static const char *const texts[] = { "raised",       "resolved",  "reopened",
                                         "acknowledged", "commented", "escalated" };
    return (unsigned)k < COUNT(texts) ? texts[k] : "unknown";
}

static struct life *life_of(struct track *t, uint64_t fp)
{
    struct life *l = fp_table_get(&t->lives, fp);
    if (l != NULL) return l;
    l = mem_alloc_zero(sizeof *l);
    l->fp = fp;
    fp_table_put(&t->lives, fp, l);
    return l;
}

static int load_ack(const struct state_row *r, void *ctx)
{
    struct life *l = life_of(ctx, (uint64_t)state_int(r, 0));
    l->is_firing = true; /* or it will be seen to have resolved */
    l->ack.at_ms = state_int(r, 1);
    snprintf(l->ack.who, sizeof l->ack.who, "%.*s", STR_ARG(state_text(r, 2)));
    return 0;
}

int track_open(struct state *state, struct track **out, struct err *e)
{
    struct track *t = mem_alloc_zero(sizeof *t);
    int rc = OK;
    t->state = state;
    pthread_mutex_init(&t->mu, NULL);
    if (state != NULL) rc = state_migrate(state, "track", steps, COUNT(steps), e);
    if (rc == OK && state != NULL)
        rc = state_each(state, "SELECT fp, at_ms, who FROM alert_acks", NULL, 0, load_ack, t, e);
    if (rc < 0) {
        track_close(t);
        return rc;
    }
    *out = t;
    return OK;
}

static void event_release(struct event *e)
{
    buf_release(&e->packed);
    buf_release(&e->text);
}

void track_close(struct track *t)
{
    struct life *l;
    if (t == NULL) return;
    for (size_t i = 0; (l = fp_table_next(&t->lives, &i)) != NULL;) mem_free(l);
    fp_table_release(&t->lives);
    for (size_t i = 0; i < t->n_pending; i++) event_release(&t->pending[i]);
    mem_free(t->pending);
    pthread_mutex_destroy(&t->mu);
    mem_free(t);
}

/* ---- events ---- */

static void add_event(struct track *t, enum track_kind kind, uint64_t fp, struct labels l, struct str who,
                      struct str text, int64_t now_ms)
{
    if (t->state == NULL) return;
    if (t->n_pending == PENDING_MAX) {
        t->n_lost++;
        return;
    }
    struct event e = { .e = { now_ms, fp, kind },
                       .packed = BUF_INIT(1u << 20),
                       .text = BUF_INIT(TRACK_TEXT_MAX) };
    labels_pack(&e.packed, l);
    buf_str(&e.text, text);
    snprintf(e.who, sizeof e.who, "%.*s", (int)MIN(who.n, sizeof e.who - 1), who.p ? who.p : "");
    t->pending = mem_grow(t->pending, t->n_pending, &t->cap_pending, sizeof *t->pending);
    t->pending[t->n_pending++] = e;
}

static int write_event(struct state *s, const struct event *x, struct err *e)
{
    return state_run(s, "INSERT INTO alert_events VALUES (?, ?, ?, ?, ?, ?)",
                     (struct state_value[]){ STATE_INT(x->e.at_ms), STATE_INT((int64_t)x->e.fp),
                                             STATE_INT(x->e.kind), STATE_BYTES(buf_view(&x->packed)),
                                             STATE_STR(str_of(x->who)), STATE_STR(buf_view(&x->text)) },
                     6, e);
}

static int write_events(struct state *s, const struct event *at, size_t n, struct err *e)
{
    int rc = state_begin(s, e);
    if (rc < 0) return rc;
    for (size_t i = 0; i < n && rc == OK; i++) rc = write_event(s, &at[i], e);
    if (rc == OK) return state_commit(s, e);
    state_rollback(s);
    return rc;
}

static void lives_gc(struct track *t, int64_t now_ms)
{
    struct fp_table left = { 0 };
    struct life *l;
    for (size_t i = 0; (l = fp_table_next(&t->lives, &i)) != NULL;) {
        int64_t newest = l->n_changed ? l->changed[(l->n_changed - 1) % TRACK_CHANGES] : now_ms;
        if (l->is_firing || newest > now_ms - LIVES_GC_MS)
            fp_table_put(&left, l->fp, l);
        else
            mem_free(l);
    }
    fp_table_release(&t->lives);
    t->lives = left;
}

void track_flush(struct track *t, int64_t now_ms)
{
    struct err e = ERR_INIT;
    pthread_mutex_lock(&t->mu);
    struct event *at = t->pending;
    size_t n = t->n_pending;
    t->pending = NULL;
    t->n_pending = t->cap_pending = 0;
    lives_gc(t, now_ms);
    pthread_mutex_unlock(&t->mu);
    if (n > 0 && write_events(t->state, at, n, &e) < 0)
        log_warn("notify", "alert history not written", "events", log_num((int64_t)n), "error", e.text, NULL);
    for (size_t i = 0; i < n; i++) event_release(&at[i]);
    mem_free(at);
    if (n > 0)
        state_run(t->state, "DELETE FROM alert_events WHERE at_ms < ?",
                  (struct state_value[]){ STATE_INT(now_ms - TRACK_KEPT_MS) }, 1, NULL);
}

/* ---- lives ---- */

static void drop_ack(struct track *t, struct life *l)
{
    struct err e = ERR_INIT;
    if (l->ack.at_ms == 0) return;
    l->ack = (struct track_ack){ 0 };
    if (t->state != NULL && state_run(t->state, "DELETE FROM alert_acks WHERE fp = ?",
                                      (struct state_value[]){ STATE_INT((int64_t)l->fp) }, 1, &e) < 0)
        log_warn("notify", "an acknowledgement that has ended stays on disk", "error", e.text, NULL);
}

bool track_see(struct track *t, uint64_t fp, struct labels labels, bool is_firing, int64_t now_ms)
{
    pthread_mutex_lock(&t->mu);
    struct life *l = fp_table_get(&t->lives, fp);
    bool known = l != NULL;
    if ((known && l->is_firing == is_firing) || (!known && !is_firing)) {
        pthread_mutex_unlock(&t->mu);
        return false;
    }
    l = life_of(t, fp);
    l->is_firing = is_firing;
    l->changed[l->n_changed++ % TRACK_CHANGES] = now_ms;
    if (!is_firing) drop_ack(t, l);
    enum track_kind kind = !is_firing ? TRACK_RESOLVED : known ? TRACK_REOPENED : TRACK_RAISED;
    add_event(t, kind, fp, labels, STR(""), STR(""), now_ms);
    pthread_mutex_unlock(&t->mu);
    return true;
}

void track_resume(struct track *t, uint64_t fp)
{
    pthread_mutex_lock(&t->mu);
    life_of(t, fp)->is_firing = true;
    pthread_mutex_unlock(&t->mu);
}

int track_note(struct track *t, enum track_kind kind, uint64_t fp, struct labels labels, struct str who,
               struct str text, int64_t now_ms, struct err *e)
{
    if (who.n >= TRACK_NAME_MAX)
        return err_set(e, ERR_RANGE, "who is longer than %d bytes", TRACK_NAME_MAX - 1);
    if (text.n > TRACK_TEXT_MAX)
        return err_set(e, ERR_RANGE, "the comment is longer than %d bytes", TRACK_TEXT_MAX);
    pthread_mutex_lock(&t->mu);
    add_event(t, kind, fp, labels, who, text, now_ms);
    pthread_mutex_unlock(&t->mu);
    return OK;
}

static int set_ack(struct track *t, uint64_t fp, struct str who, int64_t now_ms, struct err *e)
{
    struct life *l = fp_table_get(&t->lives, fp);
    int rc = OK;
    if (l == NULL || !l->is_firing) return err_set(e, ERR_FIND, "no alert with this fingerprint fires");
    if (t->state != NULL)
        rc = state_run(t->state, "INSERT OR REPLACE INTO alert_acks VALUES (?, ?, ?)",
                       (struct state_value[]){ STATE_INT((int64_t)fp), STATE_INT(now_ms), STATE_STR(who) }, 3,
                       e);
    if (rc < 0) return rc;
    l->ack.at_ms = now_ms;
    snprintf(l->ack.who, sizeof l->ack.who, "%.*s", STR_ARG(who));
    return OK;
}

int track_acknowledge(struct track *t, uint64_t fp, struct labels labels, struct str who, struct str text,
                      int64_t now_ms, struct err *e)
{
    if (who.n == 0 || who.n >= TRACK_NAME_MAX)
        return err_set(e, ERR_RANGE, "who acknowledges? (1 to %d bytes)", TRACK_NAME_MAX - 1);
    if (text.n > TRACK_TEXT_MAX)
        return err_set(e, ERR_RANGE, "the comment is longer than %d bytes", TRACK_TEXT_MAX);
    pthread_mutex_lock(&t->mu);
    int rc = set_ack(t, fp, who, now_ms, e);
    if (rc == OK) add_event(t, TRACK_ACKNOWLEDGED, fp, labels, who, text, now_ms);
    pthread_mutex_unlock(&t->mu);
    return rc;
}

bool track_is_acknowledged(struct track *t, uint64_t fp, struct track_ack *out)
{
    pthread_mutex_lock(&t->mu);
    const struct life *l = fp_table_get(&t->lives, fp);
    bool is = l != NULL && l->ack.at_ms > 0;
    if (is && out != NULL) *out = l->ack;
    pthread_mutex_unlock(&t->mu);
    return is;
}

bool track_is_flapping(struct track *t, uint64_t fp, uint64_t changes, int64_t window_ms, int64_t now_ms)
{
    uint64_t n = 0;
    if (changes == 0) return false;
    pthread_mutex_lock(&t->mu);
    const struct life *l = fp_table_get(&t->lives, fp);
    for (size_t i = 0; l != NULL && i < MIN(l->n_changed, TRACK_CHANGES); i++)
        n += l->changed[i] > now_ms - window_ms;
    pthread_mutex_unlock(&t->mu);
    return n >= MIN(changes, TRACK_CHANGES);
}

/* ---- history ---- */

struct history {
    int (*visit)(const struct track_event *, void *);
    void *ctx;
    struct arena arena;
};

static int give_row(const struct state_row *r, void *ctx)
{
    struct history *h = ctx;
    struct track_event e = { state_int(r, 0), (uint64_t)state_int(r, 1), (enum track_kind)state_int(r, 2) };
    e.who = arena_str(&h->arena, state_text(r, 4));
    e.text = arena_str(&h->arena, state_text(r, 5));
    struct str packed = arena_str(&h->arena, state_text(r, 3));
    if (labels_unpack_checked(packed, &h->arena, &e.labels, NULL) < 0) e.labels = (struct labels){ 0 };
    int rc = h->visit(&e, h->ctx);
    arena_reset(&h->arena);
    return rc;
}

int track_history(struct track *t, const struct track_ask *q,
                  int (*visit)(const struct track_event *, void *), void *ctx, struct err *e)
{
    struct history h = { visit, ctx, ARENA_INIT(4u << 20) };
    if (t->state == NULL) return OK;
    int rc = state_each(
        t->state,
        "SELECT at_ms, fp, kind, labels, who, text FROM alert_events WHERE at_ms >= ?1 AND at_ms <= ?2 "
        "AND (?3 = 0 OR fp = ?3) ORDER BY at_ms DESC, rowid DESC LIMIT ?4",
        (struct state_value[]){ STATE_INT(q->from_ms), STATE_INT(q->to_ms), STATE_INT((int64_t)q->fp),
                                STATE_INT(q->limit) },
        4, give_row, &h, e);
    arena_release(&h.arena);
    return rc;
}
