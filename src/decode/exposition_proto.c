/* exposition_proto.c - io.prometheus.client.MetricFamily, each with its length before it.
 *
 *     MetricFamily  1 name, 2 help, 3 type, 4 metric[], 5 unit
 *     Metric        1 label[] { 1, 2 }, 2 gauge { 1 }, 3 counter { 1, 2 exemplar }, 4 summary,
 *                   5 untyped { 1 }, 6 ms, 7 histogram
 *     Summary       1 count, 2 sum, 3 quantile[] { 1 quantile, 2 value }
 *     Histogram     1 count, 2 sum, 3 bucket[] { 1 cumulative, 2 bound, 3 exemplar, 4 cumulative float },
 *                   4 count float, 5 schema, 6 zero threshold, 8 zero count float,
 *                   9/12 spans { 1, 2 }, 11/14 counts (negative/positive)
 *
 * A classic histogram or summary is one Metric made of several samples: `key` holds the labels they share
 * (but le and quantile), `metric` the label fields, `parts` the buckets or quantiles, until a sample with
 * other labels comes. */
#include "decode/exposition_proto.h"

#include "base/float.h"
#include "decode/protobuf.h"

enum { TYPE_COUNTER, TYPE_GAUGE, TYPE_SUMMARY, TYPE_UNTYPED, TYPE_HISTOGRAM, TYPE_GAUGE_HISTOGRAM };

static int type_of(const struct exposition *w)
{
    static const struct {
        const char *name;
        int number;
    } types[] = {
        { "counter", TYPE_COUNTER },
        { "gauge", TYPE_GAUGE },
        { "info", TYPE_GAUGE },
        { "stateset", TYPE_GAUGE },
        { "summary", TYPE_SUMMARY },
        { "histogram", TYPE_HISTOGRAM },
        { "gaugehistogram", TYPE_GAUGE_HISTOGRAM },
    };
    for (size_t i = 0; i < COUNT(types); i++)
        if (str_is(w->type, types[i].name)) return types[i].number;
    return TYPE_UNTYPED;
}

/* Counts are integers on this wire when they can be. */
static bool is_whole(double v)
{
    return v >= 0 && v < 9007199254740992.0 && v == (double)(uint64_t)v;
}

static bool is_composed(int type)
{
    return type == TYPE_SUMMARY || type == TYPE_HISTOGRAM || type == TYPE_GAUGE_HISTOGRAM;
}

static void put_name(const struct exposition *w, struct buf *out, uint32_t no, struct str name,
                     bool is_metric)
{
    struct buf escaped = BUF_INIT(64 << 10);
    exposition_escape_name(&escaped, name, w->format.escaping, is_metric);
    pb_put_bytes(out, no, buf_view(&escaped));
    buf_release(&escaped);
}

static void put_label(const struct exposition *w, struct buf *out, const struct label *l)
{
    size_t at = pb_put_begin(out, 1);
    put_name(w, out, 1, l->name, false);
    pb_put_bytes(out, 2, l->value);
    pb_put_end(out, at);
}

static bool is_part_label(const struct label *l, int type)
{
    if (str_is(l->name, LABEL_NAME)) return true;
    return type == TYPE_SUMMARY ? str_is(l->name, "quantile") : is_composed(type) && str_is(l->name, "le");
}

static void put_labels(const struct exposition *w, struct buf *out, struct labels l, int type)
{
    for (size_t i = 0; i < l.n; i++)
        if (!is_part_label(&l.at[i], type)) put_label(w, out, &l.at[i]);
}

static void put_exemplar(const struct exposition *w, struct buf *out, uint32_t no,
                         const struct exposition_exemplar *x)
{
    if (x == NULL) return;
    size_t at = pb_put_begin(out, no);
    for (size_t i = 0; i < x->labels.n; i++) put_label(w, out, &x->labels.at[i]);
    pb_put_double(out, 2, x->value);
    if (x->time_ms != 0) {
        int64_t seconds = x->time_ms / 1000,
                ms = x->time_ms % 1000; /* Timestamp: nanoseconds are never negative */
        if (ms < 0) seconds--, ms += 1000;
        size_t t = pb_put_begin(out, 3);
        pb_put_varint(out, 1, (uint64_t)seconds);
        pb_put_varint(out, 2, (uint64_t)ms * 1000000);
        pb_put_end(out, t);
    }
    pb_put_end(out, at);
}

static void put_metric(struct exposition *w, const struct exposition_sample *s)
{
    if (s->has_time) pb_put_varint(&w->metric, 6, (uint64_t)s->time_ms);
    pb_put_bytes(&w->family, 4, buf_view(&w->metric));
    buf_clear(&w->metric);
}

/* ---- one sample, one metric ---- */

static void simple(struct exposition *w, const struct exposition_sample *s, int type)
{
    uint32_t no = type == TYPE_COUNTER ? 3 : type == TYPE_GAUGE ? 2 : 5;
    put_labels(w, &w->metric, s->labels, type);
    size_t at = pb_put_begin(&w->metric, no);
    pb_put_double(&w->metric, 1, s->value);
    if (type == TYPE_COUNTER) put_exemplar(w, &w->metric, 2, s->exemplar);
    pb_put_end(&w->metric, at);
    put_metric(w, s);
}

