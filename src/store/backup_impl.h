/* backup_impl.h - inside of a directory of backups: what making, restoring, checking and forgetting share. */
#pragma once
#include "store/backup.h"
#include "store/backup_list.h"

#define BACKUP_PATH_MAX 4096

/* "a/b/c"; b and c may be empty. */
int backup_path(char out[BACKUP_PATH_MAX], struct err *, const char *a, const char *b, struct str c);
int backup_object_path(char out[BACKUP_PATH_MAX], const char *target, const struct backup_file *,
                       struct err *);

struct backup_names { /* of the backups there are; sorted, which is by time */
    char (*at)[BACKUP_NAME_MAX];
    size_t n, cap;
};
int backup_names_read(const char *target, struct backup_names *, struct err *); /* free at */
int backup_read(const char *target, const char *name, struct backup_list *, struct err *);

/* Makes the target's directories and removes what was cut short. *lock: close it when done. */
int backup_lock(const char *target, int *lock, struct err *);

struct backup_work {
    const char *target;
    const struct backup_watch *watch;
    struct backup_report *report;
    uint64_t done, all; /* bytes */
    char *block;
};
void backup_work_begin(struct backup_work *, const char *target, const struct backup_watch *,
                       struct backup_report *);
void backup_work_end(struct backup_work *);
void backup_work_did(struct backup_work *, uint64_t bytes);
/* Bytes of `in` hashed, and written to `out` and synced if that is not negative. */
int backup_stream(struct backup_work *, int in, int out, uint64_t bytes, struct hash128 *, struct err *);
