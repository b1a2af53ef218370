#include "net/tls.h"

#include <stdint.h>
#include <string.h>

int tls_credentials_open(const char *cert_pem, const char *key_pem, gnutls_certificate_credentials_t *out,
                         struct err *e)
{
    gnutls_datum_t cert = { (void *)(uintptr_t)cert_pem, (unsigned)strlen(cert_pem) };
    gnutls_datum_t key = { (void *)(uintptr_t)(key_pem ? key_pem : ""),
                           (unsigned)strlen(key_pem ? key_pem : "") };
    gnutls_certificate_credentials_t c;
    if (gnutls_certificate_allocate_credentials(&c) < 0) return err_set(e, ERR_LIMIT, "TLS: out of memory");
    int rc = gnutls_certificate_set_x509_key_mem(c, &cert, &key, GNUTLS_X509_FMT_PEM);
    if (rc >= 0) {
        *out = c;
        return OK;
    }
    gnutls_certificate_free_credentials(c);
    return err_set(e, ERR_PARSE, "TLS certificate and key: %s", gnutls_strerror(rc));
}

void tls_credentials_close(gnutls_certificate_credentials_t c)
{
    if (c != NULL) gnutls_certificate_free_credentials(c);
}
