#include "net/listen.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"

#define BACKLOG 1024 /* the kernel cuts it to net.core.somaxconn */

/* Split at the last colon; brackets around an IPv6 host are required, for its colons would be guessed at
 * otherwise. */
static int address_split(const char *address, char *host, size_t host_size, char *port, size_t port_size,
                         struct err *e)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon[1] == 0)
        return err_set(e, ERR_PARSE, "listen address \"%s\": want host:port", address);

    struct str h = { address, (size_t)(colon - address) };
    if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']') {
        h.p++;
        h.n -= 2;
    } else if (memchr(h.p, ':', h.n) != NULL) {
        return err_set(e, ERR_PARSE, "listen address \"%s\": write an IPv6 host in brackets", address);
    }
    int64_t number;
    if (h.n == 0 || h.n >= host_size || strlen(colon + 1) >= port_size ||
        !str_to_i64(str_of(colon + 1), &number) || number < 0 || number > 65535)
        return err_set(e, ERR_PARSE, "listen address \"%s\": want host:port, port 0 to 65535", address);
    memcpy(host, h.p, h.n);
    host[h.n] = 0;
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return OK;
}

static int socket_listen(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (fd < 0) return -1;
    int on = 1;
    if (a->ai_socktype == SOCK_STREAM) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    const bool is_stream = a->ai_socktype == SOCK_STREAM;
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && (!is_stream || listen(fd, BACKLOG) == 0)) return fd;
    close(fd);
    return -1;
}

static unsigned socket_port(int fd)
{
    struct sockaddr_storage sa;
    socklen_t n = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &n) < 0) return 0;
    if (sa.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&sa)->sin6_port);
    return ntohs(((struct sockaddr_in *)&sa)->sin_port);
}

static int open_socket(const char *address, int type, unsigned *port, struct err *e)
{
    char host[256], service[8];
    int rc = address_split(address, host, sizeof host, service, sizeof service, e);
    if (rc < 0) return rc;

    struct addrinfo want = { .ai_socktype = type, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *found;
    int why = getaddrinfo(host, service, &want, &found);
    if (why != 0) return err_set(e, ERR_IO, "listen address \"%s\": %s", address, gai_strerror(why));

    int fd = -1;
    for (const struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) fd = socket_listen(a);
    if (fd < 0) rc = err_errno(e, ERR_IO, "cannot listen on %s", address);
    freeaddrinfo(found);
    if (fd < 0) return rc;
    *port = socket_port(fd);
    return fd;
}

int net_listen(const char *address, unsigned *port, struct err *e)
{
    return open_socket(address, SOCK_STREAM, port, e);
}

int net_bind_udp(const char *address, unsigned *port, struct err *e)
{
    return open_socket(address, SOCK_DGRAM, port, e);
}

void net_peer_text(const struct sockaddr *sa, char *out, unsigned size)
{
    out[0] = 0;
    if (sa == NULL) return;
    if (sa->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, out, size);
    else if (sa->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, out, size);
}
