/* alert_store.c - see alert_store.h. One row a fingerprint; what is told again is written again. */
#include "tell/notify/alert_store.h"

#include "base/check.h"
#include "base/log.h"

#define KEPT_MS         (86400000ll) /* since last heard of */
#define LABEL_BYTES_MAX (4u << 20)

static const char *const steps[] = {
    "CREATE TABLE active_alerts (fp INTEGER PRIMARY KEY, starts_ms INTEGER, ends_ms INTEGER, updated_ms "
    "INTEGER, "
    "labels BLOB, annotations BLOB, url TEXT)",
    "CREATE TABLE last_alive (one INTEGER PRIMARY KEY CHECK (one = 1), at_ms INTEGER)",
};

int alert_store_open(struct state *s, struct err *e)
{
    return state_migrate(s, "active_alerts", steps, COUNT(steps), e);
}

static int put_one(struct state *s, const struct alert *a, struct buf *labels, struct buf *notes,
                   struct err *e)
{
    buf_clear(labels);
    buf_clear(notes);
    labels_pack(labels, a->labels);
    labels_pack(notes, a->annotations);
    if (labels->full || notes->full) return err_set(e, ERR_LIMIT, "an alert of more than 4 MiB");
    return state_run(s, "INSERT OR REPLACE INTO active_alerts VALUES (?, ?, ?, ?, ?, ?, ?)",
                     (struct state_value[]){ STATE_INT((int64_t)alert_fingerprint(a->labels)),
                                             STATE_INT(a->starts_ms), STATE_INT(a->ends_ms),
                                             STATE_INT(a->updated_ms), STATE_BYTES(buf_view(labels)),
                                             STATE_BYTES(buf_view(notes)), STATE_STR(a->generator_url) },
                     7, e);
}

int alert_store_put(struct state *s, const struct alert *a, size_t n, struct err *e)
{
    struct buf labels = BUF_INIT(LABEL_BYTES_MAX), notes = BUF_INIT(LABEL_BYTES_MAX);
    int rc = state_begin(s, e);
    if (rc < 0) return rc;
    for (size_t i = 0; i < n && rc == OK; i++) rc = put_one(s, &a[i], &labels, &notes, e);
    if (rc == OK)
        rc = state_commit(s, e);
    else
        state_rollback(s);
    buf_release(&labels);
    buf_release(&notes);
    return rc;
}

struct restoring {
    void (*visit)(const struct alert *, void *);
    void *ctx;
    struct arena arena;
    int64_t resolve_timeout_ms, last_alive_ms;
};

static int give_row(const struct state_row *r, void *ctx)
{
    struct restoring *x = ctx;
    struct alert a = { .starts_ms = state_int(r, 0),
                       .ends_ms = state_int(r, 1),
                       .updated_ms = state_int(r, 2) };
    struct str labels = arena_str(&x->arena, state_text(r, 3)),
               notes = arena_str(&x->arena, state_text(r, 4));
    a.generator_url = arena_str(&x->arena, state_text(r, 5));
    if (a.ends_ms == 0) a.ends_ms = a.updated_ms + x->resolve_timeout_ms;
    if (a.ends_ms > x->last_alive_ms) a.ends_ms = 0; /* nobody has seen it end */
    if (labels_unpack_checked(labels, &x->arena, &a.labels, NULL) == OK) {
        if (notes.n > 0) labels_unpack_checked(notes, &x->arena, &a.annotations, NULL);
        x->visit(&a, x->ctx);
    }
    arena_reset(&x->arena);
    return 0;
}

static int take_alive(const struct state_row *r, void *ctx)
{
    ((struct restoring *)ctx)->last_alive_ms = state_int(r, 0);
    return 0;
}

int alert_store_each(struct state *s, int64_t resolve_timeout_ms, void (*visit)(const struct alert *, void *),
                     void *ctx, struct err *e)
{
    struct restoring x = { visit, ctx, ARENA_INIT(LABEL_BYTES_MAX), resolve_timeout_ms, 0 };
    int rc = state_each(s, "SELECT at_ms FROM last_alive", NULL, 0, take_alive, &x, e);
    if (rc == OK)
        rc = state_each(s,
                        "SELECT starts_ms, ends_ms, updated_ms, labels, annotations, url FROM active_alerts",
                        NULL, 0, give_row, &x, e);
    arena_release(&x.arena);
    return rc;
}

void alert_store_alive(struct state *s, int64_t now_ms)
{
    struct err e = ERR_INIT;
    if (state_run(s, "INSERT OR REPLACE INTO last_alive VALUES (1, ?)",
                  (struct state_value[]){ STATE_INT(now_ms) }, 1, &e) < 0)
        log_warn("notify", "not written that we are alive", "error", e.text, NULL);
}

void alert_store_gc(struct state *s, int64_t now_ms)
{
    struct err e = ERR_INIT;
    if (state_run(s, "DELETE FROM active_alerts WHERE updated_ms < ?1 OR (ends_ms > 0 AND ends_ms < ?2)",
                  (struct state_value[]){ STATE_INT(now_ms - KEPT_MS), STATE_INT(now_ms - 3600000) }, 2,
                  &e) < 0)
        log_warn("notify", "old alerts not forgotten on disk", "error", e.text, NULL);
}
