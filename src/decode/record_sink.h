/* record_sink.h - where the decoders of logs and spans put what they have read, and the account they give.
 *
 * All decoders of records have one form, record_decoder: they fill `out` (of the right table; the caller
 * began it with records_init and ends it with records_end) and a report. One bad span or line is refused,
 * counted under its reason and, while there is room, described with its place; the others are kept. Only a
 * body whose frame is broken is refused as a whole: ERR_PARSE, with the place. ERR_LIMIT: the arena of `out`
 * is full, or resources come to more than RECORD_ORIGINS_MAX.
 *
 * What the sink does to every record, whatever its protocol:
 *   1. Text is UTF-8: what is not becomes U+FFFD.
 *   2. A value longer than RECORD_VALUE_MAX is cut; the attribute vedette.truncated says how many bytes are
 *      gone. A value that cannot be kept (nested too deeply, not what its type says) is left out; the
 *      attribute vedette.refused says how many. Such records count as altered, too.
 *   3. Attributes without a name are left out.
 *   4. A record of the far future (record_options.latest_ns) is refused.
 *   5. A body has RECORDS_FREE records and one more for each RECORD_BODY_MIN of its bytes; those beyond are
 *      refused. In memory a record without content takes some 110 bytes, so that two million of them, 4 MB
 *      as they come, would take 200.
 *   6. Hooks see the record last, before it is packed: redaction and sampling live there.
 *
 * The sink itself is for decoders: begin, fill `record` and `attrs`, then add or refuse. Texts may point into
 * the body, or into *at, which is forgotten at the next begin.
 *
 * Not for two threads. */
#pragma once
#include "base/check.h"
#include "base/json.h"
#include "model/record.h"
#include "model/reject.h"

#define RECORD_VALUE_MAX   (2u << 20)
#define RECORD_JSON_MAX    (8u << 20) /* events of one span, or its links, or one nested value */
#define RECORD_FAULTS_MAX  8
#define RECORD_BODY_MIN    16 /* of a log line with its time there are more in every protocol */
#define RECORDS_FREE       (32u << 10)
#define RECORD_ORIGINS_MAX (256u << 20) /* bytes of resources in one body, counted again for each scope */
#define RECORD_TIME_MAX    INT64_MAX

struct record_fault {
    enum reject reason; /* REJECT_COUNT: a record that was kept, altered */
    char text[256];     /* "spans[3]: ...", "line 7: ..." */
};

struct record_report {
    uint64_t accepted;
    uint64_t altered; /* accepted, with something cut, left out or put right */
    uint64_t dropped; /* by the door's own wish: sampled away */
    uint64_t rejected[REJECT_COUNT], rejected_total;
    struct record_fault first[RECORD_FAULTS_MAX];
    size_t n_first;
};

/* What the door wants done to records. Any of them may be NULL; what they put in is scratch or longer-lived.
 */
struct record_hooks {
    void *ctx;
    void (*origin)(void *ctx, struct origin *, struct arena *scratch);
    bool (*record)(void *ctx, const struct origin *, struct record *,
                   struct arena *scratch); /* false: drop */
};

struct record_options {
    int64_t now_ns; /* for records that do not say when */
    int64_t
        latest_ns; /* records beyond it are refused: one bad clock would make days that never end; 0: none */
    const struct record_hooks *hooks;
};

typedef int record_decoder(struct str body, const struct record_options *, struct records *out,
                           struct record_report *, struct err *);

/* ---- for decoders ---- */

struct attr_list {
    struct attr *at;
    size_t n, cap;
};

struct record_sink {
    struct records *out;
    const struct record_options *options;
    struct record_report *report;

    struct arena lists, keep, scratch; /* arrays; texts of the origin; texts of the record at hand */
    struct arena *at;                  /* keep or scratch: where texts of now go */
    struct attr_list resource, scope, attrs;
    struct origin origin;
    struct record record;
    struct buf events, links; /* JSON, of the record at hand */
    size_t n_events, n_links;
    uint64_t cut, left_out;   /* of the origin or record at hand; see 2 */
    bool altered, has_origin; /* has_origin: record_origin_of has set one */
    bool origin_due;          /* not packed yet: it may have no records */
    uint64_t origin_bytes;
    uint64_t most; /* records; see 5 */

