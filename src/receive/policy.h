/* policy.h - what is done to every log record and span at the door, whatever the protocol that brought it:
 * redaction and the marks of sampling by the decoders' hooks, before a record is packed, so that what is
 * taken out never reaches the log or the disk; and the ceiling of time.
 *
 * A policy's rules may be exchanged at any time (each is one pointer, what it points at never changes); a run
 * is the account of one request, and keeps to the rules it began with. */
#pragma once
#include "decode/record_sink.h"
#include "receive/redact.h"
#include "receive/sampling.h"

struct policy {
    _Atomic(const struct redact *) redact;     /* NULL: nothing is redacted */
    _Atomic(const struct sampling *) sampling; /* NULL: all spans are kept */
    int64_t late_ms; /* spans that ended so long ago are marked RECORD_LATE; 0: none are */
};

struct policy_run {
    const struct redact *redact;
    const struct sampling *sampling;
    enum table table;
    int64_t now_ns, late_before_ns; /* spans that ended before are late; 0: none are */
    bool is_timeless;               /* a record did not say when: two equal bodies may be two events */
    struct record_hooks hooks;
    struct record_options options;
};

/* For one request: afterwards run->options is what decoders want. Records beyond latest_ns are refused. */
void policy_begin(struct policy_run *, const struct policy *, enum table, int64_t now_ns, int64_t latest_ns);

/* For doors that have no request: scrapes, the Pushgateway's samples. A process has one policy for all of
 * them; they begin before it is known, so it is told here. NULL: none. */
void policy_in_force(const struct policy *);
const struct policy *policy_now(void);
void policy_redact_batch(struct batch *);
