/* waist_record_kit.h - logs and spans for the conformance suite: written from short descriptions, read back
 * as text. A record is known by its label: the name of a span, the body of a log. */
#pragma once
#include "model/predicate.h"
#include "unit/store/waist_kit.h"

/* ---- describing records ---- */

struct spec {
    const char *label;
    int64_t at_ns;        /* from T0 */
    int64_t time_ns;      /* if not zero, or `at_epoch`: the time itself */
    bool at_epoch;        /* time_ns is meant, though zero */
    int trace, id;        /* 0: of its own */
    bool has_no_ids;      /* zeros */
    int parent;           /* span id; 0: none */
    int kind, status;     /* of a span */
    int64_t duration;     /* of a span */
    int severity;         /* of a log */
    const char *attrs;    /* "k=v n=5 d=1.5 b=true j=[1] s='5' x=": what a value looks like says its type */
    const char *resource; /* likewise */
    const char *scope;    /* likewise; "@name" is the scope's name, "@@version" its version */
};

static inline struct value value_of(struct str s)
{
    int64_t i;
    double d;
    if (s.n >= 2 && s.p[0] == '\'') return value_str(str_make(s.p + 1, s.n - 2));
    if (str_is(s, "true") || str_is(s, "false")) return value_bool(s.p[0] == 't');
    if (s.n > 0 && (s.p[0] == '[' || s.p[0] == '{')) return (struct value){ VALUE_JSON, .text = s };
    if (str_to_i64(s, &i)) return value_int(i);
    if (s.n > 0 && float_parse(s, &d)) return value_double(d);
    return value_str(s);
}

/* Words that begin with @ are left to the caller. */
static inline struct attrs attrs_of(const char *text, struct arena *a)
{
    struct str rest = str_of(text), word;
    struct attr *at = NULL;
    size_t n = 0, cap = 0;
    while (next_word(&rest, &word)) {
        struct str value, name = str_cut(word, '=', &value);
        if (word.p[0] == '@') continue;
        at = arena_grow(a, at, n, &cap, sizeof *at);
        at[n++] = (struct attr){ name, value_of(value) };
    }
    return (struct attrs){ at, n };
}

static inline struct origin origin_of(const struct spec *s, struct arena *a)
{
    struct origin o = { .resource = attrs_of(s->resource, a), .scope = attrs_of(s->scope, a) };
    struct str rest = str_of(s->scope), word;
    while (next_word(&rest, &word)) {
        if (str_starts(word, "@@"))
            o.scope_version = str_make(word.p + 2, word.n - 2);
        else if (str_starts(word, "@"))
            o.scope_name = str_make(word.p + 1, word.n - 1);
    }
    return o;
}

static inline void id_of(uint8_t *to, size_t n, int number)
{
    memset(to, 0, n);
    for (size_t i = 0; i < 4; i++) to[n - 1 - i] = (uint8_t)(number >> (8 * i));
    to[0] = 0xab;
}

static inline void record_of(struct waist *w, const struct spec *s, struct record *r)
{
    bool is_given = s->at_epoch || s->time_ns != 0;
    *r = (struct record){ .time_ns = is_given ? s->time_ns : T0_NS + s->at_ns,
                          .attrs = attrs_of(s->attrs, &w->arena) };
    w->ids++;
    if (!s->has_no_ids) {
        id_of(r->trace_id, 16, s->trace ? s->trace : (int)w->ids + 100000);
        id_of(r->span_id, 8, s->id ? s->id : (int)w->ids + 100000);
    }
    if (w->table == TABLE_SPANS) {
        r->span.name = str_of(s->label);
        r->span.kind = (uint8_t)s->kind;
        r->span.status = (uint8_t)s->status;
        r->span.duration_ns = s->duration;
        if (s->parent) id_of(r->span.parent_id, 8, s->parent);
    } else {
        r->log.severity = (uint8_t)s->severity;
        r->log.body = value_str(str_of(s->label));
    }
}

static inline void add_specs(struct waist *w, struct records *r, const struct spec *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct record rec;
        struct origin o = origin_of(&s[i], &w->arena);
        records_origin(r, &o);
        record_of(w, &s[i], &rec);
        EXPECT(records_add(r, &rec, NULL) == OK);
    }
}

