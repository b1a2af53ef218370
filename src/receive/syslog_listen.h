/* syslog_listen.h - syslog over TCP, RFC 6587 frames from any number of connections, and over UDP, a message
 * a datagram (RFC 5426). Messages are of RFC 5424 or RFC 3164 (decode/syslog.h).
 *
 * Messages that have come together are written together, and the next are read when those are on disk: a
 * sender that is too quick is held back by TCP. There is no answer in this protocol: what was read from a
 * connection and not yet written is lost with the process, as it is with every syslog over TCP; a store that
 * refuses is asked again until it takes them.
 *
 * Nothing holds a sender of datagrams back. What the kernel had no room for while we were writing is lost and
 * counted: vedette_syslog_datagrams_lost_total.
 *
 * Ceilings: connections, bytes of one message (SYSLOG_FRAME_MAX), idle time. A connection that lost its way
 * is closed, and counted.
 *
 * Threads: its own, which has all connections. */
#pragma once
#include "receive/ingest.h"

struct syslog_listener;

struct syslog_conf {
    const char *tcp, *udp; /* "HOST:PORT"; "none" */
};

/* Binds; takes nothing yet. Both "none": *out is NULL. */
int syslog_listener_new(const struct syslog_conf *, struct store *, const struct limit *,
                        struct syslog_listener **out, struct err *);
struct ingest *syslog_listener_ingest(struct syslog_listener *); /* NULL of NULL */
unsigned syslog_listener_port(const struct syslog_listener *);
unsigned syslog_listener_udp_port(const struct syslog_listener *);
int syslog_listener_start(struct syslog_listener *, struct err *);
void syslog_listener_stop(struct syslog_listener *); /* NULL is fine; what has come whole is written */
void syslog_listener_free(struct syslog_listener *); /* NULL is fine */
