/* record_pack.c - records to chunks, as they come.
 *
 *     chunk:  version u8 | table u8 | names | origins | varint n | n records
 *
 * A record is written at once into `body`; names and origins it is the first of its chunk to use join the
 * pools. Closing a chunk puts the four parts one behind the other. Names cost next to nothing: records of one
 * kind have the same names in the same order, so each name remembers which one followed it, and usually one
 * comparison settles it.
 *
 * Always true:
 *   1. A record's room is reckoned before its first byte is written, so putting needs no checks.
 *   2. A refused record leaves no trace.
 *   3. A chunk is closed before a record would take it past RECORD_CHUNK_BYTES, or past the size of its
 *      origins when those are larger: an origin of megabytes is not repeated for every few records. */
#include "base/check.h"
#include "model/record.h"
#include "model/record_chunk.h"
#include "model/record_pool.h"

#define BODY_FIRST  (8u << 10)
#define FIXED_BYTES 192u /* of a record, beside its texts and attributes: ten varints, ids, times */
#define ATTR_BYTES  20u  /* of an attribute, beside its texts: a length or number, the type, a value */

struct record_packer {
    struct pool names, origins;
    uint8_t *body;
    size_t n_body, cap_body;
    size_t n; /* records in the running chunk */
    int64_t min_ns, max_ns;
    uint32_t origin;      /* of the records that come next: index into origins */
    bool origin_is_large; /* its records are refused */
    uint32_t record;      /* number of the running record; from 1 */
    uint32_t first_name;  /* that the record before began with */
    uint32_t *attr_name;  /* scratch: index of each attribute's name, POOL_NONE: left out */
    size_t cap_attr_name;
};

void records_init(struct records *r, struct arena *a, enum table t)
{
    check(t == TABLE_LOGS || t == TABLE_SPANS);
    struct record_packer *k = arena_zero(a, sizeof *k);
    *r = (struct records){ .table = t, .arena = a, .packer = k };
    pool_init(&k->names, a);
    pool_init(&k->origins, a);
    k->first_name = POOL_NONE;
    k->cap_attr_name = 64;
    k->attr_name = arena_array(a, k->cap_attr_name, sizeof *k->attr_name);
    records_origin(r, &(struct origin){ 0 });
}

/* ---- values ---- */

static bool has_text(struct value v)
{
    return v.type == VALUE_STR || v.type == VALUE_BYTES || v.type == VALUE_JSON;
}

static size_t text_bytes(struct value v)
{
    check((unsigned)v.type < VALUE_TYPES);
    return has_text(v) ? v.text.n : 0;
}

static uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static uint8_t *put_value(uint8_t *p, struct value v)
{
    switch (v.type) {
    case VALUE_STR:
    case VALUE_BYTES:
    case VALUE_JSON: return put_text(p, v.text);
    case VALUE_INT: return put_varint(p, zigzag(v.i));
    case VALUE_DOUBLE: {
        uint64_t bits;
        memcpy(&bits, &v.d, 8);
        return put_u64(p, bits);
    }
    case VALUE_BOOL: *p++ = v.i != 0; return p;
    case VALUE_NONE:
    case VALUE_TYPES: break;
    }
    return p;
}

/* ---- origins ---- */

static int by_name(const void *x, const void *y)
{
    const struct attr *const *a = x, *const *b = y;
    int c = str_cmp((*a)->name, (*b)->name);
    return c ? c : *a < *b ? -1 : *a > *b;
}

/* The attributes that count, sorted by name: of equal names the last, none without a value. */
static size_t sort_attrs(const struct attrs *attrs, const struct attr **sorted)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < attrs->n; i++) sorted[n++] = &attrs->at[i];
    qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 0; i < n; i++) {
        bool is_last = i + 1 == n || !str_eq(sorted[i]->name, sorted[i + 1]->name);
        if (is_last && sorted[i]->value.type != VALUE_NONE) sorted[kept++] = sorted[i];
    }
    return kept;
}

static uint8_t *put_sorted_attrs(uint8_t *p, const struct attrs *attrs, struct arena *a)
{
    const struct attr **sorted = arena_array(a, attrs->n, sizeof *sorted);
    size_t n = sort_attrs(attrs, sorted);
    p = put_varint(p, n);
    for (size_t i = 0; i < n; i++) {
        p = put_text(p, sorted[i]->name);
        *p++ = (uint8_t)sorted[i]->value.type;
        p = put_value(p, sorted[i]->value);
    }
    return p;
}

