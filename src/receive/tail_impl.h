/* tail_impl.h - what the files of the tailer share: tail_conf.c reads the section, tail_file.c turns bytes of
 * one file into records, tail_state.c remembers how far files were read, tail.c finds files and goes round.
 */
#pragma once
#include <sys/types.h>

#include "base/regex.h"
#include "receive/tail.h"

#define TAIL_FILES_MAX   4096
#define TAIL_LINE_MAX    (1u << 20)      /* of one record; longer ones are cut */
#define TAIL_READ_BYTES  (TAIL_LINE_MAX) /* of one file in one round */
#define TAIL_ROUND_BYTES (4u << 20)      /* of all files in one round */
#define TAIL_HEAD_BYTES  256             /* of a file's beginning, by which it is known */

enum tail_format { TAIL_AUTO, TAIL_JSON, TAIL_PLAIN };

struct tail_entry {
    struct str name, service;
    struct str *paths, *exclude; /* globs */
    size_t n_paths, n_exclude;
    struct attr *resource; /* names begin with "resource." */
    size_t n_resource;
    enum tail_format format;
    struct regex *start; /* multiline_start; NULL: a line a record */
    bool from_end;
    struct stat *lines, *cut, *truncated;
};

struct tail_conf {
    struct arena arena;
    struct tail_entry *at;
    size_t n;
};

struct tailed {
    const struct tail_entry *entry; /* NULL: only remembered, not seen yet */
    char *path;
    int fd; /* -1: not open */
    uint64_t dev, ino;
    uint64_t at;    /* bytes that are durable as records */
    uint64_t taken; /* of the round under way */
    uint64_t head;  /* hash of its first head_n bytes */
    uint32_t head_n;
    uint64_t size_seen;
    int64_t grown_ms; /* monotonic: when it last grew */
    bool is_listed;   /* a glob found it this time */
    bool skips;       /* in the middle of a line that was cut */
    bool skips_next;  /* of the round under way */
};

/* ---- tail_file.c ---- */

struct tail_bytes {
    struct str bytes; /* of the file, from f->at */
    bool is_last;     /* the file has no more, and will have no more for now: take what has no end, too */
};

/* Whole records into the sink; f->taken is how many bytes they were. */
int tail_take(struct tailed *, const struct tail_bytes *, struct record_sink *, struct err *);

/* ---- tail_state.c ---- */

/* What was remembered, as tailed files without entry; a broken file is none, and said. */
void tail_state_read(const char *path, struct tailed **files, size_t *n, size_t *cap);
int tail_state_write(const char *path, const struct tailed *files, size_t n, struct err *);
