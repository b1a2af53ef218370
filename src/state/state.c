/* state.c - see state.h. One connection in WAL mode with synchronous=NORMAL: a commit is one write(2).
 *
 * Statements are found again by the address of their text, which is why it must be a literal. */
#include "state/state.h"

#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"

#define BUSY_TIMEOUT_MS 5000 /* somebody looks into the file with another program */
#define STATEMENTS_MAX  128

struct kept {
    const char *sql;
    sqlite3_stmt *stmt;
};

struct state {
    pthread_mutex_t mu; /* recursive: a transaction holds it around its statements */
    sqlite3 *db;
    struct kept kept[STATEMENTS_MAX]; /* under mu */
    size_t n_kept;
};

struct state_row {
    sqlite3_stmt *stmt;
};

static int code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL: return ERR_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ERR_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ERR_CORRUPT;
    case SQLITE_TOOBIG: return ERR_LIMIT;
    default: return ERR_IO;
    }
}

static int fail(const struct state *s, int rc, const char *doing, struct err *e)
{
    return err_set(e, code_of(rc), "state: %s: %s", doing,
                   s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
}

static int plain(struct state *s, const char *sql, struct err *e)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : fail(s, rc, sql, e);
}

static void init_lock(pthread_mutex_t *mu)
{
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(mu, &a);
    pthread_mutexattr_destroy(&a);
}

int state_open(const char *path, struct state **out, struct err *e)
{
    struct state *s = mem_alloc_zero(sizeof *s);
    init_lock(&s->mu);

    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(path, &s->db, flags, NULL);
    rc = rc == SQLITE_OK ? OK : fail(s, rc, "open", e);
    if (rc == OK) sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
    if (rc == OK) rc = plain(s, "PRAGMA journal_mode=WAL", e);
    if (rc == OK) rc = plain(s, "PRAGMA synchronous=NORMAL", e);
    if (rc == OK) rc = plain(s, "PRAGMA cache_size=-256", e); /* KiB: it is asked seldom */
    if (rc == OK)
        rc = plain(s, "CREATE TABLE IF NOT EXISTS migrations (component TEXT PRIMARY KEY, version INTEGER)",
                   e);
    if (rc < 0) {
        err_where(e, "%s", path);
        state_close(s);
        return rc;
    }
    *out = s;
    return OK;
}

void state_close(struct state *s)
{
    if (s == NULL) return;
    for (size_t i = 0; i < s->n_kept; i++) sqlite3_finalize(s->kept[i].stmt);
    sqlite3_close(s->db);
    pthread_mutex_destroy(&s->mu);
    mem_free(s);
}

/* ---- the file as a whole ---- */

static int open_beside(const char *dir, int flags, sqlite3 **db, struct err *e)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/state.db", dir);
    *db = NULL;
    if (access(path, F_OK) != 0) return OK;
    int rc = sqlite3_open_v2(path, db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(*db, BUSY_TIMEOUT_MS);
        return OK;
    }
    sqlite3_close(*db);
    *db = NULL;
    return err_set(e, ERR_IO, "%s: %s", path, sqlite3_errstr(rc));
}

/* The first row's text, or SQLite's reason. */
static int ask_one(sqlite3 *db, const char *sql, struct str bound, char *out, size_t cap)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK && bound.n > 0) rc = sqlite3_bind_text(stmt, 1, bound.p, (int)bound.n, SQLITE_STATIC);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : sqlite3_errmsg(db);
    snprintf(out, cap, "%s", text ? text : "");
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : ERR_IO;
}

int state_copy(const char *dir, const char *to, struct err *e)
{
    sqlite3 *db;
    char why[256];
    int rc = open_beside(dir, SQLITE_OPEN_READWRITE, &db, e);
    if (rc < 0 || db == NULL) return rc;
    rc = ask_one(db, "VACUUM INTO ?", str_of(to), why, sizeof why);
    sqlite3_close(db);
    return rc == OK ? OK : err_set(e, ERR_IO, "state.db cannot be copied to %s: %s", to, why);
}

int state_check(const char *dir, struct err *e)
{
    sqlite3 *db;
    char said[256];
    int rc = open_beside(dir, SQLITE_OPEN_READWRITE, &db, e); /* its write-ahead log wants to be read, too */
    if (rc < 0 || db == NULL) return rc;
    rc = ask_one(db, "PRAGMA integrity_check(1)", STR(""), said, sizeof said);
    sqlite3_close(db);
    if (rc == OK && strcmp(said, "ok") == 0) return OK;
    return err_set(e, ERR_CORRUPT, "%s/state.db is damaged: %s", dir, said);
}

/* ---- statements ---- */

static int statement(struct state *s, const char *sql, sqlite3_stmt **out, struct err *e)
{
    for (size_t i = 0; i < s->n_kept; i++)
        if (s->kept[i].sql == sql) return *out = s->kept[i].stmt, OK;
    check(s->n_kept < STATEMENTS_MAX);
    int rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
    if (rc != SQLITE_OK) return fail(s, rc, sql, e);
    s->kept[s->n_kept++] = (struct kept){ sql, *out };
    return OK;
}