static void put_spans(struct buf *b, uint32_t no, const struct hist_span *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        size_t at = pb_put_begin(b, no);
        pb_put_sint(b, 1, s[i].offset);
        pb_put_varint(b, 2, s[i].length);
        pb_put_end(b, at);
    }
}

static void put_counts(struct buf *b, uint32_t no, const double *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) pb_put_double(b, no, v[i]);
}

static void native(struct exposition *w, const struct exposition_sample *s)
{
    const struct histogram *h = s->hist;
    struct buf *b = &w->metric;
    if (h->schema == HISTOGRAM_CUSTOM) return; /* this message has no place for custom bounds */
    w->has_native = true;
    put_labels(w, b, s->labels, TYPE_UNTYPED);
    size_t at = pb_put_begin(b, 7);
    pb_put_double(b, 4, h->count);
    pb_put_double(b, 2, h->sum);
    pb_put_sint(b, 5, h->schema);
    pb_put_double(b, 6, h->zero_threshold);
    pb_put_double(b, 8, h->zero_count);
    put_spans(b, 9, h->neg_spans, h->n_neg_spans);
    put_counts(b, 11, h->neg, h->n_neg);
    put_spans(b, 12, h->pos_spans, h->n_pos_spans);
    put_counts(b, 14, h->pos, h->n_pos);
    if (h->n_pos_spans == 0 && h->n_neg_spans == 0)
        put_spans(b, 12, &(struct hist_span){ 0, 0 }, 1); /* says that it is native */
    pb_put_end(b, at);
    put_metric(w, s);
}

/* ---- many samples, one metric ---- */

static void composed_end(struct exposition *w)
{
    if (w->key.n == 0) return;
    bool summary = type_of(w) == TYPE_SUMMARY;
    size_t at = pb_put_begin(&w->metric, summary ? 4 : 7);
    if (is_whole(w->count))
        pb_put_varint(&w->metric, 1, (uint64_t)w->count);
    else if (!summary)
        pb_put_double(&w->metric, 4, w->count);
    pb_put_double(&w->metric, 2, w->sum);
    buf_str(&w->metric, buf_view(&w->parts));
    pb_put_end(&w->metric, at);
    pb_put_bytes(&w->family, 4, buf_view(&w->metric));
    buf_clear(&w->metric);
    buf_clear(&w->parts);
    buf_clear(&w->key);
    w->sum = w->count = 0;
}

static void composed_begin(struct exposition *w, const struct exposition_sample *s, int type)
{
    struct buf key = BUF_INIT(1 << 20);
    buf_char(&key, '=');
    put_labels(w, &key, s->labels, type);
    if (!str_eq(buf_view(&key), buf_view(&w->key))) {
        composed_end(w);
        buf_str(&w->key, buf_view(&key));
        put_labels(w, &w->metric, s->labels, type);
        if (s->has_time) pb_put_varint(&w->metric, 6, (uint64_t)s->time_ms);
    }
    buf_release(&key);
}

static void bucket(struct exposition *w, const struct exposition_sample *s)
{
    double bound;
    if (!float_parse(labels_get(s->labels, "le"), &bound)) return;
    size_t at = pb_put_begin(&w->parts, 3);
    if (is_whole(s->value))
        pb_put_varint(&w->parts, 1, (uint64_t)s->value);
    else
        pb_put_double(&w->parts, 4, s->value);
    pb_put_double(&w->parts, 2, bound);
    put_exemplar(w, &w->parts, 3, s->exemplar);
    pb_put_end(&w->parts, at);
}

static void quantile(struct exposition *w, const struct exposition_sample *s)
{
    double q;
    if (!float_parse(labels_get(s->labels, "quantile"), &q)) return;
    size_t at = pb_put_begin(&w->parts, 3);
    pb_put_double(&w->parts, 1, q);
    pb_put_double(&w->parts, 2, s->value);
    pb_put_end(&w->parts, at);
}

static void composed(struct exposition *w, const struct exposition_sample *s, int type)
{
    composed_begin(w, s, type);
    if (str_ends(s->suffix, "sum"))
        w->sum = s->value;
    else if (str_ends(s->suffix, "count"))
        w->count = s->value;
    else if (type == TYPE_SUMMARY)
        quantile(w, s);
    else
        bucket(w, s);
}

void exposition_proto_sample(struct exposition *w, const struct exposition_sample *s)
{
    int type = type_of(w);
    if (s->hist != NULL) {
        composed_end(w);
        native(w, s);
    } else if (is_composed(type)) {
        composed(w, s, type);
    } else {
        simple(w, s, type);
    }
}

void exposition_proto_family_end(struct exposition *w)
{
    struct buf head = BUF_INIT(1 << 20);
    composed_end(w);
    put_name(w, &head, 1, w->name, true);
    if (w->help.n > 0) pb_put_bytes(&head, 2, w->help);
    pb_put_varint(&head, 3,
                  (uint64_t)(w->has_native && !is_composed(type_of(w)) ? TYPE_HISTOGRAM : type_of(w)));
    if (w->unit.n > 0) pb_put_bytes(&head, 5, w->unit);
    buf_varint(w->out, head.n + w->family.n);
    buf_str(w->out, buf_view(&head));
    buf_str(w->out, buf_view(&w->family));
    if (w->family.full || w->metric.full || w->parts.full) w->out->full = true;
    buf_clear(&w->family);
    w->has_native = false;
    buf_release(&head);
}
