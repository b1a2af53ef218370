#include "store/record_file.h"

#include <string.h>

#include "base/file.h"
#include "store/bytes.h"
#include "store/crc32c.h"
#include "store/seal.h"

#define MAGIC_BYTES 8
#define HEAD_BYTES  8
#define FILE_MAX    ((size_t)1 << 30)
#define SEALED      0x80000000u /* of length */

void record_file_begin(struct buf *b, const char *magic)
{
    buf_add(b, magic, MAGIC_BYTES);
}

static uint32_t checksum(uint32_t length, struct str payload)
{
    unsigned char bytes[4];
    for (int i = 0; i < 4; i++) bytes[i] = (unsigned char)(length >> (8 * i));
    return crc32c(crc32c(0, bytes, sizeof bytes), payload.p, payload.n);
}

static void record_add(struct buf *b, struct str payload, uint32_t flag)
{
    uint32_t length = (uint32_t)payload.n | flag;
    buf_u32le(b, length);
    buf_u32le(b, checksum(length, payload));
    buf_str(b, payload);
}

void record_file_add(struct buf *b, struct str payload)
{
    record_add(b, payload, 0);
}

/* ---- sealing ---- */

struct sealing {
    struct seal seal;
    struct cipher_user *user; /* NULL: not sealed */
    uint64_t number;          /* of the next record */
    struct buf scratch;
};

static struct sealing sealing_of(const char *path)
{
    return (struct sealing){ .seal = seal_of(path), .user = seal_user(path), .scratch = BUF_INIT(FILE_MAX) };
}

static void sealing_release(struct sealing *s)
{
    cipher_user_free(s->user);
    buf_release(&s->scratch);
}

static struct cipher_place next_place(struct sealing *s)
{
    return (struct cipher_place){ .what = CIPHER_RECORD, .file = s->seal.file, .at = s->number++ };
}

/* The same file with every record sealed. */
static void seal_records(struct sealing *s, struct str plain, struct buf *out)
{
    struct bytes in = bytes_of(plain);
    buf_str(out, bytes_take(&in, MAGIC_BYTES));
    while (bytes_left(&in) > 0) {
        uint32_t length = bytes_u32(&in);
        bytes_u32(&in);
        struct cipher_place place = next_place(s);
        buf_clear(&s->scratch);
        cipher_seal(s->user, &place, bytes_take(&in, length), &s->scratch);
        record_add(out, buf_view(&s->scratch), SEALED);
    }
}

int record_file_write(const char *path, struct str file, struct err *e)
{
    struct sealing s = sealing_of(path);
    struct buf sealed = BUF_INIT(SIZE_MAX / 4);
    if (s.user != NULL) seal_records(&s, file, &sealed);
    int rc = file_replace(path, s.user ? buf_view(&sealed) : file, e);
    buf_release(&sealed);
    sealing_release(&s);
    return rc;
}

/* The payload as it was added. */
static int record_open(struct sealing *s, bool is_sealed, struct str *payload, struct err *e)
{
    if (is_sealed != (s->user != NULL))
        return err_set(e, ERR_CORRUPT, "%s",
                       is_sealed ? "it is sealed, and the key is not here"
                                 : "it is not sealed, in a store that is");
    if (!is_sealed) return OK;
    struct cipher_place place = next_place(s);
    buf_clear(&s->scratch);
    int rc = cipher_unseal(s->user, &place, *payload, &s->scratch, e);
    *payload = buf_view(&s->scratch);
    return rc;
}

static int read_records(struct bytes *in, struct sealing *s,
                        int (*visit)(void *ctx, struct str payload, struct err *), void *ctx, struct err *e)
{
    for (size_t n = 0; bytes_left(in) > 0; n++) {
        uint32_t length = bytes_u32(in), crc = bytes_u32(in);
        struct str payload = bytes_take(in, length & ~SEALED);
        if (in->failed || checksum(length, payload) != crc)
            return err_set(e, ERR_CORRUPT, "record %zu is damaged", n);
        int rc = record_open(s, length & SEALED, &payload, e);
        if (rc < 0) err_where(e, "record %zu", n);
        if (rc == OK) rc = visit(ctx, payload, e);
        if (rc < 0) return rc;
    }
    return OK;
}

int record_file_read(const char *path, const char *magic,
                     int (*visit)(void *ctx, struct str payload, struct err *), void *ctx, struct err *e)
{
    struct buf file = BUF_INIT(FILE_MAX);
    struct err mine = ERR_INIT;
    struct sealing s = sealing_of(path);
    int rc = file_slurp(path, &file, &mine);
    if (rc == OK) {
        struct bytes in = bytes_of(buf_view(&file));
        struct str start = bytes_take(&in, MAGIC_BYTES);
        bool ours = start.n == MAGIC_BYTES && memcmp(start.p, magic, MAGIC_BYTES) == 0;
        rc = ours ? read_records(&in, &s, visit, ctx, &mine)
                  : err_set(&mine, ERR_CORRUPT, "not a file of this kind");
        if (rc < 0) err_where(&mine, "%s", path);
    }
    buf_release(&file);
    sealing_release(&s);
    if (rc == ERR_FIND) return OK;
    if (rc < 0 && e != NULL) *e = mine;
    return rc;
}

/* ---- what is kept in memory ---- */

static void set_dirty(const struct record_file *f, bool is_dirty)
{
    pthread_mutex_lock(f->mu);
    *f->is_dirty = is_dirty;
    pthread_mutex_unlock(f->mu);
}

int record_file_save(const char *path, const struct record_file *f, struct err *e)
{
    struct buf file = BUF_INIT(SIZE_MAX / 4), scratch = BUF_INIT(64 << 10);
    pthread_mutex_lock(f->mu);
    bool was_dirty = *f->is_dirty;
    record_file_begin(&file, f->magic);
    if (was_dirty) f->put(f->ctx, &file, &scratch);
    *f->is_dirty = false;
    pthread_mutex_unlock(f->mu);

    int rc = was_dirty ? record_file_write(path, buf_view(&file), e) : OK;
    if (rc < 0) set_dirty(f, true);
    buf_release(&file);
    buf_release(&scratch);
    return rc;
}

int record_file_load(const char *path, const struct record_file *f, struct err *e)
{
    int rc = record_file_read(path, f->magic, f->take, f->ctx, e);
    if (rc == OK) set_dirty(f, false);
    return rc;
}
