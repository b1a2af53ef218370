/* event_out.h - from rows of event_series to a batch for the store. */
#pragma once
#include "derive/event_rows.h"

struct event_gone { /* rows that have ended: freed when the batch has been written, which borrows from them */
    struct {
        size_t group;
        struct event_row *row;
    } * at;
    size_t n, cap;
};

/* Locked. What is due, or all that is not written yet. */
void event_out_rows(struct event_tables *, struct batch *, int64_t now_ms, bool all, struct event_gone *);
/* Locked. What was put at this time is not in the store: it is put again at the next tick, whole. */
void event_out_failed(struct event_tables *, int64_t now_ms);
/* Help, type and unit of every family, whether it has rows or not. */
void event_out_metadata(const struct event_tables *, struct batch *);
