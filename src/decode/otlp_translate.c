/* otlp_translate.c - what OTLP says, in the words of Prometheus: resources, scopes, metrics, numbers and
 * summaries.
 *
 * Always true:
 *   1. A data point is kept whole or refused whole, and refused ones are counted once each, whatever number
 * of rows they would have made. (Later, limits and the store count rows.)
 *   2. No row is made of a point whose time lies beyond options->latest_ms.
 *
 * Histograms: otlp_histogram.c. Resources and target_info: otlp_target.c. */
#include "decode/otlp_translate.h"

#include <stdio.h>

#include "base/check.h"
#include "base/float.h"

enum { SCOPE_ATTRS_MAX = 32, SHOWN_MAX = 100 };

void otlp_translate_init(struct otlp_translate *t, const struct otlp_options *options,
                         const struct decode_limits *limits, struct arena *a, struct batch *b,
                         struct write_result *refused, struct err *e)
{
    *t = (struct otlp_translate){
        .options = options, .limits = limits, .arena = a, .batch = b, .refused = refused, .err = e
    };
    batch_init(b, a, LABELS_PACKED);
    t->series = otlp_series_new(options->strategy, limits, a);
}

/* ---- refusing ---- */

int otlp_refuse(struct otlp_translate *t, enum reject reason, const char *why)
{
    struct str name = t->family.metric.name;
    if (!str_utf8_valid(name)) name = STR("(not UTF-8)");
    refuse_rows(t->refused, reason, 1, "metric \"%.*s\": %s", (int)MIN(name.n, (size_t)SHOWN_MAX), name.p,
                why);
    return OK;
}

int otlp_room(struct otlp_translate *t)
{
    const struct batch *b = t->batch;
    if (UNLIKELY(arena_over(t->arena)))
        return err_set(t->err, ERR_LIMIT, "the message does not fit the memory of one request");
    if (LIKELY(b->n_rows + b->n_exemplars + b->n_metadata < t->limits->rows)) return OK;
    return err_set(t->err, ERR_LIMIT, "more than %llu samples in one request",
                   (unsigned long long)t->limits->rows);
}

/* ---- resource and scope ---- */

static void set_constants(struct otlp_translate *t)
{
    struct otlp_target *r = &t->target;
    otlp_series_constants(t->series, r->promoted, r->n_promoted, t->constants, t->n_constants);
}

static void add_constant(struct otlp_translate *t, struct str name, struct str value)
{
    if (value.n == 0 || value.n > t->limits->value_bytes || !str_utf8_valid(value) || !str_utf8_valid(name))
        return;
    for (size_t i = 0; i < t->n_constants; i++)
        if (str_eq(t->constants[i].name, name)) return;
    t->constants[t->n_constants++] = (struct label){ name, value };
}

static void add_identity(struct otlp_translate *t)
{
    for (size_t i = 0; i < t->target.n_identity; i++)
        add_constant(t, t->target.identity[i].name, t->target.identity[i].value);
}

void otlp_resource(struct otlp_translate *t, const struct otlp_attrs *attrs)
{
    t->target = (struct otlp_target){ .attrs = *attrs, .first_ms = INT64_MAX, .last_ms = INT64_MIN };
    otlp_target_read(t);
}

void otlp_scope(struct otlp_translate *t, const struct otlp_scope *s)
{
    t->constants = arena_array(t->arena, SCOPE_ATTRS_MAX + 8, sizeof *t->constants);
    t->n_constants = 0;
    add_identity(t);
    if (!t->options->no_scope_labels) {
        add_constant(t, STR("otel_scope_name"), s->name);
        add_constant(t, STR("otel_scope_version"), s->version);
        add_constant(t, STR("otel_scope_schema_url"), s->schema_url);
        for (size_t i = 0; i < MIN(s->attrs.n, (size_t)SCOPE_ATTRS_MAX); i++) {
            struct str name, key = arena_printf(t->arena, "otel_scope_%.*s", STR_ARG(s->attrs.at[i].key));
            if (otlp_series_label(t->series, key, &name, NULL) == OK)
                add_constant(t, name, s->attrs.at[i].value);
        }
    }
    set_constants(t);
}

/* ---- metric ---- */

