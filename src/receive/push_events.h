/* push_events.h - the doors for typed events: for each kind of model/event.h a POST on its path, and
 *
 *     POST /api/v1/events           any kind: each object names its own by event_name
 *     GET  /api/v1/events/kinds     what there is: kinds, their fields, types, ranges, units
 *
 * Answers:
 * {"accepted","duplicates","rejected","errors":[{"line","field","error"}],"events":[{"id","trace_id",
 * "duplicate"}]}; 200 when nothing was refused, 207 when something was, 400 when all was. A body of one event
 * with an id has its trace_id at the top, too. Duplicates (event_ids.h) are answered as success and not
 * stored again. */
#pragma once
#include "derive/event_ids.h"
#include "model/event.h"
#include "receive/ingest.h"

struct push_events {
    struct ingest in;
    struct event_ids *ids; /* NULL: nothing is known of duplicates */
    struct push_events_door *doors;
    size_t n_doors;
};

void push_events_init(struct push_events *, struct store *, const struct limit *);
/* Before the server starts. NULL is fine. */
void push_events_ids(struct push_events *, struct event_ids *);
void push_events_routes(struct push_events *, struct http_server *);
void push_events_release(struct push_events *); /* after the server is gone */
