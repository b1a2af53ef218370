/* wal_record.c - see wal_record.h. The row encoder runs under the store's write lock, so it is written for
 * speed: room for a stretch of rows is taken once, then bytes are stored without looking. */
#include "store/wal_record.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/bytes.h"

#define RECORD_HEAD      5
#define STRETCH          1024 /* rows encoded per reservation */
#define SERIES_BYTES_MAX 20   /* two varints */

/* ---- writing ---- */

static size_t record_begin(struct buf *b, enum wal_kind kind)
{
    buf_u8(b, (uint8_t)kind);
    buf_u32le(b, 0);
    return b->n;
}

static void record_end(struct buf *b, size_t payload)
{
    if (b->full) return;
    uint32_t n = (uint32_t)(b->n - payload);
    for (int i = 0; i < 4; i++) b->p[payload - 4 + (size_t)i] = (char)(n >> (8 * i));
}

static void put_str(struct buf *b, struct str s)
{
    buf_varint(b, s.n);
    buf_str(b, s);
}

void wal_put_series(struct buf *b, series_key key, struct str packed)
{
    size_t at = record_begin(b, WAL_SERIES);
    buf_u64le(b, key);
    buf_str(b, packed);
    record_end(b, at);
}

static inline char *varint_to(char *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (char)v;
    return p;
}

/* zigzag(series step) << 1 | metric changed; then zigzag(metric step) if so: one byte for a neighbour. */
static void put_keys(struct buf *b, const series_key *key, size_t n)
{
    series_key before = 0;
    for (size_t i = 0; i < n;) {
        size_t stop = MIN(n, i + STRETCH);
        char *p = buf_room(b, (stop - i) * SERIES_BYTES_MAX), *start = p;
        if (p == NULL) return;
        for (; i < stop; i++) {
            int64_t step = (int64_t)(uint32_t)key[i] - (int64_t)(uint32_t)before;
            int64_t metric = (int64_t)(key[i] >> 32) - (int64_t)(before >> 32);
            p = varint_to(p, zigzag(step) << 1 | (metric != 0));
            if (metric != 0) p = varint_to(p, zigzag(metric));
            before = key[i];
        }
        buf_added(b, (size_t)(p - start));
    }
}

static void put_times(struct buf *b, const int64_t *time_ms, size_t n)
{
    uint64_t before = 0;
    for (size_t i = 0; i < n;) {
        size_t stop = MIN(n, i + STRETCH);
        char *p = buf_room(b, (stop - i) * 10), *start = p;
        if (p == NULL) return;
        for (; i < stop; i++) {
            p = varint_to(p, zigzag((int64_t)((uint64_t)time_ms[i] - before)));
            before = (uint64_t)time_ms[i];
        }
        buf_added(b, (size_t)(p - start));
    }
}

static void put_bits(struct buf *b, const uint64_t *bits, size_t n)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the column is copied as it lies in memory");
    buf_add(b, bits, n * sizeof bits[0]);
}

static void put_histograms(struct buf *b, const uint64_t *bits, size_t n)
{
    struct buf one = BUF_INIT(4u << 20);
    for (size_t i = 0; i < n; i++) {
        buf_clear(&one);
        histogram_pack(&one, (const struct histogram *)(uintptr_t)bits[i]);
        put_str(b, buf_view(&one));
    }
    buf_release(&one);
}

void wal_put_rows(struct buf *b, enum row_kind kind, const series_key *key, const int64_t *time_ms,
                  const uint64_t *bits, size_t n)
{
    static const enum wal_kind kinds[] = {
        [ROW_FLOAT] = WAL_FLOATS, [ROW_HISTOGRAM] = WAL_HISTOGRAMS, [ROW_START] = WAL_STARTS
    };
    size_t at = record_begin(b, kinds[kind]);
    buf_varint(b, n);
    put_keys(b, key, n);
    put_times(b, time_ms, n);
    if (kind == ROW_HISTOGRAM)
        put_histograms(b, bits, n);
    else
        put_bits(b, bits, n);
    record_end(b, at);
}

void wal_put_exemplars(struct buf *b, const struct wal_exemplar *x, size_t n)
{
    size_t at = record_begin(b, WAL_EXEMPLARS);
    for (size_t i = 0; i < n; i++) {
        buf_u64le(b, x[i].key);
        buf_u64le(b, (uint64_t)x[i].time_ms);
        buf_u64le(b, double_bits(x[i].value));
        put_str(b, x[i].labels);
    }
    record_end(b, at);
}

void wal_put_metadata(struct buf *b, const struct wal_metadata *m, size_t n)
{
    size_t at = record_begin(b, WAL_METADATA);
    for (size_t i = 0; i < n; i++) {
        put_str(b, m[i].family);
        put_str(b, m[i].type);
        put_str(b, m[i].help);
        put_str(b, m[i].unit);
    }
    record_end(b, at);
}

void wal_put_records(struct buf *b, const struct wal_records *x)
{
    size_t at = record_begin(b, WAL_RECORDS);
    buf_u64le(b, x->sequence);
    buf_u32le(b, x->place);
    buf_u8(b, (uint8_t)x->table);
    buf_str(b, x->chunk);
    record_end(b, at);
}

void wal_put_batch(struct buf *b, const struct wal_batch *x)
{
    size_t at = record_begin(b, WAL_BATCH);
    buf_u64le(b, x->sequence);
    buf_u64le(b, x->id.lo);
    buf_u64le(b, x->id.hi);
    buf_u64le(b, (uint64_t)x->time_ms);
    record_end(b, at);
}

/* ---- reading ---- */

static int bad(struct err *e, const char *what)
{
    return err_set(e, ERR_CORRUPT, "WAL record: %s", what);
}

