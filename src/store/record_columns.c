/* record_columns.c - rows taken apart: the first half of writing a block. The second is record_encode.c.
 *
 * Always true:
 *   1. A column of an intrinsic that is empty or zero in every row does not exist; one that exists has a
 *      value for every row (zero, empty) after record_columns_finish has filled it up.
 *   2. A column of an attribute has a value for each row whose shape names it, in row order. A name that a
 *      record repeats counts once; its last value stays.
 *   3. Shapes list columns in the order of arrival, 0 standing for the next attribute of the rest column. */
#include "store/record_columns.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"

void record_columns_init(struct record_columns *c, const struct record_layout *layout,
                         struct record_fields *fields, struct record_content *content,
                         struct record_origins *origins)
{
    *c = (struct record_columns){ .layout = layout,
                                  .fields = fields,
                                  .content = content,
                                  .origins_of_part = origins,
                                  .arena = ARENA_INIT(SIZE_MAX) };
    c->trace = mem_array(RECORD_BLOCK_ROWS, sizeof *c->trace);
    c->span = mem_array(RECORD_BLOCK_ROWS, sizeof *c->span);
    c->parent = mem_array(RECORD_BLOCK_ROWS, sizeof *c->parent);
    c->column = mem_array(COLUMN_END, sizeof *c->column);
    c->used = mem_array(COLUMN_END, sizeof *c->used);
    map_init(&c->origin_map, 16);
    map_init(&c->shape_map, 16);
    record_hashes_init(&c->hashes);
    struct buf *bufs[] = { &c->origins, &c->rest, &c->scratch, &c->pages, &c->head };
    for (size_t i = 0; i < COUNT(bufs); i++) *bufs[i] = (struct buf)BUF_INIT(SIZE_MAX / 4);
}

void record_columns_release(struct record_columns *c)
{
    for (size_t i = 0; c->column && i < COLUMN_END; i++) {
        mem_free(c->column[i].at);
        mem_free(c->column[i].ref);
    }
    void *all[] = { c->trace,  c->span,          c->parent, c->column,       c->used,
                    c->origin, c->origin_fields, c->shape,  c->shape_numbers };
    for (size_t i = 0; i < COUNT(all); i++) mem_free(all[i]);
    struct buf *bufs[] = { &c->origins, &c->rest, &c->scratch, &c->pages, &c->head };
    for (size_t i = 0; i < COUNT(bufs); i++) buf_release(bufs[i]);
    map_release(&c->origin_map);
    map_release(&c->shape_map);
    record_hashes_release(&c->hashes);
    arena_release(&c->arena);
}

bool record_columns_full(const struct record_columns *c)
{
    return c->rows >= RECORD_BLOCK_ROWS || c->raw >= RECORD_BLOCK_RAW;
}

/* ---- values into columns ---- */

struct record_column *record_column_at(struct record_columns *c, uint32_t number, enum value_type type)
{
    struct record_column *col = &c->column[number];
    if (col->row == 0) { /* its first row in this block */
        c->used[c->n_used++] = number;
        col->type = type;
    }
    return col;
}

static void int_push(struct record_column *col, int64_t v)
{
    col->at = mem_grow(col->at, col->n, &col->cap, sizeof *col->i);
    col->i[col->n++] = v;
}

static void double_push(struct record_column *col, double v)
{
    col->at = mem_grow(col->at, col->n, &col->cap, sizeof *col->d);
    col->d[col->n++] = v;
}

/* A long text goes to a content page; pages are counted from the block's first. */
static struct content_ref content_put(struct record_columns *c, struct str s)
{
    struct content_ref ref;
    struct record_place *p = &c->place;
    record_content_add(c->content, s, &ref);
    if (p->content_pages == 0) p->content_first = ref.page;
    ref.page -= (uint32_t)p->content_first;
    p->content_pages = MAX(p->content_pages, (uint64_t)ref.page + 1);
    return ref;
}

/* Long ones go to the content pages. An equal neighbour's copy serves, too. */
static void text_push(struct record_columns *c, struct record_column *col, struct str s)
{
    col->at = mem_grow(col->at, col->n, &col->cap, sizeof *col->text);
    struct str *to = &col->text[col->n++];
    c->raw += MIN(s.n, (size_t)CONTENT_LEAST) + 2;
    if (s.n <= CONTENT_LEAST) {
        *to = col->n > 1 && str_eq(to[-1], s) ? to[-1] : arena_str(&c->arena, s);
        return;
    }
    *to = (struct str){ "", 0 };
    col->ref = mem_grow(col->ref, col->n_refs, &col->refs_cap, sizeof *col->ref);
    col->ref[col->n_refs++] = (struct column_ref){ (uint32_t)col->n - 1, content_put(c, s) };
}

