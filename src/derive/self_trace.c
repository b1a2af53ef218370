#include "derive/self_trace.h"

#include <stdio.h>
#include <sys/random.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/stat.h"

static void make_id(uint8_t *id, size_t n)
{
    if (getrandom(id, n, GRND_NONBLOCK) != (ssize_t)n) { /* early at boot: an id need only be rare */
        struct hash128 h = hash128_seed(id, n, (uint64_t)clock_mono_ns());
        memcpy(id, &h, n);
    }
    id[0] |= 1; /* zeros are no id */
}

void self_op_begin(struct self_op *op, const struct self_trace *to, const char *name,
                   const struct self_op *parent)
{
    *op = (struct self_op){ .to = to, .name = name };
    op->start_ns = clock_now_ms() * 1000000;
    op->began_mono_ns = clock_mono_ns();
    make_id(op->span_id, sizeof op->span_id);
    if (parent != NULL) {
        memcpy(op->trace_id, parent->trace_id, sizeof op->trace_id);
        memcpy(op->parent_id, parent->span_id, sizeof op->parent_id);
    } else
        make_id(op->trace_id, sizeof op->trace_id);
}

static void put(struct attr *at, size_t *n, const char *name, struct value v)
{
    if (v.type == VALUE_NONE || (v.type == VALUE_STR && v.text.n == 0)) return;
    check(*n < SELF_ATTRS_MAX);
    at[(*n)++] = (struct attr){ str_of(name), v };
}

void self_op_attr(struct self_op *op, const char *name, struct value v)
{
    put(op->attrs, &op->n_attrs, name, v);
}

void self_op_field(struct self_op *op, const char *name, struct value v)
{
    put(op->fields, &op->n_fields, name, v);
}

void self_op_end(struct self_op *op, const char *event, const struct err *failed)
{
    op->duration_ns = MAX(clock_mono_ns() - op->began_mono_ns, 0);
    op->event = event;
    op->has_failed = failed != NULL;
    if (failed != NULL) snprintf(op->why, sizeof op->why, "%.*s", (int)sizeof op->why - 1, failed->text);
}

/* ---- writing ---- */

static void add_span(struct records *r, const struct self_op *op)
{
    struct record span = { .time_ns = op->start_ns, .attrs = { op->attrs, op->n_attrs } };
    memcpy(span.trace_id, op->trace_id, sizeof span.trace_id);
    memcpy(span.span_id, op->span_id, sizeof span.span_id);
    memcpy(span.span.parent_id, op->parent_id, sizeof span.span.parent_id);
    span.span.duration_ns = op->duration_ns;
    span.span.kind = SPAN_INTERNAL;
    span.span.status = op->has_failed ? 2 : 1;
    span.span.status_message = str_of(op->why);
    span.span.name = str_of(op->name);
    records_add(r, &span, NULL);
}

static void add_event(struct records *r, const struct self_op *op)
{
    if (op->event == NULL) return;
    struct record log = { .time_ns = op->start_ns + op->duration_ns, .attrs = { op->fields, op->n_fields } };
    memcpy(log.trace_id, op->trace_id, sizeof log.trace_id);
    memcpy(log.span_id, op->span_id, sizeof log.span_id);
    log.log.severity = 9; /* INFO: what a person asked for in vain is no error of ours */
    log.log.event_name = str_of(op->event);
    log.log.body = value_str(op->has_failed ? str_of(op->why) : str_of(op->name));
    records_add(r, &log, NULL);
}

static void begin(struct records *r, struct arena *a, enum table table)
{
    const struct attr service = { STR("service.name"), value_str(STR(SELF_SERVICE)) };
    records_init(r, a, table);
    records_origin(r, &(struct origin){ .resource = { &service, 1 } });
}

void self_ops_write(const struct self_op *op, size_t n)
{
    struct arena arena = ARENA_INIT(SIZE_MAX / 2);
    struct batch batch;
    struct records spans, logs;
    struct write_result result;
    if (n == 0 || op->to == NULL) return;
    batch_init(&batch, &arena, LABELS_PACKED);
    begin(&spans, &arena, TABLE_SPANS);
    begin(&logs, &arena, TABLE_LOGS);
    for (size_t i = 0; i < n; i++) add_span(&spans, &op[i]), add_event(&logs, &op[i]);
    records_end(&spans);
    records_end(&logs);
    batch.spans = &spans;
    batch.logs = &logs;
    if (store_write(op->to->store, &batch, ACK_MEMORY, &result, NULL, NULL, NULL) == OK) {
        record_taps_seen(op->to->taps, &spans);
        record_taps_seen(op->to->taps, &logs);
    } else
        stat_add(stat_counter("vedette_self_trace_lost_total",
                              "Operations of the server whose spans and events could not be written.", NULL),
                 n);
    arena_release(&arena);
}
