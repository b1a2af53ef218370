#include "receive/policy.h"

#include <stdio.h>

static void on_origin(void *ctx, struct origin *o, struct arena *keep)
{
    const struct policy_run *run = ctx;
    redact_origin(run->policy->redact, o, keep);
}

/* A time beyond the ceiling would make a day of the future, which nobody looks at and retention keeps. */
static bool on_record(void *ctx, const struct origin *o, struct record *r, struct arena *scratch)
{
    struct policy_run *run = ctx;
    (void)o;
    run->is_timeless |= r->time_ns == run->now_ns;
    if (r->time_ns > run->latest_ns) {
        run->future++;
        return false;
    }
    if (run->policy != NULL) redact_record(run->policy->redact, run->table, r, scratch);
    if (run->table == TABLE_SPANS)
        sampling_mark(run->policy != NULL ? run->policy->sampling : NULL, r, scratch);
    return true;
}

void policy_begin(struct policy_run *run, const struct policy *p, enum table table, int64_t now_ns,
                  int64_t latest_ns)
{
    *run = (struct policy_run){ .policy = p, .table = table, .now_ns = now_ns, .latest_ns = latest_ns };
    run->hooks = (struct record_hooks){ .ctx = run, .record = on_record };
    if (p != NULL && p->redact != NULL) run->hooks.origin = on_origin;
    run->options = (struct record_options){ .now_ns = now_ns, .hooks = &run->hooks };
}

void policy_end(const struct policy_run *run, struct record_report *report)
{
    if (run->future == 0) return;
    report->dropped -= run->future;
    report->rejected[REJECT_future] += run->future;
    report->rejected_total += run->future;
    if (report->n_first == RECORD_FAULTS_MAX) return;
    struct record_fault *f = &report->first[report->n_first++];
    f->reason = REJECT_future;
    snprintf(f->text, sizeof f->text, "%llu records: %s", (unsigned long long)run->future,
             reject_text(REJECT_future));
}
