/* record_read.c - chunks of packed records, checked whole when they are opened and then trusted.
 *
 * What a record looks like is said once, in read_head to read_value. Each is compiled twice: `checked` walks
 * bytes that may be anything and is what record_chunk_open does; without it the same lines have no
 * comparisons left and are the getters.
 *
 * Always true of an open chunk:
 *   1. Every length, index, type, enum and count is within its bounds, and no bytes are left over.
 *   2. Names of the chunk are distinct; so are those of each list of attributes.
 *   3. at[i] is where record i begins; it ends where the next one begins. */
#include "base/check.h"
#include "model/record.h"
#include "model/record_chunk.h"

#define RECORD_BYTES_MIN 12u /* what any record takes at least: has, time, origin, count of attributes */

#define ORIGIN_BYTES_MIN 21u /* its length, the id, two texts and two counts */

#define EITHER static inline __attribute__((always_inline))

struct cursor {
    const uint8_t *p, *end;
    const char *why; /* NULL until something was wrong; then p == end */
    const uint8_t *failed_at;
};

static void fail(struct cursor *c, const char *why)
{
    if (c->why == NULL) {
        c->why = why;
        c->failed_at = c->p;
    }
    c->p = c->end;
}

EITHER bool has_room(struct cursor *c, uint64_t n, bool checked)
{
    if (!checked || LIKELY(n <= (size_t)(c->end - c->p))) return true;
    fail(c, "ends too early");
    return false;
}

EITHER uint8_t read_u8(struct cursor *c, bool checked)
{
    return has_room(c, 1, checked) ? *c->p++ : 0;
}

EITHER uint64_t read_u64(struct cursor *c, bool checked)
{
    uint64_t v;
    if (!has_room(c, 8, checked)) return 0;
    memcpy(&v, c->p, 8);
    c->p += 8;
    return le64toh(v);
}

EITHER uint64_t read_varint(struct cursor *c, bool checked)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (!has_room(c, 1, checked)) return 0;
        uint8_t b = *c->p++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) return v;
    }
    if (checked) fail(c, "has a number that does not end");
    return 0;
}

EITHER struct str read_text(struct cursor *c, bool checked)
{
    uint64_t n = read_varint(c, checked);
    if (!has_room(c, n, checked)) return (struct str){ NULL, 0 };
    struct str s = str_make(c->p, (size_t)n);
    c->p += n;
    return s;
}

EITHER void read_id(struct cursor *c, uint8_t *to, size_t n, bool checked)
{
    if (!has_room(c, n, checked)) return;
    memcpy(to, c->p, n);
    c->p += n;
}

EITHER struct value read_value(struct cursor *c, unsigned type, bool checked)
{
    struct value v = { .type = (enum value_type)type };
    switch (type) {
    case VALUE_STR:
    case VALUE_BYTES:
    case VALUE_JSON: v.text = read_text(c, checked); break;
    case VALUE_INT: {
        uint64_t z = read_varint(c, checked);
        v.i = (int64_t)(z >> 1) ^ -(int64_t)(z & 1);
        break;
    }
    case VALUE_DOUBLE: {
        uint64_t bits = read_u64(c, checked);
        memcpy(&v.d, &bits, 8);
        break;
    }
    case VALUE_BOOL:
        v.i = read_u8(c, checked);
        if (checked && v.i > 1) fail(c, "has a truth value beyond 0 and 1");
        break;
    default:
        if (checked) fail(c, "has a value of unknown type");
    }
    return v;
}

/* ---- a record ---- */

EITHER unsigned read_head(struct cursor *c, const struct record_reader *r, struct record *out, bool checked)
{
    unsigned has = read_u8(c, checked);
    has |= (unsigned)read_u8(c, checked) << 8;
    out->time_ns = (int64_t)read_u64(c, checked);
    uint64_t origin = read_varint(c, checked);
    if (has & HAS_TRACE_ID) read_id(c, out->trace_id, sizeof out->trace_id, checked);
    if (has & HAS_SPAN_ID) read_id(c, out->span_id, sizeof out->span_id, checked);
    if (checked && has >= HAS_END) fail(c, "has fields of an unknown kind");
    if (checked && origin >= r->n_origins) fail(c, "names an origin that is not there");
    if (!checked || c->why == NULL) out->origin = &r->origins[origin];
    return has;
}

EITHER void read_rare(struct cursor *c, unsigned has, struct record *out, bool checked)
{
    uint64_t flags = has & HAS_FLAGS ? read_varint(c, checked) : 0;
    uint64_t dropped = has & HAS_DROPPED ? read_varint(c, checked) : 0;
    if (checked && (flags > UINT32_MAX || dropped > UINT32_MAX)) fail(c, "has flags beyond 32 bits");
    out->flags = (uint32_t)flags;
    out->dropped = (uint32_t)dropped;
}

