/* silences.c - see silences.h. On disk a silence is one row: times in columns, the rest as JSON. */
#include "tell/notify/silences.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/check.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "tell/notify/silence_json.h"

struct kept {
    struct silence s;
    struct arena arena;
};

struct silences {
    struct state *state;
    pthread_mutex_t mu;
    struct kept **at; /* under mu */
    size_t n, cap;
};

static const char *const steps[] = {
    "CREATE TABLE silences (id TEXT PRIMARY KEY, ends_ms INTEGER, json TEXT) WITHOUT ROWID",
};

static void kept_free(struct kept *k)
{
    am_matchers_release(&k->s.matchers);
    arena_release(&k->arena);
    mem_free(k);
}

static struct kept *kept_copy(const struct silence *s, struct err *e)
{
    struct kept *k = mem_alloc_zero(sizeof *k);
    k->arena = (struct arena)ARENA_INIT(1u << 20);
    struct labels pairs = s->annotations;
    struct label *at = arena_array(&k->arena, pairs.n + 1, sizeof *at);
    k->s = *s;
    k->s.matchers = (struct am_matchers){ 0 };
    k->s.created_by = arena_str(&k->arena, s->created_by);
    k->s.comment = arena_str(&k->arena, s->comment);
    for (size_t i = 0; i < pairs.n; i++)
        at[i] =
            (struct label){ arena_str(&k->arena, pairs.at[i].name), arena_str(&k->arena, pairs.at[i].value) };
    k->s.annotations = (struct labels){ at, pairs.n };
    for (size_t i = 0; i < s->matchers.n; i++) {
        const struct matcher *m = &s->matchers.at[i];
        if (am_matchers_add(&k->s.matchers, m->op, m->name, m->value, &k->arena, e) == OK) continue;
        kept_free(k);
        return NULL;
    }
    return k;
}

/* ---- disk ---- */

static int store(struct silences *l, const struct silence *s, struct err *e)
{
    struct buf json = BUF_INIT(4 * SILENCE_BYTES_MAX);
    if (l->state == NULL) return OK;
    silence_json_put(&json, s, s->updated_ms);
    int rc = state_run(
        l->state, "INSERT OR REPLACE INTO silences VALUES (?, ?, ?)",
        (struct state_value[]){ STATE_STR(str_of(s->id)), STATE_INT(s->ends_ms), STATE_STR(buf_view(&json)) },
        3, e);
    buf_release(&json);
    return rc;
}

static void append(struct silences *l, struct kept *k)
{
    l->at = mem_grow(l->at, l->n, &l->cap, sizeof *l->at);
    l->at[l->n++] = k;
}

static int load_row(const struct state_row *r, void *ctx)
{
    struct kept *k = mem_alloc_zero(sizeof *k);
    struct err e = ERR_INIT;
    k->arena = (struct arena)ARENA_INIT(1u << 20);
    if (silence_json_read(arena_str(&k->arena, state_text(r, 1)), &k->arena, &k->s, &e) < 0) {
        log_warn("notify", "a stored silence is not readable and left out", "error", e.text, NULL);
        kept_free(k);
        return 0;
    }
    append(ctx, k);
    return 0;
}

int silences_open(struct state *state, struct silences **out, struct err *e)
{
    struct silences *l = mem_alloc_zero(sizeof *l);
    int rc = OK;
    l->state = state;
    pthread_mutex_init(&l->mu, NULL);
    if (state != NULL) rc = state_migrate(state, "silences", steps, COUNT(steps), e);
    if (rc == OK && state != NULL)
        rc = state_each(state, "SELECT id, json FROM silences", NULL, 0, load_row, l, e);
    if (rc < 0) {
        silences_close(l);
        return rc;
    }
    *out = l;
    return OK;
}

void silences_close(struct silences *l)
{
    if (l == NULL) return;
    for (size_t i = 0; i < l->n; i++) kept_free(l->at[i]);
    mem_free(l->at);
    pthread_mutex_destroy(&l->mu);
    mem_free(l);
}

/* ---- changing ---- */

const char *silence_state_text(enum silence_state s)
{
    static const char *const texts[] = { "expired", "active", "pending" };
    return texts[s];
}

static struct kept *find(struct silences *l, struct str id)
{
    for (size_t i = 0; i < l->n; i++)
        if (str_is(id, l->at[i]->s.id)) return l->at[i];
    return NULL;
}

