/* record.h - logs and spans: one shape for both, from the decoder to the log, the head and the reader.
 *
 *     struct records r;
 *     records_init(&r, &arena, TABLE_SPANS);
 *     records_origin(&r, &origin);             what sent the records that follow: resource and scope
 *     records_add(&r, &record);                packed at once: attributes may be scratch
 *
 * Packed records lie in chunks of about RECORD_CHUNK_BYTES, each whole in itself (names, origins, records): a
 * chunk is what the log holds, what the head keeps and what is read back by record_chunk_open. Bytes:
 * docs/format-record.md.
 *
 * Pure, no locks. Strings are bytes: decoders have replaced invalid UTF-8. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

enum table { TABLE_METRICS, TABLE_LOGS, TABLE_SPANS, TABLE_COUNT };
const char *table_name(enum table); /* "metrics", "logs", "spans" */

/* ---- values ---- */

/* On disk: never renumber. */
enum value_type {
    VALUE_NONE,   /* absent */
    VALUE_STR,    /* text */
    VALUE_INT,    /* i */
    VALUE_DOUBLE, /* d */
    VALUE_BOOL,   /* i: 0 or 1 */
    VALUE_BYTES,  /* text: raw bytes; trace and span ids too */
    VALUE_JSON,   /* text: an array or a map as compact JSON */
    VALUE_TYPES
};

struct value {
    enum value_type type;
    union {
        struct str text;
        int64_t i;
        double d;
    };
};

struct value value_str(struct str);
struct value value_int(int64_t);
struct value value_double(double);
struct value value_bool(bool);
/* Same type and same bits; NaN equals itself. */
bool value_same(struct value, struct value);
/* As a person reads it: text as it is, numbers shortest, true/false, bytes as hex. */
void value_print(struct buf *, struct value);

/* ---- which field ---- */

/* Fixed fields of a record. On disk: never renumber. Types in brackets; absent when empty or zero but where
 * said otherwise. */
enum intrinsic {
    IN_TIME = 1,      /* int: ns since 1970; a span's start. Always there */
    IN_TRACE_ID,      /* bytes, 16 */
    IN_SPAN_ID,       /* bytes, 8 */
    IN_FLAGS,         /* int: W3C trace flags as OTLP has them */
    IN_DROPPED,       /* int: attributes the sender says it dropped */
    IN_SCOPE_NAME,    /* str */
    IN_SCOPE_VERSION, /* str */
    IN_ORIGIN,        /* bytes, 16: hash of the resource; tells log streams apart. Always there */

    IN_PARENT_ID = 16, /* spans: bytes, 8 */
    IN_DURATION,       /* int: ns; SPAN_UNFINISHED while the span runs. Always there */
    IN_NAME,           /* str */
    IN_KIND,           /* int: enum span_kind. Always there */
    IN_STATUS,         /* int: 0 unset, 1 ok, 2 error. Always there */
    IN_STATUS_MESSAGE, /* str */
    IN_TRACE_STATE,    /* str */
    IN_EVENTS,         /* json: [{"name","time_ns":"...","attributes":{}}] */
    IN_LINKS,          /* json: [{"trace_id","span_id","trace_state","attributes":{}}], ids in hex */

    IN_OBSERVED = 32, /* logs: int, ns */
    IN_SEVERITY,      /* int: 1..24 as OTLP has it */
    IN_SEVERITY_TEXT, /* str, as it came */
    IN_BODY,          /* str or json */
    IN_EVENT_NAME,    /* str */
    INTRINSIC_END
};

#define SPAN_UNFINISHED (-1)

enum span_kind { SPAN_UNSPECIFIED, SPAN_INTERNAL, SPAN_SERVER, SPAN_CLIENT, SPAN_PRODUCER, SPAN_CONSUMER };

/* On disk: never renumber. */
enum field_scope { FIELD_INTRINSIC, FIELD_RESOURCE, FIELD_SCOPE, FIELD_ATTR };

struct field {
    enum field_scope scope;
    enum intrinsic intrinsic; /* FIELD_INTRINSIC */
    struct str name;          /* else: the attribute's key as it came, "service.name" */
};

static inline struct field field_in(enum intrinsic i)
{
    return (struct field){ FIELD_INTRINSIC, i, { NULL, 0 } };
}
static inline struct field field_attr(enum field_scope scope, struct str name)
{
    return (struct field){ scope, (enum intrinsic)0, name };
}
bool field_same(struct field, struct field);
const char *intrinsic_name(enum intrinsic);   /* "trace_id", "duration", "body", ... */
void field_print(struct buf *, struct field); /* resource.service.name, attr.http.route, name */

