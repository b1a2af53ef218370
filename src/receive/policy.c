#include "receive/policy.h"

static void on_origin(void *ctx, struct origin *o, struct arena *keep)
{
    const struct policy_run *run = ctx;
    redact_origin(run->redact, o, keep);
}

static void mark_late(const struct policy_run *run, struct record *r)
{
    int64_t end_ns;
    r->flags &= ~RECORD_LATE;
    if (run->late_before_ns == 0 || r->span.duration_ns == SPAN_UNFINISHED) return;
    if (__builtin_add_overflow(r->time_ns, r->span.duration_ns, &end_ns)) return;
    if (end_ns < run->late_before_ns) r->flags |= RECORD_LATE;
}

static bool on_record(void *ctx, const struct origin *o, struct record *r, struct arena *scratch)
{
    struct policy_run *run = ctx;
    (void)o;
    run->is_timeless |= r->time_ns == run->now_ns;
    redact_record(run->redact, run->table, r, scratch);
    if (run->table == TABLE_SPANS) {
        mark_late(run, r);
        sampling_mark(run->sampling, r, scratch);
    }
    return true;
}

void policy_begin(struct policy_run *run, const struct policy *p, enum table table, int64_t now_ns,
                  int64_t latest_ns)
{
    *run = (struct policy_run){ .table = table, .now_ns = now_ns };
    if (p != NULL) {
        run->redact = p->redact;
        run->sampling = p->sampling;
        if (p->late_ms > 0) run->late_before_ns = now_ns - MIN(p->late_ms, now_ns / 1000000) * 1000000;
    }
    run->hooks = (struct record_hooks){ .ctx = run, .record = on_record };
    if (run->redact != NULL) run->hooks.origin = on_origin;
    run->options = (struct record_options){ .now_ns = now_ns, .latest_ns = latest_ns, .hooks = &run->hooks };
}

static _Atomic(const struct policy *) in_force; /* the process's: see policy.h */

void policy_in_force(const struct policy *p)
{
    in_force = p;
}

const struct policy *policy_now(void)
{
    return in_force;
}

void policy_redact_batch(struct batch *b)
{
    const struct policy *p = in_force;
    if (p != NULL) redact_batch(p->redact, b);
}
