/* record_file.h - a small file of records that is always rewritten whole: what exemplars and metadata
 * are kept in.
 *
 *     | magic 8 | record: length u32 | crc32c u32 over length and payload | payload | ... |    little-endian
 *
 * In a sealed store the top bit of length is set and the payload is sealed, CIPHER_OVERHEAD longer; its place
 * is the file and which record it is.
 *
 * Written through file_replace, so a crash leaves the old file or the new one. Damage costs the
 * records from the damaged one on, never the start. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* What is kept in memory and saved in such a file. */
struct record_file {
    const char *magic;   /* 8 characters */
    pthread_mutex_t *mu; /* of what is kept, and of: */
    bool *is_dirty;      /* something has changed since the last save */
    void (*put)(void *ctx, struct buf *file, struct buf *scratch); /* all of it; under mu */
    int (*take)(void *ctx, struct str payload, struct err *);      /* one record of the file; not under mu */
    void *ctx;
};

/* Rewrites path if something has changed; after an error it is still to be written. */
int record_file_save(const char *path, const struct record_file *, struct err *);
/* Adds to what is there. After ERR_CORRUPT what was sound is kept, and the next save mends the file. */
int record_file_load(const char *path, const struct record_file *, struct err *);

void record_file_begin(struct buf *, const char *magic);
void record_file_add(struct buf *, struct str payload);
/* In place of what path holds; sealed when its store is. */
int record_file_write(const char *path, struct str file, struct err *);

/* visit() for each sound record; its negative answer stops and is returned. A missing file is an empty
 * one. ERR_CORRUPT, with the sound records delivered, when the file is damaged. */
int record_file_read(const char *path, const char *magic,
                     int (*visit)(void *ctx, struct str payload, struct err *), void *ctx, struct err *);
