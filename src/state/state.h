/* state.h - what changes seldom and must not be lost: silences, what was told to whom, acknowledgements.
 * SQLite.
 *
 *     static const char *const steps[] = { "CREATE TABLE silences (...)" };       one a version, never edited
 *     state_open(path, &s, e);  state_migrate(s, "silences", steps, COUNT(steps), e);
 *     state_run(s, "DELETE FROM silences WHERE id = ?", (struct state_value[]){ STATE_STR(id) }, 1, e);
 *
 * Always true:
 *   1. What state_run or state_commit answered with OK survives the death of the process (write-ahead log). A
 *      power cut may take the newest transactions and leaves the file whole.
 *   2. A busy or full disk is an error that the caller survives; nothing is half written.
 *
 * Threads: any; one connection, one lock. state_begin keeps it until state_commit or state_rollback. A
 * visitor must not call back. */
#pragma once
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct state;

int state_open(const char *path, struct state **out, struct err *); /* made when missing */
void state_close(struct state *);                                   /* NULL is fine */

/* Bring the tables of one component to version n: steps[i] leads from version i to i + 1. ERR_RANGE when the
 * file was written by a newer program. */
int state_migrate(struct state *, const char *component, const char *const *steps, size_t n, struct err *);

/* A whole copy of the file in DIR/state.db as it is now, also while a server uses it; none there: nothing to
 * do. `to` is made. */
int state_copy(const char *dir, const char *to, struct err *);
/* Is DIR/state.db sound? OK, also when there is none; ERR_CORRUPT with what SQLite says; read only. */
int state_check(const char *dir, struct err *);

struct state_value {
    enum { STATE_IS_NULL, STATE_IS_INT, STATE_IS_TEXT, STATE_IS_BYTES } kind;
    int64_t i;
    struct str s;
};
#define STATE_INT(v)   ((struct state_value){ STATE_IS_INT, (v), { NULL, 0 } })
#define STATE_STR(v)   ((struct state_value){ STATE_IS_TEXT, 0, (v) })
#define STATE_BYTES(v) ((struct state_value){ STATE_IS_BYTES, 0, (v) })

/* sql must be a literal: its prepared statement is kept. Values are bound to ? in order. */
int state_run(struct state *, const char *sql, const struct state_value *, size_t n, struct err *);

struct state_row;
/* visit returns non-zero to stop; that is returned. Texts are borrowed until it returns. */
int state_each(struct state *, const char *sql, const struct state_value *, size_t n,
               int (*visit)(const struct state_row *, void *ctx), void *ctx, struct err *);
int64_t state_int(const struct state_row *, int column);
struct str state_text(const struct state_row *, int column); /* of texts and bytes */

int state_begin(struct state *, struct err *);
int state_commit(struct state *, struct err *);
void state_rollback(struct state *);
