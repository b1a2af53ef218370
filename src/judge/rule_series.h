/* rule_series.h - what a rule writes: its series of this evaluation, and the end of those it wrote before.
 *
 * A series that was there last time and is not there now ends with a stale marker, so that queries stop at
 * once to see it. Rows are in the store, seen by the next query, when rule_rows_write returns.
 *
 *     struct rule_rows rows;
 *     rule_rows_init(&rows, &arena, at_ms);
 *     rule_rows_add(&rows, labels, value, NULL); ...
 *     rule_rows_write(&rows, &written, store, e)
 */
#pragma once
#include "model/store.h"

struct rule_series { /* the series of the last evaluation */
    struct hash128 *ids;
    struct str *packed; /* into `bytes` */
    size_t n;
    char *bytes;
};

struct rule_rows {
    struct batch batch;
    int64_t at_ms;
};

void rule_rows_init(struct rule_rows *, struct arena *, int64_t at_ms);
void rule_rows_add(struct rule_rows *, struct labels, double value, const struct histogram *);
void rule_rows_add_packed(struct rule_rows *, struct str packed, double value); /* borrowed */
bool rule_rows_are_distinct(const struct rule_rows *);

/* Adds the markers, writes, and makes `last` what was written. On failure `last` stays. Refused rows are an
 * error that says why. */
int rule_rows_write(struct rule_rows *, struct rule_series *last, struct store *, struct err *);

/* Makes `kept` the series of these rows, written or not. */
void rule_series_keep(struct rule_series *kept, const struct rule_rows *);
void rule_series_release(struct rule_series *);
