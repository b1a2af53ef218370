/* err.h - the world went wrong: a negative code for the program, a sentence for the person who must fix it.
 */
#pragma once

enum {
    OK = 0,
    ERR_IO = -1,       /* the disk or the network said no */
    ERR_PARSE = -2,    /* bytes that are not what they should be */
    ERR_LIMIT = -3,    /* a ceiling: size, count, depth, memory */
    ERR_RANGE = -4,    /* well formed, but not allowed here */
    ERR_FIND = -5,     /* no such thing */
    ERR_ORDER = -6,    /* out of order */
    ERR_BUSY = -7,     /* try again later: a queue is full, a writer is behind */
    ERR_TIMEOUT = -8,  /* the deadline has passed */
    ERR_CANCEL = -9,   /* nobody waits for the answer any more */
    ERR_CORRUPT = -10, /* our own bytes on disk are damaged */
    ERR_UNSUPPORTED = -11,
    ERR_EXEC = -12, /* a query that parses but cannot be evaluated */
    ERR_FULL = -13, /* no space left for writes; reads go on */
};

struct err {
    int code;
    char text[768]; /* always terminated; cut when longer */
};

#define ERR_INIT                                                                                             \
    {                                                                                                        \
        0                                                                                                    \
    }

/* Fill e (may be NULL) and return code, so that `return err_set(e, ERR_PARSE, "...")` reads well. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put "where: " before the text: err_where(e, "rules file %s", path). */
void err_where(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same code and text with ": strerror(errno)" appended. */
int err_errno(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

const char *err_name(int code); /* "parse", "limit", ... for logs and metrics */