static int read_series(struct bytes *b, const struct wal_visitor *v, struct err *e)
{
    series_key key = bytes_u64(b);
    struct str packed = bytes_take(b, bytes_left(b));
    return b->failed ? bad(e, "series cut short") : v->series(v->ctx, key, packed);
}

static void get_keys(struct bytes *b, series_key *key, size_t n)
{
    uint32_t series = 0, metric = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t word = bytes_varint(b);
        series += (uint32_t)unzigzag(word >> 1);
        if (word & 1) metric += (uint32_t)unzigzag(bytes_varint(b));
        key[i] = (series_key)metric << 32 | series;
    }
}

static void get_times(struct bytes *b, int64_t *time_ms, size_t n)
{
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        at += (uint64_t)unzigzag(bytes_varint(b));
        time_ms[i] = (int64_t)at;
    }
}

static int visit_rows(struct bytes *b, enum row_kind kind, const series_key *key, const int64_t *time_ms,
                      size_t n, const struct wal_visitor *v, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        struct str packed = { "", 0 };
        uint64_t bits = 0;
        if (kind == ROW_HISTOGRAM)
            packed = bytes_str(b);
        else
            bits = bytes_u64(b);
        if (b->failed) return bad(e, "values cut short");
        int rc = v->row(v->ctx, kind, key[i], time_ms[i], bits, packed);
        if (rc < 0) return rc;
    }
    return b->p == b->end ? OK : bad(e, "bytes left over after the rows");
}

static int read_rows(struct bytes *b, enum row_kind kind, const struct wal_visitor *v, struct err *e)
{
    uint64_t n = bytes_varint(b);
    if (b->failed || n > bytes_left(b) / 3)
        return bad(e, "more rows than bytes"); /* a row takes three at least */

    series_key *key = mem_array(n, sizeof *key);
    int64_t *time_ms = mem_array(n, sizeof *time_ms);
    get_keys(b, key, n);
    get_times(b, time_ms, n);
    int rc = b->failed ? bad(e, "columns cut short") : visit_rows(b, kind, key, time_ms, n, v, e);
    mem_free(key);
    mem_free(time_ms);
    return rc;
}

static int read_exemplars(struct bytes *b, const struct wal_visitor *v, struct err *e)
{
    while (bytes_left(b) > 0) {
        struct wal_exemplar x = { .key = bytes_u64(b) };
        x.time_ms = (int64_t)bytes_u64(b);
        x.value = double_of(bytes_u64(b));
        x.labels = bytes_str(b);
        if (b->failed) return bad(e, "exemplar cut short");
        int rc = v->exemplar(v->ctx, &x);
        if (rc < 0) return rc;
    }
    return OK;
}

static int read_metadata(struct bytes *b, const struct wal_visitor *v, struct err *e)
{
    while (bytes_left(b) > 0) {
        struct wal_metadata m = { .family = bytes_str(b) };
        m.type = bytes_str(b);
        m.help = bytes_str(b);
        m.unit = bytes_str(b);
        if (b->failed) return bad(e, "metadata cut short");
        int rc = v->metadata(v->ctx, &m);
        if (rc < 0) return rc;
    }
    return OK;
}

static int read_records(struct bytes *b, const struct wal_visitor *v, struct err *e)
{
    struct wal_records x = { .sequence = bytes_u64(b) };
    x.place = bytes_u32(b);
    unsigned table = bytes_u8(b);
    x.chunk = bytes_take(b, bytes_left(b));
    if (b->failed || (table != TABLE_LOGS && table != TABLE_SPANS)) return bad(e, "records of no table");
    x.table = (enum table)table;
    return v->records ? v->records(v->ctx, &x) : OK;
}

static int read_batch(struct bytes *b, const struct wal_visitor *v, struct err *e)
{
    struct wal_batch x = { .sequence = bytes_u64(b) };
    x.id.lo = bytes_u64(b);
    x.id.hi = bytes_u64(b);
    x.time_ms = (int64_t)bytes_u64(b);
    if (b->failed) return bad(e, "end of a batch cut short");
    return v->batch ? v->batch(v->ctx, &x) : OK;
}

static int read_one(uint8_t kind, struct bytes *b, const struct wal_visitor *v, struct err *e)
{
    switch (kind) {
    case WAL_SERIES: return read_series(b, v, e);
    case WAL_FLOATS: return read_rows(b, ROW_FLOAT, v, e);
    case WAL_HISTOGRAMS: return read_rows(b, ROW_HISTOGRAM, v, e);
    case WAL_STARTS: return read_rows(b, ROW_START, v, e);
    case WAL_EXEMPLARS: return read_exemplars(b, v, e);
    case WAL_METADATA: return read_metadata(b, v, e);
    case WAL_RECORDS: return read_records(b, v, e);
    case WAL_BATCH: return read_batch(b, v, e);
    }
    return bad(e, "unknown kind");
}

int wal_records_read(struct str raw, const struct wal_visitor *v, struct err *e)
{
    struct bytes all = bytes_of(raw);
    while (bytes_left(&all) > 0) {
        uint8_t kind = bytes_u8(&all);
        struct bytes payload = bytes_of(bytes_take(&all, bytes_u32(&all)));
        if (all.failed) return bad(e, "cut short");
        int rc = read_one(kind, &payload, v, e);
        if (rc < 0) return rc;
    }
    return OK;
}

size_t wal_record_size(struct str records)
{
    struct bytes b = bytes_of(records);
    bytes_u8(&b);
    uint32_t n = bytes_u32(&b);
    bytes_take(&b, n);
    return b.failed ? records.n : RECORD_HEAD + (size_t)n;
}
