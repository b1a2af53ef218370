/* rule_group.h - a group of rules that runs: evaluated one after the other at one time, each seeing what
 * those before it have recorded.
 *
 * Threads: one at a time evaluates, restores or takes over; what the API shows is under `mu`, which an
 * evaluation holds only to change it (never while it asks or writes). */
#pragma once
#include <pthread.h>

#include "judge/alert_states.h"
#include "judge/rule_file.h"
#include "judge/rule_query.h"
#include "judge/rule_series.h"
#include "model/alert.h"
#include "model/store.h"

/* What all groups share; it outlives them. */
struct rule_env {
    struct store *store;
    struct rule_query query;
    struct labels external;  /* for templates; alerts get them when they are sent */
    struct str external_url; /* without a slash at its end */
    int64_t interval_ms;     /* of groups that name none; 0 = 1 min */
    int64_t offset_ms;       /* of queries, likewise */
    int64_t resend_ms;       /* 0 = 1 min */
    int64_t outage_ms;       /* how old a `for` state may be; 0 = 1 h */
    int64_t grace_ms;        /* least wait of a restored alert before it fires; 0 = 10 min */
    struct alert_sink sink;  /* send may be NULL */
};

enum rule_health { RULE_UNKNOWN, RULE_OK, RULE_ERR };

struct rule {
    const struct rule_spec *spec;
    enum rule_health health;    /* mu */
    char *error;                /* mu; NULL when health is not RULE_ERR */
    double eval_seconds;        /* mu */
    int64_t eval_ms;            /* mu; when it was judged last, 0: never */
    struct alert_states alerts; /* mu */
    struct rule_series written;
    bool is_restored;      /* ALERTS is written from then on */
    bool reads_earlier;    /* what rules before it in the group write */
    struct rule_rows rows; /* judged and not yet written; in the group's scratch */
    bool is_waiting;       /* rows are */
};

struct rule_group_stats;

struct rule_group {
    struct rule_file *file; /* a reference */
    const struct rule_group_spec *spec;
    const struct rule_env *env;
    struct rule *rules; /* spec->n_rules */
    int64_t interval_ms;
    double eval_seconds; /* mu */
    int64_t eval_ms;     /* mu; start of the last evaluation, 0: never */
    uint64_t samples;    /* mu; of the last evaluation */
    pthread_mutex_t mu;
    struct rule_series gone; /* of rules this group had before, to be ended at the next evaluation */
    struct arena scratch;
    struct rule_group_stats *stats; /* NULL: not counted */
};

/* is_restored: nothing of an earlier life is to be looked for. */
struct rule_group *rule_group_new(struct rule_file *, size_t index, const struct rule_env *,
                                  bool is_restored);
void rule_group_free(struct rule_group *);

void rule_group_eval(struct rule_group *, int64_t at_ms);

/* After a start: since when pending alerts were active before it, from ALERTS_FOR_STATE. */
void rule_group_restore(struct rule_group *, int64_t now_ms);

/* The alerts and series of an earlier version of the group. `from` is to be freed then. */
void rule_group_take_over(struct rule_group *, struct rule_group *from);

/* A series to be ended at the next evaluation, unless one of the group's rules writes it then. */
void rule_group_inherit(struct rule_group *, struct str packed);
