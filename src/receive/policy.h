/* policy.h - what is done to every log record and span at the door, whatever the protocol that brought it:
 * redaction and the marks of sampling by the decoders' hooks, before a record is packed, so that what is
 * taken out never reaches the log or the disk; and the ceiling of time.
 *
 * A policy is made once and read only; a run is the account of one request. */
#pragma once
#include "decode/record_sink.h"
#include "receive/redact.h"
#include "receive/sampling.h"

struct policy {
    const struct redact *redact;     /* NULL: nothing is redacted */
    const struct sampling *sampling; /* NULL: all spans are kept */
    int64_t late_ms;                 /* spans that ended so long ago are marked RECORD_LATE; 0: none are */
};

struct policy_run {
    const struct policy *policy; /* NULL: none */
    enum table table;
    int64_t now_ns;
    bool is_timeless; /* a record did not say when: two equal bodies may be two events */
    struct record_hooks hooks;
    struct record_options options;
};

/* For one request: afterwards run->options is what decoders want. Records beyond latest_ns are refused. */
void policy_begin(struct policy_run *, const struct policy *, enum table, int64_t now_ns, int64_t latest_ns);
