/* dashboards.c - see dashboards.h. Facts of built-in and folder files are read once; those of imported ones
 * stand beside the JSON in the table, so that a list parses nothing. */
#include "tell/dashboards.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define FACTS_MAX (DASHBOARD_BYTES_MAX * 8) /* what reading one may take */

struct kept { /* a file that was read */
    struct dashboard d;
    struct str json;
};

struct set {
    struct arena arena;
    struct kept *at;
    size_t n;
};

struct dashboards {
    struct state *state;
    struct set built_in; /* never changes */
    pthread_mutex_t mu;
    struct set folder; /* mu */
};

static const char *const steps[] = {
    "CREATE TABLE dashboards (name TEXT PRIMARY KEY, title TEXT NOT NULL, about TEXT NOT NULL, tags TEXT NOT "
    "NULL, refresh TEXT NOT NULL, panels INTEGER NOT NULL, updated_ms INTEGER NOT NULL, json BLOB NOT NULL)",
};

const char *dashboard_from_word(enum dashboard_from f)
{
    static const char *const words[] = { "built-in", "folder", "imported" };
    return words[f];
}

/* ---- files ---- */

static void set_release(struct set *s)
{
    arena_release(&s->arena);
    mem_free(s->at);
    *s = (struct set){ 0 };
}

static int set_add(struct set *s, struct str name, struct str json, enum dashboard_from from, struct err *e)
{
    struct arena scratch = ARENA_INIT(FACTS_MAX);
    struct dashboard_facts f;
    int rc = dashboard_read(json, &scratch, &f, e);
    if (rc == OK) {
        s->at = mem_realloc(s->at, (s->n + 1) * sizeof *s->at);
        struct arena *a = &s->arena;
        s->at[s->n++] =
            (struct kept){ { arena_str(a, name), arena_str(a, f.title), arena_str(a, f.about),
                             arena_str(a, f.tags), arena_str(a, f.refresh), (int64_t)f.panels, 0, from },
                           from == DASHBOARD_BUILT_IN ? f.body : arena_str(a, f.body) };
    }
    arena_release(&scratch);
    return rc;
}

static const struct kept *set_find(const struct set *s, struct str name)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_eq(s->at[i].d.name, name)) return &s->at[i];
    return NULL;
}

/* ---- the folder ---- */

struct loading {
    const char *dir;
    const struct set *built_in;
    struct set *to;
};

static int load_file(struct loading *l, const char *file, struct str name, struct err *e)
{
    struct buf path = BUF_INIT(8192), text = BUF_INIT(DASHBOARD_BYTES_MAX);
    buf_printf(&path, "%s/%s", l->dir, file);
    int rc = OK;
    if (!dashboard_name_ok(name))
        rc = err_set(e, ERR_RANGE, "a name is 1 to %d letters, digits, - and _", DASHBOARD_NAME_MAX);
    else if (set_find(l->built_in, name) != NULL)
        rc = err_set(e, ERR_RANGE, "a built-in dashboard has this name");
    else if (l->to->n == DASHBOARDS_MAX)
        rc = err_set(e, ERR_LIMIT, "more than %d dashboards", DASHBOARDS_MAX);
    if (rc == OK) rc = file_slurp(buf_cstr(&path), &text, e);
    if (rc == OK) rc = set_add(l->to, name, buf_view(&text), DASHBOARD_FOLDER, e);
    buf_release(&path);
    buf_release(&text);
    return rc;
}

static int visit_file(const char *file, bool is_dir, void *ctx)
{
    struct loading *l = ctx;
    struct str name = str_of(file);
    struct err e = ERR_INIT;
    if (is_dir || !str_ends(name, ".json") || file[0] == '.') return 0;
    name.n -= 5;
    if (load_file(l, file, name, &e) < 0)
        log_warn("dashboards", "not taken", "folder", l->dir, "file", file, "error", e.text, NULL);
    return 0;
}

