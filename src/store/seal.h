/* seal.h - which files are sealed, and with what: those of a store that has a CIPHER file.
 *
 *     <data>/CIPHER    the head of its cipher, twice, 4096 bytes apart: the first sound one counts
 *
 * A store is made known by its directory before anything in it is read, and every file finds its cipher by
 * the path it has: a file's seal is the cipher and a hash of its name within the store, which is the same in
 * a snapshot. Paths are compared as they are spelled, so a store's files are named with the directory's own
 * spelling.
 *
 * Threads: any. A seal is borrowed: files are closed before seal_close. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/cipher.h"

#define SEAL_HEAD_FILE "CIPHER"

struct seal {
    struct cipher *cipher; /* NULL: not sealed */
    uint64_t file;
};
struct seal seal_of(const char *path);
struct cipher_user *seal_user(const char *path); /* of its cipher; yours; NULL: not sealed */

/* Makes the store in `dir` known. key_file NULL: nothing is sealed. ERR_RANGE with a sentence for the
 * operator: a sealed store without a key, another key, a key for a store that holds plain data. An empty
 * store gets its head when may_create. */
int seal_open(const char *dir, const char *key_file, bool may_create, struct err *);
void seal_close(const char *dir); /* unknown: nothing happens */
/* `copy` is sealed like `dir` until seal_close(copy): a snapshot being made. */
void seal_share(const char *dir, const char *copy);

bool seal_is_known(const char *dir);  /* it is sealed, and the key is there */
bool seal_is_needed(const char *dir); /* it has a head */
/* The data key under another key file; durable when OK, and nothing else is rewritten. */
int seal_rotate(const char *dir, const char *key_file, const char *next_key_file, struct err *);
