/* table.h - what tells one table, and one kind of file, from another; all else in the engine is common.
 *
 *     <data>/<table>/<YYYYMMDD>/<level>-<sequence>.<suffix>
 *
 * Metrics are parts of runs and an index of series a day; logs and spans are record parts. A new kind of file
 * is one line in `types` (table.c) and one number in enum file_kind. Constant data, any thread. */
#pragma once
#include "model/record.h"
#include "store/manifest.h"

struct store_file;
struct merge_losses;

/* Joining files of one kind into one. */
struct table_join {
    struct store_file *const *sources; /* neighbours in sequence */
    size_t n;
    const char *path;
    const struct file_id *id; /* of the result */
    int zstd_level;
    int (*throttle)(void *ctx);
    void *ctx;
    struct merge_losses *losses; /* out: what of the sources could not be read */
};

struct file_type {
    enum table table;
    const char *suffix;
    bool has_rows; /* what is kept; else it only helps to find it */
    /* Open f->path; sets rows, min_ms and max_ms of those that have rows. */
    int (*open)(struct store_file *f, struct err *);
    void (*close)(struct store_file *f); /* also of what failed to open */
    int64_t (*verify)(const char *path, void (*report)(void *ctx, const char *text), void *ctx, struct err *);
    int (*join)(const struct table_join *, struct err *);
};

bool file_kind_valid(unsigned kind);
const struct file_type *file_type(enum file_kind);
enum file_kind table_kind(enum table); /* of its rows */

int table_dirs_make(const char *data, struct err *);
int table_dirs_sync(const char *data, struct err *); /* so that a power cut does not forget new days */
