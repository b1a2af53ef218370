/* record_values.c - rows of a block put together again: single fields, and whole records. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "store/record_values.h"

/* ---- one attribute column ---- */

int block_value_at(struct record_block *b, uint32_t number, enum value_type type, size_t i, struct arena *a,
                   struct value *out, struct err *e)
{
    struct block_text *t;
    const int64_t *v;
    const double *d;
    int rc = OK;
    *out = (struct value){ .type = type };
    switch (type) {
    case VALUE_STR:
    case VALUE_BYTES:
    case VALUE_JSON:
        rc = block_text(b, number, &t, e);
        return rc == OK ? block_text_keep(b, t, i, a, &out->text, e) : rc;
    case VALUE_INT:
    case VALUE_BOOL:
        rc = block_ints(b, number, &v, e);
        if (rc == OK) out->i = v[i];
        return rc;
    case VALUE_DOUBLE:
        rc = block_doubles(b, number, &d, e);
        if (rc == OK) out->d = d[i];
        return rc;
    case VALUE_NONE:
    case VALUE_TYPES: break;
    }
    return rc;
}

size_t block_attr_columns(const struct record_block *b, struct field f, uint32_t number[VALUE_TYPES],
                          enum value_type type[VALUE_TYPES])
{
    size_t n = 0;
    const struct record_fields *fields = &b->part->fields;
    for (int t = 1; t < VALUE_TYPES && f.scope == FIELD_ATTR; t++) {
        uint32_t i = record_fields_find(fields, FIELD_ATTR, f.name, (enum value_type)t);
        if (i == FIELD_NONE || fields->at[i].column == 0) continue;
        if (block_column(b, fields->at[i].column) == NULL) continue;
        number[n] = fields->at[i].column;
        type[n++] = (enum value_type)t;
    }
    return n;
}

static uint32_t *ranks_of(struct arena *a, const uint64_t *bits, size_t rows)
{
    size_t words = (rows + 63) / 64;
    uint32_t *rank = arena_array(a, words + 1, sizeof *rank);
    rank[0] = 0;
    for (size_t i = 0; i < words; i++) rank[i + 1] = rank[i] + (uint32_t)__builtin_popcountll(bits[i]);
    return rank;
}

static int attr_column_values(struct record_block *b, uint32_t number, enum value_type type,
                              const uint32_t *rows, size_t n, struct value *out, struct err *e)
{
    uint64_t *bits = arena_array(&b->arena, (b->rows + 63) / 64 + 1, sizeof *bits);
    block_presence(b, number, bits);
    uint32_t *rank = ranks_of(&b->arena, bits, b->rows);
    int rc = OK;
    for (size_t i = 0; i < n && rc == OK; i++) {
        uint32_t row = rows[i];
        if (!bit_get(bits, row)) continue;
        uint64_t before = bits[row / 64] & ((UINT64_C(1) << row % 64) - 1);
        size_t at = rank[row / 64] + (size_t)__builtin_popcountll(before);
        rc = block_value_at(b, number, type, at, &b->arena, &out[i], e);
    }
    return rc;
}

static int rest_value(struct record_block *b, uint32_t k, struct arena *a, struct value *out, struct err *e)
{
    const struct content_ref *ref = &b->rest->ref[k];
    *out = b->rest->attr[k].value;
    if (ref->length == UINT32_MAX) return OK;
    int rc = block_content(b, ref, &out->text, e);
    if (rc == OK) out->text = arena_str(a, out->text);
    return rc;
}

static int rest_values(struct record_block *b, struct str name, const uint32_t *rows, size_t n,
                       struct value *out, struct err *e)
{
    int rc = block_rest(b, e);
    for (size_t i = 0; i < n && rc == OK; i++)
        for (uint32_t k = b->rest->first[rows[i]]; k < b->rest->first[rows[i] + 1] && rc == OK; k++)
            if (str_eq(b->rest->attr[k].name, name)) rc = rest_value(b, k, &b->arena, &out[i], e);
    return rc;
}

static int attr_values(struct record_block *b, struct field f, const uint32_t *rows, size_t n,
                       struct value *out, struct err *e)
{
    uint32_t number[VALUE_TYPES];
    enum value_type type[VALUE_TYPES];
    int rc = block_shapes(b, e);
    if (rc < 0) return rc;
    size_t columns = block_attr_columns(b, f, number, type);
    for (size_t c = 0; c < columns && rc == OK; c++)
        rc = attr_column_values(b, number[c], type[c], rows, n, out, e);
    if (rc == OK && block_column(b, COLUMN_REST)) rc = rest_values(b, f.name, rows, n, out, e);
    return rc;
}