/* ---- a record ---- */

struct attr {
    struct str name;
    struct value value;
};

struct attrs {
    const struct attr *at; /* in the order of arrival, names unique: the last one wins */
    size_t n;
};

/* What sent a record. Loki's stream labels are resource attributes too. */
struct origin {
    struct attrs resource, scope;
    struct str scope_name, scope_version;
    struct hash128 id; /* of the resource: records_origin sets it, readers find it set */
};

/* In a span's flags, beyond those of OTLP: it ended longer before it came than span metrics look back, so
 * that they count it at its own time. Ours alone: doors clear it, answers leave it out (record_flags). */
#define RECORD_LATE 0x80000000u

struct record {
    int64_t time_ns;                  /* log: its time, else when it was observed; span: start */
    uint8_t trace_id[16], span_id[8]; /* zeros: none */
    uint32_t flags, dropped;
    const struct origin *origin; /* readers; records_add takes the one of records_origin */
    struct attrs attrs;
    union {
        struct {
            int64_t duration_ns; /* >= 0, or SPAN_UNFINISHED */
            uint8_t parent_id[8], kind, status;
            struct str name, status_message, trace_state;
            struct str events, links; /* JSON, or empty */
        } span;
        struct {
            int64_t observed_ns;
            uint8_t severity;
            struct str severity_text, event_name;
            struct value body;
        } log;
    };
};

/* Flags as their sender knows them. */
static inline uint32_t record_flags(const struct record *r)
{
    return r->flags & ~RECORD_LATE;
}

/* One field of it; VALUE_NONE when absent. Linear in the attributes. */
struct value record_value(const struct record *, enum table, struct field);
/* A copy whose every byte is in the arena. */
void record_copy(struct record *to, const struct record *from, enum table, struct arena *);

/* ---- packed ---- */

#define RECORD_CHUNK_BYTES (256u << 10)
#define RECORD_BYTES_MAX   (16u << 20) /* of one record; records_add refuses larger ones */
#define RECORD_ATTRS_MAX   4096

struct record_chunk {
    struct str bytes;
    size_t n;
    int64_t min_ns, max_ns;
};

struct record_packer;

struct records {
    enum table table;
    struct arena *arena;
    struct record_chunk *chunks; /* whole after records_end */
    size_t n_chunks, cap_chunks;
    size_t n; /* records in all */
    struct record_packer *packer;
};

void records_init(struct records *, struct arena *, enum table);
/* Of the records added from now on, until the next call; everything is copied. */
void records_origin(struct records *, const struct origin *);
/* Attributes without a value are left out; of equal names the last wins. ERR_RANGE, and nothing is kept of
 * it: larger than RECORD_BYTES_MAX or more attributes than RECORD_ATTRS_MAX (or its origin is), a duration
 * below SPAN_UNFINISHED, a kind, status or severity that the enums above do not have. */
int records_add(struct records *, const struct record *, struct err *);
void records_end(struct records *); /* the last chunk is closed; no more records */

/* A chunk opened for reading: checked whole once, then trusted. Lives as long as the bytes and the arena. */
struct record_reader {
    enum table table;
    size_t n;
    struct origin *origins;
    size_t n_origins;
    struct str *names;
    size_t n_names;
    const uint8_t **at; /* where each record begins */
    const uint8_t *end;
};
int record_chunk_open(struct record_reader *, struct str bytes, struct arena *,
                      struct err *); /* ERR_CORRUPT */
/* Record i; strings point into the chunk, attrs are in the arena. */
void record_chunk_get(const struct record_reader *, size_t i, struct arena *, struct record *);
/* Its time, ids and origin only: no memory taken, attrs empty. */
void record_chunk_head(const struct record_reader *, size_t i, struct record *);

/* One pass over a chunk that a struct records of this process has just closed: trusted, so nothing is checked
 * again, and nothing is kept of what is not wanted. */
struct record_walk {
    struct record_reader reader; /* names and origins stand after opening; n and at do not */
    const uint8_t *at;
    size_t left;
};
void record_walk_open(struct record_walk *, struct str own_chunk, struct arena *);
/* The next record, false at the end; attrs are empty. want[number of a name] is 0, or 1 + where in `picked`
 * the attribute's value goes; what the record does not have stays as it is there. */
bool record_walk_next(struct record_walk *, const uint8_t *want, struct value *picked, struct record *);
