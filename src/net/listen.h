/* listen.h - a listening TCP socket, or a UDP one, from "host:port", "[v6]:port"; port 0 lets the kernel pick
 * one. */
#pragma once
#include "base/err.h"

/* A non-blocking, close-on-exec descriptor, yours to close; *port is the port really bound. */
int net_listen(const char *address, unsigned *port, struct err *);

/* The same for datagrams. */
int net_bind_udp(const char *address, unsigned *port, struct err *);

/* "127.0.0.1" or "::1" of the other end; "" when it is no internet socket. out holds 46 bytes or more. */
struct sockaddr;
void net_peer_text(const struct sockaddr *, char *out, unsigned size);