/* ---- intrinsics and origins ---- */

static struct value absent_if(bool absent, struct value v)
{
    return absent ? (struct value){ .type = VALUE_NONE } : v;
}

static struct value bytes_value(const void *p, size_t n)
{
    return (struct value){ .type = VALUE_BYTES, .text = str_make(p, n) };
}

static struct value id_value(const uint8_t *id, size_t n)
{
    static const uint8_t none[16];
    return absent_if(memcmp(id, none, n) == 0, bytes_value(id, n));
}

struct value origin_value(const struct origin *o, struct field f)
{
    const struct attrs *a = f.scope == FIELD_RESOURCE ? &o->resource : &o->scope;
    if (f.scope == FIELD_INTRINSIC) {
        if (f.intrinsic == IN_ORIGIN) return bytes_value(&o->id, sizeof o->id);
        struct str s = f.intrinsic == IN_SCOPE_NAME ? o->scope_name : o->scope_version;
        return absent_if(s.n == 0, value_str(s));
    }
    for (size_t i = a->n; i-- > 0;)
        if (str_eq(a->at[i].name, f.name)) return a->at[i].value;
    return (struct value){ .type = VALUE_NONE };
}

/* How an intrinsic lies in a block, by table. */
static const struct lie {
    enum intrinsic in;
    enum intrinsic_lie how;
    bool logs, spans;
} lies[] = {
    { IN_TIME, LIES_INT_ALWAYS, true, true },      { IN_TRACE_ID, LIES_TRACE, true, true },
    { IN_SPAN_ID, LIES_SPAN, true, true },         { IN_FLAGS, LIES_INT, true, true },
    { IN_DROPPED, LIES_INT, true, true },          { IN_SCOPE_NAME, LIES_ORIGIN, true, true },
    { IN_SCOPE_VERSION, LIES_ORIGIN, true, true }, { IN_ORIGIN, LIES_ORIGIN, true, true },
    { IN_PARENT_ID, LIES_PARENT, false, true },    { IN_DURATION, LIES_INT_ALWAYS, false, true },
    { IN_NAME, LIES_TEXT, false, true },           { IN_KIND, LIES_INT_ALWAYS, false, true },
    { IN_STATUS, LIES_INT_ALWAYS, false, true },   { IN_STATUS_MESSAGE, LIES_TEXT, false, true },
    { IN_TRACE_STATE, LIES_TEXT, false, true },    { IN_EVENTS, LIES_JSON, false, true },
    { IN_LINKS, LIES_JSON, false, true },          { IN_OBSERVED, LIES_INT, true, false },
    { IN_SEVERITY, LIES_INT, true, false },        { IN_SEVERITY_TEXT, LIES_TEXT, true, false },
    { IN_BODY, LIES_BODY, true, false },           { IN_EVENT_NAME, LIES_TEXT, true, false },
};

enum intrinsic_lie intrinsic_lie(enum table table, enum intrinsic in)
{
    for (size_t i = 0; i < COUNT(lies); i++)
        if (lies[i].in == in && (table == TABLE_SPANS ? lies[i].spans : lies[i].logs)) return lies[i].how;
    return LIES_NOWHERE;
}

static int ints_values(struct record_block *b, uint32_t number, bool always, const uint32_t *rows, size_t n,
                       struct value *out, struct err *e)
{
    const int64_t *v;
    int rc = block_ints(b, number, &v, e);
    for (size_t i = 0; rc == OK && i < n; i++) {
        int64_t x = v ? v[rows[i]] : 0;
        out[i] = absent_if(x == 0 && !always, value_int(x));
    }
    return rc;
}

static int texts_values(struct record_block *b, uint32_t number, enum value_type type, const uint32_t *rows,
                        size_t n, struct value *out, struct err *e)
{
    struct block_text *t;
    int rc = block_text(b, number, &t, e);
    for (size_t i = 0; t && rc == OK && i < n; i++) {
        struct value v = { .type = type };
        rc = block_text_keep(b, t, rows[i], &b->arena, &v.text, e);
        out[i] = absent_if(v.text.n == 0, v);
    }
    return rc;
}