static int bind(struct state *s, sqlite3_stmt *stmt, const struct state_value *v, size_t n, struct err *e)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < n && rc == SQLITE_OK; i++) {
        int at = (int)i + 1;
        const char *bytes = v[i].s.p ? v[i].s.p : "";
        if (v[i].s.n > INT_MAX) return err_set(e, ERR_LIMIT, "state: a text of more than 2 GiB");
        switch (v[i].kind) {
        case STATE_IS_NULL: rc = sqlite3_bind_null(stmt, at); break;
        case STATE_IS_INT: rc = sqlite3_bind_int64(stmt, at, v[i].i); break;
        case STATE_IS_TEXT: rc = sqlite3_bind_text(stmt, at, bytes, (int)v[i].s.n, SQLITE_STATIC); break;
        case STATE_IS_BYTES: rc = sqlite3_bind_blob(stmt, at, bytes, (int)v[i].s.n, SQLITE_STATIC); break;
        }
    }
    return rc == SQLITE_OK ? OK : fail(s, rc, "bind", e);
}

static int no_visit(const struct state_row *row, void *ctx)
{
    (void)row, (void)ctx;
    return 0;
}

int state_each(struct state *s, const char *sql, const struct state_value *v, size_t n,
               int (*visit)(const struct state_row *, void *), void *ctx, struct err *e)
{
    sqlite3_stmt *stmt = NULL;
    int step = SQLITE_DONE;

    pthread_mutex_lock(&s->mu);
    int rc = statement(s, sql, &stmt, e);
    if (rc == OK) rc = bind(s, stmt, v, n, e);
    while (rc == OK && (step = sqlite3_step(stmt)) == SQLITE_ROW)
        rc = visit(&(struct state_row){ stmt }, ctx);
    if (rc == OK && step != SQLITE_DONE) rc = fail(s, step, sql, e);
    if (stmt != NULL) {
        sqlite3_reset(stmt);
        sqlite3_clear_bindings(stmt);
    }
    pthread_mutex_unlock(&s->mu);
    return rc;
}

int state_run(struct state *s, const char *sql, const struct state_value *v, size_t n, struct err *e)
{
    return state_each(s, sql, v, n, no_visit, NULL, e);
}

int64_t state_int(const struct state_row *r, int column)
{
    return sqlite3_column_int64(r->stmt, column);
}

struct str state_text(const struct state_row *r, int column)
{
    const void *p =
        sqlite3_column_blob(r->stmt, column); /* first the bytes, then how many: as SQLite wants */
    return str_make(p ? p : "", (size_t)sqlite3_column_bytes(r->stmt, column));
}

/* ---- transactions ---- */

int state_begin(struct state *s, struct err *e)
{
    pthread_mutex_lock(&s->mu);
    int rc = state_run(s, "BEGIN IMMEDIATE", NULL, 0, e);
    if (rc < 0) pthread_mutex_unlock(&s->mu);
    return rc;
}

int state_commit(struct state *s, struct err *e)
{
    int rc = state_run(s, "COMMIT", NULL, 0, e);
    if (rc < 0)
        state_rollback(s);
    else
        pthread_mutex_unlock(&s->mu);
    return rc;
}

void state_rollback(struct state *s)
{
    if (!sqlite3_get_autocommit(s->db)) state_run(s, "ROLLBACK", NULL, 0, NULL);
    pthread_mutex_unlock(&s->mu);
}

/* ---- migrations ---- */

static int take_version(const struct state_row *r, void *ctx)
{
    *(int64_t *)ctx = state_int(r, 0);
    return 0;
}

static int migrate(struct state *s, struct str component, const char *const *steps, size_t n, struct err *e)
{
    int64_t version = 0;
    int rc = state_each(s, "SELECT version FROM migrations WHERE component = ?",
                        (struct state_value[]){ STATE_STR(component) }, 1, take_version, &version, e);
    if (rc == OK && (version < 0 || (uint64_t)version > n))
        rc = err_set(e, ERR_RANGE, "state: the tables of %.*s are of version %lld, this program knows %zu",
                     STR_ARG(component), (long long)version, n);
    for (size_t i = (size_t)version; rc == OK && i < n; i++) rc = plain(s, steps[i], e);
    if (rc == OK && (size_t)version < n)
        rc = state_run(s, "INSERT OR REPLACE INTO migrations VALUES (?, ?)",
                       (struct state_value[]){ STATE_STR(component), STATE_INT((int64_t)n) }, 2, e);
    return rc;
}

int state_migrate(struct state *s, const char *component, const char *const *steps, size_t n, struct err *e)
{
    int rc = state_begin(s, e);
    if (rc < 0) return rc;
    rc = migrate(s, str_of(component), steps, n, e);
    if (rc == OK) return state_commit(s, e);
    state_rollback(s);
    return rc;
}