/* The batch is written; `result` of the case says what became of it. */
static inline void write_records(struct waist *w, struct records *r, struct hash128 id)
{
    struct batch b;
    batch_init(&b, &w->arena, LABELS_PACKED);
    records_end(r);
    *(w->table == TABLE_SPANS ? &b.spans : &b.logs) = r;
    b.id = id;
    waist_write(w, &b);
}

static inline void put_specs(struct waist *w, const struct spec *s, size_t n, struct hash128 id)
{
    struct records r;
    records_init(&r, &w->arena, w->table);
    add_specs(w, &r, s, n);
    write_records(w, &r, id);
}

/* RECORDS(w, { .label = "a", .attrs = "k=v" }, { .label = "b" }): in one batch. */
#define RECORDS(w, ...)                                                                                      \
    put_specs((w), (const struct spec[]){ __VA_ARGS__ },                                                     \
              sizeof((const struct spec[]){ __VA_ARGS__ }) / sizeof(struct spec), (struct hash128){ 0, 0 })

static inline void put_record(struct waist *w, const struct record *rec)
{
    struct records r;
    records_init(&r, &w->arena, w->table);
    if (rec->origin != NULL) records_origin(&r, rec->origin);
    EXPECT(records_add(&r, rec, NULL) == OK);
    write_records(w, &r, (struct hash128){ 0, 0 });
}

/* ---- conditions ---- */

/* "resource.service.name", "scope.x", "attr.k", or an intrinsic. */
static inline struct field field_of(const char *text)
{
    struct str s = str_of(text);
    if (str_starts(s, "resource.")) return field_attr(FIELD_RESOURCE, str_make(s.p + 9, s.n - 9));
    if (str_starts(s, "scope.")) return field_attr(FIELD_SCOPE, str_make(s.p + 6, s.n - 6));
    if (str_starts(s, "attr.")) return field_attr(FIELD_ATTR, str_make(s.p + 5, s.n - 5));
    for (int i = 1; i < INTRINSIC_END; i++)
        if (strcmp(intrinsic_name((enum intrinsic)i), text) == 0) return field_in((enum intrinsic)i);
    EXPECT(!"a field");
    return field_in(IN_TIME);
}

static inline struct field label_field(const struct waist *w)
{
    return field_in(w->table == TABLE_SPANS ? IN_NAME : IN_BODY);
}

static inline struct predicate *leaf(struct waist *w, const char *field, enum predicate_op op, struct value v)
{
    struct predicate *p = arena_zero(&w->arena, sizeof *p);
    p->op = op;
    p->field = field_of(field);
    p->value = v;
    return p;
}

static inline struct predicate *text_leaf(struct waist *w, const char *field, enum predicate_op op,
                                          const char *v)
{
    return leaf(w, field, op, value_of(str_of(v)));
}

#define eq(w, field, v) text_leaf((w), (field), PRED_EQ, (v))
#define lt(w, field, v) text_leaf((w), (field), PRED_LT, (v))
#define le(w, field, v) text_leaf((w), (field), PRED_LE, (v))
#define gt(w, field, v) text_leaf((w), (field), PRED_GT, (v))
#define ge(w, field, v) text_leaf((w), (field), PRED_GE, (v))

static inline struct predicate *exists(struct waist *w, const char *field)
{
    return leaf(w, field, PRED_EXISTS, (struct value){ VALUE_NONE });
}

static inline struct predicate *contains(struct waist *w, const char *field, const char *needle, bool fold)
{
    struct predicate *p = leaf(w, field, PRED_CONTAINS, value_str(str_of(needle)));
    p->fold = fold;
    return p;
}

static inline struct predicate *one_of(struct waist *w, const char *field, const char *values)
{
    struct predicate *p = leaf(w, field, PRED_IN, (struct value){ VALUE_NONE });
    struct str rest = str_of(values), word;
    struct value *at = arena_array(&w->arena, 64, sizeof *at);
    while (next_word(&rest, &word)) at[p->n_values++] = value_of(word);
    p->values = at;
    return p;
}

