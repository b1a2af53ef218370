/* otlp_target.c - a resource: who sent this.
 *
 * service.namespace/service.name becomes job, service.instance.id becomes instance, on every series. All the
 * other attributes go, once, to target_info{job, instance, ...} 1, with which queries can join them. It is
 * sampled over the time of the resource's points at half the lookback of queries, so that the join finds it
 * at each of them.
 *
 * Always true: at most TARGET_SAMPLES_MAX samples a resource, the newest; a range that wide has one wild
 * clock in it. */
#include "base/check.h"
#include "decode/otlp_translate.h"

enum { TARGET_SAMPLES_MAX = 2000, PROMOTED_MAX = 64, LOOKBACK_MS = 5 * 60 * 1000 };

static const char *const identifying[] = { "service.name", "service.namespace", "service.instance.id" };

static struct str attr_get(const struct otlp_attrs *attrs, const char *key)
{
    for (size_t i = 0; i < attrs->n; i++)
        if (str_is(attrs->at[i].key, key)) return attrs->at[i].value;
    return STR("");
}

static bool is_identifying(struct str key)
{
    for (size_t i = 0; i < COUNT(identifying); i++)
        if (str_is(key, identifying[i])) return true;
    return false;
}

static void add_identity(struct otlp_translate *t, struct str name, struct str value)
{
    if (value.n == 0 || value.n > t->limits->value_bytes || !str_utf8_valid(value)) return;
    t->target.identity[t->target.n_identity++] = (struct label){ name, value };
}

static bool is_promoted(const struct otlp_options *o, struct str key)
{
    for (size_t i = 0; i < o->n_promote; i++)
        if (str_eq(o->promote[i], key)) return !o->promote_all;
    return o->promote_all;
}

static void add_promoted(struct otlp_translate *t, const struct otlp_attr *a)
{
    struct otlp_target *r = &t->target;
    struct str name;
    if (a->value.n == 0 || a->value.n > t->limits->value_bytes || !str_utf8_valid(a->value)) return;
    if (otlp_series_label(t->series, a->key, &name, NULL) < 0 || !str_utf8_valid(name)) return;
    if (r->n_promoted < PROMOTED_MAX) r->promoted[r->n_promoted++] = (struct label){ name, a->value };
}

void otlp_target_read(struct otlp_translate *t)
{
    struct otlp_target *r = &t->target;
    struct str name = attr_get(&r->attrs, "service.name"), space = attr_get(&r->attrs, "service.namespace");

    if (name.n > 0 && space.n > 0) name = arena_printf(t->arena, "%.*s/%.*s", STR_ARG(space), STR_ARG(name));
    add_identity(t, STR("job"), name);
    add_identity(t, STR("instance"), attr_get(&r->attrs, "service.instance.id"));

    if (t->options->n_promote == 0 && !t->options->promote_all) return;
    r->promoted = arena_array(t->arena, PROMOTED_MAX, sizeof *r->promoted);
    for (size_t i = 0; i < r->attrs.n; i++)
        if (is_promoted(t->options, r->attrs.at[i].key)) add_promoted(t, &r->attrs.at[i]);
}

/* ---- target_info ---- */

static struct otlp_attrs describing(struct otlp_translate *t, size_t *n_other)
{
    const struct otlp_attrs *all = &t->target.attrs;
    struct otlp_attrs kept = { 0 };
    *n_other = 0;
    for (size_t i = 0; i < all->n; i++) {
        bool is_id = is_identifying(all->at[i].key);
        if (!is_id) ++*n_other;
        if (!is_id || t->options->keep_identifying) *otlp_attr_add(&kept, t->arena) = all->at[i];
    }
    return kept;
}

static void samples(struct otlp_translate *t)
{
    const struct otlp_target *r = &t->target;
    int64_t step = MAX((t->options->lookback_ms > 0 ? t->options->lookback_ms : LOOKBACK_MS) / 2, 1);
    int64_t from = MAX(r->first_ms, r->last_ms - (TARGET_SAMPLES_MAX - 1) * step);
    for (int64_t ms = from; ms < r->last_ms; ms += step) batch_sample(t->batch, ms, 1);
    batch_sample(t->batch, r->last_ms, 1);
}

int otlp_target_info(struct otlp_translate *t)
{
    struct otlp_target *r = &t->target;
    size_t n_other;
    enum reject reason;
    struct err why = ERR_INIT;
    struct otlp_attrs attrs = describing(t, &n_other);

    if (r->n_identity == 0 || n_other == 0) return OK;
    otlp_series_constants(t->series, NULL, 0, r->identity, r->n_identity);
    t->family.metric.name = STR("target_info");
    if (otlp_series_point(t->series, &attrs, &reason, &why) < 0) return otlp_refuse(t, reason, why.text);
    batch_series(t->batch, otlp_series_pack(t->series, STR("target_info"), STR(""), OTLP_NO_EXTRA, STR("")));
    samples(t);
    return OK;
}