static void value_push(struct record_columns *c, struct record_column *col, struct value v)
{
    switch (v.type) {
    case VALUE_STR:
    case VALUE_BYTES:
    case VALUE_JSON: text_push(c, col, v.text); break;
    case VALUE_INT:
    case VALUE_BOOL: int_push(col, v.i); break;
    case VALUE_DOUBLE: double_push(col, v.d); break;
    case VALUE_NONE:
    case VALUE_TYPES: col->n++; break;
    }
    if (!value_is_text(v.type)) c->raw += 8;
}

/* Told when it came last: nothing new for the filter. An empty text may be one in a content page. */
static bool is_last(const struct record_column *col, struct value v)
{
    if (col->n == 0) return false;
    if (value_is_text(v.type))
        return v.text.n > 0 && v.text.n <= HASH_TEXT_MAX && str_eq(col->text[col->n - 1], v.text);
    return (v.type == VALUE_INT || v.type == VALUE_BOOL) && col->i[col->n - 1] == v.i;
}

/* ---- intrinsics: rows that have none before the first that has one are filled up ---- */

static void put_int(struct record_columns *c, uint32_t number, int64_t v)
{
    if (v == 0) return;
    struct record_column *col = record_column_at(c, number, VALUE_INT);
    while (col->n < c->rows) int_push(col, 0);
    int_push(col, v);
    col->row = (uint32_t)c->rows + 1;
}

static void put_text(struct record_columns *c, uint32_t number, struct str s)
{
    if (s.n == 0) return;
    struct record_column *col = record_column_at(c, number, VALUE_STR);
    while (col->n < c->rows) text_push(c, col, (struct str){ "", 0 });
    text_push(c, col, s);
    col->row = (uint32_t)c->rows + 1;
}

static void put_name(struct record_columns *c, enum intrinsic in, struct str s)
{
    if (s.n == 0) return;
    bool is_new = !is_last(&c->column[in], value_str(s));
    put_text(c, in, s);
    if (is_new) record_hashes_value(&c->hashes, field_in(in), value_str(s));
}

/* A body that is neither text nor JSON is kept by its eight bytes. */
static void put_body(struct record_columns *c, struct value body)
{
    char number[8];
    struct str s = body.text;
    put_int(c, COLUMN_BODY_TYPE, body.type);
    if (body.type == VALUE_NONE) return;
    if (!value_is_text(body.type)) {
        memcpy(number, &body.i, 8);
        s = str_make(number, 8);
    }
    put_text(c, IN_BODY, s);
    if (body.type == VALUE_STR || body.type == VALUE_JSON) record_hashes_words(&c->hashes, s);
}

static void put_span(struct record_columns *c, const struct record *r)
{
    memcpy(c->parent[c->rows], r->span.parent_id, 8);
    put_int(c, IN_DURATION, r->span.duration_ns);
    put_int(c, IN_KIND, r->span.kind);
    put_int(c, IN_STATUS, r->span.status);
    put_name(c, IN_NAME, r->span.name);
    put_name(c, IN_STATUS_MESSAGE, r->span.status_message);
    put_text(c, IN_TRACE_STATE, r->span.trace_state);
    put_text(c, IN_EVENTS, r->span.events);
    put_text(c, IN_LINKS, r->span.links);
}

static void put_log(struct record_columns *c, const struct record *r)
{
    put_int(c, IN_OBSERVED, r->log.observed_ns);
    put_int(c, IN_SEVERITY, r->log.severity);
    put_name(c, IN_SEVERITY_TEXT, r->log.severity_text);
    put_name(c, IN_EVENT_NAME, r->log.event_name);
    put_body(c, r->log.body);
}

/* ---- origins ---- */

static bool attrs_same(const struct attrs *a, const struct attrs *b)
{
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (!str_eq(a->at[i].name, b->at[i].name) || !value_same(a->at[i].value, b->at[i].value))
            return false;
    return true;
}

/* Resources are told apart by their hash (record.h). */
static bool origin_same(const struct origin *a, const struct origin *b)
{
    return hash128_eq(a->id, b->id) && str_eq(a->scope_name, b->scope_name) &&
           str_eq(a->scope_version, b->scope_version) && attrs_same(&a->scope, &b->scope);
}

struct origin_wanted {
    const struct record_columns *columns;
    const struct origin *o;
};

static bool same_origin(void *ctx, uint64_t i)
{
    const struct origin_wanted *w = ctx;
    return origin_same(&w->columns->origin[i].o, w->o);
}

