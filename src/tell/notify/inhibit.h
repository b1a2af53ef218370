/* inhibit.h - alerts that keep others quiet: while a source fires, targets with equal labels are not told.
 *
 * An alert that is source and target of one rule is not quietened by another that is both, or two of a kind
 * would silence each other. Not thread-safe: the dispatcher's lock. */
#pragma once
#include "tell/notify/am_config.h"
#include "tell/notify/held.h"

struct inhibit;

struct inhibit *inhibit_new(const struct am_config *); /* borrows its rules */
void inhibit_free(struct inhibit *);                   /* NULL is fine */
void inhibit_see(struct inhibit *, struct held *);     /* an alert new or changed: it may be a source */
bool inhibit_mutes(const struct inhibit *, struct labels, int64_t now_ms, uint64_t *by);
void inhibit_gc(struct inhibit *, int64_t now_ms);
