/* scan.h - the inside of a scanner, shared by scan.c (rows) and tier_scan.c (summaries). One thread has it at
 * a time; the view keeps it between calls. */
#pragma once
#include "store/damage.h"
#include "store/view.h"

#define KINDS 3

struct source {
    const struct part *part;    /* a part: */
    struct part_cursor *cursor; /* made when first needed */
    struct run_head at;         /* the run under the cursor */
    bool is_placed, is_at_end;
    series_key sought;      /* the cursor was sent to the first run with this key or a higher one */
    struct part_loss *lost; /* what of the part was found damaged on the way */
    size_t n_lost, cap_lost;

    struct slab *slab; /* or a sorted slab: a reference */
    uint32_t row;      /* all rows before have keys below `sought` */

    const struct part *tier; /* or what is left of a day whose rows are gone: with `cursor` */
    int64_t width_ms;        /* of its buckets */

    uint32_t day;
    int64_t min_ms, max_ms;
    bool is_in_window;
};

struct tier_rows;

struct scanner {
    struct scanner *next;
    const struct call *call; /* whose scan this is; may be NULL */
    struct source *sources;
    size_t n;
    struct gather rows[KINDS];
    struct arena arena;          /* histograms of one series */
    int64_t *time_ms, *start_ms; /* joined columns */
    double *value;
    struct histogram **hist;
    size_t cap;
    struct tier_rows *tier; /* the series in one day of summaries */
};

struct scanner *scanner_take(struct view *, const struct call *);
void scanner_give_back(struct view *, struct scanner *);
/* Which sources overlap [from_ms, to_ms]. */
void scanner_choose(struct scanner *, int64_t from_ms, int64_t to_ms);
/* All rows of a series in the chosen sources within [from_ms, to_ms]. Borrowed until the next call. */
int scanner_series(struct view *, struct scanner *, const struct series_ref *, int64_t from_ms, int64_t to_ms,
                   struct series_rows *out, struct err *);
/* To be told when something of a part is damaged: what, in damage.h's words. */
struct damage scanner_damage(const struct part *, const struct part_loss *, enum damage_kind);
/* The keys of a series; *one holds a single one. */
struct key_list view_keys(struct view *, const struct series_ref *, series_key *one);
