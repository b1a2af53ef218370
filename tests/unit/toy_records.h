/* toy_records.h - the logs and spans of the toy store: whole records in the order they came, asked one by one
 * whether they match. Included by toy_store.c only. */
#pragma once
#include <stdlib.h>

#include "base/check.h"
#include "model/store.h"

#define TOY_ROWS_MAX 8192 /* at a time, as model/store.h has it */

struct toy_records {
    const struct record **at;
    size_t n, cap;
};

/* ---- writing ---- */

static bool toy_same_span(const struct record *a, const struct record *b)
{
    static const uint8_t none[8];
    return memcmp(a->span_id, none, 8) != 0 && memcmp(a->trace_id, b->trace_id, 16) == 0 &&
           memcmp(a->span_id, b->span_id, 8) == 0 && a->span.kind == b->span.kind;
}

/* A finished span before a running one, then the later one: as model/store.h has it. */
static void toy_add_record(struct toy_records *t, enum table table, const struct record *r, struct arena *a)
{
    for (size_t i = 0; table == TABLE_SPANS && i < t->n; i++) {
        if (!toy_same_span(t->at[i], r)) continue;
        bool was_finished = t->at[i]->span.duration_ns != SPAN_UNFINISHED;
        if (!was_finished || r->span.duration_ns != SPAN_UNFINISHED) t->at[i] = r;
        return;
    }
    t->at = arena_grow(a, t->at, t->n, &t->cap, sizeof *t->at);
    t->at[t->n++] = r;
}

static void toy_write_chunk(struct toy_records *t, const struct record_chunk *c, struct arena *a,
                            struct write_result *result)
{
    struct record_reader reader;
    check(record_chunk_open(&reader, arena_str(a, c->bytes), a, NULL) == OK);
    for (size_t i = 0; i < reader.n; i++) {
        struct record *r = arena_alloc(a, sizeof *r);
        record_chunk_get(&reader, i, a, r);
        if (r->time_ns < 0) {
            result->rejected[REJECT_record_time]++;
            result->rejected_total++;
            snprintf(result->why, sizeof result->why, "a record is from before 1970");
            continue;
        }
        toy_add_record(t, reader.table, r, a);
        *(reader.table == TABLE_LOGS ? &result->logs : &result->spans) += 1;
    }
}

static void toy_write_records(struct toy_records t[TABLE_COUNT], const struct records *r, struct arena *a,
                              struct write_result *result)
{
    for (size_t i = 0; r != NULL && i < r->n_chunks; i++)
        toy_write_chunk(&t[r->table], &r->chunks[i], a, result);
}

/* ---- view_records ---- */

struct toy_found {
    const struct record *record;
    size_t place; /* where it lies: equal times keep the order in which they came */
};

