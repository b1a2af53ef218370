/* cipher.c - see cipher.h; AES, GCM, HKDF and random bytes are GnuTLS's.
 *
 *     head:        | "VDCIPHER" | version u32: 1 | salt 32 | data key, sealed 60 | crc32c u32 of the 104
 * before | wrapping:    HKDF-SHA-256(key file, salt, "vedette wrap"), 32 bytes; the head's first 44 are
 * additional data place:       | what u8 | kind u8 | form u8 | zero u8 | length u32 | file u64 | at u64 |
 * additional data
 *
 * Nonces are numbers of 96 bits counted up from a random one that each struct cipher draws. Within one
 * opening none can come twice; two openings that seal 2^40 times each meet with a chance of 2^-55. (A random
 * nonce each time would have to stop after 2^32.) What this does not survive is a copy of the running
 * process, as restored snapshots of virtual machines are: both would count on from the same number.
 *
 * Always true:
 *   1. Nobody gets bytes whose tag did not match.
 *   2. Key material lies in the heap only, and is overwritten before it is freed. */
#include "store/cipher.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/bytes.h"
#include "store/crc32c.h"

#define MAGIC       "VDCIPHER"
#define VERSION     1
#define SALT_BYTES  32
#define FIXED_BYTES 44u /* of the head, before the sealed key */
#define NONCE_BYTES 12
#define TAG_BYTES   16
#define PLACE_BYTES 24

struct cipher {
    atomic_uint refs;
    uint8_t key[CIPHER_KEY_BYTES]; /* of the data */
    uint64_t first_low;            /* the nonce counted from */
    uint32_t first_high;
    _Atomic uint64_t sealed; /* nonces given out */
};

struct cipher_user {
    struct cipher *cipher;
    gnutls_aead_cipher_hd_t aead;
};

/* ---- the key file ---- */

static int check_mode(const char *path, int fd, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0) return err_errno(e, ERR_IO, "%s: cannot be looked at", path);
    if (!S_ISREG(st.st_mode)) return err_set(e, ERR_RANGE, "%s: not a regular file", path);
    if (st.st_mode & (S_IRWXO | S_IWGRP))
        return err_set(e, ERR_RANGE, "%s: mode %04o lets others at the key; use 0400 or 0440", path,
                       (unsigned)st.st_mode & 07777);
    return OK;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f') return (c | 32) - 'a' + 10;
    return -1;
}

