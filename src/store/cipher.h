/* cipher.h - bytes at rest that only the holder of the key file can read, and nobody can change, move or swap
 * unseen: AES-256-GCM.
 *
 *     sealed:    | nonce 12 | as many bytes as there were | tag 16 |
 *
 * A store has one data key, drawn when it is made. It lies in the store's head, wrapped by a key that comes
 * of the key file's 32 bytes and a salt (HKDF with SHA-256): another key file costs a new head, not a new
 * store. Without the head nothing can be read. Where something lies (struct cipher_place) is authenticated
 * with it.
 *
 * Threads: a struct cipher serves any; each thread seals and unseals with a user of its own. Bytes:
 * docs/format-cipher.md. */
#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CIPHER_KEY_BYTES  32u
#define CIPHER_HEAD_BYTES 108u
#define CIPHER_OVERHEAD   28u /* of sealed bytes over plain ones */

/* 32 raw bytes or 64 hexadecimal digits, alone in a regular file that others may not read nor its group
 * write. */
int cipher_key_read(const char *path, uint8_t key[CIPHER_KEY_BYTES], struct err *);
void cipher_key_forget(uint8_t key[CIPHER_KEY_BYTES]); /* overwrites it */

/* ---- one store ---- */

struct cipher;
/* For a new store: appends its head to `head`, to be made durable before anything is sealed. */
int cipher_create(const uint8_t key[CIPHER_KEY_BYTES], struct buf *head, struct cipher **, struct err *);
/* ERR_CORRUPT: the head is damaged; ERR_RANGE: the key is not the one of this store. */
int cipher_open(const uint8_t key[CIPHER_KEY_BYTES], struct str head, struct cipher **, struct err *);
/* The same data key under another key file; appended to `fresh`, which takes the head's place. Errors as
 * above.
 */
int cipher_rotate(const uint8_t key[CIPHER_KEY_BYTES], const uint8_t next[CIPHER_KEY_BYTES], struct str head,
                  struct buf *fresh, struct err *);
struct cipher *cipher_ref(struct cipher *);
void cipher_free(struct cipher *); /* one reference; gone with the last one, and with the last of its users */

/* ---- sealing ---- */

/* On disk: never renumber. */
enum cipher_what { CIPHER_PAGE = 1, CIPHER_WAL_FRAME = 2, CIPHER_RECORD = 3, CIPHER_MANIFEST = 4 };

struct cipher_place {
    enum cipher_what what;
    uint8_t kind; /* of page, of record file; else 0 */
    uint64_t file,
        at;          /* which file (a hash of its name within the store), where in it (offset, lsn, number) */
    uint8_t form;    /* of page: how its body is compressed */
    uint32_t length; /* of page: unwrapped */
};

struct cipher_user; /* one thread each */
struct cipher_user *cipher_user_new(struct cipher *);
void cipher_user_free(struct cipher_user *);

/* Append plain, sealed, to out. */
void cipher_seal(struct cipher_user *, const struct cipher_place *, struct str plain, struct buf *out);
/* Append what was sealed to out. ERR_CORRUPT when key, place or any bit is another; nothing is added then. */
int cipher_unseal(struct cipher_user *, const struct cipher_place *, struct str sealed, struct buf *out,
                  struct err *);
