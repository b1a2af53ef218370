/* rules.h - all groups of all rule files, each judged at its own time.
 *
 * Groups are spread over their interval by a hash of file and name, so that ten thousand rules do not ask at
 * the same instant; the times of a group are whole intervals apart, before and after a restart. A group whose
 * evaluation takes longer than its interval leaves out the times it has missed, and they are counted.
 *
 * A load replaces everything at once. A group that is the same as before goes on undisturbed; one that has
 * changed takes its alerts and series over rule by rule; series nobody writes any more end with a marker.
 *
 * Threads: every function from any thread. One thread watches the clock, a few evaluate. */
#pragma once
#include "judge/rule_group.h"

struct rules;

struct rules_conf {
    struct store *store;
    struct rule_query query;
    struct alert_sink sink; /* called from evaluating threads */
    size_t threads;         /* 0 = 4 */
    bool fresh;             /* nothing is restored from an earlier life */
};

struct rules_settings { /* of the configuration file; copied */
    int64_t interval_ms, offset_ms;
    int64_t resend_ms, outage_ms, grace_ms; /* 0: those of rule_group.h */
    struct labels external;
    struct str external_url;
};

struct rules *rules_start(const struct rules_conf *);
void rules_stop(struct rules *); /* queries under way are cancelled; NULL is fine */

/* The files' references are taken over. Returns when the new rules are in force. */
void rules_load(struct rules *, struct rule_file **, size_t n, const struct rules_settings *);

/* Each group, by file and name, with its lock held. Do not call rules_* from there. */
void rules_each_group(struct rules *, void (*visit)(const struct rule_group *, void *ctx), void *ctx);