static int body_at(struct record_block *b, struct block_text *t, const int64_t *types, size_t row,
                   struct arena *a, struct value *out, struct err *e)
{
    struct str s = { "", 0 };
    int64_t type = types ? types[row] : VALUE_NONE;
    *out = (struct value){ .type = (enum value_type)type };
    if (type < 0 || type >= VALUE_TYPES) {
        err_set(e, ERR_CORRUPT, "row %zu: a body of type %lld", row, (long long)type);
        return block_damaged(b, COLUMN_BODY_TYPE, e);
    }
    if (type == VALUE_NONE) return OK;
    int rc = t ? block_text_keep(b, t, row, a, &s, e) : OK;
    if (rc < 0) return rc;
    if (value_is_text(out->type)) {
        out->text = s;
        return OK;
    }
    if (s.n != 8) {
        err_set(e, ERR_CORRUPT, "row %zu: a number of %zu bytes", row, s.n);
        return block_damaged(b, IN_BODY, e);
    }
    memcpy(&out->i, s.p, 8);
    return OK;
}

static int body_values(struct record_block *b, const uint32_t *rows, size_t n, struct value *out,
                       struct err *e)
{
    struct block_text *t;
    const int64_t *types;
    int rc = block_text(b, IN_BODY, &t, e);
    if (rc == OK) rc = block_ints(b, COLUMN_BODY_TYPE, &types, e);
    for (size_t i = 0; rc == OK && i < n; i++) {
        rc = body_at(b, t, types, rows[i], &b->arena, &out[i], e);
        if (out[i].type == VALUE_STR && out[i].text.n == 0) out[i].type = VALUE_NONE;
    }
    return rc;
}

static int intrinsic_values(struct record_block *b, enum intrinsic in, const uint32_t *rows, size_t n,
                            struct value *out, struct err *e)
{
    enum intrinsic_lie how = intrinsic_lie(b->part->layout->table, in);
    int rc = OK;
    switch (how) {
    case LIES_NOWHERE: return OK;
    case LIES_INT:
    case LIES_INT_ALWAYS: return ints_values(b, in, how == LIES_INT_ALWAYS, rows, n, out, e);
    case LIES_TEXT: return texts_values(b, in, VALUE_STR, rows, n, out, e);
    case LIES_JSON: return texts_values(b, in, VALUE_JSON, rows, n, out, e);
    case LIES_BODY: return body_values(b, rows, n, out, e);
    case LIES_TRACE:
        rc = block_traces(b, e);
        for (size_t i = 0; rc == OK && i < n; i++) out[i] = id_value(b->trace[rows[i]], 16);
        return rc;
    case LIES_SPAN:
        rc = block_spans(b, e);
        for (size_t i = 0; rc == OK && i < n; i++) out[i] = id_value(b->span[rows[i]], 8);
        return rc;
    case LIES_PARENT:
        rc = block_parents(b, e);
        for (size_t i = 0; rc == OK && i < n; i++) out[i] = id_value(b->parent[rows[i]], 8);
        return rc;
    case LIES_ORIGIN: break;
    }
    rc = block_origins(b, e);
    for (size_t i = 0; rc == OK && i < n; i++)
        out[i] = origin_value(&b->origin[b->origin_of_row[rows[i]]], field_in(in));
    return rc;
}

int record_block_values(struct record_block *b, struct field f, const uint32_t *rows, size_t n,
                        struct value *out, struct err *e)
{
    for (size_t i = 0; i < n; i++) out[i] = (struct value){ .type = VALUE_NONE };
    if (f.scope == FIELD_INTRINSIC) return intrinsic_values(b, f.intrinsic, rows, n, out, e);
    if (f.scope == FIELD_ATTR) return attr_values(b, f, rows, n, out, e);
    int rc = block_origins(b, e);
    for (size_t i = 0; rc == OK && i < n; i++)
        out[i] = origin_value(&b->origin[b->origin_of_row[rows[i]]], f);
    return rc;
}

const int64_t *record_block_times(struct record_block *b, struct err *e)
{
    const int64_t *v;
    if (block_ints(b, IN_TIME, &v, e) < 0) return NULL;
    return v ? v : arena_zero(&b->arena, b->rows * sizeof *v);
}

