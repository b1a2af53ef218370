/* recover_impl.h - a start, shared by its parts: recover.c (the order of things, series), recover_files.c
 * (which files are the store), recover_log.c (the WAL). Threads: one, before all others. */
#pragma once
#include "base/map.h"
#include "store/covers.h"
#include "store/engine.h"

struct recovery {
    struct engine *s;
    struct manifest_state state;
    struct store_file **files; /* opened */
    size_t n_files, cap_files;
    bool was_damaged;      /* the manifest: it may not know all numbers that were given out */
    struct covers covered; /* writes beyond the manifest's records floor that are in files */
    bool is_silent;        /* some record part does not say which writes it has */

    struct map known;            /* keys that the registry has: by hash */
    struct arena arena;          /* histograms, labels and opened chunks on their way */
    struct records_write staged; /* chunks whose batch has not ended yet */
    uint64_t segment;            /* being read */
    uint64_t rows, lost_rows;
    bool is_full; /* a flush on the way found no room: no more of them */
    struct {
        uint64_t number, bytes;
    } * segments; /* for wal_adopt, once there is a WAL */
    size_t n_segments, cap_segments;
    struct err *e;
};

/* What a killed process had written may be in the page cache only. Before anything leans on it (a file that
 * the manifest dropped is removed, a row is acknowledged whose series an old frame names) the disk must have
 * it. */
int recover_make_safe(const char *path, struct err *);

/* Of the files that are there: the list in r->state becomes the store's, r->files are open, r->covered says
 * which writes of the log they have. */
int recover_files(struct recovery *);

/* The registry knows the series, now at the latest; false: it cannot. */
bool recover_learn(struct recovery *, series_key, struct str packed_labels);
bool recover_know(struct recovery *, series_key); /* looks into the index files of all days */

int recover_log(struct recovery *); /* into the head; then s->wal is open, unless read-only */
