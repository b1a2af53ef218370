/* curl_guard.h - what every handle of libcurl needs, whatever its protocol: the library started once, TLS as
 * configured, and sockets only to addresses that net/outbound.h allows. For net/ alone. */
#pragma once
#include <curl/curl.h>

#include "net/http_client.h"
#include "net/outbound.h"

void curl_start(void); /* once a process; any thread */

/* Files, verification and versions; the name that the certificate must bear is the URL's. */
void curl_set_tls(CURL *, const struct http_tls *);

struct curl_guard {
    const struct outbound *outbound;
    char refused[192]; /* why the last socket was not made; "" when all were */
};

/* g must live as long as the handle. A host that is a literal address is judged at once (ERR_RANGE), so that
 * a proxy is not asked for it either; every other one when a socket is about to be made. */
int curl_guard_set(struct curl_guard *g, CURL *, const struct outbound *, const char *host, struct err *);
