/* doors.h - the ways in for logs and traces, plugged together: what is done to all records (redaction,
 * sampling), the HTTP doors beside OTLP's, the syslog listener, the tailed files, and the threads that decode
 * large gRPC messages.
 *
 * Opened after the store and before the servers; stopped after them, closed before the store. */
#pragma once
#include "base/work.h"
#include "receive/push_elastic.h"
#include "receive/push_otlp.h"
#include "receive/push_records.h"
#include "receive/sampling_run.h"
#include "receive/syslog_listen.h"
#include "receive/tail.h"
#include "server/options.h"

struct doors {
    struct policy policy;
    struct redact *redact;
    struct sampling sampling;
    struct sampling_run *sampling_run; /* NULL: nothing is sampled */
    struct push_records records;
    struct push_elastic elastic;
    struct syslog_listener *syslog; /* NULL: --listen-syslog none */
    struct tail *tail;              /* NULL: no log_files */
    struct work_pool *decoders;
};

/* The sections redaction, sampling and log_files. */
int doors_check(struct yaml *file, const char *path, struct err *);

/* otlp is given the policy, the taps and the threads, too. taps: who else sees what was accepted; NULL:
 * nobody. On failure what was opened is closed again. */
int doors_open(struct doors *, const struct options *, struct store *, const struct limit *,
               struct push_otlp *otlp, const struct record_taps *taps, struct err *);
void doors_routes(struct doors *, struct http_server *);
/* Lets the files and the syslog in, when the store may be written to. */
int doors_start(struct doors *, struct err *);
void doors_stop(struct doors *);  /* no more rows come after this */
void doors_close(struct doors *); /* after the servers are gone */
