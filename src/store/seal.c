/* seal.c - see seal.h.
 *
 * Always true: a head is on disk before the first byte that is sealed with its key, and a store whose
 * MANIFEST or log exists never gets one.
 *
 * The list of known stores is global, since what reads a page knows its file and nothing of the engine; it is
 * as long as stores are open, and asked once a file. */
#include "store/seal.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/table.h"

#define HEAD_STEP     4096u /* the second copy lies in another sector */
#define HEAD_FILE_MAX (HEAD_STEP + CIPHER_HEAD_BYTES)

struct known {
    struct known *next;
    struct cipher *cipher;
    size_t n;
    char dir[];
};

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER; /* of `stores` */
static struct known *stores;

static bool lies_in(const struct known *k, const char *path)
{
    return strncmp(path, k->dir, k->n) == 0 && path[k->n] == '/';
}

/* A store may lie within another's directory: the longest name that fits. */
static const struct known *find(const char *path)
{
    const struct known *best = NULL;
    for (const struct known *k = stores; k != NULL; k = k->next)
        if (lies_in(k, path) && (best == NULL || k->n > best->n)) best = k;
    return best;
}

struct seal seal_of(const char *path)
{
    struct seal s = { NULL, 0 };
    pthread_mutex_lock(&mu);
    const struct known *k = find(path);
    if (k != NULL) {
        const char *name = path + k->n + 1;
        s = (struct seal){ k->cipher, hash64(name, strlen(name)) };
    }
    pthread_mutex_unlock(&mu);
    return s;
}

struct cipher_user *seal_user(const char *path)
{
    struct seal s = seal_of(path);
    return s.cipher ? cipher_user_new(s.cipher) : NULL;
}

static void make_known(const char *dir, struct cipher *c)
{
    size_t n = strlen(dir);
    struct known *k = mem_alloc_zero(sizeof *k + n + 1);
    k->cipher = c;
    k->n = n;
    memcpy(k->dir, dir, n);
    pthread_mutex_lock(&mu);
    k->next = stores;
    stores = k;
    pthread_mutex_unlock(&mu);
}

void seal_close(const char *dir)
{
    pthread_mutex_lock(&mu);
    struct known **at = &stores, *k;
    while ((k = *at) != NULL && strcmp(k->dir, dir) != 0) at = &k->next;
    if (k != NULL) *at = k->next;
    pthread_mutex_unlock(&mu);
    if (k == NULL) return;
    cipher_free(k->cipher);
    mem_free(k);
}

static struct cipher *cipher_of(const char *dir)
{
    pthread_mutex_lock(&mu);
    struct known *k = stores;
    while (k != NULL && strcmp(k->dir, dir) != 0) k = k->next;
    struct cipher *c = k ? k->cipher : NULL;
    pthread_mutex_unlock(&mu);
    return c;
}

bool seal_is_known(const char *dir)
{
    return cipher_of(dir) != NULL;
}

void seal_share(const char *dir, const char *copy)
{
    struct cipher *c = cipher_of(dir);
    if (c != NULL) make_known(copy, cipher_ref(c));
}

/* ---- the head on disk ---- */

static void head_path(char *out, size_t cap, const char *dir)
{
    snprintf(out, cap, "%s/" SEAL_HEAD_FILE, dir);
}

bool seal_is_needed(const char *dir)
{
    char path[4200];
    head_path(path, sizeof path, dir);
    return file_exists(path);
}

static int head_write(const char *dir, struct str head, struct err *e)
{
    char path[4200];
    struct buf twice = BUF_INIT(HEAD_FILE_MAX);
    head_path(path, sizeof path, dir);
    buf_str(&twice, head);
    while (twice.n < HEAD_STEP) buf_char(&twice, 0);
    buf_str(&twice, head);
    int rc = file_replace(path, buf_view(&twice), e);
    buf_release(&twice);
    return rc;
}

/* One copy or the other; *which of them is wanted. */
static int head_read(const char *dir, bool second, struct buf *file, struct str *head, struct err *e)
{
    char path[4200];
    head_path(path, sizeof path, dir);
    buf_clear(file);
    int rc = file_slurp(path, file, e);
    if (rc < 0) return rc;
    size_t at = second ? HEAD_STEP : 0;
    *head =
        file->n < at + CIPHER_HEAD_BYTES ? (struct str){ "", 0 } : str_make(file->p + at, CIPHER_HEAD_BYTES);
    return OK;
}

