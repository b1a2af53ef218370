/* difference.c - see difference.h. One scan for each side over the same fields; each field counts its values
 * in a table of its own. */
#include "query/traces/difference.h"

#include <math.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/map.h"
#include "base/turns.h"

struct counted {
    struct value value;
    uint64_t n[2]; /* others, selected */
};

struct field_counts {
    struct map map;
    struct counted *at;
    size_t n, cap;
    bool is_dropped; /* tells no group apart */
};

struct counting {
    struct arena *arena;
    const struct field *fields;
    struct field_counts *of; /* as many as fields */
    size_t n_fields;
    int side;
    uint64_t spans[2];
};

/* ---- which fields ---- */

static const struct field fixed[] = {
    { FIELD_INTRINSIC, IN_NAME, { NULL, 0 } },
    { FIELD_INTRINSIC, IN_KIND, { NULL, 0 } },
    { FIELD_INTRINSIC, IN_STATUS, { NULL, 0 } },
};

static int most_rows_first(const void *a, const void *b)
{
    const struct field_info *x = a, *y = b;
    return (x->rows < y->rows) - (x->rows > y->rows);
}

static int choose_fields(struct store_view *view, struct call *call, struct counting *c, struct err *e)
{
    struct field_info *found;
    size_t n;
    int rc = view_fields(view, call, TABLE_SPANS, 0, &found, &n, e);
    if (rc < 0) return rc;
    qsort(found, n, sizeof *found, most_rows_first);
    struct field *fields = arena_array(call->arena, COUNT(fixed) + DIFFERENCE_FIELDS, sizeof *fields);
    memcpy(fields, fixed, sizeof fixed);
    c->n_fields = COUNT(fixed);
    for (size_t i = 0; i < n && c->n_fields < COUNT(fixed) + DIFFERENCE_FIELDS; i++)
        if (found[i].field.scope == FIELD_ATTR || found[i].field.scope == FIELD_RESOURCE)
            fields[c->n_fields++] = found[i].field;
    c->fields = fields;
    c->of = arena_array(call->arena, c->n_fields, sizeof *c->of);
    memset(c->of, 0, c->n_fields * sizeof *c->of);
    for (size_t i = 0; i < c->n_fields; i++) map_init(&c->of[i].map, 16);
    return OK;
}

/* ---- counting ---- */

struct wanted_value {
    const struct field_counts *in;
    struct value value;
};

static bool is_wanted(void *ctx, uint64_t i)
{
    const struct wanted_value *w = ctx;
    return value_same(w->in->at[i].value, w->value);
}

static bool is_text(struct value v)
{
    return v.type == VALUE_STR || v.type == VALUE_BYTES || v.type == VALUE_JSON;
}

static uint64_t hash_of(struct value v)
{
    return is_text(v) ? hash64(v.text.p, v.text.n) : hash64(&v.i, sizeof v.i);
}

static void count_value(struct counting *c, struct field_counts *f, struct value v)
{
    if (f->is_dropped || v.type == VALUE_NONE) return;
    if (v.type == VALUE_JSON || v.type == VALUE_BYTES || (is_text(v) && v.text.n > DIFFERENCE_TEXT)) {
        f->is_dropped = true;
        return;
    }
    uint64_t hash = hash_of(v);
    const uint64_t *found = map_find(&f->map, hash, is_wanted, &(struct wanted_value){ f, v });
    if (found != NULL) {
        f->at[*found].n[c->side]++;
        return;
    }
    if (f->n == DIFFERENCE_VALUES) {
        f->is_dropped = true;
        return;
    }
    f->at = arena_grow(c->arena, f->at, f->n, &f->cap, sizeof *f->at);
    if (is_text(v)) v.text = arena_str(c->arena, v.text);
    f->at[f->n] = (struct counted){ .value = v };
    f->at[f->n].n[c->side] = 1;
    map_add(&f->map, hash, f->n++);
}

static int count_rows(void *ctx, const struct record_rows *rows)
{
    struct counting *c = ctx;
    turns_yield();
    c->spans[c->side] += rows->n;
    for (size_t f = 0; f < c->n_fields; f++)
        for (size_t i = 0; i < rows->n; i++) count_value(c, &c->of[f], rows->values[f][i]);
    return OK;
}

static int count_side(struct store_view *view, struct call *call, struct counting *c, int side,
                      const struct difference_ask *ask, struct err *e)
{
    const struct predicate *where = ask->selected;
    if (side == 0) where = predicate_not(call->arena, where);
    if (ask->base != NULL) where = predicate_and(call->arena, ask->base, where);
    struct record_scan scan = { .table = TABLE_SPANS,
                                .from_ns = ask->from_ns,
                                .to_ns = ask->to_ns,
                                .where = where,
                                .fields = c->fields,
                                .n_fields = c->n_fields,
                                .order = ORDER_TIME_DESC,
                                .limit = DIFFERENCE_SPANS };
    c->side = side;
    return view_records(view, call, &scan, count_rows, c, e);
}

/* ---- what stands out ---- */

static double apart(const struct difference *d)
{
    return fabs(d->selected_share - d->others_share);
}

static int furthest_apart_first(const void *a, const void *b)
{
    double x = apart(a), y = apart(b);
    return (x < y) - (x > y);
}

static void rank(struct counting *c, size_t limit, struct difference_report *out)
{
    size_t cap = 0;
    for (size_t f = 0; f < c->n_fields; f++) {
        if (c->of[f].is_dropped) continue;
        for (size_t i = 0; i < c->of[f].n; i++) {
            const struct counted *v = &c->of[f].at[i];
            struct difference d = { .field = c->fields[f],
                                    .value = v->value,
                                    .selected = v->n[1],
                                    .others = v->n[0],
                                    .selected_share = (double)v->n[1] / (double)MAX(c->spans[1], 1u),
                                    .others_share = (double)v->n[0] / (double)MAX(c->spans[0], 1u) };
            if (apart(&d) == 0) continue;
            out->at = arena_grow(c->arena, out->at, out->n, &cap, sizeof *out->at);
            out->at[out->n++] = d;
        }
    }
    if (out->n > 1) qsort(out->at, out->n, sizeof *out->at, furthest_apart_first);
    out->n = MIN(out->n, limit);
}

int span_differences(struct store_view *view, struct call *call, const struct difference_ask *ask,
                     size_t limit, struct difference_report *out, struct err *e)
{
    struct counting c = { .arena = call->arena };
    *out = (struct difference_report){ 0 };
    int rc = choose_fields(view, call, &c, e);
    for (int side = 0; rc == OK && side < 2; side++) rc = count_side(view, call, &c, side, ask, e);
    out->selected = c.spans[1];
    out->others = c.spans[0];
    out->is_sampled = c.spans[0] == DIFFERENCE_SPANS || c.spans[1] == DIFFERENCE_SPANS;
    if (rc == OK && c.spans[0] > 0 && c.spans[1] > 0) rank(&c, limit, out);
    for (size_t f = 0; f < c.n_fields; f++) map_release(&c.of[f].map);
    return rc;
}