EITHER void read_span(struct cursor *c, unsigned has, struct record *out, bool checked)
{
    out->span.kind = read_u8(c, checked);
    out->span.status = read_u8(c, checked);
    uint64_t duration = read_varint(c, checked); /* + 1, so that 0 is SPAN_UNFINISHED */
    if (checked && (out->span.kind > SPAN_CONSUMER || out->span.status > STATUS_MAX))
        fail(c, "is of an unknown kind or status");
    if (checked && duration > (uint64_t)INT64_MAX + 1) fail(c, "lasts too long");
    out->span.duration_ns = (int64_t)(duration - 1);
    if (has & HAS_PARENT_ID) read_id(c, out->span.parent_id, sizeof out->span.parent_id, checked);
    out->span.name = read_text(c, checked);
    if (has & HAS_STATUS_MESSAGE) out->span.status_message = read_text(c, checked);
    if (has & HAS_TRACE_STATE) out->span.trace_state = read_text(c, checked);
    if (has & HAS_EVENTS) out->span.events = read_text(c, checked);
    if (has & HAS_LINKS) out->span.links = read_text(c, checked);
}

EITHER void read_log(struct cursor *c, unsigned has, struct record *out, bool checked)
{
    if (has & HAS_OBSERVED) out->log.observed_ns = (int64_t)read_u64(c, checked);
    if (has & HAS_SEVERITY) out->log.severity = read_u8(c, checked);
    if (checked && out->log.severity > SEVERITY_MAX) fail(c, "is of an unknown severity");
    if (has & HAS_SEVERITY_TEXT) out->log.severity_text = read_text(c, checked);
    if (has & HAS_EVENT_NAME) out->log.event_name = read_text(c, checked);
    if (has & HAS_BODY) {
        unsigned type = read_u8(c, checked);
        out->log.body = read_value(c, type, checked);
    }
}

EITHER void read_record(struct cursor *c, const struct record_reader *r, struct record *out, bool checked)
{
    memset(out, 0, sizeof *out);
    unsigned has = read_head(c, r, out, checked);
    read_rare(c, has, out, checked);
    if (r->table == TABLE_SPANS)
        read_span(c, has, out, checked);
    else
        read_log(c, has, out, checked);
}

/* ---- opening ---- */