    const char *(*place)(void *decoder); /* where we are, for texts; made only when one is needed */
    void *decoder;
};

void record_sink_init(struct record_sink *, struct records *out, const struct record_options *,
                      struct record_report *, const char *(*place)(void *), void *decoder);
void record_sink_release(struct record_sink *);
/* All records come from one body of so many bytes. */
void record_sink_bound(struct record_sink *, size_t body_bytes);

/* A resource begins: its attributes and scope are forgotten; texts go to `keep` until record_begin. */
void record_origin_begin(struct record_sink *);
/* A scope of the same resource begins. */
void record_scope_begin(struct record_sink *);
/* The lists and scope_name, scope_version stand: they hold for the records that follow. */
void record_origin_end(struct record_sink *);

/* The same for protocols that tell with each record where it is from: the resource of the record at hand, in
 * between record_begin and record_add. Packed again only when it is another one than before. */
void record_origin_of(struct record_sink *, const struct attr *resource, size_t n, struct str scope_name,
                      struct str scope_version);

void record_begin(struct record_sink *);
/* The record is packed, or refused as too large. Negative: no memory left. */
int record_add(struct record_sink *, struct err *);
/* The place is put before the text. */
void record_refuse(struct record_sink *, enum reject reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* n more of the reason just given. */
void record_refuse_more(struct record_sink *, enum reject reason, uint64_t n);
/* The record at hand is kept, but the sender should know something. */
void record_note(struct record_sink *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Borrowed when it is right as it is; else repaired, cut. */
struct str record_text_slow(struct record_sink *, struct str);
static inline bool text_is_ascii(struct str t)
{
    uint64_t seen = 0, eight;
    size_t i = 0;
    for (; i + 8 <= t.n; i += 8) {
        memcpy(&eight, t.p + i, 8);
        seen |= eight;
    }
    if (i < t.n && t.n >= 8) {
        memcpy(&eight, t.p + t.n - 8, 8);
        seen |= eight;
    } else
        for (; i < t.n; i++) seen |= (uint8_t)t.p[i];
    return (seen & 0x8080808080808080u) == 0;
}
static inline struct str record_text(struct record_sink *s, struct str t)
{
    return LIKELY(t.n <= RECORD_VALUE_MAX && text_is_ascii(t)) ? t : record_text_slow(s, t);
}

/* Room for one more; NULL past RECORD_ATTRS_MAX: counted as left out. The caller fills both halves. */
struct attr *record_attr_slow(struct record_sink *, struct attr_list *);
static inline struct attr *record_attr_room(struct record_sink *s, struct attr_list *l)
{
    return LIKELY(l->n < l->cap) ? &l->at[l->n++] : record_attr_slow(s, l);
}
/* name and text as they came. */
void record_put(struct record_sink *, struct attr_list *, struct str name, struct value);
void record_put_text(struct record_sink *, struct attr_list *, struct str name, struct str text);

struct value record_value_text(struct record_sink *, struct str);
struct value record_value_bytes(struct record_sink *, struct str);
/* A finished JSON text; borrowed from a buf that will be used again. */
struct value record_value_json(struct record_sink *, const struct buf *);
/* What a body may be: text, or JSON for all that is not text. */
struct value record_body(struct record_sink *, struct value);

/* ---- events and links of the span at hand ----
 *
 * begin writes what all have and leaves the object open for "attributes"; end closes it. */
void record_event_begin(struct record_sink *, struct json_writer *, struct str name, uint64_t time_ns);
/* Ids in bytes of any number. */
void record_link_begin(struct record_sink *, struct json_writer *, struct str trace_id, struct str span_id);
void record_item_end(struct json_writer *);