static struct attrs attrs_copy(struct arena *a, const struct attrs *from)
{
    struct attr *at = arena_array(a, from->n, sizeof *at);
    for (size_t i = 0; i < from->n; i++) {
        at[i] = from->at[i];
        at[i].name = arena_str(a, at[i].name);
        if (value_is_text(at[i].value.type)) at[i].value.text = arena_str(a, at[i].value.text);
    }
    return (struct attrs){ at, from->n };
}

static void tell_attrs(struct record_columns *c, enum field_scope scope, const struct attrs *a)
{
    for (size_t i = 0; i < a->n; i++) {
        struct field f = field_attr(scope, a->at[i].name);
        uint32_t number = record_fields_make(c->fields, scope, a->at[i].name, a->at[i].value.type);
        record_hashes_field(&c->hashes, f);
        record_hashes_value(&c->hashes, f, a->at[i].value);
        if (number == FIELD_NONE) continue;
        c->origin_fields =
            mem_grow(c->origin_fields, c->n_origin_fields, &c->origin_fields_cap, sizeof *c->origin_fields);
        c->origin_fields[c->n_origin_fields++] = number;
    }
}

static void origin_new(struct record_columns *c, const struct origin *o, uint64_t hash)
{
    c->origin = mem_grow(c->origin, c->n_origins, &c->origins_cap, sizeof *c->origin);
    struct block_origin *b = &c->origin[c->n_origins];
    *b = (struct block_origin){ .o = *o, .first_field = c->n_origin_fields };
    b->o.resource = (struct attrs){ NULL, 0 };
    b->o.scope = attrs_copy(&c->arena, &o->scope);
    b->o.scope_name = arena_str(&c->arena, o->scope_name);
    b->o.scope_version = arena_str(&c->arena, o->scope_version);
    map_add(&c->origin_map, hash, c->n_origins++);

    size_t before = c->origins.n;
    record_origin_put(&c->origins, o);
    c->raw += c->origins.n - before;
    record_origins_add(c->origins_of_part, o);
    tell_attrs(c, FIELD_RESOURCE, &o->resource);
    tell_attrs(c, FIELD_SCOPE, &o->scope);
    b->n_fields = c->n_origin_fields - b->first_field;
    if (o->scope_name.n) record_hashes_value(&c->hashes, field_in(IN_SCOPE_NAME), value_str(o->scope_name));
    if (o->scope_version.n)
        record_hashes_value(&c->hashes, field_in(IN_SCOPE_VERSION), value_str(o->scope_version));
}

static void put_origin(struct record_columns *c, const struct origin *o)
{
    static const struct origin nobody = { 0 };
    if (o == NULL) o = &nobody;
    if (c->n_origins == 0 || !origin_same(&c->origin[c->last_origin].o, o)) {
        struct origin_wanted w = { c, o };
        uint64_t hash = o->id.lo ^ hash64(o->scope_name.p, o->scope_name.n);
        const uint64_t *i = map_find(&c->origin_map, hash, same_origin, &w);
        c->last_origin = i ? (size_t)*i : c->n_origins;
        if (i == NULL) origin_new(c, o, hash);
    }
    c->origin[c->last_origin].rows++;
    put_int(c, COLUMN_ORIGIN, (int64_t)c->last_origin);
}

/* ---- attributes ---- */

static void shape_push(struct record_columns *c, size_t n, uint32_t number)
{
    c->shape_numbers =
        mem_grow(c->shape_numbers, c->n_shape_numbers + n, &c->shape_numbers_cap, sizeof *c->shape_numbers);
    c->shape_numbers[c->n_shape_numbers + n] = (uint16_t)number;
}

static void put_rest(struct record_columns *c, const struct attr *a)
{
    struct content_ref ref;
    size_t before = c->rest.n;
    bool is_long = value_is_text(a->value.type) && a->value.text.n > CONTENT_LEAST;
    if (is_long) ref = content_put(c, a->value.text);
    record_attr_put(&c->rest, a, is_long ? &ref : NULL);
    c->raw += c->rest.n - before;
}

static void take_back(struct record_column *col)
{
    col->n--;
    if (col->n_refs > 0 && col->ref[col->n_refs - 1].value == col->n) col->n_refs--;
}