static size_t attrs_room(const struct attrs *attrs)
{
    size_t room = 10;
    for (size_t i = 0; i < attrs->n; i++)
        room += attrs->at[i].name.n + text_bytes(attrs->at[i].value) + ATTR_BYTES;
    return room;
}

/* Attributes lie sorted by name, so equal resources have equal bytes whatever their order was, and the hash
 * of these bytes is the resource's identity. */
static struct str pack_origin(const struct origin *o, size_t room, struct arena *a)
{
    uint8_t *begin = arena_alloc(a, room), *resource = begin + sizeof o->id, *p;
    p = put_sorted_attrs(resource, &o->resource, a);
    struct hash128 id = hash128(resource, (size_t)(p - resource));
    put_u64(put_u64(begin, id.lo), id.hi);
    p = put_text(p, o->scope_name);
    p = put_text(p, o->scope_version);
    p = put_sorted_attrs(p, &o->scope, a);
    return str_make(begin, (size_t)(p - begin));
}

void records_origin(struct records *r, const struct origin *o)
{
    struct record_packer *k = r->packer;
    check(k != NULL);
    size_t room = sizeof o->id + attrs_room(&o->resource) + attrs_room(&o->scope) + o->scope_name.n +
                  o->scope_version.n + 20;
    k->origin_is_large =
        room > RECORD_BYTES_MAX || o->resource.n > RECORD_ATTRS_MAX || o->scope.n > RECORD_ATTRS_MAX;
    if (k->origin_is_large) return;

    struct arena scratch = ARENA_INIT(SIZE_MAX);
    k->origin = pool_find(&k->origins, pack_origin(o, room, &scratch));
    arena_release(&scratch);
}

/* ---- chunks ---- */

static void close_chunk(struct records *r)
{
    struct record_packer *k = r->packer;
    size_t room = 2 + pool_room(&k->names) + pool_room(&k->origins) + 10 + k->n_body;
    uint8_t *begin = arena_alloc(r->arena, room), *p = begin;
    *p++ = RECORD_CHUNK_VERSION;
    *p++ = (uint8_t)r->table;
    p = pool_put(&k->names, p);
    p = pool_put(&k->origins, p);
    p = put_varint(p, k->n);
    p = put_bytes(p, k->body, k->n_body);

    r->chunks = arena_grow(r->arena, r->chunks, r->n_chunks, &r->cap_chunks, sizeof *r->chunks);
    r->chunks[r->n_chunks++] =
        (struct record_chunk){ str_make(begin, (size_t)(p - begin)), k->n, k->min_ns, k->max_ns };
    pool_next_chunk(&k->names);
    pool_next_chunk(&k->origins);
    k->n_body = k->n = 0;
}

static bool chunk_is_full(const struct record_packer *k, size_t record_room)
{
    size_t origin = pool_is_used(&k->origins, k->origin) ? 0 : k->origins.at[k->origin].text.n;
    if (origin && k->origins.bytes + origin > RECORD_CHUNK_BYTES) return true;
    size_t limit = MAX(RECORD_CHUNK_BYTES, k->origins.bytes);
    return k->n_body + k->names.bytes + record_room > limit;
}

static void make_room(struct records *r, size_t n)
{
    struct record_packer *k = r->packer;
    if (k->cap_body - k->n_body >= n) return;

    size_t cap = MAX(k->cap_body * 2, BODY_FIRST);
    while (cap - k->n_body < n) cap *= 2;
    uint8_t *body = arena_alloc(r->arena, cap);
    put_bytes(body, k->body, k->n_body);
    k->body = body;
    k->cap_body = cap;
}

/* ---- records ---- */

/* Most bytes it can take, its names counted as if all were new. */
static size_t record_room(const struct record *rec, enum table t)
{
    size_t room = FIXED_BYTES + attrs_room(&rec->attrs);
    if (t == TABLE_SPANS)
        return room + rec->span.name.n + rec->span.status_message.n + rec->span.trace_state.n +
               rec->span.events.n + rec->span.links.n;
    return room + rec->log.severity_text.n + rec->log.event_name.n + text_bytes(rec->log.body);
}