static void new_id(char id[SILENCE_ID_MAX]) /* a random UUID, version 4 */
{
    unsigned char b[16];
    check(getrandom(b, sizeof b, 0) == sizeof b);
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    snprintf(id, SILENCE_ID_MAX, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

static bool same_matchers(const struct am_matchers *a, const struct am_matchers *b)
{
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct matcher *x = &a->at[i], *y = &b->at[i];
        if (x->op != y->op || !str_eq(x->name, y->name) || !str_eq(x->value, y->value)) return false;
    }
    return true;
}

/* May a become b and stay the same silence? */
static bool may_change(const struct silence *a, const struct silence *b, int64_t now_ms)
{
    if (!same_matchers(&a->matchers, &b->matchers)) return false;
    switch (silence_state(a, now_ms)) {
    case SILENCE_ACTIVE: return b->starts_ms == a->starts_ms && b->ends_ms >= now_ms;
    case SILENCE_PENDING: return b->starts_ms >= now_ms;
    case SILENCE_EXPIRED: break;
    }
    return false;
}

static int valid(const struct silence *s, struct err *e)
{
    size_t bytes = s->comment.n + s->created_by.n;
    bool restricts = false;
    for (size_t i = 0; i < s->matchers.n; i++) {
        const struct matcher *m = &s->matchers.at[i];
        if (m->name.n == 0)
            return err_set(e, ERR_RANGE, "invalid label matcher %zu: invalid label name \"\"", i);
        bytes += m->name.n + m->value.n;
        restricts |= !matcher_matches_empty(m);
    }
    for (size_t i = 0; i < s->annotations.n; i++)
        bytes += s->annotations.at[i].name.n + s->annotations.at[i].value.n;
    if (s->matchers.n == 0) return err_set(e, ERR_RANGE, "at least one matcher required");
    if (!restricts) return err_set(e, ERR_RANGE, "at least one matcher must not match the empty string");
    if (s->ends_ms <= s->starts_ms) return err_set(e, ERR_RANGE, "start time must be before end time");
    if (bytes > SILENCE_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "silence exceeded maximum size: %zu bytes", bytes);
    return OK;
}

static int put(struct silences *l, struct kept *fresh, struct err *e)
{
    int rc = store(l, &fresh->s, e);
    if (rc < 0) {
        kept_free(fresh);
        return rc;
    }
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->at[i]->s.id, fresh->s.id) != 0) continue;
        kept_free(l->at[i]);
        l->at[i] = fresh;
        return OK;
    }
    append(l, fresh);
    return OK;
}

static int end_now(struct silences *l, struct silence *s, int64_t now_ms, struct err *e)
{
    struct silence changed = *s;
    if (now_ms < s->starts_ms) changed.starts_ms = now_ms;
    changed.ends_ms = changed.updated_ms = now_ms;
    int rc = store(l, &changed, e);
    if (rc == OK) *s = changed;
    return rc;
}

static int set(struct silences *l, const struct silence *s, int64_t now_ms, char id[SILENCE_ID_MAX],
               struct err *e)
{
    struct kept *before = s->id[0] ? find(l, str_of(s->id)) : NULL;
    if (s->id[0] && before == NULL) return err_set(e, ERR_FIND, "silence %s not found", s->id);
    bool same = before != NULL && may_change(&before->s, s, now_ms);
    if (!same && l->n >= SILENCES_MAX)
        return err_set(e, ERR_LIMIT, "exceeded maximum number of silences: %d", SILENCES_MAX);

    struct kept *fresh = kept_copy(s, e);
    if (fresh == NULL) return e ? e->code : ERR_PARSE;
    fresh->s.updated_ms = now_ms;
    if (!same) {
        new_id(fresh->s.id);
        fresh->s.starts_ms = MAX(fresh->s.starts_ms, now_ms);
    }
    memcpy(id, fresh->s.id, SILENCE_ID_MAX);
    int rc = put(l, fresh, e);
    if (rc == OK && before != NULL && !same && silence_state(&before->s, now_ms) != SILENCE_EXPIRED)
        rc = end_now(l, &before->s, now_ms, e);
    return rc;
}

int silences_set(struct silences *l, const struct silence *s, int64_t now_ms, char id[SILENCE_ID_MAX],
                 struct err *e)
{
    int rc = valid(s, e);
    if (rc < 0) return rc;
    pthread_mutex_lock(&l->mu);
    rc = set(l, s, now_ms, id, e);
    pthread_mutex_unlock(&l->mu);
    return rc;
}

int silences_expire(struct silences *l, struct str id, int64_t now_ms, struct err *e)
{
    int rc;
    pthread_mutex_lock(&l->mu);
    struct kept *k = find(l, id);
    if (k == NULL)
        rc = err_set(e, ERR_FIND, "silence %.*s not found", (int)MIN(id.n, 64u), id.p);
    else if (silence_state(&k->s, now_ms) == SILENCE_EXPIRED)
        rc = err_set(e, ERR_RANGE, "silence %s already expired", k->s.id);
    else
        rc = end_now(l, &k->s, now_ms, e);
    pthread_mutex_unlock(&l->mu);
    return rc;
}

void silences_gc(struct silences *l, int64_t now_ms)
{
    size_t n = 0;
    struct err e = ERR_INIT;
    pthread_mutex_lock(&l->mu);
    for (size_t i = 0; i < l->n; i++) {
        if (l->at[i]->s.ends_ms + SILENCE_KEPT_MS > now_ms)
            l->at[n++] = l->at[i];
        else
            kept_free(l->at[i]);
    }
    l->n = n;
    pthread_mutex_unlock(&l->mu);
    if (l->state != NULL &&
        state_run(l->state, "DELETE FROM silences WHERE ends_ms <= ?",
                  (struct state_value[]){ STATE_INT(now_ms - SILENCE_KEPT_MS) }, 1, &e) < 0)
        log_warn("notify", "old silences not forgotten on disk", "error", e.text, NULL);
}

/* ---- asking ---- */

int silences_each(struct silences *l, int (*visit)(const struct silence *, void *), void *ctx)
{
    int rc = 0;
    pthread_mutex_lock(&l->mu);
    for (size_t i = 0; i < l->n && rc == 0; i++) rc = visit(&l->at[i]->s, ctx);
    pthread_mutex_unlock(&l->mu);
    return rc;
}

struct question {
    struct labels labels;
    int64_t now_ms;
};

static int is_for(const struct silence *s, void *ctx)
{
    const struct question *q = ctx;
    return silence_state(s, q->now_ms) == SILENCE_ACTIVE && am_matchers_match(&s->matchers, q->labels);
}

bool silences_mute(struct silences *l, struct labels labels, int64_t now_ms)
{
    struct question q = { labels, now_ms };
    return silences_each(l, is_for, &q) != 0;
}
