/* tls.h - GnuTLS credentials for a server from PEM texts. */
#pragma once
#include <gnutls/gnutls.h>

#include "base/err.h"

#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

int tls_credentials_open(const char *cert_pem, const char *key_pem, gnutls_certificate_credentials_t *out,
                         struct err *);
void tls_credentials_close(gnutls_certificate_credentials_t); /* NULL is fine */
