/* otlp_rows.h - for tests of OTLP decoders: an encoder of protobuf's wire form that shares nothing with the
 * decoder's, and a batch as text, one row a line:  name{labels} value @time [start=time] [# exemplar] */
#pragma once
#include "base/float.h"
#include "decode/otlp_metrics.h"
#include "unit/test.h"

/* ---- encoder: messages are built inside out ---- */

struct enc {
    unsigned char at[1 << 16];
    size_t n;
};

static inline void enc_number(struct enc *e, uint64_t v)
{
    while (v > 127) {
        e->at[e->n++] = (unsigned char)(v % 128 + 128);
        v /= 128;
    }
    e->at[e->n++] = (unsigned char)v;
}
static inline void enc_varint(struct enc *e, int no, uint64_t v)
{
    enc_number(e, (uint64_t)no * 8 + 0);
    enc_number(e, v);
}
static inline void enc_sint(struct enc *e, int no, int64_t v)
{
    enc_varint(e, no, v < 0 ? (uint64_t)(-(v + 1)) * 2 + 1 : (uint64_t)v * 2);
}
static inline void enc_fixed(struct enc *e, int no, uint64_t v)
{
    enc_number(e, (uint64_t)no * 8 + 1);
    for (int i = 0; i < 8; i++) e->at[e->n++] = (unsigned char)(v >> 8 * i);
}
static inline void enc_double(struct enc *e, int no, double v)
{
    uint64_t u;
    memcpy(&u, &v, 8);
    enc_fixed(e, no, u);
}
static inline void enc_bytes(struct enc *e, int no, const void *p, size_t n)
{
    enc_number(e, (uint64_t)no * 8 + 2);
    enc_number(e, n);
    if (n > 0) memcpy(e->at + e->n, p, n);
    e->n += n;
}
static inline void enc_text(struct enc *e, int no, const char *text)
{
    enc_bytes(e, no, text, strlen(text));
}
static inline void enc_message(struct enc *e, int no, const struct enc *inner)
{
    enc_bytes(e, no, inner->at, inner->n);
}
static inline void enc_attr(struct enc *e, int no, const char *key, const char *value)
{
    static struct enc v, kv;
    v.n = kv.n = 0;
    enc_text(&v, 1, value);
    enc_text(&kv, 1, key);
    enc_message(&kv, 2, &v);
    enc_message(e, no, &kv);
}
static inline struct str enc_str(const struct enc *e)
{
    return str_make(e->at, e->n);
}

/* ---- rows as text ---- */

struct rows {
    struct arena arena;
    struct batch batch;
    struct write_result refused;
    struct err err;
    int rc;
    char text[1 << 16];
    struct otlp_options options;
    struct decode_limits limits;
};

#define ROWS_INIT                                                                                            \
    {                                                                                                        \
        .arena = ARENA_INIT(64 << 20), .limits = DECODE_LIMITS_DEFAULT                                       \
    }

static inline void rows_histogram(struct buf *out, const struct histogram *h)
{
    buf_printf(out, "{schema %d zero %g/%g count %g sum %g", h->schema, h->zero_count, h->zero_threshold,
               h->count, h->sum);
    size_t at = 0;
    int32_t index = 0;
    for (uint32_t s = 0; s < h->n_pos_spans; s++) {
        index += h->pos_spans[s].offset;
        for (uint32_t i = 0; i < h->pos_spans[s].length; i++)
            buf_printf(out, " +%d:%g", index++, h->pos[at++]);
    }
    at = 0, index = 0;
    for (uint32_t s = 0; s < h->n_neg_spans; s++) {
        index += h->neg_spans[s].offset;
        for (uint32_t i = 0; i < h->neg_spans[s].length; i++)
            buf_printf(out, " -%d:%g", index++, h->neg[at++]);
    }
    buf_cs(out, "}");
}

static inline void rows_series(struct rows *r, struct buf *out, size_t s)
{
    const struct batch *b = &r->batch;
    struct labels l;
    struct err e = ERR_INIT;
    if (labels_unpack_checked(b->series[s].raw, &r->arena, &l, &e) < 0) fail_msg("%s", e.text);
    for (size_t i = b->series[s].row; i < b->series[s].row + b->series[s].n_rows; i++) {
        char number[FLOAT_TEXT_MAX + 1] = "";
        labels_print(out, l);
        number[float_text(b->value[i], number)] = 0;
        buf_cs(out, " ");
        if (b->hist != NULL && b->hist[i] != NULL && !is_stale(b->value[i]))
            rows_histogram(out, b->hist[i]);
        else
            buf_cs(out,
                   is_stale(b->value[i]) ? (b->hist && b->hist[i] ? "stale histogram" : "stale") : number);
        buf_printf(out, " @%lld", (long long)b->time_ms[i]);
        if (b->start_ms != NULL && b->start_ms[i] != 0)
            buf_printf(out, " start=%lld", (long long)b->start_ms[i]);
        buf_cs(out, "\n");
    }
    for (size_t i = 0; i < b->n_exemplars; i++) {
        if (b->exemplars[i].series != s) continue;
        struct labels x;
        if (labels_unpack_checked(b->exemplars[i].labels, &r->arena, &x, &e) < 0) fail_msg("%s", e.text);
        buf_cs(out, "  # ");
        labels_print(out, x);
        buf_printf(out, " %g @%lld\n", b->exemplars[i].value, (long long)b->exemplars[i].time_ms);
    }
}

static inline const char *rows_text(struct rows *r)
{
    struct buf out = BUF_INIT(sizeof r->text - 1);
    for (size_t s = 0; s < r->batch.n_series; s++) rows_series(r, &out, s);
    if (out.n > 0) memcpy(r->text, out.p, out.n);
    r->text[out.n] = 0;
    buf_release(&out);
    return r->text;
}

typedef int rows_decoder(struct str, const struct otlp_options *, const struct decode_limits *,
                         struct arena *, struct batch *, struct write_result *, struct err *);

static inline const char *rows_decode(struct rows *r, rows_decoder *decode, struct str body)
{
    arena_reset(&r->arena);
    memset(&r->refused, 0, sizeof r->refused);
    r->err = (struct err)ERR_INIT;
    r->rc = decode(body, &r->options, &r->limits, &r->arena, &r->batch, &r->refused, &r->err);
    return r->rc < 0 ? r->err.text : rows_text(r);
}
