/* prom_histogram.c - buckets arrive as deltas of integers or as absolute floats; both leave as absolute
 * doubles.
 *
 * Arrays grow by what the message really holds, never by a number that it claims. */
#include "decode/prom_histogram.h"

/* Buckets of one side as they come in. */
struct side {
    struct hist_span *spans;
    double *counts;
    size_t n_spans, cap_spans, n, cap;
    int64_t running; /* of the deltas */
    uint64_t total;  /* of integer buckets */
    bool ints, floats;
};

struct reading {
    struct arena *arena;
    struct side pos, neg;
    double *custom;
    size_t n_custom, cap_custom;
    struct histogram h;
    struct prom_histogram out;
    uint64_t int_count, int_zero;
    bool float_count;
};

static bool read_span(struct pb *r, const struct pb_field *field, struct side *s, struct arena *a)
{
    struct pb sub = pb_sub(r, field->bytes);
    struct hist_span span = { 0, 0 };
    struct pb_field f;
    while (pb_next(&sub, &f)) {
        switch (f.tag) {
        case PB_VARINT(1): span.offset = (int32_t)pb_zigzag(f.u); break;
        case PB_VARINT(2): span.length = (uint32_t)f.u; break;
        default: pb_other(&sub, &f, PB_KNOWN(1) | PB_KNOWN(2));
        }
    }
    if (s->n_spans > HISTOGRAM_SPANS_MAX) return pb_join(r, &sub); /* enough for the check to refuse it */
    s->spans = arena_grow(a, s->spans, s->n_spans, &s->cap_spans, sizeof *s->spans);
    s->spans[s->n_spans++] = span;
    return pb_join(r, &sub);
}

static void add_count(struct side *s, struct arena *a, double count)
{
    if (s->n > HISTOGRAM_BUCKETS_MAX) return;
    s->counts = arena_grow(a, s->counts, s->n, &s->cap, sizeof *s->counts);
    s->counts[s->n++] = count;
}

static void add_delta(struct reading *g, struct side *s, uint64_t zigzag)
{
    s->ints = true;
    if (__builtin_add_overflow(s->running, pb_zigzag(zigzag), &s->running)) g->out.overflows = true;
    if (s->running >= 0 && __builtin_add_overflow(s->total, (uint64_t)s->running, &s->total))
        g->out.overflows = true;
    add_count(s, g->arena, (double)s->running);
}

static bool read_deltas(struct reading *g, struct pb *r, struct str packed, struct side *s)
{
    struct pb sub = pb_sub(r, packed);
    uint64_t u;
    while (pb_more(&sub) && pb_varint(&sub, &u)) add_delta(g, s, u);
    return pb_join(r, &sub);
}

static bool read_counts(struct reading *g, struct pb *r, struct str packed, struct side *s)
{
    struct pb sub = pb_sub(r, packed);
    uint64_t u;
    s->floats = true;
    while (pb_more(&sub) && pb_i64(&sub, &u)) add_count(s, g->arena, pb_double(u));
    return pb_join(r, &sub);
}

static void add_custom(struct reading *g, double bound)
{
    if (g->n_custom > HISTOGRAM_BUCKETS_MAX) return;
    g->custom = arena_grow(g->arena, g->custom, g->n_custom, &g->cap_custom, sizeof *g->custom);
    g->custom[g->n_custom++] = bound;
}

static bool read_customs(struct reading *g, struct pb *r, struct str packed)
{
    struct pb sub = pb_sub(r, packed);
    uint64_t u;
    while (pb_more(&sub) && pb_i64(&sub, &u)) add_custom(g, pb_double(u));
    return pb_join(r, &sub);
}

static void read_field(struct reading *g, struct pb *r, const struct pb_field *f)
{
    struct histogram *h = &g->h;
    switch (f->tag) {
    case PB_VARINT(1): g->int_count = f->u, g->float_count = false; break;
    case PB_I64(2): h->count = pb_double(f->u), g->float_count = true; break;
    case PB_I64(3): h->sum = pb_double(f->u); break;
    case PB_VARINT(4): h->schema = (int32_t)pb_zigzag(f->u); break;
    case PB_I64(5): h->zero_threshold = pb_double(f->u); break;
    case PB_VARINT(6): g->int_zero = f->u; break;
    case PB_I64(7): h->zero_count = pb_double(f->u); break;
    case PB_LEN(8): read_span(r, f, &g->neg, g->arena); break;
    case PB_LEN(9): read_deltas(g, r, f->bytes, &g->neg); break;
    case PB_VARINT(9): add_delta(g, &g->neg, f->u); break;
    case PB_LEN(10): read_counts(g, r, f->bytes, &g->neg); break;
    case PB_I64(10): g->neg.floats = true, add_count(&g->neg, g->arena, pb_double(f->u)); break;
    case PB_LEN(11): read_span(r, f, &g->pos, g->arena); break;
    case PB_LEN(12): read_deltas(g, r, f->bytes, &g->pos); break;
    case PB_VARINT(12): add_delta(g, &g->pos, f->u); break;
    case PB_LEN(13): read_counts(g, r, f->bytes, &g->pos); break;
    case PB_I64(13): g->pos.floats = true, add_count(&g->pos, g->arena, pb_double(f->u)); break;
    case PB_VARINT(14): h->reset = (uint8_t)(f->u <= HIST_GAUGE ? f->u : HIST_GAUGE + 1); break;
    case PB_VARINT(15): g->out.time_ms = (int64_t)f->u; break;
    case PB_LEN(16): read_customs(g, r, f->bytes); break;
    case PB_I64(16): add_custom(g, pb_double(f->u)); break;
    case PB_VARINT(17): g->out.start_ms = (int64_t)f->u; break;
    default: pb_other(r, f, (PB_KNOWN(18) - 1) & ~PB_KNOWN(0));
    }
}