int dashboards_folder(struct dashboards *d, const char *dir, struct err *e)
{
    struct set fresh = { .arena = ARENA_INIT((size_t)DASHBOARDS_MAX * DASHBOARD_BYTES_MAX) };
    struct loading l = { dir, &d->built_in, &fresh };
    int rc = dir != NULL ? file_list(dir, visit_file, &l, e) : OK;
    if (rc < 0) {
        set_release(&fresh);
        return rc;
    }
    pthread_mutex_lock(&d->mu);
    struct set past = d->folder;
    d->folder = fresh;
    pthread_mutex_unlock(&d->mu);
    set_release(&past);
    return OK;
}

/* ---- life ---- */

int dashboards_open(struct state *state, struct dashboards **out, struct err *e)
{
    int rc = state_migrate(state, "dashboards", steps, COUNT(steps), e);
    if (rc < 0) return rc;
    struct dashboards *d = mem_alloc_zero(sizeof *d);
    d->state = state;
    pthread_mutex_init(&d->mu, NULL);
    d->built_in.arena = (struct arena)ARENA_INIT(16u << 20);
    for (size_t i = 0; i < dashboard_files_count; i++) {
        const struct dashboard_file *f = &dashboard_files[i];
        struct str json = str_make(f->begin, (size_t)(f->end - f->begin));
        check(set_add(&d->built_in, str_of(f->name), json, DASHBOARD_BUILT_IN, NULL) == OK);
    }
    *out = d;
    return OK;
}

void dashboards_close(struct dashboards *d)
{
    if (d == NULL) return;
    set_release(&d->built_in);
    set_release(&d->folder);
    pthread_mutex_destroy(&d->mu);
    mem_free(d);
}

/* ---- reading ---- */

struct gathering {
    struct dashboards *d;
    struct arena arena;
    struct dashboard *at;
    size_t n;
};

static void gather(struct gathering *g, const struct dashboard *d)
{
    struct arena *a = &g->arena;
    g->at = mem_realloc(g->at, (g->n + 1) * sizeof *g->at);
    g->at[g->n++] = (struct dashboard){ arena_str(a, d->name),
                                        arena_str(a, d->title),
                                        arena_str(a, d->about),
                                        arena_str(a, d->tags),
                                        arena_str(a, d->refresh),
                                        d->panels,
                                        d->updated_ms,
                                        d->from };
}

static int gather_row(const struct state_row *r, void *ctx)
{
    struct gathering *g = ctx;
    struct dashboard d = { state_text(r, 0), state_text(r, 1), state_text(r, 2), state_text(r, 3),
                           state_text(r, 4), state_int(r, 5),  state_int(r, 6),  DASHBOARD_IMPORTED };
    if (set_find(&g->d->built_in, d.name) == NULL && set_find(&g->d->folder, d.name) == NULL) gather(g, &d);
    return 0;
}

static int by_title(const void *a, const void *b)
{
    const struct dashboard *x = a, *y = b;
    int c = str_cmp(x->title, y->title);
    return c != 0 ? c : str_cmp(x->name, y->name);
}

int dashboards_each(struct dashboards *d, void (*visit)(const struct dashboard *, void *), void *ctx,
                    struct err *e)
{
    struct gathering g = { .d = d, .arena = ARENA_INIT(16u << 20) };
    pthread_mutex_lock(&d->mu);
    for (size_t i = 0; i < d->built_in.n; i++) gather(&g, &d->built_in.at[i].d);
    for (size_t i = 0; i < d->folder.n; i++) gather(&g, &d->folder.at[i].d);
    int rc =
        state_each(d->state, "SELECT name, title, about, tags, refresh, panels, updated_ms FROM dashboards",
                   NULL, 0, gather_row, &g, e);
    pthread_mutex_unlock(&d->mu);
    qsort(g.at, g.n, sizeof *g.at, by_title);
    for (size_t i = 0; rc == OK && i < g.n; i++) visit(&g.at[i], ctx);
    mem_free(g.at);
    arena_release(&g.arena);
    return rc;
}

struct found {
    struct arena *arena;
    struct str json;
    bool any;
};

static int take_json(const struct state_row *r, void *ctx)
{
    struct found *f = ctx;
    f->json = arena_str(f->arena, state_text(r, 0));
    f->any = true;
    return 0;
}

static int unknown(struct str name, struct err *e)
{
    return err_set(e, ERR_FIND, "no dashboard is called \"%.*s\"", (int)MIN(name.n, (size_t)80), name.p);
}

