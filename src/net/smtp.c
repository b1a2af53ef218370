/* smtp.c - see smtp.h. */
#include "net/smtp.h"

#include <stdio.h>
#include <strings.h>

#include "base/check.h"
#include "net/curl_guard.h"

struct reading { /* of the message, by libcurl */
    struct str left;
};

static size_t on_read(char *to, size_t size, size_t n, void *arg)
{
    struct reading *r = arg;
    size_t take = MIN(size * n, r->left.n);
    memcpy(to, r->left.p, take);
    r->left = str_make(r->left.p + take, r->left.n - take);
    return take;
}

static bool is_safe(const char *s)
{
    return s == NULL || strpbrk(s, "\r\n<>") == NULL;
}

static bool is_this_machine(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0;
}

static int check_mail(const struct smtp_mail *m, struct err *e)
{
    bool good = is_safe(m->hello) && is_safe(m->from) && m->n_to > 0 && strpbrk(m->host, "\r\n/@") == NULL;
    for (size_t i = 0; i < m->n_to; i++) good &= is_safe(m->to[i]);
    if (!good) return err_set(e, ERR_RANGE, "a name or an address holds what it must not");
    bool clear = m->security == SMTP_PLAIN && !is_this_machine(m->host);
    if (clear && m->user != NULL && m->secret == NULL)
        return err_set(e, ERR_RANGE, "a password is sent over TLS only: require_tls is false");
    return OK;
}

/* Another name on the certificate than that of the host: curl only knows the URL's, so that becomes the name
 * and the connection goes to the real host. */
static struct curl_slist *set_where(CURL *easy, const struct smtp_mail *m)
{
    struct buf text = BUF_INIT(4096);
    struct curl_slist *connect_to = NULL;
    const char *name = m->tls && m->tls->server_name ? m->tls->server_name : m->host;
    const char *scheme = m->security == SMTP_TLS ? "smtps" : "smtp";
    char *hello = curl_easy_escape(easy, m->hello ? m->hello : "localhost", 0);
    bool v6 = strchr(m->host, ':') != NULL, name_v6 = strchr(name, ':') != NULL;
    if (name != m->host) {
        buf_printf(&text, "%s:%s:%s%s%s:%s", name, m->port, v6 ? "[" : "", m->host, v6 ? "]" : "", m->port);
        check((connect_to = curl_slist_append(NULL, buf_cstr(&text))) != NULL);
        curl_easy_setopt(easy, CURLOPT_CONNECT_TO, connect_to);
        buf_clear(&text);
    }
    buf_printf(&text, "%s://%s%s%s:%s/%s", scheme, name_v6 ? "[" : "", name, name_v6 ? "]" : "", m->port,
               hello ? hello : "");
    curl_easy_setopt(easy, CURLOPT_URL, buf_cstr(&text));
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (m->security == SMTP_STARTTLS) curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    if (m->tls != NULL) curl_set_tls(easy, m->tls);
    curl_free(hello);
    buf_release(&text);
    return connect_to;
}

static void set_who(CURL *easy, const struct smtp_mail *m)
{
    if (m->user == NULL) return;
    curl_easy_setopt(easy, CURLOPT_USERNAME, m->user);
    curl_easy_setopt(easy, CURLOPT_PASSWORD, m->secret ? m->secret : m->password ? m->password : "");
    curl_easy_setopt(easy, CURLOPT_LOGIN_OPTIONS, m->secret ? "AUTH=CRAM-MD5" : "AUTH=PLAIN;AUTH=LOGIN");
    if (m->identity != NULL && *m->identity) curl_easy_setopt(easy, CURLOPT_SASL_AUTHZID, m->identity);
}

static struct curl_slist *set_envelope(CURL *easy, const struct smtp_mail *m)
{
    struct curl_slist *to = NULL;
    char address[1024];
    snprintf(address, sizeof address, "<%s>", m->from);
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, address);
    for (size_t i = 0; i < m->n_to; i++) {
        snprintf(address, sizeof address, "<%s>", m->to[i]);
        struct curl_slist *grown = curl_slist_append(to, address);
        check(grown != NULL);
        to = grown;
    }
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, to);
    return to;
}

static int settle(CURLcode rc, long status, const char *why, const struct curl_guard *guard, struct err *e)
{
    if (rc == CURLE_OK) return OK;
    if (guard->refused[0]) return err_set(e, ERR_RANGE, "%s", guard->refused);
    if (rc == CURLE_USE_SSL_FAILED)
        return err_set(e, ERR_IO, "the server does not offer STARTTLS, which require_tls asks for");
    return err_set(e, rc == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_IO, "%s%s",
                   why[0] ? why : curl_easy_strerror(rc), status ? "" : " (no reply)");
}

int smtp_send_now(const struct smtp_mail *m, long *status, struct err *e)
{
    struct reading reading = { m->message };
    struct curl_guard guard = { NULL };
    char why[CURL_ERROR_SIZE] = "";
    int rc = check_mail(m, e);
    *status = 0;
    if (rc < 0) return rc;

    curl_start();
    CURL *easy = curl_easy_init();
    check(easy != NULL);
    struct curl_slist *to = set_envelope(easy, m);
    struct curl_slist *connect_to = set_where(easy, m);
    set_who(easy, m);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)m->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, &reading);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    if (m->outbound != NULL) rc = curl_guard_set(&guard, easy, m->outbound, m->host, e);
    if (rc == OK) {
        CURLcode code = curl_easy_perform(easy);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, status);
        rc = settle(code, *status, why, &guard, e);
    }
    curl_slist_free_all(to);
    curl_slist_free_all(connect_to);
    curl_easy_cleanup(easy);
    return rc;
}
