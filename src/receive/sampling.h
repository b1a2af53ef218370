/* sampling.h - which traces are kept, when not all of them are.
 *
 *     sampling:
 *       keep_errors: true        traces with a span whose status is error
 *       slower_than: 2s          traces with a span that took longer
 *       one_in: 20               and one in so many of the others, by trace id
 *       decision_wait: 10m       how long the spans of a trace are waited for
 *
 * Every span is written, acknowledged, shown and counted by span metrics when it comes; which ones leave is
 * decided later, on what is on disk (sampling_run.h). At the door spans are only marked:
 *
 *     vedette.kept_by         what alone would keep it: error, slow, running, one_in; else trace: it goes
 *                             unless another span of its trace is one of the first three
 *     vedette.stored_count    of one_in: how many spans of its kind it stands for among those that stay
 *     vedette.adjusted_count  how many it stands for as its sender has sampled (trace state `ot=th:`); set
 *                             without any configuration. What is counted at the door counts by this one.
 *
 * The two counts are never multiplied: a sender's choice and ours are made by the same bits of the trace id,
 * so of a trace kept with 1/8 there and 1/20 here one in twenty stays, as consistent probability sampling has
 * it.
 *
 * Pure, read only. */
#pragma once
#include "base/yaml.h"
#include "model/record.h"

#define SAMPLING_KEPT_BY  "vedette.kept_by"
#define SAMPLING_STORED   "vedette.stored_count"
#define SAMPLING_ADJUSTED "vedette.adjusted_count"

struct sampling {
    bool keep_errors;
    int64_t slower_than_ns; /* 0: no trace is slow */
    uint64_t one_in;        /* 0: none of the others */
    int64_t wait_ms;
};

/* section NULL: *has is false and all is kept. */
int sampling_config(struct yaml *section, struct sampling *, bool *has, struct err *);

/* Adds the marks; new attributes live in the arena. sampling NULL: only the sender's count. */
void sampling_mark(const struct sampling *, struct record *span, struct arena *);

/* 1 without a threshold that can be read. */
double sampling_adjusted_count(struct str trace_state);