static inline struct predicate *tree(struct waist *w, enum predicate_op op, const struct predicate *a,
                                     const struct predicate *b)
{
    struct predicate *p = arena_zero(&w->arena, sizeof *p);
    const struct predicate **child = arena_array(&w->arena, 2, sizeof *child);
    child[0] = a;
    child[1] = b;
    *p = (struct predicate){ .op = op, .child = child, .n_children = b != NULL ? 2 : a != NULL };
    return p;
}

#define both(w, a, b)   tree((w), PRED_AND, (a), (b))
#define either(w, a, b) tree((w), PRED_OR, (a), (b))
#define not_(w, a)      tree((w), PRED_NOT, (a), NULL)

/* ---- reading ---- */

struct found {
    struct waist *w;
    struct record *at; /* whole ones */
    struct str *label;
    int64_t *time_ns;
    size_t n, cap, cap_label, cap_time, batches;
    size_t stop_after; /* 0: never */
};

static inline int keep_rows(void *ctx, const struct record_rows *r)
{
    struct found *f = ctx;
    struct arena *a = &f->w->arena;
    EXPECT(r->n > 0 && r->n <= 8192 && r->records != NULL);
    f->batches++;
    for (size_t i = 0; i < r->n; i++, f->n++) {
        f->at = arena_grow(a, f->at, f->n, &f->cap, sizeof *f->at);
        f->label = arena_grow(a, f->label, f->n, &f->cap_label, sizeof *f->label);
        f->time_ns = arena_grow(a, f->time_ns, f->n, &f->cap_time, sizeof *f->time_ns);
        record_copy(&f->at[f->n], &r->records[i], f->w->table, a);
        struct value label = record_value(&f->at[f->n], f->w->table, label_field(f->w));
        f->label[f->n] = label.type == VALUE_NONE ? STR("-") : label.text;
        f->time_ns[f->n] = r->time_ns[i];
        EXPECT(r->time_ns[i] == r->records[i].time_ns);
    }
    return f->stop_after != 0 && f->n >= f->stop_after ? ERR_EXEC : OK;
}

static inline struct record_scan scan_of(const struct waist *w, const struct predicate *where)
{
    return (struct record_scan){ .table = w->table, .from_ns = 0, .to_ns = INT64_MAX, .where = where };
}

static inline struct found find_in_view(struct waist *w, struct store_view *v, const struct record_scan *scan)
{
    struct found f = { .w = w };
    struct call call = waist_call(w);
    struct err e = ERR_INIT;
    int rc = view_records(v, &call, scan, keep_rows, &f, &e);
    if (rc < 0) print_error("records: %s\n", e.text);
    EXPECT(rc == OK);
    return f;
}

static inline struct found find(struct waist *w, const struct record_scan *scan)
{
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    struct found f = find_in_view(w, v, scan);
    store_view_close(v);
    return f;
}

static inline int by_str(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The labels of what was found, in the order it came; ORDER_ANY: sorted. */
static inline const char *labels_text(struct waist *w, struct found *f, enum record_order order)
{
    if (order == ORDER_ANY && f->n > 0) qsort(f->label, f->n, sizeof *f->label, by_str);
    return words_text(w, f->label, f->n);
}

static inline const char *scanned(struct waist *w, const struct record_scan *scan)
{
    struct found f = find(w, scan);
    return labels_text(w, &f, scan->order);
}

static inline const char *matching(struct waist *w, const struct predicate *where)
{
    struct record_scan scan = scan_of(w, where);
    return scanned(w, &scan);
}

static inline const char *view_labels_text(struct waist *w, struct store_view *v)
{
    struct record_scan scan = scan_of(w, NULL);
    struct found f = find_in_view(w, v, &scan);
    return labels_text(w, &f, ORDER_ANY);
}

/* The only record there is. */
static inline struct record only(struct waist *w)
{
    struct record_scan scan = scan_of(w, NULL);
    struct found f = find(w, &scan);
    EXPECT_INT(f.n, 1);
    return f.at[0];
}

static inline void say_value(struct buf *out, struct value v)
{
    static const char mark[] = {
        [VALUE_NONE] = '-', [VALUE_STR] = 's',   [VALUE_INT] = 'i', [VALUE_DOUBLE] = 'd',
        [VALUE_BOOL] = 'b', [VALUE_BYTES] = 'x', [VALUE_JSON] = 'j'
    };
    buf_char(out, mark[v.type]);
    value_print(out, v);
}