static int check_record(const struct records *r, const struct record *rec, size_t *room, struct err *e)
{
    if (r->packer->origin_is_large)
        return err_set(e, ERR_RANGE, "resource or scope larger than %u bytes or %d attributes",
                       RECORD_BYTES_MAX, RECORD_ATTRS_MAX);
    if (rec->attrs.n > RECORD_ATTRS_MAX)
        return err_set(e, ERR_RANGE, "%zu attributes, more than %d", rec->attrs.n, RECORD_ATTRS_MAX);
    if (r->table == TABLE_SPANS && rec->span.duration_ns < SPAN_UNFINISHED)
        return err_set(e, ERR_RANGE, "span ends before it starts");
    if (r->table == TABLE_SPANS && (rec->span.kind > SPAN_CONSUMER || rec->span.status > STATUS_MAX))
        return err_set(e, ERR_RANGE, "unknown kind %d or status %d of a span", rec->span.kind,
                       rec->span.status);
    if (r->table == TABLE_LOGS && rec->log.severity > SEVERITY_MAX)
        return err_set(e, ERR_RANGE, "unknown severity %d", rec->log.severity);
    if ((*room = record_room(rec, r->table)) > RECORD_BYTES_MAX)
        return err_set(e, ERR_RANGE, "record larger than %u bytes", RECORD_BYTES_MAX);
    return OK;
}

/* The index of the name that comes after `before`, most likely the one that came after it last time. */
static uint32_t find_name(struct record_packer *k, uint32_t before, struct str name)
{
    uint32_t guess = before == POOL_NONE ? k->first_name : k->names.at[before].next;
    if (LIKELY(guess != POOL_NONE && str_eq(k->names.at[guess].text, name))) return guess;

    uint32_t found = pool_find(&k->names, name);
    *(before == POOL_NONE ? &k->first_name : &k->names.at[before].next) = found;
    return found;
}

/* Number each attribute's name. Returns how many attributes stay. */
static size_t name_attrs(struct records *r, const struct attrs *attrs)
{
    struct record_packer *k = r->packer;
    size_t kept = 0;
    uint32_t before = POOL_NONE;
    while (k->cap_attr_name < attrs->n)
        k->attr_name =
            arena_grow(r->arena, k->attr_name, k->cap_attr_name, &k->cap_attr_name, sizeof *k->attr_name);

    for (size_t i = 0; i < attrs->n; i++) {
        uint32_t name = find_name(k, before, attrs->at[i].name);
        before = name;

        struct pool_text *t = &k->names.at[name];
        if (t->record == k->record && k->attr_name[t->place] != POOL_NONE) { /* again: this one wins */
            k->attr_name[t->place] = POOL_NONE;
            kept--;
        }
        bool is_kept = attrs->at[i].value.type != VALUE_NONE;
        k->attr_name[i] = is_kept ? pool_use(&k->names, name) : POOL_NONE;
        kept += is_kept;
        t->record = k->record;
        t->place = (uint32_t)i;
    }
    return kept;
}

static uint8_t *put_attrs(const struct record_packer *k, uint8_t *p, const struct attrs *attrs, size_t kept)
{
    p = put_varint(p, kept);
    for (size_t i = 0; i < attrs->n; i++) {
        if (k->attr_name[i] == POOL_NONE) continue;
        struct value v = attrs->at[i].value;
        p = put_varint(p, (uint64_t)k->attr_name[i] << VALUE_TYPE_BITS | v.type);
        p = put_value(p, v);
    }
    return p;
}

static bool is_zero(const uint8_t *id, size_t n)
{
    uint64_t any = 0, word;
    for (size_t i = 0; i < n; i += 8) {
        memcpy(&word, id + i, 8);
        any |= word;
    }
    return any == 0;
}

static uint8_t *put_head(uint8_t *p, const struct record *rec, unsigned has, uint32_t origin)
{
    *p++ = (uint8_t)has;
    *p++ = (uint8_t)(has >> 8);
    p = put_u64(p, (uint64_t)rec->time_ns);
    p = put_varint(p, origin);
    if (has & HAS_TRACE_ID) p = put_bytes(p, rec->trace_id, sizeof rec->trace_id);
    if (has & HAS_SPAN_ID) p = put_bytes(p, rec->span_id, sizeof rec->span_id);
    if (has & HAS_FLAGS) p = put_varint(p, rec->flags);
    if (has & HAS_DROPPED) p = put_varint(p, rec->dropped);
    return p;
}

