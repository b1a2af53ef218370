/* record_view.c - what a view knows of its logs or spans beside the rows: which fields occur, which values
 * one of them has, which resources have sent anything.
 *
 * Parts know their fields and origins without a row being read; heads are looked through. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/record_source.h"

#define CHECK_ROWS 1024

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15ull;
    return h ^ (h >> 29);
}

static int refuse_table(enum table t, struct err *e)
{
    return t == TABLE_LOGS || t == TABLE_SPANS ? OK : err_set(e, ERR_RANGE, "records are logs or spans");
}

/* Everything of the view's time, to be asked without rows. */
static int open_all(struct record_sources *x, struct view *v, struct call *call, struct record_scan *scan,
                    enum table table, struct err *e)
{
    *scan = (struct record_scan){ .table = table, .from_ns = 0, .to_ns = INT64_MAX };
    return record_sources_open(x, v, call, scan, e);
}

/* Is any piece of this source in the view's time? */
static bool is_in_time(const struct record_sources *x, size_t source)
{
    for (size_t i = 0; i < x->n_pieces; i++)
        if (x->pieces[i].source == source) return true;
    return false;
}

/* ---- fields ---- */

struct fields {
    struct arena *arena;
    struct field_info *at;
    size_t n, cap;
    struct map by_field;
};

struct same_field {
    const struct fields *in;
    struct field field;
};

static bool is_field(void *ctx, uint64_t at)
{
    const struct same_field *w = ctx;
    return field_same(w->in->at[at].field, w->field);
}

static void add_field(struct fields *f, struct field field, uint32_t types, uint64_t rows)
{
    struct same_field w = { f, field };
    uint64_t hash = mix(hash64(field.name.p, field.name.n), field.scope);
    uint64_t *at = map_find(&f->by_field, hash, is_field, &w);
    if (at != NULL) {
        f->at[*at].types |= types;
        f->at[*at].rows += rows;
        return;
    }
    map_add(&f->by_field, hash, f->n);
    f->at = arena_grow(f->arena, f->at, f->n, &f->cap, sizeof f->at[0]);
    field.name = arena_str(f->arena, field.name);
    f->at[f->n++] = (struct field_info){ field, types, rows };
}

static void add_attrs(struct fields *f, enum field_scope scope, struct attrs a)
{
    for (size_t i = 0; i < a.n; i++)
        add_field(f, field_attr(scope, a.at[i].name), 1u << a.at[i].value.type, 1);
}

static int fields_of_rows(struct record_sources *x, const struct record_piece *p, struct fields *f,
                          struct err *e)
{
    const struct record_source *s = &x->at[p->source];
    int rc = OK;
    for (size_t i = p->first; rc == OK && i < p->end; i++) {
        const struct record_row *row = &s->index->at[i];
        struct record r;
        if (row->chunk >= s->n_chunks || row->time_ns < x->from_ns || row->time_ns > x->to_ns) continue;
        record_index_get(s->index, row, &x->scratch, &r);
        add_attrs(f, FIELD_ATTR, r.attrs);
        add_attrs(f, FIELD_RESOURCE, r.origin->resource);
        add_attrs(f, FIELD_SCOPE, r.origin->scope);
        if (i % CHECK_ROWS == 0) rc = record_sources_check(x, e);
        if (i % CHECK_ROWS == 0) arena_reset(&x->scratch);
    }
    arena_reset(&x->scratch);
    return rc;
}

static int fields_of_part(struct record_sources *x, size_t source, struct fields *f, struct err *e)
{
    struct field_info *at;
    size_t n;
    if (!is_in_time(x, source)) return OK;
    int rc = record_part_fields(x->at[source].part, &x->scratch, &at, &n, e);
    for (size_t i = 0; rc == OK && i < n; i++) add_field(f, at[i].field, at[i].types, at[i].rows);
    arena_reset(&x->scratch);
    return rc == OK ? record_sources_check(x, e) : rc;
}

static int by_scope_and_name(const void *va, const void *vb)
{
    const struct field_info *a = va, *b = vb;
    if (a->field.scope != b->field.scope) return a->field.scope < b->field.scope ? -1 : 1;
    return str_cmp(a->field.name, b->field.name);
}