int record_block_sequences(struct record_block *b, const uint32_t *rows, size_t n, uint64_t *out,
                           struct err *e)
{
    const int64_t *v;
    int rc = block_ints(b, COLUMN_SEQUENCE, &v, e);
    for (size_t i = 0; rc == OK && i < n; i++) out[i] = v ? (uint64_t)v[rows[i]] : 0;
    return rc;
}

/* ---- whole records ---- */

struct dense { /* the columns every row has */
    const int64_t *time, *flags, *dropped, *duration, *kind, *status, *observed, *severity, *body_type;
    struct block_text *name, *message, *state, *events, *links, *severity_text, *event_name, *body;
};

static int dense_open(struct record_block *b, struct dense *d, struct err *e)
{
    const struct {
        uint32_t number;
        const int64_t **to;
    } ints[] = {
        { IN_TIME, &d->time },         { IN_FLAGS, &d->flags },       { IN_DROPPED, &d->dropped },
        { IN_DURATION, &d->duration }, { IN_KIND, &d->kind },         { IN_STATUS, &d->status },
        { IN_OBSERVED, &d->observed }, { IN_SEVERITY, &d->severity }, { COLUMN_BODY_TYPE, &d->body_type }
    };
    const struct {
        uint32_t number;
        struct block_text **to;
    } texts[] = { { IN_NAME, &d->name },
                  { IN_STATUS_MESSAGE, &d->message },
                  { IN_TRACE_STATE, &d->state },
                  { IN_EVENTS, &d->events },
                  { IN_LINKS, &d->links },
                  { IN_SEVERITY_TEXT, &d->severity_text },
                  { IN_EVENT_NAME, &d->event_name },
                  { IN_BODY, &d->body } };
    int rc = OK;
    for (size_t i = 0; i < COUNT(ints) && rc == OK; i++) rc = block_ints(b, ints[i].number, ints[i].to, e);
    for (size_t i = 0; i < COUNT(texts) && rc == OK; i++) rc = block_text(b, texts[i].number, texts[i].to, e);
    if (rc == OK) rc = block_traces(b, e);
    if (rc == OK) rc = block_parents(b, e); /* and spans */
    if (rc == OK) rc = block_origins(b, e);
    if (rc == OK) rc = block_shapes(b, e);
    if (rc == OK && block_column(b, COLUMN_REST)) rc = block_rest(b, e);
    return rc;
}

static int64_t int_of(const int64_t *v, size_t row)
{
    return v ? v[row] : 0;
}

static int text_of(struct record_block *b, struct block_text *t, size_t row, struct arena *a, struct str *out,
                   struct err *e)
{
    *out = (struct str){ "", 0 };
    return t ? block_text_keep(b, t, row, a, out, e) : OK;
}

static int fill_span(struct record_block *b, const struct dense *d, size_t row, struct arena *a,
                     struct record *r, struct err *e)
{
    int rc;
    r->span.duration_ns = int_of(d->duration, row);
    r->span.kind = (uint8_t)int_of(d->kind, row);
    r->span.status = (uint8_t)int_of(d->status, row);
    memcpy(r->span.parent_id, b->parent[row], 8);
    if ((rc = text_of(b, d->name, row, a, &r->span.name, e)) < 0) return rc;
    if ((rc = text_of(b, d->message, row, a, &r->span.status_message, e)) < 0) return rc;
    if ((rc = text_of(b, d->state, row, a, &r->span.trace_state, e)) < 0) return rc;
    if ((rc = text_of(b, d->events, row, a, &r->span.events, e)) < 0) return rc;
    return text_of(b, d->links, row, a, &r->span.links, e);
}

static int fill_log(struct record_block *b, const struct dense *d, size_t row, struct arena *a,
                    struct record *r, struct err *e)
{
    int rc;
    r->log.observed_ns = int_of(d->observed, row);
    r->log.severity = (uint8_t)int_of(d->severity, row);
    if ((rc = text_of(b, d->severity_text, row, a, &r->log.severity_text, e)) < 0) return rc;
    if ((rc = text_of(b, d->event_name, row, a, &r->log.event_name, e)) < 0) return rc;
    return body_at(b, d->body, d->body_type, row, a, &r->log.body, e);
}

/* Where rows are put together: next[] is, by column, which value the row has (0 counts the rest); name[] are
 * the columns' names, copied when first met. */