static enum otlp_name_kind name_kind(const struct otlp_metric *m)
{
    if (m->data == OTLP_GAUGE) return OTLP_NAME_GAUGE;
    return m->data == OTLP_SUM && m->monotonic ? OTLP_NAME_COUNTER : OTLP_NAME_PLAIN;
}

static struct str type_word(const struct otlp_metric *m)
{
    switch (m->data) {
    case OTLP_GAUGE: return STR("gauge");
    case OTLP_SUM: return m->monotonic ? STR("counter") : STR("gauge");
    case OTLP_HISTOGRAM:
    case OTLP_EXPONENTIAL: return STR("histogram");
    case OTLP_SUMMARY: return STR("summary");
    case OTLP_NONE: break;
    }
    return STR("unknown");
}

static bool has_temporality(const struct otlp_metric *m)
{
    return m->data == OTLP_SUM || m->data == OTLP_HISTOGRAM || m->data == OTLP_EXPONENTIAL;
}

static void refuse_family(struct otlp_family *f, enum reject reason, const char *why)
{
    f->name = STR("");
    f->reason = reason;
    if (why != NULL) err_set(&f->why, ERR_RANGE, "%s", why);
}

void otlp_metric(struct otlp_translate *t, const struct otlp_metric *m)
{
    struct otlp_family *f = &t->family;
    f->metric = *m;
    f->told = false;

    if (otlp_metric_name(t->options->strategy, m->name, m->unit, name_kind(m), t->arena, &f->name, &f->why) <
        0)
        refuse_family(f, REJECT_name, NULL);
    else if (!str_utf8_valid(f->name))
        refuse_family(f, REJECT_utf8, "the name is not valid UTF-8");
    else if (f->name.n > t->limits->value_bytes)
        refuse_family(f, REJECT_label_limit, "the name is too long");
    else if (has_temporality(m) && m->temporality != OTLP_DELTA && m->temporality != OTLP_CUMULATIVE)
        refuse_family(f, REJECT_temporality, "the aggregation temporality is neither delta nor cumulative");
    else if (has_temporality(m) && m->temporality == OTLP_DELTA && t->options->cumulate == NULL)
        refuse_family(f, REJECT_temporality, "delta temporality is not accepted here");
}

/* Once a metric has a point worth keeping. */
static void tell_metadata(struct otlp_translate *t)
{
    struct otlp_family *f = &t->family;
    const struct otlp_metric *m = &f->metric;
    if (f->told) return;
    f->told = true;
    const struct batch_metadata *last =
        t->batch->n_metadata > 0 ? &t->batch->metadata[t->batch->n_metadata - 1] : NULL;
    if (last != NULL && str_eq(last->family, f->name)) return;
    struct str help = str_utf8_valid(m->description) ? m->description : STR("");
    struct str unit = str_utf8_valid(m->unit) ? m->unit : STR("");
    batch_metadata(t->batch, f->name, type_word(m), help, unit);
}

/* ---- points ---- */

static struct hash128 identity(struct str raw)
{
    return hash128_seed(raw.p, raw.n, LABELS_PACKED);
}

static void row_known(struct otlp_translate *t, struct str raw, struct hash128 id, double value)
{
    const struct otlp_point *p = &t->point;
    batch_series_known(t->batch, raw, id);
    batch_sample(t->batch, otlp_ms(p->time_ns), value);
    if (t->family.metric.data != OTLP_GAUGE) batch_start(t->batch, otlp_start_ms(p));
}

void otlp_row(struct otlp_translate *t, struct str raw, double value)
{
    row_known(t, raw, identity(raw), value);
}

static int number(struct otlp_translate *t)
{
    struct otlp_point *p = &t->point;
    const struct otlp_cumulate *c = t->options->cumulate;
    bool is_delta = t->family.metric.data == OTLP_SUM && t->family.metric.temporality == OTLP_DELTA;
    bool stale = p->flags & OTLP_NO_RECORDED_VALUE;
    struct err why = ERR_INIT;

    if (!stale && !p->has_value) return otlp_refuse(t, REJECT_value, "the data point has no value");
    struct str raw = otlp_series_pack(t->series, t->family.name, STR(""), OTLP_NO_EXTRA, STR(""));
    struct hash128 id = identity(raw);
    if (is_delta && !stale && c->sum(c->ctx, id, &p->start_ns, p->time_ns, &p->value, &why) < 0)
        return otlp_refuse(t, REJECT_temporality, why.text);
    row_known(t, raw, id, stale ? double_of(STALE_BITS) : p->value);
    for (size_t i = 0; i < p->n_exemplars; i++) otlp_exemplar_put(t, &p->exemplars[i]);
    return OK;
}

