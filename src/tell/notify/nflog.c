/* nflog.c - see nflog.h. */
#include "tell/notify/nflog.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "tell/notify/fp_table.h"

struct kept {
    struct nflog_entry e; /* the sets lie behind, then the key */
    struct str key;
};

struct nflog {
    struct state *state;
    pthread_mutex_t mu;
    struct fp_table entries; /* hash of key -> kept; under mu */
};

static const char *const steps[] = {
    "CREATE TABLE nflog (key TEXT PRIMARY KEY, at_ms INTEGER, expires_ms INTEGER, firing BLOB, resolved "
    "BLOB) "
    "WITHOUT ROWID",
};

static uint64_t key_hash(struct str key)
{
    return hash64(key.p, key.n);
}

static struct kept *kept_new(struct str key, const struct nflog_entry *e)
{
    size_t n = e->n_firing + e->n_resolved;
    struct kept *k = mem_alloc(sizeof *k + n * sizeof(uint64_t) + key.n);
    uint64_t *sets = (uint64_t *)(k + 1);
    char *text = (char *)(sets + n);
    k->e = *e;
    k->e.firing = sets;
    k->e.resolved = sets + e->n_firing;
    if (e->n_firing > 0) memcpy(sets, e->firing, e->n_firing * sizeof *sets);
    if (e->n_resolved > 0) memcpy(sets + e->n_firing, e->resolved, e->n_resolved * sizeof *sets);
    if (key.n > 0) memcpy(text, key.p, key.n);
    k->key = str_make(text, key.n);
    return k;
}

static void remember(struct nflog *l, struct str key, const struct nflog_entry *e)
{
    mem_free(fp_table_put(&l->entries, key_hash(key), kept_new(key, e)));
}

/* A blob is copied: SQLite does not align it. */
static int load_row(const struct state_row *r, void *ctx)
{
    struct str firing = state_text(r, 3), resolved = state_text(r, 4);
    uint64_t *sets = mem_alloc(firing.n + resolved.n + 1);
    memcpy(sets, firing.p, firing.n / 8 * 8);
    memcpy(sets + firing.n / 8, resolved.p, resolved.n / 8 * 8);
    struct nflog_entry e = { state_int(r, 1),     state_int(r, 2), sets,
                             sets + firing.n / 8, firing.n / 8,    resolved.n / 8 };
    remember(ctx, state_text(r, 0), &e);
    mem_free(sets);
    return 0;
}

int nflog_open(struct state *state, struct nflog **out, struct err *e)
{
    struct nflog *l = mem_alloc_zero(sizeof *l);
    int rc = OK;
    l->state = state;
    pthread_mutex_init(&l->mu, NULL);
    if (state != NULL) rc = state_migrate(state, "nflog", steps, COUNT(steps), e);
    if (rc == OK && state != NULL)
        rc = state_each(state, "SELECT key, at_ms, expires_ms, firing, resolved FROM nflog", NULL, 0,
                        load_row, l, e);
    if (rc < 0) {
        nflog_close(l);
        return rc;
    }
    *out = l;
    return OK;
}

void nflog_close(struct nflog *l)
{
    struct kept *k;
    if (l == NULL) return;
    for (size_t i = 0; (k = fp_table_next(&l->entries, &i)) != NULL;) mem_free(k);
    fp_table_release(&l->entries);
    pthread_mutex_destroy(&l->mu);
    mem_free(l);
}

static struct str bytes_of(const uint64_t *set, size_t n)
{
    return str_make(set, n * sizeof *set);
}

int nflog_put(struct nflog *l, struct str key, const struct nflog_entry *x, struct err *e)
{
    int rc = OK;
    if (l->state != NULL)
        rc = state_run(l->state, "INSERT OR REPLACE INTO nflog VALUES (?, ?, ?, ?, ?)",
                       (struct state_value[]){ STATE_STR(key), STATE_INT(x->at_ms), STATE_INT(x->expires_ms),
                                               STATE_BYTES(bytes_of(x->firing, x->n_firing)),
                                               STATE_BYTES(bytes_of(x->resolved, x->n_resolved)) },
                       5, e);
    pthread_mutex_lock(&l->mu);
    remember(l, key, x);
    pthread_mutex_unlock(&l->mu);
    return rc;
}

bool nflog_ask(struct nflog *l, struct str key, void (*visit)(const struct nflog_entry *, void *), void *ctx)
{
    pthread_mutex_lock(&l->mu);
    const struct kept *k = fp_table_get(&l->entries, key_hash(key));
    bool found = k != NULL && str_eq(k->key, key); /* a collision tells twice, and never too little */
    if (found) visit(&k->e, ctx);
    pthread_mutex_unlock(&l->mu);
    return found;
}

void nflog_gc(struct nflog *l, int64_t now_ms)
{
    struct kept *k;
    struct fp_table left = { 0 };
    struct err e = ERR_INIT;
    pthread_mutex_lock(&l->mu);
    for (size_t i = 0; (k = fp_table_next(&l->entries, &i)) != NULL;) {
        if (k->e.expires_ms > now_ms)
            fp_table_put(&left, key_hash(k->key), k);
        else
            mem_free(k);
    }
    fp_table_release(&l->entries);
    l->entries = left;
    pthread_mutex_unlock(&l->mu);
    if (l->state != NULL && state_run(l->state, "DELETE FROM nflog WHERE expires_ms <= ?",
                                      (struct state_value[]){ STATE_INT(now_ms) }, 1, &e) < 0)
        log_warn("notify", "old notifications not forgotten on disk", "error", e.text, NULL);
}

size_t nflog_count(struct nflog *l)
{
    pthread_mutex_lock(&l->mu);
    size_t n = l->entries.n;
    pthread_mutex_unlock(&l->mu);
    return n;
}

/* ---- is there anything to tell? ---- */

static bool is_subset(const uint64_t *some, size_t n, const uint64_t *all, size_t m)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        while (k < m && all[k] < some[i]) k++;
        if (k == m || all[k] != some[i]) return false;
    }
    return true;
}

const char *nflog_news(const struct nflog_entry *last, const struct nflog_entry *now, bool send_resolved,
                       int64_t repeat_ms)
{
    if (last == NULL) return now->n_firing > 0 ? "first" : NULL;
    if (!is_subset(now->firing, now->n_firing, last->firing, last->n_firing)) return "new alerts";
    /* Also where resolved ones are not sent: the log must forget that they fired. */
    if (now->n_firing == 0) return last->n_firing > 0 ? "resolved" : NULL;
    if (send_resolved && !is_subset(now->resolved, now->n_resolved, last->resolved, last->n_resolved))
        return "resolved";
    return last->at_ms < now->at_ms - repeat_ms ? "repeat" : NULL;
}
