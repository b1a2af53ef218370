/* outbound.h - which addresses a request may reach whose URL came from somebody else: the guard against a
 * webhook that asks our own machine, our network or a cloud's metadata service for us.
 *
 * It judges the address that is about to be connected to, not the text of the URL: however a host is spelled,
 * and whatever its name resolved to a moment ago, the socket is not made. Public addresses are allowed;
 * anything else needs allow_private or a network on the list. IPv4 inside IPv6 (mapped, NAT64, 6to4) is
 * judged as the IPv4 it stands for.
 *
 * A proxy resolves names by itself: there the proxy's address is judged, and of the URL only a literal.
 *
 * Threads: never changes once made. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

#define OUTBOUND_NETWORKS_MAX 256

struct outbound;

/* networks: "10.1.0.0/16", "fd00::/8", "192.168.1.5". ERR_PARSE names the bad one; ERR_LIMIT. */
int outbound_new(bool allow_private, const struct str *networks, size_t n, struct outbound **out,
                 struct err *);
void outbound_free(struct outbound *);             /* NULL is fine */
const struct outbound *outbound_public_only(void); /* nothing but public addresses; never freed */

bool outbound_allows(const struct outbound *, const struct sockaddr *);

/* "loopback", "private", "link-local", ...; NULL for a public address. */
const char *outbound_kind(const struct sockaddr *);