static int toy_by_time(const void *x, const void *y)
{
    const struct toy_found *a = x, *b = y;
    if (a->record->time_ns != b->record->time_ns) return a->record->time_ns < b->record->time_ns ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

static int toy_by_time_desc(const void *x, const void *y)
{
    return toy_by_time(y, x);
}

static int toy_find_records(const struct toy_records *t, struct call *c, const struct record_scan *scan,
                            struct toy_found **out, size_t *n_out, struct err *e)
{
    struct toy_found *found = arena_array(c->arena, t->n, sizeof *found);
    size_t n = 0;
    int rc = call_check(c, e);
    for (size_t i = 0; i < t->n && rc == OK; i++) {
        const struct record *r = t->at[i];
        rc = call_check(c, e);
        if (r->time_ns < scan->from_ns || r->time_ns > scan->to_ns) continue;
        if (predicate_matches(scan->where, r, scan->table)) found[n++] = (struct toy_found){ r, i };
    }
    if (scan->order != ORDER_ANY)
        qsort(found, n, sizeof *found, scan->order == ORDER_TIME ? toy_by_time : toy_by_time_desc);
    *out = found;
    *n_out = scan->limit != 0 && n > scan->limit ? scan->limit : n;
    return rc;
}

static int toy_give_rows(const struct toy_found *found, size_t n, struct call *c,
                         const struct record_scan *scan, record_sink *sink, void *ctx)
{
    int64_t *time_ns = arena_array(c->arena, n, sizeof *time_ns);
    struct record *records = scan->n_fields ? NULL : arena_array(c->arena, n, sizeof *records);
    const struct value **values = arena_array(c->arena, scan->n_fields, sizeof *values);
    for (size_t f = 0; f < scan->n_fields; f++) {
        struct value *column = arena_array(c->arena, n, sizeof *column);
        for (size_t i = 0; i < n; i++)
            column[i] = record_value(found[i].record, scan->table, scan->fields[f]);
        values[f] = column;
    }
    for (size_t i = 0; i < n; i++) {
        time_ns[i] = found[i].record->time_ns;
        if (records != NULL) records[i] = *found[i].record;
    }
    return sink(ctx, &(struct record_rows){ n, time_ns, values, records });
}

static int toy_view_records(const struct toy_records *t, struct call *c, const struct record_scan *scan,
                            record_sink *sink, void *ctx, struct err *e)
{
    struct toy_found *found;
    size_t n;
    int rc = predicate_check(scan->where, e);
    if (rc == OK) rc = toy_find_records(t, c, scan, &found, &n, e);
    for (size_t i = 0; rc == OK && i < n; i += TOY_ROWS_MAX) {
        rc = toy_give_rows(found + i, MIN(n - i, (size_t)TOY_ROWS_MAX), c, scan, sink, ctx);
        if (rc == OK) rc = call_check(c, e);
    }
    return rc;
}

/* ---- view_fields ---- */

struct toy_fields {
    struct field_info *at;
    size_t n, cap;
    struct arena *arena;
};

static void toy_note_attrs(struct toy_fields *f, enum field_scope scope, const struct attrs *attrs)
{
    for (size_t i = 0; i < attrs->n; i++) {
        struct field field = field_attr(scope, attrs->at[i].name);
        size_t k = 0;
        while (k < f->n && !field_same(f->at[k].field, field)) k++;
        if (k == f->n) {
            f->at = arena_grow(f->arena, f->at, f->n, &f->cap, sizeof *f->at);
            f->at[f->n++] = (struct field_info){ .field = field };
        }
        f->at[k].types |= 1u << attrs->at[i].value.type;
        f->at[k].rows++;
    }
}

static int toy_by_scope_and_name(const void *x, const void *y)
{
    const struct field_info *a = x, *b = y;
    if (a->field.scope != b->field.scope) return a->field.scope < b->field.scope ? -1 : 1;
    return str_cmp(a->field.name, b->field.name);
}

static int toy_view_fields(const struct toy_records *t, struct call *c, int64_t from_ns, int64_t to_ns,
                           size_t limit, struct field_info **out, size_t *n_out, struct err *e)
{
    struct toy_fields f = { .arena = c->arena };
    int rc = call_check(c, e);
    for (size_t i = 0; i < t->n && rc == OK; i++) {
        const struct record *r = t->at[i];
        rc = call_check(c, e);
        if (r->time_ns < from_ns || r->time_ns > to_ns) continue;
        toy_note_attrs(&f, FIELD_RESOURCE, &r->origin->resource);
        toy_note_attrs(&f, FIELD_SCOPE, &r->origin->scope);
        toy_note_attrs(&f, FIELD_ATTR, &r->attrs);
    }
    if (f.n > 0) qsort(f.at, f.n, sizeof *f.at, toy_by_scope_and_name);
    *out = f.at;
    *n_out = limit != 0 && f.n > limit ? limit : f.n;
    return rc;
}

/* ---- view_field_values ---- */

static int toy_most_first(const void *x, const void *y)
{
    const struct value_count *a = x, *b = y;
    return (a->rows < b->rows) - (a->rows > b->rows);
}

static int toy_view_field_values(const struct toy_records *t, struct call *c, enum table table,
                                 struct field field, const struct predicate *where, int64_t from_ns,
                                 int64_t to_ns, size_t limit, struct value_count **out, size_t *n_out,
                                 struct err *e)
{
    struct value_count *at = NULL;
    size_t n = 0, cap = 0;
    int rc = call_check(c, e);
    for (size_t i = 0; i < t->n && rc == OK; i++) {
        const struct record *r = t->at[i];
        struct value v = record_value(r, table, field);
        rc = call_check(c, e);
        if (r->time_ns < from_ns || r->time_ns > to_ns || v.type == VALUE_NONE) continue;
        if (!predicate_matches(where, r, table)) continue;
        size_t k = 0;
        while (k < n && !value_same(at[k].value, v)) k++;
        if (k == n) {
            at = arena_grow(c->arena, at, n, &cap, sizeof *at);
            at[n++] = (struct value_count){ v, 0 };
        }
        at[k].rows++;
    }
    if (n > 0) qsort(at, n, sizeof *at, toy_most_first);
    *out = at;
    *n_out = limit != 0 && n > limit ? limit : n;
    return rc;
}

/* ---- view_origins ---- */

static int toy_view_origins(const struct toy_records *t, struct call *c, enum table table,
                            const struct predicate *where, int64_t from_ns, int64_t to_ns, size_t limit,
                            struct origin **out, size_t *n_out, struct err *e)
{
    struct origin *at = NULL;
    size_t n = 0, cap = 0;
    int rc = call_check(c, e);
    for (size_t i = 0; i < t->n && rc == OK; i++) {
        const struct record *r = t->at[i];
        struct record sender = { .origin = r->origin };
        rc = call_check(c, e);
        if (r->time_ns < from_ns || r->time_ns > to_ns) continue;
        if (!predicate_matches(where, &sender, table)) continue;
        size_t k = 0;
        while (k < n && !hash128_eq(at[k].id, r->origin->id)) k++;
        if (k < n || (limit != 0 && n == limit)) continue;
        at = arena_grow(c->arena, at, n, &cap, sizeof *at);
        at[n++] = (struct origin){ .resource = r->origin->resource, .id = r->origin->id };
    }
    *out = at;
    *n_out = n;
    return rc;
}
