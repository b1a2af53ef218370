/* prom_write_row.h - what both versions of remote write do with one series; for prom_write*.c only. */
#pragma once
#include "decode/prom_write.h"
#include "decode/protobuf.h"

struct prom_write {
    struct batch *batch;
    struct arena *arena;
    const struct decode_limits *limits;
    struct write_result *refused;
    struct err *err;
    size_t series_no; /* index of the series at hand in the message, for texts */
};

/* Where the batch stood before a series, to take it back whole. */
struct batch_mark {
    size_t series, rows, exemplars;
};
static inline struct batch_mark batch_mark(const struct batch *b)
{
    return (struct batch_mark){ b->n_series, b->n_rows, b->n_exemplars };
}
/* Returns how many samples and histograms went. */
static inline size_t batch_take_back(struct batch *b, struct batch_mark m)
{
    size_t rows = b->n_rows - m.rows;
    b->n_series = m.series;
    b->n_rows = m.rows;
    b->n_exemplars = m.exemplars;
    return rows;
}

/* OK while the message keeps to its ceilings. */
static inline int prom_write_room(struct prom_write *w)
{
    const struct batch *b = w->batch;
    if (LIKELY(b->n_rows + b->n_exemplars + b->n_metadata < w->limits->rows && !arena_over(w->arena)))
        return OK;
    if (arena_over(w->arena))
        return err_set(w->err, ERR_LIMIT, "the message does not fit the memory of one request");
    return err_set(w->err, ERR_LIMIT, "more than %llu samples in one request",
                   (unsigned long long)w->limits->rows);
}

/* A wire error inside sub: ERR_PARSE with the place. */
int prom_write_broken(struct prom_write *w, const struct pb *sub, const char *field);

/* One sample or histogram message into the series just begun. */
int prom_write_any_sample(struct prom_write *w, const struct pb *series, struct str message);
int prom_write_histogram(struct prom_write *w, const struct pb *series, struct str message);

/* Nearly every sample is  09 <8 bytes of value> 10 <time, up to 7 bytes>  and can be read at a glance. */
static inline int prom_write_sample(struct prom_write *w, const struct pb *series, struct str message)
{
    const uint8_t *p = (const uint8_t *)message.p;
    if (UNLIKELY(message.n < 11 || message.n > 17 || p[0] != PB_I64(1) || p[9] != PB_VARINT(2) ||
                 p[message.n - 1] >= 0x80))
        return prom_write_any_sample(w, series, message);

    uint64_t time = 0;
    for (size_t i = 10, shift = 0; i < message.n; i++, shift += 7) {
        if (UNLIKELY(p[i] < 0x80 && i + 1 < message.n))
            return prom_write_any_sample(w, series, message); /* more fields */
        time |= (uint64_t)(p[i] & 0x7f) << shift;
    }
    if (UNLIKELY(prom_write_room(w) < 0)) return ERR_LIMIT;
    double value;
    memcpy(&value, p + 1, 8);
    batch_sample(w->batch, (int64_t)time, value);
    return OK;
}
