/* event.h - typed records: what a load balancer, an agent, a tool or a program of the user reports of itself,
 * as log records with an event name and attributes of known names.
 *
 * One table says what there is: event_kinds. It drives the decoding and checking of JSON
 * (decode/event_json.h), the doors (receive/push_events.h), which fields series are made of
 * (derive/event_series.h), the answer of GET /api/v1/events/kinds, and docs/events.md is checked against it.
 *
 * A new kind: one struct event_kind in a table of its area, and that table in event.c.
 *
 * Pure, no locks. */
#pragma once
#include <math.h>

#include "model/record.h"

enum event_type {
    EVENT_TEXT,
    EVENT_NUMBER,
    EVENT_INT,
    EVENT_BOOL,
    EVENT_TIME, /* RFC 3339, or a number since 1970 */
    EVENT_LIST,
    EVENT_OBJECT,
};
const char *event_type_name(enum event_type); /* "text", "number", "integer", "boolean", "time", ... */

enum event_need {
    EVENT_OPTIONAL,
    EVENT_REQUIRED,
    EVENT_DERIVED, /* never sent: worked out on the way to series, and a name to use in their table */
};

struct event_field {
    const char *name;
    enum event_type type;
    enum event_need need;
    double min, max;   /* of numbers, both included; both 0: any finite one */
    const char *words; /* of texts: "closed|open|half_open"; NULL: any */
    const char *unit;  /* NULL: none */
    const char *help;
};
#define EVENT_NOT_NEGATIVE .min = 0, .max = INFINITY
#define EVENT_SHARE        .min = 0, .max = 1
#define EVENT_PERCENT      .min = 0, .max = 100

#define EVENT_FIELDS_MAX 64

struct event_fault { /* what is wrong with an event */
    size_t field;
    char why[160]; /* "cost_usd: expected 0 or more, got -1" */
};

struct event_kind {
    const char *name;    /* "vedette.lb.request": the event's name */
    const char *path;    /* POST; a {field} in it names the field the segment is */
    const char *id;      /* field that tells records of this kind apart; NULL: none */
    const char *trace;   /* field of which a record without a trace gets its trace id; NULL: none */
    const char *service; /* when the record names no service */
    const char *time;    /* fields that may say when, best first, "end_time|start_time"; NULL: none */
    const struct event_field *fields;
    size_t n_fields;
    const char *help;
    bool (*check)(const struct value *, struct event_fault *); /* what the fields cannot say; NULL: nothing */
};

/* All of them; i from 0, NULL past the last. */
const struct event_kind *event_kind_at(size_t i);
const struct event_kind *event_kind_find(struct str name);
/* SIZE_MAX: not one of its fields. */
size_t event_field_at(const struct event_kind *, struct str name);
/* "a|b|c" has this word. */
bool event_has_word(const char *words, struct str word);

/* What is wrong with a record's values, one for each field of the kind (VALUE_NONE: absent; those of derived
 * fields are not looked at). True: nothing. Times are looked at by decoders: here any text or number is one.
 */
bool event_check(const struct event_kind *, const struct value *values, struct event_fault *);

/* The trace of a thing that is known by an id only: the same for all its records. */
void event_trace_id(const char *of, struct str id, uint8_t trace_id[16]);

/* A number of any kind; NAN: none. */
static inline double event_number(struct value v)
{
    return v.type == VALUE_DOUBLE                        ? v.d
           : v.type == VALUE_INT || v.type == VALUE_BOOL ? (double)v.i
                                                         : (double)NAN;
}
