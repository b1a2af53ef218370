/* event_json.h - typed events (model/event.h) as JSON, as their doors take them: one object, an array of
 * objects, or objects one after the other.
 *
 * An object's keys are the fields of its kind; the known fields of log entries (log_document.h: service,
 * timestamp, severity, message, trace_id, correlation_id, ...) mean the same here; all others are kept as
 * attributes. An event is taken whole or not at all: a field that is missing, of the wrong type or out of its
 * range refuses it, with a text "line N: field: ...".
 *
 * Its time is the timestamp, else that of the kind's time fields, else now. Its trace is the one it names,
 * else the one of the kind's trace field (event_trace_id). */
#pragma once
#include "decode/record_sink.h"
#include "model/event.h"

#define EVENT_JSON_IDS_MAX 100 /* told back to the sender */

struct event_json {
    const struct event_kind *kind;     /* NULL: each object names its own by event_name */
    struct str path_field, path_value; /* a field that the door knows already; empty: none */

    /* Of an event with an id that is right in all else: false leaves it out as a duplicate. NULL: all are
     * new.
     */
    bool (*is_new)(void *ctx, const struct event_kind *, struct str id);
    /* Such an event was refused after all. */
    void (*not_kept)(void *ctx, const struct event_kind *, struct str id);
    void *ctx;

    struct arena *kept; /* where ids that are told lie; NULL: none is told */
    /* out */
    uint64_t duplicates;
    struct event_told {
        struct str id;
        uint8_t trace_id[16];
        bool is_duplicate;
    } told[EVENT_JSON_IDS_MAX]; /* of events that have an id, in their order */
    size_t n_told;
};

int event_json(struct event_json *, struct str body, const struct record_options *, struct records *out,
               struct record_report *, struct err *);
