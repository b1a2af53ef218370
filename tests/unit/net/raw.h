/* raw.h - talking to a server byte by byte. */
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#define RAW_MAX (1u << 20)

static inline int raw_connect(unsigned port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
    close(fd);
    return -1;
}

static inline void raw_send(int fd, const void *p, size_t n)
{
    for (ssize_t k; n > 0; p = (const char *)p + k, n -= (size_t)k)
        if ((k = send(fd, p, n, MSG_NOSIGNAL)) <= 0) return; /* the server may close before it has read all */
}

#define RAW_SEND(fd, literal) raw_send(fd, literal, sizeof(literal) - 1)

/* Read until text holds `until` (NULL: until the end), the end, or timeout_ms of silence. Terminated; true at
 * the end. */
static inline bool raw_read(int fd, char *text, const char *until, int timeout_ms)
{
    size_t n = 0;
    text[0] = 0;
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (poll(&p, 1, timeout_ms) <= 0) return false;
        ssize_t k = recv(fd, text + n, RAW_MAX - 1 - n, 0);
        if (k <= 0) return true;
        n += (size_t)k;
        text[n] = 0;
        if (until != NULL && memmem(text, n, until, strlen(until)) != NULL) return false;
    }
}

/* One request on a connection of its own; what came back, until the end or a pause. Yours to free. */
static inline char *raw_ask(unsigned port, const void *request, size_t n, const char *until)
{
    char *text = calloc(1, RAW_MAX);
    int fd = raw_connect(port);
    if (fd < 0) return text;
    raw_send(fd, request, n);
    raw_read(fd, text, until, 2000);
    close(fd);
    return text;
}

static inline size_t raw_count(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)) != NULL; text += strlen(what)) n++;
    return n;
}
