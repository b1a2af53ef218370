/* curl_guard.c - see curl_guard.h.
 *
 * libcurl asks on_socket for each address right before it connects, after names were resolved and after any
 * redirect, so nothing between check and use can change the address. */
#include "net/curl_guard.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>

#include "base/check.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start(void)
{
    check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

void curl_start(void)
{
    pthread_once(&once, start);
}

/* ---- TLS ---- */

static long version_of(int number, bool max)
{
    static const long least[] = { CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_TLSv1_2,
                                  CURL_SSLVERSION_TLSv1_3 };
    static const long most[] = { CURL_SSLVERSION_MAX_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_1,
                                 CURL_SSLVERSION_MAX_TLSv1_2, CURL_SSLVERSION_MAX_TLSv1_3 };
    if (number < 10 || number > 13) return max ? CURL_SSLVERSION_MAX_DEFAULT : CURL_SSLVERSION_TLSv1_2;
    return max ? most[number - 10] : least[number - 10];
}

void curl_set_tls(CURL *easy, const struct http_tls *tls)
{
    if (tls->ca_file) curl_easy_setopt(easy, CURLOPT_CAINFO, tls->ca_file);
    if (tls->cert_file) curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert_file);
    if (tls->key_file) curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key_file);
    if (tls->min_version || tls->max_version)
        curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                         version_of(tls->min_version, false) | version_of(tls->max_version, true));
    if (!tls->insecure_skip_verify) return;
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
}

/* ---- the guard ---- */

static void refuse(struct curl_guard *g, const struct sockaddr *s)
{
    char text[INET6_ADDRSTRLEN] = "?";
    const char *kind = outbound_kind(s);
    if (s->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)s)->sin_addr, text, sizeof text);
    else if (s->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)s)->sin6_addr, text, sizeof text);
    snprintf(g->refused, sizeof g->refused,
             "address %s is %s: not reached (outbound.allow_private, "
             "outbound.allow_networks)",
             text, kind ? kind : "not allowed");
}

static curl_socket_t on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct curl_guard *g = ctx;
    (void)purpose;
    if (outbound_allows(g->outbound, &a->addr)) return socket(a->family, a->socktype, a->protocol);
    refuse(g, &a->addr);
    return CURL_SOCKET_BAD;
}

/* A host that is an address in whatever spelling: getaddrinfo takes 0x7f.1 and 017700000001 as curl's
 * resolver does. */
static bool refuses_literal(struct curl_guard *g, const char *host)
{
    char bare[INET6_ADDRSTRLEN + 64];
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *found = NULL;
    struct str h = str_of(host);
    if (h.n > 2 && h.p[0] == '[') h = str_make(h.p + 1, h.n - 2);
    snprintf(bare, sizeof bare, "%.*s", STR_ARG(h));
    if (getaddrinfo(bare, NULL, &hints, &found) != 0) return false;
    bool refused = !outbound_allows(g->outbound, found->ai_addr);
    if (refused) refuse(g, found->ai_addr);
    freeaddrinfo(found);
    return refused;
}

int curl_guard_set(struct curl_guard *g, CURL *easy, const struct outbound *o, const char *host,
                   struct err *e)
{
    g->outbound = o;
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, g);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    return refuses_literal(g, host) ? err_set(e, ERR_RANGE, "%s", g->refused) : OK;
}
