/* self_trace.h - what the server itself does, as spans and typed events of service "vedette" in its own
 * store, so that its operations are traced, counted and graphed as those of anybody.
 *
 *     struct self_op op;
 *     self_op_begin(&op, trace, "kg.get_neighbors", NULL);
 *     self_op_attr(&op, "kg.entity_id", value_str(id));            of the span
 *     self_op_field(&op, "operation", value_str(STR("get_neighbors")));     of the event
 *     self_op_end(&op, KG_KIND_OPERATION, &e);                       e NULL: it went well
 *     self_ops_write(&op, 1);
 *
 * Texts are borrowed until they are written. Written in memory (ACK_MEMORY): a crash may lose the last ones.
 * What cannot be written is counted in vedette_self_trace_lost_total.
 *
 * Threads: any; a struct self_op has one owner. */
#pragma once
#include "model/store.h"
#include "model/tap.h"

#define SELF_ATTRS_MAX 12
#define SELF_SERVICE   "vedette"

struct self_trace {
    struct store *store;
    const struct record_taps *taps; /* NULL: nobody else sees them */
};

struct self_op {
    const struct self_trace *to; /* NULL: nothing is written */
    const char *name, *event;
    int64_t start_ns, began_mono_ns, duration_ns;
    uint8_t trace_id[16], span_id[8], parent_id[8];
    struct attr attrs[SELF_ATTRS_MAX], fields[SELF_ATTRS_MAX];
    size_t n_attrs, n_fields;
    bool has_failed;
    char why[160];
};

/* parent NULL: a trace of its own. */
void self_op_begin(struct self_op *, const struct self_trace *to, const char *name,
                   const struct self_op *parent);
void self_op_attr(struct self_op *, const char *name,
                  struct value); /* VALUE_NONE and empty texts are left out */
void self_op_field(struct self_op *, const char *name, struct value);
/* event NULL: a span only. */
void self_op_end(struct self_op *, const char *event, const struct err *failed);
/* In one batch; all of one self_trace. */
void self_ops_write(const struct self_op *, size_t n);