/* The column's number for the shape, 0 for the rest, or FIELD_NONE when the row has it already. */
static uint32_t put_attr(struct record_columns *c, const struct attr *a)
{
    uint32_t f = record_fields_make(c->fields, FIELD_ATTR, a->name, a->value.type);
    struct record_field *field = f == FIELD_NONE ? NULL : &c->fields->at[f];
    struct field name = field_attr(FIELD_ATTR, a->name);
    if (field == NULL || field->column == 0) {
        if (field) field->rows++;
        record_hashes_field(&c->hashes, name);
        record_hashes_value(&c->hashes, name, a->value);
        put_rest(c, a);
        return 0;
    }
    struct record_column *col = record_column_at(c, field->column, a->value.type);
    if (col->row == 0) record_hashes_field(&c->hashes, name);
    if (!is_last(col, a->value)) record_hashes_value(&c->hashes, name, a->value);
    bool again = col->row == c->rows + 1;
    if (again)
        take_back(col);
    else
        field->rows++;
    value_push(c, col, a->value);
    col->row = (uint32_t)c->rows + 1;
    return again ? FIELD_NONE : field->column;
}

struct shape_wanted {
    const struct record_columns *columns;
    const uint16_t *number;
    size_t n;
};

static bool same_shape(void *ctx, uint64_t i)
{
    const struct shape_wanted *w = ctx;
    const struct block_shape *s = &w->columns->shape[i];
    return s->n == w->n &&
           (w->n == 0 || memcmp(w->columns->shape_numbers + s->first, w->number, 2 * w->n) == 0);
}

/* The n numbers after those that count: a shape seen before, or a new one. */
static size_t shape_of(struct record_columns *c, size_t n)
{
    const uint16_t *number = n ? c->shape_numbers + c->n_shape_numbers : NULL;
    uint64_t hash = hash64(number, 2 * n);
    struct shape_wanted w = { c, number, n };
    const uint64_t *i = map_find(&c->shape_map, hash, same_shape, &w);
    if (i) return (size_t)*i;
    c->shape = mem_grow(c->shape, c->n_shapes, &c->shapes_cap, sizeof *c->shape);
    c->shape[c->n_shapes] = (struct block_shape){ (uint32_t)c->n_shape_numbers, (uint32_t)n };
    c->n_shape_numbers += n;
    c->raw += 2 * n;
    map_add(&c->shape_map, hash, c->n_shapes);
    return c->n_shapes++;
}

static void put_attrs(struct record_columns *c, const struct attrs *a)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++) {
        uint32_t number = put_attr(c, &a->at[i]);
        if (number != FIELD_NONE) shape_push(c, n++, number);
    }
    put_int(c, COLUMN_SHAPE, (int64_t)shape_of(c, n));
}

/* ---- a row ---- */

static void zones_add(struct record_columns *c, const struct record *r, const struct record_key *key)
{
    struct record_place *p = &c->place;
    bool is_span = c->layout->table == TABLE_SPANS;
    int64_t duration = is_span ? r->span.duration_ns : 0;
    if (c->rows == 0) {
        *p = (struct record_place){ .first = *key,
                                    .min_ns = r->time_ns,
                                    .max_ns = r->time_ns,
                                    .min_duration = duration,
                                    .max_duration = duration };
    }
    p->last = *key;
    p->min_ns = MIN(p->min_ns, r->time_ns);
    p->max_ns = MAX(p->max_ns, r->time_ns);
    p->min_duration = MIN(p->min_duration, duration);
    p->max_duration = MAX(p->max_duration, duration);
    if (is_span)
        p->max_status = MAX(p->max_status, (int64_t)r->span.status);
    else
        p->max_severity = MAX(p->max_severity, (int64_t)r->log.severity);
}

static bool has_id(const uint8_t id[16])
{
    static const uint8_t none[16];
    return memcmp(id, none, 16) != 0;
}

void record_columns_add(struct record_columns *c, const struct record *r, const struct record_key *key,
                        uint64_t sequence)
{
    zones_add(c, r, key);
    size_t row = c->rows;
    memcpy(c->trace[row], r->trace_id, 16);
    memcpy(c->span[row], r->span_id, 8);
    if (c->layout->has_id_filter && has_id(r->trace_id) &&
        (row == 0 || memcmp(c->trace[row - 1], r->trace_id, 16) != 0))
        record_hashes_id(&c->hashes, r->trace_id);
    put_int(c, IN_TIME, r->time_ns);
    put_int(c, COLUMN_SEQUENCE, (int64_t)sequence);
    put_int(c, IN_FLAGS, r->flags);
    put_int(c, IN_DROPPED, r->dropped);
    put_origin(c, r->origin);
    if (c->layout->table == TABLE_SPANS)
        put_span(c, r);
    else
        put_log(c, r);
    put_attrs(c, &r->attrs);
    c->raw += 48;
    c->rows++;
}