static int list_fields(struct record_sources *x, struct fields *f, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; rc == OK && i < x->n; i++)
        if (x->at[i].part != NULL) rc = fields_of_part(x, i, f, e);
    for (size_t i = 0; rc == OK && i < x->n_pieces; i++)
        if (x->at[x->pieces[i].source].part == NULL) rc = fields_of_rows(x, &x->pieces[i], f, e);
    return rc;
}

int view_do_fields(struct store_view *base, struct call *call, enum table table, size_t limit,
                   struct field_info **out, size_t *n_out, struct err *e)
{
    struct record_sources x;
    struct record_scan scan;
    struct fields f = { .arena = call->arena };
    int rc = refuse_table(table, e);
    *out = NULL;
    *n_out = 0;
    if (rc < 0) return rc;

    rc = open_all(&x, view_of(base), call, &scan, table, e);
    if (rc == OK) rc = list_fields(&x, &f, e);
    record_sources_close(&x);
    map_release(&f.by_field);
    if (rc == OK) rc = call_check(call, e);
    if (rc < 0) return rc;
    if (f.n > 1) qsort(f.at, f.n, sizeof f.at[0], by_scope_and_name);
    *out = f.at;
    *n_out = limit ? MIN(limit, f.n) : f.n;
    return OK;
}

/* ---- values of a field ---- */

struct values {
    struct call *call;
    struct err *e;
    struct value_count *at;
    size_t n, cap;
    struct map by_value;
};

struct same_value {
    const struct values *in;
    struct value value;
};

static bool is_value(void *ctx, uint64_t at)
{
    const struct same_value *w = ctx;
    return value_same(w->in->at[at].value, w->value);
}

static bool has_text(struct value v)
{
    return v.type == VALUE_STR || v.type == VALUE_BYTES || v.type == VALUE_JSON;
}

static void add_value(struct values *s, struct value v, uint64_t rows)
{
    struct same_value w = { s, v };
    uint64_t hash = mix(has_text(v) ? hash64(v.text.p, v.text.n) : hash64(&v.i, sizeof v.i), v.type);
    uint64_t *at = map_find(&s->by_value, hash, is_value, &w);
    if (at != NULL) {
        s->at[*at].rows += rows;
        return;
    }
    map_add(&s->by_value, hash, s->n);
    s->at = arena_grow(s->call->arena, s->at, s->n, &s->cap, sizeof s->at[0]);
    if (has_text(v)) v.text = arena_str(s->call->arena, v.text);
    s->at[s->n++] = (struct value_count){ v, rows };
}

/* Neighbours often share their value: counted together. */
static int count_values(void *ctx, const struct record_rows *rows)
{
    struct values *s = ctx;
    const struct value *v = rows->values[0];
    for (size_t i = 0, end; i < rows->n; i = end) {
        for (end = i + 1; end < rows->n && v[end].type == v[i].type && has_text(v[i]) &&
                          v[end].text.p == v[i].text.p && v[end].text.n == v[i].text.n;)
            end++;
        if (v[i].type != VALUE_NONE) add_value(s, v[i], end - i);
    }
    return call_check(s->call, s->e);
}

static int by_rows(const void *va, const void *vb)
{
    const struct value_count *a = va, *b = vb;
    if (a->rows != b->rows) return a->rows > b->rows ? -1 : 1;
    if (a->value.type != b->value.type) return a->value.type < b->value.type ? -1 : 1;
    if (has_text(a->value)) return str_cmp(a->value.text, b->value.text);
    return (a->value.i > b->value.i) - (a->value.i < b->value.i);
}

int view_do_field_values(struct store_view *base, struct call *call, enum table table, struct field field,
                         const struct predicate *where, size_t limit, struct value_count **out, size_t *n_out,
                         struct err *e)
{
    struct record_scan scan = {
        .table = table, .to_ns = INT64_MAX, .where = where, .fields = &field, .n_fields = 1
    };
    struct values s = { .call = call, .e = e };
    *out = NULL;
    *n_out = 0;
    int rc = view_do_records(base, call, &scan, count_values, &s, e);
    map_release(&s.by_value);
    if (rc < 0) return rc;
    if ((rc = call_check(call, e)) < 0) return rc;
    if (s.n > 1) qsort(s.at, s.n, sizeof s.at[0], by_rows);
    *out = s.at;
    *n_out = limit ? MIN(limit, s.n) : s.n;
    return OK;
}