int dashboards_get(struct dashboards *d, struct str name, struct arena *a, struct str *json, struct err *e)
{
    struct found f = { .arena = a };
    const struct kept *k = set_find(&d->built_in, name);
    if (k != NULL) return *json = k->json, OK;
    pthread_mutex_lock(&d->mu);
    if ((k = set_find(&d->folder, name)) != NULL) f = (struct found){ a, arena_str(a, k->json), true };
    pthread_mutex_unlock(&d->mu);
    int rc = OK;
    if (!f.any)
        rc = state_each(d->state, "SELECT json FROM dashboards WHERE name = ?",
                        (struct state_value[]){ STATE_STR(name) }, 1, take_json, &f, e);
    *json = f.json;
    return rc < 0 ? rc : f.any ? OK : unknown(name, e);
}

/* ---- changing ---- */

static int is_others(struct dashboards *d, struct str name, struct err *e)
{
    pthread_mutex_lock(&d->mu);
    bool in_folder = set_find(&d->folder, name) != NULL;
    pthread_mutex_unlock(&d->mu);
    if (set_find(&d->built_in, name) != NULL)
        return err_set(e, ERR_RANGE, "the dashboard \"%.*s\" is built in: take another name", STR_ARG(name));
    if (in_folder)
        return err_set(e, ERR_RANGE,
                       "the dashboard \"%.*s\" comes from the folder of the configuration: change it there",
                       STR_ARG(name));
    return OK;
}

static int take_count(const struct state_row *r, void *ctx)
{
    ((int64_t *)ctx)[0] = state_int(r, 0);
    ((int64_t *)ctx)[1] = state_int(r, 1);
    return 0;
}

static int put(struct dashboards *d, struct str name, const struct dashboard_facts *f, bool *is_new,
               struct err *e)
{
    int64_t counts[2] = { 0, 0 }; /* all, of this name */
    int rc = state_each(d->state, "SELECT count(*), coalesce(sum(name = ?), 0) FROM dashboards",
                        (struct state_value[]){ STATE_STR(name) }, 1, take_count, counts, e);
    if (rc < 0) return rc;
    *is_new = counts[1] == 0;
    if (*is_new && counts[0] >= DASHBOARDS_MAX)
        return err_set(e, ERR_LIMIT, "there are %d imported dashboards already: delete one first",
                       DASHBOARDS_MAX);
    return state_run(d->state, "INSERT OR REPLACE INTO dashboards VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                     (struct state_value[]){ STATE_STR(name), STATE_STR(f->title), STATE_STR(f->about),
                                             STATE_STR(f->tags), STATE_STR(f->refresh),
                                             STATE_INT((int64_t)f->panels), STATE_INT(clock_now_ms()),
                                             STATE_BYTES(f->body) },
                     8, e);
}

int dashboards_put(struct dashboards *d, struct str name, const struct dashboard_facts *f, bool *is_new,
                   struct err *e)
{
    int rc;
    if (!dashboard_name_ok(name))
        return err_set(e, ERR_RANGE, "a name is 1 to %d letters, digits, - and _", DASHBOARD_NAME_MAX);
    if ((rc = is_others(d, name, e)) < 0) return rc;
    if ((rc = state_begin(d->state, e)) < 0) return rc;
    if ((rc = put(d, name, f, is_new, e)) == OK) return state_commit(d->state, e);
    state_rollback(d->state);
    return rc;
}

int dashboards_delete(struct dashboards *d, struct str name, struct err *e)
{
    int64_t counts[2] = { 0, 0 };
    int rc = is_others(d, name, e);
    if (rc == OK)
        rc = state_each(d->state, "SELECT 0, count(*) FROM dashboards WHERE name = ?",
                        (struct state_value[]){ STATE_STR(name) }, 1, take_count, counts, e);
    if (rc == OK && counts[1] == 0) return unknown(name, e);
    if (rc == OK)
        rc = state_run(d->state, "DELETE FROM dashboards WHERE name = ?",
                       (struct state_value[]){ STATE_STR(name) }, 1, e);
    return rc;
}
