/* view.h - the inside of a view, shared by view.c (which series), labels.c (names and values) and scan.c
 * (rows). */
#pragma once
#include "store/engine.h"
#include "store/gather.h"

/* A series with several keys: its labels were forgotten and came again under a new number. */
struct key_list {
    series_key *at;
    size_t n;
};
#define SERIES_HAS_LIST (1ull << 63) /* in series_ref.id: an index into lists, else the id is the key */

struct scanner;

struct view {
    struct store_view base; /* first: this is a struct store_view */
    struct engine *s;
    int64_t from_ms, to_ms;
    struct version *version;
    struct head_pin flushing, head;

    pthread_mutex_t mu;
    struct scanner *idle;   /* mu: scanners that no thread uses now */
    struct key_list *lists; /* mu: grows only */
    size_t n_lists, cap_lists;
};

static inline struct view *view_of(struct store_view *v)
{
    return (struct view *)(void *)v;
}

/* Days with rows in the view, sorted; arena. */
size_t view_days(const struct view *, struct arena *, uint32_t **out);
/* The indexes that a day of this view needs beside the registry (which is asked when *ask_registry): those of
 * the version pinned and those of now, since the series of a pinned head may have gone to a file meanwhile.
 * Call with days_lock held; hold it until the indexes have been used. `now` keeps them open: unref it
 * afterwards. */
struct day_sources {
    bool ask_registry;
    struct day_index **at; /* arena */
    size_t n;
};
void view_day_sources(const struct view *, const struct version *now, uint32_t day, struct arena *,
                      struct day_sources *);

/* The rows of one day as they are in files, not in memory; close it with view_do_close. */
struct view *view_of_files(struct engine *, struct version *, uint32_t day);

/* scan.c */
void scanner_free(struct scanner *);