/* ---- origins ---- */

struct origins {
    struct call *call;
    enum table table;
    const struct predicate *where;
    struct origin *at;
    size_t n, cap, limit;
    struct map by_id;
};

struct same_origin {
    const struct origins *in;
    struct hash128 id;
};

static bool is_origin(void *ctx, uint64_t at)
{
    const struct same_origin *w = ctx;
    return hash128_eq(w->in->at[at].id, w->id);
}

static struct attrs copy_attrs(struct arena *a, struct attrs from)
{
    struct attr *at = arena_array(a, from.n, sizeof *at);
    for (size_t i = 0; i < from.n; i++) {
        at[i] = from.at[i];
        at[i].name = arena_str(a, at[i].name);
        if (has_text(at[i].value)) at[i].value.text = arena_str(a, at[i].value.text);
    }
    return (struct attrs){ at, from.n };
}

static bool is_full(const struct origins *o)
{
    return o->limit != 0 && o->n >= o->limit;
}

static void add_origin(struct origins *o, const struct origin *from)
{
    struct origin resource = { .resource = from->resource, .id = from->id };
    struct record r = { .origin = &resource };
    struct same_origin w = { o, from->id };
    if (is_full(o) || map_find(&o->by_id, from->id.lo, is_origin, &w) != NULL) return;
    if (!predicate_matches(o->where, &r, o->table)) return;
    map_add(&o->by_id, from->id.lo, o->n);
    o->at = arena_grow(o->call->arena, o->at, o->n, &o->cap, sizeof o->at[0]);
    resource.resource = copy_attrs(o->call->arena, from->resource);
    o->at[o->n++] = resource;
}

static int origins_of_rows(struct record_sources *x, const struct record_piece *p, struct origins *o,
                           struct err *e)
{
    const struct record_source *s = &x->at[p->source];
    const struct origin *last = NULL;
    for (size_t i = p->first; i < p->end; i++) {
        const struct record_row *row = &s->index->at[i];
        struct record r;
        if (row->chunk >= s->n_chunks || row->time_ns < x->from_ns || row->time_ns > x->to_ns) continue;
        record_chunk_head(&s->index->chunks[row->chunk]->reader, row->row, &r);
        if (r.origin != last) add_origin(o, r.origin);
        last = r.origin;
    }
    return record_sources_check(x, e);
}

static int origins_of_part(struct record_sources *x, size_t source, struct origins *o, struct err *e)
{
    struct origin *at;
    size_t n;
    if (!is_in_time(x, source)) return OK;
    int rc = record_part_origins(x->at[source].part, o->call, &x->scratch, &at, &n, e);
    for (size_t i = 0; rc == OK && i < n; i++) add_origin(o, &at[i]);
    arena_reset(&x->scratch);
    return rc == OK ? record_sources_check(x, e) : rc;
}

int view_do_origins(struct store_view *base, struct call *call, enum table table,
                    const struct predicate *where, size_t limit, struct origin **out, size_t *n_out,
                    struct err *e)
{
    struct record_sources x;
    struct record_scan scan;
    struct origins o = { .call = call, .table = table, .where = where, .limit = limit };
    int rc = refuse_table(table, e);
    if (rc == OK && where != NULL) rc = predicate_check(where, e);
    *out = NULL;
    *n_out = 0;
    if (rc < 0) return rc;

    rc = open_all(&x, view_of(base), call, &scan, table, e);
    for (size_t i = 0; rc == OK && i < x.n && !is_full(&o); i++)
        if (x.at[i].part != NULL) rc = origins_of_part(&x, i, &o, e);
    for (size_t i = 0; rc == OK && i < x.n_pieces && !is_full(&o); i++)
        if (x.at[x.pieces[i].source].part == NULL) rc = origins_of_rows(&x, &x.pieces[i], &o, e);
    record_sources_close(&x);
    map_release(&o.by_id);
    if (rc == OK) rc = call_check(call, e);
    if (rc < 0) return rc;
    *out = o.at;
    *n_out = o.n;
    return OK;
}