static int summary(struct otlp_translate *t)
{
    struct otlp_point *p = &t->point;
    struct str name = t->family.name;
    bool stale = p->flags & OTLP_NO_RECORDED_VALUE;
    char text[FLOAT_TEXT_MAX];

    if (p->n_quantiles > OTLP_QUANTILES_MAX) return otlp_refuse(t, REJECT_value, "too many quantiles");
    for (size_t i = 0; i < p->n_quantiles; i++)
        if (!(p->quantiles[i].q >= 0 && p->quantiles[i].q <= 1))
            return otlp_refuse(t, REJECT_value, "a quantile is not within 0 and 1");
    otlp_row(t, otlp_series_pack(t->series, name, STR("_sum"), OTLP_NO_EXTRA, STR("")),
             stale ? double_of(STALE_BITS) : p->sum);
    otlp_row(t, otlp_series_pack(t->series, name, STR("_count"), OTLP_NO_EXTRA, STR("")),
             stale ? double_of(STALE_BITS) : (double)p->count);
    for (size_t i = 0; i < p->n_quantiles; i++) {
        if (otlp_room(t) < 0) return ERR_LIMIT;
        struct str q = str_make(text, float_text(p->quantiles[i].q, text));
        otlp_row(t, otlp_series_pack(t->series, name, STR(""), OTLP_QUANTILE, q),
                 stale ? double_of(STALE_BITS) : p->quantiles[i].value);
    }
    return OK;
}

/* Whether the time will do; a missing one becomes the time of arrival. */
static int time_check(struct otlp_translate *t)
{
    struct otlp_point *p = &t->point;
    const struct otlp_options *o = t->options;
    char why[120];

    if (p->time_ns == 0) {
        if (o->now_ms == 0) {
            otlp_refuse(t, REJECT_value, "the data point has no time");
            return ERR_RANGE;
        }
        p->time_ns = (uint64_t)o->now_ms * 1000000;
    }
    if (o->latest_ms == 0 || otlp_ms(p->time_ns) <= o->latest_ms) return OK;
    snprintf(why, sizeof why, "time %lld ms lies too far in the future", (long long)otlp_ms(p->time_ns));
    otlp_refuse(t, REJECT_future, why);
    return ERR_RANGE;
}

static int rows(struct otlp_translate *t)
{
    switch (t->family.metric.data) {
    case OTLP_GAUGE:
    case OTLP_SUM: return number(t);
    case OTLP_HISTOGRAM: return otlp_explicit(t);
    case OTLP_EXPONENTIAL: return otlp_exponential(t);
    case OTLP_SUMMARY: return summary(t);
    case OTLP_NONE: break;
    }
    return OK;
}

int otlp_point(struct otlp_translate *t)
{
    struct otlp_target *r = &t->target;
    enum reject reason;
    struct err why = ERR_INIT;

    if (UNLIKELY(otlp_room(t) < 0)) return ERR_LIMIT;
    if (UNLIKELY(t->family.name.n == 0)) return otlp_refuse(t, t->family.reason, t->family.why.text);
    if (UNLIKELY(time_check(t) < 0)) return OK;
    if (UNLIKELY(otlp_series_point(t->series, &t->point.attrs, &reason, &why) < 0))
        return otlp_refuse(t, reason, why.text);

    size_t before = t->batch->n_rows;
    int rc = rows(t);
    if (rc < 0 || t->batch->n_rows == before) return rc;
    tell_metadata(t);
    int64_t ms = otlp_ms(t->point.time_ns);
    r->first_ms = MIN(r->first_ms, ms);
    r->last_ms = MAX(r->last_ms, ms);
    return OK;
}

int otlp_resource_end(struct otlp_translate *t)
{
    if (t->target.first_ms > t->target.last_ms) return OK; /* no points, no target */
    if (otlp_room(t) < 0) return ERR_LIMIT;
    return otlp_target_info(t);
}