static bool key_of_hex(struct str s, uint8_t key[CIPHER_KEY_BYTES])
{
    if (s.n != 2 * CIPHER_KEY_BYTES) return false;
    int bad = 0;
    for (size_t i = 0; i < CIPHER_KEY_BYTES; i++) {
        int high = digit_of(s.p[2 * i]), low = digit_of(s.p[2 * i + 1]);
        bad |= high | low;
        key[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
    }
    return bad >= 0;
}

static bool key_of_file(struct str text, uint8_t key[CIPHER_KEY_BYTES])
{
    if (text.n != CIPHER_KEY_BYTES) return key_of_hex(str_trim(text), key);
    memcpy(key, text.p, CIPHER_KEY_BYTES);
    return true;
}

int cipher_key_read(const char *path, uint8_t key[CIPHER_KEY_BYTES], struct err *e)
{
    char text[2 * CIPHER_KEY_BYTES + 8]; /* and a line end or two */
    int fd = file_open(path, O_RDONLY | O_NONBLOCK, e), rc;
    if (fd < 0) return fd;
    int64_t n = 0;
    if ((rc = check_mode(path, fd, e)) < 0) goto done;
    if ((n = file_size(fd, e)) < 0) {
        rc = (int)n;
        goto done;
    }
    if (n <= (int64_t)sizeof text && (rc = file_read_at(fd, text, (size_t)n, 0, e)) < 0) goto done;
    if (n > (int64_t)sizeof text || !key_of_file(str_make(text, (size_t)n), key))
        rc = err_set(e, ERR_PARSE, "%s: neither 32 bytes nor 64 hexadecimal digits", path);
done:
    file_close(fd, NULL);
    explicit_bzero(text, sizeof text);
    if (rc < 0) cipher_key_forget(key);
    return rc;
}

void cipher_key_forget(uint8_t key[CIPHER_KEY_BYTES])
{
    explicit_bzero(key, CIPHER_KEY_BYTES);
}

/* ---- keys of a store ---- */

static int failed(struct err *e, const char *what, int rc)
{
    return err_set(e, ERR_UNSUPPORTED, "encryption: %s: %s", what, gnutls_strerror(rc));
}

static int derive(const uint8_t key[CIPHER_KEY_BYTES], const uint8_t salt[SALT_BYTES],
                  uint8_t wrapping[CIPHER_KEY_BYTES], struct err *e)
{
    uint8_t secret[32]; /* SHA-256's */
    gnutls_datum_t k = { (unsigned char *)(uintptr_t)key, CIPHER_KEY_BYTES };
    gnutls_datum_t s = { (unsigned char *)(uintptr_t)salt, SALT_BYTES };
    gnutls_datum_t between = { secret, sizeof secret };
    gnutls_datum_t info = { (unsigned char *)(uintptr_t) "vedette wrap", 12 };

    int rc = gnutls_hkdf_extract(GNUTLS_MAC_SHA256, &k, &s, secret);
    if (rc >= 0) rc = gnutls_hkdf_expand(GNUTLS_MAC_SHA256, &between, &info, wrapping, CIPHER_KEY_BYTES);
    explicit_bzero(secret, sizeof secret);
    return rc < 0 ? failed(e, "the wrapping key", rc) : OK;
}

/* AES-256-GCM of the data key under the wrapping key; open: the other way round. */
static int wrap(const uint8_t key[CIPHER_KEY_BYTES], const char *head, bool open,
                uint8_t sealed[CIPHER_KEY_BYTES + CIPHER_OVERHEAD], uint8_t data[CIPHER_KEY_BYTES],
                struct err *e)
{
    uint8_t wrapping[CIPHER_KEY_BYTES];
    gnutls_datum_t k = { wrapping, sizeof wrapping };
    gnutls_aead_cipher_hd_t aead;
    size_t n = open ? CIPHER_KEY_BYTES : CIPHER_KEY_BYTES + TAG_BYTES;
    int rc = derive(key, (const uint8_t *)head + FIXED_BYTES - SALT_BYTES, wrapping, e);
    if (rc < 0) return rc;
    check(gnutls_aead_cipher_init(&aead, GNUTLS_CIPHER_AES_256_GCM, &k) >= 0);
    rc = open ? gnutls_aead_cipher_decrypt(aead, sealed, NONCE_BYTES, head, FIXED_BYTES, TAG_BYTES,
                                           sealed + NONCE_BYTES, CIPHER_KEY_BYTES + TAG_BYTES, data, &n)
              : gnutls_aead_cipher_encrypt(aead, sealed, NONCE_BYTES, head, FIXED_BYTES, TAG_BYTES, data,
                                           CIPHER_KEY_BYTES, sealed + NONCE_BYTES, &n);
    gnutls_aead_cipher_deinit(aead);
    explicit_bzero(wrapping, sizeof wrapping);
    if (rc < 0 && open)
        return err_set(e, ERR_RANGE, "encryption: this is not the key that the store was made with");
    return rc < 0 ? failed(e, "wrapping the data key", rc) : OK;
}

static int cipher_start(struct cipher *c, struct err *e)
{
    uint8_t first[NONCE_BYTES];
    int rc = gnutls_rnd(GNUTLS_RND_RANDOM, first, sizeof first);
    if (rc < 0) return failed(e, "random bytes", rc);
    memcpy(&c->first_low, first, 8);
    memcpy(&c->first_high, first + 8, 4);
    return OK;
}

/* Append the head of a store whose data key is `data`: a fresh salt and nonce each time. */
static int head_put(const uint8_t key[CIPHER_KEY_BYTES], uint8_t data[CIPHER_KEY_BYTES], struct buf *head,
                    struct err *e)
{
    uint8_t salt[SALT_BYTES], sealed[CIPHER_KEY_BYTES + CIPHER_OVERHEAD];
    struct buf own = BUF_INIT(CIPHER_HEAD_BYTES);
    int rc = gnutls_rnd(GNUTLS_RND_KEY, salt, sizeof salt);
    if (rc >= 0) rc = gnutls_rnd(GNUTLS_RND_NONCE, sealed, NONCE_BYTES);
    if (rc < 0) return failed(e, "random bytes", rc);

    buf_cs(&own, MAGIC);
    buf_u32le(&own, VERSION);
    buf_add(&own, salt, sizeof salt);
    rc = wrap(key, own.p, false, sealed, data, e);
    buf_add(&own, sealed, sizeof sealed);
    buf_u32le(&own, crc32c(0, own.p, own.n));
    if (rc == OK) buf_str(head, buf_view(&own));
    if (rc == OK && head->full) rc = err_set(e, ERR_LIMIT, "encryption: no room for the head");
    buf_release(&own);
    return rc;
}

static int head_get(const uint8_t key[CIPHER_KEY_BYTES], struct str head, uint8_t data[CIPHER_KEY_BYTES],
                    struct err *e)
{
    uint8_t sealed[CIPHER_KEY_BYTES + CIPHER_OVERHEAD];
    struct bytes b = bytes_of(head);
    struct str magic = bytes_take(&b, 8);
    uint32_t version = bytes_u32(&b);
    bytes_take(&b, SALT_BYTES);
    struct str stored = bytes_take(&b, sizeof sealed);
    uint32_t crc = bytes_u32(&b);
    if (b.failed || bytes_left(&b) != 0 || !str_is(magic, MAGIC) ||
        crc32c(0, head.p, CIPHER_HEAD_BYTES - 4) != crc)
        return err_set(e, ERR_CORRUPT,
                       "encryption: the store's head is damaged; nothing can be read without it");
    if (version != VERSION)
        return err_set(e, ERR_UNSUPPORTED, "encryption: version %u is not known", version);
    memcpy(sealed, stored.p, sizeof sealed);
    return wrap(key, head.p, true, sealed, data, e);
}

static struct cipher *cipher_new(void)
{
    struct cipher *c = mem_alloc_zero(sizeof *c);
    atomic_init(&c->refs, 1);
    return c;
}

int cipher_create(const uint8_t key[CIPHER_KEY_BYTES], struct buf *head, struct cipher **out, struct err *e)
{
    struct cipher *c = cipher_new();
    int rc = gnutls_rnd(GNUTLS_RND_KEY, c->key, sizeof c->key);
    rc = rc < 0 ? failed(e, "random bytes", rc) : cipher_start(c, e);
    if (rc == OK) rc = head_put(key, c->key, head, e);
    if (rc < 0) {
        cipher_free(c);
        return rc;
    }
    *out = c;
    return OK;
}

int cipher_open(const uint8_t key[CIPHER_KEY_BYTES], struct str head, struct cipher **out, struct err *e)
{
    struct cipher *c = cipher_new();
    int rc = head_get(key, head, c->key, e);
    if (rc == OK) rc = cipher_start(c, e);
    if (rc < 0) {
        cipher_free(c);
        return rc;
    }
    *out = c;
    return OK;
}

int cipher_rotate(const uint8_t key[CIPHER_KEY_BYTES], const uint8_t next[CIPHER_KEY_BYTES], struct str head,
                  struct buf *fresh, struct err *e)
{
    uint8_t data[CIPHER_KEY_BYTES];
    int rc = head_get(key, head, data, e);
    if (rc == OK) rc = head_put(next, data, fresh, e);
    explicit_bzero(data, sizeof data);
    return rc;
}

struct cipher *cipher_ref(struct cipher *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void cipher_free(struct cipher *c)
{
    if (c == NULL || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 1) return;
    cipher_key_forget(c->key);
    mem_free(c);
}

/* ---- sealing ---- */

struct cipher_user *cipher_user_new(struct cipher *c)
{
    struct cipher_user *u = mem_alloc_zero(sizeof *u);
    gnutls_datum_t key = { c->key, CIPHER_KEY_BYTES };
    u->cipher = cipher_ref(c);
    check(gnutls_aead_cipher_init(&u->aead, GNUTLS_CIPHER_AES_256_GCM, &key) >= 0);
    return u;
}

void cipher_user_free(struct cipher_user *u)
{
    if (u == NULL) return;
    gnutls_aead_cipher_deinit(u->aead);
    cipher_free(u->cipher);
    mem_free(u);
}

static void put_u64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)(v >> 8 * i);
}

