/* wal_fuzz.c - a segment made of any bytes: frames are found or not, records are read or refused. The first
 * byte chooses: bit 0 clear = the bytes as a segment; set = as the records of one frame, past the checksum
 * that would keep most inputs out. Bit 1: of a sealed store. Then a segment must yield nothing, and the
 * records go through a sealed frame of which, with bit 2, one byte is another, whose checksum is right. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/crc32c.h"
#include "store/wal.h"
#include "store/wal_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_series(void *ctx, series_key key, struct str packed)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct labels l;
    (void)ctx, (void)key;
    labels_unpack_checked(packed, &a, &l, NULL);
    arena_release(&a);
    return OK;
}

static int on_row(void *ctx, enum row_kind kind, series_key key, int64_t t, uint64_t bits, struct str packed)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct histogram *h;
    (void)ctx, (void)key, (void)t, (void)bits;
    if (kind == ROW_HISTOGRAM) histogram_unpack(packed, &a, &h, NULL);
    arena_release(&a);
    return OK;
}

static int on_exemplar(void *ctx, const struct wal_exemplar *x)
{
    *(size_t *)ctx += x->labels.n;
    return OK;
}

static int on_metadata(void *ctx, const struct wal_metadata *m)
{
    *(size_t *)ctx += m->family.n + m->type.n + m->help.n + m->unit.n;
    return OK;
}

static int on_records(void *ctx, const struct wal_records *x)
{
    struct arena a = ARENA_INIT(16u << 20);
    struct record_reader reader;
    *(size_t *)ctx += record_chunk_open(&reader, x->chunk, &a, NULL) == OK ? reader.n : 0;
    arena_release(&a);
    return OK;
}

static int on_batch(void *ctx, const struct wal_batch *b)
{
    *(size_t *)ctx += b->sequence > 0;
    return OK;
}

static struct cipher_user *user_of_store(void)
{
    static struct cipher *cipher;
    static struct cipher_user *user;
    struct buf head = BUF_INIT(4096);
    if (user != NULL) return user;
    check(cipher_create((const uint8_t[CIPHER_KEY_BYTES]){ 7 }, &head, &cipher, NULL) == OK);
    buf_release(&head);
    return user = cipher_user_new(cipher);
}

/* One byte of what the frame's checksum covers, and the checksum of that. */
static void change_byte(struct buf *frame, uint8_t which)
{
    size_t at = 12 + which * 7919u % (frame->n - 12);
    frame->p[at] = (char)(frame->p[at] ^ 1 << which % 8);
    uint32_t crc = crc32c(0, frame->p + 12, frame->n - 12);
    memcpy(frame->p + 8, &crc, sizeof crc);
}

static void through_a_seal(struct str raw, const struct wal_visitor *v, bool is_changed, uint8_t which)
{
    struct buf frame = BUF_INIT(64u << 20), scratch = BUF_INIT(16u << 20);
    uint64_t lsn, skipped;
    size_t at = 0;
    struct str got;
    wal_frame_put(&frame, 5, raw, user_of_store());
    if (is_changed) change_byte(&frame, which);
    enum wal_found found =
        wal_frame_next(buf_view(&frame), &at, 0, user_of_store(), &scratch, &lsn, &got, &skipped);
    check((found == WAL_FRAME) == !is_changed);
    if (!is_changed) {
        check(lsn == 5 && str_eq(got, raw));
        wal_records_read(got, v, NULL);
    }
    buf_release(&frame);
    buf_release(&scratch);
}

static void read_segment(struct str bytes, struct cipher_user *user, const struct wal_visitor *v)
{
    struct buf scratch = BUF_INIT(16u << 20);
    uint64_t lsn, skipped, least = 0;
    struct str raw;
    enum wal_found found;
    for (size_t at = 0;
         (found = wal_frame_next(bytes, &at, least, user, &scratch, &lsn, &raw, &skipped)) == WAL_FRAME ||
         found == WAL_HOLE;)
        if (found == WAL_FRAME) {
            check(user == NULL); /* who could have sealed it? */
            wal_records_read(raw, v, NULL);
            least = lsn + 1;
        }
    buf_release(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t sum = 0;
    struct wal_visitor v = { on_series, on_row, on_exemplar, on_metadata, &sum, on_records, on_batch };
    if (size == 0) return 0;
    char *copy = mem_copy(data + 1, size - 1); /* its own allocation, so that one byte too far is seen */
    struct str bytes = str_make(copy, size - 1);
    if ((data[0] & 3) == 3 && bytes.n > 0)
        through_a_seal(bytes, &v, data[0] & 4, data[0] >> 3);
    else if (data[0] & 1)
        wal_records_read(bytes, &v, NULL);
    else
        read_segment(bytes, data[0] & 2 ? user_of_store() : NULL, &v);
    mem_free(copy);
    return 0;
}