/* How many follow, each of `least` bytes or more. */
static size_t read_count(struct cursor *c, size_t least)
{
    uint64_t n = read_varint(c, true);
    if (n <= (size_t)(c->end - c->p) / least) return (size_t)n;
    fail(c, "counts more than there is room for");
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void check_distinct(struct cursor *c, const struct str *names, size_t n)
{
    struct arena scratch = ARENA_INIT(SIZE_MAX);
    struct str *sorted = arena_array(&scratch, n, sizeof *sorted);
    if (n) memcpy(sorted, names, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_text);
    for (size_t i = 1; i < n; i++)
        if (str_eq(sorted[i - 1], sorted[i])) fail(c, "has a name twice");
    arena_release(&scratch);
}

static void open_names(struct cursor *c, struct record_reader *r, struct arena *a)
{
    r->n_names = read_count(c, 1);
    r->names = arena_array(a, r->n_names, sizeof *r->names);
    for (size_t i = 0; i < r->n_names; i++) r->names[i] = read_text(c, true);
    if (c->why == NULL) check_distinct(c, r->names, r->n_names);
}

/* Sorted by name, which tells at once that they are distinct. */
static struct attrs open_origin_attrs(struct cursor *c, struct arena *a)
{
    size_t n = read_count(c, 3);
    if (n > RECORD_ATTRS_MAX) fail(c, "has an origin of too many attributes");
    if (c->why != NULL) return (struct attrs){ NULL, 0 };

    struct attr *at = arena_array(a, n, sizeof *at);
    for (size_t i = 0; i < n; i++) {
        at[i].name = read_text(c, true);
        unsigned type = read_u8(c, true);
        at[i].value = read_value(c, type, true);
        if (i > 0 && c->why == NULL && str_cmp(at[i - 1].name, at[i].name) >= 0)
            fail(c, "has an origin whose names are not in order");
    }
    return (struct attrs){ at, n };
}

static void open_origin(struct cursor *c, struct origin *o, struct arena *a)
{
    struct str whole = read_text(c, true);
    if (c->why != NULL) return;
    struct cursor in = { (const uint8_t *)whole.p, (const uint8_t *)whole.p + whole.n, NULL, NULL };

    o->id.lo = read_u64(&in, true);
    o->id.hi = read_u64(&in, true);
    o->resource = open_origin_attrs(&in, a);
    o->scope_name = read_text(&in, true);
    o->scope_version = read_text(&in, true);
    o->scope = open_origin_attrs(&in, a);
    if (in.why == NULL && in.p != in.end) fail(&in, "has an origin with bytes left over");
    if (in.why != NULL) fail(c, in.why);
}

static void open_origins(struct cursor *c, struct record_reader *r, struct arena *a)
{
    r->n_origins = read_count(c, ORIGIN_BYTES_MIN);
    r->origins = arena_array(a, r->n_origins, sizeof *r->origins);
    memset(r->origins, 0, r->n_origins * sizeof *r->origins);
    for (size_t i = 0; i < r->n_origins && c->why == NULL; i++) open_origin(c, &r->origins[i], a);
}

/* seen[name]: 1 + the record that had it last. */
static void check_attrs(struct cursor *c, const struct record_reader *r, size_t record, uint32_t *seen)
{
    uint64_t n = read_varint(c, true);
    if (n > RECORD_ATTRS_MAX) fail(c, "has too many attributes");
    for (uint64_t i = 0; i < n && c->why == NULL; i++) {
        uint64_t k = read_varint(c, true), name = k >> VALUE_TYPE_BITS;
        if (name >= r->n_names) {
            fail(c, "names an attribute that is not there");
        } else if (seen[name] == record + 1) {
            fail(c, "has an attribute twice");
        } else {
            seen[name] = (uint32_t)record + 1;
            read_value(c, k & ((1u << VALUE_TYPE_BITS) - 1), true);
        }
    }
}

static void open_records(struct cursor *c, struct record_reader *r, struct arena *a)
{
    size_t n = read_count(c, RECORD_BYTES_MIN);
    if (n >= UINT32_MAX) fail(c, "has too many records");
    if (c->why != NULL) return;

    r->at = arena_array(a, n, sizeof *r->at);
    struct arena scratch = ARENA_INIT(SIZE_MAX);
    uint32_t *seen = arena_zero(&scratch, r->n_names * sizeof *seen);
    struct record rec;
    for (; r->n < n && c->why == NULL; r->n++) {
        r->at[r->n] = c->p;
        read_record(c, r, &rec, true);
        check_attrs(c, r, r->n, seen);
    }
    arena_release(&scratch);
}

int record_chunk_open(struct record_reader *r, struct str bytes, struct arena *a, struct err *e)
{
    const uint8_t *begin = (const uint8_t *)bytes.p;
    struct cursor c = { begin, begin ? begin + bytes.n : NULL, NULL, NULL };
    *r = (struct record_reader){ .end = c.end };
    if (read_u8(&c, true) != RECORD_CHUNK_VERSION) fail(&c, "is of an unknown version");
    r->table = (enum table)read_u8(&c, true);
    if (r->table != TABLE_LOGS && r->table != TABLE_SPANS) fail(&c, "is of an unknown table");

    if (c.why == NULL) open_names(&c, r, a);
    if (c.why == NULL) open_origins(&c, r, a);
    if (c.why == NULL) open_records(&c, r, a);
    if (c.why == NULL && c.p != c.end) fail(&c, "has bytes left over");
    if (c.why == NULL) return OK;

    *r = (struct record_reader){ 0 };
    return err_set(e, ERR_CORRUPT, "chunk of records %s: byte %zu of %zu", c.why,
                   (size_t)(c.failed_at - begin), bytes.n);
}

/* ---- getting ---- */

static void get_attrs(struct cursor *c, const struct record_reader *r, struct arena *a, struct attrs *out)
{
    size_t n = (size_t)read_varint(c, false);
    if (n == 0) return;
    struct attr *at = arena_array(a, n, sizeof *at);
    for (size_t i = 0; i < n; i++) {
        uint64_t k = read_varint(c, false);
        at[i].name = r->names[k >> VALUE_TYPE_BITS];
        at[i].value = read_value(c, k & ((1u << VALUE_TYPE_BITS) - 1), false);
    }
    *out = (struct attrs){ at, n };
}

void record_chunk_get(const struct record_reader *r, size_t i, struct arena *a, struct record *out)
{
    check(i < r->n);
    struct cursor c = { r->at[i], r->end, NULL, NULL };
    read_record(&c, r, out, false);
    get_attrs(&c, r, a, &out->attrs);
}

void record_chunk_head(const struct record_reader *r, size_t i, struct record *out)
{
    check(i < r->n);
    struct cursor c = { r->at[i], r->end, NULL, NULL };
    memset(out, 0, sizeof *out);
    read_head(&c, r, out, false);
}

/* ---- walking ---- */

void record_walk_open(struct record_walk *w, struct str bytes, struct arena *a)
{
    const uint8_t *begin = (const uint8_t *)bytes.p;
    struct cursor c = { begin, begin + bytes.n, NULL, NULL };
    w->reader = (struct record_reader){ .end = c.end };
    check(read_u8(&c, true) == RECORD_CHUNK_VERSION);
    w->reader.table = (enum table)read_u8(&c, true);
    open_names(&c, &w->reader, a);
    open_origins(&c, &w->reader, a);
    w->left = read_count(&c, RECORD_BYTES_MIN);
    check(c.why == NULL);
    w->at = c.p;
}

bool record_walk_next(struct record_walk *w, const uint8_t *want, struct value *picked, struct record *out)
{
    struct cursor c = { w->at, w->reader.end, NULL, NULL };
    if (w->left == 0) return false;
    read_record(&c, &w->reader, out, false);
    size_t n = (size_t)read_varint(&c, false);
    for (size_t i = 0; i < n; i++) {
        uint64_t k = read_varint(&c, false);
        unsigned type = k & ((1u << VALUE_TYPE_BITS) - 1);
        uint8_t slot = want[k >> VALUE_TYPE_BITS];
        struct value v = read_value(&c, type, false);
        if (slot != 0) picked[slot - 1] = v;
    }
    w->at = c.p;
    w->left--;
    return true;
}