static uint8_t *put_span(uint8_t *p, const struct record *rec, unsigned has)
{
    *p++ = rec->span.kind;
    *p++ = rec->span.status;
    p = put_varint(p, (uint64_t)rec->span.duration_ns + 1);
    if (has & HAS_PARENT_ID) p = put_bytes(p, rec->span.parent_id, sizeof rec->span.parent_id);
    p = put_text(p, rec->span.name);
    if (has & HAS_STATUS_MESSAGE) p = put_text(p, rec->span.status_message);
    if (has & HAS_TRACE_STATE) p = put_text(p, rec->span.trace_state);
    if (has & HAS_EVENTS) p = put_text(p, rec->span.events);
    if (has & HAS_LINKS) p = put_text(p, rec->span.links);
    return p;
}

static uint8_t *put_log(uint8_t *p, const struct record *rec, unsigned has)
{
    if (has & HAS_OBSERVED) p = put_u64(p, (uint64_t)rec->log.observed_ns);
    if (has & HAS_SEVERITY) *p++ = rec->log.severity;
    if (has & HAS_SEVERITY_TEXT) p = put_text(p, rec->log.severity_text);
    if (has & HAS_EVENT_NAME) p = put_text(p, rec->log.event_name);
    if (has & HAS_BODY) {
        *p++ = (uint8_t)rec->log.body.type;
        p = put_value(p, rec->log.body);
    }
    return p;
}

static unsigned what_it_has(const struct record *rec, enum table t)
{
    unsigned has = (is_zero(rec->trace_id, 16) ? 0 : HAS_TRACE_ID) |
                   (is_zero(rec->span_id, 8) ? 0 : HAS_SPAN_ID) | (rec->flags ? HAS_FLAGS : 0) |
                   (rec->dropped ? HAS_DROPPED : 0);
    if (t == TABLE_SPANS)
        return has | (is_zero(rec->span.parent_id, 8) ? 0 : HAS_PARENT_ID) |
               (rec->span.status_message.n ? HAS_STATUS_MESSAGE : 0) |
               (rec->span.trace_state.n ? HAS_TRACE_STATE : 0) | (rec->span.events.n ? HAS_EVENTS : 0) |
               (rec->span.links.n ? HAS_LINKS : 0);
    return has | (rec->log.observed_ns ? HAS_OBSERVED : 0) | (rec->log.severity ? HAS_SEVERITY : 0) |
           (rec->log.severity_text.n ? HAS_SEVERITY_TEXT : 0) | (rec->log.event_name.n ? HAS_EVENT_NAME : 0) |
           (rec->log.body.type != VALUE_NONE ? HAS_BODY : 0);
}

static void note_time(struct record_packer *k, int64_t t)
{
    k->min_ns = k->n == 0 ? t : MIN(k->min_ns, t);
    k->max_ns = k->n == 0 ? t : MAX(k->max_ns, t);
}

int records_add(struct records *r, const struct record *rec, struct err *e)
{
    struct record_packer *k = r->packer;
    size_t room = 0;
    check(k != NULL);
    int rc = check_record(r, rec, &room, e);
    if (rc < 0) return rc;

    if (k->n > 0 && chunk_is_full(k, room)) close_chunk(r);
    make_room(r, room);
    k->record++;
    size_t kept = name_attrs(r, &rec->attrs);

    unsigned has = what_it_has(rec, r->table);
    uint8_t *begin = k->body + k->n_body;
    uint8_t *p = put_head(begin, rec, has, pool_use(&k->origins, k->origin));
    p = r->table == TABLE_SPANS ? put_span(p, rec, has) : put_log(p, rec, has);
    p = put_attrs(k, p, &rec->attrs, kept);
    check((size_t)(p - begin) <= room);

    note_time(k, rec->time_ns);
    k->n_body += (size_t)(p - begin);
    k->n++;
    r->n++;
    return OK;
}

void records_end(struct records *r)
{
    if (r->packer != NULL && r->packer->n > 0) close_chunk(r);
    r->packer = NULL;
}