struct filling {
    struct record_block *b;
    struct arena *arena;
    struct dense dense;
    const struct origin **origin;
    struct str *name;
    uint32_t next[COLUMN_END];
};

static const struct record_field *field_at(struct filling *f, uint16_t number)
{
    const struct record_fields *all = &f->b->part->fields;
    const struct record_field *field = &all->at[all->field_of[number - COLUMN_ATTRS]];
    struct str *name = &f->name[number - COLUMN_ATTRS];
    if (name->p == NULL) *name = arena_str(f->arena, field->name);
    return field;
}

static int fill_attrs(struct filling *f, size_t row, struct record *r, struct err *e)
{
    struct record_block *b = f->b;
    struct arena *a = f->arena;
    const struct block_shapes *s = b->shapes;
    uint32_t shape = s->of_row[row], start = s->start[shape], n = s->start[shape + 1] - start;
    uint32_t rest = b->rest ? b->rest->first[row] : 0;
    struct attr *at = arena_array(a, n, sizeof *at);
    for (uint32_t k = 0; k < n; k++) {
        uint16_t number = s->number[start + k];
        int rc;
        if (number == 0) {
            at[k].name = arena_str(a, b->rest->attr[rest].name);
            rc = rest_value(b, rest, a, &at[k].value, e);
            if (rc == OK && value_is_text(at[k].value.type) && b->rest->ref[rest].length == UINT32_MAX)
                at[k].value.text = arena_str(a, at[k].value.text);
            rest++;
        } else {
            enum value_type type = field_at(f, number)->type;
            at[k].name = f->name[number - COLUMN_ATTRS];
            rc = block_value_at(b, number, type, f->next[number], a, &at[k].value, e);
        }
        if (rc < 0) return rc;
    }
    r->attrs = (struct attrs){ at, n };
    return OK;
}

static void step_over(const struct record_block *b, size_t row, uint32_t *next)
{
    const struct block_shapes *s = b->shapes;
    uint32_t shape = s->of_row[row];
    for (uint32_t k = s->start[shape]; k < s->start[shape + 1]; k++) next[s->number[k]]++;
}

static int fill(struct filling *f, size_t row, struct record *r, struct err *e)
{
    struct record_block *b = f->b;
    const struct dense *d = &f->dense;
    *r = (struct record){ .time_ns = int_of(d->time, row),
                          .flags = (uint32_t)int_of(d->flags, row),
                          .dropped = (uint32_t)int_of(d->dropped, row),
                          .origin = f->origin[b->origin_of_row[row]] };
    memcpy(r->trace_id, b->trace[row], 16);
    memcpy(r->span_id, b->span[row], 8);
    int rc = b->part->layout->table == TABLE_SPANS ? fill_span(b, d, row, f->arena, r, e)
                                                   : fill_log(b, d, row, f->arena, r, e);
    return rc == OK ? fill_attrs(f, row, r, e) : rc;
}

static const struct origin **keep_origins(const struct record_block *b, struct arena *a)
{
    const struct origin **kept = arena_array(a, b->n_origins, sizeof *kept);
    for (size_t i = 0; i < b->n_origins; i++) {
        struct origin *o = arena_alloc(a, sizeof *o);
        struct buf packed = BUF_INIT(SIZE_MAX / 4);
        record_origin_put(&packed, &b->origin[i]);
        struct bytes in = bytes_of(arena_str(a, buf_view(&packed)));
        record_origin_get(&in, o, a);
        buf_release(&packed);
        kept[i] = o;
    }
    return kept;
}

/* Columns of attributes are compact: which value a row has is known by counting from the first row on, so
 * rows are best given in rising order. */
int record_block_records(struct record_block *b, const uint32_t *rows, size_t n, struct arena *a,
                         struct record *out, struct err *e)
{
    struct filling f = { .b = b, .arena = a };
    size_t row = 0;
    int rc = dense_open(b, &f.dense, e);
    if (rc < 0) return rc;
    f.origin = keep_origins(b, a);
    f.name = arena_zero(a, (b->part->fields.columns + 1) * sizeof *f.name);
    for (size_t i = 0; i < n && rc == OK; i++) {
        if (rows[i] < row) {
            memset(f.next, 0, sizeof f.next);
            row = 0;
        }
        for (; row < rows[i]; row++) step_over(b, row, f.next);
        rc = fill(&f, row, &out[i], e);
    }
    return rc;
}
