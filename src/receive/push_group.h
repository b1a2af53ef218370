/* push_group.h - what has been pushed by jobs too short-lived to be scraped, kept until replaced or deleted.
 *
 * A group is named by its labels (job and more) and holds the last value of each series pushed under them. A
 * change is planned, written to the store, and only then committed, so that a failed write leaves the group
 * as it was:
 *
 *     push_groups_plan(...)  ->  store_write(batch)  ->  push_plan_commit or push_plan_drop
 *
 * Threads: none of its own; one lock of the owner around all calls, from plan to commit. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/batch.h"

struct push_groups;

enum push_mode {
    PUSH_REPLACE, /* PUT: the group is what was pushed */
    PUSH_MERGE,   /* POST: metrics of the same names are replaced, others stay */
    PUSH_DELETE,  /* DELETE: nothing stays, not even the group */
};

struct push_plan {
    struct push_group *group,
        *fresh; /* group: the old one or NULL; fresh: what it becomes, NULL when deleted */
    struct str key;
    uint64_t hash;
};

struct push_groups *push_groups_new(size_t max_groups, size_t max_series);
void push_groups_free(struct push_groups *); /* NULL is fine */

size_t push_groups_n(const struct push_groups *);
size_t push_groups_series(const struct push_groups *);

/* The group's labels (normalised) and, in b, the pushed series with one value each (LABELS_PACKED; empty for
 * a DELETE). Sets the time of all rows, and appends to b a stale marker for every series that ends and the
 * group's push_time_seconds and push_failure_time_seconds. ERR_LIMIT: too many groups or series. The batch
 * borrows from the groups: write it before the plan is ended. */
int push_groups_plan(struct push_groups *, struct labels labels, enum push_mode, int64_t now_ms,
                     struct batch *b, struct push_plan *out, struct err *);
void push_plan_commit(struct push_groups *, struct push_plan *);
void push_plan_drop(struct push_plan *);

/* A push of this group was refused: remember when. */
void push_groups_failed(struct push_groups *, struct labels labels, int64_t now_ms);

/* Appends the current values of groups from *cursor (start with 0) on, until b has max_rows or all is done;
 * texts are copied into b's arena. False when there is no more. */
bool push_groups_sample(struct push_groups *, size_t *cursor, int64_t now_ms, size_t max_rows,
                        struct batch *b);
