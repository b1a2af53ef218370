/* otlp_exemplar.c - exemplars: one measurement behind a number, with the trace it happened in. */
#include <stdlib.h>

#include "base/check.h"
#include "decode/otlp_translate.h"

enum { EXEMPLAR_CHARS_MAX = 128 }; /* of all names and values, as OpenMetrics has it */

static size_t characters(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static bool has(const struct label *pairs, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(pairs[i].name, name)) return true;
    return false;
}

static void add(struct label *pairs, size_t *n, struct str name, struct str value)
{
    if (value.n > 0 && !has(pairs, *n, name)) pairs[(*n)++] = (struct label){ name, value };
}

/* The ids first, for they win over attributes of their names; the attributes only when all of them fit. */
static size_t exemplar_labels(struct otlp_translate *t, const struct otlp_exemplar *x, struct label *pairs)
{
    size_t n = 0, ids, chars = 0;
    add(pairs, &n, STR("trace_id"), x->trace_id);
    add(pairs, &n, STR("span_id"), x->span_id);
    ids = n;
    if (x->attrs.n > EXEMPLAR_CHARS_MAX / 2) return ids;
    for (size_t i = 0; i < x->attrs.n; i++) {
        struct str name;
        if (otlp_series_label(t->series, x->attrs.at[i].key, &name, NULL) == OK)
            add(pairs, &n, name, x->attrs.at[i].value);
    }
    for (size_t i = 0; i < n; i++) chars += characters(pairs[i].name) + characters(pairs[i].value);
    return chars <= EXEMPLAR_CHARS_MAX ? n : ids;
}

void otlp_exemplar_put(struct otlp_translate *t, const struct otlp_exemplar *x)
{
    struct label pairs[EXEMPLAR_CHARS_MAX];
    struct err why = ERR_INIT;
    size_t n = exemplar_labels(t, x, pairs);
    int64_t ms = otlp_ms(x->time_ns > 0 ? x->time_ns : t->point.time_ns);

    if (!x->has_value) return;
    if (n > 0 && labels_normalise(pairs, &n, &why) < 0) {
        refuse_rows(t->refused, REJECT_exemplar, 1, "exemplar of %.*s: %s",
                    (int)MIN(t->family.name.n, (size_t)100), t->family.name.p, why.text);
        return;
    }
    size_t most = 1;
    for (size_t i = 0; i < n; i++) most += pairs[i].name.n + pairs[i].value.n + 20;
    struct buf packed = { .p = arena_alloc(t->arena, most), .cap = most, .max = most };
    labels_pack(&packed, (struct labels){ pairs, n });
    batch_exemplar(t->batch, ms, x->value, buf_view(&packed));
}

static int by_value(const void *a, const void *b)
{
    double x = ((const struct otlp_exemplar *)a)->value, y = ((const struct otlp_exemplar *)b)->value;
    return (x > y) - (x < y);
}

void otlp_exemplars_sort(struct otlp_translate *t)
{
    struct otlp_point *p = &t->point;
    size_t kept = 0;
    for (size_t i = 0; i < p->n_exemplars; i++)
        if (p->exemplars[i].has_value && p->exemplars[i].value == p->exemplars[i].value)
            p->exemplars[kept++] = p->exemplars[i];
    p->n_exemplars = kept;
    if (kept > 1) qsort(p->exemplars, kept, sizeof *p->exemplars, by_value);
}
