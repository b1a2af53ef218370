#include "receive/policy.h"

static void on_origin(void *ctx, struct origin *o, struct arena *keep)
{
    const struct policy_run *run = ctx;
    redact_origin(run->policy->redact, o, keep);
}

static void mark_late(const struct policy_run *run, struct record *r)
{
    int64_t end_ns, late_ms = run->policy != NULL ? run->policy->late_ms : 0;
    r->flags &= ~RECORD_LATE;
    if (late_ms == 0 || r->span.duration_ns == SPAN_UNFINISHED) return;
    if (__builtin_add_overflow(r->time_ns, r->span.duration_ns, &end_ns)) return;
    if (end_ns / 1000000 < run->now_ns / 1000000 - late_ms) r->flags |= RECORD_LATE;
}

static bool on_record(void *ctx, const struct origin *o, struct record *r, struct arena *scratch)
{
    struct policy_run *run = ctx;
    (void)o;
    run->is_timeless |= r->time_ns == run->now_ns;
    if (run->policy != NULL) redact_record(run->policy->redact, run->table, r, scratch);
    if (run->table == TABLE_SPANS) {
        mark_late(run, r);
        sampling_mark(run->policy != NULL ? run->policy->sampling : NULL, r, scratch);
    }
    return true;
}

void policy_begin(struct policy_run *run, const struct policy *p, enum table table, int64_t now_ns,
                  int64_t latest_ns)
{
    *run = (struct policy_run){ .policy = p, .table = table, .now_ns = now_ns };
    run->hooks = (struct record_hooks){ .ctx = run, .record = on_record };
    if (p != NULL && p->redact != NULL) run->hooks.origin = on_origin;
    run->options = (struct record_options){ .now_ns = now_ns, .latest_ns = latest_ns, .hooks = &run->hooks };
}
