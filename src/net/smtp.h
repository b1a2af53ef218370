/* smtp.h - one mail by SMTP, on the caller's thread, by libcurl: STARTTLS or TLS from the first byte, AUTH,
 * and the same guard on addresses as HTTP.
 *
 * A name and password are sent over TLS only, or to this machine. */
#pragma once
#include "net/http_client.h"

enum smtp_security {
    SMTP_PLAIN,
    SMTP_STARTTLS, /* or nothing is sent */
    SMTP_TLS       /* from the first byte: port 465 */
};

struct smtp_mail {
    const char *host, *port; /* host of IPv6 without brackets */
    enum smtp_security security;
    const struct http_tls *tls; /* NULL: the system's defaults */
    const char *hello;
    const char *user, *password; /* PLAIN or LOGIN; NULL: no AUTH */
    const char *secret;          /* CRAM-MD5 in their place */
    const char *identity;
    const char *from, *const *to; /* bare addresses, n_to */
    size_t n_to;
    struct str message; /* headers and body, lines ended by CR LF */
    const struct outbound *outbound;
    unsigned timeout_ms;
};

/* OK when the server has taken the mail. ERR_IO, ERR_TIMEOUT; ERR_RANGE: outbound refused, or the mail cannot
 * be sent like this. *status is the last reply, 0 when none came; the sentence holds no secret. */
int smtp_send_now(const struct smtp_mail *, long *status, struct err *);
