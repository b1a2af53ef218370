/* backup_list.h - the file that is one backup: which files it has, and which objects hold them.
 *
 *     vedette-backup 1
 *     time 1795165200123
 *     4f0c...(32 hex) 1234 1795165100000000000 metrics/day-20778/part-1      hash, bytes, mtime, path
 *     end 9a31...(32 hex)                                                     hash of all before this line
 *
 * Text, so that a person can restore by hand what is left of a damaged target. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

struct backup_file {
    struct str path; /* relative, without . and .. */
    struct hash128 hash;
    uint64_t bytes;
    int64_t mtime_ns; /* of what was copied: with path and bytes it says that a file need not be read again */
};

struct backup_list {
    struct arena arena;
    int64_t time_ms;
    struct backup_file *files; /* by path */
    size_t n, cap;
};

void backup_list_init(struct backup_list *);
void backup_list_release(struct backup_list *);
void backup_list_add(struct backup_list *, const struct backup_file *); /* the path is copied; in order */
const struct backup_file *backup_list_find(const struct backup_list *, struct str path);

int backup_list_read(const char *path, struct backup_list *, struct err *); /* ERR_CORRUPT */
int backup_list_write(const char *path, const struct backup_list *, struct err *);

#define BACKUP_OBJECT_MAX 96
void backup_object_name(char out[BACKUP_OBJECT_MAX], const struct backup_file *); /* "4f/4f0c...-1234" */