/* An integer histogram must add up; a sum of NaN means that observations of NaN are in count but in no
 * bucket. */
static void finish_ints(struct reading *g)
{
    uint64_t in_buckets = g->int_zero;
    if (__builtin_add_overflow(in_buckets, g->pos.total, &in_buckets)) g->out.overflows = true;
    if (__builtin_add_overflow(in_buckets, g->neg.total, &in_buckets)) g->out.overflows = true;
    if (isnan(g->h.sum) ? in_buckets > g->int_count : in_buckets != g->int_count) g->out.overflows = true;
    g->h.count = (double)g->int_count;
    g->h.zero_count = (double)g->int_zero;
}

bool prom_histogram_read(struct pb *r, struct arena *arena, struct prom_histogram *out)
{
    struct reading g = { .arena = arena };
    struct pb_field f;
    while (pb_next(r, &f)) read_field(&g, r, &f);
    if (r->why != NULL) return false;

    if (!g.float_count) finish_ints(&g);
    g.out.mixed = g.float_count ? g.pos.ints || g.neg.ints : g.pos.floats || g.neg.floats;
    g.h.n_pos_spans = (uint32_t)g.pos.n_spans, g.h.pos_spans = g.pos.spans;
    g.h.n_neg_spans = (uint32_t)g.neg.n_spans, g.h.neg_spans = g.neg.spans;
    g.h.n_pos = (uint32_t)g.pos.n, g.h.pos = g.pos.counts;
    g.h.n_neg = (uint32_t)g.neg.n, g.h.neg = g.neg.counts;
    g.h.n_custom = (uint32_t)g.n_custom, g.h.custom = g.custom;
    *out = g.out;
    out->h = arena_alloc(arena, sizeof *out->h);
    *out->h = g.h;
    return true;
}

int prom_histogram_check(const struct prom_histogram *p, struct err *e)
{
    if (p->mixed) return err_set(e, ERR_RANGE, "histogram: integer and float buckets in one");
    int rc = histogram_check(p->h, e);
    if (rc < 0) return rc;
    if (p->overflows) return err_set(e, ERR_RANGE, "histogram: the buckets do not add up to the count");
    return OK;
}

/* ---- writing ---- */

static void put_spans(struct buf *b, uint32_t no, const struct hist_span *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        size_t at = pb_put_begin(b, no);
        pb_put_sint(b, 1, s[i].offset);
        pb_put_varint(b, 2, s[i].length);
        pb_put_end(b, at);
    }
}

static void put_doubles(struct buf *b, uint32_t no, const double *v, uint32_t n)
{
    if (n == 0) return;
    buf_varint(b, PB_LEN(no));
    buf_varint(b, (uint64_t)n * 8);
    for (uint32_t i = 0; i < n; i++) buf_u64le(b, double_bits(v[i]));
}

void prom_histogram_write(struct buf *b, const struct histogram *h, int64_t time_ms)
{
    pb_put_double(b, 2, h->count);
    pb_put_double(b, 3, h->sum);
    pb_put_sint(b, 4, h->schema);
    pb_put_double(b, 5, h->zero_threshold);
    pb_put_double(b, 7, h->zero_count);
    put_spans(b, 8, h->neg_spans, h->n_neg_spans);
    put_doubles(b, 10, h->neg, h->n_neg);
    put_spans(b, 11, h->pos_spans, h->n_pos_spans);
    put_doubles(b, 13, h->pos, h->n_pos);
    if (h->reset != HIST_RESET_UNKNOWN) pb_put_varint(b, 14, h->reset);
    pb_put_varint(b, 15, (uint64_t)time_ms);
    put_doubles(b, 16, h->custom, h->n_custom);
}