static void place_put(uint8_t p[PLACE_BYTES], const struct cipher_place *place)
{
    memset(p, 0, PLACE_BYTES);
    p[0] = (uint8_t)place->what;
    p[1] = place->kind;
    p[2] = place->form;
    for (int i = 0; i < 4; i++) p[4 + i] = (uint8_t)(place->length >> 8 * i);
    put_u64(p + 8, place->file);
    put_u64(p + 16, place->at);
}

static void next_nonce(struct cipher *c, uint8_t nonce[NONCE_BYTES])
{
    uint64_t i = atomic_fetch_add_explicit(&c->sealed, 1, memory_order_relaxed);
    uint64_t low = c->first_low + i;
    uint32_t high = c->first_high + (low < i);
    put_u64(nonce, low);
    for (int b = 0; b < 4; b++) nonce[8 + b] = (uint8_t)(high >> 8 * b);
}

void cipher_seal(struct cipher_user *u, const struct cipher_place *place, struct str plain, struct buf *out)
{
    uint8_t bound[PLACE_BYTES];
    size_t room = plain.n + TAG_BYTES;
    char *to = buf_room(out, CIPHER_OVERHEAD + plain.n);
    if (to == NULL) return;
    place_put(bound, place);
    next_nonce(u->cipher, (uint8_t *)to);
    int rc = gnutls_aead_cipher_encrypt(u->aead, to, NONCE_BYTES, bound, sizeof bound, TAG_BYTES,
                                        plain.n ? plain.p : "", plain.n, to + NONCE_BYTES, &room);
    check(rc >= 0 && room == plain.n + TAG_BYTES);
    buf_added(out, CIPHER_OVERHEAD + plain.n);
}

int cipher_unseal(struct cipher_user *u, const struct cipher_place *place, struct str sealed, struct buf *out,
                  struct err *e)
{
    if (sealed.n < CIPHER_OVERHEAD) return err_set(e, ERR_CORRUPT, "sealed bytes: %zu are too few", sealed.n);
    uint8_t bound[PLACE_BYTES];
    size_t n = sealed.n - CIPHER_OVERHEAD, room = MAX(n, 1u); /* empty ones have a place, too */
    char *to = buf_room(out, room);
    if (to == NULL)
        return err_set(e, ERR_LIMIT, "sealed bytes: %zu are above the ceiling of %zu", n, out->max);
    place_put(bound, place);
    int rc = gnutls_aead_cipher_decrypt(u->aead, sealed.p, NONCE_BYTES, bound, sizeof bound, TAG_BYTES,
                                        sealed.p + NONCE_BYTES, sealed.n - NONCE_BYTES, to, &room);
    if (rc < 0 || room != n)
        return err_set(e, ERR_CORRUPT, "sealed bytes: changed, moved from elsewhere, or of another key");
    buf_added(out, n);
    return OK;
}
