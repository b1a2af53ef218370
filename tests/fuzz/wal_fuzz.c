/* wal_fuzz.c - a segment made of any bytes: frames are found or not, records are read or refused. The first
 * byte chooses: even = the bytes as a segment; odd = as the records of one frame, past the checksum that
 * would keep most inputs out. */
#include <string.h>

#include "base/mem.h"
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

static void read_segment(struct str bytes, const struct wal_visitor *v)
{
    struct buf scratch = BUF_INIT(16u << 20);
    uint64_t lsn, skipped, least = 0;
    struct str raw;
    enum wal_found found;
    for (size_t at = 0;
         (found = wal_frame_next(bytes, &at, least, NULL, &scratch, &lsn, &raw, &skipped)) == WAL_FRAME ||
         found == WAL_HOLE;)
        if (found == WAL_FRAME) {
            wal_records_read(raw, v, NULL);
            least = lsn + 1;
        }
    buf_release(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t sum = 0;
    struct wal_visitor v = { on_series, on_row, on_exemplar, on_metadata, &sum };
    if (size == 0) return 0;
    char *copy = mem_copy(data + 1, size - 1); /* its own allocation, so that one byte too far is seen */
    struct str bytes = str_make(copy, size - 1);
    if (data[0] & 1)
        wal_records_read(bytes, &v, NULL);
    else
        read_segment(bytes, &v);
    mem_free(copy);
    return 0;
}
