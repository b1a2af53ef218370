/* doors.h - the ways in for logs and traces, plugged together: what is done to all records (redaction,
 * sampling), the HTTP doors beside OTLP's, the syslog listener, the tailed files, and the threads that decode
 * large gRPC messages.
 *
 * Begun after the store, opened before the servers; stopped after them, closed before the store. */
#pragma once
#include "base/work.h"
#include "receive/push_elastic.h"
#include "receive/push_events.h"
#include "receive/push_otlp.h"
#include "receive/push_records.h"
#include "receive/sampling_run.h"
#include "receive/syslog_listen.h"
#include "receive/tail.h"
#include "server/options.h"

struct doors {
    struct policy policy;
    struct door_rules *rules; /* in force, and before them those of before: requests may still use them */
    struct sampling_run *sampling_run; /* NULL: nothing was ever sampled */
    struct push_records records;
    struct push_elastic elastic;
    struct push_events events;
    struct syslog_listener *syslog; /* NULL: --listen-syslog none */
    struct tail *tail;              /* NULL: no log_files */
    struct work_pool *decoders;
    /* for what is opened anew */
    struct store *store;
    const char *data_dir;
    struct limit limit;
    const struct record_taps *taps;
};

/* The sections redaction, sampling and log_files. */
int doors_check(struct yaml *file, const char *path, struct err *);

/* The rules, in force from here on: before anything is received, scraped or read. */
int doors_begin(struct doors *, const struct options *, struct store *, struct err *);
/* The doors that obey them. otlp is given the policy, the taps and the threads, too. taps: who else sees what
 * was accepted; NULL: nobody. */
int doors_open(struct doors *, const struct options *, const struct limit *, struct push_otlp *otlp,
               const struct record_taps *taps, struct err *);
/* The sections of this file, NULL: none, from now on. On failure all is as it was. After doors_start. */
int doors_reload(struct doors *, struct yaml *file, struct err *);
void doors_routes(struct doors *, struct http_server *);
/* Lets the files and the syslog in, when the store may be written to. */
int doors_start(struct doors *, struct err *);
void doors_stop(struct doors *);  /* no more rows come after this */
void doors_close(struct doors *); /* after the servers are gone */
