/* manifest.h - which files make up the store: an append-only list of edits, each whole or not there.
 *
 * An edit adds and drops files, moves the WAL floor and remembers the series numbers given out, all in one
 * record with a checksum. Loading replays the records up to the first bad one. When the file has grown to
 * four times what is alive it is written anew beside itself and renamed; the one before stays as
 * MANIFEST.prev. Bytes: docs/format-manifest.md.
 *
 * Threads: loading is pure; an open manifest belongs to one thread at a time (catalog.c has the lock). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "model/record.h"

/* On disk: never renumber. What differs between them: table.h. */
enum file_kind {
    FILE_PART = 1,
    FILE_INDEX = 2,
    FILE_LOGS = 3,
    FILE_SPANS = 4,
    FILE_TIER_5M = 5, /* summaries: tier.h */
    FILE_TIER_1H = 6,
};

/* Names a file: <dir>/<table>/<YYYYMMDD>/<level>-<sequence>.part or .idx */
struct file_id {
    uint32_t day; /* since 1970 */
    enum file_kind kind;
    uint32_t level;
    uint64_t sequence;
    bool is_final; /* the one part of a closed day, packed as small as it gets */
};
void file_id_path(char *out, size_t cap, const char *dir, const struct file_id *);
bool file_id_parse(enum table, const char *day_dir, const char *name,
                   struct file_id *); /* from the two last parts of the path */
int file_id_cmp(const struct file_id *,
                const struct file_id *); /* by day, kind, sequence, level; is_final ignored */
void day_dir_path(char *out, size_t cap, const char *dir, enum table, uint32_t day);

struct manifest_state {
    struct file_id *files; /* sorted */
    size_t n, cap;
    uint64_t wal_floor;                      /* segments below are not needed */
    uint32_t next_series_no, next_metric_no; /* at least these were given out */
    uint64_t next_sequence;
    uint64_t records_floor; /* writes of logs and spans up to this number are in parts */
    bool is_damaged; /* a record was unreadable, or the file is not there: the list may lack files that exist
                      */
    uint64_t bytes;  /* read up to here */
};
void manifest_state_release(struct manifest_state *);

struct manifest_edit {
    const struct file_id *add, *drop;
    size_t n_add, n_drop;
    uint64_t wal_floor; /* 0: as it is; likewise the numbers */
    uint32_t next_series_no, next_metric_no;
    uint64_t records_floor;
};

/* Apply every good record of bytes, which are not sealed. See is_damaged. */
void manifest_parse(struct str bytes, struct manifest_state *);
/* Read <dir>/MANIFEST, or the previous one when it cannot be read at all. Only disk errors are errors, and a
 * manifest that is sealed when the store's key is not here: ERR_RANGE. */
int manifest_load(const char *dir, struct manifest_state *, struct err *);

struct manifest;
/* Takes the state over (it is released with the manifest). A damaged or missing file is written anew at once,
 * on a full disk with the next edit. */
int manifest_open(const char *dir, struct manifest_state *, struct manifest **out, struct err *);
void manifest_close(struct manifest *);
const struct manifest_state *manifest_state(const struct manifest *);

/* Durable when OK. After an error nobody can know whether the disk has the edit: files named in it must stay
 * until manifest_settle (or the next apply) has answered OK. */
int manifest_apply(struct manifest *, const struct manifest_edit *, struct err *);
/* The file says what manifest_state says, and nothing else. Cheap when nothing had failed. */
int manifest_settle(struct manifest *, struct err *);

/* A manifest for another directory (snapshot): whole, synced. */
int manifest_write(const char *dir, const struct manifest_state *, struct err *);