static int open_head(const char *dir, const uint8_t key[CIPHER_KEY_BYTES], struct cipher **out, struct err *e)
{
    struct buf file = BUF_INIT(HEAD_FILE_MAX);
    struct str head;
    int rc = head_read(dir, false, &file, &head, e);
    if (rc == OK && (rc = cipher_open(key, head, out, e)) == ERR_CORRUPT) {
        rc = head_read(dir, true, &file, &head, e);
        if (rc == OK) rc = cipher_open(key, head, out, e);
    }
    buf_release(&file);
    return rc;
}

/* ---- what is there ---- */

static int seen(const char *name, bool is_dir, void *ctx)
{
    (void)name, (void)is_dir;
    *(bool *)ctx = true;
    return 0;
}

static bool has_entries(const char *dir, const char *name)
{
    char path[4300];
    bool any = false;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    file_list(path, seen, &any, NULL);
    return any;
}

static bool has_data(const char *dir)
{
    char path[4300];
    snprintf(path, sizeof path, "%s/MANIFEST", dir);
    bool any = file_exists(path) || has_entries(dir, "wal");
    for (int t = 0; t < TABLE_COUNT; t++) any |= has_entries(dir, table_name((enum table)t));
    return any;
}

static int make_head(const char *dir, const uint8_t key[CIPHER_KEY_BYTES], bool may_create,
                     struct cipher **out, struct err *e)
{
    if (has_data(dir))
        return err_set(
            e, ERR_RANGE,
            "encryption: %s holds data that is not encrypted; a key is for a new store, into which "
            "this one can be exported",
            dir);
    if (!may_create) return err_set(e, ERR_FIND, "encryption: %s holds no store", dir);
    struct buf head = BUF_INIT(CIPHER_HEAD_BYTES);
    int rc = cipher_create(key, &head, out, e);
    if (rc == OK && (rc = head_write(dir, buf_view(&head), e)) < 0) {
        cipher_free(*out);
        *out = NULL;
    }
    buf_release(&head);
    return rc;
}

int seal_open(const char *dir, const char *key_file, bool may_create, struct err *e)
{
    uint8_t key[CIPHER_KEY_BYTES];
    struct cipher *c = NULL;
    bool is_sealed = seal_is_needed(dir);
    if (key_file == NULL)
        return is_sealed
                   ? err_set(e, ERR_RANGE,
                             "encryption: %s is encrypted and needs its key: --encryption-key-file FILE", dir)
                   : OK;
    int rc = cipher_key_read(key_file, key, e);
    if (rc == OK) rc = is_sealed ? open_head(dir, key, &c, e) : make_head(dir, key, may_create, &c, e);
    cipher_key_forget(key);
    if (rc == OK) make_known(dir, c);
    return rc;
}

static int rotate(const char *dir, const uint8_t key[CIPHER_KEY_BYTES], const uint8_t next[CIPHER_KEY_BYTES],
                  struct err *e)
{
    struct buf file = BUF_INIT(HEAD_FILE_MAX), fresh = BUF_INIT(CIPHER_HEAD_BYTES);
    struct str head;
    int rc = head_read(dir, false, &file, &head, e);
    if (rc == OK && (rc = cipher_rotate(key, next, head, &fresh, e)) == ERR_CORRUPT) {
        rc = head_read(dir, true, &file, &head, e);
        if (rc == OK) rc = cipher_rotate(key, next, head, &fresh, e);
    }
    if (rc == OK) rc = head_write(dir, buf_view(&fresh), e);
    buf_release(&file);
    buf_release(&fresh);
    return rc;
}

int seal_rotate(const char *dir, const char *key_file, const char *next_key_file, struct err *e)
{
    uint8_t key[CIPHER_KEY_BYTES], next[CIPHER_KEY_BYTES];
    if (!seal_is_needed(dir)) return err_set(e, ERR_FIND, "encryption: %s is not encrypted", dir);
    int rc = cipher_key_read(key_file, key, e);
    if (rc < 0) return rc;
    rc = cipher_key_read(next_key_file, next, e);
    if (rc == OK) rc = rotate(dir, key, next, e);
    cipher_key_forget(key);
    cipher_key_forget(next);
    return rc;
}
